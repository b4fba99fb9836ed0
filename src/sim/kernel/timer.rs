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
    wake: Option<WakeRef>,
}

/// The timers that are set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Timers {
    pub(crate) fn set(&mut self, wake: WakeRef) -> TimerKey {
        if let Some(slot) = self.free.pop() {
            let entry = &mut self.slots[slot as usize];
            entry.wake = Some(wake);
            return TimerKey { slot, generation: entry.generation };
        }
        let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 timers are set at once");
        self.slots.push(Slot { generation: 0, wake: Some(wake) });
        TimerKey { slot, generation: 0 }
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
        let set = self.slots.iter_mut().enumerate().filter(|(_, slot)| slot.wake.is_some());
        let freed = set.map(|(index, slot)| {
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(index as u32);
            slot.wake.take()
        });
        freed.flatten().collect()
    }

    /// The free list names exactly the slots without a waiter.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let mut free = self.free.clone();
        sort_by_key(&mut free, |slot| *slot);
        let blank = (0_u32..).zip(&self.slots).filter(|(_, slot)| slot.wake.is_none());
        let blank: Vec<u32> = blank.map(|(index, _)| index).collect();
        ensure(free == blank, || format!("free timers {free:?} are not the blank ones {blank:?}"))
    }

    /// Frees the timer and returns its waiter; `None` if it is not set.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<WakeRef> {
        let slot = &mut self.slots[key.slot as usize];
        if slot.generation != key.generation {
            return None;
        }
        let wake = slot.wake.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot);
        Some(wake)
    }
}
