//! Connections of typed messages: the node's end, on which a client library is built.
//!
//! Messages that have arrived lie in the connection's session. The methods here look at it, send,
//! or wait for more. They never lose an answer: a waiter is registered in the session under the
//! same lock under which the answer was missing.

use crate::sim::handle::ServiceHandle;
use crate::sim::kernel::task::Wait;
use crate::sim::kernel::world::World;
use crate::sim::net::cell::Cell;
use crate::sim::net::conn::{Conn, Phase};
use crate::sim::net::in_flight::Up;
use crate::sim::net::logged::up_in_words;
use crate::sim::net::server::Server;
use crate::sim::node::Node;
use crate::sim::service::contract::{Service, Waiter};
use crate::sim::service::hangup::Disconnected;
use crate::time::Instant;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A node's end of a connection to a service, on which a client library is built. Dropping it
/// closes the socket.
pub struct Connection<S: Service> {
    world: Arc<World>,
    server: Arc<Server<S>>,
    /// `None` if its process was not running when it began.
    id: Option<u32>,
}

impl<S: Service> Connection<S> {
    /// Connects `node` to `service`, and waits until the server has accepted the connection or
    /// refused it.
    ///
    /// # Errors
    ///
    /// - [`Disconnected::Refused`] if the server is not running.
    /// - [`Disconnected::TimedOut`] if the server stays out of reach for 127 seconds, as behind a
    ///   partitioned link.
    /// - [`Disconnected::ClosedHere`] if the node's process has ended.
    ///
    /// # Panics
    ///
    /// If the node and the service belong to different worlds.
    pub async fn connect(
        node: &Node,
        service: &ServiceHandle<S>,
    ) -> Result<Connection<S>, Disconnected> {
        let connection = Connection::begin(node, service, false);
        std::future::poll_fn(|cx| connection.poll_open(cx)).await?;
        Ok(connection)
    }

    pub(super) fn begin(node: &Node, service: &ServiceHandle<S>, of_bytes: bool) -> Connection<S> {
        service.world().expect_same(node.world());
        let (world, server) = (Arc::clone(node.world()), Arc::clone(service.server()));
        let id = server.connect(&world, node.id(), node.shared_name(), of_bytes);
        Connection { world, server, id }
    }

    pub(super) fn poll_open(&self, cx: &Context<'_>) -> Poll<Result<(), Disconnected>> {
        if self.world.is_struck_dead() {
            return Poll::Pending;
        }
        let mut cell = self.server.lock();
        // The connection is gone although its handle exists if its node was killed.
        let Some(conn) = self.find(&mut cell) else {
            return Poll::Ready(Err(Disconnected::ClosedHere));
        };
        match conn.phase {
            Phase::Open => Poll::Ready(Ok(())),
            Phase::Ended(why) => Poll::Ready(Err(why)),
            Phase::Connecting => {
                let mut core = self.world.lock();
                core.note_wait(Wait::Shared(
                    format!("a connection to {}", self.server.name).into(),
                ));
                conn.opener.register(core.wake_ref(cx));
                Poll::Pending
            }
        }
    }

    pub(super) fn world(&self) -> &World {
        &self.world
    }

    pub(super) fn server(&self) -> &Server<S> {
        &self.server
    }

    pub(super) fn find<'a>(&self, cell: &'a mut Cell<S>) -> Option<&'a mut Conn<S>> {
        // Nothing closes the sockets of a world that has ended, but they are dead.
        let id = self.id.filter(|_| !self.world.is_over())?;
        cell.connections.get_mut(id)
    }

    /// Returns whether this thread holds the server's lock while a panic unwinds: a destructor of a
    /// closure's values must then not wait for the lock, or panic again and so abort.
    fn is_unwinding_inside(&self) -> bool {
        std::thread::panicking() && self.server.is_held_here()
    }

    /// Returns the connection, if this end can still send on it.
    pub(super) fn open_end<'a>(
        &self,
        cell: &'a mut Cell<S>,
    ) -> Result<&'a mut Conn<S>, Disconnected> {
        let conn = self.find(cell).filter(|conn| !conn.abandoned);
        let conn = conn.ok_or(Disconnected::ClosedHere)?;
        if let Phase::Ended(why) = conn.phase {
            return Err(why);
        }
        // A process that was struck dead sends nothing.
        if self.world.is_struck_dead() {
            return Err(Disconnected::ClosedHere);
        }
        // While a panic unwinds that will end the process, its destructors may send nothing.
        if std::thread::panicking() && self.world.lock().withholds() {
            return Err(Disconnected::ClosedHere);
        }
        Ok(conn)
    }

    /// Runs `make` on the session, and sends the message that it returns, if any. The closure must
    /// not use a handle of the same service: the service is locked while it runs. This applies to
    /// the other methods too.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] if the connection has ended; then `make` does not run. The error of `make`;
    /// then nothing is sent.
    pub fn send_with<R, E: From<Disconnected>>(
        &self,
        make: impl FnOnce(&mut S::Session) -> Result<(Option<S::Input>, R), E>,
    ) -> Result<R, E> {
        if self.is_unwinding_inside() {
            return Err(Disconnected::ClosedHere.into());
        }
        let mut cell = self.server.lock();
        let conn = self.open_end(&mut cell)?;
        let (input, result) = make(&mut conn.session)?;
        if let Some(input) = input {
            let mut core = self.world.lock();
            conn.up.send(
                &mut core,
                self.world.now(),
                (&conn.route, true),
                Up::Data(input),
                up_in_words::<S>,
            );
        }
        Ok(result)
    }

    /// Polls for something in the session. `look` returns it, or the waiter to wake when it may be
    /// there.
    ///
    /// After the end of the connection this still calls `look`, so that what arrived before can be
    /// read. If `look` then returns a waiter, the result is the reason for the end.
    pub fn poll_session<T>(
        &self,
        cx: &Context<'_>,
        waiting_for: impl FnOnce() -> Wait,
        look: impl FnOnce(&mut S::Session) -> Result<T, &mut Waiter>,
    ) -> Poll<Result<T, Disconnected>> {
        if self.world.is_struck_dead() {
            return Poll::Pending;
        }
        let mut cell = self.server.lock();
        let Some(conn) = self.find(&mut cell).filter(|c| !c.abandoned) else {
            return Poll::Ready(Err(Disconnected::ClosedHere));
        };
        match (look(&mut conn.session), conn.phase) {
            (Ok(value), _) => Poll::Ready(Ok(value)),
            (Err(_), Phase::Ended(why)) => Poll::Ready(Err(why)),
            (Err(waiter), Phase::Connecting | Phase::Open) => {
                let mut core = self.world.lock();
                core.note_wait(waiting_for());
                waiter.register(core.wake_ref(cx));
                Poll::Pending
            }
        }
    }

    /// Runs `look` on the session. Returns `None` once this end is closed.
    pub fn session<R>(&self, look: impl FnOnce(&mut S::Session) -> R) -> Option<R> {
        if self.is_unwinding_inside() {
            return None;
        }
        let mut cell = self.server.lock();
        let conn = self.find(&mut cell).filter(|c| !c.abandoned)?;
        Some(look(&mut conn.session))
    }

    /// Closes the socket. The server learns of it after everything that was sent.
    pub fn close(&self) {
        let Some(id) = self.id.filter(|_| !self.is_unwinding_inside()) else { return };
        // What becomes of the socket depends on how the process has died.
        if self.world.is_struck_dead() {
            return;
        }
        let mut cell = self.server.lock();
        self.server.abandon(&self.world, &mut cell, id);
        self.server.wake(&self.world, cell);
    }

    /// Returns the world's time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.world.now()
    }
}

impl<S: Service> Drop for Connection<S> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<S: Service> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("service", &self.server.name)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
