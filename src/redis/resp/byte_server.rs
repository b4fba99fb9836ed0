//! A server that speaks RESP: bytes in, bytes out.
//!
//! A [`ByteServer`] is a [`Server`] with a parser and an output buffer for each
//! connection. Whoever has the bytes (a socket, a simulated stream, a test) hands
//! them in and sends what comes out. A request is run as soon as it is complete;
//! while a client is blocked, what it sends waits as bytes, as in Redis, up to
//! `client-query-buffer-limit`.

use super::encode::encode;
use super::request::RequestParser;
use crate::redis::server::{ClientId, Output, Server, hangs_up_on};
use crate::time::Instant;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Something to do for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ByteOutput {
    /// Send these bytes.
    Data(Vec<u8>),
    /// Close it; nothing follows.
    Close,
}

#[derive(Debug, Default)]
struct Connection {
    parser: RequestParser,
    out: Vec<u8>,
    /// It is in the queue of those that have output.
    queued: bool,
    /// It sent what is no request, and hears no more.
    failed: bool,
    closing: bool,
    /// Bytes that came while the server slept: it reads them when what it had read before
    /// is done.
    unread: usize,
}

/// A server at the level of bytes; see the module.
///
/// ```
/// use stunt_double::redis::resp::{ByteOutput, ByteServer};
/// use stunt_double::redis::{ClientId, Server, ServerOptions};
/// use stunt_double::{Instant, Site, Stream};
///
/// let now = Instant::ZERO;
/// let server = Server::new(ServerOptions::default(), Stream::calm(Site::new("redis"), 0));
/// let mut server = ByteServer::new(server);
/// let client = ClientId(1);
/// server.connected(now, client, "a test");
/// server.receive(now, client, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\nGE");
/// server.receive(now, client, b"T k\r\n");
/// let answer = b"+OK\r\n$1\r\nv\r\n".to_vec();
/// assert_eq!(server.poll_output(), Some((client, ByteOutput::Data(answer))));
/// ```
#[derive(Debug)]
pub struct ByteServer {
    server: Server,
    connections: IndexMap<ClientId, Connection, FxBuildHasher>,
    /// Connections with output, in the order they got it.
    ready: VecDeque<ClientId>,
    /// Connections that have sent more than their client could go on with.
    stalled: VecDeque<ClientId>,
}

impl ByteServer {
    /// Speaks for this server.
    #[must_use]
    pub fn new(mut server: Server) -> ByteServer {
        server.report_resumed();
        ByteServer {
            server,
            connections: IndexMap::default(),
            ready: VecDeque::new(),
            stalled: VecDeque::new(),
        }
    }

    /// The server itself, to look into or to change directly.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// A client has connected; see [`Server::connected`].
    pub fn connected(&mut self, now: Instant, client: ClientId, peer: &str) {
        self.server.connected(now, client, peer);
        self.connections.insert(client, Connection::default());
    }

    /// A client's connection has ended.
    pub fn disconnected(&mut self, now: Instant, client: ClientId) {
        self.connections.swap_remove(&client);
        self.server.disconnected(now, client);
        self.settle(now);
    }

    /// Bytes of a client have arrived. Those of one that is not connected, or that
    /// has broken the protocol, are dropped.
    pub fn receive(&mut self, now: Instant, client: ClientId, bytes: &[u8]) {
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

    /// The next thing to do for a connection, if there is one.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<(ClientId, ByteOutput)> {
        if self.server.is_asleep() {
            return None;
        }
        while let Some(client) = self.ready.front().copied() {
            if let Some(connection) = self.connections.get_mut(&client) {
                if !connection.out.is_empty() {
                    let out = std::mem::take(&mut connection.out);
                    return Some((client, ByteOutput::Data(out)));
                }
                connection.queued = false;
                self.ready.pop_front();
                if connection.closing {
                    self.connections.swap_remove(&client);
                    return Some((client, ByteOutput::Close));
                }
            } else {
                self.ready.pop_front();
            }
        }
        None
    }

    /// Appends what is to be sent to a client to `out`, and whether its connection
    /// is to be closed then; an alternative to [`ByteServer::poll_output`] for one
    /// connection, without an allocation.
    pub fn drain_output(&mut self, client: ClientId, out: &mut Vec<u8>) -> bool {
        let Some(connection) = self.connections.get_mut(&client) else { return true };
        if self.server.is_asleep() {
            return false;
        }
        out.append(&mut connection.out);
        let closing = connection.closing;
        if closing {
            self.connections.swap_remove(&client);
        }
        closing
    }

    /// When [`ByteServer::handle_timeout`] is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.server.poll_timeout()
    }

    /// Fires the timers that are due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(client) = self.server.wake(now) {
            self.encode_outputs();
            let unread = self.connections.get(&client).map_or(0, |connection| connection.unread);
            self.go_on(now, client, unread);
        }
        self.server.handle_timeout(now);
        self.settle(now);
    }

    /// Runs a client's requests as far as they are complete and it can go on, and leaves
    /// so many of its bytes.
    fn go_on(&mut self, now: Instant, client: ClientId, leave: usize) {
        let limit = self.server.query_buffer_limit();
        let Some(connection) = self.connections.get_mut(&client) else { return };
        connection.parser.set_query_buffer_limit(limit);
        connection.parser.set_max_bulk_len(self.server.max_bulk_len());
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
            connection.parser.set_authenticated(self.server.is_authenticated(client));
            match connection.parser.next_request() {
                Ok(Some(request)) => {
                    let arguments: SmallVec<[&[u8]; 8]> = request.iter().collect();
                    if hangs_up_on(arguments[0]) {
                        connection.out.clear();
                    }
                    self.server.handle_input(now, client, &arguments);
                    if self.server.is_asleep() {
                        connection.unread = leave;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    connection.failed = true;
                    // It is closed after its answer: one that wants none stays, deaf.
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

    /// Lets those go on that were held up and are not any more.
    fn settle(&mut self, now: Instant) {
        self.encode_outputs();
        while let Some(client) = self.next_to_go_on() {
            self.go_on(now, client, 0);
        }
    }

    /// Those that waited for others go on in the order in which they were
    /// released; after a pause of the whole server, in that of their requests.
    fn next_to_go_on(&mut self) -> Option<ClientId> {
        while let Some(client) = self.server.poll_resumed() {
            if let Some(at) = self.stalled.iter().position(|stalled| *stalled == client) {
                return self.stalled.remove(at);
            }
        }
        let at = self.stalled.iter().position(|stalled| !self.server.is_held_up(*stalled))?;
        self.stalled.remove(at)
    }

    fn encode_outputs(&mut self) {
        while let Some(output) = self.server.poll_output() {
            let client = match output {
                Output::Reply { client, protocol, reply } => {
                    if let Some(connection) = self.connections.get_mut(&client) {
                        encode(&reply, protocol, &mut connection.out);
                    }
                    client
                }
                Output::Close { client } => {
                    if let Some(connection) = self.connections.get_mut(&client) {
                        connection.closing = true;
                    }
                    client
                }
            };
            self.mark(client);
        }
    }

    fn mark(&mut self, client: ClientId) {
        if let Some(connection) = self.connections.get_mut(&client)
            && !std::mem::replace(&mut connection.queued, true)
        {
            self.ready.push_back(client);
        }
    }
}
