//! Ends of processes: what a killed runtime may still do, and what cannot run at all.

use std::time::Duration;
use stunt_double::sim::{Node, Outcome, Sim};
use tokio::time::sleep;

/// Notes its own end, which a killed process cannot do.
struct Speaks(Node, &'static str);

impl Drop for Speaks {
    fn drop(&mut self) {
        self.0.note(format!("{} dropped", self.1));
        tokio::spawn(async {});
    }
}

async fn with_tasks(node: Node) {
    let guard = Speaks(node.clone(), "spawned");
    tokio::spawn(async move {
        let _guard = guard;
        sleep(Duration::from_secs(3600)).await;
    });
    let _guard = Speaks(node.clone(), "main");
    sleep(Duration::from_secs(10)).await;
}

#[test]
fn a_killed_process_says_nothing() {
    for lose_power in [false, true] {
        let mut sim = Sim::new(1);
        let node = sim.tokio_node("worker", with_tasks);
        sim.tokio_node("other", async |_| sleep(Duration::from_secs(20)).await);
        sim.after(
            Duration::from_secs(5),
            move || {
                if lose_power { node.lose_power() } else { node.kill() }
            },
        );
        sim.run().expect_done();
        assert_eq!(sim.trace().notes(), "");
    }
}

#[test]
fn a_process_that_exits_drops_its_tasks_first() {
    let mut sim = Sim::new(1);
    sim.tokio_node("worker", with_tasks);
    sim.run().expect_done();
    let notes = sim.trace().notes();
    let ends: Vec<&str> =
        notes.lines().map(|line| line.rsplit("  ").next().unwrap().trim()).collect();
    assert_eq!(ends, ["main dropped", "spawned dropped"], "{notes}");
}

#[test]
fn a_restarted_process_has_a_new_runtime() {
    let mut sim = Sim::new(1);
    let node = sim.tokio_node("worker", async |node| {
        let began = tokio::time::Instant::now();
        node.note("started");
        sleep(Duration::from_secs(10)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(10));
        node.note("done");
    });
    sim.after(Duration::from_nanos(3_000_000_500), move || node.restart());
    sim.run().expect_done();
    assert_eq!(sim.now().as_nanos(), 13_000_000_500);
    assert_eq!(sim.trace().notes().lines().count(), 3);
}

#[test]
fn a_paused_process_runs_late() {
    let mut sim = Sim::new(1);
    let node = sim.tokio_node("worker", async |node| {
        sleep(Duration::from_secs(1)).await;
        node.note("awake");
    });
    let paused = node.clone();
    sim.after(Duration::from_millis(500), move || paused.pause());
    sim.after(Duration::from_secs(5), move || node.resume());
    sim.run().expect_done();
    assert_eq!(sim.trace().notes().trim(), "5.000s  worker       awake");
}

#[test]
fn a_panic_of_the_main_task_kills_the_process() {
    let mut sim = Sim::new(1);
    sim.tokio_node("worker", async |_| {
        sleep(Duration::from_secs(1)).await;
        panic!("out of luck");
    });
    let Outcome::Failed(problem) = sim.run() else { panic!("it panicked") };
    assert!(problem.message.contains("out of luck"), "{}", problem.message);
}

#[test]
fn blocking_threads_are_refused() {
    let mut sim = Sim::new(1);
    sim.tokio_node("worker", async |_| {
        drop(tokio::task::spawn_blocking(|| 1));
        sleep(Duration::from_secs(1)).await;
    });
    let Outcome::Failed(problem) = sim.run() else { panic!("it is refused") };
    assert!(problem.message.contains("spawn_blocking"), "{}", problem.message);
}

#[test]
fn tasks_that_spin_are_told_apart_from_a_hang() {
    for spawned in [false, true] {
        let mut sim = Sim::new(1);
        sim.tokio_node_with("worker", spawned, async |_, spawned| {
            let spin = async {
                loop {
                    tokio::task::yield_now().await;
                }
            };
            if spawned {
                tokio::spawn(spin).await.unwrap();
            } else {
                spin.await;
            }
        });
        let Outcome::Failed(problem) = sim.run() else { panic!("it spins") };
        assert!(problem.message.contains("none of them waits"), "{}", problem.message);
    }
}

#[tokio::test]
async fn a_world_inside_a_runtime_is_refused() {
    let mut sim = Sim::new(1);
    sim.tokio_node("worker", async |_| {});
    let Outcome::Failed(problem) = sim.run() else { panic!("it is refused") };
    assert!(problem.message.contains("run_beside"), "{}", problem.message);
}

#[test]
fn tasks_of_the_node_itself_share_its_runtime() {
    let mut sim = Sim::new(1);
    sim.tokio_node("worker", async |node| {
        let inner = node.clone();
        let joined = node.spawn(async move {
            sleep(Duration::from_millis(1500)).await;
            inner.now()
        });
        assert_eq!(joined.await.unwrap().to_string(), "1.5s");
    });
    sim.run().expect_done();
}
