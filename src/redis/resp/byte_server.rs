//! A server that speaks RESP: bytes in, bytes out.
//!
//! A [`ByteServer`] is a [`Server`] with a parser and an output buffer for each connection. The
//! caller owns the transport (a socket, a connection of a world, a test): it passes in the bytes
//! that arrive and sends the bytes that come out. A request runs as soon as it is complete. While a
//! client is blocked, its further bytes wait unparsed, as in Redis, up to
//! `client-query-buffer-limit`.
//!
//! In a world, the same server also has typed clients, which send commands and receive replies as
//! values (`client/service.rs`). Both kinds of clients share the databases and the numbering. The
//! kind of client decides what happens to an output: a reply to a byte client is encoded into its
//! buffer at once, and an output to a typed client waits in `typed` until the world polls it. A
//! server without byte clients skips all of that.

use super::encode::encode_with;
use super::request::RequestParser;
use crate::redis::id::ClientId;
use crate::redis::server::{Output, Server, hangs_up_on};
use crate::sim::service::{ByteOutput, ByteService, Hangup};
use crate::time::{Instant, earlier};
use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// How many requests the server looks ahead.
const AHEAD: usize = 16;

#[derive(Debug, Default)]
struct Connection {
    parser: RequestParser,
    out: Vec<u8>,
    /// The connection is in `ready`.
    queued: bool,
    /// The client broke the protocol; the server reads nothing more from it.
    failed: bool,
    closing: bool,
    /// Number of bytes that arrived while the server slept. The server reads them after everything
    /// that it had read before.
    unread: usize,
}

/// A server at the level of bytes; see the module. It is driven through [`ByteService`].
///
/// ```
/// use stunt_double::redis::resp::ByteServer;
/// use stunt_double::redis::ServerOptions;
/// use stunt_double::redis::server::Server;
/// use stunt_double::sim::service::{ByteOutput, ByteService};
/// use stunt_double::{Instant, Site, Stream};
///
/// let now = Instant::ZERO;
/// let server = Server::new(ServerOptions::default(), Stream::calm(Site::new("redis"), 0));
/// let mut server = ByteServer::new(server);
/// server.connected(now, 1, "a test");
/// server.receive(now, 1, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\nGE");
/// server.receive(now, 1, b"T k\r\n");
/// let answer = b"+OK\r\n$1\r\nv\r\n".to_vec();
/// assert_eq!(server.poll_output(), Some((1, ByteOutput::Data(answer))));
/// ```
#[derive(Debug)]
pub struct ByteServer {
    server: Server,
    connections: IndexMap<ClientId, Connection, FxBuildHasher>,
    /// Connections with output, in the order in which they got it.
    ready: VecDeque<ClientId>,
    /// Connections with unparsed bytes whose client is held up.
    stalled: VecDeque<ClientId>,
    /// Clients that send commands as values.
    typed_clients: IndexSet<ClientId, FxBuildHasher>,
    /// Outputs to typed clients, from while the server also had byte clients.
    typed: VecDeque<Output>,
}

impl ByteServer {
    /// Returns a byte server for this machine.
    #[must_use]
    pub fn new(server: Server) -> ByteServer {
        ByteServer {
            server,
            connections: IndexMap::default(),
            ready: VecDeque::new(),
            stalled: VecDeque::new(),
            typed_clients: IndexSet::default(),
            typed: VecDeque::new(),
        }
    }

    /// Returns the machine, to inspect it.
    #[must_use]
    pub fn machine(&self) -> &Server {
        &self.server
    }

    /// Returns the machine, to change it directly.
    pub fn machine_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Calls the machine on behalf of anything but a byte client, then lets byte clients continue
    /// that were waiting for the result.
    pub(crate) fn operate<R>(&mut self, now: Instant, call: impl FnOnce(&mut Server) -> R) -> R {
        let result = call(&mut self.server);
        if !self.connections.is_empty() {
            self.settle(now);
        }
        result
    }

    /// Connects a client that sends commands as values.
    pub(crate) fn typed_connected(&mut self, now: Instant, client: ClientId, peer: &str) {
        self.typed_clients.insert(client);
        self.operate(now, |server| server.connected(now, client, peer));
    }

    /// Ends the connection of such a client.
    pub(crate) fn typed_disconnected(&mut self, now: Instant, client: ClientId) {
        self.typed_clients.swap_remove(&client);
        self.operate(now, |server| server.disconnected(now, client));
    }

    /// Returns the next output to a typed client. A sleeping server sends nothing.
    pub(crate) fn poll_typed_output(&mut self) -> Option<Output> {
        let output = if self.connections.is_empty() && self.typed.is_empty() {
            self.server.poll_output()
        } else if self.server.is_asleep() {
            None
        } else {
            self.encode_outputs();
            self.typed.pop_front()
        };
        if let Some(Output::Close { client }) = &output {
            self.typed_clients.swap_remove(client);
        }
        output
    }

    /// Ends all connections: the server process has ended.
    pub(crate) fn drop_connections(&mut self) {
        self.connections.clear();
        self.ready.clear();
        self.stalled.clear();
        self.typed_clients.clear();
        self.typed.clear();
        self.server.report_resumed(false);
    }

    /// Fires the timers that are due by `now`, for clients of both kinds.
    pub(crate) fn fire_timers(&mut self, now: Instant) {
        if self.connections.is_empty() {
            return self.server.handle_timeout(now);
        }
        if let Some(client) = self.server.wake(now) {
            self.encode_outputs();
            let unread = self.connections.get(&client).map_or(0, |connection| connection.unread);
            self.go_on(now, client, unread);
        }
        self.server.handle_timeout(now);
        self.settle(now);
    }

    fn remove(&mut self, client: ClientId) {
        self.connections.swap_remove(&client);
        self.stop_reporting_if_unused();
    }

    fn stop_reporting_if_unused(&mut self) {
        if self.connections.is_empty() {
            self.server.report_resumed(false);
        }
    }

    /// Runs a client's complete requests until it is held up, and leaves its last `leave` bytes
    /// unparsed.
    fn go_on(&mut self, now: Instant, client: ClientId, leave: usize) {
        let buffered = self.connections.get(&client).map_or(0, |by| by.parser.buffered());
        self.server.note_read(Some(client), buffered);
        self.run_requests(now, client, leave);
        self.server.note_read(None, 0);
    }

    fn run_requests(&mut self, now: Instant, client: ClientId, leave: usize) {
        let limit = self.server.query_buffer_limit();
        let Some(connection) = self.connections.get_mut(&client) else { return };
        connection.parser.set_query_buffer_limit(limit);
        connection.parser.set_max_bulk_len(self.server.max_bulk_len());
        let looks_ahead = self.server.looks_ahead(client);
        // How many of the next requests it has looked at.
        let mut seen = 0_usize;
        loop {
            let Some(connection) = self.connections.get_mut(&client) else { return };
            if connection.failed || connection.closing {
                return;
            }
            let read = connection.parser.buffered() > leave;
            if self.server.is_held_up(client) || !read {
                if connection.parser.buffered() > limit {
                    self.server.close(client);
                } else if connection.parser.buffered() > 0 && !self.stalled.contains(&client) {
                    self.stalled.push_back(client);
                }
                return self.encode_outputs();
            }
            if looks_ahead && seen == 0 {
                let keys: SmallVec<[&[u8]; AHEAD]> =
                    connection.parser.first_arguments().take(AHEAD).collect();
                self.server.look_ahead(client, &keys);
                seen = keys.len();
            }
            seen = seen.saturating_sub(1);
            connection.parser.set_authenticated(self.server.is_authenticated(client));
            match connection.parser.next_request() {
                Ok(Some(request)) => {
                    let arguments: SmallVec<[&[u8]; 8]> = request.iter().collect();
                    if hangs_up_on(arguments[0]) {
                        connection.out.clear();
                    }
                    let unwritten = !connection.out.is_empty();
                    self.server.note_unwritten(unwritten.then_some(client));
                    self.server.handle_input(now, client, &arguments);
                    self.server.note_unwritten(None);
                    if self.server.is_asleep() {
                        connection.unread = leave;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    connection.failed = true;
                    // The connection closes after the reply. With `CLIENT REPLY OFF` there is no
                    // reply: the connection stays open and is ignored, as in Redis.
                    let answered = self.server.wants_reply(client);
                    if answered {
                        self.server.protocol_error();
                        error.encode(&mut connection.out);
                    }
                    if answered || error.reply().is_none() {
                        self.server.close(client);
                    }
                }
            }
            self.encode_outputs();
        }
    }

    /// Lets clients continue that are no longer held up.
    fn settle(&mut self, now: Instant) {
        self.encode_outputs();
        while let Some(client) = self.next_to_go_on() {
            self.go_on(now, client, 0);
        }
    }

    /// Returns the next client that is no longer held up. Clients that waited for others continue
    /// in the order in which they were released; after a pause of the whole server, in the order of
    /// their requests.
    fn next_to_go_on(&mut self) -> Option<ClientId> {
        while let Some(client) = self.server.poll_resumed() {
            if let Some(at) = self.stalled.iter().position(|stalled| *stalled == client) {
                return self.stalled.remove(at);
            }
        }
        let at = self.stalled.iter().position(|stalled| !self.server.is_held_up(*stalled))?;
        self.stalled.remove(at)
    }

    /// Moves the server's outputs to the connections that they are for, and drops outputs to
    /// clients that are gone.
    fn encode_outputs(&mut self) {
        let numbers = self.server.profile().numbers;
        while let Some(output) = self.server.poll_output() {
            let client = match output {
                Output::Reply { client, .. }
                | Output::Bytes { client, .. }
                | Output::Close { client } => client,
            };
            let Some(connection) = self.connections.get_mut(&client) else {
                if self.typed_clients.contains(&client) {
                    self.typed.push_back(output);
                }
                continue;
            };
            match output {
                Output::Reply { protocol, reply, .. } => {
                    encode_with(&reply, protocol, numbers, &mut connection.out);
                }
                Output::Bytes { bytes, .. } => connection.out.extend_from_slice(&bytes),
                Output::Close { .. } => connection.closing = true,
            }
            if !std::mem::replace(&mut connection.queued, true) {
                self.ready.push_back(client);
            }
        }
    }
}

impl ByteService for ByteServer {
    fn connected(&mut self, now: Instant, connection: u64, peer: &str) {
        let client = ClientId(connection);
        if self.connections.is_empty() {
            self.server.report_resumed(true);
        }
        self.server.connected(now, client, peer);
        let mut connection = Connection::default();
        connection.parser.set_version(self.server.profile().version);
        self.connections.insert(client, connection);
    }

    fn receive(&mut self, now: Instant, connection: u64, bytes: &[u8]) {
        let client = ClientId(connection);
        let Some(connection) = self.connections.get_mut(&client) else { return };
        if connection.failed || connection.closing {
            return;
        }
        connection.parser.feed(bytes);
        if self.server.is_asleep() {
            connection.unread += bytes.len();
        }
        self.go_on(now, client, 0);
        self.settle(now);
    }

    fn disconnected(&mut self, now: Instant, connection: u64) {
        let client = ClientId(connection);
        if self.connections.swap_remove(&client).is_none() {
            return;
        }
        self.server.disconnected(now, client);
        self.settle(now);
        self.stop_reporting_if_unused();
    }

    fn poll_output(&mut self) -> Option<(u64, ByteOutput)> {
        if self.server.is_asleep() {
            return None;
        }
        self.encode_outputs();
        while let Some(client) = self.ready.front().copied() {
            if let Some(connection) = self.connections.get_mut(&client) {
                if !connection.out.is_empty() {
                    let out = std::mem::take(&mut connection.out);
                    return Some((client.0, ByteOutput::Data(out)));
                }
                connection.queued = false;
                self.ready.pop_front();
                if connection.closing {
                    self.remove(client);
                    return Some((client.0, ByteOutput::Close(Hangup::Close)));
                }
            } else {
                self.ready.pop_front();
            }
        }
        None
    }

    fn drain_output(&mut self, connection: u64, out: &mut Vec<u8>) -> Option<Hangup> {
        let client = ClientId(connection);
        if !self.server.is_asleep() {
            self.encode_outputs();
        }
        let Some(connection) = self.connections.get_mut(&client) else {
            return Some(Hangup::Close);
        };
        if self.server.is_asleep() {
            return None;
        }
        out.append(&mut connection.out);
        let closing = connection.closing;
        if closing {
            self.remove(client);
        }
        closing.then_some(Hangup::Close)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earlier(self.server.poll_timeout(), self.server.poll_housekeeping())
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.fire_timers(now);
    }
}
