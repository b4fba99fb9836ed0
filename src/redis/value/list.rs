//! The list: elements in order, fast at both ends and by index.
//!
//! It is a ring buffer of [`Sds`]: pushing and popping at either end and indexing are O(1);
//! inserting and removing in the middle are O(n). Redis uses a linked list of small arrays, whose
//! `LINDEX` is O(n). A client cannot tell the difference, except by `OBJECT ENCODING`: a list is a
//! `quicklist`, or, since Redis 7.2, a `listpack` while it is small. Invariant: `packed` is the
//! number of bytes of that listpack.

use super::{Sds, listpack};
use std::collections::VecDeque;
use std::collections::vec_deque;

/// An end of a list. The head is the left end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The head.
    Left,
    /// The tail.
    Right,
}

/// A list; see the module. Indices count from the head.
#[derive(Clone, Debug, Default)]
pub struct List {
    elements: VecDeque<Sds>,
    /// The first push since the list was last empty was at the left end.
    leftwards: bool,
    /// The bytes of the listpack that the list is, if it is one.
    packed: Option<usize>,
}

/// The encoding of a list in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListEncoding {
    /// A packed list (since 7.2).
    Listpack,
    /// A linked list of packed lists.
    Quicklist,
}

impl ListEncoding {
    /// Returns the name in `OBJECT ENCODING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ListEncoding::Listpack => "listpack",
            ListEncoding::Quicklist => "quicklist",
        }
    }
}

/// The greatest size of a listpack (`list-max-listpack-size`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListLimits {
    elements: usize,
    bytes: usize,
}

impl ListLimits {
    /// Reads the parameter: a number of elements, or, if it is negative, a class of sizes.
    ///
    /// Source: `quicklist.c` (`quicklistNodeLimit`).
    pub(crate) fn of_parameter(size: i64) -> ListLimits {
        /// A listpack of any number of elements has no more bytes.
        const SAFE: usize = 8_192;
        match usize::try_from(size) {
            Ok(elements) => ListLimits { elements: elements.max(1), bytes: SAFE },
            Err(_) => {
                let class = usize::try_from(size.unsigned_abs()).unwrap_or(5).min(5);
                ListLimits { elements: usize::MAX, bytes: 2_048 << class }
            }
        }
    }

    fn holds(&self, elements: usize, bytes: usize) -> bool {
        elements <= self.elements && bytes <= self.bytes
    }
}

impl List {
    /// Returns the encoding in Redis.
    #[must_use]
    pub fn encoding(&self) -> ListEncoding {
        if self.packed.is_some() { ListEncoding::Listpack } else { ListEncoding::Quicklist }
    }

    /// Returns an empty list: a listpack where lists may be such, which have limits then.
    pub(crate) fn new(limits: Option<ListLimits>) -> List {
        List { packed: limits.map(|_| listpack::EMPTY), ..List::default() }
    }

    /// Makes a listpack a quicklist, if it has no room for as many elements of that length in all.
    pub(crate) fn make_room(&mut self, elements: usize, bytes: usize, limits: Option<ListLimits>) {
        let Some(limits) = limits else { return };
        let fits = |packed: usize| limits.holds(self.len() + elements, packed + bytes);
        if self.packed.is_some_and(|packed| !fits(packed)) {
            self.packed = None;
        }
    }

    /// Makes a quicklist a listpack if it is small: half of the limits if it has `shrunk`.
    pub(crate) fn pack(&mut self, shrunk: bool, limits: ListLimits) {
        if self.packed.is_some() {
            return;
        }
        let halves = if shrunk { 2 } else { 1 };
        let (most, most_bytes) = (limits.elements / halves, limits.bytes / halves);
        if self.len() > most {
            return;
        }
        let mut bytes = listpack::EMPTY;
        for element in &self.elements {
            bytes += listpack::size_of(element);
            if bytes > most_bytes {
                return;
            }
        }
        self.packed = Some(bytes);
    }

    /// Re-encodes the list as one that is read from a snapshot.
    pub(crate) fn reencode(&mut self, limits: Option<ListLimits>) {
        self.packed = None;
        if let Some(limits) = limits {
            self.pack(false, limits);
        }
    }

    fn added(&mut self, element: &[u8]) {
        if let Some(bytes) = &mut self.packed {
            *bytes += listpack::size_of(element);
        }
    }

    fn removed(&mut self, element: &[u8]) {
        if let Some(bytes) = &mut self.packed {
            *bytes -= listpack::size_of(element);
        }
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Returns whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Adds an element at an end. Amortised O(1).
    pub fn push(&mut self, end: End, element: impl Into<Sds>) {
        if self.elements.is_empty() {
            self.leftwards = end == End::Left;
        }
        let element = element.into();
        self.added(&element);
        match end {
            End::Left => self.elements.push_front(element),
            End::Right => self.elements.push_back(element),
        }
    }

    /// Removes and returns the element at an end. O(1).
    pub fn pop(&mut self, end: End) -> Option<Sds> {
        let element = match end {
            End::Left => self.elements.pop_front(),
            End::Right => self.elements.pop_back(),
        }?;
        self.removed(&element);
        Some(element)
    }

    /// Returns the element at `index`. O(1).
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Sds> {
        self.elements.get(index)
    }

    /// Replaces the element at `index`. Returns whether it exists. O(1).
    pub fn set(&mut self, index: usize, element: impl Into<Sds>) -> bool {
        let Some(slot) = self.elements.get_mut(index) else { return false };
        let old = std::mem::replace(slot, element.into());
        if let Some(bytes) = &mut self.packed {
            *bytes = *bytes + listpack::size_of(slot) - listpack::size_of(&old);
        }
        true
    }

    /// Inserts before `index`, or at the tail if there is no such index. O(n).
    pub fn insert(&mut self, index: usize, element: impl Into<Sds>) {
        let element = element.into();
        self.added(&element);
        self.elements.insert(index.min(self.len()), element);
    }

    /// Returns whether the list began with a push at the left end. Redis divides a long list into
    /// nodes from where it began, which `DUMP` shows.
    pub(crate) fn grows_leftwards(&self) -> bool {
        self.leftwards
    }

    /// Sets where the list began; see [`grows_leftwards`](List::grows_leftwards).
    pub(crate) fn grow_leftwards(&mut self, leftwards: bool) {
        self.leftwards = leftwards;
    }

    /// Returns the elements from head to tail.
    #[must_use]
    pub fn iter(&self) -> vec_deque::Iter<'_, Sds> {
        self.elements.iter()
    }

    /// Returns the elements of these indices.
    ///
    /// # Panics
    ///
    /// If the range ends beyond the list.
    #[must_use]
    pub fn range(&self, range: std::ops::Range<usize>) -> vec_deque::Iter<'_, Sds> {
        self.elements.range(range)
    }

    /// Keeps only the elements of these indices, as far as they exist. O(n) in the number of
    /// removed elements.
    pub fn trim(&mut self, keep: std::ops::Range<usize>) {
        self.elements.truncate(keep.end);
        self.elements.drain(..keep.start.min(self.elements.len()));
        if self.packed.is_some() {
            let sizes = self.elements.iter().map(|element| listpack::size_of(element));
            self.packed = Some(listpack::EMPTY + sizes.sum::<usize>());
        }
    }

    /// Removes up to `limit` elements that equal `element`, from this end on. Returns how many it
    /// removed. O(n).
    pub fn remove(&mut self, element: &[u8], from: End, limit: usize) -> usize {
        let matching = self.elements.iter().filter(|e| e.as_slice() == element).count();
        let removed = matching.min(limit);
        // From the right, the first matches stay.
        let mut skip = if from == End::Right { matching - removed } else { 0 };
        let mut left = removed;
        self.elements.retain(|e| {
            if left == 0 || e.as_slice() != element {
                return true;
            }
            if skip > 0 {
                skip -= 1;
                return true;
            }
            left -= 1;
            false
        });
        if let Some(bytes) = &mut self.packed {
            *bytes -= removed * listpack::size_of(element);
        }
        removed
    }
}

impl FromIterator<Sds> for List {
    fn from_iter<I: IntoIterator<Item = Sds>>(elements: I) -> List {
        List { elements: elements.into_iter().collect(), leftwards: false, packed: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> List {
        text.split_whitespace().map(Sds::from).collect()
    }

    fn text(list: &List) -> String {
        list.iter().map(Sds::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn removing_from_the_right_leaves_the_first_ones() {
        let mut l = list("a b a c a");
        assert_eq!(l.remove(b"a", End::Right, 2), 2);
        assert_eq!(text(&l), "a b c");
        let mut l = list("a b a c a");
        assert_eq!(l.remove(b"a", End::Left, 2), 2);
        assert_eq!(text(&l), "b c a");
    }

    #[test]
    fn trimming_beyond_the_ends_is_not_an_error() {
        let mut l = list("a b c d");
        l.trim(1..9);
        assert_eq!(text(&l), "b c d");
        l.trim(5..9);
        assert!(l.is_empty());
    }
}
