//! An administrator's tools: listings, as typed rows and as `rabbitmqctl` prints them; the
//! contents of a queue; counters; and the types for users, permissions, policies, limits and
//! alarms.
//!
//! The typed listings are those of the management API: they cover *all* vhosts, and each row names
//! its vhost. The text listings are those of `rabbitmqctl`: they show one vhost, `/` unless `-p`
//! names another. Rows are sorted by vhost and then by name (bindings by source, routing key and
//! destination), whereas the order of the real server is that of a hash table.
//!
//! Nothing in this module changes the broker; the operations that do are methods of
//! [`Broker`](crate::rabbitmq::broker::Broker). Vocabulary: a *row* is one object, a *column* is
//! one of its properties under `rabbitmqctl`'s name, a *cell* is the value of a property.
//!
//! Start with the file of a listing, such as `queue`; `ctl` is the command line, `cell` and `text`
//! are its output.
//!
//! Source: `rabbitmqctl` 3.10.8, <https://www.rabbitmq.com/docs/man/rabbitmqctl.8>.

mod binding;
mod cell;
mod channel;
mod connection;
mod consumer;
mod ctl;
mod exchange;
mod overview;
mod peek;
mod policy;
mod queue;
mod text;
mod user;
mod vhost;

pub use binding::{BindingRow, DestinationKind};
pub use channel::ChannelRow;
pub use connection::{ConnectionRow, ConnectionState};
pub use consumer::{ActivityStatus, ConsumerRow};
pub use ctl::CtlError;
pub use exchange::ExchangeRow;
pub use overview::{ObjectTotals, Overview, QueueTotals};
pub use peek::PeekedMessage;
pub use policy::PolicyRow;
pub use queue::{QueueContents, QueueRow};
pub use user::{PermissionRow, TopicPermissionRow, UserRow};
pub use vhost::VHostRow;

pub use crate::rabbitmq::broker::alarm::Alarm;
pub use crate::rabbitmq::stats::{MessageRates, MessageStats};
pub use crate::rabbitmq::vhost::VHostLimits;
pub use crate::rabbitmq::vhost::error::AdminError;
pub use crate::rabbitmq::vhost::pattern::InvalidPattern;
pub use crate::rabbitmq::vhost::policy::{ApplyTo, Policy};
pub use crate::rabbitmq::vhost::user::{Permissions, UserLimits};
