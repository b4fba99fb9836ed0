//! The replica's side: the link to a master, and what a server does that follows one.
//!
//! The machine opens no connection by itself. It says what it wants to dial, and to send
//! ([`Dial`]), and is told what comes of it. After the greetings it asks the master to continue its
//! history. If the master cannot, it sends the data set, which replaces everything. From then on
//! the replica runs the commands of the stream, byte for byte, and passes the stream on to its own
//! replicas. It never removes an expired key by itself, but does not show it either.
//!
//! Source: `replication.c` (`syncWithMaster`, `replicationSetMaster`), `db.c` (`expireIfNeeded`).

use super::{Discarded, LostWrite, Past, ReplicationId, encoded};
use crate::redis::command::Origin;
use crate::redis::database::keyspace::{Entry, Keyspace};
use crate::redis::database::{Database, keyspaces};
use crate::redis::id::ClientId;
use crate::redis::rdb::{AppendOnly, Next, Snapshot, dump};
use crate::redis::reply::{ErrorReply, Reply};
use crate::redis::server::propagate::Sent;
use crate::redis::server::{Server, Session};
use crate::redis::value::{Sds, number};
use crate::time::Instant;

/// No connection of a world has this number.
const MASTER: ClientId = ClientId(u64::MAX - 2);

/// Something that a server wants of the connections that it opens itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Number of the connection, which is never used again.
    pub link: u64,
    /// What it wants.
    pub action: DialAction,
}

/// What a server wants of a connection that it opens itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialAction {
    /// To open it. [`Server::dialed`] tells it what came of that.
    Open {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// To send bytes on it.
    Send(Vec<u8>),
    /// To close it.
    Close,
}

/// How far the link to the master is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// The next attempt is made in the next second.
    Connect,
    Connecting,
    /// It has greeted the master, and this many more answers come.
    Greets {
        expected: usize,
    },
    /// It waits for the answer to `PSYNC`.
    Asks,
    /// It receives a data set of this length, or does not know the length yet.
    Receives {
        id: ReplicationId,
        offset: u64,
        parting: Option<(Sds, u64)>,
        len: Option<usize>,
    },
    Connected,
}

/// The link to a master.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) host: Sds,
    pub(crate) port: u16,
    pub(crate) state: LinkState,
    /// The number of its connection.
    number: u64,
    /// What has arrived and was not handled yet.
    buffer: Vec<u8>,
    /// When anything last arrived.
    pub(crate) heard: Instant,
    /// Since when it is not connected.
    pub(crate) down_since: Instant,
    /// The database that the stream has selected.
    database: usize,
    /// The commands of a transaction that has not ended.
    transaction: Option<Vec<Vec<Sds>>>,
    /// Whether it asks for a history at all: it has one.
    continues: bool,
    /// The server was a master before, and has not been connected since.
    was_master: bool,
    /// It asks the other side to become the master.
    pub(crate) hands_over: bool,
}

impl Link {
    pub(crate) fn is_connected(&self) -> bool {
        self.state == LinkState::Connected
    }

    /// Returns the state as `ROLE` shows it.
    pub(crate) fn shown(&self) -> &'static str {
        match self.state {
            LinkState::Connect => "connect",
            LinkState::Connecting => "connecting",
            LinkState::Greets { .. } | LinkState::Asks => "handshake",
            LinkState::Receives { .. } => "sync",
            LinkState::Connected => "connected",
        }
    }
}

impl Server {
    /// Returns the next thing that the server wants of a connection that it opens itself, to the
    /// master that it follows.
    pub fn poll_dial(&mut self) -> Option<Dial> {
        if !self.has_dials() {
            return None;
        }
        match &mut self.sentinel {
            Some(sentinel) => sentinel.dials.pop_front(),
            None => self.replication.dials.pop_front(),
        }
    }

    /// Returns whether [`Server::poll_dial`] returns something.
    pub(crate) fn has_dials(&self) -> bool {
        let any = !self.replication.dials.is_empty()
            || self.sentinel.as_ref().is_some_and(|sentinel| !sentinel.dials.is_empty());
        any && self.running && !self.is_asleep()
    }

    /// A connection that the server wanted to open is open, or was refused.
    pub fn dialed(&mut self, now: Instant, link: u64, open: bool) {
        self.advance(now);
        if let Some(sentinel) = &mut self.sentinel {
            return sentinel.dialed(link, open);
        }
        if !self.is_of(link) {
            return;
        }
        if open {
            self.greet();
        } else {
            self.retry_later();
        }
        self.settle();
    }

    /// Bytes have arrived on a connection that the server has opened itself.
    pub fn dial_received(&mut self, now: Instant, link: u64, bytes: &[u8]) {
        self.advance(now);
        let at = self.now;
        if let Some(sentinel) = &mut self.sentinel {
            sentinel.dial_received(at, link, bytes);
            return self.publish_sentinel_events();
        }
        if !self.is_of(link) {
            return;
        }
        if let Some(link) = &mut self.replication.link {
            link.heard = at;
            link.buffer.extend_from_slice(bytes);
        }
        if !self.is_asleep() && !self.is_busy() {
            self.read_link();
            self.settle();
        }
    }

    /// A connection that the server has opened itself has ended.
    pub fn dial_closed(&mut self, now: Instant, link: u64) {
        self.advance(now);
        if let Some(sentinel) = &mut self.sentinel {
            return sentinel.dial_closed(link);
        }
        if !self.is_of(link) {
            return;
        }
        self.lose_link();
        self.settle();
    }

    fn is_of(&self, number: u64) -> bool {
        self.running
            && self
                .replication
                .link
                .as_ref()
                .is_some_and(|link| link.number == number && link.state != LinkState::Connect)
    }

    /// Begins to follow a master (`REPLICAOF`).
    pub(crate) fn follow(&mut self, host: &[u8], port: u16, hands_over: bool) {
        self.send_effects(Sent::Together);
        let was_master = self.replication.link.is_none();
        self.hang_up_link();
        self.end_all_waits();
        if was_master {
            // Its own history may be the beginning of the master's.
            self.replication.history();
        }
        let (continues, was_master) = match &self.replication.link {
            None => (self.replication.backlog.is_some(), true),
            Some(link) => (link.continues, link.was_master),
        };
        let database = match &self.replication.link {
            Some(link) => link.database,
            None => self.replication.selected.unwrap_or(0),
        };
        self.replication.link = Some(Box::new(Link {
            host: Sds::new(host),
            port,
            state: LinkState::Connect,
            number: 0,
            buffer: Vec::new(),
            heard: self.now,
            down_since: self.now,
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
        self.keep_backlog();
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

    /// Begins as a process that has just started: with what its disk knows of its history, and as
    /// a replica if its options say so.
    pub(in super::super) fn start_replication(&mut self) {
        let master = self.options.master().cloned();
        let replication = &mut self.replication;
        let known = replication.on_disk.take();
        (replication.former_id, replication.parts_at, replication.id) = (None, None, None);
        replication.offset = 0;
        if let Some((id, offset)) = &known {
            replication.offset = *offset;
            if master.is_some() {
                replication.id = Some(id.clone());
            } else {
                (replication.former_id, replication.parts_at) =
                    (Some(id.clone()), Some(offset + 1));
            }
            self.keep_backlog();
        }
        self.replication.changes_at_start = self.changes();
        if let Some((host, port)) = master {
            self.follow(host.as_bytes(), port, false);
            if let Some(link) = &mut self.replication.link {
                (link.was_master, link.continues) = (false, known.is_some());
            }
        }
        self.observe_role();
    }

    /// Ends with the process. What is on disk stays known if `saved`.
    pub(in super::super) fn stop_replication(&mut self, saved: bool) {
        let replication = &mut self.replication;
        replication.pending.clear();
        replication.selected = None;
        replication.replicas.clear();
        replication.announced.clear();
        replication.dials.clear();
        replication.failover = None;
        replication.wants_acks = false;
        replication.link = None;
        let id = replication.backlog.is_some().then(|| replication.history());
        replication.on_disk = id.clone().filter(|_| saved).map(|id| (id, replication.offset));
        if let (Some(id), Some(backlog)) = (id, replication.backlog.take()) {
            let offset = replication.offset;
            replication.remembered = Some(Past { id, offset, backlog });
        }
        self.observe_role();
    }

    fn dial(&mut self, action: DialAction) {
        if let Some(link) = &self.replication.link {
            let link = link.number;
            self.replication.dials.push_back(Dial { link, action });
        }
    }

    fn dial_master(&mut self) {
        let number = self.replication.next_link;
        self.replication.next_link += 1;
        let now = self.now;
        let Some(link) = &mut self.replication.link else { return };
        link.number = number;
        link.state = LinkState::Connecting;
        link.heard = now;
        link.buffer.clear();
        let (host, port) = (link.host.to_string(), link.port);
        self.dial(DialAction::Open { host, port });
    }

    fn hang_up_link(&mut self) {
        let open = self.replication.link.as_ref();
        if open.is_some_and(|link| link.state != LinkState::Connect) {
            self.dial(DialAction::Close);
        }
    }

    fn retry_later(&mut self) {
        self.abort_handover();
        if let Some(link) = &mut self.replication.link {
            link.state = LinkState::Connect;
        }
    }

    /// The connection to the master has ended. The next one is tried at once.
    fn lose_link(&mut self) {
        let now = self.now;
        let Some(link) = &mut self.replication.link else { return };
        if link.is_connected() {
            link.down_since = now;
        }
        link.transaction = None;
        if link.hands_over {
            return self.retry_later();
        }
        self.dial_master();
    }

    /// What a replica does once a second.
    pub(in super::super) fn look_after_link(&mut self) {
        let timeout = self.replication_timeout();
        let now = self.now;
        let Some(link) = &self.replication.link else { return };
        if link.state == LinkState::Connect {
            return self.dial_master();
        }
        if now - link.heard > timeout {
            self.hang_up_link();
            return self.lose_link();
        }
        self.confirm();
    }

    /// Confirms to the master what this replica has.
    pub(crate) fn confirm(&mut self) {
        if self.replication.link.as_ref().is_some_and(|link| link.is_connected()) {
            let offset = Sds::from(self.replication.offset.to_string());
            let bytes = encoded(&["REPLCONF".into(), "ACK".into(), offset]);
            self.dial(DialAction::Send(bytes));
        }
    }

    /// Sends the greetings: all but the question for the history.
    fn greet(&mut self) {
        let mut commands: Vec<Vec<Sds>> = Vec::new();
        commands.push(vec!["PING".into()]);
        if let Some(password) = self.word("masterauth") {
            let mut auth: Vec<Sds> = vec!["AUTH".into()];
            auth.extend(self.word("masteruser").map(Sds::from));
            auth.push(password.into());
            commands.push(auth);
        }
        let announced = self.parameter("replica-announce-port", 0);
        let port = if announced == 0 { u64::from(self.config.port) } else { announced };
        commands.push(vec!["REPLCONF".into(), "listening-port".into(), port.to_string().into()]);
        let address = self.word("replica-announce-ip").map(Sds::from);
        if let Some(address) = address.or_else(|| self.replication.address.clone()) {
            commands.push(vec!["REPLCONF".into(), "ip-address".into(), address]);
        }
        commands.push(["REPLCONF", "capa", "psync2", "capa", "parting"].map(Sds::from).into());
        let now = self.now;
        if let Some(link) = &mut self.replication.link {
            link.state = LinkState::Greets { expected: commands.len() };
            link.heard = now;
        }
        let bytes = commands.iter().flat_map(|words| encoded(words)).collect();
        self.dial(DialAction::Send(bytes));
    }

    /// Asks the master to continue the history.
    fn ask_for_history(&mut self) {
        let Some(link) = &mut self.replication.link else { return };
        link.state = LinkState::Asks;
        let (continues, hands_over) = (link.continues, link.hands_over);
        let mut words: Vec<Sds> = vec!["PSYNC".into()];
        if continues {
            words.push(self.replication.history());
            words.push((self.replication.offset + 1).to_string().into());
        } else {
            words.extend(["?".into(), "-1".into()]);
        }
        if hands_over {
            words.push("FAILOVER".into());
        }
        self.dial(DialAction::Send(encoded(&words)));
    }

    /// Handles what has arrived from the master.
    pub(in super::super) fn read_link(&mut self) {
        loop {
            let Some(link) = &mut self.replication.link else { return };
            match &mut link.state {
                LinkState::Connect | LinkState::Connecting => return,
                LinkState::Greets { .. } | LinkState::Asks => {
                    let Some(line) = take_line(&mut link.buffer) else { return };
                    self.read_answer(&line);
                }
                LinkState::Receives { len: len @ None, .. } => {
                    let Some(line) = take_line(&mut link.buffer) else { return };
                    if line.is_empty() {
                        continue;
                    }
                    let text = line.strip_prefix(b"$").and_then(number::parse_i64);
                    match text.and_then(|len| usize::try_from(len).ok()) {
                        Some(found) => *len = Some(found),
                        None => return self.give_up_link(),
                    }
                }
                LinkState::Receives { len: Some(len), .. } => {
                    if link.buffer.len() < *len {
                        return;
                    }
                    let rest = link.buffer.split_off(*len);
                    let file = std::mem::replace(&mut link.buffer, rest);
                    self.adopt_data_set(&file);
                }
                LinkState::Connected => return self.read_stream(),
            }
        }
    }

    fn give_up_link(&mut self) {
        self.hang_up_link();
        self.retry_later();
    }

    fn read_answer(&mut self, line: &[u8]) {
        let Some(link) = &mut self.replication.link else { return };
        let refuses = line.starts_with(b"-");
        if let LinkState::Greets { expected } = &mut link.state {
            // Old masters refuse some announcements. `PING` may be refused for want of a password.
            let tolerated = [&b"-NOAUTH"[..], b"-NOPERM", b"-ERR operation not permitted"];
            let is_announcement = line.starts_with(b"-ERR Unrecognized REPLCONF");
            if refuses && !is_announcement && !tolerated.iter().any(|t| line.starts_with(t)) {
                return self.give_up_link();
            }
            *expected -= 1;
            if *expected == 0 {
                self.ask_for_history();
            }
            return;
        }
        if line.is_empty() {
            return;
        }
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        match words[..] {
            [b"+FULLRESYNC", id, offset, ref parting @ ..] => {
                let offset = number::parse_i64(offset).and_then(|at| u64::try_from(at).ok());
                let parting = match parting {
                    [former, at] => number::parse_i64(at)
                        .and_then(|at| u64::try_from(at).ok())
                        .map(|at| (Sds::new(former), at)),
                    _ => None,
                };
                let Some(offset) = offset else { return self.give_up_link() };
                let id = Sds::new(id);
                link.state = LinkState::Receives { id, offset, parting, len: None };
                self.end_failover();
            }
            [b"+CONTINUE", ref id @ ..] => {
                let id = id.first().map(|id| Sds::new(id));
                self.continue_history(id);
            }
            _ => self.give_up_link(),
        }
    }

    /// The master continues the history, perhaps under a new id.
    fn continue_history(&mut self, id: Option<ReplicationId>) {
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
    fn adopt_data_set(&mut self, file: &[u8]) {
        let Some(link) = &mut self.replication.link else { return };
        let LinkState::Receives { id, offset, parting, .. } = link.state.clone() else { return };
        let read = Snapshot::from_bytes(file, &self.config.limits);
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
            link.database = 0;
            link.transaction = None;
        }
        let replication = &mut self.replication;
        replication.id = Some(id);
        (replication.former_id, replication.parts_at) = (None, None);
        replication.offset = offset;
        replication.backlog = None;
        self.connected_to_master();
        if let Some(lost) = lost {
            self.tell_discarded(&lost);
            self.replication.discarded = lost;
            self.replication.untold = true;
        }
    }

    /// Returns what this server has and its new master has not, if it was a master itself.
    /// `parting` is the history that the master's continues, and the offset from which on it
    /// differs.
    fn what_is_discarded(
        &self,
        parting: Option<(Sds, u64)>,
        new: &[Keyspace],
    ) -> Option<Discarded> {
        let replication = &self.replication;
        let link = replication.link.as_ref()?;
        if !link.was_master {
            return None;
        }
        let master = link.host.to_string();
        let own = parting.and_then(|(former, parts_at)| self.writes_beyond(&former, parts_at));
        let (writes, known) = (own.as_deref().map(writes_of).unwrap_or_default(), own.is_some());
        let wrote = self.changes() != replication.changes_at_start;
        let keys = if known || !wrote { Vec::new() } else { self.differing_keys(new) };
        let lost = Discarded { writes, keys, master };
        (!lost.writes.is_empty() || !lost.keys.is_empty()).then_some(lost)
    }

    /// Returns the part of its own history that does not belong to another that parts from it
    /// there, or `None` if it is not known.
    fn writes_beyond(&self, former: &Sds, parts_at: u64) -> Option<Vec<u8>> {
        let replication = &self.replication;
        let before = parts_at.checked_sub(1)?;
        if replication.id.as_ref() == Some(former) {
            return replication.after(before.min(replication.offset));
        }
        if replication.former_id.as_ref() == Some(former) {
            return replication.after(replication.parts_at?.min(parts_at).checked_sub(1)?);
        }
        // A history from before it was started last.
        let remembered = replication.remembered.as_ref().filter(|past| past.id == *former)?;
        let mut bytes = remembered.after(before)?;
        bytes.extend(
            replication.backlog.as_ref().map(|log| log.last(log.len())).unwrap_or_default(),
        );
        Some(bytes)
    }

    /// Returns the keys whose values are not those of these databases.
    fn differing_keys(&self, new: &[Keyspace]) -> Vec<(usize, Sds)> {
        let mut keys = Vec::new();
        for (index, (database, new)) in self.databases.iter().zip(new).enumerate() {
            for entry in database.keyspace.iter() {
                let same = |other: &Entry| dump(&other.value) == dump(&entry.value);
                let same = new.get(&entry.key).is_some_and(same);
                if !same {
                    keys.push((index, entry.key.clone()));
                }
            }
        }
        keys
    }

    /// Runs the commands of the stream that have arrived.
    fn read_stream(&mut self) {
        let Some(link) = &mut self.replication.link else { return };
        let buffer = std::mem::take(&mut link.buffer);
        let mut commands = AppendOnly::new(&buffer, 0);
        let mut applied = 0;
        let broken = loop {
            if self.is_asleep() || !self.link_is_connected() {
                break false;
            }
            match commands.next_command() {
                Ok(Next::Command(words)) => {
                    let ends = commands.at();
                    let is_whole = self.run_from_master(&words);
                    if is_whole {
                        self.append_history(&buffer[applied..ends]);
                        applied = ends;
                    }
                    if words.len() == 3 && words[1].eq_ignore_ascii_case(b"getack") {
                        self.confirm();
                    }
                }
                Ok(Next::End | Next::Truncated) => break false,
                // A newline keeps the connection alive.
                Err(_) if buffer.get(commands.at()) == Some(&b'\n') => {
                    commands = AppendOnly::new(&buffer, commands.at() + 1);
                    applied = commands.at();
                }
                Err(_) => break true,
            }
        };
        // A transaction that has not ended is read again as a whole.
        if let Some(link) = &mut self.replication.link {
            link.transaction = None;
            let arrived = std::mem::take(&mut link.buffer);
            link.buffer = [&buffer[applied..], &arrived].concat();
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
        let Some(link) = &self.replication.link else { return };
        let mut session = Session::new(0, &link.host.to_string(), self.now, None);
        session.database = link.database;
        self.sessions.insert(MASTER, session);
        // To the master's commands, keys have not expired: it says which have.
        self.databases.iter_mut().for_each(Database::suspend_expiry);
        for words in commands {
            let words: Vec<&[u8]> = words.iter().map(Sds::as_slice).collect();
            if let Some(command) = self.table.named(&words).filter(|c| c.accepts(words.len())) {
                self.call(MASTER, Origin::Operator, command, &words);
                self.publish_events();
            }
        }
        let now = self.now;
        self.databases.iter_mut().for_each(|database| database.advance_to(now));
        let database = self.sessions.get(&MASTER).map_or(0, |session| session.database);
        self.forget(MASTER);
        if let Some(link) = &mut self.replication.link {
            link.database = database;
        }
        while self.serve_ready() {}
    }
}

/// Removes and returns the first line of a buffer, without its end.
fn take_line(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = buffer.iter().position(|byte| *byte == b'\n')?;
    let rest = buffer.split_off(end + 1);
    let line = std::mem::replace(buffer, rest);
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    Some(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

/// Returns the writes of a part of a history.
fn writes_of(bytes: &[u8]) -> Vec<LostWrite> {
    let mut commands = AppendOnly::new(bytes, 0);
    let (mut writes, mut database) = (Vec::new(), 0);
    while let Ok(Next::Command(words)) = commands.next_command() {
        let is = |name: &[u8]| words[0].eq_ignore_ascii_case(name);
        if is(b"select") {
            let number = words.get(1).and_then(|word| number::parse_i64(word));
            database = number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        } else if !(is(b"ping") || is(b"multi") || is(b"exec") || is(b"replconf")) {
            let command = words.iter().map(|word| Sds::new(word)).collect();
            writes.push(LostWrite { database, command });
        }
    }
    writes
}
