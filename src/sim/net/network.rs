//! The network: the state of every link between a node and a service.
//!
//! A link is created when it is first used or asked for, and stays. What is in flight on it belongs
//! to the connections; the state here only says how the link treats it.

use crate::choice::Place;
use crate::sim::kernel::id::{LinkId, NodeId};
use crate::sim::net::latency::Latency;
use crate::sim::net::path::Path;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// The state of a link.
#[derive(Debug)]
pub(crate) struct LinkState {
    pub(crate) latency: Latency,
    pub(crate) node: NodeId,
    pub(crate) service: u32,
    pub(crate) path: Arc<Path>,
    /// How many times its connections were severed or forgotten. A connection belongs to the era in
    /// which it began.
    pub(crate) era: u32,
    /// The number of connections begun on it.
    pub(crate) begun: u32,
    /// Where its choices are found among those of the world.
    pub(crate) latency_place: Place,
    pub(crate) tie_place: Place,
    /// The number of messages sent on it, in either direction.
    pub(crate) sent: u64,
    /// The actions to run at a message: its number, and the action's slot.
    pub(crate) triggers: Vec<(u64, u32)>,
}

impl LinkState {
    /// Begins a new era, and returns its number.
    pub(crate) fn next_era(&mut self) -> u32 {
        self.era += 1;
        self.era
    }

    /// Returns the link's entity in choices. It is made from the two ends, so a link's choices do
    /// not depend on which other links are used.
    pub(crate) fn entity(&self) -> u64 {
        u64::from(self.node.0) << 32 | u64::from(self.service)
    }
}

/// Every link that was used or asked for.
#[derive(Debug)]
pub(crate) struct Links {
    links: IndexMap<(NodeId, u32), LinkState, FxBuildHasher>,
    /// The latency of a link until it is set.
    latency: Latency,
    /// The names of the services, by number.
    services: Vec<Arc<str>>,
}

impl Links {
    pub(crate) fn new(latency: Latency) -> Links {
        Links { links: IndexMap::default(), latency, services: Vec::new() }
    }

    /// Adds the next service's name.
    pub(crate) fn name_service(&mut self, name: &Arc<str>) {
        self.services.push(Arc::clone(name));
    }

    /// Returns a service's name.
    pub(crate) fn service(&self, number: u32) -> &Arc<str> {
        &self.services[number as usize]
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
            latency_place: Place::default(),
            tie_place: Place::default(),
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
