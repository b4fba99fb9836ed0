//! The table of traps, played to our server. No other server is needed.

#[path = "../traps/mod.rs"]
pub(crate) mod table;

use crate::support::request;
use std::time::Duration;
use stunt_double::redis::ServerOptions;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::Server;
use stunt_double::sim::service::{ByteOutput, ByteService};
use stunt_double::{Instant, Site, Stream};
use table::{FAMILIES, Player, play};

struct Ours {
    server: ByteServer,
    now: Instant,
    connected: Vec<u64>,
}

impl Ours {
    fn new() -> Ours {
        let random = Stream::seeded(1, Site::new("test.traps"), 0);
        let server = Server::new(ServerOptions::default(), random);
        Ours { server: ByteServer::new(server), now: Instant::ZERO, connected: Vec::new() }
    }
}

impl Player for Ours {
    fn send(&mut self, client: u64, words: &[Vec<u8>]) {
        if !self.connected.contains(&client) {
            self.connected.push(client);
            self.server.connected(self.now, client, "127.0.0.1:1");
        }
        self.server.receive(self.now, client, &request(words));
    }

    fn pass_ms(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.server.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.server.handle_timeout(self.now);
        }
        self.now = end;
        self.server.handle_timeout(end);
    }

    fn told(&mut self) -> Vec<(u64, Vec<u8>)> {
        self.server.handle_timeout(self.now);
        let mut told: Vec<(u64, Vec<u8>)> = Vec::new();
        while let Some((client, output)) = self.server.poll_output() {
            let ByteOutput::Data(bytes) = output else { continue };
            match told.iter_mut().find(|(told, _)| *told == client) {
                Some((_, all)) => all.extend(bytes),
                None => told.push((client, bytes)),
            }
        }
        told
    }
}

#[track_caller]
fn family(name: &str) {
    let (_, traps) = FAMILIES.iter().find(|(family, _)| *family == name).unwrap();
    let failures: Vec<String> =
        traps.iter().flat_map(|trap| play(trap, &mut Ours::new())).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn strings() {
    family("strings");
}

#[test]
fn bitmaps() {
    family("bitmaps");
}

#[test]
fn hashes() {
    family("hashes");
}

#[test]
fn lists() {
    family("lists");
}

#[test]
fn sets() {
    family("sets");
}

#[test]
fn sorted_sets() {
    family("sorted_sets");
}

#[test]
fn keys() {
    family("keys");
}

#[test]
fn scan() {
    family("scan");
}

#[test]
fn encodings() {
    family("encodings");
}

#[test]
fn errors() {
    family("errors");
}

#[test]
fn transactions() {
    family("transactions");
}

#[test]
fn blocking() {
    family("blocking");
}

#[test]
fn messages() {
    family("messages");
}
