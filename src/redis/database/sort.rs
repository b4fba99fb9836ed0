//! Sorting: `SORT` and `SORT_RO`.
//!
//! The elements of a list, a set or a sorted set are ordered by a weight: the element itself, or
//! the value that a pattern finds for it. The result has the elements, or the values that other
//! patterns find for them. Equal weights are ordered by the elements' bytes, as in the server.
//!
//! Source: <https://redis.io/commands/sort/>, `sort.c`.

use super::Database;
use super::notify::EventClasses;
use crate::redis::error::CommandError;
use crate::redis::value::score::Score;
use crate::redis::value::{Kind, List, Sds, Value, number};
use crate::redis::version::SortNumbers;
use std::cmp::Ordering;

/// The weight that elements are ordered by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// The element itself.
    #[default]
    Element,
    /// The value that this pattern finds. The key has the element in place of `*`; with `->` after
    /// it, a field of that hash is meant.
    Pattern(Sds),
    /// None: a pattern without `*`.
    Nothing,
}

/// The options of `SORT`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortOptions {
    /// `BY`.
    pub by: SortBy,
    /// `LIMIT`: an offset and a count; a negative count is unlimited.
    pub limit: Option<(i64, i64)>,
    /// `GET`: what to return for each element; `#` is the element itself.
    pub get: Vec<Sds>,
    /// `DESC`.
    pub descending: bool,
    /// `ALPHA`: weights are bytes, not numbers.
    pub alpha: bool,
}

/// The weight of an element.
enum Weight {
    Number(Score),
    Text(Option<Sds>),
}

impl Database {
    /// `SORT`: returns the elements of a list, a set or a sorted set in order, or the values that
    /// [`SortOptions::get`] finds for each.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; an error with a text of its own if a weight is not a number.
    pub fn sort(
        &mut self,
        key: &[u8],
        options: &SortOptions,
    ) -> Result<Vec<Option<Sds>>, CommandError> {
        self.sort_for(key, options, false)
    }

    /// `SORT … STORE`: stores the result in a list, or removes the key if the result is empty.
    /// Returns the length.
    ///
    /// # Errors
    ///
    /// As [`Database::sort`].
    pub fn sort_store(
        &mut self,
        key: &[u8],
        options: &SortOptions,
        destination: &[u8],
    ) -> Result<usize, CommandError> {
        let sorted = self.sort_for(key, options, true)?;
        let mut list: List = sorted.into_iter().map(Option::unwrap_or_default).collect();
        list.reencode(self.limits.of_lists(self.profile.encodings));
        let len = list.len();
        if len > 0 {
            self.put(destination, list.wrap());
            self.changed(destination, EventClasses::LIST, "sortstore", len as u64);
        } else {
            self.del(destination);
        }
        Ok(len)
    }

    /// Sorts for a client, or for a list or a script that `keeps` the order: what these get of a
    /// set must be deterministic, so it is in the order of bytes if it is sorted by nothing.
    pub(crate) fn sort_for(
        &mut self,
        key: &[u8],
        options: &SortOptions,
        keeps: bool,
    ) -> Result<Vec<Option<Sds>>, CommandError> {
        self.unpack_sorted_set(key);
        let (mut elements, in_order) = match self.read_any(key) {
            None => return Ok(Vec::new()),
            Some(Value::List(list)) => (list.iter().cloned().collect::<Vec<_>>(), true),
            Some(Value::Set(set)) => (set.iter().map(|m| m.into_owned()).collect(), false),
            Some(Value::SortedSet(set)) => (set.iter().map(|(m, _)| m.clone()).collect(), true),
            Some(Value::String(_) | Value::Hash(_) | Value::Stream(_)) => {
                return Err(CommandError::WrongType);
            }
        };
        match &options.by {
            SortBy::Nothing if !in_order && keeps => {
                elements.sort_unstable();
                if options.descending {
                    elements.reverse();
                }
            }
            SortBy::Nothing if in_order && options.descending => elements.reverse(),
            SortBy::Nothing => {}
            SortBy::Element | SortBy::Pattern(_) => elements = self.sorted(elements, options)?,
        }
        let chosen = limited(elements.len(), options.limit);
        let mut result = Vec::new();
        for element in elements.drain(chosen) {
            if options.get.is_empty() {
                result.push(Some(element));
                continue;
            }
            for pattern in &options.get {
                result.push(self.by_pattern(pattern, &element));
            }
        }
        Ok(result)
    }

    /// To sort a sorted set, the server converts it to a skip list for good.
    fn unpack_sorted_set(&mut self, key: &[u8]) {
        if let Some(slot) = self.find(key)
            && let Value::SortedSet(set) = &mut self.keyspace.entry_mut(slot).value
        {
            set.force_skiplist();
            self.keyspace.resized(slot);
        }
    }

    fn sorted(
        &mut self,
        elements: Vec<Sds>,
        options: &SortOptions,
    ) -> Result<Vec<Sds>, CommandError> {
        let mut weighted = Vec::with_capacity(elements.len());
        for element in elements {
            let text = match &options.by {
                SortBy::Pattern(pattern) => self.by_pattern(pattern, &element),
                SortBy::Element | SortBy::Nothing => Some(element.clone()),
            };
            let weight = match text {
                text if options.alpha => Weight::Text(text),
                None => Weight::Number(Score::new(0.0).expect("zero is a number")),
                Some(text) => Weight::Number(
                    weight(&text, self.profile.arguments.sort_numbers).and_then(Score::new).ok_or(
                        CommandError::text("ERR One or more scores can't be converted into double"),
                    )?,
                ),
            };
            weighted.push((weight, element));
        }
        weighted.sort_by(|a, b| {
            let order = match (&a.0, &b.0) {
                (Weight::Number(x), Weight::Number(y)) => x.cmp(y).then_with(|| a.1.cmp(&b.1)),
                (Weight::Text(x), Weight::Text(y)) => x.cmp(y),
                (Weight::Number(_), Weight::Text(_)) => Ordering::Less,
                (Weight::Text(_), Weight::Number(_)) => Ordering::Greater,
            };
            if options.descending { order.reverse() } else { order }
        });
        Ok(weighted.into_iter().map(|(_, element)| element).collect())
    }

    /// Returns what a pattern finds for an element: a string, or a field of a hash.
    fn by_pattern(&mut self, pattern: &[u8], element: &Sds) -> Option<Sds> {
        if pattern == b"#" {
            return Some(element.clone());
        }
        let star = pattern.iter().position(|byte| *byte == b'*')?;
        let (before, after) = (&pattern[..star], &pattern[star + 1..]);
        // An arrow names a field only if something follows it.
        let arrow = after.windows(2).position(|two| two == b"->");
        let field = arrow.map(|at| &after[at + 2..]).filter(|field| !field.is_empty());
        let after = match (arrow, field) {
            (Some(at), Some(_)) => &after[..at],
            (Some(_), None) | (None, _) => after,
        };
        let key = [before, element, after].concat();
        let now = self.expired_by;
        match (self.read_any(&key)?, field) {
            (Value::String(string), None) => Some(Sds::new(string)),
            (Value::Hash(hash), Some(field)) => hash.get_live(field, now).cloned(),
            (Value::String(_), Some(_))
            | (Value::Hash(_), None)
            | (Value::List(_) | Value::Set(_) | Value::SortedSet(_) | Value::Stream(_), _) => None,
        }
    }
}

/// Reads a weight, up to a NUL.
fn weight(text: &[u8], numbers: SortNumbers) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return (numbers != SortNumbers::Decimal).then_some(0.0);
    }
    let start = text.iter().position(|byte| !number::is_space(*byte))?;
    let is_decimal = start == 0 && !number::is_hexadecimal(text);
    match numbers {
        SortNumbers::AsC => number::parse_double(&text[start..]),
        SortNumbers::Decimal => number::parse_double(text).filter(|_| is_decimal),
        SortNumbers::DecimalOfAnySize => {
            let (x, excluded) = number::parse_score_bound(text)?;
            (is_decimal && !excluded).then_some(x)
        }
    }
}

/// Returns the range of elements within `LIMIT`.
fn limited(len: usize, limit: Option<(i64, i64)>) -> std::ops::Range<usize> {
    let Some((offset, count)) = limit else { return 0..len };
    let start = usize::try_from(offset).unwrap_or(0).min(len);
    let count = usize::try_from(count).unwrap_or(len);
    start..start.saturating_add(count).min(len)
}
