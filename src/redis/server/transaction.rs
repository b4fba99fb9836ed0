//! Transactions: how `EXEC` runs one, and what `WATCH` guards.
//!
//! A transaction's queue is in its client's session until it runs. `WATCH` is an optimistic lock:
//! while anybody watches a key, every change increments the key's version. `EXEC` runs only if no
//! version has changed. An expiry is a change, too. A key that had already expired when it was
//! watched, but had not been removed, may be removed without breaking the lock.
//!
//! Source: <https://redis.io/docs/manual/transactions/>, `multi.c`.

use super::command::Row;
use super::{Request, Server, Watch};
use crate::redis::command::arguments::distinct;
use crate::redis::command::{Args, Caller, Origin};
use crate::redis::database::Watched;
use crate::redis::id::ClientId;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;

/// Commands that `MULTI` does not queue.
const RUN_WITHIN_MULTI: [&str; 6] = ["exec", "discard", "multi", "watch", "quit", "reset"];

/// A running transaction.
#[derive(Debug)]
pub(crate) struct Exec {
    client: ClientId,
    /// Announced length of the reply array.
    announced: usize,
    queued: std::vec::IntoIter<(&'static Row, Request)>,
    replies: Vec<Reply>,
}

impl Exec {
    pub(crate) fn new(client: ClientId, queued: Vec<(&'static Row, Request)>) -> Exec {
        let announced = queued.len();
        let replies = Vec::with_capacity(announced);
        Exec { client, announced, queued: queued.into_iter(), replies }
    }
}

#[cfg(feature = "lua")]
impl Exec {
    /// Returns the transaction, with the reply of the command that it waited for.
    pub(crate) fn continued(mut self, reply: Reply) -> Exec {
        self.replies.push(reply);
        self
    }
}

/// Work that a transaction has put off until its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scheduled {
    pub(crate) save: bool,
    pub(crate) rewrite: bool,
}

impl Server {
    /// Queues a command of a client that is in `MULTI`, unless it is one that ends or controls the
    /// transaction. Returns whether the command was queued.
    pub(super) fn queue_in_multi(
        &mut self,
        client: ClientId,
        command: &'static Row,
        args: Args<'_>,
    ) -> bool {
        if RUN_WITHIN_MULTI.contains(&command.name) {
            return false;
        }
        let flags = self.flags_of(command, args);
        let session = self.sessions.get_mut(&client).expect("the caller has a session");
        let Some(multi) = &mut session.multi else { return false };
        // Commands that will not run are not kept.
        if !multi.failed {
            let request: Request = args.iter().map(|arg| Sds::new(arg)).collect();
            multi.flags |= flags;
            multi.lacking_flags |= !flags;
            multi.queued.push((command, request));
        }
        self.reply(client, Reply::QUEUED);
        true
    }

    /// Runs the remaining commands of a transaction and replies. If one of them puts the server to
    /// sleep, the rest runs when it wakes.
    pub(crate) fn run_transaction(&mut self, mut exec: Exec) {
        let client = exec.client;
        // One of its own commands may have closed the client.
        while self.sessions.contains_key(&client)
            && let Some((command, request)) = exec.queued.next()
        {
            let request: Vec<&[u8]> = request.iter().map(Sds::as_slice).collect();
            if let Some(error) = self.denied_in_exec(client, command, &request) {
                self.note_item(client, &error);
                exec.replies.push(error);
                continue;
            }
            self.outbox.begin_stage(client);
            let reply = self.call(client, Origin::Exec, command, &request);
            self.publish_events();
            exec.replies.extend(self.outbox.take_stage());
            exec.replies.extend(reply);
            if self.is_asleep() {
                return self.sleep_within(exec);
            }
        }
        if let Some(session) = self.sessions.get_mut(&client) {
            session.executing = None;
        }
        // The server announces as many replies as there are commands. With messages among them, the
        // last replies follow the array.
        let beyond = exec.replies.split_off(exec.announced.min(exec.replies.len()));
        self.reply(client, Reply::Array(exec.replies));
        for reply in beyond {
            self.reply(client, reply);
        }
        self.end_transaction();
    }

    /// Returns whether this call is part of a transaction, or one is sleeping meanwhile.
    pub(crate) fn is_in_transaction(&self, caller: Caller) -> bool {
        caller.origin == Origin::Exec || self.sleep.is_within_transaction()
    }

    /// Does what was put off until the end of a transaction.
    fn end_transaction(&mut self) {
        let now = self.now;
        for database in &mut self.databases {
            database.advance_to(now);
        }
        let scheduled = std::mem::take(&mut self.scheduled);
        if scheduled.save {
            self.disk().save_in_background();
        }
        if scheduled.rewrite {
            self.disk().rewrite_append_only();
        }
    }

    /// Begins to watch keys for a client (`WATCH`).
    pub(crate) fn watch(&mut self, client: ClientId, database: usize, keys: &[&[u8]]) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        let here = session.watches.iter().filter(|watch| watch.database == database);
        let here: Vec<&[u8]> =
            here.map(|watch| watch.key.as_slice()).chain(keys.iter().copied()).collect();
        let known = here.len() - keys.len();
        let new: Vec<Sds> = distinct(&here).skip(known).map(Sds::new).collect();
        let db = &mut self.databases[database];
        for key in new {
            let expired = db.is_expired_unnoticed(&key);
            let watched = db.observers.watched.entry(key.clone()).or_default();
            watched.watchers += 1;
            let Watched { version, expiries, .. } = *watched;
            session.watches.push(Watch { database, key, version, expiries, expired });
        }
    }

    /// Ends all watches of a client (`UNWATCH`).
    pub(crate) fn unwatch(&mut self, client: ClientId) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        for watch in std::mem::take(&mut session.watches) {
            let watched = &mut self.databases[watch.database].observers.watched;
            if let Some(state) = watched.get_mut(&watch.key) {
                state.watchers -= 1;
                if state.watchers == 0 {
                    watched.swap_remove(&watch.key);
                }
            }
        }
    }

    /// Returns whether a key that a client watches has changed or expired.
    pub(crate) fn watch_is_broken(&mut self, client: ClientId) -> bool {
        let Some(session) = self.sessions.get(&client) else { return false };
        session.watches.iter().any(|watch| {
            let db = &self.databases[watch.database];
            let watched = db.observers.watched.get(&watch.key);
            let Some(state) = watched else { return true };
            let expired = state.expiries != watch.expiries
                || (!state.brought_expired && db.is_expired_unnoticed(&watch.key));
            state.version != watch.version || (expired && !watch.expired)
        })
    }
}
