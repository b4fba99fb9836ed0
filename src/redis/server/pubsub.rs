//! Publish and subscribe: channels, patterns, and shard channels.
//!
//! A subscription is a client and a channel (or pattern); nothing is kept of
//! what is published. Subscribers of a channel get a message in the order in
//! which they subscribed, then those of each pattern that matches, patterns in
//! the order in which they first came. A client that subscribed to both gets it
//! twice, as from Redis.
//!
//! Source: <https://redis.io/docs/manual/pubsub/>, `pubsub.c`.

use super::Server;
use crate::redis::database::glob;
use crate::redis::database::notify::{EventClasses, KeyEvent};
use crate::redis::id::ClientId;
use crate::redis::invariant::ensure;
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

/// Every subscription, by its target and by its client.
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

    /// Those who are subscribed to anything.
    pub(crate) fn clients(&self) -> impl Iterator<Item = ClientId> {
        self.clients.keys().copied()
    }

    /// Checks that the tables of targets and that of clients agree, and returns what does not.
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

    /// A client has gone.
    pub(crate) fn remove_client(&mut self, client: ClientId) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for target in self.subscriptions(client, kind) {
                self.unsubscribe(client, kind, &target);
            }
        }
    }

    /// What a client is subscribed to, in the order it did so.
    fn subscriptions(&self, client: ClientId, kind: Kind) -> Vec<Sds> {
        let mine = self.clients.get(&client);
        mine.map_or_else(Vec::new, |mine| mine[kind as usize].iter().cloned().collect())
    }

    /// How many subscriptions of a kind a client has.
    pub(crate) fn count(&self, client: ClientId, kind: Kind) -> usize {
        self.clients.get(&client).map_or(0, |mine| mine[kind as usize].len())
    }

    /// Whether a client has any subscription.
    pub(crate) fn is_subscriber(&self, client: ClientId) -> bool {
        !self.clients.is_empty() && self.clients.contains_key(&client)
    }

    /// The channels, or shard channels, that match; all without a pattern.
    pub(crate) fn active(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Sds> {
        let matches = |name: &&Sds| pattern.is_none_or(|p| glob::matches(p, name, false));
        self.targets(kind).keys().filter(matches).cloned().collect()
    }

    /// How many clients are subscribed to exactly this.
    pub(crate) fn subscribers(&self, kind: Kind, target: &[u8]) -> usize {
        self.targets(kind).get(target).map_or(0, IndexSet::len)
    }

    /// How many different patterns there are.
    pub(crate) fn patterns(&self) -> usize {
        self.patterns.len()
    }

    /// Who gets a message, each with the pattern it came by.
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
    /// Publishes a message; to how many it went.
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

    /// Publishes what happened to a key.
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

    /// Subscribes a client, which is told so.
    pub(crate) fn subscribe(&mut self, client: ClientId, kind: Kind, target: &[u8]) {
        self.pubsub.subscribe(client, kind, target);
        self.tell(client, kind, "subscribe", Some(target));
    }

    /// Takes subscriptions back: these, or without any named, all of the kind.
    pub(crate) fn unsubscribe(&mut self, client: ClientId, kind: Kind, targets: &[&[u8]]) {
        if !targets.is_empty() {
            for target in targets {
                self.pubsub.unsubscribe(client, kind, target);
                self.tell(client, kind, "unsubscribe", Some(target));
            }
            return;
        }
        let all = self.pubsub.subscriptions(client, kind);
        for target in &all {
            self.pubsub.unsubscribe(client, kind, target);
            self.tell(client, kind, "unsubscribe", Some(target));
        }
        if all.is_empty() {
            self.tell(client, kind, "unsubscribe", None);
        }
    }

    /// Channels and patterns are counted together, shard channels alone.
    fn tell(&mut self, client: ClientId, kind: Kind, what: &str, target: Option<&[u8]>) {
        let count = match kind {
            Kind::Shard => self.pubsub.count(client, Kind::Shard),
            Kind::Channel | Kind::Pattern => {
                self.pubsub.count(client, Kind::Channel) + self.pubsub.count(client, Kind::Pattern)
            }
        };
        let what = format!("{}{what}", kind.prefix());
        let items =
            vec![Reply::bulk(what.as_bytes()), Reply::bulk_or_nil(target), Reply::count(count)];
        self.push(client, items);
    }
}
