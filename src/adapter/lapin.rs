//! The client library `lapin` in a world.

mod backoff;
mod baton;
mod driver;
mod gate;
mod kit;
mod shared;
mod stream;
mod tasks;
mod tuning;

use crate::rabbitmq::{FRAME_MAX, RabbitMq};
use crate::sim::Node;
use async_rs::Runtime;
use backoff::Backoff;
use driver::Driver;
use kit::Kit;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use shared::Shared;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;

impl RabbitMq {
    /// Connects `node` with the client library `lapin`, as the user `guest` to the vhost `/`.
    pub async fn lapin(
        &self,
        node: &Node,
        properties: ConnectionProperties,
    ) -> lapin::Result<Connection> {
        self.lapin_with(node, "amqp://guest:guest@127.0.0.1:5672/%2f", properties).await
    }

    /// Connects `node` with the client library `lapin`, by a URI.
    pub async fn lapin_with(
        &self,
        node: &Node,
        uri: &str,
        properties: ConnectionProperties,
    ) -> lapin::Result<Connection> {
        let mut uri: AMQPUri = uri.parse().map_err(io::Error::other)?;
        let heartbeat = uri.query.heartbeat.take().unwrap_or_default();
        // Lapin would take what the broker offers, which is this. If it knows so from the start, it
        // does not have to enlarge and clear its buffers.
        let frame_max = uri.query.frame_max.get_or_insert_default();
        if *frame_max == 0 {
            *frame_max = FRAME_MAX;
        }
        let shared = Arc::<Shared>::default();
        let (backoff, properties) = Backoff::take(node, properties);
        node.spawn_follower(Driver::new(node, self, &shared, backoff, heartbeat));
        let mut state = shared.lock();
        if state.is_ended {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        }
        state.is_started = true;
        drop(state);
        let runtime = Runtime::new(Kit(Arc::clone(&shared)));
        let connector = kit::connector(&shared);
        let mut connecting = pin!(Connection::connector(uri, runtime, connector, properties));
        let connection = poll_fn(|cx| connecting.as_mut().poll(cx)).await?;
        let mut state = shared.lock();
        state.status = Some(connection.status().clone());
        state.was_connected = true;
        Ok(connection)
    }
}
