//! `CLIENT PAUSE`: clients wait, and nothing expires, until it is over.

use super::Server;
use crate::time::Instant;

/// `CLIENT PAUSE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    pub(crate) until: Instant,
    pub(crate) writes_only: bool,
}

impl Server {
    /// `CLIENT PAUSE`: clients wait, and what has expired stays until it is over.
    pub(crate) fn pause(&mut self, pause: Pause) {
        self.paused = Some(pause);
        self.databases.iter_mut().for_each(|database| database.hold_expiry(true));
    }

    /// `CLIENT UNPAUSE`, or the pause is over: who waited goes on.
    pub(crate) fn unpause(&mut self) {
        self.paused = None;
        self.databases.iter_mut().for_each(|database| database.hold_expiry(false));
        self.publish_events();
        let waiting = self.sessions.iter_mut().filter(|(_, session)| session.postponed);
        for (client, session) in waiting {
            session.postponed = false;
            self.released.push_back(*client);
        }
    }
}
