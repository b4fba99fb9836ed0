//! A channel, as the client sees it.
//!
//! Answers are matched to calls by order, as AMQP defines for a channel. Deliveries go to their
//! consumers and confirms to their publishes as they arrive.

use super::Error;
use super::inbox::{Inbound, Inbox, Returned};
use super::unconfirmed::Confirms;
use crate::rabbitmq::protocol::error::AmqpError;
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::method::Event;
use crate::rabbitmq::protocol::tags::Tags;
use crate::sim::service::{Waiter, Wakes};
use std::collections::VecDeque;

/// A call on a channel. Answers arrive in the order of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call(u64);

#[derive(Debug)]
enum Slot {
    Waiting(Waiter),
    /// Nobody waits for the answer any more.
    Forgotten,
    Answered(Event),
}

/// A channel, as the client sees it.
#[derive(Debug, Default)]
pub(super) struct ChannelState {
    /// Takes no memory while no call is under way, as on most channels most of the time.
    calls: VecDeque<(Call, Slot)>,
    next_call: u64,
    pub(super) consumers: Tags<Inbox>,
    last_inbox: u64,
    rare: Option<Box<RareState>>,
    /// Whether this end has sent its close.
    pub(super) closing: bool,
    /// Whether the broker has answered that close.
    pub(super) closed_here: bool,
    /// Whether no handle is left, so that the broker's answer frees the number.
    pub(super) released: bool,
}

/// The part of the state that most channels do not have.
#[derive(Debug, Default)]
pub(super) struct RareState {
    pub(super) confirms: Confirms,
    pub(super) returned: VecDeque<Returned>,
    pub(super) return_waiter: Waiter,
    /// Why the broker closed it.
    closed: Option<AmqpError>,
}

impl ChannelState {
    pub(super) fn rare(&self) -> Option<&RareState> {
        self.rare.as_deref()
    }

    pub(super) fn rare_mut(&mut self) -> &mut RareState {
        self.rare.get_or_insert_default()
    }

    /// Numbers a publish; `None` if the channel is not in confirm mode.
    pub(super) fn published(&mut self) -> Option<DeliveryTag> {
        self.rare.as_mut()?.confirms.published()
    }

    /// Takes the oldest message that was returned.
    pub(super) fn take_returned(&mut self) -> Option<Returned> {
        self.rare.as_mut()?.returned.pop_front()
    }

    /// Nobody waits for this publish's confirm any more.
    pub(super) fn unwatch(&mut self, tag: DeliveryTag) {
        if let Some(rare) = &mut self.rare {
            rare.confirms.unwatch(tag);
        }
    }

    /// Returns why the broker closed it.
    pub(super) fn closed(&self) -> Option<&AmqpError> {
        self.rare.as_ref()?.closed.as_ref()
    }

    /// Registers a call that is being sent.
    pub(super) fn begin_call(&mut self) -> Call {
        let call = Call(self.next_call);
        self.next_call += 1;
        if self.calls.is_empty() {
            self.calls.reserve_exact(1);
        }
        self.calls.push_back((call, Slot::Waiting(Waiter::default())));
        call
    }

    /// Takes the answer to a call, or returns whom to wake when it is there. `over` says why
    /// nothing more will arrive, if so.
    pub(super) fn take_answer(
        &mut self,
        call: Call,
        over: Option<Error>,
    ) -> Result<Result<Event, Error>, &mut Waiter> {
        let Some(at) = self.calls.iter().position(|(c, _)| *c == call) else {
            return Ok(Err(over.unwrap_or(Error::ChannelClosed)));
        };
        if matches!(self.calls[at].1, Slot::Answered(_)) {
            return match self.remove_call(at) {
                Some(Slot::Answered(event)) => Ok(Ok(event)),
                _ => Ok(Err(Error::ChannelClosed)),
            };
        }
        match (over, &mut self.calls[at].1) {
            (None, Slot::Waiting(waiter)) => Err(waiter),
            (over, _) => Ok(Err(over.unwrap_or(Error::ChannelClosed))),
        }
    }

    /// Forgets a call whose caller is gone, even if the answer is still to come.
    pub(super) fn forget_call(&mut self, call: Call) {
        if let Some(at) = self.calls.iter().position(|(c, _)| *c == call) {
            match self.calls[at].1 {
                Slot::Answered(_) => drop(self.remove_call(at)),
                Slot::Waiting(_) | Slot::Forgotten => self.calls[at].1 = Slot::Forgotten,
            }
        }
    }

    /// Removes a call that is over.
    fn remove_call(&mut self, at: usize) -> Option<Slot> {
        let removed = self.calls.remove(at);
        if self.calls.is_empty() {
            self.calls = VecDeque::new();
        }
        removed.map(|(_, slot)| slot)
    }

    /// Removes a consumer whose handle was dropped. Returns whether to tell the broker.
    pub(super) fn drop_consumer(&mut self, tag: &str, serial: u64) -> bool {
        // Another consumer may have the tag by now.
        if self.consumers.get(tag).is_none_or(|inbox| inbox.serial() != serial) {
            return false;
        }
        self.consumers.swap_remove(tag).is_some_and(|inbox| !inbox.has_ended())
    }

    /// Wakes everyone who waits on the channel, because it has ended.
    pub(super) fn end(&mut self, wakes: &mut Wakes<'_>) {
        for (_, slot) in &mut self.calls {
            if let Slot::Waiting(waiter) = slot {
                wakes.wake(waiter);
            }
        }
        self.consumers.values_mut().for_each(|inbox| inbox.wake(wakes));
        if let Some(rare) = &mut self.rare {
            rare.confirms.wake_all(wakes);
            wakes.wake(&mut rare.return_waiter);
        }
    }

    /// Returns whether nobody waits for the next answer.
    fn next_is_forgotten(&self) -> bool {
        let mut slots = self.calls.iter().map(|(_, slot)| slot);
        let next = slots.find(|slot| !matches!(slot, Slot::Answered(_)));
        matches!(next, Some(Slot::Forgotten))
    }

    /// Answers the oldest call that has no answer.
    fn answer(&mut self, event: Event, wakes: &mut Wakes<'_>) {
        let unanswered = |slot: &Slot| !matches!(slot, Slot::Answered(_));
        let Some(at) = self.calls.iter().position(|(_, slot)| unanswered(slot)) else { return };
        match &mut self.calls[at].1 {
            Slot::Waiting(waiter) => {
                wakes.wake(waiter);
                self.calls[at].1 = Slot::Answered(event);
            }
            Slot::Forgotten | Slot::Answered(_) => {
                self.remove_call(at);
            }
        }
    }

    /// Takes an event of the broker. Returns whether it answers a call that was given up.
    pub(super) fn deliver(&mut self, event: Event, wakes: &mut Wakes<'_>) -> bool {
        let calls = self.calls.len();
        self.sort(event, wakes);
        // Only such an answer removes the call at once.
        self.calls.len() < calls
    }

    fn sort(&mut self, event: Event, wakes: &mut Wakes<'_>) {
        match event {
            Event::Deliver { consumer_tag, delivery_tag, redelivered, message } => {
                if let Some(inbox) = self.consumers.get_mut(&consumer_tag) {
                    inbox.push(Inbound { delivery_tag, redelivered, message }, wakes);
                }
            }
            Event::Ack { delivery_tag, multiple } => {
                self.rare_mut().confirms.settle(delivery_tag, multiple, true, wakes);
            }
            Event::Nack { delivery_tag, multiple } => {
                self.rare_mut().confirms.settle(delivery_tag, multiple, false, wakes);
            }
            Event::Return { code, message } => {
                let rare = self.rare_mut();
                rare.returned.push_back(Returned { code, message });
                wakes.wake(&mut rare.return_waiter);
            }
            Event::Cancel { consumer_tag } => {
                if let Some(inbox) = self.consumers.get_mut(&consumer_tag) {
                    inbox.end(wakes);
                }
            }
            Event::BasicConsumeOk { consumer_tag } => {
                // Deliveries follow at once, before the caller has run. If the caller has given up,
                // nobody will read them.
                if !self.next_is_forgotten() {
                    self.last_inbox += 1;
                    self.consumers.insert(consumer_tag.clone(), Inbox::new(self.last_inbox));
                }
                self.answer(Event::BasicConsumeOk { consumer_tag }, wakes);
            }
            Event::BasicCancelOk { consumer_tag } => {
                if let Some(inbox) = self.consumers.get_mut(&consumer_tag) {
                    inbox.end(wakes);
                }
                self.answer(Event::BasicCancelOk { consumer_tag }, wakes);
            }
            Event::ChannelClose(error) => {
                self.rare_mut().closed = Some(*error);
                self.end(wakes);
            }
            Event::ChannelCloseOk => {
                self.closed_here = true;
                self.answer(Event::ChannelCloseOk, wakes);
                self.end(wakes);
            }
            answer @ (Event::ConnectionOpenOk
            | Event::ConnectionCloseOk
            | Event::ConnectionUpdateSecretOk
            | Event::AccessRequestOk
            | Event::ChannelOpenOk
            | Event::ChannelFlowOk { .. }
            | Event::ExchangeDeclareOk
            | Event::ExchangeDeleteOk
            | Event::ExchangeBindOk
            | Event::ExchangeUnbindOk
            | Event::QueueDeclareOk(_)
            | Event::QueueBindOk
            | Event::QueueUnbindOk
            | Event::QueuePurgeOk { .. }
            | Event::QueueDeleteOk { .. }
            | Event::BasicQosOk
            | Event::BasicRecoverOk
            | Event::GetOk(_)
            | Event::GetEmpty
            | Event::ConfirmSelectOk
            | Event::TxSelectOk
            | Event::TxCommitOk
            | Event::TxRollbackOk) => self.answer(answer, wakes),
            // The session handles what concerns the whole connection.
            Event::ConnectionClose(_)
            | Event::ConnectionBlocked { .. }
            | Event::ConnectionUnblocked
            | Event::ConnectionLost
            | Event::Heartbeat => {}
        }
    }
}
