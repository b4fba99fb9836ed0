//! `CONFIG`: every parameter of the real server with its default, and the replies to values that
//! are valid, out of range or malformed.

use crate::both::{Both, Told};
use crate::open::replies;
use crate::server::{RealServer, request};
use std::collections::BTreeMap;
use stunt_double::redis::{Reply, ServerOptions, Version};

/// Parameters whose defaults depend on how the real server was started.
const OF_THE_START: [&str; 6] = ["dir", "logfile", "loglevel", "pidfile", "port", "unixsocket"];

/// Parameters with effects beyond the process. (For `maxclients` the real server asks the operating
/// system for file descriptors, in steps, which takes very long.)
const LEFT_ALONE: [&str; 8] = [
    "bind",
    "bind-source-addr",
    "maxclients",
    "oom-score-adj",
    "port",
    "tls-cluster",
    "tls-replication",
    "tls-port",
];

const VALUES: [&str; 18] = [
    "nonsense~",
    "-5",
    "-1",
    "0",
    "1",
    "2",
    "99",
    "501",
    "70000",
    "2147483648",
    "99999999999999999999",
    "abc",
    "YES",
    "No",
    "1MB",
    "5%",
    "1 2 3",
    "",
];

/// Further values for these parameters.
const FURTHER: [(&str, &[&str]); 9] = [
    (
        "client-output-buffer-limit",
        &[
            "normal 1mb 2mb 10",
            "REPLICA 1 2 3",
            "master 0 0 0",
            "normal x 0 0",
            "normal 0 0 -1",
            "normal 0 0 0 pubsub 1 2 3",
        ],
    ),
    (
        "latency-tracking-info-percentiles",
        &["50 99.99 12.345678901", "50 x", "1e1", "inf", "nan", "100.1", " 50 "],
    ),
    ("oom-score-adj-values", &["-2001 0 0", "3 2 1", "1 2 x"]),
    (
        "proc-title-template",
        &["{title}", "{bogus}", "x{title}", "{", "}", "{{title}}", "{port} {tls-port}"],
    ),
    ("shutdown-on-sigterm", &["now save", "default save", "SAVE FORCE", "save x", "nosave save"]),
    ("maxmemory-policy", &["NOEVICTION", "allkeys"]),
    ("appendfsync", &["ALWAYS", "always no"]),
    ("save", &["1 2 3 4", "1 -2", "0 1", "x 1"]),
    ("notify-keyspace-events", &["KEA", "KEAn", "q", "kea"]),
];

fn pairs(told: &Told) -> BTreeMap<String, String> {
    let Some(Reply::Array(items)) = replies(&told.bytes).into_iter().next() else {
        panic!("an array of parameters")
    };
    let text = |reply: &Reply| reply.as_text().unwrap_or_default().to_owned();
    items.chunks_exact(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

#[test]
fn every_parameter_has_its_default() {
    let Some(real) = RealServer::start(&[]) else { return };
    let mut both = Both::with(&real, ServerOptions::default());
    let (theirs, ours) = both.ask(1, &[b"CONFIG", b"GET", b"*"]);
    let (mut theirs, mut ours) = (pairs(&theirs), pairs(&ours));
    for name in OF_THE_START {
        assert!(theirs.remove(name).is_some() && ours.remove(name).is_some(), "{name}");
    }
    assert_eq!(ours, theirs);
    println!("{} parameters have the real server's defaults", ours.len());
}

/// Returns whether the answer depends on how the server was built.
fn is_known(real: &RealServer, name: &str) -> bool {
    name == "activedefrag" && real.version() != Version::default()
}

#[test]
fn values_are_accepted_refused_and_read_back_alike() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::with(&real, ServerOptions::default().with_save_points([]));
    let (theirs, _) = both.ask(1, &[b"CONFIG", b"GET", b"*"]);
    let (mut failures, mut compared, mut fixed) = (Vec::new(), 0, 0);
    for (name, default) in pairs(&theirs) {
        if LEFT_ALONE.contains(&name.as_str()) {
            continue;
        }
        let further = FURTHER.iter().filter(|(of, _)| *of == name).flat_map(|(_, values)| *values);
        let values: Vec<&str> = VALUES.iter().chain(further).copied().collect();
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| {
                let (name, value, default) =
                    (name.as_bytes(), value.as_bytes(), default.as_bytes());
                let set = |value: &[u8]| request(&[b"CONFIG", b"SET", name, value]);
                [set(value), request(&[b"CONFIG", b"GET", name]), set(default)].concat()
            })
            .collect();
        both.send(1, &bytes);
        let (theirs, ours) = both.told().remove(&1).unwrap();
        let (theirs, ours) = (replies(&theirs.bytes), replies(&ours.bytes));
        assert_eq!((theirs.len(), ours.len()), (values.len() * 3, values.len() * 3), "{name}");
        for (i, value) in values.iter().enumerate() {
            if is_known(&real, &name) {
                continue;
            }
            let (theirs, ours) = (&theirs[i * 3..i * 3 + 2], &ours[i * 3..i * 3 + 2]);
            // A parameter that would matter and is not modelled is refused with a text that says
            // so.
            let not_modelled = ours[0].to_string().contains("not modelled");
            if not_modelled && theirs[0] == Reply::OK {
                fixed += 1;
            } else if theirs[0] != ours[0] || (theirs[0] == Reply::OK && theirs[1] != ours[1]) {
                failures.push(format!("{name} {value:?}\n  real {theirs:?}\n  ours {ours:?}"));
            }
            compared += 1;
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    println!("{compared} values are taken or refused alike, but for {fixed} that are not modelled");
}

#[test]
fn several_parameters_at_once() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::with(&real, ServerOptions::default().with_save_points([]));
    for line in [
        "CONFIG SET nosuch 1 timeout 2",
        "CONFIG SET databases 1 nosuch 2",
        "CONFIG SET hz 1 nosuch 2 databases 1",
        "CONFIG SET hz x timeout y",
        "CONFIG SET hz 5 HZ 6",
        "CONFIG SET slave-priority 5 replica-priority 6",
        "CONFIG GET slave-priority",
        "CONFIG GET HZ hz h?",
        "CONFIG SET hz 5 tcp-keepalive x",
        "CONFIG GET hz",
        "CONFIG SET hz 5 dir x",
        "CONFIG SET a\0b 5",
        "CONFIG SET hz",
        "CONFIG SET hz 99999",
        "CONFIG GET hz",
        "CONFIG REWRITE",
        "CONFIG RESETSTAT",
    ] {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let (theirs, ours) = both.ask(1, &words);
        assert_eq!(replies(&ours.bytes), replies(&theirs.bytes), "{line}");
    }
}
