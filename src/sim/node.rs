//! Nodes: named processes.
//!
//! A factory makes a node's main task, so that the node can be restarted. A node owns its tasks,
//! its connections and a clock. Its process ends in one of three ways. Everything that it sent
//! before still arrives.
//!
//! - It *exits* when the main task ends. Its other tasks are dropped first, as at the shutdown of a
//!   runtime, and their destructors may still send. Then the operating system closes its sockets.
//! - It is *killed* (`SIGKILL`, or a panic). The operating system closes its sockets, and its code
//!   never runs again. Its tasks must still be dropped, but nothing that their destructors do is
//!   part of the run: they find every connection closed; their notes, choices and wake-ups do not
//!   happen; and a panic of theirs does not fail the run (Rust's own panic hook still prints it).
//! - Its machine *loses power*. This is a kill, except that nothing closes the sockets and no
//!   server hears of it.

use super::handle::ServiceHandle;
use super::join::{JoinHandle, joinable};
use super::sleep::{Sleep, Timeout};
use crate::choice::Site;
use crate::sim::kernel::clock::{Clock, offset};
#[cfg(feature = "tokio")]
use crate::sim::kernel::guest::{Guest, Guests};
use crate::sim::kernel::id::NodeId;
#[cfg(feature = "tokio")]
use crate::sim::kernel::probe::Probe;
use crate::sim::kernel::process::Process;
use crate::sim::kernel::task::{SendFuture, Wait};
use crate::sim::kernel::turn::Request;
use crate::sim::kernel::world::World;
use crate::sim::net::link::Link;
use crate::sim::service::contract::Service;
use crate::sim::trace::event::Record;
use crate::time::Instant;
#[cfg(feature = "tokio")]
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
#[cfg(feature = "tokio")]
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A node of the world: the handle that its own code runs with, and with which a test kills,
/// restarts or pauses it. `Clone`, `Send` and `Sync`.
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

/// Kept behind one pointer, because many futures hold it.
struct Inner {
    world: Arc<World>,
    id: NodeId,
    name: Arc<str>,
    clock: Clock,
}

impl Node {
    pub(crate) fn new(world: &Arc<World>, id: NodeId, name: Arc<str>) -> Node {
        Node(Arc::new(Inner { world: Arc::clone(world), id, name, clock: Clock::default() }))
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.0.world
    }

    pub(crate) fn id(&self) -> NodeId {
        self.0.id
    }

    pub(crate) fn shared_name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// Returns the node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the world's time. A real process cannot see it. Code under test that should notice a
    /// wrong clock uses [`Node::wall_clock`].
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0.world.now()
    }

    /// Returns the time on the node's own calendar clock, as the time since the Unix epoch: the
    /// world's time with the drift and offset of this node.
    #[must_use]
    pub fn wall_clock(&self) -> Duration {
        self.0.clock.calendar(self.now())
    }

    /// Returns the time on the node's monotonic clock at `at`, a moment of the world's time.
    #[cfg(feature = "tokio")]
    pub(crate) fn machine_time_at(&self, at: Instant) -> Instant {
        self.0.clock.machine_time(at)
    }

    /// Returns the world's time at which the node's monotonic clock shows `local`.
    #[cfg(feature = "tokio")]
    pub(crate) fn world_time(&self, local: Instant) -> Instant {
        self.0.clock.world_time(self.now(), local)
    }

    /// Makes a runtime the guest that runs this node's code.
    #[cfg(feature = "tokio")]
    pub(crate) fn add_guest(&self, guests: &RefCell<Guests>, guest: &Rc<dyn Guest>, probe: Probe) {
        guests.borrow_mut().add(self.0.id, Rc::downgrade(guest));
        self.0.world.lock().probes.list.push((self.0.id, probe));
    }

    /// Returns whether the clock of the runtime in which the node's code runs, if there is one, is
    /// the world's: the runtime is the node's own, or the world follows it.
    #[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
    pub(crate) fn shares_its_runtimes_clock(&self) -> bool {
        let core = self.0.world.lock();
        let has_guest = core.probes.list.iter().any(|(node, _)| *node == self.0.id);
        drop(core);
        has_guest || self.0.world.follow.has_begun()
    }

    /// Records that the node waits in its runtime, for the report of a stuck run.
    #[cfg(feature = "tokio")]
    pub(crate) fn note_wait(&self, wait: Wait) {
        self.0.world.lock().note_wait(wait);
    }

    /// Fails the run because of this node's code.
    #[cfg(feature = "tokio")]
    pub(crate) fn fail(&self, message: &str) {
        let mut core = self.0.world.lock();
        if core.withholds() {
            return;
        }
        let actor = core.processes[self.0.id].actor;
        drop(core);
        self.0.world.fail(actor, false, message.to_owned());
    }

    /// Sets the node's calendar clock ahead of the world's by `by` from now on, by 292 years at
    /// most.
    pub fn set_clock_ahead(&self, by: Duration) {
        self.set_clock_offset(offset(by));
    }

    /// Sets the node's calendar clock behind the world's by `by` from now on. The clock never shows
    /// a time before the Unix epoch.
    pub fn set_clock_behind(&self, by: Duration) {
        self.set_clock_offset(-offset(by));
    }

    fn set_clock_offset(&self, nanos: i64) {
        if !self.0.world.lock().withholds() {
            self.0.clock.set_offset(nanos);
        }
    }

    /// Sets how fast the node's clock runs from now on, in parts per million more than the world's:
    /// at 1,000,000 a sleep of two seconds takes one second. Values below -999,999 count as
    /// -999,999, a clock that almost stands still. Sleeps that have begun keep their end.
    pub fn set_clock_drift(&self, ppm: i64) {
        if !self.0.world.lock().withholds() {
            self.0.clock.set_drift(self.now(), ppm);
        }
    }

    /// Lets the calendar clock jump from where it is, because of a fault of a plan.
    pub(crate) fn jump_clock(&self, by: Duration, ahead: bool) {
        self.0.clock.jump(if ahead { offset(by) } else { -offset(by) });
    }

    /// Lets the clock run this much faster, because of a fault of a plan.
    pub(crate) fn let_clock_drift(&self, ppm: i64) {
        self.0.clock.stray(self.now(), ppm);
    }

    /// Undoes what faults of plans did to the clock.
    pub(crate) fn heal_clock(&self) {
        self.0.clock.heal(self.now());
    }

    /// Waits for `duration` by the node's clock.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let deadline = self.now() + self.0.clock.to_world(duration);
        Sleep::until(&self.0.world, deadline)
    }

    /// Waits until a moment of the world's time.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::until(&self.0.world, deadline)
    }

    /// Runs `future` for at most `duration` by the node's clock.
    ///
    /// # Errors
    ///
    /// [`Elapsed`](super::Elapsed) if it did not finish in time.
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

    /// Runs `future` beside the node's main task, and drops it with the node.
    /// [`Sim::spawn`](super::Sim::spawn) takes a future that is not `Send`. If the node is not
    /// alive, `future` is dropped unpolled.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let (run, handle) = joinable(&self.0.world, future);
        self.adopt(Box::pin(run), false);
        handle
    }

    /// Runs `future` as a task that becomes ready whenever another task of the process was polled,
    /// besides when it is woken.
    #[cfg(any(feature = "lapin", feature = "redis"))]
    pub(crate) fn spawn_follower(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.adopt(Box::pin(future), true);
    }

    /// Returns the number of the poll in progress, if one of the node's tasks is being polled. May
    /// be called on any thread.
    #[cfg(feature = "lapin")]
    pub(crate) fn poll_in_progress(&self) -> Option<u64> {
        self.0.world.poll_in_progress(self.0.id)
    }

    fn adopt(&self, future: SendFuture, follows: bool) {
        let mut core = self.0.world.lock();
        if core.processes[self.0.id].main.is_none() || core.withholds() {
            // A future's destructor runs foreign code, so no lock may be held.
            drop(core);
            drop(future);
            return;
        }
        let (id, waker) = self.0.world.add_task(&mut core, self.0.id);
        core.spawned.push((id, waker, future));
        if follows {
            core.follow(id);
        }
        core.make_ready(id);
    }

    /// Writes a line to the trace. Notes are the material of a transcript.
    pub fn note(&self, text: impl fmt::Display) {
        if self.0.world.lock().withholds() {
            return;
        }
        // Formatted without a lock: a `Display` implementation may use the world.
        let text = text.to_string();
        let mut core = self.0.world.lock();
        let actor = core.processes[self.0.id].actor;
        core.trace.record(self.now(), actor, Record::Note { text: &text });
    }

    /// Returns a choice of this node: a number in `0..n`, where 0 is calm.
    #[must_use]
    pub fn choose(&self, site: Site, n: u64) -> u64 {
        let mut core = self.0.world.lock();
        let actor = core.processes[self.0.id].actor;
        core.choose(self.now(), actor, site, u64::from(self.0.id.0), n)
    }

    /// Kills the process (`SIGKILL`) before anything else happens: its sockets close, its tasks
    /// stop, and no destructor has an effect. A no-op if it is not alive.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stunt_double::sim::{Node, Sim};
    ///
    /// struct Guard(Node);
    ///
    /// impl Drop for Guard {
    ///     fn drop(&mut self) {
    ///         self.0.note("released"); // a killed process never reaches such a line
    ///     }
    /// }
    ///
    /// let mut sim = Sim::new(1);
    /// let worker = sim.node("worker", async |node| {
    ///     let _guard = Guard(node.clone());
    ///     node.sleep(Duration::from_secs(60)).await;
    /// });
    /// sim.after(Duration::from_secs(1), move || worker.kill());
    /// sim.run().expect_done();
    /// assert_eq!(sim.trace().notes(), "");
    /// ```
    pub fn kill(&self) {
        self.0.world.lock().request(Request::Kill(self.0.id));
    }

    /// Kills the process if it is alive, and starts it anew. If the machine has no power, it is
    /// switched on first.
    pub fn restart(&self) {
        self.0.world.lock().request(Request::Restart(self.0.id));
    }

    /// Cuts the power of the node's machine. The process is gone as after a [kill](Node::kill), but
    /// nothing closes its sockets, and servers hear nothing. They keep its connections and what
    /// these hold (an exclusive queue, unacknowledged messages, a blocked `BLPOP`) until heartbeats
    /// or keepalive detect the loss, or until what they send has been unacknowledged for 15
    /// minutes. [`Node::restart`] switches the machine on again. From then on it resets whatever
    /// arrives for a connection that it does not know.
    pub fn lose_power(&self) {
        self.0.world.lock().request(Request::LosePower(self.0.id));
    }

    /// Asks the process to stop (`SIGTERM`), and kills it if it is still alive after 30 s, as
    /// Kubernetes does by default; see [`Node::terminate_within`].
    pub fn terminate(&self) {
        self.terminate_within(Duration::from_secs(30));
    }

    /// Asks the process to stop (`SIGTERM`), and kills it if it is still alive after `grace` of the
    /// world's time. A process learns of it through [`Node::terminated`]. A process that has never
    /// called that has no handler for the signal and dies at once; if it is [paused](Node::pause),
    /// it dies when it is resumed. A no-op if the process is not alive or was asked before.
    pub fn terminate_within(&self, grace: Duration) {
        let now = self.now();
        let mut core = self.0.world.lock();
        let wakes = core.terminate(now, self.0.id, grace);
        drop(core);
        self.0.world.wake_all(&mut { wakes });
    }

    /// Waits until the process is asked to stop ([`Node::terminate`]). The call installs the
    /// handler for the rest of this process: call it before the work begins, and poll it beside the
    /// work.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stunt_double::sim::Sim;
    ///
    /// let mut sim = Sim::new(1);
    /// let worker = sim.node("worker", async |node| {
    ///     node.terminated().await;
    ///     node.sleep(Duration::from_secs(5)).await; // finishes what it has begun
    ///     node.note("stopped in good order");
    /// });
    /// sim.after(Duration::from_secs(60), move || worker.terminate());
    /// sim.run().expect_done();
    /// assert!(sim.trace().notes().contains("65.000s  worker       stopped in good order"));
    /// ```
    pub fn terminated(&self) -> impl Future<Output = ()> + Send + Sync + use<> {
        let (world, id) = (Arc::clone(&self.0.world), self.0.id);
        let mut core = world.lock();
        let process = &mut core.processes[id];
        process.handles_termination |= process.main.is_some() && !world.is_struck_dead();
        let life = process.life;
        drop(core);
        std::future::poll_fn(move |cx| {
            let mut core = world.lock();
            let wake = core.wake_ref(cx);
            let process = &mut core.processes[id];
            if process.life == life && process.is_terminating {
                return Poll::Ready(());
            }
            if process.life == life {
                process.termination.register(wake);
            }
            core.note_wait(Wait::Static("to be asked to stop"));
            Poll::Pending
        })
    }

    /// Pauses the process (`SIGSTOP`): none of its tasks run until [`Node::resume`]. Its sockets
    /// stay open and its clock goes on. A no-op if it is not alive.
    pub fn pause(&self) {
        self.set_paused(|process| process.paused = true);
    }

    /// Pauses the process because of a fault of a plan.
    pub(crate) fn hold(&self) {
        self.set_paused(|process| process.held = true);
    }

    /// Ends a pause by a plan. A pause by the test goes on.
    pub(crate) fn let_run(&self) {
        self.set_paused(|process| process.held = false);
    }

    /// Returns the number of the process's present or last life.
    pub(crate) fn life(&self) -> u64 {
        self.0.world.lock().processes[self.0.id].life
    }

    /// Resumes a paused process.
    pub fn resume(&self) {
        self.set_paused(|process| (process.paused, process.held) = (false, false));
    }

    fn set_paused(&self, set: impl FnOnce(&mut Process)) {
        let mut core = self.0.world.lock();
        let withheld = core.withholds();
        let node = &mut core.processes[self.0.id];
        if withheld || node.main.is_none() {
            return;
        }
        let was = node.is_paused();
        set(node);
        let on = node.is_paused();
        if on == was {
            return;
        }
        if !on && node.is_terminating && !node.handles_termination {
            core.requests.push_back(Request::Kill(self.0.id));
            return;
        }
        let actor = node.actor;
        let parked = std::mem::take(&mut node.parked);
        core.probes.are_quiet = false;
        core.trace.record(self.now(), actor, if on { Record::Paused } else { Record::Resumed });
        parked.into_iter().for_each(|id| core.unpark(id));
    }

    /// Returns whether the main task has not ended yet.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.world.lock().processes[self.0.id].main.is_some()
    }

    /// Returns the link between this node and a service.
    ///
    /// # Panics
    ///
    /// If they belong to different worlds.
    #[must_use]
    pub fn link<S: Service>(&self, service: &ServiceHandle<S>) -> Link {
        self.0.world.expect_same(service.world());
        Link::between(&self.0.world, self.0.id, service.id(), service.shared_name())
    }

    /// Names what `future` waits for. Use it for futures of other crates, so that an
    /// [`Outcome`](super::Outcome) can report it.
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
