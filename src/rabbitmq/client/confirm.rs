//! The broker's answer to a publish, as a future.

use super::Error;
use super::channel_handle::ChannelHandle;
use super::unconfirmed::Confirmation;
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::sim::service::Wait;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The broker's answer to one publish, as a future; returned by
/// [`Channel::publish`](super::Channel::publish).
///
/// It fails if the channel ends before the answer. The broker may or may not have taken the message
/// then.
#[derive(Debug)]
#[must_use = "a publish is confirmed only when this future returns an ack"]
pub struct Confirm {
    channel: ChannelHandle,
    tag: DeliveryTag,
}

impl Confirm {
    pub(super) fn new(channel: ChannelHandle, tag: DeliveryTag) -> Confirm {
        Confirm { channel, tag }
    }

    /// The publish's number on its channel.
    #[must_use]
    pub fn tag(&self) -> DeliveryTag {
        self.tag
    }
}

impl Future for Confirm {
    type Output = Result<Confirmation, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.channel.poll_state(
            cx,
            || Wait::Numbered("the confirm of publish", self.tag.0),
            |state| state.rare_mut().confirms.take(self.tag),
        )
    }
}

impl Drop for Confirm {
    fn drop(&mut self) {
        self.channel.with_state(|state| state.unwatch(self.tag));
    }
}
