//! What bytes of a client can make the server hold, by a counting allocator. One
//! test, alone in its process, so that nobody else allocates meanwhile.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use stunt_double::rabbitmq::BrokerOptions;
use stunt_double::rabbitmq::broker::Broker;
use stunt_double::rabbitmq::wire::ByteServer;
use stunt_double::sim::ByteService as _;
use stunt_double::{Instant, Site, Stream};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NOW: Instant = Instant::ZERO;
const CLIENT: u64 = 1;

/// The longest frame there may be.
const FRAME_MAX: usize = 131_072;

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &length, payload, &[0xCE]].concat()
}

fn connected() -> ByteServer {
    let names = Stream::calm(Site::new("test.names"), 0);
    let mut server = ByteServer::new(Broker::new(BrokerOptions::default(), names));
    server.connected(NOW, CLIENT, "test");
    let steps = [
        b"AMQP\0\0\x09\x01".to_vec(),
        frame(1, 0, b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US"),
        frame(1, 0, b"\0\x0a\0\x1f\x07\xff\0\x02\0\0\0\0"),
        frame(1, 0, b"\0\x0a\0\x28\x01/\0\0"),
        frame(1, 1, b"\0\x14\0\x0a\0"),
    ];
    server.receive(NOW, CLIENT, &steps.concat());
    while server.poll_output().is_some() {}
    server
}

/// A publish whose header announces a body of that size.
fn announced(size: u64) -> Vec<u8> {
    let header = [&b"\0\x3c\0\0"[..], &size.to_be_bytes(), &[0, 0]].concat();
    [frame(1, 1, b"\0\x3c\0\x28\0\0\0\x01q\0"), frame(2, 1, &header)].concat()
}

/// Bytes in use after all that, beyond those before.
fn held(parts: &[Vec<u8>], times: usize) -> usize {
    let mut server = connected();
    let region = Region::new(ALLOCATOR);
    server.receive(NOW, CLIENT, &parts[0]);
    for _ in 0..times {
        server.receive(NOW, CLIENT, &parts[1]);
    }
    while server.poll_output().is_some() {}
    let used = region.change();
    drop(server);
    used.bytes_allocated.saturating_sub(used.bytes_deallocated)
}

/// A name, what comes first, what comes then and how often, and what may be held.
type Case = (&'static str, Vec<u8>, Vec<u8>, usize, usize);

#[test]
fn what_is_announced_takes_no_room_and_what_is_no_use_is_dropped() {
    let body = frame(3, 1, &vec![b'x'; FRAME_MAX - 8]);
    let cut = body[..body.len() - 1].to_vec();
    let table: [Case; 6] = [
        ("a body that is announced", announced(100 << 20), vec![], 1, 4_096),
        ("one that is impossible", announced(u64::MAX), body.clone(), 100, 4_096),
        ("one that outgrows its header", announced(5), body.clone(), 100, 4_096),
        ("a frame that is announced", body[..7].to_vec(), vec![], 1, 4_096),
        ("a frame that is not complete", vec![], cut, 1, 2 * FRAME_MAX),
        ("frames after the close", frame(2, 1, &[0; 14]), body, 100, 4_096),
    ];
    for (name, first, then, times, limit) in table {
        let held = held(&[first, then], times);
        assert!(held <= limit, "{name}: {held}");
    }
}
