//! Conversations that were recorded from real servers, one request after the other: from
//! `redis-server` 7.0.15, and, in `versions`, from each version.
//!
//! In a file, a line is a request, and the indented line below it is the reply, byte for byte, in
//! Rust's escapes. `= name` begins a conversation with an empty server, and `*` is any reply.
//!
//! The files are used twice: by tests of our server alone, and by tests that also have the real
//! server.

use stunt_double::redis::Version;

/// A request and its reply; `None` for any reply.
type Exchange = (Vec<Vec<u8>>, Option<Vec<u8>>);

/// A conversation of one client.
pub(crate) struct Conversation {
    pub(crate) name: String,
    exchanges: Vec<Exchange>,
}

/// The files.
pub(crate) const FILES: [(&str, &str); 5] = [
    ("acl", include_str!("acl.txt")),
    ("scripts", include_str!("scripts.txt")),
    ("functions", include_str!("functions.txt")),
    ("node", include_str!("node.txt")),
    ("debug", include_str!("debug.txt")),
];

/// The conversations of each version, which have the same requests: `versions/requests.txt`.
///
/// They are recorded by the test `the_real_server_answers_as_its_version_was_recorded` with
/// `STUNT_DOUBLE_RECORD=1`, from the server that `STUNT_DOUBLE_REDIS_SERVER` starts.
pub(crate) const VERSIONS: [(Version, &str); 9] = [
    (Version::Redis7_0, include_str!("versions/redis-7.0.txt")),
    (Version::Redis7_2, include_str!("versions/redis-7.2.txt")),
    (Version::Redis7_4, include_str!("versions/redis-7.4.txt")),
    (Version::Redis8_0, include_str!("versions/redis-8.0.txt")),
    (Version::Redis8_2, include_str!("versions/redis-8.2.txt")),
    (Version::Redis8_6, include_str!("versions/redis-8.6.txt")),
    (Version::Valkey8_0, include_str!("versions/valkey-8.0.txt")),
    (Version::Valkey8_1, include_str!("versions/valkey-8.1.txt")),
    (Version::Valkey9_1, include_str!("versions/valkey-9.1.txt")),
];

/// The conversations about commands that later versions have, of the versions that were asked. They
/// have the same requests too: `additions/requests.txt`.
pub(crate) const ADDITIONS: [(Version, &str); 5] = [
    (Version::Redis8_0, include_str!("additions/redis-8.0.txt")),
    (Version::Redis8_2, include_str!("additions/redis-8.2.txt")),
    (Version::Redis8_6, include_str!("additions/redis-8.6.txt")),
    (Version::Valkey8_1, include_str!("additions/valkey-8.1.txt")),
    (Version::Valkey9_1, include_str!("additions/valkey-9.1.txt")),
];

/// Returns the conversations of a file.
pub(crate) fn conversations(text: &str) -> Vec<Conversation> {
    let mut conversations: Vec<Conversation> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        if let Some(name) = line.strip_prefix("= ") {
            conversations.push(Conversation { name: name.to_owned(), exchanges: Vec::new() });
            continue;
        }
        let exchanges = &mut conversations.last_mut().expect("a name comes first").exchanges;
        match line.strip_prefix("  ") {
            Some(reply) => {
                let last = exchanges.last_mut().expect("a reply follows a request");
                last.1 = (reply != "*").then(|| unescaped(&mut reply.bytes()));
            }
            None => exchanges.push((words(line), None)),
        }
    }
    conversations
}

/// Splits a request into words. A word in double quotes has escapes.
pub(crate) fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.bytes().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b' ' => {}
            b'"' => words.push(unescaped(&mut rest)),
            first => {
                let mut word = vec![first];
                while let Some(byte) = rest.next_if(|byte| *byte != b' ') {
                    word.push(byte);
                }
                words.push(word);
            }
        }
    }
    words
}

/// Reads text with escapes up to a double quote, or to the end.
fn unescaped(text: &mut impl Iterator<Item = u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(byte) = text.next() {
        match byte {
            b'"' => break,
            b'\\' => match text.next() {
                Some(b'n') => bytes.push(b'\n'),
                Some(b'r') => bytes.push(b'\r'),
                Some(b't') => bytes.push(b'\t'),
                Some(b'x') => {
                    let digits: String = text.take(2).map(char::from).collect();
                    bytes.push(u8::from_str_radix(&digits, 16).expect("two digits"));
                }
                Some(other) => bytes.push(other),
                None => {}
            },
            other => bytes.push(other),
        }
    }
    bytes
}

impl Conversation {
    /// Sends each request. Returns a line for each reply that differs.
    pub(crate) fn play(&self, mut ask: impl FnMut(&[Vec<u8>]) -> Vec<u8>) -> Vec<String> {
        let mut differences = Vec::new();
        for (words, expected) in &self.exchanges {
            let got = ask(words);
            if expected.as_ref().is_some_and(|expected| *expected != got) {
                let shown: Vec<String> =
                    words.iter().map(|word| word.escape_ascii().to_string()).collect();
                let expected = expected.as_deref().unwrap_or_default();
                differences.push(format!(
                    "{}: {}\n  recorded {}\n  got      {}",
                    self.name,
                    shown.join(" "),
                    expected.escape_ascii(),
                    got.escape_ascii()
                ));
            }
        }
        differences
    }
}
