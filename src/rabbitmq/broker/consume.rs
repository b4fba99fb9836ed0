//! Consumers: `basic.consume` and `basic.cancel`, and the consumer of direct replies.

use super::connection::Ended;
use super::{Broker, Caller};
use crate::Instant;
use crate::rabbitmq::channel::Channel;
use crate::rabbitmq::channel::consumer::Consumer;
use crate::rabbitmq::channel::reply_to::{self, REPLY_TO, ReplyConsumer};
use crate::rabbitmq::channel::unacked::Unacked;
use crate::rabbitmq::key::{ChannelKey, ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::error::{AmqpError, Fault, ReplyCode};
use crate::rabbitmq::protocol::id::ChannelId;
use crate::rabbitmq::protocol::method::{ConsumeOptions, ids};
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::kind::Kind;
use crate::rabbitmq::queue::quorum::UNLIMITED_PREFETCH;
use crate::rabbitmq::queue::stream::Start;
use crate::rabbitmq::version::{SettingRules, Texts};
use crate::rabbitmq::vhost::user::Access;
use smol_str::SmolStr;
use std::collections::BTreeSet;

impl Broker {
    /// Starts a consumer (`basic.consume`) and returns its tag. Ready messages are delivered at
    /// once; the deliveries are outputs.
    ///
    /// # Errors
    ///
    /// `NOT_ALLOWED` if the channel has a consumer with this tag, which closes the connection;
    /// `NOT_FOUND`; `ACCESS_REFUSED` if the queue has an exclusive consumer, or if this consumer
    /// wants to be exclusive and there are others; `RESOURCE_LOCKED` for another connection's
    /// exclusive queue; `PRECONDITION_FAILED` for arguments that the type of queue does not take,
    /// or for a stream without a prefetch count; `NOT_IMPLEMENTED`, which closes the connection,
    /// for a stream with `no_ack`, and for a quorum queue or a stream if the channel has a `global`
    /// limit.
    pub fn basic_consume(
        &mut self,
        now: Instant,
        ch: ChannelId,
        queue: &str,
        options: ConsumeOptions,
    ) -> Result<SmolStr, AmqpError> {
        self.on_channel(now, ch, ids::BASIC_CONSUME, |broker, caller| {
            let tag = &options.consumer_tag;
            if broker.channel_mut(caller.channel).has_consumer(tag) {
                let reason = format!("attempt to reuse consumer tag '{tag}'");
                return Err(Fault::new(ReplyCode::NotAllowed, reason));
            }
            if queue == REPLY_TO {
                return broker.consume_replies(caller, options);
            }
            let name = broker.expand_name(caller.channel, queue)?;
            broker.check_queue_access(caller, Access::Read, &name)?;
            let key = broker.named_queue(caller, &name)?;
            broker.consume(now, caller.channel, key, options)
        })
    }

    /// Starts the consumer of a channel's direct replies.
    fn consume_replies(
        &mut self,
        caller: Caller,
        options: ConsumeOptions,
    ) -> Result<SmolStr, Fault> {
        let ConsumeOptions { consumer_tag, no_ack, .. } = options;
        let has_one = self.channel_mut(caller.channel).reply_consumer.is_some();
        reply_to::check_consumer(no_ack, has_one)?;
        let tag = if consumer_tag.is_empty() { self.names.consumer_tag() } else { consumer_tag };
        let name = self.names.reply_to();
        self.reply_names.insert(name.clone(), caller.channel);
        let consumer = Box::new(ReplyConsumer { tag: tag.clone(), name });
        self.channel_mut(caller.channel).reply_consumer = Some(consumer);
        Ok(tag)
    }

    fn consume(
        &mut self,
        now: Instant,
        channel_key: ChannelKey,
        key: QueueKey,
        options: ConsumeOptions,
    ) -> Result<SmolStr, Fault> {
        let ConsumeOptions { consumer_tag, no_ack, exclusive, arguments } = options;
        let channel = self.channel_mut(channel_key);
        let (mut prefetch, is_shared) = (channel.prefetch, channel.limiter.is_on());
        let (rules, texts) = (&self.profile().settings, &self.profile().texts);
        let queue = self.queue_mut(key);
        let what = queue.what();
        check_consume_arguments(queue.cold.kind.queue_type(), &what, &arguments, rules)?;
        let start = match &queue.cold.kind {
            Kind::Stream(_) => Some(stream_start(now, &what, no_ack, prefetch, &arguments, texts)?),
            Kind::Quorum(_) | Kind::Classic => None,
        };
        if is_shared && !queue.cold.kind.supports_global_qos() {
            let reason = format!("{what} does not support global qos");
            return Err(Fault::new(ReplyCode::NotImplemented, reason));
        }
        let exclusive = exclusive && queue.cold.kind.supports_exclusive_consumers();
        let is_taken = exclusive && (queue.consumer_count() > 0 || queue.cold.single_active);
        if queue.cold.exclusive_consumer.is_some() || is_taken {
            return Err(Fault::refused(format!("{what} in exclusive use")));
        }
        queue.touch(now);
        let limits_every_consumer = queue.cold.kind.limits_every_consumer();
        if limits_every_consumer && prefetch == 0 {
            prefetch = UNLIMITED_PREFETCH;
        }
        let tag = if consumer_tag.is_empty() { self.names.consumer_tag() } else { consumer_tag };
        let mut consumer =
            Consumer::new(tag.clone(), key, channel_key, !no_ack, prefetch, arguments);
        if limits_every_consumer {
            consumer.limit_credit();
        }
        let consumer = self.consumers.insert(consumer);
        self.channel_mut(channel_key).consumers.insert(tag.clone(), consumer);
        let queue = self.queue_mut(key);
        if let Some(quorum) = queue.cold.kind.quorum_mut() {
            quorum.arrives(consumer);
        }
        queue.cold.exclusive_consumer = exclusive.then_some(consumer);
        if let (Some(start), Some(stream)) = (start, queue.cold.kind.stream_mut()) {
            stream.attach(consumer, start);
            self.take_over(channel_key, consumer);
        } else {
            let is_active = !queue.cold.single_active || queue.cold.active.is_none();
            if queue.cold.single_active && is_active {
                // A consumer that arrives later does not take the place.
                queue.cold.active = Some(consumer);
            }
            if is_active && queue.cold.kind.remembers_consumers() {
                let former = self.channel_mut(channel_key).former_serial(&tag);
                let held = self.take_over(channel_key, consumer);
                let key_of_consumer = consumer;
                let consumer =
                    self.consumers.get_mut(consumer).expect("the consumer was inserted above");
                consumer.holds(held);
                if let Some(serial) = former.filter(|_| held > 0)
                    && let Some(quorum) = self.queue_mut(key).cold.kind.quorum_mut()
                {
                    quorum.serials.insert(key_of_consumer, serial);
                }
            }
            self.join_ring(consumer);
            if self.queues.get(key).is_some_and(Queue::frees_place) {
                // The active consumer may have to make way, whether a message waits or not.
                self.next_consumer(key);
            }
        }
        self.run_queue(now, key);
        Ok(tag)
    }

    /// Gives a new consumer the deliveries that a cancelled consumer with its channel and tag left:
    /// settling them gives credit to the new one. Returns their number.
    fn take_over(&mut self, channel: ChannelKey, key: ConsumerKey) -> usize {
        let consumer = self.consumers.get(key).expect("the consumer was inserted above");
        let channel = self
            .channels
            .get_mut(channel)
            .expect("a consumer is removed before its channel closes");
        let kind = self.queues.get(consumer.queue).map(|queue| &queue.cold.kind);
        channel.take_over(consumer.queue, &consumer.tag, key, |entry| {
            kind.is_some_and(|kind| kind.has_released(entry))
        })
    }

    /// Ends a consumer (`basic.cancel`). Its unacknowledged deliveries stay with the channel.
    /// Cancelling a consumer that does not exist succeeds.
    ///
    /// # Errors
    ///
    /// Only those of a channel that is not open.
    pub fn basic_cancel(
        &mut self,
        now: Instant,
        ch: ChannelId,
        consumer_tag: &str,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::BASIC_CANCEL, |broker, caller| {
            let key = caller.channel;
            if broker.forget_reply_consumer(key, consumer_tag) {
                // A consumer of a queue with the same tag stays.
                return Ok(());
            }
            let channel = broker.channel_mut(key);
            let Some(consumer) = channel.consumers.swap_remove(consumer_tag) else {
                return Ok(());
            };
            let serial = broker.serial_of(consumer);
            let Some(of) = broker.consumers.remove(consumer) else { return Ok(()) };
            let (queue, mut ended) = (of.queue, vec![Ended::new(consumer, &of)]);
            let holds = broker.channel_mut(key).holds_any_of(consumer);
            let Queue { ring, cold, .. } = broker.queue_mut(queue);
            let keeps_place = cold.kind.keeps_place_of_cancelled() && !cold.single_active;
            if keeps_place && !of.is_blocked {
                ring.vacate(consumer, key, of.tag.clone(), of.priority(), holds);
                ended.clear();
            }
            broker.channel_mut(key).remember_cancelled(consumer, of.tag, serial);
            if broker.remove_dead_consumers(now, queue, &ended) {
                broker.delete_queue(queue);
                return Ok(());
            }
            let profile = broker.profile();
            let of = broker.queue_mut(queue);
            of.touch(now);
            // The next active consumer of a classic queue gets nothing until something else happens
            // to the queue, such as the return of what this consumer holds.
            if of.cold.kind.serves_successor_at_once(profile) {
                broker.run_queue(now, queue);
            }
            let Broker { channels, consumers, .. } = broker;
            if let Some(Channel { limiter, consumers: own, .. }) = channels.get_mut(key)
                && limiter.is_suspended(queue)
            {
                let still_there = |c| consumers.get(c).is_some_and(|c| c.queue == queue);
                if !own.values().any(|&c| still_there(c)) {
                    limiter.forget(queue);
                }
            }
            Ok(())
        })
    }

    /// Number of consumers of a queue, as a declaration counts them. A stream has none. A quorum
    /// queue counts cancelled consumers and fetches as long as one of their deliveries is
    /// unacknowledged and was not taken back, and does not count consumers that stand by.
    pub(super) fn counted_consumers(&self, key: QueueKey) -> usize {
        let Some(queue) = self.queues.get(key) else { return 0 };
        match &queue.cold.kind {
            Kind::Classic => queue.consumer_count(),
            Kind::Stream(_) => 0,
            Kind::Quorum(_) => {
                let (mut fetched, mut cancelled) = (0, BTreeSet::new());
                let is_held = |unacked: &&Unacked| {
                    unacked.queue == key && !queue.cold.kind.has_released(&unacked.entry)
                };
                for unacked in self.held_by_clients().filter(is_held) {
                    match unacked.consumer {
                        None => fetched += 1,
                        Some(consumer) if self.consumers.get(consumer).is_none() => {
                            cancelled.insert(consumer);
                        }
                        Some(_) => {}
                    }
                }
                let served = match queue.cold.single_active {
                    true => usize::from(queue.cold.active.is_some()),
                    false => queue.consumer_count(),
                };
                served + fetched + cancelled.len()
            }
        }
    }

    /// Removes the consumer of direct replies if it has this tag. Returns whether it had.
    fn forget_reply_consumer(&mut self, key: ChannelKey, tag: &str) -> bool {
        let channel = self.channel_mut(key);
        let gone = channel.reply_consumer.take_if(|consumer| consumer.tag == tag);
        gone.map(|gone| self.reply_names.swap_remove(&gone.name)).is_some()
    }
}

/// Refuses arguments that a consumer of this type of queue cannot have.
fn check_consume_arguments(
    kind: QueueType,
    what: &str,
    arguments: &FieldTable,
    rules: &SettingRules,
) -> Result<(), Fault> {
    let invalid = |name: &str, why: String| {
        Err(Fault::precondition(format!("invalid arg '{name}' for {what}: {why}")))
    };
    let expected_integer =
        |value: &FieldValue| format!("\"expected integer, got {}\"", value.type_name());
    let foreign = foreign_arguments(kind, rules);
    let is_checked = |name: &&str| rules.checks_foreign_values || !foreign.contains(name);
    if let Some(value) = Some("x-priority").filter(is_checked).and_then(|name| arguments.get(name))
        && value.as_integer().is_none()
    {
        return invalid("x-priority", expected_integer(value));
    }
    if rules.has_mirroring
        && let Some(value) = arguments.get("x-cancel-on-ha-failover")
        && !matches!(value, FieldValue::Bool(_))
    {
        let why = format!("{{unacceptable_type,{}}}", value.type_name());
        return invalid("x-cancel-on-ha-failover", why);
    }
    if rules.consumers_have_timeouts
        && kind == QueueType::Quorum
        && let Some(value) = arguments.get("x-consumer-timeout")
    {
        match value.as_integer() {
            None => return invalid("x-consumer-timeout", expected_integer(value)),
            Some(n) if n < 0 => {
                return invalid("x-consumer-timeout", format!("{{value_negative,{n}}}"));
            }
            Some(_) => {}
        }
    }
    match foreign.iter().find(|name| arguments.get(name).is_some()) {
        None => Ok(()),
        Some(name) => Err(Fault::precondition(format!(
            "invalid arg '{name}' for {what} of queue type {}",
            kind.module()
        ))),
    }
}

/// The arguments of consumers that other types of queue take.
fn foreign_arguments(kind: QueueType, rules: &SettingRules) -> &'static [&'static str] {
    if rules.has_mirroring {
        return match kind {
            QueueType::Classic => &["x-stream-offset"],
            QueueType::Quorum => &["x-cancel-on-ha-failover", "x-stream-offset"],
            QueueType::Stream => &["x-cancel-on-ha-failover", "x-priority"],
        };
    }
    match (kind, rules.consumers_have_timeouts) {
        (QueueType::Classic, true) => &[
            "x-consumer-timeout",
            "x-stream-filter",
            "x-stream-match-unfiltered",
            "x-stream-offset",
        ],
        (QueueType::Classic, false) | (QueueType::Quorum, _) => {
            &["x-stream-filter", "x-stream-match-unfiltered", "x-stream-offset"]
        }
        (QueueType::Stream, true) => &["x-consumer-timeout", "x-priority"],
        (QueueType::Stream, false) => &["x-priority"],
    }
}

/// Returns where a consumer of a stream begins. Refuses a consumer without a prefetch count.
fn stream_start(
    now: Instant,
    what: &str,
    no_ack: bool,
    prefetch: u16,
    arguments: &FieldTable,
    texts: &Texts,
) -> Result<Start, Fault> {
    let start = Start::parse(now, what, arguments.get("x-stream-offset"), texts.explain_offsets)?;
    if prefetch == 0 {
        let reason = match texts.say_stream_queue {
            true => format!("consumer prefetch count is not set for stream {what}"),
            false => format!("consumer prefetch count is not set for '{what}'"),
        };
        return Err(Fault::precondition(reason));
    }
    if no_ack {
        let queues = if texts.say_stream_queue { "" } else { "queues " };
        let reason = format!("automatic acknowledgement not supported by stream {queues}{what}");
        return Err(Fault::new(ReplyCode::NotImplemented, reason));
    }
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::protocol::table::FieldValue;
    use crate::rabbitmq::version::Version;

    #[test]
    fn consumer_arguments_are_checked() {
        let check = |name: &str, value: FieldValue| {
            let arguments = FieldTable::new().with(name, value);
            let rules = &Version::V3_10.profile().settings;
            check_consume_arguments(QueueType::Classic, "queue 'q' in vhost '/'", &arguments, rules)
        };
        assert_eq!(
            check("x-priority", "a".into()).unwrap_err().reason,
            "invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got longstr\""
        );
        assert!(check("x-priority", 1.into()).is_ok());
        assert!(check("x-cancel-on-ha-failover", true.into()).is_ok());
    }
}
