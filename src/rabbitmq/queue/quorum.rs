//! Quorum queues: the state that only they have, above all how often each message was returned.
//!
//! A message that was returned carries the count in the header `x-delivery-count`, and its headers
//! are sorted by name. A message that was returned more often than the delivery limit dies. A
//! rejected message goes to the front of the queue; before 4.3 it goes to the end if there is no
//! limit. Since 4.3 there are two counts: `x-acquired-count` of all returns, and `x-delivery-count`
//! of the deliveries that failed, which the limit is about.
//!
//! A quorum queue also treats consumers differently. It knows them by channel and tag, so that a
//! consumer that re-subscribes takes over its earlier deliveries (`ring.rs`, `channel.rs`). It
//! holds consumers without acknowledgements to their prefetch count, too (`consumer.rs`). It sends
//! each consumer all messages of one round together, and only then checks its length
//! (`broker/deliver.rs`).
//!
//! Source: <https://www.rabbitmq.com/docs/quorum-queues>, and the server's behaviour.

use super::delays::Delays;
use super::settings::Settings;
use crate::Instant;
use crate::rabbitmq::key::ConsumerKey;
use crate::rabbitmq::protocol::message::{Entry, Message, Position};
use crate::rabbitmq::version::Quorum as Rules;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Number of deliveries that a consumer without a prefetch count may hold.
pub(crate) const UNLIMITED_PREFETCH: u16 = 2_000;

/// Returns whether a message that was returned this often has exceeded the queue's delivery limit
/// (`x-delivery-limit`), and so dies.
pub(crate) fn exceeds_delivery_limit(returned: u64, limit: Option<u64>) -> bool {
    limit.is_some_and(|limit| returned > limit)
}

/// The state that only a quorum queue has.
#[derive(Debug)]
pub(crate) struct Quorum {
    /// The rules of the version.
    pub(crate) rules: &'static Rules,
    pub(crate) delivery_counts: DeliveryCounts,
    /// Consumers that acknowledged deliveries automatically since the queue last looked, with the
    /// number of deliveries.
    pub(crate) acknowledged: VecDeque<(ConsumerKey, usize)>,
    /// Deliveries that were taken back because their consumers held them too long, by the positions
    /// that the messages had. The channels still list them.
    pub(crate) released: BTreeMap<Position, Option<ConsumerKey>>,
    /// The consumers' numbers, in the order in which they arrived. One that takes over what a
    /// cancelled consumer left takes its number, too.
    pub(crate) serials: BTreeMap<ConsumerKey, u32>,
    last_serial: u32,
    /// A single active consumer that has to make way when it holds nothing any more.
    pub(crate) quiescing: Option<ConsumerKey>,
    /// Consumers that get nothing any more, because they requeued such a delivery.
    pub(crate) forgotten: BTreeSet<ConsumerKey>,
    /// Messages that wait for their next delivery.
    pub(crate) delayed: Delays,
    /// Messages that consumers held when the broker went down, in the order of delivery. Until it
    /// starts they are with those that are ready.
    pub(crate) held: Vec<Position>,
    /// When the broker was stopped, if it is down and was stopped cleanly.
    pub(crate) stopped_at: Option<Instant>,
    /// Number of dead letters that the queue keeps until they find a queue.
    pub(crate) kept_dead_letters: u64,
    /// Whether the queue is over a limit and refuses new messages.
    pub(crate) refuses_publishes: bool,
    /// The last position given to a returned message.
    last_front: u64,
}

impl Quorum {
    pub(crate) fn new(rules: &'static Rules) -> Quorum {
        Quorum {
            rules,
            delivery_counts: DeliveryCounts::default(),
            acknowledged: VecDeque::new(),
            released: BTreeMap::new(),
            serials: BTreeMap::new(),
            last_serial: 0,
            quiescing: None,
            forgotten: BTreeSet::new(),
            delayed: Delays::default(),
            held: Vec::new(),
            stopped_at: None,
            kept_dead_letters: 0,
            refuses_publishes: false,
            last_front: 0,
        }
    }

    /// Gives a new consumer its number.
    pub(crate) fn arrives(&mut self, consumer: ConsumerKey) {
        self.last_serial = self.last_serial.wrapping_add(1);
        self.serials.insert(consumer, self.last_serial);
    }

    /// Returns the message as a consumer gets it.
    pub(crate) fn shown(&self, entry: &Entry) -> Arc<Message> {
        self.delivery_counts.shown(entry, self.rules)
    }

    /// Returns the message as `basic.get` fetches it.
    pub(crate) fn fetched(&self, entry: &Entry) -> Arc<Message> {
        self.delivery_counts.fetched(entry, self.rules)
    }

    /// A consumer has acknowledged automatically the delivery it was just given.
    pub(crate) fn acknowledges(&mut self, consumer: ConsumerKey) {
        match self.acknowledged.back_mut() {
            // Deliveries that one consumer gets together follow each other.
            Some((last, count)) if *last == consumer => *count += 1,
            Some(_) | None => self.acknowledged.push_back((consumer, 1)),
        }
    }

    /// Decides whether the queue refuses publishes, at this length and this many bytes: from when
    /// it is over a limit until it is down to four fifths of every limit.
    pub(crate) fn look_at_length(&mut self, settings: &Settings, length: u64, bytes: u64) {
        let length = length + self.kept_dead_letters;
        let both = [(settings.max_length, length), (settings.max_length_bytes, bytes)];
        let mut set = both.into_iter().filter_map(|(max, is)| Some((max?, is)));
        let is_over = set.clone().any(|(max, is)| is > max);
        let is_below = set.all(|(max, is)| is <= max.saturating_mul(4) / 5);
        if is_over || is_below {
            self.refuses_publishes = is_over;
        }
    }

    /// Removes the deliveries that were taken back before, from what a channel leaves: their
    /// messages are in the queue, or have left it since. The channel does not list them any more.
    pub(crate) fn leave_out_released(&mut self, left: &mut Vec<Entry>) {
        left.retain(|entry| self.released.remove(&entry.position()).is_none());
    }

    /// The broker goes down, after a clean stop at this moment or by a crash. Consumers held some
    /// of what is left in the queue.
    pub(crate) fn go_down(
        &mut self,
        held: Vec<Position>,
        stopped_at: Option<Instant>,
        left: &[Entry],
    ) {
        self.released.clear();
        self.forgotten.clear();
        self.serials.clear();
        self.quiescing = None;
        self.held = held;
        self.stopped_at = stopped_at;
        let kept = left.iter().chain(self.delayed.iter()).map(Entry::position);
        self.delivery_counts.keep_only(kept);
    }

    /// Takes a position behind all returned messages and before all others.
    pub(crate) fn take_front(&mut self) -> Position {
        self.last_front += 1;
        Position(self.last_front)
    }
}

/// How often a message came back to its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The number of all returns.
    pub(crate) returned: u64,
    /// The number of deliveries that failed, including those from queues in which the message died
    /// before.
    pub(crate) failed: u64,
}

/// The counts of messages, including those that are not ready; 0 for messages that are not listed.
#[derive(Debug, Default)]
pub(crate) struct DeliveryCounts {
    by_position: BTreeMap<Position, Counts>,
}

impl DeliveryCounts {
    /// Notes that a message was returned. Returns the counts so far.
    pub(crate) fn came_back(&mut self, position: Position, has_failed: bool) -> Counts {
        let counts = self.by_position.entry(position).or_default();
        counts.returned += 1;
        counts.failed += u64::from(has_failed);
        *counts
    }

    /// Notes that a message has failed this often in queues in which it died.
    pub(crate) fn inherit(&mut self, position: Position, failed: u64) {
        self.by_position.insert(position, Counts { returned: 0, failed });
    }

    /// The number of failed deliveries of a message.
    pub(crate) fn failed(&self, position: Position) -> u64 {
        self.by_position.get(&position).map_or(0, |counts| counts.failed)
    }

    /// Notes that a message left the queue.
    pub(crate) fn remove(&mut self, position: Position) {
        self.by_position.remove(&position);
    }

    /// Removes the counts of all messages but these.
    pub(crate) fn keep_only(&mut self, kept: impl Iterator<Item = Position>) {
        self.by_position = kept
            .filter_map(|position| Some((position, *self.by_position.get(&position)?)))
            .collect();
    }

    /// Notes that a message has a new position.
    pub(crate) fn moved(&mut self, from: Position, to: Position) {
        if let Some(counts) = self.by_position.remove(&from) {
            self.by_position.insert(to, counts);
        }
    }

    /// Returns the message as a consumer gets it: with its counts, if it was returned before.
    pub(crate) fn shown(&self, entry: &Entry, rules: &Rules) -> Arc<Message> {
        let Some(counts) = self.by_position.get(&entry.position()) else {
            return Arc::clone(&entry.message);
        };
        // A message that failed in another queue and was not returned here shows that count.
        let returned = if counts.returned > 0 { counts.returned } else { counts.failed };
        match rules.counts_failures_only {
            true if counts.failed > 0 => {
                with_headers(entry, &[(DELIVERY_COUNT, counts.failed), (ACQUIRED_COUNT, returned)])
            }
            true => with_headers(entry, &[(ACQUIRED_COUNT, returned)]),
            false => with_headers(entry, &[(DELIVERY_COUNT, returned)]),
        }
    }

    /// Returns the message as `basic.get` fetches it.
    pub(crate) fn fetched(&self, entry: &Entry, rules: &Rules) -> Arc<Message> {
        if rules.shows_count_at_first && !self.by_position.contains_key(&entry.position()) {
            return with_headers(entry, &[(DELIVERY_COUNT, 0)]);
        }
        self.shown(entry, rules)
    }
}

/// The header with the number of returns, or since 4.3 of failed deliveries.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// The header with the number of returns, since 4.3.
const ACQUIRED_COUNT: &str = "x-acquired-count";

/// Returns the message with these counts among its headers, which are sorted.
fn with_headers(entry: &Entry, counts: &[(&str, u64)]) -> Arc<Message> {
    let properties = entry.message.properties();
    let mut headers = properties.headers().cloned().unwrap_or_default();
    for (name, count) in counts {
        headers.insert(*name, i64::try_from(*count).unwrap_or(i64::MAX));
    }
    let properties = properties.clone().with_headers(headers.sorted());
    Arc::new(entry.message.with_properties(properties))
}
