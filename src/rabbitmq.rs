//! RabbitMQ as a value: a broker for AMQP 0-9-1 that opens no socket and reads no clock.
//!
//! The model is RabbitMQ 3.10.8, down to reply codes and texts, or with
//! [`BrokerOptions::with_version`] RabbitMQ 4.0.5 or 4.3.6: [`Version`] says what they do
//! differently. There are three ways to use it, each built on the next:
//!
//! - in a [world](crate::sim): [`start`] a broker, then open a [`Connection`] to it from a node,
//!   with latency, partitions and crashes;
//! - as bytes: [`wire::ByteServer`] speaks AMQP 0-9-1;
//! - as a machine: [`broker::Broker`] has a typed method for every method of AMQP, and takes the
//!   time as an argument.
//!
//! The parts and how a message passes through them:
//!
//! ```text
//!  publish ─▶ exchange ─▶ queue ──────────────▶ channel ─▶ deliver
//!             (bindings)  (backlog, ring of     (unacked table,
//!                   ▲      consumers, journal)   limits, confirms)
//!                   └──────── dead letters
//! ```
//!
//! - An *exchange* decides where a message goes: to queues, and on to other exchanges.
//! - A *queue* keeps messages in order and hands each one to the next consumer in its ring. A
//!   durable queue has a *journal*, which knows what a crash would leave. A *quorum* queue counts
//!   how often each message was returned; a *stream* keeps messages after they are consumed.
//!   Arguments and [policies](admin::Policy) decide how long messages live, how many a queue holds
//!   and where dead letters go.
//! - A *channel* holds deliveries until they are settled. It counts the publishes that it must
//!   confirm, or keeps them in a transaction.
//! - *Vhosts*, *users*, limits, policies, alarms and listings are an administrator's concern. Their
//!   operations are methods of [`broker::Broker`]. [`RabbitMq`], the handle of a broker in a world,
//!   has the same methods.
//!
//! The root has what a client uses every day. The rest is in modules: [`admin`] (listings, users,
//! policies, limits, alarms), [`broker`] (the machine), [`wire`] (bytes) and, with the feature
//! `definitions`, `definitions`.
//!
//! # Restart, crash, power loss
//!
//! In a world, [`restart`](crate::sim::ServiceHandle::restart) stops a broker cleanly,
//! [`crash`](crate::sim::ServiceHandle::crash) kills its process and
//! [`lose_power`](crate::sim::ServiceHandle::lose_power) cuts the power of its machine. Each starts
//! it again at once. For an outage that lasts, [`stop`](crate::sim::ServiceHandle::stop) it in one
//! of these ways ([`Shutdown`](crate::Shutdown)) and start it later. The table shows which
//! persistent messages in durable queues survive.
//!
//! | after | the broker keeps |
//! |---|---|
//! | a clean stop | all |
//! | a crash | those that were written |
//! | a power loss | those that were synced |
//!
//! A confirm of 3.10 follows the sync. Since 4.0, that of a classic queue follows the write.
//!
//! # Where it differs from the real server
//!
//! - *Time*: messages and queues expire, and consumers time out, exactly when they are due. The
//!   server checks a little later, for consumers once a minute. Heartbeats of a connection begin
//!   when it opens and end when it closes; the server continues until the socket is gone. A
//!   connection of this client has no heartbeats unless its [`ConnectionOptions`] ask for them;
//!   most real clients ask by default. Times to live follow the monotonic clock, so setting the
//!   calendar clock of the broker's machine changes nothing.
//! - *Order*: where the server has a race, this broker has one deterministic answer. Publishes that
//!   arrive at one instant are confirmed together. A message goes to several queues in the order in
//!   which they were declared. Queues that a channel's shared limit held up continue in the order
//!   in which they were refused. When several channels die together, a quorum queue hears of the
//!   last one first, or since RabbitMQ 4 of the first. Listings are sorted. Every message of a
//!   stream is a chunk of its own.
//! - *Streams*: a prefetch count is exact, whereas the server hands out whole chunks, and a filter
//!   passes exactly the messages that match. The count of messages is current, whereas the server's
//!   lags.
//! - *Single active consumer*: in one case the process of a real classic queue crashes: the active
//!   consumer is cancelled with a backlog, and a message arrives before its channel is closed. Here
//!   the next consumer gets the backlog and then the message.
//! - *Quorum queues and streams* behave as on one node: arguments for replication, membership and
//!   leader locators are accepted and have no effect. A quorum queue that refuses publishes notices
//!   at once when it is short enough again. In one case 3.10.8 crashes and ends the connection with
//!   `INTERNAL_ERROR`: a cancelled consumer re-subscribes under its tag and gets a message before
//!   it has settled its earlier deliveries. Here the message is delivered.
//! - *Plugins*: `x-consistent-hash`, `x-random` and `x-delayed-message` exchanges need not be
//!   enabled. The hash of a header that is an array or a table differs from the server's.
//!   `x-delayed-message` follows the plugin's documentation.
//! - *Texts*: an exchange type that does not exist is `unknown`, or `invalid` if its name is an
//!   atom that the server has loaded. Only likely atoms are in the list. Patterns are regular
//!   expressions without look-around.
//! - *Alarms* are set by the test; nothing raises them automatically.
//! - *Users* are checked by password only. The mechanisms are `PLAIN`, `AMQPLAIN` and, since
//!   RabbitMQ 4, `ANONYMOUS`, which logs in as `guest`; there is no OAuth.
//! - *RabbitMQ 4*: a client that asks for AMQP 1.0 gets its protocol header and nothing more. A
//!   returned message that waits for its delayed retry does not count as ready. Twice a quorum
//!   queue of the real server gets stuck, when its single active consumer has to make way for one
//!   of a higher priority and still holds deliveries. If the last of them is requeued, 4.0.5 hands
//!   out nothing to anyone; here the other consumer gets it. If the channel fails, 4.3.6 keeps the
//!   consumer, and when the other one has gone, gives it all messages, which nobody settles; here
//!   it is gone with its channel. A quorum queue of 4.3.6 counts the deliveries of a consumer anew
//!   if it was late, was cancelled by its client, and subscribed again under its tag. A late
//!   settlement then settles the new delivery of the same number, which may be another message.
//!   Here it settles nothing.

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

pub use crate::unknown_version::UnknownVersion;
pub use broker::options::BrokerOptions;
pub use broker::refusal::{Refusal, RefusalError};
pub use client::{
    Channel, ClientSession, Confirm, Confirmation, Connection, Consumer, Delivery, Error, RabbitMq,
    Returned, start, start_named,
};
pub use protocol::error::{AmqpError, ReplyCode, Scope};
pub use protocol::id::DeliveryTag;
#[cfg(feature = "lapin")]
pub(crate) use protocol::limits::FRAME_MAX;
pub use protocol::message::Message;
pub use protocol::method::{
    BindOptions, ConnectionOptions, ConsumeOptions, ExchangeBindOptions, ExchangeOptions, Publish,
    QueueDeclareOk, QueueOptions,
};
pub use protocol::properties::Properties;
pub use protocol::queue_type::QueueType;
pub use protocol::table::{FieldTable, FieldValue, FieldValueError};
pub use version::{DeprecatedFeature, Version};
