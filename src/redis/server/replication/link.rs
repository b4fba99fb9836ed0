//! The link of a replica to its master: what the machine wants to dial, the greetings, and what
//! arrives.
//!
//! The machine opens no connection by itself. It says what it wants to dial, and to send
//! ([`Dial`]), and is told what comes of it. After the greetings it asks the master to continue its
//! history. `replica` handles what the master then sends.
//!
//! Source: `replication.c` (`syncWithMaster`, `replicaTryPartialResynchronization`).

use super::{ReplicationId, encoded};
use crate::redis::server::Server;
use crate::redis::value::{Sds, number};
use crate::time::Instant;

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
    pub(super) number: u64,
    /// What has arrived and was not handled yet.
    pub(super) buffer: Vec<u8>,
    /// Number of bytes in it that were read: those of a transaction that has not ended.
    pub(super) read: usize,
    /// When anything last arrived.
    pub(crate) heard: Instant,
    /// Since when it is not connected, if it ever was.
    pub(crate) down_since: Option<Instant>,
    /// The database that the stream has selected.
    pub(crate) database: usize,
    /// The commands of a transaction that has not ended.
    pub(super) transaction: Option<Vec<Vec<Sds>>>,
    /// Whether it asks for a history at all: it has one.
    pub(crate) continues: bool,
    /// The server was a master before, and has not been connected since.
    pub(super) was_master: bool,
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

    fn dial(&mut self, action: DialAction) {
        if let Some(link) = &self.replication.link {
            let link = link.number;
            self.replication.dials.push_back(Dial { link, action });
        }
    }

    pub(super) fn dial_master(&mut self) {
        let number = self.replication.next_link;
        self.replication.next_link += 1;
        let now = self.now;
        let Some(link) = &mut self.replication.link else { return };
        link.number = number;
        link.state = LinkState::Connecting;
        link.heard = now;
        link.buffer.clear();
        (link.read, link.transaction) = (0, None);
        let (host, port) = (link.host.to_string(), link.port);
        self.dial(DialAction::Open { host, port });
    }

    pub(super) fn hang_up_link(&mut self) {
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

    /// The connection to the master has ended. The next one is tried at once, or in the next second
    /// if the master had not answered yet.
    pub(super) fn lose_link(&mut self) {
        let now = self.now;
        let Some(link) = &mut self.replication.link else { return };
        if link.is_connected() {
            link.down_since = Some(now);
        }
        let had_answer = link.is_connected() || matches!(link.state, LinkState::Receives { .. });
        if link.hands_over || !had_answer {
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
            let hands_over = link.hands_over;
            self.hang_up_link();
            self.lose_link();
            let waits = |link: &Link| link.state == LinkState::Connect && !hands_over;
            if self.replication.link.as_deref().is_some_and(waits) {
                self.dial_master();
            }
            return;
        }
        self.confirm();
    }

    /// Confirms to the master what this replica has.
    pub(crate) fn confirm(&mut self) {
        if self.replication.link.as_ref().is_some_and(|link| link.is_connected()) {
            let offset = Sds::from(self.replication.offset.to_string());
            let mut words: Vec<Sds> = vec!["REPLCONF".into(), "ACK".into(), offset];
            if self.profile().rewrites.confirm_syncs
                && let Some(synced) = self.synced_offset()
            {
                words.extend(["FACK".into(), synced.to_string().into()]);
            }
            let bytes = encoded(&words);
            self.dial(DialAction::Send(bytes));
        }
    }

    /// Sends the greetings: all but the question for the history.
    fn greet(&mut self) {
        let mut commands: Vec<Vec<Sds>> = Vec::new();
        commands.push(vec!["PING".into()]);
        if let Some(password) = self.config.word("masterauth") {
            let mut auth: Vec<Sds> = vec!["AUTH".into()];
            auth.extend(self.config.word("masteruser").map(Sds::from));
            auth.push(password.into());
            commands.push(auth);
        }
        let announced = self.config.number("replica-announce-port", 0);
        let port = if announced == 0 { u64::from(self.config.port) } else { announced };
        commands.push(vec!["REPLCONF".into(), "listening-port".into(), port.to_string().into()]);
        let address = self.config.word("replica-announce-ip").map(Sds::from);
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

    pub(super) fn give_up_link(&mut self) {
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
}

/// Removes and returns the first line of a buffer, without its end.
fn take_line(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = buffer.iter().position(|byte| *byte == b'\n')?;
    let rest = buffer.split_off(end + 1);
    let line = std::mem::replace(buffer, rest);
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    Some(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}
