//! Fanout exchanges: every message to every queue bound.

use super::{Binding, Router, Targets, add_target, remove_target};
use crate::rabbitmq::queue::QueueKey;
use crate::rabbitmq::table::FieldTable;

/// The queues bound, whatever their keys.
#[derive(Debug, Default)]
pub(super) struct Fanout {
    targets: Targets,
}

impl Router for Fanout {
    fn bind(&mut self, binding: &Binding) {
        add_target(&mut self.targets, binding.queue);
    }

    fn unbind(&mut self, binding: &Binding) {
        remove_target(&mut self.targets, binding.queue);
    }

    fn route(&mut self, _: &str, _: Option<&FieldTable>, into: &mut Vec<QueueKey>) {
        into.extend(self.targets.keys());
    }
}
