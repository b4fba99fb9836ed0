//! The runtime of a node: tokio's current-thread runtime with a paused clock, as a guest of the
//! world.
//!
//! Its clock only moves when the world's does, so tokio's own advancing of a paused clock must
//! never happen by itself. Three tricks ensure that, and two rest on the order in which tokio's
//! scheduler does things.
//!
//! - *Running the main task.* It is polled in the runtime's context, without the scheduler.
//! - *Running the others until idle.* The future given to `block_on` wakes itself at every poll, so
//!   the scheduler never parks. A marker task tells when the queue is empty: it was pushed at one
//!   poll, and nothing else ran before the next one.
//! - *Moving to the next timer*: see `runtime/clock.rs`.
//!
//! Timers are due at whole milliseconds of the runtime's clock, its ticks, as in every tokio.

mod clock;
mod wakers;

use crate::sim::Node;
use crate::sim::probe::Probe;
use crate::time::Instant;
pub(super) use clock::floor;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime, RuntimeMetrics};
use tokio::time::Instant as TokioInstant;
use wakers::{Flag, Marker};

/// How many polls may follow each other at one moment before the code counts as spinning.
const SPIN: u64 = 1_000_000;

/// Where the waker of the present `block_on` lies, for the hook after a park.
type Root = Arc<Mutex<Option<Waker>>>;

/// A node's runtime.
pub(super) struct NodeRuntime {
    node: Node,
    /// Taken when it is shut down.
    runtime: Option<Runtime>,
    /// The node's clock and tokio's when the runtime began.
    began: Instant,
    epoch: TokioInstant,
    main: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>,
    main_woken: Arc<Flag>,
    root: Root,
    marker: Arc<Marker>,
    has_run: Cell<bool>,
    /// Whether the timers that are due have fired.
    has_fired: Cell<bool>,
    /// Whether firing timers may have made tasks ready.
    may_run: Cell<bool>,
    is_spinning: Cell<bool>,
    metrics: RuntimeMetrics,
    waits: Arc<Waits>,
}

/// What a runtime waits for, as a stuck run reports it.
pub(super) struct Waits(RuntimeMetrics);

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the main task nor the marker is a user's spawned task.
        let spawned = self.0.num_alive_tasks().saturating_sub(1);
        match spawned {
            0 => f.write_str("its main task, which waits in its tokio runtime"),
            n => write!(f, "its main task and {n} spawned tasks, which wait in its tokio runtime"),
        }
    }
}

/// How a runtime came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Every task waits for something.
    Idle,
    /// The main task has ended.
    Ended,
    /// Tasks run on and on, and none waits.
    Spinning,
    /// Code has moved the runtime's clock, by this much.
    Ahead(Duration),
}

/// The queue of ready tasks, as far as the marker shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    Unknown,
    /// The marker was pushed at the last poll.
    JustMarked,
    /// The marker is in the queue, behind tasks that run before it.
    Marked,
    Empty,
}

impl NodeRuntime {
    /// Makes a runtime for `node`, whose clock shows the node's time from now on.
    ///
    /// # Errors
    ///
    /// The operating system's, if it has no resources for a runtime.
    pub(super) fn new(node: Node, seed: u64) -> std::io::Result<NodeRuntime> {
        let root = Root::default();
        let after_park = Arc::clone(&root);
        let mut builder = Builder::new_current_thread();
        builder
            .enable_time()
            .start_paused(true)
            // The future given to `block_on` gets its turn after every single task.
            .event_interval(1)
            // Tasks that were woken from outside the scheduler go first: the marker must be last.
            .global_queue_interval(1)
            .on_thread_unpark(move || {
                if let Some(root) = &*after_park.lock().unwrap_or_else(PoisonError::into_inner) {
                    root.wake_by_ref();
                }
            });
        refuse_blocking(&mut builder, &node);
        seed_choices(&mut builder, seed);
        let runtime = builder.build()?;
        let marker = Arc::new(Marker::default());
        let task = Arc::clone(&marker);
        runtime.spawn(poll_fn(move |cx| task.poll(cx)));
        runtime.block_on(tokio::task::yield_now());
        let epoch = {
            let _context = runtime.enter();
            TokioInstant::now()
        };
        let began = node.machine_time_at(node.now());
        Ok(NodeRuntime {
            node,
            waits: Arc::new(Waits(runtime.metrics())),
            metrics: runtime.metrics(),
            runtime: Some(runtime),
            began,
            epoch,
            main: RefCell::new(None),
            main_woken: Arc::new(Flag::woken()),
            root,
            marker,
            has_run: Cell::new(false),
            has_fired: Cell::new(true),
            may_run: Cell::new(true),
            is_spinning: Cell::new(false),
        })
    }

    /// Sets the main task.
    pub(super) fn set_main(&self, main: Pin<Box<dyn Future<Output = ()>>>) {
        *self.main.borrow_mut() = Some(main);
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is only taken when it is dropped")
    }

    /// Returns the question whether tasks were woken from outside the runtime.
    pub(super) fn probe(&self) -> Probe {
        let metrics = self.runtime().metrics();
        Box::new(move || metrics.global_queue_depth() > 0)
    }

    /// Returns what the runtime waits for, in words.
    pub(super) fn waits(&self) -> &Arc<Waits> {
        &self.waits
    }

    /// Returns the context in which its code runs.
    pub(super) fn context(&self) -> tokio::runtime::EnterGuard<'_> {
        self.runtime().enter()
    }

    /// Runs every task that is ready, until none is. `driver` is woken when the main task is.
    pub(super) fn run(&self, driver: &Waker) -> Rest {
        if let Some(lead) = self.catch_up() {
            return Rest::Ahead(lead);
        }
        self.main_woken.armed.store(false, Relaxed);
        let waker = Waker::from(Arc::clone(&self.main_woken));
        let mut cx = Context::from_waker(&waker);
        let mut polls = 0;
        let rest = loop {
            polls += 1;
            if polls > SPIN {
                break Rest::Spinning;
            }
            if self.main_woken.woken.swap(false, Relaxed) {
                self.has_run.set(true);
                if self.poll_main(&mut cx).is_ready() {
                    break Rest::Ended;
                }
            }
            // What the main task wakes is queued as if it were woken from outside.
            let queued = self.metrics.global_queue_depth() > 0;
            let has_tasks = queued || self.metrics.num_alive_tasks() > 1;
            let may_run = self.may_run.take() || queued;
            if !self.has_fired.get() || (has_tasks && may_run) {
                self.run_tasks(has_tasks);
            } else if !self.main_woken.woken.load(Relaxed) {
                break Rest::Idle;
            }
            if self.is_spinning.get() {
                break Rest::Spinning;
            }
        };
        self.main_woken.set_driver(driver);
        self.main_woken.armed.store(true, Relaxed);
        match self.catch_up() {
            Some(lead) if rest == Rest::Idle => Rest::Ahead(lead),
            _ => rest,
        }
    }

    /// Fires the timers that are due, and then runs the tasks until none is ready.
    fn run_tasks(&self, has_tasks: bool) {
        let mut queue = Queue::Unknown;
        let mut polls = 0;
        self.runtime().block_on(poll_fn(|cx| {
            queue = self.look(queue);
            polls += 1;
            if queue == Queue::Empty || polls > SPIN {
                self.is_spinning.set(polls > SPIN);
                return Poll::Ready(());
            }
            // The scheduler fires the timers that are due between two polls.
            if self.has_fired.replace(true) {
                if !has_tasks {
                    return Poll::Ready(());
                }
                if queue != Queue::Marked {
                    self.marker.push();
                    queue = Queue::JustMarked;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
    }

    /// Looks whether the marker has run since the last poll.
    fn look(&self, queue: Queue) -> Queue {
        match (queue, self.marker.ran.load(Relaxed)) {
            (Queue::Unknown | Queue::Empty, _) => Queue::Unknown,
            (Queue::JustMarked, true) => Queue::Empty,
            (Queue::Marked, true) => Queue::Unknown,
            (Queue::JustMarked | Queue::Marked, false) => {
                self.has_run.set(true);
                Queue::Marked
            }
        }
    }

    /// Polls the main task, in the runtime's context but without its scheduler, which costs more
    /// than most polls do.
    #[cfg(not(tokio_unstable))]
    fn poll_main(&self, cx: &mut Context<'_>) -> Poll<()> {
        let _context = self.runtime().enter();
        self.poll_main_in_context(cx)
    }

    /// Polls the main task under the scheduler: only there do its draws come from the seed.
    #[cfg(tokio_unstable)]
    fn poll_main(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut polled = false;
        // One more round wakes a task that has yielded, and may run another.
        self.may_run.set(true);
        self.runtime().block_on(poll_fn(|root| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(Poll::Pending);
            }
            root.waker().wake_by_ref();
            self.poll_main_in_context(cx).map(Poll::Ready)
        }))
    }

    fn poll_main_in_context(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut main = self.main.borrow_mut();
        let Some(future) = main.as_mut() else { return Poll::Pending };
        std::task::ready!(future.as_mut().poll(cx));
        Poll::Ready(())
    }

    /// Drops the main task and then all others, inside the runtime's context.
    fn shut_down(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        {
            let _context = runtime.enter();
            drop(self.main.take());
        }
        runtime.shutdown_background();
    }
}

impl Drop for NodeRuntime {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// `spawn_blocking` starts a thread, which no world can order. Tokio asks for the thread's name on
/// the thread that wants it.
fn refuse_blocking(builder: &mut Builder, node: &Node) {
    let node = node.clone();
    builder.thread_name_fn(move || {
        node.fail(
            "tokio's spawn_blocking (which tokio::fs uses, and a client that looks up a host name) \
             runs on a thread of its own, and a world cannot order threads: call the function in \
             the task itself; connect clients with their adapters, such as RabbitMq::lapin",
        );
        "stunt-double-blocking".to_owned()
    });
}

/// Seeds what tokio draws at random, such as the first branch that `select!` polls.
#[cfg(tokio_unstable)]
fn seed_choices(builder: &mut Builder, seed: u64) {
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
}

/// A stable tokio seeds itself from the operating system.
#[cfg(not(tokio_unstable))]
fn seed_choices(_: &mut Builder, _: u64) {}
