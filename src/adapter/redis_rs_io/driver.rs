//! The task that drives a multiplexed connection: it runs the future that redis-rs hands out.
//!
//! That future outlives its connection for as long as a reply is outstanding, such as that of a
//! `BLPOP`. A connection that a client opened itself does not: redis-rs aborts its task with the
//! last handle, which closes the socket. The [`Driver`] does the same. It polls the future with a
//! waker of its own. The channel of the handles keeps a copy of it while there are handles, the
//! socket keeps none (see [`Seat`]), and so a future that waits while nobody has a copy has lost
//! its last handle.

use super::socket::Seat;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Wakes the task of a driver.
#[derive(Debug, Default)]
struct Bell {
    task: Mutex<Option<Waker>>,
    has_rung: AtomicBool,
}

impl Bell {
    fn hang(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *task {
            Some(task) => task.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Relaxed);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// A future that drives a connection until it ends or the last handle is dropped.
pub(crate) struct Driver {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    seat: Arc<Seat>,
    bell: Arc<Bell>,
    waker: Waker,
}

impl Driver {
    /// Returns a driver for the connection whose socket has this seat.
    pub(crate) fn new(
        future: impl Future<Output = ()> + Send + 'static,
        seat: Arc<Seat>,
    ) -> Driver {
        let bell = Arc::<Bell>::default();
        let waker = Waker::from(Arc::clone(&bell));
        Driver { future: Box::pin(future), seat, bell, waker }
    }

    /// Returns whether nobody but this driver has a copy of the waker.
    fn is_forgotten(&self) -> bool {
        const OWN: usize = 2;
        Arc::strong_count(&self.bell) == OWN && !self.bell.has_rung.load(Relaxed)
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = &mut *self;
        driver.seat.take(cx.waker());
        driver.bell.hang(cx.waker());
        driver.bell.has_rung.store(false, Relaxed);
        let polled = driver.future.as_mut().poll(&mut Context::from_waker(&driver.waker));
        if polled.is_pending() && driver.is_forgotten() {
            return Poll::Ready(());
        }
        polled
    }
}
