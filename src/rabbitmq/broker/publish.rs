//! Publishing: from a client to the queues, or back.

use super::queue::count;
use super::route::further_keys;
use super::story::Fate;
use super::{Broker, Caller};
use crate::Instant;
use crate::rabbitmq::channel::reply_to::{
    REPLY_TO, is_made_by_server, is_malformed, is_pseudo_queue, no_reply_consumer,
};
use crate::rabbitmq::channel::transaction::Pending;
use crate::rabbitmq::key::{ChannelKey, ExchangeKey, QueueKey, VHostKey};
use crate::rabbitmq::protocol::error::{AmqpError, Fault, ReplyCode};
use crate::rabbitmq::protocol::id::{ChannelId, DeliveryTag};
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::protocol::method::{Event, Publish, ids};
use crate::rabbitmq::protocol::properties::Properties;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::queue::expiry::parse_expiration;
use crate::rabbitmq::queue::journal::Waiter;
use crate::rabbitmq::vhost::user::Access;
use crate::sort::sort_by;
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

impl Broker {
    /// Publishes a message (`basic.publish`). Returns its number in confirm mode. The confirm is an
    /// output, and so is the return of a mandatory message that reached no queue.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` for a missing exchange; `ACCESS_REFUSED` for an internal one;
    /// `PRECONDITION_FAILED` for a wrong `user-id`, a malformed `expiration`, an unknown delivery
    /// mode or a body that is too large; `NOT_IMPLEMENTED` for `immediate`, which closes the
    /// connection.
    pub fn basic_publish(
        &mut self,
        now: Instant,
        ch: ChannelId,
        publish: Publish,
    ) -> Result<Option<DeliveryTag>, AmqpError> {
        if let Some(caller) = self.caller(ch)
            && let Some(queue) = self.plain_destination(caller, &publish)
        {
            let tag = self.publish_plainly(now, caller, queue, publish);
            self.publish_dead_letters(now);
            return Ok(tag);
        }
        self.on_channel(now, ch, ids::BASIC_PUBLISH, |broker, caller| {
            broker.publish(now, caller, publish)
        })
    }

    fn publish(
        &mut self,
        now: Instant,
        caller: Caller,
        publish: Publish,
    ) -> Result<Option<DeliveryTag>, Fault> {
        let source = self.check_publish(caller, &publish)?;
        let Publish { routing_key, mandatory, mut properties, body, .. } = publish;
        let mut expiry = None;
        if properties.has_more() {
            self.set_reply_to(caller, &mut properties)?;
            let user = self.connections.get(&caller.id.connection);
            let user = user.map(|connection| connection.options.user.as_str());
            expiry = check_properties(&mut properties, user)?;
            if self.profile().has_containers {
                properties = properties.contained(expiry);
            }
        }
        if !self.profile().has_containers {
            check_delivery_mode(&properties)?;
        }
        let expiry = expiry.map(|time_to_live| now.saturating_add(time_to_live));
        let name = self.source_name(source);
        let message = Arc::new(Message::new(name, routing_key, properties, body));
        let replies_have_queues = self.profile().replies_have_queues;
        if !replies_have_queues {
            check_reply_keys(source, &message)?;
        }
        self.tell_published(caller, &message);
        let requesters = self.requesters(source, &message);
        if self.channel_mut(caller.channel).transaction.is_some() {
            if !replies_have_queues {
                self.deliver_replies(&requesters, &message);
            }
            let queues = self.routed_names(now, caller, source, &message);
            let story = self.pause_story();
            let pending = Pending { message, expiry, mandatory, queues, story };
            let transaction = self.channel_mut(caller.channel).transaction.as_mut();
            transaction
                .expect("the channel is transactional, as was checked above")
                .publishes
                .push(pending);
            return Ok(None);
        }
        let mut routed = std::mem::take(&mut self.routed);
        self.route(now, caller.vhost, source, &message, &mut routed);
        let breaks = self.crashes_a_stream(&routed, &message);
        if breaks {
            // This publish has effects before it fails.
            self.outputs.begin(caller.id);
            routed.retain(|queue| !self.crashes_over_headers(*queue));
        }
        self.count_publish(caller.vhost, source, routed.len());
        let channel = self.channel_mut(caller.channel);
        let seqno = channel.confirms.as_mut().map(|c| c.publish(count(routed.len())));
        let delivery_tag = seqno.map(DeliveryTag);
        let confirm = seqno.map(|seqno| Waiter::Publisher(caller.channel, seqno));
        if routed.is_empty() {
            if requesters.is_empty() {
                self.tell_unroutable(&message);
            }
            let is_returned = mandatory && !self.is_reply(source, &message);
            self.unroutable(caller, Arc::clone(&message), is_returned, delivery_tag);
        }
        // A channel may reply to itself. It first hears that no queue got the message.
        self.deliver_replies(&requesters, &message);
        if let Some(last) = routed.pop() {
            // In order of declaration. The last queue needs no copy of the pointer.
            for queue in routed.drain(..) {
                self.accept(now, queue, Arc::clone(&message), expiry, confirm);
            }
            self.accept(now, last, message, expiry, confirm);
        }
        self.tell_all_routed();
        self.routed = routed;
        if breaks { Err(Fault::internal()) } else { Ok(delivery_tag) }
    }

    /// Returns the queue to which a publish goes, if it is like most: through the default exchange,
    /// to a queue that exists, with nothing that has to be looked at.
    #[inline]
    fn plain_destination(&self, caller: Caller, publish: &Publish) -> Option<QueueKey> {
        let Publish { exchange, routing_key, mandatory: _, immediate, properties, body } = publish;
        let channel = self.channels.get(caller.channel)?;
        let is_plain = exchange.is_empty()
            && !self.tells()
            && !immediate
            && !properties.has_more()
            && matches!(properties.delivery_mode(), None | Some(1 | 2))
            && channel.is_unrestricted
            && channel.transaction.is_none()
            && body.len() <= self.version().max_message_size();
        if !is_plain {
            return None;
        }
        // No queue has the name of a pseudo-queue.
        self.vhost(caller.vhost).queues.get(routing_key).copied()
    }

    /// Publishes to the queue that [`Broker::plain_destination`] has found.
    #[inline]
    fn publish_plainly(
        &mut self,
        now: Instant,
        caller: Caller,
        queue: QueueKey,
        publish: Publish,
    ) -> Option<DeliveryTag> {
        let Publish { routing_key, properties, body, .. } = publish;
        self.vhost_mut(caller.vhost).published.count(1);
        let channel = self.channel_mut(caller.channel);
        let seqno = channel.confirms.as_mut().map(|confirms| confirms.publish(1));
        let confirm = seqno.map(|seqno| Waiter::Publisher(caller.channel, seqno));
        let message = Arc::new(Message::new(None, routing_key, properties, body));
        self.accept(now, queue, message, None, confirm);
        seqno.map(DeliveryTag)
    }

    fn crashes_over_headers(&self, queue: QueueKey) -> bool {
        self.queues.get(queue).is_some_and(|queue| queue.cold.kind.crashes_over_headers())
    }

    /// Returns whether one of these queues is a stream that would crash over a header.
    pub(super) fn crashes_a_stream(&self, routed: &[QueueKey], message: &Message) -> bool {
        message.properties().headers().is_some_and(FieldTable::crashes_a_stream)
            && routed.iter().any(|queue| self.crashes_over_headers(*queue))
    }

    /// Counts a publish that goes to this many queues.
    fn count_publish(&mut self, vhost: VHostKey, source: Option<ExchangeKey>, queues: usize) {
        // Both exist, because the message was just routed there.
        match source {
            None => self.vhost_mut(vhost).published.count(queues),
            Some(source) => {
                if let Some(exchange) = self.exchanges.get_mut(source) {
                    exchange.published.count(queues);
                }
            }
        }
    }

    /// Counts a message of a transaction, which is published at its commit.
    pub(super) fn count_pending(&mut self, vhost: VHostKey, message: &Message, queues: usize) {
        if let Ok(source) = self.source(vhost, message.exchange()) {
            self.count_publish(vhost, source, queues);
        }
    }

    /// Refuses a publish that is not permitted. Returns the exchange.
    fn check_publish(
        &self,
        caller: Caller,
        publish: &Publish,
    ) -> Result<Option<ExchangeKey>, Fault> {
        if publish.immediate {
            return Err(Fault::new(ReplyCode::NotImplemented, "immediate=true"));
        }
        let (size, max) = (publish.body.len(), self.version().max_message_size());
        if size > max {
            return Err(Fault::precondition(format!(
                "message size {size} is larger than configured max size {max}"
            )));
        }
        self.check_exchange_access(caller, Access::Write, &publish.exchange)?;
        let source = self.source(caller.vhost, &publish.exchange)?;
        if let Some(key) = source {
            let exchange = self.exchanges.get(key).filter(|exchange| exchange.internal);
            if let Some(what) = exchange.map(|exchange| exchange.what()) {
                return Err(Fault::refused(format!("cannot publish to internal {what}")));
            }
            self.check_topic_access(caller, Access::Write, key, &publish.routing_key)?;
        }
        Ok(source)
    }

    /// Returns the names of the queues to which a message in a transaction goes: those that the
    /// bindings lead to now, or at the default exchange those that the keys name, even if there are
    /// no such queues yet.
    fn routed_names(
        &mut self,
        now: Instant,
        caller: Caller,
        source: Option<ExchangeKey>,
        message: &Arc<Message>,
    ) -> Vec<(SmolStr, Option<QueueKey>)> {
        if source.is_none() && self.profile().publishes_wait_for_queues {
            let further = further_keys(message).map(SmolStr::from);
            let mut names: Vec<SmolStr> =
                std::iter::once(message.routing_key().clone()).chain(further).collect();
            sort_by(&mut names, Ord::cmp);
            names.dedup();
            return names.into_iter().map(|name| (name, None)).collect();
        }
        let mut routed = Vec::new();
        self.route(now, caller.vhost, source, message, &mut routed);
        let queues = routed.iter().filter_map(|key| Some((self.queues.get(*key)?, *key)));
        queues.map(|(queue, key)| (queue.cold.name.clone(), Some(key))).collect()
    }

    /// Handles a message that reaches no queue: returns it if it is mandatory, and confirms it at
    /// once, on its own.
    pub(super) fn unroutable(
        &mut self,
        caller: Caller,
        message: Arc<Message>,
        mandatory: bool,
        confirm: Option<DeliveryTag>,
    ) {
        let ch = caller.id;
        let tally = &mut self.tally;
        tally.return_unroutable += u64::from(mandatory);
        tally.drop_unroutable += u64::from(!mandatory);
        tally.confirm += u64::from(confirm.is_some());
        if mandatory {
            self.tell_of_current(&message, || Fate::SentBack { to: ch });
            self.push(ch, Event::Return { code: ReplyCode::NoRoute, message });
        }
        if let Some(delivery_tag) = confirm {
            self.tell_confirmed(caller, delivery_tag.0);
            self.push(ch, Event::Ack { delivery_tag, multiple: false });
        }
    }

    /// Replaces a `reply-to` that asks for direct replies with the channel's own name.
    fn set_reply_to(&mut self, caller: Caller, properties: &mut Properties) -> Result<(), Fault> {
        if properties.reply_to() == Some(REPLY_TO) {
            let consumer = self.channel_mut(caller.channel).reply_consumer.as_ref();
            let name = consumer.ok_or_else(no_reply_consumer)?.name.clone();
            *properties = std::mem::take(properties).with_reply_to(name);
        }
        Ok(())
    }

    /// Returns the channels with the consumers of direct replies that the keys name.
    fn requesters(&self, source: Option<ExchangeKey>, message: &Message) -> Vec<ChannelKey> {
        if self.reply_names.is_empty() || source.is_some() {
            return Vec::new();
        }
        let further = further_keys(message).filter(|key| is_pseudo_queue(key));
        let key = message.routing_key().as_str();
        let keys: BTreeSet<&str> = further.chain(is_pseudo_queue(key).then_some(key)).collect();
        keys.into_iter().filter_map(|key| self.reply_names.get(key).copied()).collect()
    }

    /// Returns whether a message is a direct reply that counts as one that reaches a queue, even
    /// if nobody waits for it.
    pub(super) fn is_reply(&self, source: Option<ExchangeKey>, message: &Message) -> bool {
        self.profile().replies_have_queues
            && source.is_none()
            && (is_made_by_server(message.routing_key())
                || further_keys(message).any(is_made_by_server))
    }

    /// Delivers the direct replies of a transaction that is committed.
    pub(super) fn deliver_committed_replies(&mut self, message: &Arc<Message>) {
        let requesters = self.requesters(None, message);
        self.deliver_replies(&requesters, message);
    }

    /// Delivers direct replies. Before 4.3 this happens at once, even in a transaction, and such a
    /// message counts as one that reaches no queue.
    fn deliver_replies(&mut self, requesters: &[ChannelKey], message: &Arc<Message>) {
        let uses_tags_up = self.profile().replies_have_queues;
        for key in requesters {
            if let Some(channel) = self.channels.get_mut(*key)
                && let Some(consumer) = &channel.reply_consumer
            {
                let consumer_tag = consumer.tag.clone();
                let tag = match uses_tags_up {
                    true => channel.next_tag(),
                    false => channel.last_tag() + 1,
                };
                let id = channel.id;
                let (delivery_tag, message) = (DeliveryTag(tag), Arc::clone(message));
                let redelivered = false;
                self.tell_of_holder(&message, || Fate::Replied { to: id });
                self.push(id, Event::Deliver { consumer_tag, delivery_tag, redelivered, message });
            }
        }
    }
}

/// Refuses a message to a direct reply-to name over which the server crashes.
fn check_reply_keys(source: Option<ExchangeKey>, message: &Message) -> Result<(), Fault> {
    if source.is_none() {
        let malformed = match message.properties().has_more() {
            false => is_malformed(message.routing_key()),
            true => is_malformed(message.routing_key()) || further_keys(message).any(is_malformed),
        };
        if malformed {
            return Err(Fault::internal());
        }
    }
    Ok(())
}

/// Refuses properties that the server refuses, and removes the header `BCC`. Returns the message's
/// time to live, if it has one.
fn check_properties(
    properties: &mut Properties,
    user: Option<&str>,
) -> Result<Option<Duration>, Fault> {
    if let (Some(claimed), Some(user)) = (properties.user_id(), user)
        && claimed != user
    {
        return Err(Fault::precondition(format!(
            "user_id property set to '{claimed}' but authenticated user was '{user}'"
        )));
    }
    let time_to_live = properties.expiration().map(|expiration| {
        parse_expiration(expiration).map_err(|why| {
            Fault::precondition_term(format!("invalid expiration '{expiration}': "), &why)
        })
    });
    let time_to_live = time_to_live.transpose()?;
    if let Some(headers) = properties.headers() {
        copies(headers, "CC")?;
        let hidden = copies(headers, "BCC")?;
        if headers.get("BCC").is_some() {
            properties.hide_bcc(hidden);
        }
    }
    Ok(time_to_live)
}

/// Refuses a delivery mode other than 1 and 2.
fn check_delivery_mode(properties: &Properties) -> Result<(), Fault> {
    match properties.delivery_mode() {
        None | Some(1 | 2) => Ok(()),
        Some(other) => {
            Err(Fault::precondition(format!("invalid message: {{delivery_mode_unknown,{other}}}")))
        }
    }
}

/// Returns the routing keys in a header such as `CC`.
fn copies(headers: &FieldTable, name: &str) -> Result<Vec<SmolStr>, Fault> {
    let invalid = |kind: &str| {
        Fault::precondition(format!(
            "invalid message: {{unacceptable_type_in_header,\"{name}\",{kind}}}"
        ))
    };
    let keys = match headers.get(name) {
        None => return Ok(Vec::new()),
        Some(FieldValue::Array(keys)) => keys,
        Some(other) => return Err(invalid(other.type_name())),
    };
    // Elements that are not text have no effect.
    Ok(keys.iter().filter_map(FieldValue::as_str).map(SmolStr::from).collect())
}
