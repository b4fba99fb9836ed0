//! Messages as bytes: published, delivered, split in any way.

use crate::bytes::*;
use crate::play::{After, CLIENT, server, take};
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::rabbitmq::wire::ByteServer;
use stunt_double::sim::service::ByteService as _;

const NOW: Instant = Instant::ZERO;

fn connect(server: &mut ByteServer, id: u64, steps: &[Vec<u8>]) {
    server.connected(NOW, id, "test");
    for step in steps {
        server.receive(NOW, id, step);
        while server.poll_output().is_some() {}
    }
}

fn consume(queue: &str, flags: u8) -> Vec<u8> {
    method(1, 60, 20, &cat(&[&[0, 0], &short(queue), &short("t"), &[flags], &long("")]))
}

/// A conversation with nearly every kind of frame, from the header to the close.
fn conversation() -> Vec<u8> {
    let mut all = After::Channel.bytes();
    all.push(channel_open(7));
    all.push(declare_with(b"q", 8, b"\x05x-tagI\0\0\0\x01"));
    all.push(publish_to(b"", b"q", 0));
    all.push(header_with(1, 5, b"\x10\0\x02"));
    all.push(frame(8, 0, b""));
    all.push(body(1, b"he"));
    all.push(method(7, 60, 10, b"\0\0\0\0\0\x05\0"));
    all.push(body(1, b"llo"));
    all.push(get("q"));
    all.push(publish_to(b"", b"nobody", 1));
    all.push(header(1, 0));
    all.push(consume("q", 2));
    all.push(publish());
    all.push(header(1, 300));
    all.push(body(1, &[b'x'; 300]));
    all.push(method(7, 50, 10, &cat(&[&[0, 0], &short("nope"), &[1], &long("")])));
    all.push(channel_close_ok(7));
    all.push(close());
    all.concat()
}

fn answers(pieces: &[&[u8]]) -> Vec<u8> {
    let mut server = server();
    server.connected(NOW, CLIENT, "test");
    let mut all = Vec::new();
    for piece in pieces {
        server.receive(NOW, CLIENT, piece);
        assert!(!take(&mut server, &mut all));
    }
    all
}

#[test]
fn pieces_do_not_matter() {
    let bytes = conversation();
    let whole = answers(&[&bytes]);
    assert!(describe(&whole).last().unwrap().ends_with("10.51"), "{:?}", describe(&whole));
    for at in 0..bytes.len() {
        let (head, rest) = bytes.split_at(at);
        assert_eq!(answers(&[head, rest]), whole, "split at {at}");
    }
    for length in [1, 2, 3, 7, 8, 9, 64] {
        assert_eq!(
            answers(&bytes.chunks(length).collect::<Vec<_>>()),
            whole,
            "in pieces of {length}"
        );
    }
}

/// The lengths of the body frames, starting with a delivery's body.
fn body_frames(bytes: &[u8]) -> Vec<usize> {
    let lines = describe(bytes);
    let bodies = lines.iter().filter_map(|line| line.strip_prefix("1: type 3 "));
    bodies.map(|hex| hex.len() / 2).collect()
}

#[test]
fn bodies_are_split_into_frames_of_the_negotiated_length() {
    let table = [
        (0, vec![]),
        (1, vec![1]),
        (4_088, vec![4_088]),
        (4_089, vec![4_088, 1]),
        (8_176, vec![4_088, 4_088]),
        (10_000, vec![4_088, 4_088, 1_824]),
    ];
    for (size, expected) in table {
        let mut server = server();
        let mut steps = After::Tune.bytes();
        steps.extend([tune_ok_with(2_047, 4_096, 0), open(), channel_open(1), declare("q")]);
        connect(&mut server, CLIENT, &steps);
        let octets = vec![b'x'; size];
        let mut sent = vec![publish(), header(1, size as u64)];
        // However the client splits them.
        sent.extend(octets.chunks(4_096).map(|part| body(1, part)));
        sent.push(get("q"));
        server.receive(NOW, CLIENT, &sent.concat());
        let mut all = Vec::new();
        take(&mut server, &mut all);
        assert_eq!(body_frames(&all), expected, "{size}");
    }
}

#[test]
fn publishes_of_one_read_are_confirmed_together() {
    let mut server = server();
    let mut steps = After::Channel.bytes();
    steps.extend([declare("q"), method(1, 85, 10, b"\0")]);
    connect(&mut server, CLIENT, &steps);
    let one = [publish(), header(1, 1), body(1, b"x")].concat();
    server.receive(NOW, CLIENT, &one.repeat(3));
    let mut all = Vec::new();
    take(&mut server, &mut all);
    assert_eq!(describe(&all), ["1: 60.80 000000000000000301"]);
}

#[test]
fn one_connections_end_is_anothers_delivery() {
    let mut server = server();
    let mut steps = After::Channel.bytes();
    steps.extend([declare("q"), consume("q", 0)]);
    connect(&mut server, CLIENT, &steps);
    let message = [publish(), header(1, 1), body(1, b"x")].concat();
    server.receive(NOW, CLIENT, &message);
    while server.poll_output().is_some() {}
    let other = 2;
    let mut steps = After::Channel.bytes();
    steps.push(consume("q", 0));
    connect(&mut server, other, &steps);
    server.disconnected(NOW, CLIENT);
    let mut all = Vec::new();
    assert_eq!(server.drain_output(other, &mut all), None);
    assert_eq!(
        describe(&all),
        [
            "1: 60.60 0174000000000000000101000171",
            "1: type 2 003c000000000000000000010000",
            "1: type 3 78"
        ]
    );
}

#[test]
fn effects_of_direct_calls_are_sent_too() {
    let mut server = server();
    let mut steps = After::Channel.bytes();
    steps.extend([declare("q"), consume("q", 0)]);
    connect(&mut server, CLIENT, &steps);
    server.machine_mut().stop(NOW);
    let mut all = Vec::new();
    assert!(take(&mut server, &mut all));
    let later = NOW + Duration::from_secs(1);
    server.machine_mut().start(later);
    assert_eq!(server.poll_output(), None);
    assert!(server.machine().is_running());
}

/// Fires the server's timers until this time.
fn pass(server: &mut ByteServer, until: Instant, all: &mut Vec<u8>) -> Option<Instant> {
    while let Some(at) = server.poll_timeout().filter(|at| *at <= until) {
        server.handle_timeout(at);
        if take(server, all) {
            return Some(at);
        }
    }
    None
}

#[test]
fn a_client_that_is_silent_for_three_heartbeats_is_hung_up_on() {
    let mut server = server();
    let mut steps = After::Tune.bytes();
    steps.extend([tune_ok_with(2_047, 131_072, 2), open(), channel_open(1)]);
    connect(&mut server, CLIENT, &steps);
    let mut all = Vec::new();
    let closed = pass(&mut server, NOW + Duration::from_secs(60), &mut all);
    // Checked after 2, 4 and 6 seconds. At the first check the connection had just opened.
    assert_eq!(closed, Some(NOW + Duration::from_secs(6)));
    assert!(describe(&all).iter().all(|line| line.trim() == "0: type 8"), "{:?}", describe(&all));
}

#[test]
fn any_bytes_count_as_traffic() {
    for bytes in [frame(8, 0, b""), b"\x03".to_vec()] {
        let mut server = server();
        let mut steps = After::Tune.bytes();
        steps.extend([tune_ok_with(2_047, 131_072, 2), open(), channel_open(1)]);
        connect(&mut server, CLIENT, &steps);
        let mut all = Vec::new();
        // The second part is a body frame, byte by byte, which is not a method.
        let mut rest = [&announced(3, 1, 4_096)[1..], &[0; 9]].concat().into_iter();
        server.receive(NOW, CLIENT, &bytes);
        for second in 1..10 {
            let now = NOW + Duration::from_secs(second);
            assert_eq!(pass(&mut server, now, &mut all), None);
            let next = if bytes.len() == 1 { vec![rest.next().unwrap()] } else { bytes.clone() };
            server.receive(now, CLIENT, &next);
        }
        assert!(!all.is_empty());
    }
}
