//! Each bug is found, made small and explained; each fix survives.
//!
//! `STUNT_DOUBLE_KIT_SEEDS` sets how many seeds a fix must survive, 300 by default. The bench `kit`
//! measures what this only bounds.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use stunt_double::sim::{Account, Config, Effort, Latency, Seeds, Sim, Sweep, Without};
use stunt_double_kit::{Bug, Planted, kit};

/// How many seeds it may take to find a bug.
const SEEDS: u64 = 2_000;

fn hunt(bug: &Bug, start: u64, effort: Effort) -> Sweep {
    let seeds = Seeds::new(start..start + SEEDS).without_files().with_effort(effort);
    seeds.run(bug.buggy)
}

fn account(bug: &Bug, start: u64) -> Account {
    let sweep = hunt(bug, start, Effort::default().with_risk(16, 16));
    *sweep.account.unwrap_or_else(|| panic!("{}: {:?}", bug.name, sweep.failures))
}

/// The bugs of which something is not as it should be, in words.
fn complaints(complaint: impl Fn(&Bug) -> Option<String>) -> String {
    let bugs = kit();
    let told = bugs.iter().filter_map(|bug| Some(format!("{}: {}", bug.name, complaint(bug)?)));
    told.collect::<Vec<String>>().join("\n")
}

#[test]
fn there_are_thirty_bugs_with_names_of_their_own() {
    let mut names: Vec<&str> = kit().iter().map(|bug| bug.name).collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() >= 30, "{}", names.len());
    assert_eq!(names.len(), kit().len());
}

#[test]
fn every_bug_is_found_from_anywhere() {
    let missing = complaints(|bug| {
        let found = (0..5)
            .filter(|number| !hunt(bug, number * 1_000_000, Effort::none()).failures.is_empty());
        let found = found.count();
        (found < 5).then(|| format!("found in {found} of 5 ranges"))
    });
    assert_eq!(missing, "");
}

#[test]
fn every_bug_is_left_with_few_choices_of_which_the_planted_one_decides() {
    let wrong = complaints(|bug| {
        let account = account(bug, 0);
        let decisive = account.decisive().map(|decisive| &decisive.choice);
        let is_planted = match bug.planted {
            Planted::Calm => decisive.is_none(),
            Planted::Choice { site, words } => {
                decisive.is_some_and(|choice| choice.site == site && choice.told().contains(words))
            }
        };
        // Without it the run passes, and that shows what it did.
        let decides = decisive.is_none()
            || (account.decisive().is_some_and(|it| it.without == Some(Without::Passes))
                && account.difference().is_some());
        let is_small = account.decisions.len() <= 3;
        (!is_planted || !decides || !is_small).then(|| account.to_string())
    });
    assert_eq!(wrong, "");
}

#[test]
fn every_fix_survives() {
    let seeds = std::env::var("STUNT_DOUBLE_KIT_SEEDS").ok();
    let seeds = seeds.map_or(300, |seeds| seeds.parse().expect("a number of seeds"));
    let broken = complaints(|bug| {
        let sweep = Seeds::new(0..seeds).without_files().run(bug.fixed);
        (!sweep.failures.is_empty()).then(|| sweep.to_string())
    });
    assert_eq!(broken, "");
}

/// Services tell the lives of messages and keys on request. That changes nothing else.
#[test]
fn every_run_is_the_same_with_its_story() {
    let latency = Latency::Uniform {
        min: std::time::Duration::from_micros(100),
        max: std::time::Duration::from_millis(2),
    };
    let differ = complaints(|bug| {
        let differs = (0..20).find(|seed| {
            let digest = |config: Config| {
                let mut sim = Sim::with_config(config.with_latency(latency));
                drop((bug.fixed)(&mut sim));
                sim.digest()
            };
            digest(Config::new(*seed)) != digest(Config::new(*seed).with_stories())
        });
        differs.map(|seed| format!("seed {seed} differs"))
    });
    assert_eq!(differ, "");
}
