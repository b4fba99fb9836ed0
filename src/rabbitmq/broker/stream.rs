//! Streams: appending messages, and delivering them to readers.

use super::Broker;
use crate::Instant;
use crate::rabbitmq::channel::unacked::Unacked;
use crate::rabbitmq::key::{ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::message::{Entry, Message, Position};
use crate::rabbitmq::protocol::method::Event;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::journal::Waiter;
use crate::rabbitmq::queue::stream::Retention;
use smallvec::SmallVec;
use std::sync::Arc;

/// How much a stream keeps, and how it is divided.
pub(super) fn retention(queue: &Queue) -> Retention {
    let settings = &queue.cold.settings;
    Retention {
        max_bytes: settings.max_length_bytes,
        max_age: settings.max_age,
        segment_bytes: settings.max_segment_bytes,
    }
}

/// Returns whether a message passes the filter of a reader (`x-stream-filter`): whether the value
/// that its publisher gave it is among those of the reader. A message without a value passes if the
/// reader also wants those (`x-stream-match-unfiltered`).
///
/// The server filters chunks of messages and leaves the rest to the client. Here each message is a
/// chunk, and no other passes.
fn passes(arguments: &FieldTable, message: &Message) -> bool {
    let wanted = match arguments.get("x-stream-filter") {
        Some(FieldValue::Array(values)) => values.as_slice(),
        Some(value @ FieldValue::String(_)) => std::slice::from_ref(value),
        Some(_) | None => return true,
    };
    let headers = message.properties().headers();
    match headers.and_then(|headers| headers.get("x-stream-filter-value")) {
        Some(value) => wanted.contains(value),
        None => arguments.get("x-stream-match-unfiltered") == Some(&FieldValue::Bool(true)),
    }
}

impl Broker {
    /// Appends a message to a stream, and delivers it to readers that have reached the end.
    pub(super) fn append(
        &mut self,
        now: Instant,
        key: QueueKey,
        message: &Arc<Message>,
        confirm: Option<Waiter>,
    ) {
        let queue = self.queues.get_mut(key).expect("the caller has just found the queue");
        let retention = retention(queue);
        let Some(stream) = queue.cold.kind.stream_mut() else { return };
        let offset = stream.append(now, message, retention);
        if self.tells() {
            self.tell_outlived(key);
            self.tell_enqueued(key, Position(offset), message);
        }
        let Some(queue) = self.queues.get_mut(key) else { return };
        if let Some(journal) = &mut queue.journal {
            journal.publish(now, Position(offset), confirm);
            self.timers.arm_journal(key, journal);
        }
        self.run_stream(now, key);
    }

    /// Delivers to the readers of a stream what they have credit for, one reader after the other,
    /// in reverse order of tags.
    pub(super) fn run_stream(&mut self, now: Instant, key: QueueKey) {
        let Some(stream) = self.queues.get(key).and_then(|q| q.cold.kind.stream()) else {
            return;
        };
        // Most streams have one reader, which needs no list on the heap.
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
            if stream.rules.has_filters && !passes(consumer.arguments(), &message) {
                continue;
            }
            consumer.spend();
            queue.counts.deliver += 1;
            queue.unacked += 1;
            let message = Arc::new(message);
            let (channel_key, consumer_tag) = (consumer.channel, consumer.tag.clone());
            let entry = Entry::new(Arc::clone(&message), Position(offset));
            if let Some((channel, tag, _)) = self.next_delivery(reader).filter(|_| self.tells()) {
                self.tell_delivered((key, channel), &entry, tag, true);
            }
            let channel = self
                .channels
                .get_mut(channel_key)
                .expect("a consumer is removed before its channel closes");
            let (id, tag) = (channel.id, channel.next_tag());
            let (delivery_tag, redelivered) = (DeliveryTag(tag), false);
            self.push(id, Event::Deliver { consumer_tag, delivery_tag, redelivered, message });
            self.hold(now, channel_key, tag, Unacked { queue: key, consumer: Some(reader), entry });
        }
    }
}
