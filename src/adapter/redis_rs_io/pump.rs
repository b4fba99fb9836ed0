//! The task that drives a connection whose own task redis-rs insists on spawning with tokio.
//!
//! A [`Pump`] holds a runtime of tokio without timers, I/O and threads, in which only that one task
//! runs. It lets the runtime run until nothing is ready whenever something has arrived or another
//! task of the process was polled, since what callers leave for the connection wakes only tokio's
//! task. It ends when the connection's socket is gone, and takes the connection with it when the
//! process ends.

use super::socket::Seat;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::{Builder, EnterGuard, Runtime};

/// A runtime of its own for one connection.
#[derive(Debug)]
pub(crate) struct Pump {
    runtime: Runtime,
    seat: Arc<Seat>,
}

impl Pump {
    /// Returns a pump for the connection whose socket has this seat.
    pub(crate) fn new(seat: Arc<Seat>) -> io::Result<Pump> {
        Ok(Pump { runtime: Builder::new_current_thread().build()?, seat })
    }

    /// Makes this the runtime in which tasks are spawned, until the guard is dropped.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }
}

impl Future for Pump {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.seat.take(cx.waker());
        self.seat.wake_reader();
        self.runtime.block_on(tokio::task::yield_now());
        if self.seat.is_closed() { Poll::Ready(()) } else { Poll::Pending }
    }
}
