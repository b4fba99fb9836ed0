//! A broker that speaks AMQP 0-9-1: bytes in, bytes out.
//!
//! This file passes bytes to the sessions, meets their demands (the handshake, the two closes,
//! faults) and turns the broker's outputs into bytes. A session and the broker agree on whether a
//! connection is open, except within a call, when the broker may have closed it already. So the
//! broker's outputs are processed before a demand is met.
//!
//! Source: AMQP 0-9-1, section 2.2.4; RabbitMQ 3.10.8, observed.

use super::decode::ConnectionMethod;
use super::dialect::{AMQP_1_0, answer};
use super::encode::{To, connection_close, encode};
use super::fault::WireFault;
use super::session::{Demand, Phase, Session};
use super::start::start;
use crate::Instant;
use crate::Shutdown;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::protocol::error::{MethodId, ReplyCode};
use crate::rabbitmq::protocol::id::{ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::method::{Event, Method, Output};
use crate::sim::service::{ByteOutput, ByteService, Hangup};
use crate::time::earlier;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Time within which a connection must be open.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Delay before the server hangs up on a client that broke the handshake, so that the client does
/// not reconnect too soon.
pub(super) const PENALTY: Duration = Duration::from_secs(3);

/// A broker that serves clients of AMQP 0-9-1; see [`wire`](super).
///
/// It implements [`ByteService`]: bytes in, bytes out. In a world it is also a
/// [`Service`](crate::sim::service::Service), so that clients of the world and clients that speak bytes
/// share one broker. The publishes of one [`receive`](ByteService::receive) are confirmed together.
///
/// RabbitMQ's sockets have `SO_LINGER` set to 0, so whatever closes them resets them: the close of
/// this server is always [`Hangup::Reset`]. A client that closes its own socket first, as one
/// should after `connection.close-ok`, ends the connection with a FIN.
///
/// ```
/// use stunt_double::rabbitmq::BrokerOptions;
/// use stunt_double::rabbitmq::broker::Broker;
/// use stunt_double::rabbitmq::wire::ByteServer;
/// use stunt_double::sim::service::{ByteOutput, ByteService};
/// use stunt_double::{Instant, Site, Stream};
///
/// let now = Instant::ZERO;
/// let broker = Broker::new(BrokerOptions::default(), Stream::calm(Site::new("names"), 0));
/// let mut server = ByteServer::new(broker);
/// server.connected(now, 1, "a client");
/// server.receive(now, 1, b"AMQP\0\0\x09");
/// assert_eq!(ByteService::poll_output(&mut server), None);
/// server.receive(now, 1, b"\x01");
/// let output = ByteService::poll_output(&mut server);
/// let Some((1, ByteOutput::Data(start))) = output else { panic!("connection.start comes") };
/// assert!(start.starts_with(b"\x01\0\0") && start.ends_with(b"\xCE"));
/// ```
#[derive(Debug)]
pub struct ByteServer {
    pub(super) broker: Broker,
    /// The connections of clients that speak bytes.
    pub(super) sessions: IndexMap<ConnectionId, Session, FxBuildHasher>,
    /// Byte connections with output, in the order in which they got it.
    ready: VecDeque<ConnectionId>,
    /// When sockets are closed, whatever their clients send.
    deadlines: BTreeSet<(Instant, ConnectionId)>,
    /// The time of the last call that took one.
    pub(super) now: Instant,
    /// Whether the broker was lent, so that it may have lost connections without an output.
    lent: bool,
    /// Whether any typed client has ever connected.
    has_typed: bool,
    /// Outputs for typed clients that were found while looking for those of byte connections.
    typed: VecDeque<Output>,
}

impl ByteServer {
    /// Serves the clients of this broker. Connections that the broker already has stay open.
    #[must_use]
    pub fn new(broker: Broker) -> ByteServer {
        ByteServer {
            broker,
            sessions: IndexMap::default(),
            ready: VecDeque::new(),
            deadlines: BTreeSet::new(),
            now: Instant::ZERO,
            lent: false,
            has_typed: false,
            typed: VecDeque::new(),
        }
    }

    /// The broker, read-only.
    #[must_use]
    pub fn machine(&self) -> &Broker {
        &self.broker
    }

    /// The broker, to call directly: what it sends is among the next outputs. Stopping it closes
    /// all connections.
    pub fn machine_mut(&mut self) -> &mut Broker {
        self.lent = true;
        &mut self.broker
    }

    /// The broker, to be asked for stories, which changes nothing else.
    pub(crate) fn teller(&mut self) -> &mut Broker {
        &mut self.broker
    }

    /// The broker, for a call at this time that loses no connection without an output.
    pub(crate) fn broker_at(&mut self, now: Instant) -> &mut Broker {
        self.now = now;
        &mut self.broker
    }

    /// The broker, for an operator's call at this time; see [`ByteServer::machine_mut`].
    pub(crate) fn operated_at(&mut self, now: Instant) -> &mut Broker {
        self.now = now;
        self.machine_mut()
    }

    /// Notes that a typed client has connected.
    pub(crate) fn typed_connected(&mut self) {
        self.has_typed = true;
    }

    /// Returns the next output for a typed client.
    pub(crate) fn poll_typed(&mut self) -> Option<Output> {
        if self.sessions.is_empty() && self.typed.is_empty() {
            return self.broker.poll_output();
        }
        self.pump();
        self.typed.pop_front()
    }

    /// Returns when the next timer that only watches over clients is due.
    pub(crate) fn poll_watch(&self) -> Option<Instant> {
        earlier(self.deadlines.first().map(|(at, _)| *at), self.broker.poll_housekeeping())
    }

    /// Fires the timers that are due by `now`: those of the broker, then those of sockets that are
    /// to be closed.
    pub(crate) fn fire(&mut self, now: Instant) {
        self.now = now;
        self.broker.handle_timeout(now);
        if self.sessions.is_empty() {
            return;
        }
        self.pump();
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= now
        {
            self.hang_up(id);
        }
    }

    /// Stops the server. After a clean stop each byte connection gets its `connection.close`.
    pub(crate) fn stop(&mut self, now: Instant, how: Shutdown) {
        self.now = now;
        match how {
            Shutdown::Clean => {
                self.machine_mut().stop(now);
                if !self.sessions.is_empty() {
                    self.pump();
                }
            }
            Shutdown::Kill => {
                self.forget_sessions();
                self.broker.kill(now);
            }
            Shutdown::PowerLoss => {
                self.forget_sessions();
                self.broker.power_loss(now);
            }
        }
    }

    /// Starts the server again, without any connection.
    pub(crate) fn start(&mut self, now: Instant) {
        self.now = now;
        self.forget_sessions();
        self.broker.start(now);
    }

    /// Wipes everything, including the disk.
    pub(crate) fn wipe(&mut self, now: Instant) {
        self.now = now;
        self.forget_sessions();
        self.broker.wipe(now);
    }

    fn forget_sessions(&mut self) {
        self.sessions.clear();
        self.ready.clear();
        self.deadlines.clear();
        self.typed.clear();
    }
}

impl ByteService for ByteServer {
    fn connected(&mut self, now: Instant, connection: u64, peer: &str) {
        let id = ConnectionId(connection);
        self.broker.name_client(id, peer);
        self.now = now;
        self.sessions.insert(id, Session::new());
        if self.broker.is_running() {
            self.set_deadline(id, Some(now + HANDSHAKE_TIMEOUT));
        } else {
            self.hang_up(id);
        }
    }

    fn receive(&mut self, now: Instant, connection: u64, bytes: &[u8]) {
        let id = ConnectionId(connection);
        if !self.sessions.contains_key(&id) {
            return;
        }
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

    fn disconnected(&mut self, now: Instant, connection: u64) {
        let id = ConnectionId(connection);
        if !self.sessions.contains_key(&id) {
            return;
        }
        self.now = now;
        self.set_deadline(id, None);
        self.sessions.swap_remove(&id);
        self.broker.connection_lost(now, id);
        self.pump();
    }

    fn poll_output(&mut self) -> Option<(u64, ByteOutput)> {
        self.pump();
        while let Some(id) = self.ready.front().copied() {
            if let Some(session) = self.sessions.get_mut(&id) {
                if !session.out.is_empty() {
                    let out = std::mem::take(&mut session.out);
                    return Some((id.0, ByteOutput::Data(out)));
                }
                session.queued = false;
                self.ready.pop_front();
                if session.hung_up {
                    self.sessions.swap_remove(&id);
                    return Some((id.0, ByteOutput::Close(Hangup::Reset)));
                }
            } else {
                self.ready.pop_front();
            }
        }
        None
    }

    fn drain_output(&mut self, connection: u64, out: &mut Vec<u8>) -> Option<Hangup> {
        let id = ConnectionId(connection);
        self.pump();
        let Some(session) = self.sessions.get_mut(&id) else { return Some(Hangup::Reset) };
        out.append(&mut session.out);
        if !session.hung_up {
            return None;
        }
        self.sessions.swap_remove(&id);
        Some(Hangup::Reset)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.broker.poll_work(), self.poll_watch()].into_iter().flatten().min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.fire(now);
        self.pump();
    }
}

impl ByteServer {
    /// Turns the outputs of the broker into bytes, and sorts out those for typed clients.
    pub(super) fn pump(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            let id = output.connection;
            let Some(session) = self.sessions.get_mut(&id) else {
                if self.has_typed {
                    self.typed.push_back(output);
                }
                continue;
            };
            if output.event == Event::ConnectionLost {
                // This is also sent to clients whose connection was closed.
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
            if matches!(output.event, Event::ConnectionClose(_) | Event::ConnectionCloseOk) {
                self.closed(id);
            }
        }
        if std::mem::take(&mut self.lent) {
            self.hang_up_on_the_lost();
        }
    }

    /// Closes the sockets of connections that the broker does not have any more.
    #[cold]
    fn hang_up_on_the_lost(&mut self) {
        let broker = &self.broker;
        let lost = |id: ConnectionId, session: &Session| match session.phase {
            Phase::Running => !broker.has_connection(id),
            Phase::Header | Phase::Starting | Phase::Tuning | Phase::Opening | Phase::Closed => {
                !broker.is_running()
            }
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
            Demand::Refuse(header) => {
                let serves_1_0 = self.broker.profile().serves_amqp_1_0;
                session.out.extend_from_slice(&answer(header, serves_1_0));
                // The server goes on with a client of AMQP 1.0, which is not modelled.
                if !(serves_1_0 && header == AMQP_1_0) {
                    self.hang_up(id);
                }
            }
            Demand::Crash { channel } => {
                if phase != Phase::Closed || channel == 0 {
                    self.hang_up(id);
                }
            }
            Demand::Unreadable => match phase {
                Phase::Running => self.close(id, &WireFault::internal()),
                Phase::Closed => {}
                Phase::Header | Phase::Starting | Phase::Tuning | Phase::Opening => {
                    self.give_up(id);
                }
            },
            Demand::Fault(fault) => self.fault(id, &fault),
            Demand::Misplaced(method) => self.misplaced(id, method),
            Demand::Connection(method_id, method) => self.connection(id, method_id, method),
        }
    }

    /// Runs a method of class connection, if it is permitted in this phase.
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

    /// Answers a method that is not permitted here.
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

    /// Answers a violation of the protocol. A client that has not logged in and opened a vhost is
    /// told nothing.
    fn fault(&mut self, id: ConnectionId, fault: &WireFault) {
        match self.sessions.get(&id).map(|session| session.phase) {
            Some(Phase::Running | Phase::Opening) => self.close(id, fault),
            Some(Phase::Closed) if fault.fatal => self.give_up(id),
            Some(Phase::Closed) | None => {}
            Some(Phase::Header | Phase::Starting | Phase::Tuning) => self.give_up(id),
        }
    }

    /// Closes a connection that the broker may know, with the reason.
    fn close(&mut self, id: ConnectionId, fault: &WireFault) {
        // The connection may not be open yet, which is not an error here.
        let _ = self.broker.connection_close(self.now, id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let close = (fault.code.number(), &fault.text[..], fault.method);
        connection_close(session.dialect, close, &mut session.out);
        self.closed(id);
        if fault.fatal {
            self.give_up(id);
        }
    }

    /// Notes that a close was sent or answered. The client has a while to hang up, or to answer.
    pub(super) fn closed(&mut self, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.closed();
        let seconds = match session.options.heartbeat_seconds() {
            heartbeat @ 1..30 => heartbeat,
            _ => 30,
        };
        let deadline = self.now + Duration::from_secs(seconds.into());
        self.set_deadline(id, Some(deadline));
    }

    /// Stops reading, and hangs up later.
    pub(super) fn give_up(&mut self, id: ConnectionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.deaf = true;
            self.set_deadline(id, Some(self.now + PENALTY));
        }
    }

    /// Closes the socket as soon as everything was sent.
    pub(super) fn hang_up(&mut self, id: ConnectionId) {
        self.set_deadline(id, None);
        self.broker.connection_lost(self.now, id);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.hung_up = true;
            self.mark(id);
        }
    }

    pub(super) fn set_deadline(&mut self, id: ConnectionId, deadline: Option<Instant>) {
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
