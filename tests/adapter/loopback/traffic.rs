//! Traffic: no client keeps the thread from the others, and sockets end in the servers' ways.

use crate::{ask, connect, expect, send, start};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;

#[test]
fn a_client_that_reads_nothing_does_not_block_the_others() {
    let server = start();
    let value = "x".repeat(1_000_000);
    let mut slow = connect(server.redis_addr());
    ask(&mut slow, &format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n{value}\r\n"), "+OK\r\n");
    for _ in 0..50 {
        send(&mut slow, "GET k\r\n");
    }
    let mut other = connect(server.redis_addr());
    for _ in 0..100 {
        ask(&mut other, "PING\r\n", "+PONG\r\n");
    }
    for _ in 0..50 {
        expect(&mut slow, &format!("$1000000\r\n{value}\r\n"));
    }
}

#[test]
fn a_client_that_sends_without_end_does_not_block_the_others() {
    let server = start();
    let mut busy = connect(server.redis_addr());
    let piece = "SET k v\r\n".repeat(10_000);
    let mut sender = busy.try_clone().unwrap();
    let sent = std::thread::spawn(move || (0..50).for_each(|_| send(&mut sender, &piece)));
    let mut other = connect(server.redis_addr());
    for _ in 0..100 {
        ask(&mut other, "PING\r\n", "+PONG\r\n");
    }
    for _ in 0..500_000 / 1_000 {
        expect(&mut busy, &"+OK\r\n".repeat(1_000));
    }
    sent.join().unwrap();
}

#[test]
fn half_a_request_waits_for_its_rest() {
    let server = start();
    let mut client = connect(server.redis_addr());
    let mut other = connect(server.redis_addr());
    for byte in "*2\r\n$3\r\nGET\r\n$1\r\nk\r".bytes() {
        client.write_all(&[byte]).unwrap();
        ask(&mut other, "PING\r\n", "+PONG\r\n");
    }
    ask(&mut client, "\n", "$-1\r\n");
}

#[test]
fn two_hundred_clients_are_served_at_once() {
    let server = start();
    let mut clients: Vec<_> = (0..200).map(|_| connect(server.redis_addr())).collect();
    for client in &mut clients {
        send(client, "INCR n\r\n");
    }
    for client in &mut clients {
        let mut reply = [0; 16];
        assert!(client.read(&mut reply).unwrap() > 0);
    }
    ask(&mut clients[0], "GET n\r\n", "$3\r\n200\r\n");
    drop(clients);
    let mut last = connect(server.redis_addr());
    while server.redis(|redis, _| redis.check_invariants()).is_err() {
        ask(&mut last, "PING\r\n", "+PONG\r\n");
    }
}

#[test]
fn redis_closes_in_good_order_after_its_reply() {
    let server = start();
    let mut client = connect(server.redis_addr());
    send(&mut client, "PING\r\nQUIT\r\n");
    let mut replies = String::new();
    client.read_to_string(&mut replies).unwrap();
    assert_eq!(replies, "+PONG\r\n+OK\r\n");
}

#[test]
fn a_client_that_sends_no_more_still_reads_its_replies() {
    let server = start();
    // Whether the end arrives with the bytes or after them is the system's choice.
    for _ in 0..500 {
        let mut client = connect(server.redis_addr());
        send(&mut client, "SET k v\r\nGET k\r\n");
        client.shutdown(Shutdown::Write).unwrap();
        let mut replies = String::new();
        client.read_to_string(&mut replies).unwrap();
        assert_eq!(replies, "+OK\r\n$1\r\nv\r\n");
    }
}

#[test]
fn a_client_that_leaves_with_its_last_bytes_is_forgotten() {
    let server = start();
    for _ in 0..500 {
        let mut client = connect(server.redis_addr());
        send(&mut client, "INCR n\r\nSUBSCRIBE c\r\n");
    }
    let mut last = connect(server.redis_addr());
    let mut subscribers = String::new();
    while subscribers != ":0\r\n" {
        send(&mut last, "PUBLISH c m\r\n");
        subscribers.clear();
        BufReader::new(&last).read_line(&mut subscribers).unwrap();
    }
    ask(&mut last, "GET n\r\n", "$3\r\n500\r\n");
}

#[test]
fn rabbitmq_answers_another_protocol_with_its_own_header() {
    let server = start();
    let mut client = connect(server.amqp_addr());
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut header = [0; 8];
    client.read_exact(&mut header).unwrap();
    assert_eq!(&header, b"AMQP\0\0\x09\x01");
    let mut rest = Vec::new();
    match client.read_to_end(&mut rest) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("{other:?}"),
    }
}
