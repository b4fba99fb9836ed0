//! How objects are created, and when they are deleted.

use crate::support::*;
use stunt_double::rabbitmq::broker::Method;
use stunt_double::rabbitmq::{ExchangeOptions, FieldTable, QueueOptions};

fn auto_delete() -> QueueOptions {
    QueueOptions { auto_delete: true, ..Default::default() }
}

fn exclusive() -> QueueOptions {
    QueueOptions { exclusive: true, ..Default::default() }
}

fn queues(server: &Server) -> Vec<String> {
    server.broker.list_queues().iter().map(|row| row.name.to_string()).collect()
}

#[test]
fn an_auto_delete_queue_goes_after_its_last_consumer_not_before_its_first() {
    let mut server = Server::new();
    server.declare_with("q", auto_delete());
    server.send(CH, get("q"));
    server.send(CH2, Method::ChannelClose);
    assert_eq!(queues(&server), ["q"], "a get is not a consumer");
    server.consume(CH, "q", "a");
    server.consume(CH, "q", "b");
    server.send(CH, cancel("a"));
    assert_eq!(queues(&server), ["q"]);
    server.send(CH, cancel("b"));
    assert_eq!(queues(&server), [] as [&str; 0]);
}

#[test]
fn an_auto_delete_queue_goes_with_its_consumers_channel_or_connection() {
    for by_channel in [true, false] {
        let mut server = Server::new();
        server.declare_with("q", auto_delete());
        server.publish("q", "unacked messages do not save it");
        server.consume(OTHER, "q", "a");
        if by_channel {
            server.send(OTHER, Method::ChannelClose);
        } else {
            server.broker.connection_lost(server.now, OTHER.connection);
        }
        assert_eq!(queues(&server), [] as [&str; 0]);
    }
}

#[test]
fn an_auto_delete_exchange_goes_after_its_last_binding_as_a_source() {
    let mut server = Server::new();
    let options = ExchangeOptions { auto_delete: true, ..Default::default() };
    server.send(CH, exchange_with("e", options));
    server.declare("q");
    server.declare("p");
    let exists = |server: &Server| server.broker.list_exchanges().iter().any(|row| row.name == "e");
    server.bind("q", "e", "k", FieldTable::new());
    server.bind("p", "e", "k", FieldTable::new());
    server.send(CH, unbind("q", "e", "k"));
    assert!(exists(&server));
    server.send(CH, delete("p", false, false));
    assert!(!exists(&server), "a deleted queue takes its bindings along");
}

#[test]
fn an_exclusive_queue_survives_its_channel_and_dies_with_its_connection() {
    let mut server = Server::new();
    server.declare_with("q", exclusive());
    server.send(CH, Method::ChannelClose);
    assert_eq!(queues(&server), ["q"]);
    server.broker.connection_lost(server.now, CH.connection);
    assert_eq!(queues(&server), [] as [&str; 0]);
    assert!(server.send(OTHER, publish("", "q", "into the void")).is_empty());
}

#[test]
fn a_durable_exclusive_queue_is_stored_as_not_durable() {
    let mut server = Server::new();
    server.declare_with("q", QueueOptions { durable: true, ..exclusive() });
    let row = server.broker.list_queues().remove(0);
    assert!(!row.durable && row.exclusive);
}

#[test]
fn server_named_queues_have_22_characters_of_url_safe_base64() {
    let mut server = Server::new();
    for _ in 0..50 {
        let said = server.send(CH, declare("", QueueOptions::default())).concat();
        let name = said.split(' ').nth(1).unwrap();
        let random = name.strip_prefix("amq.gen-").unwrap();
        assert_eq!(random.len(), 22);
        assert!(random.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{name}");
    }
    assert_eq!(queues(&server).len(), 50);
}

#[test]
fn server_made_consumer_tags_look_like_rabbitmqs() {
    let mut server = Server::new();
    server.declare("q");
    let said = server.send(CH, consume("q", "")).concat();
    assert!(said.starts_with("basic.consume-ok amq.ctag-"), "{said}");
    assert_eq!(said.len(), "basic.consume-ok amq.ctag-".len() + 22);
}

#[test]
fn a_server_named_queue_cannot_be_redeclared_by_name() {
    let mut server = Server::new();
    let said = server.send(CH, declare("", QueueOptions::default())).concat();
    let name = said.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(server.send(CH2, passive(&name)), [format!("1/2 declare-ok {name} 0 0")]);
    let said = server.send(CH, declare(&name, QueueOptions::default())).concat();
    assert!(said.starts_with("403 50/10 ACCESS_REFUSED - queue name 'amq.gen-"), "{said}");
}

#[test]
fn binding_the_last_declared_queue_by_no_name_and_no_key_binds_its_name() {
    let mut server = Server::new();
    server.declare("q");
    server.bind("", "amq.direct", "", FieldTable::new());
    let rows = server.broker.list_bindings();
    let row = rows.iter().find(|row| row.source == "amq.direct").unwrap();
    assert_eq!((row.destination.as_str(), row.routing_key.as_str()), ("q", "q"));
}

#[test]
fn deleting_a_queue_answers_and_then_cancels_its_consumers_by_tag() {
    let mut server = Server::new();
    server.declare("q");
    for tag in ["c", "a", "b"] {
        server.consume(CH, "q", tag);
    }
    let said = server.send(CH, delete("q", false, false));
    assert_eq!(said, ["queue.delete-ok 0", "basic.cancel a", "basic.cancel b", "basic.cancel c"]);
}

#[test]
fn acking_messages_of_a_deleted_queue_is_fine_once() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 2);
    (0..2).for_each(|_| drop(server.send(CH, get("q"))));
    server.send(CH, delete("q", false, false));
    assert!(server.ack(CH, 1).is_empty());
    assert!(server.nack(CH, 2).is_empty(), "nowhere to requeue to");
    assert_eq!(server.ack(CH, 1), ["406 60/80 PRECONDITION_FAILED - unknown delivery tag 1"]);
}

#[test]
fn purge_leaves_unacked_messages() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 3);
    server.send(CH, get("q"));
    assert_eq!(server.send(CH, purge("q")), ["queue.purge-ok 2"]);
    server.nack(CH, 1);
    assert_eq!(server.contents("q"), ["0R"]);
}

#[test]
fn no_wait_methods_are_silent() {
    let mut server = Server::new();
    let queue =
        Method::QueueDeclare { queue: "q".into(), options: QueueOptions::default(), no_wait: true };
    assert!(server.send(CH, queue).is_empty());
    assert!(server.send(CH, Method::ConfirmSelect { no_wait: true }).is_empty());
    assert!(server.send(CH, Method::QueuePurge { queue: "q".into(), no_wait: true }).is_empty());
    assert_eq!(queues(&server), ["q"]);
}
