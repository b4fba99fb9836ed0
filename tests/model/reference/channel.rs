//! A channel of the reference: its outstanding deliveries and its limits.

use super::queue::{Consumer, Message};

/// A delivery that was not settled.
#[derive(Clone)]
pub(super) struct Unacked {
    pub(super) delivery_tag: u64,
    pub(super) queue: u64,
    /// `None` for a fetched message.
    pub(super) consumer: Option<Consumer>,
    pub(super) message: Message,
}

impl Unacked {
    pub(super) fn tag(&self) -> Option<String> {
        self.consumer.as_ref().map(|consumer| consumer.tag.clone())
    }
}

/// An unconfirmed publish: the number of queues it waits for.
type Unconfirmed = usize;

#[derive(Default)]
pub(super) struct Channel {
    /// Distinguishes it from other channels opened with the same number.
    pub(super) id: u64,
    pub(super) has_failed: bool,
    pub(super) last_tag: u64,
    pub(super) unacked: Vec<Unacked>,
    /// The prefetch count of consumers that begin later.
    pub(super) prefetch: u16,
    /// The limit of the whole channel; 0 means no limit.
    pub(super) limit: usize,
    /// Number of deliveries that count for it.
    pub(super) volume: usize,
    /// Queues that it has refused.
    pub(super) suspended: Vec<u64>,
    pub(super) publishes: Option<Vec<Unconfirmed>>,
    pub(super) confirmed: Vec<usize>,
}

impl Channel {
    pub(super) fn is_full(&self) -> bool {
        self.limit > 0 && self.volume >= self.limit
    }

    pub(super) fn has_credit(&self, consumer: &Consumer) -> bool {
        let held = self.unacked.iter().filter(|u| u.consumer.as_ref() == Some(consumer)).count();
        consumer.prefetch == 0 || consumer.no_ack || held < usize::from(consumer.prefetch)
    }
}
