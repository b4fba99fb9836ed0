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

use bytes::Bytes;
use std::process::ExitCode;
use stunt_double::rabbitmq::broker::{Broker, ChannelId, Event};
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, Properties, Publish, QueueOptions,
};
use stunt_double::redis::{self, ServerOptions};
use stunt_double::sim::service::ByteService as _;
use stunt_double::sim::{Config, Sim};
use stunt_double::{Instant, Site, Stream};

const NOW: Instant = Instant::ZERO;
const CHANNEL: ChannelId = ChannelId::new(1, 1);

/// A message is published, delivered and acknowledged.
fn rabbitmq(version: rabbitmq::Version) {
    let names = Stream::calm(Site::new("versions.names"), 0);
    let mut broker = Broker::new(BrokerOptions::default().with_version(version), names);
    let works = "the broker takes it";
    broker.connection_open(NOW, CHANNEL.connection, Default::default()).expect(works);
    broker.channel_open(NOW, CHANNEL).expect(works);
    broker.queue_declare(NOW, CHANNEL, "q", QueueOptions::default()).expect(works);
    broker.basic_consume(NOW, CHANNEL, "q", ConsumeOptions::default()).expect(works);
    while broker.poll_output().is_some() {}
    let body = Bytes::from_static(&[0; 100]);
    for _ in 0..20_000 {
        broker.basic_publish(NOW, CHANNEL, Publish::new("", "q", body.clone())).expect(works);
        while let Some(output) = broker.poll_output() {
            if let Event::Deliver { delivery_tag, .. } = output.event {
                broker.basic_ack(NOW, CHANNEL, delivery_tag, false).expect(works);
            }
        }
    }
}

/// Messages go from a publisher to a consumer through a world.
fn rabbitmq_in_a_world(version: rabbitmq::Version) {
    let mut sim = Sim::with_config(Config::new(1).with_max_steps(u64::MAX));
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default().with_version(version));
    sim.daemon_with("consumer", rabbit.clone(), async |node, rabbit| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("work", QueueOptions::default()).await?;
        channel.basic_qos(200, false).await?;
        let mut consumer = channel.basic_consume("work", ConsumeOptions::default()).await?;
        while let Some(delivery) = consumer.next().await {
            delivery?.ack()?;
        }
        Ok::<(), rabbitmq::Error>(())
    });
    sim.node_with("publisher", rabbit, async |node, rabbit| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("work", QueueOptions::default()).await?;
        let body = Bytes::from_static(&[0; 100]);
        for i in 0..5_000 {
            channel.basic_publish("", "work", Properties::default(), body.clone())?;
            if i % 100 == 99 {
                node.yield_now().await;
            }
        }
        channel.close().await
    });
    sim.run().expect_done();
}

fn redis_in_a_world(version: redis::Version) {
    let mut sim = Sim::with_config(Config::new(1).with_max_steps(u64::MAX));
    let redis = redis::start(&mut sim, ServerOptions::default().with_version(version));
    sim.node_with("caller", redis, async |node, redis| {
        let client = redis::Client::connect(&node, &redis).await?;
        for _ in 0..5_000 {
            client.call(["SET", "key", "value"]).await?;
        }
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
}

/// Sends these commands in pipelines, as bytes.
fn send(version: redis::Version, times: u32, commands: &[String]) {
    let random = Stream::calm(Site::new("versions.redis"), 0);
    let options = ServerOptions::default().with_version(version);
    let mut server = redis::resp::ByteServer::new(redis::server::Server::new(options, random));
    server.connected(NOW, 1, "caller");
    let mut requests = String::new();
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        requests.push_str(&format!("*{}\r\n", words.len()));
        for word in words {
            requests.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
    }
    let mut replies = Vec::new();
    for _ in 0..times {
        server.receive(NOW, 1, requests.as_bytes());
        replies.clear();
        let _ = server.drain_output(1, &mut replies);
    }
}

fn redis_texts(version: redis::Version) {
    let pair = |i: u32| [format!("SET k{i:03} v"), format!("GET k{i:03}")];
    send(version, 100, &(0..64).flat_map(pair).collect::<Vec<_>>());
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
    send(version, 200, &(0..16).flat_map(commands).collect::<Vec<_>>());
}

/// Runs a scenario on a version.
type On<V> = fn(V);

const REDIS: [(&str, On<redis::Version>); 3] =
    [("redis-bytes", redis_texts), ("redis-calls", redis_in_a_world), ("redis-types", redis_types)];

const RABBITMQ: [(&str, On<rabbitmq::Version>); 2] =
    [("broker-rounds", rabbitmq), ("world-rounds", rabbitmq_in_a_world)];

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
