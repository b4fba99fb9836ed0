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

/// The size of a transaction's queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QueueSize {
    pub(crate) commands: usize,
    pub(crate) words: usize,
    /// Bytes of all words.
    pub(crate) bytes: usize,
}

impl Multi {
    pub(crate) fn size(&self) -> QueueSize {
        let words = || self.queued.iter().flat_map(|(_, words)| words);
        QueueSize {
            commands: self.queued.len(),
            words: words().count(),
            bytes: words().map(|word| word.len()).sum(),
        }
    }
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
    pub(crate) peer: Box<str>,
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
    /// The size of its queue, while `EXEC` runs the commands.
    pub(crate) executing: Option<Box<QueueSize>>,
    /// It has used `WATCH` or `MULTI`, ever.
    pub(crate) has_queue: bool,
    pub(crate) watches: Vec<Watch>,
    pub(crate) replies: Replies,
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
    /// Its name (`CLIENT SETNAME`).
    pub(crate) name: Sds,
    /// The name and the version of its library (`CLIENT SETINFO`).
    pub(crate) library: Sds,
    pub(crate) library_version: Sds,
    /// It is not evicted for its memory (`CLIENT NO-EVICT`).
    pub(crate) no_evict: bool,
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

    /// Returns the name that the client has given itself. It may be empty.
    pub(crate) fn name(&self) -> &[u8] {
        self.claims().map_or(&[], |claims| claims.name.as_slice())
    }

    /// Forgets the client's name, and what marks its commands if `marks` is set. Its library and
    /// its capabilities stay, because they belong to the connection.
    pub(crate) fn forget_claims(&mut self, marks: bool) {
        if let Some(claims) = &mut self.claims {
            claims.name = Sds::default();
            if marks {
                claims.no_evict = false;
                claims.no_touch = false;
                claims.imports = false;
            }
        }
    }

    pub(crate) fn no_evict(&self) -> bool {
        self.claims().is_some_and(|claims| claims.no_evict)
    }

    pub(crate) fn claims_mut(&mut self) -> &mut Claims {
        self.claims.get_or_insert_default()
    }

    pub(super) fn new(id: u64, peer: &str, now: Instant, user: Option<Sds>) -> Session {
        Session {
            id,
            peer: peer.into(),
            created: now,
            last_used: now,
            last_command: "NULL",
            protocol: Protocol::default(),
            database: 0,
            user,
            authenticated: true,
            multi: None,
            executing: None,
            has_queue: false,
            watches: Vec::new(),
            replies: Replies::default(),
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
