//! The real RabbitMQ, if 3.10, 4.0 or 4.3 is installed (`node.rs` says where); otherwise each test
//! reports that it was skipped, and why.

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
