//! The README's pattern for a crash between two commands finds the bug that it demonstrates.

use std::time::Duration;
use stunt_double::Site;
use stunt_double::redis::{self, Client, Error, Pipeline, Redis, ServerOptions};
use stunt_double::sim::{Node, Report, Seeds, Sim, Strategy};

async fn limiter(node: Node, redis: Redis) -> Result<(), Error> {
    let client = Client::connect(&node, &redis).await?;
    client.call(["INCR", "visits"]).await?;
    client.call(["EXPIRE", "visits", "60"]).await?;
    Ok(())
}

async fn mended(node: Node, redis: Redis) -> Result<(), Error> {
    let client = Client::connect(&node, &redis).await?;
    let both = Pipeline::new().command(["INCR", "visits"]).command(["EXPIRE", "visits", "60"]);
    client.transaction(&both).await?;
    Ok(())
}

const DEATH: Site = Site::new("test.death");

fn scenario<F, R>(sim: &mut Sim, program: fn(Node, Redis) -> F)
where
    F: Future<Output = R> + 'static,
    R: Report,
{
    let redis = redis::start(sim, ServerOptions::default());
    let node = sim.node_with("limiter", redis.clone(), program);
    let moment = Duration::from_micros(sim.choose(DEATH, 0, 10_000));
    sim.after(moment, move || node.kill());
    sim.run().expect_done();
    let ttl = redis.command(["TTL", "visits"]).as_integer();
    assert_ne!(ttl, Some(-1), "it never expires");
}

#[test]
fn the_readmes_pattern_finds_the_counter_that_never_expires() {
    for strategy in
        [Strategy::Fifo, Strategy::Random, Strategy::Pct { depth: 3, moments: Some(50) }]
    {
        let sweep = Seeds::new(0..1_000).with_strategy(strategy).run(|sim| scenario(sim, limiter));
        let failure = sweep.failures.first().expect("it is found");
        assert!(failure.message.contains("it never expires"), "{failure}");
        Seeds::new(0..1_000).with_strategy(strategy).run(|sim| scenario(sim, mended)).expect_none();
    }
}
