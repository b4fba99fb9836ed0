//! What the server knows of a client.

use super::Request;
use super::command::Row;
use crate::redis::reply::Protocol;
use crate::redis::value::Sds;
use crate::time::Instant;
use smol_str::SmolStr;
use std::collections::VecDeque;

/// The name of a user.
pub(crate) type User = SmolStr;

/// The only user there is.
pub(crate) const DEFAULT_USER: User = SmolStr::new_static("default");

/// `CLIENT REPLY`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Replies {
    #[default]
    On,
    Off,
    /// Not to the command that said so; then not to one more.
    SkipNext,
    /// Not to the command that runs now.
    Skip,
}

/// A transaction that is being put together.
#[derive(Debug, Default)]
pub(crate) struct Multi {
    pub(crate) queued: Vec<(&'static Row, Request)>,
    /// A command was refused: `EXEC` will be, too.
    pub(crate) failed: bool,
}

/// A key under `WATCH`, and what had happened to it by then.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) database: usize,
    pub(crate) key: Sds,
    pub(crate) version: u64,
    pub(crate) expiries: u64,
    /// It had expired by then, and nobody had noticed.
    pub(crate) expired: bool,
}

#[derive(Debug)]
pub(crate) struct Session {
    /// As `CLIENT ID` tells it.
    pub(crate) id: u64,
    pub(crate) peer: String,
    pub(crate) name: Sds,
    pub(crate) created: Instant,
    pub(crate) last_used: Instant,
    pub(crate) last_command: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) database: usize,
    /// As whom it has logged in, if it has.
    pub(crate) user: Option<User>,
    pub(crate) multi: Option<Multi>,
    pub(crate) watches: Vec<Watch>,
    pub(crate) replies: Replies,
    pub(crate) no_evict: bool,
    /// Requests that wait until it is released.
    pub(crate) pending: VecDeque<Request>,
    /// How many bytes it has sent ahead since it last had nothing waiting.
    pub(crate) waiting_bytes: usize,
    /// It waits for the end of a `CLIENT PAUSE`.
    pub(crate) postponed: bool,
    /// Its connection closes when the command that runs now is answered.
    pub(crate) closing: bool,
}

impl Session {
    pub(super) fn new(id: u64, peer: &str, now: Instant, user: Option<User>) -> Session {
        Session {
            id,
            peer: peer.to_owned(),
            name: Sds::default(),
            created: now,
            last_used: now,
            last_command: "NULL",
            protocol: Protocol::default(),
            database: 0,
            user,
            multi: None,
            watches: Vec::new(),
            replies: Replies::default(),
            no_evict: false,
            pending: VecDeque::new(),
            waiting_bytes: 0,
            postponed: false,
            closing: false,
        }
    }

    pub(super) fn wants_reply(&self) -> bool {
        self.replies == Replies::On || self.replies == Replies::SkipNext
    }

    /// The command that runs now is done.
    pub(super) fn command_done(&mut self) {
        self.replies = match self.replies {
            Replies::SkipNext => Replies::Skip,
            Replies::Skip => Replies::On,
            replies @ (Replies::On | Replies::Off) => replies,
        };
    }
}
