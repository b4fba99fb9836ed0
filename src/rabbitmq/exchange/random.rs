//! Random exchanges (`x-random`, `x-local-random`): each message goes to one of the bindings,
//! whatever their keys. The broker draws which one. For `x-modulus-hash` it chooses one by the hash
//! of the routing key.
//!
//! Every binding counts, so a queue that is bound twice is drawn twice as often.
//!
//! Source: the plugin `rabbitmq_random_exchange`.

use super::{Binding, Destination, Router};
use crate::rabbitmq::protocol::properties::Properties;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

#[derive(Debug, Default)]
pub(super) struct Random {
    bindings: IndexSet<Binding, FxBuildHasher>,
}

impl Router for Random {
    fn bind(&mut self, binding: &Binding) {
        self.bindings.insert(binding.clone());
    }

    fn unbind(&mut self, binding: &Binding) {
        self.bindings.shift_remove(binding);
    }

    fn route(&mut self, _: &str, _: &Properties, into: &mut Vec<Destination>) {
        into.extend(self.bindings.iter().map(|binding| binding.destination));
    }
}
