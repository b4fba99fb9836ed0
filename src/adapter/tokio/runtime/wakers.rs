//! The wakers of a node's runtime: of its main task, and of the marker in its queue.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// The waker of the main task, which is polled only if it was woken.
#[derive(Default)]
pub(super) struct Flag {
    pub(super) woken: AtomicBool,
    /// Whether the runtime is not running, so that its driver must be woken too.
    pub(super) armed: AtomicBool,
    /// The waker of the task that drives the runtime, in the world.
    driver: Mutex<Option<Waker>>,
}

impl Flag {
    /// The flag of a task that has to be polled for the first time.
    pub(super) fn woken() -> Flag {
        Flag { woken: AtomicBool::new(true), ..Flag::default() }
    }

    pub(super) fn set_driver(&self, driver: &Waker) {
        let mut present = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if !present.as_ref().is_some_and(|present| present.will_wake(driver)) {
            *present = Some(driver.clone());
        }
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Relaxed);
        if self.armed.load(Relaxed) {
            let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).clone();
            driver.into_iter().for_each(Waker::wake);
        }
    }
}

/// The marker task, which does nothing but tell that it has run.
#[derive(Default)]
pub(super) struct Marker {
    pub(super) ran: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Marker {
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.ran.store(true, Relaxed);
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if waker.is_none() {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Puts the marker at the end of the queue.
    pub(super) fn push(&self) {
        self.ran.store(false, Relaxed);
        if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake_by_ref();
        }
    }
}
