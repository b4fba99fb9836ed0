//! `COMMAND INFO` of every command that we have, `COMMAND GETKEYS` and `GETKEYSANDFLAGS`, and
//! unknown subcommands.

use crate::both::{Both, unordered};
use crate::server::RealServer;
use std::collections::BTreeMap;
use stunt_double::redis::Reply;
use stunt_double::redis::resp::ReplyParser;

fn parse(bytes: &[u8]) -> Reply {
    let mut parser = ReplyParser::new();
    parser.feed(bytes);
    parser.next_reply().unwrap().expect("it is whole")
}

fn is_whole(bytes: &[u8]) -> bool {
    let mut parser = ReplyParser::new();
    parser.feed(bytes);
    matches!(parser.next_reply(), Ok(Some(_)))
}

fn items(reply: &Reply) -> &[Reply] {
    reply.as_array().unwrap_or_default()
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(reply.as_bytes().unwrap_or_default()).into_owned()
}

/// The fields of an entry that are sets: flags, ACL categories, tips, key specs.
const SETS: [usize; 4] = [2, 6, 7, 8];
/// The field with the subcommands.
const SUBCOMMANDS: usize = 9;

/// Collects all commands and subcommands with their entries, sets sorted.
fn entries(infos: &[Reply], found: &mut BTreeMap<String, Vec<String>>) {
    for info in infos {
        let fields = items(info);
        let Some(name) = fields.first() else { continue };
        let mut said: Vec<String> =
            fields.iter().take(SUBCOMMANDS).map(|field| field.to_string()).collect();
        for at in SETS {
            let mut members: Vec<String> = items(&fields[at]).iter().map(sorted).collect();
            members.sort();
            said[at] = members.join(" ");
        }
        found.insert(text(name), said);
        entries(items(&fields[SUBCOMMANDS]), found);
    }
}

/// Formats a key spec with its flags sorted.
fn sorted(reply: &Reply) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut flags = false;
    for item in items(reply) {
        if flags {
            let mut inner: Vec<String> = items(item).iter().map(Reply::to_string).collect();
            inner.sort();
            words.push(inner.join(" "));
        } else {
            words.push(item.to_string());
        }
        flags = item.as_bytes() == Some(b"flags");
    }
    if words.is_empty() { reply.to_string() } else { words.join(" ") }
}

#[test]
fn each_command_is_described_as_by_the_real_server() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    let (_, ours) = both.ask(1, &[b"COMMAND"]);
    let ours = parse(&ours.bytes);
    let names: Vec<String> = items(&ours).iter().map(|info| text(&items(info)[0])).collect();
    let (mut described, mut known) = (BTreeMap::new(), BTreeMap::new());
    entries(items(&ours), &mut described);
    // The server writes a reply to all of them in several turns.
    for names in names.chunks(40) {
        let mut words: Vec<&[u8]> = vec![b"COMMAND", b"INFO"];
        words.extend(names.iter().map(String::as_bytes));
        let (real, _) = both.ask(2, &words);
        entries(items(&parse(&real.bytes)), &mut known);
    }
    let mut failures = Vec::new();
    for (name, ours) in &described {
        match known.get(name) {
            None => failures.push(format!("{name} is not there")),
            Some(real) => {
                let differ = real.iter().zip(ours).filter(|(real, ours)| real != ours);
                failures.extend(
                    differ.map(|(real, ours)| format!("{name}\n  real {real}\n  ours {ours}")),
                );
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    println!("{} commands and subcommands are described as by the real server", described.len());
}

/// Requests whose keys are compared.
const REQUESTS: &[&str] = &[
    "GET k",
    "get k",
    "GET",
    "GET a b",
    "SET k v",
    "SET k v GET",
    "SET k v EX 10 GET",
    "MSET a 1 b 2 c 3",
    "MSET a 1 b",
    "MSETNX a 1",
    "MGET a b c",
    "DEL a b",
    "UNLINK a",
    "EXISTS a b",
    "TOUCH a",
    "RENAME a b",
    "COPY a b REPLACE",
    "MOVE a 1",
    "OBJECT ENCODING k",
    "OBJECT HELP",
    "OBJECT NOSUCH k",
    "OBJECT",
    "BITOP AND d a b",
    "BITFIELD k GET u8 0",
    "BITFIELD k SET u8 0 1",
    "BITFIELD k GET u8 0 INCRBY u8 0 1",
    "BITFIELD_RO k GET u8 0",
    "LMOVE a b LEFT RIGHT",
    "RPOPLPUSH a b",
    "BLPOP a b 0",
    "BLMOVE a b LEFT RIGHT 0",
    "BRPOPLPUSH a b 0",
    "LMPOP 2 a b LEFT",
    "LMPOP 9 a b LEFT",
    "LMPOP x a b LEFT",
    "LMPOP 0 a LEFT",
    "LMPOP -1 a LEFT",
    "BLMPOP 0 2 a b LEFT",
    "ZMPOP 1 a MIN",
    "BZMPOP 0 1 a MIN",
    "BZPOPMIN a b 0",
    "SINTERCARD 2 a b LIMIT 1",
    "SINTERSTORE d a b",
    "SMOVE a b m",
    "SDIFF a b",
    "ZUNIONSTORE d 2 a b WEIGHTS 1 2",
    "ZUNIONSTORE d 3 a b",
    "ZUNIONSTORE d 0 a b",
    "ZUNIONSTORE d x a",
    "ZINTER 2 a b",
    "ZDIFF 1 a WITHSCORES",
    "ZINTERCARD 1 a",
    "ZRANGESTORE d s 0 1",
    "ZADD z 1 a",
    "HSET h f v",
    "HMGET h a b",
    "SORT k",
    "SORT k BY w GET # STORE d",
    "SORT k STORE d STORE e",
    "SORT k LIMIT 0 1 STORE d",
    "SORT k GET store",
    "SORT k BY store x",
    "SORT_RO k BY w",
    "LCS a b",
    "WATCH a b",
    "EXEC",
    "MULTI",
    "PING",
    "PUBLISH ch m",
    "SPUBLISH ch m",
    "SSUBSCRIBE ch",
    "SUBSCRIBE ch",
    "SCAN 0",
    "SSCAN k 0",
    "KEYS *",
    "NOSUCH a",
    "CONFIG GET a",
    "CONFIG NOSUCH",
    "CLIENT LIST",
    "FLUSHALL",
    "EXPIRE k 1",
    "GETEX k PERSIST",
    "GETDEL k",
    "GETRANGE k 0 1",
    "SPOP s",
    "SCARD s",
    "LINSERT l BEFORE p v",
    "LTRIM l 0 1",
    "APPEND k v",
    "STRLEN k",
    "TYPE k",
    "PERSIST k",
    "ZREM z a",
    "HINCRBY h f 1",
    "XADD s * f v",
    "XREAD COUNT 1 STREAMS a b 0 0",
    "XREAD streams a 0",
    "XREAD COUNT 1 BLOCK a",
    "XREADGROUP GROUP STREAMS c STREAMS a b > >",
    "XREADGROUP GROUP g c STREAMS a b >",
    "XGROUP CREATE s g 0",
    "XGROUP HELP",
    "XINFO STREAM s",
];

#[test]
fn the_keys_of_a_request() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    let mut failures = Vec::new();
    for what in ["GETKEYS", "GETKEYSANDFLAGS"] {
        for line in REQUESTS {
            let mut words: Vec<&[u8]> = vec![b"COMMAND", what.as_bytes()];
            words.extend(line.split(' ').map(str::as_bytes));
            let (real, ours) = both.ask(1, &words);
            let same = match what {
                "GETKEYS" => real == ours,
                _ => unordered(&real.bytes) == unordered(&ours.bytes),
            };
            if !same {
                let (real, ours) = (real.bytes.escape_ascii(), ours.bytes.escape_ascii());
                failures.push(format!("COMMAND {what} {line}\n  real {real}\n  ours {ours}"));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn wrong_numbers_of_arguments_and_unknown_subcommands() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    let (_, ours) = both.ask(1, &[b"COMMAND", b"LIST"]);
    let mut failures = Vec::new();
    let list = parse(&ours.bytes);
    for name in items(&list).iter().map(text) {
        let mut words: Vec<&[u8]> = name.split('|').map(str::as_bytes).collect();
        // Send a single word only where that is too few arguments, so that nothing runs.
        let (_, about) = both.ask(1, &[b"COMMAND", b"INFO", name.as_bytes()]);
        let about = parse(&about.bytes);
        let Some(arity) = items(&items(&about)[0]).get(1).and_then(Reply::as_integer) else {
            panic!("{name} has no arity");
        };
        let has_subcommands = !items(&items(&items(&about)[0])[SUBCOMMANDS]).is_empty();
        if has_subcommands {
            words.push(b"nosuch");
        } else if arity.unsigned_abs() as usize > words.len() {
            // A valid call.
        } else if arity > 0 {
            words.push(b"more");
        } else {
            continue;
        }
        let (real, ours) = both.ask(2, &words);
        if real != ours {
            let (real, ours) = (real.bytes.escape_ascii(), ours.bytes.escape_ascii());
            failures.push(format!("{name}\n  real {real}\n  ours {ours}"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Returns the entries of `COMMAND DOCS` by name, those of subcommands among them.
fn documents(reply: &Reply, found: &mut BTreeMap<String, String>) {
    for pair in items(reply).chunks_exact(2) {
        let fields = items(&pair[1]).chunks_exact(2);
        let (nested, own): (Vec<_>, Vec<_>) =
            fields.partition(|field| field[0].as_bytes() == Some(b"subcommands"));
        let own: Vec<String> = own.iter().map(|field| format!("{field:?}")).collect();
        found.insert(text(&pair[0]), own.join("\n"));
        nested.iter().for_each(|field| documents(&field[1], found));
    }
}

#[test]
fn each_command_is_documented_as_by_the_real_server() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    let (mut real, ours) = both.ask(1, &[b"COMMAND", b"DOCS"]);
    // So long a reply may arrive in parts.
    while real.bytes.len() < ours.bytes.len() && !is_whole(&real.bytes) {
        let (more, _) = both.told().remove(&1).expect("the client is connected");
        real.bytes.extend(more.bytes);
    }
    let (mut known, mut described) = (BTreeMap::new(), BTreeMap::new());
    documents(&parse(&real.bytes), &mut known);
    documents(&parse(&ours.bytes), &mut described);
    let failures: Vec<String> = described
        .iter()
        .filter(|(name, ours)| known.get(*name) != Some(ours))
        .map(|(name, ours)| format!("{name}\n  real {:?}\n  ours {ours}", known.get(name)))
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    println!("{} commands and subcommands are documented as by the real server", described.len());
}
