//! Code on the client library [`lapin`], unmodified, in a world.
//!
//! [`RabbitMq::lapin`] gives a node a real [`lapin::Connection`]. It speaks AMQP with the world's
//! broker over the world's network. So time is virtual, and kills, power losses, partitions and
//! crashes of the broker act on it as on any client. The same seed gives the same digest.
//!
//! ```
//! use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
//! use lapin::types::FieldTable;
//! use lapin::{BasicProperties, ConnectionProperties};
//! use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
//! use stunt_double::sim::{Node, Sim};
//!
//! async fn app(node: Node, rabbit: RabbitMq) -> lapin::Result<()> {
//!     let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
//!     // From here on it is production code.
//!     let channel = connection.create_channel().await?;
//!     channel.confirm_select(ConfirmSelectOptions::default()).await?;
//!     let (options, none) = (QueueDeclareOptions::default(), FieldTable::default());
//!     channel.queue_declare("jobs".into(), options, none).await?;
//!     let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
//!     let published = channel.basic_publish("".into(), "jobs".into(), options, b"hi", properties);
//!     assert!(published.await?.await?.is_ack());
//!     connection.close(200, "bye".into()).await
//! }
//!
//! let mut sim = Sim::new(1);
//! let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
//! sim.node_with("app", rabbit.clone(), app);
//! sim.run().expect_done();
//! assert_eq!(rabbit.list_queues()[0].messages_ready, 1);
//! ```
//!
//! # How it works
//!
//! lapin has a thread of its own for each connection, `lapin-io-loop`. The invariant: it runs only
//! while the world waits for it, in one task of the world, the `driver`; and it stops as soon as
//! it has nothing left to do. Start with `driver.rs`, then `gate.rs`. The `line` leads to the
//! broker; hosts of turmoil have one of their own. What lapin's hash maps put in another order in
//! each run is sorted before the world sees it: the tasks of the world (a node's own code, and
//! `node.spawn`) that lapin wakes at once become ready in the order of their numbers.
//!
//! # What differs from lapin on a socket
//!
//! - Heartbeats are the world's. lapin and the broker agree upon them as always, 60 seconds unless
//!   the URI asks for less. But `configuration().heartbeat()` shows 0, and a broker that is silent
//!   for too long is an I/O error (`TimedOut`), not `MissingHeartbeatError`.
//! - Waits between attempts to connect take virtual time. Their jitter comes from the world's seed,
//!   even if the properties give one.
//! - lapin refreshes a secret ([`AuthProvider::valid_for`](lapin::auth::AuthProvider)) from the
//!   moment at which its own heartbeats start. Here they never do, so it refreshes none, as with a
//!   broker that wants no heartbeats. [`Connection::update_secret`] works.
//! - [`Connection::run`] blocks its thread until the connection closes, which cannot happen, since
//!   the world runs on that thread. After five minutes of real time it panics, and says so.
//! - Code of the caller that lapin runs, such as a consumer's delegate, runs on lapin's thread, in
//!   the context of the tokio node that connected. On a plain node it has no runtime. A panic in
//!   the future that a delegate returns ends this future alone, as in production. A panic before it
//!   returns one ends lapin's thread, as in production, and then whatever waits for lapin waits in
//!   vain.
//! - Such code must not block, as `block_on(delivery.ack(..))` does: the thread that would have to
//!   send is its own. After five minutes the run fails, and says so. The environment variable
//!   `STUNT_DOUBLE_LAPIN_PATIENCE` sets another number of seconds for both.
//! - A connection belongs to its node. Do not use it in tasks of another one.
//! - There is no TLS: `amqps://` is refused.
//! - A profile with `panic = "abort"` cannot end lapin's thread when a node is killed. The thread
//!   then stays until the process ends, and does nothing.
//!
//! # What is random in lapin itself
//!
//! Each of lapin's hash maps has a random order of its own, which Rust's standard library takes
//! from the operating system. What lapin *sends* or *answers* in that order is out of reach:
//!
//! - Automatic recovery opens several channels, and declares several queues and exchanges of one
//!   channel, in such an order. One channel with one queue and one exchange is recovered in the
//!   same way each time.
//! - If one `basic.ack` of the broker confirms several messages, one of which was returned, lapin
//!   gives the returned message to any of their confirms.
//! - If a whole connection fails that has several channels, lapin tells them in such an order. Code
//!   in `node.spawn` does not see it. But tasks of `tokio::spawn` on a tokio node, and delegates,
//!   run in the order in which lapin wakes them: spawn with the node what waits for a channel of
//!   its own.
//!
//! Five channels that recovered at once gave 19 digests in 20 runs.
//! [`check_determinism`](crate::sim::check_determinism) finds such runs.

mod backoff;
mod baton;
mod driver;
mod gate;
mod kit;
pub(in crate::adapter) mod line;
mod node_line;
mod shared;
mod stream;
mod tuning;

use crate::rabbitmq::{FRAME_MAX, RabbitMq};
use crate::sim::Node;
use async_rs::Runtime;
use backoff::Backoff;
use driver::Driver;
use kit::Kit;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};
use line::Line;
use node_line::NodeLine;
use shared::Shared;
use std::io;
use std::sync::Arc;

/// Connections of the client library [`lapin`]; see [`adapter::lapin`](self).
impl RabbitMq {
    /// Connects `node` as the user `guest` to the vhost `/`; see [`RabbitMq::lapin_with`].
    ///
    /// # Errors
    ///
    /// What [`Connection::connect`] returns.
    ///
    /// # Panics
    ///
    /// If the node and the broker are in different worlds.
    pub async fn lapin(
        &self,
        node: &Node,
        properties: ConnectionProperties,
    ) -> lapin::Result<Connection> {
        self.lapin_with(node, "amqp://guest:guest@127.0.0.1:5672/%2f", properties).await
    }

    /// Connects `node` with a URI. Its user, password, vhost and parameters count. Its host and
    /// port do not: the connection is to this broker.
    ///
    /// ```
    /// use lapin::ConnectionProperties;
    /// use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
    /// use stunt_double::sim::{Node, Sim};
    ///
    /// async fn app(node: Node, rabbit: RabbitMq) {
    ///     let uri = "amqp://guest:wrong@rabbit.example/%2f";
    ///     let error = rabbit.lapin_with(&node, uri, ConnectionProperties::default()).await;
    ///     assert!(error.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    /// }
    ///
    /// let mut sim = Sim::new(1);
    /// let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    /// sim.node_with("app", rabbit, app);
    /// sim.run().expect_done();
    /// ```
    ///
    /// # Errors
    ///
    /// What [`Connection::connect`] returns. An I/O error if the scheme is `amqps`, if the node is
    /// not alive, or if the caller runs beside the world (`Sim::run_beside`).
    ///
    /// # Panics
    ///
    /// If the node and the broker are in different worlds.
    pub async fn lapin_with(
        &self,
        node: &Node,
        uri: &str,
        properties: ConnectionProperties,
    ) -> lapin::Result<Connection> {
        node.world().expect_same(self.world());
        if node.world().follow.is_outside() {
            let why = "code beside a world (Sim::run_beside) cannot step lapin's thread: put it on \
                       a tokio node (Sim::tokio_node)";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why).into());
        }
        let (driver, opening) = open(NodeLine::new(node, self), uri, properties)?;
        node.spawn_follower(driver);
        opening.connect().await
    }
}

/// Begins a connection over `line`: the caller runs the driver, and then connects.
pub(in crate::adapter) fn open<L: Line>(
    line: L,
    uri: &str,
    properties: ConnectionProperties,
) -> lapin::Result<(Driver<L>, Opening)> {
    let mut uri: AMQPUri = uri.parse().map_err(io::Error::other)?;
    if uri.scheme == AMQPScheme::AMQPS {
        let why = "a world's network has no TLS: use amqp:// in place of amqps://";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why).into());
    }
    let heartbeat = uri.query.heartbeat.take().unwrap_or_default();
    // Lapin would take what the broker offers, which is this. If it knows so from the start, it
    // does not have to enlarge and clear its buffers.
    let frame_max = uri.query.frame_max.get_or_insert_default();
    if *frame_max == 0 {
        *frame_max = FRAME_MAX;
    }
    let shared = Arc::<Shared>::default();
    let _ = shared.watch.set(line.watch());
    #[cfg(feature = "tokio")]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let _ = shared.runtime.set(runtime);
    }
    let (backoff, properties) = Backoff::take(&line, properties);
    let driver = Driver::new(line, &shared, backoff, heartbeat);
    Ok((driver, Opening { shared, uri, properties }))
}

/// A connection that has not begun.
pub(in crate::adapter) struct Opening {
    shared: Arc<Shared>,
    uri: AMQPUri,
    properties: ConnectionProperties,
}

impl Opening {
    /// Starts lapin's thread, and connects. Its driver must run meanwhile.
    pub(in crate::adapter) async fn connect(self) -> lapin::Result<Connection> {
        let Opening { shared, uri, properties } = self;
        if shared.lock().is_ended {
            let why = "the node's process is not running";
            return Err(io::Error::new(io::ErrorKind::NotConnected, why).into());
        }
        let runtime = Runtime::new(Kit(Arc::clone(&shared)));
        let connector = kit::connector(&shared);
        // The thread begins with the first poll, which follows at once.
        shared.lock().is_started = true;
        let connection = Connection::connector(uri, runtime, connector, properties).await?;
        let mut state = shared.lock();
        state.status = Some(connection.status().clone());
        state.was_connected = true;
        drop(state);
        Ok(connection)
    }
}
