//! A broker that speaks AMQP 0-9-1: bytes in, bytes out.
//!
//! This file drives: it hands bytes to the sessions, meets their demands (the
//! handshake, the two closes, faults) and turns what the broker says into bytes.
//! A session and the broker agree on whether a connection is open, except
//! within a call: the broker may have closed it already. So before a demand is
//! met, what the broker has said is read.
//!
//! Source: AMQP 0-9-1, section 2.2.4; RabbitMQ 3.10.8, observed.

use super::decode::ConnectionMethod;
use super::encode::{To, connection_close, encode, method};
use super::fault::WireFault;
use super::login;
use super::session::{Demand, Phase, Session};
use super::start::{MECHANISMS, PROTOCOL_HEADER, start};
use crate::Instant;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::protocol::error::{MethodId, ReplyCode};
use crate::rabbitmq::protocol::id::{ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::method::{Event, Method};
use crate::rabbitmq::protocol::table::FieldTable;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// A connection must be open so long after it was made.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server waits before it hangs up on a client that broke the
/// handshake, so that it does not come back too soon.
const PENALTY: Duration = Duration::from_secs(3);

/// What the server offers: channels, the length of frames, seconds between
/// heartbeats.
const CHANNEL_MAX: u16 = 2_047;
const FRAME_MAX: u32 = 131_072;
const HEARTBEAT: u16 = 60;

/// The least that a client may want frames to be.
const FRAME_MIN: u32 = 4_096;

/// Something to do for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Bytes(Vec<u8>),
    /// Close its socket with a reset (RST), once what was sent is out; nothing
    /// follows. However a connection ends, RabbitMQ resets it: its sockets have
    /// `SO_LINGER` set to no time. A client that closes its own socket first, as one
    /// should after `connection.close-ok`, ends it with a FIN.
    Reset,
}

/// A broker at the level of bytes; see [`wire`](super).
///
/// Its outputs are to be polled after every input, its timer with every answer.
/// The publishes of one call are confirmed together.
///
/// ```
/// use stunt_double::rabbitmq::wire::{ByteServer, Output};
/// use stunt_double::rabbitmq::{Broker, BrokerOptions, ConnectionId};
/// use stunt_double::{Instant, Site, Stream};
///
/// let now = Instant::ZERO;
/// let broker = Broker::new(BrokerOptions::default(), Stream::calm(Site::new("names"), 0));
/// let mut server = ByteServer::new(broker);
/// let client = ConnectionId(1);
/// server.connect(now, client);
/// server.handle_bytes(now, client, b"AMQP\0\0\x09");
/// assert_eq!(server.poll_output(), None);
/// server.handle_bytes(now, client, b"\x01");
/// // connection.start
/// let Some((_, Output::Bytes(start))) = server.poll_output() else { panic!() };
/// assert!(start.starts_with(b"\x01\0\0") && start.ends_with(b"\xCE"));
/// ```
#[derive(Debug)]
pub struct ByteServer {
    broker: Broker,
    sessions: IndexMap<ConnectionId, Session, FxBuildHasher>,
    /// Connections with output, in the order they got it.
    ready: VecDeque<ConnectionId>,
    /// When sockets are closed, whatever their clients say.
    deadlines: BTreeSet<(Instant, ConnectionId)>,
    /// The time of the last call that had one.
    now: Instant,
    /// The broker was lent, so it may have lost connections without a word.
    lent: bool,
}

impl ByteServer {
    /// Speaks for this broker. Connections that it has already are not touched.
    #[must_use]
    pub fn new(broker: Broker) -> ByteServer {
        ByteServer {
            broker,
            sessions: IndexMap::default(),
            ready: VecDeque::new(),
            deadlines: BTreeSet::new(),
            now: Instant::ZERO,
            lent: false,
        }
    }

    /// The broker itself, to look into.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The broker itself, to change directly: what comes of it is among the next
    /// outputs. If it is stopped, all connections are closed.
    pub fn broker_mut(&mut self) -> &mut Broker {
        self.lent = true;
        &mut self.broker
    }

    /// A client has connected. The id must not have been used before, neither
    /// here nor with the broker.
    pub fn connect(&mut self, now: Instant, id: ConnectionId) {
        self.now = now;
        self.sessions.insert(id, Session::new());
        if self.broker.is_running() {
            self.set_deadline(id, Some(now + HANDSHAKE_TIMEOUT));
        } else {
            self.hang_up(id);
        }
    }

    /// A client's connection has ended. Harmless if that is known.
    pub fn disconnected(&mut self, now: Instant, id: ConnectionId) {
        self.now = now;
        self.set_deadline(id, None);
        self.sessions.swap_remove(&id);
        self.broker.connection_lost(now, id);
        self.pump();
    }

    /// Bytes of a client have arrived. Those of one that is not connected, or to
    /// which the server does not listen any more, are dropped.
    pub fn handle_bytes(&mut self, now: Instant, id: ConnectionId, bytes: &[u8]) {
        self.now = now;
        self.broker.heard(id);
        let mut input = bytes;
        while let Some(session) = self.sessions.get_mut(&id) {
            let Some(demand) = session.read(&mut self.broker, now, id, &mut input) else { break };
            self.pump();
            self.meet(id, demand);
            self.mark(id);
        }
        self.pump();
    }

    /// The next thing to do for a connection, if there is one.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<(ConnectionId, Output)> {
        self.pump();
        while let Some(id) = self.ready.front().copied() {
            if let Some(session) = self.sessions.get_mut(&id) {
                if !session.out.is_empty() {
                    let out = std::mem::take(&mut session.out);
                    return Some((id, Output::Bytes(out)));
                }
                session.queued = false;
                self.ready.pop_front();
                if session.hung_up {
                    self.sessions.swap_remove(&id);
                    return Some((id, Output::Reset));
                }
            } else {
                self.ready.pop_front();
            }
        }
        None
    }

    /// Appends what is to be sent to a client to `out`, and returns whether its
    /// connection is to be reset then; an alternative to
    /// [`ByteServer::poll_output`] for one connection, without an allocation.
    pub fn drain_output(&mut self, id: ConnectionId, out: &mut Vec<u8>) -> bool {
        self.pump();
        let Some(session) = self.sessions.get_mut(&id) else { return true };
        out.append(&mut session.out);
        let hung_up = session.hung_up;
        if hung_up {
            self.sessions.swap_remove(&id);
        }
        hung_up
    }

    /// When [`ByteServer::handle_timeout`] is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        [deadline, self.broker.poll_timeout()].into_iter().flatten().min()
    }

    /// Fires the timers that are due by `now`: those of the broker, then those
    /// of sockets that are to be closed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.broker.handle_timeout(now);
        self.pump();
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= now
        {
            self.hang_up(id);
        }
    }

    /// Turns what the broker has said into bytes.
    fn pump(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            let id = output.connection;
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            if output.event == Event::ConnectionLost {
                // Said to a client that was told to close, too.
                self.hang_up(id);
                continue;
            }
            if session.phase == Phase::Closed || session.hung_up {
                continue;
            }
            let said = To { channel: output.channel.0, ..session.to() };
            encode(&output.event, said, &mut session.out);
            if !session.queued {
                session.queued = true;
                self.ready.push_back(id);
            }
            match output.event {
                Event::ConnectionClose(_) | Event::ConnectionCloseOk => self.closed(id),
                _ => {}
            }
        }
        if std::mem::take(&mut self.lent) {
            self.hang_up_on_the_lost();
        }
    }

    /// Closes the sockets of connections that the broker has no more.
    #[cold]
    fn hang_up_on_the_lost(&mut self) {
        let broker = &self.broker;
        let lost = |id: ConnectionId, session: &Session| match session.phase {
            Phase::Running => !broker.has_connection(id),
            _ => !broker.is_running(),
        };
        let lost: Vec<ConnectionId> =
            self.sessions.iter().filter(|(id, s)| lost(**id, s)).map(|(id, _)| *id).collect();
        for id in lost {
            self.hang_up(id);
        }
    }

    fn meet(&mut self, id: ConnectionId, demand: Demand) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let phase = session.phase;
        match demand {
            Demand::Start(dialect) => {
                session.phase = Phase::Starting;
                session.dialect = dialect;
                start(dialect, self.broker.version(), &mut session.out);
            }
            Demand::Refuse => {
                session.out.extend_from_slice(&PROTOCOL_HEADER);
                self.hang_up(id);
            }
            Demand::Crash { channel } => {
                if phase != Phase::Closed || channel == 0 {
                    self.hang_up(id);
                }
            }
            Demand::Unreadable => match phase {
                Phase::Running => self.close(id, &WireFault::internal()),
                Phase::Closed => {}
                _ => self.give_up(id),
            },
            Demand::Fault(fault) => self.fault(id, &fault),
            Demand::Misplaced(method) => self.misplaced(id, method),
            Demand::Connection(method_id, method) => self.connection(id, method_id, method),
        }
    }

    /// Does a method of class connection, where the phase is one for it.
    fn connection(&mut self, id: ConnectionId, method_id: MethodId, method: ConnectionMethod) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (now, zero) = (self.now, ChannelNumber(0));
        match (session.phase, method) {
            (
                Phase::Starting,
                ConnectionMethod::StartOk { client_properties, mechanism, response },
            ) => self.log_in(id, &client_properties, &mechanism, &response),
            (Phase::Tuning, ConnectionMethod::TuneOk { channel_max, frame_max, heartbeat }) => {
                self.tune(id, channel_max, frame_max, heartbeat);
            }
            (Phase::Opening, ConnectionMethod::Open { virtual_host }) => {
                self.open(id, virtual_host);
            }
            (Phase::Running, ConnectionMethod::Close) => {
                self.broker.handle_input(now, id, zero, Method::ConnectionClose);
                self.pump();
            }
            (Phase::Running, ConnectionMethod::UpdateSecret { new_secret, reason }) => {
                let method = Method::ConnectionUpdateSecret { new_secret, reason };
                self.broker.handle_input(now, id, zero, method);
            }
            (Phase::Closed, ConnectionMethod::Close) => {
                encode(&Event::ConnectionCloseOk, session.to(), &mut session.out);
            }
            (Phase::Closed, ConnectionMethod::CloseOk) => self.hang_up(id),
            _ => self.misplaced(id, method_id),
        }
    }

    /// `connection.start-ok`.
    fn log_in(&mut self, id: ConnectionId, client: &FieldTable, mechanism: &str, response: &[u8]) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let login = MECHANISMS.contains(&mechanism).then(|| login::read(mechanism, response));
        let Some(login) = login.flatten() else {
            return self.give_up(id);
        };
        let capabilities = client.get("capabilities");
        let can = |name| login::has_capability(capabilities, name);
        if self.broker.authenticate(&login.user, &login.password) {
            session.options.user = login.user;
            session.options.password = login.password;
            session.options.consumer_cancel_notify = can("consumer_cancel_notify");
            session.options.connection_blocked = can("connection.blocked");
            session.phase = Phase::Tuning;
            method(0, MethodId::new(10, 30), &mut session.out, |out| {
                out.extend_from_slice(&CHANNEL_MAX.to_be_bytes());
                out.extend_from_slice(&FRAME_MAX.to_be_bytes());
                out.extend_from_slice(&HEARTBEAT.to_be_bytes());
            });
            return;
        }
        // A client that could not make sense of it is told nothing.
        if can("authentication_failure_close") {
            let reason = format!(
                "Login was refused using authentication mechanism {mechanism}. For details see \
                 the broker logfile."
            );
            let fault = WireFault::new(ReplyCode::AccessRefused, &reason, MethodId::NONE);
            let close = (fault.code.number(), &fault.text[..], fault.method);
            connection_close(session.dialect, close, &mut session.out);
        }
        session.closed();
        self.set_deadline(id, Some(self.now + PENALTY));
    }

    /// `connection.tune-ok`. No limit is beyond any limit.
    fn tune(&mut self, id: ConnectionId, channel_max: u16, frame_max: u32, heartbeat: u16) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let channels = 1..=CHANNEL_MAX;
        let frames = FRAME_MIN..=FRAME_MAX;
        if !channels.contains(&channel_max) || !frames.contains(&frame_max) {
            return self.give_up(id);
        }
        session.options.channel_max = channel_max;
        session.options.heartbeat = heartbeat;
        session.frame_max = frame_max;
        session.phase = Phase::Opening;
    }

    /// `connection.open`.
    fn open(&mut self, id: ConnectionId, virtual_host: SmolStr) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.options.virtual_host = virtual_host;
        let method = Method::ConnectionOpen(session.options.clone());
        self.broker.handle_input(self.now, id, ChannelNumber(0), method);
        self.pump();
        if self.broker.has_connection(id)
            && let Some(session) = self.sessions.get_mut(&id)
        {
            session.phase = Phase::Running;
            self.set_deadline(id, None);
            // The handshake is a sign of life too.
            self.broker.heard(id);
        }
    }

    /// A method where it does not belong.
    fn misplaced(&mut self, id: ConnectionId, method: MethodId) {
        let phase = self.sessions.get(&id).map(|session| session.phase);
        let state = match phase {
            Some(Phase::Running) => "running",
            Some(Phase::Opening) => "opening",
            Some(Phase::Closed) | None => return,
            Some(Phase::Header | Phase::Starting | Phase::Tuning) => return self.give_up(id),
        };
        let reason = format!("unexpected method in connection state {state}");
        self.close(id, &WireFault::new(ReplyCode::ChannelError, &reason, method));
    }

    /// The client has broken the protocol. Before it has said who it is and what
    /// it wants, it is told nothing.
    fn fault(&mut self, id: ConnectionId, fault: &WireFault) {
        match self.sessions.get(&id).map(|session| session.phase) {
            Some(Phase::Running | Phase::Opening) => self.close(id, fault),
            Some(Phase::Closed) if fault.fatal => self.give_up(id),
            Some(Phase::Closed) | None => {}
            Some(Phase::Header | Phase::Starting | Phase::Tuning) => self.give_up(id),
        }
    }

    /// Closes a connection that the broker may know, and says why.
    fn close(&mut self, id: ConnectionId, fault: &WireFault) {
        // That it is not open yet is no error here.
        let _ = self.broker.connection_close(self.now, id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let close = (fault.code.number(), &fault.text[..], fault.method);
        connection_close(session.dialect, close, &mut session.out);
        self.closed(id);
        if fault.fatal {
            self.give_up(id);
        }
    }

    /// A close was sent, or answered: the client has a while to hang up, or to
    /// answer.
    fn closed(&mut self, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.closed();
        let seconds = match session.options.heartbeat {
            heartbeat @ 1..30 => heartbeat,
            _ => 30,
        };
        let deadline = self.now + Duration::from_secs(seconds.into());
        self.set_deadline(id, Some(deadline));
    }

    /// Listens no more, and hangs up later.
    fn give_up(&mut self, id: ConnectionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.deaf = true;
            self.set_deadline(id, Some(self.now + PENALTY));
        }
    }

    /// Closes the socket as soon as all was sent.
    fn hang_up(&mut self, id: ConnectionId) {
        self.set_deadline(id, None);
        self.broker.connection_lost(self.now, id);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.hung_up = true;
            self.mark(id);
        }
    }

    fn set_deadline(&mut self, id: ConnectionId, deadline: Option<Instant>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Some(old) = std::mem::replace(&mut session.deadline, deadline) {
            self.deadlines.remove(&(old, id));
        }
        self.deadlines.extend(deadline.map(|at| (at, id)));
    }

    fn mark(&mut self, id: ConnectionId) {
        if let Some(session) = self.sessions.get_mut(&id)
            && !std::mem::replace(&mut session.queued, true)
        {
            self.ready.push_back(id);
        }
    }
}
