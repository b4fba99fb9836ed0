//! `FAILOVER`: a master hands its role over to a replica.
//!
//! Writes are paused until the replica has everything. Then the master becomes its replica, and
//! asks it to become the master. If the replica does not catch up in time, or refuses, everything
//! is as before, except that with `FORCE` the master does not wait any longer.
//!
//! Source: `replication.c` (`failoverCommand`, `updateFailoverStatus`).

use super::{Replica, Stage};
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::server::{Pause, Server};
use crate::redis::value::Sds;
use crate::time::Instant;
use std::time::Duration;

/// How far a failover is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// A replica has yet to catch up.
    WaitsForSync,
    /// A replica was asked to become the master.
    HandsOver,
}

/// A failover in progress.
#[derive(Debug)]
pub(crate) struct Failover {
    pub(crate) progress: Progress,
    target: Option<(Sds, u16)>,
    deadline: Option<Instant>,
    force: bool,
}

/// The options of `FAILOVER`.
#[derive(Debug, Default)]
pub(crate) struct FailoverOptions {
    pub(crate) target: Option<(Sds, i64)>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) force: bool,
}

impl Server {
    /// Begins a failover.
    ///
    /// # Errors
    ///
    /// The server is no master with replicas, or the target is none of them.
    pub(crate) fn begin_failover(&mut self, options: FailoverOptions) -> Result<(), CommandError> {
        let FailoverOptions { target, timeout, force } = options;
        if self.replication.failover.is_some() {
            return Err(CommandError::text("ERR FAILOVER already in progress."));
        }
        if self.replication.is_replica() {
            return Err(CommandError::text("ERR FAILOVER is not valid when server is a replica."));
        }
        if self.replication.replicas.is_empty() {
            return Err(CommandError::text("ERR FAILOVER requires connected replicas."));
        }
        if force && (timeout.is_none() || target.is_none()) {
            return Err(CommandError::text(
                "ERR FAILOVER with force option requires both a timeout and target HOST and IP.",
            ));
        }
        let target = match target {
            None => None,
            Some((host, port)) => {
                let found = self.replica_at(&host, port);
                let (_, replica) = found.ok_or(CommandError::text(
                    "ERR FAILOVER target HOST and PORT is not a replica.",
                ))?;
                if replica.stage != Stage::Online {
                    return Err(CommandError::text("ERR FAILOVER target replica is not online."));
                }
                Some((host, u16::try_from(port).unwrap_or(0)))
            }
        };
        let deadline = timeout.map(|timeout| self.now + timeout);
        let progress = Progress::WaitsForSync;
        self.replication.failover = Some(Box::new(Failover { progress, target, deadline, force }));
        self.pause(Pause { until: Instant::MAX, writes_only: true });
        self.replication.cron = Some(self.now + Duration::from_millis(100));
        Ok(())
    }

    /// Returns the replica that has announced this address.
    fn replica_at(&self, host: &[u8], port: i64) -> Option<(ClientId, &Replica)> {
        let at = |client: &&ClientId| self.address_of(**client) == (Sds::new(host), port);
        let client = self.replication.replicas.keys().find(at)?;
        Some((*client, &self.replication.replicas[client]))
    }

    /// Returns the address of a replica.
    pub(crate) fn address_of(&self, client: ClientId) -> (Sds, i64) {
        let announced = self.replication.announced.get(&client);
        let peer = self.sessions.get(&client).map_or("", |session| &*session.peer);
        let host = announced.and_then(|announced| announced.address.clone());
        let host =
            host.unwrap_or_else(|| peer.rsplit_once(':').map_or(peer, |(host, _)| host).into());
        (host, announced.map_or(0, |announced| announced.port))
    }

    /// Goes on with a failover that waits.
    pub(in super::super) fn continue_failover(&mut self) {
        let now = self.now;
        let Some(failover) = &self.replication.failover else { return };
        if failover.progress != Progress::WaitsForSync {
            return;
        }
        if failover.deadline.is_some_and(|deadline| deadline <= now) {
            match (failover.force, failover.target.clone()) {
                (true, Some(target)) => self.hand_over(target),
                (true, None) | (false, _) => self.abort_failover(),
            }
            return;
        }
        let offset = self.replication.offset;
        let has_all = |replica: &Replica| replica.stage == Stage::Online && replica.acked == offset;
        let found = match failover.target.clone() {
            Some((host, port)) => {
                let replica = self.replica_at(&host, i64::from(port));
                replica.filter(|(_, replica)| has_all(replica)).map(|_| (host, port))
            }
            None => {
                let mut replicas = self.replication.replicas.iter();
                let found =
                    replicas.find(|(_, replica)| has_all(replica)).map(|(client, _)| *client);
                found.map(|client| {
                    let (host, port) = self.address_of(client);
                    (host, u16::try_from(port).unwrap_or(0))
                })
            }
        };
        if let Some(target) = found {
            self.hand_over(target);
        }
    }

    fn hand_over(&mut self, (host, port): (Sds, u16)) {
        if let Some(failover) = &mut self.replication.failover {
            failover.progress = Progress::HandsOver;
        }
        self.follow(&host, port, true);
    }

    /// Ends a failover in which nothing has changed (`FAILOVER ABORT`, or too late).
    pub(crate) fn abort_failover(&mut self) {
        let Some(failover) = &self.replication.failover else { return };
        if failover.progress == Progress::HandsOver {
            self.follow_nobody();
        }
        self.end_failover();
    }

    /// The other server did not become the master, so this one stays it.
    pub(in super::super) fn abort_handover(&mut self) {
        let hands_over = self.replication.link.as_ref().is_some_and(|link| link.hands_over);
        if hands_over {
            self.abort_failover();
        }
    }

    /// Ends a failover, and the pause that belongs to it.
    pub(in super::super) fn end_failover(&mut self) {
        if self.replication.failover.take().is_some() {
            self.unpause();
        }
    }
}
