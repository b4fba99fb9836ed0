//! Connections: the node's end of one, which a client library is built on.
//!
//! What has arrived lies in the connection's session; the methods here look at
//! it, send, or wait for what is to come. They never lose an answer: a waiter is
//! left in the session under the same lock under which it was found wanting.

use crate::sim::handle::ServiceHandle;
use crate::sim::kernel::task::Wait;
use crate::sim::kernel::world::World;
use crate::sim::net::conn::{Conn, Phase};
use crate::sim::net::server::{Cell, Server};
use crate::sim::net::wire::Up;
use crate::sim::node::Node;
use crate::sim::service::{Disconnected, Service, Waiter};
use crate::time::Instant;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A node's end of a connection to a service: what a client library is built
/// on. Dropping it closes the socket.
pub struct Connection<S: Service> {
    world: Arc<World>,
    server: Arc<Server<S>>,
    /// `None` if it was begun by a process that does not run.
    id: Option<u32>,
}

impl<S: Service> Connection<S> {
    /// Connects `node` to `service`. Waits as long as the link is
    /// partitioned.
    ///
    /// # Errors
    ///
    /// [`Disconnected::Refused`] if the server is not running.
    ///
    /// # Panics
    ///
    /// If the node and the service are of different worlds.
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
        let mut cell = self.server.lock();
        // It may be gone although its handle is here: its node was killed.
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
        // Nothing closes the sockets of a world that has ended; they are dead all the same.
        let id = self.id.filter(|_| !self.world.is_over())?;
        cell.connections.get_mut(&id)
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
        // While a panic unwinds that will end the process, its destructors may send nothing.
        if std::thread::panicking() && self.world.lock().withholds() {
            return Err(Disconnected::ClosedHere);
        }
        Ok(conn)
    }

    /// Looks at the session, may change it, and sends what it says to send. Here as in the
    /// other methods, the closure must not use a handle of the same service: the service is
    /// locked while it runs.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] if the connection has ended, before anything is looked
    /// at; or the error of `make`, and then nothing is sent.
    pub fn send_with<R, E: From<Disconnected>>(
        &self,
        make: impl FnOnce(&mut S::Session) -> Result<(Option<S::Input>, R), E>,
    ) -> Result<R, E> {
        let mut cell = self.server.lock();
        let conn = self.open_end(&mut cell)?;
        let (input, result) = make(&mut conn.session)?;
        if let Some(input) = input {
            let mut core = self.world.lock();
            conn.up.send(&mut core, self.world.now(), &conn.route, true, Up::Data(input));
        }
        Ok(result)
    }

    /// Polls for something in the session. `look` gives it, or the waiter to
    /// be woken when it may be there.
    ///
    /// Once the connection has ended this still looks, so that what arrived
    /// before can be had: `look` must not wait in vain then.
    pub fn poll_session<T>(
        &self,
        cx: &Context<'_>,
        waiting_for: impl FnOnce() -> Wait,
        look: impl FnOnce(&mut S::Session) -> Result<T, &mut Waiter>,
    ) -> Poll<Result<T, Disconnected>> {
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

    /// Looks at the session; `None` once this end is closed.
    pub fn session<R>(&self, look: impl FnOnce(&mut S::Session) -> R) -> Option<R> {
        let mut cell = self.server.lock();
        let conn = self.find(&mut cell).filter(|c| !c.abandoned)?;
        Some(look(&mut conn.session))
    }

    /// Closes the socket: the server hears of it after what was sent.
    pub fn close(&self) {
        let Some(id) = self.id else { return };
        let mut cell = self.server.lock();
        self.server.abandon(&self.world, &mut cell, id);
        self.server.wake(&self.world, cell);
    }

    /// The world's time.
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
