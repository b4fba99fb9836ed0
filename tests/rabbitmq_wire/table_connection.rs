//! Why an open connection is closed, on channel 0 and on channels that are not open.

use crate::bytes::*;
use crate::play::After::Open;
use crate::play::{Case, check};

/// The server closes the connection and waits for the answer.
fn closes(what: &str) -> &'static str {
    format!("0: 10.50 {what} | reset after 30 s").leak()
}

/// The server closes the connection and hangs up whatever the answer is.
fn gives_up(what: &str) -> &'static str {
    format!("0: 10.50 501 FRAME_ERROR - {what} 0.0 | reset after 3 s").leak()
}

fn one(name: &'static str, bytes: Vec<u8>, expected: &'static str) -> Case {
    (name, Open, vec![bytes], expected)
}

#[test]
fn methods_that_do_not_belong_on_channel_0() {
    let misplaced = |id: &str| {
        closes(&format!("504 CHANNEL_ERROR - unexpected method in connection state running {id}"))
    };
    let start = cat(&[&[0, 9], &long(""), &long("PLAIN"), &long("en_US")]);
    check(vec![
        one("open", open(), misplaced("10.40")),
        one("start-ok", start_ok(), misplaced("10.11")),
        one("tune-ok", tune_ok(), misplaced("10.31")),
        one("close-ok", close_ok(), misplaced("10.51")),
        one("secure-ok", method(0, 10, 21, &long("x")), misplaced("10.21")),
        one("start, a server's", method(0, 10, 10, &start), misplaced("10.10")),
        one("blocked, a server's", method(0, 10, 60, &short("x")), misplaced("10.60")),
        one("channel.open", channel_open(0), misplaced("20.10")),
        one("basic.publish", method(0, 60, 40, b"\0\0\0\x01q\0"), misplaced("60.40")),
    ]);
}

#[test]
fn methods_on_channel_0_that_cannot_be_read() {
    let internal = closes("541 INTERNAL_ERROR 0.0");
    check(vec![
        one("no such method", method(0, 99, 99, b""), "reset at once"),
        one("another shape", method(0, 10, 40, b"\x05ab"), internal),
        one("no table", method(0, 50, 10, b"\0\0\0\0\0\0\0\x02\xff\xff"), internal),
        one(
            "no UTF-8",
            method(0, 20, 10, b"\x01\xff"),
            closes("501 FRAME_ERROR - Malformed UTF-8 in shortstr 20.10"),
        ),
    ]);
}

#[test]
fn misplaced_frames() {
    let unexpected = |what: &str| closes(&format!("505 UNEXPECTED_FRAME - type {what} 0.0"));
    let high: Vec<u8> = (200..217).collect();
    let low: Vec<u8> = (140..157).collect();
    check(vec![
        one(
            "a content header on channel 0",
            header(0, 5),
            unexpected("2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,5,0,0>>"),
        ),
        one("a body", body(0, b"hello"), unexpected(r#"3, all octets = <<"hello">>"#)),
        one("an empty body", body(0, b""), unexpected("3, all octets = <<>>")),
        one(
            "a longer one",
            body(0, b"hello world, hello"),
            unexpected(r#"3, first 16 octets = <<"hello world, hel">>"#),
        ),
        one(
            "a body of Latin-1",
            body(0, &high),
            unexpected(
                r#"3, first 16 octets = <<"\xc8\xc9\xca\xcb\xcc\xcd\xce\xcf\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7">>"#,
            ),
        ),
        one(
            "a body of other bytes",
            body(0, &low),
            unexpected(
                "3, first 16 octets = <<140,141,142,143,144,145,146,147,148,149,150,151,\\n\
                 \u{20}                           152,153,154,155>>",
            ),
        ),
        one("a heartbeat on channel 1", frame(8, 1, b""), unexpected("8, all octets = <<>>")),
    ]);
}

#[test]
fn malformed_frames() {
    let unknown = |what: &str| closes(&format!("501 FRAME_ERROR - type {what}: unknown_frame 0.0"));
    let ff = r#"255, first 16 octets = <<"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff">>"#;
    check(vec![
        one("a heartbeat with a payload", frame(8, 0, b"x"), unknown(r#"8, all octets = <<"x">>"#)),
        one("and on channel 1", frame(8, 1, b"x"), unknown(r#"8, all octets = <<"x">>"#)),
        one("type 0", frame(0, 0, b""), unknown("0, all octets = <<>>")),
        one("type 4", frame(4, 0, b"abc"), unknown(r#"4, all octets = <<"abc">>"#)),
        one("type 4 on channel 1", frame(4, 1, b"\0\x01"), unknown("4, all octets = <<0,1>>")),
        one("type 255", frame(255, 3, &[0xff; 20]), unknown(ff)),
        one(
            "a method without a number",
            frame(1, 0, b"\0\x0a\0"),
            unknown("1, all octets = <<0,10,0>>"),
        ),
        one("nor any octet", frame(1, 1, b""), unknown("1, all octets = <<>>")),
        one(
            "a content header that is too short",
            frame(2, 1, &[0; 11]),
            unknown("2, all octets = <<0,0,0,0,0,0,0,0,0,0,0>>"),
        ),
    ]);
}

#[test]
fn frames_that_do_not_end_where_they_should() {
    let upwards: Vec<u8> = (0..20).collect();
    let text = b"hello \"wor\\ld\"\n\x1b";
    check(vec![
        one(
            "another end",
            frame_with_end(1, 1, b"\0\x14\0\x0a\0", 205),
            gives_up("type 1, all octets = <<0,20,0,10,0>>: {invalid_frame_end_marker,205}"),
        ),
        one(
            "on channel 0",
            frame_with_end(1, 0, b"", 0),
            gives_up("type 1, all octets = <<>>: {invalid_frame_end_marker,0}"),
        ),
        one(
            "a longer one",
            frame_with_end(1, 1, &upwards, 0),
            gives_up(&format!(
                "type 1, first 16 octets = <<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15>>: \
                 {{invalid_frame_end_marker,\\n{:70}0}}",
                ""
            )),
        ),
        one(
            "with text in it",
            frame_with_end(3, 1, text, 10),
            gives_up(&format!(
                r#"type 3, all octets = <<"hello \\"wor\\\\ld\\"\\n\\e">>: {{invalid_frame_end_marker,\n{:51}10}}"#,
                ""
            )),
        ),
        one(
            "too long",
            announced(3, 1, 131_073),
            gives_up("type 3, all octets = <<>>: {frame_too_large,131073,131064}"),
        ),
        one("just not too long", announced(3, 1, 131_072), "open"),
        one(
            "as long as can be",
            announced(1, 0, u32::MAX),
            gives_up("type 1, all octets = <<>>: {frame_too_large,4294967295,131064}"),
        ),
    ]);
}

#[test]
fn channels_that_are_not_open() {
    let expected = |id: &str| closes(&format!("504 CHANNEL_ERROR - expected 'channel.open' {id}"));
    let no_method =
        closes("505 UNEXPECTED_FRAME - expected method frame, got non method frame instead 0.0");
    check(vec![
        one("an ack", method(1, 60, 80, &[0; 9]), expected("60.80")),
        one("a close", channel_close(1), expected("20.40")),
        one("a close-ok", channel_close_ok(1), expected("20.41")),
        one("a flow-ok", method(1, 20, 21, b"\x01"), expected("20.21")),
        one(
            "the connection's close",
            frame(1, 1, &close()[7..close().len() - 1]),
            expected("10.50"),
        ),
        one("a publish", cat(&[&publish(), &header(1, 1), &body(1, b"x")]), expected("60.40")),
        one("only the method of it", publish(), "open"),
        one("a content header", header(1, 5), no_method),
        one("a body", body(1, b"x"), no_method),
    ]);
}

#[test]
fn answers_on_channel_0() {
    check(vec![
        one("a new secret", method(0, 10, 70, b"\0\0\0\x01s\x01r"), "0: 10.71 | open"),
        one("a heartbeat", frame(8, 0, b""), "open"),
        one("a close", close(), "0: 10.51 | reset after 30 s"),
    ]);
}
