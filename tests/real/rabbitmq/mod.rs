//! The real RabbitMQ, if version 3.10 is on the `PATH`; otherwise each test reports that it was
//! skipped, and why.

mod conversation;
#[cfg(feature = "definitions")]
mod definitions;
mod differential;
pub(crate) mod node;
mod recorded;
mod side;
mod themes;
mod vhosts;
mod wrong;
