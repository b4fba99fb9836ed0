//! Ranges of a stream's entries, forwards and backwards.
//!
//! Source: `t_stream.c` (`streamIteratorGetID`).

use super::node::{Entry, Master, Node, Placed};
use super::{Nodes, Stream, StreamId};
use std::ops::Bound;

/// A position in a node.
#[derive(Clone, Copy, Debug)]
struct Here<'a> {
    id: StreamId,
    node: &'a Node,
    master: Master,
    at: usize,
}

/// Entries in order of their ids; see [`Stream::range`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    nodes: &'a Nodes,
    /// Where the next entry lies.
    here: Option<Here<'a>>,
    from: StreamId,
    to: StreamId,
}

/// Entries in reverse order of their ids; see [`Stream::range_back`].
#[derive(Clone, Debug)]
pub struct EntriesBack<'a> {
    nodes: &'a Nodes,
    /// Where the entry before the next one lies.
    here: Option<Here<'a>>,
    from: StreamId,
    to: StreamId,
}

impl<'a> Here<'a> {
    fn first_of((id, node): (&StreamId, &'a Node)) -> Here<'a> {
        Here { id: *id, node, master: node.master(), at: node.entries() }
    }

    fn end_of((id, node): (&StreamId, &'a Node)) -> Here<'a> {
        Here { id: *id, node, master: node.master(), at: node.end() }
    }
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
            let here = self.here.as_mut()?;
            while let Some(placed) = here.node.at(here.id, here.master, here.at) {
                here.at = placed.end;
                if placed.entry.id() >= self.from && !placed.deleted {
                    return (placed.entry.id() <= self.to).then_some((here.id, placed));
                }
            }
            let further = (Bound::Excluded(here.id), Bound::Unbounded);
            self.here = self.nodes.range(further).next().map(Here::first_of);
        }
    }

    /// Returns where the next entry lies: a node, and a position in it as [`after`] takes it.
    pub(super) fn place(&self) -> Option<(StreamId, usize)> {
        self.here.map(|here| (here.id, here.at - here.master.names))
    }
}

impl<'a> Iterator for EntriesBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let here = self.here.as_mut()?;
            while let Some(placed) = here.node.before(here.id, here.master, here.at) {
                here.at = placed.start;
                if placed.entry.id() <= self.to && !placed.deleted {
                    return (placed.entry.id() >= self.from).then_some(placed.entry);
                }
            }
            self.here = self.nodes.range(..here.id).next_back().map(Here::end_of);
        }
    }
}

/// Returns the entries from an id to another, both included.
///
/// An entry usually lies in the last node that begins before it. If ids were set back, it may lie
/// in a node that begins after it.
pub(super) fn between(nodes: &Nodes, from: StreamId, to: StreamId) -> Entries<'_> {
    let first = nodes.range(..=from).next_back().or_else(|| nodes.first_key_value());
    Entries { nodes, here: first.map(Here::first_of), from, to }
}

/// Returns the entries from a position in a node on, or from an id on if that node is gone. The
/// position is relative to the first name in the master entry.
pub(super) fn after(nodes: &Nodes, node: StreamId, offset: usize, from: StreamId) -> Entries<'_> {
    let to = StreamId::MAX;
    let Some(here) = nodes.get(&node) else { return between(nodes, from, to) };
    let master = here.master();
    let here = Some(Here { id: node, node: here, master, at: master.names + offset });
    Entries { nodes, here, from, to }
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
        let nodes = &self.nodes;
        let last = nodes.range(..=to).next_back().or_else(|| nodes.last_key_value());
        EntriesBack { nodes, here: last.map(Here::end_of), from, to }
    }

    /// Returns the entry of this id.
    #[must_use]
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }
}
