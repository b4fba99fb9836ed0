//! The handle of a broker in a world: how a test starts it, inspects it and calls it.

use crate::choice::Site;
use crate::rabbitmq::admin::{BindingRow, ConsumerRow, CtlError, ExchangeRow, QueueRow};
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::broker::options::BrokerOptions;
use crate::rabbitmq::wire::ByteServer;
use crate::sim::chaos::{AnyMachine, Machine, sealed};
use crate::sim::{ServiceHandle, Sim};
use crate::time::Instant;
use std::ops::Deref;

/// The site at which names of queues and consumer tags are drawn.
const NAMES: Site = Site::new("rabbitmq.names");

/// Starts a broker named `rabbitmq` in the world.
///
/// For several brokers, or another name, see [`start_named`].
///
/// # Panics
///
/// If the world already has a service or node of this name.
pub fn start(sim: &mut Sim, options: BrokerOptions) -> RabbitMq {
    start_named(sim, "rabbitmq", options)
}

/// Starts a broker of this name in the world.
///
/// # Panics
///
/// If the world already has a service or node of this name.
pub fn start_named(sim: &mut Sim, name: &str, options: BrokerOptions) -> RabbitMq {
    let server = |names| ByteServer::new(Broker::new(options, names));
    RabbitMq(sim.service(name, NAMES, server))
}

/// A broker in a world. `Clone`: all clones are handles of the same broker.
///
/// It dereferences to the [`ServiceHandle`], which stops, starts and crashes the server. Its own
/// methods do what `rabbitmqctl` does, at the server itself and at once.
#[derive(Clone, Debug)]
pub struct RabbitMq(ServiceHandle<ByteServer>);

impl Deref for RabbitMq {
    type Target = ServiceHandle<ByteServer>;

    fn deref(&self) -> &ServiceHandle<ByteServer> {
        &self.0
    }
}

impl sealed::Machine for RabbitMq {
    fn machine(&self) -> AnyMachine {
        self.0.machine()
    }
}

impl Machine for RabbitMq {}

impl RabbitMq {
    /// The handle of the world's service.
    pub(super) fn service(&self) -> &ServiceHandle<ByteServer> {
        &self.0
    }

    /// Inspects the broker.
    ///
    /// # Panics
    ///
    /// If `look` uses a handle of the same broker, or drops a connection to it: the broker is
    /// locked while `look` runs.
    pub fn inspect<R>(&self, look: impl FnOnce(&Broker) -> R) -> R {
        self.0.inspect(|server| look(server.machine()))
    }

    /// Calls the broker directly, as an administrator at the server itself would. What the broker
    /// sends because of it is on its way to the clients when this returns.
    ///
    /// # Panics
    ///
    /// If `call` uses a handle of the same broker, or drops a connection to it: the broker is
    /// locked while `call` runs.
    pub fn with<R>(&self, call: impl FnOnce(&mut Broker, Instant) -> R) -> R {
        self.0.with(|server, now| call(server.operated_at(now), now))
    }
}

/// The listings of `rabbitmqctl`, of a broker in a world.
impl RabbitMq {
    /// `rabbitmqctl list_queues` of all vhosts, as rows sorted by vhost and name.
    #[must_use]
    pub fn list_queues(&self) -> Vec<QueueRow> {
        self.inspect(Broker::list_queues)
    }

    /// `rabbitmqctl list_exchanges` of all vhosts, as rows sorted by vhost and name.
    #[must_use]
    pub fn list_exchanges(&self) -> Vec<ExchangeRow> {
        self.inspect(Broker::list_exchanges)
    }

    /// `rabbitmqctl list_bindings` of all vhosts, as rows.
    #[must_use]
    pub fn list_bindings(&self) -> Vec<BindingRow> {
        self.inspect(Broker::list_bindings)
    }

    /// `rabbitmqctl list_consumers` of all vhosts, as rows.
    #[must_use]
    pub fn list_consumers(&self) -> Vec<ConsumerRow> {
        self.inspect(Broker::list_consumers)
    }

    /// Returns what `rabbitmqctl` prints for a command such as `list_queues name messages_ready`;
    /// see [`Broker::rabbitmqctl`].
    ///
    /// # Errors
    ///
    /// [`CtlError`], as for [`Broker::rabbitmqctl`].
    pub fn rabbitmqctl(&self, command: &str) -> Result<String, CtlError> {
        self.inspect(|broker| broker.rabbitmqctl(command))
    }

    /// Number of unacknowledged messages of the queue of this name; `None` if there is no such
    /// queue. If several vhosts have one, the oldest vhost's queue counts.
    #[must_use]
    pub fn messages_unacknowledged(&self, queue: &str) -> Option<usize> {
        self.inspect(|broker| Some(broker.message_counts(queue)?.1))
    }

    /// Number of ready messages of the queue of this name, without unacknowledged ones; `None` if
    /// there is no such queue. If several vhosts have one, the oldest vhost's queue counts.
    #[must_use]
    pub fn messages_ready(&self, queue: &str) -> Option<usize> {
        self.inspect(|broker| Some(broker.message_counts(queue)?.0))
    }
}
