//! Durability: what a crash leaves.
//!
//! A server has its keys in memory and, depending on how it is set up, on disk:
//! as of the last save (RDB), or up to what of the append-only file has reached
//! it. Which of the two a new process reads is in what it is started with, like the
//! configuration file of a real one: what `CONFIG SET appendonly` says holds until then
//! and is forgotten. So a server that was set up without an append-only file comes back
//! to its last save even if it has kept one meanwhile, and one that was set up with it
//! comes back to where the file ends, even if it was switched off. The disk itself is
//! not modelled, only what would be lost: an [`Undo`] of each database holds, for every
//! key that was changed since what is on disk, what it was before. A crash puts that
//! back.
//!
//! - Without an append-only file the disk has the last save: the one a save point
//!   asked for, `SAVE`, or none. Until the first, everything would be lost, and
//!   nothing is kept for that.
//! - With one, a command is *written* to it before it is answered, and *synced* when
//!   `appendfsync` says. The death of the process loses what is not written: nothing
//!   that was answered, but for what `slow_disk` tells. The loss of power loses what is not
//!   synced.
//!
//! Saves and syncs happen at their time, but are found to have happened only when
//! the server is next told the time: nothing changes in between, so nobody can
//! tell, and an idle server needs no timer.
//!
//! Source: <https://redis.io/docs/management/persistence/>, and killing the
//! server. A real save takes a while, and the operating system writes when it
//! likes where `appendfsync` is `no`; here a save takes no time, and that is
//! after 30 seconds.

mod losses;
mod slow_disk;

pub use losses::Losses;

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
    /// Before a command is answered: a crash loses nothing.
    Always,
    /// Once a second: a loss of power loses up to a second, and so may the death of the process
    /// on a disk that takes its time ([`ServerOptions::with_fsync_time`](super::ServerOptions::with_fsync_time)).
    #[default]
    EverySec,
    /// When the operating system does, which is taken to be every 30 seconds.
    No,
}

/// A save point: the keys are saved when so many changes are at least so old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Since the last save.
    pub after: Duration,
    /// At least.
    pub changes: u64,
}

/// What is on disk.
#[derive(Debug, Default)]
pub(crate) struct Persistence {
    /// When the keys were last saved, or the server was started.
    pub(crate) last_save: Instant,
    /// How many changes there were by then.
    saved_changes: u64,
    /// How many saves in the background there were.
    pub(crate) saves: u64,
    /// There is something on disk that a crash comes back to.
    on_disk: bool,
    /// The first change since the last sync was seen at this time.
    unsynced: Option<Instant>,
    synced_changes: u64,
    /// How often the append-only file was written anew.
    pub(crate) rewrites: u64,
    /// How an append-only file stands that is synced once a second.
    pub(crate) slow_disk: SlowDisk,
    /// What the last load found.
    pub(crate) loaded: Loaded,
    /// What the last stop lost.
    losses: Losses,
    /// It was not told of yet.
    untold: bool,
}

/// How a server keeps its keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    /// A new process reads the append-only file.
    pub(crate) restarts_from_append_only: bool,
    /// There is an append-only file now.
    pub(crate) append_only: bool,
    pub(crate) fsync: AppendFsync,
    pub(crate) fsync_time: Duration,
    pub(crate) save_points: &'a [SavePoint],
    /// Nothing is saved by itself.
    pub(crate) cron_paused: bool,
}

/// A server's disk at work: its state, the databases that are on it, and how they are kept.
#[derive(Debug)]
pub(crate) struct Disk<'a> {
    pub(crate) state: &'a mut Persistence,
    pub(crate) databases: &'a mut [Database],
    pub(crate) setup: Setup<'a>,
    pub(crate) now: Instant,
    /// How many nanoseconds the calendar is ahead.
    pub(crate) ahead: i64,
}

/// Changes of all databases, as save points count them.
fn total_changes(databases: &[Database]) -> u64 {
    databases.iter().map(|database| database.usage.changes).sum()
}

impl Persistence {
    /// Changes of these databases since the last save.
    pub(crate) fn unsaved_changes(&self, databases: &[Database]) -> u64 {
        total_changes(databases).saturating_sub(self.saved_changes)
    }

    /// What the last stop lost, however it came.
    pub(crate) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// What the last stop lost, in words, once.
    pub(crate) fn take_loss_note(&mut self) -> Option<String> {
        let untold = std::mem::take(&mut self.untold);
        untold.then(|| self.losses.to_string())
    }
}

impl Disk<'_> {
    /// What is in memory now is what a new process reads.
    fn all_on_disk(&mut self) {
        self.state.on_disk = true;
        let always = self.setup.append_only && self.setup.fsync == AppendFsync::Always;
        let keeping = !(self.setup.restarts_from_append_only && always);
        for (home, database) in self.databases.iter_mut().enumerate() {
            database.undo = Undo::new(keeping, home);
        }
    }

    /// The append-only file is written anew: its configuration has changed or holds from
    /// the start, or somebody asked for it.
    pub(crate) fn rewrite_append_only(&mut self) {
        self.state.rewrites += 1;
        self.append_only_is_synced();
    }

    /// All of the append-only file is on disk.
    pub(crate) fn append_only_is_synced(&mut self) {
        if self.setup.restarts_from_append_only {
            self.all_on_disk();
        }
        self.state.unsynced = None;
        self.state.synced_changes = total_changes(self.databases);
        self.settle_slow_disk();
    }

    /// `SAVE`: the keys are saved.
    pub(crate) fn save(&mut self) {
        self.saved_at(self.now);
    }

    /// `BGSAVE`: the keys are saved by another process, which is counted.
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

    /// What `FLUSHALL` does at its end.
    pub(crate) fn save_if_configured(&mut self) {
        if !self.setup.save_points.is_empty() {
            self.save();
        }
    }

    /// Finds out which saves and syncs have happened by `now`, before anything
    /// happens then.
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
        // The server looks only when something has changed, so not before now.
        if let Some(at) = due.min().map(|at| at.max(self.now)).filter(|at| *at <= now) {
            self.state.saves += 1;
            self.saved_at(at);
        }
    }

    fn sync_until(&mut self, now: Instant) {
        let changes = total_changes(self.databases);
        if changes == self.state.synced_changes {
            return;
        }
        let first = *self.state.unsynced.get_or_insert(self.now);
        let due = match self.setup.fsync {
            AppendFsync::Always => return,
            AppendFsync::EverySec => {
                let second = first.as_nanos() / 1_000_000_000 + 1;
                Instant::ZERO + Duration::from_secs(second)
            }
            AppendFsync::No => first + Duration::from_secs(30),
        };
        if due <= now {
            self.append_only_is_synced();
        }
    }

    /// A process ends: it leaves what is on disk, and is known for what it lost.
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

    /// A process begins with what is on disk, without the keys whose time has come
    /// meanwhile.
    pub(crate) fn load(&mut self, now: Instant) {
        let mut loaded = Loaded::default();
        for database in &mut *self.databases {
            loaded += database.restart(now);
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

    /// The disk is empty.
    pub(crate) fn wipe_disk(&mut self, now: Instant) {
        *self.state = Persistence { last_save: now, ..Persistence::default() };
        self.state.saved_changes = total_changes(self.databases);
        if self.setup.append_only {
            self.append_only_is_synced();
        }
    }

    /// Comes back to what is on disk. What is lost are the keys that are not what they were
    /// then, but for those whose time came.
    pub(crate) fn lose(&mut self) -> Vec<(usize, Sds)> {
        let now = calendar_ms(self.now, self.ahead);
        let mut lost = Vec::new();
        let mut homes = Vec::new();
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

    /// What the last save has, database by database; `None` if there was none, or if it is
    /// not known, since the server keeps account of its append-only file.
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

    /// `DEBUG RELOAD`: what is there is dropped, and what was saved is read.
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

    /// `DEBUG RELOAD NOFLUSH MERGE`: what was saved is read beside what is there.
    pub(crate) fn merge(&mut self, mut saved: Vec<Keyspace>) {
        let mut loaded = Loaded::default();
        for (database, keyspace) in self.databases.iter_mut().zip(&mut saved) {
            let limits = database.limits;
            keyspace.values_mut().for_each(|value| value.reencode(&limits));
            loaded += database.merge(keyspace);
        }
        self.state.loaded = loaded;
    }

    /// `DEBUG LOADAOF`: what is there is dropped, and read from the append-only file.
    pub(crate) fn reload_append_only(&mut self) {
        for database in &mut *self.databases {
            let keyspace = database.keyspace.clone();
            database.replace_all(keyspace);
            database.replay();
        }
        self.state.saved_changes = total_changes(self.databases);
    }
}
