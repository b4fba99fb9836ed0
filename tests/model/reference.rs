//! The broker's behaviour in the simplest terms: everything is a list that is searched from the
//! front, limits are checked by counting what is outstanding, and a crash replays a log.
//!
//! It knows only what the operations of a case can ask for.

mod channel;
mod dispatch;
mod methods;
mod queue;

use crate::operation::{Down, Step};
use channel::{Channel, Unacked};
use queue::{Confirm, Queue};
use std::collections::BTreeMap;
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::rabbitmq::broker::{ChannelId, Method};

/// The messages sent on each channel, in order.
pub(crate) type Said = BTreeMap<ChannelId, Vec<String>>;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueRow {
    pub(crate) name: String,
    pub(crate) ready: usize,
    pub(crate) unacked: usize,
    pub(crate) consumers: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConsumerRow {
    pub(crate) queue: String,
    pub(crate) channel: ChannelId,
    pub(crate) tag: String,
    pub(crate) prefetch: u16,
}

pub(crate) struct Reference {
    now: Instant,
    /// A new queue takes the place that was freed last, so that places have the order of the
    /// broker's slots.
    places: Vec<Option<Queue>>,
    free: Vec<usize>,
    channels: BTreeMap<ChannelId, Channel>,
    /// The current numbers of the two connections, and whether they are open.
    connections: [(u64, bool); 2],
    /// Numbers for queues, consumers and messages.
    ids: u64,
    published: u64,
    said: Said,
}

impl Reference {
    pub(crate) fn new() -> Reference {
        Reference {
            now: Instant::ZERO,
            places: Vec::new(),
            free: Vec::new(),
            channels: BTreeMap::new(),
            connections: [(1, false), (2, false)],
            ids: 0,
            published: 0,
            said: Said::default(),
        }
    }

    /// Returns a channel by its number in operations.
    pub(crate) fn channel_id(&self, number: usize) -> ChannelId {
        ChannelId::new(self.connections[number / 2].0, number as u16 % 2 + 1)
    }

    /// Returns the delivery tags that can be settled on a channel.
    pub(crate) fn outstanding(&self, ch: ChannelId) -> Vec<u64> {
        self.channels[&ch].unacked.iter().map(|unacked| unacked.delivery_tag).collect()
    }

    pub(crate) fn has_consumer(&self, ch: ChannelId, tag: &str) -> bool {
        self.live_queues().flat_map(Queue::consumers).any(|c| c.channel == ch && c.tag == tag)
    }

    pub(crate) fn published(&self) -> u64 {
        self.published
    }

    /// Returns what has to be reopened before the case can continue.
    pub(crate) fn repair(&self) -> Option<Step> {
        for (connection, is_open) in self.connections {
            let zero = ChannelId::new(connection, 0);
            if !is_open {
                return Some(Step::Method(zero, Method::ConnectionOpen(Box::default())));
            }
            for number in 1..=2 {
                let ch = ChannelId::new(connection, number);
                match self.channels.get(&ch) {
                    None => return Some(Step::Method(ch, Method::ChannelOpen)),
                    Some(channel) if channel.has_failed => {
                        return Some(Step::Method(ch, Method::ChannelCloseOk));
                    }
                    Some(_) => {}
                }
            }
        }
        None
    }

    /// Fetches a ready message, as long as there is one.
    pub(crate) fn empty_a_queue(&self) -> Option<Step> {
        let queue = self.live_queues().find(|queue| !queue.ready.is_empty())?;
        let get = Method::BasicGet { queue: queue.name.into(), no_ack: true };
        Some(Step::Method(self.channel_id(0), get))
    }

    pub(crate) fn queues(&self) -> Vec<QueueRow> {
        let mut rows: Vec<QueueRow> = self
            .live_queues()
            .map(|queue| QueueRow {
                name: queue.name.to_owned(),
                ready: queue.ready.len(),
                unacked: self.unacked_of(queue.id).count(),
                consumers: queue.consumers().count(),
            })
            .collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows
    }

    pub(crate) fn consumers(&self) -> Vec<ConsumerRow> {
        let consumers = self.live_queues().flat_map(|q| q.consumers().map(move |c| (q.name, c)));
        let mut rows: Vec<ConsumerRow> = consumers
            .map(|(queue, consumer)| ConsumerRow {
                queue: queue.to_owned(),
                channel: consumer.channel,
                tag: consumer.tag.clone(),
                prefetch: consumer.prefetch,
            })
            .collect();
        rows.sort_by(|a, b| (&a.queue, a.channel, &a.tag).cmp(&(&b.queue, b.channel, &b.tag)));
        rows
    }

    /// Checks what must hold after every step.
    pub(crate) fn check(&self) -> Result<(), String> {
        for queue in self.live_queues() {
            let name = queue.name;
            let held = self.unacked_of(queue.id).count();
            let accounted = queue.ready.len() + held + queue.settled + queue.dropped;
            ensure(accounted == queue.published, || format!("{name} lost or invented a message"))?;
            let is_in_order = queue.ready.is_sorted_by(|a, b| a.position < b.position);
            ensure(is_in_order, || format!("{name} is out of order"))?;
            for consumer in queue.consumers() {
                let channel = &self.channels[&consumer.channel];
                let can_take = channel.has_credit(consumer) && !channel.is_full();
                ensure(queue.ready.is_empty() || !can_take, || {
                    format!("{consumer:?} could take a message of {name}")
                })?;
            }
        }
        for (ch, channel) in &self.channels {
            let tags: Vec<u64> = channel.unacked.iter().map(|u| u.delivery_tag).collect();
            let rise = tags.is_sorted_by(|a, b| a < b)
                && tags.last().is_none_or(|tag| *tag <= channel.last_tag);
            ensure(rise, || format!("the tags of {ch} do not rise"))?;
            for consumer in channel.unacked.iter().filter_map(|u| u.consumer.as_ref()) {
                let held = channel.unacked.iter().filter(|u| u.consumer.as_ref() == Some(consumer));
                let limit = usize::from(consumer.prefetch);
                ensure(limit == 0 || held.count() <= limit, || {
                    format!("{consumer:?} has too many")
                })?;
            }
        }
        Ok(())
    }

    /// Runs a step. Returns what is sent, on each channel in order.
    pub(crate) fn take(&mut self, step: &Step) -> Said {
        match step {
            Step::Method(ch, method) => self.method(*ch, method),
            Step::Lose(ch) => {
                self.drop_connection(ch.connection.0);
                self.said.retain(|said, _| said.connection != ch.connection);
            }
            Step::Wait(time) => self.wait(*time),
            Step::Restart(down) => self.restart(*down),
        }
        self.say_confirms();
        std::mem::take(&mut self.said)
    }

    fn say(&mut self, ch: ChannelId, text: impl Into<String>) {
        self.said.entry(ch).or_default().push(text.into());
    }

    fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn live_queues(&self) -> impl Iterator<Item = &Queue> {
        self.places.iter().flatten()
    }

    fn named(&self, name: &str) -> Option<&Queue> {
        self.live_queues().find(|queue| queue.name == name)
    }

    fn queue(&mut self, id: u64) -> Option<&mut Queue> {
        self.places.iter_mut().flatten().find(|queue| queue.id == id)
    }

    fn channel(&mut self, ch: ChannelId) -> &mut Channel {
        self.channels.get_mut(&ch).unwrap()
    }

    /// Returns the queues of these ids that still exist, in order of places.
    fn in_order(&self, ids: &[u64]) -> Vec<u64> {
        self.live_queues().map(|queue| queue.id).filter(|id| ids.contains(id)).collect()
    }

    fn unacked_of(&self, queue: u64) -> impl Iterator<Item = &Unacked> {
        self.channels.values().flat_map(|c| &c.unacked).filter(move |u| u.queue == queue)
    }

    fn drop_connection(&mut self, connection: u64) {
        let open: Vec<ChannelId> = self.channels.keys().copied().collect();
        let own: Vec<ChannelId> =
            open.into_iter().filter(|ch| ch.connection.0 == connection).collect();
        self.close_channels(&own);
        let slot = self.connections.iter_mut().find(|c| c.0 == connection).unwrap();
        *slot = (connection + 2, false);
    }

    fn wait(&mut self, time: Duration) {
        let urgent = self.places.iter_mut().flatten().filter(|queue| !queue.waiting.is_empty());
        let mut confirmed = Vec::new();
        for queue in urgent {
            queue.on_disk = queue.log.len();
            confirmed.append(&mut queue.waiting);
        }
        for confirm in confirmed {
            self.confirm(confirm);
        }
        self.say_confirms();
        for _ in 0..time.as_millis() {
            self.now += Duration::from_millis(1);
            let now = self.now;
            for queue in self.places.iter_mut().flatten() {
                queue.expire(now);
                if queue.last_operation + Duration::from_millis(200) <= now {
                    queue.on_disk = queue.log.len();
                }
            }
        }
    }

    fn restart(&mut self, down: Down) {
        for number in 0..2 {
            let (connection, _) = self.connections[number];
            if down == Down::Stop {
                let text =
                    "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
                self.say(ChannelId::new(connection, 0), text);
            }
            self.connections[number] = (connection + 2, false);
        }
        let channels = std::mem::take(&mut self.channels);
        let held: Vec<Unacked> = channels.into_values().flat_map(|c| c.unacked).collect();
        for place in 0..self.places.len() {
            let Some(mut queue) = self.places[place].take() else {
                continue;
            };
            if !queue.durable {
                self.free.push(place);
                continue;
            }
            let id = queue.id;
            let held = held.iter().filter(|unacked| unacked.queue == id);
            match down {
                Down::Stop => queue.stop(held.map(|unacked| unacked.message.clone())),
                Down::Kill | Down::PowerLoss => queue.crash(),
            }
            queue.expire(self.now);
            self.places[place] = Some(queue);
        }
    }

    /// Notes that a queue has taken responsibility for a publish.
    fn confirm(&mut self, confirm: Confirm) {
        let Some(channel) = self.channels.get_mut(&confirm.channel) else {
            return;
        };
        if let Some(publishes) = &mut channel.publishes
            && channel.id == confirm.id
        {
            let waits_for = &mut publishes[confirm.seqno - 1];
            *waits_for -= 1;
            if *waits_for == 0 {
                channel.confirmed.push(confirm.seqno);
            }
        }
    }

    /// Sends the confirms of one moment: a single one as it is; of several, those below the lowest
    /// unconfirmed publish in one, and the others one by one.
    fn say_confirms(&mut self) {
        for (ch, channel) in &mut self.channels {
            let mut confirmed = std::mem::take(&mut channel.confirmed);
            confirmed.sort_unstable();
            let publishes = channel.publishes.as_deref().unwrap_or_default();
            let open = publishes.iter().position(|waits_for| *waits_for > 0);
            let lowest = open.map_or(usize::MAX, |index| index + 1);
            let (below, above): (Vec<usize>, Vec<usize>) =
                confirmed.iter().partition(|seqno| **seqno < lowest);
            let said = self.said.entry(*ch).or_default();
            match (&confirmed[..], below.last()) {
                ([only], _) => said.push(format!("ack {only}")),
                (_, Some(last)) => {
                    said.push(format!("ack {last}*"));
                    said.extend(above.iter().map(|seqno| format!("ack {seqno}")));
                }
                (_, None) => said.extend(above.iter().map(|seqno| format!("ack {seqno}"))),
            }
        }
        self.said.retain(|_, said| !said.is_empty());
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
