//! Answers on an open channel.

use crate::bytes::*;
use crate::play::After::Channel;
use crate::play::{Case, check};

fn closes(what: &str) -> &'static str {
    format!("0: 10.50 {what} | reset after 30 s").leak()
}

fn closes_channel(what: &str) -> &'static str {
    format!("1: 20.40 {what} | open").leak()
}

fn one(name: &'static str, parts: &[&[u8]], expected: &'static str) -> Case {
    (name, Channel, vec![parts.concat()], expected)
}

const DECLARED: &str = "1: 50.11 0270710000000000000000 | open";

#[test]
fn contents_that_are_out_of_order() {
    let no_method =
        closes("505 UNEXPECTED_FRAME - expected method frame, got non method frame instead 0.0");
    let no_header = closes(
        "505 UNEXPECTED_FRAME - expected content header for class 60, got non content header frame \
         instead 60.40",
    );
    let no_body = closes(
        "505 UNEXPECTED_FRAME - expected content body, got non content body frame instead 60.40",
    );
    let other_class = closes(
        "505 UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead \
         60.40",
    );
    let header_of =
        |class: u8, weight: u8| frame(2, 1, &[0, class, 0, weight, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0]);
    check(vec![
        one("a header first", &[&header(1, 5)], no_method),
        one("a body first", &[&body(1, b"x")], no_method),
        one("a method for a header", &[&publish(), &publish()], no_header),
        one("a body for a header", &[&publish(), &body(1, b"x")], no_header),
        one("a header of another class", &[&publish(), &header_of(50, 0)], other_class),
        one("a header with a weight", &[&publish(), &header_of(60, 1)], no_header),
        one("and of another class", &[&publish(), &header_of(50, 1)], no_header),
        one("a close for a header", &[&publish(), &channel_close(1)], no_header),
        one("a method for a body", &[&publish(), &header(1, 5), &declare("pq")], no_body),
        one("a header for a body", &[&publish(), &header(1, 5), &header(1, 5)], no_body),
        one("too much", &[&publish(), &header(1, 5), &body(1, b"hello world")], "open"),
        one(
            "and what follows",
            &[&publish(), &header(1, 5), &body(1, b"hello world"), &body(1, b"x"), &declare("pq")],
            no_body,
        ),
        one("no such method for a header", &[&publish(), &method(1, 50, 60, b"")], "reset at once"),
    ]);
}

#[test]
fn contents_that_are_in_order() {
    check(vec![
        one(
            "a heartbeat in between",
            &[&publish(), &frame(8, 0, b""), &header(1, 2), &body(1, b"hi"), &declare("pq")],
            DECLARED,
        ),
        one(
            "empty bodies",
            &[
                &publish(),
                &header(1, 2),
                &body(1, b""),
                &body(1, b"h"),
                &body(1, b""),
                &body(1, b"i"),
                &declare("pq"),
            ],
            DECLARED,
        ),
        one(
            "a flag too many",
            &[&publish(), &header_with(1, 0, b"\0\x02"), &declare("pq")],
            DECLARED,
        ),
        one(
            "a return",
            &[
                &publish_to(b"", b"nobody", 1),
                &header_with(1, 2, b"\x90\0\x03a/b\x02"),
                &body(1, b"hi"),
            ],
            "1: 60.50 0138084e4f5f524f55544500066e6f626f6479 | \
             1: type 2 003c00000000000000000002900003612f6202 | 1: type 3 6869 | open",
        ),
    ]);
}

#[test]
fn properties_that_cannot_be_read() {
    let internal = closes("541 INTERNAL_ERROR 0.0");
    let table: [(&str, &[u8]); 6] = [
        ("too few octets", b"\x80\0\x05ab"),
        ("too many", b"\x80\0\x01abc"),
        ("more flags", b"\x80\x01\0\0\x01a"),
        ("no flags", b""),
        ("no table", b"\x20\0\0\0\0\x02\xff\xff"),
        ("not a number", b"\x20\0\0\0\0\x0b\x01nd\x7f\xf8\0\0\0\0\0\0"),
    ];
    let case = |(name, properties): (&'static str, &[u8])| {
        one(name, &[&publish(), &header_with(1, 0, properties)], internal)
    };
    check(table.into_iter().map(case).collect());
}

#[test]
fn methods_that_cannot_be_read() {
    let cannot = |what: &str| closes(&format!("501 FRAME_ERROR - cannot decode {what}"));
    let ack = |arguments: &[u8]| method(1, 60, 80, arguments);
    let upwards: Vec<u8> = (0..100).collect();
    let shown: Vec<String> = (0..77).map(|i| i.to_string()).collect();
    check(vec![
        one("too few octets", &[&ack(b"\0")], cannot("<<0>> 60.80")),
        one("too many", &[&ack(&[0; 10])], cannot("<<0,0,0,0,0,0,0,0,0,0>> 60.80")),
        one("none", &[&method(1, 60, 40, b"")], cannot("<<>> 60.40")),
        one(
            "after a table",
            &[&method(1, 50, 10, b"\0\0\x02pq\x08\0\0\0\0x")],
            cannot("<<0,0,2,112,113,8,0,0,0,0,120>> 50.10"),
        ),
        one(
            "a text that is cut",
            &[&ack(&upwards)],
            cannot(&format!("<<{},7... 60.80", shown.join(","))),
        ),
        one("a server's", &[&method(1, 60, 11, b"x")], cannot("<<120>> 60.11")),
        one(
            "no UTF-8",
            &[&declare_with(b"\xff\xfe", 0, b"")],
            closes("501 FRAME_ERROR - Malformed UTF-8 in shortstr 0.0"),
        ),
        one("no table", &[&declare_with(b"", 8, b"\xff\xff")], "reset at once"),
        one("a type that does not exist", &[&declare_with(b"", 8, b"\x01aZ\0")], "reset at once"),
        one("a method that does not exist", &[&method(1, 50, 60, b"")], "reset at once"),
        one("a class that does not exist", &[&method(1, 70, 10, b"")], "reset at once"),
        one("41, which is not unbind-ok", &[&method(1, 40, 41, b"")], "reset at once"),
    ]);
}

#[test]
fn methods_that_no_client_should_send() {
    let unimplemented =
        |id: &str| closes(&format!("503 COMMAND_INVALID - unimplemented method {id}"));
    let deliver = method(1, 60, 60, b"\x01t\0\0\0\0\0\0\0\0\0\0\0");
    let on_1 = |method: Vec<u8>| frame(1, 1, &method[7..method.len() - 1]);
    check(vec![
        one("qos-ok", &[&method(1, 60, 11, b"")], unimplemented("60.11")),
        one("get-empty", &[&method(1, 60, 72, b"\0")], unimplemented("60.72")),
        one("credit-ok", &[&method(1, 60, 201, &[0; 4])], unimplemented("60.201")),
        one("request-ok", &[&method(1, 30, 11, b"\0\x01")], unimplemented("30.11")),
        one("flow-ok", &[&method(1, 20, 21, b"\x01")], unimplemented("20.21")),
        one("deliver, which waits", &[&deliver], "open"),
        one("for its content", &[&deliver, &header(1, 0)], unimplemented("60.60")),
        one("connection.open", &[&on_1(open())], unimplemented("10.40")),
        one("connection.close", &[&on_1(close())], unimplemented("10.50")),
        one("connection.close-ok", &[&on_1(close_ok())], unimplemented("10.51")),
        one("connection.start-ok", &[&on_1(start_ok())], unimplemented("10.11")),
        one(
            "a heartbeat",
            &[&frame(8, 1, b"")],
            closes("505 UNEXPECTED_FRAME - type 8, all octets = <<>> 0.0"),
        ),
    ]);
}

#[test]
fn methods_that_the_server_does_not_implement() {
    let not = |what: &str| closes(&format!("540 NOT_IMPLEMENTED - {what}"));
    check(vec![
        one("a flow that stops", &[&method(1, 20, 20, b"\0")], not("active=false 20.20")),
        one(
            "a prefetch in octets",
            &[&method(1, 60, 10, b"\0\0\0\x05\0\x01\0")],
            not("prefetch_size!=0 (5) 60.10"),
        ),
        one("immediate", &[&publish_to(b"", b"q", 2), &header(1, 0)], not("immediate=true 60.40")),
        one("a recover to the same", &[&method(1, 60, 110, b"\0")], not("requeue=false 60.110")),
    ]);
}

#[test]
fn answers() {
    check(vec![
        one(
            "a second open",
            &[&channel_open(1)],
            closes("504 CHANNEL_ERROR - second 'channel.open' seen 20.10"),
        ),
        one("flow", &[&method(1, 20, 20, b"\x01")], "1: 20.21 01 | open"),
        one("access", &[&method(1, 30, 10, b"\x05/data\x1f")], "1: 30.11 0001 | open"),
        one("qos", &[&method(1, 60, 10, b"\0\0\0\0\0\x01\0")], "1: 60.11 | open"),
        one("recover", &[&method(1, 60, 110, b"\x01")], "1: 60.111 | open"),
        one("recover-async", &[&method(1, 60, 100, b"\x01"), &declare("pq")], DECLARED),
        one("confirm", &[&method(1, 85, 10, b"\0")], "1: 85.11 | open"),
        one(
            "get",
            &[&declare("pq"), &get("pq")],
            "1: 50.11 0270710000000000000000 | 1: 60.72 00 | open",
        ),
        one("cancel", &[&method(1, 60, 30, b"\x04nope\0")], "1: 60.31 046e6f7065 | open"),
        one("without a wait", &[&declare_with(b"pq2", 0x18, b"")], "open"),
        one(
            "delete",
            &[&declare("pq"), &method(1, 50, 40, b"\0\0\x02pq\0")],
            "1: 50.11 0270710000000000000000 | 1: 50.41 00000000 | open",
        ),
        (
            "close",
            Channel,
            vec![channel_close(1), channel_open(1)],
            "1: 20.41 | 1: 20.11 00000000 | open",
        ),
    ]);
}

#[test]
fn a_channel_the_server_has_closed_hears_nothing_but_its_close() {
    let gone = "1: 20.40 404 NOT_FOUND - no queue 'nope' in vhost '/' 50.10";
    let and = |what: &str| -> &'static str { format!("{gone} | {what}").leak() };
    let closed = |what: &str| and(&format!("0: 10.50 {what} | reset after 30 s"));
    check(vec![
        one(
            "methods",
            &[&declare_missing(), &declare("pq"), &publish(), &header(1, 1), &body(1, b"x")],
            and("open"),
        ),
        one(
            "close-ok, and open",
            &[&declare_missing(), &channel_close_ok(1), &channel_open(1)],
            and("1: 20.11 00000000 | open"),
        ),
        one(
            "crossing closes",
            &[&declare_missing(), &channel_close(1), &channel_close_ok(1), &channel_open(1)],
            and("1: 20.41 | 1: 20.11 00000000 | open"),
        ),
        one(
            "arguments are still read",
            &[&declare_missing(), &method(1, 60, 80, b"\0")],
            closed("501 FRAME_ERROR - cannot decode <<0>> 60.80"),
        ),
        one(
            "and contents counted",
            &[&declare_missing(), &header(1, 1)],
            closed(
                "505 UNEXPECTED_FRAME - expected method frame, got non method frame instead 0.0",
            ),
        ),
        one(
            "even for the close-ok",
            &[&declare_missing(), &publish(), &channel_close_ok(1)],
            closed(
                "505 UNEXPECTED_FRAME - expected content header for class 60, got non content header \
                 frame instead 60.40",
            ),
        ),
    ]);
}

#[test]
fn texts() {
    let n = "n".repeat(230);
    check(vec![
        one(
            "no exchange",
            &[&publish_to(b"nox", b"q", 0), &header(1, 1), &body(1, b"x")],
            closes_channel("404 NOT_FOUND - no exchange 'nox' in vhost '/' 60.40"),
        ),
        one(
            "a name that is text",
            &[&declare_with("p\u{e4}iv\u{e4}".as_bytes(), 1, b"")],
            closes_channel(r"404 NOT_FOUND - no queue 'p\xc3\xa4iv\xc3\xa4' in vhost '/' 50.10"),
        ),
        one(
            "a text that is cut",
            &[&declare_with("n".repeat(250).as_bytes(), 1, b"")],
            closes_channel(&format!("404 NOT_FOUND - no queue '{n}... 50.10")),
        ),
        one(
            "the default exchange",
            &[&method(
                1,
                40,
                10,
                &cat(&[&[0, 0], &short(""), &short("direct"), &[0x10], &long("")]),
            )],
            closes_channel(
                "403 ACCESS_REFUSED - operation not permitted on the default exchange 40.10",
            ),
        ),
    ]);
}
