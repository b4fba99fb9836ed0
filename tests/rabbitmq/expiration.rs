//! The `expiration` of messages: when they expire, and what does not change that.

use crate::support::*;
use std::time::Duration;
use stunt_double::rabbitmq::broker::Method;
use stunt_double::rabbitmq::{Properties, QueueOptions};

const MS: Duration = Duration::from_millis(1);

impl Server {
    /// Publishes a transient message to `q`, with a time to live.
    fn expiring(&mut self, body: &str, ms: u64) -> Vec<String> {
        let properties = Properties::default().with_expiration(ms.to_string());
        self.send(CH, publish_with("", "q", body, properties))
    }

    /// Publishes a persistent message to `q`, with a time to live.
    fn persistent_expiring(&mut self, body: &str, ms: u64) -> Vec<String> {
        let properties = Properties::default().persistent().with_expiration(ms.to_string());
        self.send(CH, publish_with("", "q", body, properties))
    }

    fn ready(&self) -> usize {
        self.broker.list_queues()[0].messages_ready
    }
}

fn with_queue(options: QueueOptions) -> Server {
    let mut server = Server::new();
    server.declare_with("q", options);
    server
}

fn transient() -> Server {
    with_queue(QueueOptions::default())
}

#[test]
fn a_message_expires_exactly_on_time() {
    let mut server = transient();
    server.expiring("m", 100);
    assert_eq!(server.broker.poll_timeout(), Some(server.now + 100 * MS));
    server.wait(100 * MS - Duration::from_nanos(1));
    assert_eq!(server.ready(), 1);
    assert_eq!(server.wait(Duration::from_nanos(1)), [] as [&str; 0], "it goes in silence");
    assert_eq!(server.ready(), 0);
    assert_eq!(server.broker.poll_timeout(), None);
}

#[test]
fn an_expired_message_is_invisible_at_the_moment_it_expires() {
    for (method, expected) in [
        (get("q"), "get-empty"),
        (passive("q"), "declare-ok q 0 0"),
        (purge("q"), "queue.purge-ok 0"),
        (delete("q", false, true), "queue.delete-ok 0"),
        (consume("q", "a"), "basic.consume-ok a"),
    ] {
        let mut server = transient();
        server.expiring("m", 100);
        server.now += 100 * MS;
        assert_eq!(server.send(CH, method), [expected], "before the timer has fired");
    }
}

#[test]
fn an_expired_message_stays_behind_a_head_that_has_not_expired() {
    let mut server = transient();
    server.expiring("long", 1_000);
    server.expiring("short", 100);
    server.wait(999 * MS);
    assert_eq!(server.ready(), 2);
    server.wait(MS);
    assert_eq!(server.ready(), 0);
}

#[test]
fn an_expired_message_is_dropped_when_it_becomes_the_head() {
    let mut server = transient();
    server.publish("q", "head");
    server.expiring("short", 100);
    server.publish("q", "next");
    server.wait(200 * MS);
    assert_eq!(server.send(CH, passive("q")), ["declare-ok q 3 0"]);
    assert_eq!(server.send(CH, get("q")), ["get head 1"], "the count leaves it out");
    assert_eq!(server.contents("q"), ["next"]);

    let mut server = transient();
    server.publish("q", "head");
    server.expiring("short", 100);
    server.publish("q", "next");
    server.wait(200 * MS);
    assert_eq!(server.consume(CH, "q", "a"), ["a<-head", "a<-next"]);
}

#[test]
fn a_message_behind_its_head_counts_when_purged() {
    let mut server = transient();
    server.publish("q", "head");
    server.expiring("short", 0);
    assert_eq!(server.send(CH, purge("q")), ["queue.purge-ok 2"]);
}

#[test]
fn a_requeue_does_not_restart_the_time_to_live() {
    let mut server = transient();
    server.expiring("m", 100);
    server.wait(60 * MS);
    server.send(CH, get("q"));
    assert!(server.nack(CH, 1).is_empty());
    server.wait(39 * MS);
    assert_eq!(server.ready(), 1);
    server.wait(MS);
    assert_eq!(server.ready(), 0);
}

#[test]
fn a_message_that_expired_while_unacked_is_dropped_when_it_comes_back() {
    for back in [nack(1, false, true), Method::BasicRecover { requeue: true }, Method::ChannelClose]
    {
        let mut server = transient();
        server.expiring("m", 100);
        server.send(CH, get("q"));
        server.wait(200 * MS);
        server.send(CH, back);
        assert_eq!(server.ready(), 0);
    }
}

#[test]
fn a_message_that_expired_while_unacked_can_still_be_acked() {
    let mut server = transient();
    server.expiring("m", 100);
    server.send(CH, get("q"));
    server.wait(200 * MS);
    assert!(server.ack(CH, 1).is_empty());
}

#[test]
fn an_expired_message_that_comes_back_behind_another_stays() {
    let mut server = transient();
    server.publish("q", "head");
    server.expiring("short", 100);
    (0..2).for_each(|_| drop(server.send(CH, get("q"))));
    server.wait(200 * MS);
    server.send(CH, nack(2, true, true));
    assert_eq!(server.send(CH, passive("q")), ["declare-ok q 2 0"]);
    assert_eq!(server.send(CH, get("q")), ["get headR 0"]);
}

#[test]
fn an_expiration_of_zero_only_reaches_a_ready_consumer() {
    let mut server = transient();
    server.expiring("nobody", 0);
    assert_eq!(server.ready(), 0);
    server.consume(CH, "q", "a");
    assert_eq!(server.expiring("m", 0), ["a<-m"]);
}

#[test]
fn a_zero_expiration_without_a_ready_consumer_is_confirmed_and_not_returned() {
    for options in [QueueOptions::default(), durable()] {
        let mut server = with_queue(options);
        server.send(CH, confirm_select());
        let mut said = server.persistent_expiring("m", 0);
        said.extend(server.settle());
        assert_eq!(said, ["ack 1"]);
    }
}

#[test]
fn a_fanout_expires_in_each_queue_by_itself() {
    let mut server = transient();
    server.declare("p");
    server.exchange("all", "fanout");
    for queue in ["q", "p"] {
        server.bind(queue, "all", "", Default::default());
    }
    server.publish("p", "head");
    let properties = Properties::default().with_expiration("100");
    server.send(CH, publish_with("all", "", "m", properties));
    server.wait(100 * MS);
    assert_eq!(server.contents("q"), [] as [&str; 0]);
    assert_eq!(server.send(CH, passive("p")), ["declare-ok p 2 0"]);
}

#[test]
fn time_passes_while_the_broker_is_down() {
    for (down, left) in [(50, vec!["young", "lasting"]), (100, vec!["lasting"])] {
        let mut server = with_queue(durable());
        server.persistent_expiring("old", 100);
        server.persistent_expiring("young", 150);
        server.send(CH, persistent("q", "lasting"));
        server.wait(50 * MS);
        server.broker.stop(server.now);
        server.drain();
        server.now += down * MS;
        server.broker.start(server.now);
        assert_eq!(server.contents("q"), left, "after {down} ms");
    }
}

#[test]
fn the_timer_runs_again_after_a_restart() {
    let mut server = with_queue(durable());
    server.persistent_expiring("m", 1_000);
    server.wait(300 * MS);
    server.broker.kill(server.now);
    server.broker.start(server.now);
    assert_eq!(server.ready(), 1);
    server.wait(700 * MS);
    assert_eq!(server.ready(), 0);
}

#[test]
fn a_crash_does_not_bring_back_what_has_expired() {
    for wait in [100, 150, 1_000] {
        let mut server = with_queue(durable());
        server.persistent_expiring("m", 300);
        server.wait(200 * MS);
        server.wait(wait * MS);
        server.broker.power_loss(server.now);
        server.broker.start(server.now);
        assert_eq!(server.ready(), 0, "its going may not be on disk, but its time is");
    }
}

#[test]
fn a_crash_that_undoes_an_ack_leaves_the_time_to_live() {
    let mut server = with_queue(durable());
    server.persistent_expiring("m", 1_000);
    server.wait(300 * MS);
    server.send(CH, get("q"));
    server.ack(CH, 1);
    server.broker.kill(server.now);
    server.broker.start(server.now);
    assert_eq!(server.ready(), 1, "the ack was undone");
    server.wait(700 * MS);
    assert_eq!(server.ready(), 0);
}

#[test]
fn at_one_moment_expiry_comes_before_the_disk() {
    let mut server = with_queue(durable());
    server.persistent_expiring("m", 200);
    server.send(CH, persistent("q", "lasting"));
    server.wait(200 * MS);
    server.broker.kill(server.now);
    server.broker.start(server.now);
    assert_eq!(server.ready(), 0, "the queue was not idle: a message went");
}

#[test]
fn the_expiration_is_delivered_as_it_was_published() {
    let mut server = transient();
    server.expiring("m", 100);
    let got = server.broker.basic_get(server.now, CH, "q", true).unwrap().unwrap();
    assert_eq!(got.message.properties().expiration(), Some("100"));
}
