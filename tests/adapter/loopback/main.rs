//! Servers on loopback sockets, driven by plain sockets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "sockets have real clocks and threads")]

mod clock;
mod life;
mod traffic;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use stunt_double::adapter::loopback::{Options, Server};

/// Starts both servers with default options.
fn start() -> Server {
    Server::start(Options::default()).unwrap()
}

fn connect(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).unwrap()
}

fn send(socket: &mut TcpStream, request: &str) {
    socket.write_all(request.as_bytes()).unwrap();
}

/// Reads as many bytes as `expected` has, which they must be.
fn expect(socket: &mut TcpStream, expected: &str) {
    let mut reply = vec![0; expected.len()];
    socket.read_exact(&mut reply).unwrap();
    assert_eq!(String::from_utf8_lossy(&reply), expected);
}

/// Sends a request and expects a reply.
fn ask(socket: &mut TcpStream, request: &str, reply: &str) {
    send(socket, request);
    expect(socket, reply);
}

/// Sends a request and returns the bulk string that answers it.
fn bulk(socket: &mut TcpStream, request: &str) -> String {
    send(socket, request);
    let mut length = String::new();
    while !length.ends_with("\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        length.push(char::from(byte[0]));
    }
    let mut text = vec![0; length[1..].trim().parse::<usize>().unwrap() + 2];
    socket.read_exact(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}
