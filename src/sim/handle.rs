//! A service's handle: how a test stops, starts and inspects a server.
//!
//! A call takes effect at once, under the server's lock. The machine is never seen in the middle of
//! an input. When a call returns, everything that the machine said because of it is on its way to
//! the clients.

use super::kernel::clock::{Clock, offset};
use crate::Shutdown;
#[cfg(feature = "redis")]
use crate::sim::kernel::task::Wait;
use crate::sim::kernel::world::World;
use crate::sim::net::server::Server;
use crate::sim::service::contract::Service;
use crate::sim::trace::event::Record;
use crate::time::Instant;
use std::fmt;
use std::sync::Arc;
#[cfg(feature = "redis")]
use std::task::{Context, Poll};
use std::time::Duration;

/// A service of the world, as a test holds it: stops, starts and inspects the machine. `Clone`,
/// `Send` and `Sync`.
pub struct ServiceHandle<S: Service> {
    world: Arc<World>,
    server: Arc<Server<S>>,
}

impl<S: Service> ServiceHandle<S> {
    pub(crate) fn new(world: &Arc<World>, server: &Arc<Server<S>>) -> ServiceHandle<S> {
        ServiceHandle { world: Arc::clone(world), server: Arc::clone(server) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.server.id
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    pub(crate) fn server(&self) -> &Arc<Server<S>> {
        &self.server
    }

    pub(crate) fn shared_name(&self) -> &Arc<str> {
        &self.server.name
    }

    /// Returns the service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// Returns whether the server is running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.server.lock().running
    }

    /// Stops the server and closes every connection. New connections are refused until
    /// [`ServiceHandle::start`]. A no-op if the server is not running.
    pub fn stop(&self, how: Shutdown) {
        self.server.set_running(&self.world, Some(how), false);
    }

    /// Starts the server with the data that it still has. A no-op if it is running.
    pub fn start(&self) {
        self.server.set_running(&self.world, None, false);
    }

    /// Stops the server in good order and starts it again.
    pub fn restart(&self) {
        self.stop(Shutdown::Clean);
        self.start();
    }

    /// Kills the server's process and starts it again.
    pub fn crash(&self) {
        self.stop(Shutdown::Kill);
        self.start();
    }

    /// Cuts the power of the server's machine, and starts it again.
    pub fn lose_power(&self) {
        self.stop(Shutdown::PowerLoss);
        self.start();
    }

    /// Cuts the power of the server's machine silently: nothing closes its sockets, and its clients
    /// hear nothing. What they send stays unacknowledged. They give up after 15 minutes, or earlier
    /// through heartbeats. [`ServiceHandle::start`] starts the machine again. From then on it
    /// resets whatever arrives for a connection that it does not know. A no-op if the server is not
    /// running.
    ///
    /// [`ServiceHandle::lose_power`] models a shorter outage: the machine is up again before anyone
    /// could notice, and its clients are reset at once.
    pub fn vanish(&self) {
        self.server.set_running(&self.world, Some(Shutdown::PowerLoss), true);
    }

    /// Sets the calendar clock of the server's machine ahead of the world's by `by` from now on.
    /// Redis expires keys and ends waits by this clock, so a jump makes leases expire early or
    /// late. Monotonic clocks do not jump: a jump changes neither heartbeats nor the times to live
    /// of RabbitMQ.
    pub fn set_clock_ahead(&self, by: Duration) {
        self.set_clock_offset(offset(by));
    }

    /// Sets the calendar clock of the server's machine behind the world's by `by` from now on; see
    /// [`ServiceHandle::set_clock_ahead`].
    pub fn set_clock_behind(&self, by: Duration) {
        self.set_clock_offset(-offset(by));
    }

    fn set_clock_offset(&self, nanos: i64) {
        self.change_clock_offset(|clock| clock.set_offset(nanos));
    }

    fn change_clock_offset(&self, change: impl FnOnce(&Clock)) {
        let now = self.world.now();
        self.server.set_clock(&self.world, |clock, machine| {
            change(clock);
            machine.clock_set(clock.machine_time(now), clock.offset());
            Record::ClockSet { ahead: clock.offset() }
        });
    }

    /// Lets the calendar clock jump from where it is, because of a fault of a plan.
    pub(crate) fn jump_clock(&self, by: Duration, ahead: bool) {
        let nanos = if ahead { offset(by) } else { -offset(by) };
        self.change_clock_offset(|clock| clock.jump(nanos));
    }

    /// Lets the clocks run this much faster, because of a fault of a plan.
    pub(crate) fn let_clock_drift(&self, ppm: i64) {
        let now = self.world.now();
        self.server.set_clock(&self.world, |clock, _| {
            clock.stray(now, ppm);
            Record::Drifts { ppm: clock.drift() }
        });
    }

    /// Undoes what faults of plans did to the clocks.
    pub(crate) fn heal_clock(&self) {
        if self.server.lock().clock.strays() {
            self.let_clock_drift(0);
        }
        let now = self.world.now();
        self.change_clock_offset(|clock| clock.heal(now));
    }

    /// Sets how fast the clocks of the server's machine run from now on, in parts per million more
    /// than the world's: at 1,000,000 a lease of two seconds lasts one second. Values below
    /// -999,999 count as -999,999, a clock that almost stands still.
    pub fn set_clock_drift(&self, ppm: i64) {
        let now = self.world.now();
        self.server.set_clock(&self.world, |clock, _| {
            clock.set_drift(now, ppm);
            Record::Drifts { ppm }
        });
    }

    /// Takes everything from the server, including its disk. A running server is killed first and
    /// started again afterwards.
    pub fn wipe(&self) {
        if self.world.lock().withholds() {
            return;
        }
        let running = self.is_running();
        self.stop(Shutdown::Kill);
        let now = self.world.now();
        let mut cell = self.server.lock();
        let at = cell.clock.machine_time(now);
        cell.machine.wipe(at);
        self.world.lock().trace.record(now, self.server.actor, Record::Wiped);
        self.server.tell(&self.world, &mut cell);
        drop(cell);
        if running {
            self.start();
        }
    }

    /// Inspects the machine.
    ///
    /// # Panics
    ///
    /// If `look` uses a handle of the same service, or drops a connection to it, which is locked
    /// while it runs.
    pub fn inspect<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        let cell = self.server.lock();
        let _held = self.server.hold();
        look(&cell.machine)
    }

    /// Calls the machine directly, as an administrator on the server itself would. Whatever the
    /// machine then says to its clients is sent to them. The call is the test's own, not a node's:
    /// it works for any caller, even in a destructor of a killed process.
    ///
    /// # Panics
    ///
    /// If `call` uses a handle of the same service, or drops a connection to it, which is locked
    /// while it runs.
    pub fn with<R>(&self, call: impl FnOnce(&mut S, Instant) -> R) -> R {
        let mut cell = self.server.lock();
        let held = self.server.hold();
        let now = cell.clock.machine_time(self.world.now());
        let result = call(&mut cell.machine, now);
        drop(held);
        self.server.settle(&self.world, &mut cell);
        self.server.wake(&self.world, cell);
        result
    }

    /// Polls for something that the machine wants of its companion: what `take` returns.
    #[cfg(feature = "redis")]
    pub(crate) fn poll_errand<T>(
        &self,
        cx: &Context<'_>,
        take: impl FnOnce(&mut S) -> Option<T>,
    ) -> Poll<T> {
        if self.world.is_struck_dead() {
            return Poll::Pending;
        }
        let mut guard = self.server.lock();
        let cell = &mut *guard;
        if let Some(errand) = take(&mut cell.machine) {
            return Poll::Ready(errand);
        }
        let mut core = self.world.lock();
        core.note_wait(Wait::Static("something to do"));
        cell.errand.register(core.wake_ref(cx));
        Poll::Pending
    }

    /// Writes a line to the trace in the server's name.
    #[cfg(feature = "redis")]
    pub(crate) fn note(&self, text: &str) {
        let mut core = self.world.lock();
        core.trace.record(self.world.now(), self.server.actor, Record::Note { text });
    }
}

impl<S: Service> Clone for ServiceHandle<S> {
    fn clone(&self) -> ServiceHandle<S> {
        ServiceHandle::new(&self.world, &self.server)
    }
}

impl<S: Service> fmt::Debug for ServiceHandle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHandle").field("name", &self.server.name).finish_non_exhaustive()
    }
}
