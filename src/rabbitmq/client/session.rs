//! A client's knowledge of its connection: a sans-IO value.
//!
//! Answers are matched to calls by order, as AMQP defines for a channel. Deliveries go to their
//! consumers and confirms to their publishes as they arrive, so a waiting future only has to look.
//! The session itself sends the answers that the protocol requires at once: to a channel's close,
//! and to a heartbeat. It considers the broker dead after two heartbeat intervals without traffic.
//! A channel that the broker has closed keeps the reason, and its number is free for a new one.

use super::Error;
use super::heartbeat::Heartbeats;
use super::inbox::{Inbound, Inbox, Returned};
use super::unconfirmed::Confirms;
use crate::Instant;
use crate::rabbitmq::protocol::error::{AmqpError, Scope};
use crate::rabbitmq::protocol::id::{ChannelNumber, DeliveryTag};
use crate::rabbitmq::protocol::limits::CHANNEL_MAX;
use crate::rabbitmq::protocol::method::{ConnectionOptions, Event, Method};
use crate::rabbitmq::protocol::tags::Tags;
use crate::sim::service::{Session, Waiter, Wakes};
use smol_str::SmolStr;
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
    closing: bool,
    /// Whether the broker has answered that close.
    closed_here: bool,
    /// Whether no handle is left, so that the broker's answer frees the number.
    released: bool,
}

/// What most channels do not have.
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
    fn closed(&self) -> Option<&AmqpError> {
        self.rare.as_ref()?.closed.as_ref()
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
    fn end(&mut self, wakes: &mut Wakes<'_>) {
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

    fn deliver(&mut self, event: Event, wakes: &mut Wakes<'_>) {
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

/// The client's side of a connection to a [`Broker`](crate::rabbitmq::broker::Broker).
#[derive(Debug, Default)]
pub struct ClientSession {
    /// By number; 0 is the connection itself.
    channels: Vec<ChannelState>,
    /// The highest number allowed; 0 means the server's limit.
    channel_max: u16,
    /// Whether nobody waited for the last answer.
    was_unawaited: bool,
    rare: Option<Box<Rare>>,
}

/// What most connections do not have, most of the time.
#[derive(Debug, Default)]
struct Rare {
    /// Numbers that can be reused.
    free: VecDeque<u16>,
    closed: Option<AmqpError>,
    close_waiter: Waiter,
    /// Why the broker does not read from the connection.
    blocked: Option<SmolStr>,
    block_waiter: Waiter,
    /// Set if the connection has heartbeats.
    heartbeats: Option<Heartbeats>,
    /// Methods that the session sends by itself.
    answers: VecDeque<(ChannelNumber, Method)>,
}

impl ClientSession {
    /// Why the broker closed the connection.
    pub(super) fn closed(&self) -> Option<&AmqpError> {
        self.rare.as_ref()?.closed.as_ref()
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(super) fn wait_closed(&mut self) -> Result<AmqpError, &mut Waiter> {
        let rare = self.rare_mut();
        rare.closed.clone().ok_or(&mut rare.close_waiter)
    }

    /// Why the broker does not read from the connection, if it does not.
    pub(super) fn blocked(&self) -> Option<&SmolStr> {
        self.rare.as_ref()?.blocked.as_ref()
    }

    /// Waits until the connection is blocked, or until it is not blocked.
    pub(super) fn wait_blocked(
        &mut self,
        wanted: bool,
    ) -> Result<Result<Option<SmolStr>, Error>, &mut Waiter> {
        if let Some(error) = self.ended() {
            return Ok(Err(error));
        }
        let rare = self.rare_mut();
        match rare.blocked.is_some() == wanted {
            true => Ok(Ok(rare.blocked.clone())),
            false => Err(&mut rare.block_waiter),
        }
    }

    /// Why the connection can no longer be used, if the broker has told.
    fn ended(&self) -> Option<Error> {
        self.closed().cloned().map(Error::AlreadyClosed)
    }

    /// Applies the options with which the connection is opened.
    pub(super) fn configure(&mut self, options: &ConnectionOptions) {
        self.channel_max = options.channel_max;
        if let Some(heartbeats) = Heartbeats::new(options.heartbeat_seconds()) {
            self.rare_mut().heartbeats = Some(heartbeats);
        }
    }

    /// Reserves a number for a new channel.
    pub(super) fn new_channel(&mut self) -> Result<ChannelNumber, Error> {
        if let Some(error) = self.ended() {
            return Err(error);
        }
        if let Some(number) = self.rare.as_mut().and_then(|rare| rare.free.pop_front()) {
            self.channels[usize::from(number)] = ChannelState::default();
            return Ok(ChannelNumber(number));
        }
        self.add_connection_channel();
        let max = if self.channel_max == 0 { CHANNEL_MAX } else { self.channel_max };
        let next = u16::try_from(self.channels.len()).ok().filter(|next| *next <= max);
        let number = next.ok_or(Error::NoFreeChannel)?;
        self.channels.push(ChannelState::default());
        Ok(ChannelNumber(number))
    }

    /// Makes sure that channel 0 has a state.
    fn add_connection_channel(&mut self) {
        if self.channels.is_empty() {
            // Most connections have one channel beside it.
            self.channels.reserve_exact(2);
            self.channels.push(ChannelState::default());
        }
    }

    /// Begins to close a channel from this end.
    pub(super) fn begin_close(&mut self, number: ChannelNumber) -> Result<Call, Error> {
        let call = self.begin_call(number)?;
        self.channel_mut(number).closing = true;
        Ok(call)
    }

    /// Releases a channel whose last handle was dropped. Its number is free at once, or after the
    /// broker's `close-ok`. Returns whether to tell the broker.
    pub(super) fn release(&mut self, number: ChannelNumber) -> bool {
        let state = self.channel_mut(number);
        let by_broker = state.closed().is_some();
        if state.closed_here || (by_broker && !state.closing) {
            self.rare_mut().free.push_back(number.0);
            return false;
        }
        state.released = true;
        !std::mem::replace(&mut state.closing, true)
    }

    /// Returns the channel's state, if the channel can still be used.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub(super) fn open_channel(
        &mut self,
        number: ChannelNumber,
    ) -> Result<&mut ChannelState, Error> {
        if let Some(error) = self.ended() {
            return Err(error);
        }
        self.add_connection_channel();
        let state = self.channel_mut(number);
        if let Some(error) = state.closed() {
            return Err(Error::AlreadyClosed(error.clone()));
        }
        if state.closing { Err(Error::ChannelClosed) } else { Ok(state) }
    }

    fn channel_mut(&mut self, number: ChannelNumber) -> &mut ChannelState {
        self.channels
            .get_mut(usize::from(number.0))
            .expect("a channel has a state as long as it has a handle")
    }

    /// Why nothing more will arrive on this channel, if so.
    pub(super) fn over(&self, number: ChannelNumber) -> Option<Error> {
        let state = &self.channels[usize::from(number.0)];
        let error = state.closed().or(self.closed());
        match error {
            Some(error) => Some(Error::Amqp(error.clone())),
            None => state.closed_here.then_some(Error::ChannelClosed),
        }
    }

    pub(super) fn state(&mut self, number: ChannelNumber) -> &mut ChannelState {
        self.channel_mut(number)
    }

    pub(super) fn begin_call(&mut self, number: ChannelNumber) -> Result<Call, Error> {
        let state = self.open_channel(number)?;
        let call = Call(state.next_call);
        state.next_call += 1;
        if state.calls.is_empty() {
            state.calls.reserve_exact(1);
        }
        state.calls.push_back((call, Slot::Waiting(Waiter::default())));
        Ok(call)
    }

    pub(super) fn take_answer(
        &mut self,
        number: ChannelNumber,
        call: Call,
    ) -> Result<Result<Event, Error>, &mut Waiter> {
        let over = self.over(number);
        let state = self.channel_mut(number);
        let Some(at) = state.calls.iter().position(|(c, _)| *c == call) else {
            return Ok(Err(over.unwrap_or(Error::ChannelClosed)));
        };
        if matches!(state.calls[at].1, Slot::Answered(_)) {
            return match state.remove_call(at) {
                Some(Slot::Answered(event)) => Ok(Ok(event)),
                _ => Ok(Err(Error::ChannelClosed)),
            };
        }
        match (over, &mut self.channel_mut(number).calls[at].1) {
            (None, Slot::Waiting(waiter)) => Err(waiter),
            (over, _) => Ok(Err(over.unwrap_or(Error::ChannelClosed))),
        }
    }

    /// Forgets a call whose caller is gone, even if the answer is still to come.
    pub(super) fn forget_call(&mut self, number: ChannelNumber, call: Call) {
        let state = self.channel_mut(number);
        if let Some(at) = state.calls.iter().position(|(c, _)| *c == call) {
            match state.calls[at].1 {
                Slot::Answered(_) => drop(state.remove_call(at)),
                Slot::Waiting(_) | Slot::Forgotten => state.calls[at].1 = Slot::Forgotten,
            }
        }
    }

    fn end(&mut self, wakes: &mut Wakes<'_>) {
        self.channels.iter_mut().for_each(|state| state.end(wakes));
        if let Some(rare) = &mut self.rare {
            wakes.wake(&mut rare.close_waiter);
            wakes.wake(&mut rare.block_waiter);
        }
    }

    fn heartbeats_mut(&mut self) -> Option<&mut Heartbeats> {
        self.rare.as_mut()?.heartbeats.as_mut()
    }
}

impl Session<(ChannelNumber, Method), (ChannelNumber, Event)> for ClientSession {
    fn deliver(&mut self, now: Instant, output: (ChannelNumber, Event), wakes: &mut Wakes<'_>) {
        let (number, event) = output;
        self.was_unawaited = false;
        if let Some(heartbeats) = self.heartbeats_mut() {
            heartbeats.heard(now);
        }
        match event {
            Event::ConnectionClose(error) => {
                debug_assert_eq!(error.scope, Scope::Connection);
                self.rare_mut().closed = Some(*error);
                self.end(wakes);
            }
            // The world closes the connection.
            Event::ConnectionLost => {}
            Event::ConnectionBlocked { reason } => {
                let rare = self.rare_mut();
                rare.blocked = Some(reason);
                wakes.wake(&mut rare.block_waiter);
            }
            Event::ConnectionUnblocked => {
                let rare = self.rare_mut();
                rare.blocked = None;
                wakes.wake(&mut rare.block_waiter);
            }
            Event::Heartbeat => self.rare_mut().answers.push_back((number, Method::Heartbeat)),
            event => self.deliver_to_channel(number, event, wakes),
        }
    }

    fn was_unawaited(&self) -> bool {
        self.was_unawaited
    }

    fn hindrance(&self) -> Option<String> {
        self.blocked().map(|reason| format!("the broker has blocked it: {reason}"))
    }

    fn answer(&mut self) -> Option<(ChannelNumber, Method)> {
        self.rare.as_mut()?.answers.pop_front()
    }

    fn poll_housekeeping(&self) -> Option<Instant> {
        self.rare.as_ref()?.heartbeats.as_ref().and_then(Heartbeats::next_look)
    }

    fn gives_up(&mut self, now: Instant) -> bool {
        self.heartbeats_mut().is_some_and(|heartbeats| heartbeats.is_missed(now))
    }

    fn disconnected(&mut self, wakes: &mut Wakes<'_>) {
        self.end(wakes);
    }
}

impl ClientSession {
    fn deliver_to_channel(&mut self, number: ChannelNumber, event: Event, wakes: &mut Wakes<'_>) {
        if matches!(event, Event::ChannelClose(_)) {
            self.rare_mut().answers.push_back((number, Method::ChannelCloseOk));
        }
        if let Some(state) = self.channels.get_mut(usize::from(number.0)) {
            let freed = event == Event::ChannelCloseOk && state.released;
            let calls = state.calls.len();
            state.deliver(event, wakes);
            // Only the answer to a call that was given up removes the call at once.
            self.was_unawaited = state.calls.len() < calls;
            if freed {
                self.rare_mut().free.push_back(number.0);
            }
        }
    }
}
