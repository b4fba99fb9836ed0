//! Messages that have arrived for a client and were not taken yet.

use crate::rabbitmq::protocol::error::ReplyCode;
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::message::Message;
use crate::sim::service::{Waiter, Wakes};
use std::collections::VecDeque;
use std::sync::Arc;

/// A delivery that has arrived and was not yet taken.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) delivery_tag: DeliveryTag,
    pub(super) redelivered: bool,
    pub(super) message: Arc<Message>,
}

/// The deliveries that have arrived for a consumer.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    arrived: VecDeque<Inbound>,
    /// Identifies the consumer among those of the channel, because a tag may be reused.
    serial: u64,
    /// Whether the consumer was cancelled, by either end.
    ended: bool,
    waiter: Waiter,
}

impl Inbox {
    pub(super) fn new(serial: u64) -> Inbox {
        Inbox { serial, ..Inbox::default() }
    }

    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    pub(super) fn push(&mut self, inbound: Inbound, wakes: &mut Wakes<'_>) {
        self.arrived.push_back(inbound);
        wakes.wake(&mut self.waiter);
    }

    pub(super) fn end(&mut self, wakes: &mut Wakes<'_>) {
        self.ended = true;
        wakes.wake(&mut self.waiter);
    }

    pub(super) fn wake(&mut self, wakes: &mut Wakes<'_>) {
        wakes.wake(&mut self.waiter);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn take(&mut self) -> Result<Option<Inbound>, &mut Waiter> {
        match self.arrived.pop_front() {
            Some(inbound) => Ok(Some(inbound)),
            None if self.ended => Ok(None),
            None => Err(&mut self.waiter),
        }
    }
}

/// A mandatory message that reached no queue (`basic.return`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// Always [`ReplyCode::NoRoute`].
    pub code: ReplyCode,
    /// The message as it was published.
    pub message: Arc<Message>,
}
