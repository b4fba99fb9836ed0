//! Publisher confirms and returns.

use crate::support::*;
use stunt_double::rabbitmq::broker::Method;
use stunt_double::rabbitmq::{FieldTable, Properties, Publish};

fn confirming() -> Server {
    let mut server = Server::new();
    server.declare("transient");
    server.declare_with("durable", durable());
    assert_eq!(server.send(CH, confirm_select()), ["confirm.select-ok"]);
    server
}

fn mandatory(key: &str, body: &str) -> Method {
    let publish = Publish { mandatory: true, ..Publish::new("", key, body.to_owned()) };
    Method::BasicPublish(publish)
}

/// Sends all of these before the broker's outputs are polled, as a single write of a client does.
fn burst(server: &mut Server, methods: Vec<Method>) -> Vec<String> {
    for method in methods {
        server.broker.handle_input(server.now, CH.connection, CH.number, method);
    }
    let mut said = server.drain();
    said.extend(server.settle());
    said
}

#[test]
fn an_unroutable_message_is_acked() {
    let mut server = confirming();
    assert_eq!(server.send(CH, publish("", "nowhere", "m")), ["ack 1"]);
}

#[test]
fn a_mandatory_unroutable_message_is_returned_and_then_acked() {
    let mut server = confirming();
    assert_eq!(server.send(CH, mandatory("nowhere", "m")), ["return 312 m", "ack 1"]);
    assert_eq!(server.send(CH, mandatory("transient", "m")), ["ack 2"], "not if it is routed");
}

#[test]
fn without_confirms_a_mandatory_message_is_returned_all_the_same() {
    let mut server = Server::new();
    assert_eq!(server.send(CH, mandatory("nowhere", "m")), ["return 312 m"]);
    assert!(server.send(CH, publish("", "nowhere", "m")).is_empty());
}

#[test]
fn selecting_confirms_twice_is_fine() {
    let mut server = confirming();
    assert_eq!(server.send(CH, confirm_select()), ["confirm.select-ok"]);
}

#[test]
fn a_persistent_message_in_a_durable_queue_is_confirmed_by_the_sync() {
    let mut server = confirming();
    assert!(server.send(CH, persistent("durable", "m")).is_empty());
    assert_eq!(server.settle(), ["ack 1"]);
    assert_eq!(server.send(CH, publish("", "durable", "m")), ["ack 2"], "a transient one at once");
    assert_eq!(server.send(CH, persistent("transient", "m")), ["ack 3"]);
}

#[test]
fn a_burst_gets_one_confirm() {
    let mut server = confirming();
    let methods = (0..10).map(|_| persistent("durable", "m")).collect();
    assert_eq!(burst(&mut server, methods), ["ack 10*"]);
}

#[test]
fn confirms_come_out_of_order_and_mixed_with_multiple() {
    let mut server = confirming();
    let unroutable = || publish("", "nowhere", "u");
    let transient = || publish("", "transient", "t");
    let saved = || persistent("durable", "p");
    let mut methods = Vec::new();
    for _ in 0..3 {
        methods.extend([unroutable(), saved(), transient()]);
    }
    let said = burst(&mut server, methods);
    assert_eq!(said.last().unwrap(), "ack 8*", "the persistent ones, after their sync: {said:?}");
    let mut early: Vec<_> = said[..said.len() - 1].to_vec();
    early.sort();
    assert_eq!(early, ["ack 1", "ack 3", "ack 4", "ack 6", "ack 7", "ack 9"]);
}

#[test]
fn a_fanout_is_confirmed_when_every_queue_has_it() {
    let mut server = confirming();
    server.exchange("all", "fanout");
    server.bind("transient", "all", "", FieldTable::new());
    server.bind("durable", "all", "", FieldTable::new());
    let properties = Properties::default().persistent();
    assert!(server.send(CH, publish_with("all", "", "m", properties)).is_empty());
    assert_eq!(server.send(CH, publish("", "transient", "t")), ["ack 2"]);
    assert_eq!(server.settle(), ["ack 1"]);
}

#[test]
fn confirms_are_those_of_their_channel() {
    let mut server = confirming();
    assert!(server.send(CH2, publish("", "transient", "m")).is_empty());
    assert_eq!(server.send(CH, publish("", "transient", "m")), ["ack 1"]);
}

#[test]
fn a_message_taken_at_once_is_confirmed_all_the_same() {
    let mut server = confirming();
    let options = stunt_double::rabbitmq::ConsumeOptions {
        consumer_tag: "a".into(),
        no_ack: true,
        ..Default::default()
    };
    server.send(OTHER, consume_with("durable", options));
    let said = burst(&mut server, (0..3).map(|_| persistent("durable", "m")).collect());
    assert_eq!(said, ["2/1 a<-m", "2/1 a<-m", "2/1 a<-m", "ack 3*"]);
}
