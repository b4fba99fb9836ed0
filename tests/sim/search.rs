//! Every schedule of a small scenario is seen once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Mutex;
use stunt_double::Site;
use stunt_double::sim::{Schedules, Sim};

/// Two nodes that yield; returns the order of their steps.
fn interleaving(sim: &mut Sim, steps: [u32; 2]) -> String {
    let order = Rc::new(RefCell::new(String::new()));
    for (name, steps) in ["a", "b"].into_iter().zip(steps) {
        let order = Rc::clone(&order);
        sim.node(name, move |node| {
            let order = Rc::clone(&order);
            async move {
                for step in 0..steps {
                    if step > 0 {
                        node.yield_now().await;
                    }
                    order.borrow_mut().push_str(node.name());
                }
            }
        });
    }
    sim.run().expect_done();
    order.borrow().clone()
}

fn binomial(n: u64, k: u64) -> u64 {
    (0..k).fold(1, |product, i| product * (n - i) / (i + 1))
}

#[test]
fn every_interleaving_is_seen_exactly_once() {
    for steps in [[1, 1], [2, 3], [4, 4], [1, 6]] {
        let seen = Mutex::new(BTreeSet::new());
        let sweep = Schedules::new(10_000).run(|sim: &mut Sim| {
            let order = interleaving(sim, steps);
            assert!(seen.lock().unwrap().insert(order), "seen twice");
        });
        let all = binomial(u64::from(steps[0] + steps[1]), u64::from(steps[0]));
        assert_eq!((sweep.ran, sweep.all_seen), (all, true), "{steps:?}");
        assert_eq!(seen.lock().unwrap().len() as u64, all);
        assert_eq!(sweep.to_string(), format!("all {all} schedules seen, none failed"));
        sweep.expect_none();
    }
}

#[test]
fn a_bound_on_delays_or_runs_makes_the_search_smaller() {
    let run = |search: Schedules| {
        search.run(|sim: &mut Sim| {
            interleaving(sim, [4, 4]);
        })
    };
    let calm = run(Schedules::new(10_000).with_delays(0));
    assert_eq!((calm.ran, calm.all_seen), (1, true));
    let one = run(Schedules::new(10_000).with_delays(1));
    assert!((2..70).contains(&one.ran) && one.all_seen, "{}", one.ran);
    let told = format!("all {} schedules with at most 1 delay seen, none failed", one.ran);
    assert_eq!(one.to_string(), told);
    let some = run(Schedules::new(10));
    assert_eq!((some.ran, some.all_seen), (10, false));
    assert_eq!(some.to_string(), "10 seeds, none failed".replace("seeds", "schedules"));
}

#[test]
fn the_one_schedule_that_fails_is_found_and_explained() {
    let sweep = Schedules::new(10_000).run(|sim: &mut Sim| match interleaving(sim, [3, 3]) {
        order if order == "bbabaa" => Err("just so"),
        _ => Ok(()),
    });
    assert!(!sweep.all_seen && sweep.ran > 1);
    let account = sweep.account.expect("it fails again");
    let sites: Vec<&str> = account.decisions.iter().map(|d| &*d.choice.site).collect();
    assert!(!sites.is_empty() && sites.iter().all(|site| *site == "schedule.ready"), "{sites:?}");
    let told = account.decisive().unwrap().choice.told();
    assert!(told.starts_with("ran ") && told.contains(" before "), "{told}");
}

#[test]
fn the_tests_own_choices_are_searched_too_but_not_large_ones() {
    const DIE: Site = Site::new("test.die");
    let sum = Mutex::new(0);
    let sweep = Schedules::new(10_000).run(|sim: &mut Sim| {
        let thrown: u64 = (0..3).map(|i| sim.choose(DIE, i, 6)).sum();
        assert_eq!(sim.choose(DIE, 3, 1_000), 0);
        *sum.lock().unwrap() += thrown;
    });
    assert_eq!((sweep.ran, sweep.all_seen), (216, true));
    let told = "all 216 schedules (choices of more than 16 values stay calm) seen, none failed";
    assert_eq!(sweep.to_string(), told);
    assert_eq!(*sum.lock().unwrap(), 216 * 3 * 5 / 2);
}
