//! The choice of a message's consumer, and the messages that return to their queue.

use super::Reference;
use super::channel::Unacked;
use super::queue::{Consumer, Message};
use stunt_double::rabbitmq::broker::ChannelId;

impl Reference {
    /// Settles queue by queue, and for each queue by consumer tag, fetched messages first.
    pub(super) fn settle(&mut self, ch: ChannelId, taken: &[Unacked], requeue: bool) {
        let delivered = taken.iter().filter(|unacked| unacked.consumer.is_some()).count();
        let mut queues: Vec<u64> = taken.iter().map(|unacked| unacked.queue).collect();
        queues = self.in_order(&queues);
        for queue in queues {
            let mine = taken.iter().filter(|unacked| unacked.queue == queue);
            let mut tags: Vec<Option<String>> = mine.clone().map(Unacked::tag).collect();
            tags.sort();
            tags.dedup();
            for tag in tags {
                let group = mine.clone().filter(|unacked| unacked.tag() == tag);
                self.settle_group(ch, queue, group.cloned().collect(), requeue);
            }
        }
        let channel = self.channel(ch);
        // Deliveries of queues that are gone.
        let is_left = |u: &Unacked| !taken.iter().any(|taken| taken.delivery_tag == u.delivery_tag);
        channel.unacked.retain(is_left);
        let was_full = channel.is_full();
        if channel.limit > 0 && channel.volume > 0 {
            channel.volume -= delivered;
        }
        if was_full && !channel.is_full() {
            self.resume(ch);
        }
    }

    fn settle_group(&mut self, ch: ChannelId, id: u64, group: Vec<Unacked>, requeue: bool) {
        let now = self.now;
        let queue = self.queue(id).unwrap();
        let is_held_by = |c: &&Consumer| group.iter().any(|u| u.consumer.as_ref() == Some(*c));
        let holder = queue.consumers().find(is_held_by).cloned();
        let channel = self.channel(ch);
        let was_blocked = holder.is_some_and(|holder| !channel.has_credit(&holder));
        for settled in &group {
            channel.unacked.retain(|unacked| unacked.delivery_tag != settled.delivery_tag);
        }
        let queue = self.queue(id).unwrap();
        for Unacked { message, .. } in group {
            if requeue {
                queue.put_back(now, message);
            } else {
                queue.settled += 1;
                queue.log_gone(now, &message);
            }
        }
        if was_blocked {
            self.unblock(ch, id);
        }
        if was_blocked || requeue {
            self.run_queue(id);
        }
    }

    /// Delivers again after the channel has fallen below its limit.
    pub(super) fn resume(&mut self, ch: ChannelId) {
        for id in std::mem::take(&mut self.channel(ch).suspended) {
            if self.queue(id).is_some() {
                self.unblock(ch, id);
                self.run_queue(id);
            }
        }
    }

    /// Returns the channel's blocked consumers of a queue to the tail of the ring, if they have
    /// credit.
    fn unblock(&mut self, ch: ChannelId, id: u64) {
        let channel = &self.channels[&ch];
        let queue = self.places.iter_mut().flatten().find(|queue| queue.id == id).unwrap();
        let rejoins = |c: &Consumer| c.channel == ch && channel.has_credit(c);
        let (rejoining, blocked) = queue.blocked.drain(..).partition(rejoins);
        queue.blocked = blocked;
        queue.ring.extend::<Vec<Consumer>>(rejoining);
    }

    /// Returns the consumer whose turn it is. Consumers that are asked and cannot take a message
    /// leave the ring.
    pub(super) fn next_consumer(&mut self, id: u64) -> Option<Consumer> {
        let queue = self.places.iter_mut().flatten().find(|queue| queue.id == id).unwrap();
        while !queue.ring.is_empty() {
            let consumer = queue.ring.remove(0);
            let channel = self.channels.get_mut(&consumer.channel).unwrap();
            let is_suspended = channel.suspended.contains(&id);
            if !is_suspended && channel.has_credit(&consumer) {
                if !channel.is_full() {
                    queue.ring.push(consumer.clone());
                    return Some(consumer);
                }
                channel.suspended.push(id);
            }
            queue.blocked.push(consumer);
        }
        None
    }

    pub(super) fn run_queue(&mut self, id: u64) {
        let now = self.now;
        self.queue(id).unwrap().expire(now);
        while !self.queue(id).unwrap().ready.is_empty()
            && let Some(consumer) = self.next_consumer(id)
        {
            let queue = self.queue(id).unwrap();
            let message = queue.ready.remove(0);
            if consumer.no_ack {
                queue.log_gone(now, &message);
            }
            queue.expire(now);
            self.deliver(id, &consumer, message);
        }
    }

    pub(super) fn deliver(&mut self, id: u64, consumer: &Consumer, message: Message) {
        let channel = self.channel(consumer.channel);
        channel.last_tag += 1;
        let delivery_tag = channel.last_tag;
        let text = format!("{}<-{message} #{delivery_tag}", consumer.tag);
        if consumer.no_ack {
            self.queue(id).unwrap().settled += 1;
        } else {
            let consumer = Some(consumer.clone());
            channel.volume += 1;
            channel.unacked.push(Unacked { delivery_tag, queue: id, consumer, message });
        }
        self.say(consumer.channel, text);
    }

    /// Closes channels of one connection together.
    pub(super) fn close_channels(&mut self, closed: &[ChannelId]) {
        let mut returned = Vec::new();
        for ch in closed {
            let channel = self.channels.remove(ch);
            returned.extend(channel.into_iter().flat_map(|channel| channel.unacked));
        }
        let mut touched: Vec<u64> = returned.iter().map(|unacked| unacked.queue).collect();
        let mut left = Vec::new();
        for queue in self.places.iter_mut().flatten() {
            if queue.remove_consumers(|consumer| closed.contains(&consumer.channel)) {
                left.push(queue.id);
            }
        }
        touched.extend(&left);
        left.into_iter().for_each(|id| self.delete_if_unused(id));
        for id in self.in_order(&touched) {
            let now = self.now;
            let queue = self.queue(id).unwrap();
            queue.last_operation = now;
            for unacked in returned.iter().filter(|unacked| unacked.queue == id) {
                queue.put_back(now, unacked.message.clone());
            }
            self.run_queue(id);
        }
    }
}
