//! The client's side of a connection: replies in the order of their calls, and messages.

use super::{Error, Message};
use crate::Instant;
use crate::redis::reply::{ErrorReply, Reply};
use crate::sim::service::{Session, Waiter, Wakes};
use bytes::Bytes;
use smol_str::SmolStr;
use std::collections::VecDeque;

/// A message from a server to a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// A reply or a published message, with only the kinds that the client's protocol has.
    Reply(Reply),
    /// The server has closed the connection.
    Closed,
}

/// Index of an outstanding call; replies arrive in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

#[derive(Debug, Default)]
struct Slot {
    reply: Option<Reply>,
    waiter: Waiter,
    /// The reply was taken, or its caller gave up.
    done: bool,
}

/// The client's side of a connection to a [`Server`](crate::redis::server::Server).
#[derive(Debug, Default)]
pub struct ClientSession {
    /// Outstanding calls, from the oldest that is not done.
    slots: VecDeque<Slot>,
    /// Index of the first of them.
    first: u64,
    /// Number of replies that have arrived.
    answered: u64,
    messages: VecDeque<Message>,
    /// The lines that the server tells a monitor.
    lines: VecDeque<SmolStr>,
    /// Number of subscriptions, and ends of subscriptions, that the server has confirmed.
    confirmed: u64,
    listener: Waiter,
    /// The error of a refused subscription.
    refused: Option<ErrorReply>,
    /// The caller of the last reply had given up.
    was_unawaited: bool,
}

impl ClientSession {
    /// Registers a call that is being sent.
    pub(super) fn expect_reply(&mut self) -> Ticket {
        // Most clients wait for one reply at a time, so the first room is for one; a pipeline's
        // grows from there.
        if self.slots.capacity() == 0 {
            self.slots.reserve_exact(1);
        }
        self.slots.push_back(Slot::default());
        Ticket(self.first + self.slots.len() as u64 - 1)
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(index)
    }

    pub(super) fn take_reply(&mut self, ticket: Ticket) -> Result<Reply, &mut Waiter> {
        let slot = self.slot(ticket.0).expect("a ticket has a slot until it is done");
        match slot.reply.take() {
            Some(reply) => Ok(reply),
            None => Err(&mut slot.waiter),
        }
    }

    /// Gives up a reply.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        if let Some(slot) = self.slot(ticket.0) {
            slot.done = true;
            slot.reply = None;
        }
        self.clear_done();
    }

    /// Drops finished calls whose replies have arrived.
    fn clear_done(&mut self) {
        while self.first < self.answered && self.slots.front().is_some_and(|slot| slot.done) {
            self.slots.pop_front();
            self.first += 1;
        }
    }

    pub(super) fn take_message(&mut self) -> Result<Message, &mut Waiter> {
        self.messages.pop_front().ok_or(&mut self.listener)
    }

    pub(super) fn take_line(&mut self) -> Result<SmolStr, &mut Waiter> {
        self.lines.pop_front().ok_or(&mut self.listener)
    }

    /// Number of subscriptions, and ends of subscriptions, that the server has confirmed.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    pub(super) fn wait_confirmed(&mut self, count: u64) -> Result<Result<(), Error>, &mut Waiter> {
        if self.confirmed >= count {
            return Ok(Ok(()));
        }
        if let Some(error) = self.refused.take() {
            return Ok(Err(Error::Reply(error)));
        }
        Err(&mut self.listener)
    }

    fn end(&mut self, wakes: &mut Wakes<'_>) {
        wakes.wake(&mut self.listener);
        for slot in &mut self.slots {
            wakes.wake(&mut slot.waiter);
        }
    }
}

impl Session<Vec<Bytes>, Response> for ClientSession {
    fn deliver(&mut self, _now: Instant, response: Response, wakes: &mut Wakes<'_>) {
        self.was_unawaited = false;
        match response {
            Response::Reply(Reply::Push(items)) => {
                match Message::from_push(items) {
                    Some(message) => self.messages.push_back(message),
                    None => self.confirmed += 1,
                }
                wakes.wake(&mut self.listener);
            }
            // No call is outstanding, so the error refuses a subscription.
            Response::Reply(Reply::Error(error)) if self.slot(self.answered).is_none() => {
                self.refused = Some(error);
                wakes.wake(&mut self.listener);
            }
            // Nor is this a reply: the client is a monitor.
            Response::Reply(Reply::Simple(line)) if self.slot(self.answered).is_none() => {
                self.lines.push_back(line);
                wakes.wake(&mut self.listener);
            }
            Response::Reply(reply) => {
                let number = self.answered;
                self.answered += 1;
                self.was_unawaited = self.slot(number).is_none_or(|slot| slot.done);
                if let Some(slot) = self.slot(number) {
                    if !slot.done {
                        slot.reply = Some(reply);
                    }
                    wakes.wake(&mut slot.waiter);
                }
                self.clear_done();
            }
            // The world closes the connection itself.
            Response::Closed => {}
        }
    }

    fn was_unawaited(&self) -> bool {
        self.was_unawaited
    }

    fn disconnected(&mut self, wakes: &mut Wakes<'_>) {
        self.end(wakes);
    }
}
