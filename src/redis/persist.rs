//! Durability: what survives the end of a server process.
//!
//! A server has its keys in memory and, depending on its configuration, on disk: as of the last
//! save (RDB), or up to the end of the append-only file. The options that the server was started
//! with decide which of the two a new process reads, like the configuration file of a real one.
//! `CONFIG SET appendonly` only lasts until the process ends. So a server started without an
//! append-only file returns to its last save even if it kept such a file meanwhile, and one started
//! with it returns to the end of the file even if that was switched off.
//!
//! The disk itself is not modelled, only what would be lost. An [`Undo`] for each database holds
//! the previous state of every key that has changed since the state on disk. A crash restores it.
//!
//! | | clean stop keeps | crash keeps | power loss keeps |
//! |---|---|---|---|
//! | save points | everything | the last save | the last save |
//! | neither | the last `SAVE` | the last `SAVE` | the last `SAVE` |
//! | append-only file | everything | what was written | what was synced |
//!
//! - A command is *written* to the append-only file before it is answered, except as described in
//!   `slow_disk`. It is *synced* when `appendfsync` says.
//! - Before the first save, a crash would lose everything, so no previous states are kept until
//!   then.
//!
//! Saves and syncs are applied lazily, the next time the server is given a timestamp; nothing can
//! observe the difference, and an idle server needs no timer. Start with [`Disk::persist_until`].
//!
//! Source: <https://redis.io/docs/management/persistence/>, and experiments that killed the server.
//! A real save takes time; here it takes none. With `appendfsync no` the operating system writes
//! when it likes; here it does so after 30 seconds.

mod loss_report;
mod slow_disk;

pub use loss_report::Losses;

use crate::Shutdown;
use crate::redis::database::calendar::calendar_ms;
use crate::redis::database::keyspace::Keyspace;
use crate::redis::database::undo::Undo;
use crate::redis::database::{Database, Loaded};
use crate::redis::value::Sds;
use crate::time::Instant;
use slow_disk::SlowDisk;
use std::time::Duration;

/// When the append-only file is synced to the disk (`appendfsync`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppendFsync {
    /// Before each command is answered. A crash loses nothing.
    Always,
    /// Once a second. A power loss loses up to a second, and so may a crash of the process on a
    /// slow disk ([`ServerOptions::with_fsync_time`](super::ServerOptions::with_fsync_time)).
    #[default]
    EverySec,
    /// When the operating system does: after 30 seconds, here.
    No,
}

/// A save point: save after `after` if there were at least `changes` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Time since the last save.
    pub after: Duration,
    /// Smallest number of changes.
    pub changes: u64,
}

/// The state of the disk.
#[derive(Debug, Default)]
pub(crate) struct Persistence {
    /// Time of the last save, or of the server's start.
    pub(crate) last_save: Instant,
    /// Number of changes by then.
    saved_changes: u64,
    /// Number of saves in the background.
    pub(crate) saves: u64,
    /// There is a state on disk that a crash returns to.
    on_disk: bool,
    /// When the first change since the last sync was seen.
    unsynced: Option<Instant>,
    synced_changes: u64,
    /// The keys as of the last rewrite of an append-only file that is not kept. No process starts
    /// with it.
    rewritten: Option<Vec<Keyspace>>,
    /// Number of rewrites of the append-only file.
    pub(crate) rewrites: u64,
    /// The state of an append-only file that is synced once a second.
    pub(crate) slow_disk: SlowDisk,
    /// The result of the last load.
    pub(crate) loaded: Loaded,
    /// The libraries of functions, which are saved with the keys.
    pub(crate) libraries: Libraries,
    /// The losses of the last stop.
    losses: Losses,
    /// The losses were not yet returned as a note.
    untold: bool,
}

/// The texts of the libraries of functions: now, and as they are on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Libraries {
    pub(crate) now: Vec<Sds>,
    on_disk: Vec<Sds>,
}

impl Libraries {
    /// Becomes what the last save has.
    pub(crate) fn read(&mut self) {
        self.now.clone_from(&self.on_disk);
    }
}

/// How a server keeps its keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    /// A new process reads the append-only file.
    pub(crate) restarts_from_append_only: bool,
    /// An append-only file is kept now.
    pub(crate) append_only: bool,
    pub(crate) fsync: AppendFsync,
    pub(crate) fsync_time: Duration,
    pub(crate) save_points: &'a [SavePoint],
    /// A new process is a replica.
    pub(crate) restarts_as_replica: bool,
    /// Nothing is saved by itself.
    pub(crate) cron_paused: bool,
}

/// A server's disk: its state, the databases on it, and how they are kept.
#[derive(Debug)]
pub(crate) struct Disk<'a> {
    pub(crate) state: &'a mut Persistence,
    pub(crate) databases: &'a mut [Database],
    pub(crate) setup: Setup<'a>,
    pub(crate) now: Instant,
    /// Nanoseconds by which the calendar is ahead.
    pub(crate) ahead: i64,
}

/// Number of changes of all databases, as save points count them.
fn total_changes(databases: &[Database]) -> u64 {
    databases.iter().map(|database| database.usage.changes).sum()
}

impl Persistence {
    /// Number of changes of these databases since the last save.
    pub(crate) fn unsaved_changes(&self, databases: &[Database]) -> u64 {
        total_changes(databases).saturating_sub(self.saved_changes)
    }

    /// Returns the losses of the last stop, whatever kind of stop it was.
    pub(crate) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Returns what the last stop lost as text, the first time it is called after that.
    pub(crate) fn take_loss_note(&mut self) -> Option<String> {
        let untold = std::mem::take(&mut self.untold);
        untold.then(|| self.losses.to_string())
    }
}

impl Disk<'_> {
    /// Makes the state in memory the state on disk.
    fn all_on_disk(&mut self) {
        self.state.on_disk = true;
        self.state.libraries.on_disk.clone_from(&self.state.libraries.now);
        let always = self.setup.append_only && self.setup.fsync == AppendFsync::Always;
        let keeping = !(self.setup.restarts_from_append_only && always);
        for (home, database) in self.databases.iter_mut().enumerate() {
            database.undo = Undo::new(keeping, home);
        }
    }

    /// Rewrites the append-only file: because its configuration changed, or on request.
    pub(crate) fn rewrite_append_only(&mut self) {
        self.state.rewrites += 1;
        if !self.setup.append_only {
            let keys = self.databases.iter().map(|database| database.keyspace.clone());
            self.state.rewritten = Some(keys.collect());
        }
        self.append_only_is_synced();
    }

    /// Marks all of the append-only file as synced.
    pub(crate) fn append_only_is_synced(&mut self) {
        if self.setup.restarts_from_append_only {
            self.all_on_disk();
        }
        self.state.unsynced = None;
        self.state.synced_changes = total_changes(self.databases);
        self.settle_slow_disk();
    }

    /// Saves the keys (`SAVE`).
    pub(crate) fn save(&mut self) {
        self.saved_at(self.now);
    }

    /// Saves the keys in another process (`BGSAVE`), which is counted.
    pub(crate) fn save_in_background(&mut self) {
        self.state.saves += 1;
        self.save();
    }

    fn saved_at(&mut self, at: Instant) {
        self.state.last_save = at;
        self.state.saved_changes = total_changes(self.databases);
        if !self.setup.restarts_from_append_only {
            self.all_on_disk();
        }
    }

    /// Saves if there are save points, as `FLUSHALL` does at its end.
    pub(crate) fn save_if_configured(&mut self) {
        if !self.setup.save_points.is_empty() {
            self.save();
        }
    }

    /// Applies the saves and syncs that happened by `now`, before anything else happens then.
    pub(crate) fn persist_until(&mut self, now: Instant) {
        if self.has_slow_disk() {
            self.write_and_sync_until(now);
        } else if self.setup.append_only {
            self.sync_until(now);
        }
        let unsaved = self.state.unsaved_changes(self.databases);
        if unsaved == 0 || self.setup.cron_paused {
            return;
        }
        let since = self.state.last_save;
        let points = self.setup.save_points.iter();
        let due = points.filter(|point| unsaved >= point.changes).map(|point| since + point.after);
        // The server checks save points only after a change, so not before now.
        if let Some(at) = due.min().map(|at| at.max(self.now)).filter(|at| *at <= now) {
            self.state.saves += 1;
            self.saved_at(at);
        }
    }

    fn sync_until(&mut self, now: Instant) {
        if self.sync_due().is_some_and(|due| due <= now) {
            self.append_only_is_synced();
        }
    }

    /// Returns when the changes that are not synced yet will be.
    fn sync_due(&mut self) -> Option<Instant> {
        if total_changes(self.databases) == self.state.synced_changes {
            return None;
        }
        let first = *self.state.unsynced.get_or_insert(self.now);
        match self.setup.fsync {
            AppendFsync::Always => None,
            AppendFsync::EverySec => {
                let second = first.as_nanos() / 1_000_000_000 + 1;
                Some(Instant::ZERO + Duration::from_secs(second))
            }
            AppendFsync::No => Some(first + Duration::from_secs(30)),
        }
    }

    /// Number of changes by now, and of those that are in the append-only file and synced.
    pub(crate) fn changes_and_synced(&self) -> (u64, u64) {
        let changes = total_changes(self.databases);
        if self.has_slow_disk() {
            return (changes, self.state.slow_disk.known_synced());
        }
        let always = self.setup.fsync == AppendFsync::Always;
        (changes, if always { changes } else { self.state.synced_changes })
    }

    /// Returns when more may be synced than is now.
    pub(crate) fn next_sync(&mut self) -> Option<Instant> {
        if self.has_slow_disk() { self.next_slow_sync() } else { self.sync_due() }
    }

    /// Ends a process: keeps what is on disk, and notes what was lost.
    pub(crate) fn leave_what_is_on_disk(&mut self, how: Shutdown) {
        let power_fails = how == Shutdown::PowerLoss;
        let keeps_all = if self.setup.restarts_from_append_only {
            let synced = !power_fails || self.setup.fsync == AppendFsync::Always;
            self.setup.append_only && synced
        } else {
            how == Shutdown::Clean && !self.setup.save_points.is_empty()
        };
        self.state.on_disk |= keeps_all;
        let keys = match how {
            Shutdown::Kill if self.has_slow_disk() => self.lose_what_is_not_written(),
            Shutdown::Clean | Shutdown::Kill | Shutdown::PowerLoss if keeps_all => Vec::new(),
            Shutdown::Clean | Shutdown::Kill | Shutdown::PowerLoss => self.lose(),
        };
        self.state.untold = !keys.is_empty();
        self.state.losses = Losses { keys };
    }

    /// Starts a process with what is on disk. A master leaves out the keys that are due.
    pub(crate) fn load(&mut self, now: Instant) {
        let mut loaded = Loaded::default();
        for database in &mut *self.databases {
            loaded += database.restart(now, self.setup.restarts_as_replica);
            if self.setup.append_only {
                database.replay();
            } else {
                database.reencode();
            }
        }
        self.state.loaded = loaded;
        self.state.last_save = now;
        self.state.saved_changes = total_changes(self.databases);
        if self.state.on_disk || self.setup.append_only {
            self.all_on_disk();
            self.append_only_is_synced();
        }
    }

    /// Empties the disk.
    pub(crate) fn wipe_disk(&mut self, now: Instant) {
        *self.state = Persistence { last_save: now, ..Persistence::default() };
        self.state.saved_changes = total_changes(self.databases);
        if self.setup.append_only {
            self.append_only_is_synced();
        }
    }

    /// Returns to the state on disk. Returns the keys whose state has changed by that, except for
    /// those that expired.
    pub(crate) fn lose(&mut self) -> Vec<(usize, Sds)> {
        let now = calendar_ms(self.now, self.ahead);
        let mut lost = Vec::new();
        let mut homes = Vec::new();
        let libraries = std::mem::take(&mut self.state.libraries.on_disk);
        self.state.libraries.now = if self.state.on_disk { libraries } else { Vec::new() };
        for (number, database) in self.databases.iter_mut().enumerate() {
            let mut keyspace = std::mem::take(&mut database.keyspace);
            let mut undo = std::mem::take(&mut database.undo);
            if self.state.on_disk {
                let home = undo.home();
                lost.extend(undo.restore(&mut keyspace, now).into_iter().map(|key| (home, key)));
                homes.push((home, keyspace));
            } else {
                let live = keyspace.iter().filter(|entry| entry.expires_at() > now);
                lost.extend(live.map(|entry| (number, entry.key.clone())));
            }
        }
        for (home, keyspace) in homes {
            self.databases[home].keyspace = keyspace;
        }
        lost
    }

    /// Returns the keys of the last save by database. Returns `None` without a save, or if it is
    /// unknown because the server keeps its append-only file instead.
    pub(crate) fn saved_keys(&self) -> Option<Vec<Keyspace>> {
        if !self.state.on_disk || self.setup.restarts_from_append_only {
            return None;
        }
        let mut saved = vec![Keyspace::default(); self.databases.len()];
        for database in &*self.databases {
            let (mut keyspace, mut undo) = (database.keyspace.clone(), database.undo.clone());
            undo.restore(&mut keyspace, i64::MIN);
            saved[undo.home()] = keyspace;
        }
        Some(saved)
    }

    /// Replaces all keys with the saved ones (`DEBUG RELOAD`).
    pub(crate) fn reload(&mut self, saved: Vec<Keyspace>) {
        let now = self.now;
        let mut loaded = Loaded::default();
        for (database, keyspace) in self.databases.iter_mut().zip(saved) {
            loaded += database.load(keyspace, now);
            database.reencode();
        }
        self.state.loaded = loaded;
        if !self.setup.restarts_from_append_only && self.state.on_disk {
            self.all_on_disk();
        }
    }

    /// Replaces all keys with those of a file, which becomes the state on disk. Keys that have
    /// expired are left out, unless expiry is suspended.
    pub(crate) fn adopt(&mut self, saved: Vec<Keyspace>) {
        let now = self.now;
        let mut loaded = Loaded::default();
        for (database, keyspace) in self.databases.iter_mut().zip(saved) {
            loaded += database.adopt(keyspace, now);
        }
        self.state.loaded = loaded;
        self.is_loaded();
    }

    /// Marks that all keys are from disk.
    pub(crate) fn is_loaded(&mut self) {
        self.state.last_save = self.now;
        self.state.saved_changes = total_changes(self.databases);
        self.all_on_disk();
        self.append_only_is_synced();
    }

    /// Adds the saved keys to the existing ones (`DEBUG RELOAD NOFLUSH MERGE`).
    pub(crate) fn merge(&mut self, mut saved: Vec<Keyspace>) {
        let mut loaded = Loaded::default();
        for (database, keyspace) in self.databases.iter_mut().zip(&mut saved) {
            let (limits, encodings) = (database.limits, database.profile.encodings);
            keyspace.values_mut().for_each(|value| value.reencode(&limits, encodings));
            loaded += database.merge(keyspace);
        }
        self.state.loaded = loaded;
    }

    /// Reads all keys from the append-only file again (`DEBUG LOADAOF`). Returns whether there is
    /// one.
    pub(crate) fn reload_append_only(&mut self) -> bool {
        if !self.setup.append_only {
            let Some(rewritten) = self.state.rewritten.clone() else { return false };
            self.reload(rewritten);
            return true;
        }
        for database in &mut *self.databases {
            let keyspace = database.keyspace.clone();
            database.replace_all(keyspace);
            database.replay();
        }
        self.state.saved_changes = total_changes(self.databases);
        true
    }
}
