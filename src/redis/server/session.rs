//! Sessions: what the server knows of a client.

use super::Request;
use super::command::Row;
use crate::redis::reply::Protocol;
use crate::redis::value::Sds;
use crate::time::Instant;
use std::collections::VecDeque;

/// The state of `CLIENT REPLY`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Replies {
    #[default]
    On,
    Off,
    /// Suppress the reply to the current command, and to the one after it.
    SkipNext,
    /// Suppress the reply to the current command.
    Skip,
}

/// A transaction between `MULTI` and `EXEC`.
#[derive(Debug, Default)]
pub(crate) struct Multi {
    pub(crate) queued: Vec<(&'static Row, Request)>,
    /// The flags of all of them, as their scripts have declared them.
    pub(crate) flags: u32,
    /// The flags that one of them does not have.
    pub(crate) lacking_flags: u32,
    /// A command was refused, so `EXEC` will be refused too.
    pub(crate) failed: bool,
}

/// A key under `WATCH`, and its state at that time.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) database: usize,
    pub(crate) key: Sds,
    pub(crate) version: u64,
    pub(crate) expiries: u64,
    /// It had expired by then, and had not been removed.
    pub(crate) expired: bool,
}

#[derive(Debug)]
pub(crate) struct Session {
    /// The number that `CLIENT ID` returns.
    pub(crate) id: u64,
    pub(crate) peer: String,
    pub(crate) name: Sds,
    pub(crate) created: Instant,
    pub(crate) last_used: Instant,
    pub(crate) last_command: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) database: usize,
    /// The name of its user. `None` may do everything.
    pub(crate) user: Option<Sds>,
    /// It has logged in, or did not need to when it connected.
    pub(crate) authenticated: bool,
    pub(crate) multi: Option<Box<Multi>>,
    pub(crate) watches: Vec<Watch>,
    pub(crate) replies: Replies,
    pub(crate) no_evict: bool,
    /// Requests that wait until the client is released.
    pub(crate) pending: VecDeque<Request>,
    /// Number of bytes sent ahead since no request was waiting.
    pub(crate) waiting_bytes: usize,
    /// The offset of the history after its last command.
    pub(crate) written: u64,
    /// The client waits for the end of a `CLIENT PAUSE`.
    pub(crate) postponed: bool,
    /// The connection closes when the current command has been answered.
    pub(crate) closing: bool,
    /// What the client has said of itself, if anything.
    claims: Option<Box<Claims>>,
}

/// What a client has said of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    /// The name and the version of its library (`CLIENT SETINFO`).
    pub(crate) library: Sds,
    pub(crate) library_version: Sds,
    /// Its commands are no uses of keys (`CLIENT NO-TOUCH`).
    pub(crate) no_touch: bool,
    /// It copies keys from another server (`CLIENT IMPORT-SOURCE`).
    pub(crate) imports: bool,
    /// It follows redirections (`CLIENT CAPA`).
    pub(crate) redirects: bool,
}

impl Session {
    /// Returns what the client has said of itself.
    pub(crate) fn claims(&self) -> Option<&Claims> {
        self.claims.as_deref()
    }

    pub(crate) fn claims_mut(&mut self) -> &mut Claims {
        self.claims.get_or_insert_default()
    }

    pub(super) fn new(id: u64, peer: &str, now: Instant, user: Option<Sds>) -> Session {
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
            authenticated: true,
            multi: None,
            watches: Vec::new(),
            replies: Replies::default(),
            no_evict: false,
            pending: VecDeque::new(),
            waiting_bytes: 0,
            written: 0,
            postponed: false,
            closing: false,
            claims: None,
        }
    }

    pub(super) fn wants_reply(&self) -> bool {
        self.replies == Replies::On || self.replies == Replies::SkipNext
    }

    /// Finishes the current command.
    pub(super) fn command_done(&mut self) {
        self.replies = match self.replies {
            Replies::SkipNext => Replies::Skip,
            Replies::Skip => Replies::On,
            replies @ (Replies::On | Replies::Off) => replies,
        };
    }
}
