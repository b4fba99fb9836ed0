//! The real server and ours side by side: the same bytes in must give the same bytes out.
//!
//! After each step the test waits until both are quiet. For the real server that takes three
//! barriers on a separate connection: the first reply proves that a new connection was accepted,
//! the second that everything sent before was read, the third that the replies were written. The
//! server reads 16 KB of a client at a time, so more bytes need more barriers.

use crate::server::{RealServer, RealSocket, request};
use std::collections::BTreeMap;
use std::time::Duration;
use stunt_double::redis::resp::{ByteServer, ReplyParser};
use stunt_double::redis::server::Server;
use stunt_double::redis::{Reply, ServerOptions};
use stunt_double::sim::service::{ByteOutput, ByteService};
use stunt_double::{Instant, Site, Stream};

pub(crate) struct Both<'a> {
    real: &'a RealServer,
    ours: ByteServer,
    now: Instant,
    barrier: RealSocket,
    sockets: BTreeMap<u64, RealSocket>,
    /// Number of bytes sent since both were last known to be quiet.
    sent: usize,
}

/// Number of bytes that the real server reads from a client before it turns to others.
const READ_AT_ONCE: usize = 16 * 1024;

/// Number of further barriers for a client that has heard less than it should. Since 8.0 a thread
/// of its own frees what `FLUSHALL` removes, and the reply waits for it.
const LATE: usize = 2_000;

/// The output that a client received from either server since the last call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) bytes: Vec<u8>,
    pub(crate) closed: bool,
}

impl<'a> Both<'a> {
    /// Starts both, empty, with these `notify-keyspace-events`.
    pub(crate) fn new(real: &'a RealServer, events: &str) -> Both<'a> {
        let mut both = Both::with(real, ServerOptions::default().with_save_points([]));
        // The real server may not have noticed that the clients of an earlier case are gone; a
        // blocked one would still be served.
        for kind in [&b"normal"[..], b"pubsub"] {
            both.barrier.request(&[b"CLIENT", b"KILL", b"TYPE", kind, b"SKIPME", b"yes"]);
        }
        both.barrier.request(&[b"FLUSHALL"]);
        both.barrier.request(&[b"CONFIG", b"SET", b"notify-keyspace-events", events.as_bytes()]);
        both.send(0, &request(&[b"CONFIG", b"SET", b"notify-keyspace-events", events.as_bytes()]));
        both.told();
        both
    }

    /// Uses both as they are, ours with these options.
    pub(crate) fn with(real: &'a RealServer, options: ServerOptions) -> Both<'a> {
        let random = Stream::seeded(1, Site::new("test.real"), 0);
        let server = Server::new(options.with_version(real.version()), random);
        let (ours, sockets) = (ByteServer::new(server), BTreeMap::new());
        let (now, barrier) = (Instant::ZERO, real.connect());
        Both { real, ours, now, barrier, sockets, sent: 0 }
    }

    /// Sets our server's time to the real one's.
    pub(crate) fn tell_time(&mut self) {
        self.now = self.now.max(self.real_time());
    }

    /// Does so if the real one is far ahead, because the machine is busy.
    pub(crate) fn catch_up(&mut self) {
        let real = self.real_time();
        if real > self.now + Duration::from_millis(500) {
            self.now = real;
        }
    }

    fn real_time(&mut self) -> Instant {
        let told = self.barrier.request(&[b"TIME"]);
        let mut numbers = told.split(|byte| *byte == b'\n').filter_map(|line| {
            std::str::from_utf8(line).ok().and_then(|line| line.trim_end().parse().ok())
        });
        let (seconds, micros) = (numbers.next().unwrap(), numbers.next().unwrap());
        let since_epoch = Duration::from_secs(seconds) + Duration::from_micros(micros);
        let since_start = since_epoch.saturating_sub(stunt_double::WORLD_EPOCH);
        Instant::ZERO + since_start
    }

    /// Returns our server's time.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Logs the barrier connection in, so that waiting works where a password is required.
    pub(crate) fn authenticate_barrier(&mut self, password: &str) {
        self.barrier.request(&[b"AUTH", password.as_bytes()]);
    }

    /// Sends bytes to both as a client, which connects if necessary.
    pub(crate) fn send(&mut self, client: u64, bytes: &[u8]) {
        if !self.sockets.contains_key(&client) {
            self.sockets.insert(client, self.real.connect());
            self.ours.connected(self.now, client, "127.0.0.1:1");
        }
        self.sockets.get_mut(&client).expect("it was just put there").send(bytes);
        self.sent += bytes.len();
        self.ours.receive(self.now, client, bytes);
    }

    /// Lets time pass on both; on the real server by waiting that long.
    pub(crate) fn pass_ms(&mut self, millis: u64) {
        let seconds = format!("{}.{:03}", millis / 1_000, millis % 1_000);
        self.barrier.request(&[b"BLPOP", b"no such key", seconds.as_bytes()]);
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.ours.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.ours.handle_timeout(self.now);
        }
        self.now = end;
    }

    /// Returns what each client received, from the real server and from ours.
    pub(crate) fn told(&mut self) -> BTreeMap<u64, (Told, Told)> {
        assert_eq!(self.ours.machine().check_invariants(), Ok(()));
        for _ in 0..3 + std::mem::take(&mut self.sent) / READ_AT_ONCE {
            self.barrier.request(&[b"PING"]);
        }
        let mut told: BTreeMap<u64, (Told, Told)> = BTreeMap::new();
        for (client, socket) in &mut self.sockets {
            let (bytes, closed) = socket.available();
            told.insert(*client, (Told { bytes, closed }, Told::default()));
        }
        self.ours.handle_timeout(self.now);
        while let Some((client, output)) = self.ours.poll_output() {
            let ours = &mut told.entry(client).or_default().1;
            match output {
                ByteOutput::Data(bytes) => ours.bytes.extend_from_slice(&bytes),
                ByteOutput::Close(_) => ours.closed = true,
                other => panic!("{other:?}"),
            }
        }
        self.wait_for_late_replies(&mut told);
        for (client, (real, _)) in &told {
            if real.closed {
                self.sockets.remove(client);
            }
        }
        told
    }

    /// Waits a little longer for clients that have heard less from the real server than from ours:
    /// a busy one may come to a client later than to the barriers.
    fn wait_for_late_replies(&mut self, told: &mut BTreeMap<u64, (Told, Told)>) {
        for _ in 0..LATE {
            let behind = |(real, ours): &(Told, Told)| {
                real.bytes.len() < ours.bytes.len() || (ours.closed && !real.closed)
            };
            if !told.values().any(behind) {
                return;
            }
            self.barrier.request(&[b"PING"]);
            for (client, (real, _)) in told.iter_mut() {
                if let Some(socket) = self.sockets.get_mut(client) {
                    let (bytes, closed) = socket.available();
                    real.bytes.extend(bytes);
                    real.closed |= closed;
                }
            }
        }
    }

    /// Returns one client's replies to one request, from both.
    pub(crate) fn ask(&mut self, client: u64, words: &[&[u8]]) -> (Told, Told) {
        self.send(client, &request(words));
        self.told().remove(&client).expect("who sends is listed")
    }

    /// Disconnects a client from both.
    pub(crate) fn disconnect(&mut self, client: u64) {
        if self.sockets.remove(&client).is_some() {
            self.ours.disconnected(self.now, client);
        }
    }
}

/// Returns bytes as replies with every array sorted, for what Redis leaves unordered.
pub(crate) fn unordered(bytes: &[u8]) -> Vec<String> {
    fn text(reply: &Reply) -> String {
        let sorted = |items: &[Reply]| {
            let mut items: Vec<String> = items.iter().map(text).collect();
            items.sort();
            items.join(" ")
        };
        match reply {
            Reply::Array(items) => format!("*{}", sorted(items)),
            Reply::Set(items) => format!("~{}", sorted(items)),
            Reply::Push(items) => format!(">{}", sorted(items)),
            Reply::Map(pairs) => {
                let pairs: Vec<Reply> =
                    pairs.iter().map(|(a, b)| Reply::Array(vec![a.clone(), b.clone()])).collect();
                format!("%{}", sorted(&pairs))
            }
            other => other.to_string(),
        }
    }
    let mut parser = ReplyParser::new();
    parser.feed(bytes);
    let mut replies = Vec::new();
    while let Ok(Some(reply)) = parser.next_reply() {
        replies.push(text(&reply));
    }
    replies
}
