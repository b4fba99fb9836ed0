//! Publisher confirms, as the publisher sees them.
//!
//! Publishes are numbered from 1 once the channel is in confirm mode. The broker answers each
//! number with an ack or a nack, singly or in a range, in any order. Answers to publishes that
//! nobody awaits are only counted.
//!
//! Source: RabbitMQ, "Consumer Acknowledgements and Publisher Confirms".

use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::sim::service::{Waiter, Wakes};
use std::collections::{BTreeMap, BTreeSet};

/// The broker's answer to a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a nack means that the message may be lost"]
pub enum Confirmation {
    /// The broker has taken responsibility for the message: every queue it was routed to has it, on
    /// disk if the message is persistent and the queue durable. An unroutable message is acked too.
    Ack,
    /// The broker could not take responsibility for the message.
    Nack,
}

impl Confirmation {
    /// Returns whether this is an ack.
    #[must_use]
    pub fn is_ack(self) -> bool {
        self == Confirmation::Ack
    }
}

/// The publishes of a channel that the broker has not answered yet.
#[derive(Debug, Default)]
pub(super) struct Confirms {
    on: bool,
    last: u64,
    outstanding: BTreeSet<u64>,
    /// The publishes whose answers are awaited.
    watched: BTreeMap<u64, (Option<Confirmation>, Waiter)>,
    nacked: Vec<DeliveryTag>,
    drained: Waiter,
}

impl Confirms {
    pub(super) fn select(&mut self) {
        self.on = true;
    }

    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Numbers a publish; `None` if the channel is not in confirm mode.
    pub(super) fn published(&mut self) -> Option<DeliveryTag> {
        self.on.then(|| {
            self.last += 1;
            self.outstanding.insert(self.last);
            DeliveryTag(self.last)
        })
    }

    pub(super) fn watch(&mut self, tag: DeliveryTag) {
        self.watched.entry(tag.0).or_default();
    }

    pub(super) fn unwatch(&mut self, tag: DeliveryTag) {
        self.watched.remove(&tag.0);
    }

    /// Number of publishes without an answer.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    pub(super) fn settle(
        &mut self,
        tag: DeliveryTag,
        multiple: bool,
        ack: bool,
        wakes: &mut Wakes<'_>,
    ) {
        let confirmation = if ack { Confirmation::Ack } else { Confirmation::Nack };
        let mut settle = |tag| {
            if let Some((answer, waiter)) = self.watched.get_mut(&tag) {
                *answer = Some(confirmation);
                wakes.wake(waiter);
            } else if !ack {
                self.nacked.push(DeliveryTag(tag));
            }
        };
        if multiple {
            let later = self.outstanding.split_off(&(tag.0 + 1));
            std::mem::replace(&mut self.outstanding, later).into_iter().for_each(settle);
        } else if self.outstanding.remove(&tag.0) {
            settle(tag.0);
        }
        if self.outstanding.is_empty() {
            wakes.wake(&mut self.drained);
        }
    }

    pub(super) fn wake_all(&mut self, wakes: &mut Wakes<'_>) {
        self.watched.values_mut().for_each(|(_, waiter)| wakes.wake(waiter));
        wakes.wake(&mut self.drained);
    }

    pub(super) fn take(&mut self, tag: DeliveryTag) -> Result<Confirmation, &mut Waiter> {
        let (answer, waiter) = self.watched.entry(tag.0).or_default();
        answer.ok_or(waiter)
    }

    /// Takes the publishes that were rejected since the last call, once no publish is outstanding.
    pub(super) fn drain(&mut self) -> Result<Vec<DeliveryTag>, &mut Waiter> {
        if self.outstanding.is_empty() {
            Ok(std::mem::take(&mut self.nacked))
        } else {
            Err(&mut self.drained)
        }
    }
}
