//! The append-only file with `appendfsync everysec`, on a disk whose syncs take time.
//!
//! Redis syncs in the background, at most once a second. While a sync runs it does not write to the
//! file, since that could block. It continues to answer, and postpones the write until the sync has
//! ended, or for two seconds (`flushAppendOnlyFile` in `aof.c`). So not only a power loss but also
//! a crash of the process loses writes that were answered meanwhile.
//!
//! The databases' undo logs have layers for this, the oldest first: what was written before the
//! running sync began, what was written since, and what is not yet written. While a sync runs, a
//! crash undoes the newest layer. Without a sync there is one layer, and a crash undoes nothing. A
//! power loss undoes all layers.
//!
//! As elsewhere in `persist`, what happens between two timestamps is applied afterwards, in order.

use super::{AppendFsync, Disk, total_changes};
use crate::time::Instant;
use std::time::Duration;

/// The state of the file.
#[derive(Debug, Default)]
pub(crate) struct SlowDisk {
    /// End of the running sync.
    syncing: Option<Instant>,
    /// Second in which the last sync began.
    last_sync: Option<u64>,
    /// Second since which a write is postponed.
    postponed: Option<u64>,
    /// Number of changes when the state was last updated, and when the last sync began.
    seen: u64,
    synced: u64,
    /// Number of changes that were synced when the last sync ended.
    known: u64,
    /// Number of writes during a sync.
    pub(crate) delayed: u64,
}

impl SlowDisk {
    /// Number of changes that are known to be synced.
    pub(super) fn known_synced(&self) -> u64 {
        self.known
    }
}

fn second(at: Instant) -> u64 {
    at.as_nanos() / 1_000_000_000
}

fn of_second(second: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(second)
}

/// Longest time that a write is postponed, in seconds.
const PATIENCE: u64 = 2;

impl Disk<'_> {
    /// Returns whether the file is kept such that the duration of a sync matters.
    pub(crate) fn has_slow_disk(&self) -> bool {
        self.setup.restarts_from_append_only
            && self.setup.append_only
            && self.setup.fsync == AppendFsync::EverySec
            && !self.setup.fsync_time.is_zero()
    }

    /// Marks all of the file as synced by other means.
    pub(crate) fn settle_slow_disk(&mut self) {
        let changes = total_changes(self.databases);
        let disk = &mut self.state.slow_disk;
        *disk = SlowDisk {
            last_sync: disk.last_sync,
            delayed: disk.delayed,
            seen: changes,
            synced: changes,
            known: changes,
            ..SlowDisk::default()
        };
    }

    /// Writes what has changed by now, or postpones that, as the server does at the end of each
    /// iteration of its event loop.
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

    /// Applies the writes and syncs that happened by `now`.
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

    /// Returns when the running sync ends, or the next one begins.
    pub(crate) fn next_slow_sync(&mut self) -> Option<Instant> {
        self.flush_append_only();
        let disk = &self.state.slow_disk;
        let begins = of_second(disk.last_sync.map_or(0, |last| last + 1));
        disk.syncing.or_else(|| (disk.seen != disk.synced).then_some(begins.max(self.now)))
    }

    /// Begins a sync. What was written by now is on disk when it ends.
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

    /// Ends a sync: writes what was postponed, and syncs the rest.
    fn end_sync(&mut self, at: Instant) {
        for database in &mut *self.databases {
            database.undo.forget_oldest();
            database.undo.merge_newest();
        }
        let disk = &mut self.state.slow_disk;
        disk.syncing = None;
        disk.postponed = None;
        disk.known = disk.synced;
        if disk.seen != disk.synced && disk.last_sync.is_none_or(|last| second(at) > last) {
            self.begin_sync(at);
        }
    }

    /// Writes although a sync runs, because a write has waited long enough.
    fn write_anyway(&mut self) {
        let disk = &mut self.state.slow_disk;
        disk.postponed = None;
        disk.delayed += 1;
        for (home, database) in self.databases.iter_mut().enumerate() {
            // All that was written during this sync is one layer.
            database.undo.merge_newest_but_oldest();
            database.undo.begin_layer(home);
        }
    }

    /// Undoes what a killed process has not written. Returns the affected keys.
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
