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
mod rounds;

use rounds::{BROKER_ROUNDS, CALLS, MESSAGES, TEXTS};
use std::future::pending;
use std::time::{Duration, Instant};
use stunt_double::rabbitmq::BrokerOptions;
use stunt_double::redis::ServerOptions;
use stunt_double::sim::{Config, Node, Retention, Seeds, Sim, Strategy, check_determinism};

/// How often a scenario is timed. The best counts.
const ROUNDS: u32 = 9;

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
    rounds::broker_rounds(BrokerOptions::default());
    BROKER_ROUNDS
}

fn through_a_world(sim: &mut Sim) {
    rounds::world_rounds(sim, BrokerOptions::default());
}

fn world_rounds() -> u32 {
    through_a_world(&mut Sim::with_config(Config::new(1).with_max_steps(u64::MAX)));
    MESSAGES
}

fn world_rounds_digest() -> u32 {
    through_a_world(&mut Sim::with_config(digest_only()));
    MESSAGES
}

fn determinism() -> u32 {
    let equal = check_determinism(Config::new(1).with_max_steps(u64::MAX), through_a_world);
    equal.map(|_| MESSAGES).expect("a seed determines its run")
}

fn seeds() -> u32 {
    Seeds::new(0..200).with_threads(1).run(no_task_is_lost::test).expect_none();
    200
}

fn redis_calls() -> u32 {
    rounds::redis_calls(&mut Sim::with_config(digest_only()), ServerOptions::default());
    CALLS
}

fn redis_bytes() -> u32 {
    rounds::redis_texts(ServerOptions::default());
    TEXTS
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
