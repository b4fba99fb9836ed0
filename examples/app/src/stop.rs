//! The request to stop, as every part of the service waits for it.
//!
//! If nobody is left who could ask, the part stops too: it would wait forever otherwise.

use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long a part may take to finish what it has begun. Whoever asks it to stop waits longer.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(crate) fn new(asked: watch::Receiver<bool>) -> Stop {
        Stop(asked)
    }

    /// Returns whether the part was asked to stop.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until the part is asked to stop.
    pub(crate) async fn asked(&mut self) {
        // An error means that the sender is gone.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Waits until the part was asked to stop and had its time to finish.
    pub(crate) async fn overdue(&mut self) {
        self.asked().await;
        sleep(GRACE).await;
    }

    /// Waits for this time, or until the part is asked to stop.
    pub(crate) async fn wait(&mut self, time: Duration) {
        let _ = timeout(time, self.asked()).await;
    }

    /// Does work that can be dropped at any moment. Returns `None` if the part is asked to stop
    /// before the work is done.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.asked() => None,
            done = work => Some(done),
        }
    }
}
