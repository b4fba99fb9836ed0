//! The cost of AMQP's bytes: a broker driven by them, beside the broker alone and beside a copy of
//! the same bytes.
//!
//! `cargo bench -p stunt-double-benches --bench rabbitmq_wire`

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use stunt_double::rabbitmq::broker::{
    Broker, ChannelId, ChannelNumber, ConnectionId, Event, Method,
};
use stunt_double::rabbitmq::wire::ByteServer;
use stunt_double::rabbitmq::{
    BrokerOptions, ConnectionOptions, ConsumeOptions, DeliveryTag, Publish, QueueOptions,
};
use stunt_double::sim::service::ByteService as _;
use stunt_double::{Instant, Site, Stream};

const NOW: Instant = Instant::ZERO;
const CLIENT: u64 = 1;
const CHANNEL: ChannelId = ChannelId::new(1, 1);

/// Messages in one measured run, and in one read of the socket: the prefetch.
const MESSAGES: usize = 10_000;
const PREFETCH: usize = 100;

fn broker() -> Broker {
    let names = Stream::seeded(1, Site::new("bench.names"), 0);
    Broker::new(BrokerOptions::default(), names)
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let channel = if payload.starts_with(&[0, 10]) { 0 } else { 1 };
    let length = (payload.len() as u32).to_be_bytes();
    [&[kind, 0, channel][..], &length, payload, &[0xCE]].concat()
}

/// A server with a client that has opened channel 1 and declared a queue `q`.
fn connected() -> ByteServer {
    let mut server = ByteServer::new(broker());
    server.connected(NOW, CLIENT, "test");
    let steps = [
        b"AMQP\0\0\x09\x01".to_vec(),
        frame(1, b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US"),
        frame(1, b"\0\x0a\0\x1f\x07\xff\0\x02\0\0\0\0"),
        frame(1, b"\0\x0a\0\x28\x01/\0\0"),
        frame(1, b"\0\x14\0\x0a\0"),
        frame(1, b"\0\x32\0\x0a\0\0\x01q\0\0\0\0\0"),
        frame(1, b"\0\x3c\0\x0a\0\0\0\0\0\x64\0"),
    ];
    server.receive(NOW, CLIENT, &steps.concat());
    while server.poll_output().is_some() {}
    server
}

/// A consumer of the queue.
fn consume(server: &mut ByteServer) {
    server.receive(NOW, CLIENT, &frame(1, b"\0\x3c\0\x14\0\0\x01q\x01t\0\0\0\0\0"));
    while server.poll_output().is_some() {}
}

/// A publish to the queue: a method, a header with a delivery mode, a body.
fn publish(body: usize) -> Vec<u8> {
    let header = [&b"\0\x3c\0\0"[..], &(body as u64).to_be_bytes(), b"\x10\0\x01"].concat();
    let method = frame(1, b"\0\x3c\0\x28\0\0\0\x01q\0");
    [method, frame(2, &header), frame(3, &vec![b'x'; body])].concat()
}

/// Where in an acknowledgement's frame its delivery tag is, and how long it is.
const TAG_AT: usize = 11;
const ACK_LENGTH: usize = 21;

/// Acknowledgements, each of one message, from `first`.
fn acks(first: u64, out: &mut [u8]) {
    for (tag, ack) in (first..).zip(out.chunks_mut(ACK_LENGTH)) {
        ack[TAG_AT..TAG_AT + 8].copy_from_slice(&tag.to_be_bytes());
    }
}

/// Bytes in, publish, deliver, bytes out, and an acknowledgement of each.
fn rounds(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire/publish-deliver-ack");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    let body = Bytes::from(vec![b'x'; 100]);
    group.bench_function("broker", |b| {
        let mut broker = broker();
        broker
            .connection_open(NOW, ConnectionId(CLIENT), ConnectionOptions::default())
            .expect("a new one");
        broker.channel_open(NOW, CHANNEL).expect("a new one");
        broker.queue_declare(NOW, CHANNEL, "q", QueueOptions::default()).expect("a new one");
        broker.basic_consume(NOW, CHANNEL, "q", ConsumeOptions::default()).expect("it exists");
        let mut tag = 0;
        b.iter(|| {
            for _ in 0..MESSAGES / PREFETCH {
                for _ in 0..PREFETCH {
                    let publish = Method::BasicPublish(Publish::new("", "q", body.clone()));
                    broker.handle_input(NOW, ConnectionId(CLIENT), ChannelNumber(1), publish);
                }
                while let Some(output) = broker.poll_output() {
                    assert!(matches!(output.event, Event::Deliver { .. }));
                    tag += 1;
                    let ack = Method::BasicAck { delivery_tag: DeliveryTag(tag), multiple: false };
                    broker.handle_input(NOW, ConnectionId(CLIENT), ChannelNumber(1), ack);
                }
            }
        });
    });
    group.bench_function("bytes", |b| {
        let mut server = connected();
        consume(&mut server);
        let publishes = publish(100).repeat(PREFETCH);
        let mut settled = frame(1, &[&b"\0\x3c\0\x50"[..], &[0; 9]].concat()).repeat(PREFETCH);
        let mut out = Vec::new();
        let mut tag = 1;
        b.iter(|| {
            for _ in 0..MESSAGES / PREFETCH {
                server.receive(NOW, CLIENT, &publishes);
                out.clear();
                assert_eq!(server.drain_output(CLIENT, &mut out), None);
                black_box(&out);
                acks(tag, &mut settled);
                tag += PREFETCH as u64;
                server.receive(NOW, CLIENT, &settled);
            }
        });
        assert!(out.len() > PREFETCH * 100, "all were delivered");
    });
    group.finish();
}

/// Frames with long bodies, in and out again: the bytes of both ways.
fn bodies(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire/bodies");
    for size in [4 << 10, 64 << 10] {
        let sent = publish(size).repeat(PREFETCH);
        group.throughput(Throughput::Bytes(2 * sent.len() as u64));
        group.bench_with_input(BenchmarkId::new("copied-twice", size), &sent, |b, sent| {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            b.iter(|| {
                first.clear();
                second.clear();
                first.extend_from_slice(black_box(sent));
                second.extend_from_slice(black_box(&first));
                black_box(&second);
            });
        });
        // A socket cuts frames anywhere.
        for read in [usize::MAX, 65_536] {
            let name = if read == usize::MAX { "whole" } else { "in-reads-of-64-KiB" };
            group.bench_with_input(BenchmarkId::new(name, size), &sent, |b, sent| {
                let mut server = connected();
                // Without acknowledgements, so that only frames are measured.
                let consume = frame(1, b"\0\x3c\0\x14\0\0\x01q\x01t\x02\0\0\0\0");
                server.receive(NOW, CLIENT, &consume);
                while server.poll_output().is_some() {}
                let mut out = Vec::new();
                b.iter(|| {
                    out.clear();
                    for part in sent.chunks(read) {
                        server.receive(NOW, CLIENT, part);
                        assert_eq!(server.drain_output(CLIENT, &mut out), None);
                    }
                    black_box(&out);
                });
                assert!(out.len() > PREFETCH * size, "all were delivered");
            });
        }
    }
    group.finish();
}

criterion_group!(benches, rounds, bodies);
criterion_main!(benches);
