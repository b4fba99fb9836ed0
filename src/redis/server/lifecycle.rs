//! The life of a server process: start, configuration, end. The module `persist` models what is on
//! disk.
//!
//! A process that ends takes every connection with it. A process that starts knows only the disk
//! and its [`ServerOptions`](super::ServerOptions).

use super::acl::Acl;
use super::blocking::Blocking;
use super::config::Config;
use super::eviction::Eviction;
use super::pubsub::PubSub;
use super::slow::Watchers;
use super::tracking::Tracking;
use super::transaction::Scheduled;
use super::{ClientId, Server, Sleep, Stats};
use crate::Shutdown;
use crate::redis::database::aging::Frequencies;
use crate::redis::database::keyspace::Keyspace;
use crate::redis::database::undo::Undo;
use crate::redis::database::{Observers, Usage};
use crate::redis::value::Sds;
use crate::time::Instant;
use std::time::Duration;

impl Server {
    /// Applies the configuration to the databases.
    pub(crate) fn apply_config(&mut self) {
        let events = self.config.events;
        for database in &mut self.databases {
            database.limits = self.config.limits;
            database.observers.classes =
                if events.is_silent() { Default::default() } else { events };
        }
        let Config { policy, lfu_decay, lfu_factor, max_memory, .. } = self.config;
        for database in &mut self.databases {
            let counted = policy.counts_uses().then(|| Frequencies::new(lfu_decay, lfu_factor));
            database.set_frequencies(counted);
            database.shares_integers = max_memory == 0 || !policy.ages_values();
            if max_memory == 0 {
                database.keyspace.forget_limits();
            }
        }
        self.observe_for_story();
        self.observe_role();
        self.limit_slow_log();
        self.limit_sizes();
    }

    /// Begins with the users that a process starts with: those of the file, if there is one.
    pub(crate) fn start_acl(&mut self) {
        self.acl = Acl::new(self.options.version(), self.config.password().map(Sds::as_slice));
        if let Some(file) = &self.acl_file {
            // It was valid when it was written. If the version was set later, it may not be.
            let _ = self.acl.load(file, self.config.acl_all_channels);
        }
    }

    /// Replaces the configuration (`CONFIG SET`).
    pub(crate) fn reconfigure(&mut self, config: Config) {
        let rewrite = config.append_only != self.config.append_only
            || (config.append_only && config.fsync != self.config.fsync);
        let former = std::mem::replace(&mut self.config, config);
        self.apply_config();
        if self.config.max_memory != former.max_memory {
            self.eviction.limit_changed();
        }
        if self.config.password() != former.password() {
            self.acl.set_default_password(self.config.password().map(Sds::as_slice));
        }
        if rewrite {
            self.disk().rewrite_append_only();
            self.serve_waits();
        }
    }

    /// Resets the counters (`CONFIG RESETSTAT`).
    pub(crate) fn reset_stats(&mut self) {
        self.stats = Stats::default();
        self.eviction.reset_stats();
        self.replication.reset_counters();
        for database in &mut self.databases {
            let changes = database.usage.changes;
            database.usage = Usage { changes, ..Usage::default() };
        }
    }

    /// Removes all connections and everything that depends on them.
    pub(crate) fn drop_clients(&mut self) {
        self.sessions.clear();
        self.blocking = Blocking::default();
        self.pubsub = PubSub::default();
        self.released.clear();
        self.sleep = Sleep::default();
        self.scripting.forget_process();
        self.watchers = Watchers::new(self.profile());
        self.tracking = Tracking::default();
        self.eviction = Eviction::default();
        self.cron_paused = false;
        self.scheduled = Scheduled::default();
        self.paused = None;
        for database in &mut self.databases {
            database.observers = Observers::default();
            database.skips_checksums = false;
        }
    }

    /// Ends the process in this way. [`Server::start`] finds what is left on disk;
    /// [`Server::losses`] lists what was lost. Does nothing if the server is not running.
    pub fn stop(&mut self, now: Instant, how: Shutdown) {
        if !self.running {
            return;
        }
        self.advance(now);
        // Output of a sleeping process leaves it only when it wakes.
        if self.is_asleep() || how != Shutdown::Clean {
            self.outbox.clear();
        }
        self.tell_last_events();
        self.drop_clients();
        self.loading_until = None;
        self.running = false;
        let saved = how == Shutdown::Clean && !self.config.save_points.is_empty();
        self.stop_replication(saved && !self.options.append_only());
        self.disk().leave_what_is_on_disk(how);
        self.tell_losses();
    }

    /// Ends the process on a client's request (`SHUTDOWN`): what was sent before still arrives, and
    /// all connections are closed. Keys are saved if there are save points, or if `save` asks for
    /// it; `no_save` keeps the last save.
    pub(crate) fn shut_down(&mut self, save: bool, no_save: bool) {
        let clients: Vec<ClientId> = self.sessions.keys().copied().collect();
        if save {
            self.disk().save();
        }
        let how = if no_save { Shutdown::Kill } else { Shutdown::Clean };
        let sent = std::mem::take(&mut self.outbox);
        self.stop(self.now, how);
        // This tells how the sockets close, which is in good order, and not what the disk keeps.
        self.exited = Some(Shutdown::Clean);
        self.outbox = sent;
        clients.into_iter().for_each(|client| self.outbox.close(client));
    }

    /// Ends the process as a crash does (`DEBUG SEGFAULT`): what it had not sent is lost, and the
    /// operating system closes all connections.
    pub(crate) fn crash(&mut self) {
        let clients: Vec<ClientId> = self.sessions.keys().copied().collect();
        self.stop(self.now, Shutdown::Kill);
        self.exited = Some(Shutdown::Kill);
        clients.into_iter().for_each(|client| self.outbox.close(client));
    }

    /// Starts a process that has ended after this time (`DEBUG RESTART`).
    pub(crate) fn start_after(&mut self, delay: Duration) {
        self.starts_at = Some(self.now + delay);
    }

    /// Starts the process again, with what is on disk and with its original options: `CONFIG SET`
    /// is undone. Keys that are due by now are gone.
    pub fn start(&mut self, now: Instant) {
        if self.running {
            return;
        }
        self.running = true;
        (self.starts_at, self.exited) = (None, None);
        self.now = self.now.max(now);
        self.started = self.now;
        self.stats = Stats::default();
        self.replication.reset_counters();
        self.config = Config::new(&self.options);
        self.start_acl();
        self.apply_config();
        self.load_libraries();
        self.recall_history();
        self.disk().load(now);
        self.tell_expired_meanwhile();
        self.start_replication();
        if let Some(sentinel) = &mut self.sentinel {
            sentinel.restart(self.now);
        }
        let loading = self.options.loading_time();
        if !loading.is_zero() && self.databases.iter().any(|database| !database.is_empty()) {
            self.loading_until = Some(self.now + loading);
        }
    }

    /// Removes everything, also from the disk.
    pub fn wipe(&mut self, now: Instant) {
        self.now = self.now.max(now);
        for database in &mut self.databases {
            database.keyspace = Keyspace::default();
            database.undo = Undo::default();
        }
        self.disk().wipe_disk(now);
        self.replication.on_disk = None;
        self.load_libraries();
        self.tell_wiped();
    }
}
