//! One seed means one run: twice in a process, and in two processes.

use crate::support::{Ask, Client, Counter, counter, ms, secs};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use stunt_double::Site;
use stunt_double::sim::service::Connection;
use stunt_double::sim::trace::Trace;
use stunt_double::sim::{
    Config, Disconnected, JoinHandle, Latency, Link, Node, ServiceHandle, Sim, Strategy,
    check_determinism,
};

const PAUSE: Site = Site::new("test.pause");

/// A world with a little of everything: latencies, time-outs, a partition, a
/// crash, a restart and a pause.
fn busy(sim: &mut Sim) {
    let counter = counter(sim);
    let mut nodes = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let node = sim.daemon_with(name, counter.clone(), async |node, counter| {
            loop {
                let _ = node.timeout(secs(1), talk(&node, &counter)).await;
                node.sleep(ms(1 + node.choose(PAUSE, 50))).await;
            }
        });
        node.link(&counter).set_latency(Latency::Exponential { min: ms(1), mean: ms(3) });
        nodes.push(node);
    }
    let link = nodes[0].link(&counter);
    let heal = link.clone();
    sim.at(stunt_double::Instant::ZERO + ms(150), move || link.partition());
    sim.after(ms(700), move || heal.heal());
    let crash = counter.clone();
    sim.when(move || counter.inspect(|machine| machine.total > 40), move || crash.crash());
    let (restart, pause, resume) = (nodes[1].clone(), nodes[2].clone(), nodes[2].clone());
    sim.after(ms(400), move || restart.restart());
    sim.after(ms(500), move || pause.pause());
    sim.after(ms(900), move || resume.resume());
    sim.run_for(secs(3)).expect_reached();
}

async fn talk(node: &Node, counter: &ServiceHandle<Counter>) -> Result<(), Disconnected> {
    let client = Client::open(node, counter).await?;
    for n in 0..5 {
        client.ask(Ask::Add(n)).await?;
        client.ask(Ask::Toss(100)).await?;
    }
    Ok(())
}

#[test]
fn a_busy_world_is_the_same_twice() {
    for strategy in
        [Strategy::Fifo, Strategy::Random, Strategy::Pct { depth: 4, moments: Some(2_000) }]
    {
        for seed in 0..5 {
            let checked = check_determinism(Config::new(seed).with_strategy(strategy), busy);
            match checked {
                Ok(digest) => assert!(digest.count > 1_000, "{digest}"),
                Err(difference) => panic!("{strategy:?}, seed {seed}: {difference}"),
            }
        }
    }
}

#[test]
fn what_does_not_come_from_the_world_is_found_and_shown() {
    // Stands in for a clock, an address or a hash map's order.
    static OUTSIDE: AtomicU64 = AtomicU64::new(0);
    let difference = check_determinism(Config::new(1), |sim| {
        sim.node("a", async |node| {
            node.note("same");
            node.sleep(ms(OUTSIDE.fetch_add(1, SeqCst))).await;
            node.note("later");
        });
        sim.run().expect_done();
    })
    .unwrap_err();
    assert_eq!(
        difference.before.last().map(ToString::to_string).as_deref(),
        Some("    0.000s  a            same")
    );
    let sides = [difference.left, difference.right].map(|e| e.map(|e| e.to_string()));
    assert_eq!(sides[0].as_deref(), Some("    0.000s  a            later"));
    assert_eq!(sides[1].as_deref(), Some("    0.001s  a            ran task 0"));
}

/// Set for a child process, which then prints its digests and nothing else.
const CHILD: &str = "STUNT_DOUBLE_TEST_CHILD";

#[test]
fn two_processes_agree_on_every_digest() {
    let digests: Vec<String> = (0..3)
        .map(|seed| {
            let mut sim = Sim::with_config(Config::new(seed).with_strategy(Strategy::Random));
            busy(&mut sim);
            format!("digest {}", sim.digest())
        })
        .collect();
    if std::env::var_os(CHILD).is_some() {
        println!("\n{}", digests.join("\n"));
        return;
    }
    let this = std::env::current_exe().expect("a test knows its own binary");
    let output = Command::new(this)
        .args(["--exact", "determinism::two_processes_agree_on_every_digest", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("a test can run itself");
    let text = String::from_utf8_lossy(&output.stdout);
    let told: Vec<&str> = text.lines().filter(|line| line.starts_with("digest ")).collect();
    assert_eq!(told, digests, "{text}");
}

#[test]
fn handles_go_wherever_client_code_takes_them() {
    fn shared<T: Send + Sync + 'static>() {}
    fn cloned<T: Clone + Send + Sync + 'static>() {}
    cloned::<Node>();
    cloned::<Link>();
    cloned::<ServiceHandle<Counter>>();
    cloned::<Trace>();
    shared::<Connection<Counter>>();
    shared::<JoinHandle<u8>>();
    shared::<stunt_double::sim::Sleep>();

    // The futures made of them are `Send`, too.
    fn send<F: Future + Send>(_: F) {}
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.node("a", async |_| ());
    send(talk(&node, &counter));
    send(node.timeout(ms(1), node.waiting_for("it", node.sleep(ms(1)))));
}
