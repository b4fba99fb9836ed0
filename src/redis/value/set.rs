//! The set: unique members.
//!
//! While all members are integers and few, it is an `intset`, which lists them in ascending order.
//! After that it is a `hashtable`, in which a removal moves the last member into the gap. (Redis
//! 7.0 has no listpack sets.)

use super::{Sds, number};
use crate::sort::sort_by;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use std::borrow::Cow;

/// The encoding of a set in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetEncoding {
    /// A sorted array of integers.
    Intset,
    /// A hash table.
    Hashtable,
}

impl SetEncoding {
    /// Returns the name in `OBJECT ENCODING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SetEncoding::Intset => "intset",
            SetEncoding::Hashtable => "hashtable",
        }
    }
}

/// A set; see the module.
#[derive(Clone, Debug)]
pub struct Set(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Intset(Vec<i64>),
    Hashtable(IndexSet<Sds, FxBuildHasher>),
}

impl Default for Set {
    fn default() -> Set {
        Set(Repr::Intset(Vec::new()))
    }
}

impl Set {
    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Intset(numbers) => numbers.len(),
            Repr::Hashtable(members) => members.len(),
        }
    }

    /// Returns whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the encoding in Redis.
    #[must_use]
    pub fn encoding(&self) -> SetEncoding {
        match &self.0 {
            Repr::Intset(_) => SetEncoding::Intset,
            Repr::Hashtable(_) => SetEncoding::Hashtable,
        }
    }

    /// Returns whether a member exists.
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Repr::Intset(numbers) => {
                number::parse_i64(member).is_some_and(|n| numbers.binary_search(&n).is_ok())
            }
            Repr::Hashtable(members) => members.contains(member),
        }
    }

    /// Adds a member. Returns whether it is new. An intset with more than `max_intset` members
    /// (`set-max-intset-entries`) becomes a hash table.
    pub fn insert(&mut self, member: &[u8], max_intset: usize) -> bool {
        if let Repr::Intset(numbers) = &mut self.0 {
            if let Some(n) = number::parse_i64(member) {
                let Err(at) = numbers.binary_search(&n) else { return false };
                numbers.insert(at, n);
                if numbers.len() > max_intset {
                    self.make_hashtable();
                }
                return true;
            }
            self.make_hashtable();
        }
        match &mut self.0 {
            // Checked first, so that an existing member is not copied.
            Repr::Hashtable(members) => {
                !members.contains(member) && members.insert(Sds::new(member))
            }
            Repr::Intset(_) => unreachable!("the set was just converted to a hash table"),
        }
    }

    fn make_hashtable(&mut self) {
        if let Repr::Intset(numbers) = &self.0 {
            let members = numbers.iter().map(|n| Sds::new(&number::format_i64(*n))).collect();
            self.0 = Repr::Hashtable(members);
        }
    }

    /// Re-encodes the set as one read from a snapshot: an intset if it may be one.
    pub(crate) fn reencode(&mut self, max_intset: usize) {
        if self.len() > max_intset {
            self.make_hashtable();
        } else if let Repr::Hashtable(members) = &self.0 {
            let numbers: Option<Vec<i64>> =
                members.iter().map(|member| number::parse_i64(member)).collect();
            if let Some(mut numbers) = numbers {
                sort_by(&mut numbers, Ord::cmp);
                self.0 = Repr::Intset(numbers);
            }
        }
    }

    /// Removes a member. Returns whether it existed.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Intset(numbers) => {
                let at = number::parse_i64(member).and_then(|n| numbers.binary_search(&n).ok());
                at.map(|at| numbers.remove(at)).is_some()
            }
            Repr::Hashtable(members) => members.swap_remove(member),
        }
    }

    /// Returns the member at an index of the stored order.
    #[must_use]
    pub fn get_index(&self, index: usize) -> Option<Cow<'_, Sds>> {
        match &self.0 {
            Repr::Intset(numbers) => {
                numbers.get(index).map(|n| Cow::Owned(Sds::new(&number::format_i64(*n))))
            }
            Repr::Hashtable(members) => members.get_index(index).map(Cow::Borrowed),
        }
    }

    /// Returns the members in stored order.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, Sds>> {
        (0..self.len()).filter_map(|index| self.get_index(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[&str]) -> Set {
        let mut set = Set::default();
        for member in members {
            set.insert(member.as_bytes(), 4);
        }
        set
    }

    #[test]
    fn an_intset_is_in_order_until_something_else_comes() {
        let mut numbers = set(&["3", "-1", "2"]);
        let listed: Vec<String> = numbers.iter().map(|m| m.to_string()).collect();
        assert_eq!(listed, ["-1", "2", "3"]);
        assert_eq!(numbers.encoding(), SetEncoding::Intset);
        assert!(!numbers.contains(b"03"), "not the text of an integer");
        assert!(numbers.insert(b"03", 4));
        assert_eq!(numbers.encoding(), SetEncoding::Hashtable);
        assert!(numbers.remove(b"03"));
        assert_eq!(numbers.encoding(), SetEncoding::Hashtable, "it never goes back");
        assert!(numbers.contains(b"-1"));
    }

    #[test]
    fn an_intset_that_grows_too_long_becomes_a_hash_table() {
        assert_eq!(set(&["1", "2", "3", "4"]).encoding(), SetEncoding::Intset);
        assert_eq!(set(&["1", "2", "3", "4", "5"]).encoding(), SetEncoding::Hashtable);
    }
}
