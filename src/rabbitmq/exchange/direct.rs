//! Direct exchanges: the routing keys of the binding and of the message are equal.

use super::{Binding, Destination, Router, Targets, add_target, remove_target};
use crate::rabbitmq::protocol::properties::Properties;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;

/// The queues of each routing key.
#[derive(Debug, Default)]
pub(super) struct Direct {
    by_key: IndexMap<SmolStr, Targets, FxBuildHasher>,
}

impl Router for Direct {
    fn bind(&mut self, binding: &Binding) {
        let targets = self.by_key.entry(binding.routing_key.clone()).or_default();
        add_target(targets, binding.destination);
    }

    fn unbind(&mut self, binding: &Binding) {
        if let Some(targets) = self.by_key.get_mut(&binding.routing_key)
            && remove_target(targets, binding.destination)
        {
            self.by_key.swap_remove(&binding.routing_key);
        }
    }

    fn route(&mut self, routing_key: &str, _: &Properties, into: &mut Vec<Destination>) {
        if let Some(targets) = self.by_key.get(routing_key) {
            into.extend(targets.keys());
        }
    }
}
