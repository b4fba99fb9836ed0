//! What must always hold, and what must come to hold in time.

use crate::support::{at_ms, ms, secs};
use std::cell::Cell;
use std::rc::Rc;
use stunt_double::sim::{Outcome, Seeds, Sim};
use stunt_double::{Instant, Site};

/// A node that counts a second at a time.
fn counting(sim: &mut Sim, to: u32) -> Rc<Cell<u32>> {
    let count = Rc::new(Cell::new(0));
    sim.node_with("counter", Rc::clone(&count), move |node, count| async move {
        for n in 1..=to {
            node.sleep(secs(1)).await;
            count.set(n);
        }
    });
    count
}

fn failed(outcome: Outcome) -> (String, Instant, String) {
    match outcome {
        Outcome::Failed(problem) => (problem.node.to_string(), problem.at, problem.message),
        other => panic!("{other}"),
    }
}

#[test]
fn a_violation_is_found_by_the_step_that_causes_it_and_told_once() {
    let mut sim = Sim::new(1);
    let count = counting(&mut sim, 5);
    sim.always("few", move || if count.get() < 3 { Ok(()) } else { Err(count.get()) });
    let (node, at, message) = failed(sim.run());
    assert_eq!((&*node, at, &*message), ("world", at_ms(3_000), "`few` does not hold: 3"));
    sim.run().expect_done();
    assert_eq!(sim.now(), at_ms(5_000), "the world can go on");
}

#[test]
fn what_never_holds_is_found_before_the_first_step() {
    let mut sim = Sim::new(1);
    counting(&mut sim, 1);
    sim.always("never", || false);
    let (_, at, message) = failed(sim.run());
    assert_eq!((at, &*message), (Instant::ZERO, "`never` does not hold"));
}

#[test]
fn a_check_sees_the_world_as_it_is_at_the_end() {
    let mut sim = Sim::new(1);
    let count = counting(&mut sim, 2);
    sim.always("not two", move || count.get() != 2);
    assert_eq!(failed(sim.run()).1, at_ms(2_000));
}

#[test]
fn something_that_holds_in_time_is_fulfilled_and_changes_nothing() {
    let run = |checked: bool| {
        let mut sim = Sim::new(1);
        let count = counting(&mut sim, 4);
        if checked {
            sim.eventually("three", secs(3), move || count.get() == 3);
        }
        sim.run().expect_done();
        (sim.digest(), sim.now())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn something_that_holds_too_late_or_never_fails() {
    let mut sim = Sim::new(1);
    let count = counting(&mut sim, 4);
    sim.eventually("three", ms(2_999), move || count.get() == 3);
    let (_, at, message) = failed(sim.run());
    assert_eq!((at, &*message), (at_ms(3_000), "`three` did not come to hold by 2.999s"));

    let mut sim = Sim::new(1);
    let count = counting(&mut sim, 4);
    sim.eventually("five", secs(60), move || count.get() == 5);
    let (_, at, message) = failed(sim.run());
    let never = "`five` did not come to hold, and nothing is left to happen";
    assert_eq!((at, &*message), (at_ms(4_000), never));
}

#[test]
fn a_check_that_panics_has_failed() {
    let mut sim = Sim::new(1);
    counting(&mut sim, 1);
    sim.always("whole", || -> bool { panic!("no idea") });
    assert_eq!(failed(sim.run()).2, "`whole` does not hold: no idea");
}

#[test]
fn a_sweep_explains_the_moment_of_a_violation() {
    const LIMIT: Site = Site::new("test.limit");
    let sweep = Seeds::new(0..100).run(|sim: &mut Sim| {
        let count = counting(sim, 3);
        let extra = sim.choose(LIMIT, 0, 10);
        sim.always("below the limit", move || u64::from(count.get()) + extra < 8);
        sim.run()
    });
    let account = sweep.account.expect("some seed fails");
    assert_eq!(account.decisions.len(), 1, "{account}");
    assert_eq!(account.decisions[0].choice.value, 5);
    assert!(account.failure.message.contains("world failed at 3s"), "{account}");
}

#[test]
fn a_violation_is_not_forgotten_when_the_goal_is_reached_by_the_same_step() {
    let mut sim = Sim::new(1);
    let count = counting(&mut sim, 3);
    let seen = Rc::clone(&count);
    sim.always("not two", move || seen.get() != 2);
    assert_eq!(failed(sim.run_until(|| count.get() == 2)).1, at_ms(2_000));
}

#[test]
fn a_deadline_also_ends_where_nothing_happens() {
    // Nothing is left to happen, and the time goes past the deadline.
    let mut sim = Sim::new(1);
    sim.eventually("ever", secs(5), || false);
    sim.run_for(secs(5)).expect_reached();
    let (_, at, message) = failed(sim.run_for(secs(1)));
    assert_eq!((at, &*message), (at_ms(6_000), "`ever` did not come to hold by 5s"));

    // Somebody waits for ever.
    let mut sim = Sim::new(1);
    sim.node("stuck", async |_| std::future::pending::<()>().await);
    sim.eventually("ever", secs(5), || false);
    assert_eq!(failed(sim.run_for(secs(60))).1, at_ms(60_000));

    // The next event is later.
    let mut sim = Sim::new(1);
    sim.node("late", async |node| node.sleep(secs(100)).await);
    sim.eventually("ever", secs(5), || false);
    assert_eq!(failed(sim.run_for(secs(60))).1, at_ms(60_000));
}

#[test]
fn a_world_that_rests_in_between_may_still_do_what_it_must() {
    let mut sim = Sim::new(1);
    let done = Rc::new(Cell::new(false));
    let seen = Rc::clone(&done);
    sim.eventually("done", secs(60), move || seen.get());
    sim.run_for(secs(1)).expect_reached();
    sim.node_with("late", done, async |_, done: Rc<Cell<bool>>| done.set(true));
    sim.run().expect_done();
}

#[test]
fn what_does_not_come_to_hold_says_why_it_did_not() {
    let mut sim = Sim::new(1);
    let count = counting(&mut sim, 2);
    sim.eventually("three", secs(60), move || match count.get() {
        3 => Ok(()),
        2 => panic!("only two"),
        n => Err(format!("only {n}")),
    });
    let why = "`three` did not come to hold, and nothing is left to happen: only two";
    assert_eq!(failed(sim.run()).2, why);
}
