//! The set: unique members.
//!
//! While all members are integers and few, it is an `intset`, which lists them in ascending order.
//! With other members it is a `listpack` while they are few and short, which keeps them in the
//! order in which they came (since Redis 7.2). After that it is a `hashtable`, in which a removal
//! moves the last member into the gap.
//!
//! Source: `t_set.c`.

use super::{ListpackLimits, Sds, number};
use crate::sort::sort_by;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use std::borrow::Cow;

/// The encoding of a set in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetEncoding {
    /// A sorted array of integers.
    Intset,
    /// A packed list.
    Listpack,
    /// A hash table.
    Hashtable,
}

impl SetEncoding {
    /// Returns the name in `OBJECT ENCODING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SetEncoding::Intset => "intset",
            SetEncoding::Listpack => "listpack",
            SetEncoding::Hashtable => "hashtable",
        }
    }
}

/// The sizes up to which a set keeps its compact encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLimits {
    /// Greatest number of members of an intset (`set-max-intset-entries`).
    pub intset: usize,
    /// Those of a listpack (`set-max-listpack-entries` and `-value`), where sets have listpacks.
    pub listpack: Option<ListpackLimits>,
}

impl SetLimits {
    /// Returns whether a listpack of this length takes another member of this length.
    fn fits(&self, len: usize, member: usize) -> bool {
        self.listpack.is_some_and(|of| len < of.max_entries && member <= of.max_value)
    }
}

/// A set; see the module.
#[derive(Clone, Debug)]
pub struct Set(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Intset(Vec<i64>),
    Listpack(IndexSet<Sds, FxBuildHasher>),
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
            Repr::Listpack(members) | Repr::Hashtable(members) => members.len(),
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
            Repr::Listpack(_) => SetEncoding::Listpack,
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
            Repr::Listpack(members) | Repr::Hashtable(members) => members.contains(member),
        }
    }

    /// Returns an empty set for about `hint` members, of which this is the first.
    pub(crate) fn for_members(first: &[u8], hint: usize, limits: SetLimits) -> Set {
        let Some(listpack) = limits.listpack else { return Set::default() };
        if number::parse_i64(first).is_some() && hint <= limits.intset {
            return Set::default();
        }
        let members = IndexSet::default();
        Set(if hint <= listpack.max_entries {
            Repr::Listpack(members)
        } else {
            Repr::Hashtable(members)
        })
    }

    /// Returns an empty listpack, where sets have one, to which members may be appended.
    pub(crate) fn to_append_to(limits: SetLimits) -> Set {
        limits.listpack.map_or_else(Set::default, |_| Set(Repr::Listpack(IndexSet::default())))
    }

    /// Prepares the set for that many more members: a compact one that has no room for them
    /// becomes a hash table.
    pub(crate) fn expect(&mut self, more: usize, limits: SetLimits) {
        let Some(listpack) = limits.listpack else { return };
        let most = match &self.0 {
            Repr::Intset(_) => limits.intset,
            Repr::Listpack(_) => listpack.max_entries,
            Repr::Hashtable(_) => usize::MAX,
        };
        if more > most {
            self.make_hashtable();
        }
    }

    /// Adds a member. Returns whether it is new. A compact set that grows beyond its limits becomes
    /// a hash table.
    pub fn insert(&mut self, member: &[u8], limits: SetLimits) -> bool {
        match &mut self.0 {
            Repr::Intset(numbers) => {
                if let Some(n) = number::parse_i64(member) {
                    let Err(at) = numbers.binary_search(&n) else { return false };
                    numbers.insert(at, n);
                    if numbers.len() > limits.intset {
                        self.make_hashtable();
                    }
                    return true;
                }
                let ends = [numbers.first(), numbers.last()].into_iter().flatten();
                let longest = ends.map(|n| digits(*n)).fold(member.len(), usize::max);
                if limits.fits(numbers.len(), longest) {
                    self.make_listpack();
                } else {
                    self.make_hashtable();
                }
            }
            Repr::Listpack(members) => {
                if members.contains(member) {
                    return false;
                }
                if !limits.fits(members.len(), member.len()) {
                    self.make_hashtable();
                }
            }
            Repr::Hashtable(_) => {}
        }
        match &mut self.0 {
            // Checked first, so that an existing member is not copied.
            Repr::Listpack(members) | Repr::Hashtable(members) => {
                !members.contains(member) && members.insert(Sds::new(member))
            }
            Repr::Intset(_) => unreachable!("the set was just converted"),
        }
    }

    fn texts(&self) -> IndexSet<Sds, FxBuildHasher> {
        self.iter().map(Cow::into_owned).collect()
    }

    fn make_listpack(&mut self) {
        self.0 = Repr::Listpack(self.texts());
    }

    fn make_hashtable(&mut self) {
        match &mut self.0 {
            Repr::Intset(_) => self.0 = Repr::Hashtable(self.texts()),
            Repr::Listpack(members) => self.0 = Repr::Hashtable(std::mem::take(members)),
            Repr::Hashtable(_) => {}
        }
    }

    /// Makes the set an intset if all members are integers, and few enough.
    pub(crate) fn make_intset_if_possible(&mut self, limits: SetLimits) {
        if self.len() > limits.intset || matches!(self.0, Repr::Intset(_)) {
            return;
        }
        let numbers: Option<Vec<i64>> =
            self.iter().map(|member| number::parse_i64(&member)).collect();
        if let Some(mut numbers) = numbers {
            sort_by(&mut numbers, Ord::cmp);
            self.0 = Repr::Intset(numbers);
        }
    }

    /// Re-encodes the set as one read from a snapshot: a hash table is written as its members, and
    /// may become compact.
    pub(crate) fn reencode(&mut self, limits: SetLimits) {
        match &self.0 {
            Repr::Intset(numbers) if numbers.len() > limits.intset => self.make_hashtable(),
            Repr::Listpack(members)
                if limits.listpack.is_none_or(|of| members.len() > of.max_entries) =>
            {
                self.make_hashtable();
            }
            Repr::Intset(_) | Repr::Listpack(_) => {}
            Repr::Hashtable(members) if members.len() > limits.intset => {}
            Repr::Hashtable(_) => {
                let members = self.texts();
                *self = Set::default();
                for member in &members {
                    self.insert(member, limits);
                }
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
            Repr::Listpack(members) => members.shift_remove(member),
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
            Repr::Listpack(members) | Repr::Hashtable(members) => {
                members.get_index(index).map(Cow::Borrowed)
            }
        }
    }

    /// Returns the members in stored order.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, Sds>> {
        (0..self.len()).filter_map(|index| self.get_index(index))
    }
}

/// Number of digits of an integer, and its sign.
fn digits(n: i64) -> usize {
    number::format_i64(n).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SetLimits = SetLimits { intset: 4, listpack: None };

    fn set(members: &[&str]) -> Set {
        let mut set = Set::default();
        for member in members {
            set.insert(member.as_bytes(), LIMITS);
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
        assert!(numbers.insert(b"03", LIMITS));
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

    #[test]
    fn a_listpack_keeps_the_order_until_it_is_too_large() {
        let listpack = Some(ListpackLimits { max_entries: 4, max_value: 3 });
        let limits = SetLimits { listpack, ..LIMITS };
        let mut set = Set::default();
        for member in ["2", "1", "b", "a"] {
            assert!(set.insert(member.as_bytes(), limits));
        }
        assert_eq!(set.encoding(), SetEncoding::Listpack);
        let listed: Vec<String> = set.iter().map(|m| m.to_string()).collect();
        assert_eq!(listed, ["1", "2", "b", "a"]);
        assert!(set.remove(b"2"));
        let listed: Vec<String> = set.iter().map(|m| m.to_string()).collect();
        assert_eq!(listed, ["1", "b", "a"]);
        assert!(set.insert(b"long", limits));
        assert_eq!(set.encoding(), SetEncoding::Hashtable);
    }
}
