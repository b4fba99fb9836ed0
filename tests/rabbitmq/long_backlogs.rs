//! Long backlogs: whatever is done to one, its messages stay what they are and keep their order.

use crate::support::*;
use std::time::Duration;
use stunt_double::rabbitmq::{BrokerOptions, FieldTable, Properties, QueueOptions, Version};

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

/// A quorum queue of 4.3, `q`.
fn quorum() -> Server {
    let mut server = Server::with_options(BrokerOptions::default().with_version(Version::V4_3));
    let arguments = FieldTable::new().with("x-queue-type", "quorum");
    server.declare_with("q", QueueOptions { arguments, ..durable() });
    server
}

impl Server {
    /// Fetches so many messages from `q`, returns them, and publishes others with a time to live
    /// before or after that. Returns how many are ready when it is over.
    fn outlives(&mut self, returned: usize, expiring: usize, expiring_first: bool) -> usize {
        self.fill("q", returned);
        for _ in 0..returned {
            assert_eq!(self.send(CH2, get("q")).len(), 1);
        }
        let properties = Properties::default().with_expiration("1000");
        let others = (0..expiring).map(|_| publish_with("", "q", "expires", properties.clone()));
        let mut inputs: Vec<_> = others.map(|publish| (CH, publish)).collect();
        inputs.insert(if expiring_first { expiring } else { 0 }, (CH2, nack(0, true, true)));
        for (channel, method) in inputs {
            assert!(self.send(channel, method).is_empty());
        }
        let ready = |server: &Server| server.broker.list_queues()[0].messages_ready;
        assert_eq!(ready(self), returned + expiring);
        self.broker.check_invariants().unwrap();
        self.wait(Duration::from_millis(999));
        assert_eq!(ready(self), returned + expiring);
        self.wait(Duration::from_millis(1));
        self.broker.check_invariants().unwrap();
        ready(self)
    }
}

#[test]
fn a_quorum_queue_drops_all_that_expire_behind_what_was_returned() {
    for (returned, expiring_first) in [(1, true), (1, false), (1_500, true), (1_500, false)] {
        let mut server = quorum();
        let left = server.outlives(returned, 3_000, expiring_first);
        assert_eq!(left, returned, "of {returned}, expiring first: {expiring_first}");
        let kept: Vec<String> = numbers(0..returned).into_iter().map(|body| body + "R").collect();
        assert_eq!(server.contents("q"), kept);
    }
}
