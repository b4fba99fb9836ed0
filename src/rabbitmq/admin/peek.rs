//! Looking at messages without consuming them.
//!
//! The real server has nothing like it: its management UI fetches messages and requeues them, which
//! marks them as redelivered. A peek marks nothing, takes nothing, and does not count as a use of
//! the queue.

use super::AdminError;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::protocol::message::Message;
use std::sync::Arc;

/// A ready message of a queue, as a delivery would show it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeekedMessage {
    /// Its place in the queue; 0 is the next to be delivered. In a stream, its offset.
    pub position: u64,
    /// Whether a delivery would be flagged as redelivered.
    pub redelivered: bool,
    /// The message.
    pub message: Arc<Message>,
}

impl Broker {
    /// Returns the next `n` ready messages of a queue in order of delivery, or fewer if there are
    /// fewer. For a stream, its oldest messages. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`], [`AdminError::NoSuchQueue`].
    pub fn peek(
        &self,
        vhost: &str,
        queue: &str,
        n: usize,
    ) -> Result<Vec<PeekedMessage>, AdminError> {
        let key = self.existing_queue(vhost, queue)?;
        let queue = self.queues.get(key).expect("a name leads to a live queue");
        if let Some(stream) = queue.cold.kind.stream() {
            let offsets = stream.log.first_offset()..stream.log.next_offset();
            let peeked = offsets.take(n).filter_map(|offset| {
                let message = Arc::new(stream.log.read(offset)?);
                Some(PeekedMessage { position: offset, redelivered: false, message })
            });
            return Ok(peeked.collect());
        }
        let peeked = queue.ready.iter().take(n).zip(0..).map(|(entry, position)| PeekedMessage {
            position,
            redelivered: entry.redelivered(),
            message: queue.shown(&entry),
        });
        Ok(peeked.collect())
    }
}
