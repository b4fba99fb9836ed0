//! A consumer: where its deliveries go, and how many more it may have.
//!
//! A consumer with a prefetch limit has *credit* for so many deliveries; an
//! acknowledgement gives one back. Auto-acknowledging consumers, except those of
//! quorum queues, and those without a limit have it without end.

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
    /// The channel's prefetch count when it began; 0 is no limit.
    pub(crate) prefetch: u16,
    credit: u32,
    /// Its argument `x-priority`.
    pub(crate) priority: i64,
    /// Kept apart, for there are hardly ever any.
    arguments: Option<Box<FieldTable>>,
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
        let priority = arguments.get("x-priority").and_then(FieldValue::as_integer);
        let priority = priority.and_then(|p| i64::try_from(p).ok()).unwrap_or(0);
        let arguments = (!arguments.is_empty()).then(|| Box::new(arguments));
        let limited = ack_required && prefetch > 0;
        let credit = if limited { prefetch.into() } else { UNLIMITED };
        Consumer { tag, queue, channel, ack_required, prefetch, arguments, priority, credit }
    }

    /// Its prefetch count is a limit also if it acknowledges automatically: until the
    /// queue hears of that.
    pub(crate) fn limit_credit(&mut self) {
        self.credit = self.prefetch.into();
    }

    pub(crate) fn arguments(&self) -> &FieldTable {
        const NONE: &FieldTable = &FieldTable::new();
        self.arguments.as_deref().unwrap_or(NONE)
    }

    pub(crate) fn has_credit(&self) -> bool {
        self.credit > 0
    }

    /// A delivery was sent to it.
    pub(crate) fn spend(&mut self) {
        if self.credit != UNLIMITED {
            self.credit -= 1;
        }
    }

    /// It holds so many deliveries from the beginning.
    pub(crate) fn holds(&mut self, count: usize) {
        if self.credit != UNLIMITED {
            self.credit = self.credit.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// Deliveries of it were settled. Says whether it was at its limit.
    pub(crate) fn refund(&mut self, count: usize) -> bool {
        let was_at_limit = self.credit == 0;
        if self.credit != UNLIMITED {
            // It may come to more than the prefetch count where it was given to hold
            // more than that, as on the server; never to no limit at all.
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
    fn fits_a_cache_line_with_its_slot() {
        assert!(size_of::<Consumer>() <= 120, "{}", size_of::<Consumer>());
    }
}
