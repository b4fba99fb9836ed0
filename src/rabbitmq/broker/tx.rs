//! The methods of the classes tx and confirm: the two modes of a channel.

use super::story::Fate;
use super::{Broker, Caller};
use crate::Instant;
use crate::rabbitmq::channel::Channel;
use crate::rabbitmq::channel::confirm::Confirms;
use crate::rabbitmq::channel::transaction::{Pending, Settle, Transaction, joined};
use crate::rabbitmq::key::{ChannelKey, QueueKey};
use crate::rabbitmq::protocol::error::{AmqpError, Fault, ReplyCode};
use crate::rabbitmq::protocol::id::ChannelId;
use crate::rabbitmq::protocol::method::{Event, Method, Output, ids};
use crate::rabbitmq::queue::journal::Waiter;
use crate::rabbitmq::version::CommitWithoutQueue;
use smol_str::SmolStr;
use std::sync::Arc;

impl Broker {
    /// Puts the channel into confirm mode (`confirm.select`): publishes are numbered from 1 and
    /// confirmed. Doing it again has no effect.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if the channel is transactional.
    pub fn confirm_select(&mut self, now: Instant, ch: ChannelId) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::CONFIRM_SELECT, |broker, caller| {
            let channel = broker.channel_mut(caller.channel);
            if channel.transaction.is_some() {
                return Err(Fault::precondition("cannot switch from tx to confirm mode"));
            }
            channel.confirms.get_or_insert_with(|| Box::new(Confirms::new()));
            Ok(())
        })
    }

    /// Makes the channel transactional (`tx.select`): publishes and acknowledgements wait for a
    /// commit. Doing it again has no effect.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if the channel is in confirm mode.
    pub fn tx_select(&mut self, now: Instant, ch: ChannelId) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::TX_SELECT, |broker, caller| {
            let channel = broker.channel_mut(caller.channel);
            if channel.confirms.is_some() {
                return Err(Fault::precondition("cannot switch from confirm to tx mode"));
            }
            channel.transaction.get_or_insert_with(|| Box::new(Transaction::new()));
            Ok(())
        })
    }

    /// Commits the transaction and begins the next (`tx.commit`). The answer,
    /// [`Event::TxCommitOk`], is an output that follows when every publish is safe.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if the channel is not transactional, or if a queue refuses a message.
    pub fn tx_commit(&mut self, now: Instant, ch: ChannelId) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::TX_COMMIT, |broker, caller| {
            let transaction = transaction_of(broker.channel_mut(caller.channel))?;
            let publishes = std::mem::take(&mut transaction.publishes);
            let settled = std::mem::take(&mut transaction.settled);
            transaction.committing.get_or_insert_with(Confirms::new);
            broker.outputs.begin(caller.id);
            for pending in publishes {
                if let Err(fault) = broker.publish_pending(now, caller, pending) {
                    // Nothing is settled: the channel ends, and returns what it holds.
                    broker.channel_mut(caller.channel).take_back(settled);
                    return Err(fault);
                }
            }
            let tells_apart = broker.profile().commit_tells_reject_from_nack;
            let are_alike =
                |one: Settle, other: Settle| one == other || (!tells_apart && one.is_like(other));
            for (how, taken) in joined(settled, are_alike) {
                broker.settle(now, caller.channel, taken, how);
            }
            let transaction = transaction_of(broker.channel_mut(caller.channel))?;
            let confirms = transaction.committing.as_ref();
            if confirms.is_some_and(Confirms::has_rejected) {
                return Err(Fault::precondition("partial tx completion"));
            }
            let awaits_queues = confirms.is_some_and(|confirms| confirms.unconfirmed() > 0);
            transaction.waiting += 1;
            let answers = broker.commit_answers(caller.channel);
            broker.outputs.committed(answers, awaits_queues);
            Ok(())
        })
    }

    /// Enqueues a publish of a transaction. A queue may have been deleted meanwhile: since RabbitMQ
    /// 4.0 the commit then fails in the end, and since 4.3 at once.
    fn publish_pending(
        &mut self,
        now: Instant,
        caller: Caller,
        pending: Pending,
    ) -> Result<(), Fault> {
        let Pending { message, expiry, mandatory, queues, story } = pending;
        self.resume_story(story);
        self.tell_of_current(&message, || Fate::Committed);
        let vhost = self.vhost(caller.vhost);
        let without_queue = self.profile().commit_without_queue;
        let fails = without_queue != CommitWithoutQueue::Succeeds;
        let has = |name: &SmolStr| vhost.queues.contains_key(name.as_str());
        let missing = queues.iter().find(|(name, _)| fails && !has(name));
        if let Some((name, _)) = missing
            && without_queue == CommitWithoutQueue::FailsAtOnce
        {
            let vhost = &vhost.name;
            let reason = format!(
                "failed to deliver message: {{not_found,{{resource,<<\"{vhost}\">>,queue,<<\"{name}\">>}}}}"
            );
            return Err(Fault::new(ReplyCode::ResourceError, reason));
        }
        // A queue that took the place of a deleted one is another, except for those that only route
        // by names.
        let current = |(name, routed): &(SmolStr, Option<QueueKey>)| {
            let found = vhost.queues.get(name.as_str()).copied()?;
            routed.is_none_or(|routed| !fails || routed == found).then_some(found)
        };
        let found: Vec<QueueKey> = queues.iter().filter_map(current).collect();
        let lacks = fails && found.len() < queues.len();
        let queues = found;
        self.count_pending(caller.vhost, &message, queues.len());
        let source = self.source(caller.vhost, message.exchange()).ok().flatten();
        let is_default = message.exchange().is_empty();
        let is_reply = is_default && self.is_reply(source, &message);
        if is_reply {
            self.deliver_committed_replies(&message);
        }
        if lacks {
            self.refuse_commit(caller.channel);
        } else if queues.is_empty() {
            self.tell_unroutable(&message);
            let message = Arc::clone(&message);
            self.unroutable(caller, message, mandatory && !is_reply, None);
        }
        if queues.is_empty() {
            self.tell_all_routed();
            return Ok(());
        }
        let transaction = self.channel_mut(caller.channel).transaction.as_mut();
        let confirms = transaction.and_then(|transaction| transaction.committing.as_mut());
        let count = super::queue::count(queues.len());
        let seqno = confirms.map(|confirms| confirms.publish(count));
        for queue in queues {
            let confirm = seqno.map(|seqno| Waiter::Publisher(caller.channel, seqno));
            self.accept(now, queue, Arc::clone(&message), expiry, confirm);
        }
        self.tell_all_routed();
        Ok(())
    }

    /// Lets the commit of a channel fail when its queues have answered.
    fn refuse_commit(&mut self, key: ChannelKey) {
        let transaction = self.channel_mut(key).transaction.as_mut();
        if let Some(confirms) = transaction.and_then(|of| of.committing.as_mut()) {
            let seqno = confirms.publish(1);
            confirms.reject(seqno);
        }
    }

    /// Sends the answers to commits whose publishes have become safe.
    pub(super) fn answer_commit(&mut self, key: ChannelKey) {
        let answers = self.commit_answers(key);
        if !answers.is_empty() {
            answers.into_iter().for_each(|answer| self.outputs.push(answer));
            self.committed.push_back(key);
        }
    }

    /// Takes the answers to all commits of a channel, if they are due.
    fn commit_answers(&mut self, key: ChannelKey) -> Vec<Output> {
        let Some(channel) = self.channels.get_mut(key) else { return Vec::new() };
        let ChannelId { connection, number } = channel.id;
        let transaction = channel.transaction.as_mut().filter(|t| t.waiting > 0);
        let Some(transaction) = transaction else { return Vec::new() };
        if transaction.committing.take_if(|confirms| confirms.is_settled()).is_none() {
            return Vec::new();
        }
        let count = std::mem::take(&mut transaction.waiting);
        let answer = Output { connection, channel: number, event: Event::TxCommitOk };
        vec![answer; count]
    }

    /// Keeps a method that a client sends during its commit, and returns any other method.
    pub(super) fn after_commit(&mut self, ch: ChannelId, method: Method) -> Option<Method> {
        if let Some(caller) = self.caller(ch)
            && let Some(channel) = self.channels.get_mut(caller.channel)
            && let Some(transaction) = channel.transaction.as_mut().filter(|t| t.waiting > 0)
        {
            transaction.later.push_back(method);
            return None;
        }
        Some(method)
    }

    /// Runs the methods that clients have sent during commits that are done now.
    pub(super) fn resume_after_commits(&mut self, now: Instant) {
        while let Some(key) = self.committed.pop_front() {
            while let Some(channel) = self.channels.get_mut(key)
                && let Some(transaction) = channel.transaction.as_mut().filter(|t| t.waiting == 0)
                && let Some(method) = transaction.later.pop_front()
            {
                let ChannelId { connection, number } = channel.id;
                self.handle_input(now, connection, number, method);
            }
        }
    }

    /// Rolls the transaction back and begins the next (`tx.rollback`). Deliveries that it had
    /// settled are outstanding again.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if the channel is not transactional.
    pub fn tx_rollback(&mut self, now: Instant, ch: ChannelId) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::TX_ROLLBACK, |broker, caller| {
            let channel = broker.channel_mut(caller.channel);
            let transaction = transaction_of(channel)?;
            let publishes = std::mem::take(&mut transaction.publishes);
            let settled = std::mem::take(&mut transaction.settled);
            channel.take_back(settled);
            for Pending { message, story, .. } in publishes {
                broker.tell_of_held(story, &message, Fate::RolledBack);
            }
            broker.watch_again(now, caller.channel);
            Ok(())
        })
    }
}

fn transaction_of(channel: &mut Channel) -> Result<&mut Transaction, Fault> {
    let transaction = channel.transaction.as_deref_mut();
    transaction.ok_or_else(|| Fault::precondition("channel is not transactional"))
}
