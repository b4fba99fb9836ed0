//! A client's knowledge of its connection: a sans-IO value.
//!
//! Everything that arrives goes to its channel at once (`channel_state.rs`), so a waiting future
//! only has to look. The session itself sends the answers that the protocol requires at once: to a
//! channel's close, and to a heartbeat. It considers the broker dead after two heartbeat intervals
//! without traffic. A channel that the broker has closed keeps the reason, and its number is free
//! for a new one.

use super::Error;
use super::channel_state::{Call, ChannelState};
use super::heartbeat::Heartbeats;
use crate::Instant;
use crate::rabbitmq::protocol::error::{AmqpError, Scope};
use crate::rabbitmq::protocol::id::ChannelNumber;
use crate::rabbitmq::protocol::limits::CHANNEL_MAX;
use crate::rabbitmq::protocol::method::{ConnectionOptions, Event, Method};
use crate::sim::service::{Session, Waiter, Wakes};
use smol_str::SmolStr;
use std::collections::VecDeque;

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

/// The part of the state that most connections do not have, most of the time.
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
    /// Returns why the broker closed the connection, if it has.
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

    /// Returns why the broker does not read from the connection, if it does not.
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

    /// Returns why nothing more will arrive on this channel, if so.
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
        self.open_channel(number).map(ChannelState::begin_call)
    }

    pub(super) fn take_answer(
        &mut self,
        number: ChannelNumber,
        call: Call,
    ) -> Result<Result<Event, Error>, &mut Waiter> {
        let over = self.over(number);
        self.channel_mut(number).take_answer(call, over)
    }

    /// Forgets a call whose caller is gone, even if the answer is still to come.
    pub(super) fn forget_call(&mut self, number: ChannelNumber, call: Call) {
        self.channel_mut(number).forget_call(call);
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
            self.was_unawaited = state.deliver(event, wakes);
            if freed {
                self.rare_mut().free.push_back(number.0);
            }
        }
    }
}
