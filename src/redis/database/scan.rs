//! Scanning: walking a database or a collection in pages, without state between the calls.
//!
//! A cursor is the number of places that are still to be walked. It goes downwards; 0 begins and
//! ends a scan. Elements only move from the end, which was walked already, to a lower place. So an
//! element that exists throughout is returned at least once, whatever else is added, removed or
//! renamed; one that moves may be returned twice. A call walks at most `count` places.
//!
//! A collection in a compact encoding is returned whole, as by Redis. For the others, Redis's pages
//! have about `count` elements, and few or none where a table is sparse. A server can be configured
//! to draw the number of places
//! ([`ServerOptions::with_uneven_pages`](crate::redis::ServerOptions::with_uneven_pages)).
//!
//! Source: <https://redis.io/commands/scan/>; the real server's cursors differ.

use super::Database;
use crate::choice::Stream;
use crate::redis::error::CommandError;
use crate::redis::value::{
    Hash, HashEncoding, Sds, Set, SetEncoding, SortedSet, SortedSetEncoding,
};

/// A page of a scan: the next cursor, 0 at the end, and the elements.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page<T> {
    /// The cursor for the next call.
    pub cursor: u64,
    /// The elements at the places that were walked.
    pub items: Vec<T>,
}

/// Set in the cursor of every other empty page, so that consecutive cursors differ.
const AGAIN: u64 = 1 << 63;

/// Returns the places that a call walks, from the highest down, and the next cursor.
fn places(cursor: u64, len: usize, count: usize) -> (impl Iterator<Item = usize>, u64) {
    let end = match cursor & !AGAIN {
        0 => len,
        cursor => usize::try_from(cursor).unwrap_or(usize::MAX).min(len),
    };
    let start = end.saturating_sub(count);
    let again = if start == end && start > 0 { !cursor & AGAIN } else { 0 };
    ((start..end).rev(), start as u64 | again)
}

/// The number of places that a call walks: its `COUNT`, or a draw around it.
pub(crate) struct PageSize<'a> {
    pub(crate) count: usize,
    /// The stream to draw from, if the number is drawn.
    pub(crate) random: Option<&'a mut Stream>,
}

impl PageSize<'_> {
    /// Draws from 0 up to twice `COUNT`. The calm choice is `COUNT` itself.
    fn draw(self) -> usize {
        let PageSize { count, random: Some(random) } = self else { return self.count };
        let most = count.saturating_mul(2).min(usize::MAX - 1);
        let size = |drawn: u64| match drawn as usize {
            0 => count,
            drawn if drawn <= count => drawn - 1,
            drawn => drawn,
        };
        let told = |drawn| format!("looked at {} places for COUNT {count}", size(drawn));
        size(random.choose_told(most as u64 + 1, told))
    }
}

pub(crate) fn hash_page(hash: &Hash, cursor: u64, size: PageSize<'_>) -> Page<(Sds, Sds)> {
    let copy = |(field, value): (&Sds, &Sds)| (field.clone(), value.clone());
    if hash.encoding() != HashEncoding::Hashtable {
        return Page { cursor: 0, items: hash.iter().map(copy).collect() };
    }
    let (places, cursor) = places(cursor, hash.len(), size.draw());
    Page { cursor, items: places.filter_map(|i| hash.get_index(i)).map(copy).collect() }
}

pub(crate) fn set_page(set: &Set, cursor: u64, size: PageSize<'_>) -> Page<Sds> {
    if set.encoding() != SetEncoding::Hashtable {
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

/// Returns a fixed number of places, at least one, so that the scan continues.
fn exactly(count: usize) -> PageSize<'static> {
    PageSize { count: count.max(1), random: None }
}

impl Database {
    /// `SCAN`: returns keys, walking up to `count` places.
    pub fn scan(&mut self, cursor: u64, count: usize) -> Page<Sds> {
        self.scan_matching(cursor, exactly(count), |_| true, None)
    }

    /// `SCAN` with `MATCH` and `TYPE`, checked in this order. A matching name is looked up if a
    /// type is requested, and removed if it has expired. 8.2 removes all expired ones.
    pub(crate) fn scan_matching(
        &mut self,
        cursor: u64,
        size: PageSize<'_>,
        passes: impl Fn(&[u8]) -> bool,
        kind: Option<&[u8]>,
    ) -> Page<Sds> {
        let (places, cursor) = places(cursor, self.len(), size.draw());
        let rules = self.profile.scan;
        let names = places.map(|slot| &self.keyspace.entry(slot as u32).key);
        let walked = names.filter(|name| rules.expires_unmatched || passes(name));
        let mut items: Vec<Sds> = walked.cloned().collect();
        items.retain(|name| {
            if rules.expires_first && self.expire_if_needed(name) {
                return false;
            }
            if rules.expires_unmatched && !passes(name) {
                return false;
            }
            // As on the server, a key that expires by this look-up has the type "none", and is
            // listed.
            let of_type = kind.is_none_or(|kind| {
                let found = if rules.counts_types { self.look(name) } else { self.peek(name) };
                let found = found.map_or("none", |entry| entry.value.type_name());
                found.as_bytes().eq_ignore_ascii_case(kind)
            });
            of_type && (rules.expires_first || !self.expire_if_needed(name))
        });
        Page { cursor, items }
    }

    /// `HSCAN`: returns fields with their values.
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
        let (now, hash) = self.live_hash(key, &[])?;
        let Some(hash) = hash else { return Ok(Page::default()) };
        let mut page = hash_page(hash, cursor, exactly(count));
        page.items.retain(|(field, _)| !hash.is_due(field, now));
        Ok(page)
    }

    /// `SSCAN`: returns members.
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

    /// `ZSCAN`: returns members with their scores.
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
