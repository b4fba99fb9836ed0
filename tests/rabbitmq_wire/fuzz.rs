//! Random bytes: the server never panics and only ever sends frames.

use crate::bytes::*;
use crate::play::{After, CLIENT, server, take};
use proptest::prelude::*;
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::sim::service::ByteService as _;

fn after() -> impl Strategy<Value = After> {
    prop::sample::select(vec![
        After::Nothing,
        After::Start,
        After::Tune,
        After::TuneOk,
        After::Open,
        After::Channel,
    ])
}

/// Complete frames, most of them on channels 0 and 1.
fn some_frame() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![4 => Just(1_u8), 2 => 2..4_u8, 1 => any::<u8>()];
    let class = prop::sample::select(vec![10_u8, 20, 30, 40, 50, 60, 85, 90, 99]);
    let number = prop::sample::select(vec![
        10_u8, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 70, 71, 72, 80, 90, 100, 110, 120, 200,
    ]);
    let rest = prop_oneof![
        prop::collection::vec(0..4_u8, 0..20),
        prop::collection::vec(any::<u8>(), 0..40)
    ];
    (kind, 0..3_u16, class, number, rest).prop_map(|(kind, channel, class, number, rest)| {
        frame(kind, channel, &cat(&[&[0, class, 0, number], &rest]))
    })
}

fn sensible() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        publish(),
        header(1, 3),
        header_with(1, 3, b"\x20\0\0\0\0\x03\x01aV"),
        body(1, b"abc"),
        body(1, b"a"),
        declare("q"),
        declare_missing(),
        get("q"),
        channel_open(1),
        channel_open(2),
        channel_close(1),
        channel_close_ok(1),
        close(),
        close_ok(),
        frame(8, 0, b""),
        method(1, 60, 20, b"\0\0\x01q\x01t\0\0\0\0\0"),
        method(1, 60, 80, b"\0\0\0\0\0\0\0\x01\0"),
        method(1, 60, 120, b"\0\0\0\0\0\0\0\0\x03"),
        method(1, 85, 10, b"\0"),
    ])
}

/// Sends the bytes in pieces, lets time pass, and returns everything that was sent back.
fn play(after: After, bytes: &[u8], piece: usize) -> (Vec<u8>, bool) {
    let mut server = server();
    server.connected(Instant::ZERO, CLIENT, "test");
    for step in after.bytes() {
        server.receive(Instant::ZERO, CLIENT, &step);
    }
    while server.poll_output().is_some() {}
    let mut all = Vec::new();
    let mut closed = false;
    for piece in bytes.chunks(piece) {
        server.receive(Instant::ZERO, CLIENT, piece);
        closed |= take(&mut server, &mut all);
        server.machine().check_invariants().unwrap();
    }
    server.handle_timeout(Instant::ZERO + Duration::from_secs(60));
    closed |= take(&mut server, &mut all);
    server.disconnected(Instant::ZERO + Duration::from_secs(60), CLIENT);
    (all, closed)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn random_bytes(after in after(), bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1..64_usize) {
        let (all, _) = play(after, &bytes, piece);
        describe(&all);
    }

    #[test]
    fn all_kinds_of_frames(
        after in after(),
        frames in prop::collection::vec(prop_oneof![some_frame(), sensible()], 0..30),
        piece in 1..200_usize,
    ) {
        let bytes = frames.concat();
        let (all, closed) = play(after, &bytes, piece);
        describe(&all);
        // How the bytes are split does not matter, except for confirms, which are gathered for one
        // read.
        if !describe(&all).iter().any(|line| line.contains("60.80") || line.contains("85.11")) {
            prop_assert_eq!(play(after, &bytes, usize::MAX), (all, closed));
        }
    }

    #[test]
    fn valid_frames_with_a_few_bytes_changed(
        parts in prop::collection::vec(sensible(), 1..30),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
        piece in 1..200_usize,
    ) {
        let mut bytes = parts.concat();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => {}
            }
        }
        let (all, _) = play(After::Channel, &bytes, piece);
        describe(&all);
    }
}
