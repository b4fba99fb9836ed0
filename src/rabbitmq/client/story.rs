//! The life of a message in words, and what a broker holds.
//!
//! Source of the words: RabbitMQ's own terms (publish, route, deliver, acknowledge, requeue, dead
//! letter).

use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::broker::story::{Fate, Happening};
use crate::rabbitmq::channel::confirm::Verdict;
use crate::rabbitmq::protocol::describe::Body;
use crate::rabbitmq::protocol::id::ChannelId;
use crate::sim::trace::Told;

/// How many queues a portrait shows.
const SHOWN: usize = 100;

/// How the descriptions of messages begin that belong to every connection.
pub(super) const ROUTINE: &[&str] = &[
    "access.request",
    "basic.consume-ok",
    "basic.qos",
    "channel.close-ok",
    "channel.open",
    "confirm.select",
    "connection.close-ok",
    "connection.open",
    "connection.secure",
    "connection.start",
    "connection.tune",
    "exchange.declare-ok",
    "heartbeat",
    "queue.bind-ok",
];

/// Returns something that happened in words.
pub(super) fn told(broker: &Broker, happening: &Happening) -> Told {
    let Happening { message, body, fate } = happening;
    let subject = format!("#{message} {}", Body::from(&**body)).into();
    Told { kind: "message", subject, text: words(broker, fate) }
}

fn words(broker: &Broker, fate: &Fate) -> String {
    let client = |channel: &ChannelId| match broker.client_name(channel.connection) {
        Some(name) => format!("{name} (channel {})", channel.number.0),
        None => format!("connection {} (channel {})", channel.connection.0, channel.number.0),
    };
    match fate {
        Fate::Published { by, exchange, routing_key, confirm, until_commit } => {
            let confirm = match confirm {
                Some(number) => format!(", to be confirmed as {number}"),
                None if *until_commit => ", to wait for a commit".to_owned(),
                None => String::new(),
            };
            let by = client(by);
            format!("published by {by} to {} as {routing_key:?}{confirm}", exchange_name(exchange))
        }
        Fate::Committed => "published by the commit of its transaction".to_owned(),
        Fate::RolledBack => "its transaction is rolled back: it is gone".to_owned(),
        Fate::Delayed { exchange, delay } => {
            format!("held back by exchange {exchange} for {delay:?}")
        }
        Fate::Due { exchange } => format!("due at exchange {exchange}, which routes it now"),
        Fate::Replied { to } => format!("delivered to {} as a direct reply", client(to)),
        Fate::Unroutable => "routed to no queue".to_owned(),
        Fate::SentBack { to } => format!("sent back to {}, as it is mandatory", client(to)),
        Fate::LeftOut { queue, why } => format!("not put into queue {queue}: {why}"),
        Fate::Dropped { why } => format!("dropped: {why}"),
        Fate::Kept { queue, why } => {
            format!("kept by queue {queue}, in which it died, for another try: {why}")
        }
        Fate::Released { queue } => {
            format!("kept no longer by queue {queue}: the others have it safely")
        }
        Fate::DeadLettered { exchange, routing_key } => {
            let exchange = exchange_name(exchange);
            format!("published again as a dead letter, to {exchange} as {routing_key:?}")
        }
        Fate::Enqueued { queue, behind: 0 } => format!("put into queue {queue}"),
        Fate::Enqueued { queue, behind } => format!("put into queue {queue}, behind {behind}"),
        Fate::Refused { queue } => format!("refused by queue {queue}, which is at its limit"),
        Fate::Confirmed { to, number, verdict: Verdict::Ack } => {
            format!("confirmed to {} as {number}", client(to))
        }
        Fate::Confirmed { to, number, verdict: Verdict::Nack } => {
            format!("refused to {}: nack {number}", client(to))
        }
        Fate::Delivered { queue, to, tag, redelivered, ack_required } => {
            let again = if *redelivered { " again" } else { "" };
            let gone = if *ack_required { "" } else { ", which needs no ack: it has left" };
            format!("delivered{again} from queue {queue} to {} as {tag}{gone}", client(to))
        }
        Fate::Acknowledged { queue } => format!("acknowledged: it has left queue {queue}"),
        Fate::Returned { queue, why } => format!("returned to queue {queue}: {why}"),
        Fate::Died { queue, reason, dead_letter_exchange: None } => {
            format!(
                "died in queue {queue} ({reason}), which has no dead-letter exchange: it is gone"
            )
        }
        Fate::Died { queue, reason, dead_letter_exchange: Some(_) } => {
            format!("died in queue {queue} ({reason})")
        }
        Fate::Purged { queue } => format!("purged from queue {queue}"),
        Fate::Deleted { queue } => format!("gone with queue {queue}, which was deleted"),
        Fate::Lost { queue } => format!("lost from queue {queue}, as the broker went down"),
        Fate::LostWithQueue { queue } => {
            format!("lost with queue {queue}, which is not durable, as the broker went down")
        }
        Fate::Undone { queue, what } => {
            format!("back in queue {queue}, as the broker went down: {what} was not yet on disk")
        }
        Fate::Wiped { queue } => format!("gone with queue {queue}: the broker's disk was wiped"),
        Fate::Outlived { stream } => {
            format!("dropped from stream {stream}, which had reached its limit of length or age")
        }
    }
}

fn exchange_name(name: &str) -> String {
    if name.is_empty() { "the default exchange".to_owned() } else { format!("exchange {name}") }
}

/// Returns what a broker holds, a queue a line.
pub(super) fn portrait(broker: &Broker) -> Vec<String> {
    let rows = broker.list_queues();
    let mut lines: Vec<String> = rows
        .iter()
        .take(SHOWN)
        .map(|row| {
            let (ready, unacked) = (row.messages_ready, row.messages_unacknowledged);
            let vhost = if row.vhost == "/" { String::new() } else { format!("{}/", row.vhost) };
            let name = &row.name;
            format!("queue {vhost}{name}: {ready} ready, {unacked} unacknowledged")
        })
        .collect();
    if rows.len() > SHOWN {
        lines.push(format!("and {} more queues", rows.len() - SHOWN));
    }
    lines
}
