//! The methods of class queue.

use super::exchange::{check_local, check_not_default, without_line_ends};
use super::options::BrokerOptions;
use super::story::Fate;
use super::{Broker, Caller, Session};
use crate::Instant;
use crate::rabbitmq::channel::confirm::Verdict;
use crate::rabbitmq::channel::reply_to::{self, REPLY_TO, is_pseudo_queue};
use crate::rabbitmq::exchange::{Binding, Destination, Kind as ExchangeKind};
use crate::rabbitmq::key::{ChannelKey, ExchangeKey, QueueKey, VHostKey};
use crate::rabbitmq::protocol::error::{AmqpError, Fault, ReplyCode};
use crate::rabbitmq::protocol::id::{ChannelId, ConnectionId};
use crate::rabbitmq::protocol::method::{BindOptions, Event, QueueDeclareOk, QueueOptions, ids};
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::protocol::table::FieldValue;
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::journal::Waiter;
use crate::rabbitmq::queue::kind::Kind;
use crate::rabbitmq::queue::settings::check_arguments;
use crate::rabbitmq::stats::MessageStats;
use crate::rabbitmq::version::DeprecatedFeature;
use crate::rabbitmq::vhost::user::Access;
use crate::sort::sort_by;
use smol_str::SmolStr;

impl Broker {
    /// Declares a queue (`queue.declare`): creates it, or checks that the existing one is the same.
    /// If the name is empty, the server makes one. The queue becomes the channel's last declared
    /// queue: in the other methods, an empty name stands for it.
    ///
    /// # Errors
    ///
    /// `RESOURCE_LOCKED` if it is exclusive to another connection, or if only one of the two
    /// declarations is exclusive; `PRECONDITION_FAILED` if it exists and differs otherwise, for
    /// arguments or properties that its type cannot have, or at the vhost's limit; `INTERNAL_ERROR`
    /// for a deprecated feature that is denied, which closes the connection;
    /// `ACCESS_REFUSED` for a name that begins with `amq.`; `NOT_FOUND` if it does not exist and
    /// the declaration is passive.
    pub fn queue_declare(
        &mut self,
        now: Instant,
        ch: ChannelId,
        name: &str,
        options: QueueOptions,
    ) -> Result<QueueDeclareOk, AmqpError> {
        self.on_channel(now, ch, ids::QUEUE_DECLARE, |broker, caller| {
            let name = without_line_ends(name);
            if is_pseudo_queue(&name) {
                return broker.declare_reply_to(caller, name);
            }
            let key = if options.passive {
                broker.check_passive_queue(caller, &name)?;
                let key = broker.queue_key(caller.vhost, &name)?;
                broker.queue_mut(key).check_access(ch.connection)?;
                key
            } else {
                broker.declare_queue(now, caller, name, options)?
            };
            broker.notice_expired(now, key);
            broker.touch_unused(now, key);
            let consumer_count = count(broker.counted_consumers(key));
            let queue = broker.queue_mut(key);
            queue.touch(now);
            let declared = QueueDeclareOk {
                queue: queue.cold.name.clone(),
                message_count: queue.ready_count(),
                consumer_count,
            };
            broker.channel_mut(caller.channel).last_queue = Some(declared.queue.clone());
            Ok(declared)
        })
    }

    /// Answers a declaration of the pseudo-queue of direct replies, which asks whether a name
    /// belongs to a channel. A channel that asks for its own name crashes on the server.
    fn declare_reply_to(&mut self, caller: Caller, name: SmolStr) -> Result<QueueDeclareOk, Fault> {
        let is_own = self.reply_names.get(&name) == Some(&caller.channel);
        if is_own || reply_to::is_malformed(&name) {
            return Err(Fault::internal());
        }
        if name != REPLY_TO && !self.reply_names.contains_key(&name) {
            if self.profile().replies_have_queues && !reply_to::is_made_by_server(&name) {
                return Err(Fault::internal());
            }
            return Err(reply_to::not_found(&self.vhost(caller.vhost).name, &name));
        }
        Ok(QueueDeclareOk { queue: name, message_count: 0, consumer_count: 1 })
    }

    fn declare_queue(
        &mut self,
        now: Instant,
        caller: Caller,
        name: SmolStr,
        mut options: QueueOptions,
    ) -> Result<QueueKey, Fault> {
        let connection = caller.id.connection;
        self.choose_type(caller.vhost, &mut options);
        if name.starts_with("amq.") {
            let reason = format!("queue name '{name}' contains reserved prefix 'amq.*'");
            return Err(Fault::refused(reason));
        }
        let asked = options.arguments.get(QueueType::ARGUMENT).and_then(FieldValue::as_str);
        if name.is_empty() && matches!(asked, Some("quorum" | "stream")) {
            let module = QueueType::of(&options.arguments).module();
            return Err(Fault::precondition(format!(
                "Cannot declare a server-named queue for type {module}"
            )));
        }
        let name = if name.is_empty() { self.names.queue() } else { name };
        self.check_queue_access(caller, Access::Configure, &name)?;
        if let Ok(key) = self.queue_key(caller.vhost, &name) {
            let profile = self.profile();
            self.queue_mut(key).check_equivalent(&options, connection, profile)?;
            return Ok(key);
        }
        let vhost_name = self.vhost(caller.vhost).name.clone();
        let rules = &self.profile().settings;
        let kind = check_arguments(&vhost_name, &name, &options.arguments, rules)?;
        check_master_locator(&self.options, &options)?;
        if let Some(exchange) = options.arguments.get("x-dead-letter-exchange") {
            self.check_queue_access(caller, Access::Read, &name)?;
            let exchange = exchange.as_str().unwrap_or_default();
            self.check_exchange_access(caller, Access::Write, exchange)?;
        }
        self.check_queue_limit(caller.vhost, &name)?;
        check_transient(&self.options, &options)?;
        check_properties_of_type(&vhost_name, &name, kind, &options)?;
        let exclusive = options.exclusive;
        let key = self.insert_queue(now, caller.vhost, name, options, connection);
        if exclusive && let Some(owner) = self.connections.get_mut(&connection) {
            owner.exclusive_queues.insert(key);
        }
        Ok(key)
    }

    /// Gives a queue that asks for no type the default type of its vhost, if it can have that.
    pub(crate) fn choose_type(&self, vhost: VHostKey, options: &mut QueueOptions) {
        let is_lasting = options.durable && !options.exclusive && !options.auto_delete;
        if is_lasting
            && options.arguments.get(QueueType::ARGUMENT).is_none()
            && let Some(default) = self.vhost(vhost).default_queue_type
        {
            options.arguments.insert(QueueType::ARGUMENT, default.name());
        }
    }

    /// Creates a queue. Its arguments were checked.
    pub(crate) fn insert_queue(
        &mut self,
        now: Instant,
        vhost: VHostKey,
        name: SmolStr,
        options: QueueOptions,
        owner: ConnectionId,
    ) -> QueueKey {
        let vhost_name = self.vhost(vhost).name.clone();
        let profile = self.profile();
        let queue = Queue::new(now, (vhost, vhost_name), name.clone(), options, owner, profile);
        let key = self.queues.insert(queue);
        self.vhost_mut(vhost).queues.insert(name, key);
        self.apply_policies_to_queue(now, key);
        key
    }

    /// Binds a queue to an exchange (`queue.bind`). An existing binding is kept. An empty queue
    /// name stands for the channel's last declared queue; if the routing key is empty too, that
    /// queue's name is the key.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if the queue or the exchange does not exist; `ACCESS_REFUSED` for the default
    /// exchange; `RESOURCE_LOCKED` for another connection's exclusive queue; `PRECONDITION_FAILED`
    /// for an invalid `x-match`.
    pub fn queue_bind(
        &mut self,
        now: Instant,
        ch: ChannelId,
        binding: BindOptions,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::QUEUE_BIND, |broker, caller| {
            let binding = broker.expand_binding(caller.channel, binding)?;
            let source = broker.bound_exchange(caller, &binding)?;
            let key = broker.queue_key(caller.vhost, &binding.queue)?;
            let BindOptions { routing_key, arguments, .. } = binding;
            broker.check_topic_access(caller, Access::Read, source, &routing_key)?;
            let exchange =
                broker.exchanges.get(source).expect("the caller has just found the exchange");
            exchange.check_binding(&routing_key, &arguments)?;
            if exchange.kind == ExchangeKind::LocalRandom {
                let kind = broker.queues.get(key).map(|queue| queue.cold.kind.queue_type());
                check_local(&routing_key, kind)?;
            }
            broker.queue_mut(key).check_access(ch.connection)?;
            let destination = Destination::Queue(key);
            let arguments = arguments.sorted();
            broker.insert_binding(source, Binding { destination, routing_key, arguments });
            Ok(())
        })
    }

    /// Removes a binding (`queue.unbind`) with the same arguments. Removing a binding that does not
    /// exist succeeds.
    ///
    /// # Errors
    ///
    /// `ACCESS_REFUSED` for the default exchange; `RESOURCE_LOCKED` for another connection's
    /// exclusive queue.
    pub fn queue_unbind(
        &mut self,
        now: Instant,
        ch: ChannelId,
        binding: BindOptions,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::QUEUE_UNBIND, |broker, caller| {
            let binding = broker.expand_binding(caller.channel, binding)?;
            let source = match broker.bound_exchange(caller, &binding) {
                Err(fault) if fault.code == ReplyCode::NotFound => return Ok(()),
                source => source?,
            };
            let Ok(key) = broker.queue_key(caller.vhost, &binding.queue) else {
                return Ok(());
            };
            let BindOptions { routing_key, arguments, .. } = binding;
            let destination = Destination::Queue(key);
            let binding = Binding { destination, routing_key, arguments: arguments.sorted() };
            if broker.exchanges.get(source).is_some_and(|exchange| exchange.has(&binding)) {
                broker.queue_mut(key).check_access(ch.connection)?;
                broker.remove_binding(source, &binding);
            }
            Ok(())
        })
    }

    /// Returns the exchange of a queue's binding, which the caller must be permitted to bind.
    fn bound_exchange(
        &mut self,
        caller: Caller,
        binding: &BindOptions,
    ) -> Result<ExchangeKey, Fault> {
        check_not_default(&binding.exchange)?;
        self.check_queue_access(caller, Access::Write, &binding.queue)?;
        self.check_exchange_access(caller, Access::Read, &binding.exchange)?;
        self.exchange_key(caller.vhost, &binding.exchange)
    }

    /// Drops the ready messages of a queue (`queue.purge`) and returns their number. Unacknowledged
    /// messages stay.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`; `RESOURCE_LOCKED` for another connection's exclusive queue; `NOT_IMPLEMENTED`
    /// for a stream, which closes the connection.
    pub fn queue_purge(
        &mut self,
        now: Instant,
        ch: ChannelId,
        name: &str,
    ) -> Result<u32, AmqpError> {
        self.on_channel(now, ch, ids::QUEUE_PURGE, |broker, caller| {
            let name = broker.expand_name(caller.channel, name)?;
            broker.check_queue_access(caller, Access::Read, &name)?;
            let key = broker.named_queue(caller, &name)?;
            broker.notice_expired(now, key);
            let queue = broker.queue_mut(key);
            if !queue.cold.kind.supports_purge() {
                let reason = format!("queue.purge not supported by stream queues {}", queue.what());
                return Err(Fault::new(ReplyCode::NotImplemented, reason));
            }
            queue.touch(now);
            let mut purged = queue.ready.take_all();
            if let Some(quorum) = queue.cold.kind.quorum_mut() {
                purged.extend(quorum.delayed.take_all());
            }
            let message_count = count(purged.len());
            for entry in purged {
                broker.tell_of(key, entry.position(), |queue| Fate::Purged { queue });
                broker.leave(now, key, entry);
            }
            Ok(message_count)
        })
    }

    /// Deletes a queue (`queue.delete`) and returns the number of ready messages in it, or 0 for a
    /// stream. Its consumers are told. A stream ignores `if_unused` and `if_empty`. Deleting a
    /// queue that does not exist succeeds.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if it has consumers and `if_unused` is set, or ready messages and
    /// `if_empty` is set; `NOT_IMPLEMENTED` if either is set for a quorum queue, which closes the
    /// connection; `RESOURCE_LOCKED` for another connection's exclusive queue.
    pub fn queue_delete(
        &mut self,
        now: Instant,
        ch: ChannelId,
        name: &str,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<u32, AmqpError> {
        self.on_channel(now, ch, ids::QUEUE_DELETE, |broker, caller| {
            let name = broker.expand_name(caller.channel, &without_line_ends(name))?;
            if is_pseudo_queue(&name) {
                return Ok(0);
            }
            broker.check_queue_access(caller, Access::Configure, &name)?;
            let Ok(key) = broker.queue_key(caller.vhost, &name) else {
                return Ok(0);
            };
            broker.queue_mut(key).check_access(ch.connection)?;
            broker.notice_expired(now, key);
            let queue = broker.queue_mut(key);
            check_delete(queue, if_unused, if_empty)?;
            let (if_unused, if_empty) = match &queue.cold.kind {
                Kind::Classic => (if_unused, if_empty),
                Kind::Quorum(_) | Kind::Stream(_) => (false, false),
            };
            if if_empty && queue.ready_count() > 0 {
                return Err(Fault::precondition(format!("{} not empty", queue.what())));
            }
            if if_unused && queue.consumer_count() > 0 {
                return Err(Fault::precondition(format!("{} in use", queue.what())));
            }
            let message_count = match &queue.cold.kind {
                Kind::Classic | Kind::Quorum(_) => queue.ready_count(),
                Kind::Stream(_) => 0,
            };
            broker.delete_queue(key);
            Ok(message_count)
        })
    }

    /// Removes a queue with its bindings and consumers. Confirms that waited for it are sent.
    pub(super) fn delete_queue(&mut self, key: QueueKey) {
        self.tell_deleted(key);
        let Some(queue) = self.queues.remove(key) else {
            return;
        };
        self.vhost_mut(queue.cold.vhost).queues.swap_remove(&queue.cold.name);
        self.tally += MessageStats { publish: 0, ..queue.stats() };
        if let Some(owner) = queue.cold.owner
            && let Some(connection) = self.connections.get_mut(&owner)
        {
            connection.exclusive_queues.remove(&key);
        }
        for (exchange, binding) in &queue.cold.bindings {
            if let Some(exchange) = self.exchanges.get_mut(*exchange) {
                exchange.unbind(binding);
            }
            self.auto_delete_exchange(*exchange);
        }
        self.cancel_consumers(&queue);
        for waiter in queue.journal.iter().flat_map(|journal| journal.waiting()) {
            let verdict = match waiter {
                Waiter::Publisher(..) => Verdict::Ack,
                Waiter::Letter(..) => Verdict::Nack,
            };
            self.tell_waiter(waiter, verdict);
        }
    }

    /// Cancels the consumers of a deleted queue, channel by channel, each in order of tags.
    fn cancel_consumers(&mut self, queue: &Queue) {
        let mut cancelled = Vec::new();
        for consumer in queue.consumers() {
            if let Some(consumer) = self.consumers.remove(consumer)
                && let Some(channel) = self.channels.get_mut(consumer.channel)
            {
                channel.consumers.swap_remove(&consumer.tag);
                cancelled.push((channel.id, consumer.tag));
            }
        }
        sort_by(&mut cancelled, Ord::cmp);
        for (id, consumer_tag) in cancelled {
            let connection = self.connections.get(&id.connection);
            let has_failed = matches!(self.sessions.get(&id), Some(Session::Failed(_)));
            if connection.is_some_and(|c| c.options.consumer_cancel_notify) && !has_failed {
                self.push(id, Event::Cancel { consumer_tag });
            }
        }
    }

    /// Returns the queue that a name stands for on this channel.
    pub(super) fn expand_name(
        &mut self,
        channel: ChannelKey,
        name: &str,
    ) -> Result<SmolStr, Fault> {
        if !name.is_empty() {
            return Ok(name.into());
        }
        let last = self.channel_mut(channel).last_queue.clone();
        last.ok_or_else(|| Fault::new(ReplyCode::NotFound, "no previously declared queue"))
    }

    fn expand_binding(
        &mut self,
        channel: ChannelKey,
        binding: BindOptions,
    ) -> Result<BindOptions, Fault> {
        let queue = self.expand_name(channel, &without_line_ends(&binding.queue))?;
        let both_empty = binding.queue.is_empty() && binding.routing_key.is_empty();
        let routing_key = if both_empty { queue.clone() } else { binding.routing_key };
        let exchange = without_line_ends(&binding.exchange);
        Ok(BindOptions { queue, exchange, routing_key, ..binding })
    }

    pub(crate) fn queue_key(&self, vhost: VHostKey, name: &str) -> Result<QueueKey, Fault> {
        let vhost = self.vhost(vhost);
        vhost.queues.get(name).copied().ok_or_else(|| Fault::no_queue(&vhost.name, name))
    }

    /// Returns the queue of this name. The caller's connection must have access to it.
    pub(super) fn named_queue(&mut self, caller: Caller, name: &str) -> Result<QueueKey, Fault> {
        let key = self.queue_key(caller.vhost, name)?;
        self.queue_mut(key).check_access(caller.id.connection)?;
        Ok(key)
    }
}

/// Refuses conditions that a quorum queue does not support.
fn check_delete(queue: &Queue, if_unused: bool, if_empty: bool) -> Result<(), Fault> {
    match &queue.cold.kind {
        Kind::Quorum(_) if if_unused || if_empty => {}
        Kind::Classic | Kind::Quorum(_) | Kind::Stream(_) => return Ok(()),
    }
    let flag = if if_unused { "if-unused" } else { "if-empty" };
    let reason = format!(
        "cannot delete {}. queue.delete operations with {flag} flag set are not supported by \
         quorum queues",
        queue.what()
    );
    Err(Fault::new(ReplyCode::NotImplemented, reason))
}

/// Refuses a queue that is neither durable nor exclusive where the configuration denies it.
pub(crate) fn check_transient(broker: &BrokerOptions, options: &QueueOptions) -> Result<(), Fault> {
    let feature = DeprecatedFeature::TransientNonexclQueues;
    if options.durable || options.exclusive || broker.permits(feature) {
        return Ok(());
    }
    Err(Fault::new(ReplyCode::InternalError, broker.denial(feature)))
}

/// Refuses a queue with a master locator where the configuration denies it.
pub(crate) fn check_master_locator(
    broker: &BrokerOptions,
    options: &QueueOptions,
) -> Result<(), Fault> {
    let feature = DeprecatedFeature::QueueMasterLocator;
    if options.arguments.get("x-queue-master-locator").is_none() || broker.permits(feature) {
        return Ok(());
    }
    Err(Fault::new(ReplyCode::InternalError, broker.denial(feature)))
}

/// Refuses properties that a queue of this type cannot have.
pub(crate) fn check_properties_of_type(
    vhost: &str,
    name: &str,
    kind: QueueType,
    options: &QueueOptions,
) -> Result<(), Fault> {
    if kind == QueueType::Classic {
        return Ok(());
    }
    let what = crate::rabbitmq::protocol::error::queue_in_vhost(vhost, name);
    let invalid = |property: &str| {
        Err(Fault::precondition(format!("invalid property '{property}' for {what}")))
    };
    if options.auto_delete {
        return invalid("auto-delete");
    }
    if options.exclusive {
        return invalid("exclusive-owner");
    }
    if !options.durable {
        return invalid("non-durable");
    }
    Ok(())
}

/// Returns a count as AMQP carries it.
pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
