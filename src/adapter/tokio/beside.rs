//! A world beside a tokio of its own: tokio is the master, and the world follows its clock.
//!
//! The test's code runs on the test's own runtime, in as many tasks as it likes. Whenever one of
//! them touches the world, the world is woken, and runs up to tokio's present time. Between two
//! events it waits in a timer of tokio, so that a paused clock moves from event to event.
//!
//! The invariant: code on the runtime finds the world's time equal to tokio's.

use super::runtime::floor;
use crate::adapter::tokio_time::is_paused;
use crate::sim::{Outcome, Sim};
use crate::time::Instant;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::time::{Instant as TokioInstant, Sleep};

impl Sim {
    /// Runs `future` on the tokio runtime of the caller, and the world beside it: the world's time
    /// follows tokio's until `future` ends. For a `#[tokio::test(start_paused = true)]`, whose
    /// tasks use handles of this world.
    ///
    /// If the test itself moves the clock (`tokio::time::advance`), the world catches up: what was
    /// due in the meantime happens late, in order. A client that has to be stepped by the world
    /// (the adapter for lapin) needs a [tokio node](Sim::tokio_node) instead.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stunt_double::sim::Sim;
    /// use tokio::time::{Instant, sleep};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread()
    /// #     .enable_time().start_paused(true).build().unwrap();
    /// # runtime.block_on(async {
    /// let mut sim = Sim::new(1);
    /// let node = sim.daemon("test", async |_| std::future::pending::<()>().await);
    /// let elapsed = sim
    ///     .run_beside(async move {
    ///         let start = Instant::now();
    ///         sleep(Duration::from_secs(3600)).await; // tokio's time
    ///         node.sleep(Duration::from_secs(3600)).await; // the world's
    ///         start.elapsed()
    ///     })
    ///     .await
    ///     .unwrap();
    /// assert_eq!(elapsed, Duration::from_secs(7200));
    /// assert_eq!(sim.now().to_string(), "7200s");
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// The [`Outcome`], if the world ends first: a node has failed, or a budget is spent.
    ///
    /// # Panics
    ///
    /// If it is not called on a tokio runtime with timers, or if the clock of that runtime is not
    /// paused: the world's time would be the real one.
    pub async fn run_beside<F: Future>(&mut self, future: F) -> Result<F::Output, Box<Outcome>> {
        assert!(
            is_paused(),
            "tokio's clock is not paused: use #[tokio::test(start_paused = true)], or call \
             tokio::time::pause() first"
        );
        let mut future = pin!(future);
        let mut beside = Beside::new(self);
        // Tasks that are ready already run now, before the future may move tokio's clock.
        beside.catch_up()?;
        poll_fn(move |cx| beside.poll(cx, future.as_mut())).await
    }
}

/// A world that follows tokio.
struct Beside<'a> {
    sim: &'a mut Sim,
    /// The two clocks when it began.
    began: Instant,
    epoch: TokioInstant,
    timer: Pin<Box<Sleep>>,
    woken: Arc<Woken>,
}

/// The waker of the test's future: it is polled again only if it was woken.
#[derive(Default)]
struct Woken {
    woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Relaxed);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        task.into_iter().for_each(Waker::wake);
    }
}

impl Beside<'_> {
    fn new(sim: &mut Sim) -> Beside<'_> {
        let (began, epoch) = (sim.now(), TokioInstant::now());
        let clock = move || began.saturating_add(TokioInstant::now() - epoch);
        sim.world.follow.begin(Box::new(clock));
        let woken = Woken { woken: AtomicBool::new(true), ..Woken::default() };
        let timer = Box::pin(tokio::time::sleep_until(epoch));
        Beside { sim, began, epoch, timer, woken: Arc::new(woken) }
    }

    fn elapsed(&self) -> Duration {
        TokioInstant::now() - self.epoch
    }

    fn poll<F: Future>(
        &mut self,
        cx: &mut Context<'_>,
        mut future: Pin<&mut F>,
    ) -> Poll<Result<F::Output, Box<Outcome>>> {
        self.sim.world.follow.set_follower(None);
        *self.woken.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        let waker = Waker::from(Arc::clone(&self.woken));
        loop {
            let mut output = Poll::Pending;
            if self.woken.woken.swap(false, Relaxed) {
                output = future.as_mut().poll(&mut Context::from_waker(&waker));
            }
            if let Err(outcome) = self.catch_up() {
                return Poll::Ready(Err(outcome));
            }
            if let Poll::Ready(output) = output {
                return Poll::Ready(Ok(output));
            }
            if !self.woken.woken.load(Relaxed) && self.wait(cx).is_pending() {
                self.sim.world.follow.set_follower(Some(cx.waker()));
                return Poll::Pending;
            }
        }
    }

    /// Runs the world up to tokio's present time.
    fn catch_up(&mut self) -> Result<(), Box<Outcome>> {
        let now = self.began.saturating_add(self.elapsed());
        self.sim.world.follow.set_outside(false);
        // A timer of tokio may have woken one of the world's own tasks, which runs at the present
        // time, unless the world has something to do before.
        if self.sim.world.lock().next_timed().is_none_or(|at| at >= now) {
            self.sim.world.pass_time(now);
        }
        let outcome = self.sim.advance_to(now);
        self.sim.world.follow.set_outside(true);
        match outcome {
            Outcome::Reached => Ok(()),
            other => Err(Box::new(other)),
        }
    }

    /// Waits for the world's next event. Tokio's timers, and its jumps, are whole milliseconds, so
    /// it waits for the last one that cannot overshoot, and then moves the clock by the rest.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.sim.next_event().filter(|next| *next < Instant::MAX) else {
            return Poll::Pending;
        };
        let now = self.elapsed();
        let left = (next - self.began).saturating_sub(now);
        let jump = floor(left);
        if jump.is_zero() {
            let rest = pin!(tokio::time::advance(left));
            let _ = rest.poll(cx);
            return Poll::Ready(());
        }
        self.timer.as_mut().reset(self.epoch + floor(now) + jump);
        self.timer.as_mut().poll(cx)
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        let now = self.began.saturating_add(self.elapsed());
        self.sim.world.follow.end();
        self.sim.world.set_now(now.max(self.sim.now()));
    }
}
