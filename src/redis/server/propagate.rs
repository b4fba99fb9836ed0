//! Propagation: what a master sends to its replicas.
//!
//! While somebody listens, each command that has changed something leaves its *effects*: commands
//! that have the same result whenever and wherever they run. `rewrite` makes them: `EXPIRE` becomes
//! `PEXPIREAT`, `SPOP` becomes `SREM`, a script becomes the commands that it has called. A key that
//! expires leaves a `DEL`, and that comes before the effects of the command that found it. The
//! effects of one step wait in a list, since several of them are sent as a transaction. The
//! invariant: between two steps the list is empty.
//!
//! Nothing of this is done, and a command pays for one look, until a replica has connected.
//!
//! Source: `server.c` (`call`, `propagatePendingCommands`), `replication.c`
//! (`replicationFeedSlaves`).

mod fields;
mod obey;
mod rewrite;
mod streams;

use super::Server;
use super::command::Row;
use crate::redis::command::attempt::Attempt;
use crate::redis::command::{Args, Caller};
use crate::redis::database::Removed;
use crate::redis::id::ClientId;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
pub(super) use obey::obeyed;
use streams::GroupBefore;

/// A command that replicas are to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) database: usize,
    pub(crate) words: Vec<Sds>,
}

/// What a command found, as far as its effects depend on that.
#[derive(Debug)]
pub(super) struct Before {
    changes: u64,
    groups: Vec<GroupBefore>,
}

/// How several effects of one step are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// As one transaction.
    Together,
    /// One by one, as keys are that expire by themselves, or are evicted.
    OneByOne,
}

/// Returns the words of an effect.
fn words(words: &[&[u8]]) -> Vec<Sds> {
    words.iter().map(|word| Sds::new(word)).collect()
}

impl Server {
    /// Lets the databases note what the stream of effects needs of them.
    pub(crate) fn observe_for_replicas(&mut self) {
        let feeds = self.replication.feeds;
        for database in &mut self.databases {
            database.observers.feeds = feeds;
            database.observers.removed.clear();
        }
    }

    /// Number of changes so far.
    pub(super) fn changes(&self) -> u64 {
        self.databases.iter().fold(0, |sum, db| sum.wrapping_add(db.usage.changes))
    }

    /// Notes what a command finds that is about to run.
    pub(super) fn before_effects(
        &mut self,
        caller: Caller,
        command: &Row,
        args: Args<'_>,
    ) -> Before {
        let db = &mut self.databases[caller.database];
        db.observers.claimed.clear();
        let groups = streams::groups_before(db, command.name, args);
        Before { changes: self.changes(), groups }
    }

    /// Notes the effects of a command that has run.
    pub(super) fn note_effects(
        &mut self,
        caller: Caller,
        command: &Row,
        args: Args<'_>,
        before: &Before,
        reply: Option<&Reply>,
    ) {
        self.note_expired();
        let failed = reply.is_none_or(Reply::is_error);
        let forced = !failed && rewrite::is_forced(command.name);
        if self.replication.mute || (!forced && self.changes() == before.changes) {
            return;
        }
        let database = caller.database;
        let db = &self.databases[database];
        let made = match streams::effects(db, command.name, args, &before.groups, reply) {
            Some(made) => made,
            None => {
                // `SPOP` removes the key by itself; others remove one that has expired.
                let parameter = match command.name {
                    "spop" => "lazyfree-lazy-server-del",
                    _ => "lazyfree-lazy-expire",
                };
                let lazily = self.config.is_on(parameter);
                rewrite::effects(db, command.name, args, reply, lazily)
            }
        };
        self.note(database, made);
    }

    /// Notes what a blocked client finds that is about to be served.
    pub(super) fn before_served(&self, database: usize, key: &[u8], attempt: &Attempt) -> Before {
        let groups = match attempt {
            Attempt::ReadGroup { group, consumer, .. } => {
                vec![GroupBefore::of(&self.databases[database], key, group, consumer)]
            }
            _ => Vec::new(),
        };
        Before { changes: 0, groups }
    }

    /// Notes the effects of serving a blocked client.
    pub(super) fn note_served(
        &mut self,
        database: usize,
        key: &[u8],
        (client, attempt): (ClientId, &Attempt),
        before: &Before,
        reply: &Reply,
    ) {
        self.note_expired();
        let called = self.sessions.get(&client).map_or("", |session| session.last_command);
        let made = match attempt {
            Attempt::ReadGroup { options, .. } => {
                let db = &self.databases[database];
                before.groups.iter().flat_map(|group| group.read(db, options.no_ack, &[])).collect()
            }
            _ => rewrite::served(attempt, called, key, reply),
        };
        self.note(database, made);
    }

    /// Notes the keys that have expired or were evicted, which replicas keep until they are told.
    pub(super) fn note_expired(&mut self) {
        for index in 0..self.databases.len() {
            if self.databases[index].observers.removed.is_empty() {
                continue;
            }
            let removed = std::mem::take(&mut self.databases[index].observers.removed);
            let evicts_lazily = self.config.is_on("lazyfree-lazy-eviction");
            let expires_lazily = self.config.is_on("lazyfree-lazy-expire");
            let removal = |lazily: bool| Sds::from(if lazily { "UNLINK" } else { "DEL" });
            let rules = &self.databases[index].profile.fields;
            let made = removed.into_iter().flat_map(|removed| match removed {
                Removed::Expired(key) => vec![vec![removal(expires_lazily), key]],
                Removed::Evicted(key) => vec![vec![removal(evicts_lazily), key]],
                Removed::Fields { key, fields, emptied } => {
                    let mut made = fields::hdel(&key, &fields, rules);
                    if emptied && rules.ended_are_sent_together {
                        made.push(vec![removal(expires_lazily), key]);
                    }
                    made
                }
            });
            let made = made.collect();
            self.note(index, made);
        }
    }

    fn note(&mut self, database: usize, made: Vec<Vec<Sds>>) {
        let effects = made.into_iter().map(|words| Effect { database, words });
        self.replication.pending.extend(effects);
    }

    /// Sends the effects of a client's command. What a command changes that may look at any key is
    /// no transaction.
    pub(super) fn send_effects_of(&mut self, client: ClientId, command: &Row) {
        let any_key = matches!(command.name, "scan" | "randomkey");
        self.send_effects(if any_key { Sent::OneByOne } else { Sent::Together });
        let offset = self.replication.offset;
        if let Some(session) = self.sessions.get_mut(&client) {
            session.written = offset;
        }
    }

    /// Sends the effects of a step.
    pub(super) fn send_effects(&mut self, sent: Sent) {
        self.note_expired();
        if self.replication.pending.is_empty() {
            return self.ask_for_acks();
        }
        let effects = std::mem::take(&mut self.replication.pending);
        if self.replication.is_replica() {
            return;
        }
        let transaction = sent == Sent::Together && effects.len() > 1;
        if let (true, Some(first)) = (transaction, effects.first()) {
            let within = self.profile().selects_in_multi;
            self.feed((!within).then_some(first.database), &words(&[b"MULTI"]));
        }
        for effect in &effects {
            self.feed(Some(effect.database), &effect.words);
        }
        if let (true, Some(last)) = (transaction, effects.last()) {
            self.feed(Some(last.database), &words(&[b"EXEC"]));
        }
        self.ask_for_acks();
    }
}
