//! The same work on every version of a server: a version is a set of facts, and none may make plain
//! commands dearer.
//!
//! `versions` prints the names of the scenarios with their versions; `versions NAME VERSION` runs
//! one once, so that a tool can count its instructions (`benches/count-instructions --versions`).
//!
//! `cargo bench -p stunt-double-benches --bench versions`

use bytes::Bytes;
use std::process::ExitCode;
use stunt_double::rabbitmq::broker::{Broker, ChannelId, Event};
use stunt_double::rabbitmq::{self, BrokerOptions, ConsumeOptions, Publish, QueueOptions};
use stunt_double::redis::{self, ServerOptions};
use stunt_double::sim::service::ByteService as _;
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

/// Pipelines of plain commands on values of each type, as bytes.
fn redis(version: redis::Version) {
    let random = Stream::calm(Site::new("versions.redis"), 0);
    let options = ServerOptions::default().with_version(version);
    let mut server = redis::resp::ByteServer::new(redis::server::Server::new(options, random));
    server.connected(NOW, 1, "caller");
    let mut requests = String::new();
    for i in 0..16 {
        let commands = [
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
        ];
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            requests.push_str(&format!("*{}\r\n", words.len()));
            for word in words {
                requests.push_str(&format!("${}\r\n{word}\r\n", word.len()));
            }
        }
    }
    let mut replies = Vec::new();
    for _ in 0..200 {
        server.receive(NOW, 1, requests.as_bytes());
        replies.clear();
        let _ = server.drain_output(1, &mut replies);
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted: Vec<&str> = words.iter().map(String::as_str).collect();
    match wanted[..] {
        [] => {
            for version in redis::Version::ALL {
                println!("redis {version}");
            }
            for version in rabbitmq::Version::ALL {
                println!("rabbitmq {version}");
            }
        }
        ["redis", version] => match version.parse() {
            Ok(version) => redis(version),
            Err(_) => return ExitCode::from(2),
        },
        ["rabbitmq", version] => match version.parse() {
            Ok(version) => rabbitmq(version),
            Err(_) => return ExitCode::from(2),
        },
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}
