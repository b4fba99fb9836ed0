//! The memory of a sweep does not grow with the number of its seeds.

use super::ALLOCATOR;
use stats_alloc::Region;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;
use stunt_double::sim::{Seeds, Sim};

/// A world that allocates a good deal.
fn world(sim: &mut Sim) {
    for i in 0..10 {
        sim.node(&format!("node-{i}"), async |node| {
            for n in 0..10 {
                node.sleep(Duration::from_millis(n)).await;
                node.note(format_args!("note {n}"));
            }
        });
    }
    sim.run().expect_done();
}

/// Returns the bytes that a sweep over this many seeds holds when its last world has begun, and
/// those that it leaves behind.
fn held_by(seeds: u64) -> [i64; 2] {
    let region = Region::new(ALLOCATOR);
    let held = || {
        let stats = region.change();
        stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
    };
    let at_the_last = AtomicI64::new(0);
    let sweep = Seeds::new(0..seeds).with_threads(1).without_files().run(|sim: &mut Sim| {
        if sim.seed() == seeds - 1 {
            at_the_last.store(held(), SeqCst);
        }
        world(sim);
    });
    assert_eq!(sweep.ran, seeds);
    drop(sweep);
    [at_the_last.into_inner(), held()]
}

pub(super) fn a_sweep_of_many_seeds_takes_no_more_memory_than_one_of_few() {
    // The first sweep installs what every later one uses.
    held_by(1);
    let (few, many) = (held_by(10), held_by(1_000));
    for (few, many) in few.into_iter().zip(many) {
        assert!((many - few).abs() < 4_096, "{few} bytes with 10 seeds, {many} with 1,000");
    }
}
