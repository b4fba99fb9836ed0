//! Conversations in AMQP as lines of text, and what plays them to a broker: shared by the tests of
//! our broker and by those of the real one.
//!
//! Start with `scenario`, which reads and plays a conversation. `amqp` turns lines into bytes and
//! back, `ours` is our broker as a side of a conversation, and `names` replaces names that a server
//! makes. `recordings` finds the recorded conversations of a version.

pub(crate) mod amqp;
mod names;
pub(crate) mod ours;
pub(crate) mod recordings;
pub(crate) mod scenario;
