//! A service's handle: how a test stops, starts and looks into a server.
//!
//! A call takes effect at once, under the server's lock: the machine is never
//! seen half-way through an input, and what a call makes it say is on its way
//! to the clients when the call returns.

use super::server::Server;
use super::service::{Service, Shutdown};
use super::trace::Record;
use super::world::World;
use crate::time::Instant;
use std::fmt;
use std::sync::Arc;

/// A service of the world, as a test holds it: to stop, start and look into
/// the machine. `Clone`, `Send` and `Sync`.
pub struct ServiceHandle<S: Service> {
    world: Arc<World>,
    server: Arc<Server<S>>,
}

impl<S: Service> ServiceHandle<S> {
    pub(super) fn new(world: &Arc<World>, server: &Arc<Server<S>>) -> ServiceHandle<S> {
        ServiceHandle { world: Arc::clone(world), server: Arc::clone(server) }
    }

    pub(super) fn id(&self) -> u32 {
        self.server.id
    }

    pub(super) fn world(&self) -> &Arc<World> {
        &self.world
    }

    pub(super) fn server(&self) -> &Arc<Server<S>> {
        &self.server
    }

    pub(super) fn shared_name(&self) -> &Arc<str> {
        &self.server.name
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// Whether it is running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.server.lock().running
    }

    /// Stops the server and closes every connection; nothing if it is not
    /// running. New connections are refused until [`ServiceHandle::start`].
    pub fn stop(&self, how: Shutdown) {
        self.server.set_running(&self.world, Some(how));
    }

    /// Starts the server with what it still has; nothing if it is running.
    pub fn start(&self) {
        self.server.set_running(&self.world, None);
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

    /// Cuts the server machine's power, and starts it again.
    pub fn lose_power(&self) {
        self.stop(Shutdown::PowerLoss);
        self.start();
    }

    /// Takes everything from the server, its disk included. A running server
    /// is killed first and started again after.
    pub fn wipe(&self) {
        let running = self.is_running();
        self.stop(Shutdown::Kill);
        let now = self.world.now();
        let mut cell = self.server.lock();
        cell.machine.wipe(now);
        self.world.lock().trace.record(now, self.server.actor, Record::Wiped);
        drop(cell);
        if running {
            self.start();
        }
    }

    /// Looks into the machine. `look` must not use a handle of the same
    /// service: that is locked meanwhile.
    pub fn inspect<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(&self.server.lock().machine)
    }

    /// Calls the machine directly, as an administrator at the server itself
    /// would; what it says to its clients is then sent to them. `call` must not
    /// use a handle of the same service: that is locked meanwhile.
    pub fn with<R>(&self, call: impl FnOnce(&mut S, Instant) -> R) -> R {
        let mut cell = self.server.lock();
        let result = call(&mut cell.machine, self.world.now());
        self.server.settle(&self.world, &mut cell);
        result
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
