//! Streams: entries with fields, in order of their ids, and the groups of consumers that read them.
//!
//! Entries lie in nodes: as many as `stream-node-max-entries` and `stream-node-max-bytes`
//! allow, packed into the bytes that Redis packs them into. This is observable. An approximate trim
//! removes only whole nodes, `XINFO STREAM` counts them, and a dump contains them. A node that has
//! lost all its entries by `XDEL` is removed; one that has lost them by a trim may remain.
//!
//! The counters are those of Redis: how many entries there are, how many were ever added, the first
//! id, the last one ever, and the greatest that was deleted. From these Redis estimates how many
//! entries a group has not read yet ([`Stream::lag`]).
//!
//! Source: `stream.h`, `t_stream.c`.

mod claim;
mod group;
mod id;
mod node;
mod producers;
pub(crate) mod radix;
mod range;
mod read;
mod references;
mod trim;

pub use crate::redis::value::listpack::Element;
pub use claim::{AutoClaim, AutoClaimed, Claim, Claimed, Redelivery};
pub use group::{Consumer, Group, Pending};
pub use id::StreamId;
pub use node::{Entry, StreamEntry};
pub(crate) use producers::name_of_content;
pub use producers::{ProducerLimits, Producers};
pub use range::{Entries, EntriesBack};
pub use read::{ClaimedEntry, Delivery};
pub use references::{Deletion, References};
pub use trim::{Trim, TrimTo};

use super::Sds;
use crate::invariant::ensure;
use node::Node;
use std::collections::BTreeMap;

/// The sizes up to which a node of a stream grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Greatest number of bytes (`stream-node-max-bytes`); 0 is unlimited.
    pub max_bytes: u64,
    /// Greatest number of entries, deleted ones included (`stream-node-max-entries`); 0 is
    /// unlimited.
    pub max_entries: u64,
}

/// Redis's defaults.
impl Default for StreamLimits {
    fn default() -> StreamLimits {
        StreamLimits { max_bytes: 4_096, max_entries: 100 }
    }
}

/// No node, and no entry, grows beyond this.
const LARGEST: u64 = 1 << 30;

/// The counters of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounters {
    /// Number of entries.
    pub length: u64,
    /// Number of entries that were ever added.
    pub entries_added: u64,
    /// Id of the first entry, `0-0` if there is none.
    pub first_id: StreamId,
    /// Id of the last entry that was ever added, or a greater one that was set.
    pub last_id: StreamId,
    /// The greatest id that was deleted by `XDEL`, or one that was set.
    pub max_deleted_id: StreamId,
}

/// How a server counts what a group has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadCounting {
    /// The count goes on from where the group stands, if it stands within the stream, and not from
    /// the entry that it reads.
    pub(crate) from_position: bool,
    /// Deleted entries before the first one are gaps, too.
    pub(crate) minds_early_gaps: bool,
}

impl StreamCounters {
    /// Returns whether an entry was deleted between an id and the end, as far as Redis knows.
    fn has_gap_after(&self, id: StreamId, counting: ReadCounting) -> bool {
        self.length > 0
            && self.max_deleted_id != StreamId::MIN
            && (counting.minds_early_gaps || self.first_id <= self.max_deleted_id)
            && id <= self.max_deleted_id
    }

    /// Returns how many entries a group has read that stood at an id and has read the entry `id`.
    fn count_read(
        &self,
        counting: ReadCounting,
        (at, read): (StreamId, Option<i64>),
        id: StreamId,
    ) -> Option<i64> {
        let from = if counting.from_position { at } else { id };
        let goes_on = !counting.from_position || at >= self.first_id;
        match read {
            Some(read) if goes_on && !self.has_gap_after(from, counting) => {
                Some(read.wrapping_add(1))
            }
            read if self.entries_added == 0 => read,
            _ => self.entries_up_to(id, counting),
        }
    }

    /// Returns how many entries were ever added up to this id, if that can be told.
    pub(crate) fn entries_up_to(&self, id: StreamId, counting: ReadCounting) -> Option<i64> {
        let added = self.entries_added as i64;
        if self.entries_added == 0 {
            return Some(0);
        }
        if id == self.last_id || (self.length == 0 && id < self.last_id) {
            return Some(added);
        }
        if counting.minds_early_gaps && id != StreamId::MIN && id < self.max_deleted_id {
            return None;
        }
        let is_whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        let before = added.wrapping_sub(self.length as i64);
        if id > self.last_id || !is_whole {
            None
        } else if id < self.first_id {
            Some(before)
        } else {
            (id == self.first_id).then_some(before.wrapping_add(1))
        }
    }
}

/// The nodes by their ids. An id is that of a node's first entry, deleted or not.
type Nodes = BTreeMap<StreamId, Node>;

/// A stream; see the module.
///
/// ```
/// use stunt_double::redis::value::{Stream, StreamId, StreamLimits};
///
/// let mut stream = Stream::new();
/// let id = StreamId::new(1_000, 0);
/// stream.append(id, &[(b"event", b"click")], StreamLimits::default());
/// let entry = stream.get(id).unwrap().to_owned();
/// assert_eq!(entry.fields, [("event".into(), "click".into())]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stream {
    nodes: Nodes,
    counters: StreamCounters,
    groups: BTreeMap<Sds, Group>,
    /// The names that producers have given, if a stream knows any, or has settings of its own.
    producers: Option<Box<Producers>>,
    /// How often ids were set back, so that a bookmark may lead astray.
    setbacks: u64,
}

impl PartialEq for Stream {
    fn eq(&self, other: &Stream) -> bool {
        self.counters == other.counters
            && self.groups == other.groups
            && self.nodes == other.nodes
            && self.producers() == other.producers()
    }
}

impl Stream {
    /// Returns an empty stream.
    #[must_use]
    pub fn new() -> Stream {
        Stream::default()
    }

    /// Returns an empty stream that remembers so much of its producers.
    pub(crate) fn with_limits(limits: ProducerLimits) -> Stream {
        let usual = limits == ProducerLimits::default();
        let producers = (!usual).then(|| Box::new(Producers::new(limits)));
        Stream { producers, ..Stream::default() }
    }

    /// Returns what is known of the producers that may send again.
    #[must_use]
    pub fn producers(&self) -> &Producers {
        self.producers.as_deref().unwrap_or(&producers::NONE)
    }

    /// Sets what is known of the producers, as it was read from elsewhere.
    pub(crate) fn put_producers(&mut self, producers: Producers) {
        self.producers = (producers != producers::NONE).then(|| Box::new(producers));
    }

    /// Returns what is known of the producers, to be changed.
    pub(crate) fn producers_mut(&mut self) -> &mut Producers {
        self.producers.get_or_insert_default()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counters.length as usize
    }

    /// Returns whether there is no entry. An empty stream still has its counters and groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counters.length == 0
    }

    /// Returns the counters.
    #[must_use]
    pub fn counters(&self) -> StreamCounters {
        self.counters
    }

    /// Number of nodes: the keys of Redis's radix tree.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Number of the radix tree's own nodes in Redis. O(n) in the number of nodes.
    #[must_use]
    pub fn radix_nodes(&self) -> usize {
        radix::nodes(self.nodes.keys().copied())
    }

    /// Returns each node's id, and its entries in the bytes in which Redis stores them: a listpack.
    pub fn listpacks(&self) -> impl Iterator<Item = (StreamId, &[u8])> {
        self.nodes.iter().map(|(id, node)| (*id, node.as_bytes()))
    }

    /// Returns the stream of these nodes, as [`Stream::listpacks`] returns them, and counters.
    /// Returns `None` if Redis would not store a stream so. It has no groups.
    #[must_use]
    pub fn from_listpacks(
        nodes: impl IntoIterator<Item = (StreamId, Vec<u8>)>,
        counters: StreamCounters,
    ) -> Option<Stream> {
        let node = |(id, bytes)| Some((id, Node::from_bytes(bytes, id)?));
        let nodes = nodes.into_iter().map(node).collect::<Option<BTreeMap<_, _>>>()?;
        Some(Stream { nodes, counters, ..Stream::default() })
    }

    /// Adds a group that was read from elsewhere, or replaces the one of this name.
    pub fn put_group(&mut self, name: &[u8], group: Group) {
        self.groups.insert(Sds::new(name), group);
    }

    /// Returns the memory that each node takes in Redis, in order.
    pub(crate) fn allocations(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.nodes.values().map(Node::allocated)
    }

    /// Gives each node just the memory that it needs, as after a copy or when a stream was read
    /// from a snapshot.
    pub(crate) fn shrink(&mut self) {
        self.nodes.values_mut().for_each(Node::shrink);
    }

    /// Returns the id that an entry gets which is added without one, or `None` after the greatest.
    #[must_use]
    pub fn next_id(&self, now_ms: i64) -> Option<StreamId> {
        let now = u64::try_from(now_ms).unwrap_or(0);
        let last = self.counters.last_id;
        if now > last.ms { Some(StreamId::new(now, 0)) } else { last.next() }
    }

    /// Adds an entry, whose id must be greater than any before. Returns whether it did: an id may
    /// be too small, and an entry too large.
    pub fn append(
        &mut self,
        id: StreamId,
        fields: &[(&[u8], &[u8])],
        limits: StreamLimits,
    ) -> bool {
        let size: u64 = fields.iter().map(|(f, v)| f.len() as u64 + v.len() as u64).sum();
        if id <= self.counters.last_id || size > LARGEST {
            return false;
        }
        let tail = self.nodes.last_entry().and_then(|mut tail| {
            let node = tail.get_mut();
            let max_bytes = if limits.max_bytes == 0 { LARGEST } else { limits.max_bytes };
            let is_full = node.len() as u64 + size >= max_bytes.min(LARGEST) || {
                let master = node.master();
                limits.max_entries > 0
                    && (master.live + master.deleted) as u64 >= limits.max_entries
            };
            if is_full {
                node.close();
            }
            (!is_full).then_some(tail)
        });
        match tail {
            Some(mut tail) => {
                let node = *tail.key();
                tail.get_mut().append(node, id, fields);
            }
            None => {
                let mut node = Node::new(fields, limits.max_bytes);
                node.append(id, id, fields);
                self.nodes.insert(id, node);
            }
        }
        let counters = &mut self.counters;
        counters.length += 1;
        counters.entries_added = counters.entries_added.wrapping_add(1);
        counters.last_id = id;
        if counters.length == 1 {
            counters.first_id = id;
        }
        true
    }

    /// Marks an entry as deleted. Returns whether there was one.
    fn remove(&mut self, id: StreamId) -> bool {
        let found = self.range(id, id).next_placed().map(|(node, placed)| (node, placed.start));
        let Some((id, start)) = found else { return false };
        let node = self.nodes.get_mut(&id).expect("the entry was found in this node");
        if node.master().live == 1 {
            self.nodes.remove(&id);
        } else {
            node.mark_deleted(&[start]);
        }
        self.counters.length -= 1;
        true
    }

    /// `XDEL`: deletes entries. Returns how many there were.
    pub fn delete(&mut self, ids: &[StreamId]) -> usize {
        let (mut deleted, mut first) = (0, false);
        for id in ids {
            if self.remove(*id) {
                deleted += 1;
                first |= *id == self.counters.first_id;
                let greatest = &mut self.counters.max_deleted_id;
                *greatest = (*greatest).max(*id);
            }
        }
        if deleted > 0 && self.is_empty() {
            self.counters.first_id = StreamId::MIN;
        } else if first {
            self.counters.first_id = self.first_live_id();
        }
        deleted
    }

    /// Returns the id of the first entry, or the greatest id if there is none.
    fn first_live_id(&self) -> StreamId {
        let first = self.range(StreamId::MIN, StreamId::MAX).next();
        first.map_or(StreamId::MAX, |entry| entry.id())
    }

    /// Returns the id of the last entry, or `0-0` if there is none.
    #[must_use]
    pub fn last_entry_id(&self) -> StreamId {
        let last = self.range_back(StreamId::MIN, StreamId::MAX).next();
        last.map_or(StreamId::MIN, |entry| entry.id())
    }

    /// `XSETID`: sets the last id, and on request the other counters. The caller has checked them.
    pub fn set_id(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) {
        self.setbacks += u64::from(last_id < self.counters.last_id);
        self.counters.last_id = last_id;
        if let Some(entries_added) = entries_added {
            self.counters.entries_added = entries_added;
        }
        if let Some(id) = max_deleted_id {
            self.counters.max_deleted_id = id;
        }
    }

    /// Returns the groups in order of their names.
    #[must_use]
    pub fn groups(&self) -> &BTreeMap<Sds, Group> {
        &self.groups
    }

    /// Returns the group of this name.
    #[must_use]
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    /// Returns the group of this name, to be changed.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.get_mut(name)
    }

    /// Adds a group that has read up to this id. Returns whether it is new; one of this name stays
    /// as it is.
    pub fn add_group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<i64>) -> bool {
        let is_new = !self.groups.contains_key(name);
        if is_new {
            self.groups.insert(Sds::new(name), Group::new(last_id, entries_read));
        }
        is_new
    }

    /// Removes a group. Returns whether there was one.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        self.groups.remove(name).is_some()
    }

    /// Returns how many entries a group has not read yet, or `None` if that cannot be told because
    /// entries were deleted.
    #[must_use]
    pub fn lag(&self, group: &Group) -> Option<i64> {
        self.lag_by(group, ReadCounting::default())
    }

    pub(crate) fn lag_by(&self, group: &Group, counting: ReadCounting) -> Option<i64> {
        let added = self.counters.entries_added as i64;
        if self.counters.entries_added == 0 {
            return Some(0);
        }
        let has_gap = self.counters.has_gap_after(group.last_id(), counting);
        let known = group.entries_read().filter(|_| !has_gap);
        let read = known.or_else(|| self.counters.entries_up_to(group.last_id(), counting));
        read.map(|read| added.wrapping_sub(read))
    }

    /// Checks that nodes are well-formed and in order, that the length is right, and that pending
    /// entries belong to consumers. Returns what is wrong otherwise.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let mut length = 0;
        for (id, node) in &self.nodes {
            length += node.check(*id)? as u64;
            ensure(node.last(*id).is_some(), || format!("node {id} is empty"))?;
        }
        let counted = self.counters.length;
        ensure(length == counted, || format!("{length} entries, not {counted}"))?;
        self.producers().check_invariants()?;
        for (name, group) in &self.groups {
            group.check_invariants().map_err(|why| format!("group {name}: {why}"))?;
        }
        Ok(())
    }
}
