//! The network: the state of every link between a node and a service.
//!
//! A link is created when it is first used or asked for, and stays. What is in flight on it belongs
//! to the connections; the state here only says how the link treats it.

use crate::choice::Place;
use crate::sim::kernel::id::{LinkId, NodeId};
use crate::sim::net::latency::Latency;
use crate::sim::net::path::Path;
use indexmap::IndexMap;
use indexmap::map::Entry;
use rustc_hash::FxBuildHasher;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// The state of a link.
#[derive(Debug)]
pub(crate) struct LinkState {
    pub(crate) latency: Latency,
    /// The latency that the test has set, while a fault of a plan has set another.
    pub(crate) own_latency: Option<Latency>,
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
    /// What waits for a message on it; mostly nothing.
    pub(crate) triggers: Option<Box<Triggers>>,
}

/// The messages at which faults may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Those of a node.
    Node(NodeId),
    /// Those of a service.
    Service(u32),
    /// Those of a link.
    Link(LinkId),
}

/// What waits for messages on a link.
#[derive(Debug, Default)]
pub(crate) struct Triggers {
    /// The actions to run at a message: its number, and the action's slot.
    pub(crate) actions: Vec<(u64, u32)>,
    /// Whether a fault of the world's plan may strike at any message.
    pub(crate) is_watched: bool,
    /// Where the choices of these faults are found among those of the world.
    pub(crate) strike_place: Place,
}

impl Triggers {
    /// Returns the actions that are due at this message.
    pub(crate) fn due(&mut self, sent: u64) -> impl Iterator<Item = u32> {
        self.actions.extract_if(.., move |(at, _)| *at <= sent).map(|(_, action)| action)
    }
}

impl LinkState {
    /// Begins a new era, and returns its number.
    pub(crate) fn next_era(&mut self) -> u32 {
        self.era += 1;
        self.era
    }

    /// Returns what waits for messages on it.
    pub(crate) fn triggers(&mut self) -> &mut Triggers {
        self.triggers.get_or_insert_default()
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
    /// The links at whose messages faults may strike.
    watches: Vec<Watch>,
}

impl Links {
    pub(crate) fn new(latency: Latency) -> Links {
        Links { links: IndexMap::default(), latency, services: Vec::new(), watches: Vec::new() }
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
        let is_new = matches!(entry, Entry::Vacant(_));
        let id = LinkId(u32::try_from(entry.index()).expect("fewer than 2^32 links"));
        entry.or_insert_with(|| LinkState {
            latency,
            own_latency: None,
            node,
            service,
            path: Arc::default(),
            era: 0,
            begun: 0,
            latency_place: Place::default(),
            tie_place: Place::default(),
            sent: 0,
            triggers: None,
        });
        if is_new && !self.watches.is_empty() {
            self.watch_one(id);
        }
        id
    }

    /// Watches these links, those of these nodes and services that are yet to come, and no others.
    pub(crate) fn watch(&mut self, watches: &[Watch]) {
        self.watches = watches.to_vec();
        for id in 0..self.links.len() {
            self.watch_one(LinkId(u32::try_from(id).expect("fewer than 2^32 links")));
        }
    }

    fn watch_one(&mut self, id: LinkId) {
        let state = &mut self.links[id.0 as usize];
        let of_it = |watch: &Watch| match watch {
            Watch::Node(node) => *node == state.node,
            Watch::Service(service) => *service == state.service,
            Watch::Link(link) => *link == id,
        };
        let is_watched = self.watches.iter().any(of_it);
        if is_watched || state.triggers.is_some() {
            state.triggers().is_watched = is_watched;
        }
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
