//! One socket: what is still to be written, and how it ends.

use crate::sim::service::Hangup;
use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Duration;

/// What a look at the incoming side of a socket found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// This many bytes; there may be more.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The client has closed its end, or the connection is broken.
    End,
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    unwritten: VecDeque<u8>,
    /// How to close the socket once everything is written.
    closing: Option<Hangup>,
    /// The client's end, or a failure, lies behind the bytes that are still to be read.
    expects_end: bool,
}

impl Connection {
    /// Takes an accepted socket.
    pub(super) fn new(
        mut stream: TcpStream,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        stream.register(registry, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Connection { stream, unwritten: VecDeque::new(), closing: None, expects_end: false })
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Incoming {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Incoming::End,
                Ok(count) => return Incoming::Bytes(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Incoming::Nothing;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Incoming::End,
            }
        }
    }

    /// Queues bytes to be written. Nothing is written after a close.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        if self.closing.is_none() {
            self.unwritten.extend(bytes);
        }
    }

    /// Closes the socket in this way after everything that is queued.
    pub(super) fn close_after_writing(&mut self, how: Hangup) {
        self.closing.get_or_insert(how);
    }

    /// Notes that the client's end has arrived, or that the socket is broken.
    pub(super) fn expect_end(&mut self) {
        self.expects_end = true;
    }

    pub(super) fn expects_end(&self) -> bool {
        self.expects_end
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Writes as much as the socket takes. Returns `false` if the connection is over: it is broken,
    /// or everything was written before its close.
    pub(super) fn write(&mut self) -> bool {
        while !self.unwritten.is_empty() {
            match self.stream.write(self.unwritten.as_slices().0) {
                Ok(count) => drop(self.unwritten.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        self.closing.is_none()
    }

    /// Closes the socket now, as was asked. What is not written by now is lost.
    pub(super) fn end(mut self, registry: &Registry) {
        let _ = registry.deregister(&mut self.stream);
        let _ = match self.closing {
            // A socket that lingers for no time is reset when it is closed.
            Some(Hangup::Reset) => SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)),
            Some(Hangup::Close) | None => self.stream.shutdown(std::net::Shutdown::Both),
        };
    }
}
