//! A channel's transaction (class tx): publishes and acknowledgements that wait for its commit.
//!
//! A publish is checked and routed when it arrives, and enqueued at the commit. A settled delivery
//! is no longer outstanding, unless the transaction is rolled back. `tx.commit-ok` follows when the
//! queues have taken responsibility for every publish, as a confirm would.
//!
//! Source: AMQP 0-9-1, section 1.9; <https://www.rabbitmq.com/docs/semantics#tx>.

use super::confirm::Confirms;
use super::unacked::Unacked;
use crate::Instant;
use crate::rabbitmq::key::QueueKey;
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::protocol::method::Method;
use smol_str::SmolStr;
use std::collections::VecDeque;
use std::sync::Arc;

/// How deliveries are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settle {
    /// They were processed and leave the queue.
    Ack,
    /// They are rejected and leave the queue, perhaps as dead letters.
    Reject(Outcome),
    /// They return to their places in the queue.
    Requeue(Outcome),
}

impl Settle {
    /// Returns whether the other one is the same but for its outcome.
    pub(crate) fn is_like(self, other: Settle) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    pub(crate) fn is_requeue(self) -> bool {
        matches!(self, Settle::Requeue(_))
    }
}

/// The way in which a delivery ended that was not acknowledged. Since 4.3 this decides whether it
/// counts for the delivery limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The consumer failed: it used `basic.reject`, or it was lost.
    Failed,
    /// The consumer gave the message back: it used `basic.nack` or `basic.recover`.
    Released,
}

/// A publish that waits for the commit.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) message: Arc<Message>,
    pub(crate) expiry: Option<Instant>,
    pub(crate) mandatory: bool,
    /// The queues it was routed to, or will be by their names. By the commit, other queues may have
    /// these names.
    pub(crate) queues: Vec<(SmolStr, Option<QueueKey>)>,
    /// Its number in the story, if one is told.
    pub(crate) story: Option<u64>,
}

/// Deliveries settled by one method, with their tags.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) how: Settle,
    pub(crate) taken: Vec<(u64, Unacked)>,
    /// When the oldest of them was delivered.
    pub(crate) since: Instant,
}

/// Returns what a commit settles at once: deliveries that were settled alike one after another, in
/// the order of their tags.
pub(crate) fn joined(
    settled: Vec<Settled>,
    are_alike: impl Fn(Settle, Settle) -> bool,
) -> Vec<(Settle, Vec<(u64, Unacked)>)> {
    let mut groups: Vec<(Settle, Vec<(u64, Unacked)>)> = Vec::new();
    for Settled { how, taken, .. } in settled {
        match groups.last_mut().filter(|(last, _)| are_alike(*last, how)) {
            Some((_, group)) => group.extend(taken),
            None => groups.push((how, taken)),
        }
    }
    groups.iter_mut().for_each(|(_, group)| group.sort_by_key(|(tag, _)| *tag));
    groups
}

#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) publishes: Vec<Pending>,
    pub(crate) settled: Vec<Settled>,
    /// Publishes of a commit that was not answered yet.
    pub(crate) committing: Option<Confirms>,
    /// Number of commits that only wait for their publishes.
    pub(crate) waiting: usize,
    /// Methods that the client sends in the meantime, so that answers come in order.
    pub(crate) later: VecDeque<Method>,
}

impl Transaction {
    pub(crate) fn new() -> Transaction {
        Transaction {
            publishes: Vec::new(),
            settled: Vec::new(),
            committing: None,
            waiting: 0,
            later: VecDeque::new(),
        }
    }
}
