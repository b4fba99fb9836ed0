//! Definitions: a server's users, vhosts, policies and topology as one JSON file, as RabbitMQ's
//! management UI and `rabbitmqctl export_definitions` write it.
//!
//! In the definitions of a *whole server* each object names its vhost. Those of a *single vhost*
//! name none, have no users, and are imported into a vhost of the caller's choice. Unknown keys and
//! missing lists are ignored, as the server ignores them.
//!
//! Numbers in arguments get the server's types: `long` (64 bits) for integers, `double` for others.
//!
//! Start with [`Definitions`] in `format`; `import` and `export` are the broker's two operations;
//! `value` and `limits` convert what JSON and AMQP write differently.
//!
//! Source: <https://www.rabbitmq.com/docs/definitions>; files of RabbitMQ 3.10.8.

mod export;
mod format;
mod import;
mod limits;
mod object;
mod value;

pub use format::{Definitions, DefinitionsError};
