//! A script that runs for longer than `busy-reply-threshold`: the server is busy meanwhile.
//!
//! Until the threshold the server reads nothing, as in a `DEBUG SLEEP`. After it, it answers
//! `BUSY` to every command but those that a busy server allows. The script can be killed as long as
//! it has not called a command that writes.
//!
//! A run takes virtual time only if it is slow. It is computed at once, and what it did is revealed
//! when its time has come. Since nobody else can change anything while the server is busy, a run
//! from the beginning does the same again. That gives the cases in which a run must not simply go
//! on: a script that would first write after the threshold is stopped before that, and runs again
//! when it is time to write; a script that is killed runs again up to that moment, so that its
//! error has the line that it was at. The clock of a run is that of its beginning, but for `TIME`,
//! which adds how long the run has taken.
//!
//! A run looks ahead for as long as the script has run by then, so that following a script takes
//! time in proportion to its virtual time. A script is followed for a minute beyond the threshold.
//! One that still runs never ends.
//!
//! Source: `script.c` (`scriptInterrupt`, `scriptKill`).

use super::host::{Attempt, Invocation, Progress};
use super::shebang::Flags;
use crate::choice::Stream;
use crate::redis::command::{Answer, Args, Caller};
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::reply::{ErrorReply, Reply};
use crate::redis::script::{Kind, Script};
use crate::redis::server::transaction::Exec;
use crate::redis::server::{Request, Server};
use crate::redis::value::Sds;
use crate::time::Instant;
use smol_str::SmolStr;
use std::time::Duration;

/// What a slow script does next.
#[derive(Debug)]
enum Next {
    /// It ends with this answer.
    Ends(Answer),
    /// It calls its first command that writes.
    Writes,
    /// It runs on, which nobody has looked at yet.
    GoesOn,
    /// Nothing: it never ends.
    Nothing,
}

/// A slow script.
#[derive(Debug)]
pub(crate) struct Busy {
    caller: Caller,
    script: Script,
    name: SmolStr,
    kind: Kind,
    flags: Flags,
    command: &'static str,
    keys: Request,
    args: Request,
    began: Instant,
    /// It has called a command that writes.
    dirty: bool,
    next: Next,
    /// Milliseconds from the beginning until then.
    at: u64,
    threshold: u64,
    killed: bool,
    /// The states of `math.random` and of the server's draws at its beginning.
    random: (u64, Stream),
    /// The transaction that it is part of.
    exec: Option<Exec>,
}

impl Busy {
    fn after(&self, millis: u64) -> Instant {
        self.began + Duration::from_millis(millis)
    }

    /// Milliseconds that it has run.
    fn elapsed(&self, now: Instant) -> u64 {
        u64::try_from((now - self.began).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Returns the error of a command that has to wait for a script's end. `server` is the server's
/// name.
fn busy_error(kind: Kind, server: &str) -> CommandError {
    let container = match kind {
        Kind::Eval => "SCRIPT",
        Kind::Functions => "FUNCTION",
    };
    CommandError::format(format!(
        "BUSY {server} is busy running a script. You can only call {container} KILL or SHUTDOWN \
         NOSAVE."
    ))
}

/// The random states before a run.
pub(super) type Before = (u64, Stream);

impl Server {
    /// Returns whether a slow script runs.
    pub(crate) fn is_busy(&self) -> bool {
        self.scripting.busy.is_some()
    }

    /// Returns whether a slow script runs for this client.
    pub(crate) fn is_busy_for(&self, client: ClientId) -> bool {
        self.scripting.busy.as_ref().is_some_and(|busy| busy.caller.client == client)
    }

    /// Returns the error of a command that a busy server does not allow, if it is busy.
    pub(crate) fn busy_error(&self) -> Option<CommandError> {
        let server = self.profile().product.title;
        self.scripting.busy.as_ref().map(|busy| busy_error(busy.kind, server))
    }

    /// Returns when the slow script does something next.
    pub(crate) fn busy_until(&self) -> Option<Instant> {
        let busy = self.scripting.busy.as_ref()?;
        if matches!(busy.next, Next::Nothing) { None } else { Some(busy.after(busy.at)) }
    }

    /// Begins to be busy with a script whose first run took longer than the threshold.
    pub(super) fn become_busy(
        &mut self,
        caller: Caller,
        invocation: &Invocation<'_>,
        random: Before,
        (progress, answer): (Progress, Answer),
        threshold: u64,
    ) {
        let owned = |words: Args<'_>| words.iter().map(|word| Sds::new(word)).collect();
        let mut busy = Busy {
            caller,
            script: invocation.script.clone(),
            name: invocation.name.clone(),
            kind: invocation.kind,
            flags: invocation.flags,
            command: invocation.command,
            keys: owned(invocation.keys),
            args: owned(invocation.args),
            began: self.now,
            dirty: false,
            next: Next::Nothing,
            at: 0,
            threshold,
            killed: false,
            random,
            exec: None,
        };
        busy.progress(progress, answer);
        let until = busy.after(threshold);
        self.scripting.busy = Some(Box::new(busy));
        self.fall_asleep_for_script(caller.client, until);
    }

    /// Keeps the transaction that a slow script is part of.
    pub(crate) fn busy_within(&mut self, exec: Exec) {
        if let Some(busy) = &mut self.scripting.busy {
            busy.exec = Some(exec);
        }
    }

    /// Continues with a slow script whose time has come, or that was killed.
    pub(crate) fn continue_script(&mut self) {
        let Some(mut busy) = self.scripting.busy.take() else { return };
        let now = self.now;
        if busy.killed {
            let (_, answer) = self.run_again(&busy, Attempt::killed_at(busy.elapsed(now)));
            return self.end_script(*busy, answer);
        }
        if busy.after(busy.at) > now {
            self.scripting.busy = Some(busy);
            return;
        }
        match std::mem::replace(&mut busy.next, Next::Nothing) {
            Next::Nothing => self.scripting.busy = Some(busy),
            Next::Ends(answer) => self.end_script(*busy, answer),
            next @ (Next::Writes | Next::GoesOn) => {
                let attempt = match next {
                    Next::GoesOn => Attempt::ahead_of(busy.at, busy.threshold),
                    _ => Attempt::to_the_end(busy.threshold),
                };
                let (progress, answer) = self.run_again(&busy, attempt);
                busy.progress(progress, answer);
                self.scripting.busy = Some(busy);
                self.continue_script();
            }
        }
    }

    /// Runs a slow script from its beginning.
    fn run_again(&mut self, busy: &Busy, attempt: Attempt) -> (Progress, Answer) {
        let keys: Vec<&[u8]> = busy.keys.iter().map(Sds::as_slice).collect();
        let args: Vec<&[u8]> = busy.args.iter().map(Sds::as_slice).collect();
        let invocation = Invocation {
            script: busy.script.clone(),
            name: busy.name.clone(),
            kind: busy.kind,
            flags: busy.flags,
            command: busy.command,
            keys: &keys,
            args: &args,
        };
        let now = std::mem::replace(&mut self.now, busy.began);
        self.random = busy.random.1.clone();
        let result = self.attempt_script(busy.caller, &invocation, Some(busy.random.0), attempt);
        self.now = now;
        result
    }

    /// Ends a slow script: its client gets the answer, and the server does what has waited.
    fn end_script(&mut self, busy: Busy, answer: Answer) {
        let client = busy.caller.client;
        self.pending_call_ends(self.now);
        self.note_counted_error(busy.command, &answer);
        let reply = answer.unwrap_or_else(|error| {
            let error = ErrorReply::from(error);
            self.stats.of(busy.command).failed += 1;
            self.stats.failed(&error);
            error.into()
        });
        match busy.exec {
            Some(exec) => self.run_transaction(exec.continued(reply)),
            None => self.reply(client, reply),
        }
        if self.is_asleep() {
            return;
        }
        self.command_ends(client);
        self.released.push_front(client);
        let now = self.now;
        self.disk().persist_until(now);
        for database in &mut self.databases {
            database.advance_to(now);
        }
        self.publish_events();
    }

    /// `SCRIPT KILL`, or `FUNCTION KILL`. The script gets its error after the reply.
    pub(super) fn kill_script(&mut self, kind: Kind) -> Answer {
        let title = self.profile().product.title;
        let Some(busy) = &mut self.scripting.busy else {
            return Err(CommandError::text("NOTBUSY No scripts in execution right now."));
        };
        if busy.dirty {
            return Err(CommandError::text(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. \
                 You can either wait the script termination or kill the server in a hard way using \
                 the SHUTDOWN NOSAVE command.",
            ));
        }
        if busy.kind != kind {
            return Err(busy_error(busy.kind, title));
        }
        busy.killed = true;
        Ok(Reply::OK)
    }

    /// Returns whether the slow script was killed and has to end.
    pub(crate) fn script_is_killed(&self) -> bool {
        self.scripting.busy.as_ref().is_some_and(|busy| busy.killed)
    }

    /// The running function for `FUNCTION STATS`, or an error if a script runs.
    pub(super) fn running_function(&self) -> Answer {
        let Some(busy) = &self.scripting.busy else { return Ok(Reply::Nil) };
        if busy.kind == Kind::Eval {
            return Err(busy_error(Kind::Eval, self.profile().product.title));
        }
        let words = self.pending_words();
        let elapsed = i64::try_from(busy.elapsed(self.now)).unwrap_or(i64::MAX);
        Ok(Reply::Map(vec![
            (Reply::bulk(b"name"), Reply::bulk(busy.name.as_bytes())),
            (Reply::bulk(b"command"), Reply::bulks(words)),
            (Reply::bulk(b"duration_ms"), Reply::Integer(elapsed)),
        ]))
    }
}

impl Busy {
    /// Notes what a run did.
    fn progress(&mut self, progress: Progress, answer: Answer) {
        self.dirty = progress.wrote;
        (self.next, self.at) = match (progress.held_back_at, progress.stopped) {
            (Some(at), _) => (Next::Writes, at),
            (None, true) if progress.followed => (Next::GoesOn, progress.elapsed),
            (None, true) => (Next::Nothing, progress.elapsed),
            (None, false) => (Next::Ends(answer), progress.elapsed),
        };
    }
}
