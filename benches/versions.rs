//! The same work on every version of a server: a version is a set of facts, and none may make plain
//! commands dearer.
//!
//! Each scenario is one of those of `scenarios` on a version; only `redis-types` has values of
//! every type, and some versions encode small values in another way, which costs what it costs.
//!
//! `versions` prints the names of the scenarios with their versions; `versions NAME VERSION` runs
//! one once, so that a tool can count its instructions (`benches/count-instructions --versions`).
//!
//! `cargo bench -p stunt-double-benches --bench versions`

mod rounds;

use std::process::ExitCode;
use stunt_double::rabbitmq::{self, BrokerOptions, DeprecatedFeature};
use stunt_double::redis::{self, ServerOptions};
use stunt_double::sim::{Config, Sim};

fn world() -> Sim {
    Sim::with_config(Config::new(1).with_max_steps(u64::MAX))
}

fn of_rabbitmq(version: rabbitmq::Version) -> BrokerOptions {
    // The scenarios declare transient queues, which 4.3 denies by default.
    let transient = DeprecatedFeature::TransientNonexclQueues;
    BrokerOptions::default().with_version(version).permit_deprecated(transient)
}

fn of_redis(version: redis::Version) -> ServerOptions {
    ServerOptions::default().with_version(version)
}

/// Plain commands on values of each type.
fn redis_types(version: redis::Version) {
    let commands = |i: u32| {
        [
            format!("SET k{i} v"),
            format!("GET k{i}"),
            format!("INCR n{i}"),
            format!("HSET h f{i} v"),
            format!("HGET h f{i}"),
            format!("LPUSH l v{i}"),
            "RPOP l".to_owned(),
            format!("SADD s m{i}"),
            format!("ZADD z {i} m{i}"),
            format!("EXPIRE k{i} 100"),
        ]
    };
    let request = |command: String| {
        let words: Vec<&str> = command.split(' ').collect();
        let bulks = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        format!("*{}\r\n{}", words.len(), bulks.collect::<String>())
    };
    rounds::send(
        of_redis(version),
        200,
        &(0..16).flat_map(commands).map(request).collect::<String>(),
    );
}

/// Runs a scenario on a version.
type On<V> = fn(V);

const REDIS: [(&str, On<redis::Version>); 3] = [
    ("redis-bytes", |version| rounds::redis_texts(of_redis(version))),
    ("redis-calls", |version| rounds::redis_calls(&mut world(), of_redis(version))),
    ("redis-types", redis_types),
];

const RABBITMQ: [(&str, On<rabbitmq::Version>); 2] = [
    ("broker-rounds", |version| rounds::broker_rounds(of_rabbitmq(version))),
    ("world-rounds", |version| rounds::world_rounds(&mut world(), of_rabbitmq(version))),
];

/// Runs a scenario on a version, if there are both.
fn run(name: &str, version: &str) -> Option<()> {
    if let Some((_, scenario)) = REDIS.iter().find(|(known, _)| *known == name) {
        scenario(version.parse().ok()?);
        return Some(());
    }
    let (_, scenario) = RABBITMQ.iter().find(|(known, _)| *known == name)?;
    scenario(version.parse().ok()?);
    Some(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted: Vec<&str> = words.iter().map(String::as_str).collect();
    match wanted[..] {
        [] => {
            for (name, _) in REDIS {
                redis::Version::ALL.iter().for_each(|version| println!("{name} {version}"));
            }
            for (name, _) in RABBITMQ {
                rabbitmq::Version::ALL.iter().for_each(|version| println!("{name} {version}"));
            }
            ExitCode::SUCCESS
        }
        [name, version] if run(name, version).is_some() => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}
