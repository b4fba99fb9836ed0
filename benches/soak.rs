//! A long run in constant memory: 100,000,000 messages through one world, and as many Redis
//! commands through another. It is no part of the gate, because it takes minutes.
//!
//! `cargo run --release -p stunt-double-benches --bin soak -- 100000000 [rabbitmq|redis]`
//!
//! After each tenth it prints the messages, the world's time, the wall time, the bytes that are
//! allocated, and what the system has given to the process where it tells. Between the tenths
//! nothing is left to do, so the bytes can be compared: it fails if one tenth ends with over 1 %
//! more than the first. Everything is at its default settings, so the trace keeps its last 1,000
//! events.

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use bytes::Bytes;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, Properties, QueueOptions, RabbitMq,
};
use stunt_double::redis::{self, Client, Redis, ServerOptions};
use stunt_double::sim::{Config, Node, Sim};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many messages are published, or commands called, before the virtual clock moves on.
const BURST: u64 = 100;

/// How many keys the commands touch.
const KEYS: u64 = 1_000;

/// The messages that are done.
type Done = Rc<Cell<u64>>;

async fn publisher(node: Node, (rabbit, count): (RabbitMq, u64)) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("work", QueueOptions::default()).await?;
    let body = Bytes::from_static(&[0; 100]);
    for i in 0..count {
        channel.basic_publish("", "work", Properties::default(), body.clone())?;
        if i % BURST == BURST - 1 {
            node.sleep(Duration::from_millis(1)).await;
        }
    }
    channel.close().await
}

async fn consumer(node: Node, (rabbit, done): (RabbitMq, Done)) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("work", QueueOptions::default()).await?;
    channel.basic_qos(200, false).await?;
    let mut consumer = channel.basic_consume("work", ConsumeOptions::default()).await?;
    while let Some(delivery) = consumer.next().await {
        delivery?.ack()?;
        done.set(done.get() + 1);
    }
    Ok(())
}

fn rabbitmq(sim: &mut Sim, count: u64, done: &Done) {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    sim.daemon_with("consumer", (rabbit.clone(), Rc::clone(done)), consumer);
    sim.node_with("publisher", (rabbit, count), publisher);
}

/// The `i`-th of commands that change values, let them expire, and keep a list at its length.
async fn call(client: &Client, i: u64) -> Result<(), redis::Error> {
    let key = format!("key:{:06}", i / 4 % KEYS);
    match i % 4 {
        0 => client.call(["SET", &key, "value", "PX", "100"]).await?,
        1 => client.call(["GET", &key]).await?,
        2 => client.call(["LPUSH", "list", &key]).await?,
        _ => client.call(["RPOP", "list"]).await?,
    };
    Ok(())
}

async fn caller(node: Node, (redis, count, done): (Redis, u64, Done)) -> Result<(), redis::Error> {
    let client = Client::connect(&node, &redis).await?;
    // The server saves a minute after enough changes. From then on it tells what is saved from what
    // is not, whose memory the first tenth must include.
    for _ in 0..2 {
        for i in 0..40_000 {
            call(&client, i).await?;
        }
        node.sleep(Duration::from_secs(61)).await;
    }
    for i in 0..count {
        call(&client, i).await?;
        done.set(i + 1);
        if i % BURST == BURST - 1 {
            node.sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

fn redis(sim: &mut Sim, count: u64, done: &Done) {
    let redis = redis::start(sim, ServerOptions::default());
    sim.node_with("caller", (redis, count, Rc::clone(done)), caller);
}

/// The memory that the system has given to the process, in kilobytes, now and at most. Only Linux
/// tells.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name| status.lines().find_map(|line: &str| line.strip_prefix(name)).map(str::trim);
    match (line("VmRSS:"), line("VmHWM:")) {
        (Some(now), Some(most)) => format!("{now} resident, {most} at most"),
        _ => "unknown".to_owned(),
    }
}

/// Runs one world, and returns whether its memory stayed the same.
fn soak(name: &str, count: u64, fill: fn(&mut Sim, u64, &Done)) -> bool {
    println!("{name}: {count} messages through one world");
    println!("{:>12} {:>14} {:>9} {:>16}   of the system", "messages", "virtual", "wall", "bytes");
    let region = Region::new(ALLOCATOR);
    let began = Instant::now();
    let mut sim = Sim::with_config(Config::new(1).with_max_steps(u64::MAX));
    let done = Done::default();
    fill(&mut sim, count, &done);
    let mut first = None;
    let mut after_the_first = began;
    let mut grew = false;
    for tenth in 1..=10 {
        let wanted = count / 10 * tenth;
        let counted = Rc::clone(&done);
        sim.run_until(move || counted.get() >= wanted).expect_reached();
        // Everything that is on its way arrives.
        sim.run_for(Duration::ZERO).expect_reached();
        let stats = region.change();
        let bytes = stats.bytes_allocated as i64 - stats.bytes_deallocated as i64;
        let (wall, at) = (began.elapsed().as_secs_f64(), sim.now().to_string());
        println!("{:>12} {at:>14} {wall:>8.1}s {bytes:>16}   {}", done.get(), resident());
        if first.is_none() {
            after_the_first = Instant::now();
        }
        let first = *first.get_or_insert(bytes);
        grew |= bytes * 100 > first * 101;
    }
    let each = after_the_first.elapsed().as_nanos() as f64 / (count / 10 * 9) as f64;
    println!("{each:.0} ns each; memory {}\n", if grew { "GREW" } else { "is constant" });
    !grew
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().and_then(|count| count.parse::<u64>().ok());
    let leg = arguments.next();
    let is_known = leg.as_deref().is_none_or(|leg| matches!(leg, "rabbitmq" | "redis"));
    let Some(count) = count.filter(|count| *count >= 100_000 && is_known) else {
        eprintln!("soak COUNT [rabbitmq|redis]: COUNT is how many messages, at least 100000");
        return ExitCode::from(2);
    };
    let asked = |name| leg.as_deref().is_none_or(|leg| leg == name);
    let mut is_constant = true;
    if asked("rabbitmq") {
        is_constant &= soak("rabbitmq: publish → deliver → ack", count, rabbitmq);
    }
    if asked("redis") {
        is_constant &= soak("redis: SET, GET, LPUSH, RPOP and expiry", count, redis);
    }
    if is_constant { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
