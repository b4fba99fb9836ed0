//! The meter of a script: how long it has run in virtual time, and when it is stopped.
//!
//! Lua calls a hook every thousand instructions, which counts as one millisecond. Only scripts that
//! run longer than `busy-reply-threshold` notice: every other script takes no virtual time, like
//! every other command. A script that is stopped gets an error that it cannot catch: the hook
//! raises it again at each instruction.
//!
//! Source: `script_lua.c` (`luaMaskCountHook`).

use super::native::{Raised, SANDBOX};
use crate::redis::reply::Protocol;
use mlua::{HookTriggers, Lua, VmState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Number of instructions that count as one millisecond.
pub(crate) const INSTRUCTIONS_PER_MILLISECOND: u32 = 1_000;

/// Why a script is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `SCRIPT KILL` or `FUNCTION KILL`.
    Killed,
    /// A library takes too long to load.
    LoadTimeout,
    /// It has run for longer than anybody follows it, or is about to write later than it may.
    Abandoned,
}

impl Stop {
    pub(super) fn text(self) -> &'static str {
        match self {
            Stop::Killed => "ERR Script killed by user with SCRIPT KILL...",
            Stop::LoadTimeout => "ERR FUNCTION LOAD timeout",
            Stop::Abandoned => "ERR the script was abandoned",
        }
    }
}

/// The state of the running script that its functions and the hook share.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    elapsed: AtomicU64,
    stop_at: AtomicU64,
    resp3: AtomicBool,
    /// Replicas are not told what the script's commands change (`redis.set_repl`).
    unreplicated: AtomicBool,
    stopped: AtomicBool,
}

impl Meter {
    /// Milliseconds that the script has run.
    pub(crate) fn elapsed(&self) -> u64 {
        self.elapsed.load(Relaxed)
    }

    /// Returns whether the script was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// Lets the script run until this many milliseconds.
    pub(crate) fn go_on_until(&self, stop_at: u64) {
        self.stop_at.store(stop_at, Relaxed);
    }

    pub(super) fn protocol(&self) -> Protocol {
        if self.resp3.load(Relaxed) { Protocol::Resp3 } else { Protocol::Resp2 }
    }

    pub(super) fn set_protocol(&self, protocol: Protocol) {
        self.resp3.store(protocol == Protocol::Resp3, Relaxed);
    }

    /// Returns whether replicas are told what the script's commands change.
    pub(crate) fn replicates(&self) -> bool {
        !self.unreplicated.load(Relaxed)
    }

    pub(super) fn set_replicates(&self, replicates: bool) {
        self.unreplicated.store(!replicates, Relaxed);
    }

    /// Begins a run that is stopped after this number of milliseconds.
    pub(super) fn begin(self: &Arc<Meter>, lua: &Lua, stop_at: u64, why: Stop) -> mlua::Result<()> {
        self.elapsed.store(0, Relaxed);
        self.stop_at.store(stop_at, Relaxed);
        self.stopped.store(false, Relaxed);
        self.set_protocol(Protocol::Resp2);
        self.set_replicates(true);
        let meter = Arc::clone(self);
        let every = HookTriggers::new().every_nth_instruction(INSTRUCTIONS_PER_MILLISECOND);
        lua.set_global_hook(every, move |lua, _| {
            let elapsed = meter.elapsed.fetch_add(1, Relaxed) + 1;
            if elapsed < meter.stop_at.load(Relaxed) {
                return Ok(VmState::Continue);
            }
            Err(meter.stop(lua, why))
        })
    }

    /// Stops the script. Returns the error that it gets now, and again at each instruction.
    pub(super) fn stop(&self, lua: &Lua, why: Stop) -> mlua::Error {
        self.stopped.store(true, Relaxed);
        let raise = move || mlua::Error::from(Raised::Reply(why.text().as_bytes().to_vec(), false));
        let every = HookTriggers::new().every_nth_instruction(1);
        // The sandbox has to hand the error on.
        let hook = move |_: &Lua, debug: &mlua::Debug<'_>| {
            let source = debug.source().source;
            if source.is_some_and(|source| source == SANDBOX) {
                Ok(VmState::Continue)
            } else {
                Err(raise())
            }
        };
        match lua.set_global_hook(every, hook) {
            Ok(()) => raise(),
            Err(error) => error,
        }
    }
}
