//! The broker: one owned value that holds everything, and the contract for driving it.
//!
//! This file has the state, the polling side of the contract, and the frame in which every method
//! runs. In this module, the methods of each class of AMQP have a file: `connection` (with
//! channels), `exchange`, `queue`, `basic`, `publish`, `consume`, `tx`. The paths that they share:
//! `input` (a client's method becomes a call), `route` (exchange to queues), `accept`, `deliver`
//! and `expire` (queue to consumer, or to nobody), `settle` (acknowledgements), `dead_letter`,
//! `stream`, `stage` (order of outputs), `timer`, `heartbeat`, `power` (stop, crash, start). The
//! operations of an administrator: `vhost`, `access`, `policy`, `alarm`, `refusal`, `options`.
//! `invariants` checks all of it.
//!
//! The parts of a broker point at each other by keys. A key of a part that is gone finds nothing:
//! so the acknowledgement of a message whose queue was deleted has no effect.

mod accept;
mod access;
pub(crate) mod alarm;
mod basic;
mod connection;
mod consume;
mod consumer_timeout;
mod dead_letter;
mod deliver;
mod exchange;
mod expire;
mod heartbeat;
mod input;
mod invariants;
mod length_limit;
pub(crate) mod options;
mod policy;
mod power;
mod publish;
pub(crate) mod queue;
pub(crate) mod refusal;
mod route;
mod settle;
mod stage;
pub(crate) mod story;
mod stream;
mod timer;
mod tx;
mod vhost;

use crate::rabbitmq::broker::options::BrokerOptions;
use crate::rabbitmq::broker::refusal::Refusals;
use crate::rabbitmq::broker::story::Story;
use crate::rabbitmq::channel::Channel;
use crate::rabbitmq::channel::confirm::Verdict;
use crate::rabbitmq::channel::consumer::Consumer;
use crate::rabbitmq::channel::unacked::Unacked;
use crate::rabbitmq::exchange::{Destination, Exchange};
use crate::rabbitmq::key::{Arena, ChannelKey, QueueKey, VHostKey};
use crate::rabbitmq::protocol::error::{AmqpError, Fault, MethodId, ReplyCode, Scope};
use crate::rabbitmq::protocol::id::DeliveryTag;
pub use crate::rabbitmq::protocol::id::{ChannelId, ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::method::ConnectionOptions;
pub use crate::rabbitmq::protocol::method::{Event, GetOk, Method, Output};
use crate::rabbitmq::protocol::names::Names;
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::dead_letter::{DeadLetter, SentLetter};
use crate::rabbitmq::queue::journal::Waiter;
use crate::rabbitmq::stats::MessageStats;
use crate::rabbitmq::version::{Profile, Version};
use crate::rabbitmq::vhost::VHost;
use crate::rabbitmq::vhost::user::User;
use crate::{Instant, Stream};
use alarm::Alarms;
use heartbeat::Heartbeats;
use indexmap::IndexMap;
use route::Delayed;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;
use stage::Outputs;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use timer::Timers;

/// Channel 0 belongs to the connection; methods of other classes are not allowed on it.
const NOT_ON_CHANNEL_0: &str = "unexpected method in connection state running";

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) options: ConnectionOptions,
    vhost: VHostKey,
    /// Maximum number of its channels.
    pub(super) channel_max: u16,
    heartbeats: Option<Box<Heartbeats>>,
    /// Whether an alarm blocks it, or will when it publishes.
    block: alarm::Block,
    /// Every channel number in use, including those of failed channels.
    pub(super) channels: BTreeSet<ChannelNumber>,
    /// Deleted with the connection, in this order.
    exclusive_queues: BTreeSet<QueueKey>,
}

/// The state of a channel number.
#[derive(Debug)]
enum Session {
    Open(ChannelKey, VHostKey),
    /// The broker has closed the channel, and the client has not answered yet.
    Failed(Box<Failure>),
}

/// Why the broker has closed a channel, and what of the channel continues.
#[derive(Debug)]
struct Failure {
    cause: AmqpError,
    /// A channel for everything that continues until the client answers: consumers of quorum queues
    /// and streams, and deliveries from queues that do not hear of the failure at once.
    lingering: Option<ChannelKey>,
    /// Whether the client has sent its own close, which crossed ours.
    has_crossed: bool,
}

/// The caller of a method: an open channel.
#[derive(Clone, Copy, Debug)]
struct Caller {
    id: ChannelId,
    channel: ChannelKey,
    vhost: VHostKey,
}

/// A RabbitMQ broker as a value.
///
/// # Driving it
///
/// A broker reads no clock and starts nothing. Every call takes the time, which must not go
/// backwards. There are two ways to call it, which can be mixed freely:
///
/// - the **typed methods** (`queue_declare`, `basic_publish`, …) run one AMQP method and return its
///   answer. An `Err` describes which channel or connection the broker *has* closed because of it;
/// - [`handle_input`](Broker::handle_input) takes a [`Method`] as a client sent it, calls the typed
///   one, and puts the answer, or the close, among the outputs.
///
/// The `# Errors` sections leave out two cases that apply to most typed methods: a missing
/// permission is `ACCESS_REFUSED`, and a channel that is not open is `CHANNEL_ERROR`, or
/// `CONNECTION_FORCED` if its connection is not open either.
///
/// After a call of either kind:
///
/// - [`poll_output`](Broker::poll_output) returns what the broker sends, in order: deliveries,
///   returns, confirms, cancellations, and the answers to inputs. Outputs are queued, so several
///   inputs in a row are legal. Confirms are gathered until no other output is left, so a burst of
///   publishes is answered by few confirms;
/// - [`poll_timeout`](Broker::poll_timeout) returns when [`handle_timeout`](Broker::handle_timeout)
///   is next due. There may turn out to be nothing to do then. A timer for the present moment fires
///   after the inputs of that moment.
///
/// Timers of one moment fire in this order: queues, by their slots (the order of declaration, as
/// long as no queue was deleted); then channels, connections, delayed messages, and retries of dead
/// letters. Of one queue, messages expire first, then the journal writes, then the queue itself
/// expires.
///
/// ```
/// use stunt_double::rabbitmq::{BrokerOptions, ConsumeOptions, Publish, QueueOptions};
/// use stunt_double::rabbitmq::broker::{Broker, ChannelId, Event};
/// use stunt_double::{Instant, Site, Stream};
///
/// let now = Instant::ZERO;
/// let mut broker = Broker::new(BrokerOptions::default(), Stream::calm(Site::new("names"), 0));
/// let ch = ChannelId::new(1, 1);
/// broker.connection_open(now, ch.connection, Default::default())?;
/// broker.channel_open(now, ch)?;
/// broker.queue_declare(now, ch, "hello", QueueOptions::default())?;
/// broker.basic_consume(now, ch, "hello", ConsumeOptions::default())?;
/// broker.basic_publish(now, ch, Publish::new("", "hello", "Hello World!"))?;
///
/// let output = broker.poll_output().unwrap();
/// let Event::Deliver { delivery_tag, message, .. } = output.event else { panic!() };
/// assert_eq!(message.body(), "Hello World!");
/// broker.basic_ack(now, ch, delivery_tag, false)?;
/// assert_eq!(broker.poll_output(), None);
/// # Ok::<(), stunt_double::rabbitmq::AmqpError>(())
/// ```
#[derive(Debug)]
pub struct Broker {
    pub(super) options: BrokerOptions,
    names: Names,
    running: bool,
    alarms: Alarms,
    refusals: Refusals,

    pub(super) users: IndexMap<SmolStr, User, FxBuildHasher>,
    /// Global parameters from definitions.
    #[cfg(feature = "definitions")]
    pub(super) global_parameters: IndexMap<SmolStr, serde_json::Value, FxBuildHasher>,
    pub(super) vhosts: Arena<VHost>,
    pub(super) vhost_names: IndexMap<SmolStr, VHostKey, FxBuildHasher>,
    pub(super) connections: IndexMap<ConnectionId, Box<Connection>, FxBuildHasher>,
    sessions: IndexMap<ChannelId, Session, FxBuildHasher>,
    /// The last caller, which usually calls again. It is open as long as its channel exists.
    recent: Option<Caller>,
    pub(super) channels: Arena<Channel>,
    pub(super) exchanges: Arena<Exchange>,
    pub(super) queues: Arena<Queue>,
    pub(super) consumers: Arena<Consumer>,
    /// Counts that belong to no queue or exchange, or to one that is gone.
    pub(super) tally: MessageStats,
    /// Whether any connection has ever had heartbeats.
    has_heartbeats: bool,
    /// The channels that consume direct replies, by the names of their consumers.
    reply_names: IndexMap<SmolStr, ChannelKey, FxBuildHasher>,
    /// Messages of delayed exchanges that are not due yet.
    delayed: Delayed,
    /// Messages that died and were not yet published again.
    dead_letters: VecDeque<DeadLetter>,
    /// Dead letters that found no queue or were refused, and that their own queues keep.
    kept_letters: Vec<DeadLetter>,
    /// Dead letters that were just refused, and will be kept.
    refused_letters: Vec<DeadLetter>,
    /// Dead letters that wait for confirms, by number.
    letters_in_flight: BTreeMap<u64, SentLetter>,
    next_letter: u64,

    outputs: Outputs,
    /// Channels with confirms that are ready, in the order in which they became ready.
    confirming: Vec<ChannelKey>,
    /// Channels whose commits were answered late.
    committed: VecDeque<ChannelKey>,
    timers: Timers,

    /// What happened to each message, while somebody asks for it.
    story: Option<Box<Story>>,

    /// Scratch: the queues of the message that is being published.
    routed: Vec<QueueKey>,
    /// Scratch: the destinations that an exchange returned.
    destinations: Vec<Destination>,
    /// Scratch: publishes that were just synced.
    synced: Vec<Waiter>,
}

impl Broker {
    /// A running broker that has only vhost `/` with its predeclared exchanges, and the user
    /// `guest`. The names of queues and consumers, and the choices of an `x-random` exchange, are
    /// drawn from `names`.
    #[must_use]
    pub fn new(options: BrokerOptions, names: Stream) -> Broker {
        let mut broker = Broker {
            options,
            names: Names::new(names),
            running: true,
            alarms: Alarms::default(),
            refusals: Refusals::default(),
            users: IndexMap::default(),
            #[cfg(feature = "definitions")]
            global_parameters: IndexMap::default(),
            vhosts: Arena::default(),
            vhost_names: IndexMap::default(),
            connections: IndexMap::default(),
            sessions: IndexMap::default(),
            recent: None,
            channels: Arena::default(),
            exchanges: Arena::default(),
            queues: Arena::default(),
            consumers: Arena::default(),
            tally: MessageStats::default(),
            has_heartbeats: false,
            reply_names: IndexMap::default(),
            delayed: Delayed::default(),
            dead_letters: VecDeque::new(),
            kept_letters: Vec::new(),
            refused_letters: Vec::new(),
            letters_in_flight: BTreeMap::new(),
            next_letter: 0,
            outputs: Outputs::default(),
            confirming: Vec::new(),
            committed: VecDeque::new(),
            timers: Timers::default(),
            story: None,
            routed: Vec::new(),
            destinations: Vec::new(),
            synced: Vec::new(),
        };
        broker.make_defaults();
        broker
    }

    /// The version that the broker imitates.
    #[must_use]
    pub fn version(&self) -> Version {
        self.options.version()
    }

    /// The facts of its version.
    pub(crate) fn profile(&self) -> &'static Profile {
        self.options.version().profile()
    }

    /// Returns whether the broker is up; see [`Broker::stop`] and [`Broker::start`].
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Returns whether a connection is open.
    #[must_use]
    pub fn has_connection(&self, connection: ConnectionId) -> bool {
        self.connections.contains_key(&connection)
    }

    /// Returns the next output, if there is one.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        if !self.confirming.is_empty() && self.outputs.is_empty() {
            self.send_confirms();
        }
        if self.has_heartbeats
            && let Some(connection) = self.outputs.next_but_heartbeat()
        {
            self.sent(connection);
        }
        self.outputs.pop()
    }

    /// Runs a method on an open channel. If it fails, closes what its failure closes.
    fn on_channel<T>(
        &mut self,
        now: Instant,
        id: ChannelId,
        method: MethodId,
        run: impl FnOnce(&mut Broker, Caller) -> Result<T, Fault>,
    ) -> Result<T, AmqpError> {
        let Some(caller) = self.caller(id) else { return Err(self.not_open(now, id, method)) };
        let result = run(self, caller).map_err(|fault| self.fail(now, id, fault.of(method)));
        self.publish_dead_letters(now);
        result
    }

    /// The caller with this id, if it is an open channel.
    #[inline]
    fn caller(&mut self, id: ChannelId) -> Option<Caller> {
        match self.recent {
            Some(recent) if recent.id == id && self.channels.get(recent.channel).is_some() => {
                Some(recent)
            }
            _ => self.look_caller_up(id),
        }
    }

    #[inline(never)]
    fn look_caller_up(&mut self, id: ChannelId) -> Option<Caller> {
        let Some(&Session::Open(channel, vhost)) = self.sessions.get(&id) else { return None };
        self.recent = Some(Caller { id, channel, vhost });
        self.recent
    }

    /// The error of a method on a channel that is not open.
    #[cold]
    fn not_open(&mut self, now: Instant, id: ChannelId, method: MethodId) -> AmqpError {
        if let Some(Session::Failed(failure)) = self.sessions.get(&id) {
            // On the wire there is no answer. A caller of the typed methods gets the error again.
            let reason = format!("channel {id} was closed by the broker: {}", failure.cause.text);
            let error = Fault::new(ReplyCode::ChannelError, reason).of(method);
            return AmqpError { scope: Scope::Channel, ..error };
        }
        if !self.connections.contains_key(&id.connection) {
            return self.not_connected(id.connection, method);
        }
        let reason = match id.number {
            ChannelNumber(0) => NOT_ON_CHANNEL_0,
            _ => "expected 'channel.open'",
        };
        let fault = Fault::new(ReplyCode::ChannelError, reason);
        self.fail(now, id, fault.of(method))
    }

    fn not_connected(&self, connection: ConnectionId, method: MethodId) -> AmqpError {
        let reason = if self.running {
            format!("connection {connection} is not open")
        } else {
            "the broker is not running".to_owned()
        };
        Fault::new(ReplyCode::ConnectionForced, reason).of(method)
    }

    /// Closes what `error` closes, and returns the error.
    #[cold]
    fn fail(&mut self, now: Instant, id: ChannelId, error: AmqpError) -> AmqpError {
        self.outputs.fail(id);
        match error.scope {
            Scope::Channel => {
                if let Some(&Session::Open(channel, _)) = self.sessions.get(&id) {
                    let lingering = self.let_linger(now, channel);
                    let failure = Failure { cause: error.clone(), lingering, has_crossed: false };
                    self.sessions.insert(id, Session::Failed(Box::new(failure)));
                    self.close_channels(now, &[channel]);
                }
            }
            Scope::Connection => self.drop_connection(now, id.connection),
        }
        error
    }

    /// Deliveries that clients hold unacknowledged, or have settled in a transaction.
    pub(super) fn held_by_clients(&self) -> impl Iterator<Item = &Unacked> {
        self.channels.iter().flat_map(|(_, channel)| channel.held())
    }

    /// A vhost that is known to exist.
    pub(super) fn vhost(&self, key: VHostKey) -> &VHost {
        self.vhosts.get(key).expect("a vhost outlives everything in it")
    }

    fn vhost_mut(&mut self, key: VHostKey) -> &mut VHost {
        self.vhosts.get_mut(key).expect("a vhost outlives everything in it")
    }

    /// A queue that is known to exist.
    pub(crate) fn queue_mut(&mut self, key: QueueKey) -> &mut Queue {
        self.queues.get_mut(key).expect("the caller has just found the queue")
    }

    fn push(&mut self, id: ChannelId, event: Event) {
        let ChannelId { connection, number } = id;
        self.outputs.push(Output { connection, channel: number, event });
    }

    /// Notes that a queue has taken responsibility for a publish, or has refused it.
    fn settle_publish(&mut self, key: ChannelKey, seqno: u64, verdict: Verdict) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        if let Some(transaction) = &mut channel.transaction {
            if let Some(confirms) = &mut transaction.committing {
                match verdict {
                    Verdict::Ack => confirms.confirm(seqno),
                    Verdict::Nack => confirms.reject(seqno),
                }
            }
            self.answer_commit(key);
            return;
        }
        if let Some(confirms) = &mut channel.confirms {
            let was_ready = confirms.has_ready();
            match verdict {
                Verdict::Ack => confirms.confirm(seqno),
                Verdict::Nack => confirms.reject(seqno),
            }
            if confirms.has_ready() && !was_ready {
                self.confirming.push(key);
            }
        }
    }

    /// Tells whoever waits for a message that a queue has it safely, or has refused it.
    fn tell_waiter(&mut self, waiter: Waiter, verdict: Verdict) {
        match waiter {
            Waiter::Publisher(channel, seqno) => {
                self.settle_publish(channel, seqno, verdict);
            }
            Waiter::Letter(number, queue) => self.settle_letter(number, queue, verdict),
        }
    }

    fn send_confirms(&mut self) {
        for key in self.confirming.drain(..) {
            let Some(channel) = self.channels.get_mut(key) else {
                continue;
            };
            let ChannelId { connection, number } = channel.id;
            if let Some(confirms) = &mut channel.confirms {
                self.tally.confirm += confirms.ready() as u64;
                if let Some(story) = &mut self.story {
                    story.tell_answers(key, channel.id, confirms);
                }
                confirms.send(|verdict, seqno, multiple| {
                    let delivery_tag = DeliveryTag(seqno);
                    let event = match verdict {
                        Verdict::Ack => Event::Ack { delivery_tag, multiple },
                        Verdict::Nack => Event::Nack { delivery_tag, multiple },
                    };
                    self.outputs.push(Output { connection, channel: number, event });
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_can_be_sent_to_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<Broker>();
    }
}
