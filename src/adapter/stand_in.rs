//! A Redis without a world: the machine, its clock and the bytes of its connections.
//!
//! A [`Machine`] is a server whose clock only its owner moves. Whatever a connection sends is
//! answered at once, unless the server holds the client up. The invariant: after each call, every
//! timer up to the clock has fired, and everything that the server has said lies in the lane of the
//! connection that it is for.
//!
//! Start with [`Machine::send`]. The adapters for client libraries wrap a machine into handles.

use crate::Shutdown;
use crate::choice::{Site, Stream};
use crate::redis::resp::ByteServer;
use crate::redis::server::{ClientId, Server, ServerOptions};
use crate::sim::service::bytes::fire_until;
use crate::sim::service::{ByteOutput, ByteService, Service};
use crate::time::Instant;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::time::Duration;

/// The site at which `SPOP`, `RANDOMKEY` and similar commands draw.
const DRAWS: Site = Site::new("redis.draws");

/// What the server has sent on a connection.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    unread: VecDeque<u8>,
    is_closed: bool,
}

impl Lane {
    /// Returns whether everything was read.
    pub(crate) fn is_dry(&self) -> bool {
        self.unread.is_empty()
    }

    /// Returns whether the server has closed the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }
}

/// Reads what has arrived. [`io::ErrorKind::WouldBlock`] says that there is nothing more yet.
impl Read for Lane {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.unread.read(buffer)? {
            0 if !self.is_closed && !buffer.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

/// A server beside its clock.
#[derive(Debug)]
pub(crate) struct Machine {
    server: ByteServer,
    now: Instant,
    /// Number of the last connection.
    last: u64,
    lanes: IndexMap<u64, Lane, FxBuildHasher>,
}

impl Machine {
    pub(crate) fn new(options: ServerOptions, seed: u64) -> Machine {
        let server = ByteServer::new(Server::new(options, Stream::seeded(seed, DRAWS, 0)));
        Machine { server, now: Instant::ZERO, last: 0, lanes: IndexMap::default() }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Begins a connection. Returns its number, or `None` if the server is not running.
    pub(crate) fn connect(&mut self) -> Option<u64> {
        if !self.server.machine().is_running() {
            return None;
        }
        self.last += 1;
        let peer = format!("stand-in:{}", self.last);
        ByteService::connected(&mut self.server, self.now, self.last, &peer);
        self.lanes.insert(self.last, Lane::default());
        self.settle();
        Some(self.last)
    }

    pub(crate) fn disconnect(&mut self, connection: u64) {
        self.lanes.swap_remove(&connection);
        ByteService::disconnected(&mut self.server, self.now, connection);
        self.settle();
    }

    /// Sends bytes on a connection.
    pub(crate) fn send(&mut self, connection: u64, bytes: &[u8]) {
        ByteService::receive(&mut self.server, self.now, connection, bytes);
        self.settle();
    }

    /// Returns what the server has sent on a connection.
    pub(crate) fn lane(&mut self, connection: u64) -> Option<&mut Lane> {
        self.lanes.get_mut(&connection)
    }

    /// Moves the clock. Timers on the way fire at their own time.
    pub(crate) fn advance_to(&mut self, at: Instant) {
        let (from, until) = (self.now, self.now.max(at));
        fire_until(
            self,
            |machine| &mut machine.server,
            from,
            until,
            |machine, now| {
                machine.now = now;
                machine.settle();
            },
        );
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.advance_to(self.now + by);
    }

    /// Returns whether the server holds a client up: it is blocked, or the server pauses or sleeps.
    pub(crate) fn is_held_up(&self, connection: u64) -> bool {
        self.server.machine().is_held_up(ClientId(connection))
    }

    /// Moves the clock to when the server continues with a client by itself. Returns `false` if it
    /// never does.
    pub(crate) fn wait_for(&mut self, connection: u64) -> bool {
        let until = self.server.machine().held_up_until(ClientId(connection));
        let Some(until) = until.filter(|at| *at < Instant::MAX) else { return false };
        self.advance_to(until);
        true
    }

    /// Ends the wait of a blocked client in vain, as `CLIENT UNBLOCK` does. Returns `false` if it
    /// is something else that holds the client up: the server pauses or sleeps.
    #[must_use]
    pub(crate) fn unblock(&mut self, connection: u64) -> bool {
        let client = ClientId(connection);
        let was_blocked =
            self.server.operate(self.now, |server| !server.is_asleep() && server.time_out(client));
        self.settle();
        was_blocked
    }

    /// Inspects the server.
    pub(crate) fn server(&self) -> &Server {
        self.server.machine()
    }

    /// Calls the server directly, at its present time.
    pub(crate) fn operate<R>(&mut self, call: impl FnOnce(&mut Server, Instant) -> R) -> R {
        let now = self.now;
        let result = self.server.operate(now, |server| call(server, now));
        // A timer may be due at once: a key was set with a time in the past, a client was fed.
        self.advance_to(now);
        result
    }

    /// Ends the process and with it all connections.
    pub(crate) fn stop(&mut self, how: Shutdown) {
        if !self.server.machine().is_running() {
            return;
        }
        Service::stop(&mut self.server, self.now, how);
        for lane in self.lanes.values_mut() {
            lane.is_closed = true;
        }
    }

    pub(crate) fn start(&mut self) {
        Service::start(&mut self.server, self.now);
    }

    /// Takes everything from the server, including its disk. A running one is killed first and
    /// started again.
    pub(crate) fn wipe(&mut self) {
        let was_running = self.server.machine().is_running();
        self.stop(Shutdown::Kill);
        Service::wipe(&mut self.server, self.now);
        if was_running {
            self.start();
        }
    }

    /// Moves what the server has said to the lanes.
    fn settle(&mut self) {
        while let Some((connection, output)) = ByteService::poll_output(&mut self.server) {
            let Some(lane) = self.lanes.get_mut(&connection) else { continue };
            match output {
                ByteOutput::Data(bytes) => lane.unread.extend(bytes),
                ByteOutput::Close(_) => lane.is_closed = true,
            }
        }
    }
}
