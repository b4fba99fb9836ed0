//! The environment variables that change how tests run.
//!
//! The variables of ours that sweeps obey are read here and in `replay.rs`. Nothing of them reaches
//! a world, except as the seed that a test passes to it. A value that makes no sense is refused: a
//! typing error must not look like a test that passes.

use super::replay::SEED_VARIABLE;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// An environment variable that sweeps read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// A value as an example.
    pub example: &'static str,
    /// Its effect, in a sentence.
    pub effect: &'static str,
}

const fn variable(name: &'static str, example: &'static str, effect: &'static str) -> Variable {
    Variable { name, example, effect }
}

/// Every environment variable that sweeps read.
pub const VARIABLES: &[Variable] = &[
    variable(
        SEED_VARIABLE,
        "6",
        "runs only this seed, and no saved tape, in sweeps and with `seed_or`; once (with PCT or SURW \
         after their first, calm run), without an explanation unless `STUNT_DOUBLE_EFFORT` is set",
    ),
    variable(SEEDS, "0..100000", "replaces the range of every sweep"),
    variable(
        SHARD,
        "2/4",
        "runs the second quarter of the seeds of every sweep: every fourth, from the second on",
    ),
    variable(
        FOR,
        "10m",
        "runs seeds for this long (s, m or h) in every sweep, from the start of its range on and \
         beyond its end",
    ),
    variable(
        REPORT_DIR,
        "reports",
        "the folder for reports, instead of `target/stunt-double`; `0` for none",
    ),
    variable(
        EFFORT,
        "0",
        "how many runs a sweep may spend on making a failure small, 2,000 by default; `0` leaves it \
         as it was found",
    ),
];

const SEEDS: &str = "STUNT_DOUBLE_SEEDS";
const SHARD: &str = "STUNT_DOUBLE_SHARD";
const FOR: &str = "STUNT_DOUBLE_FOR";
const REPORT_DIR: &str = "STUNT_DOUBLE_REPORT_DIR";
const EFFORT: &str = "STUNT_DOUBLE_EFFORT";

/// What the environment asks of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    pub(super) seeds: Option<Range<u64>>,
    /// The shard, from 0, and their number.
    pub(super) shard: Option<(u64, u64)>,
    pub(super) time: Option<Duration>,
    pub(super) effort: Option<u64>,
}

impl Environment {
    /// Reads the variables.
    ///
    /// # Panics
    ///
    /// If a value makes no sense.
    pub(super) fn read() -> Environment {
        let value = |name: &str| std::env::var_os(name).map(|text| text.to_string_lossy().into());
        Environment::of(value).unwrap_or_else(|problem| panic!("{problem}"))
    }

    fn of(value: impl Fn(&str) -> Option<String>) -> Result<Environment, String> {
        fn read<T>(
            name: &str,
            value: Option<String>,
            parse: impl Fn(&str) -> Option<T>,
            what: &str,
        ) -> Result<Option<T>, String> {
            let Some(text) = value else { return Ok(None) };
            let parsed = parse(&text);
            parsed.map(Some).ok_or_else(|| format!("{name}={text:?} is not {what}"))
        }
        let what = "a range of seeds, such as 0..100000";
        let seeds = read(SEEDS, value(SEEDS), range, what)?;
        let shard = read(SHARD, value(SHARD), shard, "a shard, such as 1/4, 2/4, 3/4 or 4/4")?;
        let time = read(FOR, value(FOR), duration, "a time, such as 30s, 10m or 2h")?;
        let effort = read(EFFORT, value(EFFORT), |text| text.parse().ok(), "a number of runs")?;
        Ok(Environment { seeds, shard, time, effort })
    }
}

/// Returns the folder that [`REPORT_DIR`] names. The inner `None` means that there are to be no
/// reports.
pub(super) fn report_dir() -> Option<Option<PathBuf>> {
    let dir = std::env::var_os(REPORT_DIR)?;
    // A variable that is there but empty comes from a script that has no value for it.
    let dir = Some(dir).filter(|dir| !dir.is_empty())?;
    Some(Some(dir).filter(|dir| dir != "0").map(PathBuf::from))
}

fn range(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once("..")?;
    let range = start.trim().parse().ok()?..end.trim().parse().ok()?;
    (range.start < range.end).then_some(range)
}

fn shard(text: &str) -> Option<(u64, u64)> {
    let (number, of) = text.split_once('/')?;
    let (number, of): (u64, u64) = (number.trim().parse().ok()?, of.trim().parse().ok()?);
    (1..=of).contains(&number).then(|| (number - 1, of))
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text[..text.len() - unit.len_utf8()].trim().parse().ok()?;
    let seconds = match unit {
        's' => number,
        'm' => number.checked_mul(60)?,
        'h' => number.checked_mul(3_600)?,
        _ => return None,
    };
    // Without time no seed would run, and every test would pass.
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, text: &str) -> Result<Environment, String> {
        Environment::of(|asked| (asked == name).then(|| text.to_owned()))
    }

    #[test]
    fn values_are_read() {
        assert_eq!(of("OTHER", "x"), Ok(Environment::default()));
        assert_eq!(of(SEEDS, "5..9").unwrap().seeds, Some(5..9));
        assert_eq!(of(SHARD, "2/4").unwrap().shard, Some((1, 4)));
        assert_eq!(of(FOR, "10m").unwrap().time, Some(Duration::from_secs(600)));
        assert_eq!(of(FOR, "2h").unwrap().time, Some(Duration::from_secs(7_200)));
        assert_eq!(of(EFFORT, "0").unwrap().effort, Some(0));
    }

    #[test]
    fn a_value_that_makes_no_sense_is_refused_with_its_name() {
        let bad = [
            (SEEDS, "9..5"),
            (SEEDS, "7"),
            (SEEDS, "a..b"),
            (SHARD, "0/4"),
            (SHARD, "5/4"),
            (SHARD, "1"),
            (FOR, "10"),
            (FOR, "m"),
            (FOR, ""),
            (FOR, "1é"),
            (FOR, "0s"),
            (SEEDS, "\u{fffd}"),
            (EFFORT, "much"),
        ];
        for (name, text) in bad {
            let problem = of(name, text).unwrap_err();
            assert!(problem.starts_with(&format!("{name}={text:?} is not a")), "{problem}");
        }
    }
}
