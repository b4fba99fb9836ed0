//! The listings, as rows and as `rabbitmqctl -q` prints them.

use crate::support::*;
use stunt_double::rabbitmq::{FieldTable, FieldValue, QueueOptions};

#[test]
fn list_queues_shows_ready_and_unacknowledged() {
    let mut server = Server::new();
    server.declare("hello");
    server.declare_with("task_queue", durable());
    server.fill("hello", 5);
    (0..2).for_each(|_| drop(server.send(CH, get("hello"))));
    assert_eq!(
        server
            .broker
            .rabbitmqctl("list_queues name messages_ready messages_unacknowledged")
            .unwrap(),
        "name\tmessages_ready\tmessages_unacknowledged\nhello\t3\t2\ntask_queue\t0\t0\n"
    );
    assert_eq!(
        server.broker.rabbitmqctl("list_queues").unwrap(),
        "name\tmessages\nhello\t5\ntask_queue\t0\n"
    );
    let rows = server.broker.list_queues();
    assert_eq!(
        (rows[0].messages_ready, rows[0].messages_unacknowledged, rows[0].messages()),
        (3, 2, 5)
    );
}

#[test]
fn without_rows_there_is_no_header() {
    let server = Server::new();
    assert_eq!(server.broker.rabbitmqctl("list_queues").unwrap(), "");
    assert_eq!(server.broker.rabbitmqctl("list_consumers").unwrap(), "");
}

#[test]
fn list_exchanges_begins_with_those_of_every_vhost() {
    let server = Server::new();
    assert_eq!(
        server.broker.rabbitmqctl("list_exchanges").unwrap(),
        "name\ttype\n\tdirect\namq.direct\tdirect\namq.fanout\tfanout\namq.headers\theaders\n\
         amq.match\theaders\namq.rabbitmq.trace\ttopic\namq.topic\ttopic\n"
    );
    let rows = server.broker.list_exchanges();
    assert!(rows.iter().all(|row| row.durable && !row.auto_delete));
    let internal: Vec<_> =
        rows.iter().filter(|row| row.internal).map(|row| row.name.as_str()).collect();
    assert_eq!(internal, ["amq.rabbitmq.trace"]);
}

#[test]
fn list_bindings_has_the_default_ones_first_and_shows_arguments() {
    let mut server = Server::new();
    server.declare("hello");
    let arguments =
        FieldTable::new().with("x-match", "all").with("n", 1).with("b", FieldValue::Bool(true));
    server.bind("hello", "amq.headers", "k y", arguments);
    assert_eq!(
        server.broker.rabbitmqctl("list_bindings").unwrap(),
        "source_name\tsource_kind\tdestination_name\tdestination_kind\trouting_key\targuments\n\
         \texchange\thello\tqueue\thello\t[]\n\
         amq.headers\texchange\thello\tqueue\tk y\t[{\"b\",true},{\"n\",1},{\"x-match\",\"all\"}]\n"
    );
}

#[test]
fn list_consumers_shows_tag_acks_and_prefetch() {
    let mut server = Server::new();
    server.declare("hello");
    server.qos(CH, 2, false);
    server.consume(CH, "hello", "ct1");
    let text = server
        .broker
        .rabbitmqctl(
            "list_consumers queue_name consumer_tag ack_required prefetch_count active arguments",
        )
        .unwrap();
    assert_eq!(
        text,
        "queue_name\tconsumer_tag\tack_required\tprefetch_count\tactive\targuments\n\
         hello\tct1\ttrue\t2\ttrue\t[]\n"
    );
    let row = server.broker.list_consumers().remove(0);
    assert_eq!((row.queue.as_str(), row.channel), ("hello", CH));
}

#[test]
fn rows_are_sorted_by_name() {
    let mut server = Server::new();
    for name in ["b", "a", "c"] {
        server.declare_with(name, QueueOptions::default());
    }
    let names: Vec<_> =
        server.broker.list_queues().iter().map(|row| row.name.to_string()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn an_unknown_column_or_command_is_an_error_that_names_it() {
    let server = Server::new();
    let error = server.broker.rabbitmqctl("list_queues nonsense").unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
    let error = server.broker.rabbitmqctl("reticulate splines").unwrap_err();
    assert!(error.to_string().contains("reticulate"), "{error}");
}
