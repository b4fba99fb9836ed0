//! Routing: which messages reach which queues.

use crate::support::*;
use stunt_double::rabbitmq::{FieldTable, FieldValue, Properties};

fn table(pairs: &[(&str, FieldValue)]) -> FieldTable {
    pairs.iter().fold(FieldTable::new(), |table, (key, value)| table.with(*key, value.clone()))
}

fn int(i: i32) -> FieldValue {
    FieldValue::from(i)
}

fn text(s: &str) -> FieldValue {
    FieldValue::from(s)
}

#[test]
fn the_default_exchange_routes_to_the_queue_of_that_name() {
    let mut server = Server::new();
    server.declare("q");
    server.publish("q", "here");
    server.publish("Q", "nowhere");
    assert_eq!(server.contents("q"), ["here"]);
}

#[test]
fn direct_routes_by_equal_keys_to_every_queue_bound() {
    let mut server = Server::new();
    for queue in ["a", "b"] {
        server.declare(queue);
        server.bind(queue, "amq.direct", "k", FieldTable::new());
    }
    server.send(CH, publish("amq.direct", "k", "both"));
    server.send(CH, unbind("b", "amq.direct", "k"));
    server.send(CH, publish("amq.direct", "k", "one"));
    server.send(CH, publish("amq.direct", "K", "none"));
    assert_eq!((server.contents("a").len(), server.contents("b").len()), (2, 1));
}

#[test]
fn fanout_ignores_the_key() {
    let mut server = Server::new();
    server.declare("q");
    server.bind("q", "amq.fanout", "some", FieldTable::new());
    server.send(CH, publish("amq.fanout", "other", "m"));
    assert_eq!(server.contents("q"), ["m"]);
}

#[test]
fn several_matching_bindings_make_one_copy() {
    for (exchange, keys) in [("amq.topic", ["#", "a.*"]), ("amq.fanout", ["", "x"])] {
        let mut server = Server::new();
        server.declare("q");
        for key in keys {
            server.bind("q", exchange, key, FieldTable::new());
            server.bind("q", exchange, key, FieldTable::new());
        }
        server.send(CH, publish(exchange, "a.b", "m"));
        assert_eq!(server.contents("q"), ["m"], "{exchange}");
    }
}

/// Each row is a pattern and the keys of `TOPIC_KEYS` that it matches on the server.
const TOPIC_KEYS: [&str; 12] =
    ["", ".", "a", "a.b", "a.", ".a", "a..b", "a.b.c", "a.x.b", "a.x.y.b", "x.a.y", "x.b.y.c"];
const TOPIC: &[(&str, &str)] = &[
    ("#", "111111111111"),
    ("*", "..1........."),
    ("#.#", "111111111111"),
    ("*.#", ".11111111111"),
    ("#.*", ".11111111111"),
    ("*.*", ".1.111......"),
    ("#.a.#", "..111111111."),
    ("a.#.b", "...1..1.11.."),
    ("a.#", "..111.1111.."),
    ("a.*", "...11......."),
    ("*.b", "...1........"),
    ("a", "..1........."),
    ("", "1..........."),
    ("a.", "....1......."),
    (".", ".1.........."),
    ("*.*.*", "......111.1."),
    ("#.b.#.c", ".......1...1"),
    ("a..b", "......1....."),
    ("*.#.*", ".1.111111111"),
    ("#.#.#", "111111111111"),
    ("a.*.b", "......1.1..."),
    ("a*", "............"),
    ("#a", "............"),
    ("A", "............"),
];

#[test]
fn topic_patterns_match_word_by_word() {
    for (pattern, expected) in TOPIC {
        let mut server = Server::new();
        server.declare("q");
        server.bind("q", "amq.topic", pattern, FieldTable::new());
        let matches: String = TOPIC_KEYS
            .iter()
            .map(|key| {
                server.send(CH, publish("amq.topic", key, "m"));
                if server.contents("q").is_empty() { '.' } else { '1' }
            })
            .collect();
        assert_eq!(&matches, expected, "pattern '{pattern}' on {TOPIC_KEYS:?}");
    }
}

#[test]
fn an_unbound_topic_pattern_matches_no_more() {
    let mut server = Server::new();
    server.declare("q");
    for pattern in ["a.#", "a.#.b", "a.*"] {
        server.bind("q", "amq.topic", pattern, FieldTable::new());
    }
    for pattern in ["a.#", "a.*"] {
        server.send(CH, unbind("q", "amq.topic", pattern));
    }
    server.send(CH, publish("amq.topic", "a.c", "no"));
    server.send(CH, publish("amq.topic", "a.c.b", "yes"));
    assert_eq!(server.contents("q"), ["yes"]);
}

/// Returns whether a binding with these arguments routes a message with these headers.
fn headers_match(arguments: &FieldTable, headers: Option<FieldTable>) -> bool {
    let mut server = Server::new();
    server.declare("q");
    server.bind("q", "amq.headers", "", arguments.clone());
    let properties = headers
        .map_or_else(Properties::default, |headers| Properties::default().with_headers(headers));
    server.send(CH, publish_with("amq.headers", "", "m", properties));
    !server.contents("q").is_empty()
}

#[test]
fn headers_all_wants_every_argument_and_any_wants_one() {
    let both = [("a", int(1)), ("b", int(2))];
    for (mode, one_is_enough) in [(Some("all"), false), (None, false), (Some("any"), true)] {
        let mut arguments = table(&both);
        if let Some(mode) = mode {
            arguments.insert("x-match", mode);
        }
        assert!(headers_match(&arguments, Some(table(&both))));
        assert!(headers_match(
            &arguments,
            Some(table(&[("a", int(1)), ("b", int(2)), ("c", int(3))]))
        ));
        assert_eq!(headers_match(&arguments, Some(table(&[("a", int(1))]))), one_is_enough);
        assert_eq!(
            headers_match(&arguments, Some(table(&[("a", int(1)), ("b", int(3))]))),
            one_is_enough
        );
        assert!(!headers_match(&arguments, Some(table(&[("a", int(2))]))));
        assert!(!headers_match(&arguments, None));
    }
}

#[test]
fn empty_headers_arguments_match_everything_or_nothing() {
    for (mode, matches) in
        [("all", true), ("all-with-x", true), ("any", false), ("any-with-x", false)]
    {
        let arguments = table(&[("x-match", text(mode))]);
        assert_eq!(headers_match(&arguments, None), matches, "{mode}");
        assert_eq!(headers_match(&arguments, Some(table(&[("a", int(1))]))), matches, "{mode}");
    }
    assert!(headers_match(&FieldTable::new(), None), "no x-match is all");
}

#[test]
fn arguments_that_begin_with_x_count_only_with_x() {
    let with = |mode: &str| table(&[("x-match", text(mode)), ("a", int(1)), ("x-y", int(1))]);
    let (plain, full, other) = (
        table(&[("a", int(1))]),
        table(&[("a", int(1)), ("x-y", int(1))]),
        table(&[("x-y", int(1)), ("a", int(2))]),
    );
    for (mode, expected) in [
        ("all", [true, true, false]),
        ("any", [true, true, false]),
        ("all-with-x", [false, true, false]),
        ("any-with-x", [true, true, true]),
    ] {
        let got = [&plain, &full, &other].map(|h| headers_match(&with(mode), Some(h.clone())));
        assert_eq!(got, expected, "{mode}");
    }
}

#[test]
fn a_void_argument_only_requires_that_the_header_is_present() {
    let arguments = table(&[("a", FieldValue::Void)]);
    assert!(headers_match(&arguments, Some(table(&[("a", int(1))]))));
    assert!(headers_match(&arguments, Some(table(&[("a", FieldValue::Void)]))));
    assert!(!headers_match(&arguments, Some(table(&[("b", int(1))]))));
    let concrete = table(&[("a", int(1))]);
    assert!(!headers_match(&concrete, Some(table(&[("a", FieldValue::Void)]))));
}

#[test]
fn headers_compare_numbers_of_any_width_but_not_of_other_kinds() {
    let one = table(&[("a", int(1))]);
    for (value, equal) in [
        (FieldValue::from(1_i64), true),
        (FieldValue::I16(1), true),
        (FieldValue::from(1.0_f64), true),
        (FieldValue::from(true), false),
        (text("1"), false),
        (int(2), false),
    ] {
        let headers = table(&[("a", value.clone())]);
        assert_eq!(headers_match(&one, Some(headers)), equal, "{value:?}");
    }
    assert!(!headers_match(&one, Some(table(&[("A", int(1))]))), "names are case-sensitive");
}

#[test]
fn an_unknown_x_match_is_refused() {
    let mut server = Server::new();
    server.declare("q");
    let arguments = table(&[("x-match", text("foo"))]);
    assert_eq!(
        server.send(CH, bind("q", "amq.headers", "", arguments)),
        ["406 50/20 PRECONDITION_FAILED - Invalid x-match field value <<\"foo\">>; expected all, \
             any, all-with-x, or any-with-x"]
    );
}

#[test]
fn bindings_with_other_arguments_are_other_bindings() {
    let mut server = Server::new();
    server.declare("q");
    server.bind("q", "amq.direct", "k", table(&[("n", int(1))]));
    server.send(CH, unbind("q", "amq.direct", "k"));
    server.send(CH, publish("amq.direct", "k", "m"));
    assert_eq!(server.contents("q"), ["m"], "unbinding without arguments removed nothing");
}

#[test]
fn all_14_properties_arrive_as_they_were_sent() {
    let properties = Properties::default()
        .persistent()
        .with_priority(3)
        .with_content_type("text/plain")
        .with_content_encoding("utf-8")
        .with_headers(table(&[("h", int(1))]))
        .with_correlation_id("c")
        .with_reply_to("r")
        .with_message_id("m")
        .with_timestamp(1_735_689_600)
        .with_kind("t")
        .with_user_id("guest")
        .with_app_id("a")
        .with_cluster_id("cluster");
    let mut server = Server::new();
    server.declare("q");
    server.send(CH, publish_with("", "q", "body", properties.clone()));
    let got = server.broker.basic_get(server.now, CH, "q", true).unwrap().unwrap();
    assert_eq!(got.message.properties(), &properties);
    assert_eq!((got.message.exchange().as_str(), got.message.routing_key().as_str()), ("", "q"));
}
