//! The methods that a client can send.

use super::Reference;
use super::channel::{Channel, Unacked};
use super::queue::{Confirm, Consumer, Queue};
use crate::operation::{FANOUT, QUEUES};
use std::time::Duration;
use stunt_double::rabbitmq::broker::{ChannelId, Method};
use stunt_double::rabbitmq::{ConsumeOptions, DeliveryTag, Publish, QueueOptions};

impl Reference {
    pub(super) fn method(&mut self, ch: ChannelId, method: &Method) {
        match method {
            Method::ConnectionOpen(_) => {
                let open = self.connections.iter_mut().find(|c| c.0 == ch.connection.0);
                open.unwrap().1 = true;
                self.say(ch, "connection.open-ok");
            }
            Method::ChannelOpen => {
                let id = self.id();
                self.channels.insert(ch, Channel { id, ..Channel::default() });
                self.say(ch, "channel.open-ok");
            }
            Method::ChannelClose => {
                self.close_channels(&[ch]);
                self.say(ch, "channel.close-ok");
            }
            Method::ChannelCloseOk => self.close_channels(&[ch]),
            Method::ExchangeDeclare { .. } => self.say(ch, "exchange.declare-ok"),
            Method::QueueDeclare { queue, options, .. } => self.declare(ch, queue, options),
            Method::QueueBind { .. } => self.say(ch, "queue.bind-ok"),
            Method::QueueDelete { queue, if_unused, if_empty, .. } => {
                self.delete(ch, queue, *if_unused, *if_empty);
            }
            Method::QueuePurge { queue, .. } => self.purge(ch, queue),
            Method::BasicPublish(publish) => self.publish(ch, publish),
            Method::BasicConsume { queue, options, .. } => self.consume(ch, queue, options),
            Method::BasicCancel { consumer_tag, .. } => self.cancel(ch, consumer_tag),
            Method::BasicGet { queue, no_ack } => self.get(ch, queue, *no_ack),
            Method::BasicAck { delivery_tag, multiple } => {
                self.settle_tag(ch, *delivery_tag, *multiple, false);
            }
            Method::BasicNack { delivery_tag, multiple, requeue } => {
                self.settle_tag(ch, *delivery_tag, *multiple, *requeue);
            }
            Method::BasicReject { delivery_tag, requeue } => {
                self.settle_tag(ch, *delivery_tag, false, *requeue);
            }
            Method::BasicRecover { .. } => {
                self.say(ch, "basic.recover-ok");
                let all = self.channels[&ch].unacked.clone();
                self.settle(ch, &all, true);
            }
            Method::BasicQos { prefetch_count, global, .. } => {
                self.qos(ch, *prefetch_count, *global);
            }
            Method::ConfirmSelect { .. } => {
                self.channel(ch).publishes.get_or_insert_default();
                self.say(ch, "confirm.select-ok");
            }
            other => unreachable!("no operation comes to {other}"),
        }
    }

    /// Closes a channel because of the client's mistake.
    fn fail(&mut self, ch: ChannelId, text: &str) {
        self.say(ch, text);
        // Messages fetched from queues without a consumer of the channel return later.
        let consumed: Vec<u64> = self
            .live_queues()
            .filter(|queue| queue.consumers().any(|consumer| consumer.channel == ch))
            .map(|queue| queue.id)
            .collect();
        let all = std::mem::take(&mut self.channel(ch).unacked);
        let (back, unacked) = all.into_iter().partition(|u| consumed.contains(&u.queue));
        self.channel(ch).unacked = back;
        let last_tag = self.channel(ch).last_tag;
        self.close_channels(&[ch]);
        self.channels
            .insert(ch, Channel { has_failed: true, last_tag, unacked, ..Channel::default() });
    }

    fn no_queue(&mut self, ch: ChannelId, name: &str) {
        self.fail(ch, &format!("NOT_FOUND - no queue '{name}' in vhost '/'"));
    }

    fn declare(&mut self, ch: ChannelId, name: &str, options: &QueueOptions) {
        if self.named(name).is_none() {
            let name = QUEUES.into_iter().find(|known| *known == name).unwrap();
            let queue = Queue::new(self.id(), name, options);
            match self.free.pop() {
                Some(place) => self.places[place] = Some(queue),
                None => self.places.push(Some(queue)),
            }
        }
        let (now, id) = (self.now, self.named(name).unwrap().id);
        let queue = self.queue(id).unwrap();
        queue.last_operation = now;
        queue.expire(now);
        let (ready, consumers) = (queue.ready.len(), queue.consumers().count());
        self.say(ch, format!("declared {name} {ready} {consumers}"));
    }

    fn delete(&mut self, ch: ChannelId, name: &str, if_unused: bool, if_empty: bool) {
        let Some(id) = self.named(name).map(|queue| queue.id) else {
            return self.say(ch, "queue.delete-ok 0");
        };
        let now = self.now;
        let queue = self.queue(id).unwrap();
        queue.expire(now);
        let ready = queue.ready.len();
        let what = format!("PRECONDITION_FAILED - queue '{name}' in vhost '/'");
        let is_used = queue.consumers().next().is_some();
        if if_empty && ready > 0 {
            return self.fail(ch, &format!("{what} not empty"));
        }
        if if_unused && is_used {
            return self.fail(ch, &format!("{what} in use"));
        }
        self.say(ch, format!("queue.delete-ok {ready}"));
        self.delete_queue(id);
    }

    fn delete_queue(&mut self, id: u64) {
        let is_it = |queue: &Option<Queue>| queue.as_ref().is_some_and(|queue| queue.id == id);
        let place = self.places.iter().position(is_it).unwrap();
        let queue = self.places[place].take().unwrap();
        self.free.push(place);
        let mut consumers: Vec<&Consumer> = queue.consumers().collect();
        consumers.sort_by(|a, b| a.tag.cmp(&b.tag));
        for consumer in consumers {
            self.say(consumer.channel, format!("basic.cancel {}", consumer.tag));
        }
        for confirm in queue.waiting {
            self.confirm(confirm);
        }
    }

    fn purge(&mut self, ch: ChannelId, name: &str) {
        let Some(id) = self.named(name).map(|queue| queue.id) else {
            return self.no_queue(ch, name);
        };
        let now = self.now;
        let queue = self.queue(id).unwrap();
        queue.last_operation = now;
        queue.expire(now);
        let purged = std::mem::take(&mut queue.ready);
        queue.dropped += purged.len();
        for message in &purged {
            queue.log_gone(now, message);
        }
        self.say(ch, format!("queue.purge-ok {}", purged.len()));
    }

    fn publish(&mut self, ch: ChannelId, publish: &Publish) {
        self.published += 1;
        let body = String::from_utf8_lossy(&publish.body).into_owned();
        let expiration = publish.properties.expiration();
        let time_to_live = expiration.map(|ms| Duration::from_millis(ms.parse().unwrap()));
        let expires = time_to_live.map(|time| self.now + time);
        let is_target =
            |queue: &&Queue| publish.exchange == FANOUT || queue.name == publish.routing_key;
        let targets: Vec<u64> = self.live_queues().filter(is_target).map(|q| q.id).collect();
        let channel = self.channel(ch);
        let confirm = channel.publishes.as_mut().map(|publishes| {
            publishes.push(targets.len());
            Confirm { channel: ch, id: channel.id, seqno: publishes.len() }
        });
        if targets.is_empty() {
            if publish.mandatory {
                self.say(ch, format!("return {body}"));
            }
            if let Some(confirm) = confirm {
                self.say(ch, format!("ack {}", confirm.seqno));
            }
        }
        for id in targets {
            let taker = self.next_consumer(id);
            let now = self.now;
            let queue = self.queue(id).unwrap();
            let message = queue.number(body.clone(), publish.properties.is_persistent(), expires);
            queue.last_operation = now;
            let is_done = taker.as_ref().is_some_and(|consumer| consumer.no_ack);
            let on_disk = queue.durable && message.persistent && !is_done;
            if on_disk {
                queue.log_published(message.clone());
                queue.waiting.extend(confirm);
            }
            match taker {
                Some(consumer) => self.deliver(id, &consumer, message),
                None => {
                    queue.ready.push(message);
                    queue.expire(now);
                }
            }
            if let Some(confirm) = confirm
                && !on_disk
            {
                self.confirm(confirm);
            }
        }
    }

    fn consume(&mut self, ch: ChannelId, name: &str, options: &ConsumeOptions) {
        let Some(id) = self.named(name).map(|queue| queue.id) else {
            return self.no_queue(ch, name);
        };
        let consumer = Consumer {
            id: self.id(),
            channel: ch,
            tag: options.consumer_tag.to_string(),
            no_ack: options.no_ack,
            prefetch: self.channels[&ch].prefetch,
        };
        self.say(ch, format!("basic.consume-ok {}", consumer.tag));
        let now = self.now;
        let queue = self.queue(id).unwrap();
        queue.last_operation = now;
        queue.ring.push(consumer);
        self.run_queue(id);
    }

    fn cancel(&mut self, ch: ChannelId, tag: &str) {
        self.say(ch, format!("basic.cancel-ok {tag}"));
        let is_it = |consumer: &Consumer| consumer.channel == ch && consumer.tag == tag;
        let now = self.now;
        let queue = self.places.iter_mut().flatten().find(|queue| queue.consumers().any(is_it));
        let Some(queue) = queue else {
            return;
        };
        queue.remove_consumers(is_it);
        queue.last_operation = now;
        let id = queue.id;
        if !queue.consumers().any(|consumer| consumer.channel == ch) {
            self.channel(ch).suspended.retain(|suspended| *suspended != id);
        }
        self.delete_if_unused(id);
    }

    /// Deletes a queue that has lost its last consumer, if it deletes itself.
    pub(super) fn delete_if_unused(&mut self, id: u64) {
        let queue = self.queue(id).unwrap();
        if queue.auto_delete && queue.consumers().next().is_none() {
            self.delete_queue(id);
        }
    }

    fn get(&mut self, ch: ChannelId, name: &str, no_ack: bool) {
        let Some(id) = self.named(name).map(|queue| queue.id) else {
            return self.no_queue(ch, name);
        };
        let now = self.now;
        let queue = self.queue(id).unwrap();
        queue.last_operation = now;
        queue.expire(now);
        if queue.ready.is_empty() {
            return self.say(ch, "basic.get-empty");
        }
        let message = queue.ready.remove(0);
        queue.expire(now);
        let left = queue.ready.len();
        if no_ack {
            queue.settled += 1;
            queue.log_gone(now, &message);
        }
        let channel = self.channel(ch);
        channel.last_tag += 1;
        let delivery_tag = channel.last_tag;
        let text = format!("get {message} #{delivery_tag} of {left}");
        if !no_ack {
            channel.unacked.push(Unacked { delivery_tag, queue: id, consumer: None, message });
        }
        self.say(ch, text);
    }

    fn settle_tag(&mut self, ch: ChannelId, tag: DeliveryTag, multiple: bool, requeue: bool) {
        let DeliveryTag(tag) = tag;
        let unacked = &self.channels[&ch].unacked;
        let is_known = unacked.iter().any(|unacked| unacked.delivery_tag == tag);
        let is_all = multiple && tag == 0;
        if !is_known && !is_all {
            return self.fail(ch, &format!("PRECONDITION_FAILED - unknown delivery tag {tag}"));
        }
        let is_meant = |unacked: &&Unacked| match (multiple, tag) {
            (false, _) => unacked.delivery_tag == tag,
            (true, 0) => true,
            (true, _) => unacked.delivery_tag <= tag,
        };
        let taken: Vec<Unacked> = unacked.iter().filter(is_meant).cloned().collect();
        self.settle(ch, &taken, requeue);
    }

    fn qos(&mut self, ch: ChannelId, count: u16, global: bool) {
        self.say(ch, "basic.qos-ok");
        let channel = self.channel(ch);
        let was_full = channel.is_full();
        let limit = if global { usize::from(count) } else { 0 };
        if !global {
            channel.prefetch = count;
        }
        if channel.limit == 0 {
            channel.volume = channel.unacked.len();
        }
        channel.limit = limit;
        if was_full && !channel.is_full() {
            self.resume(ch);
        }
    }
}
