//! Requests that the broker refuses, and the texts of the refusals.

use crate::support::*;
use stunt_double::rabbitmq::broker::{ChannelId, Method};
use stunt_double::rabbitmq::{
    ConnectionOptions, ConsumeOptions, ExchangeOptions, FieldTable, Properties, Publish,
    QueueOptions,
};

/// Sends the method to a fresh broker after the others, whose answers do not matter, and returns
/// everything that it is answered with.
fn after(before: Vec<Method>, method: Method) -> Vec<String> {
    let mut server = Server::new();
    for method in before {
        server.send(CH, method);
    }
    server.send(CH, method)
}

/// The only answer to a method on a fresh broker.
fn alone(method: Method) -> String {
    after(Vec::new(), method).concat()
}

fn queue(name: &str) -> Method {
    declare(name, QueueOptions::default())
}

fn with_argument(name: &str, argument: Option<(&str, i32)>) -> Method {
    let mut arguments = FieldTable::new();
    if let Some((key, value)) = argument {
        arguments.insert(key, value);
    }
    declare(name, QueueOptions { arguments, ..Default::default() })
}

#[test]
fn an_unknown_delivery_tag_closes_the_channel() {
    let text = "PRECONDITION_FAILED - unknown delivery tag 99";
    assert_eq!(alone(ack(99, false)), format!("406 60/80 {text}"));
    assert_eq!(alone(nack(99, false, true)), format!("406 60/120 {text}"));
    assert_eq!(alone(reject(99, true)), format!("406 60/90 {text}"));
    assert_eq!(alone(ack(99, true)), format!("406 60/80 {text}"));
    assert_eq!(alone(ack(0, false)), "406 60/80 PRECONDITION_FAILED - unknown delivery tag 0");
}

#[test]
fn acking_twice_or_on_another_channel_is_an_unknown_tag() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 2);
    server.send(CH, get("q"));
    server.ack(CH, 1);
    assert_eq!(server.ack(CH, 1), ["406 60/80 PRECONDITION_FAILED - unknown delivery tag 1"]);

    server.send(OTHER, get("q"));
    let said = server.ack(CH2, 1);
    assert_eq!(said, ["1/2 406 60/80 PRECONDITION_FAILED - unknown delivery tag 1"]);
}

#[test]
fn an_auto_acked_delivery_has_no_tag_to_ack() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 1);
    server.send(CH, Method::BasicGet { queue: "q".into(), no_ack: true });
    assert_eq!(server.ack(CH, 1), ["406 60/80 PRECONDITION_FAILED - unknown delivery tag 1"]);
}

#[test]
fn multiple_with_an_acked_tag_settles_nothing() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 3);
    (0..3).for_each(|_| drop(server.send(CH, get("q"))));
    server.ack(CH, 2);
    let said = server.send(CH, ack(2, true));
    assert_eq!(said, ["406 60/80 PRECONDITION_FAILED - unknown delivery tag 2"]);
    let nothing: [&str; 0] = [];
    assert_eq!(server.contents("q"), nothing, "fetched messages wait for the client's answer");
    server.send(CH, Method::ChannelCloseOk);
    assert_eq!(server.contents("q"), ["0R", "2R"]);
}

#[test]
fn tag_zero_multiple_with_nothing_outstanding_is_fine() {
    assert_eq!(alone(ack(0, true)), "");
    assert_eq!(alone(nack(0, true, true)), "");
}

#[test]
fn a_missing_queue_is_not_found_except_to_delete_and_unbind() {
    for (method, id) in [
        (passive("nope"), "50/10"),
        (get("nope"), "60/70"),
        (consume("nope", "a"), "60/20"),
        (purge("nope"), "50/30"),
        (bind("nope", "amq.direct", "k", FieldTable::new()), "50/20"),
    ] {
        assert_eq!(alone(method), format!("404 {id} NOT_FOUND - no queue 'nope' in vhost '/'"));
    }
    assert_eq!(alone(passive("amq.foo")), "404 50/10 NOT_FOUND - no queue 'amq.foo' in vhost '/'");
    assert_eq!(alone(delete("nope", false, false)), "queue.delete-ok 0");
    assert_eq!(alone(unbind("nope", "amq.direct", "k")), "queue.unbind-ok");
    assert_eq!(alone(unbind("nope", "nope", "k")), "queue.unbind-ok");
    assert_eq!(alone(delete_exchange("nope", false)), "exchange.delete-ok");
}

#[test]
fn with_both_ends_of_a_binding_missing_the_exchange_is_reported() {
    let said = alone(bind("nope", "nowhere", "k", FieldTable::new()));
    assert_eq!(said, "404 50/20 NOT_FOUND - no exchange 'nowhere' in vhost '/'");
}

#[test]
fn publishing_to_a_missing_exchange_closes_the_channel_and_loses_its_confirms() {
    let mut server = Server::new();
    server.declare_with("q", durable());
    server.send(CH, confirm_select());
    assert!(server.send(CH, persistent("q", "good")).is_empty(), "the sync is to come");
    let said = server.send(CH, publish("nope", "k", "bad"));
    assert_eq!(said, ["404 60/40 NOT_FOUND - no exchange 'nope' in vhost '/'"]);
    assert!(server.settle().is_empty(), "no confirm on a closed channel");
    assert_eq!(server.contents("q"), ["good"]);
}

#[test]
fn passive_declare_ignores_everything_but_the_name() {
    let options = QueueOptions {
        passive: true,
        durable: true,
        auto_delete: true,
        exclusive: true,
        arguments: FieldTable::new().with("x-whatever", 1),
    };
    assert_eq!(after(vec![queue("q")], declare("q", options)), ["declare-ok q 0 0"]);
    let options = ExchangeOptions {
        kind: "nonsense".into(),
        passive: true,
        durable: true,
        ..Default::default()
    };
    assert_eq!(alone(exchange_with("amq.topic", options)), "exchange.declare-ok");
}

#[test]
fn redeclaring_a_queue_otherwise_is_inequivalent() {
    let inequivalent = |before: Method, method: Method| after(vec![before], method).concat();
    let text = "406 50/10 PRECONDITION_FAILED - inequivalent arg";
    let auto_delete = QueueOptions { auto_delete: true, ..Default::default() };
    assert_eq!(
        inequivalent(queue("q"), declare("q", durable())),
        format!(
            "{text} 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'"
        )
    );
    assert_eq!(
        inequivalent(queue("q"), declare("q", auto_delete)),
        format!(
            "{text} 'auto_delete' for queue 'q' in vhost '/': received 'true' but current is 'false'"
        )
    );
}

#[test]
fn redeclaring_an_exchange_otherwise_is_inequivalent() {
    let options = |kind: &str, durable, auto_delete, internal| ExchangeOptions {
        kind: kind.into(),
        durable,
        auto_delete,
        internal,
        ..Default::default()
    };
    for (options, argument, received, current) in [
        (options("fanout", true, true, true), "type", "fanout", "direct"),
        (options("direct", true, false, false), "durable", "true", "false"),
        (options("direct", false, true, false), "auto_delete", "true", "false"),
        (options("direct", false, false, true), "internal", "true", "false"),
    ] {
        assert_eq!(
            after(vec![exchange("e", "direct")], exchange_with("e", options)).concat(),
            format!(
                "406 40/10 PRECONDITION_FAILED - inequivalent arg '{argument}' for exchange 'e' in \
                 vhost '/': received '{received}' but current is '{current}'"
            )
        );
    }
    assert_eq!(
        after(vec![exchange("e", "direct")], exchange("e", "direct")),
        ["exchange.declare-ok"]
    );
}

#[test]
fn unknown_arguments_are_ignored() {
    let with = with_argument("q", Some(("x-foo", 1)));
    assert_eq!(after(vec![queue("q")], with), ["declare-ok q 0 0"]);
}

#[test]
fn another_connections_exclusive_queue_is_locked_but_can_be_published_to() {
    let mut server = Server::new();
    let exclusive = QueueOptions { exclusive: true, ..Default::default() };
    server.declare_with("q", exclusive.clone());
    server.bind("q", "amq.direct", "k", FieldTable::new());
    let locked = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. \
                  It could be originally declared on another connection or the exclusive property \
                  value does not match that of the original declaration.";
    for (method, id) in [
        (declare("q", QueueOptions::default()), "50/10"),
        (declare("q", exclusive), "50/10"),
        (passive("q"), "50/10"),
        (consume("q", "a"), "60/20"),
        (get("q"), "60/70"),
        (purge("q"), "50/30"),
        (bind("q", "amq.topic", "k", FieldTable::new()), "50/20"),
        (unbind("q", "amq.direct", "k"), "50/50"),
        (delete("q", false, false), "50/40"),
    ] {
        assert_eq!(server.send(OTHER, method), [format!("2/1 405 {id} {locked}")]);
        server.send(OTHER, Method::ChannelCloseOk);
        server.send(OTHER, Method::ChannelOpen);
    }
    assert_eq!(server.send(OTHER, unbind("q", "amq.direct", "none")), ["2/1 queue.unbind-ok"]);
    assert!(server.send(OTHER, publish("", "q", "hello")).is_empty());
    assert_eq!(server.send(CH, get("q")), ["get hello 0"]);
}

#[test]
fn a_mismatch_of_exclusive_is_locked_even_for_the_owner() {
    let mut server = Server::new();
    server.declare_with("mine", QueueOptions { exclusive: true, ..Default::default() });
    let said = server.send(CH, declare("mine", QueueOptions::default())).concat();
    assert!(said.starts_with("405 50/10 RESOURCE_LOCKED - "), "{said}");
    let mut server = Server::new();
    server.declare("ours");
    let exclusive = QueueOptions { exclusive: true, durable: true, ..Default::default() };
    let said = server.send(CH, declare("ours", exclusive)).concat();
    assert!(said.starts_with("405 50/10 RESOURCE_LOCKED - "), "before durable is compared: {said}");
}

#[test]
fn a_queue_in_use_or_not_empty_is_kept_if_asked() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 1);
    let said = server.send(CH2, delete("q", false, true));
    assert_eq!(said, ["1/2 406 50/40 PRECONDITION_FAILED - queue 'q' in vhost '/' not empty"]);
    server.send(CH2, Method::ChannelCloseOk);
    server.send(CH2, Method::ChannelOpen);
    server.consume(CH, "q", "a");
    let said = server.send(CH2, delete("q", true, true));
    assert_eq!(said, ["1/2 406 50/40 PRECONDITION_FAILED - queue 'q' in vhost '/' in use"]);
}

#[test]
fn if_empty_does_not_count_unacked() {
    let mut server = Server::new();
    server.declare("q");
    server.fill("q", 1);
    server.send(CH, get("q"));
    assert_eq!(server.send(CH, delete("q", false, true)), ["queue.delete-ok 0"]);
}

#[test]
fn reserved_names_are_refused() {
    for (method, expected) in [
        (
            queue("amq.foo"),
            "403 50/10 ACCESS_REFUSED - queue name 'amq.foo' contains reserved prefix 'amq.*'",
        ),
        (
            exchange("amq.foo", "direct"),
            "403 40/10 ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'",
        ),
        (
            delete_exchange("amq.direct", false),
            "403 40/20 ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed",
        ),
        (
            delete_exchange("amq.nope", false),
            "403 40/20 ACCESS_REFUSED - deletion of system exchange 'amq.nope' in vhost '/' not allowed",
        ),
    ] {
        assert_eq!(alone(method), expected);
    }
}

#[test]
fn the_default_exchange_cannot_be_changed() {
    let text = "ACCESS_REFUSED - operation not permitted on the default exchange";
    for (method, id) in [
        (bind("nope", "", "k", FieldTable::new()), "50/20"),
        (unbind("nope", "", "k"), "50/50"),
        (exchange("", "direct"), "40/10"),
        (delete_exchange("", false), "40/20"),
    ] {
        assert_eq!(alone(method), format!("403 {id} {text}"));
    }
}

#[test]
fn an_exchange_in_use_is_kept_if_asked() {
    let before = vec![queue("q"), exchange("e", "fanout"), bind("q", "e", "", FieldTable::new())];
    assert_eq!(
        after(before, delete_exchange("e", true)),
        ["406 40/20 PRECONDITION_FAILED - exchange 'e' in vhost '/' in use"]
    );
    assert_eq!(
        after(vec![exchange("e", "fanout")], delete_exchange("e", true)),
        ["exchange.delete-ok"]
    );
}

#[test]
fn an_internal_exchange_takes_no_publishes() {
    let internal = ExchangeOptions { internal: true, ..Default::default() };
    assert_eq!(
        after(vec![exchange_with("e2", internal)], publish("e2", "k", "m")),
        ["403 60/40 ACCESS_REFUSED - cannot publish to internal exchange 'e2' in vhost '/'"]
    );
}

#[test]
fn an_exclusive_consumer_keeps_others_out_but_not_get() {
    let exclusive = || {
        let options =
            ConsumeOptions { consumer_tag: "x".into(), exclusive: true, ..Default::default() };
        consume_with("q", options)
    };
    let text = "403 60/20 ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use";
    assert_eq!(after(vec![queue("q"), exclusive()], consume("q", "a")), [text]);
    assert_eq!(after(vec![queue("q"), consume("q", "a")], exclusive()), [text]);
    assert_eq!(after(vec![queue("q"), exclusive()], get("q")), ["get-empty"]);
}

#[test]
fn some_errors_close_the_whole_connection() {
    for (before, method, expected) in [
        (
            vec![],
            exchange("e", "foo"),
            "CONN 503 40/10 COMMAND_INVALID - invalid exchange type 'foo'",
        ),
        (
            vec![queue("q"), consume("q", "t")],
            consume("q", "t"),
            "CONN 530 60/20 NOT_ALLOWED - attempt to reuse consumer tag 't'",
        ),
        (
            vec![],
            Method::BasicPublish(Publish { immediate: true, ..Publish::new("", "q", "m") }),
            "CONN 540 60/40 NOT_IMPLEMENTED - immediate=true",
        ),
        (
            vec![],
            Method::BasicQos { prefetch_size: 1, prefetch_count: 0, global: false },
            "CONN 540 60/10 NOT_IMPLEMENTED - prefetch_size!=0 (1)",
        ),
        (
            vec![],
            Method::ChannelFlow { active: false },
            "CONN 540 20/20 NOT_IMPLEMENTED - active=false",
        ),
        (
            vec![],
            Method::BasicRecover { requeue: false },
            "CONN 540 60/110 NOT_IMPLEMENTED - requeue=false",
        ),
        (vec![], Method::ChannelOpen, "CONN 504 20/10 CHANNEL_ERROR - second 'channel.open' seen"),
    ] {
        assert_eq!(after(before, method), [expected]);
    }
}

#[test]
fn a_method_on_a_channel_never_opened_is_a_channel_error() {
    let mut server = Server::new();
    let said = server.send(ChannelId::new(1, 9), get("q"));
    assert_eq!(said, ["CONN 504 60/70 CHANNEL_ERROR - expected 'channel.open'"]);
}

#[test]
fn a_connection_error_takes_every_channel_and_consumer_with_it() {
    let mut server = Server::new();
    server.declare("q");
    server.consume(CH2, "q", "a");
    server.send(CH, exchange("e", "foo"));
    assert_eq!(server.broker.list_consumers().len(), 0);
    assert!(server.send(CH2, get("q")).is_empty(), "nothing is said on a closed connection");
}

#[test]
fn an_unknown_vhost_is_not_allowed() {
    let mut server = Server::new();
    let options = ConnectionOptions { virtual_host: "nope".into(), ..Default::default() };
    let said = server.send(ChannelId::new(3, 0), Method::ConnectionOpen(Box::new(options)));
    assert_eq!(said, ["3/0 CONN 530 10/40 NOT_ALLOWED - vhost nope not found"]);
}

#[test]
fn an_expiration_must_be_a_number() {
    for (expiration, why) in [
        ("abc", "no_integer"),
        ("10s", "{leftover_string,\"s\"}"),
        ("-1", "{value_negative,-1}"),
        ("315360000001", "{value_too_large,315360000001}"),
    ] {
        let properties = Properties::default().with_expiration(expiration);
        assert_eq!(
            alone(publish_with("", "q", "m", properties)),
            format!("406 60/40 PRECONDITION_FAILED - invalid expiration '{expiration}': {why}")
        );
    }
}

#[test]
fn an_empty_queue_name_needs_a_queue_declared_before() {
    let text = "404 60/70 NOT_FOUND - no previously declared queue";
    assert_eq!(alone(get("")), text);
    assert_eq!(after(vec![queue("q")], get("")), ["get-empty"]);
    assert_eq!(
        alone(bind("", "nope", "k", FieldTable::new())),
        "404 50/20 NOT_FOUND - no previously declared queue",
        "looked at before the exchange"
    );
}

#[test]
fn a_passive_declare_changes_the_last_declared_queue_too() {
    let before = vec![queue("a"), queue("b"), publish("", "a", "from a"), passive("a")];
    assert_eq!(after(before, get("")), ["get from a 0"]);
}

#[test]
fn a_closed_channel_ignores_everything_until_its_close_ok() {
    let mut server = Server::new();
    server.declare("q");
    server.send(CH, get("nope"));
    assert!(server.send(CH, publish("", "q", "ignored")).is_empty());
    assert!(server.send(CH, get("q")).is_empty());
    assert!(server.send(CH, Method::ChannelCloseOk).is_empty());
    assert_eq!(server.send(CH, Method::ChannelOpen), ["channel.open-ok"]);
    assert_eq!(server.send(CH, get("q")), ["get-empty"]);
}

#[test]
fn typed_methods_give_typed_errors() {
    let mut server = Server::new();
    let error = server.broker.queue_purge(server.now, CH, "nope").unwrap_err();
    assert_eq!(
        error.to_string(),
        "404 NOT_FOUND - no queue 'nope' in vhost '/' (channel closed by method 50.30)"
    );
    let later = server.broker.queue_purge(server.now, CH, "nope").unwrap_err();
    assert_eq!(later.code.number(), 504, "the channel is closed: {later}");
}

#[test]
fn copies_go_to_routing_keys_in_an_array() {
    let properties = Properties::default().with_headers(FieldTable::new().with("CC", "x"));
    assert_eq!(
        alone(publish_with("", "q", "m", properties)),
        "406 60/40 PRECONDITION_FAILED - invalid message: \
         {unacceptable_type_in_header,\"CC\",longstr}"
    );
}

#[test]
fn a_user_id_must_be_the_users_own() {
    let properties = |user: &str| Properties::default().with_user_id(user);
    assert_eq!(
        alone(publish_with("", "q", "m", properties("bob"))),
        "406 60/40 PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was \
         'guest'"
    );
    assert_eq!(alone(publish_with("", "q", "m", properties("guest"))), "");
}

#[test]
fn a_body_has_at_most_128_mib() {
    let body = vec![0; 134_217_729];
    assert_eq!(
        alone(Method::BasicPublish(Publish::new("", "q", body))),
        "406 60/40 PRECONDITION_FAILED - message size 134217729 is larger than configured max size \
         134217728"
    );
}

#[test]
fn a_channel_is_not_transactional_and_a_confirming_one_cannot_be() {
    assert_eq!(
        after(vec![confirm_select()], Method::TxSelect),
        ["406 90/10 PRECONDITION_FAILED - cannot switch from confirm to tx mode"]
    );
    let text = "PRECONDITION_FAILED - channel is not transactional";
    assert_eq!(alone(Method::TxCommit), format!("406 90/20 {text}"));
    assert_eq!(alone(Method::TxRollback), format!("406 90/30 {text}"));
}

#[test]
fn channel_0_is_the_connections_own() {
    let text = "CHANNEL_ERROR - unexpected method in connection state running";
    for (method, id) in [(get("q"), "60/70"), (Method::ChannelOpen, "20/10")] {
        let said = Server::new().send(ChannelId::new(1, 0), method);
        assert_eq!(said, [format!("CONN 504 {id} {text}")]);
    }
}

#[test]
fn a_connection_has_at_most_2047_channels() {
    let mut server = Server::new();
    let open = |number| ChannelId::new(2, number);
    for number in 2..=2_047 {
        assert_eq!(server.send(open(number), Method::ChannelOpen).len(), 1);
    }
    assert_eq!(
        server.send(open(2_048), Method::ChannelOpen),
        ["2/0 CONN 530 0/0 NOT_ALLOWED - number of channels opened (2047) has reached the \
          negotiated channel_max (2047)"]
    );
}

#[test]
fn a_connection_is_opened_once() {
    let options = Box::new(ConnectionOptions::default());
    assert_eq!(
        Server::new().send(ChannelId::new(1, 0), Method::ConnectionOpen(options)),
        ["CONN 503 10/40 COMMAND_INVALID - connection 1 is open already"]
    );
}

#[test]
fn typed_methods_report_what_is_not_open() {
    let mut server = Server::new();
    let (now, stranger) = (server.now, ChannelId::new(9, 1));
    let not_open = "CONNECTION_FORCED - connection 9 is not open";
    let broker = &mut server.broker;
    assert_eq!(broker.connection_close(now, stranger.connection).unwrap_err().text, not_open);
    assert_eq!(broker.channel_open(now, stranger).unwrap_err().text, not_open);
    assert_eq!(broker.queue_purge(now, stranger, "q").unwrap_err().text, not_open);

    broker.queue_purge(now, CH, "nope").unwrap_err();
    assert_eq!(
        broker.queue_purge(now, CH, "nope").unwrap_err().text,
        "CHANNEL_ERROR - channel 1/1 was closed by the broker: NOT_FOUND - no queue 'nope' in \
         vhost '/'"
    );

    broker.stop(now);
    let down = "CONNECTION_FORCED - the broker is not running";
    let opened = broker.connection_open(now, stranger.connection, Default::default());
    assert_eq!(opened.unwrap_err().text, down);
    assert_eq!(broker.queue_purge(now, CH, "q").unwrap_err().text, down);
}
