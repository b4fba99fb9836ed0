//! Direct exchanges: the binding's key is the message's.

use super::{Binding, Router, Targets, add_target, remove_target};
use crate::rabbitmq::queue::QueueKey;
use crate::rabbitmq::table::FieldTable;
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
        add_target(targets, binding.queue);
    }

    fn unbind(&mut self, binding: &Binding) {
        if let Some(targets) = self.by_key.get_mut(&binding.routing_key)
            && remove_target(targets, binding.queue)
        {
            self.by_key.swap_remove(&binding.routing_key);
        }
    }

    fn route(&mut self, routing_key: &str, _: Option<&FieldTable>, into: &mut Vec<QueueKey>) {
        if let Some(targets) = self.by_key.get(routing_key) {
            into.extend(targets.keys());
        }
    }
}
