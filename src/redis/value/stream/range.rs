//! Ranges of a stream's entries, forwards and backwards.
//!
//! Source: `t_stream.c` (`streamIteratorGetID`).

use super::node::{Entry, Node, Placed};
use super::{Nodes, Stream, StreamId};
use std::collections::btree_map;
use std::ops::Bound;

/// Entries in order of their ids; see [`Stream::range`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    nodes: btree_map::Range<'a, StreamId, Node>,
    /// The node at hand, and the position of the next entry.
    here: Option<(StreamId, &'a Node, usize)>,
    from: StreamId,
    to: StreamId,
}

/// Entries in reverse order of their ids; see [`Stream::range_back`].
#[derive(Clone, Debug)]
pub struct EntriesBack<'a> {
    nodes: btree_map::Range<'a, StreamId, Node>,
    /// The node at hand, and the position after the next entry.
    here: Option<(StreamId, &'a Node, usize)>,
    from: StreamId,
    to: StreamId,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        self.next_placed().map(|(_, placed)| placed.entry)
    }
}

impl<'a> Entries<'a> {
    /// Returns the next entry with its place, and its node.
    pub(super) fn next_placed(&mut self) -> Option<(StreamId, Placed<'a>)> {
        loop {
            let (id, node, mut at) = match self.here.take() {
                Some(here) => here,
                None => {
                    let (id, node) = self.nodes.next()?;
                    (*id, node, node.entries())
                }
            };
            let master = node.master();
            while let Some(placed) = node.at(id, master, at) {
                at = placed.end;
                if placed.entry.id() >= self.from && !placed.deleted {
                    self.here = Some((id, node, at));
                    return (placed.entry.id() <= self.to).then_some((id, placed));
                }
            }
        }
    }
}

impl<'a> Iterator for EntriesBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (id, node, mut at) = match self.here.take() {
                Some(here) => here,
                None => {
                    let (id, node) = self.nodes.next_back()?;
                    (*id, node, node.end())
                }
            };
            let master = node.master();
            while let Some(placed) = node.before(id, master, at) {
                at = placed.start;
                if placed.entry.id() <= self.to && !placed.deleted {
                    self.here = Some((id, node, at));
                    return (placed.entry.id() >= self.from).then_some(placed.entry);
                }
            }
        }
    }
}

/// Returns the entries from an id to another, both included.
///
/// An entry usually lies in the last node that begins before it. If ids were set back, it may lie
/// in a node that begins after it.
pub(super) fn between(nodes: &Nodes, from: StreamId, to: StreamId) -> Entries<'_> {
    let first = nodes.range(..=from).next_back();
    let nodes = nodes.range(first.map_or(StreamId::MIN, |(id, _)| *id)..);
    Entries { nodes, here: None, from, to }
}

/// Returns the entries from a position relative to the first entry of a node on, or from an id on
/// if that node is gone.
pub(super) fn after(nodes: &Nodes, node: StreamId, offset: usize, from: StreamId) -> Entries<'_> {
    let to = StreamId::MAX;
    let Some(here) = nodes.get(&node) else { return between(nodes, from, to) };
    let nodes = nodes.range((Bound::Excluded(node), Bound::Unbounded));
    Entries { nodes, here: Some((node, here, here.entries() + offset)), from, to }
}

impl Stream {
    /// Returns the entries from an id to another, both included.
    #[must_use]
    pub fn range(&self, from: StreamId, to: StreamId) -> Entries<'_> {
        between(&self.nodes, from, to)
    }

    /// Returns the entries from an id to another, both included, in reverse order.
    #[must_use]
    pub fn range_back(&self, from: StreamId, to: StreamId) -> EntriesBack<'_> {
        let last = self.nodes.range(..=to).next_back();
        let nodes = self.nodes.range(..=last.map_or(StreamId::MAX, |(id, _)| *id));
        EntriesBack { nodes, here: None, from, to }
    }

    /// Returns the entry of this id.
    #[must_use]
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }
}
