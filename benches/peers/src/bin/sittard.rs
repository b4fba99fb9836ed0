//! sittard: a runtime with virtual time. It has no random schedule, no nodes, no network, no trace
//! and no seed: its order is first in, first out.

use sittard::Runtime;
use sittard::time::sleep;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use stunt_double_peers::{Batch, SLEEPERS, period, run, timers_run};

fn worlds() -> Batch {
    Box::new(|| {
        for _ in 0..1_000 {
            Runtime::default().block_on(async {
                sittard::spawn(sleep(Duration::from_secs(1))).await.expect("it ends");
            });
        }
        1_000
    })
}

/// The same without a task: the future of `block_on` is no task of the runtime and costs less.
fn bare_worlds() -> Batch {
    Box::new(|| {
        for _ in 0..1_000 {
            Runtime::default().block_on(async { sleep(Duration::from_secs(1)).await });
        }
        1_000
    })
}

fn timers() -> Batch {
    let runtime = Runtime::default();
    let fired = Rc::<Cell<u64>>::default();
    for i in 0..SLEEPERS {
        let fired = Rc::clone(&fired);
        runtime.spawn(async move {
            loop {
                sleep(period(i)).await;
                fired.set(fired.get() + 1);
            }
        });
    }
    Box::new(move || {
        let before = fired.get();
        runtime.block_on(async { sleep(timers_run()).await });
        fired.get() - before
    })
}

fn main() {
    run(&[("worlds", worlds), ("bare-worlds", bare_worlds), ("timers", timers)]);
}
