//! Publishing dead letters.
//!
//! Dead letters are gathered while a method or a timer runs and published when it is done. The
//! queues they go to may give up messages in turn, so this avoids recursion.
//!
//! A queue with the strategy *at-least-once* keeps each letter until every queue that it was routed
//! to has it safely. While the letter waits for their confirms it is *in flight*. If one of them
//! refuses it, or it was routed nowhere, it is *kept*, and published again after three minutes, to
//! those that do not have it yet. A crash loses neither: the letter is on its own queue's disk.

use super::Broker;
use super::story::Fate;
use super::timer::Timer;
use crate::Instant;
use crate::rabbitmq::channel::confirm::Verdict;
use crate::rabbitmq::key::QueueKey;
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::queue::dead_letter::{DeadLetter, Reason, SentLetter, is_cycle};
use crate::rabbitmq::queue::journal::Waiter;
use smol_str::SmolStr;
use std::sync::Arc;
use std::time::Duration;

/// Delay after which the server retries a dead letter that it keeps.
const RETRY: Duration = Duration::from_secs(180);

impl Broker {
    /// Gathers a message that a queue gives up, if the queue has a dead-letter exchange.
    /// Its deliveries failed this often, or as often as it says itself. It has this number in the
    /// story, if one is told.
    pub(super) fn bury(
        &mut self,
        key: QueueKey,
        message: Arc<Message>,
        reason: Reason,
        failures: Option<u64>,
        story: Option<u64>,
    ) {
        let queue = self.queues.get(key).expect("the caller has just found the queue");
        if queue.is_plain {
            return;
        }
        let cold = &queue.cold;
        let failures = failures.unwrap_or_else(|| message.properties().history().failures.into());
        if let Some(exchange) = &cold.settings.dead_letter_exchange {
            self.dead_letters.push_back(DeadLetter {
                message,
                reason,
                vhost: cold.vhost,
                queue: cold.name.clone(),
                exchange: exchange.clone(),
                routing_key: cold.settings.dead_letter_routing_key.clone(),
                keeper: cold.settings.keeps_dead_letters.then_some(key),
                settled: Vec::new(),
                failures,
                story,
            });
        }
    }

    /// Publishes the gathered dead letters in order.
    #[inline]
    pub(super) fn publish_dead_letters(&mut self, now: Instant) {
        // Asked after every message, and nearly always there is nothing.
        if !self.dead_letters.is_empty() || !self.refused_letters.is_empty() {
            self.publish_gathered_letters(now);
        }
    }

    #[cold]
    #[inline(never)]
    fn publish_gathered_letters(&mut self, now: Instant) {
        while let Some(letter) = self.dead_letters.pop_front() {
            self.publish_dead_letter(now, letter);
        }
        for letter in std::mem::take(&mut self.refused_letters) {
            self.keep_dead_letter(now, letter, "not every queue has taken it");
        }
    }

    /// Keeps a dead letter for a retry, in its own queue, if that still exists.
    fn keep_dead_letter(&mut self, now: Instant, letter: DeadLetter, why: &str) {
        let keeper = letter.keeper.and_then(|key| self.queues.get_mut(key));
        let Some(quorum) = keeper.and_then(|queue| queue.cold.kind.quorum_mut()) else {
            return self.tell_of_letter(&letter, || Fate::Deleted { queue: letter.queue.clone() });
        };
        quorum.kept_dead_letters += 1;
        self.tell_of_letter(&letter, || Fate::Kept {
            queue: letter.queue.clone(),
            why: why.to_owned(),
        });
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

    /// Publishes a dead letter. Its own queue keeps it if it is routed nowhere.
    fn publish_dead_letter(&mut self, now: Instant, letter: DeadLetter) {
        let Ok(source) = self.source(letter.vhost, &letter.exchange) else {
            let why = format!("there is no exchange {}", letter.exchange);
            if letter.keeper.is_some() {
                return self.keep_dead_letter(now, letter, &why);
            }
            return self.tell_of_letter(&letter, || Fate::Dropped { why });
        };
        if !self.profile().has_containers && letter.has_uncountable_death() {
            // The process of the server's queue crashes over it.
            let why = "the server cannot count its death".to_owned();
            return self.tell_of_letter(&letter, || Fate::Dropped { why });
        }
        let name = self.source_name(source);
        let message = Arc::new(letter.published(now, name, self.profile()));
        self.tell_dead_lettered(&letter, &message);
        let mut routed = Vec::new();
        self.route(now, letter.vhost, source, &message, &mut routed);
        if routed.is_empty() {
            self.tell_unroutable(&message);
        }
        let is_routed = !routed.is_empty();
        if letter.reason != Reason::Rejected {
            self.leave_cycles(&message, &mut routed);
        }
        if letter.keeper.is_some() {
            return self.send_kept_letter(now, letter, &message, routed);
        }
        self.leave_streams(&message, &mut routed);
        if is_routed && routed.is_empty() {
            self.tell_of_current(&message, || Fate::Dropped {
                why: "no other queue is to get it".to_owned(),
            });
        }
        for key in routed {
            self.accept_letter(now, key, Arc::clone(&message), None);
        }
        self.tell_all_routed();
    }

    /// Leaves out the queues in which a message has died before without having been rejected since.
    fn leave_cycles(&mut self, message: &Message, routed: &mut Vec<QueueKey>) {
        let headers = message.properties().headers();
        let mut left = Vec::new();
        routed.retain(|key| {
            let Some(queue) = self.queues.get(*key) else { return false };
            let name = &queue.cold.name;
            let is_cycle = is_cycle(headers, name);
            left.extend(is_cycle.then(|| name.clone()));
            !is_cycle
        });
        let why = "it died there before, and no consumer has rejected it since";
        for queue in left {
            self.tell_of_current(message, || Fate::LeftOut { queue, why });
        }
    }

    /// Leaves out streams, which never get a dead letter that is published at most once.
    fn leave_streams(&mut self, message: &Message, routed: &mut Vec<QueueKey>) {
        let is_left = |key: &QueueKey| {
            self.queues.get(*key).filter(|queue| queue.cold.kind.misses_dead_letters())
        };
        let left = routed.iter().filter_map(is_left);
        let left: Vec<SmolStr> = left.map(|queue| queue.cold.name.clone()).collect();
        routed.retain(|key| is_left(key).is_none());
        let why = "a stream misses dead letters that are published at most once";
        for queue in left {
            self.tell_of_current(message, || Fate::LeftOut { queue, why });
        }
    }

    /// Publishes a letter that its own queue keeps until the others have it safely.
    fn send_kept_letter(
        &mut self,
        now: Instant,
        letter: DeadLetter,
        message: &Arc<Message>,
        mut routed: Vec<QueueKey>,
    ) {
        if routed.is_empty() {
            self.tell_all_routed();
            return self.keep_dead_letter(now, letter, "no queue is to get it");
        }
        routed.retain(|queue| !letter.settled.contains(queue));
        let number = self.next_letter;
        self.next_letter += 1;
        if routed.is_empty() {
            self.tell_released(&letter);
        } else {
            let in_flight = SentLetter { letter, unsettled: routed.len(), is_refused: false };
            self.letters_in_flight.insert(number, in_flight);
        }
        for queue in routed {
            let waiter = Waiter::Letter(number, queue);
            self.accept_letter(now, queue, Arc::clone(message), Some(waiter));
        }
        self.tell_all_routed();
    }

    /// Notes that a queue has a letter in flight safely, or refused it.
    pub(super) fn settle_letter(&mut self, number: u64, queue: QueueKey, verdict: Verdict) {
        let Some(in_flight) = self.letters_in_flight.get_mut(&number) else { return };
        in_flight.unsettled -= 1;
        match verdict {
            Verdict::Ack => in_flight.letter.settled.push(queue),
            Verdict::Nack => in_flight.is_refused = true,
        }
        if in_flight.unsettled == 0
            && let Some(in_flight) = self.letters_in_flight.remove(&number)
        {
            if in_flight.is_refused {
                self.refused_letters.push(in_flight.letter);
            } else {
                self.tell_released(&in_flight.letter);
            }
        }
    }

    /// A letter's own queue does not keep it any longer, as others have it safely.
    fn tell_released(&mut self, letter: &DeadLetter) {
        if letter.keeper.is_some_and(|key| self.queues.get(key).is_some()) {
            self.tell_of_letter(letter, || Fate::Released { queue: letter.queue.clone() });
        }
    }

    /// After the broker went down: letters in flight have to be published again. A letter whose
    /// death was not on disk yet is a message of its queue again.
    pub(super) fn recall_letters(&mut self) {
        let in_flight = std::mem::take(&mut self.letters_in_flight).into_values();
        let mut letters = std::mem::take(&mut self.kept_letters);
        letters.append(&mut self.refused_letters);
        letters.extend(in_flight.map(|in_flight| in_flight.letter));
        for letter in letters {
            let Some(queue) = letter.keeper.and_then(|key| self.queues.get(key)) else { continue };
            if !queue.ready.iter().any(|entry| Arc::ptr_eq(&entry.message, &letter.message)) {
                self.kept_letters.push(letter);
            }
        }
        for key in self.queues.keys() {
            let kept = self.kept_letters.iter().filter(|letter| letter.keeper == Some(key)).count();
            if let Some(quorum) = self.queue_mut(key).cold.kind.quorum_mut() {
                quorum.kept_dead_letters = kept as u64;
            }
        }
    }
}
