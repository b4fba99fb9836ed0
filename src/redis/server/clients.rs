//! The server's clients: connecting, disconnecting, and sending to them.

use super::acl::DEFAULT_USER;
use super::{ClientId, Server, Session};
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use crate::time::Instant;

impl Server {
    /// Connects a client. `CLIENT LIST` shows `peer` as its address.
    pub fn connected(&mut self, now: Instant, client: ClientId, peer: &str) {
        self.advance(now);
        if !self.running {
            // Nothing listens there.
            self.outbox.close(client);
            return;
        }
        self.forget(client);
        if self.is_full_for(client) {
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.stats.connections += 1;
        let mut session = Session::new(id, peer, now, Some(DEFAULT_USER.into()));
        session.authenticated = self.acl.is_open;
        self.sessions.insert(client, session);
    }

    /// Ends a client's connection, and with it its transaction, its wait and its subscriptions.
    pub fn disconnected(&mut self, now: Instant, client: ClientId) {
        self.advance(now);
        if self.is_asleep() {
            return self.keep_disconnect(client);
        }
        self.forget(client);
        self.settle();
    }

    /// Returns the session of a client that is connected.
    pub(super) fn session_mut(&mut self, client: ClientId) -> &mut Session {
        self.sessions.get_mut(&client).expect("the caller has a session")
    }

    /// Returns whether a client's next request would have to wait.
    pub(crate) fn is_held_up(&self, client: ClientId) -> bool {
        self.is_asleep()
            || self.blocking.is_blocked(client)
            || self.is_busy_for(client)
            || (self.paused.is_some() && self.sessions.get(&client).is_some_and(|s| s.postponed))
    }

    /// Returns when the server continues with a client that it holds up, if nobody else acts.
    #[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
    pub(crate) fn held_up_until(&self, client: ClientId) -> Option<Instant> {
        if self.is_asleep() {
            self.sleep.until()
        } else if self.blocking.is_blocked(client) {
            let (deadline, idle) = self.blocking.ends(client);
            deadline.into_iter().chain(idle.map(|at| self.passed(at))).min()
        } else {
            self.paused.map(|pause| pause.until)
        }
    }

    /// Number of clients that wait for a key or for the end of a pause.
    pub(crate) fn blocked_clients(&self) -> usize {
        self.blocking.len() + self.sessions.values().filter(|session| session.postponed).count()
    }

    /// Returns whether a client has logged in, or need not.
    pub(crate) fn is_authenticated(&self, client: ClientId) -> bool {
        self.acl.is_open || self.sessions.get(&client).is_some_and(|s| s.authenticated)
    }

    /// Returns whether it pays to look ahead at the keys of a client's requests.
    pub(crate) fn looks_ahead(&self, client: ClientId) -> bool {
        let session = self.sessions.get(&client);
        session.is_some_and(|session| self.databases[session.database].looks_ahead())
    }

    /// Prepares for requests of a client with these keys. It changes only the time that they take.
    pub(crate) fn look_ahead(&self, client: ClientId, keys: &[&[u8]]) {
        if let Some(session) = self.sessions.get(&client) {
            self.databases[session.database].look_ahead(keys);
        }
    }

    /// Returns whether a client receives replies now.
    pub(crate) fn wants_reply(&self, client: ClientId) -> bool {
        self.sessions.get(&client).is_some_and(Session::wants_reply)
    }

    /// Greatest number of bytes that a client may send ahead.
    pub(crate) fn query_buffer_limit(&self) -> usize {
        usize::try_from(self.config.query_buffer_limit).unwrap_or(usize::MAX)
    }

    /// Greatest length of an argument.
    pub(crate) fn max_bulk_len(&self) -> usize {
        usize::try_from(self.config.limits.string).unwrap_or(usize::MAX)
    }

    /// Returns whether another request of a client may wait for its turn. A client that sends more
    /// than the limit ahead is closed.
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

    /// Counts the error reply to bytes that are not a request.
    pub(crate) fn protocol_error(&mut self) {
        *self.stats.errors.entry("ERR".into()).or_default() += 1;
    }

    /// Sends a reply in the client's protocol, unless the client has switched replies off.
    pub(crate) fn reply(&mut self, client: ClientId, reply: Reply) {
        if self.replication.replicas.contains_key(&client) {
            return self.hang_up(client);
        }
        if let Some(session) = self.sessions.get(&client).filter(|s| s.wants_reply()) {
            let protocol = session.protocol;
            self.outbox.reply(client, protocol, reply);
        }
    }

    /// Sends a reply before the one with which the running command of this client ends.
    pub(crate) fn reply_first(&mut self, client: ClientId, reply: Reply) {
        if let Some(session) = self.sessions.get(&client).filter(|s| s.wants_reply()) {
            let protocol = session.protocol;
            self.note_told(client, &reply);
            self.outbox.reply_first(client, protocol, reply);
        }
    }

    /// Sends a message that no request asked for, also to a client that has switched replies off.
    pub(crate) fn push(&mut self, client: ClientId, items: Vec<Reply>) {
        if self.replication.replicas.contains_key(&client) {
            return self.hang_up(client);
        }
        let closes_leavers = self.profile().messages_close_leavers;
        if let Some(session) = self.sessions.get_mut(&client) {
            if session.closing {
                // Such a client is closed with the next thing that is sent to it, or never.
                if !session.wants_reply() && closes_leavers {
                    self.close(client);
                }
                return;
            }
            let protocol = session.protocol;
            session.last_used = self.now;
            let message = Reply::Push(items);
            self.note_told(client, &message);
            self.outbox.push(client, protocol, message);
        }
    }

    /// Closes a client's connection after everything that was sent to it.
    pub(crate) fn close(&mut self, client: ClientId) {
        if self.sessions.contains_key(&client) {
            self.forget(client);
            self.outbox.close(client);
        }
    }

    /// Closes a client's connection, and drops everything that was not yet sent to it.
    pub(super) fn hang_up(&mut self, client: ClientId) {
        self.forget(client);
        self.outbox.drop_replies(client);
        self.outbox.close(client);
    }

    /// Removes everything that belongs to a client.
    pub(super) fn forget(&mut self, client: ClientId) {
        self.unwatch(client);
        self.blocking.remove(client, &mut self.databases);
        self.pubsub.remove_client(client);
        self.watchers.forget(client);
        self.untrack(client);
        self.forget_replica(client);
        self.sessions.shift_remove(&client);
    }

    /// Queues a released client, to continue with its requests.
    pub(crate) fn release(&mut self, client: ClientId) {
        self.released.push_back(client);
    }
}
