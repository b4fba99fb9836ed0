//! The stream that lapin reads and writes.
//!
//! Each call looks at the bytes that the world's thread has left, or leaves some for it.

use super::shared::{Attempt, Dial, Shared};
use futures_io::{AsyncRead, AsyncWrite};
use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Lapin's end of a connection.
#[derive(Debug)]
pub(super) struct Stream(Arc<Shared>);

impl Stream {
    /// Asks the world for a connection, and waits until it has one.
    pub(super) async fn connect(shared: Arc<Shared>, attempt: Attempt) -> io::Result<Stream> {
        shared.lock().dial = Dial::Wanted(attempt);
        poll_fn(|_| {
            let mut state = shared.lock();
            match std::mem::take(&mut state.dial) {
                Dial::Answered(answer) => Poll::Ready(answer),
                other => {
                    state.dial = other;
                    Poll::Pending
                }
            }
        })
        .await?;
        Ok(Stream(shared))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // Lapin makes another pass, which stops at the gate. Otherwise it would block.
        cx.waker().wake_by_ref();
        let mut state = self.0.lock();
        let count = state.socket.received.read(buffer)?;
        if count > 0 {
            state.pass.moved = true;
            return Poll::Ready(Ok(count));
        }
        if let Some(end) = state.socket.end {
            return Poll::Ready(end.map(|()| 0).map_err(io::Error::from));
        }
        state.pass.found_nothing = true;
        Poll::Pending
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        state.socket.to_send.extend_from_slice(bytes);
        state.pass.moved = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.pass_gate();
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().socket.is_closed = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.lock().socket.is_closed = true;
    }
}
