//! The list: elements in order, fast at both ends and by index.
//!
//! It is a ring buffer of [`Sds`]: pushing and popping at either end and indexing are O(1);
//! inserting and removing in the middle are O(n). Redis uses a linked list of small arrays, whose
//! `LINDEX` is O(n). A client cannot tell the difference.

use super::Sds;
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
}

impl List {
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
        match end {
            End::Left => self.elements.push_front(element.into()),
            End::Right => self.elements.push_back(element.into()),
        }
    }

    /// Removes and returns the element at an end. O(1).
    pub fn pop(&mut self, end: End) -> Option<Sds> {
        match end {
            End::Left => self.elements.pop_front(),
            End::Right => self.elements.pop_back(),
        }
    }

    /// Returns the element at `index`. O(1).
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Sds> {
        self.elements.get(index)
    }

    /// Replaces the element at `index`. Returns whether it exists. O(1).
    pub fn set(&mut self, index: usize, element: impl Into<Sds>) -> bool {
        match self.elements.get_mut(index) {
            Some(slot) => {
                *slot = element.into();
                true
            }
            None => false,
        }
    }

    /// Inserts before `index`, or at the tail if there is no such index. O(n).
    pub fn insert(&mut self, index: usize, element: impl Into<Sds>) {
        self.elements.insert(index.min(self.len()), element.into());
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
        removed
    }
}

impl FromIterator<Sds> for List {
    fn from_iter<I: IntoIterator<Item = Sds>>(elements: I) -> List {
        List { elements: elements.into_iter().collect(), leftwards: false }
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
