//! The path of a request through the server: the checks in Redis's order, the queue of a
//! transaction, the call.
//!
//! Source: `server.c` (`processCommand`).

use super::command::Row;
use super::refusal::{Refusal, Suspect};
use super::{ClientId, Server};
use crate::redis::command::arguments::is;
use crate::redis::command::{Args, Caller, Origin, Run, flag};
use crate::redis::error::CommandError;
use crate::redis::reply::{ErrorReply, Protocol, Reply};
use crate::redis::value::Sds;
use crate::redis::version::Waking;

/// The error of a client that has not logged in.
const NOT_AUTHENTICATED: CommandError = CommandError::text("NOAUTH Authentication required.");

impl Server {
    /// Runs a client's request, or keeps it until the client is released.
    pub(super) fn receive(&mut self, client: ClientId, request: Args<'_>) {
        let busy = self.is_busy_for(client);
        let Some(session) = self.sessions.get_mut(&client) else { return };
        let waits = busy || session.postponed || !session.pending.is_empty();
        if waits || self.blocking.is_blocked(client) {
            if self.may_wait(client, request)
                && let Some(session) = self.sessions.get_mut(&client)
            {
                session.pending.push_back(request.iter().map(|arg| Sds::new(arg)).collect());
            }
            return;
        }
        session.waiting_bytes = 0;
        self.process(client, request);
    }

    /// Lets a released client continue with the requests that it had sent.
    pub(super) fn resume(&mut self, client: ClientId) {
        while !self.blocking.is_blocked(client)
            && !self.is_asleep()
            && !self.is_busy_for(client)
            && let Some(session) = self.sessions.get_mut(&client)
            && !session.postponed
            && let Some(request) = session.pending.pop_front()
        {
            let request: Vec<&[u8]> = request.iter().map(Sds::as_slice).collect();
            self.process(client, &request);
            self.publish_events();
            while self.serve_ready() {}
        }
    }

    fn process(&mut self, client: ClientId, args: Args<'_>) {
        let resolved = self.table.resolve(args);
        let named = resolved.as_ref().ok().copied().or_else(|| self.table.named(args));
        let Some(session) = self.sessions.get_mut(&client).filter(|s| !s.closing) else { return };
        session.last_used = self.now;
        session.last_command = named.map_or("NULL", |command| command.name);
        let (authenticated, in_multi) = (session.authenticated, session.multi.is_some());
        if hangs_up_on(args[0]) {
            return self.hang_up(client);
        }
        let hides = !authenticated
            && self.profile().hides_commands
            && !self.acl.is_open
            && named.is_none_or(|command| !command.has(flag::NO_AUTH));
        let resolved = if hides { resolved.or(Err(NOT_AUTHENTICATED)) } else { resolved };
        let admitted = resolved
            .and_then(|command| self.admit(client, command, args, (authenticated, in_multi)));
        match admitted {
            Ok(Some(command)) => {
                self.outbox.begin(client);
                self.run(client, command, args);
                if self.sentinel.is_some() {
                    self.publish_sentinel_events();
                }
                if self.replication.feeds {
                    self.send_effects_of(client, command);
                }
                self.send_invalidations();
                if self.outbox.end() {
                    self.send_held(client);
                }
            }
            Ok(None) => {}
            Err(error) => {
                let error = ErrorReply::from(self.spoil(client, args, error));
                if let Some(command) = named {
                    self.stats.of(command.name).rejected += 1;
                }
                self.stats.failed(&error);
                self.reply(client, error.into());
            }
        }
        if !self.sleeps_for(client) && !self.is_busy_for(client) {
            self.command_ends(client);
        }
    }

    /// Finishes a command. It may have closed its own connection; a client that has switched
    /// replies off then stays connected and is ignored, as in Redis.
    pub(super) fn command_ends(&mut self, client: ClientId) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        if session.closing && session.wants_reply() {
            return self.close(client);
        }
        session.command_done();
        self.caching_ends(client);
    }

    /// Marks a client's transaction as failed, because a command was refused before it ran. A
    /// refused `EXEC` ends the transaction, and its error says so even without one.
    fn spoil(&mut self, client: ClientId, args: Args<'_>, error: CommandError) -> CommandError {
        let Some(session) = self.sessions.get_mut(&client) else { return error };
        if !args[0].eq_ignore_ascii_case(b"exec") {
            if let Some(multi) = &mut session.multi {
                multi.failed = true;
            }
            return error;
        }
        session.multi = None;
        self.unwatch(client);
        let reason = error.to_string();
        let reason = reason.strip_prefix("ERR ").unwrap_or(&reason);
        CommandError::format(format!("EXECABORT Transaction discarded because of: {reason}"))
    }

    /// Returns the command to run now, or `None` if it was queued or has to wait. The client may
    /// have authenticated, and be in a transaction.
    fn admit(
        &mut self,
        client: ClientId,
        command: &'static Row,
        args: Args<'_>,
        (authenticated, in_multi): (bool, bool),
    ) -> Result<Option<&'static Row>, CommandError> {
        if !authenticated && !self.acl.is_open && !command.has(flag::NO_AUTH) {
            return Err(NOT_AUTHENTICATED);
        }
        if in_multi && command.has(flag::NO_MULTI) {
            if self.profile().texts.refusal_in_multi_names_command {
                return Err(CommandError::format(format!(
                    "ERR Command '{}' not allowed inside a transaction",
                    command.name
                )));
            }
            return Err(CommandError::text("ERR Command not allowed inside a transaction"));
        }
        if self.acl.restricts {
            self.check_permission(client, command, args)?;
        }
        self.check_memory(client, command, args)?;
        if self.may_refuse() {
            self.check_refusals(client, command, args, false)?;
        }
        if self.pubsub.is_subscriber(client)
            && self.sessions.get(&client).is_some_and(|s| s.protocol == Protocol::Resp2)
            && !ALLOWED_WHEN_SUBSCRIBED.contains(&command.name)
        {
            return Err(CommandError::format(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
                 RESET are allowed in this context",
                command.name
            )));
        }
        if self.profile().arguments.unsubscribe_needs_subscription
            && command.name.ends_with("unsubscribe")
            && !self.pubsub.is_subscriber(client)
        {
            return Err(CommandError::format(format!(
                "NOSUB '{}' command executed not in subscribed mode",
                command.name
            )));
        }
        if self.may_refuse() {
            self.check_refusals(client, command, args, true)?;
        }
        if !command.has(flag::ALLOW_BUSY)
            && let Some(error) = self.busy_error()
        {
            return Err(error);
        }
        const KEYSPACE: u32 = flag::WRITE | flag::READONLY | flag::MAY_REPLICATE;
        // A client in `MONITOR` is a kind of replica.
        let is_replica = self.replication.replicas.contains_key(&client)
            || self.watchers.monitors.contains(&client);
        if is_replica && self.flags_of(command, args) & KEYSPACE != 0 {
            return Err(CommandError::text("ERR Replica can't interact with the keyspace"));
        }
        if self.must_wait(command, client, args) {
            self.postpone(client, args);
            return Ok(None);
        }
        if in_multi && self.queue_in_multi(client, command, args) {
            return Ok(None);
        }
        Ok(Some(command))
    }

    /// Returns whether a command may be refused because of the server's state.
    #[inline]
    fn may_refuse(&self) -> bool {
        !self.refusals.is_empty() || self.loading_until.is_some() || self.replication.restricts
    }

    /// Returns an error if a command is refused, as by a server in a bad state. `late` selects the
    /// states that Redis checks after it knows that a subscriber may send the command.
    pub(super) fn check_refusals(
        &mut self,
        client: ClientId,
        command: &'static Row,
        args: Args<'_>,
        late: bool,
    ) -> Result<(), CommandError> {
        if !self.may_refuse() {
            return Ok(());
        }
        self.check_role(client, command, args, late)?;
        self.check_bad_state(client, command, late)
    }

    pub(super) fn check_bad_state(
        &mut self,
        client: ClientId,
        command: &'static Row,
        late: bool,
    ) -> Result<(), CommandError> {
        let session = self.sessions.get(&client).expect("the caller has a session");
        let queued: &[_] = match (&session.multi, command.name) {
            (Some(multi), "exec") => &multi.queued,
            _ => &[],
        };
        let suspect = Suspect { command, queued, in_multi: session.multi.is_some() };
        if late && self.loading_until.is_some_and(|until| until > self.now) {
            let loading = Refusal::loading();
            if loading.fits(suspect) {
                return Err(CommandError::format(&loading.error().0));
            }
        }
        match self.refusals.check(self.now, suspect, late, &mut self.random) {
            Some(error) => Err(CommandError::format(error.0)),
            None => Ok(()),
        }
    }

    /// Returns whether a `CLIENT PAUSE` delays the command. Replicas go on confirming.
    pub(super) fn must_wait(&self, command: &Row, client: ClientId, args: Args<'_>) -> bool {
        let Some(pause) = self.paused else { return false };
        if self.replication.replicas.contains_key(&client) {
            return false;
        }
        if !pause.writes_only {
            return true;
        }
        let queued = self.sessions.get(&client).and_then(|s| s.multi.as_ref());
        const WRITES: u32 = flag::WRITE | flag::MAY_REPLICATE;
        self.flags_of(command, args) & WRITES != 0
            || (command.name == "exec" && queued.is_some_and(|multi| multi.flags & WRITES != 0))
    }

    fn run(&mut self, client: ClientId, command: &'static Row, args: Args<'_>) {
        if let Some(reply) = self.call(client, Origin::Client, command, args) {
            if self.tracking.is_on && self.answers_after_flush(command, args) {
                self.outbox.end();
                self.send_invalidations();
            }
            self.reply(client, reply);
        }
    }

    /// Returns whether a client hears of a flush before it is answered: it waits for a thread that
    /// frees the keys.
    #[cold]
    fn answers_after_flush(&self, command: &Row, args: Args<'_>) -> bool {
        let is_flush = matches!(command.name, "flushall" | "flushdb");
        let is_sync = match args.get(1) {
            Some(word) => is(word, "sync"),
            None => !self.config.is_on("lazyfree-lazy-user-flush"),
        };
        self.profile().flush_is_answered_last && is_flush && is_sync
    }

    #[cold]
    fn send_held(&mut self, client: ClientId) {
        self.forget_told();
        let held = self.outbox.take_held();
        let Some(session) = self.sessions.get(&client) else { return };
        for message in held {
            self.outbox.reply(client, session.protocol, message);
        }
    }

    /// Runs a command for a client. Returns its reply, unless the command answers by itself.
    pub(super) fn call(
        &mut self,
        client: ClientId,
        origin: Origin,
        command: &'static Row,
        args: Args<'_>,
    ) -> Option<Reply> {
        self.stats.commands += 1;
        self.outbox.confirms(command.has(flag::PUBSUB) && command.name.ends_with("subscribe"));
        let (database, no_touch) = self.sessions.get(&client).map_or((0, false), |session| {
            (session.database, session.claims().is_some_and(|claims| claims.no_touch))
        });
        let caller = Caller { client, database, origin };
        let was_idle = !self.is_asleep() && !self.is_busy();
        let feeds = self.replication.feeds;
        let before = feeds.then(|| self.before_effects(caller, command, args));
        // The commands of a transaction decide for themselves.
        let is_no_use =
            no_touch || (self.config.policy.counts_writes() && !command.has(flag::WRITE));
        let holds = is_no_use && !matches!(command.name, "touch" | "exec");
        if holds {
            self.hold_uses(true);
        }
        let answer = if self.acl.restricts
            && let Err(error) = self.check_sort(client, command, args)
        {
            Err(error)
        } else {
            self.execute(caller, command, args)
        };
        if holds {
            self.hold_uses(false);
        }
        self.count_uses();
        self.stats.of(command.name).calls += 1;
        // The server does not count the reply of `DEBUG ERROR` as an error.
        let reply = answer.unwrap_or_else(|error| {
            let error = ErrorReply::from(error);
            self.stats.of(command.name).failed += 1;
            self.stats.failed(&error);
            Some(error.into())
        });
        if let Some(before) = before {
            self.note_effects(caller, command, args, &before, reply.as_ref());
        }
        if self.tracking.is_on {
            self.note_changes();
            self.remember_reads(client, command, args);
        }
        if reply.is_none() {
            self.blocking.keep_words(client, args);
            // The call counts when it ends.
            if self.profile().blocking == Waking::RunsAgain && self.blocking.is_blocked(client) {
                self.count_call(client, -1);
            }
        }
        if self.is_watched() {
            let takes_time = was_idle && (self.is_asleep() || self.is_busy());
            self.watch_call((client, database, origin), command, args, takes_time);
        }
        if self.watchers.command_log.is_some() {
            self.note_sizes((client, origin), command, args, &reply);
        }
        if self.story.is_some() {
            self.tell_command((client, database), command, args, reply.as_ref());
        }
        reply
    }

    /// Calls the function of a command's row.
    #[inline]
    pub(super) fn execute(
        &mut self,
        caller: Caller,
        command: &'static Row,
        args: Args<'_>,
    ) -> Result<Option<Reply>, CommandError> {
        let database = caller.database;
        match command.run {
            Run::Database(run) => run(&mut self.databases[database], args).map(Some),
            Run::Drawing(run) => {
                run(&mut self.databases[database], &mut self.random, args).map(Some)
            }
            Run::Databases(run) => run(&mut self.databases, database, args).map(Some),
            Run::Table(run) => run(self.table, args).map(Some),
            Run::Server(run) => run(self, caller, args).map(Some),
            Run::Flow(run) => run(self, caller, args),
            Run::Container => Err(command.arity_error()),
        }
    }
}

/// Returns whether a request begins like HTTP. A browser that was tricked into sending it is an
/// attack, and the server closes the connection without a reply.
pub(crate) fn hangs_up_on(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Commands that a RESP2 subscriber may send.
const ALLOWED_WHEN_SUBSCRIBED: [&str; 9] = [
    "ping",
    "subscribe",
    "ssubscribe",
    "sunsubscribe",
    "unsubscribe",
    "psubscribe",
    "punsubscribe",
    "quit",
    "reset",
];
