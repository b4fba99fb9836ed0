//! Limits on memory and on clients: what is evicted, what is refused, who is closed. What the real
//! server does is compared in `tests/real/eviction.rs`; some numbers here were recorded from it.

use crate::support::Rig;
use std::collections::BTreeSet;
use std::time::Duration;
use stunt_double::redis::server::{ClientId, Output, Server};
use stunt_double::redis::{self, Client, Error, EvictionPolicy, Reply, ServerOptions};
use stunt_double::sim::Sim;
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
    assert_eq!(gone, [0, 2, 4, 6], "they were given about as long, in turn");
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

/// A server with one client, which is asked in words.
struct Talk {
    server: Server,
    now: Instant,
}

impl Talk {
    fn new(random: Stream) -> Talk {
        let mut server = Server::new(ServerOptions::default(), random);
        server.connected(Instant::ZERO, ClientId(1), "test");
        Talk { server, now: Instant::ZERO }
    }

    fn ask(&mut self, words: &[&[u8]]) -> Reply {
        self.server.handle_input(self.now, ClientId(1), words);
        match self.server.poll_output() {
            Some(Output::Reply { reply, .. }) => reply,
            other => panic!("{other:?}"),
        }
    }

    fn say(&mut self, line: &str) -> Reply {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.ask(&words)
    }

    fn used(&mut self) -> u64 {
        let text = self.say("INFO memory");
        let text = text.as_text().unwrap();
        text.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().parse().unwrap()
    }
}

/// Returns which share of 300 evicted keys were among the oldest 300 of 1,000, and which among the
/// youngest 500.
fn quality(seed: u64, samples: usize) -> (f64, f64) {
    let mut talk = Talk::new(Stream::seeded(seed, Site::new("test.eviction"), 1));
    talk.say(&format!("CONFIG SET maxmemory-policy allkeys-lru maxmemory-samples {samples}"));
    talk.say(&format!("SET k {}", "x".repeat(10_000)));
    let payload = talk.say("DUMP k").as_bytes().unwrap().to_vec();
    talk.say("DEL k");
    for key in 0..1_000 {
        let (name, idle) = (format!("k{key:04}"), (10 * (key + 1)).to_string());
        let restored =
            talk.ask(&[b"RESTORE", name.as_bytes(), b"0", &payload, b"IDLETIME", idle.as_bytes()]);
        assert_eq!(restored, Reply::OK);
    }
    let size = talk.say("MEMORY USAGE k0001").as_integer().unwrap() as u64;
    let limit = talk.used() - 300 * size;
    talk.say(&format!("CONFIG SET maxmemory {limit}"));
    let database = talk.server.database(0).unwrap();
    let gone: Vec<usize> =
        (0..1_000).filter(|key| !database.exists(format!("k{key:04}").as_bytes())).collect();
    assert_eq!(gone.len(), 300);
    let share =
        |of: &dyn Fn(usize) -> bool| gone.iter().filter(|key| of(**key)).count() as f64 / 300.0;
    (share(&|key| key >= 700), share(&|key| key < 500))
}

/// The real server evicted these shares, on average over 20 runs that did the same. (With a single
/// sample its choice is nearly random.)
#[test]
fn the_guesses_are_as_good_as_those_of_the_real_server() {
    for (samples, oldest, youngest) in
        [(1, 0.306, 0.490), (3, 0.619, 0.028), (5, 0.767, 0.0), (10, 0.901, 0.0)]
    {
        let runs: Vec<(f64, f64)> = (0..8).map(|seed| quality(seed, samples)).collect();
        let mean = |of: fn(&(f64, f64)) -> f64| runs.iter().map(of).sum::<f64>() / 8.0;
        let (old, young) = (mean(|run| run.0), mean(|run| run.1));
        assert!((old - oldest).abs() < 0.05, "{samples} samples: {old} of the oldest");
        assert!((young - youngest).abs() < 0.05, "{samples} samples: {young} of the youngest");
    }
}

/// The table of `redis.conf`: the counter after so many uses.
#[test]
fn counters_grow_as_documented() {
    for (factor, uses, counter) in [
        (0, 100, 105),
        (0, 1_000, 255),
        (1, 100, 18),
        (1, 1_000, 49),
        (10, 100, 10),
        (10, 1_000, 18),
        (100, 1_000, 11),
        (100, 100, 8),
    ] {
        let mut talk = Talk::new(Stream::seeded(3, Site::new("test.eviction"), 2));
        talk.say(&format!("CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor {factor}"));
        let mut sum = 0;
        for key in 0..5 {
            talk.say(&format!("SET k{key} v"));
            for _ in 0..uses {
                talk.say(&format!("GET k{key}"));
            }
            sum += talk.say(&format!("OBJECT FREQ k{key}")).as_integer().unwrap();
        }
        let mean = sum as f64 / 5.0;
        let most = 1.0 + f64::from(counter) / 10.0;
        assert!((mean - f64::from(counter)).abs() <= most, "factor {factor}, {uses} uses: {mean}");
    }
}

#[test]
fn a_counter_decays_with_the_minutes() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[("CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0", "OK"), ("SET k v", "OK")],
    );
    rig.script(
        1,
        &[("OBJECT FREQ k", "5"), ("GET k", "\"v\""), ("GET k", "\"v\""), ("OBJECT FREQ k", "7")],
    );
    rig.pass(Duration::from_secs(180));
    rig.script(1, &[("OBJECT FREQ k", "4"), ("GET k", "\"v\""), ("OBJECT FREQ k", "5")]);
    rig.script(1, &[("CONFIG SET lfu-decay-time 0", "OK")]);
    rig.pass(Duration::from_secs(600));
    rig.script(
        1,
        &[("OBJECT FREQ k", "5"), ("CONFIG SET lfu-decay-time 4", "OK"), ("OBJECT FREQ k", "3")],
    );
    rig.pass(Duration::from_secs(60 * 60));
    rig.script(1, &[("OBJECT FREQ k", "0"), ("GET k", "\"v\""), ("OBJECT FREQ k", "1")]);
    let error = "!ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
                 when switching between policies at runtime LRU and LFU data will take some time to adjust.";
    rig.script(1, &[("OBJECT IDLETIME k", error), ("OBJECT IDLETIME none", "nil")]);
}

/// In a calm world every use counts, and samples walk through the keys.
#[test]
fn a_calm_server_counts_every_use_and_draws_all_keys_in_turn() {
    let mut talk = Talk::new(Stream::calm(Site::new("test.eviction"), 3));
    talk.say("CONFIG SET maxmemory-policy allkeys-lfu maxmemory-samples 2");
    for key in 0..50 {
        talk.say(&format!("SET k{key} v"));
        for _ in 0..key {
            talk.say(&format!("GET k{key}"));
        }
        assert_eq!(talk.say(&format!("OBJECT FREQ k{key}")), Reply::Integer(5 + key));
    }
    let limit = talk.used() - 10 * 64;
    talk.say(&format!("CONFIG SET maxmemory {limit}"));
    let database = talk.server.database(0).unwrap();
    let gone: Vec<i64> =
        (0..50).filter(|key| !database.exists(format!("k{key}").as_bytes())).collect();
    assert!(gone.iter().filter(|key| **key < 25).count() >= 8, "{gone:?}");
}

#[test]
fn an_evicted_key_is_told_to_listeners_watchers_and_trackers() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("CONFIG SET maxmemory-policy allkeys-random notify-keyspace-events Ee", "OK"),
            ("SET k v", "OK"),
        ],
    );
    rig.send(2, "SUBSCRIBE __keyevent@0__:evicted");
    rig.send(3, "HELLO 3");
    rig.send(3, "CLIENT TRACKING ON");
    rig.send(3, "GET k");
    rig.script(4, &[("WATCH k", "OK"), ("MULTI", "OK"), ("GET k", "QUEUED")]);
    let _ = (rig.told(2), rig.told(3));
    rig.script(1, &[("CONFIG SET maxmemory 1", "OK"), ("DBSIZE", "0")]);
    assert_eq!(rig.told(2), [">[\"message\", \"__keyevent@0__:evicted\", \"k\"]".replace('>', "")]);
    assert_eq!(rig.told(3), [">[\"invalidate\", [\"k\"]]"]);
    rig.script(4, &[("EXEC", "nil array")]);
    assert_eq!(info(&mut rig, "stats", "evicted_keys"), "1");
}

#[test]
fn nothing_is_evicted_or_refused_while_clients_are_paused() {
    let mut rig = Rig::new();
    rig.script(1, &[("CONFIG SET maxmemory-policy allkeys-lru", "OK"), ("SET k v", "OK")]);
    rig.script(
        2,
        &[("CLIENT PAUSE 1000 WRITE", "OK"), ("CONFIG SET maxmemory 1", "OK"), ("DBSIZE", "1")],
    );
    rig.pass_ms(1_000);
    rig.script(2, &[("GET k", "nil"), ("DBSIZE", "0")]);
}

#[test]
fn the_time_beyond_the_limit_is_counted() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v", "OK"), ("CONFIG SET maxmemory 1", "OK"), ("PING", "PONG")]);
    rig.pass_ms(2_500);
    assert_eq!(info(&mut rig, "stats", "current_eviction_exceeded_time"), "2500");
    rig.script(1, &[("CONFIG SET maxmemory 1gb", "OK"), ("PING", "PONG")]);
    rig.pass_ms(1_000);
    assert_eq!(info(&mut rig, "stats", "current_eviction_exceeded_time"), "0");
    assert_eq!(info(&mut rig, "stats", "total_eviction_exceeded_time"), "2500");
}

#[test]
fn a_blocked_client_is_served_by_a_full_server() {
    let mut rig = Rig::new();
    rig.send(1, "BLPOP l 0");
    rig.send(3, "BLMOVE l m LEFT LEFT 0");
    rig.script(
        2,
        &[
            ("MULTI", "OK"),
            ("CONFIG SET maxmemory 1", "QUEUED"),
            ("RPUSH l a b", "QUEUED"),
            ("EXEC", "[OK, 2]"),
        ],
    );
    assert_eq!(rig.told(1), ["[\"l\", \"a\"]"]);
    // It was admitted when there was room.
    assert_eq!(rig.told(3), ["\"b\""]);
}

#[test]
fn more_clients_than_may_connect_are_told_so() {
    let mut rig = Rig::with(ServerOptions::default().with_max_clients(2));
    rig.script(1, &[("PING", "PONG")]);
    rig.script(2, &[("CONFIG GET maxclients", "[\"maxclients\", \"2\"]")]);
    rig.send(3, "PING");
    assert_eq!(rig.told(3), ["!ERR max number of clients reached"]);
    assert!(rig.is_closed(3));
    rig.script(2, &[("CONFIG SET maxclients 1", "OK"), ("CONFIG SET maxclients 0", "!ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument must be between 1 and 4294967295 inclusive")]);
    rig.script(1, &[("PING", "PONG")]);
    rig.disconnect(1);
    rig.send(4, "PING");
    assert!(rig.is_closed(4));
    rig.script(2, &[("CONFIG SET maxclients 3", "OK")]);
    assert_eq!(info(&mut rig, "stats", "rejected_connections"), "2");
    rig.script(5, &[("PING", "PONG")]);
}

#[test]
fn an_idle_client_is_closed_after_whole_seconds() {
    let mut rig = Rig::with(ServerOptions::default().with_client_timeout(Duration::from_secs(2)));
    rig.pass_ms(500);
    rig.script(1, &[("PING", "PONG")]);
    rig.send(2, "SUBSCRIBE c");
    rig.send(3, "BLPOP none 10");
    rig.send(4, "MONITOR");
    rig.pass_ms(2_400);
    assert!(!rig.is_closed(1));
    rig.pass_ms(100);
    assert_eq!([1, 2, 3, 4].map(|client| rig.is_closed(client)), [true, false, false, false]);
    // A client that waited is idle from when it was answered.
    rig.pass_ms(7_500);
    assert!(!rig.is_closed(3));
    rig.pass_ms(3_000);
    assert!(rig.is_closed(3));
}

#[test]
fn the_largest_clients_are_closed_first() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("CONFIG SET maxmemory-clients 200kb", "OK"),
            ("CONFIG GET maxmemory-clients", "[\"maxmemory-clients\", \"204800\"]"),
        ],
    );
    let value = "x".repeat(40_000);
    for client in [2, 3, 4] {
        rig.say(client, "MULTI");
        rig.say(client, &format!("SET k {value}"));
    }
    rig.say(3, &format!("SET k {value}"));
    // Client 2 came first, but client 3 is in a larger class.
    rig.say(4, &format!("SET k {value}"));
    assert_eq!([2, 3, 4].map(|client| rig.is_closed(client)), [false, true, false]);
    assert_eq!(info(&mut rig, "stats", "evicted_clients"), "1");
    rig.script(5, &[("CLIENT NO-EVICT on", "OK"), ("MULTI", "OK")]);
    rig.say(5, &format!("SET k {}", "x".repeat(300_000)));
    // No other helps, but they are all closed.
    assert_eq!([2, 4, 5].map(|client| rig.is_closed(client)), [true, true, false]);
}

#[test]
fn a_restart_returns_to_the_options() {
    let options = ServerOptions::default()
        .with_max_memory(1 << 30)
        .with_eviction(EvictionPolicy::VolatileLfu);
    let mut rig = Rig::with(options);
    rig.script(
        1,
        &[
            ("SET k v", "OK"),
            ("SAVE", "OK"),
            ("CONFIG SET maxmemory 0 maxmemory-policy noeviction", "OK"),
        ],
    );
    rig.server.stop(rig.now, stunt_double::Shutdown::Clean);
    rig.server.start(rig.now);
    rig.script(
        2,
        &[
            ("CONFIG GET maxmemory-policy", "[\"maxmemory-policy\", \"volatile-lfu\"]"),
            ("OBJECT FREQ k", "5"),
        ],
    );
}

/// A world's clients see the limits as errors of their calls, and a timer of idle clients keeps no
/// world alive.
#[test]
fn limits_reach_the_clients_of_a_world() {
    let mut sim = Sim::new(1);
    let options =
        ServerOptions::default().with_max_clients(1).with_client_timeout(Duration::from_secs(5));
    let redis = redis::start(&mut sim, options);
    sim.node_with("first", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        client.call(["SET", "k", "v"]).await?;
        node.sleep(Duration::from_secs(10)).await;
        assert!(client.call(["GET", "k"]).await.is_err(), "it was idle for too long");
        Ok::<(), Error>(())
    });
    sim.node_with("second", redis, async |node, redis| {
        node.sleep(Duration::from_secs(1)).await;
        let refused = Client::connect(&node, &redis).await?;
        assert!(refused.call(["GET", "k"]).await.is_err(), "there is room for one");
        node.sleep(Duration::from_secs(8)).await;
        let client = Client::connect(&node, &redis).await?;
        assert_eq!(client.call(["GET", "k"]).await?, Reply::bulk(b"v"));
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
    assert!(sim.now() < Instant::ZERO + Duration::from_secs(11), "{}", sim.now());
}
