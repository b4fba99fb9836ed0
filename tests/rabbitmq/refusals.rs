//! A broker that is up and refuses, because a test told it to.

use crate::support::*;
use std::time::Duration;

use stunt_double::rabbitmq::broker::{Broker, ChannelId, ChannelNumber, ConnectionId, Method};
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConnectionOptions, Error, Properties, QueueOptions, RabbitMq,
    Refusal, ReplyCode, Scope, wire,
};
use stunt_double::sim::service::{ByteOutput, ByteService as _};
use stunt_double::sim::{Node, Sim};
use stunt_double::{Instant, Site, Stream};

fn publish(key: &str) -> Method {
    Method::BasicPublish(rabbitmq::Publish::new("", key, "x"))
}

#[test]
fn a_connection_is_refused_with_any_code_and_is_not_there() {
    for (code, said) in [
        (ReplyCode::ConnectionForced, "320 CONNECTION_FORCED - going down"),
        (ReplyCode::ResourceError, "506 RESOURCE_ERROR - going down"),
        (ReplyCode::AccessRefused, "403 ACCESS_REFUSED - going down"),
    ] {
        let mut server = Server::new();
        server.broker.refuse(server.now, Refusal::connections(code, "going down")).unwrap();
        let open = || Method::ConnectionOpen(Box::default());
        let answers = server.send(ChannelId::new(9, 0), open());
        assert_eq!(answers, [format!("9/0 CONN {}", said.replacen(' ', " 10/40 ", 1))]);
        assert!(!server.broker.has_connection(ConnectionId(9)));
        assert!(server.broker.has_connection(ConnectionId(1)), "an open connection stays");
        server.broker.refuse_nothing();
        assert_eq!(server.send(ChannelId::new(9, 0), open()), ["9/0 connection.open-ok"]);
    }
}

#[test]
fn a_refusal_of_connections_to_one_vhost_leaves_the_others() {
    let mut server = Server::new();
    server.broker.add_vhost("shop");
    let refusal = Refusal::connections(ReplyCode::NotAllowed, "full").on("shop");
    server.broker.refuse(server.now, refusal).unwrap();
    let to = |vhost: &str| {
        let options = ConnectionOptions { virtual_host: vhost.into(), ..Default::default() };
        Method::ConnectionOpen(Box::new(options))
    };
    let said = server.send(ChannelId::new(9, 0), to("shop"));
    assert_eq!(said, ["9/0 CONN 530 10/40 NOT_ALLOWED - full"]);
    assert_eq!(server.send(ChannelId::new(9, 0), to("/")), ["9/0 connection.open-ok"]);
}

#[test]
fn a_channel_is_refused_alone_or_with_its_connection_as_the_code_says() {
    let third = ChannelId::new(1, 3);
    let mut server = Server::new();
    let soft = Refusal::channels(ReplyCode::ResourceLocked, "not now").times(1);
    server.broker.refuse(server.now, soft).unwrap();
    let said = server.send(third, Method::ChannelOpen);
    assert_eq!(said, ["1/3 405 20/10 RESOURCE_LOCKED - not now"]);
    assert!(server.send(third, Method::ChannelCloseOk).is_empty());
    assert_eq!(server.send(third, Method::ChannelOpen), ["1/3 channel.open-ok"]);

    let hard = Refusal::channels(ReplyCode::ResourceError, "no memory");
    server.broker.refuse(server.now, hard).unwrap();
    let said = server.send(ChannelId::new(1, 4), Method::ChannelOpen);
    assert_eq!(said, ["CONN 506 20/10 RESOURCE_ERROR - no memory"]);
    assert!(!server.broker.has_connection(ConnectionId(1)));
}

#[test]
fn the_next_matching_publishes_are_refused_and_no_others() {
    let mut server = Server::new();
    let refusal = Refusal::method("basic.publish", ReplyCode::PreconditionFailed, "no");
    server.broker.refuse(server.now, refusal.on("q").times(2)).unwrap();
    assert!(server.send(CH, publish("other")).is_empty());
    for _ in 0..2 {
        assert_eq!(server.send(CH, publish("q")), ["406 60/40 PRECONDITION_FAILED - no"]);
        server.send(CH, Method::ChannelCloseOk);
        server.send(CH, Method::ChannelOpen);
    }
    assert!(server.send(CH, publish("q")).is_empty());
}

#[test]
fn the_first_refusal_that_matches_answers_and_each_counts_for_itself() {
    let mut server = Server::new();
    let refuse = |code| Refusal::method("queue.purge", code, "no").times(1);
    server.broker.refuse(server.now, refuse(ReplyCode::NotFound).on("q")).unwrap();
    server.broker.refuse(server.now, refuse(ReplyCode::InternalError)).unwrap();
    let purge = |queue: &str| Method::QueuePurge { queue: queue.into(), no_wait: false };
    assert_eq!(server.send(OTHER, purge("q")), ["2/1 404 50/30 NOT_FOUND - no"]);
    assert_eq!(server.send(CH, purge("q")), ["CONN 541 50/30 INTERNAL_ERROR - no"]);
}

#[test]
fn a_request_that_would_fail_anyway_fails_by_itself() {
    let mut server = Server::new();
    let refusal = Refusal::method("tx.commit", ReplyCode::InternalError, "no").times(1);
    server.broker.refuse(server.now, refusal).unwrap();
    // The channel is not open, so this does not use the refusal up.
    let said = server.send(ChannelId::new(2, 7), Method::TxCommit);
    assert!(said[0].contains("504"), "{said:?}");
    assert!(server.send(CH, Method::TxCommit)[0].contains("541"));
}

#[test]
fn direct_calls_of_the_broker_are_not_refused() {
    let mut server = Server::new();
    let refusal = Refusal::method("queue.declare", ReplyCode::NotAllowed, "no");
    server.broker.refuse(server.now, refusal).unwrap();
    let declared = server.broker.queue_declare(server.now, CH, "q", QueueOptions::default());
    assert!(declared.is_ok());
}

/// Tries once a second to open a connection, until it succeeds.
async fn stubborn(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    loop {
        match Connection::connect(&node, &rabbit).await {
            Ok(connection) => {
                node.note(format!("open after {:?}", node.now().since_start()));
                return connection.close().await;
            }
            Err(Error::Amqp(error)) => {
                assert_eq!((error.scope, error.code), (Scope::Connection, ReplyCode::NotAllowed));
                node.sleep(Duration::from_secs(1)).await;
            }
            Err(other) => return Err(other),
        }
    }
}

#[test]
fn a_client_of_the_world_is_refused_for_a_while() {
    let ends: [fn(Refusal) -> Refusal; 2] = [
        |refusal| refusal.lasting(Duration::from_millis(4_500)),
        |refusal| refusal.until(Instant::ZERO + Duration::from_millis(4_500)),
    ];
    for end in ends {
        let mut sim = Sim::new(1);
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        rabbit.refuse(end(Refusal::connections(ReplyCode::NotAllowed, "full"))).unwrap();
        sim.node_with("client", rabbit, stubborn);
        sim.run().expect_done();
        let notes = sim.trace().notes();
        assert!(notes.contains("open after 5s"), "{notes}");
    }
}

#[test]
fn a_client_of_the_world_hears_why_its_publish_was_refused() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let refusal = Refusal::method("basic.publish", ReplyCode::InternalError, "lost its leader");
    rabbit.refuse(refusal.on("q").times(1)).unwrap();
    sim.node_with("client", rabbit, async |node: Node, rabbit: RabbitMq| {
        let connection = Connection::connect(&node, &rabbit).await?;
        let channel = connection.channel().await?;
        channel.basic_publish("", "q", Properties::default(), "x")?;
        let error = channel.confirm_select().await.unwrap_err();
        let text = error.amqp().map(|amqp| amqp.text.as_str());
        assert_eq!(text, Some("INTERNAL_ERROR - lost its leader"));
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
}

#[test]
fn one_in_n_is_drawn_and_calm_choices_refuse_nothing() {
    let refused = |names: Stream| {
        let mut broker = Broker::new(BrokerOptions::default(), names);
        let refusal = Refusal::connections(ReplyCode::NotAllowed, "no").one_in(4);
        broker.refuse(Instant::ZERO, refusal).unwrap();
        for i in 1..=400 {
            let open = Method::ConnectionOpen(Box::default());
            broker.handle_input(Instant::ZERO, ConnectionId(i), ChannelNumber(0), open);
        }
        (1..=400).filter(|i| !broker.has_connection(ConnectionId(*i))).count()
    };
    let site = Site::new("test.names");
    assert_eq!(refused(Stream::calm(site, 0)), 0);
    let count = refused(Stream::seeded(1, site, 0));
    assert!((60..140).contains(&count), "{count}");
    assert_eq!(refused(Stream::seeded(1, site, 0)), count);
}

#[test]
fn a_client_on_the_wire_is_refused_as_by_the_server() {
    let names = Stream::calm(Site::new("test.names"), 0);
    let broker = Broker::new(BrokerOptions::default(), names);
    let mut server = wire::ByteServer::new(broker);
    let refusal = Refusal::connections(ReplyCode::ConnectionForced, "maintenance");
    server.machine_mut().refuse(Instant::ZERO, refusal).unwrap();
    let client = 1;
    server.connected(Instant::ZERO, client, "test");
    let start_ok =
        b"\x01\0\0\0\0\0\x24\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US\xce";
    let tune_ok = b"\x01\0\0\0\0\0\x0c\0\x0a\0\x1f\x07\xff\0\x02\0\0\0\0\xce";
    let open = b"\x01\0\0\0\0\0\x08\0\x0a\0\x28\x01/\0\0\xce";
    let mut said = Vec::new();
    for bytes in [&b"AMQP\0\0\x09\x01"[..], start_ok, tune_ok, open] {
        server.receive(Instant::ZERO, client, bytes);
        said.clear();
        while let Some((_, ByteOutput::Data(bytes))) = server.poll_output() {
            said.extend(bytes);
        }
    }
    let text = said.escape_ascii().to_string();
    assert!(text.contains("\\x00\\n\\x002\\x01@"), "connection.close 320: {text}");
    assert!(text.contains("CONNECTION_FORCED - maintenance"), "{text}");
}
