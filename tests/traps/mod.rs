//! What stand-ins for Redis get wrong, as scripts with the answers of
//! `redis-server` 7.0.15, byte for byte.
//!
//! The table is read twice: by the tests of ours, which need no server, and by
//! those that have the real one beside it.

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

/// Lines and what is answered to each.
#[derive(Debug)]
pub(crate) struct Trap {
    pub(crate) name: &'static str,
    /// Who says what and is told what. Nothing is answered to a client that waits;
    /// what it is told later stands behind the line that brought it about, with an
    /// empty line of its own. Nobody is told anything else.
    pub(crate) script: &'static [(u64, &'static str, &'static str)],
}

/// A client that stands for the clock: its line says how many milliseconds pass.
pub(crate) const TIME: u64 = u64::MAX;

/// The table, by family.
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

/// One side that a script is played to.
pub(crate) trait Player {
    fn send(&mut self, client: u64, words: &[Vec<u8>]);
    fn pass_ms(&mut self, millis: u64);
    /// Who was told what since this was last asked; those told nothing may be left
    /// out.
    fn told(&mut self) -> Vec<(u64, Vec<u8>)>;
}

/// Plays a script; where the answers differ, a line for each.
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

/// A line's words. Quotes keep spaces, `\x00` is a byte, `{1..3}` is `1 2 3`,
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
