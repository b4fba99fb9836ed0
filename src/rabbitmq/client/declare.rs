//! Declaring, binding and deleting: the classes exchange and queue.

use super::Error;
use super::channel::Channel;
use crate::rabbitmq::protocol::method::{
    BindOptions, Event, ExchangeBindOptions, ExchangeOptions, Method, QueueDeclareOk, QueueOptions,
};

impl Channel {
    /// Declares an exchange, or only checks that it exists with [`ExchangeOptions::passive`].
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if it exists with other properties; `NOT_FOUND` if it does not exist
    /// and the declaration is passive; `COMMAND_INVALID` for an unknown type, which closes the
    /// connection; `ACCESS_REFUSED` for a name that begins with `amq.`.
    pub async fn exchange_declare(
        &self,
        exchange: &str,
        options: ExchangeOptions,
    ) -> Result<(), Error> {
        let options = Box::new(options);
        let method = Method::ExchangeDeclare { exchange: exchange.into(), options, no_wait: false };
        self.handle.call("exchange.declare-ok", method).await.map(drop)
    }

    /// Deletes an exchange. Succeeds if there is none.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if `if_unused` and it has bindings.
    pub async fn exchange_delete(&self, exchange: &str, if_unused: bool) -> Result<(), Error> {
        let method =
            Method::ExchangeDelete { exchange: exchange.into(), if_unused, no_wait: false };
        self.handle.call("exchange.delete-ok", method).await.map(drop)
    }

    /// Binds an exchange to another: messages that `source` routes there are routed on by
    /// `destination`.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if there is no such exchange; `ACCESS_REFUSED` for the default one.
    pub async fn exchange_bind(
        &self,
        destination: &str,
        source: &str,
        routing_key: &str,
    ) -> Result<(), Error> {
        self.exchange_bind_with(ExchangeBindOptions::new(destination, source, routing_key)).await
    }

    /// Binds an exchange to another with arguments.
    ///
    /// # Errors
    ///
    /// As for [`Channel::exchange_bind`].
    pub async fn exchange_bind_with(&self, binding: ExchangeBindOptions) -> Result<(), Error> {
        let method = Method::ExchangeBind { binding: Box::new(binding), no_wait: false };
        self.handle.call("exchange.bind-ok", method).await.map(drop)
    }

    /// Removes a binding between exchanges. Succeeds if there is none.
    ///
    /// # Errors
    ///
    /// `ACCESS_REFUSED` for the default exchange.
    pub async fn exchange_unbind(
        &self,
        destination: &str,
        source: &str,
        routing_key: &str,
    ) -> Result<(), Error> {
        self.exchange_unbind_with(ExchangeBindOptions::new(destination, source, routing_key)).await
    }

    /// Removes a binding between exchanges with arguments. Succeeds if there is none.
    ///
    /// # Errors
    ///
    /// As for [`Channel::exchange_unbind`].
    pub async fn exchange_unbind_with(&self, binding: ExchangeBindOptions) -> Result<(), Error> {
        let method = Method::ExchangeUnbind { binding: Box::new(binding), no_wait: false };
        self.handle.call("exchange.unbind-ok", method).await.map(drop)
    }

    /// Declares a queue, or only asks for its counts with [`QueueOptions::passive`]. If the name is
    /// empty, the broker makes one, `amq.gen-…`.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if it exists with other properties; `RESOURCE_LOCKED` if it is
    /// exclusive to another connection; `NOT_FOUND` if it does not exist and the declaration is
    /// passive.
    pub async fn queue_declare(
        &self,
        queue: &str,
        options: QueueOptions,
    ) -> Result<QueueDeclareOk, Error> {
        let method = Method::QueueDeclare { queue: queue.into(), options, no_wait: false };
        match self.handle.call("queue.declare-ok", method).await? {
            Event::QueueDeclareOk(ok) => Ok(ok),
            other => unreachable!("answers come in the order of the calls, but this is {other:?}"),
        }
    }

    /// Binds a queue to an exchange. An empty queue name stands for the queue last declared on this
    /// channel.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if there is no such exchange or queue.
    pub async fn queue_bind(
        &self,
        queue: &str,
        exchange: &str,
        routing_key: &str,
    ) -> Result<(), Error> {
        self.queue_bind_with(BindOptions::new(queue, exchange, routing_key)).await
    }

    /// Binds a queue to an exchange with arguments, as a headers exchange needs them.
    ///
    /// # Errors
    ///
    /// As for [`Channel::queue_bind`].
    pub async fn queue_bind_with(&self, binding: BindOptions) -> Result<(), Error> {
        let method = Method::QueueBind { binding: Box::new(binding), no_wait: false };
        self.handle.call("queue.bind-ok", method).await.map(drop)
    }

    /// Removes a binding. Succeeds if there is none.
    ///
    /// # Errors
    ///
    /// `ACCESS_REFUSED` for the default exchange.
    pub async fn queue_unbind(
        &self,
        queue: &str,
        exchange: &str,
        routing_key: &str,
    ) -> Result<(), Error> {
        self.queue_unbind_with(BindOptions::new(queue, exchange, routing_key)).await
    }

    /// Removes a binding with arguments. Succeeds if there is none.
    ///
    /// # Errors
    ///
    /// As for [`Channel::queue_unbind`].
    pub async fn queue_unbind_with(&self, binding: BindOptions) -> Result<(), Error> {
        let method = Method::QueueUnbind { binding: Box::new(binding) };
        self.handle.call("queue.unbind-ok", method).await.map(drop)
    }

    /// Drops the ready messages of a queue and returns their number.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if there is no such queue.
    pub async fn queue_purge(&self, queue: &str) -> Result<u32, Error> {
        let method = Method::QueuePurge { queue: queue.into(), no_wait: false };
        match self.handle.call("queue.purge-ok", method).await? {
            Event::QueuePurgeOk { message_count } => Ok(message_count),
            other => unreachable!("answers come in the order of the calls, but this is {other:?}"),
        }
    }

    /// Deletes a queue and returns the number of ready messages in it. Succeeds if there is none.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if `if_unused` and it has consumers, or `if_empty` and it has
    /// messages.
    pub async fn queue_delete(
        &self,
        queue: &str,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<u32, Error> {
        let method =
            Method::QueueDelete { queue: queue.into(), if_unused, if_empty, no_wait: false };
        match self.handle.call("queue.delete-ok", method).await? {
            Event::QueueDeleteOk { message_count } => Ok(message_count),
            other => unreachable!("answers come in the order of the calls, but this is {other:?}"),
        }
    }
}
