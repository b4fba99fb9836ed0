//! Publish and subscribe: channels, patterns, and shard channels.
//!
//! A subscription joins a client and a channel (or pattern). Published messages are not kept.
//! Subscribers of the channel receive a message first, in the order in which they subscribed.
//! Subscribers of each matching pattern follow, in the order in which the patterns were first used.
//! A client that subscribed to both receives the message twice, as from Redis.
//!
//! Source: <https://redis.io/docs/manual/pubsub/>, `pubsub.c`.

use super::Server;
use crate::invariant::ensure;
use crate::redis::database::glob;
use crate::redis::database::notify::{EventClasses, KeyEvent};
use crate::redis::id::ClientId;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;

/// The three kinds of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `SUBSCRIBE`.
    Channel,
    /// `PSUBSCRIBE`.
    Pattern,
    /// `SSUBSCRIBE`.
    Shard,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::Channel => "",
            Kind::Pattern => "p",
            Kind::Shard => "s",
        }
    }
}

type Subscribers = IndexMap<Sds, IndexSet<ClientId, FxBuildHasher>, FxBuildHasher>;

/// All subscriptions, by target and by client.
#[derive(Debug, Default)]
pub(crate) struct PubSub {
    channels: Subscribers,
    patterns: Subscribers,
    shards: Subscribers,
    clients: IndexMap<ClientId, [IndexSet<Sds, FxBuildHasher>; 3], FxBuildHasher>,
}

impl PubSub {
    fn targets(&self, kind: Kind) -> &Subscribers {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shards,
        }
    }

    fn targets_mut(&mut self, kind: Kind) -> &mut Subscribers {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }

    fn subscribe(&mut self, client: ClientId, kind: Kind, target: &[u8]) {
        let mine = self.clients.entry(client).or_default();
        if mine[kind as usize].insert(Sds::new(target)) {
            self.targets_mut(kind).entry(Sds::new(target)).or_default().insert(client);
        }
    }

    fn unsubscribe(&mut self, client: ClientId, kind: Kind, target: &[u8]) {
        let Some(mine) = self.clients.get_mut(&client) else { return };
        if !mine[kind as usize].shift_remove(target) {
            return;
        }
        if mine.iter().all(IndexSet::is_empty) {
            self.clients.swap_remove(&client);
        }
        let targets = self.targets_mut(kind);
        if let Some(subscribers) = targets.get_mut(target) {
            subscribers.shift_remove(&client);
            if subscribers.is_empty() {
                targets.shift_remove(target);
            }
        }
    }

    /// Returns all clients with a subscription.
    pub(crate) fn clients(&self) -> impl Iterator<Item = ClientId> {
        self.clients.keys().copied()
    }

    /// Checks that the tables of targets and of clients agree. Returns what is wrong otherwise.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            let mut subscriptions = 0;
            for (target, clients) in self.targets(kind) {
                ensure(!clients.is_empty(), || format!("nobody listens to {target}"))?;
                for client in clients {
                    let mine = self.clients.get(client);
                    let known = mine.is_some_and(|mine| mine[kind as usize].contains(target));
                    ensure(known, || format!("client {client} does not listen to {target}"))?;
                }
                subscriptions += clients.len();
            }
            let mine: usize = self.clients.values().map(|mine| mine[kind as usize].len()).sum();
            ensure(mine == subscriptions, || format!("{subscriptions} and {mine} subscriptions"))?;
        }
        let idle = |mine: &[IndexSet<Sds, FxBuildHasher>; 3]| mine.iter().all(IndexSet::is_empty);
        ensure(!self.clients.values().any(idle), || "a client listens to nothing".to_owned())
    }

    /// Removes a client that has gone.
    pub(crate) fn remove_client(&mut self, client: ClientId) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            self.unsubscribe_all(client, kind);
        }
    }

    /// Ends all subscriptions of a kind. Returns the targets, in the order in which the client
    /// subscribed. The tables keep their order, so they are gone through once for all targets.
    fn unsubscribe_all(&mut self, client: ClientId, kind: Kind) -> IndexSet<Sds, FxBuildHasher> {
        let Some(mine) = self.clients.get_mut(&client) else { return IndexSet::default() };
        let ended = std::mem::take(&mut mine[kind as usize]);
        if mine.iter().all(IndexSet::is_empty) {
            self.clients.swap_remove(&client);
        }
        let targets = self.targets_mut(kind);
        let mut is_any_empty = false;
        for target in &ended {
            if let Some(subscribers) = targets.get_mut(target) {
                subscribers.shift_remove(&client);
                is_any_empty |= subscribers.is_empty();
            }
        }
        if is_any_empty {
            targets.retain(|_, subscribers| !subscribers.is_empty());
        }
        ended
    }

    /// Returns a client's targets, in the order in which it subscribed.
    pub(crate) fn subscriptions(&self, client: ClientId, kind: Kind) -> Vec<Sds> {
        let mine = self.clients.get(&client);
        mine.map_or_else(Vec::new, |mine| mine[kind as usize].iter().cloned().collect())
    }

    /// Number of a client's subscriptions of a kind.
    pub(crate) fn count(&self, client: ClientId, kind: Kind) -> usize {
        self.clients.get(&client).map_or(0, |mine| mine[kind as usize].len())
    }

    /// Returns whether a client has a subscription.
    pub(crate) fn is_subscriber(&self, client: ClientId) -> bool {
        !self.clients.is_empty() && self.clients.contains_key(&client)
    }

    /// Returns the channels, or shard channels, that match the pattern; all, without a pattern.
    pub(crate) fn active(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Sds> {
        let matches = |name: &&Sds| pattern.is_none_or(|p| glob::matches(p, name, false));
        self.targets(kind).keys().filter(matches).cloned().collect()
    }

    /// Number of clients that are subscribed to exactly this target.
    pub(crate) fn subscribers(&self, kind: Kind, target: &[u8]) -> usize {
        self.targets(kind).get(target).map_or(0, IndexSet::len)
    }

    /// Number of different patterns.
    pub(crate) fn patterns(&self) -> usize {
        self.patterns.len()
    }

    /// Returns the recipients of a message, each with the pattern that matched.
    fn receivers(&self, kind: Kind, channel: &[u8]) -> Vec<(ClientId, Option<Sds>)> {
        let direct = self.targets(kind).get(channel);
        let mut receivers: Vec<(ClientId, Option<Sds>)> =
            direct.into_iter().flatten().map(|client| (*client, None)).collect();
        if kind == Kind::Channel {
            for (pattern, clients) in &self.patterns {
                if glob::matches(pattern, channel, false) {
                    receivers.extend(clients.iter().map(|c| (*c, Some(pattern.clone()))));
                }
            }
        }
        receivers
    }
}

impl Server {
    /// Publishes a message. Returns the number of recipients.
    pub(crate) fn publish(&mut self, kind: Kind, channel: &[u8], message: &[u8]) -> usize {
        let receivers = self.pubsub.receivers(kind, channel);
        for (client, pattern) in &receivers {
            let mut items = match pattern {
                Some(pattern) => vec![Reply::bulk(b"pmessage"), Reply::bulk(pattern)],
                None if kind == Kind::Shard => vec![Reply::bulk(b"smessage")],
                None => vec![Reply::bulk(b"message")],
            };
            items.push(Reply::bulk(channel));
            items.push(Reply::bulk(message));
            self.push(*client, items);
        }
        receivers.len()
    }

    /// Publishes an event of a key.
    pub(crate) fn publish_key_event(&mut self, event: &KeyEvent) {
        let database = event.database;
        let classes = self.config.events;
        if classes.intersects(EventClasses::KEYSPACE) {
            let mut channel = format!("__keyspace@{database}__:").into_bytes();
            channel.extend_from_slice(&event.key);
            self.publish(Kind::Channel, &channel, event.event.as_bytes());
        }
        if classes.intersects(EventClasses::KEYEVENT) {
            let channel = format!("__keyevent@{database}__:{}", event.event);
            self.publish(Kind::Channel, channel.as_bytes(), &event.key);
        }
    }

    /// Subscribes a client, and confirms it.
    pub(crate) fn subscribe(&mut self, client: ClientId, kind: Kind, target: &[u8]) {
        self.pubsub.subscribe(client, kind, target);
        self.tell(client, kind, "subscribe", Some(target));
    }

    /// Ends subscriptions: these, or all of the kind if none are given.
    pub(crate) fn unsubscribe(&mut self, client: ClientId, kind: Kind, targets: &[&[u8]]) {
        if !targets.is_empty() {
            for target in targets {
                self.pubsub.unsubscribe(client, kind, target);
                self.tell(client, kind, "unsubscribe", Some(target));
            }
            return;
        }
        let all = self.pubsub.unsubscribe_all(client, kind);
        let others = self.counted(client, kind);
        for (at, target) in all.iter().enumerate() {
            let count = others + all.len() - at - 1;
            self.tell_count(client, kind, "unsubscribe", Some(target), count);
        }
        if all.is_empty() {
            self.tell(client, kind, "unsubscribe", None);
        }
    }

    /// Number of a client's subscriptions that count with those of a kind: channels and patterns
    /// together, shard channels separately.
    fn counted(&self, client: ClientId, kind: Kind) -> usize {
        match kind {
            Kind::Shard => self.pubsub.count(client, Kind::Shard),
            Kind::Channel | Kind::Pattern => {
                self.pubsub.count(client, Kind::Channel) + self.pubsub.count(client, Kind::Pattern)
            }
        }
    }

    /// Confirms a change that was made.
    fn tell(&mut self, client: ClientId, kind: Kind, what: &str, target: Option<&[u8]>) {
        let count = self.counted(client, kind);
        self.tell_count(client, kind, what, target, count);
    }

    /// Confirms a change after which a client has this number of subscriptions.
    fn tell_count(
        &mut self,
        client: ClientId,
        kind: Kind,
        what: &str,
        target: Option<&[u8]>,
        count: usize,
    ) {
        let what = format!("{}{what}", kind.prefix());
        let items =
            vec![Reply::bulk(what.as_bytes()), Reply::bulk_or_nil(target), Reply::count(count)];
        self.push(client, items);
    }
}
