//! The replica's side: what a server does that follows a master.
//!
//! If the master cannot continue the replica's history, it sends the data set, which replaces
//! everything. From then on the replica runs the commands of the stream, byte for byte, and passes
//! the stream on to its own replicas. It never removes an expired key by itself, but does not show
//! it either. `link` has the connection.
//!
//! Source: `replication.c` (`replicationSetMaster`, `readSyncBulkPayload`), `db.c`
//! (`expireIfNeeded`).

use super::link::{Link, LinkState};
use super::{Fidelity, Past, Position, ReplicationId};
use crate::redis::command::Origin;
use crate::redis::database::{Database, keyspaces};
use crate::redis::id::ClientId;
use crate::redis::rdb::{AppendOnly, Next, Snapshot};
use crate::redis::reply::{ErrorReply, Reply};
use crate::redis::server::propagate::{Sent, obeyed};
use crate::redis::server::{Server, Session};
use crate::redis::value::Sds;

/// No connection of a world has this number.
const MASTER: ClientId = ClientId(u64::MAX - 2);

impl Server {
    /// Begins to follow a master (`REPLICAOF`).
    pub(crate) fn follow(&mut self, host: &[u8], port: u16, hands_over: bool) {
        self.send_effects(Sent::Together);
        let was_master = self.replication.link.is_none();
        self.hang_up_link();
        self.end_all_waits();
        if was_master {
            // Its own history may be the beginning of the master's.
            self.replication.history();
            self.has_data_of_master();
        }
        let (continues, was_master) = match &self.replication.link {
            None => (true, true),
            Some(link) => (link.continues, link.was_master),
        };
        let database = self.replication.stream_database();
        self.replication.link = Some(Box::new(Link {
            host: Sds::new(host),
            port,
            state: LinkState::Connect,
            number: 0,
            buffer: Vec::new(),
            read: 0,
            heard: self.now,
            down_since: None,
            database,
            transaction: None,
            continues,
            was_master,
            hands_over,
        }));
        self.observe_role();
        self.dial_master();
    }

    /// Stops following a master, and becomes one (`REPLICAOF NO ONE`).
    pub(crate) fn follow_nobody(&mut self) {
        if self.replication.link.is_none() {
            return;
        }
        self.hang_up_link();
        self.replication.link = None;
        self.replication.shift_id();
        self.drop_replicas();
        self.replication.selected = None;
        self.replication.alone_since = self.now;
        self.observe_role();
        self.publish_events();
        self.send_effects(Sent::OneByOne);
    }

    /// Ends all waits of clients, because the role has changed.
    fn end_all_waits(&mut self) {
        let waiting: Vec<ClientId> = self.blocking.clients().collect();
        for client in waiting {
            let text = "UNBLOCKED force unblock from blocking operation, instance state changed \
                        (master -> replica?)";
            self.unblock(client, Reply::Error(ErrorReply(text.into())));
            self.close(client);
        }
    }

    /// Begins a process with what its disk knows of its history. A master continues it with the
    /// removal of the keys that expired meanwhile.
    pub(in super::super) fn recall_history(&mut self) {
        let is_master = self.options.master().is_none();
        let replication = &mut self.replication;
        (replication.former_id, replication.parts_at, replication.id) = (None, None, None);
        replication.offset = 0;
        let Some(Position { id, offset, .. }) = replication.on_disk.clone() else { return };
        replication.offset = offset;
        if is_master {
            (replication.former_id, replication.parts_at) = (Some(id), Some(offset + 1));
            self.keep_backlog();
        } else {
            replication.id = Some(id);
        }
    }

    /// Begins as a process that has read its keys: as a replica if its options say so.
    pub(in super::super) fn start_replication(&mut self) {
        let master = self.options.master().cloned();
        let known = self.replication.on_disk.take();
        self.send_effects(Sent::OneByOne);
        self.replication.changes_at_start = self.changes();
        if let Some((host, port)) = master {
            self.follow(host.as_bytes(), port, false);
            if let Some(link) = &mut self.replication.link {
                (link.was_master, link.continues) = (false, known.is_some());
                link.database = known.as_ref().map_or(0, |position| position.database);
            }
        }
        self.replication.starts_as_replica = false;
        if known.is_some() {
            self.keep_backlog();
        }
        self.observe_role();
    }

    /// Ends with the process. What is on disk stays known if `saved`.
    pub(in super::super) fn stop_replication(&mut self, saved: bool) {
        let replication = &mut self.replication;
        replication.pending.clear();
        replication.replicas.clear();
        replication.announced.clear();
        replication.dials.clear();
        replication.failover = None;
        replication.wants_acks = false;
        replication.starts_as_replica = self.options.master().is_some();
        let (offset, database) = (replication.offset, replication.stream_database());
        replication.selected = None;
        replication.link = None;
        let id = replication.backlog.is_some().then(|| replication.history());
        let position = |id| Position { id, offset, database };
        replication.on_disk = id.clone().filter(|_| saved).map(position);
        if let (Some(id), Some(backlog)) = (id, replication.backlog.take()) {
            replication.remembered = Some(Past { id, offset, backlog });
        }
        self.observe_role();
    }

    /// The master continues the history, perhaps under a new id.
    pub(super) fn continue_history(&mut self, id: Option<ReplicationId>) {
        let own = self.replication.history();
        if let Some(id) = id.filter(|id| *id != own) {
            self.replication.former_id = Some(own);
            self.replication.parts_at = Some(self.replication.offset + 1);
            self.replication.id = Some(id);
            self.drop_replicas();
        }
        self.connected_to_master();
    }

    fn connected_to_master(&mut self) {
        if let Some(link) = &mut self.replication.link {
            link.state = LinkState::Connected;
            link.continues = true;
            (link.was_master, link.hands_over) = (false, false);
        }
        self.end_failover();
        self.keep_backlog();
        self.confirm();
    }

    /// Replaces all keys with those of the master.
    pub(super) fn adopt_data_set(&mut self, file: &[u8]) {
        let Some(link) = &mut self.replication.link else { return };
        let LinkState::Receives { id, offset, parting, .. } = link.state.clone() else { return };
        let databases = self.databases.len();
        let read =
            Snapshot::read(file, &self.config.limits, self.options.version()).map(|(read, _)| read);
        let Ok((snapshot, saved)) = read.and_then(|snapshot| {
            let records = snapshot.records.clone();
            Ok((snapshot, keyspaces(records, self.databases.len())?))
        }) else {
            return self.give_up_link();
        };
        let lost = self.what_is_discarded(parting, &saved);
        if self.replace_libraries(&snapshot.libraries).is_err() {
            return self.give_up_link();
        }
        // Expired keys stay until the master removes them.
        self.databases.iter_mut().for_each(Database::suspend_expiry);
        self.disk().adopt(saved);
        let now = self.now;
        self.databases.iter_mut().for_each(|database| database.advance_to(now));
        self.publish_events();
        self.drop_replicas();
        if let Some(link) = &mut self.replication.link {
            link.database = snapshot.stream_database().filter(|at| *at < databases).unwrap_or(0);
            (link.read, link.transaction) = (0, None);
        }
        let replication = &mut self.replication;
        replication.id = Some(id);
        (replication.former_id, replication.parts_at) = (None, None);
        replication.offset = offset;
        replication.backlog = None;
        self.has_data_of_master();
        self.connected_to_master();
        if let Some(lost) = lost {
            self.tell_discarded(&lost);
            self.replication.discarded = lost;
            self.replication.untold = true;
        }
    }

    /// Runs the commands of the stream that have arrived.
    pub(super) fn read_stream(&mut self) {
        let Some(link) = &mut self.replication.link else { return };
        let (mut buffer, mut read) = (std::mem::take(&mut link.buffer), link.read);
        let mut commands = AppendOnly::new(&buffer, read);
        let mut applied = 0;
        let broken = loop {
            if self.is_asleep() || !self.link_is_connected() {
                break false;
            }
            match commands.next_command() {
                Ok(Next::Command(words)) => {
                    read = commands.at();
                    if self.run_from_master(&words) {
                        self.append_history(&buffer[applied..read]);
                        applied = read;
                    }
                }
                Ok(Next::End | Next::Truncated) => break false,
                // A newline keeps the connection alive.
                Err(_) if applied == read && buffer.get(read) == Some(&b'\n') => {
                    read += 1;
                    applied = read;
                    commands = AppendOnly::new(&buffer, read);
                }
                Err(_) => break true,
            }
        };
        // A transaction that has not ended stays, since the history has it as a whole.
        if let Some(link) = &mut self.replication.link {
            link.read = read - applied;
            buffer.drain(..applied);
            buffer.append(&mut link.buffer);
            link.buffer = buffer;
        }
        if broken {
            self.hang_up_link();
            self.lose_link();
        }
    }

    fn link_is_connected(&self) -> bool {
        self.replication.link.as_ref().is_some_and(|link| link.is_connected())
    }

    /// Runs a command of the master. Returns whether it is whole: not within a transaction.
    fn run_from_master(&mut self, words: &[&[u8]]) -> bool {
        let Some(link) = &mut self.replication.link else { return true };
        let is = |name: &[u8]| words[0].eq_ignore_ascii_case(name);
        let own = || words.iter().map(|word| Sds::new(word)).collect::<Vec<Sds>>();
        if is(b"multi") {
            link.transaction.get_or_insert_default();
            return false;
        }
        if is(b"exec") {
            let queued = link.transaction.take().unwrap_or_default();
            self.run_all_from_master(&queued);
            return true;
        }
        if let Some(transaction) = &mut link.transaction {
            transaction.push(own());
            return false;
        }
        self.run_all_from_master(&[own()]);
        true
    }

    fn run_all_from_master(&mut self, commands: &[Vec<Sds>]) {
        self.note_own_writes();
        let Some(link) = &self.replication.link else { return };
        let mut session = Session::new(0, &link.host.to_string(), self.now, None);
        session.database = link.database;
        self.sessions.insert(MASTER, session);
        // To the master's commands, keys have not expired: it says which have.
        self.databases.iter_mut().for_each(Database::suspend_expiry);
        self.databases.iter_mut().for_each(|database| database.obeys = true);
        for words in commands {
            let sent: Vec<&[u8]> = words.iter().map(Sds::as_slice).collect();
            let obeyed = obeyed(&sent);
            let words = obeyed.as_ref().unwrap_or(&sent);
            if let Some(command) = self.table.named(words).filter(|c| c.accepts(words.len())) {
                let reply = self.call(MASTER, Origin::Operator, command, words);
                self.note_failure(words, reply);
                self.publish_events();
            }
        }
        let now = self.now;
        for database in &mut self.databases {
            database.obeys = false;
            database.advance_to(now);
        }
        let database = self.sessions.get(&MASTER).map_or(0, |session| session.database);
        self.forget(MASTER);
        if let Some(link) = &mut self.replication.link {
            link.database = database;
        }
        while self.serve_ready() {}
        self.replication.fidelity.changes = self.changes();
    }

    /// Notes whether anybody but the master has written since its last commands.
    fn note_own_writes(&mut self) {
        let changes = self.changes();
        let fidelity = &mut self.replication.fidelity;
        fidelity.has_own_writes |= fidelity.changes != changes;
    }

    /// Begins with the data of the master.
    fn has_data_of_master(&mut self) {
        let changes = self.changes();
        self.replication.fidelity = Fidelity { changes, ..Fidelity::default() };
    }

    /// Notes a command of the master that was answered with an error. Its keys differ from ours.
    fn note_failure(&mut self, words: &[&[u8]], reply: Option<Reply>) {
        let Some(Reply::Error(error)) = reply else { return };
        self.stats.unexpected_errors += 1;
        let fidelity = &mut self.replication.fidelity;
        if cfg!(debug_assertions) && !fidelity.has_own_writes && fidelity.failed.is_none() {
            let words: Vec<String> = words.iter().map(|w| w.escape_ascii().to_string()).collect();
            fidelity.failed = Some(format!("{}: {error}", words.join(" ")));
        }
    }
}
