//! Values by consumer tag: those of one channel, which has one consumer most of the time.
//!
//! A few are in a plain list, which is smaller and faster to search than a table; more are in a
//! table. Both keep the same order: that of insertion, except that the last takes the place of one
//! that was removed.

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;

/// The most values that are in a list.
const FEW: usize = 8;

#[derive(Debug)]
pub(crate) enum Tags<V> {
    Few(Vec<(SmolStr, V)>),
    Many(Box<IndexMap<SmolStr, V, FxBuildHasher>>),
}

impl<V> Default for Tags<V> {
    fn default() -> Tags<V> {
        Tags::Few(Vec::new())
    }
}

impl<V> Tags<V> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Tags::Few(list) => list.len(),
            Tags::Many(table) => table.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, tag: &str) -> Option<&V> {
        match self {
            Tags::Few(list) => list.iter().find(|(t, _)| t == tag).map(|(_, value)| value),
            Tags::Many(table) => table.get(tag),
        }
    }

    pub(crate) fn get_mut(&mut self, tag: &str) -> Option<&mut V> {
        match self {
            Tags::Few(list) => list.iter_mut().find(|(t, _)| t == tag).map(|(_, value)| value),
            Tags::Many(table) => table.get_mut(tag),
        }
    }

    /// Adds a value, or replaces the one with this tag.
    pub(crate) fn insert(&mut self, tag: SmolStr, value: V) {
        if let Some(there) = self.get_mut(&tag) {
            *there = value;
            return;
        }
        match self {
            Tags::Few(list) if list.len() < FEW => {
                if list.is_empty() {
                    list.reserve_exact(1);
                }
                list.push((tag, value));
            }
            Tags::Few(list) => {
                let few = std::mem::take(list).into_iter();
                *self = Tags::Many(Box::new(few.chain([(tag, value)]).collect()));
            }
            Tags::Many(table) => drop(table.insert(tag, value)),
        }
    }

    /// Removes and returns the value with this tag. The last one takes its place.
    pub(crate) fn swap_remove(&mut self, tag: &str) -> Option<V> {
        match self {
            Tags::Few(list) => {
                let at = list.iter().position(|(t, _)| t == tag)?;
                Some(list.swap_remove(at).1)
            }
            Tags::Many(table) => table.swap_remove(tag),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SmolStr, &V)> {
        let (list, table) = match self {
            Tags::Few(list) => (Some(list), None),
            Tags::Many(table) => (None, Some(table)),
        };
        let list = list.into_iter().flatten().map(|(tag, value)| (tag, value));
        list.chain(table.into_iter().flat_map(|table| table.iter()))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let (list, table) = match self {
            Tags::Few(list) => (Some(list), None),
            Tags::Many(table) => (None, Some(table)),
        };
        let list = list.into_iter().flatten().map(|(_, value)| value);
        list.chain(table.into_iter().flat_map(|table| table.values_mut()))
    }

    /// Takes everything, in order.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (SmolStr, V)> + use<V> {
        let (list, table) = match std::mem::take(self) {
            Tags::Few(list) => (list, None),
            Tags::Many(table) => (Vec::new(), Some(*table)),
        };
        list.into_iter().chain(table.into_iter().flatten())
    }
}

impl<V> Extend<(SmolStr, V)> for Tags<V> {
    fn extend<T: IntoIterator<Item = (SmolStr, V)>>(&mut self, items: T) {
        items.into_iter().for_each(|(tag, value)| self.insert(tag, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: usize) -> SmolStr {
        format!("tag {number}").into()
    }

    fn all(tags: &Tags<usize>) -> Vec<usize> {
        assert!(tags.iter().all(|(key, value)| *key == tag(*value % 100)));
        tags.values().copied().collect()
    }

    #[test]
    fn a_list_and_a_table_do_the_same() {
        for count in [FEW, FEW + 1] {
            let mut tags = Tags::default();
            tags.extend((0..count).map(|number| (tag(number), number)));
            assert_eq!(matches!(tags, Tags::Few(_)), count == FEW);
            tags.insert(tag(1), 101);
            assert_eq!((tags.len(), tags.get("tag 1")), (count, Some(&101)));
            assert_eq!(tags.swap_remove("tag 0"), Some(0));
            assert_eq!((tags.swap_remove("tag 0"), tags.get("tag 0")), (None, None));
            let expected: Vec<usize> = [count - 1, 101].into_iter().chain(2..count - 1).collect();
            assert_eq!(all(&tags), expected);
            tags.values_mut().for_each(|value| *value += 200);
            assert_eq!(tags.get_mut("tag 2"), Some(&mut 202));
            let values: Vec<usize> = tags.take().map(|(_, value)| value - 200).collect();
            assert_eq!(values, expected);
            assert!(tags.is_empty());
        }
    }
}
