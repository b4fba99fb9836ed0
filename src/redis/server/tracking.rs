//! Tracking: telling clients that keep copies of values when the copies are out of date.
//!
//! By default the server remembers which client has read which key, until the key changes; then it
//! sends one invalidation and forgets. This outlives the client's tracking, which may begin anew.
//! Keys of different databases are not told apart. In broadcasting mode a client names prefixes
//! instead, and nothing is remembered: every change of a matching key is sent, all changes of one
//! step in one message.
//!
//! An invalidation is sent at once, before anything else that the rest of a transaction or a script
//! sends; to the client whose own command caused it, it is sent after the reply. It goes to the
//! client itself in RESP3, or to the connection that the client redirects to; in RESP2 only a
//! redirection to a subscriber can receive it.
//!
//! The databases collect the changed keys while anybody tracks or anything is remembered. The real
//! server broadcasts once for each round of its event loop, which may hold several commands of a
//! pipeline; here it does after each command.
//!
//! Source: <https://redis.io/docs/manual/client-side-caching/>, `tracking.c`.

use super::Server;
use super::command::Row;
use crate::redis::command::key_spec::usage;
use crate::redis::command::{Args, flag};
use crate::redis::database::Modified;
use crate::redis::id::ClientId;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::value::Sds;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// When the change of a key is signalled, beside the events of it that its command raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signalled {
    Before,
    AfterTheFirst,
    After,
}

impl Signalled {
    /// Returns when, given the first event of the key and that of the next one.
    ///
    /// Source: the calls of `notifyKeyspaceEvent` and `signalModifiedKey`, compared with the
    /// server.
    fn beside(event: &str, next: Option<&str>) -> Signalled {
        match event {
            "expired" | "lpop" | "rpop" | "ltrim" | "spop" | "zrem" | "xtrim" => Signalled::After,
            "zpopmin" | "zpopmax" => Signalled::AfterTheFirst,
            // Of `SMOVE`.
            "srem" if next == Some("sadd") => Signalled::After,
            _ => Signalled::Before,
        }
    }
}

/// The subject of an invalidation: a key, or all.
fn of_key(key: Option<&Sds>) -> Reply {
    key.map_or(Reply::Nil, |key| Reply::Array(vec![Reply::bulk(key)]))
}

/// Which of the keys that a client reads are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Remembers {
    /// All.
    #[default]
    All,
    /// Those read right after `CLIENT CACHING YES`.
    OptIn,
    /// All but those read right after `CLIENT CACHING NO`.
    OptOut,
}

/// How a client tracks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracker {
    /// The number of the client that gets the invalidations. 0 is the client itself.
    pub(crate) redirect: u64,
    /// That client is gone.
    pub(crate) broken: bool,
    pub(crate) broadcasts: bool,
    /// The prefixes that are broadcast, sorted.
    pub(crate) prefixes: Vec<Sds>,
    pub(crate) remembers: Remembers,
    /// `CLIENT CACHING` was called for the next command.
    pub(crate) caching: bool,
    /// The client is not told of its own changes.
    pub(crate) no_loop: bool,
}

/// The clients that track keys, and what is remembered and due for them.
#[derive(Debug, Default)]
pub(crate) struct Tracking {
    pub(crate) clients: IndexMap<ClientId, Tracker, FxBuildHasher>,
    /// Changes are watched: somebody tracks, or what somebody has read is still remembered.
    pub(super) is_on: bool,
    /// The clients that have read a key since it changed, each with its number, which no other
    /// client will have. One may track no longer, or again.
    readers: IndexMap<Sds, Vec<(ClientId, u64)>, FxBuildHasher>,
    /// Invalidations that are to be sent, in order: of a key, or of all keys.
    due: Vec<(ClientId, Option<Sds>)>,
    /// Keys that have changed in this step, and who changed them last.
    changed: IndexMap<Sds, Option<ClientId>, FxBuildHasher>,
}

impl Tracking {
    /// Numbers of tracking clients, of remembered keys, of remembered pairs of a key and a client,
    /// and of prefixes.
    pub(crate) fn sizes(&self) -> [usize; 4] {
        let mut prefixes: Vec<&Sds> = self.clients.values().flat_map(|by| &by.prefixes).collect();
        prefixes.sort();
        prefixes.dedup();
        let pairs = self.readers.values().map(Vec::len).sum();
        [self.clients.len(), self.readers.len(), pairs, prefixes.len()]
    }
}

impl Server {
    /// Begins to track for a client, or changes how.
    pub(crate) fn track(&mut self, client: ClientId, mut tracker: Tracker) {
        if let Some(former) = self.tracking.clients.get(&client) {
            tracker.prefixes.extend(former.prefixes.iter().cloned());
        }
        tracker.prefixes.sort();
        tracker.prefixes.dedup();
        self.tracking.clients.insert(client, tracker);
        self.observe_for_tracking();
    }

    /// Ends a client's tracking. What it has read is remembered until it changes, and counts if it
    /// tracks again by then.
    pub(crate) fn untrack(&mut self, client: ClientId) {
        if self.tracking.clients.shift_remove(&client).is_some() {
            self.observe_for_tracking();
        }
    }

    fn observe_for_tracking(&mut self) {
        let tracked = !self.tracking.clients.is_empty() || !self.tracking.readers.is_empty();
        self.tracking.is_on = tracked;
        for database in &mut self.databases {
            database.observers.tracked = tracked;
            if !tracked {
                database.observers.modified.clear();
            }
        }
        if !tracked {
            self.tracking = Tracking::default();
        }
    }

    /// Returns whether the keys that a client reads now are remembered.
    fn remembers(&self, client: ClientId) -> bool {
        let Some(tracker) = self.tracking.clients.get(&client) else { return false };
        let remembers = match tracker.remembers {
            Remembers::All => true,
            Remembers::OptIn => tracker.caching,
            Remembers::OptOut => !tracker.caching,
        };
        remembers && !tracker.broadcasts
    }

    /// Remembers the keys that a client's command has read.
    #[cold]
    pub(super) fn remember_reads(&mut self, client: ClientId, command: &Row, args: Args<'_>) {
        // A script remembers its keys when one of its own commands reads.
        let runs_script = command.has(flag::SKIP_MONITOR);
        if !command.has(flag::READONLY)
            || command.has(flag::PUBSUB)
            || runs_script
            || !self.remembers(client)
        {
            return;
        }
        for spec in command.keys.iter().filter(|spec| spec.usage & usage::NOT_KEY == 0) {
            for at in spec.positions(args).unwrap_or_default() {
                if let Some(key) = args.get(at) {
                    self.remember(client, key);
                }
            }
        }
    }

    /// Remembers the keys of a client's script, one of whose commands has read.
    #[cfg(feature = "lua")]
    pub(super) fn remember_keys(&mut self, client: ClientId, keys: Args<'_>) {
        if self.remembers(client) {
            keys.iter().for_each(|key| self.remember(client, key));
        }
    }

    fn remember(&mut self, client: ClientId, key: &[u8]) {
        let Some(session) = self.sessions.get(&client) else { return };
        let reader = (client, session.id);
        let readers = self.tracking.readers.entry(Sds::new(key)).or_default();
        if !readers.contains(&reader) {
            readers.push(reader);
        }
    }

    /// Ends what `CLIENT CACHING` said about the command that has just run.
    #[inline]
    pub(super) fn caching_ends(&mut self, client: ClientId) {
        if self.tracking.is_on {
            self.end_caching(client);
        }
    }

    #[cold]
    fn end_caching(&mut self, client: ClientId) {
        if let Some(tracker) = self.tracking.clients.get_mut(&client).filter(|by| by.caching)
            && let Some(session) = self.sessions.get(&client)
            && session.multi.is_none()
            && !session.last_command.starts_with("client")
        {
            tracker.caching = false;
        }
    }

    /// Notes what a command has changed: who has to be told, which follows its reply.
    #[cold]
    pub(super) fn note_changes(&mut self) {
        if !self.tracking.is_on {
            return;
        }
        let by = self.outbox.running();
        let mut flushed = false;
        for index in 0..self.databases.len() {
            for modified in std::mem::take(&mut self.databases[index].observers.modified) {
                match modified {
                    Modified::Key(key) => {
                        self.invalidate(&key, by);
                        self.tracking.changed.insert(key, by);
                    }
                    Modified::All => flushed = true,
                }
            }
        }
        if flushed {
            self.tracking.readers.clear();
            let all = self.tracking.clients.keys().map(|client| (*client, None));
            self.tracking.due.extend(all);
        }
        if self.tracking.clients.is_empty() && self.tracking.readers.is_empty() {
            self.observe_for_tracking();
        }
    }

    /// Sends the databases' events, and the invalidations for what has changed so far to all but
    /// the client whose request runs. The two of a key are sent in the order in which its command
    /// raises them.
    #[cold]
    pub(super) fn publish_with_invalidations(&mut self) {
        self.note_changes();
        let current = self.outbox.running();
        let mut others = IndexMap::<Option<Sds>, Vec<ClientId>, FxBuildHasher>::default();
        for (client, key) in std::mem::take(&mut self.tracking.due) {
            if Some(client) == current {
                self.tracking.due.push((client, key));
            } else {
                others.entry(key).or_default().push(client);
            }
        }
        for index in 0..self.databases.len() {
            let events = std::mem::take(&mut self.databases[index].observers.events);
            let mut runs = events.chunk_by(|one, next| one.key == next.key).peekable();
            while let Some(run) = runs.next() {
                let next = runs.peek().map(|next| &next[0]);
                let signalled = Signalled::beside(run[0].event, next.map(|next| next.event));
                let mut signal = |server: &mut Server, key: &Sds| {
                    let clients = others.get_mut(&Some(key.clone())).map(std::mem::take);
                    server.send_to_each(&clients.unwrap_or_default(), Some(key));
                };
                let (first, rest) = run.split_at(match signalled {
                    Signalled::Before => 0,
                    Signalled::AfterTheFirst => 1,
                    Signalled::After => run.len(),
                });
                first.iter().for_each(|event| self.publish_key_event(event));
                signal(self, &run[0].key);
                // `RENAME` signals both changes first.
                if let Some(to) = next.filter(|_| run[0].event == "rename_from") {
                    signal(self, &to.key);
                }
                rest.iter().for_each(|event| self.publish_key_event(event));
            }
        }
        for (key, clients) in others {
            self.send_to_each(&clients, key.as_ref());
        }
    }

    fn send_to_each(&mut self, clients: &[ClientId], key: Option<&Sds>) {
        clients.iter().for_each(|client| self.send_invalidation(*client, of_key(key)));
    }

    /// Sends the invalidations for what has changed.
    #[inline]
    pub(super) fn send_invalidations(&mut self) {
        if self.tracking.is_on {
            self.send_due();
        }
    }

    #[cold]
    fn send_due(&mut self) {
        self.publish_with_invalidations();
        for (client, key) in std::mem::take(&mut self.tracking.due) {
            self.send_invalidation(client, of_key(key.as_ref()));
        }
        self.broadcast();
        self.forget_what_is_too_much();
    }

    /// Tells the clients that have read a key.
    fn invalidate(&mut self, key: &Sds, by: Option<ClientId>) {
        let Some(readers) = self.tracking.readers.swap_remove(key) else { return };
        for (client, number) in readers {
            let Some(tracker) = self.tracking.clients.get(&client) else { continue };
            if self.sessions.get(&client).is_none_or(|session| session.id != number) {
                continue;
            }
            let is_own = tracker.no_loop && by == Some(client);
            if !is_own && !tracker.broadcasts {
                self.tracking.due.push((client, Some(key.clone())));
            }
        }
    }

    /// Tells the clients in broadcasting mode: one message for each of their prefixes.
    fn broadcast(&mut self) {
        let mut changed: Vec<(Sds, Option<ClientId>)> =
            std::mem::take(&mut self.tracking.changed).into_iter().collect();
        changed.sort();
        let mut messages: Vec<(Sds, ClientId, bool)> = Vec::new();
        for (client, tracker) in self.tracking.clients.iter().filter(|(_, by)| by.broadcasts) {
            let of_prefix = |prefix: &Sds| (prefix.clone(), *client, tracker.no_loop);
            messages.extend(tracker.prefixes.iter().map(of_prefix));
        }
        messages.sort();
        for (prefix, client, no_loop) in messages {
            let meant = changed.iter().filter(|(key, by)| {
                key.starts_with(prefix.as_slice()) && !(no_loop && *by == Some(client))
            });
            let keys: Vec<&Sds> = meant.map(|(key, _)| key).collect();
            if !keys.is_empty() {
                self.send_invalidation(client, Reply::bulks(keys));
            }
        }
    }

    /// Forgets keys that were read, drawn at random, while there are more than
    /// `tracking-table-max-keys`. Their readers are told as if they had changed.
    fn forget_what_is_too_much(&mut self) {
        let most = match self.config.tracking_keys {
            0 => return,
            most => usize::try_from(most).unwrap_or(usize::MAX),
        };
        while self.tracking.readers.len() > most {
            let index = self.random.choose(self.tracking.readers.len() as u64);
            let index = usize::try_from(index).unwrap_or(0);
            let Some((key, _)) = self.tracking.readers.get_index(index) else { return };
            let key = key.clone();
            self.invalidate(&key, None);
        }
        for (client, key) in std::mem::take(&mut self.tracking.due) {
            self.send_invalidation(client, of_key(key.as_ref()));
        }
    }

    /// Sends an invalidation to a client, or to the one that it redirects to.
    fn send_invalidation(&mut self, client: ClientId, keys: Reply) {
        let Some(tracker) = self.tracking.clients.get_mut(&client) else { return };
        let redirect = tracker.redirect;
        let mut to = client;
        if redirect != 0 {
            let found = self.sessions.iter().find(|(_, session)| session.id == redirect);
            match found {
                Some((found, _)) => to = *found,
                None => {
                    tracker.broken = true;
                    if self.speaks(client, Protocol::Resp3) {
                        let number = i64::try_from(redirect).unwrap_or(i64::MAX);
                        let items =
                            vec![Reply::bulk(b"tracking-redir-broken"), Reply::Integer(number)];
                        self.push(client, items);
                    }
                    return;
                }
            }
        }
        if self.speaks(to, Protocol::Resp3) {
            self.push(to, vec![Reply::bulk(b"invalidate"), keys]);
        } else if to != client && self.pubsub.is_subscriber(to) {
            let channel = Reply::bulk(b"__redis__:invalidate");
            self.push(to, vec![Reply::bulk(b"message"), channel, keys]);
        }
    }

    fn speaks(&self, client: ClientId, protocol: Protocol) -> bool {
        self.sessions.get(&client).is_some_and(|session| session.protocol == protocol)
    }
}
