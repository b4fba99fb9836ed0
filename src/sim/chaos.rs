//! Faults as data: a plan of what may go wrong in a world.
//!
//! A [`Chaos`] names what may happen to which node, service, link or clock, and for how long. Once
//! it has begun, each message that one of them sends or receives is a *moment* at which a fault may
//! strike: one [choice](crate::choice), whose calm value is that nothing happens. So a failing run
//! shrinks to one choice for each fault that it needs, and the choice says in words which fault
//! struck when.
//!
//! The seed decides more than the tape shows: how rare faults are, and which of the plan's faults
//! the run uses at all (a *swarm*: a run that never kills gets further with its partitions). None
//! of that is a choice, only what comes of it.
//!
//! Every fault can be undone: a killed process starts again, a link heals. Faults may
//! overlap. Each undoes only itself: a node is down, and a link is cut, until the last fault on it
//! is over. What the test itself has done stays: its partitions and pauses, its latencies and
//! clocks. [`Sim::end_chaos`] undoes everything that is left, and [`Chaos::run_then_heal`] is the
//! whole story in one call: faults for a while, then none, and everything must come to its end.
//!
//! # Between two messages
//!
//! A fault that ends a process at once (a kill, a restart, a loss of power, a request to stop that
//! it does not handle) may come between two messages that the process sends without waiting, as a
//! real `kill -9` may fall between two writes. The process in
//! `job.ack()?; channel.basic_publish(..)?` can die with the acknowledgement sent and the publish
//! not. From the message on, nothing that the process does is part of the run, although its code
//! goes on to the next point at which it waits: what it sends is an error to it, what it awaits
//! does not come, and its notes, choices, results and panics do not count. Only what the world does
//! not know still happens there, such as a write to a variable that the code shares with the test.
//!
//! All other faults come once the sender has reached the point at which it next waits, with all
//! that it sent before on its way.
//!
#![cfg_attr(feature = "redis", doc = "```")]
#![cfg_attr(not(feature = "redis"), doc = "```ignore")]
//! use std::time::Duration;
//! use stunt_double::redis::{self, Client, Redis, ServerOptions};
//! use stunt_double::sim::{Chaos, Node, Sim, seeds};
//!
//! async fn visit(node: Node, redis: Redis) -> Result<(), redis::Error> {
//!     let client = Client::connect(&node, &redis).await?;
//!     client.call(["INCR", "visits"]).await?;
//!     client.call(["EXPIRE", "visits", "60"]).await?;
//!     Ok(())
//! }
//!
//! let sweep = seeds(0..1_000, |sim: &mut Sim| {
//!     let redis = redis::start(sim, ServerOptions::default());
//!     let node = sim.node_with("limiter", redis.clone(), visit);
//!     Chaos::new().kill_for_good(&node).run_then_heal(sim, Duration::from_secs(10)).expect_done();
//!     assert_ne!(redis.command(["TTL", "visits"]).as_integer(), Some(-1), "no expiry");
//! });
//! let account = sweep.account.expect("a process that dies in between leaves no expiry");
//! let fault = account.decisive().expect("it is the kill").choice.told();
//! assert!(fault.starts_with("limiter killed for good, as "), "{fault}");
//! assert!(fault.ends_with("(calm: nothing happens)"), "{fault}");
//! ```
//!
//! Start with [`Chaos`]. `chaos/fault.rs` is one fault, `chaos/storm.rs` a plan at work,
//! `chaos/holds.rs` what its strikes hold, and `kernel/striker.rs` the choice at a moment.

mod fault;
mod holds;
pub(super) mod storm;
mod subject;
mod victim;

use crate::sim::Sim;
use crate::sim::handle::ServiceHandle;
use crate::sim::kernel::world::World;
use crate::sim::net::latency::Latency;
use crate::sim::net::link::Link;
use crate::sim::net::network::Watch;
use crate::sim::node::Node;
use crate::sim::outcome::Outcome;
use crate::sim::service::contract::Service;
use fault::{Fault, What};
pub(crate) use sealed::AnyMachine;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use victim::Victim;

/// How many faults strike in a run at most, unless the plan says otherwise.
const FAULTS: u32 = 2;

/// How long something that was killed is down, unless the plan says otherwise.
const DOWNTIME: Range<Duration> = Duration::from_millis(100)..Duration::from_secs(10);

/// What can fail as a whole: a [`Node`] or a service. It cannot be implemented elsewhere.
pub trait Machine: sealed::Machine {}

pub(crate) mod sealed {
    use super::victim::Victim;

    /// A node or a service of any kind.
    #[derive(Clone, Debug)]
    pub struct AnyMachine(pub(super) Victim);

    /// The part of a machine that the plan needs.
    pub trait Machine {
        /// Returns a handle of the machine.
        fn machine(&self) -> AnyMachine;
    }
}

impl sealed::Machine for Node {
    fn machine(&self) -> AnyMachine {
        AnyMachine(Victim::Node(self.clone()))
    }
}

impl Machine for Node {}

impl<S: Service> sealed::Machine for ServiceHandle<S> {
    fn machine(&self) -> AnyMachine {
        AnyMachine(Victim::Service(Arc::new(self.clone())))
    }
}

impl<S: Service> Machine for ServiceHandle<S> {}

/// A plan of faults; see the [module](self).
///
/// Where a fault lasts, the plan takes a range of durations. A fault lasts as long as its start,
/// its end, or a duration between them, and no longer than the plan.
#[derive(Debug)]
#[must_use = "a plan does nothing until it is started or run"]
pub struct Chaos {
    faults: Vec<Fault>,
    watches: Vec<Watch>,
    worlds: Vec<Arc<World>>,
    downtime: Range<Duration>,
    limit: u32,
    one_in: Option<u64>,
    every: Option<Duration>,
    swarms: bool,
}

impl Default for Chaos {
    fn default() -> Chaos {
        Chaos::new()
    }
}

impl Chaos {
    /// Returns a plan without faults. At most two will strike in a run.
    pub fn new() -> Chaos {
        Chaos {
            faults: Vec::new(),
            watches: Vec::new(),
            worlds: Vec::new(),
            downtime: DOWNTIME,
            limit: FAULTS,
            one_in: None,
            every: None,
            swarms: true,
        }
    }

    /// Sets for how long whatever is killed, crashes, vanishes or loses power is down: 0.1 to 10 s
    /// by default. It applies to the faults that are added from here on.
    pub fn with_downtime(mut self, downtime: Range<Duration>) -> Chaos {
        self.downtime = downtime;
        self
    }

    /// Sets how many faults strike in a run at most; 2 by default. Fewer may strike.
    pub fn with_faults(mut self, faults: u32) -> Chaos {
        self.limit = faults;
        self
    }

    /// Sets how rare faults are: one moment in `n` has one. By default each seed draws a rarity
    /// between 1 in 4 and 1 in 512, so that short runs and long ones are both reached at every
    /// place. A sweep that learns from a first run, as [`Strategy::Pct`] and [`Strategy::Surw`] do,
    /// has counted the moments there, and spreads the faults over them.
    ///
    /// [`Strategy::Pct`]: crate::sim::Strategy::Pct
    /// [`Strategy::Surw`]: crate::sim::Strategy::Surw
    pub fn with_one_in(mut self, n: u64) -> Chaos {
        self.one_in = Some(n.max(1));
        self
    }

    /// Lets every run use all faults of the plan. By default each seed uses some of them.
    pub fn without_swarm(mut self) -> Chaos {
        self.swarms = false;
        self
    }

    /// Makes every `period` of virtual time a moment as well, while a node that is no daemon is
    /// alive and something runs. After 1,000 periods in which nothing has run, this clock stands
    /// until something runs again, and so it does while no such node is alive. A world that sends
    /// no messages has no other moments.
    pub fn also_every(mut self, period: Duration) -> Chaos {
        self.every = Some(period.max(Duration::from_nanos(1)));
        self
    }

    fn add(mut self, what: What, durations: &Range<Duration>) -> Chaos {
        self.worlds.push(Arc::clone(what.world()));
        self.watches.push(what.watch());
        self.faults.push(Fault::new(what, durations));
        self
    }

    fn add_down(self, what: What) -> Chaos {
        let downtime = self.downtime.clone();
        self.add(what, &downtime)
    }

    /// The node may be [killed](Node::kill), also between two messages that it sends without
    /// waiting. It starts again after the downtime.
    pub fn kill(self, node: &Node) -> Chaos {
        self.add_down(What::Kill { node: node.clone() })
    }

    /// The node may be [killed](Node::kill), and does not start again, not even when the plan ends.
    pub fn kill_for_good(self, node: &Node) -> Chaos {
        self.add(What::KillForGood { node: node.clone() }, &NO_TIME)
    }

    /// The node may be asked to stop ([`Node::terminate`]). It starts again when it has ended, even
    /// if the plan has ended before.
    pub fn terminate(self, node: &Node) -> Chaos {
        self.add(What::Terminate { node: node.clone() }, &NO_TIME)
    }

    /// The node may be [paused](Node::pause) for a while.
    pub fn pause(self, node: &Node, lasting: Range<Duration>) -> Chaos {
        self.add(What::Pause { node: node.clone() }, &lasting)
    }

    /// The node or service may be restarted at once: a node as by [`Node::restart`], a service in
    /// good order, as by [`ServiceHandle::restart`].
    pub fn restart(self, machine: &impl Machine) -> Chaos {
        self.add(What::Restart { victim: machine.machine().0 }, &NO_TIME)
    }

    /// The machine of the node or service may lose power ([`Node::lose_power`],
    /// [`ServiceHandle::vanish`]). It starts again after the downtime. Until then it resets and
    /// refuses nothing: whoever waits for it waits. The short outage that is over before anyone
    /// could notice is [`ServiceHandle::lose_power`]; [`Chaos::crash`] resets all connections too.
    pub fn lose_power(self, machine: &impl Machine) -> Chaos {
        self.add_down(match machine.machine().0 {
            Victim::Node(node) => What::LosePower { node },
            Victim::Service(service) => What::Vanish { service, told: "lost power" },
        })
    }

    /// The service's process may be killed ([`ServiceHandle::crash`]). It starts again after the
    /// downtime, with what was written to its disk.
    pub fn crash<S: Service>(self, service: &ServiceHandle<S>) -> Chaos {
        let service = Arc::new(service.clone());
        self.add_down(What::Crash { service })
    }

    /// The service's machine may [vanish](ServiceHandle::vanish), without a word to its clients. It
    /// starts again after the downtime. This is [`Chaos::lose_power`] in other words.
    pub fn vanish<S: Service>(self, service: &ServiceHandle<S>) -> Chaos {
        let service = Arc::new(service.clone());
        self.add_down(What::Vanish { service, told: "vanished" })
    }

    /// The link may be [partitioned](Link::partition) for a while.
    pub fn partition(self, link: &Link, lasting: Range<Duration>) -> Chaos {
        self.add(What::Partition { link: link.clone() }, &lasting)
    }

    /// The link may drop every packet for a while; see [`Link::blackhole`].
    pub fn blackhole(self, link: &Link, lasting: Range<Duration>) -> Chaos {
        self.add(What::Blackhole { link: link.clone() }, &lasting)
    }

    /// The link's connections may be reset; see [`Link::sever`].
    pub fn sever(self, link: &Link) -> Chaos {
        self.add(What::Sever { link: link.clone() }, &NO_TIME)
    }

    /// The link's connections may be forgotten by the network; see [`Link::forget`].
    pub fn forget(self, link: &Link) -> Chaos {
        self.add(What::Forget { link: link.clone() }, &NO_TIME)
    }

    /// Messages on the link may take `latency` for a while. A latency that the test sets meanwhile
    /// holds afterwards.
    pub fn slow(self, link: &Link, latency: Latency, lasting: Range<Duration>) -> Chaos {
        self.add(What::Slow { link: link.clone(), latency }, &lasting)
    }

    /// The calendar clock of the node or service may jump by this much from where it is, forwards
    /// or backwards, until the plan ends. Then it shows what it would show without the plan.
    pub fn clock_jump(self, machine: &impl Machine, by: Duration) -> Chaos {
        let victim = machine.machine().0;
        self.add(What::Jump { victim: victim.clone(), by, ahead: true }, &NO_TIME)
            .add(What::Jump { victim, by, ahead: false }, &NO_TIME)
    }

    /// The clocks of the node or service may run fast or slow by this many parts per million more
    /// than the test lets them, until the plan ends. Then the calendar shows what it would show
    /// without the plan. A monotonic clock cannot go back: it keeps what it has gained.
    pub fn clock_drift(self, machine: &impl Machine, ppm: u32) -> Chaos {
        let (victim, ppm) = (machine.machine().0, i64::from(ppm));
        self.add(What::Drift { victim: victim.clone(), ppm }, &NO_TIME)
            .add(What::Drift { victim, ppm: -ppm }, &NO_TIME)
    }

    /// Begins the plan: from here on faults may strike, until [`Sim::end_chaos`].
    ///
    /// # Panics
    ///
    /// If something in the plan belongs to another world, or if the world has a plan that has not
    /// ended.
    pub fn start(self, sim: &mut Sim) {
        storm::start(self, sim);
    }

    /// Runs the world with these faults for `lasting` at most, or until nothing is left to happen.
    /// Then ends the plan ([`Sim::end_chaos`]) and runs on without faults, until nothing is left to
    /// happen. Once faults stop, everything should finish: expect [`Outcome::Done`].
    ///
    /// A world in which a daemon polls never comes to its end. There, use [`Chaos::start`],
    /// [`Sim::run_for`], [`Sim::end_chaos`] and [`Sim::run_until`].
    ///
    /// # Panics
    ///
    /// As for [`Chaos::start`].
    pub fn run_then_heal(self, sim: &mut Sim, lasting: Duration) -> Outcome {
        self.start(sim);
        storm::run_then_heal(sim, lasting)
    }
}

/// For faults that do not last, or last until the plan ends.
const NO_TIME: Range<Duration> = Duration::ZERO..Duration::ZERO;
