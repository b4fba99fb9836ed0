//! Consumer time-outs: a channel that holds a delivery for too long is closed.
//!
//! A channel arms one timer, for its oldest delivery. When the timer fires and the oldest delivery
//! is a younger one by now, the channel arms it again.
//!
//! Source: <https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout>.

use super::timer::Timer;
use super::{Broker, Session};
use crate::Instant;
use crate::rabbitmq::key::ChannelKey;
use crate::rabbitmq::protocol::error::{Fault, MethodId};
use crate::rabbitmq::protocol::method::Event;

impl Broker {
    /// Closes a channel that has held a delivery for too long.
    pub(super) fn check_consumer_timeout(&mut self, now: Instant, at: Instant, key: ChannelKey) {
        let Some(timeout) = self.options.consumer_timeout() else { return };
        let Some(channel) = self.channels.get_mut(key) else { return };
        let is_open =
            matches!(self.sessions.get(&channel.id), Some(Session::Open(open, _)) if *open == key);
        if channel.timeout_armed != Some(at) || !is_open {
            return;
        }
        channel.timeout_armed = None;
        let Some(due) = channel.unacked.oldest().map(|oldest| oldest.saturating_add(timeout))
        else {
            return;
        };
        let id = channel.id;
        if due > now {
            channel.timeout_armed = Some(due);
            self.timers.set(due, Timer::Channel(key));
            return;
        }
        let reason = format!(
            "delivery acknowledgement on channel {} timed out. Timeout value used: {} ms. This \
             timeout value can be configured, see consumers doc guide to learn more",
            id.number,
            timeout.as_millis()
        );
        let error = self.fail(now, id, Fault::precondition(reason).of(MethodId::NONE));
        self.push(id, Event::ChannelClose(Box::new(error)));
    }
}
