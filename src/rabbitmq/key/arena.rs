//! Slots with generations: where the values are that keys point at.
//!
//! The slot that was freed last is reused first. So the order depends on insertions and removals
//! only.

use super::Key;
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// A value that an arena holds, with the marker of its keys.
pub(crate) trait Stored {
    type Marker;
}

/// Aligned to a cache line, so that a small value takes no more than one.
#[derive(Debug)]
#[repr(align(64))]
struct Slot<T> {
    generation: NonZeroU32,
    value: Option<T>,
}

/// Values in slots.
#[derive(Debug)]
pub(crate) struct Arena<T: Stored> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T: Stored> Default for Arena<T> {
    fn default() -> Arena<T> {
        Arena { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T: Stored> Arena<T> {
    pub(crate) fn insert(&mut self, value: T) -> Key<T::Marker> {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            place.value = Some(value);
            return Key { slot, generation: place.generation, of: PhantomData };
        }
        let slot = u32::try_from(self.slots.len()).expect("an arena holds fewer than 2^32 values");
        let generation = NonZeroU32::MIN;
        self.slots.push(Slot { generation, value: Some(value) });
        Key { slot, generation, of: PhantomData }
    }

    pub(crate) fn remove(&mut self, key: Key<T::Marker>) -> Option<T> {
        let place = self.slots.get_mut(key.slot as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let value = place.value.take()?;
        // A slot whose generations are used up is never reused.
        if let Some(next) = place.generation.checked_add(1) {
            place.generation = next;
            self.free.push(key.slot);
        }
        Some(value)
    }

    pub(crate) fn get(&self, key: Key<T::Marker>) -> Option<&T> {
        let place = self.slots.get(key.slot as usize)?;
        if place.generation == key.generation { place.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: Key<T::Marker>) -> Option<&mut T> {
        let place = self.slots.get_mut(key.slot as usize)?;
        if place.generation == key.generation { place.value.as_mut() } else { None }
    }

    /// Returns the values with their keys, in the order of slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key<T::Marker>, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| {
            let key = Key { slot: slot as u32, generation: place.generation, of: PhantomData };
            place.value.as_ref().map(|value| (key, value))
        })
    }

    /// Returns the keys, in the order of slots.
    pub(crate) fn keys(&self) -> Vec<Key<T::Marker>> {
        self.iter().map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Stored for &str {
        type Marker = crate::rabbitmq::key::marker::Queue;
    }

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
