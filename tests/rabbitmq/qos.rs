//! Prefetch limits: of each consumer, and of the channel.

use crate::support::*;

fn filled() -> Server {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 10);
    server
}

#[test]
fn a_limit_that_is_not_global_holds_for_each_new_consumer() {
    let mut server = filled();
    server.qos(CH, 1, false);
    assert_eq!(server.consume(CH, "q", "a"), ["a<-0"]);
    server.qos(CH, 3, false);
    assert_eq!(server.consume(CH, "q", "b"), ["b<-1", "b<-2", "b<-3"]);
    assert_eq!(server.ack(CH, 1), ["a<-4"], "the existing one keeps its own");
}

#[test]
fn a_global_limit_holds_for_the_whole_channel() {
    let mut server = filled();
    server.qos(CH, 3, true);
    assert_eq!(server.consume(CH, "q", "a").len(), 3);
    assert_eq!(server.consume(CH, "q", "b").len(), 0);
    assert_eq!(server.ack(CH, 1), ["a<-3"]);
    assert_eq!(server.ack(CH, 2), ["b<-4"], "they alternate");
}

#[test]
fn both_limits_hold_together() {
    let mut server = filled();
    server.qos(CH, 2, false);
    server.qos(CH, 3, true);
    assert_eq!(server.consume(CH, "q", "a"), ["a<-0", "a<-1"]);
    assert_eq!(server.consume(CH, "q", "b"), ["b<-2"]);
    assert_eq!(server.ack(CH, 3), ["b<-3"], "exactly one more");
}

#[test]
fn a_limit_that_is_not_global_removes_the_global_one() {
    let mut server = filled();
    server.qos(CH, 1, true);
    server.consume(CH, "q", "a");
    assert_eq!(server.qos(CH, 0, false).len(), 9);
}

#[test]
fn raising_the_global_limit_resumes_at_once_and_lowering_recalls_nothing() {
    let mut server = filled();
    server.qos(CH, 3, true);
    server.consume(CH, "q", "a");
    assert_eq!(server.qos(CH, 5, true), ["a<-3", "a<-4"]);
    assert_eq!(server.qos(CH, 1, true).len(), 0);
    for tag in 1..=4 {
        assert_eq!(server.ack(CH, tag).len(), 0, "{} are still out", 5 - tag);
    }
    assert_eq!(server.ack(CH, 5), ["a<-5"]);
    assert_eq!(server.qos(CH, 0, true).len(), 4, "no limit");
}

#[test]
fn get_takes_no_room() {
    let mut server = filled();
    server.qos(CH, 2, true);
    (0..3).for_each(|_| drop(server.send(CH, get("q"))));
    assert_eq!(server.consume(CH, "q", "a").len(), 2);
    for tag in 1..=3 {
        assert_eq!(server.ack(CH, tag).len(), 0, "and its ack frees none");
    }
    assert_eq!(server.ack(CH, 4).len(), 1);
}

#[test]
fn deliveries_of_a_cancelled_consumer_still_count_for_the_channel() {
    let mut server = filled();
    server.qos(CH, 1, true);
    server.consume(CH, "q", "a");
    server.send(CH, cancel("a"));
    assert_eq!(server.consume(CH, "q", "b").len(), 0);
    assert_eq!(server.ack(CH, 1), ["b<-1"]);
}

#[test]
fn a_reject_frees_room_like_an_ack() {
    let mut server = filled();
    server.qos(CH, 1, false);
    server.consume(CH, "q", "a");
    assert_eq!(server.send(CH, reject(1, false)), ["a<-1"]);
}

#[test]
fn limits_of_two_channels_do_not_mix() {
    let mut server = filled();
    server.qos(CH, 1, true);
    assert_eq!(server.consume(CH, "q", "a").len(), 1);
    assert_eq!(server.consume(CH2, "q", "b").len(), 9);
}
