//! Connections of bytes: the node's end of one, for client libraries that speak a wire protocol.
//!
//! Such a client shares a machine with typed clients; see [`ByteService`]. What a client writes in
//! one call arrives in one piece, in order with everything else on the connection. What has arrived
//! is read in pieces of any size.
//!
//! [`ByteService`]: crate::sim::service::ByteService

use super::conn::Phase;
use super::connection::Connection;
use crate::sim::handle::ServiceHandle;
use crate::sim::kernel::task::Wait;
use crate::sim::net::in_flight::Up;
use crate::sim::net::logged::up_in_words;
use crate::sim::net::pulse::Pulse;
use crate::sim::node::Node;
use crate::sim::service::contract::Service;
use crate::sim::service::hangup::Disconnected;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A node's end of a connection that carries bytes, as a TCP socket does.
///
/// Dropping it closes the socket. A `ByteConnection` is `Send` and `Sync`, and its methods take
/// `&self`, so that one task can read while another writes.
///
#[cfg_attr(feature = "redis", doc = "```")]
#[cfg_attr(not(feature = "redis"), doc = "```ignore")]
/// use stunt_double::redis::{self, ServerOptions};
/// use stunt_double::sim::{ByteConnection, Disconnected, Sim};
///
/// let mut sim = Sim::new(1);
/// let redis = redis::start(&mut sim, ServerOptions::default());
/// sim.node_with("client", redis, async |node, redis| {
///     let socket = ByteConnection::connect(&node, &redis).await?;
///     socket.write(b"PING\r\n")?;
///     let mut reply = [0; 16];
///     let read = socket.read(&mut reply).await?;
///     assert_eq!(&reply[..read], b"+PONG\r\n");
///     Ok::<(), Disconnected>(())
/// });
/// sim.run().expect_done();
/// ```
pub struct ByteConnection {
    end: Arc<dyn End>,
}

/// The node's end of a connection of bytes, whatever the machine.
trait End: Send + Sync {
    fn poll_take(
        &self,
        cx: &Context<'_>,
        limit: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<usize, Disconnected>>;
    fn write(&self, bytes: &[u8]) -> Result<(), Disconnected>;
    fn close(&self);
    #[cfg_attr(not(feature = "lapin"), expect(dead_code, reason = "lapin's adapter needs it"))]
    fn start_pulse(&self, beat: &'static [u8], time: Duration);
}

impl ByteConnection {
    /// Connects `node` to `service`, and waits until the server has accepted the connection or
    /// refused it.
    ///
    /// # Errors
    ///
    /// - [`Disconnected::Refused`] if the server is not running, or does not serve bytes
    ///   ([`Service::bytes`]).
    /// - [`Disconnected::TimedOut`] if the server stays out of reach for 127 seconds, as behind a
    ///   partitioned link.
    /// - [`Disconnected::ClosedHere`] if the node's process has ended.
    ///
    /// # Panics
    ///
    /// If the node and the service are in different worlds.
    pub async fn connect<S: Service>(
        node: &Node,
        service: &ServiceHandle<S>,
    ) -> Result<ByteConnection, Disconnected> {
        let connection = Connection::begin(node, service, true);
        poll_fn(|cx| connection.poll_open(cx)).await?;
        Ok(ByteConnection { end: Arc::new(connection) })
    }

    /// Reads at least one byte into `buffer`, and returns how many. Returns 0 once everything
    /// before the end of the stream (TCP's FIN) was read, or if `buffer` is empty. A Redis that
    /// stops or is killed ends the stream; RabbitMQ resets the connection.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] if the connection ended in any other way.
    pub async fn read(&self, buffer: &mut [u8]) -> Result<usize, Disconnected> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Polls for bytes; see [`ByteConnection::read`]. The last task that polled is woken when
    /// there are more, as is every other task that still waits.
    ///
    /// # Errors
    ///
    /// As [`ByteConnection::read`].
    pub fn poll_read(
        &self,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, Disconnected>> {
        let mut filled = 0;
        self.end.poll_take(cx, buffer.len(), &mut |bytes| {
            buffer[filled..filled + bytes.len()].copy_from_slice(bytes);
            filled += bytes.len();
        })
    }

    /// Polls for bytes as [`ByteConnection::poll_read`] does, and hands at most `limit` of them to
    /// `take`, in pieces and in order.
    #[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
    pub(crate) fn poll_take(
        &self,
        cx: &Context<'_>,
        limit: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<usize, Disconnected>> {
        self.end.poll_take(cx, limit, take)
    }

    /// Sends all of `bytes`. They are buffered without a limit, so this never waits.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] if the connection has ended.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Disconnected> {
        self.end.write(bytes)
    }

    /// Closes the socket. The server learns of it after everything that was sent.
    pub fn close(&self) {
        self.end.close();
    }

    /// Sends heartbeats for the client from now on, and ends the connection if the server is silent
    /// for too long; see `pulse.rs`.
    #[cfg(feature = "lapin")]
    pub(crate) fn start_pulse(&self, beat: &'static [u8], time: Duration) {
        self.end.start_pulse(beat, time);
    }
}

impl fmt::Debug for ByteConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteConnection").finish_non_exhaustive()
    }
}

impl<S: Service> End for Connection<S> {
    fn poll_take(
        &self,
        cx: &Context<'_>,
        limit: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<usize, Disconnected>> {
        if self.world().is_struck_dead() {
            return Poll::Pending;
        }
        let mut cell = self.server().lock();
        let Some(conn) = self.find(&mut cell).filter(|conn| !conn.abandoned) else {
            return Poll::Ready(Err(Disconnected::ClosedHere));
        };
        let received = conn.bytes.as_mut().expect("a connection of bytes has a buffer for them");
        if limit == 0 {
            return Poll::Ready(Ok(0));
        }
        if !received.unread.is_empty() {
            let count = limit.min(received.unread.len());
            let (front, back) = received.unread.as_slices();
            let front = &front[..count.min(front.len())];
            let back = &back[..count - front.len()];
            for piece in [front, back] {
                if !piece.is_empty() {
                    take(piece);
                }
            }
            received.unread.drain(..count);
            return Poll::Ready(Ok(count));
        }
        match conn.phase {
            Phase::Ended(Disconnected::Closed) => Poll::Ready(Ok(0)),
            Phase::Ended(why) => Poll::Ready(Err(why)),
            Phase::Connecting | Phase::Open => {
                let mut core = self.world().lock();
                core.note_wait(Wait::Shared(Arc::clone(&received.awaited)));
                received.reader.register(core.wake_ref(cx));
                Poll::Pending
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Disconnected> {
        let mut cell = self.server().lock();
        let conn = self.open_end(&mut cell)?;
        if !bytes.is_empty() {
            let mut core = self.world().lock();
            let now = self.world().now();
            conn.up.send(
                &mut core,
                now,
                (&conn.route, true),
                Up::Bytes(bytes.to_vec()),
                up_in_words::<S>,
            );
            if let Some(pulse) = conn.bytes.as_mut().and_then(|bytes| bytes.pulse.as_mut()) {
                pulse.wrote(now);
            }
        }
        Ok(())
    }

    fn close(&self) {
        Connection::close(self);
    }

    fn start_pulse(&self, beat: &'static [u8], time: Duration) {
        let now = self.world().now();
        let mut cell = self.server().lock();
        let Ok(conn) = self.open_end(&mut cell) else { return };
        let connection = conn.route.connection;
        if let Some(bytes) = &mut conn.bytes {
            bytes.pulse = Some(Pulse::new(now, beat, time));
        }
        cell.watch(connection);
        self.server().settle(self.world(), &mut cell);
    }
}
