//! Publishing dead letters.
//!
//! Dead letters are gathered while a method or a timer runs and published when it is done. The
//! queues they go to may give up messages in turn, so this avoids recursion.

use super::Broker;
use super::timer::Timer;
use crate::Instant;
use crate::rabbitmq::key::QueueKey;
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::queue::dead_letter::{DeadLetter, Reason, is_cycle};
use std::sync::Arc;
use std::time::Duration;

/// Delay after which the server retries a dead letter that it keeps.
const RETRY: Duration = Duration::from_secs(180);

impl Broker {
    /// Gathers a message that a queue gives up, if the queue has a dead-letter exchange.
    pub(super) fn bury(&mut self, key: QueueKey, message: Arc<Message>, reason: Reason) {
        let queue = self.queues.get(key).expect("the caller has just found the queue");
        if queue.is_plain {
            return;
        }
        let cold = &queue.cold;
        if let Some(exchange) = &cold.settings.dead_letter_exchange {
            self.dead_letters.push_back(DeadLetter {
                message,
                reason,
                vhost: cold.vhost,
                queue: cold.name.clone(),
                exchange: exchange.clone(),
                routing_key: cold.settings.dead_letter_routing_key.clone(),
                keeper: cold.settings.keeps_dead_letters.then_some(key),
            });
        }
    }

    /// Publishes the gathered dead letters in order.
    pub(super) fn publish_dead_letters(&mut self, now: Instant) {
        while let Some(letter) = self.dead_letters.pop_front() {
            if !self.publish_dead_letter(now, &letter) && letter.keeper.is_some() {
                self.keep_dead_letter(now, letter);
            }
        }
    }

    /// Keeps a dead letter that found no queue for a retry.
    fn keep_dead_letter(&mut self, now: Instant, letter: DeadLetter) {
        let keeper = letter.keeper.and_then(|key| self.queues.get_mut(key));
        let Some(quorum) = keeper.and_then(|queue| queue.cold.kind.quorum_mut()) else { return };
        quorum.kept_dead_letters += 1;
        if self.kept_letters.is_empty() {
            self.timers.set(now.saturating_add(RETRY), Timer::KeptLetters);
        }
        self.kept_letters.push(letter);
    }

    /// Publishes again the dead letters that were kept.
    pub(super) fn retry_kept_letters(&mut self, now: Instant) {
        let kept = std::mem::take(&mut self.kept_letters);
        for letter in &kept {
            if let Some(queue) = letter.keeper.and_then(|key| self.queues.get_mut(key))
                && let Some(quorum) = queue.cold.kind.quorum_mut()
            {
                quorum.kept_dead_letters -= 1;
            }
        }
        let alive = kept
            .into_iter()
            .filter(|letter| letter.keeper.is_some_and(|key| self.queues.get(key).is_some()));
        let alive: Vec<DeadLetter> = alive.collect();
        self.dead_letters.extend(alive);
        self.publish_dead_letters(now);
    }

    /// Publishes a dead letter. Returns whether it reached a queue, or is to be forgotten for
    /// another reason.
    fn publish_dead_letter(&mut self, now: Instant, letter: &DeadLetter) -> bool {
        let Ok(source) = self.source(letter.vhost, &letter.exchange) else { return false };
        if letter.has_uncountable_death() {
            // The process of the server's queue crashes over it.
            return true;
        }
        let name = self.source_name(source);
        let message = Arc::new(letter.published(now, name, self.profile()));
        let mut routed = Vec::new();
        self.route(now, letter.vhost, source, &message, &mut routed);
        if letter.reason != Reason::Rejected {
            let headers = message.properties().headers();
            routed.retain(|key| {
                let queue = self.queues.get(*key);
                queue.is_some_and(|queue| !is_cycle(headers, &queue.cold.name))
            });
        }
        let is_routed = !routed.is_empty();
        if letter.keeper.is_none() {
            // A dead letter that is published at most once never reaches a stream.
            let queues = &self.queues;
            routed.retain(|key| {
                !queues.get(*key).is_some_and(|queue| queue.cold.kind.misses_dead_letters())
            });
        }
        for queue in routed {
            self.accept(now, queue, Arc::clone(&message), None, None);
            if letter.keeper.is_some() {
                self.make_safe(queue);
            }
        }
        is_routed
    }

    /// Puts what a queue holds on disk. A message that is dead-lettered at least once leaves its
    /// queue only after the other one has confirmed it, so a crash must find it in either.
    fn make_safe(&mut self, key: QueueKey) {
        if let Some(journal) = self.queues.get_mut(key).and_then(|queue| queue.journal.as_mut()) {
            journal.sync(&mut self.synced);
            self.confirm_synced();
        }
    }
}
