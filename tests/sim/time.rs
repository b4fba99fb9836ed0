//! Sleeping, giving up, and clocks that are wrong.

use crate::support::{at_ms, ms, notes, secs};
use proptest::prelude::*;
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use stunt_double::sim::{Config, Outcome, Sim};
use stunt_double::{Instant, WORLD_EPOCH};

#[test]
fn time_jumps_from_event_to_event_and_stops_at_the_last() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        node.sleep(secs(86_400)).await;
        node.note("woke");
        node.sleep(Duration::from_nanos(1)).await;
        node.note("woke");
    });
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["86400s a woke", "86400.000000001s a woke"]);
    assert_eq!(sim.now(), at_ms(86_400_000) + Duration::from_nanos(1));
}

#[test]
fn a_cancelled_timeout_does_not_move_time() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        for _ in 0..1_000 {
            let slept = node.timeout(secs(3_600), node.sleep(ms(1))).await;
            assert_eq!(slept, Ok(()));
        }
    });
    sim.run().expect_done();
    assert_eq!(sim.now(), at_ms(1_000));
    assert_eq!(sim.next_event(), None);
}

#[test]
fn a_timeout_gives_up_at_its_deadline_and_drops_its_future_with_it() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        let elapsed = node.timeout(ms(20), node.sleep(secs(9))).await.unwrap_err();
        assert_eq!(elapsed.deadline, at_ms(20));
        node.note(elapsed);
    });
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.02s a the deadline of 0.02s passed"]);
    assert_eq!(sim.now(), at_ms(20));
}

#[test]
fn at_a_tie_the_future_beats_its_deadline() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        assert_eq!(node.timeout(ms(5), node.sleep(ms(5))).await, Ok(()));
        assert_eq!(node.timeout(Duration::ZERO, std::future::ready(7)).await, Ok(7));
        let never = node.timeout(Duration::ZERO, std::future::pending::<()>()).await;
        assert_eq!(never.unwrap_err().deadline, at_ms(5));
    });
    sim.run().expect_done();
    assert_eq!(sim.now(), at_ms(5));
}

#[test]
fn sleeps_of_one_instant_end_in_the_order_they_began() {
    let mut sim = Sim::new(1);
    for (name, first) in [("a", 30), ("b", 10), ("c", 20)] {
        sim.node(name, move |node| async move {
            node.sleep(ms(first)).await;
            node.sleep_until(at_ms(50)).await;
            node.note("end");
        });
    }
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.05s b end", "0.05s c end", "0.05s a end"]);
}

#[test]
fn a_sleep_of_nothing_or_until_the_past_is_over_at_once() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        node.sleep(ms(3)).await;
        node.sleep(Duration::ZERO).await;
        node.sleep_until(Instant::ZERO).await;
        node.note("end");
    });
    sim.node("b", async |node| {
        node.sleep(ms(3)).await;
        node.note("end");
    });
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.003s a end", "0.003s b end"], "a did not let b go first");
}

#[test]
fn a_sleep_that_is_over_stays_over() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        let mut sleep = pin!(node.sleep(ms(3)));
        assert_eq!(sleep.deadline(), at_ms(3));
        sleep.as_mut().await;
        sleep.as_mut().await;
        assert_eq!(node.now(), at_ms(3));
    });
    sim.run().expect_done();
}

#[test]
fn a_sleep_for_ever_is_never_over_not_even_at_the_end_of_time() {
    let mut sim = Sim::new(1);
    let woke = Rc::new(Cell::new(0));
    let count = Rc::clone(&woke);
    sim.daemon("a", move |node| {
        let count = Rc::clone(&count);
        async move {
            // Each sleep asks for a moment beyond the last one.
            while count.get() < 3 {
                node.sleep(Duration::MAX - secs(1)).await;
                count.set(count.get() + 1);
            }
        }
    });
    sim.run().expect_done();
    assert_eq!(sim.now(), Instant::ZERO);
    sim.run_for(Duration::MAX).expect_reached();
    assert_eq!((sim.now(), woke.get()), (Instant::MAX, 0));

    sim.node("late", async |node| node.sleep(secs(1)).await);
    assert!(matches!(sim.run(), Outcome::Stuck(_)), "no moment is left to sleep until");
    assert_eq!(woke.get(), 0);
}

#[test]
fn the_clocks_of_nodes_start_together_in_2025() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| node.sleep(secs(5)).await);
    assert_eq!(node.wall_clock(), WORLD_EPOCH);
    sim.run().expect_done();
    assert_eq!(node.wall_clock(), WORLD_EPOCH + secs(5));
}

#[test]
fn an_offset_moves_the_wall_clock_and_nothing_else() {
    let mut sim = Sim::new(1);
    let ahead = sim.node("ahead", async |node| node.sleep(secs(5)).await);
    let behind = sim.node("behind", async |node| node.sleep(secs(5)).await);
    ahead.set_clock_ahead(Duration::from_secs(60));
    behind.set_clock_behind(Duration::MAX);
    sim.run().expect_done();
    assert_eq!(sim.now(), at_ms(5_000), "sleeping takes as long as ever");
    assert_eq!(ahead.wall_clock(), WORLD_EPOCH + secs(65));
    assert_eq!(behind.wall_clock(), Duration::ZERO, "no clock shows a time before 1970");
}

#[test]
fn a_fast_clock_sleeps_shorter_and_a_slow_one_longer() {
    for (ppm, takes) in [(1_000_000, 1_000), (0, 2_000), (-500_000, 4_000)] {
        let mut sim = Sim::new(1);
        let node = sim.node("a", async |node| node.sleep(secs(2)).await);
        node.set_clock_drift(ppm);
        sim.run().expect_done();
        assert_eq!(sim.now(), at_ms(takes), "at {ppm} ppm");
        assert_eq!(node.wall_clock(), WORLD_EPOCH + secs(2), "at {ppm} ppm");
    }
}

#[test]
fn a_clock_cannot_stand_still() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| node.sleep(ms(1)).await);
    node.set_clock_drift(i64::MIN);
    sim.run().expect_done();
    assert_eq!(sim.now(), at_ms(1_000_000));
}

#[test]
fn a_sleep_begun_before_a_drift_keeps_its_end_and_sleep_until_knows_no_drift() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| {
        node.sleep(ms(10)).await;
        node.note("slept");
        node.sleep_until(at_ms(30)).await;
        node.note("slept until");
    });
    sim.at(at_ms(5), move || node.set_clock_drift(1_000_000));
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.01s a slept", "0.03s a slept until"]);
}

#[test]
fn a_change_of_drift_does_not_set_the_clock() {
    let mut sim = Sim::new(1);
    let node = sim.daemon("a", async |node| node.sleep(Duration::MAX).await);
    sim.run_for(secs(100)).expect_reached();
    node.set_clock_drift(1_000_000);
    assert_eq!(node.wall_clock(), WORLD_EPOCH + secs(100), "it runs fast from now on");
    sim.run_for(secs(100)).expect_reached();
    assert_eq!(node.wall_clock(), WORLD_EPOCH + secs(300));
    node.set_clock_drift(-500_000);
    assert_eq!(node.wall_clock(), WORLD_EPOCH + secs(300));
    sim.run_for(secs(100)).expect_reached();
    assert_eq!(node.wall_clock(), WORLD_EPOCH + secs(350));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A process that sleeps by its own clock and then reads it must not find that it woke too
    /// early.
    #[test]
    fn by_its_own_clock_no_sleep_is_too_short(
        ppm in -999_999_i64..5_000_000,
        begin in 0_u64..1_000_000_000,
        nanos in 1_u64..1_000_000_000,
    ) {
        let mut sim = Sim::with_config(Config::new(1));
        let node = sim.node("a", move |node| async move {
            node.sleep_until(Instant::from_nanos(begin)).await;
            let before = node.wall_clock();
            node.sleep(Duration::from_nanos(nanos)).await;
            let slept = node.wall_clock() - before;
            assert!(slept >= Duration::from_nanos(nanos), "slept {slept:?}");
        });
        node.set_clock_drift(ppm);
        prop_assert_eq!(sim.run(), Outcome::Done);
    }
}
