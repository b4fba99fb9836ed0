//! Operations on lists.
//!
//! Positions count from the head, which is 0. Negative positions count from the tail, which is -1.
//!
//! Source: <https://redis.io/commands/?group=list>, `t_list.c`.

use super::Database;
use super::notify::EventClasses;
use crate::redis::error::CommandError;
use crate::redis::value::{End, List, ListLimits, Sds, Value};
use std::collections::vec_deque;
use std::ops::Range;

/// The result of `LINSERT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// Inserted; the new length.
    Length(usize),
    /// The key does not exist.
    NoKey,
    /// No element equals the pivot.
    NoPivot,
}

/// The options of `LPOS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LposOptions {
    /// `RANK`: the first match to return; negative searches from the tail. Not 0.
    pub rank: i64,
    /// `COUNT`: greatest number of matches; 0 is unlimited.
    pub count: usize,
    /// `MAXLEN`: greatest number of comparisons; 0 is unlimited.
    pub max_len: usize,
}

/// Searches for the first match.
impl Default for LposOptions {
    fn default() -> LposOptions {
        LposOptions { rank: 1, count: 1, max_len: 0 }
    }
}

impl Database {
    /// Returns a list to be read, or `None` if the key does not exist.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn list(&mut self, key: &[u8]) -> Result<Option<&List>, CommandError> {
        self.read::<List>(key)
    }

    /// `LPUSH`, `RPUSH`: adds elements at an end, one after the other. Returns the new length.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn push(
        &mut self,
        key: &[u8],
        end: End,
        elements: &[&[u8]],
    ) -> Result<usize, CommandError> {
        if elements.is_empty() {
            return Ok(self.write::<List>(key)?.map_or(0, |list| list.len()));
        }
        let limits = self.list_limits();
        let list = self.write_or_insert_with::<List>(key, || List::new(limits))?;
        list.make_room(elements.len(), elements.iter().map(|e| e.len()).sum(), limits);
        for element in elements {
            list.push(end, *element);
        }
        let len = list.len();
        self.pushed(key, end, elements.len());
        Ok(len)
    }

    /// `LPUSHX`, `RPUSHX`: adds elements as [`Database::push`] does, if the list exists. Returns
    /// the new length, or 0.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn push_existing(
        &mut self,
        key: &[u8],
        end: End,
        elements: &[&[u8]],
    ) -> Result<usize, CommandError> {
        match self.again::<List>(key)? {
            Some(_) => self.push(key, end, elements),
            None => Ok(0),
        }
    }

    /// Returns the greatest size of a list that is a listpack, if lists may be.
    fn list_limits(&self) -> Option<ListLimits> {
        self.limits.of_lists(self.profile.encodings)
    }

    /// Makes a list that has shrunk a listpack, if it is small.
    fn pack_list(&mut self, key: &[u8]) {
        if let Some(limits) = self.list_limits()
            && let Some(slot) = self.keyspace.find(key)
            && let Value::List(list) = &mut self.keyspace.entry_mut(slot).value
        {
            list.pack(true, limits);
        }
    }

    /// Notes that this many elements were added at an end.
    fn pushed(&mut self, key: &[u8], end: End, count: usize) {
        let event = match end {
            End::Left => "lpush",
            End::Right => "rpush",
        };
        self.changed(key, EventClasses::LIST, event, count as u64);
    }

    /// `LPOP`, `RPOP`: removes and returns the element at an end.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn pop(&mut self, key: &[u8], end: End) -> Result<Option<Sds>, CommandError> {
        let Some(list) = self.write::<List>(key)? else { return Ok(None) };
        let element = list.pop(end);
        let emptied = list.is_empty();
        self.popped(key, end, 1, emptied);
        Ok(element)
    }

    /// `LPOP`, `RPOP` with a count: removes and returns up to this many elements at an end, in
    /// order of removal, or `None` if the key does not exist.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn pop_many(
        &mut self,
        key: &[u8],
        end: End,
        count: usize,
    ) -> Result<Option<Vec<Sds>>, CommandError> {
        let Some(list) = self.write::<List>(key)? else { return Ok(None) };
        let count = count.min(list.len());
        let elements: Vec<Sds> = (0..count).filter_map(|_| list.pop(end)).collect();
        let emptied = list.is_empty();
        if count > 0 {
            self.popped(key, end, count, emptied);
        }
        Ok(Some(elements))
    }

    /// Notes that this many elements were removed from an end.
    fn popped(&mut self, key: &[u8], end: End, count: usize, emptied: bool) {
        let event = match end {
            End::Left => "lpop",
            End::Right => "rpop",
        };
        self.pack_list(key);
        self.changed(key, EventClasses::LIST, event, count as u64);
        self.remove_emptied(emptied, key);
    }

    /// `LMOVE`: moves the element at an end of one list to an end of another, or the same list.
    /// Returns the element, if there was one.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; nothing has moved then. A missing source is not an error,
    /// whatever the destination is.
    pub fn lmove(
        &mut self,
        source: &[u8],
        destination: &[u8],
        from: End,
        to: End,
    ) -> Result<Option<Sds>, CommandError> {
        if self.write::<List>(source)?.is_none() {
            return Ok(None);
        }
        self.write::<List>(destination)?;
        let list = self.again::<List>(source)?.expect("the source was just found");
        let Some(element) = list.pop(from) else { return Ok(None) };
        // The push is notified before the pop, and both count as one change.
        let limits = self.list_limits();
        let list = self.again_or_insert_with::<List>(destination, || List::new(limits))?;
        list.make_room(1, element.len(), limits);
        list.push(to, element.clone());
        self.pushed(destination, to, 0);
        let emptied = self.again::<List>(source)?.is_some_and(|list| list.is_empty());
        self.popped(source, from, 1, emptied);
        Ok(Some(element))
    }

    /// `LMPOP`: removes up to this many elements at an end of the first of these lists that exists.
    /// Returns its position among the keys, and the elements.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`] if a key before that list has another type.
    pub fn lmpop(
        &mut self,
        keys: &[&[u8]],
        end: End,
        count: usize,
    ) -> Result<Option<(usize, Vec<Sds>)>, CommandError> {
        for (index, key) in keys.iter().enumerate() {
            if let Some(elements) = self.pop_many(key, end, count)? {
                return Ok(Some((index, elements)));
            }
        }
        Ok(None)
    }

    /// `LLEN`: returns the length of a list, 0 if it is missing.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn llen(&mut self, key: &[u8]) -> Result<usize, CommandError> {
        Ok(self.list(key)?.map_or(0, List::len))
    }

    /// `LINDEX`: returns the element at a position. O(1).
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn lindex(&mut self, key: &[u8], index: i64) -> Result<Option<&Sds>, CommandError> {
        let Some(list) = self.list(key)? else { return Ok(None) };
        Ok(position(index, list.len()).and_then(|index| list.get(index)))
    }

    /// `LRANGE`: returns the elements from `start` to `stop`, both inclusive.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn lrange(
        &mut self,
        key: &[u8],
        start: i64,
        stop: i64,
    ) -> Result<vec_deque::Iter<'_, Sds>, CommandError> {
        let list = self.list(key)?;
        Ok(list.map(|list| list.range(span(start, stop, list.len()))).unwrap_or_default())
    }

    /// `LSET`: replaces the element at a position. O(1).
    ///
    /// # Errors
    ///
    /// [`CommandError::NoSuchKey`], [`CommandError::WrongType`], [`CommandError::IndexOutOfRange`].
    pub fn lset(&mut self, key: &[u8], index: i64, element: &[u8]) -> Result<(), CommandError> {
        let limits = self.list_limits();
        let list = self.write::<List>(key)?.ok_or(CommandError::NoSuchKey)?;
        let at = position(index, list.len()).ok_or(CommandError::IndexOutOfRange)?;
        list.make_room(1, element.len(), limits);
        list.set(at, element);
        self.pack_list(key);
        self.changed(key, EventClasses::LIST, "lset", 1);
        Ok(())
    }

    /// `LINSERT`: inserts an element before or after the first element that equals `pivot`. O(n).
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn linsert(
        &mut self,
        key: &[u8],
        before: bool,
        pivot: &[u8],
        element: &[u8],
    ) -> Result<Inserted, CommandError> {
        let limits = self.list_limits();
        let Some(list) = self.write::<List>(key)? else { return Ok(Inserted::NoKey) };
        list.make_room(1, element.len(), limits);
        let Some(at) = list.iter().position(|element| **element == *pivot) else {
            return Ok(Inserted::NoPivot);
        };
        list.insert(if before { at } else { at + 1 }, element);
        let len = list.len();
        self.changed(key, EventClasses::LIST, "linsert", 1);
        Ok(Inserted::Length(len))
    }

    /// `LREM`: removes elements that equal this one: all of them if `count` is 0, and otherwise up
    /// to that many, starting at the tail if `count` is negative. Returns how many it removed.
    /// O(n).
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn lrem(&mut self, key: &[u8], count: i64, element: &[u8]) -> Result<usize, CommandError> {
        let Some(list) = self.write::<List>(key)? else { return Ok(0) };
        let from = if count < 0 { End::Right } else { End::Left };
        let limit = match count.unsigned_abs() {
            0 => usize::MAX,
            count => usize::try_from(count).unwrap_or(usize::MAX),
        };
        let removed = list.remove(element, from, limit);
        if removed > 0 {
            let emptied = list.is_empty();
            self.pack_list(key);
            self.changed(key, EventClasses::LIST, "lrem", removed as u64);
            self.remove_emptied(emptied, key);
        }
        Ok(removed)
    }

    /// `LTRIM`: keeps only the elements from `start` to `stop`, both inclusive.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn ltrim(&mut self, key: &[u8], start: i64, stop: i64) -> Result<(), CommandError> {
        let Some(list) = self.write::<List>(key)? else { return Ok(()) };
        let len = list.len();
        list.trim(span(start, stop, len));
        let removed = len - list.len();
        self.pack_list(key);
        // A trim that removes nothing is notified too, but counts as no change.
        self.changed(key, EventClasses::LIST, "ltrim", removed as u64);
        self.remove_emptied(removed == len, key);
        Ok(())
    }

    /// `LPOS`: returns the positions of elements that equal this one, in search order. O(n).
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn lpos(
        &mut self,
        key: &[u8],
        element: &[u8],
        options: LposOptions,
    ) -> Result<Vec<usize>, CommandError> {
        let Some(list) = self.list(key)? else { return Ok(Vec::new()) };
        let unless_0 = |n: usize| if n == 0 { usize::MAX } else { n };
        // The server negates it: the least integer stays negative, and no match has such a high
        // rank.
        let rank = options.rank.checked_abs().unwrap_or(1);
        let rank = usize::try_from(rank).unwrap_or(usize::MAX);
        let (skip, take) = (rank.saturating_sub(1), unless_0(options.count));
        let compare = unless_0(options.max_len);
        let equal = |(_, other): &(usize, &Sds)| ***other == *element;
        let all = list.iter().enumerate();
        let found = |(index, _)| index;
        Ok(if options.rank < 0 {
            all.rev().take(compare).filter(equal).skip(skip).take(take).map(found).collect()
        } else {
            all.take(compare).filter(equal).skip(skip).take(take).map(found).collect()
        })
    }
}

/// Returns the index for a position, if it is within the list.
fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// Returns the indices from `start` to `stop`, both inclusive, that are less than `len`.
fn span(start: i64, stop: i64, len: usize) -> Range<usize> {
    let from_end = |at: i64| if at < 0 { at.saturating_add(len as i64) } else { at };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len as i64 - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_stay_within_the_list() {
        assert_eq!(span(0, -1, 4), 0..4);
        assert_eq!(span(-3, -2, 4), 1..3);
        assert_eq!(span(-100, 100, 4), 0..4);
        assert_eq!(span(i64::MIN, i64::MAX, 4), 0..4);
        assert_eq!(span(2, 1, 4), 0..0);
        assert_eq!(span(4, 9, 4), 0..0);
        assert_eq!(span(0, i64::MIN, 4), 0..0);
        assert_eq!(span(0, -1, 0), 0..0);
        assert_eq!((position(-4, 4), position(-5, 4), position(4, 4)), (Some(0), None, None));
        assert_eq!((position(i64::MIN, 4), position(i64::MAX, 4)), (None, None));
    }

    #[test]
    fn an_element_moved_within_its_list_is_one_change() -> Result<(), CommandError> {
        let mut db = Database::new();
        db.push(b"l", End::Right, &[b"a", b"b", b"c"])?;
        let before = db.usage.changes;
        assert_eq!(db.lmove(b"l", b"l", End::Left, End::Right)?, Some("a".into()));
        assert_eq!(db.usage.changes - before, 1);
        let left: Vec<String> = db.lrange(b"l", 0, -1)?.map(ToString::to_string).collect();
        assert_eq!(left, ["b", "c", "a"]);
        Ok(())
    }
}
