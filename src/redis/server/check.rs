//! The check of a server's invariants.

use super::Server;
use crate::invariant::ensure;

impl Server {
    /// Checks what always holds between two inputs, and returns the first invariant that is broken.
    /// Tests may call it after every step.
    ///
    /// Besides the invariants of each [`Database`](crate::redis::database::Database): wait queues
    /// and blocked clients name each other; every blocked client, subscriber and watcher has a
    /// session; the tables of channels and of clients agree; each key is watched by as many clients
    /// as it counts.
    ///
    /// # Errors
    ///
    /// A sentence that names the broken invariant.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.databases.iter().try_for_each(|database| database.check_invariants())?;
        self.blocking.check_invariants(&self.databases)?;
        self.pubsub.check_invariants()?;
        self.check_replication()?;
        let knows = |client| self.sessions.contains_key(&client);
        for client in self.blocking.clients().chain(self.pubsub.clients()) {
            ensure(knows(client), || format!("client {client} waits or listens, and is gone"))?;
        }
        self.eviction.check_invariants()?;
        self.check_watches()?;
        ensure(self.outbox.is_settled(), || "a stage of the outbox is left open".to_owned())?;
        ensure(self.running || self.sessions.is_empty(), || "a client of no server".to_owned())?;
        ensure(self.is_asleep() || self.sleep.is_settled(), || {
            "the server is awake, and has not read what came meanwhile".to_owned()
        })
    }

    fn check_watches(&self) -> Result<(), String> {
        let mut counted = 0;
        for (client, session) in &self.sessions {
            for watch in &session.watches {
                let observers = &self.databases[watch.database].observers;
                let Some(watched) = observers.watched.get(&watch.key) else {
                    return Err(format!("client {client} watches key {} alone", watch.key));
                };
                let behind = watch.version <= watched.version && watch.expiries <= watched.expiries;
                ensure(behind, || format!("key {} was watched in its future", watch.key))?;
                counted += 1;
            }
        }
        let watchers = self.databases.iter().flat_map(|db| db.observers.watched.values());
        let watchers: usize = watchers.map(|watched| watched.watchers).sum();
        ensure(watchers == counted, || format!("{counted} watches, and {watchers} watchers"))
    }
}
