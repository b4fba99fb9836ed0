//! Arguments that are refused, and the texts of the refusals.

use crate::support::*;
use stunt_double::rabbitmq::broker::Method;
use stunt_double::rabbitmq::{
    ConsumeOptions, ExchangeOptions, FieldTable, FieldValue, QueueOptions,
};

/// The answer to a method on a fresh broker with an exchange `h` of type headers and a queue `q`,
/// which has these arguments.
fn answer(arguments: FieldTable, method: Method) -> String {
    let mut server = Server::new();
    server.declare_with("q", QueueOptions { arguments, ..Default::default() });
    server.exchange("h", "headers");
    server.send(CH, method).concat()
}

fn with(name: &str, value: impl Into<FieldValue>) -> FieldTable {
    FieldTable::new().with(name, value)
}

fn queue(name: &str, arguments: FieldTable) -> Method {
    declare(name, QueueOptions { arguments, ..Default::default() })
}

#[test]
fn a_queue_cannot_have_every_argument() {
    for (arguments, expected) in [
        (with("x-queue-type", "foo"), ": \"unsupported queue type 'foo'\""),
        (with("x-queue-type", 5), ": {unacceptable_type,signedint}"),
        (with("x-queue-mode", "foo"), ": \"unsupported queue mode 'foo'\""),
        (with("x-queue-mode", 5), ": {unacceptable_type,signedint}"),
        (with("x-queue-version", 3), ": \"unsupported queue version '3'\""),
        (with("x-queue-version", -1), ": {value_negative,-1}"),
        (with("x-queue-version", "a"), ": \"expected integer, got longstr\""),
        (with("x-delivery-limit", 3), " of queue type rabbit_classic_queue"),
    ] {
        let name = arguments.iter().next().unwrap().0.to_owned();
        assert_eq!(
            answer(FieldTable::new(), queue("bad", arguments)),
            format!(
                "406 50/10 PRECONDITION_FAILED - invalid arg '{name}' for queue 'bad' in vhost \
                 '/'{expected}"
            )
        );
    }
}

#[test]
fn a_redeclaration_must_repeat_the_arguments() {
    let (none, one, two) =
        (FieldTable::new(), with("x-queue-version", 1), with("x-queue-version", 2));
    for (first, second, expected) in [
        (&none, &one, "received the value '1' of type 'signedint' but current is none"),
        (&one, &none, "received none but current is the value '1' of type 'signedint'"),
        (&one, &two, "received '2' but current is '1'"),
    ] {
        assert_eq!(
            answer(first.clone(), queue("q", second.clone())),
            format!(
                "406 50/10 PRECONDITION_FAILED - inequivalent arg 'x-queue-version' for queue 'q' \
                 in vhost '/': {expected}"
            )
        );
    }
    assert_eq!(answer(one.clone(), queue("q", one)), "declare-ok q 0 0");
}

#[test]
fn a_consumer_cannot_have_every_argument() {
    for (arguments, expected) in [
        (
            with("x-priority", "a"),
            "'x-priority' for queue 'q' in vhost '/': \"expected integer, got longstr\"",
        ),
        (
            with("x-stream-offset", "first"),
            "'x-stream-offset' for queue 'q' in vhost '/' of queue type rabbit_classic_queue",
        ),
    ] {
        let options = ConsumeOptions { arguments, ..Default::default() };
        assert_eq!(
            answer(FieldTable::new(), consume_with("q", options)),
            format!("406 60/20 PRECONDITION_FAILED - invalid arg {expected}")
        );
    }
}

#[test]
fn a_headers_binding_needs_a_valid_x_match() {
    let text = "406 50/20 PRECONDITION_FAILED - Invalid x-match field";
    assert_eq!(
        answer(FieldTable::new(), bind("q", "h", "", with("x-match", "foo"))),
        format!("{text} value <<\"foo\">>; expected all, any, all-with-x, or any-with-x")
    );
    assert_eq!(
        answer(FieldTable::new(), bind("q", "h", "", with("x-match", 5))),
        format!("{text} type signedint (value 5); expected longstr")
    );
}

#[test]
fn an_alternate_exchange_is_named_by_a_string() {
    let arguments = with("alternate-exchange", 5);
    assert_eq!(
        answer(
            FieldTable::new(),
            exchange_with("u", ExchangeOptions { arguments, ..Default::default() })
        ),
        "406 40/10 PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in \
         exchange 'u' in vhost '/'"
    );
}
