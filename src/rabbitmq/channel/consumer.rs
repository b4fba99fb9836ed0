//! A consumer: where its deliveries go, and how many more it may get.
//!
//! A consumer with a prefetch count has *credit* for that many deliveries; an acknowledgement
//! returns one. Consumers without a limit have unlimited credit, and so do those without
//! acknowledgements, except in quorum queues.

use crate::rabbitmq::key::{ChannelKey, QueueKey, Stored, marker};
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use smol_str::SmolStr;

/// The credit of a consumer without a limit.
const UNLIMITED: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) tag: SmolStr,
    pub(crate) queue: QueueKey,
    pub(crate) channel: ChannelKey,
    pub(crate) ack_required: bool,
    /// The channel's prefetch count when the consumer began; 0 means no limit.
    pub(crate) prefetch: u16,
    credit: u32,
    /// Whether it is among the blocked consumers of its queue, and not in the ring.
    pub(crate) is_blocked: bool,
    /// Boxed, because hardly any consumer has arguments.
    special: Option<Box<Special>>,
}

/// The consequences of a consumer's arguments.
#[derive(Debug)]
struct Special {
    arguments: FieldTable,
    /// Its argument `x-priority`.
    priority: i64,
}

impl Stored for Consumer {
    type Marker = marker::Consumer;
}

impl Consumer {
    pub(crate) fn new(
        tag: SmolStr,
        queue: QueueKey,
        channel: ChannelKey,
        ack_required: bool,
        prefetch: u16,
        arguments: FieldTable,
    ) -> Consumer {
        let special = (!arguments.is_empty()).then(|| {
            let priority = arguments.get("x-priority").and_then(FieldValue::as_integer);
            let priority = priority.and_then(|p| i64::try_from(p).ok()).unwrap_or(0);
            Box::new(Special { arguments, priority })
        });
        let limited = ack_required && prefetch > 0;
        let credit = if limited { prefetch.into() } else { UNLIMITED };
        let is_blocked = false;
        Consumer { tag, queue, channel, ack_required, prefetch, credit, is_blocked, special }
    }

    /// Makes the prefetch count a limit even if the consumer acknowledges automatically, until the
    /// queue hears of the acknowledgement.
    pub(crate) fn limit_credit(&mut self) {
        self.credit = self.prefetch.into();
    }

    pub(crate) fn arguments(&self) -> &FieldTable {
        const NONE: &FieldTable = &FieldTable::new();
        self.special.as_ref().map_or(NONE, |special| &special.arguments)
    }

    /// Its argument `x-priority`, 0 by default.
    pub(crate) fn priority(&self) -> i64 {
        self.special.as_ref().map_or(0, |special| special.priority)
    }

    pub(crate) fn credit(&self) -> u32 {
        self.credit
    }

    pub(crate) fn has_credit(&self) -> bool {
        self.credit > 0
    }

    /// Spends the credit for one delivery.
    pub(crate) fn spend(&mut self) {
        if self.credit != UNLIMITED {
            self.credit -= 1;
        }
    }

    /// Spends the credit for deliveries that it holds from the beginning.
    pub(crate) fn holds(&mut self, count: usize) {
        if self.credit != UNLIMITED {
            self.credit = self.credit.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// Returns the credit of settled deliveries. Returns whether the consumer was at its limit.
    pub(crate) fn refund(&mut self, count: usize) -> bool {
        let was_at_limit = self.credit == 0;
        if self.credit != UNLIMITED {
            // As on the server, the credit may exceed the prefetch count if the consumer took over
            // more deliveries than that. It never becomes unlimited.
            let count = u32::try_from(count).unwrap_or(UNLIMITED);
            self.credit = self.credit.saturating_add(count).min(UNLIMITED - 1);
        }
        was_at_limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_a_cache_line() {
        assert!(size_of::<Consumer>() <= 64, "{}", size_of::<Consumer>());
    }
}
