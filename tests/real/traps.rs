//! The table of traps, played to both: the real server and ours answer what the table says.

#[path = "../traps/mod.rs"]
mod table;

use crate::both::Both;
use crate::server::{RealServer, request};
use stunt_double::redis::Version;
use table::{FAMILIES, Player, play};

/// One of the two servers.
struct Side<'a> {
    both: Both<'a>,
    real: bool,
}

impl Player for Side<'_> {
    fn send(&mut self, client: u64, words: &[Vec<u8>]) {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.both.send(client, &request(&words));
    }

    fn pass_ms(&mut self, millis: u64) {
        self.both.pass_ms(millis);
    }

    fn told(&mut self) -> Vec<(u64, Vec<u8>)> {
        let told = self.both.told().into_iter();
        told.map(|(client, (real, ours))| (client, if self.real { real.bytes } else { ours.bytes }))
            .collect()
    }
}

#[test]
fn both_servers_answer_what_the_table_says() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut failures = Vec::new();
    let mut traps = 0;
    for trap in FAMILIES.iter().flat_map(|(_, traps)| *traps) {
        traps += 1;
        let play_on = |real: bool, side: &RealServer| {
            play(trap, &mut Side { both: Both::new(side, ""), real })
        };
        let (theirs, own) = (play_on(true, &real), play_on(false, &real));
        if real.version() == Version::default() {
            failures.extend(theirs.iter().map(|difference| format!("real: {difference}")));
            failures.extend(own.iter().map(|difference| format!("ours: {difference}")));
        } else if theirs != own {
            // The table is of another version, which both may differ from.
            failures.push(format!("real: {}\nours: {}", theirs.join("\n"), own.join("\n")));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    println!("{traps} traps: the real server and ours answer what the table says");
}
