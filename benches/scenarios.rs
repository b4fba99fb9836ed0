//! Fixed scenarios: what the counts of instructions and comparisons of commits are made of.
//!
//! `scenarios NAME` runs one of them once and prints nothing, so that a tool can count its
//! instructions (`benches/count-instructions`). `scenarios` runs each several times and prints the
//! best time of one operation, for `benches/compare.sh`. They use only what has been public for
//! long, so that the same file builds against older commits.
//!
//! `cargo bench -p stunt-double-benches --bench scenarios`

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod no_task_is_lost;

use bytes::Bytes;
use std::future::pending;
use std::time::{Duration, Instant};
use stunt_double::rabbitmq::broker::{Broker, ChannelId, Event};
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, Properties, Publish, QueueOptions, RabbitMq,
};
use stunt_double::redis::{self, Client, Redis, ServerOptions};
use stunt_double::sim::service::ByteService as _;
use stunt_double::sim::{Config, Node, Retention, Seeds, Sim, Strategy, check_determinism};
use stunt_double::{Site, Stream};

/// How often a scenario is timed. The best counts.
const ROUNDS: u32 = 9;

const NOW: stunt_double::Instant = stunt_double::Instant::ZERO;
const CHANNEL: ChannelId = ChannelId::new(1, 1);

/// Runs a scenario, and returns the number of its operations.
type Scenario = fn() -> u32;

const SCENARIOS: [(&str, Scenario); 11] = [
    ("timers", timers),
    ("worlds", worlds),
    ("polls-random", polls_random),
    ("restarts", restarts),
    ("broker-rounds", broker_rounds),
    ("world-rounds", world_rounds),
    ("world-rounds-digest", world_rounds_digest),
    ("redis-calls", redis_calls),
    ("redis-bytes", redis_bytes),
    ("determinism", determinism),
    ("seeds", seeds),
];

fn digest_only() -> Config {
    Config::new(1).with_retention(Retention::Digest).with_max_steps(u64::MAX)
}

fn timers() -> u32 {
    let mut sim = Sim::with_config(digest_only());
    for i in 0..100 {
        sim.daemon_with(&format!("n{i}"), i, async |node: Node, i| {
            loop {
                node.sleep(Duration::from_micros(1_000 + i)).await;
            }
        });
    }
    sim.run_for(Duration::from_millis(100)).expect_reached();
    10_000
}

fn worlds() -> u32 {
    for seed in 0..1_000 {
        let mut sim = Sim::new(seed);
        sim.node("n", async |node| node.sleep(Duration::from_secs(1)).await);
        sim.run().expect_done();
    }
    1_000
}

fn polls_random() -> u32 {
    let mut sim = Sim::with_config(digest_only().with_strategy(Strategy::Random));
    for i in 0..10 {
        sim.node(&format!("n{i}"), async |node| {
            for _ in 0..1_000 {
                node.yield_now().await;
            }
        });
    }
    sim.run().expect_done();
    10_000
}

fn restarts() -> u32 {
    let mut sim = Sim::with_config(digest_only());
    for i in 0..1_000 {
        sim.daemon(&format!("idle{i}"), async |_| pending::<()>().await);
    }
    let node = sim.daemon("restarted", async |node| node.sleep(Duration::MAX).await);
    for i in 0..2_000 {
        let node = node.clone();
        sim.after(Duration::from_millis(i), move || node.restart());
    }
    sim.run().expect_done();
    2_000
}

fn broker_rounds() -> u32 {
    let names = Stream::calm(Site::new("scenarios.names"), 0);
    let mut broker = Broker::new(BrokerOptions::default(), names);
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
    20_000
}

/// How many messages go through a world.
const MESSAGES: u32 = 5_000;

async fn publisher(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("work", QueueOptions::default()).await?;
    let body = Bytes::from_static(&[0; 100]);
    for i in 0..MESSAGES {
        channel.basic_publish("", "work", Properties::default(), body.clone())?;
        if i % 100 == 99 {
            node.yield_now().await;
        }
    }
    channel.close().await
}

async fn consumer(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("work", QueueOptions::default()).await?;
    channel.basic_qos(200, false).await?;
    let mut consumer = channel.basic_consume("work", ConsumeOptions::default()).await?;
    while let Some(delivery) = consumer.next().await {
        delivery?.ack()?;
    }
    Ok(())
}

fn rounds(sim: &mut Sim) {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    sim.daemon_with("consumer", rabbit.clone(), consumer);
    sim.node_with("publisher", rabbit, publisher);
    sim.run().expect_done();
}

fn world_rounds() -> u32 {
    rounds(&mut Sim::with_config(Config::new(1).with_max_steps(u64::MAX)));
    MESSAGES
}

fn world_rounds_digest() -> u32 {
    rounds(&mut Sim::with_config(digest_only()));
    MESSAGES
}

fn determinism() -> u32 {
    let equal = check_determinism(Config::new(1).with_max_steps(u64::MAX), rounds);
    equal.map(|_| MESSAGES).expect("a seed determines its run")
}

fn seeds() -> u32 {
    Seeds::new(0..200).with_threads(1).run(no_task_is_lost::test).expect_none();
    200
}

async fn caller(node: Node, redis: Redis) -> Result<(), redis::Error> {
    let client = Client::connect(&node, &redis).await?;
    for _ in 0..5_000 {
        client.call(["SET", "key", "value"]).await?;
    }
    Ok(())
}

fn redis_calls() -> u32 {
    let mut sim = Sim::with_config(digest_only());
    let redis = redis::start(&mut sim, ServerOptions::default());
    sim.node_with("caller", redis, caller);
    sim.run().expect_done();
    5_000
}

fn redis_bytes() -> u32 {
    let random = Stream::calm(Site::new("scenarios.redis"), 0);
    let machine = redis::server::Server::new(ServerOptions::default(), random);
    let mut server = redis::resp::ByteServer::new(machine);
    server.connected(NOW, 1, "caller");
    let pair = |i: u32| {
        let key = format!("k{i:03}");
        format!("*3\r\n$3\r\nSET\r\n$4\r\n{key}\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$4\r\n{key}\r\n")
    };
    let requests: String = (0..64).map(pair).collect();
    let mut replies = Vec::new();
    for _ in 0..100 {
        server.receive(NOW, 1, requests.as_bytes());
        replies.clear();
        let _ = server.drain_output(1, &mut replies);
    }
    12_800
}

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if let Some(wanted) = wanted {
        let found = SCENARIOS.iter().find(|(name, _)| *name == wanted);
        let Some((_, scenario)) = found else {
            eprintln!("there is no scenario {wanted}");
            std::process::exit(2);
        };
        scenario();
        return;
    }
    for (name, scenario) in SCENARIOS {
        let time = || {
            let began = Instant::now();
            let count = scenario();
            began.elapsed().as_nanos() as f64 / f64::from(count)
        };
        let best = (0..ROUNDS).map(|_| time()).fold(f64::MAX, f64::min);
        println!("{name} {best:.1}");
    }
}
