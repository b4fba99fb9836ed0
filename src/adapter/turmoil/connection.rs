//! One end of a connection: its stream, and what is still to be written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) struct Connection<T> {
    stream: T,
    unsent: Vec<u8>,
    /// How much of it was written.
    sent: usize,
    is_closing: bool,
}

/// A connection after writing.
pub(super) enum State {
    Open,
    /// Closed on this side, after everything was written.
    Closed,
    /// Ended by the other side or by the network.
    Broken,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    pub(super) fn new(stream: T) -> Connection<T> {
        Connection { stream, unsent: Vec::new(), sent: 0, is_closing: false }
    }

    /// Reads what has arrived into `buffer`, and returns how much: nothing at the end of the
    /// stream.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_closing {
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(buffer);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        read.map_ok(|()| buffer.filled().len())
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// Closes the connection once everything was written.
    pub(super) fn close(&mut self) {
        self.is_closing = true;
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> State {
        while self.sent < self.unsent.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.unsent[self.sent..]) {
                Poll::Pending => return State::Open,
                Poll::Ready(Ok(0) | Err(_)) => return State::Broken,
                Poll::Ready(Ok(written)) => self.sent += written,
            }
        }
        self.unsent.clear();
        self.sent = 0;
        if !self.is_closing {
            return State::Open;
        }
        match Pin::new(&mut self.stream).poll_shutdown(cx) {
            Poll::Pending => State::Open,
            Poll::Ready(_) => State::Closed,
        }
    }
}
