//! A process's life: what it comes to when it starts, and what it leaves when it
//! ends. What it keeps on disk is in `persist`.

use super::super::blocking::Blocking;
use super::super::config::Config;
use super::super::database::{Observers, Usage};
use super::super::pubsub::PubSub;
use super::{Server, Stats};
use crate::time::Instant;

impl Server {
    /// What the configuration says reaches those it concerns.
    pub(crate) fn apply_config(&mut self) {
        let events = self.config.events;
        for database in &mut self.databases {
            database.limits = self.config.limits;
            database.observers.classes =
                if events.is_silent() { Default::default() } else { events };
        }
    }

    /// `CONFIG SET`.
    pub(crate) fn reconfigure(&mut self, config: Config) {
        let rewrite = config.append_only != self.config.append_only
            || (config.append_only && config.fsync != self.config.fsync);
        let former = std::mem::replace(&mut self.config, config);
        self.apply_config();
        if self.config.password().is_none() && former.password().is_some() {
            for session in self.sessions.values_mut() {
                session.authenticated = true;
            }
        }
        if rewrite {
            self.restart_append_only();
        }
    }

    /// `CONFIG RESETSTAT`.
    pub(crate) fn reset_stats(&mut self) {
        self.stats = Stats::default();
        for database in &mut self.databases {
            let changes = database.usage.changes;
            database.usage = Usage { changes, ..Usage::default() };
        }
    }

    /// Every connection is gone, and with it what depended on it.
    pub(crate) fn drop_clients(&mut self) {
        self.sessions.clear();
        self.blocking = Blocking::default();
        self.pubsub = PubSub::default();
        self.released.clear();
        self.backlog.clear();
        self.asleep = None;
        self.paused = None;
        for database in &mut self.databases {
            database.observers = Observers::default();
        }
    }

    /// A new process begins, with the configuration it was set up with.
    pub(crate) fn restart_process(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.started = self.now;
        self.stats = Stats::default();
        self.config = Config::new(&self.options);
        self.apply_config();
    }
}
