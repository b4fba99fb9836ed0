//! Long backlogs: whatever is done to one, its messages stay what they are and keep their order.

use crate::support::*;
use std::time::Duration;
use stunt_double::rabbitmq::{FieldTable, Properties, QueueOptions};

/// Far more messages than are kept as they came.
const MANY: usize = 20_000;

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn filled(options: QueueOptions) -> Server {
    let mut server = Server::new();
    server.declare_with("q", options);
    server.fill("q", MANY);
    server
}

fn limited(name: &str, value: i64) -> QueueOptions {
    let arguments = FieldTable::from_iter([(name, value)]);
    QueueOptions { arguments, ..QueueOptions::default() }
}

#[test]
fn it_is_read_in_order_and_purged_to_the_last_message() {
    let mut server = filled(QueueOptions::default());
    assert_eq!(server.broker.list_queues()[0].messages_ready, MANY);
    assert_eq!(server.send(CH, purge("q")), [format!("queue.purge-ok {MANY}")]);
    server.fill("q", MANY);
    server.broker.check_invariants().unwrap();
    assert_eq!(server.contents("q"), numbers(0..MANY));
}

#[test]
fn messages_that_return_go_before_those_that_have_waited() {
    let mut server = filled(QueueOptions::default());
    for _ in 0..3_000 {
        assert_eq!(server.send(CH2, get("q")).len(), 1);
    }
    // Every second one is settled, the others return.
    for tag in (1..=3_000).step_by(2) {
        server.ack(CH2, tag);
    }
    server.send(CH2, nack(0, true, true));
    server.broker.check_invariants().unwrap();
    let returned = numbers(0..3_000).into_iter().skip(1).step_by(2).map(|body| body + "R");
    let expected: Vec<String> = returned.chain(numbers(3_000..MANY)).collect();
    assert_eq!(server.contents("q"), expected);
}

#[test]
fn a_limit_drops_its_oldest_messages() {
    let mut server = filled(limited("x-max-length", 17_000));
    server.broker.check_invariants().unwrap();
    assert_eq!(server.contents("q"), numbers(MANY - 17_000..MANY));
}

#[test]
fn a_time_to_live_ends_at_its_head_only() {
    let mut server = filled(QueueOptions::default());
    let properties = Properties::default().with_expiration("10");
    server.send(CH, publish_with("", "q", "late", properties));
    server.wait(Duration::from_millis(20));
    assert_eq!(server.broker.list_queues()[0].messages_ready, MANY + 1, "it is not at the head");

    let mut server = filled(limited("x-message-ttl", 10));
    server.wait(Duration::from_millis(5));
    server.fill("q", 3);
    server.wait(Duration::from_millis(5));
    assert_eq!(server.contents("q"), numbers(0..3), "all of the first have expired");
}

#[test]
fn a_restart_keeps_what_was_persistent() {
    let mut server = Server::new();
    server.declare_with("q", durable());
    for i in 0..MANY {
        let body = i.to_string();
        let method = if i % 3 == 0 { persistent("q", &body) } else { publish("", "q", &body) };
        assert!(server.send(CH, method).is_empty());
    }
    server.settle();
    server.broker.stop(server.now);
    server.drain();
    server.broker.start(server.now);
    server.connect();
    server.broker.check_invariants().unwrap();
    let kept: Vec<String> = numbers(0..MANY).into_iter().step_by(3).collect();
    let found = server.contents("q");
    let found: Vec<&str> = found.iter().map(|body| body.trim_end_matches('R')).collect();
    assert_eq!(found, kept);
}
