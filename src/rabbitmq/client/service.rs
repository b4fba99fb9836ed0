//! The broker as a service of the world: typed clients and clients that speak bytes share one
//! [`ByteServer`], and so one broker.

use super::log;
use super::session::ClientSession;
use super::story;
use crate::Shutdown;
use crate::rabbitmq::protocol::fingerprint::fingerprint;
use crate::rabbitmq::protocol::id::{ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::protocol::method::{Event, Method};
use crate::rabbitmq::wire::ByteServer;
use crate::sim::service::{ByteService, Hangup, Service};
use crate::sim::trace::Told;
use crate::time::Instant;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

impl Service for ByteServer {
    type Input = (ChannelNumber, Method);
    type Output = (ChannelNumber, Event);
    type Session = ClientSession;

    /// A socket is not an AMQP connection yet: `connection.open` makes one.
    fn connected(&mut self, _now: Instant, connection: u64, client: &str) {
        self.typed_connected();
        self.teller().name_client(ConnectionId(connection), client);
    }

    fn takes(&self, connection: u64, (channel, method): &Self::Input) -> bool {
        self.machine().takes(ConnectionId(connection), *channel, method)
    }

    /// RabbitMQ's sockets have `SO_LINGER` set to 0, so whatever closes them resets them.
    fn closes_sockets(_how: Shutdown) -> Hangup {
        Hangup::Reset
    }

    /// The real server resets a connection that it considers dead, without a message.
    fn hangup(output: &Self::Output) -> Option<Hangup> {
        matches!(output.1, Event::ConnectionLost).then_some(Hangup::Reset)
    }

    fn handle_input(&mut self, now: Instant, connection: u64, input: Self::Input) {
        let (channel, method) = input;
        self.broker_at(now).handle_input(now, ConnectionId(connection), channel, method);
    }

    fn disconnected(&mut self, now: Instant, connection: u64) {
        self.broker_at(now).connection_lost(now, ConnectionId(connection));
    }

    fn bytes(&mut self) -> Option<&mut dyn ByteService> {
        Some(self)
    }

    fn poll_output(&mut self) -> Option<(u64, Self::Output)> {
        let output = self.poll_typed()?;
        Some((output.connection.0, (output.channel, output.event)))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine().poll_work()
    }

    /// Handshakes and heartbeats of clients; see [`ByteServer`].
    fn poll_housekeeping(&self) -> Option<Instant> {
        self.poll_watch()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.fire(now);
    }

    fn stop(&mut self, now: Instant, how: Shutdown) {
        ByteServer::stop(self, now, how);
    }

    fn start(&mut self, now: Instant) {
        ByteServer::start(self, now);
    }

    fn wipe(&mut self, now: Instant) {
        ByteServer::wipe(self, now);
    }

    fn tell_stories(&mut self) {
        self.teller().tell_stories();
    }

    fn poll_story(&mut self) -> Option<Told> {
        let happening = self.teller().poll_story()?;
        Some(story::told(self.machine(), &happening))
    }

    fn portrait(&self, _now: Instant) -> Vec<String> {
        story::portrait(self.machine())
    }

    fn routine() -> &'static [&'static str] {
        story::ROUTINE
    }

    fn describe_input(input: &Self::Input) -> String {
        let mut log = Vec::new();
        log::log_method(input, &mut log);
        log::read(&log)
    }

    fn describe_output(output: &Self::Output) -> String {
        let mut log = Vec::new();
        log::log_event(output, &mut log);
        log::read(&log)
    }

    fn log_input(input: &Self::Input, log: &mut Vec<u8>) {
        log::log_method(input, log);
    }

    fn log_output(output: &Self::Output, log: &mut Vec<u8>) {
        log::log_event(output, log);
    }

    fn read_input(log: &[u8]) -> String {
        log::read(log)
    }

    fn read_output(log: &[u8]) -> String {
        log::read(log)
    }

    fn fingerprint_input(input: &Self::Input) -> u64 {
        let channel = u64::from(input.0.0);
        match &input.1 {
            Method::BasicPublish(publish) => {
                let flags = u64::from(publish.mandatory) << 1 | u64::from(publish.immediate);
                let exchange = xxh3_64_with_seed(publish.exchange.as_bytes(), flags);
                let key = xxh3_64_with_seed(publish.routing_key.as_bytes(), exchange);
                let seed = mix(mix(channel, key), publish.properties.fingerprint());
                xxh3_64_with_seed(&publish.body, seed)
            }
            Method::BasicAck { delivery_tag, multiple } => {
                mix(channel, delivery_tag.0 << 1 | u64::from(*multiple))
            }
            other => fingerprint(other, channel),
        }
    }

    fn fingerprint_output(output: &Self::Output) -> u64 {
        let channel = u64::from(output.0.0);
        match &output.1 {
            Event::Deliver { consumer_tag, delivery_tag, redelivered, message } => {
                let tag = mix(channel, delivery_tag.0 << 1 | u64::from(*redelivered));
                fingerprint_message(message, mix(tag, xxh3_64(consumer_tag.as_bytes())))
            }
            Event::Ack { delivery_tag, multiple } => {
                mix(channel, delivery_tag.0 << 1 | u64::from(*multiple))
            }
            other => fingerprint(other, channel),
        }
    }
}

fn fingerprint_message(message: &Message, seed: u64) -> u64 {
    let exchange = xxh3_64(message.exchange().as_bytes());
    let key = xxh3_64_with_seed(message.routing_key().as_bytes(), exchange);
    let seed = mix(mix(seed, key), message.properties().fingerprint());
    xxh3_64_with_seed(message.body(), seed)
}

/// Combines two numbers so that neither cancels the other.
fn mix(a: u64, b: u64) -> u64 {
    (a ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(31) ^ b
}
