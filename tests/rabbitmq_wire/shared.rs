//! Typed clients of a world and clients that speak bytes share one broker.

use crate::bytes::*;
use crate::play::{After, CLIENT, server, take};
use stunt_double::Instant;
use stunt_double::Shutdown;
use stunt_double::rabbitmq::ConsumeOptions;
use stunt_double::rabbitmq::broker::{ChannelNumber, Event, Method};
use stunt_double::rabbitmq::wire::ByteServer;
use stunt_double::sim::service::ByteService as _;
use stunt_double::sim::{self};

const NOW: Instant = Instant::ZERO;

/// The number of the typed client.
const TYPED: u64 = 7;

/// Returns what the typed client is sent.
fn typed(server: &mut ByteServer) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some((id, (_, event))) = sim::service::Service::poll_output(server) {
        assert_eq!(id, TYPED, "only one typed client is connected");
        events.push(event);
    }
    events
}

#[test]
fn typed_clients_and_byte_clients_share_one_broker() {
    let mut server = server();
    sim::service::Service::connected(&mut server, NOW, TYPED, "typed");
    let consume = ConsumeOptions { no_ack: true, ..ConsumeOptions::default() };
    for (channel, method) in [
        (0, Method::ConnectionOpen(Box::default())),
        (1, Method::ChannelOpen),
        (1, Method::QueueDeclare { queue: "q".into(), options: Default::default(), no_wait: true }),
        (1, Method::BasicConsume { queue: "q".into(), options: Box::new(consume), no_wait: true }),
    ] {
        sim::service::Service::handle_input(
            &mut server,
            NOW,
            TYPED,
            (ChannelNumber(channel), method),
        );
    }
    assert_eq!(typed(&mut server), [Event::ConnectionOpenOk, Event::ChannelOpenOk]);

    server.connected(NOW, CLIENT, "bytes");
    server.receive(NOW, CLIENT, &After::Channel.bytes().concat());
    assert!(!take(&mut server, &mut Vec::new()));
    let message = [publish_to(b"", b"q", 0), header(1, 10), body(1, b"from bytes")];
    server.receive(NOW, CLIENT, &message.concat());
    assert_eq!(server.poll_output(), None, "the byte client has no consumer");
    let delivered = typed(&mut server);
    let [Event::Deliver { message, .. }] = &delivered[..] else { panic!("{delivered:?}") };
    assert_eq!(message.body(), "from bytes");

    sim::service::Service::stop(&mut server, NOW, Shutdown::Clean);
    let told = typed(&mut server);
    assert!(matches!(told[..], [Event::ConnectionClose(_)]), "{told:?}");
    let mut all = Vec::new();
    assert!(
        take(&mut server, &mut all),
        "the byte client gets connection.close, and its socket is closed"
    );
    assert!(
        describe(&all)[0].starts_with("0: 10.50 320 CONNECTION_FORCED"),
        "{:?}",
        describe(&all)
    );
}
