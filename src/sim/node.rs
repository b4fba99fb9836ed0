//! Nodes: named processes.
//!
//! A node is made by a factory, so that it can be restarted. It owns its
//! tasks, its connections and a clock. When the future its factory made ends,
//! the process exits; when it is killed, it dies: either way its other tasks
//! are dropped and its sockets closed, as an operating system does, and what
//! it had sent before still arrives.

use super::clock::Clock;
use super::handle::ServiceHandle;
use super::id::NodeId;
use super::join::{JoinHandle, joinable};
use super::link::Link;
use super::outcome::Outcome;
use super::service::Service;
use super::sleep::{Sleep, Timeout};
use super::task::Wait;
use super::trace::Record;
use super::world::{Request, World};
use crate::choice::Site;
use crate::time::Instant;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A node of the world: the handle its own code runs with, and by which a test
/// kills, restarts or pauses it. `Clone`, `Send` and `Sync`.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::sim::Sim;
///
/// let mut sim = Sim::new(1);
/// let worker = sim.node("worker", async |node| {
///     node.sleep(Duration::from_secs(3600)).await;
///     node.note("an hour later");
/// });
/// sim.run().expect_done();
/// assert_eq!(sim.now().to_string(), "3600s");
/// assert!(!worker.is_alive());
/// ```
#[derive(Clone)]
pub struct Node(Arc<Inner>);

/// Behind one pointer, since futures hold it in numbers.
struct Inner {
    world: Arc<World>,
    id: NodeId,
    name: Arc<str>,
    clock: Clock,
}

impl Node {
    pub(super) fn new(world: &Arc<World>, id: NodeId, name: Arc<str>) -> Node {
        Node(Arc::new(Inner { world: Arc::clone(world), id, name, clock: Clock::default() }))
    }

    pub(super) fn world(&self) -> &Arc<World> {
        &self.0.world
    }

    pub(super) fn id(&self) -> NodeId {
        self.0.id
    }

    pub(super) fn shared_name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The world's time. A real process cannot see it: code under test that
    /// is to notice a bad clock asks for [`Node::wall_clock`].
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0.world.now()
    }

    /// What the node's own calendar clock shows, as the time since the Unix
    /// epoch: the world's, with this node's drift and offset.
    #[must_use]
    pub fn wall_clock(&self) -> Duration {
        self.0.clock.calendar(self.now())
    }

    /// Sets how far the node's calendar clock is ahead of the world's, in
    /// nanoseconds; negative is behind.
    pub fn set_clock_offset(&self, nanos: i64) {
        self.0.clock.set_offset(nanos);
    }

    /// Sets how fast the node's clock runs from now on, in parts per million more than the
    /// world's: at 1,000,000 a sleep of two seconds takes one. Taken as at
    /// least -999,999, which is a clock that nearly stands. Sleeps already
    /// begun keep their end.
    pub fn set_clock_drift(&self, ppm: i64) {
        self.0.clock.set_drift(self.now(), ppm);
    }

    /// Waits for `duration` of the node's clock.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let deadline = self.now() + self.0.clock.to_world(duration);
        Sleep::until(&self.0.world, deadline)
    }

    /// Waits until a moment of the world's time.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::until(&self.0.world, deadline)
    }

    /// Gives `future` at most `duration` of the node's clock to finish.
    ///
    /// # Errors
    ///
    /// [`Elapsed`](super::Elapsed) if it did not.
    pub fn timeout<F: Future>(&self, duration: Duration, future: F) -> Timeout<F> {
        Timeout::new(self.sleep(duration), future)
    }

    /// Lets every other ready task run first.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Runs `future` beside the node's main task, to be dropped with the node.
    /// For one that is not `Send`, see [`Sim::spawn`](super::Sim::spawn). If
    /// the node is not alive, `future` is dropped unpolled.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let (run, handle) = joinable(&self.0.world, future);
        let mut core = self.0.world.lock();
        if core.processes[self.0.id].main.is_none() {
            // The future runs code of its own when dropped: no lock is held.
            drop(core);
            drop(run);
            return handle;
        }
        let (id, waker) = core.add_task(&self.0.world, self.0.id);
        core.spawned.push((id, waker, Box::pin(run)));
        core.make_ready(id);
        handle
    }

    /// Writes a line into the trace: what a transcript is made of.
    pub fn note(&self, text: impl fmt::Display) {
        if !self.0.world.lock().trace.is_on() {
            return;
        }
        // With no lock held: what is displayed may look at the world.
        let text = text.to_string();
        let mut core = self.0.world.lock();
        let actor = core.processes[self.0.id].actor;
        core.trace.record(self.now(), actor, Record::Note { text: &text });
    }

    /// A choice of this node's: a number in `0..n`, 0 being calm.
    #[must_use]
    pub fn choose(&self, site: Site, n: u64) -> u64 {
        let mut core = self.0.world.lock();
        let actor = core.processes[self.0.id].actor;
        core.choose(self.now(), actor, site, u64::from(self.0.id.0), n)
    }

    /// Kills the process before anything else happens: its tasks are dropped
    /// where they stand, its sockets close. Nothing if it is not alive.
    pub fn kill(&self) {
        self.0.world.lock().requests.push_back(Request::Kill(self.0.id));
    }

    /// Kills the process if it is alive, and starts it anew.
    pub fn restart(&self) {
        self.0.world.lock().requests.push_back(Request::Restart(self.0.id));
    }

    /// Stops the process where it stands (`SIGSTOP`): none of its tasks run
    /// until [`Node::resume`]; its sockets stay open and its clock goes on.
    /// Nothing if it is not alive.
    pub fn pause(&self) {
        self.set_paused(true);
    }

    /// Lets a paused process go on.
    pub fn resume(&self) {
        self.set_paused(false);
    }

    fn set_paused(&self, on: bool) {
        let mut core = self.0.world.lock();
        let node = &mut core.processes[self.0.id];
        if node.main.is_none() || node.paused == on {
            return;
        }
        node.paused = on;
        let actor = node.actor;
        let parked = std::mem::take(&mut node.parked);
        core.trace.record(self.now(), actor, if on { Record::Paused } else { Record::Resumed });
        parked.into_iter().for_each(|id| core.unpark(id));
    }

    /// Whether its main task is still to end.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.world.lock().processes[self.0.id].main.is_some()
    }

    /// The link between this node and a service.
    ///
    /// # Panics
    ///
    /// If they are of different worlds.
    #[must_use]
    pub fn link<S: Service>(&self, service: &ServiceHandle<S>) -> Link {
        self.0.world.expect_same(service.world());
        Link::between(&self.0.world, self.0.id, service.id(), service.shared_name())
    }

    /// Notes what the task being polled waits for; for futures that are not
    /// of this crate, so that an [`Outcome`](super::Outcome) can name it.
    pub fn waiting_for<F: Future>(
        &self,
        what: &str,
        future: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        WaitingFor { world: Arc::clone(&self.0.world), what: what.into(), future: Box::pin(future) }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("name", &self.0.name).finish_non_exhaustive()
    }
}

struct WaitingFor<F> {
    world: Arc<World>,
    what: Arc<str>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for WaitingFor<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let poll = self.future.as_mut().poll(cx);
        if poll.is_pending() {
            let what = Wait::Shared(Arc::clone(&self.what));
            self.world.lock().note_wait(what);
        }
        poll
    }
}

/// What a node's main task may end with: nothing, or a `Result` whose error
/// fails the run.
pub trait Report {
    /// What went wrong, in words.
    fn failure(self) -> Option<String>;
}

impl Report for () {
    fn failure(self) -> Option<String> {
        None
    }
}

/// Names the type of what never returns, which has no stable name of its own.
trait Returns {
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}

/// For a main task that loops for ever: its type is not `()` but never.
#[expect(private_interfaces, reason = "the type is never's, whatever it is called by")]
impl Report for <fn() -> ! as Returns>::Type {
    fn failure(self) -> Option<String> {
        self
    }
}

/// A run that is neither done nor has reached what was asked for is a failure:
/// a scenario may end with `sim.run()`.
impl Report for Outcome {
    fn failure(self) -> Option<String> {
        match self {
            Outcome::Done | Outcome::Reached => None,
            other => Some(other.to_string()),
        }
    }
}

impl<E: fmt::Display> Report for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| format!("{error:#}"))
    }
}
