//! Streams: appending, and reading along.

use super::Broker;
use crate::Instant;
use crate::rabbitmq::channel::unacked::Unacked;
use crate::rabbitmq::key::{ChannelKey, ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::message::{Entry, Message, Position};
use crate::rabbitmq::protocol::method::Event;
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::stream::Retention;
use smallvec::SmallVec;
use std::sync::Arc;

/// How a stream is cut.
pub(super) fn retention(queue: &Queue) -> Retention {
    let settings = &queue.cold.settings;
    Retention {
        max_bytes: settings.max_length_bytes,
        max_age: settings.max_age,
        segment_bytes: settings.max_segment_bytes,
    }
}

impl Broker {
    /// A stream takes a message, and whoever has read up to there gets it.
    pub(super) fn append(
        &mut self,
        now: Instant,
        key: QueueKey,
        message: &Arc<Message>,
        confirm: Option<(ChannelKey, u64)>,
    ) {
        let queue = self.queues.get_mut(key).expect("the queue was just looked up");
        let retention = retention(queue);
        let Some(stream) = queue.cold.kind.stream_mut() else { return };
        let offset = stream.append(now, message, retention);
        if let Some(journal) = &mut queue.journal {
            journal.publish(now, Position(offset), confirm);
            self.timers.arm_journal(key, journal);
        }
        self.run_stream(now, key);
    }

    /// Hands to every reader of a stream what it has credit for, to one after
    /// the other: the last in the order of their tags comes first.
    pub(super) fn run_stream(&mut self, now: Instant, key: QueueKey) {
        let Some(stream) = self.queues.get(key).and_then(|q| q.cold.kind.stream()) else {
            return;
        };
        // One reader, as there mostly is, takes no list on the heap.
        let mut readers: SmallVec<[ConsumerKey; 2]> = stream.consumers().collect();
        if readers.len() > 1 {
            let tag = |reader: &ConsumerKey| self.consumers.get(*reader).map(|c| &c.tag);
            readers.sort_by(|a, b| tag(b).cmp(&tag(a)));
        }
        for reader in readers {
            self.read_on(now, key, reader);
        }
    }

    fn read_on(&mut self, now: Instant, key: QueueKey, reader: ConsumerKey) {
        while let Some(consumer) = self.consumers.get_mut(reader)
            && consumer.has_credit()
            && let Some(queue) = self.queues.get_mut(key)
            && let Some(stream) = queue.cold.kind.stream_mut()
            && let Some((offset, message)) = stream.read_next(reader)
        {
            consumer.spend();
            queue.cold.counters.deliver += 1;
            queue.unacked += 1;
            let message = Arc::new(message);
            let (channel_key, consumer_tag) = (consumer.channel, consumer.tag.clone());
            let entry = Entry::new(Arc::clone(&message), Position(offset));
            let channel = self.channels.get_mut(channel_key).expect("a consumer's channel is open");
            let (id, tag) = (channel.id, channel.next_tag());
            let (delivery_tag, redelivered) = (DeliveryTag(tag), false);
            self.push(id, Event::Deliver { consumer_tag, delivery_tag, redelivered, message });
            self.hold(now, channel_key, tag, Unacked { queue: key, consumer: Some(reader), entry });
        }
    }
}
