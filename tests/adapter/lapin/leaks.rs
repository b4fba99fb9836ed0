//! Worlds with lapin leave no thread and no memory behind.

use crate::support::{alone, channel, consume, declare, publish, take};
use lapin::ConnectionProperties;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::cell::Cell;
use std::rc::Rc;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Node, Outcome, Sim};

/// How many worlds are made. The variable asks for more.
fn worlds() -> u32 {
    let wanted = std::env::var("STUNT_DOUBLE_LAPIN_WORLDS").ok();
    wanted.map_or(300, |text| text.parse().expect("it is a number"))
}

/// Makes a world and ends it. Returns whether lapin was about to connect or to open a channel.
fn world(number: u32) -> bool {
    let mut sim = Sim::new(number.into());
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let connects = Rc::new(Cell::new(false));
    let with = (rabbit, Rc::clone(&connects));
    let node = sim.node_with("app", with, async |node: Node, (rabbit, connects)| {
        connects.set(true);
        let connection = RabbitMq::lapin(&rabbit, &node, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
        connects.set(false);
        declare(&channel, "jobs").await?;
        publish(&channel, "jobs", b"a").await?;
        let mut consumer = consume(&channel, "jobs", "me").await?;
        take(&mut consumer).await?;
        connection.close(200, "bye".into()).await
    });
    match number % 4 {
        // To its end.
        0 => sim.run().expect_done(),
        // Killed somewhere on its way.
        1 => {
            (0..number % 60).for_each(|_| drop(sim.step()));
            node.kill();
            let _ = sim.run();
        }
        // Dropped somewhere on its way.
        2 => (0..number % 60).for_each(|_| drop(sim.step())),
        // Without power.
        _ => {
            (0..number % 60).for_each(|_| drop(sim.step()));
            node.lose_power();
            assert!(!matches!(sim.run(), Outcome::Failed(_)));
        }
    }
    connects.get()
}

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The bytes that are allocated now.
fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// The number of lapin's threads in this process. `None` if the system does not tell it.
fn threads() -> Option<usize> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let names =
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    Some(names.filter(|name| name.starts_with("lapin")).count())
}

/// Makes a world, waits until its thread is gone, and returns by how much the memory has grown, and
/// what [`world`] returns. The thread has given up its part in the world, and is about to exit.
fn growth(number: u32) -> (usize, bool) {
    let before = live();
    let connects = world(number);
    for _ in 0..1_000_000 {
        if threads() == Some(0) {
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!(threads(), Some(0));
    (live().saturating_sub(before), connects)
}

/// Runs alone, in a process of its own, so that no other test's threads and memory count.
#[test]
fn worlds_leave_nothing_behind() {
    if threads().is_none() {
        return println!("skipped: this system has no /proc that tells a process its threads");
    }
    if !alone("leaks::worlds_leave_nothing_behind") {
        return;
    }
    let count = worlds();
    // The first ones fill what is made once in a process.
    for number in 0..count / 3 {
        growth(number);
    }
    let mut total = 0;
    for number in 0..count {
        match growth(number) {
            // What lapin keeps for the answer that it awaits refers to itself until the answer is
            // there. A process that is killed meanwhile takes it along; here it stays.
            (grown, true) => assert!(grown < 12 * 1024, "world {number}: {grown} bytes"),
            (grown, false) => total += grown,
        }
    }
    println!("{count} worlds, {total} bytes");
    assert!(total < 1024, "{total} bytes");
}
