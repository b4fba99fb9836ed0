//! Failing tapes are saved beside the test, and run first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use stunt_double::sim::{Effort, Schedules, Seeds, Sim, Sweep};
use stunt_double::{Choice, Site, Tape};

const DICE: Site = Site::new("test.dice");

fn at_least_90(sim: &mut Sim) -> Result<(), String> {
    match sim.choose(DICE, 0, 100) {
        90.. => Err("too high".to_owned()),
        _ => Ok(()),
    }
}

/// The files that this test has saved, removed when it is over.
struct Saved(&'static str);

impl Saved {
    fn files(&self) -> Vec<PathBuf> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sim");
        let files = std::fs::read_dir(folder).expect("the folder of this file");
        let prefix = format!("saved.saved.{}.", self.0);
        let files = files.flatten().map(|file| file.path()).filter(|path| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.starts_with(&prefix))
        });
        files.collect()
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        self.files().iter().for_each(|file| drop(std::fs::remove_file(file)));
    }
}

fn expect_none(sweep: Sweep) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| sweep.expect_none())).expect_err("one failed");
    panic.downcast_ref::<String>().expect("the account").clone()
}

#[test]
fn a_failure_that_was_saved_runs_before_any_seed() {
    let saved = Saved("a_failure_that_was_saved_runs_before_any_seed");
    let first = Seeds::new(0..1_000).run(at_least_90);
    let seed = first.failures[0].seed;
    assert!(saved.files().is_empty(), "a sweep that is only looked at saves nothing");
    let told = expect_none(first);
    assert!(told.contains("the tape, which runs first from now on: "), "{told}");
    let files = saved.files();
    assert_eq!(files.len(), 1);
    assert!(files[0].to_string_lossy().ends_with(&format!(".{seed}.tape")), "{files:?}");
    let tape: Tape = std::fs::read_to_string(&files[0]).unwrap().parse().unwrap();
    assert_eq!(tape.choices()[0].value, 90, "the smallest failure");

    // No seed of this range fails, but the tape does.
    let runs = AtomicU64::new(0);
    let again = Seeds::new(seed + 1..seed + 2).run(|sim: &mut Sim| {
        runs.fetch_add(1, SeqCst);
        at_least_90(sim)
    });
    assert_eq!((again.ran, again.failures[0].seed), (0, seed));
    let replay = again.replay.clone().unwrap();
    assert!(!replay.contains("STUNT_DOUBLE_SEED"), "the tape runs by itself: {replay}");
    let told = expect_none(again);
    assert!(
        told.starts_with("the tape tests/sim/saved.saved.") && told.contains("too high"),
        "{told}"
    );

    // Once it is mended, the tape stays and passes.
    let mended = Seeds::new(0..10).run(|sim: &mut Sim| {
        let _ = sim.choose(DICE, 0, 100);
    });
    assert_eq!(mended.ran, 10);
    mended.expect_none();
    assert_eq!(saved.files().len(), 1);
}

/// With all failures wanted, every tape runs, and each is told, also beside seeds that fail.
#[test]
fn no_tape_is_forgotten_beside_other_failures() {
    let saved = Saved("no_tape_is_forgotten_beside_other_failures");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sim");
    for seed in [100_000, 200_000] {
        let tape: Tape = [Choice::new("test.dice", 0, 100, 95)].into_iter().collect();
        let name = format!("saved.saved.{}.{seed}.tape", saved.0);
        std::fs::write(folder.join(name), tape.to_string()).unwrap();
    }
    let sweep = Seeds::new(0..50).with_all_failures().run(at_least_90);
    let seeds: Vec<u64> = sweep.failures.iter().map(|failure| failure.seed).collect();
    assert_eq!(seeds.iter().filter(|seed| **seed >= 100_000).count(), 2, "{seeds:?}");
    assert!(seeds[0] < 50 && seeds.is_sorted(), "{seeds:?}");
}

#[test]
fn a_failure_that_is_not_explained_is_saved_too() {
    let saved = Saved("a_failure_that_is_not_explained_is_saved_too");
    let sweep = Seeds::new(0..1_000).with_effort(Effort::none()).run(at_least_90);
    let told = expect_none(sweep);
    assert!(told.contains("the tape, which runs first from now on: "), "{told}");
    assert_eq!(saved.files().len(), 1);
    assert_eq!(Seeds::new(0..1).run(at_least_90).ran, 0, "it runs first");
}

#[test]
fn a_schedule_that_was_saved_runs_first_and_only_in_searches() {
    let saved = Saved("a_schedule_that_was_saved_runs_first_and_only_in_searches");
    let found = Schedules::new(1_000).with_values(100).run(at_least_90);
    assert_eq!(found.ran, 91);
    let told = expect_none(found);
    assert!(told.contains(".0.schedule.tape"), "{told}");
    let again = Schedules::new(1_000).with_values(100).run(at_least_90);
    assert_eq!((again.ran, again.failures.len()), (0, 1));
    Seeds::new(1..2).run(at_least_90).expect_none();
    assert_eq!(saved.files().len(), 1);
}

#[test]
fn without_files_nothing_is_saved() {
    let saved = Saved("without_files_nothing_is_saved");
    let told = expect_none(Seeds::new(0..1_000).without_files().run(at_least_90));
    assert!(saved.files().is_empty() && !told.contains("the tape"), "{told}");
}

#[test]
fn a_file_that_is_no_tape_is_refused() {
    let saved = Saved("a_file_that_is_no_tape_is_refused");
    let name = format!("saved.saved.{}.5.tape", saved.0);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sim").join(name);
    std::fs::write(&path, "no tape\n").unwrap();
    let run = || Seeds::new(0..10).run(|_: &mut Sim| ());
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it must not pass unnoticed");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.contains("is not a tape: line 1"), "{message}");
    // Nor may it be empty, or no text.
    for bad in [&b""[..], &[0xff, 0xfe, 0x31]] {
        std::fs::write(&path, bad).unwrap();
        let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it must not pass unnoticed");
        let message = panic.downcast_ref::<String>().expect("a message");
        assert!(message.contains("is not a tape: "), "{message}");
    }
}
