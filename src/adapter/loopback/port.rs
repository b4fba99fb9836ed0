//! A server on a port: its machine, its listener and its connections.
//!
//! The invariant: every connection in the table is known to the machine or is closing. After each
//! method, everything that the machine has said has been written or lies in a connection's buffer.

use super::connection::{Connection, Incoming};
use super::error::StartError;
use crate::Shutdown;
use crate::sim::service::bytes::fire_until;
use crate::sim::service::{ByteOutput, ByteService, Hangup, Service};
use crate::time::Instant;
use indexmap::IndexSet;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// The most that one turn reads from a connection.
pub(super) const PIECE: usize = 64 << 10;

/// The most pieces of a connection that are read before the clock is moved by hand.
const PIECES_BEFORE_A_JUMP: usize = 1_024;

/// A socket that had less than it was asked for is empty, and says when it no longer is. So what
/// arrives next is read in the order of arrival at all sockets, as by a server that waits for its
/// sockets anew in each turn. Elsewhere, only a read that would wait lets a socket speak again. An
/// end that had arrived when the socket stirred is not told again: it is read for.
const A_SHORT_READ_IS_THE_LAST: bool = cfg!(unix);

#[derive(Debug)]
pub(super) struct Port<M> {
    machine: M,
    addr: SocketAddr,
    /// `None` while the server is stopped.
    listener: Option<TcpListener>,
    registry: Registry,
    listens_as: Token,
    connections: BTreeMap<u64, Connection>,
    /// Number of the last connection.
    last: u64,
    /// Connections whose socket may hold more bytes, the one that stirred first at the front.
    readable: IndexSet<u64>,
    /// The system could not hand out a connection that waits.
    accepts_later: bool,
    /// When timers were last fired.
    now: Instant,
}

impl<M: Service> Port<M> {
    /// Listens on a port of loopback. `make` makes the machine for the port that the system chose.
    pub(super) fn open(
        registry: Registry,
        listens_as: Token,
        port: u16,
        make: impl FnOnce(u16) -> M,
    ) -> Result<Port<M>, StartError> {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = listen(addr, &registry, listens_as)?;
        let addr = listener.local_addr().map_err(StartError::System)?;
        Ok(Port {
            machine: make(addr.port()),
            addr,
            listener: Some(listener),
            registry,
            listens_as,
            connections: BTreeMap::new(),
            last: 0,
            readable: IndexSet::new(),
            accepts_later: false,
            now: Instant::ZERO,
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn bytes(&mut self) -> &mut dyn ByteService {
        self.machine.bytes().expect("both machines serve clients that send bytes")
    }

    /// Calls the machine on behalf of anything but a client. What is due is gone before anyone
    /// looks, and a client that waited for the result is served.
    pub(super) fn operate<R>(&mut self, now: Instant, call: impl FnOnce(&mut M) -> R) -> R {
        self.fire_until(now);
        let result = call(&mut self.machine);
        self.settle();
        self.fire_until(now);
        result
    }

    /// Takes every connection that waits. `token` returns the token for the number of a connection.
    pub(super) fn accept(&mut self, now: Instant, token: impl Fn(u64) -> Token) {
        self.accepts_later = false;
        while let Some(listener) = &self.listener {
            let (stream, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => continue,
                    io::ErrorKind::WouldBlock => break,
                    // Out of sockets, for example.
                    _ => {
                        self.accepts_later = true;
                        break;
                    }
                },
            };
            self.last += 1;
            let number = self.last;
            // A socket that is broken already concerns nobody.
            let Ok(connection) = Connection::new(stream, &self.registry, token(number)) else {
                continue;
            };
            self.connections.insert(number, connection);
            self.bytes().connected(now, number, &peer.to_string());
        }
        self.settle();
    }

    pub(super) fn accepts_later(&self) -> bool {
        self.accepts_later
    }

    /// Notes that a socket may hold bytes, or may take some. `has_ended`: its end has arrived too.
    pub(super) fn stirs(&mut self, number: u64, has_ended: bool) {
        self.readable.insert(number);
        if let Some(connection) = self.connections.get_mut(&number)
            && has_ended
        {
            connection.expect_end();
        }
        self.write(number);
    }

    pub(super) fn has_unread(&self) -> bool {
        !self.readable.is_empty()
    }

    /// Reads one piece from every socket that may hold bytes.
    pub(super) fn read_pieces(&mut self, now: Instant, buffer: &mut [u8]) {
        for number in std::mem::take(&mut self.readable) {
            if self.read_piece(now, number, buffer) {
                self.readable.insert(number);
            }
        }
    }

    /// Reads what has arrived at every socket, within reason.
    pub(super) fn read_all(&mut self, now: Instant, buffer: &mut [u8]) {
        let numbers: Vec<u64> = self.connections.keys().copied().collect();
        for number in numbers {
            let more = (0..PIECES_BEFORE_A_JUMP).all(|_| self.read_piece(now, number, buffer));
            if more {
                self.readable.insert(number);
            }
        }
    }

    /// Reads one piece from a socket. Returns whether there may be more.
    fn read_piece(&mut self, now: Instant, number: u64, buffer: &mut [u8]) -> bool {
        let Some(connection) = self.connections.get_mut(&number) else { return false };
        match connection.read(buffer) {
            Incoming::Bytes(count) => {
                let has_more = count == buffer.len() || connection.expects_end();
                if !connection.is_closing() {
                    self.bytes().receive(now, number, &buffer[..count]);
                    self.settle();
                }
                has_more || !A_SHORT_READ_IS_THE_LAST
            }
            Incoming::Nothing => false,
            Incoming::End => {
                let was_closing = connection.is_closing();
                // A client that only sends no more still gets what it has asked for.
                connection.close_after_writing(Hangup::Close);
                if !was_closing {
                    self.bytes().disconnected(now, number);
                    self.settle();
                }
                self.write(number);
                false
            }
        }
    }

    /// Writes what a connection still has, and ends it if it is over.
    fn write(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if connection.write() {
            return;
        }
        if connection.is_closing() {
            self.readable.shift_remove(&number);
            if let Some(connection) = self.connections.remove(&number) {
                connection.end(&self.registry);
            }
        } else {
            // The next read finds that the socket is broken, after what has arrived.
            connection.expect_end();
            self.readable.insert(number);
        }
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.listener.as_ref()?;
        self.bytes().poll_timeout()
    }

    /// Fires the timers up to `now`, each at its own time.
    pub(super) fn fire_until(&mut self, now: Instant) {
        if self.listener.is_none() {
            return;
        }
        let from = std::mem::replace(&mut self.now, now);
        fire_until(self, |port| port.bytes(), from, now, |port, _| port.settle());
    }

    /// Stops the server, as the operating system ends its process.
    pub(super) fn stop(&mut self, now: Instant, how: Shutdown) {
        if !self.refuse() {
            return;
        }
        self.machine.stop(now, how);
        self.settle();
        self.leave(how);
    }

    /// Closes all sockets of a process that has ended in this way.
    fn leave(&mut self, how: Shutdown) {
        for (_, mut connection) in std::mem::take(&mut self.connections) {
            connection.close_after_writing(M::closes_sockets(how));
            connection.write();
            connection.end(&self.registry);
        }
        self.readable.clear();
    }

    /// Refuses new connections. Returns whether the port accepted them so far.
    fn refuse(&mut self) -> bool {
        let Some(mut listener) = self.listener.take() else { return false };
        let _ = self.registry.deregister(&mut listener);
        true
    }

    /// Returns whether the server has stopped.
    pub(super) fn is_stopped(&self) -> bool {
        self.listener.is_none()
    }

    /// Starts the server again. A no-op if it runs.
    pub(super) fn start(&mut self, now: Instant) -> Result<(), StartError> {
        if self.listener.is_none() {
            self.listener = Some(listen(self.addr, &self.registry, self.listens_as)?);
            self.machine.start(now);
            self.settle();
        }
        Ok(())
    }

    /// Closes every socket.
    pub(super) fn close(&mut self) {
        self.listener = None;
        self.readable.clear();
        for connection in std::mem::take(&mut self.connections).into_values() {
            connection.end(&self.registry);
        }
    }

    /// Writes what the machine has said, and ends connections that it has closed.
    fn settle(&mut self) {
        // A process that has ended by itself has no port by the time its clients know.
        let ended = self.machine.exited().filter(|_| self.refuse());
        let mut spoken_to = BTreeSet::new();
        while let Some((number, output)) = self.bytes().poll_output() {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            match output {
                ByteOutput::Data(bytes) => connection.send(&bytes),
                ByteOutput::Close(how) => connection.close_after_writing(how),
            }
            spoken_to.insert(number);
        }
        for number in spoken_to {
            self.write(number);
        }
        if let Some(how) = ended {
            self.leave(how);
        }
    }
}

fn listen(addr: SocketAddr, registry: &Registry, token: Token) -> Result<TcpListener, StartError> {
    let mut listener = TcpListener::bind(addr).map_err(|error| StartError::bind(addr, error))?;
    registry.register(&mut listener, token, Interest::READABLE).map_err(StartError::System)?;
    Ok(listener)
}
