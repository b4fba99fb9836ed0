//! From the protocol header to `connection.open`.

use crate::bytes::*;
use crate::play::After::{Nothing, Start, Tune, TuneOk};
use crate::play::{After, CLIENT, Case, check, server, take};
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::sim::service::{ByteOutput, ByteService as _, Hangup};

const REFUSED: &str = "0: 10.50 403 ACCESS_REFUSED - Login was refused using authentication \
                       mechanism PLAIN. For details see the broker logfile. 0.0 | reset after 3 s";

#[test]
fn a_protocol_is_spoken_or_refused() {
    let refused = "header 414d515000000901 | reset at once";
    let table: Vec<Case> = vec![
        ("HTTP", Nothing, vec![b"GET / HTTP/1.0\r\n\r\n".to_vec()], refused),
        ("HTTP, just enough of it", Nothing, vec![b"GET / HT".to_vec()], refused),
        ("a beginning", Nothing, vec![b"GET".to_vec()], "reset after 10 s"),
        ("another version", Nothing, vec![b"AMQP\0\0\x09\x02".to_vec()], refused),
        ("1.0", Nothing, vec![b"AMQP\0\x01\0\0".to_vec()], refused),
        ("1.0 with SASL", Nothing, vec![b"AMQP\x03\x01\0\0".to_vec()], refused),
        ("silence", Nothing, vec![], "reset after 10 s"),
    ];
    // A real server is awaited only half as long.
    let real = std::env::var("STUNT_DOUBLE_REAL_RABBITMQ").is_ok();
    check(table.into_iter().filter(|row| !real || !row.3.contains("10 s")).collect());
}

const HEADER_0_8: &[u8] = b"AMQP\x01\x01\x08\0";

#[test]
fn amqp_0_8_is_answered_in_its_own_language() {
    let opened = || vec![HEADER_0_8.to_vec(), start_ok(), tune_ok(), open(), channel_open(1)];
    let welcome = "0: 10.30 07ff00020000003c | 0: 10.41 00 | 1: 20.11";
    let consume =
        |rest: &[u8]| method(1, 60, 20, &cat(&[&[0, 0], &short("pq"), &short("t"), rest]));
    let close = |number| method(0, 10, number, b"\0\xc8\x03bye\0\0\0\0");
    let after_start = |steps: Vec<Vec<u8>>, said: &str| {
        let mut server = server();
        server.connected(Instant::ZERO, CLIENT, "test");
        server.receive(Instant::ZERO, CLIENT, HEADER_0_8);
        let mut all = Vec::new();
        assert!(!take(&mut server, &mut all));
        assert_eq!(all[11..13], [8, 0], "the version");
        let start = all.escape_ascii().to_string();
        assert!(start.contains("capabilitiesF\\x00\\x00\\x00\\x00\\x0ccluster_name"), "{start}");
        all.clear();
        let mut is_reset = false;
        for step in steps.into_iter().skip(1) {
            server.receive(Instant::ZERO, CLIENT, &step);
            is_reset |= take(&mut server, &mut all);
        }
        let end = if is_reset { "reset" } else { "open" };
        assert_eq!(
            format!("{} | {end}", describe(&all).join(" | ")),
            format!("{welcome} | {said}")
        );
    };
    let then = |steps: &[Vec<u8>]| opened().into_iter().chain(steps.iter().cloned()).collect();
    after_start(then(&[]), "open");
    let declared = "1: 50.11 0270710000000000000000";
    after_start(
        then(&[declare("pq"), consume(&[0])]),
        &format!("{declared} | 1: 60.21 0174 | open"),
    );
    after_start(then(&[close(60)]), "0: 10.61 | open");
    after_start(then(&[close(60), method(0, 10, 61, b"")]), "0: 10.61 | reset");
    let frame_error = "0: 10.60 501 FRAME_ERROR - cannot decode \
                       <<0,0,2,112,113,1,116,0,0,0,0,0>> 60.20 | open";
    after_start(then(&[consume(&[0; 5])]), frame_error);
    // A method that 0-8 does not have crashes the reader.
    for (class, number) in [(85, 10), (60, 120), (40, 30)] {
        after_start(then(&[method(1, class, number, b"\0")]), "reset");
    }
    let mut server = server();
    server.connected(Instant::ZERO, CLIENT, "test");
    server.receive(Instant::ZERO, CLIENT, b"AMQP\x01\x01\x09\x01");
    let Some((_, ByteOutput::Data(start))) = server.poll_output() else { panic!("it is served") };
    assert_eq!(start[11..13], [8, 0]);
}

#[test]
fn a_slow_handshake_is_reset() {
    for after in [Nothing, Start, Tune, TuneOk] {
        let mut server = server();
        server.connected(Instant::ZERO, CLIENT, "test");
        for step in after.bytes() {
            server.receive(Instant::ZERO, CLIENT, &step);
        }
        while server.poll_output().is_some() {}
        let at = Instant::ZERO + Duration::from_secs(10);
        assert_eq!(server.poll_timeout(), Some(at), "{after:?}");
        server.handle_timeout(at);
        assert_eq!(
            server.poll_output(),
            Some((CLIENT, ByteOutput::Close(Hangup::Reset))),
            "{after:?}"
        );
    }
}

#[test]
fn logging_in() {
    let cap = authentication_failure_close();
    let plain =
        |properties: &[u8], response: &[u8]| vec![start_ok_with(properties, "PLAIN", response)];
    let other = |mechanism: &str, response: &[u8]| {
        vec![start_ok_with(&authentication_failure_close(), mechanism, response)]
    };
    let table_response = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest";
    let tune = "0: 10.30 07ff00020000003c | open";
    let silent = "reset after 3 s";
    let refused_at_once = &REFUSED.replace("reset after 3 s", "reset at once");
    let refused_amqplain = &REFUSED.replace("PLAIN", "AMQPLAIN");
    let leak = |text: &str| -> &'static str { text.to_owned().leak() };
    let mut table: Vec<Case> = vec![
        ("a wrong password", Start, plain(&cap, b"\0guest\0no"), REFUSED),
        ("an unknown user", Start, plain(&cap, b"\0nobody\0no"), REFUSED),
        (
            "and the client answers",
            Start,
            vec![start_ok_with(&cap, "PLAIN", b"\0guest\0no"), close_ok()],
            leak(refused_at_once),
        ),
        ("to a client that would not get it", Start, plain(b"", b"\0guest\0no"), silent),
        ("an unknown mechanism", Start, other("FOO", b""), silent),
        ("one that is not offered", Start, other("EXTERNAL", b""), silent),
        ("no response of PLAIN", Start, other("PLAIN", b"guest"), silent),
        ("acting as another", Start, other("PLAIN", b"x\0guest\0guest"), silent),
        ("a part too many", Start, other("PLAIN", b"\0guest\0guest\0"), silent),
        (
            "AMQPLAIN, refused",
            Start,
            other("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x03bad"),
            leak(refused_amqplain),
        ),
        ("AMQPLAIN without a password", Start, other("AMQPLAIN", &table_response[..15]), silent),
        ("AMQPLAIN that is not a table", Start, other("AMQPLAIN", b"\xff\xff"), silent),
        ("properties that are not a table", Start, plain(b"\xff\xff", b"\0guest\0guest"), silent),
        ("on channel 1", Start, vec![frame(1, 1, &start_ok()[7..start_ok().len() - 1])], silent),
        ("tune-ok first", Start, vec![tune_ok()], silent),
        ("a close", Start, vec![close()], silent),
        ("a frame that is too large", Start, vec![announced(1, 0, 4_097)], silent),
        ("a frame without its end", Start, vec![frame_with_end(1, 0, b"\0\x0a\0\x0b", 0)], silent),
        ("a method that does not exist", Start, vec![method(0, 99, 99, b"")], "reset at once"),
    ];
    // Connections that succeed are followed until the deadline by the virtual clock.
    let welcome: Vec<Case> = vec![
        ("PLAIN", Start, plain(b"", b"\0guest\0guest"), tune),
        ("AMQPLAIN", Start, other("AMQPLAIN", table_response), tune),
        ("a heartbeat first", Start, vec![frame(8, 0, b""), start_ok()], tune),
    ];
    table.extend(within_the_handshake(welcome));
    check(table);
}

/// The handshake has ten seconds in all. A real server is not awaited that long.
fn within_the_handshake(table: Vec<Case>) -> Vec<Case> {
    let real = std::env::var("STUNT_DOUBLE_REAL_RABBITMQ").is_ok();
    let end = |expected: &str| -> &'static str {
        if real { expected.to_owned() } else { expected.replace("open", "reset after 10 s") }.leak()
    };
    table.into_iter().map(|(name, after, steps, said)| (name, after, steps, end(said))).collect()
}

#[test]
fn limits_are_negotiated_or_the_server_hangs_up_silently() {
    let tune = |channels, frames| vec![tune_ok_with(channels, frames, 0)];
    let silent = "reset after 3 s";
    let mut table: Vec<Case> = vec![
        ("frames too short", Tune, tune(2_047, 4_095), silent),
        ("frames too long", Tune, tune(2_047, 131_073), silent),
        ("frames without a limit", Tune, tune(2_047, 0), silent),
        ("channels without a limit", Tune, tune(0, 131_072), silent),
        ("channels too many", Tune, tune(2_048, 131_072), silent),
        ("a close-ok does not help", Tune, vec![tune_ok_with(2_047, 9, 0), close_ok()], silent),
        ("a close", Tune, vec![close()], silent),
        ("open before tune-ok", Tune, vec![open()], silent),
    ];
    table.extend(within_the_handshake(vec![("as little as may be", Tune, tune(1, 4_096), "open")]));
    check(table);
}

#[test]
fn opening() {
    let after_30 =
        |what: &str| -> &'static str { format!("0: 10.50 {what} | reset after 30 s").leak() };
    check(vec![
        ("open", TuneOk, vec![open()], "0: 10.41 00 | open"),
        (
            "an unknown vhost",
            TuneOk,
            vec![open_with("nope")],
            after_30("530 NOT_ALLOWED - vhost nope not found 10.40"),
        ),
        (
            "tune-ok again",
            TuneOk,
            vec![tune_ok()],
            after_30("504 CHANNEL_ERROR - unexpected method in connection state opening 10.31"),
        ),
        (
            "a close",
            TuneOk,
            vec![close()],
            after_30("504 CHANNEL_ERROR - unexpected method in connection state opening 10.50"),
        ),
        (
            "a channel",
            TuneOk,
            vec![channel_open(1)],
            after_30("505 UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>> 0.0"),
        ),
        (
            "a content",
            TuneOk,
            vec![header(0, 5)],
            after_30(
                "505 UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,5,0,0>> 0.0",
            ),
        ),
        (
            "an unknown type",
            TuneOk,
            vec![frame(7, 0, b"")],
            after_30("501 FRAME_ERROR - type 7, all octets = <<>>: unknown_frame 0.0"),
        ),
        (
            "arguments that cannot be read",
            TuneOk,
            vec![method(0, 10, 40, b"\x05ab")],
            "reset after 3 s",
        ),
        (
            "a frame without its end",
            TuneOk,
            vec![frame_with_end(1, 0, b"\0\x0a\0\x0b", 0)],
            "0: 10.50 501 FRAME_ERROR - type 1, all octets = <<0,10,0,11>>: \
             {invalid_frame_end_marker,0} 0.0 | reset after 3 s",
        ),
    ]);
}

/// The complete frame, as the real server sends it.
#[test]
fn the_start_is_that_of_the_real_server() {
    let mut server = server();
    server.connected(Instant::ZERO, CLIENT, "test");
    server.receive(Instant::ZERO, CLIENT, HEADER);
    let Some((_, ByteOutput::Data(start))) = server.poll_output() else { panic!("it starts") };
    let flag = |name: &str| cat(&[&short(name), b"t\x01"]);
    let capabilities = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ];
    let text = |name: &str, value: &str| cat(&[&short(name), b"S", &long(value)]);
    let properties = [
        cat(&[&short("capabilities"), b"F", &long(capabilities.map(flag).concat())]),
        text("cluster_name", "rabbit@localhost"),
        text("copyright", "Copyright (c) 2007-2022 VMware, Inc. or its affiliates."),
        text("information", "Licensed under the MPL 2.0. Website: https://rabbitmq.com"),
        text("platform", "Erlang/OTP 25.2.3"),
        text("product", "RabbitMQ"),
        text("version", "3.10.8"),
    ];
    let rest = cat(&[&long("PLAIN AMQPLAIN"), &long("en_US")]);
    let expected = method(0, 10, 10, &cat(&[&[0, 9], &long(properties.concat()), &rest]));
    assert_eq!(start.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn a_broker_that_is_down_takes_no_connection() {
    let mut server = server();
    server.connected(Instant::ZERO, CLIENT, "test");
    for step in After::Channel.bytes() {
        server.receive(Instant::ZERO, CLIENT, &step);
    }
    while server.poll_output().is_some() {}
    server.machine_mut().stop(Instant::ZERO);
    assert!(matches!(server.poll_output(), Some((CLIENT, _))));
    while server.poll_output().is_some() {}
    let late = 2;
    server.connected(Instant::ZERO, late, "test");
    assert_eq!(server.poll_output(), Some((late, ByteOutput::Close(Hangup::Reset))));
}
