//! The network: the state of every link between a node and a service.
//!
//! A link comes to be when it is first used or asked for, and stays. What is in
//! flight on it lies with the connections; here is only how it treats them.

use crate::sim::kernel::id::{LinkId, NodeId};
use crate::sim::net::latency::Latency;
use crate::sim::net::path::Path;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// What the world knows of a link.
#[derive(Debug)]
pub(crate) struct LinkState {
    pub(crate) latency: Latency,
    pub(crate) node: NodeId,
    pub(crate) service: u32,
    pub(crate) path: Arc<Path>,
    /// How often its connections were severed or forgotten: a connection belongs to the time
    /// before or after each.
    pub(crate) era: u32,
    /// How many connections were begun on it.
    pub(crate) begun: u32,
    /// How many messages were sent on it, in either direction.
    pub(crate) sent: u64,
    /// What is to be done at which of them: the action's slot.
    pub(crate) triggers: Vec<(u64, u32)>,
}

impl LinkState {
    /// Begins a new era; its number.
    pub(crate) fn next_era(&mut self) -> u32 {
        self.era += 1;
        self.era
    }

    /// What choices call the link: by what it connects, so that the choices of
    /// one do not depend on which others are used.
    pub(crate) fn entity(&self) -> u64 {
        u64::from(self.node.0) << 32 | u64::from(self.service)
    }
}

/// Every link that was used or asked for.
#[derive(Debug)]
pub(crate) struct Links {
    links: IndexMap<(NodeId, u32), LinkState, FxBuildHasher>,
    /// What a link's latency is until it is set.
    latency: Latency,
}

impl Links {
    pub(crate) fn new(latency: Latency) -> Links {
        Links { links: IndexMap::default(), latency }
    }

    pub(crate) fn between(&mut self, node: NodeId, service: u32) -> LinkId {
        let latency = self.latency;
        let entry = self.links.entry((node, service));
        let id = LinkId(u32::try_from(entry.index()).expect("fewer than 2^32 links"));
        entry.or_insert_with(|| LinkState {
            latency,
            node,
            service,
            path: Arc::default(),
            era: 0,
            begun: 0,
            sent: 0,
            triggers: Vec::new(),
        });
        id
    }
}

impl Index<LinkId> for Links {
    type Output = LinkState;

    fn index(&self, id: LinkId) -> &LinkState {
        &self.links[id.0 as usize]
    }
}

impl IndexMut<LinkId> for Links {
    fn index_mut(&mut self, id: LinkId) -> &mut LinkState {
        &mut self.links[id.0 as usize]
    }
}
