//! Scanning: walking a database or a collection in pieces, with no state between
//! the calls.
//!
//! A cursor is how many places are still to be walked; it goes downwards, and 0
//! begins and ends. Elements are only ever moved from the end, which is walked
//! already, to a lower place. So what is there from start to end is returned at
//! least once, whatever else comes, goes or is renamed; what is moved may be
//! returned twice. A call looks at no more than `count` places.
//!
//! A collection in a compact encoding is returned whole, as by Redis.
//!
//! Source: <https://redis.io/commands/scan/>; the real server's cursors are other
//! numbers.

use super::super::error::Error;
use super::super::sds::Sds;
use super::super::value::{Hash, HashEncoding, Set, SetEncoding, SortedSet, SortedSetEncoding};
use super::Database;

/// A piece of a scan: the cursor to go on with, 0 at the end, and what was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page<T> {
    /// For the next call.
    pub cursor: u64,
    /// What was at the places that were walked.
    pub items: Vec<T>,
}

/// The places a call walks, from the highest down, and the next cursor.
fn places(cursor: u64, len: usize, count: usize) -> (impl Iterator<Item = usize>, u64) {
    let end = match cursor {
        0 => len,
        cursor => usize::try_from(cursor).unwrap_or(usize::MAX).min(len),
    };
    let start = end.saturating_sub(count.max(1));
    ((start..end).rev(), start as u64)
}

impl Database {
    /// `SCAN`: keys, looking at up to `count` of them.
    pub fn scan(&mut self, cursor: u64, count: usize) -> Page<Sds> {
        let (places, cursor) = places(cursor, self.len(), count);
        let now = self.now_ms();
        let entries = places.map(|slot| self.keyspace.entry(slot as u32));
        let items = entries.filter(|e| e.expires_at() > now).map(|e| e.key.clone()).collect();
        Page { cursor, items }
    }

    /// `HSCAN`: fields with their values.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`].
    pub fn hscan(
        &mut self,
        key: &[u8],
        cursor: u64,
        count: usize,
    ) -> Result<Page<(Sds, Sds)>, Error> {
        let Some(hash) = self.read::<Hash>(key)? else { return Ok(Page::default()) };
        let copy = |(field, value): (&Sds, &Sds)| (field.clone(), value.clone());
        if hash.encoding() == HashEncoding::Listpack {
            return Ok(Page { cursor: 0, items: hash.iter().map(copy).collect() });
        }
        let (places, cursor) = places(cursor, hash.len(), count);
        Ok(Page { cursor, items: places.filter_map(|i| hash.get_index(i)).map(copy).collect() })
    }

    /// `SSCAN`: members.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`].
    pub fn sscan(&mut self, key: &[u8], cursor: u64, count: usize) -> Result<Page<Sds>, Error> {
        let Some(set) = self.read::<Set>(key)? else { return Ok(Page::default()) };
        if set.encoding() == SetEncoding::Intset {
            let items = set.iter().map(|member| member.into_owned()).collect();
            return Ok(Page { cursor: 0, items });
        }
        let (places, cursor) = places(cursor, set.len(), count);
        let members = places.filter_map(|index| set.get_index(index));
        Ok(Page { cursor, items: members.map(|member| member.into_owned()).collect() })
    }

    /// `ZSCAN`: members with their scores.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`].
    pub fn zscan(
        &mut self,
        key: &[u8],
        cursor: u64,
        count: usize,
    ) -> Result<Page<(Sds, f64)>, Error> {
        let Some(set) = self.read::<SortedSet>(key)? else { return Ok(Page::default()) };
        let copy = |(member, score): (&Sds, f64)| (member.clone(), score);
        if set.encoding() == SortedSetEncoding::Listpack {
            return Ok(Page { cursor: 0, items: set.iter().map(copy).collect() });
        }
        let (places, cursor) = places(cursor, set.len(), count);
        Ok(Page { cursor, items: places.filter_map(|i| set.get_index(i)).map(copy).collect() })
    }
}
