//! Shrinking: the calmest tape that still fails in the same way.
//!
//! A candidate is the failing run's tape with some choices made calm, or nearer to it. It counts if
//! its run fails like the first (see `failure.rs`). The passes, until nothing changes or the budget
//! of runs is spent:
//!
//! 1. the end of the tape: the shortest prefix that fails when everything after it is calm;
//! 2. whole sites: the kernel's own noise (latencies, ties, the schedule) before faults;
//! 3. the choices of one entity at a site;
//! 4. if much noise is left, a fault at another moment without it: often the noise only made the
//!    fault come at the right time; or one or two noisy choices alone, as large as they can be;
//! 5. ever smaller parts of the rest, down to single choices;
//! 6. each value towards 0, by halves;
//! 7. two choices at once, since one may matter only because of the other.
//!
//! Candidates are independent runs, so they run on all cores. Of several that fail the first in
//! order is taken, and only those up to it are charged to the budget. So the result is the same on
//! any number of threads.

use super::attempt::{attempt, first};
use super::effort::Effort;
use super::failure::Failure;
use crate::choice::{Choice, Tape};
use crate::sim::Sim;
use crate::sim::config::Config;
use crate::sim::report::Report;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Sites that are the kernel's own noise: they are made calm first, so that what is left of a
/// failure is what a person has asked for.
const NOISE: [&str; 5] =
    ["link.latency", "event.tie", "event.tie.timer", "schedule.ready", "guest.order"];

/// With more choices than this no pairs are tried, and with more entities none by itself.
const FEW: usize = 24;

/// Candidates of this many choices are made at once at most.
const BATCH: usize = 64;

/// With no more noisy choices than this, nothing is gained by other moments.
const BEARABLE: usize = 3;

/// At how many other moments a fault is tried, and how many noisy choices are tried alone.
const MOMENTS: usize = 100;

/// How many other faults are tried in its place.
const KINDS: u64 = 8;

/// What of a tape a candidate changes: choices, with their new values. A candidate must not be a
/// whole tape, because of a long one there are hundreds at once.
type Edit = Vec<(usize, u64)>;

/// Returns the edit that makes these choices calm.
fn calm(indices: impl IntoIterator<Item = usize>) -> Edit {
    indices.into_iter().map(|index| (index, 0)).collect()
}

/// The search for a smaller tape.
pub(super) struct Shrinker<'a, S> {
    scenario: &'a S,
    /// The settings of the failing run.
    config: &'a Config,
    failure: &'a Failure,
    threads: usize,
    /// The number of runs that may still be made; 0 if their steps are used up.
    left: u64,
    /// The steps that they may still take.
    steps: u64,
    /// The failing run's choices, and the smallest values so far that fail.
    choices: Vec<Choice>,
    values: Vec<u64>,
}

impl<'a, S, R> Shrinker<'a, S>
where
    S: Fn(&mut Sim) -> R + Sync,
    R: Report,
{
    /// Begins with the tape of a failing run.
    pub(super) fn new(
        (config, scenario): (&'a Config, &'a S),
        failure: &'a Failure,
        tape: &Tape,
        threads: usize,
        effort: Effort,
    ) -> Shrinker<'a, S> {
        // Without words, which candidates do not need.
        let bare = |c: &Choice| Choice::new(c.site.clone(), c.entity, c.n, c.value);
        let choices: Vec<Choice> = tape.choices().iter().map(bare).collect();
        let values = choices.iter().map(|choice| choice.value).collect();
        let (left, steps) = effort.on_shrinking();
        Shrinker { scenario, config, failure, threads, left, steps, choices, values }
    }

    /// Makes the tape as calm as it can be, and returns it.
    pub(super) fn shrink(mut self) -> Tape {
        loop {
            let before = self.values.clone();
            self.calm_end();
            self.calm_sites();
            self.move_faults();
            self.single_out();
            self.calm_parts();
            self.lower_values();
            self.calm_pairs();
            if self.values == before || self.left == 0 {
                return self.tape(&self.values);
            }
        }
    }

    /// Returns the tape with these values, without the calm end of each stream.
    fn tape(&self, values: &[u64]) -> Tape {
        let mut wanted = BTreeSet::new();
        let mut kept: Vec<Choice> = Vec::new();
        for (choice, value) in self.choices.iter().zip(values).rev() {
            let key = (&choice.site, choice.entity);
            if *value > 0 || wanted.contains(&key) {
                wanted.insert(key);
                kept.push(Choice { value: *value, ..choice.clone() });
            }
        }
        kept.into_iter().rev().collect()
    }

    /// Returns whether the run of these values fails in the same way, and the steps that it takes.
    fn fails(&self, values: &[u64]) -> (bool, u64) {
        let config = self.config.clone().with_tape(self.tape(values));
        let (failure, steps) = attempt(config, self.scenario, Sim::cost);
        (failure.is_some_and(|failure| failure.is_like(self.failure)), steps)
    }

    /// Tries the candidates in order. Takes the first that fails, and returns its number.
    fn take_first(&mut self, candidates: &[Edit]) -> Option<usize> {
        self.take_first_from(&self.values.clone(), candidates)
    }

    /// As [`Shrinker::take_first`], for candidates that differ from these values.
    fn take_first_from(&mut self, base: &[u64], candidates: &[Edit]) -> Option<usize> {
        let edited = |number: usize| {
            let mut values = base.to_vec();
            candidates[number].iter().for_each(|(index, value)| values[*index] = *value);
            values
        };
        let count = candidates.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        // Those up to the one that is taken all run, on any number of threads.
        let taken: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
        let found = first(self.threads, count, |number| {
            let (fails, steps) = self.fails(&edited(number));
            taken[number].store(steps, SeqCst);
            fails
        });
        let ran = found.map_or(count, |number| number + 1);
        let steps = taken.into_iter().take(ran).map(AtomicU64::into_inner);
        self.steps = steps.fold(self.steps, u64::saturating_sub);
        self.left = if self.steps == 0 { 0 } else { self.left - ran as u64 };
        if let Some(number) = found {
            self.values = edited(number);
        }
        found
    }

    /// Returns the values with these choices made calm.
    fn calmed(&self, indices: &[usize]) -> Vec<u64> {
        let mut values = self.values.clone();
        indices.iter().for_each(|index| values[*index] = 0);
        values
    }

    fn unquiet(&self) -> Vec<usize> {
        (0..self.values.len()).filter(|index| self.values[*index] > 0).collect()
    }

    /// Finds the shortest prefix that fails when everything after it is calm.
    fn calm_end(&mut self) {
        let unquiet = self.unquiet();
        // A prefix of `low` unquiet choices passes, as far as it is known, and one of `high` fails.
        let (mut low, mut high) = (0, unquiet.len());
        if high == 0 || self.take_first(&[calm(unquiet.iter().copied())]).is_some() {
            return;
        }
        while high - low > 1 && self.left > 0 {
            let middle = low.midpoint(high);
            let candidate = calm(unquiet[middle..].iter().copied());
            match self.take_first(&[candidate]) {
                Some(_) => high = middle,
                None => low = middle,
            }
        }
    }

    /// Makes every choice of a site calm, or of one entity at a site.
    fn calm_sites(&mut self) {
        let choices = self.unquiet().into_iter().map(|index| &self.choices[index]);
        let sites: BTreeSet<(bool, String)> =
            choices.map(|c| (!NOISE.contains(&&*c.site), c.site.to_string())).collect();
        for (_, site) in sites {
            let of_site = |index: &usize| self.choices[*index].site == site;
            let theirs: Vec<usize> = self.unquiet().into_iter().filter(of_site).collect();
            if theirs.is_empty() || self.take_first(&[calm(theirs.iter().copied())]).is_some() {
                continue;
            }
            let entities: BTreeSet<u64> = theirs.iter().map(|i| self.choices[*i].entity).collect();
            // Many are better divided into halves, which comes next.
            if entities.len() == 1 || entities.len() > FEW {
                continue;
            }
            for entity in entities {
                let of_entity = |index: &usize| self.choices[*index].entity == entity;
                let theirs = theirs.iter().copied().filter(of_entity);
                self.take_first(&[calm(theirs)]);
            }
        }
    }

    fn is_noise(&self, index: usize) -> bool {
        NOISE.contains(&&*self.choices[index].site)
    }

    /// Returns the unquiet choices that are noise, if there are more than a person can bear.
    fn noise(&self) -> Option<Vec<usize>> {
        let noise: Vec<usize> = self.unquiet().into_iter().filter(|i| self.is_noise(*i)).collect();
        (noise.len() > BEARABLE).then_some(noise)
    }

    /// Tries each fault at other moments, with all noise calm; and if that does not fail, others in
    /// its place.
    fn move_faults(&mut self) {
        let Some(noise) = self.noise() else { return };
        let base = self.calmed(&noise);
        let faults = self.unquiet().into_iter().filter(|index| !self.is_noise(*index));
        for fault in faults.take(BEARABLE).collect::<Vec<usize>>() {
            let site = &self.choices[fault].site;
            let moments = (0..base.len()).filter(|index| self.choices[*index].site == *site);
            let moments = spread(moments.collect(), fault);
            // The fault itself first, then what else may strike.
            let others = (1..self.choices[fault].n.min(KINDS)).filter(|kind| *kind != base[fault]);
            for kind in [base[fault]].into_iter().chain(others) {
                let moved = |moment: &usize| vec![(fault, 0), (*moment, kind)];
                let candidates: Vec<Edit> = moments.iter().map(moved).collect();
                if self.take_first_from(&base, &candidates).is_some() || self.left == 0 {
                    return;
                }
            }
        }
    }

    /// Tries one noisy choice alone, or two that follow each other, as large as they can be.
    fn single_out(&mut self) {
        let Some(noise) = self.noise() else { return };
        let base = self.calmed(&noise);
        let shown = spread(noise.clone(), usize::MAX);
        for together in 1..=2 {
            let alone = |first: &usize| {
                let place = noise.iter().position(|index| index == first).unwrap_or_default();
                let largest = |index: &usize| (*index, self.choices[*index].n - 1);
                noise[place..].iter().take(together).map(largest).collect()
            };
            let candidates: Vec<Edit> = shown.iter().map(alone).collect();
            if self.take_first_from(&base, &candidates).is_some() || self.left == 0 {
                return;
            }
        }
    }

    /// Makes ever smaller parts of the unquiet choices calm (ddmin).
    fn calm_parts(&mut self) {
        let mut size = self.unquiet().len().div_ceil(2);
        while size > 0 && self.left > 0 {
            // Later choices first: most of them are consequences.
            let mut from = 0;
            loop {
                let unquiet: Vec<usize> = self.unquiet().into_iter().rev().collect();
                let parts: Vec<&[usize]> =
                    unquiet[from.min(unquiet.len())..].chunks(size).take(BATCH).collect();
                if parts.is_empty() {
                    break;
                }
                let calmed = |part: &&[usize]| calm(part.iter().copied());
                let candidates: Vec<Edit> = parts.iter().map(calmed).collect();
                match self.take_first(&candidates) {
                    // The parts before it have to stay; it has gone.
                    Some(number) => from += number * size,
                    None => from += candidates.len() * size,
                }
                if self.left == 0 {
                    return;
                }
            }
            size /= 2;
        }
    }

    /// Brings each value as near to 0 as it still fails.
    fn lower_values(&mut self) {
        for index in self.unquiet() {
            // `low` passes, as far as it is known, and `high` fails.
            let (mut low, mut high) = (0, self.values[index]);
            while high - low > 1 && self.left > 0 {
                let middle = low.midpoint(high);
                match self.take_first(&[vec![(index, middle)]]) {
                    Some(_) => high = middle,
                    None => low = middle,
                }
            }
        }
    }

    /// Makes two choices calm at once.
    fn calm_pairs(&mut self) {
        loop {
            let unquiet = self.unquiet();
            if !(2..=FEW).contains(&unquiet.len()) {
                return;
            }
            let later = |i: usize| unquiet[i + 1..].iter().map(move |other| (i, *other));
            let pairs = (0..unquiet.len()).flat_map(later);
            let calmed = |(i, other): (usize, usize)| calm([unquiet[i], other]);
            let candidates: Vec<Edit> = pairs.map(calmed).collect();
            if self.take_first(&candidates).is_none() || self.left == 0 {
                return;
            }
        }
    }
}

/// Returns some of the indices, spread over all, the nearest to `around` first.
fn spread(indices: Vec<usize>, around: usize) -> Vec<usize> {
    let step = indices.len().div_ceil(MOMENTS).max(1);
    let mut some: Vec<usize> = indices.into_iter().step_by(step).collect();
    some.sort_by_key(|index| (index.abs_diff(around), *index));
    some
}
