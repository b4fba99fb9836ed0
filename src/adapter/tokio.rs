//! Tokio on the nodes of a world, and a world beside a tokio of its own.
//!
//! Code that calls `tokio::spawn`, `tokio::time`, `select!`, `JoinSet` or `tokio::sync` runs
//! unchanged on a [tokio node](Sim::tokio_node). Each life of such a node has a runtime of its own,
//! of the current-thread kind with a paused clock. The world drives it in lock step: its clock
//! shows the node's time to the nanosecond whenever code runs, and a timer fires when the world's
//! time has reached it. When the process is killed, its tasks are dropped with the runtime, and
//! nothing that their destructors do is part of the run.
//!
//! ```
//! use std::time::Duration;
//! use stunt_double::sim::Sim;
//!
//! // Production code: it knows nothing of a world.
//! async fn poll_three_times() -> usize {
//!     let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
//!     tokio::spawn(async move {
//!         let mut ticks = tokio::time::interval(Duration::from_secs(1200));
//!         for number in 0..3 {
//!             ticks.tick().await;
//!             sender.send(number).await.unwrap();
//!         }
//!     });
//!     let mut received = 0;
//!     while receiver.recv().await.is_some() {
//!         received += 1;
//!     }
//!     received
//! }
//!
//! let mut sim = Sim::new(1);
//! sim.tokio_node("poller", async |node| {
//!     let received = poll_three_times().await;
//!     node.note(format!("{received} messages"));
//! });
//! sim.run().expect_done();
//! assert_eq!(sim.trace().notes().trim(), "2400.000s  poller       3 messages");
//! ```
//!
//! # The other way round
//!
//! In a `#[tokio::test(start_paused = true)]`, tokio is the master: [`Sim::run_beside`] runs a
//! future on the test's own runtime, and the world follows tokio's clock.
//!
//! # What differs from a plain node
//!
//! - A timer fires at a whole millisecond of its runtime, as in every tokio. [`Node::sleep`] is
//!   exact to the nanosecond there, too.
//! - Ready tasks of one runtime run in tokio's order, first in, first out. The strategy decides
//!   between nodes, not between the tasks of a tokio node.
//! - Timers of daemons do not keep [`Sim::run`] from its end: it ends once only daemons are left
//!   and everything sent has arrived.
//! - Tokio does not tell when its next timer is due. While several tokio nodes wait, the world
//!   therefore steps through their milliseconds, so an hour of silence costs seconds rather than
//!   microseconds. A single tokio node has no such cost. A step costs about a microsecond for each
//!   node, most of it in tokio, and thirty in a debug build. Let Cargo optimize dependencies there,
//!   too: `[profile.dev.package."*"]` with `opt-level = 2`. When no code has run for a minute, the
//!   steps grow, to a four-thousandth of the silence. A message that reaches a node in such a step
//!   may wait for the end of it, as it would for an operating system that is slow to run a process:
//!   15 ms at most after two minutes of silence, a second after an hour.
//! - A panic in a task of `tokio::spawn` becomes a `JoinError`, as in production, and leaves the
//!   process alive. A panic in the main task kills the process.
//!
//! # What is random on tokio
//!
//! A stable tokio seeds itself from the operating system. Code whose behaviour depends on a
//! `select!` without `biased;` therefore differs between two runs of one seed, as does code that
//! iterates over a `HashMap`. [`check_determinism`](crate::sim::check_determinism) finds it. With
//! `RUSTFLAGS="--cfg tokio_unstable"` each runtime is seeded from the world's seed, and `select!`
//! is deterministic too.
//!
//! # What cannot run
//!
//! - `spawn_blocking` (and so `tokio::fs`) starts a thread, which a world cannot order: the run
//!   fails with a sentence.
//! - `tokio::net`, and so a client that opens its own socket, panics with tokio's words "IO is
//!   disabled": the runtime has no sockets. Connect to the world's servers through their adapters,
//!   such as [`RabbitMq::lapin`](crate::rabbitmq::RabbitMq) and
//!   [`redis_rs::Connect`](crate::adapter).
//! - `tokio::time::advance` and `resume` move or free a clock that is the world's: the run fails
//!   with a sentence. `tokio::time::pause` panics with tokio's words.
//! - On a plain node, tokio's timers panic with "there is no reactor running": make it a tokio
//!   node.
//! - A task that spins without ever waiting for anything fails the run if it runs at all; a spawned
//!   one is caught, too.

mod beside;
mod runtime;

use crate::choice::Site;
use crate::sim::guest::Guest;
use crate::sim::service::Wait;
use crate::sim::{Node, Report, Sim};
use runtime::{NodeRuntime, Rest};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The choice that seeds a runtime.
const SEED: Site = Site::new("tokio.seed");

impl Sim {
    /// Adds a node and starts it, as [`Sim::node`] does, whose code runs on a tokio runtime of its
    /// own; see the [module](crate::adapter::tokio).
    ///
    /// # Panics
    ///
    /// As [`Sim::node`].
    #[track_caller]
    pub fn tokio_node<F, R>(&mut self, name: &str, factory: impl FnMut(Node) -> F + 'static) -> Node
    where
        F: Future<Output = R> + 'static,
        R: Report + 'static,
    {
        let factory = self.on_tokio(factory);
        self.node(name, factory)
    }

    /// Adds a tokio node whose job is to wait, as [`Sim::daemon`] does.
    ///
    /// # Panics
    ///
    /// As [`Sim::node`].
    #[track_caller]
    pub fn tokio_daemon<F, R>(
        &mut self,
        name: &str,
        factory: impl FnMut(Node) -> F + 'static,
    ) -> Node
    where
        F: Future<Output = R> + 'static,
        R: Report + 'static,
    {
        let factory = self.on_tokio(factory);
        self.daemon(name, factory)
    }

    /// Adds a tokio node whose factory needs something at each start, as [`Sim::node_with`] does.
    ///
    /// # Panics
    ///
    /// As [`Sim::node`].
    #[track_caller]
    pub fn tokio_node_with<T, F, R>(
        &mut self,
        name: &str,
        with: T,
        mut factory: impl FnMut(Node, T) -> F + 'static,
    ) -> Node
    where
        T: Clone + 'static,
        F: Future<Output = R> + 'static,
        R: Report + 'static,
    {
        self.tokio_node(name, move |node| factory(node, with.clone()))
    }

    /// Adds a tokio daemon whose factory needs something at each start, as [`Sim::daemon_with`]
    /// does.
    ///
    /// # Panics
    ///
    /// As [`Sim::node`].
    #[track_caller]
    pub fn tokio_daemon_with<T, F, R>(
        &mut self,
        name: &str,
        with: T,
        mut factory: impl FnMut(Node, T) -> F + 'static,
    ) -> Node
    where
        T: Clone + 'static,
        F: Future<Output = R> + 'static,
        R: Report + 'static,
    {
        self.tokio_daemon(name, move |node| factory(node, with.clone()))
    }

    /// Wraps a factory, so that what it makes runs on a runtime.
    fn on_tokio<F, R>(
        &self,
        mut factory: impl FnMut(Node) -> F + 'static,
    ) -> impl FnMut(Node) -> Drive<R> + 'static
    where
        F: Future<Output = R> + 'static,
        R: Report + 'static,
    {
        let guests = Rc::clone(self.guests());
        move |node| {
            assert!(
                tokio::runtime::Handle::try_current().is_err(),
                "a world with tokio nodes runs inside a tokio runtime, which cannot hold another: \
                 use #[test] instead of #[tokio::test], or Sim::run_beside with plain nodes"
            );
            let seed = node.choose(SEED, u64::MAX);
            let runtime = match NodeRuntime::new(node.clone(), seed) {
                Ok(runtime) => Rc::new(runtime),
                Err(error) => panic!("the operating system refuses a tokio runtime: {error}"),
            };
            let report: Rc<Cell<Option<R>>> = Rc::default();
            let main = {
                let _context = runtime.context();
                factory(node.clone())
            };
            let result = Rc::clone(&report);
            runtime.set_main(Box::pin(async move { result.set(Some(main.await)) }));
            let guest: Rc<dyn Guest> = Rc::clone(&runtime) as Rc<dyn Guest>;
            node.add_guest(&guests, &guest, runtime.probe());
            Drive { node, runtime, report }
        }
    }
}

/// The node's main task in the world: it runs the runtime whenever the world does.
struct Drive<R> {
    node: Node,
    runtime: Rc<NodeRuntime>,
    report: Rc<Cell<Option<R>>>,
}

impl<R: Report> Future for Drive<R> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        match self.runtime.run(cx.waker()) {
            Rest::Ended => Poll::Ready(self.report.take().expect("the main task has set it")),
            Rest::Idle => {
                self.node.note_wait(Wait::Shown(Arc::clone(self.runtime.waits()) as _));
                Poll::Pending
            }
            Rest::Spinning => {
                panic!("its tokio tasks run on and on at one moment, and none of them waits")
            }
            Rest::Ahead(by) => panic!(
                "its code has moved its tokio clock by {by:?} (tokio::time::advance or resume), \
                 which belongs to the world: let the code sleep, or the test call Sim::run_for"
            ),
        }
    }
}
