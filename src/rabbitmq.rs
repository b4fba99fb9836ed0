//! RabbitMQ, as a value: a broker for AMQP 0-9-1 that opens no socket and reads
//! no clock.
//!
//! The model is RabbitMQ 3.10.8, down to reply codes and texts. There are three
//! ways in, each made of the next:
//!
//! - in a [world](crate::sim): [`start`] a broker, and a node opens a [`Connection`]
//!   to it, with latency, partitions and deaths;
//! - as bytes: [`wire::ByteServer`] speaks AMQP 0-9-1;
//! - as a machine: [`Broker`] has every method of AMQP as a typed one, and is told
//!   the time.
//!
//! Inside:
//!
//! ```text
//!  publish ─▶ exchange ─▶ queue ──────────────▶ channel ─▶ deliver
//!             (bindings)  (backlog, ring of     (unacked table,
//!                   ▲      consumers, journal)   limits, confirms)
//!                   └──────── dead letters
//! ```
//!
//! - An *exchange* answers where a message goes: to queues, and on to exchanges.
//! - A *queue* keeps messages in order and hands each to the next consumer in its
//!   ring; a durable one has a *journal*, which knows what a crash would leave. A
//!   *quorum* queue counts how often a message came back; a *stream* keeps what was
//!   consumed. Arguments and [policies](Policy) say how long messages live, how many
//!   there may be and where they go when they die.
//! - A *channel* holds what was handed out until it is settled, and counts the
//!   publishes it must confirm, or keeps them in a transaction.
//! - *Vhosts*, *users*, limits, policies, alarms and listings are an
//!   administrator's: methods of [`Broker`], which the handle of a broker in a
//!   world, [`RabbitMq`], has as well.
//!
//! # Restart, kill, loss of power
//!
//! In a world, [`restart`](crate::sim::ServiceHandle::restart) stops a broker in good
//! order, [`crash`](crate::sim::ServiceHandle::crash) kills its process and
//! [`lose_power`](crate::sim::ServiceHandle::lose_power) takes what was not synced, too; for
//! an outage that lasts, [`stop`](crate::sim::ServiceHandle::stop) it in one of these
//! ways ([`Shutdown`](crate::Shutdown)) and start it later. Durable queues keep their persistent messages: all, those that were written,
//! those that were synced. A confirm of 3.10 follows the sync; [`Version`] tells
//! what is otherwise in 4.
//!
//! # Where it differs from the real server
//!
//! - *Time*: messages and queues expire, and consumers time out, at the very
//!   moment; the server looks a little later, for consumers once a minute. A
//!   connection's heartbeats are counted from its opening, and end with its close,
//!   where the server goes on until the socket is gone. A connection of the
//!   client has none unless its [`ConnectionOptions`] ask for them, where most
//!   clients do by themselves. Times to live follow the monotonic clock, so that
//!   setting the calendar of the broker's machine moves nothing.
//! - *Order*: what is a race on the server has one deterministic answer. A burst
//!   that arrives at one instant is confirmed in one; a message goes to several
//!   queues in the order in which they were declared; queues that a channel's
//!   shared limit held up go on in the order in which they were refused; of several
//!   channels that die together, a quorum queue hears of the last one first.
//!   Listings are sorted. Every message of a stream is a chunk of its own.
//! - *Streams*: a prefetch count is exact, where the server hands out a chunk whole;
//!   the count of messages is that of the moment, where the server's lags.
//! - *Single active consumer*: where the process of a classic queue crashes (the
//!   active one is cancelled with a backlog, and a message comes before its channel is
//!   closed), the next is given the backlog and then the message.
//! - *Quorum queues and streams* are those of one node: replication, membership and
//!   leader locators are accepted and mean nothing. A quorum queue that refuses
//!   publishes notices at once that it is short enough again. Where 3.10.8 crashes and
//!   ends the connection with `INTERNAL_ERROR` (a consumer that was cancelled, comes
//!   again under its tag and is given a message before it has settled what it left),
//!   the message is delivered.
//! - *Plugins*: `x-consistent-hash`, `x-random` and `x-delayed-message` exchanges are
//!   there without being enabled. The hash of a header that is an array or a table
//!   is not the server's. `x-delayed-message` follows the plugin's documentation.
//! - *Texts*: an exchange type that does not exist is `unknown`, or `invalid` if its
//!   name is a word that the server knows from elsewhere; only the likely ones are in
//!   the list. Patterns are regular expressions without look-around.
//! - *Alarms* are set by the test; nothing raises them by itself.
//! - *Users* are checked by their passwords alone; there are no other mechanisms than
//!   `PLAIN` and `AMQPLAIN`, and no OAuth.
//! - The [wire] has a list of its own.

pub mod admin;
pub mod broker;
mod channel;
mod client;
#[cfg(feature = "definitions")]
pub mod definitions;
mod exchange;
mod key;
mod protocol;
mod queue;
mod stats;
mod version;
mod vhost;
pub mod wire;

pub use broker::options::BrokerOptions;
pub use client::{
    Channel, ClientSession, Confirm, Confirmation, Connection, Consumer, Delivery, Error, RabbitMq,
    Returned, start, start_named,
};
pub use protocol::error::{AmqpError, ReplyCode, Scope};
pub use protocol::id::DeliveryTag;
pub use protocol::message::Message;
pub use protocol::method::{
    BindOptions, ConnectionOptions, ConsumeOptions, ExchangeBindOptions, ExchangeOptions, Publish,
    QueueDeclareOk, QueueOptions,
};
pub use protocol::properties::Properties;
pub use protocol::queue_type::QueueType;
pub use protocol::table::{FieldTable, FieldValue, FieldValueError};
pub use version::Version;
