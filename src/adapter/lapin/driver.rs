//! The driver: the task of the world that runs lapin's thread.
//!
//! It is a *follower*: it runs after each poll of another task of its node, since a caller of lapin
//! leaves work for the thread without waking anything that the world knows. Whenever it runs, it
//! gives the thread the bytes that have arrived, lets it go on until it has nothing left to do, and
//! sends the bytes that it wrote. Only the driver touches the world, and the thread runs only
//! meanwhile. It does so through a [`Line`], so that the world may be another simulator.

use super::backoff::Backoff;
use super::baton::Lent;
use super::line::{Line, Socket as _};
use super::shared::{Alarm, Dial, Shared, Socket};
use super::tuning::{HEARTBEAT, Tuning};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// How many bytes are read at once.
const BUFFER: usize = 16 * 1024;

const STUCK: &str = "code that lapin runs, such as a consumer's delegate, has blocked lapin's \
    thread, for which the whole simulation waits, for a long time: await the future instead, such as \
    delivery.ack(..).await in place of block_on(delivery.ack(..)); if one poll really takes this \
    long, set STUNT_DOUBLE_LAPIN_PATIENCE to more seconds";

pub(in crate::adapter) struct Driver<L: Line> {
    line: L,
    shared: Arc<Shared>,
    backoff: Backoff,
    dialing: Option<L::Dialing>,
    socket: Option<L::Socket>,
    /// The heartbeat that lapin's URI asks for, in seconds.
    heartbeat: u16,
    tuning: Tuning,
    alarms: Vec<(L::Sleep, Arc<Alarm>)>,
    buffer: Box<[u8]>,
}

/// It hands out no pinned reference to what it owns.
impl<L: Line> Unpin for Driver<L> {}

impl<L: Line> Driver<L> {
    pub(super) fn new(
        line: L,
        shared: &Arc<Shared>,
        backoff: Backoff,
        heartbeat: u16,
    ) -> Driver<L> {
        Driver {
            line,
            shared: Arc::clone(shared),
            backoff,
            dialing: None,
            socket: None,
            heartbeat,
            tuning: Tuning::new(heartbeat),
            alarms: Vec::new(),
            buffer: vec![0; BUFFER].into(),
        }
    }

    /// Connects, if lapin's thread wants it.
    fn dial(&mut self, cx: &mut Context<'_>) {
        let mut state = self.shared.lock();
        if let Dial::Wanted(attempt) = state.dial {
            state.dial = Dial::Dialing;
            let was_connected = std::mem::take(&mut state.was_connected);
            drop(state);
            let wait = self.backoff.wait(attempt, was_connected);
            self.dialing = Some(self.line.dial(wait));
        } else {
            drop(state);
        }
        let Some(dialing) = &mut self.dialing else { return };
        let Poll::Ready(result) = Pin::new(dialing).poll(cx) else { return };
        self.dialing = None;
        self.tuning = Tuning::new(self.heartbeat);
        let answer = result.map(|socket| self.socket = Some(socket));
        let mut state = self.shared.lock();
        state.socket = Socket::default();
        state.dial = Dial::Answered(answer);
    }

    /// Wakes the tasks of lapin that have slept long enough.
    fn ring(&mut self, cx: &mut Context<'_>) {
        let new = std::mem::take(&mut self.shared.lock().sleeps);
        self.alarms.extend(new.into_iter().map(|(wait, alarm)| (self.line.sleep(wait), alarm)));
        self.alarms.retain_mut(|(sleep, alarm)| {
            // The sleeper may have gone.
            if Arc::strong_count(alarm) == 1 {
                return false;
            }
            let rings = Pin::new(sleep).poll(cx).is_ready();
            if rings {
                alarm.ring();
            }
            !rings
        });
    }

    /// Gives lapin's thread what has arrived.
    fn receive(&mut self, cx: &mut Context<'_>) {
        let Some(socket) = &mut self.socket else { return };
        while self.shared.lock().socket.end.is_none() {
            let Poll::Ready(read) = socket.poll_read(cx, &mut self.buffer) else { return };
            let mut state = self.shared.lock();
            match read {
                Ok(0) => state.socket.end = Some(Ok(())),
                Ok(count) => {
                    let bytes = &mut self.buffer[..count];
                    self.tuning.receive(bytes);
                    state.socket.received.extend(&*bytes);
                }
                Err(why) => state.socket.end = Some(Err(why)),
            }
        }
    }

    /// Lets lapin's thread go on until it has nothing left to do. Returns whether it still exists.
    fn run_thread(&self) -> bool {
        self.line.while_thread_runs(|| {
            let lent = self.shared.baton.lend();
            assert!(lent != Lent::Stuck, "{STUCK}");
            if lent == Lent::Ended {
                self.shared.run_tasks();
            }
            lent == Lent::Back
        })
    }

    /// Sends what lapin's thread has written.
    fn send(&mut self, cx: &mut Context<'_>) {
        let Some(socket) = &mut self.socket else { return };
        let mut state = self.shared.lock();
        let is_closed = state.socket.is_closed;
        let mut bytes = std::mem::take(&mut state.socket.to_send);
        drop(state);
        if !bytes.is_empty() {
            let heartbeats = self.tuning.send(&mut bytes);
            socket.write(cx, &bytes);
            if let Some(time) = heartbeats {
                socket.start_pulse(HEARTBEAT, time);
            }
            bytes.clear();
        }
        // The buffer is used again. Lapin's thread does not run meanwhile.
        self.shared.lock().socket.to_send = bytes;
        if is_closed && socket.poll_close(cx).is_ready() {
            self.socket = None;
        }
    }

    fn has_more_to_do(&self) -> bool {
        let state = self.shared.lock();
        matches!(state.dial, Dial::Wanted(_)) || !state.sleeps.is_empty()
    }
}

impl<L: Line> Future for Driver<L> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        state.driver.get_or_insert_with(|| cx.waker().clone());
        let is_started = state.is_started;
        drop(state);
        if !is_started {
            // There is no thread that could give the baton back.
            self.line.rest(cx, false);
            return Poll::Pending;
        }
        loop {
            self.dial(cx);
            self.ring(cx);
            self.receive(cx);
            let exists = self.run_thread();
            self.send(cx);
            if std::mem::take(&mut self.shared.lock().have_tasks_run) {
                self.line.tell_others();
            }
            if !exists && self.socket.is_none() && self.shared.lock().tasks.is_empty() {
                return Poll::Ready(());
            }
            if !self.has_more_to_do() {
                let is_connected = self.socket.is_some();
                self.line.rest(cx, is_connected);
                return Poll::Pending;
            }
        }
    }
}

/// Ends lapin's thread with its process, or with the world.
impl<L: Line> Drop for Driver<L> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_ended = true;
        let is_started = state.is_started;
        drop(state);
        while is_started && self.shared.baton.lend() == Lent::Back {}
        let mut state = self.shared.lock();
        state.driver = None;
        state.sleeps.clear();
        let tasks = std::mem::take(&mut state.tasks);
        drop(state);
        tasks.end();
    }
}
