//! The kit: classic bugs of messaging and caching code, each a small program with its bug and its
//! fix.
//!
//! A program is what a team would write, with a check of what must hold. A sweep over seeds, with
//! the faults that the program itself plans, finds the bug; the fixed program survives. The tests
//! of this package and the bench `kit` measure how well.
//!
//! Five of the bugs are there a second time, on lapin (feature `lapin`) and on redis-rs (feature
//! `redis-rs`).

#[cfg(feature = "lapin")]
pub mod on_lapin;
#[cfg(feature = "redis-rs")]
pub mod on_redis_rs;
pub mod rabbitmq;
pub mod redis;

use stunt_double::sim::Sim;

/// A program that fails for some seeds.
pub type Program = fn(&mut Sim) -> Result<(), String>;

/// A bug and its fix.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// Its name, in a few words.
    pub name: &'static str,
    /// The program with the bug.
    pub buggy: Program,
    /// The program without it.
    pub fixed: Program,
    /// The decisive choice of the smallest failing run.
    pub planted: Planted,
}

/// The decisive choice that was planted with a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// It is made at this site, and its words contain these.
    Choice {
        /// The site's name.
        site: &'static str,
        /// A part of its words.
        words: &'static str,
    },
    /// None: the program fails in every run.
    Calm,
}

impl Planted {
    /// A fault of a plan, whose words contain these.
    pub(crate) const fn fault(words: &'static str) -> Planted {
        Planted::Choice { site: "chaos.strike", words }
    }

    /// A message that takes long.
    pub(crate) const LATE: Planted = Planted::Choice { site: "link.latency", words: " took " };
}

/// Returns every bug.
#[must_use]
pub fn kit() -> Vec<Bug> {
    let typed = rabbitmq::bugs().into_iter().chain(redis::bugs());
    #[cfg(feature = "lapin")]
    let typed = typed.chain(on_lapin::bugs());
    #[cfg(feature = "redis-rs")]
    let typed = typed.chain(on_redis_rs::bugs());
    typed.collect()
}

/// Turns an outcome or an error into the text of a failure.
pub(crate) fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
