//! Memory limits: what is refused, what is evicted, and how the uses of keys are counted.

use crate::both::{Both, Told};
use crate::geo::{compare, line};
use crate::open::replies;
use crate::server::{RealServer, request};
use std::collections::BTreeMap;
use stunt_double::redis::{Reply, Version};

fn both<'a>(real: &'a RealServer, events: &str) -> Both<'a> {
    let mut both = Both::new(real, events);
    for parameter in ["maxmemory 0", "maxmemory-policy noeviction", "lfu-log-factor 10"] {
        both.ask(
            1,
            &line(&format!("CONFIG SET {parameter}")).iter().map(Vec::as_slice).collect::<Vec<_>>(),
        );
    }
    both
}

fn lines(texts: &[&str]) -> Vec<Vec<Vec<u8>>> {
    texts.iter().map(|text| line(text)).collect()
}

/// Keys of all types.
const KEYS: &str = "s n l l2 h st st2 z z2 x hll hll2 empty sp";

const MADE: [&str; 16] = [
    "SET s text",
    "SET n 10",
    "RPUSH l a b c",
    "RPUSH l2 1 2 3",
    "HSET h f v n 1",
    "SADD st a b c",
    "SADD st2 b c d",
    "ZADD z 1 a 2 b",
    "ZADD z2 3 b 4 c",
    "XADD x 1-1 f v",
    "XGROUP CREATE x g 0",
    "PFADD hll a b",
    "PFADD hll2 c",
    "GEOADD sp 13.3 38.1 p 15.0 37.5 c",
    "SET gone 1",
    "DEL gone",
];

/// Commands, each of which runs on new keys.
const COMMANDS: &str = include_str!("uses.txt");

/// With a factor of 0 every use increments a counter, so that counters tell the uses exactly.
#[test]
fn every_command_uses_its_keys_as_often() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = both(&real, "");
    let setup = ["CONFIG SET maxmemory 10gb maxmemory-policy allkeys-lfu lfu-log-factor 0"];
    compare(&mut both, 1, &lines(&setup));
    let mut wrong = Vec::new();
    for command in COMMANDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut requests = lines(&["FLUSHALL"]);
        requests.extend(lines(&MADE));
        requests.push(line(command));
        let all = format!("{KEYS} new new2");
        requests.extend(all.split(' ').map(|key| line(&format!("OBJECT FREQ {key}"))));
        let bytes: Vec<u8> = requests
            .iter()
            .flat_map(|words| request(&words.iter().map(Vec::as_slice).collect::<Vec<_>>()))
            .collect();
        both.send(1, &bytes);
        let (theirs, ours) = both.told().remove(&1).unwrap();
        let (theirs, ours) = (replies(&theirs.bytes), replies(&ours.bytes));
        let from = theirs.len() - all.split(' ').count();
        for (at, key) in all.split(' ').enumerate() {
            if theirs[from + at] != ours[from + at] {
                wrong.push(format!(
                    "{command}: {key} {} not {}",
                    theirs[from + at],
                    ours[from + at]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Asks both the same, and compares all replies of all clients.
fn same(both: &mut Both<'_>, texts: &[&str]) {
    for text in texts {
        let (client, text) = text.split_once("> ").unwrap_or(("1", text));
        let words = line(text);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        both.send(client.parse().unwrap(), &request(&words));
        for (client, (theirs, ours)) in both.told() {
            assert_eq!(
                String::from_utf8_lossy(&ours.bytes),
                String::from_utf8_lossy(&theirs.bytes),
                "{text}, client {client}"
            );
        }
    }
}

/// A limit of one byte is exceeded whatever the model of memory is.
#[test]
fn a_full_server_refuses_what_needs_memory() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = both(&real, "KEA");
    same(
        &mut both,
        &[
            "2> SUBSCRIBE __keyevent@0__:evicted",
            "SET a 1",
            "SET b 1 EX 1000",
            "RPUSH l x",
            "3> MULTI",
            "3> SET a 2",
            "3> GET a",
            "4> MULTI",
            "4> GET a",
            "5> MULTI",
            "5> GET nosuch",
            "5> FOO",
            "6> WATCH a",
            "6> MULTI",
            "6> DEL a",
            "CONFIG SET maxmemory 1",
            "SET a 2",
            "GET a",
            "APPEND a x",
            "DEL nosuch",
            "EXPIRE a 1000",
            "LPOP l",
            "PING",
            "LPUSH l x",
            "BLMOVE l l LEFT LEFT 0",
            "BLPOP nosuch l 0",
            "SETRANGE a 0 x",
            "PFCOUNT nosuch",
            "HSET h",
            "NOSUCH",
            "SORT l STORE m",
            "COPY a c",
            "RENAME a aa",
            "RENAME aa a",
            "MOVE a 1",
            "SELECT 1",
            "MOVE a 0",
            "SELECT 0",
            "SPOP nosuch",
            "PUBLISH c m",
            "XGROUP CREATE x g 0 MKSTREAM",
            "XADD x 1-1 a b",
            "RESTORE k 0 xyz",
            "FLUSHDB ASYNC x",
            "OBJECT FREQ a",
            "OBJECT IDLETIME a",
            "3> EXEC",
            "3> GET a",
            "4> EXEC",
            "5> EXEC",
            "6> EXEC",
            "3> MULTI",
            "3> GET a",
            "3> EXEC",
            "3> MULTI",
            "3> DISCARD",
            "3> MULTI",
            "3> MULTI",
            "3> WATCH a",
            "3> RESET",
            "3> MULTI",
            "3> SET a 1",
            "3> EXEC",
            "CONFIG SET maxmemory 0",
            "SET a 5",
            "CONFIG SET maxmemory 1",
            "SET a 6",
            "INCR a",
            "CONFIG SET maxmemory 100gb",
            "SET a 7",
            "GET a",
            "CONFIG SET maxmemory -1",
            "CONFIG SET maxmemory 1x",
            "CONFIG SET maxmemory-policy none",
            "CONFIG SET maxmemory-samples 0",
            "CONFIG SET maxmemory-samples 1",
            "CONFIG SET lfu-decay-time -1",
            "CONFIG SET lfu-log-factor x",
            "CONFIG SET maxmemory-eviction-tenacity 101",
            "CONFIG SET maxmemory-samples 5",
            "CONFIG GET maxmemory*",
            "CONFIG GET lfu*",
        ],
    );
}

#[test]
fn scripts_of_a_full_server_are_refused_alike() {
    if cfg!(not(feature = "lua")) {
        return;
    }
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = both(&real, "");
    let load = |code: &str| vec![b"FUNCTION".to_vec(), b"LOAD".to_vec(), code.as_bytes().to_vec()];
    let eval = |code: &str| vec![b"EVAL".to_vec(), code.as_bytes().to_vec(), b"0".to_vec()];
    let library = "#!lua name=lib\n\
        redis.register_function('plain', function() local r = redis.call('set', 'a', 'f') return r end)\n\
        redis.register_function{function_name='oom', callback=function() local r = \
        redis.call('set', 'a', 'f') return r end, flags={'allow-oom'}}\n\
        redis.register_function{function_name='ro', callback=function() return \
        redis.call('get', 'a') end, flags={'no-writes'}}";
    let scripts = [
        "local r = redis.call('set', 'a', '1') return r",
        "return redis.pcall('set', 'a', '1')",
        "return redis.call('get', 'a')",
        "redis.call('del', 'a') local r = redis.call('set', 'a', '2') return r",
        "redis.call('lpop', 'l') return redis.pcall('rpush', 'l', '2')",
        "redis.call('del', 'none') return redis.call('rpush', 'l', '2')",
        "#!lua\nreturn 1",
        "#!lua\nreturn redis.call('get', 'a')",
        "#!lua flags=no-writes\nreturn redis.call('get', 'a')",
        "#!lua flags=no-writes\nlocal r = redis.call('set', 'a', '1') return r",
        "#!lua flags=allow-oom\nlocal r = redis.call('set', 'a', '3') return r",
        "#!lua flags=allow-oom,no-writes\nlocal r = redis.call('set', 'a', '3') return r",
    ];
    let mut requests = vec![load(library), line("SET a 0"), line("RPUSH l 1 2 3")];
    for limit in ["CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"] {
        requests.push(line(limit));
        requests.extend(scripts.iter().map(|code| eval(code)));
        requests.extend(lines(&["FCALL plain 0", "FCALL oom 0", "FCALL ro 0", "FCALL_RO ro 0"]));
        requests.extend(lines(&["MULTI", "EXEC", "GET a", "LRANGE l 0 -1"]));
    }
    requests.push(line("MULTI"));
    requests.extend(scripts.iter().map(|code| eval(code)));
    requests.extend(lines(&[
        "CONFIG SET maxmemory 1",
        "EXEC",
        "EVAL return(redis.call('get','a')) 0",
    ]));
    compare(&mut both, 1, &requests);
}

#[test]
fn the_same_keys_are_evicted() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let policies = [
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
        "noeviction",
    ];
    for policy in policies {
        let mut both = both(&real, "KEAn");
        let set = format!("CONFIG SET maxmemory-policy {policy} maxmemory-samples 10");
        // A limit of a byte evicts everything that may be: first a single key, which is seen by
        // watchers, trackers and subscribers, then none, then several.
        both.ask(3, &[b"HELLO", b"3"]);
        same(
            &mut both,
            &[
                "3> CLIENT TRACKING ON NOLOOP",
                "2> PSUBSCRIBE __key*__:*",
                &set,
                "SELECT 1",
                "SET k v EX 1000",
                "4> SELECT 1",
                "4> WATCH k",
                "4> MULTI",
                "4> GET k",
                "3> SELECT 1",
                "3> GET k",
                "CONFIG SET maxmemory 1",
                "EXISTS k",
                "4> EXEC",
                "3> GET k",
                "SET k w",
                "SET k w EX 5",
                "GET k",
                "DBSIZE",
                "CONFIG SET maxmemory 0",
                "SET k v",
                "CONFIG SET maxmemory 1",
                "DBSIZE",
                "SET k v",
                "DBSIZE",
                "CONFIG SET maxmemory 0",
                "FLUSHALL",
            ],
        );
        let ttl = policy == "volatile-ttl";
        if ttl {
            same(
                &mut both,
                &[
                    "SET c v EX 300",
                    "SET a v EX 100",
                    "SET e v",
                    "SET b v EX 200",
                    "SET d v EX 400",
                    "SELECT 2",
                    "SET c v EX 301",
                    "SET a v EX 101",
                    "SET b v EX 201",
                    "LPUSH q 1",
                    "CONFIG SET maxmemory 1",
                    "DBSIZE",
                    "LPUSH q 1",
                ],
            );
        }
        same(&mut both, &["CONFIG SET maxmemory 0", "FLUSHALL", "3> RESET"]);
    }
}

#[test]
fn lru_evicts_in_order_of_idle_time_if_all_keys_are_drawn() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    for (policy, ttl) in [("allkeys-lru", 0), ("volatile-lru", 100_000)] {
        let mut both = both(&real, "Ee");
        both.tell_time();
        let set = format!("CONFIG SET maxmemory-policy {policy} maxmemory-samples 64");
        same(&mut both, &["2> SUBSCRIBE __keyevent@0__:evicted", &set, "SET a v"]);
        let (payload, _) = both.ask(1, &[b"DUMP", b"a"]);
        let payload = replies(&payload.bytes)[0].as_bytes().unwrap().to_vec();
        both.ask(1, &[b"DEL", b"a"]);
        for (key, idle) in
            [("a", 500), ("b", 100), ("c", 900), ("d", 700), ("e", 300), ("f", 20_000_000)]
        {
            let (ttl, idle) = (ttl.to_string(), idle.to_string());
            let words: [&[u8]; 6] = [
                b"RESTORE",
                key.as_bytes(),
                ttl.as_bytes(),
                &payload,
                b"IDLETIME",
                idle.as_bytes(),
            ];
            let (theirs, ours) = both.ask(1, &words);
            assert_eq!(theirs, ours);
        }
        // Either may have reached the next second.
        for key in ["a", "b", "c", "d", "e", "f"] {
            let (theirs, ours) = both.ask(1, &[b"OBJECT", b"IDLETIME", key.as_bytes()]);
            let of = |told: &Told| replies(&told.bytes)[0].as_integer().unwrap();
            assert!((of(&theirs) - of(&ours)).abs() <= 1, "{key}: {} {}", of(&theirs), of(&ours));
        }
        same(&mut both, &["GET d", "EXISTS a", "TTL none", "CONFIG SET maxmemory 1", "DBSIZE"]);
    }
}

/// Returns a reply with every number replaced, so that only names and nesting are left.
fn shape(reply: &Reply) -> String {
    match reply {
        Reply::Map(pairs) => {
            let pairs: Vec<String> =
                pairs.iter().map(|(name, value)| format!("{name}: {}", shape(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Reply::Integer(_) => "n".to_owned(),
        Reply::Double(_) => "x".to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn the_memory_of_a_server_is_told_in_the_same_fields() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = both(&real, "");
    both.ask(1, &[b"HELLO", b"3"]);
    for text in ["SET a 1", "SET b 1 EX 100", "HSET h f v", "SELECT 3", "SET c 1"] {
        same(&mut both, &[text]);
    }
    let (theirs, ours) = both.ask(1, &[b"MEMORY", b"STATS"]);
    let (theirs, ours) = (replies(&theirs.bytes).remove(0), replies(&ours.bytes).remove(0));
    assert_eq!(shape(&ours), shape(&theirs));
    // What depends on the keys alone is equal.
    let tables = |reply: &Reply| match reply {
        Reply::Map(fields) => fields
            .iter()
            .filter(|(name, _)| {
                name.to_string().contains("db.") || name.to_string().contains("count")
            })
            .map(|field| format!("{field:?}"))
            .collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    // Since 7.4 a table counts with what surrounds it, which is not modelled.
    let tables_are_modelled = matches!(real.version(), Version::Redis7_0 | Version::Redis7_2);
    let compared = |reply: &Reply| -> Vec<String> {
        let all = tables(reply).into_iter();
        all.filter(|field| tables_are_modelled || !field.contains("hashtable")).collect()
    };
    assert_eq!(compared(&ours), compared(&theirs));
    same(
        &mut both,
        &[
            "MEMORY DOCTOR",
            "MEMORY STATS x",
            "CONFIG SET maxmemory 104857600 maxmemory-policy allkeys-lfu",
        ],
    );
    for (section, names) in [
        ("memory", &["maxmemory", "maxmemory_human", "maxmemory_policy"][..]),
        ("stats", &["evicted_keys", "evicted_clients", "rejected_connections", "expired_keys"]),
        ("keyspace", &["db0", "db3"]),
    ] {
        let (theirs, ours) = both.ask(1, &[b"INFO", section.as_bytes()]);
        let of = |told: &Told| -> Vec<String> {
            let text = replies(&told.bytes)[0].as_text().unwrap().to_owned();
            let is_named =
                |line: &&str| names.iter().any(|name| line.split(':').next() == Some(name));
            text.lines()
                .filter(is_named)
                .map(|line| line.split(",avg").next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(of(&ours), of(&theirs));
        assert!(!of(&ours).is_empty());
    }
}

/// Shared integers have no clock of their own, so a policy that needs one ends the sharing.
#[test]
fn integers_are_shared_unless_each_needs_a_clock() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    for policy in ["allkeys-lru", "volatile-lfu", "allkeys-random", "volatile-ttl", "noeviction"] {
        let mut both = both(&real, "");
        same(
            &mut both,
            &[
                "SET a 5",
                "OBJECT REFCOUNT a",
                &format!("CONFIG SET maxmemory 1gb maxmemory-policy {policy}"),
                "SET b 5",
                "OBJECT REFCOUNT b",
            ],
        );
    }
}

#[test]
fn ages_are_restored_and_reinterpreted_alike() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = both(&real, "");
    both.tell_time();
    same(&mut both, &["CONFIG SET maxmemory 10gb", "SET a text"]);
    let (payload, _) = both.ask(1, &[b"DUMP", b"a"]);
    let payload = replies(&payload.bytes)[0].as_bytes().unwrap().to_vec();
    for policy in ["allkeys-lfu", "allkeys-lru", "volatile-lfu", "noeviction"] {
        same(&mut both, &[&format!("CONFIG SET maxmemory-policy {policy} lfu-decay-time 0")]);
        for options in [
            "IDLETIME 100",
            "FREQ 77",
            "FREQ 0",
            "FREQ 255",
            "FREQ 256",
            "FREQ 1 IDLETIME 2",
            "IDLETIME -1",
            "IDLETIME 16777215",
            "IDLETIME 9999999",
        ] {
            let mut words: Vec<Vec<u8>> = vec![
                b"RESTORE".to_vec(),
                b"r".to_vec(),
                b"0".to_vec(),
                payload.clone(),
                b"REPLACE".to_vec(),
            ];
            words.extend(line(options));
            let (theirs, ours) = both.ask(1, &words.iter().map(Vec::as_slice).collect::<Vec<_>>());
            assert_eq!(ours, theirs, "{policy} {options}");
            for command in ["FREQ", "IDLETIME"] {
                let (theirs, ours) = both.ask(1, &[b"OBJECT", command.as_bytes(), b"r"]);
                let (theirs, ours) =
                    (replies(&theirs.bytes).remove(0), replies(&ours.bytes).remove(0));
                // Either may have reached the next second.
                match (theirs.as_integer(), ours.as_integer()) {
                    (Some(a), Some(b)) => {
                        assert!((a - b).abs() <= 1, "{policy} {options}: {a} {b}");
                    }
                    _ => assert_eq!(ours, theirs, "{policy} {options}"),
                }
            }
        }
    }
}

#[test]
fn clients_beyond_a_limit_are_closed() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = both(&real, "");
    let value = vec![b'x'; 20_000];
    same(
        &mut both,
        &[
            "2> MULTI",
            "4> CLIENT NO-EVICT maybe",
            "CONFIG SET maxmemory-clients 1mb",
            "CONFIG GET maxmemory-clients",
        ],
    );
    // The real server also counts the buffers of clients that were just active. They are less than
    // what lies between 40 values and the limit.
    let several = |count| request(&[b"SET", b"k", &value]).repeat(count);
    for step in 0..=40 {
        let last = step == 40;
        both.send(2, &several(if last { 20 } else { 1 }));
        let (theirs, ours) = both.told().remove(&2).unwrap();
        assert_eq!((theirs.closed, ours.closed), (last, last));
    }
    let (theirs, ours) = both.ask(1, &[b"INFO", b"stats"]);
    let evicted = |told: &Told| {
        let text = replies(&told.bytes)[0].as_text().unwrap().to_owned();
        text.lines().find(|line| line.starts_with("evicted_clients")).map(str::to_owned)
    };
    assert_eq!(evicted(&ours).as_deref(), Some("evicted_clients:1"));
    assert_eq!(evicted(&ours), evicted(&theirs));
    same(&mut both, &["3> CLIENT NO-EVICT on", "3> MULTI"]);
    for _ in 0..60 {
        let (theirs, ours) = both.ask(3, &[b"SET", b"k", &value]);
        assert_eq!((ours.closed, theirs.closed), (false, false));
    }
}

#[test]
fn idle_clients_are_closed_unless_they_wait() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = both(&real, "");
    both.tell_time();
    same(&mut both, &["2> PING", "3> SUBSCRIBE c", "5> MULTI", "CONFIG SET timeout 1"]);
    both.ask(4, &[b"MONITOR"]);
    both.send(6, &request(&[b"BLPOP", b"none", b"0"]));
    both.told();
    let mut closed: BTreeMap<u64, (bool, bool)> = BTreeMap::new();
    for _ in 0..6 {
        both.pass_ms(600);
        // The times of both differ by less than this.
        both.send(1, &request(&[b"PING"]));
        for (client, (theirs, ours)) in both.told() {
            let closed = closed.entry(client).or_default();
            *closed = (closed.0 | theirs.closed, closed.1 | ours.closed);
        }
    }
    // Client 0 was idle before the time was set.
    closed.retain(|client, closed| *client != 0 && *closed != (false, false));
    assert_eq!(closed, BTreeMap::from([(2, (true, true)), (5, (true, true))]));
}
