//! Limits on memory and on clients: what is evicted, what is refused, who is closed. What the real
//! server does is compared in `tests/real/eviction.rs`; some numbers here were recorded from it.

use crate::support::Rig;
use std::collections::BTreeSet;
use std::time::Duration;
use stunt_double::redis::server::{ClientId, Output, Server};
use stunt_double::redis::{EvictionPolicy, ServerOptions};
use stunt_double::{Instant, Site, Stream};

/// The memory that the server reports.
fn info(rig: &mut Rig, section: &str, field: &str) -> String {
    let text =
        rig.say(99, &format!("INFO {section}")).replace("\\r\\n", "\n").replace("\r\n", "\n");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
    line.unwrap_or_else(|| panic!("{field} in {text}")).to_owned()
}

fn used(rig: &mut Rig) -> u64 {
    info(rig, "memory", "used_memory").parse().unwrap()
}

#[test]
fn a_full_server_refuses_writes_and_serves_reads() {
    let mut rig = Rig::with(ServerOptions::default().with_max_memory(1));
    let full = "!OOM command not allowed when used memory > 'maxmemory'.";
    rig.script(
        1,
        &[("SET a 1", full), ("GET a", "nil"), ("DEL a", "0"), ("CONFIG SET maxmemory 0", "OK")],
    );
    rig.script(
        1,
        &[
            ("SET a 1", "OK"),
            ("CONFIG GET maxmemory-policy", "[\"maxmemory-policy\", \"noeviction\"]"),
        ],
    );
}

#[test]
fn a_full_server_discards_transactions() {
    let mut rig = Rig::new();
    let full = "!OOM command not allowed when used memory > 'maxmemory'.";
    rig.script(1, &[("MULTI", "OK"), ("SET a 1", "QUEUED")]);
    rig.script(2, &[("MULTI", "OK"), ("GET a", "QUEUED"), ("CONFIG SET maxmemory 1", "QUEUED")]);
    rig.script(2, &[("EXEC", "[nil, OK]")]);
    let discarded = "!EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.";
    rig.script(1, &[("EXEC", discarded), ("GET a", "nil")]);
    // Queueing needs memory, whatever is queued.
    rig.script(2, &[("MULTI", "OK"), ("GET a", full)]);
    rig.script(2, &[("EXEC", "!EXECABORT Transaction discarded because of previous errors.")]);
}

/// The memory is what `MEMORY USAGE` says of every key, and the tables.
#[test]
fn the_memory_in_use_is_that_of_the_keys() {
    let mut rig = Rig::new();
    let empty = used(&mut rig);
    rig.script(1, &[("SET k value", "OK"), ("RPUSH l a b c", "3"), ("SET t v EX 100", "OK")]);
    let keys = ["k", "l", "t"]
        .map(|key| rig.say(1, &format!("MEMORY USAGE {key}")).parse::<u64>().unwrap());
    // Four buckets of each table, and an entry in that of expiry times.
    assert_eq!(used(&mut rig) - empty, keys.iter().sum::<u64>() + 32 + 32 + 24);
    rig.say(1, "FLUSHALL");
    assert_eq!(used(&mut rig), empty);
}

#[test]
fn memory_is_counted_as_it_changes() {
    // The invariants, which are checked after each line, compare what was counted with what is
    // there.
    let mut rig = Rig::with(ServerOptions::default().with_max_memory(1 << 30));
    for line in [
        "SET a 1",
        "APPEND a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "SETRANGE a 500 x",
        "SET a 2 EX 5",
        "RPUSH l a b c d e",
        "LTRIM l 1 2",
        "LMOVE l m LEFT RIGHT",
        "HSET h a b",
        "HINCRBY h c 5",
        "SADD s 1 2 3",
        "SADD s x",
        "SMOVE s s2 x",
        "ZADD z 1 a 2 b",
        "ZINCRBY z 5 a",
        "ZRANGESTORE y z 0 -1",
        "XADD x * a b",
        "XADD x * c d",
        "XGROUP CREATE x g 0",
        "XREADGROUP GROUP g c STREAMS x >",
        "XTRIM x MAXLEN 1",
        "PFADD p a b c",
        "PFMERGE q p",
        "SETBIT b 1000 1",
        "BITFIELD b SET u8 2000 1",
        "BITOP NOT c b",
        "SORT z BY nosort STORE w",
        "SORT z DESC",
        "RENAME a aa",
        "COPY aa ab",
        "MOVE ab 1",
        "SWAPDB 0 1",
        "SWAPDB 0 1",
        "PERSIST aa",
        "EXPIRE aa 1",
        "DEBUG RELOAD",
        "GETDEL aa",
        "GEOADD g 1 2 m",
        "SPOP s",
        "LPOP l",
        "INCRBYFLOAT f 1.5",
        "MSET a 1 b 2",
        "FLUSHDB",
    ] {
        rig.send(1, line);
        rig.told(1);
        let told = used(&mut rig);
        rig.say(1, "PING");
        assert!(told > 0);
    }
    rig.pass_ms(10_000);
    rig.say(1, "PING");
}

/// Fills a database with 100 keys and lowers the limit by the size of some.
fn filled(policy: EvictionPolicy, seed: u64, samples: usize, lost: u64) -> (Vec<usize>, u64) {
    let mut server = Server::new(
        ServerOptions::default().with_eviction(policy),
        Stream::seeded(seed, Site::new("test.eviction"), 0),
    );
    let client = ClientId(1);
    server.connected(Instant::ZERO, client, "test");
    let mut now = Instant::ZERO;
    let say = |server: &mut Server, now: Instant, line: String| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        server.handle_input(now, client, &words);
        while server.poll_output().is_some() {}
    };
    say(&mut server, now, format!("CONFIG SET maxmemory-samples {samples}"));
    for key in 0..100 {
        say(&mut server, now, format!("SET key:{key:03} value"));
        if key % 2 == 0 {
            say(&mut server, now, format!("EXPIRE key:{key:03} {}", 100_000 - key));
        }
        now += Duration::from_secs(10);
    }
    // The first ten are used again, often.
    for key in 0..10 {
        for _ in 0..20 {
            say(&mut server, now, format!("GET key:{key:03}"));
        }
    }
    server.handle_input(now, client, &[b"INFO", b"memory"]);
    let Some(Output::Reply { reply, .. }) = server.poll_output() else { panic!("it answers") };
    let text = reply.as_text().unwrap();
    let used = text.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    // Each key uses 72 bytes; one with a time to live 24 more.
    let limit = used.parse::<u64>().unwrap() - lost * 72;
    say(&mut server, now, format!("CONFIG SET maxmemory {limit}"));
    assert_eq!(server.check_invariants(), Ok(()));
    let database = server.database(0).unwrap();
    let gone = (0..100).filter(|key| !database.exists(format!("key:{key:03}").as_bytes()));
    let gone: Vec<usize> = gone.collect();
    (gone, database.usage().evicted)
}

#[test]
fn with_as_many_samples_as_keys_the_best_are_evicted() {
    let (gone, evicted) = filled(EvictionPolicy::AllKeysLru, 1, 100, 5);
    assert_eq!((gone, evicted), ((10..15).collect(), 5), "the first ten were used last");
    let (gone, _) = filled(EvictionPolicy::VolatileLru, 1, 100, 5);
    assert_eq!(gone, [10, 12, 14, 16], "each uses more memory");
    let (gone, _) = filled(EvictionPolicy::VolatileTtl, 1, 100, 5);
    assert!(gone.iter().all(|key| *key >= 90 && key % 2 == 0), "{gone:?}");
    let (gone, _) = filled(EvictionPolicy::AllKeysLfu, 1, 100, 5);
    assert!(gone.iter().all(|key| *key >= 10), "{gone:?}");
    let (gone, _) = filled(EvictionPolicy::VolatileLfu, 1, 100, 5);
    assert!(gone.iter().all(|key| *key >= 10 && key % 2 == 0), "{gone:?}");
    let (gone, _) = filled(EvictionPolicy::VolatileRandom, 1, 100, 5);
    assert!(gone.iter().all(|key| key % 2 == 0), "{gone:?}");
    assert_eq!(filled(EvictionPolicy::NoEviction, 1, 100, 5), (vec![], 0));
}

#[test]
fn a_seed_decides_which_keys_are_evicted() {
    for policy in
        [EvictionPolicy::AllKeysLru, EvictionPolicy::AllKeysRandom, EvictionPolicy::AllKeysLfu]
    {
        let mut seen = BTreeSet::new();
        for seed in 0..8 {
            let once = filled(policy, seed, 5, 10);
            assert_eq!(once, filled(policy, seed, 5, 10), "{policy}");
            seen.insert(once.0);
        }
        assert!(seen.len() > 1, "{policy}");
    }
}
