//! A channel of a connection: the methods of AMQP, one to one.

use super::channel_handle::ChannelHandle;
use super::channel_state::{ChannelState, RareState};
use super::confirm::Confirm;
use super::consumer::{Consumer, Delivery};
use super::inbox::{Inbound, Inbox, Returned};
use super::{Connection, Error};
use crate::rabbitmq::protocol::error::AmqpError;
use crate::rabbitmq::protocol::id::{ChannelNumber, DeliveryTag};
use crate::rabbitmq::protocol::method::{ConsumeOptions, Event, Method, Publish};
use crate::rabbitmq::protocol::properties::Properties;
use crate::sim::service::Wait;
use bytes::Bytes;
use smol_str::SmolStr;
use std::fmt;
use std::future::poll_fn;

/// A channel. `Clone`: all clones are one channel, which closes when the last clone, and the last
/// of its consumers, deliveries and confirms, is dropped.
///
/// The methods are those of AMQP 0-9-1 with RabbitMQ's extensions, under their names; see
/// <https://www.rabbitmq.com/amqp-0-9-1-reference.html>. All of them fail with [`Error::Amqp`] if
/// the broker refuses, with [`Error::ShortStringTooLong`] for a name that AMQP cannot carry, and
/// with the errors of a closed channel: [`Error::AlreadyClosed`], [`Error::ChannelClosed`],
/// [`Error::Disconnected`].
#[derive(Clone)]
pub struct Channel {
    pub(super) handle: ChannelHandle,
}

impl Channel {
    pub(super) fn new(connection: Connection, number: ChannelNumber) -> Channel {
        Channel { handle: ChannelHandle::new(connection, number) }
    }

    /// Its number within the connection.
    #[must_use]
    pub fn number(&self) -> ChannelNumber {
        self.handle.number()
    }

    /// The connection it belongs to.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        self.handle.connection()
    }

    /// Returns why the broker closed the channel or its connection, if it has.
    #[must_use]
    pub fn close_reason(&self) -> Option<AmqpError> {
        let number = self.handle.number();
        let over = self.handle.connection().inner.session(|session| session.over(number));
        match over.flatten() {
            Some(Error::Amqp(error)) => Some(error),
            Some(_) | None => None,
        }
    }

    /// Closes the channel. Its unacknowledged messages return to their queues.
    ///
    /// # Errors
    ///
    /// Those of a closed channel.
    pub async fn close(&self) -> Result<(), Error> {
        let (connection, number) = (self.handle.connection(), self.handle.number());
        let call = connection.send(|session| {
            let call = session.begin_close(number)?;
            Ok((Some((number, Method::ChannelClose)), call))
        })?;
        connection.answer(number, "channel.close-ok", call).await.map(drop)
    }

    /// Limits the number of unacknowledged deliveries: to each consumer that begins later, or with
    /// `global` to all consumers of the channel together. 0 means no limit.
    ///
    /// # Errors
    ///
    /// Those of a closed channel.
    pub async fn basic_qos(&self, prefetch_count: u16, global: bool) -> Result<(), Error> {
        let method = Method::BasicQos { prefetch_size: 0, prefetch_count, global };
        self.handle.call("basic.qos-ok", method).await.map(drop)
    }

    /// Consumes from a queue.
    ///
    /// If this future is dropped before the broker's answer, by a time-out for example, the broker
    /// may still create the consumer. Deliveries to it stay unacknowledged until the channel
    /// closes.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if there is no such queue; `ACCESS_REFUSED` if it has an exclusive consumer;
    /// `NOT_ALLOWED` for a tag in use on this channel, which closes the connection.
    pub async fn basic_consume(
        &self,
        queue: &str,
        options: ConsumeOptions,
    ) -> Result<Consumer, Error> {
        let options = Box::new(options);
        let method = Method::BasicConsume { queue: queue.into(), options, no_wait: false };
        match self.handle.call("basic.consume-ok", method).await? {
            Event::BasicConsumeOk { consumer_tag } => {
                let inbox = |state: &mut ChannelState| {
                    state.consumers.get(&consumer_tag).map_or(0, Inbox::serial)
                };
                let serial = self.handle.with_state(inbox).unwrap_or(0);
                Ok(Consumer::new(self.handle.clone(), queue, consumer_tag, serial))
            }
            other => unreachable!("answers come in the order of the calls, but this is {other:?}"),
        }
    }

    /// Cancels a consumer. Succeeds if there is none with this tag.
    ///
    /// # Errors
    ///
    /// Those of a closed channel.
    pub async fn basic_cancel(&self, consumer_tag: &str) -> Result<(), Error> {
        let method = Method::BasicCancel { consumer_tag: consumer_tag.into(), no_wait: false };
        self.handle.call("basic.cancel-ok", method).await.map(drop)
    }

    /// Fetches one message; `None` if no message is ready.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if there is no such queue.
    pub async fn basic_get(&self, queue: &str, no_ack: bool) -> Result<Option<Delivery>, Error> {
        match self
            .handle
            .call("basic.get-ok", Method::BasicGet { queue: queue.into(), no_ack })
            .await?
        {
            Event::GetOk(ok) => {
                let inbound = Inbound {
                    delivery_tag: ok.delivery_tag,
                    redelivered: ok.redelivered,
                    message: ok.message,
                };
                Ok(Some(Delivery::new(self.handle.clone(), SmolStr::default(), inbound)))
            }
            Event::GetEmpty => Ok(None),
            other => unreachable!("answers come in the order of the calls, but this is {other:?}"),
        }
    }

    /// Publishes a message that is not mandatory, and does not wait for the broker
    /// (`basic.publish`). Returns the publish's number if the channel is in confirm mode.
    ///
    /// [`Channel::basic_publish_with`] takes every option; [`Channel::publish`] returns the
    /// broker's confirm.
    ///
    /// # Errors
    ///
    /// As for [`Channel::basic_publish_with`].
    pub fn basic_publish(
        &self,
        exchange: &str,
        routing_key: &str,
        properties: Properties,
        body: impl Into<Bytes>,
    ) -> Result<Option<DeliveryTag>, Error> {
        let publish = Publish { properties, ..Publish::new(exchange, routing_key, body) };
        self.basic_publish_with(publish)
    }

    /// Publishes a message with every option, and does not wait for the broker (`basic.publish`).
    /// Returns the publish's number if the channel is in confirm mode.
    ///
    /// # Errors
    ///
    /// Those of a closed channel. A missing exchange closes the channel later: the next call fails.
    pub fn basic_publish_with(&self, publish: Publish) -> Result<Option<DeliveryTag>, Error> {
        self.handle.send(Method::BasicPublish(publish), |state| Ok(state.published()))
    }

    /// Publishes a message on a channel in confirm mode, and returns the broker's confirm:
    /// `channel.publish(message)?.await?` waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::NotInConfirmMode`], and as for [`Channel::basic_publish_with`]. The confirm itself
    /// fails if the channel ends before the broker has answered; the broker may or may not have
    /// taken the message then.
    pub fn publish(&self, publish: Publish) -> Result<Confirm, Error> {
        let tag = self.handle.send(Method::BasicPublish(publish), |state| {
            let tag = state.published().ok_or(Error::NotInConfirmMode)?;
            state.rare_mut().confirms.watch(tag);
            Ok(tag)
        })?;
        Ok(Confirm::new(self.handle.clone(), tag))
    }

    /// Makes the broker confirm every publish from now on (`confirm.select`).
    ///
    /// # Errors
    ///
    /// Those of a closed channel.
    pub async fn confirm_select(&self) -> Result<(), Error> {
        let (connection, number) = (self.handle.connection(), self.handle.number());
        let call = connection.send(|session| {
            let call = session.begin_call(number)?;
            // The broker counts from this method on, not from its answer.
            session.state(number).rare_mut().confirms.select();
            Ok((Some((number, Method::ConfirmSelect { no_wait: false })), call))
        })?;
        connection.answer(number, "confirm.select-ok", call).await.map(drop)
    }

    /// Waits until every publish is confirmed or rejected. Returns the numbers of rejected
    /// publishes, except those that somebody awaits through [`Channel::publish`].
    ///
    /// # Errors
    ///
    /// [`Error::NotInConfirmMode`], and the errors of a channel that ends before the answers.
    pub async fn wait_for_confirms(&self) -> Result<Vec<DeliveryTag>, Error> {
        let is_on =
            |state: &mut ChannelState| state.rare().is_some_and(|rare| rare.confirms.is_on());
        if self.handle.with_state(is_on) == Some(false) {
            return Err(Error::NotInConfirmMode);
        }
        let wait = || Wait::Static("publisher confirms");
        poll_fn(|cx| self.handle.poll_state(cx, wait, |state| state.rare_mut().confirms.drain()))
            .await
    }

    /// Number of publishes that the broker has not answered yet.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        let outstanding =
            |state: &mut ChannelState| state.rare().map_or(0, |rare| rare.confirms.outstanding());
        self.handle.with_state(outstanding).unwrap_or(0)
    }

    /// Waits for the next mandatory message that is returned as unroutable.
    ///
    /// # Errors
    ///
    /// Those of a channel that ends before one is returned.
    pub async fn next_return(&self) -> Result<Returned, Error> {
        let wait = || Wait::Static("a returned message");
        let look = |rare: &mut RareState| rare.returned.pop_front().ok_or(());
        poll_fn(|cx| {
            self.handle.poll_state(cx, wait, |state| {
                let rare = state.rare_mut();
                look(rare).map_err(|()| &mut rare.return_waiter)
            })
        })
        .await
    }

    /// Takes a mandatory message that was returned as unroutable, if one has arrived.
    #[must_use]
    pub fn try_return(&self) -> Option<Returned> {
        self.handle.with_state(ChannelState::take_returned).flatten()
    }

    /// Acknowledges a delivery; with `multiple` all deliveries up to it, and with tag 0 all
    /// deliveries.
    ///
    /// # Errors
    ///
    /// Those of a closed channel. An unknown tag closes the channel later: the next call fails.
    pub fn basic_ack(&self, delivery_tag: DeliveryTag, multiple: bool) -> Result<(), Error> {
        self.handle.send(Method::BasicAck { delivery_tag, multiple }, |_| Ok(()))
    }

    /// Rejects a delivery, or with `multiple` all deliveries up to it. With `requeue` they return
    /// to their places in their queues; otherwise they are dropped or dead-lettered.
    ///
    /// # Errors
    ///
    /// As for [`Channel::basic_ack`].
    pub fn basic_nack(
        &self,
        delivery_tag: DeliveryTag,
        multiple: bool,
        requeue: bool,
    ) -> Result<(), Error> {
        self.handle.send(Method::BasicNack { delivery_tag, multiple, requeue }, |_| Ok(()))
    }

    /// Rejects a delivery.
    ///
    /// # Errors
    ///
    /// As for [`Channel::basic_ack`].
    pub fn basic_reject(&self, delivery_tag: DeliveryTag, requeue: bool) -> Result<(), Error> {
        self.handle.send(Method::BasicReject { delivery_tag, requeue }, |_| Ok(()))
    }

    /// Requeues all unacknowledged deliveries of this channel. RabbitMQ does not implement `requeue
    /// = false`.
    ///
    /// # Errors
    ///
    /// `NOT_IMPLEMENTED` without `requeue`, which closes the connection.
    pub async fn basic_recover(&self, requeue: bool) -> Result<(), Error> {
        self.handle.call("basic.recover-ok", Method::BasicRecover { requeue }).await.map(drop)
    }

    /// Makes the channel transactional: publishes and acknowledgements wait for
    /// [`Channel::tx_commit`].
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if the channel is in confirm mode.
    pub async fn tx_select(&self) -> Result<(), Error> {
        self.handle.call("tx.select-ok", Method::TxSelect).await.map(drop)
    }

    /// Commits the transaction, and begins the next. When this returns, persistent messages are on
    /// disk.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if the channel is not transactional, or if a queue refuses a message.
    pub async fn tx_commit(&self) -> Result<(), Error> {
        self.handle.call("tx.commit-ok", Method::TxCommit).await.map(drop)
    }

    /// Rolls the transaction back, and begins the next. Deliveries that it had settled are
    /// outstanding again.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if the channel is not transactional.
    pub async fn tx_rollback(&self) -> Result<(), Error> {
        self.handle.call("tx.rollback-ok", Method::TxRollback).await.map(drop)
    }

    /// Asks the broker to continue to send (`channel.flow`), which it always does. RabbitMQ does
    /// not implement `active = false`.
    ///
    /// # Errors
    ///
    /// `NOT_IMPLEMENTED` unless `active`, which closes the connection.
    pub async fn flow(&self, active: bool) -> Result<(), Error> {
        self.handle.call("channel.flow-ok", Method::ChannelFlow { active }).await.map(drop)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}
