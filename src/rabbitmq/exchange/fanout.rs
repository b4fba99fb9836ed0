//! Fanout exchanges: every message goes to every bound queue.

use super::{Binding, Destination, Router, Targets, add_target, remove_target};
use crate::rabbitmq::protocol::properties::Properties;

/// The bound queues, whatever their keys.
#[derive(Debug, Default)]
pub(super) struct Fanout {
    targets: Targets,
}

impl Router for Fanout {
    fn bind(&mut self, binding: &Binding) {
        add_target(&mut self.targets, binding.destination);
    }

    fn unbind(&mut self, binding: &Binding) {
        remove_target(&mut self.targets, binding.destination);
    }

    fn route(&mut self, _: &str, _: &Properties, into: &mut Vec<Destination>) {
        into.extend(self.targets.keys());
    }
}
