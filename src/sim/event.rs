//! The agenda: what will happen, and when.
//!
//! Events are ordered by `(time, tie, sequence)`: those of one instant by
//! their tie (a choice; 0 is calm), then in the order they were put in. An
//! event for the present instant with no tie skips the heap: it goes to a
//! queue of its own, which is in order by construction.

use super::timer::{TimerKey, Timers};
use crate::time::Instant;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// What an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A timer of a task or a service.
    Timer(TimerKey),
    /// The front item of a connection's wire arrives, at the service (`up`)
    /// or at the node.
    Arrival { service: u32, connection: u32, up: bool },
    /// A scheduled action of the test.
    Action(u32),
}

#[derive(Clone, Copy, Debug)]
struct Event {
    at: Instant,
    /// The tie in the upper 16 bits, the sequence in the lower 48.
    order: u64,
    target: Target,
}

impl Event {
    fn key(&self) -> (Instant, u64) {
        (self.at, self.order)
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Event) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Event) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Reversed, since the heap gives the greatest first.
impl Ord for Event {
    fn cmp(&self, other: &Event) -> Ordering {
        other.key().cmp(&self.key())
    }
}

/// Events not yet due, and those due now.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Event>,
    /// Events for the present instant, in order of sequence.
    present: VecDeque<Event>,
    sequence: u64,
    /// Timers in the heap that were cancelled.
    cancelled: usize,
}

impl Agenda {
    /// Puts in an event. One for [`Instant::MAX`] never comes, and is not kept.
    pub(super) fn push(&mut self, now: Instant, at: Instant, tie: u16, target: Target) {
        let at = at.max(now);
        if at == Instant::MAX {
            return;
        }
        self.sequence += 1;
        let event = Event { at, order: u64::from(tie) << 48 | self.sequence, target };
        if at == now && tie == 0 {
            self.present.push_back(event);
        } else {
            self.heap.push(event);
        }
    }

    /// When the next event is due. Cancelled timers at the front are dropped.
    pub(super) fn next_at(&mut self, timers: &Timers) -> Option<Instant> {
        let dead = |e: &Event| matches!(e.target, Target::Timer(key) if !timers.is_set(key));
        while self.present.front().is_some_and(dead) {
            self.present.pop_front();
        }
        while self.heap.peek().is_some_and(dead) {
            self.heap.pop();
            self.cancelled = self.cancelled.saturating_sub(1);
        }
        match (self.present.front(), self.heap.peek()) {
            (Some(event), _) | (None, Some(event)) => Some(event.at),
            (None, None) => None,
        }
    }

    /// Takes the next event; call after [`Agenda::next_at`] has said there is
    /// one.
    pub(super) fn pop(&mut self) -> Option<(Instant, Target)> {
        let present_first = match (self.present.front(), self.heap.peek()) {
            (Some(present), Some(top)) => present.key() < top.key(),
            (present, _) => present.is_some(),
        };
        let event = if present_first { self.present.pop_front() } else { self.heap.pop() };
        event.map(|e| (e.at, e.target))
    }

    /// Tells that a timer in here was cancelled. Its event stays until half
    /// of the heap is such, so that a cancellation costs O(1) on average and
    /// cancelled time-outs take no more memory than live ones.
    pub(super) fn note_cancelled(&mut self, timers: &Timers) {
        self.cancelled += 1;
        if self.cancelled > 64 && self.cancelled * 2 > self.heap.len() {
            self.heap.retain(|e| !matches!(e.target, Target::Timer(key) if !timers.is_set(key)));
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
        while agenda.next_at(&timers).is_some() {
            match agenda.pop() {
                Some((_, Target::Action(n))) => seen.push(n),
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
            let key = timers.set(super::super::task::WakeRef::Nobody);
            agenda.push(Instant::ZERO, Instant::from_nanos(n), 0, Target::Timer(key));
            if n % 10 != 0 {
                timers.cancel(key);
                agenda.note_cancelled(&timers);
            }
        }
        assert!(agenda.heap.len() < 300, "{} events for 100 timers", agenda.heap.len());
        assert_eq!(agenda.next_at(&timers), Some(Instant::from_nanos(10)));
    }
}
