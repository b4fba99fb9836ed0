//! Counters of what happened to messages, with the names of the management API (`message_stats`),
//! and rates computed from two readings.
//!
//! Counters only rise, except that a restart of the broker resets them, as in the management
//! plugin. An exchange counts what is published to it; a queue counts what is published to it and
//! taken from it. Sums are computed when they are asked for.
//!
//! Source: <https://www.rabbitmq.com/docs/monitoring>, and the management API's `/api/overview`,
//! `/api/queues` and `/api/exchanges`.

use std::ops::{Add, AddAssign};
use std::time::Duration;

/// Defines the structs of counters and of rates, which have the same fields.
macro_rules! message_stats {
    ($($(#[doc = $doc:literal])+ $field:ident,)+) => {
        /// Counters of what happened to messages (`message_stats`): of a queue, of an exchange or
        /// of the whole broker. Counters that do not apply to the object are 0.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct MessageStats {
            $($(#[doc = $doc])+ pub $field: u64,)+
        }

        /// Rates per second: the difference of two [`MessageStats`] over the time between them.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct MessageRates {
            $($(#[doc = $doc])+ pub $field: f64,)+
        }

        impl MessageStats {
            /// Returns what was counted since an earlier reading; 0 where less was counted, as
            /// after a restart.
            #[must_use]
            pub fn since(&self, earlier: &MessageStats) -> MessageStats {
                MessageStats { $($field: self.$field.saturating_sub(earlier.$field),)+ }
            }

            /// Returns the events per second since an earlier reading that was taken `elapsed`
            /// before, in virtual time; 0 if no time has passed.
            ///
            /// ```
            /// # use stunt_double::rabbitmq::admin::MessageStats;
            /// # use std::time::Duration;
            /// let earlier = MessageStats::default();
            /// let mut later = earlier;
            /// later.publish = 30;
            /// assert_eq!(later.rate_since(&earlier, Duration::from_secs(60)).publish, 0.5);
            /// ```
            #[must_use]
            pub fn rate_since(&self, earlier: &MessageStats, elapsed: Duration) -> MessageRates {
                let seconds = elapsed.as_secs_f64();
                let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
                let since = self.since(earlier);
                MessageRates { $($field: rate(since.$field),)+ }
            }

            /// Returns the counters with their names in the management API.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field),)+].into_iter()
            }
        }

        impl Add for MessageStats {
            type Output = MessageStats;

            fn add(self, other: MessageStats) -> MessageStats {
                MessageStats { $($field: self.$field + other.$field,)+ }
            }
        }
    };
}

message_stats! {
    /// Messages published by clients: to a queue, through any exchange; or to the broker, routed or
    /// not. A queue also counts messages that arrive as dead letters or from a delayed exchange.
    publish,
    /// Of an exchange, or of the broker: messages that clients published to it.
    publish_in,
    /// Of an exchange, or of the broker: messages that queues received because clients published
    /// them. A message that reaches three queues counts three times.
    publish_out,
    /// Deliveries to consumers that acknowledge.
    deliver,
    /// Deliveries to consumers without acknowledgements.
    deliver_no_ack,
    /// Messages fetched by `basic.get`, to be acknowledged.
    get,
    /// Messages fetched by `basic.get` without acknowledgement.
    get_no_ack,
    /// Number of times that `basic.get` found the queue empty.
    get_empty,
    /// Deliveries and fetches that were flagged as redelivered.
    redeliver,
    /// Messages acknowledged.
    ack,
    /// Publishes confirmed; counted for the broker only.
    confirm,
    /// Mandatory messages that reached no queue and were returned; counted for the broker only.
    return_unroutable,
    /// Other messages that reached no queue and were dropped; counted for the broker only.
    drop_unroutable,
}

impl MessageStats {
    /// All deliveries and fetches: `deliver`, `deliver_no_ack`, `get` and `get_no_ack` together.
    #[must_use]
    pub fn deliver_get(&self) -> u64 {
        self.deliver + self.deliver_no_ack + self.get + self.get_no_ack
    }
}

impl MessageRates {
    /// All deliveries and fetches per second; see [`MessageStats::deliver_get`].
    #[must_use]
    pub fn deliver_get(&self) -> f64 {
        self.deliver + self.deliver_no_ack + self.get + self.get_no_ack
    }
}

impl AddAssign for MessageStats {
    fn add_assign(&mut self, other: MessageStats) {
        *self = *self + other;
    }
}

/// Messages that were published to an exchange, or to the default exchange of a vhost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Published {
    messages: u64,
    /// Copies of them that queues received.
    copies: u64,
}

impl Published {
    /// Counts a publish that was routed to this many queues.
    pub(crate) fn count(&mut self, queues: usize) {
        self.messages += 1;
        self.copies += queues as u64;
    }

    pub(crate) fn stats(self) -> MessageStats {
        let (publish_in, publish_out) = (self.messages, self.copies);
        MessageStats { publish_in, publish_out, ..MessageStats::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_differences_over_time_and_never_negative() {
        let earlier = MessageStats { publish: 10, ack: 5, ..MessageStats::default() };
        let later = MessageStats { publish: 40, get: 3, ..MessageStats::default() };
        let rates = later.rate_since(&earlier, Duration::from_secs(10));
        assert_eq!((rates.publish, rates.ack, rates.deliver_get()), (3.0, 0.0, 0.3));
        assert_eq!(later.rate_since(&earlier, Duration::ZERO), MessageRates::default());
        assert_eq!((earlier + later).publish, 50);
    }
}
