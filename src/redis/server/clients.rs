//! The server's clients: how they come and go, and how each is told something.

use super::{ClientId, DEFAULT_USER, Server, Session};
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use crate::time::Instant;

impl Server {
    /// A client has connected, from a peer of this name, which `CLIENT LIST`
    /// shows as its address.
    pub fn connected(&mut self, now: Instant, client: ClientId, peer: &str) {
        self.advance(now);
        if !self.running {
            return;
        }
        self.forget(client);
        let id = self.next_id;
        self.next_id += 1;
        self.stats.connections += 1;
        let user = self.config.password().is_none().then_some(DEFAULT_USER);
        self.sessions.insert(client, Session::new(id, peer, now, user));
    }

    /// A client's connection has ended: what it had begun (a transaction, a
    /// wait, its subscriptions) is gone.
    pub fn disconnected(&mut self, now: Instant, client: ClientId) {
        self.advance(now);
        if self.is_asleep() {
            return self.keep_disconnect(client);
        }
        self.forget(client);
        self.settle();
    }

    /// What the server knows of a client that is connected.
    pub(super) fn session_mut(&mut self, client: ClientId) -> &mut Session {
        self.sessions.get_mut(&client).expect("the caller has a session")
    }

    /// Whether a client's next request would have to wait.
    pub(crate) fn is_held_up(&self, client: ClientId) -> bool {
        self.is_asleep()
            || self.blocking.is_blocked(client)
            || (self.paused.is_some() && self.sessions.get(&client).is_some_and(|s| s.postponed))
    }

    /// How many clients wait, for a key or for the end of a pause.
    pub(crate) fn blocked_clients(&self) -> usize {
        self.blocking.len() + self.sessions.values().filter(|session| session.postponed).count()
    }

    /// Whether a client needs no password, or has given it.
    pub(crate) fn is_authenticated(&self, client: ClientId) -> bool {
        self.config.password().is_none()
            || self.sessions.get(&client).is_some_and(|session| session.user.is_some())
    }

    /// Whether a client is told what is said to it now.
    pub(crate) fn wants_reply(&self, client: ClientId) -> bool {
        self.sessions.get(&client).is_some_and(Session::wants_reply)
    }

    /// How many bytes a client may send ahead.
    pub(crate) fn query_buffer_limit(&self) -> usize {
        usize::try_from(self.config.query_buffer_limit).unwrap_or(usize::MAX)
    }

    /// How long an argument may be.
    pub(crate) fn max_bulk_len(&self) -> usize {
        usize::try_from(self.config.limits.string).unwrap_or(usize::MAX)
    }

    /// Whether one more request of a client's may wait for its turn: the client is
    /// closed when it sends more than the limit ahead.
    pub(crate) fn may_wait(&mut self, client: ClientId, request: &[&[u8]]) -> bool {
        let limit = self.query_buffer_limit();
        let Some(session) = self.sessions.get_mut(&client) else { return false };
        session.waiting_bytes +=
            request.iter().map(|arg| arg.len() + size_of::<Sds>()).sum::<usize>();
        let may = session.waiting_bytes <= limit;
        if !may {
            self.close(client);
        }
        may
    }

    /// What a client sent is no request, and it is told so.
    pub(crate) fn protocol_error(&mut self) {
        *self.stats.errors.entry("ERR".into()).or_default() += 1;
    }

    /// Sends a reply, in the client's protocol, unless it wants none.
    pub(crate) fn reply(&mut self, client: ClientId, reply: Reply) {
        if let Some(session) = self.sessions.get(&client).filter(|s| s.wants_reply()) {
            let protocol = session.protocol;
            self.outbox.reply(client, protocol, reply);
        }
    }

    /// Sends what was not asked for, whatever the client says of replies.
    pub(crate) fn push(&mut self, client: ClientId, items: Vec<Reply>) {
        if let Some(session) = self.sessions.get(&client) {
            if session.closing {
                // One that waits only for something to be said to it, to be closed.
                if !session.wants_reply() {
                    self.close(client);
                }
                return;
            }
            let protocol = session.protocol;
            self.outbox.push(client, protocol, items);
        }
    }

    /// Closes a client's connection once what came before is sent.
    pub(crate) fn close(&mut self, client: ClientId) {
        if self.sessions.contains_key(&client) {
            self.forget(client);
            self.outbox.close(client);
        }
    }

    /// Closes a client's connection, and drops what was said to it and not yet sent.
    pub(super) fn hang_up(&mut self, client: ClientId) {
        self.forget(client);
        self.outbox.drop_replies(client);
        self.outbox.close(client);
    }

    /// Everything a client had is gone.
    pub(super) fn forget(&mut self, client: ClientId) {
        self.unwatch(client);
        self.blocking.remove(client, &mut self.databases);
        self.pubsub.remove_client(client);
        self.sessions.shift_remove(&client);
    }

    /// Puts a released client in line to go on with its requests.
    pub(crate) fn release(&mut self, client: ClientId) {
        self.released.push_back(client);
    }
}
