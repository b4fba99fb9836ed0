//! Clocks of servers, which jump and drift.

use crate::support::{Ask, Client, counter, log, ms, secs};
use stunt_double::sim::{Disconnected, Sim};

#[test]
fn a_servers_clock_that_drifts_moves_its_timers_and_no_others() {
    for (ppm, rang) in [(0, "10s"), (1_000_000, "5s"), (-500_000, "20s")] {
        let mut sim = Sim::new(1);
        let counter = counter(&mut sim);
        counter.set_clock_drift(ppm);
        sim.node_with("a", counter, async |node, counter| {
            let client = Client::open(&node, &counter).await?;
            client.send(Ask::Ring(secs(10)))?;
            client.next().await?;
            node.note(format_args!("rang at {}", node.now()));
            node.sleep(secs(10)).await;
            Ok::<_, Disconnected>(())
        });
        sim.run().expect_done();
        assert!(sim.trace().notes().contains(&format!("rang at {rang}")), "{ppm} ppm");
    }
}

#[test]
fn a_drift_that_begins_while_a_timer_runs_counts_from_then_on() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let handle = counter.clone();
    sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::Ring(secs(10)))?;
        client.next().await?;
        assert_eq!(node.now().to_string(), "7s", "four seconds, and six at double speed");
        Ok::<_, Disconnected>(())
    });
    sim.after(secs(4), move || handle.set_clock_drift(1_000_000));
    sim.run().expect_done();
    assert!(log(&counter).contains(&"10s timeout".to_owned()), "by its own clock");
}

#[test]
fn a_machine_hears_of_its_clock_being_set_and_its_timers_do_not_move() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let handle = counter.clone();
    sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::Ring(secs(10)))?;
        client.next().await?;
        assert_eq!(node.now().to_string(), "10s");
        Ok::<_, Disconnected>(())
    });
    sim.after(ms(500), move || handle.set_clock_behind(secs(3_600)));
    sim.run().expect_done();
    assert!(log(&counter).contains(&"0.5s clock set by -3600000000000 ns".to_owned()));
    let transcript = sim.trace().transcript();
    assert!(
        transcript.contains("counter      clock set to -3600000000000 ns ahead"),
        "{transcript}"
    );
}
