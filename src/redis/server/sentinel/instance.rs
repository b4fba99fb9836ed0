//! What a Sentinel knows of another server: a master, a replica, or another Sentinel.

use super::Address;
use crate::time::Instant;
use std::time::Duration;

/// The kind of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Master,
    Replica,
    Sentinel,
}

/// How far a replica is that is to follow a new master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reconfigured {
    Sent(Instant),
    InProgress,
    Done,
}

/// A server that a Sentinel knows.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) kind: Kind,
    pub(crate) address: Address,
    pub(crate) run_id: Option<String>,
    /// The connection for commands, and the one that listens, and since when they are there.
    pub(crate) commands: Option<u64>,
    pub(super) commands_since: Instant,
    pub(crate) listens: Option<u64>,
    pub(super) listens_since: Instant,
    /// When it was last heard on the latter.
    pub(super) heard_at: Instant,
    /// When a connection was last tried.
    pub(super) tried: Option<Instant>,
    /// When the last `PING` was sent, and the first that has no answer yet.
    pub(crate) pinged: Option<Instant>,
    pub(crate) unanswered: Option<Instant>,
    /// When it last answered at all, and in a way that means it works.
    pub(crate) answered: Instant,
    pub(crate) available: Instant,
    pub(crate) info_at: Option<Instant>,
    /// When it was last greeted.
    pub(super) greeted: Instant,
    /// Since when it seems to be down to this Sentinel.
    pub(crate) s_down: Option<Instant>,
    /// It was told to kill its script, because it was busy when it seemed to be down.
    pub(super) script_kill_sent: bool,
    /// When it last began to seem so.
    last_down: Option<Instant>,
    /// Whether it says that it is a master, and since when.
    pub(crate) reports_master: Option<bool>,
    pub(crate) role_since: Instant,
    pub(super) config_since: Instant,
    /// Of a replica: the master that it follows, and the state of that link.
    pub(crate) follows: Option<Address>,
    pub(crate) link_is_up: bool,
    pub(crate) link_down_for: Duration,
    pub(crate) priority: u64,
    pub(crate) offset: u64,
    pub(crate) promoted: bool,
    pub(crate) reconfigured: Option<Reconfigured>,
    /// Of a Sentinel: whether it considers the master down, when it said so, and for whom it voted.
    pub(crate) says_down: bool,
    pub(super) said_at: Option<Instant>,
    pub(crate) voted: Option<String>,
    pub(crate) voted_in: u64,
    pub(crate) hello_at: Instant,
}

impl Instance {
    pub(super) fn new(now: Instant, kind: Kind, address: Address) -> Instance {
        Instance {
            kind,
            address,
            run_id: None,
            commands: None,
            commands_since: now,
            listens: None,
            listens_since: now,
            heard_at: now,
            tried: None,
            pinged: None,
            unanswered: Some(now),
            answered: now,
            available: now,
            info_at: None,
            greeted: now,
            s_down: None,
            script_kill_sent: false,
            last_down: None,
            reports_master: Some(kind == Kind::Master),
            role_since: now,
            config_since: now,
            follows: None,
            link_is_up: false,
            link_down_for: Duration::ZERO,
            priority: 100,
            offset: 0,
            promoted: false,
            reconfigured: None,
            says_down: false,
            said_at: None,
            voted: None,
            voted_in: 0,
            hello_at: now,
        }
    }

    /// Begins anew: of it, only the address is known, and the id of a Sentinel.
    pub(super) fn begin(&mut self, now: Instant) {
        let run_id = self.run_id.take().filter(|_| self.kind == Kind::Sentinel);
        let new = Instance::new(now, self.kind, std::mem::take(&mut self.address));
        *self = Instance { run_id, ..new };
    }

    pub(crate) fn is_disconnected(&self) -> bool {
        self.commands.is_none() || (self.kind != Kind::Sentinel && self.listens.is_none())
    }

    pub(super) fn line_ended(&mut self, number: u64) {
        self.commands.take_if(|line| *line == number);
        self.listens.take_if(|line| *line == number);
    }

    pub(super) fn set_down(&mut self, now: Instant, is_down: bool) {
        self.s_down = is_down.then_some(now);
        self.script_kill_sent &= is_down;
        self.last_down = self.s_down.or(self.last_down);
    }

    /// Returns whether it has not been down for this time.
    pub(super) fn is_up_for(&self, now: Instant, time: Duration) -> bool {
        self.last_down.is_none_or(|since| now - since > time)
    }
}
