//! The server as a service of the world, for typed clients. Byte clients are served through
//! [`ByteService`] by the same machine.

use super::companion::Dialer;
use super::session::{ClientSession, Response};
use super::{Request, log, story};
use crate::Shutdown;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::resp::{ByteServer, encode_into};
use crate::redis::server::{ClientId, Dial, Output};
use crate::sim::service::{ByteService, Hangup, Keepalive, Service};
use crate::sim::trace::Told;
use crate::time::Instant;
use bytes::Bytes;
use smallvec::SmallVec;
use std::time::Duration;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

impl Service for ByteServer {
    type Input = Vec<Bytes>;
    type Output = Response;
    type Session = ClientSession;

    fn connected(&mut self, now: Instant, connection: u64, client: &str) {
        self.typed_connected(now, ClientId(connection), client);
    }

    fn handle_input(&mut self, now: Instant, connection: u64, input: Request) {
        let words: SmallVec<[&[u8]; 8]> = input.iter().map(Bytes::as_ref).collect();
        self.operate(now, |server| server.handle_input(now, ClientId(connection), &words));
    }

    fn disconnected(&mut self, now: Instant, connection: u64) {
        self.typed_disconnected(now, ClientId(connection));
    }

    fn bytes(&mut self) -> Option<&mut dyn ByteService> {
        Some(self)
    }

    fn poll_output(&mut self) -> Option<(u64, Response)> {
        let numbers = self.machine().profile().numbers;
        Some(match self.poll_typed_output()? {
            // A client must be able to tell a message from a reply, also in RESP2, where both are
            // arrays.
            Output::Reply { client, protocol, reply: Reply::Push(items) } => {
                let in_form = |item: Reply| item.in_form(protocol, numbers);
                let items = items.into_iter().map(in_form).collect();
                (client.0, Response::Reply(Reply::Push(items)))
            }
            Output::Reply { client, protocol, reply } => {
                (client.0, Response::Reply(reply.in_form(protocol, numbers)))
            }
            // Typed clients are no replicas; one that asks to be one reads what these read.
            Output::Bytes { client, bytes } => {
                (client.0, Response::Reply(Reply::Bulk(bytes.into())))
            }
            Output::Close { client } => (client.0, Response::Closed),
        })
    }

    /// Redis probes three times, each time after a third of `tcp-keepalive` (`anet.c`).
    fn keepalive(&self) -> Option<Keepalive> {
        let idle = self.machine().tcp_keepalive();
        let third = Duration::from_secs(idle.as_secs() / 3).max(Duration::from_secs(1));
        (!idle.is_zero()).then_some(Keepalive { idle, interval: third, probes: 3 })
    }

    fn clock_set(&mut self, now: Instant, ahead: i64) {
        self.operate(now, |server| server.set_clock_offset(now, ahead));
    }

    fn hangup(output: &Response) -> Option<Hangup> {
        match output {
            Response::Reply(_) => None,
            Response::Closed => Some(Hangup::Close),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine().poll_timeout()
    }

    fn poll_housekeeping(&self) -> Option<Instant> {
        self.machine().poll_housekeeping()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.fire_timers(now);
    }

    fn has_errands(&self) -> bool {
        self.machine().has_dials()
    }

    fn accepts(&self) -> bool {
        self.machine().is_running()
    }

    fn exited(&self) -> Option<Shutdown> {
        self.machine().exited()
    }

    fn stop(&mut self, now: Instant, how: Shutdown) {
        self.machine_mut().stop(now, how);
        self.drop_connections();
    }

    fn start(&mut self, now: Instant) {
        self.machine_mut().start(now);
    }

    fn wipe(&mut self, now: Instant) {
        self.machine_mut().wipe(now);
    }

    fn poll_note(&mut self) -> Option<String> {
        self.machine_mut().take_loss_note()
    }

    fn tell_stories(&mut self) {
        self.machine_mut().tell_stories();
    }

    fn poll_story(&mut self) -> Option<Told> {
        self.machine_mut().poll_story().map(|happening| story::told(&happening))
    }

    fn portrait(&self, _now: Instant) -> Vec<String> {
        story::portrait(self.machine())
    }

    fn routine() -> &'static [&'static str] {
        story::ROUTINE
    }

    fn describe_input(input: &Request) -> String {
        let mut words = Vec::new();
        log::log_request(input, &mut words);
        log::read_request(&words)
    }

    fn describe_output(output: &Response) -> String {
        log::describe_response(output)
    }

    fn log_input(input: &Request, log: &mut Vec<u8>) {
        log::log_request(input, log);
    }

    fn log_output(output: &Response, log: &mut Vec<u8>) {
        log::log_response(output, log);
    }

    fn read_input(log: &[u8]) -> String {
        log::read_request(log)
    }

    fn read_output(log: &[u8]) -> String {
        log::read_response(log)
    }

    fn fingerprint_input(input: &Request) -> u64 {
        input.iter().fold(input.len() as u64, |seed, word| xxh3_64_with_seed(word, seed))
    }

    fn fingerprint_output(output: &Response) -> u64 {
        match output {
            Response::Reply(reply) => {
                let mut bytes = SmallVec::<[u8; 64]>::new();
                encode_into(reply, Protocol::Resp3, &mut bytes);
                xxh3_64(&bytes)
            }
            Response::Closed => 0,
        }
    }
}

impl Dialer for ByteServer {
    fn poll_dial(&mut self) -> Option<Dial> {
        self.machine_mut().poll_dial()
    }

    fn dialed(&mut self, now: Instant, link: u64, open: bool) {
        self.operate(now, |server| server.dialed(now, link, open));
    }

    fn dial_received(&mut self, now: Instant, link: u64, bytes: &[u8]) {
        self.operate(now, |server| server.dial_received(now, link, bytes));
    }

    fn dial_closed(&mut self, now: Instant, link: u64) {
        self.operate(now, |server| server.dial_closed(now, link));
    }

    fn take_note(&mut self) -> Option<String> {
        self.machine_mut().take_discarded_note()
    }

    fn port(&self) -> u16 {
        self.machine().port()
    }
}
