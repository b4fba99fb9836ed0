//! The world: nodes and services in virtual time, from one seed.
//!
//! A [`Sim`] is a discrete-event simulation on one thread. *Nodes* are named processes that run
//! async code. *Services* are sans-IO machines that nodes connect to. *Links* lie between the two.
//! Time stands still while anything is ready to run, then jumps to the next event. Everything that
//! may differ between two runs is a [choice](crate::choice), so a seed replays a run exactly: the
//! [digest](Sim::digest) of its trace is the same on every machine.
//!
//! The world knows neither RabbitMQ nor Redis. Each is a service like any other; see [`service`].
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
//! 1. Requests of handles: kill, restart, heal, sever.
//! 2. Every ready task, in the order of the [`Strategy`].
//! 3. The next event, by its tie and its sequence.
//!
//! Under any strategy but FIFO, messages and the timers of services may change places within an
//! instant, but never within one connection. Under [`Strategy::Random`] an event may also come
//! before a ready task.

mod actions;
pub mod chaos;
mod config;
mod explore;
mod handle;
mod join;
mod kernel;
mod ledger;
mod net;
mod node;
pub mod outcome;
mod report;
pub mod service;
mod sleep;
pub mod trace;

pub use actions::Verdict;
pub use chaos::Chaos;
pub use config::{Config, Panics, Retention, Strategy};
pub use explore::replay::{SEED_VARIABLE, seed_or};
pub use explore::{
    Account, Decision, Effort, Failure, Risk, Schedules, Seeds, Sweep, VARIABLES, Variable,
    Without, check_determinism, seeds,
};
pub use handle::ServiceHandle;
pub use join::{JoinHandle, Killed};
pub use ledger::{Breach, Breaches, History, Ledger, Promise};
pub use net::bytes::ByteConnection;
pub use net::latency::Latency;
pub use net::link::Link;
#[cfg(all(feature = "lapin", feature = "turmoil"))]
pub(crate) use net::pulse::{Look, Pulse};
pub use node::Node;
pub use outcome::Outcome;
pub use report::Report;
pub use service::Disconnected;
use service::Service;
pub use sleep::{Elapsed, Sleep, Timeout};
#[cfg(any(feature = "rabbitmq", feature = "redis"))]
pub(crate) use trace::compact;
use trace::{Digest, Trace};

use crate::choice::{Site, Stream, Tape};
use crate::time::Instant;
use actions::pending::Actions;
use chaos::storm::Storm;
use join::joinable;
use kernel::executor::GoOn;
#[cfg(feature = "tokio")]
pub(crate) use kernel::guest;
use kernel::guest::Guests;
#[cfg(feature = "tokio")]
pub(crate) use kernel::probe;
use kernel::quiet;
use kernel::task::LocalFuture;
use kernel::turn::Housekeeping;
#[cfg(feature = "tracing")]
pub(crate) use kernel::world;
use kernel::world::World;
use net::logged::{ROUTINE, Reads};
use net::port::Port;
use net::server::Server;
use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use trace::Actor;
use trace::event::Record;

/// A node's factory: it makes the main task each time the node starts.
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
/// A world lives on one thread: it is not `Send`. Its handles are.
pub struct Sim {
    pub(crate) world: Arc<World>,
    config: Config,
    programs: Vec<Program>,
    jobs: Vec<Option<Job>>,
    ports: Vec<Arc<dyn Port>>,
    actions: Actions,
    /// The faults of its plan, if it has one.
    storm: Option<Storm>,
    /// The guests, which the factories of their nodes share.
    guests: OnceCell<Rc<RefCell<Guests>>>,
}

impl Sim {
    /// Returns a world with this seed and the default [`Config`].
    #[must_use]
    pub fn new(seed: u64) -> Sim {
        Sim::with_config(Config::new(seed))
    }

    /// Returns a world with these settings.
    #[must_use]
    pub fn with_config(config: Config) -> Sim {
        Sim {
            world: Arc::new(World::new(&config)),
            config,
            programs: Vec::new(),
            jobs: Vec::new(),
            ports: Vec::new(),
            actions: Actions::default(),
            storm: None,
            guests: OnceCell::new(),
        }
    }

    /// Adds a node and starts it. `factory` makes its main task, now and at each [`Node::restart`];
    /// when the main task ends, the process exits. The main task may return `()` or a `Result<(),
    /// E>`, whose error fails the run. An `async` closure cannot capture anything:
    /// [`Sim::node_with`] passes it what it needs.
    ///
    /// # Panics
    ///
    /// If a node or a service has this name already, or if the name is `world`.
    #[track_caller]
    pub fn node<F, R>(&mut self, name: &str, factory: impl FnMut(Node) -> F + 'static) -> Node
    where
        F: Future<Output = R> + 'static,
        R: Report,
    {
        self.add_node(name, false, factory)
    }

    /// Adds a node whose job is to wait, such as a worker that consumes forever. It does not keep a
    /// run from being [`Outcome::Done`], unless it polls; see [`Sim::run`]. [`Sim::daemon_with`]
    /// adds one that needs handles.
    ///
    /// # Panics
    ///
    /// If a node or a service has this name already, or if the name is `world`.
    #[track_caller]
    pub fn daemon<F, R>(&mut self, name: &str, factory: impl FnMut(Node) -> F + 'static) -> Node
    where
        F: Future<Output = R> + 'static,
        R: Report,
    {
        self.add_node(name, true, factory)
    }

    /// Adds a node, as [`Sim::node`] does, whose factory needs something at each start, such as the
    /// handles of services. `with` is cloned for each start.
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
    ///
    /// # Panics
    ///
    /// If a node or a service has this name already, or if the name is `world`.
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

    /// Adds a daemon, as [`Sim::daemon`] does, whose factory needs something at each start; see
    /// [`Sim::node_with`].
    ///
    /// # Panics
    ///
    /// If a node or a service has this name already, or if the name is `world`.
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

    /// Adds a daemon that opens connections for a service's machine. It is a process of the same
    /// computer: it ends, loses its power and starts together with the server.
    #[cfg(feature = "redis")]
    #[track_caller]
    pub(crate) fn companion<S: Service, F, R>(
        &mut self,
        name: &str,
        service: &ServiceHandle<S>,
        factory: impl FnMut(Node) -> F + 'static,
    ) -> Node
    where
        F: Future<Output = R> + 'static,
        R: Report,
    {
        let node = self.add_node(name, true, factory);
        service.server().lock().companion = Some(node.id());
        node
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
        let factory: Factory = Box::new(move |node| Box::pin(factory(node)));
        self.programs.push(Program { node: node.clone(), factory });
        self.start(id);
        node
    }

    /// Adds a service. `make` makes its machine; the stream it is given holds the machine's
    /// choices, drawn at `site`.
    ///
    /// # Panics
    ///
    /// If a node or a service has this name already, or if the name is `world`.
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
        let stream = core.choices.stream_of(site, u64::from(id), &name);
        core.links.name_service(&name);
        let reads = Reads::of::<S>(&mut core.trace);
        core.trace.record(self.world.now(), actor, Record::Started);
        drop(core);
        let mut machine = make(stream);
        if self.config.stories {
            machine.tell_stories();
        }
        let server = Arc::new(Server::new(id, name, (actor, reads), machine));
        server.lock().tells = self.config.stories;
        self.ports.push(Arc::clone(&server) as Arc<dyn Port>);
        ServiceHandle::new(&self.world, &server)
    }

    /// Returns `name`, unless it is taken: traces and outcomes identify nodes and services by name.
    #[track_caller]
    fn new_name(&self, name: &str) -> Arc<str> {
        let taken = self.world.lock().trace.has_actor(name);
        assert!(
            !taken,
            "there is already a node or a service named {name:?} in this world, which is itself \
             named \"world\": give each a name of its own, such as {name:?} with a number"
        );
        name.into()
    }

    /// Runs `future`, which need not be `Send`, beside the node's main task. If the node is not
    /// alive, `future` is dropped unpolled.
    ///
    /// # Panics
    ///
    /// If the node belongs to another world.
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

    /// Returns the world's time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.world.now()
    }

    /// Returns the seed of this world.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.config.seed
    }

    /// Returns a choice of the test's own: a number in `0..n`, such as the nanosecond of a kill.
    /// `site` names the decision. `entity` tells several uses of one site apart; pass 0 if there is
    /// only one. Each pair of site and entity has its own draws. 0 is calm.
    pub fn choose(&mut self, site: Site, entity: u64, n: u64) -> u64 {
        self.world.lock().choose(self.now(), Actor::WORLD, site, entity, n)
    }

    /// Returns a choice as [`Sim::choose`] does. If the run is recorded, `words` makes of its value
    /// what a report shows of it, such as "the worker dies after 3 s".
    ///
    /// ```
    /// use stunt_double::Site;
    /// use stunt_double::sim::{Config, Sim};
    ///
    /// const DEATH: Site = Site::new("example.death");
    /// let mut sim = Sim::with_config(Config::new(7).with_recording());
    /// let after = sim.choose_told(DEATH, 0, 10, |n| format!("the worker dies after {n} s"));
    /// let told = sim.tape().choices()[0].told();
    /// assert_eq!(told, format!("the worker dies after {after} s"));
    /// ```
    pub fn choose_told(
        &mut self,
        site: Site,
        entity: u64,
        n: u64,
        words: impl FnOnce(u64) -> String,
    ) -> u64 {
        self.world.lock().choose_told(self.now(), Actor::WORLD, (site, entity, n), words)
    }

    /// Returns the trace so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let mut trace = self.world.lock().trace.clone();
        self.ports.iter().for_each(|port| port.tell_in_flight(&mut trace));
        trace
    }

    /// Returns the digest so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.world.lock().trace.digest()
    }

    /// Returns every choice so far, in the order in which they were made. Empty unless the world
    /// was made with [`Config::with_recording`].
    #[must_use]
    pub fn tape(&self) -> Tape {
        self.world.lock().choices.tape()
    }

    /// Returns what each service holds, one thing a line.
    pub(crate) fn portraits(&self) -> Vec<(String, Vec<String>)> {
        self.ports.iter().map(|port| port.portrait(&self.world)).collect()
    }

    /// Returns how the messages of its services begin that say little.
    pub(crate) fn routine(&self) -> Vec<&'static str> {
        let services = self.ports.iter().flat_map(|port| port.routine());
        services.chain(ROUTINE).copied().collect()
    }

    /// Returns the number of steps taken so far, as what they cost: those of a world with runtimes
    /// or client libraries of others take about ten times as long.
    pub(crate) fn cost(&self) -> u64 {
        const FOREIGN: u64 = 10;
        let core = self.world.lock();
        let is_foreign = !core.probes.list.is_empty()
            || core.processes.iter().any(|process| !process.followers.is_empty());
        if is_foreign { core.steps().saturating_mul(FOREIGN) } else { core.steps() }
    }

    /// Runs until nothing is left to happen. Background timers (heartbeats, consumer time-outs)
    /// keep the run going only while a non-daemon node is blocked, and for at most 24 virtual hours
    /// without any task running.
    ///
    /// In a world in which somebody polls, even a daemon, something is always left to happen: a
    /// loop around `BLPOP … 1` or a sleep never ends. Such a world needs [`Sim::run_until`] or
    /// [`Sim::run_for`]; here it ends as [`Outcome::StepBudget`] after 100 million steps
    /// ([`Config::with_max_steps`]), which takes minutes.
    pub fn run(&mut self) -> Outcome {
        let limit = self.config.max_time;
        let outcome = self.run_while(limit, Housekeeping::WhileAwaited, GoOn::Always);
        self.at_the_end(outcome)
    }

    /// Runs for `duration` of virtual time, and sets the time to its end even if nothing happened.
    /// Returns [`Outcome::Reached`], unless the run ended earlier.
    pub fn run_for(&mut self, duration: Duration) -> Outcome {
        self.advance_to(self.now() + duration)
    }

    /// Runs until `condition` holds, and returns [`Outcome::Reached`]. The condition is checked
    /// before the first step and after every step. If nothing is left to happen before it holds,
    /// returns [`Outcome::NotReached`].
    pub fn run_until(&mut self, mut condition: impl FnMut() -> bool) -> Outcome {
        let limit = self.config.max_time;
        match self.run_while(limit, Housekeeping::Always, GoOn::If(&mut || !condition())) {
            end @ (Outcome::Reached | Outcome::Failed(_) | Outcome::NotReached(_)) => end,
            end => Outcome::NotReached(Box::new(end)),
        }
    }

    /// Runs everything up to and including `at`, and sets the time to `at`, or to the limit of
    /// [`Config::with_max_time`] if that is earlier. With [`Sim::next_event`] this lets another
    /// clock drive the world.
    pub fn advance_to(&mut self, at: Instant) -> Outcome {
        let at = at.max(self.now());
        let limit = at.min(self.config.max_time);
        match self.run_while(limit, Housekeeping::Always, GoOn::Always) {
            Outcome::Done | Outcome::Stuck(_) | Outcome::TimeBudget { .. } => {
                self.world.set_now(limit);
                if let Some(problem) = self.overdue(limit) {
                    return Outcome::Failed(problem);
                }
                if limit < at {
                    return Outcome::TimeBudget { next: self.next_event().unwrap_or(at) };
                }
                Outcome::Reached
            }
            other => other,
        }
    }

    /// Returns when something happens next: now, if a task is ready or a handle has asked for
    /// something; `None` if nothing will.
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        if self.actions.has_unseen_conditions() {
            return Some(self.now());
        }
        self.world.lock().next_event(self.now())
    }

    /// Takes one step: serves one request of a handle (a kill, a heal), polls one task, or handles
    /// one event with its immediate consequences. Returns [`Outcome::Reached`] if there was a step
    /// to take.
    pub fn step(&mut self) -> Outcome {
        let mut first = true;
        let go_on = GoOn::If(&mut || std::mem::take(&mut first));
        self.run_while(self.config.max_time, Housekeeping::Always, go_on)
    }
}

/// Ends the world. Everything that its processes own is dropped while the world still exists. As
/// after a kill, nothing that this does is part of the run; see [`Node`].
impl Drop for Sim {
    fn drop(&mut self) {
        quiet::world_dropped(self.config.seed, self.now());
        self.adopt_spawned();
        self.world.end();
        for job in std::mem::take(&mut self.jobs) {
            // Every job is dropped, even if the one before it panics.
            drop(catch_unwind(AssertUnwindSafe(|| drop(job))));
        }
        // A waker may hold a reference to the world and would then leak it.
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
