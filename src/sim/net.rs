//! The network: links between nodes and services, and the TCP connections on them.
//!
//! Start with [`server`]: it holds a service's machine and every connection to it, feeds the
//! machine what arrives and puts what the machine says on the wires. [`connection`] and [`bytes`]
//! are the node's ends.
//!
//! Invariants:
//!
//! - What one end sends arrives at the other in order, exactly once, or never.
//! - Each end learns of a failure only by what arrives, by a call on its own side or by a timer of
//!   its own machine. Neither end knows anything because the other does.
//! - A partition and a black hole hold what is in flight; a severed connection drops it.
//!
//! | file | what is in it |
//! |---|---|
//! | `bytes` | the node's end of a connection of bytes |
//! | `cell` | a server's machine, connections and timers, behind a lock |
//! | `conn` | both ends of a connection, as the world holds them |
//! | `connection` | the node's end of a connection of typed messages |
//! | `latency` | how long a message travels |
//! | `link`, `path`, `network` | a link's handle, its state, and all links of a world |
//! | `logged` | messages in the log of the trace |
//! | `port` | what the run loop needs of a server, whatever its machine |
//! | `server` | a machine at work, and its connections |
//! | `table` | the connections of a server, by number |
//! | `tcp` | retransmission, keepalive and time-outs |
//! | `watch` | when sessions check that their server is still there |
//! | `in_flight` | one direction of a connection, with what is in flight |

pub(super) mod bytes;
pub(super) mod cell;
pub(super) mod conn;
pub(super) mod connection;
pub(super) mod in_flight;
pub(super) mod latency;
pub(super) mod link;
pub(super) mod logged;
pub(super) mod lost;
pub(super) mod network;
pub(super) mod path;
pub(super) mod port;
pub(super) mod pulse;
pub(super) mod server;
pub(super) mod table;
pub(super) mod tcp;
pub(super) mod watch;
