//! Counters, under the names of the management API.

use crate::support::*;
use std::time::Duration;
use stunt_double::rabbitmq::admin::MessageStats;
use stunt_double::rabbitmq::broker::Method;
use stunt_double::rabbitmq::{
    BrokerOptions, ExchangeBindOptions, FieldTable, Publish, QueueOptions,
};

/// The counters that are not 0.
fn counted(stats: MessageStats) -> Vec<(&'static str, u64)> {
    stats.iter().filter(|(_, count)| *count > 0).collect()
}

fn stats_of(server: &Server, queue: &str) -> Vec<(&'static str, u64)> {
    let rows = server.broker.list_queues();
    counted(rows.iter().find(|row| row.name == queue).unwrap().message_stats)
}

fn exchange_stats(server: &Server, exchange: &str) -> (u64, u64) {
    let rows = server.broker.list_exchanges();
    let stats = rows.iter().find(|row| row.name == exchange).unwrap().message_stats;
    (stats.publish_in, stats.publish_out)
}

#[test]
fn a_queue_counts_what_goes_in_and_out() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 5);
    server.send(CH, get("q"));
    server.send(CH, Method::BasicGet { queue: "q".into(), no_ack: true });
    server.nack(CH, 1);
    server.consume(CH2, "q", "c");
    server.send(CH2, ack(1, true));
    server.send(CH2, ack(4, true));
    server.send(CH, get("q"));
    assert_eq!(
        stats_of(&server, "q"),
        [
            ("publish", 5),
            ("deliver", 4),
            ("get", 1),
            ("get_no_ack", 1),
            ("get_empty", 1),
            ("redeliver", 1),
            ("ack", 4)
        ]
    );
    assert_eq!(server.broker.list_queues()[0].message_stats.deliver_get(), 6);
}

#[test]
fn reading_a_stream_counts_deliveries_and_acks() {
    let mut server = Server::new();
    let arguments = FieldTable::new().with("x-queue-type", "stream");
    server.declare_with("s", QueueOptions { arguments, ..durable() });
    server.qos(CH, 10, false);
    server.consume(CH, "s", "c");
    for i in 0..3 {
        server.publish("s", &i.to_string());
    }
    server.send(CH, ack(2, true));
    server.send(CH, ack(3, false));
    assert_eq!(stats_of(&server, "s"), [("publish", 3), ("deliver", 3), ("ack", 3)]);
}

#[test]
fn an_exchange_counts_messages_in_and_copies_out() {
    let mut server = Server::new();
    server.exchange("a", "fanout");
    server.exchange("b", "fanout");
    for queue in ["q1", "q2", "q3"] {
        server.declare(queue);
    }
    server.bind("q1", "a", "", FieldTable::new());
    server.bind("q2", "b", "", FieldTable::new());
    server.bind("q3", "b", "", FieldTable::new());
    let binding = Box::new(ExchangeBindOptions::new("b", "a", ""));
    server.send(CH, Method::ExchangeBind { binding, no_wait: false });
    server.send(CH, publish("a", "", "x"));
    server.send(CH, publish("a", "", "y"));
    server.publish("q1", "z");
    // Messages that another exchange routes on are not published to this one.
    assert_eq!(exchange_stats(&server, "a"), (2, 6));
    assert_eq!(exchange_stats(&server, "b"), (0, 0));
    assert_eq!(exchange_stats(&server, ""), (1, 1));
    let stats = server.broker.overview().message_stats;
    assert_eq!((stats.publish, stats.publish_out), (3, 7));
}

#[test]
fn the_broker_counts_confirms_and_what_reached_no_queue() {
    let mut server = Server::new();
    server.declare("q");
    server.send(CH, confirm_select());
    for _ in 0..3 {
        server.publish("q", "a");
    }
    server.publish("nowhere", "b");
    let mandatory = Publish { mandatory: true, ..Publish::new("", "nowhere", "c") };
    server.send(CH, Method::BasicPublish(mandatory));
    assert_eq!(
        counted(server.broker.overview().message_stats),
        [
            ("publish", 5),
            ("publish_in", 5),
            ("publish_out", 3),
            ("confirm", 5),
            ("return_unroutable", 1),
            ("drop_unroutable", 1)
        ]
    );
}

#[test]
fn a_publish_in_a_transaction_counts_at_its_commit() {
    let mut server = Server::new();
    server.declare("q");
    server.send(CH, Method::TxSelect);
    server.publish("q", "a");
    assert_eq!(exchange_stats(&server, ""), (0, 0));
    server.send(CH, Method::TxCommit);
    assert_eq!(exchange_stats(&server, ""), (1, 1));
    server.publish("q", "b");
    server.send(CH, Method::TxRollback);
    assert_eq!(exchange_stats(&server, ""), (1, 1));
}

#[test]
fn deleted_objects_stay_counted_until_a_restart() {
    let mut server = Server::new();
    server.exchange("x", "fanout");
    server.declare("q");
    server.bind("q", "x", "", FieldTable::new());
    server.send(CH, publish("x", "", "a"));
    server.send(CH, get("q"));
    let before = server.broker.overview();
    assert_eq!((before.queue_totals.messages, before.queue_totals.messages_unacknowledged), (1, 1));
    server.send(CH, delete("q", false, false));
    server.send(CH, delete_exchange("x", false));
    let after = server.broker.overview();
    assert_eq!(after.message_stats, before.message_stats);
    assert_eq!(after.queue_totals.messages, 0);
    assert_eq!((before.object_totals.queues, after.object_totals.queues), (1, 0));
    assert_eq!(before.object_totals.exchanges, after.object_totals.exchanges + 1);
    assert_eq!((after.object_totals.connections, after.object_totals.channels), (2, 3));

    server.broker.stop(server.now);
    server.broker.start(server.now);
    assert_eq!(counted(server.broker.overview().message_stats), []);
    assert_eq!(server.broker.overview().object_totals.connections, 0);
}

#[test]
fn rates_are_per_second_of_virtual_time() {
    let mut server = Server::with_options(BrokerOptions::default());
    server.declare("q");
    server.fill("q", 10);
    let (first, began) = (server.broker.overview().message_stats, server.now);
    server.fill("q", 30);
    server.wait(Duration::from_secs(60));
    let rates = server.broker.overview().message_stats.rate_since(&first, server.now - began);
    assert_eq!((rates.publish, rates.deliver_get()), (0.5, 0.0));
}
