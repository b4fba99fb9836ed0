//! An exchange: bindings, and a router that answers which queues a message
//! goes to.
//!
//! A binding is identified by its queue, routing key and arguments; making one
//! twice makes one. Each exchange type keeps its own index over the bindings,
//! built for its own question ([`direct`], [`fanout`], [`topic`], [`headers`]),
//! behind the one interface [`Router`]. A router may name a queue several
//! times, or leave the order open; [`Exchange::route`] puts that right.
//!
//! Source: AMQP 0-9-1, section 3.1.3; <https://www.rabbitmq.com/tutorials/amqp-concepts>.

mod direct;
mod fanout;
mod headers;
mod topic;

use super::error::{Fault, ReplyCode, exchange_in_vhost};
use super::method::ExchangeOptions;
use super::queue::QueueKey;
use super::table::FieldTable;
use super::unmodelled::{self, Place};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;
use std::fmt;
use std::sync::Arc;

/// A binding of one exchange.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Binding {
    pub(crate) queue: QueueKey,
    pub(crate) routing_key: SmolStr,
    /// In the order of their names.
    pub(crate) arguments: FieldTable,
}

/// What every exchange type can do.
trait Router: fmt::Debug + Send {
    /// Refuses a binding whose arguments make no sense to this type.
    fn check(&self, _arguments: &FieldTable) -> Result<(), Fault> {
        Ok(())
    }

    /// Takes in a binding it does not have yet.
    fn bind(&mut self, binding: &Binding);

    /// Drops a binding it has.
    fn unbind(&mut self, binding: &Binding);

    /// Appends the queues that match.
    fn route(&mut self, routing_key: &str, headers: Option<&FieldTable>, into: &mut Vec<QueueKey>);
}

/// An exchange type of AMQP 0-9-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Direct,
    Fanout,
    Headers,
    Topic,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Direct => "direct",
            Kind::Fanout => "fanout",
            Kind::Headers => "headers",
            Kind::Topic => "topic",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Kind, Fault> {
        match name {
            "direct" => Ok(Kind::Direct),
            "fanout" => Ok(Kind::Fanout),
            "headers" => Ok(Kind::Headers),
            "topic" => Ok(Kind::Topic),
            _ => {
                unmodelled::check(Place::ExchangeType, name)?;
                let reason = format!("invalid exchange type '{name}'");
                Err(Fault::new(ReplyCode::CommandInvalid, reason))
            }
        }
    }

    fn router(self) -> Box<dyn Router> {
        match self {
            Kind::Direct => Box::new(direct::Direct::default()),
            Kind::Fanout => Box::new(fanout::Fanout::default()),
            Kind::Headers => Box::new(headers::Headers::default()),
            Kind::Topic => Box::new(topic::Topic::default()),
        }
    }
}

/// Counts how many bindings lead to a queue, for routers that merge them.
type Targets = IndexMap<QueueKey, u32, FxBuildHasher>;

/// One binding more leads to `queue`.
fn add_target(targets: &mut Targets, queue: QueueKey) {
    *targets.entry(queue).or_default() += 1;
}

/// One binding fewer leads to `queue`. Says whether no target is left.
fn remove_target(targets: &mut Targets, queue: QueueKey) -> bool {
    if let Some(count) = targets.get_mut(&queue) {
        *count -= 1;
        if *count == 0 {
            targets.swap_remove(&queue);
        }
    }
    targets.is_empty()
}

#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) name: Arc<SmolStr>,
    pub(crate) kind: Kind,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    pub(crate) internal: bool,
    pub(crate) arguments: FieldTable,
    bindings: IndexMap<Binding, (), FxBuildHasher>,
    router: Box<dyn Router>,
}

impl Exchange {
    pub(crate) fn new(name: SmolStr, kind: Kind, options: ExchangeOptions) -> Exchange {
        Exchange {
            name: Arc::new(name),
            kind,
            durable: options.durable,
            auto_delete: options.auto_delete,
            internal: options.internal,
            arguments: options.arguments,
            bindings: IndexMap::default(),
            router: kind.router(),
        }
    }

    /// Refuses a second declaration that differs from the first.
    pub(crate) fn check_equivalent(
        &self,
        kind: Kind,
        options: &ExchangeOptions,
    ) -> Result<(), Fault> {
        let what = exchange_in_vhost(&self.name);
        let unequal = |argument: &str, received: &str, current: &str| {
            Fault::precondition(format!(
                "inequivalent arg '{argument}' for {what}: \
                 received '{received}' but current is '{current}'"
            ))
        };
        if kind != self.kind {
            return Err(unequal("type", kind.name(), self.kind.name()));
        }
        for (argument, received, current) in [
            ("durable", options.durable, self.durable),
            ("auto_delete", options.auto_delete, self.auto_delete),
            ("internal", options.internal, self.internal),
        ] {
            if received != current {
                return Err(unequal(argument, &received.to_string(), &current.to_string()));
            }
        }
        let key = "alternate-exchange";
        super::table::check_same_argument(key, &what, &options.arguments, &self.arguments)
    }

    pub(crate) fn check_binding(&self, arguments: &FieldTable) -> Result<(), Fault> {
        self.router.check(arguments)
    }

    /// Adds a binding; says whether it is new.
    pub(crate) fn bind(&mut self, binding: Binding) -> bool {
        let is_new = !self.bindings.contains_key(&binding);
        if is_new {
            self.router.bind(&binding);
            self.bindings.insert(binding, ());
        }
        is_new
    }

    /// Removes a binding; says whether there was one.
    pub(crate) fn unbind(&mut self, binding: &Binding) -> bool {
        let was_there = self.bindings.swap_remove(binding).is_some();
        if was_there {
            self.router.unbind(binding);
        }
        was_there
    }

    pub(crate) fn has(&self, binding: &Binding) -> bool {
        self.bindings.contains_key(binding)
    }

    pub(crate) fn is_unused(&self) -> bool {
        self.bindings.is_empty()
    }

    /// The bindings, in no particular but a reproducible order.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.keys()
    }

    /// Puts the queues a message goes to into `into`, each once and in the
    /// order of their slots, which is that of declaration as long as none was
    /// deleted.
    pub(crate) fn route(
        &mut self,
        routing_key: &str,
        headers: Option<&FieldTable>,
        into: &mut Vec<QueueKey>,
    ) {
        self.router.route(routing_key, headers, into);
        if into.len() > 1 {
            into.sort_unstable();
            into.dedup();
        }
    }
}
