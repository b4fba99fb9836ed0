//! Explaining: which of the choices that are left is to blame, and when the run went wrong.
//!
//! Everything is asked by running again. A choice is *necessary* if the run passes with that one
//! calm. The *risk* at a moment is the share of runs that fail if everything up to it happens as it
//! did and the rest is drawn anew. Where the risk jumps, the run went wrong; the choice at the
//! largest jump is the *decisive* one. The run with the decisive choice calm is the *nearest
//! passing run*: what differs first is what the choice did.

use super::account::{Decision, Risk, Without};
use super::attempt::{all, attempt};
use super::effort::Budget;
use super::failure::Failure;
use super::passing::Passing;
use super::seen::{Seen, see};
use crate::choice::Tape;
use crate::sim::Sim;
use crate::sim::config::Config;
use crate::sim::report::Report;

/// How many of the unquiet choices are asked about at most.
const ASKED: u64 = 16;

/// How many other values of a choice are tried at most.
const OTHERS: u64 = 8;

/// The number that tells the fresh seeds of a risk from the seeds of a sweep.
const FRESH: u64 = 0x5eed_0000_0000_0000;

/// The questions about a failing run, and how often they may be asked.
pub(super) struct Explainer<'a, S> {
    pub(super) scenario: &'a S,
    /// The settings of the failing run, without its tape.
    pub(super) config: &'a Config,
    pub(super) failure: &'a Failure,
    pub(super) threads: usize,
    pub(super) budget: Budget,
}

impl<S, R> Explainer<'_, S>
where
    S: Fn(&mut Sim) -> R + Sync,
    R: Report,
{
    fn fails(&self, config: Config) -> bool {
        self.end(config) == Without::FailsTheSame
    }

    /// Runs the scenario, and returns how that ends.
    fn end(&self, config: Config) -> Without {
        let (failure, ()) = attempt(config, self.scenario, |_| ());
        match failure {
            None => Without::Passes,
            Some(failure) if failure.is_like(self.failure) => Without::FailsTheSame,
            Some(_) => Without::FailsOtherwise,
        }
    }

    /// Returns how many of the unquiet choices are asked about. Each takes a run, some with other
    /// values, and the risk around it.
    fn asked(&self, tape: &Tape) -> usize {
        let fits = (self.budget.runs / 8).clamp(1, ASKED);
        tape.unquiet().take(usize::try_from(fits).unwrap_or(1)).count()
    }

    /// Returns how many of these runs fail, of each group.
    fn count(
        &self,
        groups: usize,
        each: u64,
        config: impl Fn(usize, u64) -> Config + Sync,
    ) -> Vec<u64> {
        let each = usize::try_from(each).unwrap_or(usize::MAX);
        let failed = all(self.threads, groups * each, |number| {
            self.fails(config(number / each, (number % each) as u64))
        });
        let failed: Vec<u64> = failed.into_iter().map(u64::from).collect();
        failed.chunks(each.max(1)).map(|group| group.iter().sum()).collect()
    }

    /// Returns the risk after each of these numbers of choices.
    fn risks(&self, tape: &Tape, lengths: &[usize]) -> Vec<Risk> {
        let seeds = self.budget.seeds;
        if seeds == 0 {
            return Vec::new();
        }
        let failed = self.count(lengths.len(), seeds, |group, number| {
            let mut config = self.config.clone().with_prefix(tape.prefix(lengths[group]));
            config.seed = FRESH + number;
            config
        });
        let risks = lengths.iter().zip(failed).map(|(length, failed)| {
            let last = length.checked_sub(1).map(|last| tape.choices()[last].at);
            Risk { after: *length, at: last.unwrap_or_default(), failed, of: seeds }
        });
        risks.collect()
    }

    /// Returns the risk over the whole run, and before and after each unquiet choice.
    pub(super) fn risk(&self, tape: &Tape) -> Vec<Risk> {
        let last = tape.len();
        let around = tape.unquiet().take(self.asked(tape)).flat_map(|index| [index, index + 1]);
        let mut lengths: Vec<usize> = around.collect();
        // Half of the runs are for the risk: around these choices, and then over time.
        let fits = self.budget.runs / 2 / self.budget.seeds.max(1);
        let fits = usize::try_from(fits).unwrap_or(usize::MAX).saturating_sub(lengths.len());
        let parts = self.budget.moments.min(fits).clamp(1, last.max(1));
        lengths.extend((0..=parts).map(|part| last * part / parts));
        lengths.sort_unstable();
        lengths.dedup();
        self.risks(tape, &lengths)
    }

    /// Returns what is known of each unquiet choice.
    pub(super) fn decisions(&self, tape: &Tape, risk: &[Risk]) -> Vec<Decision> {
        let unquiet: Vec<usize> = tape.unquiet().collect();
        let asked = self.asked(tape);
        let without = all(self.threads, asked, |number| {
            self.end(self.config.clone().with_tape(self.with(tape, unquiet[number], 0)))
        });
        let count = (self.budget.runs / 8 / asked.max(1) as u64).min(OTHERS);
        let others: Vec<Vec<u64>> =
            unquiet[..asked].iter().map(|i| other_values(tape, *i, count)).collect();
        let tried: Vec<(usize, u64)> = (0..asked)
            .flat_map(|number| others[number].iter().map(move |value| (number, *value)))
            .collect();
        let failed = all(self.threads, tried.len(), |i| {
            let (number, value) = tried[i];
            self.fails(self.config.clone().with_tape(self.with(tape, unquiet[number], value)))
        });
        let share = |length: usize| risk.iter().find(|risk| risk.after == length);
        let decisions = unquiet.iter().enumerate().map(|(number, index)| {
            let theirs = tried.iter().zip(&failed).filter(|((of, _), _)| *of == number);
            let failing = theirs.filter(|(_, failed)| **failed).count() as u64;
            Decision {
                order: *index,
                choice: tape.choices()[*index].clone(),
                is_decisive: false,
                without: without.get(number).copied(),
                others_failing: failing,
                others_tried: others.get(number).map_or(0, Vec::len) as u64,
                before: share(*index).cloned(),
                after: share(*index + 1).cloned(),
            }
        });
        let mut decisions: Vec<Decision> = decisions.collect();
        // The point of no return is the last of the largest jumps of those that it needs.
        let needed = decisions.iter_mut().filter(|it| it.is_necessary() == Some(true));
        let decisive = needed.max_by_key(|decision| decision.jump());
        if let Some(decisive) = decisive {
            decisive.is_decisive = true;
        }
        decisions
    }

    fn with(&self, tape: &Tape, index: usize, value: u64) -> Tape {
        let mut tape = tape.clone();
        tape.set(index, value);
        tape
    }

    /// Returns the run with this choice calm, beside the failing one.
    pub(super) fn passing(&self, failing: &Seen, index: usize) -> Option<Passing> {
        let calm = self.with(&failing.tape, index, 0);
        let passing = see(&self.config.clone().with_tape(calm), self.scenario);
        passing.failure.is_none().then(|| Passing::between(failing, passing))
    }
}

/// Returns some other values of a choice, spread over all.
fn other_values(tape: &Tape, index: usize, count: u64) -> Vec<u64> {
    let choice = &tape.choices()[index];
    let most = choice.n - 1;
    let count = count.min(most);
    let spread = (1..=count).map(|i| (u128::from(most) * u128::from(i) / u128::from(count)) as u64);
    spread.filter(|value| *value != choice.value).collect()
}
