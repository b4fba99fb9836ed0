//! A run: the commands that a script calls, and what it must not call.
//!
//! Source: `script.c` (`scriptCall`, `scriptPrepareForRun`).

use super::shebang::Flags;
use crate::redis::command::{Answer, Args, Caller, Origin, flag};
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::reply::{ErrorReply, Reply};
use crate::redis::script::{Called, Finished, Host, Interpreter, Kind, Meter, Script, Stop};
use crate::redis::server::replication::STALE;
use crate::redis::server::{Server, Session};
use smol_str::SmolStr;

/// The client of a script's commands. No connection of a world has this number.
const SCRIPT: ClientId = ClientId(u64::MAX - 1);

/// Milliseconds beyond the threshold for which a script is followed.
const FOLLOWED_FOR: u64 = 60_000;

/// Fewest milliseconds by which a run goes further than the one before.
const STAGE: u64 = 100;

/// The error of a script within a script, which the real server lets run only after `DEBUG
/// SET-DISABLE-DENY-SCRIPTS`.
const NESTED: CommandError = CommandError::text("ERR a script cannot run within a script");

/// A script with its arguments, ready to run.
pub(super) struct Invocation<'a> {
    pub(super) script: Script,
    pub(super) name: SmolStr,
    pub(super) kind: Kind,
    pub(super) flags: Flags,
    /// The command that runs it.
    pub(super) command: &'static str,
    pub(super) keys: Args<'a>,
    pub(super) args: Args<'a>,
}

impl Invocation<'_> {
    /// Returns whether the command is one of those that only read.
    fn is_read_only(&self) -> bool {
        self.command.ends_with("_ro")
    }
}

/// The server, as a running script sees it.
struct Run<'a> {
    server: &'a mut Server,
    /// The client that runs the script, and the keys that it has named.
    client: ClientId,
    keys: Args<'a>,
    read_only: bool,
    /// It may call commands that need memory, although there is none.
    allow_oom: bool,
    /// It has called a command that writes.
    dirty: bool,
    /// Milliseconds from which on it must not do that for the first time.
    hold_back_from: Option<u64>,
    held_back_at: Option<u64>,
    /// How far it goes once it has written.
    limit: u64,
}

impl Run<'_> {
    fn would_write(&self, words: &[&[u8]]) -> bool {
        !self.read_only
            && self.server.table.named(words).is_some_and(|command| command.has(flag::WRITE))
    }

    /// Runs a command for the script, or refuses it.
    fn try_call(&mut self, words: &[&[u8]], meter: &Meter) -> Result<Reply, CommandError> {
        let server = &mut *self.server;
        let refuse = |text| Err(CommandError::text(text));
        let command = match server.table.resolve(words) {
            Ok(command) => command,
            Err(CommandError::Arity(_)) => {
                return refuse(match server.profile().texts.name_no_product {
                    true => "ERR Wrong number of args calling command from script",
                    false => "ERR Wrong number of args calling Redis command from script",
                });
            }
            Err(_) => {
                return refuse(match server.profile().texts.name_no_product {
                    true => "ERR Unknown command called from script",
                    false => "ERR Unknown Redis command called from script",
                });
            }
        };
        if command.has(flag::NOSCRIPT) && !server.scripting.allows_every_command {
            let product = server.profile().lua.product;
            return Err(CommandError::format(format!(
                "ERR This {product} command is not allowed from script"
            )));
        }
        if server.is_stale() && !command.has(flag::STALE) {
            return refuse("ERR Can not execute the command on a stale replica");
        }
        if server.acl.restricts {
            server.check_script(self.client, SCRIPT, command, words)?;
        }
        let writes = command.has(flag::WRITE);
        let is_out_of_memory = server.is_out_of_memory()
            && !self.dirty
            && !self.allow_oom
            && command.has(flag::DENYOOM);
        let out_of_memory = || refuse("OOM command not allowed when used memory > 'maxmemory'.");
        if is_out_of_memory && server.profile().lua.memory_before_read_only {
            return out_of_memory();
        }
        if self.read_only && (writes || command.has(flag::MAY_REPLICATE)) {
            return refuse("ERR Write commands are not allowed from read-only scripts.");
        }
        // What has begun to write cannot fail because of the server's state.
        if !(writes && self.dirty) {
            if writes {
                server.check_role_for_write()?;
            }
            server.check_bad_state(SCRIPT, command, false)?;
            server.check_bad_state(SCRIPT, command, true)?;
        }
        if is_out_of_memory {
            return out_of_memory();
        }
        if writes && !self.dirty {
            self.dirty = true;
            meter.go_on_until(self.limit);
        }
        server.replication.mute = !meter.replicates();
        server.scripting.elapsed = meter.elapsed();
        let reply = server.call(SCRIPT, Origin::Script, command, words);
        server.scripting.elapsed = 0;
        server.replication.mute = false;
        if command.has(flag::READONLY) {
            server.remember_keys(self.client, self.keys);
        }
        server.publish_events();
        Ok(reply.unwrap_or(Reply::Nil))
    }
}

impl Host for Run<'_> {
    fn call(&mut self, words: &[&[u8]], meter: &Meter) -> Called {
        if self.hold_back_from.is_some_and(|from| from <= meter.elapsed())
            && !self.dirty
            && self.would_write(words)
        {
            self.held_back_at = Some(meter.elapsed());
            return Called::Stop(Stop::Abandoned);
        }
        Called::Reply(self.try_call(words, meter).unwrap_or_else(|error| {
            let error = ErrorReply::from(error);
            let server = &mut *self.server;
            if let Some(command) = server.table.named(words) {
                server.stats.of(command.name).rejected += 1;
            }
            server.stats.failed(&error);
            Reply::Error(error)
        }))
    }

    fn may_call(&mut self, words: &[&[u8]]) -> Result<bool, &'static str> {
        let invalid = "ERR Invalid command passed to redis.acl_check_cmd()";
        let command = self.server.table.named(words).ok_or(invalid)?;
        if self.server.profile().lua.may_call_counts_words && !command.accepts(words.len()) {
            return Err("ERR Wrong number of args for redis.acl_check_cmd()");
        }
        Ok(self.server.is_allowed(SCRIPT, command, words))
    }
}

/// How far a run may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// When it is stopped, in milliseconds. One that has written cannot run again, so it goes on up
    /// to the limit.
    stop_at: u64,
    limit: u64,
    why: Stop,
    /// Milliseconds from which on it must not call its first command that writes.
    hold_back_from: Option<u64>,
}

impl Attempt {
    /// Returns an attempt up to the moment at which a script is killed.
    pub(super) fn killed_at(stop_at: u64) -> Attempt {
        Attempt { stop_at, limit: stop_at, why: Stop::Killed, hold_back_from: None }
    }

    /// Returns an attempt that may write now, and goes on as long as anybody follows it.
    pub(super) fn to_the_end(threshold: u64) -> Attempt {
        let limit = threshold + FOLLOWED_FOR;
        Attempt { stop_at: limit, limit, why: Stop::Abandoned, hold_back_from: None }
    }

    /// Returns an attempt that looks ahead from this moment, and does not write later than that.
    pub(super) fn ahead_of(now: u64, threshold: u64) -> Attempt {
        let limit = threshold + FOLLOWED_FOR;
        let stop_at = now.saturating_add(now.max(STAGE)).min(limit);
        Attempt { stop_at, limit, why: Stop::Abandoned, hold_back_from: Some(now) }
    }
}

/// How far a run went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Milliseconds that it ran.
    pub(super) elapsed: u64,
    /// It called a command that writes.
    pub(super) wrote: bool,
    /// When it was stopped because it was about to write.
    pub(super) held_back_at: Option<u64>,
    pub(super) stopped: bool,
    /// It was stopped early, and can run again.
    pub(super) followed: bool,
}

impl Server {
    /// Runs a script for a client. Returns `None` if it is slow: the answer follows.
    pub(super) fn invoke(
        &mut self,
        caller: Caller,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, CommandError> {
        self.may_run(invocation.flags, invocation.is_read_only())?;
        let threshold = match self.config.busy_reply_threshold {
            0 => u64::MAX - FOLLOWED_FOR,
            threshold => threshold.min(u64::MAX - FOLLOWED_FOR),
        };
        let before = (self.random_state(invocation.kind), self.random.clone());
        let attempt = if may_be_slow(caller.origin) {
            Attempt::ahead_of(threshold, threshold)
        } else {
            Attempt::to_the_end(threshold)
        };
        let (progress, answer) = self.attempt_script(caller, invocation, None, attempt);
        if progress.elapsed < threshold || !may_be_slow(caller.origin) {
            self.note_counted_error(invocation.command, &answer);
            return answer.map(Some);
        }
        self.become_busy(caller, invocation, before, (progress, answer), threshold);
        Ok(None)
    }

    /// Counts a script that ended with the error of one of its commands as a failure of its own
    /// command. The error itself counted when the command inside failed.
    pub(super) fn note_counted_error(&mut self, command: &'static str, answer: &Answer) {
        if let Ok(Reply::Error(_)) = answer {
            self.stats.of(command).failed += 1;
        }
    }

    /// Returns an error if the state of the server refuses a script of these flags.
    fn may_run(&self, flags: Flags, read_only: bool) -> Result<(), CommandError> {
        let refuse = |text| Err(CommandError::text(text));
        if flags.compatible {
            return if self.is_stale() { Err(STALE) } else { Ok(()) };
        }
        if self.is_stale() && !flags.allows_stale() {
            return refuse(
                "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and \
                 'allow-stale' flag is not set on the script.",
            );
        }
        if !flags.no_writes() {
            if self.replication.is_replica() && self.is_read_only_replica() {
                return refuse("READONLY Can not run script with write flag on readonly replica");
            }
            if read_only {
                return refuse("ERR Can not execute a script with write flag using *_ro command.");
            }
            self.check_role_for_write()?;
        }
        if !flags.no_writes() && !flags.allows_oom() && self.is_out_of_memory() {
            return refuse(
                "OOM allow-oom flag is not set on the script, can not run it when used memory > \
                 'maxmemory'",
            );
        }
        Ok(())
    }

    /// Returns an error if a script runs, which has the interpreter.
    pub(super) fn must_not_run(&self) -> Result<(), CommandError> {
        if self.sessions.contains_key(&SCRIPT) { Err(NESTED) } else { Ok(()) }
    }

    fn interpreter(&mut self, kind: Kind) -> &mut Option<Box<Interpreter>> {
        match kind {
            Kind::Eval => &mut self.scripting.scripts.interpreter,
            Kind::Functions => &mut self.scripting.functions.interpreter,
        }
    }

    fn random_state(&mut self, kind: Kind) -> u64 {
        self.interpreter(kind).as_ref().map_or(0, |interpreter| interpreter.random_state())
    }

    /// Makes one run of a script, with this state of `math.random` if one is given.
    pub(super) fn attempt_script(
        &mut self,
        caller: Caller,
        invocation: &Invocation<'_>,
        random: Option<u64>,
        attempt: Attempt,
    ) -> (Progress, Answer) {
        let Invocation { script, name, kind, flags, keys, args, .. } = invocation;
        let Some(mut interpreter) = self.interpreter(*kind).take() else {
            let none = Progress {
                elapsed: 0,
                wrote: false,
                held_back_at: None,
                stopped: false,
                followed: false,
            };
            return (none, Err(NESTED));
        };
        if let Some(state) = random {
            interpreter.restore_random(state);
        }
        self.enter_script(caller);
        let read_only = invocation.is_read_only() || flags.no_writes();
        let hold_back_from = attempt.hold_back_from;
        let mut run = Run {
            server: self,
            client: caller.client,
            keys,
            read_only,
            allow_oom: flags.allows_oom(),
            dirty: false,
            hold_back_from,
            held_back_at: None,
            limit: attempt.limit,
        };
        let stop = (attempt.stop_at, attempt.why);
        let finished = interpreter.run(script, name, *kind, (keys, args), &mut run, stop);
        let progress = Progress {
            elapsed: interpreter.elapsed(),
            wrote: run.dirty,
            held_back_at: run.held_back_at,
            stopped: interpreter.is_stopped(),
            followed: !run.dirty && interpreter.elapsed() < attempt.limit,
        };
        *self.interpreter(*kind) = Some(interpreter);
        self.forget(SCRIPT);
        let Finished { reply, counted } = finished;
        let answer = match reply {
            Reply::Error(ErrorReply(text)) if !counted => Err(CommandError::Other(text)),
            reply => Ok(reply),
        };
        (progress, answer)
    }

    /// Adds the client of the script's commands.
    fn enter_script(&mut self, caller: Caller) {
        let by = self.sessions.get(&caller.client);
        let (peer, user) =
            by.map_or((Box::default(), None), |by| (by.peer.clone(), by.user.clone()));
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

/// Returns whether a call of this origin can take virtual time.
fn may_be_slow(origin: Origin) -> bool {
    match origin {
        Origin::Client | Origin::Exec => true,
        Origin::Script | Origin::Operator => false,
    }
}
