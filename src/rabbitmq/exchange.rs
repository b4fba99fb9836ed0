//! An exchange: bindings, and a router that decides where a message goes.
//!
//! A binding is identified by its destination, routing key and arguments; binding twice has no
//! effect. Each exchange type keeps its own index of the bindings ([`direct`], [`fanout`],
//! [`topic`], [`headers`], …), behind the one interface [`Router`]. A router may return a
//! destination several times, in any order; [`Exchange::route`] leaves duplicates and order to the
//! broker.
//!
//! Start with [`Exchange`] and [`Router`]; each type is one file in this module, and `erlang` has
//! the hash functions of `consistent_hash`.
//!
//! Source: AMQP 0-9-1, section 3.1.3; <https://www.rabbitmq.com/tutorials/amqp-concepts>.

mod consistent_hash;
mod direct;
mod erlang;
mod fanout;
mod headers;
mod random;
mod topic;

use crate::rabbitmq::key::{ExchangeKey, QueueKey, Stored, VHostKey, marker};
use crate::rabbitmq::protocol::error::{Fault, ReplyCode, exchange_in_vhost};
use crate::rabbitmq::protocol::method::ExchangeOptions;
use crate::rabbitmq::protocol::properties::Properties;
use crate::rabbitmq::protocol::table::FieldTable;
use crate::rabbitmq::stats::Published;
use crate::rabbitmq::version::Profile;
use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;
use std::fmt;
use std::sync::Arc;

/// The exchange of vhost `/` to which a server publishes its log, in some versions.
pub(crate) const LOG_EXCHANGE: &str = "amq.rabbitmq.log";

/// Where a binding leads. Queues sort before exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Destination {
    Queue(QueueKey),
    Exchange(ExchangeKey),
}

/// A binding of one exchange.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Binding {
    pub(crate) destination: Destination,
    pub(crate) routing_key: SmolStr,
    /// Sorted by name.
    pub(crate) arguments: FieldTable,
}

/// The interface of every exchange type.
trait Router: fmt::Debug + Send {
    /// Refuses a binding that is invalid for this type.
    fn check(&self, _routing_key: &str, _arguments: &FieldTable) -> Result<(), Fault> {
        Ok(())
    }

    /// Adds a binding that is not in the index.
    fn bind(&mut self, binding: &Binding);

    /// Removes a binding that is in the index.
    fn unbind(&mut self, binding: &Binding);

    /// Appends the matching destinations.
    fn route(&mut self, routing_key: &str, properties: &Properties, into: &mut Vec<Destination>);
}

/// An exchange type of AMQP 0-9-1, or of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Direct,
    Fanout,
    Headers,
    Topic,
    ConsistentHash,
    Random,
    LocalRandom,
    ModulusHash,
    Delayed,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Direct => "direct",
            Kind::Fanout => "fanout",
            Kind::Headers => "headers",
            Kind::Topic => "topic",
            Kind::ConsistentHash => "x-consistent-hash",
            Kind::Random => "x-random",
            Kind::LocalRandom => "x-local-random",
            Kind::ModulusHash => "x-modulus-hash",
            Kind::Delayed => "x-delayed-message",
        }
    }

    const ALL: [Kind; 9] = [
        Kind::Direct,
        Kind::Fanout,
        Kind::Headers,
        Kind::Topic,
        Kind::ConsistentHash,
        Kind::Random,
        Kind::LocalRandom,
        Kind::ModulusHash,
        Kind::Delayed,
    ];

    /// Returns whether a version has the type.
    fn is_in(self, profile: &Profile) -> bool {
        match self {
            Kind::LocalRandom => profile.has_local_random,
            Kind::ModulusHash => profile.has_modulus_hash,
            Kind::Direct
            | Kind::Fanout
            | Kind::Headers
            | Kind::Topic
            | Kind::ConsistentHash
            | Kind::Random
            | Kind::Delayed => true,
        }
    }

    /// Returns whether a message goes to one of the bindings that the broker draws.
    pub(crate) fn draws(self) -> bool {
        matches!(self, Kind::Random | Kind::LocalRandom)
    }

    fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns whether bindings are matched against each routing key of a message.
    pub(crate) fn looks_at_keys(self) -> bool {
        match self {
            Kind::Direct | Kind::Topic | Kind::Delayed => true,
            Kind::Fanout
            | Kind::Headers
            | Kind::ConsistentHash
            | Kind::Random
            | Kind::LocalRandom
            | Kind::ModulusHash => false,
        }
    }

    /// Returns whether the exchange may keep messages for a while.
    pub(crate) fn delays(self) -> bool {
        self == Kind::Delayed
    }

    /// The arguments that a redeclaration must repeat.
    fn compared(self) -> &'static [&'static str] {
        match self {
            Kind::Delayed => &["alternate-exchange", "x-delayed-type"],
            Kind::Direct
            | Kind::Fanout
            | Kind::Headers
            | Kind::Topic
            | Kind::ConsistentHash
            | Kind::Random
            | Kind::LocalRandom
            | Kind::ModulusHash => &["alternate-exchange"],
        }
    }

    /// Refuses arguments that an exchange of this type cannot have.
    pub(crate) fn check_arguments(self, arguments: &FieldTable) -> Result<(), Fault> {
        match self {
            Kind::ConsistentHash => consistent_hash::check_arguments(arguments),
            Kind::Delayed => delayed_type(arguments).map(drop).ok_or_else(|| {
                let reason = "Invalid argument, 'x-delayed-type' must be an existing exchange type";
                Fault::precondition(reason)
            }),
            Kind::Direct
            | Kind::Fanout
            | Kind::Headers
            | Kind::Topic
            | Kind::Random
            | Kind::LocalRandom
            | Kind::ModulusHash => Ok(()),
        }
    }

    pub(crate) fn parse(name: &str, profile: &Profile) -> Result<Kind, Fault> {
        Kind::named(name).filter(|kind| kind.is_in(profile)).ok_or_else(|| {
            let what = if ATOMS.contains(&name) { "invalid" } else { "unknown" };
            let reason = format!("{what} exchange type '{name}'");
            match profile.texts.unknown_type_closes_channel {
                true => Fault::precondition(reason),
                false => Fault::new(ReplyCode::CommandInvalid, reason),
            }
        })
    }

    fn router(self, arguments: &FieldTable, profile: &Profile) -> Box<dyn Router> {
        match self {
            Kind::Direct => Box::new(direct::Direct::default()),
            Kind::Fanout => Box::new(fanout::Fanout::default()),
            Kind::Headers => Box::new(headers::Headers::new(profile)),
            Kind::Topic => Box::new(topic::Topic::default()),
            Kind::ConsistentHash => {
                Box::new(consistent_hash::ConsistentHash::new(arguments, profile))
            }
            Kind::Random | Kind::LocalRandom | Kind::ModulusHash => {
                Box::new(random::Random::default())
            }
            Kind::Delayed => {
                delayed_type(arguments).unwrap_or(Kind::Direct).router(arguments, profile)
            }
        }
    }
}

/// Atoms that the server has loaded: it calls these names an invalid type, and others an unknown
/// one.
const ATOMS: &[&str] = &[
    "",
    "a",
    "b",
    "bar",
    "broadcast",
    "default",
    "e",
    "exchange",
    "foo",
    "header",
    "invalid",
    "none",
    "other",
    "queue",
    "random",
    "test",
    "type",
    "unknown",
    "x",
];

/// The type by which a delayed exchange finally routes.
fn delayed_type(arguments: &FieldTable) -> Option<Kind> {
    let name = arguments.get("x-delayed-type")?.as_str()?;
    Kind::named(name).filter(|kind| *kind != Kind::Delayed)
}

/// Returns the hash of a message's routing keys, as `erlang:phash2` hashes their list.
pub(crate) fn hash_of_keys<'a, I: Iterator<Item = &'a str>>(keys: I) -> u64 {
    let hash = erlang::TermHash::default();
    keys.fold(hash, |hash, key| hash.binary(key.as_bytes())).end_of_list().finish()
}

/// Number of bindings that lead to each destination, for routers that merge them.
type Targets = IndexMap<Destination, u32, FxBuildHasher>;

/// Counts one more binding to `destination`.
fn add_target(targets: &mut Targets, destination: Destination) {
    *targets.entry(destination).or_default() += 1;
}

/// Counts one binding less to `destination`. Returns whether no destination is left.
fn remove_target(targets: &mut Targets, destination: Destination) -> bool {
    if let Some(count) = targets.get_mut(&destination) {
        *count -= 1;
        if *count == 0 {
            targets.swap_remove(&destination);
        }
    }
    targets.is_empty()
}

#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) name: Arc<SmolStr>,
    pub(crate) vhost: VHostKey,
    /// The vhost's name, for texts.
    pub(crate) vhost_name: SmolStr,
    pub(crate) kind: Kind,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    pub(crate) internal: bool,
    pub(crate) arguments: FieldTable,
    /// Bindings of which it is the source.
    bindings: IndexSet<Binding, FxBuildHasher>,
    /// Bindings of which it is the destination, with their sources.
    pub(crate) incoming: IndexSet<(ExchangeKey, Binding), FxBuildHasher>,
    /// The exchange to try when no binding matches, set by argument or policy.
    pub(crate) alternate: Option<SmolStr>,
    /// Name of the policy that applies.
    pub(crate) policy: Option<SmolStr>,
    /// Messages that clients published to it. Those of the default exchange are counted by its
    /// vhost.
    pub(crate) published: Published,
    router: Box<dyn Router>,
}

impl Stored for Exchange {
    type Marker = marker::Exchange;
}

impl Exchange {
    /// An exchange without bindings. Its arguments were checked.
    pub(crate) fn new(
        (vhost, vhost_name): (VHostKey, SmolStr),
        name: SmolStr,
        kind: Kind,
        options: ExchangeOptions,
        profile: &Profile,
    ) -> Exchange {
        Exchange {
            name: Arc::new(name),
            vhost,
            vhost_name,
            kind,
            durable: options.durable,
            auto_delete: options.auto_delete,
            internal: options.internal,
            router: kind.router(&options.arguments, profile),
            arguments: options.arguments,
            bindings: IndexSet::default(),
            incoming: IndexSet::default(),
            alternate: None,
            policy: None,
            published: Published::default(),
        }
    }

    /// Refuses a second declaration that differs from the first.
    pub(crate) fn check_equivalent(
        &self,
        kind: Kind,
        options: &ExchangeOptions,
        profile: &Profile,
    ) -> Result<(), Fault> {
        let what = self.what();
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
        self.kind.compared().iter().try_for_each(|key| {
            crate::rabbitmq::protocol::table::check_same_argument(
                key,
                &what,
                &options.arguments,
                &self.arguments,
                profile.names_queue_types,
            )
        })
    }

    pub(crate) fn check_binding(
        &self,
        routing_key: &str,
        arguments: &FieldTable,
    ) -> Result<(), Fault> {
        self.router.check(routing_key, arguments)
    }

    /// Returns the exchange as the server's texts name it.
    pub(crate) fn what(&self) -> String {
        exchange_in_vhost(&self.vhost_name, &self.name)
    }

    /// Adds a binding. Returns whether it is new.
    pub(crate) fn bind(&mut self, binding: Binding) -> bool {
        let is_new = !self.bindings.contains(&binding);
        if is_new {
            self.router.bind(&binding);
            self.bindings.insert(binding);
        }
        is_new
    }

    /// Removes a binding. Returns whether there was one.
    pub(crate) fn unbind(&mut self, binding: &Binding) -> bool {
        let was_there = self.bindings.swap_remove(binding);
        if was_there {
            self.router.unbind(binding);
        }
        was_there
    }

    pub(crate) fn has(&self, binding: &Binding) -> bool {
        self.bindings.contains(binding)
    }

    /// Number of bindings of which it is the source.
    pub(crate) fn binding_count(&self) -> usize {
        self.bindings.len()
    }

    pub(crate) fn is_unused(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Returns the bindings, in an unspecified but reproducible order.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter()
    }

    /// Appends the destinations of a message, some of them perhaps several times.
    pub(crate) fn route(
        &mut self,
        routing_key: &str,
        properties: &Properties,
        into: &mut Vec<Destination>,
    ) {
        self.router.route(routing_key, properties, into);
    }
}
