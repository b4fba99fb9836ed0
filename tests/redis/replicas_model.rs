//! Replicas beside their master: random commands on a master with a replica, which has a replica of
//! its own, behind slow links, partitions and restarts. Once everything is at rest, all three have
//! the same data, and no replica has ever answered its master with an error.

use std::time::Duration;
use stunt_double::redis::{self, AppendFsync, Client, Redis, ServerOptions, Version};
use stunt_double::sim::{Config, Latency, Node, Sim};
use stunt_double::{Shutdown, Site, Stream};

/// Number of worlds, and of commands that each client sends.
const WORLDS: u64 = 40;
const COMMANDS: u64 = 250;

/// Commands, in which capital letters stand for something to draw: `K` for a string's key, `L` for
/// a list's, `H` for a hash's, `S` for a set's, `Z` for a sorted set's, `X` for a stream's, `V` for
/// a value, `N` for a small number, `T` for a time in milliseconds.
const COMMANDS_DRAWN: &[&str] = &[
    "SET K V",
    "SET K V PX T",
    "SET K V EX 1 GET",
    "SET K N KEEPTTL",
    "SETEX K 1 V",
    "GETEX K PX T",
    "GETEX K PERSIST",
    "GETDEL K",
    "GETSET K V",
    "APPEND K V",
    "INCRBYFLOAT K 0.5",
    "SETRANGE K N V",
    "SETBIT K N 1",
    "PFADD p V",
    "MSET K V K V",
    "PEXPIRE K T",
    "PEXPIRE K T",
    "PEXPIRE L T",
    "PEXPIRE X T NX",
    "PEXPIRE Z T GT",
    "EXPIRE S 1",
    "PERSIST K",
    "PERSIST K",
    "PERSIST K",
    "PERSIST L",
    "PERSIST X",
    "RENAME K K",
    "COPY K K REPLACE",
    "COPY Z Z DB N REPLACE",
    "MOVE K N",
    "SWAPDB 0 N",
    "SELECT N",
    "SELECT N",
    "SELECT N",
    "DEL K",
    "UNLINK L",
    "GET K",
    "RANDOMKEY",
    "SCAN 0",
    "LPUSH L V V V",
    "RPUSH L V",
    "LPOP L N",
    "LMPOP 2 L L RIGHT COUNT N",
    "BLPOP L L 0.05",
    "BLMOVE L L LEFT RIGHT 0.05",
    "LREM L N V",
    "LTRIM L 0 N",
    "HSET H V V V N",
    "HINCRBYFLOAT H f 1.25",
    "HDEL H V",
    "SADD S V V N",
    "SPOP S",
    "SPOP S N",
    "SMOVE S S V",
    "SUNIONSTORE S S S",
    "ZADD Z N V N V",
    "ZADD Z GT INCR 1.5 V",
    "ZPOPMIN Z N",
    "ZMPOP 2 Z Z MAX COUNT N",
    "BZPOPMAX Z Z 0.05",
    "ZUNIONSTORE Z 2 Z S",
    "GEOADD Z 13.3 38.1 V",
    "SORT L BY nosort STORE L",
    "XADD X * f V",
    "XADD X NOMKSTREAM MAXLEN ~ N * f V",
    "XADD X MAXLEN ~ N LIMIT N * f V",
    "XADD X MAXLEN = N * f V",
    "XADD X MINID ~ 9999999999999 * f V",
    "XTRIM X MAXLEN ~ N",
    "XTRIM X MAXLEN ~ N LIMIT N",
    "XTRIM X MINID ~ 9999999999999",
    "XTRIM X MINID ~ 9999999999999 LIMIT N",
    "XGROUP CREATE X g $ MKSTREAM",
    "XGROUP CREATE X g 0",
    "XREADGROUP GROUP g V COUNT N STREAMS X >",
    "XREADGROUP GROUP g V NOACK STREAMS X >",
    "XREADGROUP GROUP g V BLOCK 50 STREAMS X >",
    "XAUTOCLAIM X g V 0 0 COUNT N",
    "XSETID X 9999999999999-0",
    "MULTI",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "FLUSHDB",
    "EVAL script 2 K L V T",
    "EVAL script 2 K S V T",
];

/// Commands that later versions have. A version that lacks one refuses it.
const LATER: &[&str] = &[
    "SET K V IFEQ V",
    "SET K V IFEQ V PX T GET",
    "SET K V IFNE V KEEPTTL",
    "SET K V IFDNE 0000000000000000",
    "SET K V PXAT 1 GET",
    "DELEX K IFEQ V",
    "DELEX K",
    "DELIFEQ K V",
    "MSETEX 2 K V K V PX T",
    "MSETEX 2 K V K V XX EX 1",
    "BITOP DIFF K K K",
    "BITOP ONE K K K K",
    "XADD X DELREF MAXLEN ~ N * f V",
    "XADD X MAXLEN N ACKED * f V",
    "XTRIM X MAXLEN N DELREF",
    "XTRIM X ACKED MAXLEN ~ N LIMIT N",
    "XREADGROUP GROUP g V COUNT N STREAMS X >",
    "XDELEX X DELREF IDS 1 0-1",
    "XACKDEL X g ACKED IDS 1 0-1",
];

/// A script with several effects, one of which depends on the time, and another database.
const SCRIPT: &str = "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.pcall('RPUSH', KEYS[2], ARGV[1], ARGV[2])
redis.pcall('SPOP', KEYS[2])
redis.call('SELECT', 3)
return redis.call('INCR', 'scripts')";

fn drawn(random: &mut Stream, pattern: &str) -> Vec<String> {
    let numbered = |prefix: &str, random: &mut Stream| format!("{prefix}{}", random.choose(3));
    let word = |word: &str| match word {
        "K" | "L" | "H" | "S" | "Z" | "X" => {
            // Sometimes a key has a value of another type.
            let keys = ["K", "L", "H", "S", "Z", "X"];
            let other = random.choose(16) == 15;
            let kind = if other { keys[random.choose(6) as usize] } else { word };
            numbered(kind, random)
        }
        "V" => numbered("v", random),
        "N" => random.choose(4).to_string(),
        "T" => [1, 20, 100, 400, 3_000][random.choose(5) as usize].to_string(),
        "script" => SCRIPT.to_owned(),
        other => other.to_owned(),
    };
    pattern.split(' ').map(word).collect()
}

/// Sends commands, whatever the replies are. A client whose connection is lost opens another.
async fn send_commands(node: Node, (master, seed, version): (Redis, u64, Version)) {
    let mut random = Stream::seeded(seed, Site::new("test.commands"), 0);
    let mut client = None;
    let later = if version == Version::default() { &[] } else { LATER };
    let patterns: Vec<&str> = COMMANDS_DRAWN.iter().chain(later).copied().collect();
    for _ in 0..COMMANDS {
        let pattern = patterns[random.choose(patterns.len() as u64) as usize];
        let words = drawn(&mut random, pattern);
        node.sleep(Duration::from_millis([0, 1, 30, 200][random.choose(4) as usize])).await;
        if client.is_none() {
            client = Client::connect(&node, &master).await.ok();
        }
        if let Some(connected) = &client
            && connected.call(words).await.is_err_and(|error| error.reply().is_none())
        {
            client = None;
        }
    }
}

/// Disturbs one of the servers or links.
fn disturb(random: &mut Stream, [a, b, c]: [&Redis; 3]) {
    let servers = [a, b, c];
    let links = [b.link_to(a), c.link_to(b)];
    let link = &links[random.choose(2) as usize];
    let server = servers[random.choose(3) as usize];
    match random.choose(10) {
        0 => link.partition(),
        1 => link.sever(),
        2 | 3 => link.heal(),
        4 => link.set_latency(Latency::Constant(Duration::from_millis(500))),
        5 => link.set_latency(Latency::Uniform {
            min: Duration::ZERO,
            max: Duration::from_millis(random.choose(300)),
        }),
        6 => {
            server.stop([Shutdown::Clean, Shutdown::Kill][random.choose(2) as usize]);
        }
        _ => servers.iter().for_each(|server| start(server)),
    }
}

/// Starts a server if it does not run. Streams have small nodes.
fn start(server: &Redis) {
    server.start();
    server.command(["CONFIG", "SET", "stream-node-max-entries", "2"]);
}

fn unexpected_errors(redis: &Redis) -> String {
    let reply = redis.command(["INFO", "stats"]);
    let text = reply.as_text().expect("INFO is text").to_owned();
    let lines = text.lines().filter(|line| line.starts_with("unexpected_error_replies"));
    lines.map(str::to_owned).collect()
}

fn world(seed: u64, version: Version) {
    let mut sim = Sim::with_config(Config::new(seed).with_patience(10_000));
    let mut random = Stream::seeded(seed, Site::new("test.replicas"), 0);
    let mut options = ServerOptions::default().with_version(version);
    options = options.with_sync_delay(Duration::ZERO);
    if random.choose(2) == 1 {
        options = options.with_append_only(AppendFsync::Always);
    }
    let a = redis::start_named(&mut sim, "redis-a", options.clone());
    let b = redis::start_replicas(&mut sim, &a, ["redis-b"], options.clone()).remove(0);
    let c = redis::start_replicas(&mut sim, &b, ["redis-c"], options).remove(0);
    [&a, &b, &c].into_iter().for_each(start);
    for client in 0..1 + seed % 2 {
        let name = format!("client-{client}");
        sim.daemon_with(&name, (a.clone(), seed * 2 + client, version), send_commands);
    }
    let check = || {
        for redis in [&a, &b, &c] {
            redis.inspect(|server| {
                assert_eq!(server.check_invariants(), Ok(()), "{version}, seed {seed}");
            });
        }
    };
    for _ in 0..40 {
        sim.run_for(Duration::from_millis(random.choose(700))).expect_reached();
        check();
        if random.choose(2) == 1 {
            disturb(&mut random, [&a, &b, &c]);
        }
    }
    [&a, &b, &c].into_iter().for_each(start);
    [b.link_to(&a), c.link_to(&b)].iter().for_each(stunt_double::sim::Link::heal);
    sim.run_for(Duration::from_secs(200)).expect_reached();
    check();
    let digest = |redis: &Redis| redis.command(["DEBUG", "DIGEST"]).to_string();
    let keys = |redis: &Redis| redis.command(["INFO", "keyspace"]).to_string();
    for replica in [&b, &c] {
        let name = replica.name();
        assert_eq!(keys(replica), keys(&a), "seed {seed}, {name}");
        assert_eq!(digest(replica), digest(&a), "seed {seed}, {name}");
        assert_eq!(unexpected_errors(replica), "unexpected_error_replies:0", "seed {seed}, {name}");
    }
}

#[test]
fn replicas_of_every_kind_have_the_same_data_at_rest() {
    (0..WORLDS).for_each(|seed| world(seed, Version::default()));
}

#[test]
fn replicas_of_later_versions_have_the_same_data_at_rest() {
    for version in Version::ALL.iter().filter(|version| **version > Version::Redis7_4) {
        (100..100 + WORLDS / 8).for_each(|seed| world(seed, *version));
    }
}
