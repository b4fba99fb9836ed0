//! Plays a conversation to a server in this process or to a real one, and writes down what the
//! server sends.

use crate::bytes::{HEADER, channel_open, describe, open, start_ok, tune_ok};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use stunt_double::rabbitmq::BrokerOptions;
use stunt_double::rabbitmq::broker::Broker;
use stunt_double::rabbitmq::wire::ByteServer;
use stunt_double::sim::service::{ByteOutput, ByteService as _, Hangup};
use stunt_double::{Instant, Site, Stream};

pub(crate) const CLIENT: u64 = 1;

pub(crate) fn server() -> ByteServer {
    let names = Stream::seeded(1, Site::new("wire.names"), 0);
    ByteServer::new(Broker::new(BrokerOptions::default(), names))
}

/// How far the handshake has come when the conversation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum After {
    Nothing,
    /// `connection.start` has arrived.
    Start,
    /// `connection.tune` has arrived.
    Tune,
    /// `connection.tune-ok` was sent.
    TuneOk,
    /// The connection is open.
    Open,
    /// Channel 1 is open too.
    Channel,
}

impl After {
    pub(crate) fn bytes(self) -> Vec<Vec<u8>> {
        let steps = [HEADER.to_vec(), start_ok(), tune_ok(), open(), channel_open(1)];
        steps.into_iter().take(self as usize).collect()
    }
}

/// A name, the state before, what the client sends, and what the server sends: frames separated by
/// ` | `, and how it ends: `open`, `reset at once` or `reset after N s`. A real server's result may
/// have `closed` for `reset`, if it has ended the connection without a reset.
pub(crate) type Case = (&'static str, After, Vec<Vec<u8>>, &'static str);

/// Compares a whole table, and then reports all differences.
pub(crate) fn check(table: Vec<Case>) {
    let real = std::env::var("STUNT_DOUBLE_REAL_RABBITMQ").ok();
    let mut wrong = Vec::new();
    for (name, after, steps, expected) in table {
        let said = match &real {
            None => play(after, &steps),
            Some(address) => play_to_real(address, after, &steps),
        };
        // A real server is not awaited for half a minute.
        let expected = if real.is_some() {
            expected.replace("reset after 30 s", "open")
        } else {
            expected.to_owned()
        };
        if said != expected {
            wrong.push(format!("{name}:\n  expected {expected}\n  said     {said}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn transcript(bytes: &[u8], end: String) -> String {
    let mut lines = describe(bytes);
    lines.push(end);
    lines.join(" | ")
}

fn play(after: After, steps: &[Vec<u8>]) -> String {
    let start = Instant::ZERO;
    let mut server = server();
    server.connected(start, CLIENT, "test");
    let mut all = Vec::new();
    let mut closed = false;
    for step in after.bytes() {
        server.receive(start, CLIENT, &step);
        while server.poll_output().is_some() {}
    }
    for step in steps {
        server.receive(start, CLIENT, step);
        closed |= take(&mut server, &mut all);
    }
    if closed {
        return transcript(&all, "reset at once".to_owned());
    }
    while let Some(at) = server.poll_timeout() {
        server.handle_timeout(at);
        if take(&mut server, &mut all) {
            return transcript(&all, format!("reset after {} s", (at - start).as_secs()));
        }
    }
    transcript(&all, "open".to_owned())
}

/// Collects what is sent. Returns whether the socket closes.
pub(crate) fn take(server: &mut ByteServer, all: &mut Vec<u8>) -> bool {
    while let Some((_, output)) = server.poll_output() {
        match output {
            ByteOutput::Data(bytes) => all.extend(bytes),
            ByteOutput::Close(how) => {
                assert_eq!(how, Hangup::Reset);
                return true;
            }
            other => panic!("unknown output {other:?}"),
        }
    }
    false
}

/// How long a server may stay silent before its answer counts as complete.
const QUIET: Duration = Duration::from_millis(120);

fn play_to_real(address: &str, after: After, steps: &[Vec<u8>]) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(QUIET)).unwrap();
    for step in after.bytes() {
        socket.write_all(&step).unwrap();
        listen(&mut socket, 1, &mut Vec::new());
    }
    let mut all = Vec::new();
    let mut waits = None;
    for step in steps {
        let _ = socket.write_all(step);
        waits = waits.or(listen(&mut socket, 1, &mut all));
    }
    // Longer than a server needs that hangs up after three seconds.
    let waits = waits.or_else(|| listen(&mut socket, 30, &mut all));
    let end = match waits {
        Some((how, 0..5)) => format!("{how} at once"),
        Some((how, waits)) => {
            format!("{how} after {} s", ((waits + 1) * 120 + 500) / 1_000)
        }
        None => "open".to_owned(),
    };
    transcript(&all, end)
}

/// Reads until the server was silent this many times. Returns how it hung up, if it did, and how
/// many times it was silent before.
fn listen(socket: &mut TcpStream, silences: u64, all: &mut Vec<u8>) -> Option<(&'static str, u64)> {
    let mut buffer = [0; 65_536];
    let mut silent = 0;
    while silent < silences {
        match socket.read(&mut buffer) {
            Ok(0) => return Some(("closed", silent)),
            Ok(read) => all.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                silent += 1;
            }
            Err(_) => return Some(("reset", silent)),
        }
    }
    None
}
