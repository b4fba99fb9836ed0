//! A connection of bytes as tokio's traits see it, and how a disconnection reads as an I/O error.
//!
//! redis-rs polls its socket with a waker of its own choice. What arrives must wake a task of the
//! world instead, because only that may run something. The [`Seat`] names this task while there is
//! one, and keeps the waker that redis-rs expects.

use crate::sim::{ByteConnection, Disconnected};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The task that drives a connection, as its socket sees it.
#[derive(Debug, Default)]
pub(crate) struct Seat(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    /// The world's task to wake when something arrives. Without one, the socket wakes whoever polls
    /// it.
    driver: Option<Waker>,
    /// The waker that the socket was last polled with.
    reader: Option<Waker>,
    /// Whether the socket is gone.
    is_closed: bool,
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the task to wake when something arrives.
    pub(crate) fn take(&self, waker: &Waker) {
        let mut taken = self.lock();
        match &mut taken.driver {
            Some(driver) => driver.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }

    /// Wakes whoever polled the socket last.
    pub(crate) fn wake_reader(&self) {
        let reader = self.lock().reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }
}

/// A socket of a node, for tokio's traits.
#[derive(Debug)]
pub(crate) struct Socket {
    bytes: ByteConnection,
    seat: Arc<Seat>,
    /// Whether the driver must be told who polled last.
    keeps_reader: bool,
}

impl Socket {
    /// Returns the socket of a connection, whose driver polls it directly.
    pub(crate) fn new(bytes: ByteConnection, seat: &Arc<Seat>) -> Socket {
        Socket { bytes, seat: Arc::clone(seat), keeps_reader: false }
    }

    /// Returns the socket of a connection, whose driver runs another executor that polls it.
    pub(crate) fn within_executor(bytes: ByteConnection, seat: &Arc<Seat>) -> Socket {
        Socket { bytes, seat: Arc::clone(seat), keeps_reader: true }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut taken = self.seat.lock();
        taken.is_closed = true;
        taken.reader = None;
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut taken = self.seat.lock();
        let limit = buffer.remaining();
        let mut take = |bytes: &[u8]| buffer.put_slice(bytes);
        let polled = match &taken.driver {
            Some(driver) => self.bytes.poll_take(&Context::from_waker(driver), limit, &mut take),
            None => self.bytes.poll_take(cx, limit, &mut take),
        };
        if self.keeps_reader && polled.is_pending() {
            taken.reader = Some(cx.waker().clone());
        }
        polled.map_err(error).map_ok(|_| ())
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.bytes.write(bytes).map(|()| bytes.len()).map_err(write_error))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes.close();
        Poll::Ready(Ok(()))
    }
}

/// Returns the error that an operating system reports when it connects to or reads from such a
/// connection.
pub(crate) fn error(why: Disconnected) -> io::Error {
    let kind = match why {
        Disconnected::Refused => io::ErrorKind::ConnectionRefused,
        Disconnected::Reset => io::ErrorKind::ConnectionReset,
        Disconnected::Closed => io::ErrorKind::UnexpectedEof,
        Disconnected::ClosedHere => io::ErrorKind::NotConnected,
        Disconnected::TimedOut => io::ErrorKind::TimedOut,
    };
    io::Error::new(kind, why)
}

/// Returns the error that an operating system reports when it writes to such a connection.
pub(crate) fn write_error(why: Disconnected) -> io::Error {
    match why {
        Disconnected::Closed => io::Error::new(io::ErrorKind::BrokenPipe, why),
        other => error(other),
    }
}
