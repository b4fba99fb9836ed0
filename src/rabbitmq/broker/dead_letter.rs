//! Publishing dead letters.
//!
//! They are gathered while a method or a timer does its work and published
//! when it is done, for the queues they go to may give up messages in their
//! turn.

use super::Broker;
use crate::Instant;
use crate::rabbitmq::dead_letter::{DeadLetter, Reason, is_cycle};
use crate::rabbitmq::message::Message;
use crate::rabbitmq::queue::QueueKey;
use std::sync::Arc;

impl Broker {
    /// A queue gives a message up: if it has a dead-letter exchange, the message
    /// goes there.
    pub(super) fn bury(&mut self, key: QueueKey, message: Arc<Message>, reason: Reason) {
        let queue = self.queues.get(key).expect("the queue was just looked at");
        if queue.is_plain {
            return;
        }
        let more = &queue.more;
        if let Some(exchange) = &more.settings.dead_letter_exchange {
            self.dead_letters.push_back(DeadLetter {
                message,
                reason,
                vhost: more.vhost,
                queue: more.name.clone(),
                exchange: exchange.clone(),
                routing_key: more.settings.dead_letter_routing_key.clone(),
            });
        }
    }

    /// Publishes what died, in that order.
    pub(super) fn publish_dead_letters(&mut self, now: Instant) {
        while let Some(letter) = self.dead_letters.pop_front() {
            self.publish_dead_letter(now, &letter);
        }
    }

    fn publish_dead_letter(&mut self, now: Instant, letter: &DeadLetter) {
        let Ok(source) = self.source(letter.vhost, &letter.exchange) else { return };
        if letter.has_senseless_history() {
            // The server's queue breaks down over it.
            return;
        }
        let name = self.source_name(source);
        let message = Arc::new(letter.published(now, name));
        let mut routed = Vec::new();
        self.route(now, letter.vhost, source, &message, &mut routed);
        if letter.reason != Reason::Rejected {
            let headers = message.properties().headers();
            routed.retain(|key| {
                let queue = self.queues.get(*key);
                queue.is_some_and(|queue| !is_cycle(headers, &queue.more.name))
            });
        }
        for queue in routed {
            self.accept(now, queue, Arc::clone(&message), None, None);
        }
    }
}
