//! Blocking: clients that wait until a key has something for them.
//!
//! A blocked client stands in the wait queue of each key that it named. When a write feeds an
//! awaited key, the database notes it. At the end of that command or `EXEC`, the clients in the
//! key's queue are served in order: each makes its [`Attempt`] again, on that key alone. Clients
//! that wait for another type are passed over. An attempt may feed another key (`BLMOVE`), whose
//! queue is then served in the same step. A consumer that waits for a stream is told when the
//! stream is gone.
//!
//! Each database owns the wait queues of its own keys. A client is in the queues of exactly the
//! keys that it waits for, and leaves all of them at once: when it is served, timed out, unblocked
//! or gone.
//!
//! Source: `blocked.c`, `t_list.c` (`handleClientsBlockedOnKeys`).

use super::idle::IdleWaits;
use super::propagate::Sent;
use super::{Request, Server};
use crate::invariant::ensure;
use crate::redis::command::arguments::distinct;
use crate::redis::command::attempt::Attempt;
use crate::redis::command::{Args, Caller, Origin};
use crate::redis::database::Database;
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use crate::redis::version::Waking;
use crate::time::Instant;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::{BTreeSet, VecDeque};

/// The type of which clients wait for every addition, and for the end.
const STREAM: &str = "stream";

/// A blocked client.
#[derive(Debug)]
pub(crate) struct Blocked {
    attempt: Attempt,
    database: usize,
    /// Each key once, in the order given.
    keys: Vec<Sds>,
    deadline: Option<Instant>,
    /// The request, for the slow log.
    words: Request,
}

/// All blocked clients.
#[derive(Debug, Default)]
pub(crate) struct Blocking {
    clients: IndexMap<ClientId, Blocked, FxBuildHasher>,
    deadlines: BTreeSet<(Instant, ClientId)>,
    /// When a client that waits for a sync of the append-only file may have what it waits for.
    pub(crate) next_sync: Option<Instant>,
    /// When keys count as fed because entries of streams are idle.
    pub(super) idle_waits: IdleWaits,
    /// The deadline of the wait whose command runs again.
    again: Option<Option<Instant>>,
}

impl Blocking {
    pub(crate) fn is_blocked(&self, client: ClientId) -> bool {
        !self.clients.is_empty() && self.clients.contains_key(&client)
    }

    /// Returns when a client's wait ends in vain, and the time of the first of its keys whose
    /// entries become idle, if it is blocked and those ever come.
    #[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
    pub(crate) fn ends(&self, client: ClientId) -> (Option<Instant>, Option<i64>) {
        let Some(blocked) = self.clients.get(&client) else { return (None, None) };
        let time = |key| self.idle_waits.time(blocked.database, key);
        (blocked.deadline, blocked.keys.iter().filter_map(time).min())
    }

    /// Returns the clients that wait for replicas, in the order in which they began.
    pub(crate) fn waiting_for_replicas(&self) -> Vec<(ClientId, Attempt)> {
        let waits = self.clients.iter().map(|(client, blocked)| (*client, &blocked.attempt));
        let waits = waits.filter(|(_, attempt)| {
            matches!(attempt, Attempt::Replicas { .. } | Attempt::Synced(_))
        });
        waits.map(|(client, attempt)| (client, attempt.clone())).collect()
    }

    /// Returns whether a client waits for a sync of this server's append-only file.
    pub(crate) fn waits_for_sync(&self) -> bool {
        let waits =
            |blocked: &Blocked| matches!(blocked.attempt, Attempt::Synced(syncs) if syncs.local);
        self.clients.values().any(waits)
    }

    /// Number of blocked clients with a deadline.
    pub(crate) fn with_deadline(&self) -> usize {
        self.deadlines.len()
    }

    /// Number of blocked clients.
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Returns the clients whose deadline has passed, in order of their deadlines.
    pub(crate) fn due(&self, now: Instant) -> Vec<ClientId> {
        self.deadlines.range(..=(now, ClientId(u64::MAX))).map(|(_, client)| *client).collect()
    }

    /// Moves every deadline, because the clock by which they were set was set itself.
    pub(crate) fn move_deadlines(&mut self, to: impl Fn(Instant) -> Instant) {
        self.deadlines.clear();
        for (client, blocked) in &mut self.clients {
            if let Some(deadline) = &mut blocked.deadline {
                *deadline = to(*deadline);
                self.deadlines.insert((*deadline, *client));
            }
        }
    }

    /// Returns all blocked clients.
    pub(crate) fn clients(&self) -> impl Iterator<Item = ClientId> {
        self.clients.keys().copied()
    }

    /// Checks that clients, their deadlines and the databases' queues agree. Returns what is wrong
    /// otherwise.
    pub(crate) fn check_invariants(&self, databases: &[Database]) -> Result<(), String> {
        let mut places = 0;
        for (client, blocked) in &self.clients {
            let observers = &databases[blocked.database].observers;
            for key in &blocked.keys {
                let queue = observers.awaited.get(key);
                let stands = queue.is_some_and(|queue| queue.contains(client));
                ensure(stands, || format!("client {client} waits for key {key} in no queue"))?;
            }
            places += blocked.keys.len();
            let timed = blocked.deadline.is_none_or(|at| self.deadlines.contains(&(at, *client)));
            ensure(timed, || format!("nobody looks at the deadline of client {client}"))?;
        }
        let queued = databases.iter().flat_map(|db| db.observers.awaited.values());
        let queued: usize = queued.map(VecDeque::len).sum();
        ensure(queued == places, || format!("{places} waits, and {queued} places in queues"))?;
        for (database, key) in self.idle_waits.keys() {
            let waits = databases[*database].observers.awaited.contains_key(key);
            ensure(waits, || format!("nobody waits for idle entries of key {key}"))?;
        }
        let timed = self.clients.values().filter(|blocked| blocked.deadline.is_some()).count();
        let deadlines = self.deadlines.len();
        ensure(timed == deadlines, || format!("{deadlines} deadlines of {timed} clients"))
    }

    /// Blocks a client.
    pub(crate) fn insert(
        &mut self,
        client: ClientId,
        blocked: Blocked,
        databases: &mut [Database],
    ) {
        for key in &blocked.keys {
            let awaited = &mut databases[blocked.database].observers.awaited;
            awaited.entry(key.clone()).or_default().push_back(client);
        }
        if let Some(deadline) = blocked.deadline {
            self.deadlines.insert((deadline, client));
        }
        self.clients.insert(client, blocked);
    }

    /// Keeps the request of a client that is blocked now.
    pub(crate) fn keep_words(&mut self, client: ClientId, args: Args<'_>) {
        if let Some(blocked) = self.clients.get_mut(&client) {
            blocked.words = args.iter().map(|word| Sds::new(word)).collect();
        }
    }

    /// Ends a client's wait. Returns its request if it was blocked.
    pub(crate) fn remove(
        &mut self,
        client: ClientId,
        databases: &mut [Database],
    ) -> Option<Request> {
        if self.clients.is_empty() {
            return None;
        }
        let blocked = self.clients.swap_remove(&client)?;
        if let Some(deadline) = blocked.deadline {
            self.deadlines.remove(&(deadline, client));
        }
        let awaited = &mut databases[blocked.database].observers.awaited;
        for key in &blocked.keys {
            if let Some(queue) = awaited.get_mut(key) {
                // A client that is served is usually at the front.
                if let Some(at) = queue.iter().position(|other| *other == client) {
                    queue.remove(at);
                }
                if queue.is_empty() {
                    awaited.swap_remove(key);
                    self.idle_waits.forget(blocked.database, key);
                }
            }
        }
        Some(blocked.words)
    }
}

impl Server {
    /// Makes a blocking command's attempt on each of its keys in turn. Returns `None` if no key has
    /// anything and the client is now blocked. A call that may not wait (as in `EXEC`) returns a
    /// null instead.
    pub(crate) fn attempt_or_block(
        &mut self,
        caller: Caller,
        keys: &[&[u8]],
        attempt: Attempt,
        deadline: Option<Instant>,
    ) -> Result<Option<Reply>, CommandError> {
        for key in keys {
            let db = &mut self.databases[caller.database];
            if attempt.looks_twice() {
                db.seek(key);
            }
            if let Some(reply) = attempt.on(db, key)? {
                return Ok(Some(reply));
            }
        }
        Ok(self.block(caller, keys, attempt, deadline))
    }

    /// Blocks a client whose attempt was in vain. Returns `None`, or the reply to a call that may
    /// not wait.
    pub(crate) fn block(
        &mut self,
        caller: Caller,
        keys: &[&[u8]],
        attempt: Attempt,
        deadline: Option<Instant>,
    ) -> Option<Reply> {
        let Caller { client, database, origin } = caller;
        if !origin.may_wait() {
            return Some(attempt.nothing());
        }
        let waits_for = distinct(keys).map(Sds::new).collect();
        let deadline = self.blocking.again.unwrap_or(deadline);
        let blocked = Blocked { attempt, database, keys: waits_for, deadline, words: Vec::new() };
        self.blocking.insert(client, blocked, &mut self.databases);
        None
    }

    /// Serves the clients that wait for a key that was fed. Returns whether there was such a key.
    pub(crate) fn serve_ready(&mut self) -> bool {
        if self.blocking.clients.is_empty() {
            return false;
        }
        self.note_deliveries();
        let ready = |db: &Database| !db.observers.ready.is_empty();
        let Some(database) = self.databases.iter().position(ready) else { return false };
        for key in std::mem::take(&mut self.databases[database].observers.ready) {
            self.serve_key(database, &key);
            self.count_uses();
        }
        true
    }

    fn serve_key(&mut self, database: usize, key: &Sds) {
        if self.profile().blocking == Waking::RunsAgain {
            return self.run_waiting_again(database, key);
        }
        let found = self.databases[database].peek(key);
        let Some(kind) = found.map(|entry| entry.value.type_name()) else {
            return self.end_waits(database, key);
        };
        self.serve_waiting(database, key, kind);
        if kind != STREAM {
            self.end_waits(database, key);
        }
    }

    /// Runs the commands of the clients that wait for a key again, in the order in which they came,
    /// if the key has a value that they can use. One that reads for a group runs in any case, since
    /// its group may be gone.
    ///
    /// Source: `blocked.c` (`handleClientsBlockedOnKey`).
    fn run_waiting_again(&mut self, database: usize, key: &Sds) {
        let queue = self.databases[database].observers.awaited.get(key).cloned();
        for client in queue.into_iter().flatten() {
            let kind = self.databases[database].peek(key).map(|entry| entry.value.type_name());
            let Some(blocked) = self.blocking.clients.get(&client) else { continue };
            let waits = blocked.database == database && blocked.keys.contains(key);
            let wakes =
                kind == Some(blocked.attempt.awaits()) || blocked.attempt.ends_with_key().is_some();
            if waits && wakes {
                self.run_blocked_again(client);
                self.publish_events();
                if self.replication.feeds {
                    self.send_effects(Sent::Together);
                }
            }
        }
    }

    /// Runs the command of a blocked client again, which may block it again until the same time. A
    /// pause holds it up as if the client had only just sent it.
    fn run_blocked_again(&mut self, client: ClientId) {
        let Some(blocked) = self.blocking.clients.get(&client) else { return };
        let (attempt, deadline) = (blocked.attempt.clone(), blocked.deadline);
        let Some(mut words) = self.blocking.remove(client, &mut self.databases) else { return };
        // `$` was the end of the stream when the wait began.
        if let Attempt::Read { after, .. } = &attempt {
            let first = words.len() - after.len();
            for (word, (_, id)) in words[first..].iter_mut().zip(after) {
                *word = Sds::from(id.to_string());
            }
        }
        let words: Vec<&[u8]> = words.iter().map(Sds::as_slice).collect();
        let command = self.table.resolve(&words).expect("the command has run before");
        if self.must_wait(command, client, &words) {
            return self.postpone(client, &words);
        }
        self.blocking.again = Some(deadline);
        let reply = self.call(client, Origin::Client, command, &words);
        self.blocking.again = None;
        if let Some(reply) = reply {
            self.answer_released(client, reply);
        }
    }

    /// Serves the clients that wait for a key, which has a value of this type.
    fn serve_waiting(&mut self, database: usize, key: &Sds, kind: &'static str) {
        // A client that begins to wait meanwhile has its own turn.
        let queue = self.databases[database].observers.awaited.get(key);
        let mut left = queue.map_or(0, VecDeque::len);
        let mut passed_over = 0;
        while left > 0 {
            left -= 1;
            let db = &mut self.databases[database];
            // It may have been emptied.
            if db.peek(key).is_none_or(|entry| entry.value.type_name() != kind) {
                return;
            }
            let Some(client) = self.waiting(database, key, passed_over) else { return };
            let blocked =
                self.blocking.clients.get(&client).expect("a client in a wait queue is blocked");
            if blocked.attempt.awaits() != kind {
                passed_over += 1;
                continue;
            }
            let db = &mut self.databases[database];
            let changes = db.usage.changes;
            let attempt = self.replication.feeds.then(|| blocked.attempt.clone());
            let before = attempt.as_ref().map(|attempt| self.before_served(database, key, attempt));
            let blocked =
                self.blocking.clients.get(&client).expect("a client in a wait queue is blocked");
            let db = &mut self.databases[database];
            let served = blocked.attempt.on(db, key);
            if !blocked.attempt.counts_when_served() {
                db.usage.changes = changes;
            }
            if let (Some(attempt), Some(before), Ok(Some(reply))) = (&attempt, &before, &served) {
                self.note_served(database, key, (client, attempt), before, reply);
            }
            let reply = match served {
                Ok(None) => {
                    passed_over += 1;
                    continue;
                }
                Ok(Some(reply)) => reply,
                // An error, such as a destination of the wrong type, ends the wait.
                Err(error) => error.into(),
            };
            self.end_wait(database, key, client, reply);
        }
    }

    /// Ends the waits that depend on a key whose value is gone.
    fn end_waits(&mut self, database: usize, key: &Sds) {
        let mut passed_over = 0;
        while let Some(client) = self.waiting(database, key, passed_over) {
            let blocked =
                self.blocking.clients.get(&client).expect("a client in a wait queue is blocked");
            match blocked.attempt.ends_with_key() {
                Some(error) => self.end_wait(database, key, client, error.into()),
                None => passed_over += 1,
            }
        }
    }

    /// Returns a client in the wait queue of a key, by its place.
    fn waiting(&self, database: usize, key: &Sds, place: usize) -> Option<ClientId> {
        self.databases[database].observers.awaited.get(key)?.get(place).copied()
    }

    fn end_wait(&mut self, database: usize, key: &Sds, client: ClientId, reply: Reply) {
        self.tell_served(database, key, client, &reply);
        self.unblock(client, reply);
        self.publish_events();
        if self.replication.feeds {
            self.send_effects(Sent::Together);
        }
    }

    /// Gives a blocked client the reply to its command, which has ended now, and releases it.
    /// Returns whether it was blocked.
    pub(crate) fn unblock(&mut self, client: ClientId, reply: Reply) -> bool {
        let failed = matches!(reply, Reply::Error(_));
        self.release_blocked(client, reply, failed, true)
    }

    /// Ends a client's wait because another client asked for it (`CLIENT UNBLOCK`), with an error
    /// or in vain. Either counts as a failure. Returns whether it was blocked.
    pub(crate) fn unblock_by_request(&mut self, client: ClientId, error: Option<Reply>) -> bool {
        let Some(in_vain) = self.in_vain(client) else { return false };
        self.release_blocked(client, error.unwrap_or(in_vain), true, true)
    }

    /// Ends a client's wait because its time is up. Returns whether it was blocked.
    pub(crate) fn time_out(&mut self, client: ClientId) -> bool {
        let Some(in_vain) = self.in_vain(client) else { return false };
        self.release_blocked(client, in_vain, false, self.notes_every_end())
    }

    /// Returns whether the slow log notes also waits that end by time, or with enough replicas.
    pub(super) fn notes_every_end(&self) -> bool {
        self.profile().blocking == Waking::RunsAgain
    }

    /// Replies to a client that waits no longer, and goes on with what it has sent since.
    fn answer_released(&mut self, client: ClientId, reply: Reply) {
        if let Some(session) = self.sessions.get_mut(&client) {
            session.last_used = self.now;
        }
        self.reply(client, reply);
        self.release(client);
    }

    /// Counts the command of a client once more, or once less.
    pub(super) fn count_call(&mut self, client: ClientId, by: i64) {
        let Some(session) = self.sessions.get(&client) else { return };
        let stats = self.stats.of(session.last_command);
        stats.calls = stats.calls.saturating_add_signed(by);
        self.stats.commands = self.stats.commands.saturating_add_signed(by);
    }

    /// Returns the reply to a blocked client that has waited in vain.
    fn in_vain(&mut self, client: ClientId) -> Option<Reply> {
        Some(match self.blocking.clients.get(&client)?.attempt {
            Attempt::Replicas { offset, .. } => Reply::count(self.replicas_with(offset)),
            Attempt::Synced(wanted) => self.synced(wanted).reply(),
            _ => Reply::NilArray,
        })
    }

    /// Ends a client's wait with this reply. `failed` counts it as a failure, and `logged` notes it
    /// in the slow log and in the log of sizes. Returns whether the client was blocked.
    pub(super) fn release_blocked(
        &mut self,
        client: ClientId,
        reply: Reply,
        failed: bool,
        logged: bool,
    ) -> bool {
        let Some(words) = self.blocking.remove(client, &mut self.databases) else { return false };
        if let Reply::Error(error) = &reply {
            self.stats.failed(error);
        }
        if self.profile().blocking == Waking::RunsAgain {
            self.count_call(client, 1);
        }
        if let Some(session) = self.sessions.get(&client).filter(|_| failed) {
            self.stats.of(session.last_command).failed += 1;
        }
        if logged {
            self.note_blocked(client, &words, &reply);
        }
        self.answer_released(client, reply);
        true
    }
}
