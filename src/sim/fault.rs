//! Actions of the test on the world: at a moment, or once something is so.
//!
//! An action is a closure over handles ([`Node`](super::Node),
//! [`Link`](super::Link), [`ServiceHandle`](super::ServiceHandle)): it kills,
//! partitions, restarts, or looks. Those for a moment are events like any
//! other; conditions are looked at after every step, in the order they were
//! given, and each acts once.

use super::Sim;
use super::event::Target;
use crate::time::Instant;
use std::time::Duration;

impl Sim {
    /// Does `action` at a moment of the world's time; at once, but not before
    /// the run goes on, if that is past.
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

    /// Does `action` in `delay` from now.
    pub fn after(&mut self, delay: Duration, action: impl FnOnce() + 'static) {
        self.at(self.now() + delay, action);
    }

    /// Does `action` once `condition` holds. It is looked at after every step
    /// of the world, so let it be cheap.
    pub fn when(
        &mut self,
        condition: impl FnMut() -> bool + 'static,
        action: impl FnOnce() + 'static,
    ) {
        self.actions.when(Box::new(condition), Box::new(action));
    }
}
