//! The world: nodes and services in virtual time, from one seed.
//!
//! A [`Sim`] is a discrete-event simulation on one thread. *Nodes* are named
//! processes that run async code; *services* are sans-IO machines they connect
//! to; *links* lie between the two. Time stands still while anything is ready
//! to run, then jumps to the next event. Everything that may differ between
//! two runs is a [choice](crate::choice), so a seed replays a run exactly: the
//! [`Digest`] of its trace is the same on every machine.
//!
//! The world knows no broker and no Redis: they are services like any other,
//! see [`Service`].
//!
//! ```
//! use std::time::Duration;
//! use stunt_double::sim::{Outcome, Sim};
//!
//! let mut sim = Sim::new(1);
//! sim.node("sleeper", async |node| {
//!     node.sleep(Duration::from_secs(86_400)).await;
//!     node.note("good morning");
//! });
//! sim.node("waiter", async |node| node.sleep(Duration::MAX).await);
//!
//! let Outcome::Stuck(stuck) = sim.run() else { panic!("the waiter never ends") };
//! assert_eq!(stuck.waiting[0].to_string(), "waiter: a time that never comes");
//! assert_eq!(sim.trace().notes(), "86400.000s  sleeper      good morning\n");
//! ```
//!
//! # Order within one instant
//!
//! Requests of handles (kill, restart, heal, sever) come first; then every
//! ready task, as the [`Strategy`] has it; then the next event, by its tie and
//! its sequence. Under a strategy other than fifo, messages and the timers of
//! services may change places within an instant, never within one connection;
//! under [`Strategy::Random`] events may also come before ready tasks.

mod actions;
mod config;
mod explore;
mod handle;
mod join;
mod kernel;
mod net;
mod node;
pub mod outcome;
pub mod service;
mod sleep;
pub mod trace;

pub use config::{Config, Panics, Retention, Strategy};
pub use explore::replay::{SEED_VARIABLE, seed_or};
pub use explore::{Failure, Seeds, Sweep, check_determinism, seeds};
pub use handle::ServiceHandle;
pub use join::{JoinHandle, Killed};
pub use net::bytes::ByteConnection;
pub use net::latency::Latency;
pub use net::link::Link;
pub use node::{Node, Report};
pub use outcome::Outcome;
pub use service::Disconnected;
use service::Service;
pub use sleep::{Elapsed, Sleep, Timeout};
use trace::{Digest, Trace};

use crate::choice::{Site, Stream, Tape};
use crate::time::Instant;
use actions::pending::Actions;
use join::joinable;
use kernel::quiet;
use kernel::task::LocalFuture;
use kernel::turn::Housekeeping;
use kernel::world::World;
use net::port::Port;
use net::server::Server;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use trace::Actor;
use trace::event::Record;

/// A node's factory: makes its main task, each time it starts.
type Factory = Box<dyn FnMut(Node) -> LocalFuture>;

struct Program {
    node: Node,
    factory: Factory,
}

/// A task's future and the waker it is polled with.
pub(crate) struct Job {
    waker: Waker,
    future: LocalFuture,
}

/// A simulated world; see the [module](self).
///
/// It is not `Send`: a world lives on one thread. The handles it gives out
/// are.
pub struct Sim {
    world: Arc<World>,
    config: Config,
    programs: Vec<Program>,
    jobs: Vec<Option<Job>>,
    ports: Vec<Arc<dyn Port>>,
    actions: Actions,
}

impl Sim {
    /// A world of this seed with the default [`Config`].
    #[must_use]
    pub fn new(seed: u64) -> Sim {
        Sim::with_config(Config::new(seed))
    }

    /// A world of these settings.
    #[must_use]
    pub fn with_config(config: Config) -> Sim {
        Sim {
            world: Arc::new(World::new(&config)),
            config,
            programs: Vec::new(),
            jobs: Vec::new(),
            ports: Vec::new(),
            actions: Actions::default(),
        }
    }

    /// Adds a node and starts it. `factory` makes its main task, now and at
    /// each [`Node::restart`]; when that ends the process exits. It may end
    /// with `()` or with a `Result<(), E>`, whose error fails the run. A closure that
    /// is `async` itself cannot capture anything: [`Sim::node_with`] gives it what it
    /// needs.
    #[track_caller]
    pub fn node<F, R>(&mut self, name: &str, factory: impl FnMut(Node) -> F + 'static) -> Node
    where
        F: Future<Output = R> + 'static,
        R: Report,
    {
        self.add_node(name, false, factory)
    }

    /// Adds a node whose job is to wait, such as a worker that consumes for
    /// ever: it does not keep a run from being [`Outcome::Done`]. See
    /// [`Sim::daemon_with`] for one that needs something of its own.
    #[track_caller]
    pub fn daemon<F, R>(&mut self, name: &str, factory: impl FnMut(Node) -> F + 'static) -> Node
    where
        F: Future<Output = R> + 'static,
        R: Report,
    {
        self.add_node(name, true, factory)
    }

    /// As [`Sim::node`], for a factory that needs something of its own at each
    /// start: handles of services, mostly. `with` is cloned for each.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stunt_double::sim::{Node, Sim};
    ///
    /// async fn sleeper(node: Node, seconds: u64) {
    ///     node.sleep(Duration::from_secs(seconds)).await;
    /// }
    ///
    /// let mut sim = Sim::new(1);
    /// sim.node_with("sleeper", 5, sleeper);
    /// sim.run().expect_done();
    /// assert_eq!(sim.now().to_string(), "5s");
    /// ```
    #[track_caller]
    pub fn node_with<T, F, R>(
        &mut self,
        name: &str,
        with: T,
        mut factory: impl FnMut(Node, T) -> F + 'static,
    ) -> Node
    where
        T: Clone + 'static,
        F: Future<Output = R> + 'static,
        R: Report,
    {
        self.add_node(name, false, move |node| factory(node, with.clone()))
    }

    /// As [`Sim::daemon`], for a factory that needs something of its own; see
    /// [`Sim::node_with`].
    #[track_caller]
    pub fn daemon_with<T, F, R>(
        &mut self,
        name: &str,
        with: T,
        mut factory: impl FnMut(Node, T) -> F + 'static,
    ) -> Node
    where
        T: Clone + 'static,
        F: Future<Output = R> + 'static,
        R: Report,
    {
        self.add_node(name, true, move |node| factory(node, with.clone()))
    }

    #[track_caller]
    fn add_node<F, R>(
        &mut self,
        name: &str,
        daemon: bool,
        mut factory: impl FnMut(Node) -> F + 'static,
    ) -> Node
    where
        F: Future<Output = R> + 'static,
        R: Report,
    {
        let name = self.new_name(name);
        let mut core = self.world.lock();
        let actor = core.trace.actor(&name);
        let id = core.processes.add(&name, actor, daemon, Location::caller());
        drop(core);
        let node = Node::new(&self.world, id, name);
        let factory: Factory = Box::new(move |node| {
            let world = Arc::clone(node.world());
            let main = factory(node);
            Box::pin(async move {
                if let Some(message) = main.await.failure() {
                    world.fail(actor, false, message);
                }
            })
        });
        self.programs.push(Program { node: node.clone(), factory });
        self.start(id);
        node
    }

    /// Adds a service. `make` makes the machine from the stream of its
    /// choices at `site`.
    #[track_caller]
    pub fn service<S: Service>(
        &mut self,
        name: &str,
        site: Site,
        make: impl FnOnce(Stream) -> S,
    ) -> ServiceHandle<S> {
        let name = self.new_name(name);
        let id = u32::try_from(self.ports.len()).expect("fewer than 2^32 services");
        let mut core = self.world.lock();
        let actor = core.trace.actor(&name);
        let stream = core.choices.stream(site, u64::from(id));
        core.trace.record(self.world.now(), actor, Record::Started);
        drop(core);
        let server = Arc::new(Server::new(id, name, actor, make(stream)));
        self.ports.push(Arc::clone(&server) as Arc<dyn Port>);
        ServiceHandle::new(&self.world, &server)
    }

    /// A name that is not yet taken: traces and outcomes tell nodes and services by it.
    #[track_caller]
    fn new_name(&self, name: &str) -> Arc<str> {
        let taken = self.world.lock().trace.has_actor(name);
        assert!(
            !taken,
            "there is already a node or a service named {name:?} in this world: give each a name \
             of its own, such as {name:?} with a number"
        );
        name.into()
    }

    /// Runs `future`, which need not be `Send`, beside the node's main task. If
    /// the node is not alive, `future` is dropped unpolled.
    ///
    /// # Panics
    ///
    /// If the node is of another world.
    pub fn spawn<F: Future + 'static>(&mut self, node: &Node, future: F) -> JoinHandle<F::Output> {
        self.world.expect_same(node.world());
        let (run, handle) = joinable(&self.world, future);
        let mut core = self.world.lock();
        if core.processes[node.id()].main.is_none() {
            drop(core);
            drop(run);
            return handle;
        }
        let (id, waker) = self.world.add_task(&mut core, node.id());
        core.make_ready(id);
        drop(core);
        self.put(id, Job { waker, future: Box::pin(run) });
        handle
    }

    /// The world's time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.world.now()
    }

    /// The seed it was made from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.config.seed
    }

    /// A choice of the test's own: a number in `0..n`, such as the nanosecond
    /// at which to kill somebody. `site` names the decision and `entity` which
    /// of several it is for, 0 where there is one; each pair has draws of its
    /// own. 0 is the calm choice.
    pub fn choose(&mut self, site: Site, entity: u64, n: u64) -> u64 {
        self.world.lock().choose(self.now(), Actor::WORLD, site, entity, n)
    }

    /// The trace so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.world.lock().trace.clone()
    }

    /// The digest so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.world.lock().trace.digest()
    }

    /// Every choice so far, those of the services last; empty unless the
    /// world was made with [`Config::with_recording`].
    #[must_use]
    pub fn tape(&self) -> Tape {
        let mut tape = self.world.lock().choices.tape();
        for port in &self.ports {
            tape.extend(port.recorded());
        }
        tape
    }

    /// Runs until nothing is left to happen. What servers do only to watch over
    /// their clients (heartbeats, time-outs) is waited for while a node that is no
    /// daemon waits, for at most a day in which nobody stirs.
    pub fn run(&mut self) -> Outcome {
        self.run_while(self.config.max_time, Housekeeping::WhileAwaited, |_| true)
    }

    /// Runs for `duration` of virtual time, and then it is that time, whether
    /// anything happened or not: [`Outcome::Reached`].
    pub fn run_for(&mut self, duration: Duration) -> Outcome {
        self.advance_to(self.now() + duration)
    }

    /// Runs until `condition` holds, which is [`Outcome::Reached`]; it is looked
    /// at before the first and after every step. If nothing is left to happen before it holds,
    /// that is [`Outcome::NotReached`].
    pub fn run_until(&mut self, mut condition: impl FnMut() -> bool) -> Outcome {
        let limit = self.config.max_time;
        match self.run_while(limit, Housekeeping::Always, |_| !condition()) {
            end @ (Outcome::Reached | Outcome::Failed(_) | Outcome::NotReached(_)) => end,
            end => Outcome::NotReached(Box::new(end)),
        }
    }

    /// Does everything up to and including `at`, and then it is that time;
    /// or, where that lies beyond it, the last that [`Config::with_max_time`] allows.
    /// With [`Sim::next_event`] this lets another clock drive the world.
    pub fn advance_to(&mut self, at: Instant) -> Outcome {
        let at = at.max(self.now());
        let limit = at.min(self.config.max_time);
        match self.run_while(limit, Housekeeping::Always, |_| true) {
            Outcome::Done | Outcome::Stuck(_) | Outcome::TimeBudget { .. } => {
                self.world.set_now(limit);
                if limit < at {
                    return Outcome::TimeBudget { next: self.next_event().unwrap_or(at) };
                }
                Outcome::Reached
            }
            other => other,
        }
    }

    /// When something is next to happen: now, if a task is ready or something
    /// was asked for; `None` if nothing is.
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        if self.actions.has_unseen_conditions() {
            return Some(self.now());
        }
        self.world.lock().next_event(self.now())
    }

    /// Takes one step: serves one request of a handle (a kill, a heal), polls
    /// one task, or handles one event and what it leads to at once. `Reached` if there was one to take.
    pub fn step(&mut self) -> Outcome {
        let mut first = true;
        self.run_while(self.config.max_time, Housekeeping::Always, |_| std::mem::take(&mut first))
    }
}

/// The world ends: what its processes own is dropped while it is still there, and as after a
/// kill nothing of that is part of the run; see [`Node`].
impl Drop for Sim {
    fn drop(&mut self) {
        quiet::world_dropped(self.config.seed, self.now());
        self.adopt_spawned();
        self.world.end();
        for job in std::mem::take(&mut self.jobs) {
            // Each is dropped, although one before it panics.
            drop(catch_unwind(AssertUnwindSafe(|| drop(job))));
        }
        // A waker may lead back to the world, and so keep it for ever.
        let mut core = self.world.lock();
        let (timers, others) = (core.timers.clear(), std::mem::take(&mut core.afterwards));
        drop(core);
        drop((timers, others));
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("config", &self.config)
            .field("now", &self.now())
            .field("nodes", &self.programs.len())
            .field("services", &self.ports.len())
            .finish_non_exhaustive()
    }
}
