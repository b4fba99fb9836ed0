//! Quorum queues, streams and delayed exchanges: what survives a crash, and effects that take time.
//! (`recorded` has everything that clients see.)

use crate::support::*;
use std::time::Duration;
use stunt_double::rabbitmq::broker::{ChannelId, Method};
use stunt_double::rabbitmq::{
    BrokerOptions, ConsumeOptions, DeliveryTag, ExchangeOptions, FieldTable, Properties, Publish,
    QueueOptions,
};

const MS: Duration = Duration::from_millis(1);

fn of_type(kind: &str) -> QueueOptions {
    QueueOptions { arguments: FieldTable::new().with("x-queue-type", kind), ..durable() }
}

fn from_first() -> Method {
    let arguments = FieldTable::new().with("x-stream-offset", "first");
    consume_with("q", ConsumeOptions { consumer_tag: "c".into(), arguments, ..Default::default() })
}

#[test]
fn a_quorum_queue_keeps_transient_messages_too() {
    let mut server = Server::new();
    server.declare_with("q", of_type("quorum"));
    server.fill("q", 3);
    server.broker.stop(server.now);
    server.drain();
    server.broker.start(server.now);
    assert_eq!(server.contents("q"), ["0", "1", "2"]);
}

#[test]
fn a_killed_quorum_queue_keeps_what_was_confirmed_in_its_place() {
    let mut server = Server::new();
    server.declare_with("q", of_type("quorum"));
    server.send(CH, Method::ConfirmSelect { no_wait: false });
    for i in 0..3 {
        server.publish("q", &i.to_string());
    }
    assert_eq!(server.settle(), ["ack 3*"]);
    server.send(CH, get("q"));
    server.nack(CH, 1);
    server.publish("q", "unconfirmed");
    server.broker.kill(server.now);
    server.broker.start(server.now);
    // The move to the end was not on disk yet.
    let left: Vec<_> = server.contents("q").iter().map(|m| m.replace('R', "")).collect();
    assert_eq!(left, ["0", "1", "2"]);
}

#[test]
fn a_requeued_message_is_as_safe_as_before() {
    let mut server = Server::new();
    let arguments = FieldTable::new().with("x-queue-type", "quorum").with("x-delivery-limit", 5);
    server.declare_with("q", QueueOptions { arguments, ..durable() });
    server.publish("q", "never synced");
    server.send(CH, get("q"));
    server.nack(CH, 1);
    server.broker.power_loss(server.now);
    server.broker.start(server.now);
    assert!(server.contents("q").is_empty());
}

#[test]
fn a_rollback_does_not_restart_the_time_of_a_delivery() {
    let timeout = Duration::from_secs(60);
    let options = BrokerOptions::default().with_consumer_timeout(Some(timeout));
    let mut server = Server::with_options(options);
    server.declare("q");
    server.fill("q", 1);
    server.send(CH, Method::TxSelect);
    server.send(CH, get("q"));
    server.wait(30_000 * MS);
    server.ack(CH, 1);
    assert_eq!(server.wait(100_000 * MS), [""; 0], "it is settled, as far as the channel goes");
    assert_eq!(server.send(CH, Method::TxRollback), ["tx.rollback-ok"]);
    let said = server.settle();
    assert!(said[0].contains("timed out"), "{said:?}");
}

#[test]
fn a_weight_of_a_consistent_hash_costs_nothing() {
    let mut server = Server::new();
    server.exchange("x", "x-consistent-hash");
    for (queue, weight) in [("a", "9223372036854775807"), ("b", "1000000000000")] {
        server.declare(queue);
        server.bind(queue, "x", weight, FieldTable::new());
    }
    for i in 0..100 {
        server.send(CH, publish("x", &i.to_string(), "m"));
    }
    assert_eq!(server.contents("a").len() + server.contents("b").len(), 100);
    assert!(server.contents("b").len() < 5);
}

#[test]
fn a_stream_keeps_its_messages_and_goes_on_counting() {
    let mut server = Server::new();
    server.declare_with("q", of_type("stream"));
    server.send(CH, Method::ConfirmSelect { no_wait: false });
    for i in 0..3 {
        server.publish("q", &i.to_string());
    }
    assert_eq!(server.settle(), ["ack 3*"]);
    server.publish("q", "unconfirmed");
    server.broker.power_loss(server.now);
    server.broker.start(server.now);
    let ch = ChannelId::new(9, 1);
    server.open_connection(ch);
    server.qos(ch, 10, false);
    let said = server.send(ch, from_first());
    assert_eq!(said[1..].len(), 3, "{said:?}");
    server.send(ch, publish("", "q", "3"));
    let rows = server.broker.list_queues();
    assert_eq!(rows[0].messages_ready, 4, "the offset of the lost one is used again");
}

#[test]
fn a_stream_deletes_segments_that_are_too_old() {
    let mut server = Server::new();
    let arguments = FieldTable::new()
        .with("x-queue-type", "stream")
        .with("x-max-age", "10s")
        .with("x-stream-max-segment-size-bytes", 20);
    server.declare_with("q", QueueOptions { arguments, ..durable() });
    for second in 0..30 {
        server.publish("q", &format!("at second {second}"));
        server.wait(1_000 * MS);
    }
    server.qos(CH, 100, false);
    let said = server.send(CH, from_first());
    assert!(said[1].contains("at second 1") || said[1].contains("at second 2"), "{said:?}");
    assert!((11..=15).contains(&said[1..].len()), "{said:?}");
}

#[test]
fn a_stream_gives_each_reader_everything_and_a_prefetch_at_a_time() {
    let mut server = Server::new();
    server.declare_with("q", of_type("stream"));
    server.fill("q", 5);
    for ch in [CH, OTHER] {
        server.qos(ch, 2, false);
        assert_eq!(server.send(ch, from_first())[1..].len(), 2);
        assert_eq!(server.send(ch, ack(2, true)).len(), 2, "both are given back");
        assert_eq!(server.send(ch, ack(4, true)).len(), 1);
    }
}

fn delayed(server: &mut Server) {
    let arguments = FieldTable::new().with("x-delayed-type", "direct");
    let options = ExchangeOptions {
        kind: "x-delayed-message".into(),
        durable: true,
        arguments,
        ..Default::default()
    };
    assert_eq!(server.send(CH, exchange_with("x", options)), ["exchange.declare-ok"]);
    server.declare_with("q", durable());
    server.bind("q", "x", "k", FieldTable::new());
}

fn later(ms: i32, body: &str) -> Method {
    let headers = FieldTable::new().with("x-delay", ms);
    let properties = Properties::default().persistent().with_headers(headers);
    Method::BasicPublish(Publish { properties, ..Publish::new("x", "k", body.to_owned()) })
}

#[test]
fn a_delayed_message_is_routed_when_it_is_due() {
    let mut server = Server::new();
    delayed(&mut server);
    for (ms, body) in [(3_000, "c"), (1_000, "a"), (1_000, "b")] {
        server.send(CH, later(ms, body));
    }
    server.send(CH, publish("x", "k", "now"));
    assert_eq!(server.contents("q"), ["now"]);
    server.wait(999 * MS);
    assert!(server.contents("q").is_empty());
    server.wait(MS);
    assert_eq!(server.contents("q"), ["a", "b"]);
    server.wait(2_000 * MS);
    assert_eq!(server.contents("q"), ["c"]);
}

#[test]
fn a_delayed_message_survives_a_restart_and_is_confirmed_at_once() {
    let mut server = Server::new();
    delayed(&mut server);
    server.send(CH, Method::ConfirmSelect { no_wait: false });
    assert_eq!(server.send(CH, later(1_000, "m")), ["ack 1"]);
    server.broker.stop(server.now);
    server.drain();
    server.wait(2_000 * MS);
    server.broker.start(server.now);
    server.settle();
    assert_eq!(server.contents("q"), ["m"]);
}

#[test]
fn a_delayed_exchange_must_say_of_which_type_it_is() {
    let options = ExchangeOptions { kind: "x-delayed-message".into(), ..Default::default() };
    let said = Server::new().send(CH, exchange_with("x", options));
    let text = "406 40/10 PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an \
                existing exchange type";
    assert_eq!(said, [text]);
}

#[test]
fn a_random_exchange_spreads_its_messages() {
    let mut server = Server::new();
    server.exchange("x", "x-random");
    for queue in ["a", "b"] {
        server.declare(queue);
        server.bind(queue, "x", "", FieldTable::new());
    }
    for _ in 0..100 {
        server.send(CH, publish("x", "whatever", "m"));
    }
    let (a, b) = (server.contents("a").len(), server.contents("b").len());
    assert_eq!(a + b, 100);
    assert!(a > 20 && b > 20, "{a} and {b}");
}

#[test]
fn a_delivery_held_too_long_closes_its_channel_exactly_on_time() {
    let timeout = Duration::from_secs(60);
    let options = BrokerOptions::default().with_consumer_timeout(Some(timeout));
    let mut server = Server::with_options(options);
    server.declare("q");
    server.fill("q", 1);
    assert_eq!(server.consume(CH, "q", "a"), ["a<-0"]);
    assert!(server.wait(timeout - MS).is_empty());
    let text = "406 0/0 PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. \
                Timeout value used: 60000 ms. This timeout value can be configured, see consumers \
                doc guide to learn more";
    assert_eq!(server.wait(MS), [text]);
    assert_eq!(server.contents("q"), ["0R"]);
}

#[test]
fn a_consumer_that_acknowledges_in_time_keeps_its_channel() {
    let timeout = Duration::from_secs(60);
    let options = BrokerOptions::default().with_consumer_timeout(Some(timeout));
    let mut server = Server::with_options(options);
    server.declare("q");
    server.consume(CH, "q", "a");
    for i in 0..10 {
        server.publish("q", "m");
        assert!(server.wait(timeout - MS).is_empty());
        assert!(server.ack(CH, i + 1).is_empty());
    }
}

#[test]
fn a_channel_opened_again_after_it_failed_leaves_nothing_at_a_quorum_queue() {
    let mut server = Server::new();
    server.declare_with("q", of_type("quorum"));
    server.fill("q", 1);
    let (now, ch) = (server.now, CH);
    server.broker.basic_consume(now, ch, "q", ConsumeOptions::default()).unwrap();
    server.broker.basic_ack(now, ch, DeliveryTag(99), false).unwrap_err();
    assert_eq!(server.broker.list_consumers().len(), 1, "the queue does not know yet");
    server.broker.channel_open(now, ch).unwrap();
    assert_eq!(server.broker.list_consumers(), []);
    assert_eq!(server.broker.list_queues()[0].messages_ready, 1);
}
