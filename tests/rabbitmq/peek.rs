//! Looking into queues without consuming.

use crate::support::*;
use std::time::Duration;
use stunt_double::rabbitmq::admin::PeekedMessage;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, Error, FieldTable, Properties, QueueOptions,
};
use stunt_double::sim::Sim;

fn show(peeked: &[PeekedMessage]) -> Vec<String> {
    let show = |peeked: &PeekedMessage| {
        let body = String::from_utf8_lossy(peeked.message.body()).into_owned();
        format!("{} {body}{}", peeked.position, if peeked.redelivered { "R" } else { "" })
    };
    peeked.iter().map(show).collect()
}

fn typed(kind: &str) -> QueueOptions {
    QueueOptions { arguments: FieldTable::new().with("x-queue-type", kind), ..durable() }
}

#[test]
fn the_next_messages_are_shown_in_the_order_of_delivery() {
    let mut server = Server::new();
    let arguments = FieldTable::new().with("x-max-priority", 5);
    server.declare_with("q", QueueOptions { arguments, ..Default::default() });
    for (body, priority) in [("low", 0), ("high", 3), ("mid", 1)] {
        let properties = Properties::default().with_priority(priority);
        server.send(CH, publish_with("", "q", body, properties));
    }
    assert_eq!(show(&server.broker.peek("/", "q", 2).unwrap()), ["0 high", "1 mid"]);
    server.send(CH, get("q"));
    server.nack(CH, 1);
    let peeked = server.broker.peek("/", "q", 9).unwrap();
    assert_eq!(show(&peeked), ["0 highR", "1 mid", "2 low"]);
    assert_eq!(peeked[2].message.routing_key(), "q");
}

#[test]
fn a_peek_changes_nothing() {
    let mut server = Server::new();
    let arguments = FieldTable::new().with("x-expires", 1_000);
    server.declare_with("q", QueueOptions { arguments, ..Default::default() });
    let expiring = Properties::default().with_expiration("500");
    server.send(CH, publish_with("", "q", "a", expiring));
    let before = (server.broker.list_queues(), server.broker.overview());
    assert_eq!(show(&server.broker.peek("/", "q", 5).unwrap()), ["0 a"]);
    assert_eq!((server.broker.list_queues(), server.broker.overview()), before);
    // The peek does not count as a use of the queue, and the message expires on time.
    server.wait(Duration::from_millis(600));
    assert_eq!(server.broker.peek("/", "q", 5).unwrap(), []);
    server.wait(Duration::from_millis(399));
    assert!(server.broker.peek("/", "q", 5).is_ok());
    server.wait(Duration::from_millis(1));
    let error = server.broker.peek("/", "q", 5).unwrap_err();
    assert_eq!(error.to_string(), "Queue \"q\" in virtual host \"/\" does not exist");
    let error = server.broker.peek("nope", "q", 5).unwrap_err();
    assert_eq!(error.to_string(), "Virtual host \"nope\" does not exist");
}

#[test]
fn a_message_that_came_back_to_a_quorum_queue_shows_its_count() {
    let mut server = Server::new();
    server.declare_with("qq", typed("quorum"));
    server.fill("qq", 2);
    server.consume(CH, "qq", "c");
    server.send(CH, cancel("c"));
    server.nack(CH, 2);
    let peeked = server.broker.peek("/", "qq", 9).unwrap();
    assert_eq!(show(&peeked), ["0 1R"]);
    let headers = peeked[0].message.properties().headers().unwrap();
    assert_eq!(headers.get("x-delivery-count").and_then(|v| v.as_integer()), Some(1));
}

#[test]
fn a_peek_at_a_stream_shows_offsets() {
    let mut server = Server::new();
    server.declare_with("s", typed("stream"));
    server.fill("s", 4);
    let peeked = server.broker.peek("/", "s", 3).unwrap();
    assert_eq!(show(&peeked), ["0 0", "1 1", "2 2"]);
    let headers = peeked[2].message.properties().headers().unwrap();
    assert_eq!(headers.get("x-stream-offset").and_then(|v| v.as_integer()), Some(2));
}

#[test]
fn the_handle_of_a_broker_peeks_too() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("publisher", rabbit.clone(), async |node, rabbit| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        channel.basic_publish("", "q", Properties::default(), "a")?;
        let mut consumer = channel.basic_consume("q", ConsumeOptions::default()).await?;
        let first = consumer.next().await.expect("there is one")?;
        assert_eq!(rabbit.peek("/", "q", 1).unwrap(), [], "it is not ready");
        first.nack(true)?;
        channel.close().await?;
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
    assert_eq!(show(&rabbit.peek("/", "q", 1).unwrap()), ["0 aR"]);
}
