//! Worlds with lapin leave no thread and no memory behind.

use crate::support::{channel, consume, declare, publish, take};
use lapin::ConnectionProperties;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Node, Outcome, Sim};

/// How many worlds are made. The variable asks for more.
fn worlds() -> u32 {
    let wanted = std::env::var("STUNT_DOUBLE_LAPIN_WORLDS").ok();
    wanted.map_or(300, |text| text.parse().expect("it is a number"))
}

fn world(number: u32) {
    let mut sim = Sim::new(number.into());
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.node_with("app", rabbit, async |node: Node, rabbit: RabbitMq| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
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
}

/// The names of lapin's threads in this process that were not there before.
fn threads() -> usize {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let names =
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("lapin")).count()
}

/// The memory of this process in KiB, where the system tells it.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Runs alone, in a process of its own, so that no other test's threads and memory count.
#[test]
fn worlds_leave_nothing_behind() {
    const CHILD: &str = "STUNT_DOUBLE_TEST_CHILD";
    if std::env::var_os(CHILD).is_none() {
        let this = std::env::current_exe().expect("a test knows its own binary");
        let status = std::process::Command::new(this)
            .args(["--exact", "leaks::worlds_leave_nothing_behind", "--nocapture"])
            .env(CHILD, "1")
            .status()
            .expect("a test can run itself");
        return assert!(status.success());
    }
    let count = worlds();
    // The first ones warm the allocator.
    (0..count / 3).for_each(world);
    let before = memory();
    (0..count).for_each(world);
    // The last thread has given up its part in the world, and is about to exit.
    for _ in 0..1_000_000 {
        if threads() == 0 {
            break;
        }
        std::thread::yield_now();
    }
    println!("{count} worlds, {} threads, {} KiB, then {} KiB", threads(), before, memory());
    assert_eq!(threads(), 0);
    // Less than a fifth of a KiB a world, and what an allocator may keep.
    assert!(memory() < before + 16 * 1024 + u64::from(count) / 5);
}
