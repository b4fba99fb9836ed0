//! The invariants of a broker: what always holds between two calls.
//!
//! Tests call [`Broker::check_invariants`] after every step of a random run, so that a broken link
//! between two parts is found where it breaks and not where it is missed. It looks at everything,
//! which is too slow for anything but tests.

use super::{Broker, Session};
use crate::invariant::ensure;
use crate::rabbitmq::key::{ChannelKey, ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::message::Entry;
use crate::rabbitmq::queue::Queue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// `Err` describes the first invariant that does not hold.
type Checked = Result<(), String>;

impl Broker {
    /// Checks that the parts of the broker agree with each other:
    ///
    /// - names lead to live objects;
    /// - channels, consumers and queues point at each other;
    /// - counters equal the sums of what they count;
    /// - journals and expiry times cover the messages of their queue;
    /// - no message waits while a consumer could take it.
    ///
    /// All of this holds between any two calls of other methods. The check is meant for tests: it
    /// takes time in proportion to everything that the broker holds.
    ///
    /// # Errors
    ///
    /// A description of the first invariant that does not hold.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.check_names()?;
        self.check_sessions()?;
        self.check_consumers()?;
        self.check_bindings()?;
        let mut held: BTreeMap<QueueKey, Vec<&Entry>> = BTreeMap::new();
        for unacked in self.held_by_clients() {
            let queue = self.queues.get(unacked.queue);
            if queue.is_some_and(|queue| queue.cold.kind.has_released(&unacked.entry)) {
                continue;
            }
            held.entry(unacked.queue).or_default().push(&unacked.entry);
        }
        for (key, queue) in self.queues.iter() {
            let held = held.remove(&key).unwrap_or_default();
            let checked = self.check_queue(key, queue, &held);
            let checked = checked.and_then(|()| self.check_story(key, queue, &held));
            checked.map_err(|what| format!("{}: {what}", queue.what()))?;
        }
        ensure(self.dead_letters.is_empty() && self.refused_letters.is_empty(), || {
            "a dead letter was not published".to_owned()
        })
    }

    /// Each name leads to a live object of this name, and each object has its name.
    fn check_names(&self) -> Checked {
        let (mut queues, mut exchanges) = (0, 0);
        for (name, key) in &self.vhost_names {
            let vhost = self.vhosts.get(*key);
            let vhost = vhost.ok_or_else(|| format!("vhost {name} is named but does not exist"))?;
            ensure(vhost.name == *name, || format!("vhost {name} is called {}", vhost.name))?;
            for (name, queue) in &vhost.queues {
                let queue = self.queues.get(*queue).map(|queue| &queue.cold);
                ensure(queue.is_some_and(|cold| cold.name == *name && cold.vhost == *key), || {
                    format!("the name {name} leads to no queue of this name")
                })?;
            }
            for (name, exchange) in &vhost.exchanges {
                let exchange = self.exchanges.get(*exchange);
                ensure(exchange.is_some_and(|e| *e.name == *name && e.vhost == *key), || {
                    format!("the name {name} leads to no exchange of this name")
                })?;
            }
            queues += vhost.queues.len();
            exchanges += vhost.exchanges.len();
        }
        ensure(self.vhosts.iter().count() == self.vhost_names.len(), || {
            "a vhost has no name".to_owned()
        })?;
        ensure(self.queues.iter().count() == queues, || "a queue has no name".to_owned())?;
        ensure(self.exchanges.iter().count() == exchanges, || "an exchange has no name".to_owned())
    }

    /// Connections, their channel numbers and the channels behind them belong together.
    fn check_sessions(&self) -> Checked {
        let mut owned = BTreeSet::new();
        for (id, session) in &self.sessions {
            let connection = self.connections.get(&id.connection);
            ensure(connection.is_some_and(|c| c.channels.contains(&id.number)), || {
                format!("channel {id} is unknown to its connection")
            })?;
            let channel = match session {
                Session::Open(channel, _) => Some(*channel),
                Session::Failed(failure) => failure.lingering,
            };
            if let Some(key) = channel {
                ensure(self.channels.get(key).is_some_and(|channel| channel.id == *id), || {
                    format!("the number of channel {id} leads to no channel of this id")
                })?;
                ensure(owned.insert(key), || format!("channel {id} has two numbers"))?;
            }
        }
        ensure(self.channels.iter().count() == owned.len(), || {
            "a channel has no number".to_owned()
        })?;
        let numbers: usize = self.connections.values().map(|c| c.channels.len()).sum();
        ensure(numbers == self.sessions.len(), || "a number has no session".to_owned())?;
        for (id, connection) in &self.connections {
            ensure(self.vhosts.get(connection.vhost).is_some(), || {
                format!("connection {id} is in a vhost that does not exist")
            })?;
            for queue in &connection.exclusive_queues {
                let owner = self.queues.get(*queue).and_then(|queue| queue.cold.owner);
                ensure(owner == Some(*id), || {
                    format!("connection {id} lists an exclusive queue that is not its own")
                })?;
            }
        }
        for (name, key) in &self.reply_names {
            let channel = self.channels.get(*key);
            let consumer = channel.and_then(|channel| channel.reply_consumer.as_ref());
            ensure(consumer.is_some_and(|consumer| consumer.name == *name), || {
                format!("{name} leads to no consumer of direct replies")
            })?;
        }
        Ok(())
    }

    /// Each consumer is known to one channel and one queue, and is alive where it is known.
    fn check_consumers(&self) -> Checked {
        let mut by_channel: BTreeMap<ConsumerKey, ChannelKey> = BTreeMap::new();
        for (key, channel) in self.channels.iter() {
            for (tag, consumer) in channel.consumers.iter() {
                let live = self.consumers.get(*consumer);
                ensure(live.is_some_and(|c| c.channel == key && c.tag == *tag), || {
                    format!("channel {} lists a consumer {tag} that is not its own", channel.id)
                })?;
                by_channel.insert(*consumer, key);
            }
            let tags = channel.unacked.iter().map(|(tag, _)| tag);
            ensure(tags.is_sorted_by(|a, b| a < b), || {
                format!("the delivery tags of channel {} do not rise", channel.id)
            })?;
            let last = channel.unacked.iter().last().map_or(0, |(tag, _)| tag);
            ensure(last <= channel.last_tag, || {
                format!("channel {} holds a delivery it was not given", channel.id)
            })?;
        }
        for (key, consumer) in self.consumers.iter() {
            ensure(by_channel.contains_key(&key), || {
                format!("consumer {} is unknown to its channel", consumer.tag)
            })?;
            let queue = self.queues.get(consumer.queue);
            let times = queue.map_or(0, |queue| queue.consumers().filter(|c| *c == key).count());
            ensure(times == 1, || {
                format!("the queue of consumer {} knows it {times} times", consumer.tag)
            })?;
            let mut blocked = queue.into_iter().flat_map(|queue| queue.cold.blocked.iter());
            ensure(blocked.any(|blocked| blocked == key) == consumer.is_blocked, || {
                format!("consumer {} is blocked or not against its queue", consumer.tag)
            })?;
        }
        Ok(())
    }

    /// Each binding is known at both of its ends.
    fn check_bindings(&self) -> Checked {
        let (mut at_sources, mut at_destinations) = (0, 0);
        for (_, exchange) in self.exchanges.iter() {
            at_sources += exchange.binding_count();
            let incoming = exchange.incoming.iter();
            for (source, binding) in incoming {
                let source = self.exchanges.get(*source);
                ensure(source.is_some_and(|source| source.has(binding)), || {
                    format!("{} has a binding unknown to its source", exchange.what())
                })?;
                at_destinations += 1;
            }
        }
        for (_, queue) in self.queues.iter() {
            for (source, binding) in &queue.cold.bindings {
                let source = self.exchanges.get(*source);
                ensure(source.is_some_and(|source| source.has(binding)), || {
                    format!("{} has a binding unknown to its source", queue.what())
                })?;
                at_destinations += 1;
            }
        }
        ensure(at_sources == at_destinations, || {
            format!("{at_sources} bindings at their sources, {at_destinations} at their ends")
        })
    }

    fn check_queue(&self, key: QueueKey, queue: &Queue, held: &[&Entry]) -> Checked {
        let cold = &queue.cold;
        ensure(queue.unacked as usize == held.len(), || {
            format!("counts {} unacknowledged messages of {}", queue.unacked, held.len())
        })?;
        ensure(queue.is_plain == queue.can_be_plain(), || {
            "is plain or not against its settings".to_owned()
        })?;
        for consumer in queue.consumers() {
            let live = self.consumers.get(consumer);
            ensure(live.is_some_and(|consumer| consumer.queue == key), || {
                "lists a consumer that is gone, or that reads elsewhere".to_owned()
            })?;
        }
        let special = [cold.active, cold.exclusive_consumer].into_iter().flatten();
        for consumer in special {
            ensure(queue.consumers().any(|other| other == consumer), || {
                "prefers a consumer that it does not have".to_owned()
            })?;
        }
        queue.ready.check()?;
        if cold.kind.stream().is_none() {
            let held = held.iter().copied().map(Cow::Borrowed);
            let delayed = cold.kind.delayed().map(Cow::Borrowed);
            let expiring = queue.ready.iter().chain(held).chain(delayed).filter(|e| e.expires());
            let mut count = 0;
            for entry in expiring {
                count += 1;
                ensure(cold.expiries.of(&entry).is_some(), || {
                    format!("does not know when message {:?} expires", entry.position())
                })?;
            }
            ensure(cold.expiries.len() == count, || {
                format!("knows {} times for {count} messages that expire", cold.expiries.len())
            })?;
        }
        if let Some(journal) = &queue.journal {
            journal.check()?;
        }
        self.check_nobody_waits(key, queue)
    }

    /// While a message is ready, no consumer could take it. The exception is a queue with a single
    /// active consumer, whose successor may have to wait.
    fn check_nobody_waits(&self, of: QueueKey, queue: &Queue) -> Checked {
        if queue.ready.is_empty() || queue.cold.single_active {
            return Ok(());
        }
        for key in queue.consumers().filter(|key| !queue.cold.kind.is_timed_out(*key)) {
            let Some(consumer) = self.consumers.get(key) else { continue };
            let Some(channel) = self.channels.get(consumer.channel) else { continue };
            let limiter = &channel.limiter;
            let could_take =
                consumer.has_credit() && !limiter.is_suspended(of) && !limiter.is_reached();
            ensure(!could_take, || {
                format!("message waits though consumer {} could take it", consumer.tag)
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::protocol::id::ChannelId;
    use crate::rabbitmq::protocol::tags::Tags;
    use crate::rabbitmq::queue::lineup::Lineup;
    use crate::rabbitmq::queue::ring::Ring;
    use crate::rabbitmq::{
        BrokerOptions, ConnectionOptions, ConsumeOptions, Publish, QueueOptions,
    };
    use crate::{Instant, Site, Stream};
    use bytes::Bytes;

    const NOW: Instant = Instant::ZERO;
    const CH: ChannelId = ChannelId::new(1, 1);

    /// A broker whose queue `q` has a consumer with one unacknowledged delivery, and one ready
    /// message.
    fn broker() -> Broker {
        let mut broker = Broker::new(BrokerOptions::default(), Stream::calm(Site::new("names"), 0));
        broker.connection_open(NOW, CH.connection, ConnectionOptions::default()).unwrap();
        broker.channel_open(NOW, CH).unwrap();
        broker.queue_declare(NOW, CH, "q", QueueOptions::default()).unwrap();
        broker.basic_qos(NOW, CH, 0, 1, false).unwrap();
        broker.basic_consume(NOW, CH, "q", ConsumeOptions::default()).unwrap();
        for body in ["held", "ready"] {
            let publish = Publish::new("", "q", Bytes::from_static(body.as_bytes()));
            broker.basic_publish(NOW, CH, publish).unwrap();
        }
        broker
    }

    #[test]
    fn a_broken_link_is_found_and_described() {
        type Break = fn(&mut Broker);
        let breaks: [(&str, Break); 5] = [
            ("counts 2 unacknowledged messages of 1", |broker| {
                let key = broker.queues.keys()[0];
                broker.queue_mut(key).unacked = 2;
            }),
            ("a channel has no number", |broker| broker.sessions.clear()),
            ("the queue of consumer", |broker| {
                let key = broker.queues.keys()[0];
                broker.queue_mut(key).cold.blocked = Lineup::default();
                broker.queue_mut(key).ring = Ring::default();
            }),
            ("is unknown to its channel", |broker| {
                let key = broker.channels.keys()[0];
                broker.channel_mut(key).consumers = Tags::default();
            }),
            ("is plain or not against its settings", |broker| {
                let key = broker.queues.keys()[0];
                broker.queue_mut(key).is_plain = false;
            }),
        ];
        assert_eq!(broker().check_invariants(), Ok(()));
        for (expected, breaks) in breaks {
            let mut broker = broker();
            breaks(&mut broker);
            let found = broker.check_invariants().unwrap_err();
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }
}
