//! The agenda: the future events, in order.
//!
//! Their order is that of `event.rs`.
//!
//! Time never runs backwards, so the agenda is a *radix heap* (Ahuja, Mehlhorn, Orlin and Tarjan,
//! 1990), a priority queue for monotone keys. An event lies in the bucket of the highest bit in
//! which its time differs from a base time. Below the buckets lies the *run* of the nearest events
//! (`run.rs`); events are taken from it. When the run is empty, the nearest bucket becomes the
//! run if it fits into the processor's cache; otherwise it is spread over the buckets below. A
//! small agenda is all run. With 100,000 timers this is several times faster than a binary heap, in
//! which every step down would be a cache miss.
//!
//! Most messages arrive at the moment at which they are sent, unless a link has a latency. Such
//! events wait in a plain queue, the *lane*, as long as each comes behind those in it. Nothing
//! outside the lane is due earlier than its front, but an older event of the same moment may be.

use crate::invariant::ensure;
use crate::sim::kernel::event::{Event, Target};
use crate::sim::kernel::run::Run;
use crate::sim::kernel::timer::Timers;
use crate::time::Instant;
use std::collections::{BTreeMap, VecDeque};

/// The arrivals to come: by service, connection and direction.
pub(crate) type Arrivals = BTreeMap<(u32, u32, bool), usize>;

/// A bucket or an agenda with at most this many events becomes the run.
const SMALL: usize = 1_024;
/// A run that grows beyond this is distributed to buckets.
const SPILL: usize = 2 * SMALL;
/// The span of a run that contains every event.
const ALL: u32 = 64;

/// The time of the next event, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
enum Next {
    #[default]
    Unknown,
    Known(Option<u64>),
}

/// The future events.
#[derive(Debug)]
pub(crate) struct Agenda {
    /// Events that were due when they were inserted, in order.
    lane: VecDeque<Event>,
    /// The nearest other events: their time differs from `base` in the lowest `span` bits at most.
    run: Run,
    span: u32,
    /// Bucket `i` holds the events whose time differs from `base` in bit `i` and in no higher bit.
    /// Buckets below `span` are empty.
    buckets: Vec<Vec<Event>>,
    /// The buckets that have events, one bit each.
    filled: u64,
    /// Never later than the present time.
    base: u64,
    /// A lower bound of the next time of an event that is not in the lane: it may be the time of
    /// one that was already taken.
    next: Next,
    sequence: u64,
    len: usize,
    /// An upper bound for the number of cancelled timers in here.
    cancelled: usize,
}

impl Default for Agenda {
    fn default() -> Agenda {
        Agenda {
            // Every world needs it, and making room later costs three times as much.
            lane: VecDeque::with_capacity(4),
            run: Run::default(),
            span: ALL,
            buckets: Vec::new(),
            filled: 0,
            base: 0,
            next: Next::Known(None),
            sequence: 0,
            len: 0,
            cancelled: 0,
        }
    }
}

impl Agenda {
    /// Inserts an event. An event for the past is due `now`. An event for [`Instant::MAX`] never
    /// comes and is not stored.
    #[inline]
    pub(crate) fn push(&mut self, now: Instant, at: Instant, tie: u16, target: Target) {
        let at = at.max(now);
        if at == Instant::MAX {
            return;
        }
        let at = at.as_nanos();
        self.sequence += 1;
        self.len += 1;
        let event = Event { at, order: u64::from(tie) << 48 | self.sequence, target };
        if at == now.as_nanos() && self.lane.back().is_none_or(|last| *last < event) {
            self.lane.push_back(event);
            return;
        }
        self.push_beside_the_lane(now, event);
    }

    fn push_beside_the_lane(&mut self, now: Instant, event: Event) {
        if let Next::Known(next) = &mut self.next {
            *next = Some(next.map_or(event.at, |next| next.min(event.at)));
        }
        self.place(event);
        if self.run.len() > SPILL && self.span > 0 {
            self.rebase(now.as_nanos(), 0);
        }
    }

    fn place(&mut self, event: Event) {
        let differs = event.at ^ self.base;
        if differs.checked_shr(self.span).unwrap_or(0) == 0 {
            self.run.push(event);
            return;
        }
        let bucket = differs.ilog2() as usize;
        if self.buckets.len() <= bucket {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        self.buckets[bucket].push(event);
        self.filled |= 1 << bucket;
    }

    /// Changes the base and the span of the run. Events that no longer belong in it move to
    /// buckets. The new base must equal the old one above the old span.
    fn rebase(&mut self, base: u64, span: u32) {
        self.base = base;
        self.span = span;
        self.run.take().for_each(|event| self.place(event));
    }

    /// Returns when the next event is due.
    pub(crate) fn next_at(&mut self, timers: &Timers) -> Option<Instant> {
        while let Some(first) = self.lane.front() {
            if !first.is_dead(timers) {
                return Some(Instant::from_nanos(first.at));
            }
            self.lane.pop_front();
            self.forget(1);
        }
        self.next_beside_the_lane(timers)
    }

    /// Returns whether the next event is due.
    pub(crate) fn is_due(&mut self, now: Instant, timers: &Timers) -> bool {
        match self.next {
            Next::Known(next)
                if self.lane.is_empty() && next.is_none_or(|at| at > now.as_nanos()) =>
            {
                false
            }
            _ => self.next_at(timers) == Some(now),
        }
    }

    fn next_beside_the_lane(&mut self, timers: &Timers) -> Option<Instant> {
        while let Some(first) = self.run.first() {
            if !first.is_dead(timers) {
                return Some(Instant::from_nanos(first.at));
            }
            self.run.pop();
            self.forget(1);
            // If the run is empty now, the known next time was its time.
            self.next = Next::Unknown;
        }
        let next = match self.next {
            Next::Known(next) => next,
            Next::Unknown => self.search(timers),
        };
        self.next = Next::Known(next);
        next.map(Instant::from_nanos)
    }

    /// Returns the least time in the lowest bucket that has live events, and drops the dead events
    /// on the way.
    fn search(&mut self, timers: &Timers) -> Option<u64> {
        while self.filled != 0 {
            let bucket = self.filled.trailing_zeros() as usize;
            let events = &mut self.buckets[bucket];
            let mut dropped = 0;
            if self.cancelled > 0 {
                let before = events.len();
                events.retain(|event| !event.is_dead(timers));
                dropped = before - events.len();
            }
            let least = events.iter().map(|event| event.at).min();
            self.forget(dropped);
            if least.is_some() {
                return least;
            }
            self.filled &= !(1 << bucket);
        }
        None
    }

    fn forget(&mut self, dropped: usize) {
        self.len -= dropped;
        self.cancelled = self.cancelled.saturating_sub(dropped);
    }

    fn pop_lane(&mut self) {
        self.lane.pop_front();
        self.len -= 1;
    }

    /// Returns the front of the lane, if it is the next event.
    fn first_in_lane(&self) -> Option<&Event> {
        let first = self.lane.front()?;
        let Next::Known(others) = self.next else { return None };
        others.is_none_or(|others| others > first.at).then_some(first)
    }

    /// Removes and returns the next event if it is an arrival at this service that is due now: the
    /// connection, and whether the arrival is at the service.
    pub(crate) fn pop_arrival(&mut self, at: u32) -> Option<(u32, bool)> {
        match self.first_in_lane()?.target {
            Target::Arrival { service, connection, up } if service == at => {
                self.pop_lane();
                Some((connection, up))
            }
            _ => None,
        }
    }

    /// Removes and returns the next event, unless it is after `limit`.
    pub(crate) fn pop(&mut self, timers: &Timers, limit: Instant) -> Option<(Instant, Target)> {
        if let Some(first) = self.first_in_lane()
            && !matches!(first.target, Target::Timer(_))
            && first.at <= limit.as_nanos()
        {
            let (at, target) = (first.at, first.target);
            self.pop_lane();
            return Some((Instant::from_nanos(at), target));
        }
        let at = self.next_at(timers).filter(|at| *at <= limit)?;
        if let Some(first) = self.lane.front().copied() {
            if self.next_beside_the_lane(timers) == Some(at) && self.run.is_empty() {
                self.refill(first.at);
            }
            if self.run.first().is_none_or(|other| first < *other) {
                self.pop_lane();
                return Some((at, first.target));
            }
        }
        if self.run.is_empty() {
            self.refill(at.as_nanos());
        }
        let event = self.run.pop().expect("the next time has an event");
        self.len -= 1;
        self.next = match self.run.first() {
            Some(next) => Next::Known(Some(next.at)),
            None => Next::Unknown,
        };
        Some((at, event.target))
    }

    /// Fills the empty run from the buckets. `at` is the least time in them, and it has come.
    fn refill(&mut self, at: u64) {
        self.base = at;
        if self.len <= SMALL {
            self.span = ALL;
            self.filled = 0;
            self.run.fill(self.buckets.iter_mut().flat_map(|bucket| bucket.drain(..)));
            return;
        }
        let lowest = self.filled.trailing_zeros();
        self.filled &= !(1 << lowest);
        let mut events = std::mem::take(&mut self.buckets[lowest as usize]);
        if events.len() <= SMALL {
            self.span = lowest;
            self.run.fill(events.drain(..));
        } else {
            self.span = 0;
            events.drain(..).for_each(|event| self.place(event));
        }
        // Keeps the bucket's capacity.
        self.buckets[lowest as usize] = events;
    }

    /// Returns what every event is for, in no particular order.
    pub(crate) fn targets(&self) -> impl Iterator<Item = Target> + '_ {
        let others = self.run.iter().chain(self.buckets.iter().flatten());
        self.lane.iter().chain(others).map(|event| event.target)
    }

    /// Every event is in the place of its time, none is in the past, and the count is right.
    pub(crate) fn check_invariants(&self, now: Instant) -> Result<(), String> {
        let bucketed: usize = self.buckets.iter().map(Vec::len).sum();
        let len = self.lane.len() + self.run.len() + bucketed;
        ensure(self.len == len, || format!("the agenda counts {} events of {len}", self.len))?;
        ensure(self.base <= now.as_nanos(), || format!("the base is {}, now {now}", self.base))?;
        let is_due = self.lane.iter().all(|event| event.at == now.as_nanos());
        ensure(is_due && self.lane.iter().is_sorted(), || {
            format!("the lane is not in order at {now}: {:?}", self.lane)
        })?;
        let place = |event: &Event| (event.at ^ self.base).checked_ilog2();
        ensure(self.run.is_sorted(), || format!("the run is not in order: {:?}", self.run))?;
        for event in self.run.iter() {
            let fits = place(event).is_none_or(|bit| bit < self.span);
            ensure(fits, || format!("the run of span {} has {event:?}", self.span))?;
        }
        for (bit, bucket) in (0_u32..).zip(&self.buckets) {
            let marked = bucket.is_empty() || self.filled >> bit & 1 == 1;
            ensure(marked, || format!("bucket {bit} is not marked as filled"))?;
            let fits = |event| place(event) == Some(bit);
            ensure(bucket.iter().all(fits), || format!("bucket {bit} has another's event"))?;
        }
        Ok(())
    }

    /// Counts a cancelled timer. Its event stays until half of the agenda is dead, so a
    /// cancellation is O(1) on average and cancelled time-outs take no more memory than live ones.
    pub(crate) fn note_cancelled(&mut self, timers: &Timers) {
        self.cancelled += 1;
        self.next = Next::Unknown;
        if self.cancelled > 64 && self.cancelled * 2 > self.len {
            self.lane.retain(|event| !event.is_dead(timers));
            self.run.retain(|event| !event.is_dead(timers));
            for bucket in &mut self.buckets {
                bucket.retain(|event| !event.is_dead(timers));
            }
            self.len =
                self.lane.len() + self.run.len() + self.buckets.iter().map(Vec::len).sum::<usize>();
            self.cancelled = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(agenda: &mut Agenda) -> Vec<u32> {
        let timers = Timers::default();
        let mut seen = Vec::new();
        while let Some((_, target)) = agenda.pop(&timers, Instant::MAX) {
            match target {
                Target::Action(n) => seen.push(n),
                other => panic!("{other:?}"),
            }
        }
        seen
    }

    #[test]
    fn events_come_by_time_then_tie_then_sequence() {
        let (now, later) = (Instant::ZERO, Instant::from_nanos(5));
        let mut agenda = Agenda::default();
        for (n, (at, tie)) in [(later, 1), (later, 0), (now, 0), (now, 1), (now, 0), (later, 0)]
            .into_iter()
            .enumerate()
        {
            agenda.push(now, at, tie, Target::Action(n as u32));
        }
        assert_eq!(order(&mut agenda), [2, 4, 3, 1, 5, 0]);
    }

    #[test]
    fn an_event_for_the_past_is_due_now() {
        let mut agenda = Agenda::default();
        let now = Instant::from_nanos(9);
        agenda.push(now, Instant::ZERO, 0, Target::Action(1));
        assert_eq!(agenda.next_at(&Timers::default()), Some(now));
    }

    #[test]
    fn cancelled_timers_are_never_seen_and_take_no_room() {
        let mut agenda = Agenda::default();
        let mut timers = Timers::default();
        for n in 1..=1_000 {
            let key = timers.set(crate::sim::kernel::task::WakeRef::Nobody);
            agenda.push(Instant::ZERO, Instant::from_nanos(n), 0, Target::Timer(key));
            if n % 10 != 0 {
                timers.cancel(key);
                agenda.note_cancelled(&timers);
            }
        }
        assert!(agenda.len < 300, "{} events for 100 timers", agenda.len);
        assert_eq!(agenda.next_at(&timers), Some(Instant::from_nanos(10)));
    }

    #[test]
    fn a_run_that_ends_in_cancelled_timers_is_not_taken_for_its_first_event() {
        let mut agenda = Agenda::default();
        let mut timers = Timers::default();
        let at = |nanos| Instant::from_nanos(nanos);
        // At first everything lies in buckets.
        agenda.rebase(0, 0);
        let key = timers.set(crate::sim::kernel::task::WakeRef::Nobody);
        agenda.push(at(0), at(3_600), 0, Target::Timer(key));
        agenda.push(at(0), at(1_000), 0, Target::Action(1));
        timers.cancel(key);
        agenda.note_cancelled(&timers);
        assert_eq!(agenda.pop(&timers, at(9_999)), Some((at(1_000), Target::Action(1))));
        assert_eq!(agenda.next_at(&timers), None);
        assert_eq!(agenda.pop(&timers, at(9_999)), None);
    }

    #[test]
    fn looking_ahead_does_not_keep_earlier_events_out() {
        let timers = Timers::default();
        let at = |nanos| Instant::from_nanos(nanos);
        let mut agenda = Agenda::default();
        agenda.push(at(0), at(1_000), 0, Target::Action(1));
        assert_eq!(agenda.next_at(&timers), Some(at(1_000)));
        assert_eq!(agenda.pop(&timers, at(999)), None);
        agenda.push(at(500), at(600), 0, Target::Action(2));
        agenda.push(at(500), at(500), 0, Target::Action(3));
        assert_eq!(agenda.next_at(&timers), Some(at(500)));
        assert_eq!(order(&mut agenda), [3, 2, 1]);
    }

    #[test]
    fn the_order_is_that_of_a_sorted_list() {
        let mut choices = crate::Choices::seeded(1);
        let mut draw = |n| choices.choose(crate::Site::new("test"), 0, n);
        let mut timers = Timers::default();
        let (mut agenda, mut list, mut now) = (Agenda::default(), Vec::new(), 0);
        for n in 0..12_000_u32 {
            let present = Instant::from_nanos(now);
            // The agenda grows beyond `SMALL`, and shrinks again.
            if draw(5) < if n / 4_000 == 1 { 1 } else { 4 } {
                let spread = 1 << draw(40);
                let delay = if draw(2) == 0 { 0 } else { draw(spread) };
                let (at, tie) = (now + delay, draw(3) as u16);
                let target = match draw(3) {
                    0 => Target::Action(n),
                    1 => Target::Arrival { service: n % 2, connection: n, up: true },
                    _ => Target::Timer(timers.set(crate::sim::kernel::task::WakeRef::Nobody)),
                };
                agenda.push(present, Instant::from_nanos(at), tie, target);
                list.push((at, tie, n, target));
                continue;
            }
            list.sort_unstable_by_key(|(at, tie, n, _)| (*at, *tie, *n));
            if draw(4) == 0 && !list.is_empty() {
                let index = draw(list.len() as u64) as usize;
                if let Target::Timer(key) = list[index].3 {
                    timers.cancel(key);
                    agenda.note_cancelled(&timers);
                    list.remove(index);
                }
            }
            let next = list.first().map(|(at, ..)| *at);
            assert_eq!(agenda.is_due(present, &timers), next == Some(now));
            let popped = match agenda.pop_arrival(draw(2) as u32) {
                Some((connection, up)) => {
                    Some((present, Target::Arrival { service: connection % 2, connection, up }))
                }
                None => agenda.pop(&timers, Instant::MAX),
            };
            let expected = (!list.is_empty()).then(|| list.remove(0));
            let expected = expected.map(|(at, _, _, target)| (Instant::from_nanos(at), target));
            assert_eq!(popped, expected);
            if let Some((at, target)) = popped {
                now = at.as_nanos();
                if let Target::Timer(key) = target {
                    timers.cancel(key);
                }
                agenda.check_invariants(at).unwrap();
            }
        }
    }
}
