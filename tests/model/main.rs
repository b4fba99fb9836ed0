//! The broker beside a naive reference of it, under random operations.
//!
//! A case is a list of [`Operation`]s on few connections, channels and queues, so that they
//! interfere. Each is turned into [`Step`]s, which the
//! [`Broker`](stunt_double::rabbitmq::broker::Broker) and the [`Reference`] both run. After every
//! step both must have sent the same on every channel, list the same queues and consumers, and keep
//! the invariants of `Broker::check_invariants` and of [`Reference::check`]. At the end the queues
//! are emptied, in order.
//!
//! A failure is shrunk and prints its operations. The cases are the same in every run.
//! `PROPTEST_CASES` sets their number (20,000 take seconds in release), `PROPTEST_RNG_SEED` selects
//! others.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod operation;
mod reference;
mod system;

use operation::{Operation, Step, operations};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use reference::Reference;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use system::System;

/// Number of cases without `PROPTEST_CASES`, which takes a few seconds in debug.
const CASES: u32 = 400;

/// Runs operations on both and compares.
fn run(operations: &[Operation]) -> Result<(), String> {
    // A broker takes other paths while it tells stories.
    let tells = operations.len() % 2 == 1;
    let (mut system, mut reference) = (System::new(tells), Reference::new());
    let mut take = |reference: &mut Reference, step: &Step| {
        let said = reference.take(step);
        agree("the outputs", step, &system.take(step), &said)?;
        agree("the queues", step, &system.queues(), &reference.queues())?;
        agree("the consumers", step, &system.consumers(), &reference.consumers())?;
        system.check().map_err(|what| format!("after {step:?}: {what}"))?;
        reference.check().map_err(|what| format!("after {step:?}: {what}"))
    };
    for step in operation::beginning() {
        take(&mut reference, &step)?;
    }
    for operation in operations {
        for step in operation.steps(&reference) {
            take(&mut reference, &step)?;
        }
        while let Some(step) = reference.repair() {
            take(&mut reference, &step)?;
        }
    }
    while let Some(step) = reference.empty_a_queue() {
        take(&mut reference, &step)?;
    }
    Ok(())
}

fn agree<T: Debug + PartialEq>(
    what: &str,
    after: &Step,
    broker: &T,
    reference: &T,
) -> Result<(), String> {
    if broker == reference {
        return Ok(());
    }
    Err(format!("{what} after {after:?}\n   broker: {broker:?}\nreference: {reference:?}"))
}

/// Removes operations that the failure does not need. (Shrinking tries each operation only once.)
fn without_unnecessary_operations(mut operations: Vec<Operation>) -> Vec<Operation> {
    let fails = |operations: &[Operation]| {
        !catch_unwind(AssertUnwindSafe(|| run(operations))).is_ok_and(|run| run.is_ok())
    };
    loop {
        let before = operations.len();
        for index in (0..before).rev() {
            let mut fewer = operations.clone();
            fewer.remove(index);
            if fails(&fewer) {
                operations = fewer;
            }
        }
        if operations.len() == before {
            return operations;
        }
    }
}

#[test]
fn the_broker_does_what_the_reference_does() {
    let asked = Config::default();
    let config = Config {
        cases: std::env::var("PROPTEST_CASES").map_or(CASES, |_| asked.cases),
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            seed @ RngSeed::Fixed(_) => seed,
        },
        failure_persistence: None,
        max_shrink_iters: 50_000,
        ..asked
    };
    let tried = TestRunner::new(config)
        .run(&operations(), |operations| run(&operations).map_err(TestCaseError::fail));
    match tried {
        Ok(()) => {}
        Err(TestError::Fail(reason, operations)) => {
            let operations = without_unnecessary_operations(operations);
            let reason = run(&operations).err().unwrap_or_else(|| reason.to_string());
            let lines: String = operations.iter().map(|op| format!("    {op:?},\n")).collect();
            panic!("{reason}\nthe operations:\n[\n{lines}]");
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
