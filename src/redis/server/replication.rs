//! Replication: the history of the data set, and who has how much of it.
//!
//! A history is a stream of bytes, the effects of commands (`propagate`), with an *id* and an
//! *offset* that counts its bytes. Its last part is kept in the backlog, so that a replica that
//! lost its connection can continue where it stopped. A server that becomes a master begins a new
//! history and remembers up to where it shares the former one: a replica that has no more than that
//! continues, too. A replica that has more holds writes that the new history does not have. It
//! receives the whole data set, and those writes are lost.
//!
//! `master` has the side that sends, `link` and `replica` the side that follows, `failover` the
//! change of roles on request, `discarded` what that loses. The invariants: the backlog ends at the
//! offset; a command of the master never fails on a replica that nobody else writes to.
//!
//! Source: `replication.c`.

mod discarded;
mod failover;
mod link;
mod master;
mod replica;
mod synced;

use super::propagate::Effect;
use super::{ClientId, Server};
use crate::invariant::ensure;
use crate::redis::database::digest;
use crate::redis::database::sha1::sha1;
use crate::redis::rdb::write_command;
use crate::redis::value::Sds;
use crate::time::{Instant, earlier};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;
use std::time::Duration;

pub use discarded::{Discarded, LostWrite};
pub(crate) use failover::{Failover, FailoverOptions, Progress};
pub(crate) use link::Link;
pub use link::{Dial, DialAction};
#[cfg(feature = "lua")]
pub(crate) use master::STALE;
pub(crate) use synced::{NO_FILE, SyncedHistory};

/// The id of a history: 40 hexadecimal digits.
pub(crate) type ReplicationId = Sds;

/// The id of no history.
pub(crate) const NO_ID: &str = "0000000000000000000000000000000000000000";

/// Returns a command as bytes.
pub(super) fn encoded(words: &[Sds]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_command(&mut bytes, &words.iter().map(Sds::as_slice).collect::<Vec<_>>());
    bytes
}

/// The last part of a history.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    bytes: VecDeque<u8>,
}

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn push(&mut self, bytes: &[u8], limit: usize) {
        self.bytes.extend(bytes);
        let excess = self.bytes.len().saturating_sub(limit);
        self.bytes.drain(..excess);
    }

    /// Returns the bytes after this offset of a history that ends at `end`, if they are all here.
    fn after(&self, offset: u64, end: u64) -> Option<Vec<u8>> {
        let missing = usize::try_from(end.checked_sub(offset)?).ok()?;
        (missing <= self.len()).then(|| self.last(missing))
    }

    /// Returns the last bytes.
    pub(crate) fn last(&self, count: usize) -> Vec<u8> {
        self.bytes.iter().skip(self.bytes.len() - count).copied().collect()
    }
}

/// A place in a history.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    pub(crate) id: ReplicationId,
    pub(crate) offset: u64,
    /// The database that the stream has selected there.
    pub(crate) database: usize,
}

/// The history of a former process.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) id: ReplicationId,
    pub(crate) offset: u64,
    pub(crate) backlog: Backlog,
}

impl Past {
    /// Returns the history from the byte after this offset on, if the backlog has it.
    pub(crate) fn after(&self, offset: u64) -> Option<Vec<u8>> {
        self.backlog.after(offset.min(self.offset), self.offset)
    }
}

/// What a connection has announced of the replica at its other end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announced {
    pub(crate) port: i64,
    pub(crate) address: Option<Sds>,
    /// It understands the new id of a continued history.
    pub(crate) psync2: bool,
    /// It takes a data set of unknown length, which a master sends without a file.
    pub(crate) takes_stream: bool,
    /// It wants to know where the histories part.
    pub(crate) asks_for_parting: bool,
}

/// How far a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for the data set, which is sent then.
    Waits(Instant),
    /// It receives the stream.
    Online,
}

/// A connected replica.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub(crate) stage: Stage,
    /// It has sent `SYNC`, and is told no position.
    pub(crate) is_old: bool,
    /// The offset up to which it has confirmed the stream.
    pub(crate) acked: u64,
    /// The offset up to which it has synced its append-only file, if it has told.
    pub(crate) synced: Option<u64>,
    pub(crate) acked_at: Instant,
}

/// Whether a replica has the keys of its master.
#[derive(Debug, Default)]
pub(crate) struct Fidelity {
    /// Number of changes when the master's last commands had run.
    changes: u64,
    /// Somebody else has written since the last data set.
    has_own_writes: bool,
    /// A command of the master, and the error that it was answered with.
    failed: Option<String>,
}

/// Everything about replication.
#[derive(Debug)]
pub(crate) struct Replication {
    /// Whether effects of commands are collected: there is a backlog.
    pub(crate) feeds: bool,
    /// Whether commands may be refused because of the role or of missing replicas.
    pub(crate) restricts: bool,
    /// The effects of the command that runs are not sent (`redis.set_repl`).
    pub(crate) mute: bool,
    /// The effects of the present step.
    pub(crate) pending: Vec<Effect>,
    /// The database that the stream has selected.
    pub(crate) selected: Option<usize>,
    pub(crate) id: Option<ReplicationId>,
    /// The id of the former history, which this one shares below `parts_at`.
    pub(crate) former_id: Option<ReplicationId>,
    pub(crate) parts_at: Option<u64>,
    pub(crate) offset: u64,
    /// How far the append-only file of this replica is synced.
    pub(crate) synced: SyncedHistory,
    pub(crate) backlog: Option<Backlog>,
    pub(crate) replicas: IndexMap<ClientId, Replica, FxBuildHasher>,
    pub(crate) announced: IndexMap<ClientId, Announced, FxBuildHasher>,
    /// Since when no replica is connected.
    pub(crate) alone_since: Instant,
    /// The master that it follows, and the link to it.
    pub(crate) link: Option<Box<Link>>,
    pub(crate) dials: VecDeque<Dial>,
    pub(crate) next_link: u64,
    pub(crate) failover: Option<Box<Failover>>,
    /// Whether the effects of this step must be followed by a request for confirmation.
    pub(crate) wants_acks: bool,
    /// When the housekeeping is next due, and how often it was done.
    pub(crate) cron: Option<Instant>,
    pub(crate) rounds: u64,
    /// The address under which others know this server.
    pub(crate) address: Option<Sds>,
    /// What the ids of its histories are made from, and their number.
    seed: String,
    ids: u64,
    /// The writes that were last discarded, and whether the trace has yet to show them.
    pub(crate) discarded: Discarded,
    pub(crate) untold: bool,
    /// The position that the disk knows.
    pub(crate) on_disk: Option<Position>,
    /// The process starts or has ended, and its options make it a replica.
    pub(crate) starts_as_replica: bool,
    /// The history of the former process, which a real one has forgotten. It serves to tell what a
    /// failover has lost.
    pub(crate) remembered: Option<Past>,
    /// The number of changes when the process was started.
    pub(crate) changes_at_start: u64,
    pub(crate) fidelity: Fidelity,
    pub(crate) full_syncs: u64,
    pub(crate) partial_syncs: u64,
    pub(crate) refused_syncs: u64,
}

impl Replication {
    pub(crate) fn new(seed: String) -> Replication {
        Replication {
            feeds: false,
            restricts: false,
            mute: false,
            pending: Vec::new(),
            selected: None,
            id: None,
            former_id: None,
            parts_at: None,
            offset: 0,
            synced: SyncedHistory::default(),
            backlog: None,
            replicas: IndexMap::default(),
            announced: IndexMap::default(),
            alone_since: Instant::ZERO,
            link: None,
            dials: VecDeque::new(),
            next_link: 1,
            failover: None,
            wants_acks: false,
            cron: None,
            rounds: 0,
            address: None,
            seed,
            ids: 0,
            discarded: Discarded::default(),
            untold: false,
            on_disk: None,
            starts_as_replica: false,
            remembered: None,
            changes_at_start: 0,
            fidelity: Fidelity::default(),
            full_syncs: 0,
            partial_syncs: 0,
            refused_syncs: 0,
        }
    }

    pub(crate) fn reset_counters(&mut self) {
        (self.full_syncs, self.partial_syncs, self.refused_syncs) = (0, 0, 0);
    }

    /// Returns whether the server follows a master.
    pub(crate) fn is_replica(&self) -> bool {
        self.link.is_some()
    }

    /// Returns the id of a new history. No other server of a world has it.
    fn new_id(&mut self) -> ReplicationId {
        self.ids += 1;
        let address = self.address.as_ref().map(Sds::to_string).unwrap_or_default();
        let text = format!("replication {address} {} {}", self.seed, self.ids);
        Sds::from(digest::hex(&sha1(text.as_bytes())))
    }

    /// Returns the id of the present history.
    pub(crate) fn history(&mut self) -> ReplicationId {
        if self.id.is_none() {
            self.id = Some(self.new_id());
        }
        self.id.clone().unwrap_or_default()
    }

    /// Begins a new history that has nothing in common with the former.
    pub(crate) fn change_id(&mut self) {
        self.id = Some(self.new_id());
        (self.former_id, self.parts_at) = (None, None);
    }

    /// Begins a new history that shares the former one up to here.
    pub(crate) fn shift_id(&mut self) {
        self.former_id = Some(self.history());
        self.parts_at = Some(self.offset + 1);
        self.id = Some(self.new_id());
    }

    /// Appends bytes to the history.
    pub(crate) fn append(&mut self, bytes: &[u8], limit: usize) {
        self.offset += bytes.len() as u64;
        if let Some(backlog) = &mut self.backlog {
            backlog.push(bytes, limit);
        }
    }

    /// Returns the history from the byte after this offset on, if the backlog has it.
    pub(crate) fn after(&self, offset: u64) -> Option<Vec<u8>> {
        self.backlog.as_ref()?.after(offset, self.offset)
    }

    /// Returns the database that the stream has selected.
    pub(crate) fn stream_database(&self) -> usize {
        match &self.link {
            Some(link) => link.database,
            None => self.selected.unwrap_or(0),
        }
    }

    /// Returns whether somebody needs the housekeeping.
    fn is_active(&self) -> bool {
        self.link.is_some() || self.backlog.is_some() || self.failover.is_some()
    }
}

/// The time between two rounds of housekeeping.
const ROUND: Duration = Duration::from_secs(1);
/// The same while a failover waits.
const QUICK_ROUND: Duration = Duration::from_millis(100);

impl Server {
    pub(crate) fn backlog_limit(&self) -> usize {
        usize::try_from(self.config.number("repl-backlog-size", 1_048_576)).unwrap_or(usize::MAX)
    }

    pub(crate) fn replication_timeout(&self) -> Duration {
        Duration::from_secs(self.config.number("repl-timeout", 60))
    }

    /// Begins to keep the history.
    pub(crate) fn keep_backlog(&mut self) {
        if self.replication.backlog.is_none() {
            self.replication.backlog = Some(Backlog::default());
        }
        self.replication.alone_since = self.now;
        self.observe_role();
    }

    /// Forgets the history, because the keys are replaced by others. Replicas receive them all.
    pub(super) fn abandon_history(&mut self) {
        if self.replication.backlog.is_some() && !self.replication.is_replica() {
            self.replication.change_id();
            self.replication.backlog = None;
            self.drop_replicas();
            self.observe_role();
        }
    }

    /// Tells everyone who depends on the role what it is now.
    pub(crate) fn observe_role(&mut self) {
        let replication = &mut self.replication;
        let is_replica = replication.link.is_some();
        replication.feeds = replication.backlog.is_some() && !is_replica;
        replication.restricts =
            is_replica || self.config.inert.contains_key("min-replicas-to-write");
        if !replication.is_active() {
            replication.cron = None;
        } else if replication.cron.is_none() {
            replication.cron = Some(self.now + ROUND);
        }
        self.observe_for_replicas();
        self.hold_expiry();
    }

    /// Returns whether a master decides which keys have expired.
    fn follows(&self) -> bool {
        self.replication.is_replica() || self.replication.starts_as_replica
    }

    /// Lets expired keys stay while clients are paused, and on a replica, whose master decides.
    pub(crate) fn hold_expiry(&mut self) {
        let (paused, follows) = (self.paused.is_some(), self.follows());
        self.databases.iter_mut().for_each(|database| database.hold_expiry(paused, follows));
    }

    /// Returns when [`Server::handle_timeout`] is next due for work that only serves replication:
    /// replicas confirm what they have, and both ends of a link watch each other. `None` without
    /// replication.
    #[must_use]
    pub fn poll_housekeeping(&self) -> Option<Instant> {
        let due = earlier(self.replication.cron, self.sentinel.as_ref().map(|s| s.beats));
        due.filter(|_| self.running && !self.is_asleep() && !self.is_busy())
    }

    /// Does the housekeeping that is due.
    pub(super) fn replicate_until(&mut self, now: Instant) {
        while let Some(due) = self.replication.cron.filter(|due| *due <= now) {
            let quick = self.replication.failover.is_some();
            self.replication.cron = Some(due + if quick { QUICK_ROUND } else { ROUND });
            // A round that was missed, as in a sleep, is not made up for.
            if due + ROUND <= now {
                continue;
            }
            self.continue_failover();
            self.replication.rounds += 1;
            self.look_after_link();
            self.look_after_replicas();
            if !self.replication.is_active() {
                self.replication.cron = None;
            }
        }
    }

    /// Sets the address under which others know this server (`replica-announce-ip`).
    pub(crate) fn announce_as(&mut self, address: &str) {
        self.replication.address = Some(Sds::from(address));
        if let Some(sentinel) = &mut self.sentinel {
            sentinel.announce_as(address);
        }
    }

    pub(super) fn check_replication(&self) -> Result<(), String> {
        let replication = &self.replication;
        ensure(replication.pending.is_empty(), || "effects of a step were not sent".to_owned())?;
        let known = replication.replicas.keys().all(|client| self.sessions.contains_key(client));
        ensure(known, || "a replica has no session".to_owned())?;
        let kept = replication.replicas.is_empty() || replication.backlog.is_some();
        ensure(kept, || "there are replicas and no backlog".to_owned())?;
        match &replication.fidelity.failed {
            Some(what) => Err(format!("a command of the master has failed: {what}")),
            None => Ok(()),
        }
    }
}
