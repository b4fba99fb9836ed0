//! A server with a manual clock, which tests talk to in lines of text.
//!
//! `rig.say(1, "SET k v")` sends a line as client 1, which connects if necessary, and returns the
//! reply in short form: strings in quotes, integers bare, `nil`, errors after `!`. Quotes in a line
//! keep spaces, and `\x00` is a byte. The server's invariants are checked after every step.

use crate::traps::table::words;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::{ClientId, Output, Server};
use stunt_double::redis::{Reply, ServerOptions, Version};
use stunt_double::sim::service::{ByteOutput, ByteService as _};
use stunt_double::{Instant, Site, Stream};

pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    replies: BTreeMap<u64, VecDeque<Reply>>,
    closed: BTreeSet<u64>,
}

impl Rig {
    pub(crate) fn new() -> Rig {
        Rig::with(ServerOptions::default())
    }

    pub(crate) fn with(options: ServerOptions) -> Rig {
        let random = Stream::seeded(7, Site::new("test.redis"), 0);
        let server = Server::new(options, random);
        let (replies, closed) = Default::default();
        Rig { server, now: Instant::ZERO, replies, closed }
    }

    /// Sends a line, and keeps the replies.
    pub(crate) fn send(&mut self, client: u64, line: &str) {
        if let std::collections::btree_map::Entry::Vacant(entry) = self.replies.entry(client) {
            entry.insert(VecDeque::new());
            self.server.connected(self.now, ClientId(client), &format!("client-{client}"));
        }
        let words = words(line);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.server.handle_input(self.now, ClientId(client), &words);
        self.collect();
    }

    fn collect(&mut self) {
        assert_eq!(self.server.check_invariants(), Ok(()));
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Reply { client, protocol, reply } => {
                    let reply = reply.in_protocol(protocol);
                    self.replies.entry(client.0).or_default().push_back(reply);
                }
                Output::Bytes { .. } => {}
                Output::Close { client } => {
                    self.closed.insert(client.0);
                }
            }
        }
    }

    /// Sends a line and returns the reply, which must be the only output to the client.
    pub(crate) fn say(&mut self, client: u64, line: &str) -> String {
        self.send(client, line);
        let mut told = self.told(client);
        assert_eq!(told.len(), 1, "client {client}, {line}: {told:?}");
        told.remove(0)
    }

    /// Returns everything that was sent to a client since the last call.
    pub(crate) fn told(&mut self, client: u64) -> Vec<String> {
        let replies = self.replies.get_mut(&client).into_iter();
        replies.flat_map(|replies| replies.drain(..)).map(|reply| short(&reply)).collect()
    }

    /// Asserts the replies to several lines of one client.
    #[track_caller]
    pub(crate) fn script(&mut self, client: u64, lines: &[(&str, &str)]) {
        for (line, answer) in lines {
            assert_eq!(self.say(client, line), *answer, "{line}");
        }
    }

    pub(crate) fn is_closed(&self, client: u64) -> bool {
        self.closed.contains(&client)
    }

    pub(crate) fn disconnect(&mut self, client: u64) {
        self.server.disconnected(self.now, ClientId(client));
        self.replies.remove(&client);
        self.collect();
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.server.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.server.handle_timeout(self.now);
            self.collect();
        }
        self.now = end;
        self.server.handle_timeout(end);
        self.collect();
    }

    pub(crate) fn pass_ms(&mut self, millis: u64) {
        self.pass(Duration::from_millis(millis));
    }
}

/// Returns the bytes of a request.
pub(crate) fn request(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Returns a reply in short form.
pub(crate) fn short(reply: &Reply) -> String {
    let list = |items: &[Reply]| items.iter().map(short).collect::<Vec<_>>().join(", ");
    match reply {
        Reply::Simple(text) => text.to_string(),
        Reply::Error(error) => format!("!{error}"),
        Reply::Integer(n) => n.to_string(),
        Reply::Bulk(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Reply::Nil => "nil".to_owned(),
        Reply::NilArray => "nil array".to_owned(),
        Reply::Array(items) => format!("[{}]", list(items)),
        Reply::Set(items) => format!("{{{}}}", list(items)),
        Reply::Push(items) => format!(">[{}]", list(items)),
        other => other.to_string(),
    }
}

/// Sends lines to a server with a replica. Returns what the replica is sent for each, without the
/// database.
pub(crate) fn sent(version: Version, lines: &[&str]) -> Vec<String> {
    let random = Stream::calm(Site::new("test.fields"), 0);
    let options = ServerOptions::default().with_version(version);
    let mut server = ByteServer::new(Server::new(options, random));
    server.connected(Instant::ZERO, 1, "replica");
    server.connected(Instant::ZERO, 2, "client");
    let mut told = |client: u64, line: &str| {
        server.receive(Instant::ZERO, client, format!("{line}\r\n").as_bytes());
        let mut received = Vec::new();
        while let Some((to, output)) = server.poll_output() {
            if let (1, ByteOutput::Data(bytes)) = (to, output) {
                received.extend(bytes);
            }
        }
        let text = String::from_utf8_lossy(&received).into_owned();
        let is_word = |part: &&str| !part.starts_with(['*', '$']) && !part.is_empty();
        let words: Vec<&str> = text.split("\r\n").filter(is_word).collect();
        words.join(" ").replace("SELECT 0 ", "")
    };
    told(1, "SYNC");
    lines.iter().map(|line| told(2, line)).collect()
}
