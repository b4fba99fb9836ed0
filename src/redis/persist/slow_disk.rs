//! The append-only file with `appendfsync everysec` on a disk whose syncs take time.
//!
//! Redis syncs in the background, at most once a second. While a sync runs it does not write
//! to the file either, since that could block: it goes on answering, and postpones the write
//! until the sync has ended, or for two seconds (`flushAppendOnlyFile` in `aof.c`). So the
//! death of the process loses what it had answered meanwhile, and not only a loss of power does.
//!
//! The databases' undo logs are in layers for this, the oldest first: what was written before
//! the sync that runs began, what was written since, and what is not written yet. While a
//! sync runs the newest layer is what a kill undoes; without one there is one layer, and a kill
//! undoes nothing. A loss of power undoes all.
//!
//! As elsewhere in `persist`, what happens between two moments at which the server is told the time
//! is found out afterwards, in order.

use super::{AppendFsync, Disk, total_changes};
use crate::time::Instant;
use std::time::Duration;

/// How the file stands.
#[derive(Debug, Default)]
pub(crate) struct SlowDisk {
    /// When the sync that runs will have ended.
    syncing: Option<Instant>,
    /// In which second the last one began.
    last_sync: Option<u64>,
    /// In which second the write was postponed that still is.
    postponed: Option<u64>,
    /// How many changes there were when it was last looked at, and when the last sync began.
    seen: u64,
    synced: u64,
    /// How often a write was made though a sync was running.
    pub(crate) delayed: u64,
}

fn second(at: Instant) -> u64 {
    at.as_nanos() / 1_000_000_000
}

fn of_second(second: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(second)
}

/// How long a write is postponed at most, in seconds.
const PATIENCE: u64 = 2;

impl Disk<'_> {
    /// Whether the file is kept so that it matters how long a sync takes.
    pub(crate) fn has_slow_disk(&self) -> bool {
        self.setup.restarts_from_append_only
            && self.setup.append_only
            && self.setup.fsync == AppendFsync::EverySec
            && !self.setup.fsync_time.is_zero()
    }

    /// All of the file is on disk, by other means.
    pub(crate) fn settle_slow_disk(&mut self) {
        let changes = total_changes(self.databases);
        let disk = &mut self.state.slow_disk;
        *disk = SlowDisk {
            last_sync: disk.last_sync,
            delayed: disk.delayed,
            seen: changes,
            synced: changes,
            ..SlowDisk::default()
        };
    }

    /// Writes what has changed at this moment, or postpones that, as the server does at the end
    /// of each turn of its loop.
    pub(crate) fn flush_append_only(&mut self) {
        let (now, changes) = (self.now, total_changes(self.databases));
        let disk = &mut self.state.slow_disk;
        if std::mem::replace(&mut disk.seen, changes) == changes {
            return;
        }
        if disk.syncing.is_some() {
            disk.postponed.get_or_insert(second(now));
        } else if disk.last_sync.is_none_or(|last| second(now) > last) {
            self.begin_sync(now);
        }
    }

    /// Finds out what the disk has done by `now`.
    pub(crate) fn write_and_sync_until(&mut self, now: Instant) {
        self.flush_append_only();
        loop {
            let disk = &self.state.slow_disk;
            let forced = disk.postponed.map(|since| of_second(since + PATIENCE));
            match (disk.syncing, forced) {
                (Some(ends), Some(forced)) if forced < ends && forced <= now => self.write_anyway(),
                (Some(ends), _) if ends <= now => self.end_sync(ends),
                (Some(_), _) => return,
                (None, _) => {
                    let next = of_second(disk.last_sync.map_or(0, |last| last + 1));
                    if disk.seen == disk.synced || next > now {
                        return;
                    }
                    self.begin_sync(next.max(self.now));
                }
            }
        }
    }

    /// What is written by now will be on disk when this has ended.
    fn begin_sync(&mut self, at: Instant) {
        let ends = at + self.setup.fsync_time;
        let disk = &mut self.state.slow_disk;
        disk.syncing = Some(ends);
        disk.last_sync = Some(second(at));
        disk.synced = disk.seen;
        for (home, database) in self.databases.iter_mut().enumerate() {
            database.undo.begin_layer(home);
        }
    }

    /// What was postponed is written, now that nothing runs any more; and the rest is synced.
    fn end_sync(&mut self, at: Instant) {
        for database in &mut *self.databases {
            database.undo.forget_oldest();
            database.undo.merge_newest();
        }
        let disk = &mut self.state.slow_disk;
        disk.syncing = None;
        disk.postponed = None;
        if disk.seen != disk.synced && disk.last_sync.is_none_or(|last| second(at) > last) {
            self.begin_sync(at);
        }
    }

    /// A write has waited long enough.
    fn write_anyway(&mut self) {
        let disk = &mut self.state.slow_disk;
        disk.postponed = None;
        disk.delayed += 1;
        for (home, database) in self.databases.iter_mut().enumerate() {
            // What was written during this sync is one layer, however often.
            database.undo.merge_newest_but_oldest();
            database.undo.begin_layer(home);
        }
    }

    /// The process is killed: what it has not written is undone, unless all was.
    pub(crate) fn lose_what_is_not_written(&mut self) -> Vec<(usize, crate::redis::value::Sds)> {
        self.flush_append_only();
        if self.state.slow_disk.syncing.is_none() {
            return Vec::new();
        }
        for database in &mut *self.databases {
            database.undo.keep_newest();
        }
        self.lose()
    }
}
