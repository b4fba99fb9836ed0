//! The memory of a sweep does not grow with the number of its seeds.

use super::ALLOCATOR;
use stats_alloc::Region;
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

/// Returns the bytes that a sweep over this many seeds leaves behind.
fn left_after(seeds: u64) -> i64 {
    let region = Region::new(ALLOCATOR);
    let sweep = Seeds::new(0..seeds).with_threads(1).without_files().run(world);
    let stats = region.change();
    assert_eq!(sweep.ran, seeds);
    drop(sweep);
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

pub(super) fn a_sweep_of_many_seeds_takes_no_more_memory_than_one_of_few() {
    // The first sweep installs what every later one uses.
    left_after(1);
    let (few, many) = (left_after(10), left_after(1_000));
    assert!((many - few).abs() < 4_096, "{few} bytes after 10 seeds, {many} after 1,000");
}
