//! `CLIENT PAUSE`: until it ends, clients wait and nothing expires.

use super::Server;
use crate::redis::command::Args;
use crate::redis::id::ClientId;
use crate::redis::value::Sds;
use crate::time::Instant;

/// A `CLIENT PAUSE`: its end, and whether it only delays writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    pub(crate) until: Instant,
    pub(crate) writes_only: bool,
}

impl Server {
    /// Begins a pause (`CLIENT PAUSE`): clients wait, and expired keys stay until it ends.
    pub(crate) fn pause(&mut self, pause: Pause) {
        self.paused = Some(pause);
        self.hold_expiry();
    }

    /// Keeps the request of a client until the pause ends, before those that it has sent since.
    pub(super) fn postpone(&mut self, client: ClientId, request: Args<'_>) {
        let session = self.session_mut(client);
        session.postponed = true;
        session.pending.push_front(request.iter().map(|word| Sds::new(word)).collect());
    }

    /// Ends a pause (`CLIENT UNPAUSE`, or by timeout) and releases the clients that waited.
    pub(crate) fn unpause(&mut self) {
        self.paused = None;
        self.hold_expiry();
        self.publish_events();
        let waiting = self.sessions.iter_mut().filter(|(_, session)| session.postponed);
        for (client, session) in waiting {
            session.postponed = false;
            self.released.push_back(*client);
        }
    }
}
