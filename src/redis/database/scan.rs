//! Scanning: walking a database or a collection in pieces, with no state between
//! the calls.
//!
//! A cursor is how many places are still to be walked; it goes downwards, and 0
//! begins and ends. Elements are only ever moved from the end, which is walked
//! already, to a lower place. So what is there from start to end is returned at
//! least once, whatever else comes, goes or is renamed; what is moved may be
//! returned twice. A call looks at no more than `count` places.
//!
//! A collection in a compact encoding is returned whole, as by Redis. Redis's pages of
//! the others have about `count` elements, few or none where a table has grown sparse;
//! a server may be set up to draw how many places a call looks at
//! ([`ServerOptions::with_uneven_pages`](crate::redis::ServerOptions::with_uneven_pages)).
//!
//! Source: <https://redis.io/commands/scan/>; the real server's cursors are other
//! numbers.

use super::Database;
use crate::choice::Stream;
use crate::redis::error::CommandError;
use crate::redis::value::{
    Hash, HashEncoding, Sds, Set, SetEncoding, SortedSet, SortedSetEncoding,
};

/// A piece of a scan: the cursor to go on with, 0 at the end, and what was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page<T> {
    /// For the next call.
    pub cursor: u64,
    /// What was at the places that were walked.
    pub items: Vec<T>,
}

/// Set in the cursor of every other empty page, so that no two in a row are the same.
const AGAIN: u64 = 1 << 63;

/// The places a call walks, from the highest down, and the next cursor.
fn places(cursor: u64, len: usize, count: usize) -> (impl Iterator<Item = usize>, u64) {
    let end = match cursor & !AGAIN {
        0 => len,
        cursor => usize::try_from(cursor).unwrap_or(usize::MAX).min(len),
    };
    let start = end.saturating_sub(count);
    let again = if start == end && start > 0 { !cursor & AGAIN } else { 0 };
    ((start..end).rev(), start as u64 | again)
}

/// How many places a call walks: as many as its `COUNT` says, or drawn around it.
pub(crate) struct PageSize<'a> {
    pub(crate) count: usize,
    /// Where to draw from, if it is drawn.
    pub(crate) random: Option<&'a mut Stream>,
}

impl PageSize<'_> {
    /// From none up to twice `COUNT`, calmly `COUNT` itself.
    fn draw(self) -> usize {
        let PageSize { count, random: Some(random) } = self else { return self.count };
        let most = count.saturating_mul(2).min(usize::MAX - 1);
        match random.choose(most as u64 + 1) as usize {
            0 => count,
            drawn if drawn <= count => drawn - 1,
            drawn => drawn,
        }
    }
}

pub(crate) fn hash_page(hash: &Hash, cursor: u64, size: PageSize<'_>) -> Page<(Sds, Sds)> {
    let copy = |(field, value): (&Sds, &Sds)| (field.clone(), value.clone());
    if hash.encoding() == HashEncoding::Listpack {
        return Page { cursor: 0, items: hash.iter().map(copy).collect() };
    }
    let (places, cursor) = places(cursor, hash.len(), size.draw());
    Page { cursor, items: places.filter_map(|i| hash.get_index(i)).map(copy).collect() }
}

pub(crate) fn set_page(set: &Set, cursor: u64, size: PageSize<'_>) -> Page<Sds> {
    if set.encoding() == SetEncoding::Intset {
        return Page { cursor: 0, items: set.iter().map(|member| member.into_owned()).collect() };
    }
    let (places, cursor) = places(cursor, set.len(), size.draw());
    let members = places.filter_map(|index| set.get_index(index));
    Page { cursor, items: members.map(|member| member.into_owned()).collect() }
}

pub(crate) fn sorted_set_page(
    set: &SortedSet,
    cursor: u64,
    size: PageSize<'_>,
) -> Page<(Sds, f64)> {
    let copy = |(member, score): (&Sds, f64)| (member.clone(), score);
    if set.encoding() == SortedSetEncoding::Listpack {
        return Page { cursor: 0, items: set.iter().map(copy).collect() };
    }
    let (places, cursor) = places(cursor, set.len(), size.draw());
    Page { cursor, items: places.filter_map(|i| set.get_index(i)).map(copy).collect() }
}

/// At least one place, so that the scan goes on.
fn exactly(count: usize) -> PageSize<'static> {
    PageSize { count: count.max(1), random: None }
}

impl Database {
    /// `SCAN`: keys, looking at up to `count` of them.
    pub fn scan(&mut self, cursor: u64, count: usize) -> Page<Sds> {
        self.scan_matching(cursor, exactly(count), |_| true, None)
    }

    /// `SCAN` with `MATCH` and `TYPE`, which are looked at in this order: a name that
    /// passes is looked up if a type is asked for, and removed if it has expired.
    pub(crate) fn scan_matching(
        &mut self,
        cursor: u64,
        size: PageSize<'_>,
        passes: impl Fn(&[u8]) -> bool,
        kind: Option<&[u8]>,
    ) -> Page<Sds> {
        let (places, cursor) = places(cursor, self.len(), size.draw());
        let names = places.map(|slot| &self.keyspace.entry(slot as u32).key);
        let mut items: Vec<Sds> = names.filter(|name| passes(name)).cloned().collect();
        items.retain(|name| {
            // As on the server, what the look removes is of the type "none", and is listed.
            let of_type = kind.is_none_or(|kind| {
                let found = self.look(name).map_or("none", |entry| entry.value.type_name());
                found.as_bytes().eq_ignore_ascii_case(kind)
            });
            of_type && !self.expire_if_needed(name)
        });
        Page { cursor, items }
    }

    /// `HSCAN`: fields with their values.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hscan(
        &mut self,
        key: &[u8],
        cursor: u64,
        count: usize,
    ) -> Result<Page<(Sds, Sds)>, CommandError> {
        let hash = self.read::<Hash>(key)?;
        Ok(hash.map_or_else(Page::default, |hash| hash_page(hash, cursor, exactly(count))))
    }

    /// `SSCAN`: members.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sscan(
        &mut self,
        key: &[u8],
        cursor: u64,
        count: usize,
    ) -> Result<Page<Sds>, CommandError> {
        let set = self.read::<Set>(key)?;
        Ok(set.map_or_else(Page::default, |set| set_page(set, cursor, exactly(count))))
    }

    /// `ZSCAN`: members with their scores.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zscan(
        &mut self,
        key: &[u8],
        cursor: u64,
        count: usize,
    ) -> Result<Page<(Sds, f64)>, CommandError> {
        let set = self.read::<SortedSet>(key)?;
        Ok(set.map_or_else(Page::default, |set| sorted_set_page(set, cursor, exactly(count))))
    }
}
