//! The network: the state of every link between a node and a service.
//!
//! A link comes to be when it is first used or asked for, and stays. What is in
//! flight on it lies with the connections; here is only how it treats them.

use super::id::{LinkId, NodeId};
use super::latency::Latency;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What the world knows of a link.
#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) latency: Latency,
    pub(super) node: NodeId,
    pub(super) service: u32,
    pub(super) partitioned: Arc<AtomicBool>,
    /// How often it was severed: a connection belongs to the time before or
    /// after each.
    pub(super) era: u32,
}

impl LinkState {
    /// What choices call the link: by what it connects, so that the choices of
    /// one do not depend on which others are used.
    pub(super) fn entity(&self) -> u64 {
        u64::from(self.node.0) << 32 | u64::from(self.service)
    }
}

/// Every link that was used or asked for.
#[derive(Debug, Default)]
pub(super) struct Links(IndexMap<(NodeId, u32), LinkState, FxBuildHasher>);

impl Links {
    pub(super) fn between(&mut self, node: NodeId, service: u32) -> LinkId {
        let entry = self.0.entry((node, service));
        let id = LinkId(u32::try_from(entry.index()).expect("fewer than 2^32 links"));
        entry.or_insert_with(|| LinkState {
            latency: Latency::Constant(Duration::ZERO),
            node,
            service,
            partitioned: Arc::default(),
            era: 0,
        });
        id
    }
}

impl Index<LinkId> for Links {
    type Output = LinkState;

    fn index(&self, id: LinkId) -> &LinkState {
        &self.0[id.0 as usize]
    }
}

impl IndexMut<LinkId> for Links {
    fn index_mut(&mut self, id: LinkId) -> &mut LinkState {
        &mut self.0[id.0 as usize]
    }
}
