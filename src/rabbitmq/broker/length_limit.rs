//! Length limits of queues (`x-max-length`, `x-max-length-bytes`): whether the head is dropped or a
//! new message refused.
//!
//! A queue whose overflow is `drop-head` is never longer than its limits after a method. The other
//! overflows refuse new messages. A quorum queue refuses them until it is well below its limits
//! (`queue/quorum.rs`). Its messages whose next delivery is delayed count, but only ready ones are
//! dropped.
//!
//! Source: <https://www.rabbitmq.com/docs/maxlength>.

use super::Broker;
use crate::Instant;
use crate::rabbitmq::key::QueueKey;
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::dead_letter::Reason;
use crate::rabbitmq::queue::kind::Kind;
use crate::rabbitmq::queue::settings::Overflow;

impl Broker {
    /// Drops messages from the head of a queue while it is over its limit. Returns whether there
    /// were any.
    pub(super) fn drop_head(&mut self, now: Instant, key: QueueKey) -> bool {
        let mut has_dropped = false;
        let mut dropped = Vec::new();
        while let Some(queue) = self.queues.get_mut(key)
            && queue.is_too_long()
            && let Some(entry) = queue.ready.pop()
        {
            has_dropped = true;
            match queue.cold.kind.buries_last_first() {
                true => dropped.push(entry),
                false => self.die(now, key, entry, Reason::MaxLength),
            }
        }
        for entry in dropped.into_iter().rev() {
            self.die(now, key, entry, Reason::MaxLength);
        }
        has_dropped
    }
}

impl Queue {
    /// Returns whether the queue refuses a new message now, and how.
    pub(crate) fn refuses(&self, message: &Message) -> Option<Overflow> {
        let settings = &self.cold.settings;
        let length = self.ready.len() as u64 + 1;
        let bytes = self.ready.bytes() + message.body().len() as u64;
        let overflows = match &self.cold.kind {
            Kind::Quorum(quorum) => quorum.refuses_publishes,
            Kind::Classic | Kind::Stream(_) => {
                settings.max_length.is_some_and(|max| length > max)
                    || settings.max_length_bytes.is_some_and(|max| bytes > max)
            }
        };
        (overflows && settings.overflow != Overflow::DropHead).then_some(settings.overflow)
    }

    /// Returns whether the oldest messages have to be dropped.
    pub(crate) fn is_too_long(&self) -> bool {
        let settings = &self.cold.settings;
        settings.overflow == Overflow::DropHead
            && (settings.max_length.is_some_and(|max| self.limited_length() > max)
                || settings.max_length_bytes.is_some_and(|max| self.limited_bytes() > max))
    }
}
