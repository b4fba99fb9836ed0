//! The methods of class queue.

use super::Broker;
use super::exchange::{check_not_default, without_line_ends};
use crate::Instant;
use crate::rabbitmq::channel::ChannelKey;
use crate::rabbitmq::error::{AmqpError, Fault, queue_in_vhost};
use crate::rabbitmq::exchange::Binding;
use crate::rabbitmq::id::{ChannelId, ConnectionId};
use crate::rabbitmq::method::{BindOptions, Event, QueueDeclareOk, QueueOptions, ids};
use crate::rabbitmq::queue::{Queue, QueueKey, check_arguments};
use crate::rabbitmq::unmodelled::{self, Place};
use smol_str::SmolStr;
use std::sync::Arc;

impl Broker {
    /// Declares a queue (`queue.declare`): makes it, or makes sure that the one
    /// of this name is the same. With an empty name the server makes one up.
    /// It becomes the channel's last declared queue, for which an empty name
    /// stands in the other methods.
    ///
    /// # Errors
    ///
    /// `RESOURCE_LOCKED` if it is exclusive to another connection or differs in
    /// being exclusive, `PRECONDITION_FAILED` if it exists and differs
    /// otherwise, `ACCESS_REFUSED` for a name beginning with `amq.`,
    /// `NOT_FOUND` if it does not exist and the declaration is passive.
    pub fn queue_declare(
        &mut self,
        now: Instant,
        ch: ChannelId,
        name: &str,
        options: QueueOptions,
    ) -> Result<QueueDeclareOk, AmqpError> {
        self.on_channel(now, ch, ids::QUEUE_DECLARE, |broker, channel| {
            let name = without_line_ends(name);
            unmodelled::check(Place::ReplyTo, &name)?;
            let key = if options.passive {
                let key = broker.queue_key(&name)?;
                broker.queue_mut(key).check_access(ch.connection)?;
                key
            } else {
                broker.declare_queue(ch.connection, name, options)?
            };
            broker.expire(now, key);
            let queue = broker.queue_mut(key);
            queue.touch(now);
            let declared = QueueDeclareOk {
                queue: queue.more.name.clone(),
                message_count: count(queue.ready.len()),
                consumer_count: count(queue.consumer_count()),
            };
            broker.channel_mut(channel).last_queue = Some(declared.queue.clone());
            Ok(declared)
        })
    }

    fn declare_queue(
        &mut self,
        connection: ConnectionId,
        name: SmolStr,
        options: QueueOptions,
    ) -> Result<QueueKey, Fault> {
        if name.starts_with("amq.") {
            let reason = format!("queue name '{name}' contains reserved prefix 'amq.*'");
            return Err(Fault::refused(reason));
        }
        if let Some(&key) = self.queue_names.get(&name) {
            self.queue_mut(key).check_equivalent(&options, connection)?;
            return Ok(key);
        }
        let name = if name.is_empty() { self.names.queue() } else { name };
        check_arguments(&name, &options.arguments)?;
        let exclusive = options.exclusive;
        let key = self.queues.insert(Queue::new(name.clone(), options, connection));
        self.queue_names.insert(name, key);
        if exclusive && let Some(owner) = self.connections.get_mut(&connection) {
            owner.exclusive_queues.insert(key);
        }
        Ok(key)
    }

    /// Binds a queue to an exchange (`queue.bind`). A binding that exists is
    /// left as it is. With no queue named, the channel's last declared one is
    /// meant; with no routing key either, that queue's name is the key.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if either does not exist, `ACCESS_REFUSED` for the default
    /// exchange, `RESOURCE_LOCKED` for another connection's exclusive queue,
    /// `PRECONDITION_FAILED` for a senseless `x-match`.
    pub fn queue_bind(
        &mut self,
        now: Instant,
        ch: ChannelId,
        binding: BindOptions,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::QUEUE_BIND, |broker, channel| {
            let BindOptions { queue, exchange, routing_key, arguments } =
                broker.expand_binding(channel, binding)?;
            check_not_default(&exchange)?;
            broker.exchange(&exchange)?;
            let key = broker.queue_key(&queue)?;
            let source = broker.exchange(&exchange)?;
            source.check_binding(&arguments)?;
            let source = Arc::clone(&source.name);
            broker.queue_mut(key).check_access(ch.connection)?;
            let binding = Binding { queue: key, routing_key, arguments: arguments.sorted() };
            if broker.exchange(&exchange)?.bind(binding.clone()) {
                broker.queue_mut(key).more.bindings.insert((source, binding));
            }
            Ok(())
        })
    }

    /// Removes a binding (`queue.unbind`); the arguments must be the same.
    /// Removing one that does not exist is fine.
    ///
    /// # Errors
    ///
    /// `ACCESS_REFUSED` for the default exchange, `RESOURCE_LOCKED` for another
    /// connection's exclusive queue.
    pub fn queue_unbind(
        &mut self,
        now: Instant,
        ch: ChannelId,
        binding: BindOptions,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::QUEUE_UNBIND, |broker, channel| {
            let BindOptions { queue, exchange, routing_key, arguments } =
                broker.expand_binding(channel, binding)?;
            check_not_default(&exchange)?;
            let Some(&key) = broker.queue_names.get(&queue) else {
                return Ok(());
            };
            let binding = Binding { queue: key, routing_key, arguments: arguments.sorted() };
            let Some(source) = broker.exchanges.get(&exchange).filter(|e| e.has(&binding)) else {
                return Ok(());
            };
            let source = Arc::clone(&source.name);
            broker.queue_mut(key).check_access(ch.connection)?;
            broker.exchange(&exchange)?.unbind(&binding);
            broker.queue_mut(key).more.bindings.swap_remove(&(source, binding));
            broker.auto_delete_exchange(&exchange);
            Ok(())
        })
    }

    /// Drops the ready messages of a queue (`queue.purge`) and says how many
    /// there were. Unacknowledged ones stay.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`, or `RESOURCE_LOCKED` for another connection's exclusive
    /// queue.
    pub fn queue_purge(
        &mut self,
        now: Instant,
        ch: ChannelId,
        name: &str,
    ) -> Result<u32, AmqpError> {
        self.on_channel(now, ch, ids::QUEUE_PURGE, |broker, channel| {
            let key = broker.named_queue(channel, ch, name)?;
            broker.expire(now, key);
            let queue = broker.queue_mut(key);
            queue.touch(now);
            let purged = queue.ready.take_all();
            let message_count = count(purged.len());
            for entry in purged {
                broker.leave(now, key, entry);
            }
            Ok(message_count)
        })
    }

    /// Deletes a queue (`queue.delete`) and says how many ready messages went
    /// with it. Its consumers are told. Deleting one that does not exist is
    /// fine.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if it has consumers and `if_unused` is set, or
    /// ready messages and `if_empty` is; `RESOURCE_LOCKED` for another
    /// connection's exclusive queue.
    pub fn queue_delete(
        &mut self,
        now: Instant,
        ch: ChannelId,
        name: &str,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<u32, AmqpError> {
        self.on_channel(now, ch, ids::QUEUE_DELETE, |broker, channel| {
            let name = broker.expand_name(channel, &without_line_ends(name))?;
            let Some(&key) = broker.queue_names.get(&name) else {
                return Ok(0);
            };
            broker.queue_mut(key).check_access(ch.connection)?;
            broker.expire(now, key);
            let queue = broker.queue_mut(key);
            let what = || queue_in_vhost(&name);
            if if_unused && queue.consumer_count() > 0 {
                return Err(Fault::precondition(format!("{} in use", what())));
            }
            if if_empty && !queue.ready.is_empty() {
                return Err(Fault::precondition(format!("{} not empty", what())));
            }
            let message_count = count(queue.ready.len());
            broker.delete_queue(key);
            Ok(message_count)
        })
    }

    /// Takes a queue away, with its bindings and its consumers. Confirms that
    /// waited for it wait no longer.
    pub(super) fn delete_queue(&mut self, key: QueueKey) {
        let Some(queue) = self.queues.remove(key) else {
            return;
        };
        self.queue_names.swap_remove(&queue.more.name);
        if let Some(owner) = queue.more.owner
            && let Some(connection) = self.connections.get_mut(&owner)
        {
            connection.exclusive_queues.remove(&key);
        }
        for (exchange, binding) in &queue.more.bindings {
            if let Some(exchange) = self.exchanges.get_mut(exchange.as_str()) {
                exchange.unbind(binding);
            }
            self.auto_delete_exchange(exchange);
        }
        self.cancel_consumers(&queue);
        for (channel, seqno) in queue.journal.iter().flat_map(|journal| journal.waiting()) {
            self.confirm(channel, seqno);
        }
    }

    /// Tells the consumers of a deleted queue, channel by channel and there in
    /// the order of their tags.
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
        cancelled.sort_unstable();
        for (id, consumer_tag) in cancelled {
            let connection = self.connections.get(&id.connection);
            if connection.is_some_and(|c| c.options.consumer_cancel_notify) {
                self.push(id, Event::Cancel { consumer_tag });
            }
        }
    }

    /// What a queue's name stands for on this channel.
    pub(super) fn expand_name(
        &mut self,
        channel: ChannelKey,
        name: &str,
    ) -> Result<SmolStr, Fault> {
        if !name.is_empty() {
            return Ok(name.into());
        }
        let last = self.channel_mut(channel).last_queue.clone();
        last.ok_or_else(|| Fault::new(super::ReplyCode::NotFound, "no previously declared queue"))
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

    pub(super) fn queue_key(&self, name: &str) -> Result<QueueKey, Fault> {
        self.queue_names.get(name).copied().ok_or_else(|| Fault::no_queue(name))
    }

    /// The queue a method names, which its connection must have access to.
    pub(super) fn named_queue(
        &mut self,
        channel: ChannelKey,
        ch: ChannelId,
        name: &str,
    ) -> Result<QueueKey, Fault> {
        let name = self.expand_name(channel, name)?;
        let key = self.queue_key(&name)?;
        self.queue_mut(key).check_access(ch.connection)?;
        Ok(key)
    }
}

/// A count as AMQP carries it.
pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
