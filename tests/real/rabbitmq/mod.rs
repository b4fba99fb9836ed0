//! The real RabbitMQ, where there is one of version 3.10 on the `PATH`; else each
//! test says that it was skipped, and why.

mod conversation;
#[cfg(feature = "definitions")]
mod definitions;
mod differential;
mod node;
mod recorded;
mod side;
mod themes;
mod vhosts;
mod wrong;
