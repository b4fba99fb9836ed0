//! What the environment changes: which seeds run, for how long, and where reports go.
//!
//! A process has one environment, so each case runs this program again, with the test below that is
//! ignored otherwise.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;
use stunt_double::sim::{Seeds, Sim, VARIABLES};

/// Prints the seeds that it runs.
#[test]
#[ignore = "other tests run it in a process of its own"]
fn a_sweep_of_ten() {
    let ran = Mutex::new(Vec::new());
    let sweep = Seeds::new(100..110).run(|sim: &mut Sim| {
        let mut ran = ran.lock().unwrap();
        if ran.len() < 1_000 {
            ran.push(sim.seed());
        }
    });
    let mut ran = ran.into_inner().unwrap();
    ran.sort_unstable();
    println!("ran {ran:?}, {} in all", sweep.ran);
    sweep.expect_none();
}

fn run(variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "environment::a_sweep_of_ten", "--ignored", "--nocapture"]);
    for variable in VARIABLES {
        command.env_remove(variable.name);
    }
    command.envs(variables.iter().copied());
    command.output().expect("it runs")
}

/// Returns the seeds that a sweep over 100..110 runs in this environment.
fn seeds_of(variables: &[(&str, &str)]) -> Vec<u64> {
    let output = run(variables);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    let list = text.split("ran [").nth(1).and_then(|rest| rest.split(']').next());
    let list = list.unwrap_or_else(|| panic!("no seeds in {text}"));
    list.split(", ")
        .filter(|seed| !seed.is_empty())
        .map(|seed| seed.parse().expect("a seed"))
        .collect()
}

#[test]
fn shards_run_every_seed_once() {
    assert_eq!(seeds_of(&[]), (100..110).collect::<Vec<u64>>());
    let mut all = BTreeSet::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let seeds = seeds_of(&[("STUNT_DOUBLE_SHARD", shard)]);
        assert!((3..=4).contains(&seeds.len()), "{shard}: {seeds:?}");
        assert!(seeds.iter().all(|seed| all.insert(*seed)), "{shard} repeats a seed");
    }
    assert_eq!(all.into_iter().collect::<Vec<u64>>(), (100..110).collect::<Vec<u64>>());
    let none = seeds_of(&[("STUNT_DOUBLE_SHARD", "20/20")]);
    assert!(none.is_empty(), "a shard may have nothing to do: {none:?}");
}

#[test]
fn a_range_or_a_seed_replaces_that_of_the_test() {
    assert_eq!(seeds_of(&[("STUNT_DOUBLE_SEEDS", "5..8")]), [5, 6, 7]);
    let both = [("STUNT_DOUBLE_SEEDS", "5..9"), ("STUNT_DOUBLE_SHARD", "2/2")];
    assert_eq!(seeds_of(&both), [6, 8]);
    assert_eq!(seeds_of(&[("STUNT_DOUBLE_SEED", "42"), ("STUNT_DOUBLE_SEEDS", "5..9")]), [42]);
}

#[test]
fn a_soak_goes_on_beyond_the_range() {
    let seeds = seeds_of(&[("STUNT_DOUBLE_FOR", "1s")]);
    assert!(seeds.len() > 10 && seeds[10] == 110, "{} seeds", seeds.len());
}

#[test]
fn nonsense_is_refused() {
    for (name, value) in [
        ("STUNT_DOUBLE_SEED", "x"),
        ("STUNT_DOUBLE_SEEDS", "5"),
        ("STUNT_DOUBLE_SHARD", "3/2"),
        ("STUNT_DOUBLE_FOR", "soon"),
        ("STUNT_DOUBLE_EFFORT", "-1"),
    ] {
        let output = run(&[(name, value)]);
        let told = String::from_utf8_lossy(&output.stderr);
        let told = format!("{told}{}", String::from_utf8_lossy(&output.stdout));
        assert!(!output.status.success() && told.contains(&format!("{name}={value:?}")), "{told}");
    }
}

#[test]
fn each_sweep_leaves_a_line_in_the_folder_for_reports() {
    let dir = std::env::temp_dir().join(format!("stunt-double-{}", std::process::id()));
    let folder = dir.to_str().expect("a name of a folder");
    run(&[("STUNT_DOUBLE_REPORT_DIR", folder)]);
    run(&[("STUNT_DOUBLE_REPORT_DIR", folder), ("STUNT_DOUBLE_SHARD", "1/2")]);
    let log = std::fs::read_to_string(dir.join("sweeps.jsonl")).expect("it was written");
    std::fs::remove_dir_all(&dir).expect("it is there");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    let begins = "{\"test\":\"environment.environment.a_sweep_of_ten\",\"ran\":10,\"failed\":0,";
    assert!(lines[0].starts_with(begins) && lines[0].ends_with('}'), "{}", lines[0]);
    assert!(lines[1].contains("\"ran\":5,"), "{}", lines[1]);
}

#[test]
fn the_documentation_lists_every_variable() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/failures.md");
    let text = std::fs::read_to_string(path).expect("the page is there");
    let rows: Vec<&str> =
        text.lines().filter(|line| line.starts_with("| `STUNT_DOUBLE_")).collect();
    let expected = VARIABLES.iter().map(|variable| {
        format!("| `{}` | `{}` | {} |", variable.name, variable.example, variable.effect)
    });
    assert_eq!(rows, expected.collect::<Vec<String>>());
}
