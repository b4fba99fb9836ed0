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

mod basic;
mod connection;
mod dispatch;
mod exchange;
mod input;
mod power;
mod publish;
mod queue;

use super::arena::Arena;
use super::channel::{Channel, ChannelKey};
use super::consumer::Consumer;
use super::error::{AmqpError, Fault, MethodId, ReplyCode, Scope};
use super::exchange::Exchange;
use super::id::{ChannelId, ChannelNumber, ConnectionId, DeliveryTag};
use super::journal::Journal;
use super::method::{ConnectionOptions, Event, Output};
use super::names::Names;
use super::queue::{Queue, QueueKey};
use crate::{Choice, Instant, Stream};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How a broker is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerOptions {
    sync_time: Duration,
}

impl BrokerOptions {
    /// How long a sync to disk takes: the time between what a process's death
    /// leaves and what a power loss leaves, and so the least delay of a
    /// persistent message's confirm. The default is no time at all.
    #[must_use]
    pub fn with_sync_time(mut self, sync_time: Duration) -> BrokerOptions {
        self.sync_time = sync_time;
        self
    }

    /// See [`BrokerOptions::with_sync_time`].
    #[must_use]
    pub fn sync_time(&self) -> Duration {
        self.sync_time
    }
}

/// Channel 0 is the connection's own; no other method belongs there.
const NOT_ON_CHANNEL_0: &str = "unexpected method in connection state running";

/// A connection, open.
#[derive(Debug)]
struct Connection {
    options: ConnectionOptions,
    /// Every number in use, failed channels included.
    channels: BTreeSet<ChannelNumber>,
    /// They go with the connection, in this order.
    exclusive_queues: BTreeSet<QueueKey>,
}

/// What a queue waits for; in the order in which they fire if it waits for both
/// at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The message at its head expires.
    Expiry,
    /// Its journal writes or syncs.
    Journal,
}

/// What a channel number stands for.
#[derive(Debug)]
enum Session {
    Open(ChannelKey),
    /// The broker has closed the channel; the client has not answered yet.
    Failed(Box<AmqpError>),
}

/// A RabbitMQ broker with one vhost, `/`, as a value.
///
/// # Driving it
///
/// It reads no clock and starts nothing: time comes in with every call, and
/// must not go backwards. There are two ways in, to be mixed at will:
///
/// - the **typed methods** (`queue_declare`, `basic_publish`, …) do one AMQP
///   method and return its answer. An `Err` says which channel or connection
///   the broker *has* closed because of it;
/// - [`handle_input`](Broker::handle_input) takes a [`Method`](super::Method) as a client sent it,
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
/// Timers of one moment fire in the order of their queues' slots, which is the
/// order of declaration as long as no queue was deleted; and of one queue,
/// messages expire before it writes to disk.
///
/// ```
/// use stunt_double::rabbitmq::{
///     Broker, BrokerOptions, ChannelId, ConsumeOptions, Event, Publish, QueueOptions,
/// };
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
    options: BrokerOptions,
    names: Names,
    running: bool,

    connections: IndexMap<ConnectionId, Connection, FxBuildHasher>,
    sessions: IndexMap<ChannelId, Session, FxBuildHasher>,
    channels: Arena<Channel>,
    pub(super) exchanges: IndexMap<SmolStr, Exchange, FxBuildHasher>,
    /// The default exchange's name, which is empty.
    nameless: Arc<SmolStr>,
    queue_names: IndexMap<SmolStr, QueueKey, FxBuildHasher>,
    pub(super) queues: Arena<Queue>,
    consumers: Arena<Consumer>,

    outputs: VecDeque<Output>,
    /// Channels with confirms ready to send, in the order they got ready.
    confirming: Vec<ChannelKey>,
    /// A queue may be in here several times; only its `armed` times count.
    timers: BinaryHeap<Reverse<(Instant, QueueKey, Timer)>>,

    /// Scratch: where the message being published goes.
    routed: Vec<QueueKey>,
    /// Scratch: publishes just synced.
    synced: Vec<(ChannelKey, u64)>,
}

impl Broker {
    /// A broker that is running and has nothing but the exchanges every vhost
    /// has. `names` makes the names it gives to queues and consumers.
    #[must_use]
    pub fn new(options: BrokerOptions, names: Stream) -> Broker {
        let mut broker = Broker {
            options,
            names: Names::new(names),
            running: true,
            connections: IndexMap::default(),
            sessions: IndexMap::default(),
            channels: Arena::default(),
            exchanges: IndexMap::default(),
            nameless: Arc::default(),
            queue_names: IndexMap::default(),
            queues: Arena::default(),
            consumers: Arena::default(),
            outputs: VecDeque::new(),
            confirming: Vec::new(),
            timers: BinaryHeap::new(),
            routed: Vec::new(),
            synced: Vec::new(),
        };
        broker.declare_system_exchanges();
        broker
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
        if self.outputs.is_empty() && !self.confirming.is_empty() {
            self.send_confirms();
        }
        self.outputs.pop_front()
    }

    /// When to call [`Broker::handle_timeout`] next. It may be in the past.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, ..))| *at)
    }

    /// Fires the timers that are due by `now`: messages expire, queues write to
    /// disk, and the confirms that waited for it become ready.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&Reverse((at, key, timer))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            let Some(queue) = self.queues.get_mut(key) else {
                continue;
            };
            match timer {
                Timer::Expiry => {
                    if queue.more.expiries.armed == Some(at) {
                        queue.more.expiries.armed = None;
                        self.expire(now, key);
                    }
                }
                Timer::Journal => {
                    if let Some(journal) = &mut queue.journal
                        && journal.armed == Some(at)
                    {
                        journal.armed = None;
                        journal.fire(now, self.options.sync_time, &mut self.synced);
                        arm(&mut self.timers, key, journal);
                    }
                }
            }
        }
        let mut synced = std::mem::take(&mut self.synced);
        for (channel, seqno) in synced.drain(..) {
            self.confirm(channel, seqno);
        }
        self.synced = synced;
    }

    /// Runs a method on an open channel; closes what its failure closes.
    fn on_channel<T>(
        &mut self,
        now: Instant,
        id: ChannelId,
        method: MethodId,
        run: impl FnOnce(&mut Broker, ChannelKey) -> Result<T, Fault>,
    ) -> Result<T, AmqpError> {
        let channel = match self.sessions.get(&id) {
            Some(Session::Open(channel)) => *channel,
            Some(Session::Failed(_)) | None => return Err(self.not_open(now, id, method)),
        };
        run(self, channel).map_err(|fault| self.fail(now, id, fault.of(method)))
    }

    /// What a method on a channel that is not open gets.
    #[cold]
    fn not_open(&mut self, now: Instant, id: ChannelId, method: MethodId) -> AmqpError {
        if let Some(Session::Failed(cause)) = self.sessions.get(&id) {
            // On the wire there is no answer; a caller of the typed methods,
            // who was told before, gets it again.
            let reason = format!("channel {id} was closed by the broker: {}", cause.text);
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
        match error.scope {
            Scope::Channel => {
                let failed = Session::Failed(Box::new(error.clone()));
                if let Some(Session::Open(channel)) = self.sessions.insert(id, failed) {
                    self.close_channels(now, &[channel]);
                }
            }
            Scope::Connection => self.drop_connection(now, id.connection),
        }
        error
    }

    /// The consumers, each with the name of its queue and its channel.
    pub(super) fn live_consumers(&self) -> impl Iterator<Item = (&SmolStr, ChannelId, &Consumer)> {
        self.consumers.iter().filter_map(|(_, consumer)| {
            let queue = self.queues.get(consumer.queue)?;
            let channel = self.channels.get(consumer.channel)?;
            Some((&queue.more.name, channel.id, consumer))
        })
    }

    fn push(&mut self, id: ChannelId, event: Event) {
        let ChannelId { connection, number } = id;
        self.outputs.push_back(Output { connection, channel: number, event });
    }

    /// A queue has taken responsibility for a publish.
    fn confirm(&mut self, key: ChannelKey, seqno: u64) {
        if let Some(channel) = self.channels.get_mut(key)
            && let Some(confirms) = &mut channel.confirms
        {
            let was_ready = confirms.has_ready();
            confirms.confirm(seqno);
            if confirms.has_ready() && !was_ready {
                self.confirming.push(key);
            }
        }
    }

    fn send_confirms(&mut self) {
        for key in self.confirming.drain(..) {
            let Some(channel) = self.channels.get_mut(key) else {
                continue;
            };
            let ChannelId { connection, number } = channel.id;
            if let Some(confirms) = &mut channel.confirms {
                confirms.send(|seqno, multiple| {
                    let event = Event::Ack { delivery_tag: DeliveryTag(seqno), multiple };
                    self.outputs.push_back(Output { connection, channel: number, event });
                });
            }
        }
    }
}

/// Sets the timer of a queue's journal, unless it is set for earlier.
fn arm(
    timers: &mut BinaryHeap<Reverse<(Instant, QueueKey, Timer)>>,
    key: QueueKey,
    journal: &mut Journal,
) {
    if let Some(due) = journal.due()
        && journal.armed.is_none_or(|armed| due < armed)
    {
        journal.armed = Some(due);
        timers.push(Reverse((due, key, Timer::Journal)));
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
