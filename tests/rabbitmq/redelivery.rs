//! Messages that return: where they go, and how they are marked.

use crate::support::*;
use stunt_double::rabbitmq::broker::{ChannelId, Method};

fn filled(count: usize) -> Server {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", count);
    server
}

#[test]
fn a_requeued_message_returns_to_its_original_position() {
    let mut server = filled(5);
    (0..3).for_each(|_| drop(server.send(CH, get("q"))));
    server.nack(CH, 2);
    assert_eq!(server.contents("q"), ["1R", "3", "4"]);

    let mut server = filled(3);
    (0..3).for_each(|_| drop(server.send(CH, get("q"))));
    server.nack(CH, 3);
    server.nack(CH, 1);
    server.publish("q", "9");
    assert_eq!(server.contents("q"), ["0R", "2R", "9"]);
}

#[test]
fn two_dead_consumers_leave_the_original_order() {
    let mut server = Server::new();
    server.declare("q");
    server.consume(CH2, "q", "a");
    server.consume(OTHER, "q", "b");
    for i in 0..6 {
        server.publish("q", &i.to_string());
    }
    server.send(CH2, Method::ChannelClose);
    server.broker.connection_lost(server.now, OTHER.connection);
    assert_eq!(server.contents("q"), ["0R", "1R", "2R", "3R", "4R", "5R"]);
}

#[test]
fn prefetched_messages_that_were_not_read_are_redelivered_too() {
    let mut server = filled(4);
    server.qos(OTHER, 3, false);
    server.consume(OTHER, "q", "a");
    server.broker.connection_lost(server.now, OTHER.connection);
    assert_eq!(server.contents("q"), ["0R", "1R", "2R", "3"]);
}

/// One consumer's view of five messages if it nacks the first at once.
fn nacking_the_first(prefetch: u16) -> Vec<String> {
    let mut server = filled(5);
    server.qos(CH, prefetch, false);
    let mut seen = server.consume(CH, "q", "a");
    seen.extend(server.nack(CH, 1));
    for tag in 2..=6 {
        seen.extend(server.ack(CH, tag));
    }
    seen
}

#[test]
fn the_prefetch_decides_who_gets_a_nacked_message() {
    assert_eq!(nacking_the_first(1), ["a<-0", "a<-0R", "a<-1", "a<-2", "a<-3", "a<-4"]);
    assert_eq!(nacking_the_first(2), ["a<-0", "a<-1", "a<-0R", "a<-2", "a<-3", "a<-4"]);
    assert_eq!(nacking_the_first(0), ["a<-0", "a<-1", "a<-2", "a<-3", "a<-4", "a<-0R"]);
}

#[test]
fn multiple_settles_across_queues_up_to_its_tag() {
    let mut server = Server::new();
    server.declare("q");
    server.declare("p");
    server.fill("q", 2);
    server.fill("p", 2);
    for queue in ["q", "p", "q", "p"] {
        server.send(CH, get(queue));
    }
    assert!(server.send(CH, ack(3, true)).is_empty());
    assert_eq!(server.ack(CH, 2), ["406 60/80 PRECONDITION_FAILED - unknown delivery tag 2"]);
    server.send(CH, Method::ChannelCloseOk);
    assert_eq!((server.contents("q").len(), server.contents("p")), (0, vec!["1R".to_owned()]));
}

#[test]
fn nack_multiple_returns_everything_in_order() {
    let mut server = filled(5);
    (0..4).for_each(|_| drop(server.send(CH, get("q"))));
    server.send(CH, nack(3, true, true));
    assert_eq!(server.contents("q"), ["0R", "1R", "2R", "4"]);
    server.send(CH, nack(0, true, true));
    assert_eq!(server.contents("q"), ["3R"]);
}

#[test]
fn nack_multiple_goes_by_consumer_tag_including_cancelled_consumers() {
    for (cancelled, live, expected) in
        [("a", "z", ["z<-0R", "z<-1R", "z<-2R"]), ("z", "a", ["a<-2R", "a<-0R", "a<-1R"])]
    {
        let mut server = filled(2);
        server.consume(CH, "q", cancelled);
        server.send(CH, cancel(cancelled));
        server.consume(CH, "q", live);
        server.publish("q", "2");
        assert_eq!(server.send(CH, nack(0, true, true)), expected);
    }
}

#[test]
fn a_tag_used_again_is_settled_together_with_its_former_holder() {
    let mut server = filled(2);
    server.consume(CH, "q", "a");
    server.send(CH, cancel("a"));
    server.consume(CH, "q", "a");
    server.publish("q", "2");
    assert_eq!(server.nack(CH, 1), ["a<-0R"]);
    assert_eq!(server.send(CH, nack(0, true, true)), ["a<-0R", "a<-1R", "a<-2R"]);
}

#[test]
fn a_message_rejected_without_requeue_is_gone() {
    let mut server = filled(3);
    (0..3).for_each(|_| drop(server.send(CH, get("q"))));
    server.send(CH, reject(1, false));
    server.send(CH, nack(0, true, false));
    server.send(CH, Method::ChannelClose);
    assert_eq!(server.contents("q"), [] as [&str; 0]);
}

#[test]
fn recover_answers_first_and_then_redelivers_in_order() {
    let mut server = filled(3);
    server.consume(CH, "q", "a");
    let said = server.send(CH, Method::BasicRecover { requeue: true });
    assert_eq!(said, ["basic.recover-ok", "a<-0R", "a<-1R", "a<-2R"]);
    assert_eq!(server.ack(CH, 1), ["406 60/80 PRECONDITION_FAILED - unknown delivery tag 1"]);
}

#[test]
fn recover_redelivers_by_turns_not_to_the_former_holder() {
    let mut server = Server::new();
    server.declare("q");
    server.consume(CH, "q", "a");
    server.consume(CH2, "q", "b");
    for i in 0..6 {
        server.publish("q", &i.to_string());
    }
    let said = server.send(CH, Method::BasicRecover { requeue: true });
    assert_eq!(said, ["basic.recover-ok", "a<-0R", "1/2 b<-2R", "a<-4R"]);
}

#[test]
fn recover_returns_messages_fetched_by_get() {
    let mut server = filled(2);
    server.send(CH, get("q"));
    assert_eq!(server.send(CH, Method::BasicRecover { requeue: true }), ["basic.recover-ok"]);
    assert_eq!(server.contents("q"), ["0R", "1"]);
}

#[test]
fn a_message_that_was_not_delivered_is_not_redelivered() {
    let mut server = filled(2);
    server.send(CH, get("q"));
    server.send(CH, Method::ChannelClose);
    assert_eq!(server.contents("q"), ["0R", "1"]);
}

#[test]
fn the_death_of_a_consumer_feeds_the_others_in_order() {
    let mut server = Server::new();
    server.declare("q");
    let third = ChannelId::new(3, 1);
    server.open_connection(third);
    server.consume(third, "q", "dying");
    for i in 0..3 {
        server.publish("q", &i.to_string());
    }
    server.consume(CH, "q", "heir");
    server.broker.connection_lost(server.now, third.connection);
    assert_eq!(server.drain(), ["heir<-0R", "heir<-1R", "heir<-2R"]);
}
