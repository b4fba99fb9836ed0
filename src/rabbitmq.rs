//! RabbitMQ, as a value: a broker for AMQP 0-9-1 that opens no socket and reads
//! no clock.
//!
//! The model is RabbitMQ 3.10.8 with one vhost and classic queues, down to
//! reply codes and texts. [`Broker`] tells how it is driven. Inside:
//!
//! ```text
//!  publish ─▶ exchange ─▶ queue ──────────────▶ channel ─▶ deliver
//!             (bindings)  (backlog, ring of     (unacked table,
//!                          consumers, journal)   limits, confirms)
//! ```
//!
//! - An *exchange* answers which queues a message goes to.
//! - A *queue* keeps messages in order of position and hands each to the next
//!   consumer in its ring; a durable one has a *journal*, which knows what a
//!   crash would leave.
//! - A *channel* holds what was handed out until it is settled, and counts the
//!   publishes it must confirm.
//!
//! What RabbitMQ can do and this model cannot yet (dead letters, length limits,
//! priorities, …) is refused with 540 `NOT_IMPLEMENTED`, never ignored.

mod admin;
mod arena;
mod backlog;
mod broker;
mod channel;
mod client;
mod confirm;
mod consumer;
mod dead_letter;
#[cfg(feature = "definitions")]
mod definitions;
mod describe;
mod error;
mod exchange;
mod expiry;
mod id;
mod journal;
mod message;
mod method;
mod names;
mod options;
mod pattern;
mod policy;
mod properties;
mod queue;
mod quorum;
mod reply_to;
mod settings;
mod stats;
mod stream;
mod table;
mod transaction;
mod unacked;
mod user;
mod vhost;
pub mod wire;

pub use admin::{
    ActivityStatus, AdminError, BindingRow, ChannelRow, ConnectionRow, ConnectionState,
    ConsumerRow, CtlError, DestinationKind, ExchangeRow, ObjectTotals, Overview, PeekedMessage,
    PermissionRow, PolicyRow, QueueContents, QueueRow, QueueTotals, TopicPermissionRow, UserRow,
    VHostRow,
};
pub use broker::{Alarm, Broker};
pub use client::{
    Channel, ClientSession, Confirm, Confirmation, Connection, Consumer, Delivery, Error, RabbitMq,
    Returned, start, start_named,
};
#[cfg(feature = "definitions")]
pub use definitions::{Definitions, DefinitionsError};
pub use error::{AmqpError, ReplyCode, Scope};
pub use id::{ChannelId, ChannelNumber, ConnectionId, DeliveryTag};
pub use message::Message;
pub use method::{
    BindOptions, ConnectionOptions, ConsumeOptions, Event, ExchangeBindOptions, ExchangeOptions,
    GetOk, Method, Output, Publish, QueueDeclareOk, QueueOptions,
};
pub use options::{BrokerOptions, Version};
pub use pattern::InvalidPattern;
pub use policy::{ApplyTo, Policy};
pub use properties::Properties;
pub use settings::QueueType;
pub use stats::{MessageRates, MessageStats};
pub use table::{FieldTable, FieldValue};
pub use user::{Permissions, UserLimits};
pub use vhost::VHostLimits;
