//! Exploration: running many seeds, proving that a seed determines its run, explaining a failure.
//!
//! Each seed's world lives on one thread, from start to end. A sweep distributes the seeds over as
//! many threads as there are cores. No world can observe which thread runs it, or how long that
//! takes. When a seed fails, its tape is made as calm as it can be (`shrink.rs`), what is left is
//! explained (`explain.rs`), and a person reads the account (`account.rs`).

mod account;
mod attempt;
mod effort;
mod environment;
mod explain;
mod failure;
mod folder;
mod learn;
pub(super) mod page;
mod passing;
mod progress;
pub(super) mod replay;
mod schedules;
mod seeds;
mod seen;
mod shrink;
mod sweep;
mod tapes;

pub use account::{Account, Decision, Risk, Without};
pub use effort::Effort;
pub use environment::{VARIABLES, Variable};
pub use failure::Failure;
pub use schedules::Schedules;
pub use seeds::{Seeds, seeds};
pub use sweep::Sweep;

use super::Sim;
use super::config::{Config, Retention};
use super::trace::{Difference, Digest};

/// Runs `scenario` twice in worlds with these settings, and compares their complete traces.
///
/// # Errors
///
/// The first difference. It means that something in the scenario comes from outside the world, such
/// as a real clock or the iteration order of a `HashMap`.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::sim::{Config, check_determinism};
///
/// let digest = check_determinism(Config::new(3), |sim| {
///     sim.node("a", async |node| node.sleep(Duration::from_secs(1)).await);
///     sim.run().expect_done();
/// });
/// assert!(digest.is_ok());
/// ```
pub fn check_determinism(
    config: Config,
    mut scenario: impl FnMut(&mut Sim),
) -> Result<Digest, Box<Difference>> {
    let config = config.with_retention(Retention::All);
    let mut run = || {
        let mut sim = Sim::with_config(config.clone());
        scenario(&mut sim);
        sim.trace()
    };
    let (first, second) = (run(), run());
    match first.first_difference(&second) {
        Some(difference) => Err(Box::new(difference)),
        None => Ok(first.digest()),
    }
}
