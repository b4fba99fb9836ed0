//! The cost of the lock step with tokio: the same events on a plain node, on a tokio node, and on a
//! bare tokio. All in one run, the best of several, so that the ratios mean something on a busy
//! machine.
//!
//! `cargo bench -p stunt-double-benches --features adapters --bench adapters_tokio`

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use stunt_double::redis::{Client, Redis, ServerOptions, start};
use stunt_double::sim::{Config, Node, Retention, Sim};

/// How many events a round has, and how many rounds there are.
const EVENTS: u32 = 50_000;
const ROUNDS: u32 = 15;

/// One tick of tokio's timers, so that each sleep is one event on both clocks.
const NAP: Duration = Duration::from_millis(1);

/// Where a node runs.
#[derive(Clone, Copy)]
enum On {
    Plain,
    Tokio,
}

/// Runs `work` on a node, and returns the real time that it took.
fn world<F>(on: On, work: impl Fn(Node, Redis) -> F + 'static) -> Duration
where
    F: Future<Output = ()> + 'static,
{
    let config = Config::new(1).with_retention(Retention::Digest).with_max_steps(u64::MAX);
    let mut sim = Sim::with_config(config);
    let redis = start(&mut sim, ServerOptions::default());
    redis.command(["SET", "k", "value"]);
    let took = Arc::<Mutex<Duration>>::default();
    let slot = Arc::clone(&took);
    let main = move |node: Node, redis: Redis| {
        let slot = Arc::clone(&slot);
        let work = work(node, redis);
        async move {
            let began = Instant::now();
            work.await;
            *slot.lock().expect("nobody panics") = began.elapsed();
        }
    };
    match on {
        On::Plain => sim.node_with("client", redis, main),
        On::Tokio => sim.tokio_node_with("client", redis, main),
    };
    sim.run().expect_done();
    *took.lock().expect("nobody panics")
}

async fn world_sleep(node: Node, _: Redis) {
    for _ in 0..EVENTS {
        node.sleep(NAP).await;
    }
}

async fn tokio_sleep() {
    for _ in 0..EVENTS {
        tokio::time::sleep(NAP).await;
    }
}

async fn redis_call(node: Node, redis: Redis) {
    let client = Client::connect(&node, &redis).await.expect("it runs");
    for _ in 0..EVENTS {
        client.call(["GET", "k"]).await.expect("it answers");
    }
}

fn bare_tokio() -> Duration {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let began = Instant::now();
        tokio_sleep().await;
        began.elapsed()
    })
}

/// A measurement, which returns the time of one event.
type Kind = fn() -> Duration;

fn main() {
    let kinds: [(&str, Kind); 6] = [
        ("plain node: node.sleep", || world(On::Plain, world_sleep)),
        ("tokio node: node.sleep", || world(On::Tokio, world_sleep)),
        ("tokio node: tokio::time::sleep", || world(On::Tokio, |_, _| tokio_sleep())),
        ("bare paused tokio: tokio::time::sleep", bare_tokio),
        ("plain node: a typed Redis call", || world(On::Plain, redis_call)),
        ("tokio node: a typed Redis call", || world(On::Tokio, redis_call)),
    ];
    let mut best = [Duration::MAX; 6];
    for _ in 0..ROUNDS {
        for (best, (_, run)) in best.iter_mut().zip(&kinds) {
            *best = run().min(*best);
        }
    }
    let nanos = best.map(|time| time.as_nanos() as f64 / f64::from(EVENTS));
    for ((name, _), nanos) in kinds.iter().zip(nanos) {
        println!("{name:40} {nanos:8.0} ns");
    }
    println!();
    let [plain, world, tokio, bare, call, tokio_call] = nanos;
    for (name, ratio) in [
        ("node.sleep, tokio node / plain node", world / plain),
        ("tokio's sleep / plain node's sleep", tokio / plain),
        ("tokio's sleep, tokio node / bare tokio", tokio / bare),
        ("a Redis call, tokio node / plain node", tokio_call / call),
    ] {
        println!("{name:40} {ratio:8.2} times");
    }
}
