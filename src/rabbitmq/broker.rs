//! The broker: one owned value that holds everything, and the contract for
//! driving it.
//!
//! This file has the state, the polled side of the contract and the frame
//! every method runs in; the methods are in a file for each class of AMQP, and
//! what they have in common (handing out messages) in `dispatch`.
//!
//! Parts point at each other by keys: a queue at its consumers, a consumer at
//! its queue and channel, an unacknowledged message at its queue. A key of
//! something that is gone finds nothing, which is how the acknowledgement of a
//! message whose queue was deleted comes to do nothing.

mod accept;
mod access;
pub(crate) mod alarm;
mod basic;
mod connection;
mod consume;
mod dead_letter;
mod deliver;
mod exchange;
mod expire;
mod heartbeat;
mod input;
mod invariants;
pub(crate) mod options;
mod policy;
mod power;
mod publish;
pub(crate) mod queue;
pub(crate) mod refusal;
mod route;
mod settle;
mod stage;
mod stream;
mod timer;
mod tx;
mod vhost;

use crate::rabbitmq::broker::options::BrokerOptions;
use crate::rabbitmq::broker::refusal::Refusals;
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
use crate::rabbitmq::queue::dead_letter::DeadLetter;
use crate::rabbitmq::stats::MessageStats;
use crate::rabbitmq::version::{Profile, Version};
use crate::rabbitmq::vhost::VHost;
use crate::rabbitmq::vhost::user::User;
use crate::{Choice, Instant, Stream};
use alarm::Alarms;
use heartbeat::Heartbeats;
use indexmap::IndexMap;
use route::Delayed;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;
use stage::Outputs;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use timer::Timers;

/// Channel 0 is the connection's own; no other method belongs there.
const NOT_ON_CHANNEL_0: &str = "unexpected method in connection state running";

/// A connection, open.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) options: ConnectionOptions,
    vhost: VHostKey,
    /// How many channels it may have.
    pub(super) channel_max: u16,
    heartbeats: Option<Heartbeats>,
    /// Whether it is to be, or is, blocked by an alarm.
    block: alarm::Block,
    /// Every number in use, failed channels included.
    pub(super) channels: BTreeSet<ChannelNumber>,
    /// They go with the connection, in this order.
    exclusive_queues: BTreeSet<QueueKey>,
}

/// What a channel number stands for.
#[derive(Debug)]
enum Session {
    Open(ChannelKey, VHostKey),
    /// The broker has closed the channel; the client has not answered yet.
    Failed(Box<Failure>),
}

/// Why the broker has closed a channel, and what of it is still to come back.
#[derive(Debug)]
struct Failure {
    cause: AmqpError,
    /// A channel for what goes on until the client has answered: consumers at quorum
    /// queues and streams, and what is held of queues that do not hear of its end.
    lingering: Option<ChannelKey>,
    /// The client has sent a close of its own, which crossed ours.
    has_crossed: bool,
}

/// Who calls a method: a channel that is open.
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
/// It reads no clock and starts nothing: time comes in with every call, and
/// must not go backwards. There are two ways in, to be mixed at will:
///
/// - the **typed methods** (`queue_declare`, `basic_publish`, …) do one AMQP
///   method and return its answer. An `Err` says which channel or connection
///   the broker *has* closed because of it;
/// - [`handle_input`](Broker::handle_input) takes a [`Method`](crate::rabbitmq::broker::Method) as a client sent it,
///   calls the typed one, and puts the answer, or the close, among the outputs.
///
/// After any of them:
///
/// - [`poll_output`](Broker::poll_output) hands out what is to be sent, in
///   order: deliveries, returns, confirms, cancellations, and the answers to
///   inputs. Outputs queue, so several inputs in a row are legal. Confirms are
///   gathered until the outputs run dry, so a burst of publishes is answered by
///   few of them;
/// - [`poll_timeout`](Broker::poll_timeout) says when
///   [`handle_timeout`](Broker::handle_timeout) wants to be called next. A time
///   that is not past yet may turn out to have nothing to do. A timer for the
///   present moment is to be fired when the inputs of that moment are done.
///
/// Timers of one moment fire in this order: those of queues, by their slots,
/// which is the order of declaration as long as no queue was deleted, and of one
/// queue messages expire, then it writes to disk, then it expires itself; then
/// those of channels, of connections, delayed messages, and dead letters that
/// are tried again.
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
    /// What definitions said of the whole cluster.
    #[cfg(feature = "definitions")]
    pub(super) global_parameters: IndexMap<SmolStr, serde_json::Value, FxBuildHasher>,
    pub(super) vhosts: Arena<VHost>,
    pub(super) vhost_names: IndexMap<SmolStr, VHostKey, FxBuildHasher>,
    pub(super) connections: IndexMap<ConnectionId, Connection, FxBuildHasher>,
    sessions: IndexMap<ChannelId, Session, FxBuildHasher>,
    pub(super) channels: Arena<Channel>,
    pub(super) exchanges: Arena<Exchange>,
    /// The default exchange's name, which is empty.
    nameless: Arc<SmolStr>,
    pub(super) queues: Arena<Queue>,
    pub(super) consumers: Arena<Consumer>,
    /// What was counted that no queue or exchange counts, or one that is gone.
    pub(super) tally: MessageStats,
    /// Whether any connection has had heartbeats.
    has_heartbeats: bool,
    /// The channels that direct replies go to, by the names of their consumers.
    reply_names: IndexMap<SmolStr, ChannelKey, FxBuildHasher>,
    /// Messages of delayed exchanges whose time has not come.
    delayed: Delayed,
    /// Messages that died and were not published again yet.
    dead_letters: VecDeque<DeadLetter>,
    /// Those that found no queue and whose own keep them.
    kept_letters: Vec<DeadLetter>,

    outputs: Outputs,
    /// Channels with confirms ready to send, in the order they got ready.
    confirming: Vec<ChannelKey>,
    /// Channels whose commits were answered late.
    committed: VecDeque<ChannelKey>,
    timers: Timers,

    /// Scratch: where the message being published goes.
    routed: Vec<QueueKey>,
    /// Scratch: what an exchange answered.
    destinations: Vec<Destination>,
    /// Scratch: publishes just synced.
    synced: Vec<(ChannelKey, u64)>,
}

impl Broker {
    /// A broker that is running and has nothing but the exchanges every vhost
    /// has, vhost `/` and the user `guest`. From `names` it draws the names it
    /// gives to queues and consumers, and what an `x-random` exchange picks.
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
            channels: Arena::default(),
            exchanges: Arena::default(),
            nameless: Arc::default(),
            queues: Arena::default(),
            consumers: Arena::default(),
            tally: MessageStats::default(),
            has_heartbeats: false,
            reply_names: IndexMap::default(),
            delayed: Delayed::default(),
            dead_letters: VecDeque::new(),
            kept_letters: Vec::new(),
            outputs: Outputs::default(),
            confirming: Vec::new(),
            committed: VecDeque::new(),
            timers: Timers::default(),
            routed: Vec::new(),
            destinations: Vec::new(),
            synced: Vec::new(),
        };
        broker.make_defaults();
        broker
    }

    /// Which RabbitMQ it is like.
    #[must_use]
    pub fn version(&self) -> Version {
        self.options.version()
    }

    /// What its version does differently.
    pub(super) fn profile(&self) -> &'static Profile {
        self.options.version().profile()
    }

    /// Whether the broker is up; see [`Broker::stop`] and [`Broker::start`].
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// The choices that its names were made from, if they are recorded.
    pub(crate) fn recorded_choices(&self) -> &[Choice] {
        self.names.recorded()
    }

    /// Whether a connection is open.
    #[must_use]
    pub fn has_connection(&self, connection: ConnectionId) -> bool {
        self.connections.contains_key(&connection)
    }

    /// The next thing to send, if there is one.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        if !self.confirming.is_empty() && self.outputs.is_empty() {
            self.send_confirms();
        }
        let output = self.outputs.pop()?;
        // A heartbeat is no reason to leave out the next.
        if self.has_heartbeats && output.event != Event::Heartbeat {
            self.sent(output.connection);
        }
        Some(output)
    }

    /// Runs a method on an open channel; closes what its failure closes.
    fn on_channel<T>(
        &mut self,
        now: Instant,
        id: ChannelId,
        method: MethodId,
        run: impl FnOnce(&mut Broker, Caller) -> Result<T, Fault>,
    ) -> Result<T, AmqpError> {
        let caller = match self.sessions.get(&id) {
            Some(&Session::Open(channel, vhost)) => Caller { id, channel, vhost },
            Some(Session::Failed(_)) | None => return Err(self.not_open(now, id, method)),
        };
        let result = run(self, caller).map_err(|fault| self.fail(now, id, fault.of(method)));
        self.publish_dead_letters(now);
        result
    }

    /// What a method on a channel that is not open gets.
    #[cold]
    fn not_open(&mut self, now: Instant, id: ChannelId, method: MethodId) -> AmqpError {
        if let Some(Session::Failed(failure)) = self.sessions.get(&id) {
            // On the wire there is no answer; a caller of the typed methods,
            // who was told before, gets it again.
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

    /// Closes what `error` closes, and gives it back.
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

    /// What clients hold unacknowledged, or settled in a transaction.
    pub(super) fn held_by_clients(&self) -> impl Iterator<Item = &Unacked> {
        self.channels.iter().flat_map(|(_, channel)| channel.held())
    }

    /// A vhost that is known to exist.
    pub(super) fn vhost(&self, key: VHostKey) -> &VHost {
        self.vhosts.get(key).expect("what is in a vhost goes with it")
    }

    fn vhost_mut(&mut self, key: VHostKey) -> &mut VHost {
        self.vhosts.get_mut(key).expect("what is in a vhost goes with it")
    }

    /// A queue that is known to exist.
    pub(crate) fn queue_mut(&mut self, key: QueueKey) -> &mut Queue {
        self.queues.get_mut(key).expect("the queue was just looked up")
    }

    fn push(&mut self, id: ChannelId, event: Event) {
        let ChannelId { connection, number } = id;
        self.outputs.push(Output { connection, channel: number, event });
    }

    /// A queue has taken responsibility for a publish, or refused it.
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

    fn confirm(&mut self, key: ChannelKey, seqno: u64) {
        self.settle_publish(key, seqno, Verdict::Ack);
    }

    fn send_confirms(&mut self) {
        for key in self.confirming.drain(..) {
            let Some(channel) = self.channels.get_mut(key) else {
                continue;
            };
            let ChannelId { connection, number } = channel.id;
            if let Some(confirms) = &mut channel.confirms {
                self.tally.confirm += confirms.ready() as u64;
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
