//! The README's example of production code in a world: it compiles and runs as it is shown.

use lapin::ConnectionProperties;
use stunt_double::adapter::redis_rs::Connect; // gives `Redis` the method `multiplexed`
use stunt_double::rabbitmq::{self, BrokerOptions};
use stunt_double::redis::{self, ServerOptions};
use stunt_double::sim::Sim;

/// The reader's production code.
mod your_crate {
    use redis::AsyncCommands;
    use redis::aio::MultiplexedConnection;

    pub(super) async fn run_worker(
        amqp: lapin::Connection,
        mut cache: MultiplexedConnection,
    ) -> Result<(), order_service::Error> {
        let channel = amqp.create_channel().await?;
        order_service::declare(&channel).await?;
        let () = cache.set("declared", true).await?;
        Ok(())
    }
}

#[test]
#[rustfmt::skip]
fn the_example_runs() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let redis = redis::start(&mut sim, ServerOptions::default());
    sim.tokio_node_with("worker", (rabbit, redis), async |node, (rabbit, redis)| {
        let amqp = rabbit.lapin(&node, ConnectionProperties::default()).await?; // a real lapin::Connection
        let cache = redis.multiplexed(&node).await?; // a real redis::aio::MultiplexedConnection
        your_crate::run_worker(amqp, cache).await // tokio::spawn, sleep, select! …: in virtual time
    });
    sim.run().expect_done();
}

#[test]
fn the_example_is_the_one_in_the_readme() {
    let lines = |text: &'static str| text.lines().map(str::trim).filter(|line| !line.is_empty());
    let readme = include_str!("../../../README.md");
    let (_, shown) = readme.split_once("```rust,ignore\n").expect("it shows the example");
    let (shown, _) = shown.split_once("```").expect("the example ends");
    let mut here = lines(include_str!("readme.rs"));
    for line in lines(shown) {
        assert!(here.any(|here| here == line), "only the README has this, or here: {line}");
    }
}
