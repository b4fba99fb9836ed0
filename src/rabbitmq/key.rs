//! Slots with generations: how queues, channels and consumers point at each
//! other.
//!
//! A key stays invalid for ever once its value was removed, even when the slot
//! is used again, so a message may remember a queue that has been deleted.
//! Slots are handed out lowest-freed-last, which depends on nothing but the
//! order of insertions and removals.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// A place in an [`Arena`] of `T`.
pub(crate) struct Key<T> {
    slot: u32,
    /// From 1, so that a key that may be missing takes no more room.
    generation: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Key<T> {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Key<T>) -> bool {
        self.packed() == other.packed()
    }
}

impl<T> Eq for Key<T> {}

impl<T> PartialOrd for Key<T> {
    fn partial_cmp(&self, other: &Key<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Key<T> {
    fn cmp(&self, other: &Key<T>) -> Ordering {
        self.packed().cmp(&other.packed())
    }
}

impl<T> Hash for Key<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.packed());
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

impl<T> Key<T> {
    fn packed(self) -> u64 {
        u64::from(self.slot) << 32 | u64::from(self.generation.get())
    }
}

/// Begins with a cache line, so that a small value takes no more than one.
#[derive(Debug)]
#[repr(align(64))]
struct Slot<T> {
    generation: NonZeroU32,
    value: Option<T>,
}

/// Values in slots.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Arena<T> {
        Arena { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Arena<T> {
    pub(crate) fn insert(&mut self, value: T) -> Key<T> {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            place.value = Some(value);
            return Key { slot, generation: place.generation, of: PhantomData };
        }
        let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 live values");
        let generation = NonZeroU32::MIN;
        self.slots.push(Slot { generation, value: Some(value) });
        Key { slot, generation, of: PhantomData }
    }

    pub(crate) fn remove(&mut self, key: Key<T>) -> Option<T> {
        let place = self.slots.get_mut(key.slot as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let value = place.value.take()?;
        // A slot whose generations are used up is not handed out again.
        if let Some(next) = place.generation.checked_add(1) {
            place.generation = next;
            self.free.push(key.slot);
        }
        Some(value)
    }

    pub(crate) fn get(&self, key: Key<T>) -> Option<&T> {
        let place = self.slots.get(key.slot as usize)?;
        if place.generation == key.generation { place.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: Key<T>) -> Option<&mut T> {
        let place = self.slots.get_mut(key.slot as usize)?;
        if place.generation == key.generation { place.value.as_mut() } else { None }
    }

    /// The values with their keys, in the order of slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key<T>, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| {
            let key = Key { slot: slot as u32, generation: place.generation, of: PhantomData };
            place.value.as_ref().map(|value| (key, value))
        })
    }

    /// The keys, in the order of slots.
    pub(crate) fn keys(&self) -> Vec<Key<T>> {
        self.iter().map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_key_stays_invalid_when_its_slot_is_used_again() {
        let mut arena = Arena::default();
        let a = arena.insert("a");
        assert_eq!(arena.remove(a), Some("a"));
        let b = arena.insert("b");
        assert_eq!(b.slot, a.slot);
        assert_eq!((arena.get(a), arena.get(b)), (None, Some(&"b")));
        assert_eq!(arena.remove(a), None);
        assert_eq!(arena.keys(), [b]);
    }
}
