//! The gate: where lapin's thread stops until the world lets it go on.
//!
//! Lapin's thread flushes its stream once in each pass of its loop, and blocks on nothing else but
//! on attempts to connect. Both are gates. At a gate it first runs lapin's tasks. If the last pass
//! moved nothing and found nothing to read, there is nothing left to do, and it gives the baton
//! back; otherwise it makes another pass. A stream that has nothing to read always asks for another
//! pass, so the thread comes back to the gate and never waits for an event of its own.

use super::shared::{Dial, Shared};
use lapin::ConnectionStatus;
use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The number of passes in a row that may do nothing at all before the world has its turn.
const PATIENCE: u32 = 64;

/// Why lapin's thread unwinds: the world has ended it.
pub(super) struct Ended;

impl Shared {
    /// The gate of a pass.
    pub(super) fn pass_gate(&self) {
        loop {
            let ran = self.run_tasks();
            let mut state = self.lock();
            let mut pass = std::mem::take(&mut state.pass);
            if state.status.as_ref().is_some_and(ConnectionStatus::connected) {
                state.was_connected = true;
            }
            if ran || pass.moved {
                return;
            }
            pass.in_vain += 1;
            if !pass.found_nothing && pass.in_vain < PATIENCE {
                state.pass.in_vain = pass.in_vain;
                return;
            }
            drop(state);
            self.stop_at_gate();
            if !self.lock().tasks.are_ready() {
                return;
            }
        }
    }

    /// Runs a future on lapin's thread. Only the world brings it forward.
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        // The thread may have begun before it was lent the baton.
        self.wait_for_baton();
        let mut future = Box::pin(future);
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            if !self.run_tasks() {
                self.stop_at_gate();
            }
        }
    }

    fn stop_at_gate(&self) {
        self.baton.give_back();
        self.wait_for_baton();
    }

    fn wait_for_baton(&self) {
        let watch = self.watch.get();
        let goes_on = self.baton.wait(|| watch.and_then(|watch| watch.poll_in_progress()));
        assert!(goes_on, "{}", watch.map_or_else(String::new, |watch| watch.complaint()));
        if self.lock().is_ended || self.baton.is_given_up() {
            self.end_thread();
        }
    }

    /// Ends lapin's thread, as the end of its process would.
    fn end_thread(&self) -> ! {
        let ended: Box<dyn Any + Send> = Box::new(Ended);
        if cfg!(panic = "unwind") {
            // This is no panic: no hook runs, and nothing is printed.
            std::panic::resume_unwind(ended);
        }
        // It cannot end without the process. So it stays, and does nothing.
        self.baton.give_up();
        loop {
            std::thread::park();
        }
    }
}

/// Belongs to lapin's thread, which drops it last.
pub(super) struct Presence(pub(super) Arc<Shared>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.lock().dial = Dial::Idle;
        self.0.baton.give_up();
    }
}
