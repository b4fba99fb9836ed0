//! Actions of the test on the world: at a moment, at a message, or once a condition holds.
//!
//! An action is a closure over handles ([`Node`](crate::sim::Node), [`Link`](crate::sim::Link),
//! [`ServiceHandle`](crate::sim::ServiceHandle)): it kills, partitions, restarts or inspects. An
//! action for a moment is an event like any other. Conditions are checked after every step, in the
//! order in which they were added, and each acts once.

mod checks;
pub(super) mod pending;

pub use checks::Verdict;

use crate::sim::Sim;
use crate::sim::kernel::event::Target;
use crate::sim::net::link::Link;
use crate::time::Instant;
use std::time::Duration;

impl Sim {
    /// Runs `action` at a moment of the world's time. If the moment has passed, the action runs at
    /// once when the run goes on.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stunt_double::{Instant, sim::Sim};
    ///
    /// let mut sim = Sim::new(1);
    /// let worker = sim.daemon("worker", async |node| {
    ///     node.sleep(Duration::MAX).await;
    /// });
    /// let victim = worker.clone();
    /// sim.at(Instant::ZERO + Duration::from_millis(500), move || victim.kill());
    /// sim.run().expect_done();
    /// assert!(!worker.is_alive());
    /// assert_eq!(sim.now().to_string(), "0.5s");
    /// ```
    pub fn at(&mut self, at: Instant, action: impl FnOnce() + 'static) {
        let number = self.actions.schedule(Box::new(action));
        let now = self.now();
        self.world.lock().agenda.push(now, at, 0, Target::Action(number));
    }

    /// Runs `action` after `delay` from now.
    pub fn after(&mut self, delay: Duration, action: impl FnOnce() + 'static) {
        self.at(self.now() + delay, action);
    }

    /// Runs `action` when the `n`-th message from now on has been sent on `link`, in either
    /// direction, before anything else happens. The message is on its way, and its sender has
    /// reached the point at which it next waits. A connection attempt and its answer count as
    /// messages. 0 counts as 1. A test that draws `n` reaches every place between two messages:
    ///
    #[cfg_attr(feature = "redis", doc = "```")]
    #[cfg_attr(not(feature = "redis"), doc = "```ignore")]
    /// use stunt_double::Site;
    /// use stunt_double::redis::{self, Client, ServerOptions};
    /// use stunt_double::sim::{Sim, seeds};
    ///
    /// const KILL: Site = Site::new("test.kill");
    ///
    /// let sweep = seeds(0..100, |sim: &mut Sim| {
    ///     let redis = redis::start(sim, ServerOptions::default());
    ///     let node = sim.node_with("limiter", redis.clone(), async |node, redis| {
    ///         let client = Client::connect(&node, &redis).await?;
    ///         client.call(["INCR", "visits"]).await?;
    ///         client.call(["EXPIRE", "visits", "60"]).await?;
    ///         Ok::<(), redis::Error>(())
    ///     });
    ///     let link = node.link(&redis);
    ///     let n = sim.choose(KILL, 0, 8);
    ///     sim.at_message(&link, n, move || node.kill());
    ///     sim.run().expect_done();
    ///     let ttl = redis.command(["TTL", "visits"]).as_integer();
    ///     assert_ne!(ttl, Some(-1), "a counter that never expires");
    /// });
    /// let failure = &sweep.failures[0];
    /// assert!(failure.message.contains("a counter that never expires"));
    /// ```
    ///
    /// # Panics
    ///
    /// If the link belongs to another world.
    pub fn at_message(&mut self, link: &Link, n: u64, action: impl FnOnce() + 'static) {
        self.world.expect_same(link.world());
        let action = self.actions.schedule(Box::new(action));
        let state = &mut self.world.lock().links[link.id()];
        let at = state.sent.saturating_add(n.max(1));
        state.triggers().actions.push((at, action));
    }

    /// Checks after every step that something holds. The first step after which it does not fails
    /// the run ([`Outcome::Failed`](crate::sim::Outcome::Failed)), with the time of that step.
    /// `check` returns a `bool`, or a `Result` whose error says what is wrong. It is called often,
    /// so it should be cheap.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use std::time::Duration;
    /// use stunt_double::sim::{Outcome, Sim};
    ///
    /// let mut sim = Sim::new(1);
    /// let balance = Rc::new(Cell::new(20));
    /// let seen = Rc::clone(&balance);
    /// sim.always("the balance is not negative", move || seen.get() >= 0);
    /// sim.node_with("shop", balance, async |node, balance| {
    ///     for _ in 0..3 {
    ///         node.sleep(Duration::from_secs(1)).await;
    ///         balance.set(balance.get() - 9);
    ///     }
    /// });
    /// let Outcome::Failed(problem) = sim.run() else { panic!("20 is not enough") };
    /// assert_eq!(problem.at.to_string(), "3s");
    /// assert_eq!(problem.message, "`the balance is not negative` does not hold");
    /// ```
    pub fn always<V: Verdict>(&mut self, name: &str, check: impl FnMut() -> V + 'static) {
        self.actions.check(name, None, check);
    }

    /// Checks that something comes to hold within this time from now. If it has not, or if nothing
    /// is left to happen before it does, the run fails
    /// ([`Outcome::Failed`](crate::sim::Outcome::Failed)). It need not go on to hold. `check` is
    /// called after every step until it holds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stunt_double::sim::{Outcome, Sim};
    ///
    /// let mut sim = Sim::new(1);
    /// let node = sim.node("slow", async |node| node.sleep(Duration::from_secs(9)).await);
    /// sim.eventually("it is over", Duration::from_secs(5), move || !node.is_alive());
    /// let Outcome::Failed(problem) = sim.run() else { panic!("it takes too long") };
    /// assert_eq!(problem.message, "`it is over` did not come to hold by 5s");
    /// ```
    pub fn eventually<V: Verdict>(
        &mut self,
        name: &str,
        within: Duration,
        check: impl FnMut() -> V + 'static,
    ) {
        let by = self.now() + within;
        self.actions.check(name, Some(by), check);
    }

    /// Runs `action` once `condition` holds. The condition is checked after every step of the
    /// world, so it should be cheap.
    pub fn when(
        &mut self,
        condition: impl FnMut() -> bool + 'static,
        action: impl FnOnce() + 'static,
    ) {
        self.actions.when(Box::new(condition), Box::new(action));
    }
}
