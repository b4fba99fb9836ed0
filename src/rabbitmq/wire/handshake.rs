//! The handshake of a connection, from `connection.start-ok` to `connection.open`.
//!
//! Source: AMQP 0-9-1, section 2.2.4; RabbitMQ 3.10.8, observed.

use super::byte_server::{ByteServer, PENALTY};
use super::encode::{connection_close, method};
use super::fault::WireFault;
use super::login;
use super::session::Phase;
use crate::rabbitmq::protocol::error::{MethodId, ReplyCode};
use crate::rabbitmq::protocol::id::{ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::limits::{CHANNEL_MAX, FRAME_MAX, HEARTBEAT};
use crate::rabbitmq::protocol::method::Method;
use crate::rabbitmq::protocol::table::FieldTable;
use smol_str::SmolStr;
use std::time::Duration;

impl ByteServer {
    /// Handles `connection.start-ok`.
    pub(super) fn log_in(
        &mut self,
        id: ConnectionId,
        client: &FieldTable,
        mechanism: &str,
        response: &[u8],
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let offered = self.broker.profile().server.mechanisms;
        let login = offered.contains(&mechanism).then(|| login::read(mechanism, response));
        let Some(login) = login.flatten() else {
            return self.give_up(id);
        };
        let capabilities = client.get("capabilities");
        let can = |name| login::has_capability(capabilities, name);
        let is_anonymous = mechanism == login::ANONYMOUS;
        if is_anonymous || self.broker.authenticate(&login.user, &login.password) {
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
        // Clients that would not understand the close are told nothing.
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

    /// Handles `connection.tune-ok`. 0 means unlimited, which exceeds the server's limit and is
    /// refused.
    pub(super) fn tune(
        &mut self,
        id: ConnectionId,
        channel_max: u16,
        frame_max: u32,
        heartbeat: u16,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let channels = 1..=CHANNEL_MAX;
        let frames = self.broker.profile().frame_min..=FRAME_MAX;
        if !channels.contains(&channel_max) || !frames.contains(&frame_max) {
            return self.give_up(id);
        }
        session.options.channel_max = channel_max;
        session.options.heartbeat = Duration::from_secs(heartbeat.into());
        session.frame_max = frame_max;
        session.phase = Phase::Opening;
    }

    /// Handles `connection.open`.
    pub(super) fn open(&mut self, id: ConnectionId, virtual_host: SmolStr) {
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
            // The handshake counts as traffic too.
            self.broker.heard(id);
        }
    }
}
