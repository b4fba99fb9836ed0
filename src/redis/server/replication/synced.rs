//! `WAITAOF`: which writes are synced, here and at the replicas.
//!
//! A client waits for the sync of all changes that the server had made when it asked: the server
//! does not know which of them are the client's. A replica confirms how far its append-only file is
//! synced (`REPLCONF ACK … FACK`) with every other confirmation.
//!
//! Source: `replication.c` (`waitaofCommand`, `replicationSendAck`).

use super::{Replica, Stage};
use crate::redis::command::attempt::Syncs;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;

/// The part of the wanted syncs that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Synced {
    local: bool,
    replicas: usize,
}

impl Synced {
    pub(crate) fn suffices(self, wanted: Syncs) -> bool {
        self.local >= wanted.local && self.replicas >= wanted.replicas
    }

    pub(crate) fn reply(self) -> Reply {
        Reply::Array(vec![Reply::flag(self.local), Reply::count(self.replicas)])
    }
}

/// Where a replica's append-only file is synced.
#[derive(Debug, Default)]
pub(crate) struct SyncedHistory {
    /// The offset up to which it is.
    offset: u64,
    /// Changes that were not synced yet, and the offset after them.
    next: Option<(u64, u64)>,
}

pub(crate) const NO_FILE: CommandError = CommandError::text(
    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
);

impl Server {
    /// Number of changes so far, and of those that the append-only file has on the disk.
    pub(crate) fn changes_and_synced(&mut self) -> (u64, Option<u64>) {
        let (changes, synced) = self.disk().changes_and_synced();
        (changes, self.config.append_only.then_some(synced))
    }

    /// Returns how much is synced of what a client waits for.
    pub(crate) fn synced(&mut self, wanted: Syncs) -> Synced {
        let (_, synced) = self.changes_and_synced();
        let has = |replica: &&Replica| {
            let synced = replica.synced.is_some_and(|offset| offset >= wanted.offset);
            replica.stage == Stage::Online && synced
        };
        let replicas = self.replication.replicas.values().filter(has).count();
        Synced { local: synced.is_some_and(|synced| synced >= wanted.changes), replicas }
    }

    /// Returns the reply to a client that has what it waits for, or can no longer have it.
    pub(crate) fn ends_sync_wait(&mut self, wanted: Syncs) -> Option<Reply> {
        if wanted.local && !self.config.append_only {
            return Some(NO_FILE.into());
        }
        let synced = self.synced(wanted);
        synced.suffices(wanted).then(|| synced.reply())
    }

    /// Has the server look at waiting clients when more is synced.
    pub(crate) fn watch_syncs(&mut self) {
        self.blocking.next_sync = None;
        if self.blocking.waits_for_sync() {
            self.blocking.next_sync = self.disk().next_sync();
        }
    }

    /// Returns the offset up to which this replica has synced the stream, if it keeps an
    /// append-only file.
    pub(in crate::redis::server) fn synced_offset(&mut self) -> Option<u64> {
        let (changes, synced) = self.changes_and_synced();
        let synced = synced?;
        let offset = self.replication.offset;
        let history = &mut self.replication.synced;
        if let Some((awaited, reached)) = history.next
            && synced >= awaited
        {
            (history.offset, history.next) = (reached, None);
        }
        if synced == changes {
            (history.offset, history.next) = (offset, None);
        } else {
            history.next.get_or_insert((changes, offset));
        }
        Some(history.offset)
    }
}
