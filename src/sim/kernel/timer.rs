//! Timers: which task or service to wake when a moment has come.
//!
//! A timer is a slot with a waiter; the agenda holds its time. The slot becomes free when the timer
//! fires or is cancelled. Its generation keeps a late event from waking the slot's next user.

use crate::invariant::ensure;
use crate::sim::kernel::task::WakeRef;
use crate::sort::sort_by_key;

/// A timer that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TimerKey {
    slot: u32,
    generation: u32,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    /// The next free slot, if this one is free.
    next_free: u32,
    wake: Option<WakeRef>,
}

/// No slot: the end of the list of free ones.
const NONE: u32 = u32::MAX;

/// The timers that are set.
#[derive(Debug)]
pub(crate) struct Timers {
    slots: Vec<Slot>,
    /// The slot that became free last, from which a list leads through the others.
    free: u32,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers { slots: Vec::with_capacity(4), free: NONE }
    }
}

impl Timers {
    pub(crate) fn set(&mut self, wake: WakeRef) -> TimerKey {
        if let Some(entry) = self.slots.get_mut(self.free as usize) {
            let slot = std::mem::replace(&mut self.free, entry.next_free);
            entry.wake = Some(wake);
            return TimerKey { slot, generation: entry.generation };
        }
        let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 timers are set at once");
        self.slots.push(Slot { generation: 0, next_free: NONE, wake: Some(wake) });
        TimerKey { slot, generation: 0 }
    }

    /// Empties a slot, and returns its waiter, if it has one.
    fn release(&mut self, slot: u32) -> Option<WakeRef> {
        let entry = &mut self.slots[slot as usize];
        let wake = entry.wake.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        entry.next_free = std::mem::replace(&mut self.free, slot);
        Some(wake)
    }

    pub(crate) fn is_set(&self, key: TimerKey) -> bool {
        let slot = &self.slots[key.slot as usize];
        slot.generation == key.generation && slot.wake.is_some()
    }

    /// Changes the waiter of a timer.
    pub(crate) fn rewire(&mut self, key: TimerKey, wake: WakeRef) {
        if self.is_set(key) {
            self.slots[key.slot as usize].wake = Some(wake);
        }
    }

    /// Frees every timer. Returns the waiters, which must be dropped without a lock.
    pub(crate) fn clear(&mut self) -> Vec<WakeRef> {
        (0..self.slots.len() as u32).filter_map(|slot| self.release(slot)).collect()
    }

    /// The free list names exactly the slots without a waiter.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let next = |slot: &u32| self.slots.get(*slot as usize).map(|entry| entry.next_free);
        let list = std::iter::successors(Some(self.free), next).take_while(|slot| *slot != NONE);
        let mut free: Vec<u32> = list.take(self.slots.len()).collect();
        sort_by_key(&mut free, |slot| *slot);
        let blank = (0_u32..).zip(&self.slots).filter(|(_, slot)| slot.wake.is_none());
        let blank: Vec<u32> = blank.map(|(index, _)| index).collect();
        ensure(free == blank, || format!("free timers {free:?} are not the blank ones {blank:?}"))
    }

    /// Frees the timer and returns its waiter; `None` if it is not set.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<WakeRef> {
        let is_this = self.slots[key.slot as usize].generation == key.generation;
        if is_this { self.release(key.slot) } else { None }
    }
}
