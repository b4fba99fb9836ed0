//! turmoil: hosts, each on a paused tokio runtime, which run one after the other in ticks of 1 ms.
//! Everything that is due within a tick happens at its end: there is no order by time inside of it.
//! It has no trace and no digest, and its order of tasks is tokio's: first in, first out.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use stunt_double_peers::{Batch, SLEEPERS, period, run, timers_run};
use tokio::time::sleep;
use turmoil::{Builder, Sim};

fn world(tick: Duration) -> Sim<'static> {
    Builder::new()
        .rng_seed(1)
        .tick_duration(tick)
        .simulation_duration(Duration::from_secs(1_000_000))
        .build()
}

/// The tick is as long as the sleep: with ticks of 1 ms a second would cost a thousand of them.
fn worlds() -> Batch {
    Box::new(|| {
        for _ in 0..100 {
            let mut sim = world(Duration::from_secs(1));
            sim.client("n", async {
                sleep(Duration::from_secs(1)).await;
                Ok(())
            });
            sim.run().expect("it ends");
        }
        100
    })
}

fn timers() -> Batch {
    let mut sim = world(Duration::from_millis(1));
    let fired = Rc::<Cell<u64>>::default();
    let counts = Rc::clone(&fired);
    sim.client("n", async move {
        for i in 0..SLEEPERS {
            let fired = Rc::clone(&counts);
            tokio::task::spawn_local(async move {
                loop {
                    sleep(period(i)).await;
                    fired.set(fired.get() + 1);
                }
            });
        }
        std::future::pending().await
    });
    Box::new(move || {
        let before = fired.get();
        for _ in 0..timers_run().as_millis() {
            sim.step().expect("it goes on");
        }
        fired.get() - before
    })
}

fn main() {
    run(&[("worlds", worlds), ("timers", timers)]);
}
