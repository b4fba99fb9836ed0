//! Consuming: a stream of deliveries.

use super::Error;
use super::channel_handle::ChannelHandle;
use super::inbox::Inbound;
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::protocol::method::Method;
use crate::rabbitmq::protocol::properties::Properties;
use crate::sim::service::Wait;
use bytes::Bytes;
use futures_core::Stream;
use smol_str::SmolStr;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A message that was delivered to this client.
#[derive(Clone, Debug)]
pub struct Delivery {
    channel: ChannelHandle,
    consumer_tag: SmolStr,
    delivery_tag: DeliveryTag,
    redelivered: bool,
    message: Arc<Message>,
}

impl Delivery {
    pub(super) fn new(channel: ChannelHandle, consumer_tag: SmolStr, inbound: Inbound) -> Delivery {
        let Inbound { delivery_tag, redelivered, message } = inbound;
        Delivery { channel, consumer_tag, delivery_tag, redelivered, message }
    }

    /// The tag of the consumer it was delivered to; empty for `basic.get`.
    #[must_use]
    pub fn consumer_tag(&self) -> &str {
        &self.consumer_tag
    }

    /// The tag to acknowledge it by, on the same channel.
    #[must_use]
    pub fn delivery_tag(&self) -> DeliveryTag {
        self.delivery_tag
    }

    /// Returns whether it may have been delivered before, to any client.
    #[must_use]
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// The exchange it was published to.
    #[must_use]
    pub fn exchange(&self) -> &str {
        self.message.exchange()
    }

    /// The routing key it was published with.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        self.message.routing_key()
    }

    /// Its properties.
    #[must_use]
    pub fn properties(&self) -> &Properties {
        self.message.properties()
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.message.body()
    }

    /// Returns its body as text. Bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body()).into_owned()
    }

    /// Acknowledges it (`basic.ack`).
    ///
    /// # Errors
    ///
    /// Those of a closed channel. A tag that is unknown or was settled before closes the channel
    /// later: the next call fails.
    pub fn ack(&self) -> Result<(), Error> {
        let method = Method::BasicAck { delivery_tag: self.delivery_tag, multiple: false };
        self.channel.send(method, |_| Ok(()))
    }

    /// Rejects it (`basic.nack`): with `requeue` it returns to its queue; otherwise it is dropped
    /// or dead-lettered.
    ///
    /// # Errors
    ///
    /// As for [`Delivery::ack`].
    pub fn nack(&self, requeue: bool) -> Result<(), Error> {
        let delivery_tag = self.delivery_tag;
        let method = Method::BasicNack { delivery_tag, multiple: false, requeue };
        self.channel.send(method, |_| Ok(()))
    }

    /// Rejects it, as [`Delivery::nack`] does, with the method of AMQP (`basic.reject`).
    ///
    /// # Errors
    ///
    /// As for [`Delivery::ack`].
    pub fn reject(&self, requeue: bool) -> Result<(), Error> {
        let method = Method::BasicReject { delivery_tag: self.delivery_tag, requeue };
        self.channel.send(method, |_| Ok(()))
    }
}

/// A consumer: a stream of deliveries. It ends when the consumer is cancelled, by
/// [`Consumer::cancel`] or by the broker because its queue was deleted, and with an error when its
/// channel is closed.
///
/// Dropping it cancels the consumer. Unacknowledged deliveries stay with the channel and return to
/// the queue when the channel closes.
#[derive(Debug)]
#[must_use = "dropping a consumer cancels it"]
pub struct Consumer {
    channel: ChannelHandle,
    tag: SmolStr,
    /// Distinguishes it from earlier and later consumers with the same tag.
    serial: u64,
    waiting_for: Arc<str>,
    /// Whether its error was returned, so that the stream is over.
    failed: bool,
}

impl Consumer {
    pub(super) fn new(channel: ChannelHandle, queue: &str, tag: SmolStr, serial: u64) -> Consumer {
        let waiting_for = format!("a delivery from {queue}").into();
        Consumer { channel, tag, serial, waiting_for, failed: false }
    }

    /// Its tag.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Waits for the next delivery; `None` when the consumer was cancelled.
    pub async fn next(&mut self) -> Option<Result<Delivery, Error>> {
        poll_fn(|cx| self.poll_delivery(cx)).await
    }

    /// Cancels the consumer (`basic.cancel`). Deliveries that have arrived already can still be
    /// taken.
    ///
    /// # Errors
    ///
    /// Those of a closed channel.
    pub async fn cancel(&mut self) -> Result<(), Error> {
        let method = Method::BasicCancel { consumer_tag: self.tag.clone(), no_wait: false };
        self.channel.call("basic.cancel-ok", method).await.map(drop)
    }

    fn poll_delivery(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Delivery, Error>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let polled = self.channel.poll_state(
            cx,
            || Wait::Shared(Arc::clone(&self.waiting_for)),
            |state| match state.consumers.get_mut(&self.tag) {
                Some(inbox) if inbox.serial() == self.serial => inbox.take(),
                Some(_) | None => Ok(None),
            },
        );
        polled.map(|arrived| match arrived {
            Ok(inbound) => inbound
                .map(|inbound| Ok(Delivery::new(self.channel.clone(), self.tag.clone(), inbound))),
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        })
    }
}

impl Stream for Consumer {
    type Item = Result<Delivery, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_delivery(cx)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.channel.drop_consumer(&self.tag, self.serial);
    }
}
