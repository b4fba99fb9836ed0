//! What stand-ins for Redis often get wrong, as scripts with the replies of `redis-server` 7.0.15,
//! byte for byte.
//!
//! The table is used twice: by tests of our server alone, and by tests that also have the real
//! server.

mod bitmaps;
mod blocking;
mod encodings;
mod errors;
mod hashes;
mod keys;
mod lists;
mod messages;
mod scan;
mod sets;
mod sorted_sets;
mod strings;
mod transactions;

/// A script and its replies.
#[derive(Debug)]
pub(crate) struct Trap {
    pub(crate) name: &'static str,
    /// The client, its line, and the reply. A client that waits gets no reply at first; its later
    /// reply stands behind the line that caused it, with an empty line. Nothing else is sent.
    pub(crate) script: &'static [(u64, &'static str, &'static str)],
}

/// A pseudo-client for the clock: its line is the number of milliseconds that pass.
pub(crate) const TIME: u64 = u64::MAX;

/// The table, by topic.
pub(crate) const FAMILIES: [(&str, &[Trap]); 13] = [
    ("strings", strings::TRAPS),
    ("bitmaps", bitmaps::TRAPS),
    ("hashes", hashes::TRAPS),
    ("lists", lists::TRAPS),
    ("sets", sets::TRAPS),
    ("sorted_sets", sorted_sets::TRAPS),
    ("keys", keys::TRAPS),
    ("scan", scan::TRAPS),
    ("encodings", encodings::TRAPS),
    ("errors", errors::TRAPS),
    ("transactions", transactions::TRAPS),
    ("blocking", blocking::TRAPS),
    ("messages", messages::TRAPS),
];

/// A server that a script is played to.
pub(crate) trait Player {
    fn send(&mut self, client: u64, words: &[Vec<u8>]);
    fn pass_ms(&mut self, millis: u64);
    /// Returns what was sent to each client since the last call. Clients without output may be
    /// missing.
    fn told(&mut self) -> Vec<(u64, Vec<u8>)>;
}

/// Plays a script. Returns a line for each reply that differs.
pub(crate) fn play(trap: &Trap, player: &mut dyn Player) -> Vec<String> {
    let mut failures = Vec::new();
    let mut at = 0;
    while let Some(&(client, line, _)) = trap.script.get(at) {
        match client {
            TIME => player.pass_ms(line.parse().unwrap()),
            _ => player.send(client, &words(line)),
        }
        let later = trap.script[at + 1..].iter().take_while(|(_, line, _)| line.is_empty());
        let end = at + 1 + later.count();
        let mut told = player.told();
        for &(client, _, expected) in &trap.script[at..end] {
            let found = told.iter().position(|(told, _)| *told == client);
            let got = found.map(|found| told.remove(found).1).unwrap_or_default();
            if got != expected.as_bytes() {
                failures.push(failure(trap, client, line, expected.as_bytes(), &got));
            }
        }
        for (client, got) in told {
            if !got.is_empty() {
                failures.push(failure(trap, client, line, b"", &got));
            }
        }
        at = end;
    }
    failures
}

fn failure(trap: &Trap, client: u64, line: &str, expected: &[u8], got: &[u8]) -> String {
    let (expected, got) = (expected.escape_ascii(), got.escape_ascii());
    format!(
        "{}: {line:?}\n  expected for {client}: {expected}\n  got for {client}:      {got}",
        trap.name
    )
}

/// Splits a line into words. Quotes keep spaces, `\x00` is a byte, `{1..3}` is `1 2 3`,
/// `{1..3:twice}` is `1 1 2 2 3 3` and `{a*3}` is `aaa`.
pub(crate) fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    for (i, part) in line.split('"').enumerate() {
        if i % 2 == 1 {
            words.push(bytes(part));
        } else {
            words.extend(part.split_whitespace().flat_map(expanded));
        }
    }
    words
}

fn expanded(word: &str) -> Vec<Vec<u8>> {
    let Some(inner) = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) else {
        return vec![bytes(word)];
    };
    if let Some((text, times)) = inner.split_once('*') {
        return vec![text.repeat(times.parse().unwrap()).into_bytes()];
    }
    let (inner, times) = inner.strip_suffix(":twice").map_or((inner, 1), |inner| (inner, 2));
    let (first, last) = inner.split_once("..").unwrap();
    let (first, last): (u32, u32) = (first.parse().unwrap(), last.parse().unwrap());
    let numbers = (first..=last).map(|n| n.to_string().into_bytes());
    numbers.flat_map(|n| std::iter::repeat_n(n, times)).collect()
}

fn bytes(word: &str) -> Vec<u8> {
    let mut parts = word.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}
