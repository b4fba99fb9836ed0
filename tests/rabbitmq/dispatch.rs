//! Which consumer gets a message: the ring, lazy blocking, the order of events.

use crate::support::*;
use stunt_double::rabbitmq::ConsumeOptions;
use stunt_double::rabbitmq::broker::Method;

/// Publishes these bodies and returns which consumer got what.
fn feed(server: &mut Server, bodies: &str) -> String {
    bodies
        .chars()
        .flat_map(|body| server.publish("q", &body.to_string()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn consumers_take_turns_and_a_joiner_goes_to_the_tail() {
    let mut server = Server::new();
    server.declare("q");
    for tag in ["a", "b", "c"] {
        server.consume(CH, "q", tag);
    }
    assert_eq!(feed(&mut server, "0123456"), "a<-0 b<-1 c<-2 a<-3 b<-4 c<-5 a<-6");
    server.send(CH, cancel("b"));
    assert_eq!(feed(&mut server, "0123"), "c<-0 a<-1 c<-2 a<-3");
    server.consume(CH, "q", "d");
    assert_eq!(feed(&mut server, "012345"), "c<-0 a<-1 d<-2 c<-3 a<-4 d<-5");
}

#[test]
fn without_a_limit_the_first_consumer_takes_everything() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 3_000);
    assert_eq!(server.consume(CH, "q", "a").len(), 3_000);
    assert_eq!(server.consume(CH, "q", "b").len(), 0);
    assert_eq!(feed(&mut server, "0123"), "a<-0 b<-1 a<-2 b<-3");
}

#[test]
fn consume_ok_comes_before_the_deliveries() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 2);
    let said = server.send(CH, consume("q", "a"));
    assert_eq!(said, ["basic.consume-ok a", "a<-0", "a<-1"]);
}

#[test]
fn acking_before_the_next_attempt_keeps_a_consumers_place() {
    let mut server = Server::new();
    server.declare("q");
    server.qos(CH, 1, false);
    server.consume(CH, "q", "a");
    server.consume(CH, "q", "b");
    assert_eq!(feed(&mut server, "01"), "a<-0 b<-1");
    // Both are full, but neither was asked, so both are still in the ring, a first.
    server.ack(CH, 2);
    server.ack(CH, 1);
    assert_eq!(feed(&mut server, "23"), "a<-2 b<-3");
}

#[test]
fn blocked_consumers_rejoin_in_the_order_they_unblock() {
    let mut server = Server::new();
    server.declare("q");
    server.qos(CH, 1, false);
    server.consume(CH, "q", "a");
    server.consume(CH, "q", "b");
    assert_eq!(feed(&mut server, "01"), "a<-0 b<-1");
    assert_eq!(feed(&mut server, "2"), "", "the attempt takes both out of the ring");
    assert_eq!(server.ack(CH, 2), ["b<-2"]);
    assert_eq!(server.ack(CH, 1), [] as [&str; 0]);
    assert_eq!(server.ack(CH, 3), [] as [&str; 0]);
    assert_eq!(feed(&mut server, "34"), "b<-3 a<-4");
}

#[test]
fn a_nacked_message_goes_to_an_idle_peer() {
    let mut server = Server::new();
    server.declare("q");
    server.qos(CH, 1, false);
    server.consume(CH, "q", "a");
    server.consume(CH, "q", "b");
    assert_eq!(feed(&mut server, "0"), "a<-0");
    assert_eq!(server.nack(CH, 1), ["b<-0R"]);
}

#[test]
fn tags_count_gets_and_deliveries_of_the_channel_together() {
    let mut server = Server::new();
    server.declare("q");
    server.declare("p");
    server.fill("q", 1);
    server.send(CH, get("q"));
    server.consume(CH, "p", "a");
    server.publish("p", "m");
    assert!(server.ack(CH, 2).is_empty(), "the delivery is number 2");
    assert!(server.ack(CH, 1).is_empty(), "the get was number 1");
    assert_eq!(server.ack(CH, 3), ["406 60/80 PRECONDITION_FAILED - unknown delivery tag 3"]);
}

#[test]
fn a_cancelled_consumer_keeps_its_unacked_deliveries() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 3);
    server.consume(CH, "q", "a");
    assert_eq!(server.send(CH, cancel("a")), ["basic.cancel-ok a"]);
    assert!(server.ack(CH, 1).is_empty(), "still to be acked");
    assert_eq!(server.send(CH, passive("q")), ["declare-ok q 0 0"]);
    server.send(CH, Method::ChannelClose);
    assert_eq!(server.contents("q"), ["1R", "2R"]);
}

#[test]
fn cancelling_an_unknown_consumer_is_fine() {
    let mut server = Server::new();
    assert_eq!(server.send(CH, cancel("nobody")), ["basic.cancel-ok nobody"]);
}

#[test]
fn counts_leave_out_unacked_messages() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 5);
    assert_eq!(server.send(CH, get("q")), ["get 0 4"], "after the removal");
    assert_eq!(server.send(CH, get("q")), ["get 1 3"]);
    assert_eq!(server.send(CH, passive("q")), ["declare-ok q 3 0"]);
    assert_eq!(server.send(CH, purge("q")), ["queue.purge-ok 3"]);
    assert_eq!(server.send(CH, delete("q", false, false)), ["queue.delete-ok 0"]);
}

#[test]
fn an_auto_acking_consumer_is_never_full() {
    let mut server = Server::new();
    server.declare("q");
    server.qos(CH, 1, false);
    let options = ConsumeOptions { consumer_tag: "a".into(), no_ack: true, ..Default::default() };
    server.send(CH, consume_with("q", options));
    assert_eq!(feed(&mut server, "0123"), "a<-0 a<-1 a<-2 a<-3");
}

#[test]
fn a_consumer_tag_may_be_used_again_on_another_channel() {
    let mut server = Server::new();
    server.declare("q");
    server.consume(CH, "q", "a");
    assert_eq!(server.send(CH2, consume("q", "a")), ["1/2 basic.consume-ok a"]);
}
