//! What the world's thread and lapin's thread share: bytes, wishes and answers.
//!
//! Only the thread that holds the baton changes it, except that wakers may come from anywhere. The
//! lock is never held while foreign code runs.

mod tasks;

use super::baton::Baton;
use super::line::Watch;
use lapin::ConnectionStatus;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;
use tasks::Tasks;

#[derive(Default)]
pub(super) struct Shared {
    pub(super) baton: Baton,
    /// How lapin's thread learns that the world's thread is stuck.
    pub(super) watch: OnceLock<Box<dyn Watch>>,
    /// The tokio runtime of the caller, if it has one. Lapin runs code of the caller, such as a
    /// consumer's delegate, which may need it.
    #[cfg(feature = "tokio")]
    pub(super) runtime: OnceLock<tokio::runtime::Handle>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// The world has ended the thread: nothing that it does has an effect any more.
    pub(super) is_ended: bool,
    /// There is a thread, or there will be one at once.
    pub(super) is_started: bool,
    pub(super) socket: Socket,
    pub(super) dial: Dial,
    /// Whether the next attempt to connect is the first of its round.
    pub(super) is_new_round: bool,
    /// Whether lapin was connected since the last round began.
    pub(super) was_connected: bool,
    pub(super) status: Option<ConnectionStatus>,
    pub(super) tasks: Tasks,
    /// Whether any task has run since the driver last looked.
    pub(super) have_tasks_run: bool,
    /// Sleeps that the world's thread has not seen yet.
    pub(super) sleeps: Vec<(Duration, Arc<Alarm>)>,
    pub(super) pass: Pass,
    /// Wakes the task that drives the thread.
    pub(super) driver: Option<Waker>,
}

/// The socket, as lapin's thread sees it.
#[derive(Default)]
pub(super) struct Socket {
    pub(super) received: VecDeque<u8>,
    /// What follows the bytes that were received: the end of the stream, or an error.
    pub(super) end: Option<Result<(), io::ErrorKind>>,
    pub(super) to_send: Vec<u8>,
    /// Lapin has closed it.
    pub(super) is_closed: bool,
}

/// A wish for a new connection, and the answer to it.
#[derive(Default)]
pub(super) enum Dial {
    #[default]
    Idle,
    /// Lapin's thread wants one.
    Wanted(Attempt),
    /// The world's thread is about it.
    Dialing,
    Answered(Result<(), io::ErrorKind>),
}

/// Which attempt to connect it is, on which the wait before it depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The first attempt of a round. Lapin begins one to connect, and one for each recovery.
    First,
    /// Another attempt in the same round.
    Again,
}

/// What happened since the thread was last at its gate.
#[derive(Default)]
pub(super) struct Pass {
    /// It moved bytes, or a task ran.
    pub(super) moved: bool,
    /// It looked for bytes, and there were none.
    pub(super) found_nothing: bool,
    /// How many passes in a row neither moved anything nor looked for bytes.
    pub(super) in_vain: u32,
}

/// A sleep, as lapin's task sees it.
#[derive(Default)]
pub(super) struct Alarm(Mutex<(bool, Option<Waker>)>);

impl Alarm {
    pub(super) fn ring(&self) {
        let mut alarm = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        alarm.0 = true;
        let waker = alarm.1.take();
        drop(alarm);
        waker.into_iter().for_each(Waker::wake);
    }

    pub(super) fn has_rung(&self, waker: &Waker) -> bool {
        let mut alarm = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        alarm.1 = Some(waker.clone());
        alarm.0
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a round of attempts to connect.
    pub(super) fn begin_round(&self) {
        self.lock().is_new_round = true;
    }

    /// Begins an attempt to connect.
    pub(super) fn begin_attempt(&self) -> Attempt {
        match std::mem::take(&mut self.lock().is_new_round) {
            true => Attempt::First,
            false => Attempt::Again,
        }
    }

    /// Wakes the task that drives the thread, unless it is at work.
    pub(super) fn wake_driver(&self) {
        if !self.baton.is_lent() {
            let driver = self.lock().driver.clone();
            driver.into_iter().for_each(Waker::wake);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("baton", &self.baton).finish_non_exhaustive()
    }
}
