//! The clock: the machine's own, or one that the test moves.

use crate::{ask, connect, expect, send, start};
use std::time::Duration;
use stunt_double::adapter::loopback::{Options, Server};
use stunt_double::{Instant, WORLD_EPOCH};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_key_expires_when_the_clock_is_moved() {
    for options in [Options::default(), Options::default().with_manual_clock()] {
        let server = Server::start(options).unwrap();
        let mut client = connect(server.redis_addr());
        // With half an hour to spare, however slow the machine is.
        ask(&mut client, "SET k v EX 3600\r\n", "+OK\r\n");
        server.advance(1800 * SECOND);
        ask(&mut client, "EXISTS k\r\n", ":1\r\n");
        server.advance(1800 * SECOND);
        ask(&mut client, "EXISTS k\r\n", ":0\r\n");
    }
}

#[test]
fn what_was_sent_before_a_jump_is_read_before_it() {
    let server = Server::start(Options::default().with_manual_clock()).unwrap();
    let mut client = connect(server.redis_addr());
    for _ in 0..100 {
        send(&mut client, "BLPOP jobs 5\r\n");
        server.advance(5 * SECOND);
        expect(&mut client, "*-1\r\n");
    }
    assert_eq!(server.now(), Instant::ZERO + 500 * SECOND);
}

#[test]
fn timers_on_the_way_fire_at_their_own_time() {
    let server = Server::start(Options::default().with_manual_clock()).unwrap();
    let mut subscriber = connect(server.redis_addr());
    let mut client = connect(server.redis_addr());
    ask(&mut client, "CONFIG SET notify-keyspace-events Ex\r\n", "+OK\r\n");
    ask(&mut subscriber, "PSUBSCRIBE *\r\n", "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n");
    ask(&mut client, "SET late v EX 20\r\nSET early v EX 10\r\n", "+OK\r\n+OK\r\n");
    server.advance(30 * SECOND);
    let message = |key: &str| {
        let (channel, length) = ("__keyevent@0__:expired", key.len());
        format!("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$22\r\n{channel}\r\n${length}\r\n{key}\r\n")
    };
    expect(&mut subscriber, &message("early"));
    expect(&mut subscriber, &message("late"));
}

#[test]
fn a_manual_clock_stands_still_at_the_beginning_of_every_world() {
    let server = Server::start(Options::default().with_manual_clock()).unwrap();
    assert_eq!(server.now(), Instant::ZERO);
    let mut client = connect(server.redis_addr());
    let seconds = WORLD_EPOCH.as_secs().to_string();
    ask(&mut client, "TIME\r\n", &format!("*2\r\n${}\r\n{seconds}\r\n$1\r\n0\r\n", seconds.len()));
}

#[test]
fn the_real_clock_is_the_machines_calendar() {
    let server = start();
    let calendar = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let shown = server.now().since_unix_epoch();
    assert!(calendar <= shown + SECOND && shown < calendar + 3600 * SECOND, "{shown:?}");
}

#[test]
fn a_wait_ends_by_the_real_clock() {
    let server = start();
    let mut client = connect(server.redis_addr());
    ask(&mut client, "BLPOP jobs 0.01\r\n", "*-1\r\n");
    ask(&mut client, "SET k v PX 5\r\nBLPOP jobs 0.02\r\nEXISTS k\r\n", "+OK\r\n*-1\r\n:0\r\n");
}
