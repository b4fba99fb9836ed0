//! Dead letters: what happens to a message that its queue gives up.
//!
//! A message dies *rejected* (by a consumer), *expired*, by *maxlen* (a length limit) or by
//! *`delivery_limit`*. If its queue has a dead-letter exchange, the message is published there
//! again, without its `expiration` and with its history: the header `x-death` is an array with a
//! table for each queue and reason, the most recent first, and `x-first-death-…` describe its first
//! death.
//!
//! A message that comes back to a queue in which it died before is dropped, unless a consumer
//! rejected it on the way, so that no message cycles forever by itself.
//!
//! Since RabbitMQ 4 a message is in a *container*, which keeps the deaths that the server has seen
//! apart from the headers that the client has sent. A client cannot write a history then, and
//! `x-last-death-…` describe the last death.
//!
//! Source: <https://www.rabbitmq.com/docs/dlx>, and the server's behaviour.

use crate::Instant;
use crate::rabbitmq::key::{QueueKey, VHostKey};
use crate::rabbitmq::protocol::message::{ExchangeName, Message};
use crate::rabbitmq::protocol::properties::History;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::version::Profile;
use smol_str::SmolStr;
use std::sync::Arc;

/// Why a message died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Rejected,
    Expired,
    MaxLength,
    DeliveryLimit,
}

impl Reason {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Reason::Rejected => "rejected",
            Reason::Expired => "expired",
            Reason::MaxLength => "maxlen",
            Reason::DeliveryLimit => "delivery_limit",
        }
    }
}

/// A message that died, and what its queue sets for dead letters.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub(crate) message: Arc<Message>,
    pub(crate) reason: Reason,
    pub(crate) vhost: VHostKey,
    /// The queue it died in.
    pub(crate) queue: SmolStr,
    pub(crate) exchange: SmolStr,
    pub(crate) routing_key: Option<SmolStr>,
    /// The queue it died in, if that queue keeps it until the others have it safely.
    pub(crate) keeper: Option<QueueKey>,
    /// The queues that have it safely.
    pub(crate) settled: Vec<QueueKey>,
    /// Number of its deliveries that failed.
    pub(crate) failures: u64,
    /// The message's number in the story, if one is told.
    pub(crate) story: Option<u64>,
}

/// A dead letter that was published and waits for confirms.
#[derive(Debug)]
pub(crate) struct SentLetter {
    pub(crate) letter: DeadLetter,
    /// Number of queues that have not answered yet; never 0.
    pub(crate) unsettled: usize,
    /// Whether one of them has refused it.
    pub(crate) is_refused: bool,
}

impl DeadLetter {
    /// Returns the message as it is published again, to an exchange of this name.
    pub(crate) fn published(
        &self,
        now: Instant,
        exchange: ExchangeName,
        profile: &Profile,
    ) -> Message {
        if profile.has_containers {
            return self.published_from_container(now, exchange);
        }
        let mut headers = self.message.properties().headers().cloned().unwrap_or_default();
        self.record_death(now, &mut headers);
        let mut properties = self.message.properties().clone();
        if self.routing_key.is_some() {
            headers.remove("CC");
            properties.hide_bcc(Vec::new());
        }
        let routing_key = self.routing_key.as_ref().unwrap_or(self.message.routing_key());
        let properties = properties.dead(headers.sorted());
        Message::new(exchange, routing_key.clone(), properties, self.message.body().clone())
    }

    /// As [`DeadLetter::published`], where the server keeps the history of deaths beside the
    /// client's headers: a client's own `x-death` does not count.
    fn published_from_container(&self, now: Instant, exchange: ExchangeName) -> Message {
        let mut properties = self.message.properties().clone();
        let mut headers = properties.headers().cloned().unwrap_or_default();
        let history = properties.history();
        let sent_len = properties.sent_len();
        let earlier = headers.remove("x-death").filter(|_| history.has_died);
        let mut deaths: Vec<FieldTable> = match earlier {
            Some(FieldValue::Array(deaths)) => deaths.into_iter().filter_map(as_table).collect(),
            _ => Vec::new(),
        };
        let death = match self.once_more(&mut deaths) {
            Some(death) => death,
            None => {
                let mut death = self.first_of_its_kind(now);
                match death.remove("original-expiration") {
                    Some(expiration) => {
                        FieldTable::single("original-expiration".into(), expiration)
                            .followed_by(death)
                    }
                    None => death,
                }
            }
        };
        deaths.insert(0, death);
        headers.insert("x-death", deaths.into_iter().map(FieldValue::Table).collect::<Vec<_>>());
        let (reason, exchange_name) = (self.reason.name(), self.message.exchange().as_str());
        if !history.has_died {
            headers.insert("x-first-death-reason", reason);
            headers.insert("x-first-death-queue", self.queue.as_str());
            headers.insert("x-first-death-exchange", exchange_name);
        }
        headers.insert("x-last-death-reason", reason);
        headers.insert("x-last-death-queue", self.queue.as_str());
        headers.insert("x-last-death-exchange", exchange_name);
        let has_new_key = self.routing_key.is_some() || history.has_new_key;
        if self.routing_key.is_some() {
            properties.hide_bcc(Vec::new());
        }
        let history = History {
            has_died: true,
            has_new_key,
            failures: u32::try_from(self.failures).unwrap_or(u32::MAX),
            sent_len: Some(sent_len),
        };
        let properties = properties.dead(headers.sorted()).with_history(history);
        let routing_key = self.routing_key.as_ref().unwrap_or(self.message.routing_key());
        Message::new(exchange, routing_key.clone(), properties, self.message.body().clone())
    }

    /// Returns whether the client sent an `x-death` header whose `count` is not an integer, in the
    /// entry that is to be counted. The process of the server's queue crashes over it.
    pub(crate) fn has_uncountable_death(&self) -> bool {
        let headers = self.message.properties().headers();
        let Some(FieldValue::Array(deaths)) = headers.and_then(|h| h.get("x-death")) else {
            return false;
        };
        let own = (Some(self.queue.as_str()), Some(self.reason.name()));
        deaths.iter().any(|death| match death {
            FieldValue::Table(death) if key(death) == own => {
                death.get("count").is_some_and(|count| count.as_integer().is_none())
            }
            _ => false,
        })
    }

    fn record_death(&self, now: Instant, headers: &mut FieldTable) {
        let history = headers.remove("x-death");
        if history.is_none() {
            headers.insert("x-first-death-reason", self.reason.name());
            headers.insert("x-first-death-queue", self.queue.as_str());
            headers.insert("x-first-death-exchange", self.message.exchange().as_str());
        }
        let is_first = !matches!(history, Some(FieldValue::Array(_)));
        let mut deaths = match history {
            Some(FieldValue::Array(deaths)) => grouped(deaths),
            _ => Vec::new(),
        };
        let death = match self.once_more(&mut deaths) {
            Some(death) => death.sorted(),
            None if is_first => self.first_of_its_kind(now),
            None => self.first_of_its_kind(now).sorted(),
        };
        deaths.insert(0, death);
        headers.insert("x-death", deaths.into_iter().map(FieldValue::Table).collect::<Vec<_>>());
    }

    /// Takes the entry of earlier deaths in this queue for this reason, with this one counted.
    fn once_more(&self, deaths: &mut Vec<FieldTable>) -> Option<FieldTable> {
        let own = (Some(self.queue.as_str()), Some(self.reason.name()));
        let at = deaths.iter().position(|death| key(death) == own)?;
        let mut death = deaths.remove(at);
        let count = death.get("count").and_then(FieldValue::as_integer).unwrap_or(0);
        death.insert("count", i64::try_from(count + 1).unwrap_or(i64::MAX));
        Some(death)
    }

    /// A new entry of `x-death`, for the first death in this queue for this reason.
    fn first_of_its_kind(&self, now: Instant) -> FieldTable {
        let keys: Vec<FieldValue> = std::iter::once(self.message.routing_key().as_str())
            .chain(self.message.carbon_copies("CC"))
            .map(FieldValue::from)
            .collect();
        let mut death = FieldTable::new()
            .with("count", 1_i64)
            .with("reason", self.reason.name())
            .with("queue", self.queue.as_str())
            .with("time", now)
            .with("exchange", self.message.exchange().as_str())
            .with("routing-keys", keys);
        if let Some(expiration) = self.message.properties().expiration() {
            death.insert("original-expiration", expiration);
        }
        death
    }
}

fn as_table(value: FieldValue) -> Option<FieldTable> {
    match value {
        FieldValue::Table(table) => Some(table),
        _ => None,
    }
}

/// The queue and the reason of a death.
fn key(death: &FieldTable) -> (Option<&str>, Option<&str>) {
    let text = |name: &str| death.get(name).and_then(FieldValue::as_str);
    (text("queue"), text("reason"))
}

/// Returns a history as the server reads it: entries for the same queue and reason are merged into
/// one with a count, and the order is reversed.
fn grouped(deaths: Vec<FieldValue>) -> Vec<FieldTable> {
    let tables = deaths.into_iter().filter_map(|death| match death {
        FieldValue::Table(death) => Some(death),
        _ => None,
    });
    let all: Vec<FieldTable> = tables.collect();
    if all.len() < 2 {
        return all;
    }
    let mut groups: Vec<FieldTable> = Vec::new();
    for death in &all {
        if groups.iter().any(|group| key(group) == key(death)) {
            continue;
        }
        let mut group = death.clone();
        if group.get("count").is_none() {
            let of_its_kind = all.iter().filter(|other| key(other) == key(death)).count();
            group = FieldTable::new().with("count", of_its_kind as i64).followed_by(group);
        }
        groups.insert(0, group);
    }
    groups
}

/// Returns whether a dead letter with these headers has come back to this queue by itself.
pub(crate) fn is_cycle(headers: Option<&FieldTable>, queue: &str) -> bool {
    let Some(FieldValue::Array(deaths)) = headers.and_then(|headers| headers.get("x-death")) else {
        return false;
    };
    let text = |death: &FieldValue, name: &str| match death {
        FieldValue::Table(death) => death.get(name).and_then(FieldValue::as_str).map(SmolStr::from),
        _ => None,
    };
    let Some(last) = deaths.iter().position(|d| text(d, "queue").as_deref() == Some(queue)) else {
        return false;
    };
    deaths[..=last].iter().all(|death| text(death, "reason").as_deref() != Some("rejected"))
}
