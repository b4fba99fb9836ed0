//! One connection of a host: its stream, and what is still to be written.

use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read at once.
const PIECE: usize = 16 * 1024;

pub(super) struct Connection<T> {
    stream: T,
    read: Box<[u8]>,
    unsent: Vec<u8>,
    /// How much of it was written.
    sent: usize,
    is_closing: bool,
}

/// A connection after writing.
pub(super) enum State {
    Open,
    /// Closed by the server, after everything was written.
    Closed,
    /// Ended by the other side or by the network.
    Broken,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    pub(super) fn new(stream: T) -> Connection<T> {
        let read = vec![0; PIECE].into_boxed_slice();
        Connection { stream, read, unsent: Vec::new(), sent: 0, is_closing: false }
    }

    /// Returns the bytes that have arrived, or `None` if the connection has ended.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<&[u8]>> {
        if self.is_closing {
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(&mut self.read);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(_)) => Poll::Ready(None),
            Poll::Ready(Ok(())) => {
                let filled = buffer.filled().len();
                Poll::Ready((filled > 0).then(|| &self.read[..filled]))
            }
        }
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
