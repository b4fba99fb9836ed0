//! `INFO`: the same sections, with the same fields in the same order, and the same counts of
//! commands and errors.

use crate::both::{Both, Told};
use crate::open::replies;
use crate::server::RealServer;
use stunt_double::redis::ServerOptions;

fn text(told: &Told) -> String {
    replies(&told.bytes)[0].as_text().unwrap_or_default().to_owned()
}

/// Returns section headings, and the name of each line. Listeners are counted from the port or the
/// socket, whichever the server has.
fn fields(text: &str) -> Vec<&str> {
    let name = |line: &'_ str| -> usize { line.find(':').unwrap_or(line.len()) };
    // Modules that a build brings along are not modelled.
    let own = text.lines().filter(|line| !line.starts_with("module:"));
    let names = own.map(|line| &line[..name(line)]);
    names.map(|name| if name.starts_with("listener") { "listener" } else { name }).collect()
}

fn sorted(text: &str) -> Vec<String> {
    // The duration of real commands varies.
    let counts = |line: &str| {
        let parts = line.split(',').filter(|part| !part.starts_with("usec"));
        parts.collect::<Vec<_>>().join(",")
    };
    let mut lines: Vec<String> = text.lines().map(counts).collect();
    lines.sort();
    lines
}

#[test]
fn sections_have_the_same_fields_in_the_same_order() {
    for append_only in [false, true] {
        let yes = if append_only { "yes" } else { "no" };
        let Some(real) = RealServer::start(&["--save", "", "--appendonly", yes]) else { return };
        let options = ServerOptions::default().with_save_points([]);
        let options =
            if append_only { options.with_append_only(Default::default()) } else { options };
        let mut both = Both::with(&real, options);
        both.ask(1, &[b"SET", b"k", b"v"]);
        both.ask(1, &[b"GET"]);
        for line in [
            "INFO",
            "INFO default",
            "INFO server nosuch CLIENTS",
            "INFO nosuch",
            "INFO memory",
            "INFO modules",
            "INFO errorstats",
            "INFO keyspace cpu",
        ] {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let (theirs, ours) = both.ask(1, &words);
            let (theirs, ours) = (text(&theirs), text(&ours));
            assert_eq!(fields(&ours), fields(&theirs), "{line}, append-only {yes}");
        }
        for line in ["INFO all", "INFO everything"] {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let (theirs, ours) = both.ask(1, &words);
            let heads = |told: &Told| -> Vec<String> {
                let all = text(told);
                all.lines().filter(|l| l.starts_with('#')).map(str::to_owned).collect()
            };
            assert_eq!(heads(&ours), heads(&theirs), "{line}");
        }
    }
}

#[test]
fn commands_and_errors_are_counted_alike() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::with(&real, ServerOptions::default().with_save_points([]));
    both.ask(1, &[b"CONFIG", b"RESETSTAT"]);
    for line in [
        "GET",
        "NOSUCH",
        "SET k v",
        "LPUSH k v",
        "CONFIG SET hz x",
        "EXEC",
        "MULTI",
        "GET",
        "EXEC",
        "MULTI",
        "LPUSH k v",
        "SET k w",
        "EXEC",
        "DEBUG",
        "AUTH x",
        "CLIENT NOSUCH",
        "CLIENT LIST TYPE x",
        "HELLO 9",
        "DEBUG ERROR MINE",
        "OBJECT ENCODING none",
        "HSCAN k 0",
        "SCAN x",
    ] {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        both.ask(1, &words);
    }
    for section in ["errorstats", "commandstats"] {
        let (theirs, ours) = both.ask(1, &[b"INFO", section.as_bytes()]);
        // The barrier's own commands do not count.
        let own = |line: &String| !line.starts_with("cmdstat_ping");
        let of = |told: &Told| sorted(&text(told)).into_iter().filter(own).collect::<Vec<_>>();
        assert_eq!(of(&ours), of(&theirs), "{section}");
    }
}
