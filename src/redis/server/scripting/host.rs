//! A run: the commands that a script calls, and what it must not call.
//!
//! Source: `script.c` (`scriptCall`, `scriptPrepareForRun`).

use super::shebang::Flags;
use crate::redis::command::{Args, Caller, Origin, flag};
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::reply::{ErrorReply, Reply};
use crate::redis::script::{Called, Finished, Host, Interpreter, Kind, Meter, Script, Stop};
use crate::redis::server::{Server, Session};

/// The client of a script's commands. No connection of a world has this number.
const SCRIPT: ClientId = ClientId(u64::MAX - 1);

/// Milliseconds after which nobody follows a script any further.
const ABANDONED_AFTER: u64 = 60_000;

/// A script with its arguments, ready to run.
pub(super) struct Invocation<'a> {
    pub(super) script: Script,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) flags: Flags,
    /// The command is one of those that only read.
    pub(super) read_only: bool,
    pub(super) keys: Args<'a>,
    pub(super) args: Args<'a>,
}

/// The server, as a running script sees it.
struct Run<'a> {
    server: &'a mut Server,
    read_only: bool,
    /// It has called a command that may write.
    dirty: bool,
}

impl Run<'_> {
    /// Runs a command for the script, or refuses it.
    fn try_call(&mut self, words: &[&[u8]]) -> Result<Reply, CommandError> {
        let server = &mut *self.server;
        let refuse = |text| Err(CommandError::text(text));
        let command = match server.table.resolve(words) {
            Ok(command) => command,
            Err(CommandError::Arity(_)) => {
                return refuse("ERR Wrong number of args calling Redis command from script");
            }
            Err(_) => return refuse("ERR Unknown Redis command called from script"),
        };
        if command.has(flag::NOSCRIPT) {
            return refuse("ERR This Redis command is not allowed from script");
        }
        let writes = command.has(flag::WRITE);
        if self.read_only && (writes || command.has(flag::MAY_REPLICATE)) {
            return refuse("ERR Write commands are not allowed from read-only scripts.");
        }
        // What has begun to write cannot fail because of the server's state.
        if !(writes && self.dirty) {
            server.check_refusals(SCRIPT, command, false)?;
            server.check_refusals(SCRIPT, command, true)?;
        }
        self.dirty |= writes;
        let reply = server.call(SCRIPT, Origin::Script, command, words);
        server.publish_events();
        Ok(reply.unwrap_or(Reply::Nil))
    }
}

impl Host for Run<'_> {
    fn call(&mut self, words: &[&[u8]], _: &Meter) -> Called {
        Called::Reply(self.try_call(words).unwrap_or_else(|error| {
            let error = ErrorReply::from(error);
            let server = &mut *self.server;
            if let Some(command) = server.table.named(words) {
                server.stats.of(command.name).rejected += 1;
            }
            server.stats.failed(&error);
            Reply::Error(error)
        }))
    }

    fn may_call(&mut self, words: &[&[u8]]) -> Option<bool> {
        self.server.table.named(words).map(|_| true)
    }

    fn log(&mut self, level: i64, text: &[u8]) {
        self.server.scripting.log.push((level, text.to_vec()));
    }
}

impl Server {
    /// Runs a script for a client.
    pub(super) fn invoke(
        &mut self,
        interpreter: &mut Interpreter,
        caller: Caller,
        invocation: &Invocation<'_>,
    ) -> Result<Reply, CommandError> {
        let Invocation { script, name, kind, flags, read_only, keys, args } = invocation;
        if !flags.compatible && !flags.no_writes() && *read_only {
            return Err(CommandError::text(
                "ERR Can not execute a script with write flag using *_ro command.",
            ));
        }
        self.enter_script(caller);
        let read_only = *read_only || flags.no_writes();
        let mut run = Run { server: self, read_only, dirty: false };
        let stop = (ABANDONED_AFTER, Stop::Abandoned);
        let finished = interpreter.run(script, name, *kind, (keys, args), &mut run, stop);
        self.forget(SCRIPT);
        let Finished { reply, counted } = finished;
        match reply {
            Reply::Error(ErrorReply(text)) if !counted => Err(CommandError::Other(text)),
            reply => Ok(reply),
        }
    }

    /// Adds the client of the script's commands.
    fn enter_script(&mut self, caller: Caller) {
        let by = self.sessions.get(&caller.client);
        let (peer, user) =
            by.map_or((String::new(), None), |by| (by.peer.clone(), by.user.clone()));
        let mut session = Session::new(0, &peer, self.now, user);
        session.database = caller.database;
        self.sessions.insert(SCRIPT, session);
    }
}

/// Returns the keys and the other arguments of a script's command.
pub(super) fn split<'a>(args: Args<'a>, count: i64) -> Result<(Args<'a>, Args<'a>), CommandError> {
    let Ok(count) = usize::try_from(count) else {
        return Err(CommandError::text("ERR Number of keys can't be negative"));
    };
    args[3..]
        .split_at_checked(count)
        .ok_or(CommandError::text("ERR Number of keys can't be greater than number of args"))
}
