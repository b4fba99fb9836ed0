//! A ledger answers whether every confirmed message was processed, how often, and in which order.

use crate::support::{at_ms, ms};
use proptest::prelude::*;
use stunt_double::sim::{Breach, Ledger, Node, Promise, Sim};

/// What a node reports, a millisecond apart: `s`, `c` or `p`, a key and a message.
fn reports(reports: &[(char, u8, u8)]) -> Ledger {
    let mut sim = Sim::new(1);
    let ledger = Ledger::new();
    let with = (ledger.clone(), reports.to_vec());
    sim.node_with("auditor", with, |node: Node, (ledger, reports)| async move {
        for (what, key, message) in reports {
            node.sleep(ms(1)).await;
            match what {
                's' => ledger.sent(&node, key, message),
                'c' => ledger.confirmed(&node, key, message),
                _ => ledger.processed(&node, key, message),
            }
        }
    });
    sim.run().expect_done();
    ledger
}

#[test]
fn each_promise_names_its_breaches() {
    let ledger = reports(&[
        ('s', 1, 1),
        ('s', 1, 2),
        ('c', 1, 1),
        ('c', 1, 2),
        ('p', 1, 2),
        ('p', 1, 1),
        ('p', 1, 1),
        ('c', 2, 7),
        ('p', 3, 9),
    ]);
    let told = |promise| ledger.check(promise).expect_err("it is broken").to_string();
    assert_eq!(told(Promise::AtLeastOnce), "7 of 2 was confirmed at 0.008s and never processed");
    let twice = "1 of 1 was processed 2 times: by auditor at 0.006s by auditor at 0.007s";
    assert_eq!(told(Promise::AtMostOnce), twice);
    assert_eq!(told(Promise::ExactlyOnce).lines().count(), 2);
    let order = "2 of 1 was processed at 0.005s, before 1, which was sent earlier";
    assert_eq!(told(Promise::InOrder), order);
    assert_eq!(ledger.order(1), ["2", "1"]);
    let history = ledger.history(1, 1);
    assert_eq!((history.sent, history.confirmed), (Some(at_ms(1)), Some(at_ms(3))));
    assert_eq!(history.processed.len(), 2);
    assert_eq!(ledger.history(5, 5), Ledger::new().history(5, 5));
}

#[test]
fn what_a_dead_process_reports_does_not_count() {
    struct Guard(Node, Ledger);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.1.processed(&self.0, "", 1);
        }
    }
    let run = |kill: bool| {
        let mut sim = Sim::new(1);
        let ledger = Ledger::new();
        let node = sim.node_with("worker", ledger.clone(), async |node: Node, ledger: Ledger| {
            let _guard = Guard(node.clone(), ledger);
            node.sleep(ms(10)).await;
        });
        if kill {
            sim.after(ms(5), move || node.kill());
        }
        sim.run().expect_done();
        ledger.history("", 1).processed.len()
    };
    assert_eq!((run(false), run(true)), (1, 0));
}

#[test]
fn many_breaches_are_counted() {
    let many: Vec<(char, u8, u8)> = (0..30).map(|message| ('c', 0, message)).collect();
    let breaches = reports(&many).check(Promise::AtLeastOnce).unwrap_err();
    assert_eq!(breaches.0.len(), 30);
    assert!(breaches.to_string().ends_with("\nand 20 more"), "{breaches}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A message is missing if it was confirmed and never processed, and out of order if one of its
    /// key that was sent later was processed earlier.
    #[test]
    fn breaches_are_what_a_plain_search_finds(
        book in prop::collection::vec((prop::sample::select(vec!['s', 'c', 'p']), 0_u8..2, 0_u8..4), 0..25),
    ) {
        let ledger = reports(&book);
        let first = |what: char, key: u8, message: u8| {
            book.iter().position(|report| *report == (what, key, message))
        };
        let all = || (0..2).flat_map(|key| (0..4).map(move |message| (key, message)));
        let missing = all().filter(|(k, m)| first('c', *k, *m).is_some() && first('p', *k, *m).is_none());
        let found = ledger.check(Promise::AtLeastOnce).map_or_else(|breaches| breaches.0.len(), |()| 0);
        prop_assert_eq!(found, missing.count());
        let twice = all().filter(|(k, m)| book.iter().filter(|r| **r == ('p', *k, *m)).count() > 1);
        let found = ledger.check(Promise::AtMostOnce).map_or_else(|breaches| breaches.0.len(), |()| 0);
        prop_assert_eq!(found, twice.count());
        let sent = |k, m| first('s', k, m).or(first('c', k, m));
        let is_ordered = all().all(|(k, m)| (0..4).all(|other| {
            let (Some(a), Some(b)) = (sent(k, m), sent(k, other)) else { return true };
            let (Some(x), Some(y)) = (first('p', k, m), first('p', k, other)) else { return true };
            (a <= b) == (x <= y)
        }));
        let checked = ledger.check(Promise::InOrder);
        prop_assert_eq!(checked.is_ok(), is_ordered);
        for breach in checked.err().into_iter().flat_map(|breaches| breaches.0) {
            let is_order = matches!(breach, Breach::OutOfOrder { .. });
            prop_assert!(is_order);
        }
    }
}

/// In most worlds a whole exchange happens in one instant.
#[test]
fn the_order_within_an_instant_is_that_of_the_reports() {
    let mut sim = Sim::new(1);
    let ledger = Ledger::new();
    sim.node_with("worker", ledger.clone(), async |node: Node, ledger: Ledger| {
        for message in [1, 2, 3] {
            ledger.sent(&node, "k", message);
        }
        for message in [3, 1, 2] {
            ledger.processed(&node, "k", message);
        }
    });
    sim.run().expect_done();
    assert_eq!(ledger.order("k"), ["3", "1", "2"]);
    let breaches = ledger.check(Promise::InOrder).unwrap_err();
    assert_eq!(
        breaches.to_string(),
        "3 of k was processed at 0s, before 2, which was sent earlier"
    );
}
