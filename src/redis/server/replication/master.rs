//! The master's side: replicas connect, receive the data set and then the stream, and confirm what
//! they have.
//!
//! A replica asks to continue a history (`PSYNC`). If the backlog has what it misses, it continues;
//! otherwise it receives the data set as an RDB file. As with `repl-diskless-sync yes`, the default
//! of the real server, the master waits `repl-diskless-sync-delay` seconds before that, so that
//! more replicas may come. The file is that of the moment when it begins, and takes no time to
//! write.
//!
//! Source: `replication.c`.

use super::{NO_ID, Replica, Stage, encoded};
use crate::redis::command::attempt::Attempt;
use crate::redis::command::{Args, flag};
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::command::Row;
use crate::redis::server::propagate::Sent;
use crate::redis::value::Sds;
use std::time::Duration;

const TOO_FEW_REPLICAS: CommandError =
    CommandError::text("NOREPLICAS Not enough good replicas to write.");
const READ_ONLY: CommandError =
    CommandError::text("READONLY You can't write against a read only replica.");
pub(crate) const STALE: CommandError = CommandError::text(
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
);

impl Server {
    /// Appends a command to the history, and sends it. Without a database, it is one that needs
    /// none.
    pub(in super::super) fn feed(&mut self, database: Option<usize>, words: &[Sds]) {
        if self.replication.backlog.is_none() || self.replication.is_replica() {
            return;
        }
        let mut bytes = Vec::new();
        if let Some(database) = database
            && self.replication.selected != Some(database)
        {
            self.replication.selected = Some(database);
            let number = Sds::from(database.to_string());
            bytes.extend(encoded(&["SELECT".into(), number]));
        }
        bytes.extend(encoded(words));
        self.append_history(&bytes);
    }

    /// Appends bytes to the history, and sends them to the replicas.
    pub(in super::super) fn append_history(&mut self, bytes: &[u8]) {
        let limit = self.backlog_limit();
        self.replication.append(bytes, limit);
        for (client, replica) in &self.replication.replicas {
            if replica.stage == Stage::Online {
                self.outbox.bytes(*client, bytes.to_vec());
            }
        }
    }

    /// Notes that a client waits until replicas confirm what they have.
    pub(in super::super) fn want_acks(&mut self) {
        self.replication.wants_acks = true;
        let has_history = self.replication.backlog.is_some();
        if !has_history && self.profile().rewrites.asks_count_without_history {
            self.replication.offset += 1;
        }
    }

    /// Asks the replicas to confirm what they have, if a client waits for that.
    pub(in super::super) fn ask_for_acks(&mut self) {
        if std::mem::take(&mut self.replication.wants_acks) {
            self.feed(None, &["REPLCONF".into(), "GETACK".into(), "*".into()]);
        }
    }

    /// `PSYNC`, or `SYNC` without a position: a client becomes a replica.
    pub(crate) fn sync(
        &mut self,
        client: ClientId,
        position: Option<(&[u8], i64)>,
    ) -> Result<Option<Reply>, CommandError> {
        if self.replication.failover.is_some() {
            return Err(CommandError::text("NOMASTERLINK Can't SYNC while failing over"));
        }
        if self.replication.link.as_ref().is_some_and(|link| !link.is_connected()) {
            return Err(CommandError::text(
                "NOMASTERLINK Can't SYNC while not connected with my master",
            ));
        }
        if self.outbox.has_pending(client) {
            return Err(CommandError::text("ERR SYNC and PSYNC are invalid with pending output"));
        }
        if let Some((id, from)) = position {
            if let Some(missed) = self.missed_by(id, from) {
                self.replication.partial_syncs += 1;
                self.continue_replica(client, missed);
                return Ok(None);
            }
            self.replication.refused_syncs += u64::from(id != b"?");
        }
        self.replication.full_syncs += 1;
        if self.replication.backlog.is_none() {
            self.replication.change_id();
            self.keep_backlog();
        }
        // Only a data set without a file waits for more replicas to come.
        let announced = self.replication.announced.get(&client);
        let delay = match announced.is_some_and(|announced| announced.takes_stream) {
            true => self.sync_delay(),
            false => Duration::ZERO,
        };
        let stage = Stage::Waits(self.now + delay);
        let is_old = position.is_none();
        let replica = Replica { stage, is_old, acked: 0, synced: None, acked_at: self.now };
        self.replication.replicas.insert(client, replica);
        if delay.is_zero() {
            self.send_data_set(|due| due);
        }
        Ok(None)
    }

    fn sync_delay(&self) -> Duration {
        let diskless = self.config.word("repl-diskless-sync").is_none_or(|value| value == "yes");
        let delay = self.config.number("repl-diskless-sync-delay", 5);
        Duration::from_secs(if diskless { delay } else { 0 })
    }

    /// Returns what a replica has missed that has this history up to before `from`, if it can
    /// continue.
    fn missed_by(&mut self, id: &[u8], from: i64) -> Option<Vec<u8>> {
        let from = u64::try_from(from).ok().filter(|from| *from > 0)?;
        let replication = &mut self.replication;
        let own = replication.history();
        let is_former =
            replication.former_id.as_ref().is_some_and(|former| former.as_slice() == id)
                && replication.parts_at.is_some_and(|parts_at| from <= parts_at);
        if own.as_slice() != id && !is_former {
            return None;
        }
        replication.after(from - 1)
    }

    /// Lets a replica continue.
    fn continue_replica(&mut self, client: ClientId, missed: Vec<u8>) {
        let announced = self.replication.announced.get(&client);
        let answer = match announced.is_some_and(|announced| announced.psync2) {
            true => format!("+CONTINUE {}\r\n", self.replication.history()),
            false => "+CONTINUE\r\n".to_owned(),
        };
        self.outbox.bytes(client, answer.into_bytes());
        if !missed.is_empty() {
            self.outbox.bytes(client, missed);
        }
        let stage = Stage::Online;
        let replica = Replica { stage, is_old: false, acked: 0, synced: None, acked_at: self.now };
        self.replication.replicas.insert(client, replica);
        self.observe_role();
    }

    /// Sends the data set to the replicas that wait for it and are chosen by whether they are due.
    fn send_data_set(&mut self, chosen: impl Fn(bool) -> bool) {
        let now = self.now;
        let waits = |replica: &Replica| match replica.stage {
            Stage::Waits(due) => chosen(due <= now),
            Stage::Online => false,
        };
        if !self.replication.replicas.values().any(waits) {
            return;
        }
        self.send_effects(Sent::Together);
        let file = self.data_set();
        let (id, offset) = (self.replication.history(), self.replication.offset);
        self.replication.selected = None;
        let former = self.replication.former_id.clone().unwrap_or(NO_ID.into());
        let parts_at = self.replication.parts_at.unwrap_or(0);
        for (client, replica) in &mut self.replication.replicas {
            if !waits(replica) {
                continue;
            }
            let is_old = replica.is_old;
            *replica =
                Replica { stage: Stage::Online, is_old, acked: 0, synced: None, acked_at: now };
            let announced = self.replication.announced.get(client);
            let parting = match announced.is_some_and(|announced| announced.asks_for_parting) {
                true => format!(" {former} {parts_at}"),
                false => String::new(),
            };
            let position = match is_old {
                true => String::new(),
                false => format!("+FULLRESYNC {id} {offset}{parting}\r\n"),
            };
            let mut bytes = format!("{position}${}\r\n", file.len()).into_bytes();
            bytes.extend_from_slice(&file);
            self.outbox.bytes(*client, bytes);
        }
    }

    /// Notes that a replica has confirmed the stream up to this offset.
    pub(crate) fn acknowledged(&mut self, client: ClientId, offset: u64, synced: Option<u64>) {
        let now = self.now;
        let Some(replica) = self.replication.replicas.get_mut(&client) else { return };
        replica.acked = replica.acked.max(offset);
        replica.synced = replica.synced.max(synced);
        replica.acked_at = now;
        self.serve_waits();
    }

    /// Number of replicas that have confirmed the stream up to this offset.
    pub(crate) fn replicas_with(&self, offset: u64) -> usize {
        let has = |replica: &&Replica| replica.stage == Stage::Online && replica.acked >= offset;
        self.replication.replicas.values().filter(has).count()
    }

    /// Releases the clients for which enough replicas have confirmed their writes.
    pub(in super::super) fn serve_waits(&mut self) {
        for (client, attempt) in self.blocking.waiting_for_replicas() {
            let reply = match attempt {
                Attempt::Replicas { count, offset } => {
                    let have = self.replicas_with(offset);
                    (have >= count).then(|| Reply::count(have))
                }
                Attempt::Synced(wanted) => self.ends_sync_wait(wanted),
                _ => None,
            };
            if let Some(reply) = reply {
                self.release_blocked(client, reply, false, self.notes_every_end());
            }
        }
    }

    /// Number of replicas whose last confirmation is recent.
    pub(crate) fn good_replicas(&self) -> u64 {
        let lag = self.config.number("min-replicas-max-lag", 10);
        let good = |replica: &&Replica| replica.stage == Stage::Online && self.lag(replica) <= lag;
        self.replication.replicas.values().filter(good).count() as u64
    }

    /// Seconds since a replica last confirmed anything.
    pub(crate) fn lag(&self, replica: &Replica) -> u64 {
        self.calendar(self.now).as_secs() - self.calendar(replica.acked_at).as_secs()
    }

    /// Returns whether too few replicas are there for a write.
    pub(crate) fn lacks_replicas(&self) -> bool {
        let wanted = self.config.number("min-replicas-to-write", 0);
        let lag = self.config.number("min-replicas-max-lag", 10);
        wanted > 0 && lag > 0 && !self.replication.is_replica() && self.good_replicas() < wanted
    }

    /// Returns whether clients may not write because the server is a replica.
    pub(crate) fn is_read_only_replica(&self) -> bool {
        self.config.word("replica-read-only") != Some("no")
    }

    /// Returns whether the server must not show its data, because it may be old.
    pub(crate) fn is_stale(&self) -> bool {
        let down = self.replication.link.as_ref().is_some_and(|link| !link.is_connected());
        down && self.config.word("replica-serve-stale-data") == Some("no")
    }

    /// Returns an error if the role refuses writes: that of a replica, or of a master that has too
    /// few replicas.
    pub(crate) fn check_role_for_write(&self) -> Result<(), CommandError> {
        if self.lacks_replicas() {
            return Err(TOO_FEW_REPLICAS);
        }
        if self.replication.is_replica() && self.is_read_only_replica() {
            return Err(READ_ONLY);
        }
        Ok(())
    }

    /// Returns an error if the role refuses a command: a replica its writes, and everything if it
    /// must not show old data; a master its writes, if it has too few replicas. A script is what it
    /// has declared to be.
    pub(in super::super) fn check_role(
        &self,
        client: ClientId,
        command: &Row,
        args: Args<'_>,
        late: bool,
    ) -> Result<(), CommandError> {
        let multi = self.sessions.get(&client).and_then(|session| session.multi.as_ref());
        let queued = multi.filter(|_| command.name == "exec");
        let flags = self.flags_of(command, args);
        if !late {
            let queued = queued.map_or(0, |multi| multi.flags);
            return match (flags | queued) & flag::WRITE {
                0 => Ok(()),
                _ => self.check_role_for_write(),
            };
        }
        let lacking = !flags | queued.map_or(0, |multi| multi.lacking_flags);
        if lacking & flag::STALE != 0 && self.is_stale() {
            return Err(STALE);
        }
        Ok(())
    }

    /// Returns an error if the role refuses a command; see [`Server::check_role`].
    pub(in super::super) fn check_role_for_all(
        &self,
        client: ClientId,
        command: &Row,
        args: Args<'_>,
    ) -> Result<(), CommandError> {
        self.check_role(client, command, args, false)?;
        self.check_role(client, command, args, true)
    }

    /// A client is gone, which may have been a replica.
    pub(in super::super) fn forget_replica(&mut self, client: ClientId) {
        if self.replication.announced.is_empty() && self.replication.replicas.is_empty() {
            return;
        }
        self.replication.announced.shift_remove(&client);
        if self.replication.replicas.shift_remove(&client).is_some()
            && self.replication.replicas.is_empty()
        {
            self.replication.alone_since = self.now;
        }
    }

    /// Disconnects all replicas, which will ask for what they miss.
    pub(in super::super) fn drop_replicas(&mut self) {
        let replicas: Vec<ClientId> = self.replication.replicas.keys().copied().collect();
        replicas.into_iter().for_each(|client| self.close(client));
    }

    /// What a master does once a second.
    pub(in super::super) fn look_after_replicas(&mut self) {
        let period = self.config.number("repl-ping-replica-period", 10).max(1);
        let failing_over = self.replication.failover.is_some();
        if self.replication.rounds.is_multiple_of(period)
            && !self.replication.replicas.is_empty()
            && !failing_over
        {
            self.feed(None, &["PING".into()]);
        }
        let timeout = self.replication_timeout();
        let silent = |replica: &Replica| {
            replica.stage == Stage::Online && self.now - replica.acked_at > timeout
        };
        let silent: Vec<ClientId> = {
            let replicas = self.replication.replicas.iter();
            replicas.filter(|(_, replica)| silent(replica)).map(|(client, _)| *client).collect()
        };
        silent.into_iter().for_each(|client| self.hang_up(client));
        let now = self.now;
        let due = |replica: &Replica| match replica.stage {
            Stage::Waits(due) => due <= now,
            Stage::Online => false,
        };
        // All that wait get it together.
        if self.replication.replicas.values().any(due) {
            self.send_data_set(|_| true);
        }
        self.forget_old_history();
    }

    /// Forgets the history when no replica has been there for long.
    fn forget_old_history(&mut self) {
        let keep = self.config.number("repl-backlog-ttl", 3_600);
        let replication = &self.replication;
        let alone = replication.replicas.is_empty() && !replication.is_replica();
        if alone
            && keep > 0
            && replication.backlog.is_some()
            && self.now - replication.alone_since > Duration::from_secs(keep)
        {
            self.replication.change_id();
            self.replication.backlog = None;
            self.observe_role();
        }
    }
}
