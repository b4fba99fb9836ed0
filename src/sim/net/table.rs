//! The connections of a server, by number.
//!
//! Numbers count up and are never used again. As long as no connection has ended, the place of a
//! connection in the table is its number, so that is where it is looked for first.

use crate::sim::kernel::id::NodeId;
use crate::sim::net::conn::Conn;
use crate::sim::service::contract::Service;
use crate::sort::sort_by_key;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::BTreeSet;

/// Every connection that one of its ends still knows.
pub(crate) struct Connections<S: Service> {
    /// A table has room for more than it holds, so its places are small.
    by_number: IndexMap<u32, Box<Conn<S>>, FxBuildHasher>,
    /// The same connections, by node, so that the end of a process costs what it owns.
    by_node: BTreeSet<(NodeId, u32)>,
}

impl<S: Service> Default for Connections<S> {
    fn default() -> Connections<S> {
        Connections { by_number: IndexMap::default(), by_node: BTreeSet::new() }
    }
}

impl<S: Service> Connections<S> {
    pub(crate) fn get(&self, number: u32) -> Option<&Conn<S>> {
        match self.by_number.get_index(number as usize) {
            Some((found, conn)) if *found == number => Some(conn),
            _ => self.by_number.get(&number).map(Box::as_ref),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Conn<S>> {
        let place = number as usize;
        let is_there = self.by_number.get_index(place).is_some_and(|(found, _)| *found == number);
        if is_there {
            return self.by_number.get_index_mut(place).map(|(_, conn)| &mut **conn);
        }
        self.by_number.get_mut(&number).map(Box::as_mut)
    }

    pub(crate) fn add(&mut self, number: u32, conn: Conn<S>) {
        self.by_node.insert((conn.node, number));
        self.by_number.insert(number, Box::new(conn));
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<Box<Conn<S>>> {
        let conn = self.by_number.swap_remove(&number)?;
        self.by_node.remove(&(conn.node, number));
        Some(conn)
    }

    /// Returns the connections of a node, which are those of its link, in their order.
    pub(crate) fn of_node(&self, node: NodeId) -> Vec<u32> {
        let theirs = self.by_node.range((node, 0)..=(node, u32::MAX)).map(|(_, number)| *number);
        let mut theirs: Vec<u32> = theirs.collect();
        sort_by_key(&mut theirs, |number| self.by_number.get_index_of(number));
        theirs
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Conn<S>)> {
        self.by_number.iter().map(|(number, conn)| (*number, &**conn))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Conn<S>> {
        self.by_number.values_mut().map(Box::as_mut)
    }

    /// Every connection is found by its node, and nothing else is.
    pub(crate) fn is_consistent(&self) -> bool {
        let by_node = self.iter().map(|(number, conn)| (conn.node, number)).collect();
        self.by_node == by_node
    }
}
