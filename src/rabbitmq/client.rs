//! The client: RabbitMQ as a node of the world uses it.
//!
//! [`start`] puts a [`Broker`](crate::rabbitmq::broker::Broker) into a world. A node opens a
//! [`Connection`] to it and works on [`Channel`]s. Everything goes through the node's link, so
//! latency, partitions and the node's death apply. A method that AMQP answers is `async` and waits
//! for the answer. A method that AMQP does not answer (a publish, an acknowledgement) is sent and
//! returns at once; if the broker refuses it, the broker closes the channel, and the next call
//! fails.
//!
//! ```
//! use stunt_double::rabbitmq::{self, BrokerOptions, ConsumeOptions, Properties, QueueOptions};
//! use stunt_double::sim::Sim;
//!
//! let mut sim = Sim::new(1);
//! let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
//! sim.node_with("hello", rabbit, async |node, rabbit| {
//!     let connection = rabbitmq::Connection::connect(&node, &rabbit).await?;
//!     let channel = connection.channel().await?;
//!     channel.queue_declare("hello", QueueOptions::default()).await?;
//!     channel.basic_publish("", "hello", Properties::default(), "Hello World!")?;
//!
//!     let mut consumer = channel.basic_consume("hello", ConsumeOptions::default()).await?;
//!     let delivery = consumer.next().await.expect("nobody cancels the consumer")?;
//!     assert_eq!(delivery.body().as_ref(), b"Hello World!");
//!     delivery.ack()
//! });
//! sim.run().expect_done();
//! ```

mod admin;
mod channel;
mod channel_handle;
mod channel_state;
mod confirm;
mod consumer;
mod declare;
#[cfg(feature = "definitions")]
mod definitions;
mod handle;
mod heartbeat;
mod inbox;
mod log;
mod service;
mod session;
mod short_strings;
mod story;
mod unconfirmed;

pub use channel::Channel;
pub use confirm::Confirm;
pub use consumer::{Consumer, Delivery};
pub use handle::{RabbitMq, start, start_named};
pub use inbox::Returned;
pub use session::ClientSession;
pub use unconfirmed::Confirmation;

use crate::rabbitmq::protocol::error::AmqpError;
use crate::rabbitmq::protocol::id::ChannelNumber;
use crate::rabbitmq::protocol::method::{ConnectionOptions, Event, Method};
use crate::rabbitmq::wire::ByteServer;
use crate::sim::service::Wait;
use crate::sim::{self, Disconnected, Node};
use bytes::Bytes;
use channel_state::Call;
use smol_str::SmolStr;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Why a call of the client failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The broker refused, and closed the channel or the connection. The text describes what to
    /// change. Continue with a new channel, or with a new connection if [`AmqpError::scope`] is the
    /// connection.
    Amqp(AmqpError),
    /// The broker had closed the channel or the connection before, for this reason.
    AlreadyClosed(AmqpError),
    /// The channel was closed by this end.
    ChannelClosed,
    /// The connection is gone: connect again.
    Disconnected(Disconnected),
    /// The channel publishes without confirms; see [`Channel::confirm_select`].
    NotInConfirmMode,
    /// All channel numbers of the connection are in use.
    NoFreeChannel,
    /// A name, a key, a property or the name of a header is longer than the 255 bytes that AMQP can
    /// carry. Nothing was sent.
    ShortStringTooLong {
        /// The part that is too long: `a queue name`.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Amqp(value) => write!(f, "{value}"),
            Error::AlreadyClosed(value) => write!(f, "closed before this call: {value}"),
            Error::ChannelClosed => f.write_str("the channel was closed by this end"),
            Error::Disconnected(value) => value.fmt(f),
            Error::NotInConfirmMode => f.write_str("the channel is not in confirm mode"),
            Error::NoFreeChannel => f.write_str("no channel number is free"),
            Error::ShortStringTooLong { what, length } => {
                write!(f, "{what} is {length} bytes long, and AMQP carries at most 255")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<Disconnected> for Error {
    fn from(error: Disconnected) -> Error {
        Error::Disconnected(error)
    }
}

impl Error {
    /// Returns the broker's error, if the broker caused this error.
    #[must_use]
    pub fn amqp(&self) -> Option<&AmqpError> {
        match self {
            Error::Amqp(error) | Error::AlreadyClosed(error) => Some(error),
            Error::ChannelClosed
            | Error::Disconnected(_)
            | Error::NotInConfirmMode
            | Error::NoFreeChannel
            | Error::ShortStringTooLong { .. } => None,
        }
    }
}

/// A connection of a node to a broker. `Clone`: all clones are one connection, whose socket closes
/// when the last clone, and the last of its channels, is dropped.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<sim::service::Connection<ByteServer>>,
}

impl Connection {
    /// Connects and opens vhost `/` as user `guest`, without heartbeats. A
    /// partitioned link makes it wait for up to 127 seconds; [`Node::timeout`] limits that.
    ///
    /// # Errors
    ///
    /// As for [`Connection::connect_with`].
    ///
    /// # Panics
    ///
    /// If the node and the broker are in different worlds.
    pub async fn connect(node: &Node, rabbit: &RabbitMq) -> Result<Connection, Error> {
        Connection::open(node, rabbit, Box::default()).await
    }

    /// Connects with these options; see [`Connection::connect`].
    ///
    /// # Errors
    ///
    /// - [`Error::Disconnected`] if the broker is not running, the connection is reset before it is
    ///   open, or connection attempts go unanswered for too long.
    /// - [`Error::Amqp`] with `ACCESS_REFUSED` for an unknown user or a wrong password; with
    ///   `NOT_ALLOWED` for a vhost that does not exist, that the user has no permissions in, or
    ///   that is at a limit; or with the code of a [`Refusal`](super::Refusal).
    /// - [`Error::ShortStringTooLong`] for the name of a vhost that AMQP cannot carry.
    ///
    /// # Panics
    ///
    /// If the node and the broker are in different worlds.
    pub async fn connect_with(
        node: &Node,
        rabbit: &RabbitMq,
        options: ConnectionOptions,
    ) -> Result<Connection, Error> {
        Connection::open(node, rabbit, Box::new(options)).await
    }

    async fn open(
        node: &Node,
        rabbit: &RabbitMq,
        options: Box<ConnectionOptions>,
    ) -> Result<Connection, Error> {
        short_strings::check_options(&options)?;
        let inner = Arc::new(sim::service::Connection::connect(node, rabbit.service()).await?);
        inner.session(|session| session.configure(&options));
        let connection = Connection { inner };
        let open = Method::ConnectionOpen(options);
        connection.call(ChannelNumber(0), "connection.open-ok", open).await?;
        Ok(connection)
    }

    /// Opens a channel.
    ///
    /// # Errors
    ///
    /// [`Error::NoFreeChannel`] if the connection has as many channels as it may: 2,047, unless
    /// [`ConnectionOptions::channel_max`] is lower.
    pub async fn channel(&self) -> Result<Channel, Error> {
        let number = self.send(|session| session.new_channel().map(|number| (None, number)))?;
        let channel = Channel::new(self.clone(), number);
        self.call(number, "channel.open-ok", Method::ChannelOpen).await?;
        Ok(channel)
    }

    /// Closes the connection and all its channels.
    ///
    /// # Errors
    ///
    /// Those of a closed connection.
    pub async fn close(&self) -> Result<(), Error> {
        self.call(ChannelNumber(0), "connection.close-ok", Method::ConnectionClose).await?;
        self.inner.close();
        Ok(())
    }

    /// Gives the broker a new password or token (`connection.update-secret`), which it accepts
    /// without a check.
    ///
    /// # Errors
    ///
    /// Those of a closed connection.
    pub async fn update_secret(
        &self,
        new_secret: impl Into<Bytes>,
        reason: &str,
    ) -> Result<(), Error> {
        let (new_secret, reason) = (new_secret.into(), reason.into());
        let method = Method::ConnectionUpdateSecret { new_secret, reason };
        self.call(ChannelNumber(0), "connection.update-secret-ok", method).await.map(drop)
    }

    /// Returns why the broker does not read from this connection (`connection.blocked`). What is
    /// published in the meantime waits in the broker.
    #[must_use]
    pub fn blocked_reason(&self) -> Option<SmolStr> {
        self.inner.session(|session| session.blocked().cloned()).flatten()
    }

    /// Waits until the broker blocks the connection, and returns the reason. It does so when an
    /// alarm is on and the connection publishes.
    ///
    /// # Errors
    ///
    /// Those of a closed connection.
    pub async fn blocked(&self) -> Result<SmolStr, Error> {
        let wait = || Wait::Static("connection.blocked");
        let looked = poll_fn(|cx| self.inner.poll_session(cx, wait, |s| s.wait_blocked(true)));
        looked.await?.map(Option::unwrap_or_default)
    }

    /// Waits until the broker reads from the connection again. Returns at once if the connection is
    /// not blocked.
    ///
    /// # Errors
    ///
    /// Those of a closed connection.
    pub async fn unblocked(&self) -> Result<(), Error> {
        let wait = || Wait::Static("connection.unblocked");
        let looked = poll_fn(|cx| self.inner.poll_session(cx, wait, |s| s.wait_blocked(false)));
        looked.await?.map(drop)
    }

    /// Returns why the broker closed the connection, if it has.
    #[must_use]
    pub fn close_reason(&self) -> Option<AmqpError> {
        self.inner.session(|session| session.closed().cloned()).flatten()
    }

    /// Waits until the connection ends, and returns the reason.
    pub async fn closed(&self) -> Error {
        let wait = || Wait::Static("the end of its connection");
        let ended =
            poll_fn(|cx| self.inner.poll_session(cx, wait, ClientSession::wait_closed)).await;
        match ended {
            Ok(error) => Error::Amqp(error),
            Err(why) => Error::Disconnected(why),
        }
    }

    /// Changes the session and sends the method that results.
    fn send<R>(
        &self,
        make: impl FnOnce(&mut ClientSession) -> Result<(Option<(ChannelNumber, Method)>, R), Error>,
    ) -> Result<R, Error> {
        self.inner.send_with(make)
    }

    /// Sends a method at once; the future waits for its answer.
    fn call(&self, channel: ChannelNumber, awaiting: &'static str, method: Method) -> Answer<'_> {
        let sent = short_strings::check(&method).and_then(|()| {
            self.send(|session| {
                let call = session.begin_call(channel)?;
                Ok((Some((channel, method)), call))
            })
        });
        Answer { connection: self, channel, awaiting, sent: Some(sent) }
    }

    /// Waits for the answer to a call that was sent.
    fn answer(&self, channel: ChannelNumber, awaiting: &'static str, call: Call) -> Answer<'_> {
        Answer { connection: self, channel, awaiting, sent: Some(Ok(call)) }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The answer to a call that was sent. If it is dropped, the answer is ignored when it arrives.
///
/// It is a type of its own and not an `async fn`, because the future of a node contains it at every
/// call, and an `async fn` would contain the method too.
#[must_use = "a call is awaited"]
struct Answer<'a> {
    connection: &'a Connection,
    awaiting: &'static str,
    channel: ChannelNumber,
    /// The call, or why it was not sent; `None` when it is over.
    sent: Option<Result<Call, Error>>,
}

impl Answer<'_> {
    fn forget(&self, call: Call) {
        let _ = self.connection.inner.session(|session| session.forget_call(self.channel, call));
    }
}

impl Future for Answer<'_> {
    type Output = Result<Event, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let call = match self.sent.take().expect("an answer is awaited once") {
            Ok(call) => call,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let polled = self.connection.inner.poll_session(
            cx,
            || Wait::Static(self.awaiting),
            |session| session.take_answer(self.channel, call),
        );
        let Poll::Ready(answer) = polled else {
            self.sent = Some(Ok(call));
            return Poll::Pending;
        };
        let answer = answer.map_err(Error::from).and_then(|answer| answer);
        if answer.is_err() {
            self.forget(call);
        }
        Poll::Ready(answer)
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        if let Some(Ok(call)) = self.sent {
            self.forget(call);
        }
    }
}
