//! Routing: from an exchange to the queues, through bindings between exchanges and alternate
//! exchanges; and messages that wait at a delayed exchange.
//!
//! A message reaches a queue once, however many paths lead there, and passes an exchange once, so
//! that cycles of bindings end. If no binding of an exchange matches, its alternate exchange is
//! asked.

use super::story::Fate;
use super::timer::Timer;
use super::{Broker, Caller};
use crate::Instant;
use crate::rabbitmq::exchange::{Destination, Exchange, Kind, hash_of_keys};
use crate::rabbitmq::key::{ExchangeKey, QueueKey, VHostKey};
use crate::rabbitmq::protocol::error::Fault;
use crate::rabbitmq::protocol::limits::MAX_DELAY;
use crate::rabbitmq::protocol::message::{ExchangeName, Message};
use crate::rabbitmq::protocol::table::FieldValue;
use crate::rabbitmq::queue::expiry::parse_expiration;
use crate::sort::sort_by_key;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Messages that wait at delayed exchanges, ordered by time and then by arrival.
#[derive(Debug, Default)]
pub(super) struct Delayed {
    waiting: BTreeMap<(Instant, u64), Held>,
    serial: u64,
}

/// A message that waits at a delayed exchange.
#[derive(Debug)]
struct Held {
    at: ExchangeKey,
    message: Arc<Message>,
    /// Its number in the story, if one is told.
    story: Option<u64>,
}

impl Delayed {
    /// Number of messages that wait at an exchange.
    pub(super) fn count(&self, exchange: ExchangeKey) -> usize {
        self.waiting.values().filter(|held| held.at == exchange).count()
    }

    /// Returns the messages that wait at an exchange, with their numbers in the story.
    pub(super) fn at(&self, exchange: ExchangeKey) -> Vec<(Option<u64>, Arc<Message>)> {
        let held = self.waiting.values().filter(|held| held.at == exchange);
        held.map(|held| (held.story, Arc::clone(&held.message))).collect()
    }

    /// Drops the messages that wait at an exchange.
    pub(super) fn forget(&mut self, exchange: ExchangeKey) {
        self.waiting.retain(|_, held| held.at != exchange);
    }

    /// Returns the messages that wait, with their numbers in the story.
    pub(super) fn all(&self) -> Vec<(Option<u64>, Arc<Message>)> {
        let held = self.waiting.values();
        held.map(|held| (held.story, Arc::clone(&held.message))).collect()
    }

    /// Returns when the first message is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }
}

impl Broker {
    /// Number of messages that wait at a delayed exchange.
    pub(in crate::rabbitmq) fn messages_delayed(&self, exchange: ExchangeKey) -> usize {
        self.delayed.count(exchange)
    }

    /// Returns the exchange of this name; `None` is the default exchange.
    pub(super) fn source(&self, vhost: VHostKey, name: &str) -> Result<Option<ExchangeKey>, Fault> {
        if name.is_empty() {
            return Ok(None);
        }
        self.exchange_key(vhost, name).map(Some)
    }

    /// Returns the name of an exchange, as messages share it.
    pub(super) fn source_name(&self, source: Option<ExchangeKey>) -> ExchangeName {
        let exchange = self.exchanges.get(source?)?;
        Some(Arc::clone(&exchange.name))
    }

    /// Appends to `into` the queues that a message goes to, each once and in order of slots, which
    /// is the order of declaration as long as no queue was deleted.
    pub(super) fn route(
        &mut self,
        now: Instant,
        vhost: VHostKey,
        source: Option<ExchangeKey>,
        message: &Arc<Message>,
        into: &mut Vec<QueueKey>,
    ) {
        match source {
            None => self.route_by_name(vhost, message, into),
            Some(source) => self.route_from(now, vhost, source, message, into),
        }
        if into.len() > 1 {
            into.sort_unstable();
            into.dedup();
        }
    }

    /// Routes through the default exchange, to the queues that the routing keys name.
    fn route_by_name(&mut self, vhost: VHostKey, message: &Message, into: &mut Vec<QueueKey>) {
        let queues = &self.vhost(vhost).queues;
        into.extend(queues.get(message.routing_key()));
        if message.properties().has_more() {
            into.extend(further_keys(message).filter_map(|key| queues.get(key)));
        }
    }

    fn route_from(
        &mut self,
        now: Instant,
        vhost: VHostKey,
        source: ExchangeKey,
        message: &Arc<Message>,
        into: &mut Vec<QueueKey>,
    ) {
        let mut destinations = std::mem::take(&mut self.destinations);
        let mut seen = vec![source];
        let mut next = 0;
        while let Some(&key) = seen.get(next) {
            next += 1;
            destinations.clear();
            self.match_bindings(now, key, message, &mut destinations);
            if destinations.is_empty() {
                let alternate = self.exchanges.get(key).and_then(|e| e.alternate.as_ref());
                let alternate = alternate.and_then(|name| self.vhost(vhost).exchanges.get(name));
                destinations.extend(alternate.map(|key| Destination::Exchange(*key)));
            }
            for destination in &destinations {
                match destination {
                    Destination::Queue(queue) => into.push(*queue),
                    Destination::Exchange(exchange) if !seen.contains(exchange) => {
                        seen.push(*exchange);
                    }
                    Destination::Exchange(_) => {}
                }
            }
        }
        self.destinations = destinations;
    }

    /// Appends the destinations of one exchange's matching bindings.
    fn match_bindings(
        &mut self,
        now: Instant,
        key: ExchangeKey,
        message: &Arc<Message>,
        destinations: &mut Vec<Destination>,
    ) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        if exchange.kind == Kind::Delayed
            && let Some(delay) = delay_of(message)
        {
            return self.hold_back(now, key, message, delay);
        }
        let properties = message.properties();
        exchange.route(message.routing_key(), properties, destinations);
        if properties.has_more() && exchange.kind.looks_at_keys() {
            for further in further_keys(message) {
                exchange.route(further, properties, destinations);
            }
        }
        if exchange.kind == Kind::ModulusHash && destinations.len() > 1 {
            let keys = std::iter::once(message.routing_key().as_str()).chain(further_keys(message));
            let hash = hash_of_keys(keys);
            self.keep_one_by_name(destinations, hash);
        } else if exchange.kind.draws() && destinations.len() > 1 {
            let drawn = self.names.draw(destinations.len() as u64);
            destinations.swap(0, usize::try_from(drawn).unwrap_or(0));
            destinations.truncate(1);
        }
    }

    /// Keeps the destination that a hash chooses among all, sorted by name, exchanges first.
    fn keep_one_by_name(&self, destinations: &mut Vec<Destination>, hash: u64) {
        let name = |destination: &Destination| match destination {
            Destination::Exchange(key) => {
                (0, self.exchanges.get(*key).map(|exchange| SmolStr::clone(&exchange.name)))
            }
            Destination::Queue(key) => {
                (1, self.queues.get(*key).map(|queue| queue.cold.name.clone()))
            }
        };
        sort_by_key(destinations, name);
        destinations.dedup();
        let chosen = usize::try_from(hash % destinations.len() as u64).unwrap_or(0);
        destinations.swap(0, chosen);
        destinations.truncate(1);
    }

    /// Keeps a message at a delayed exchange until it is due.
    fn hold_back(&mut self, now: Instant, key: ExchangeKey, message: &Arc<Message>, ms: i128) {
        let delay = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let at = now.saturating_add(delay);
        self.delayed.serial += 1;
        let serial = self.delayed.serial;
        let name = self.exchanges.get(key).filter(|_| self.tells()).map(|e| Arc::clone(&e.name));
        if let Some(name) = name {
            let exchange = SmolStr::clone(&name);
            self.tell_of_holder(message, || Fate::Delayed { exchange, delay });
        }
        let story = self.story_number();
        let held = Held { at: key, message: Arc::clone(message), story };
        self.delayed.waiting.insert((at, serial), held);
        self.timers.set(at, Timer::Delayed);
    }

    /// Routes the delayed messages that are due. Their header `x-delay` holds the delay as a
    /// negative number.
    pub(super) fn route_delayed(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.waiting.first_entry()
            && entry.key().0 <= now
        {
            let Held { at: key, message, story } = entry.remove();
            let Some(exchange) = self.exchanges.get(key) else { continue };
            let (vhost, name) = (exchange.vhost, Arc::clone(&exchange.name));
            self.resume_story(story);
            self.tell_of_current(&message, || Fate::Due { exchange: SmolStr::clone(&name) });
            let message = Arc::new(delivered_late(&message));
            let mut routed = Vec::new();
            self.route(now, vhost, Some(key), &message, &mut routed);
            if routed.is_empty() {
                self.tell_unroutable(&message);
            }
            let own = time_to_live(&message).map(|ttl| now.saturating_add(ttl));
            for queue in routed {
                self.accept(now, queue, Arc::clone(&message), own, None);
            }
            self.tell_all_routed();
        }
    }

    /// The exchange of this name.
    pub(crate) fn exchange_key(&self, vhost: VHostKey, name: &str) -> Result<ExchangeKey, Fault> {
        let vhost = self.vhost(vhost);
        let found = vhost.exchanges.get(name).copied();
        found.ok_or_else(|| Fault::no_exchange(&vhost.name, name))
    }

    /// Returns the exchange of this name, for a caller.
    pub(super) fn named_exchange(
        &mut self,
        caller: Caller,
        name: &str,
    ) -> Result<(ExchangeKey, &mut Exchange), Fault> {
        let key = self.exchange_key(caller.vhost, name)?;
        let exchange = self.exchanges.get_mut(key).expect("a name leads to a live exchange");
        Ok((key, exchange))
    }
}

/// Returns the routing keys of a message beyond its first: those of `CC` and `BCC`.
pub(super) fn further_keys(message: &Message) -> impl Iterator<Item = &str> {
    let hidden = message.properties().bcc().iter().map(SmolStr::as_str);
    message.carbon_copies("CC").chain(hidden)
}

/// Returns how long a message asks a delayed exchange to wait, in milliseconds.
fn delay_of(message: &Message) -> Option<i128> {
    let delay = message.properties().headers()?.get("x-delay")?;
    let text = || delay.as_str().and_then(|text| text.parse().ok());
    let delay = delay.as_integer().or_else(text)?;
    (0 < delay && delay <= MAX_DELAY).then_some(delay)
}

fn delivered_late(message: &Message) -> Message {
    let mut headers = message.properties().headers().cloned().unwrap_or_default();
    let delay = match headers.get("x-delay") {
        Some(FieldValue::I32(ms)) => FieldValue::I32(-ms),
        Some(_) => {
            let ms = delay_of(message).unwrap_or(0);
            FieldValue::I64(i64::try_from(-ms).unwrap_or(i64::MIN))
        }
        None => return message.clone(),
    };
    headers.insert("x-delay", delay);
    message.with_properties(message.properties().clone().with_headers(headers))
}

/// A message's own time to live, which was checked when the message was published.
fn time_to_live(message: &Message) -> Option<Duration> {
    parse_expiration(message.properties().expiration()?).ok()
}
