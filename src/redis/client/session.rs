//! The client's side of a connection: replies in the order of their calls, and
//! messages.

use super::{Error, Message};
use crate::Instant;
use crate::redis::reply::{ErrorReply, Reply};
use crate::sim::service::{Session, Waiter, Wakes};
use bytes::Bytes;
use std::collections::VecDeque;

/// What travels from a server to a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// A reply or a message, as a client of its protocol sees it.
    Reply(Reply),
    /// The server has closed the connection.
    Closed,
}

/// A reply that is to come: the how-manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

#[derive(Debug, Default)]
struct Slot {
    reply: Option<Reply>,
    waiter: Waiter,
    /// Taken, or nobody waits for it any more.
    done: bool,
}

/// The client's side of a connection to a [`Server`](crate::redis::server::Server).
#[derive(Debug, Default)]
pub struct ClientSession {
    /// Calls from the oldest that is not done.
    slots: VecDeque<Slot>,
    /// The ticket of the first of them.
    first: u64,
    /// How many replies have come.
    answered: u64,
    messages: VecDeque<Message>,
    /// Subscriptions and their ends that the server has told of.
    confirmed: u64,
    listener: Waiter,
    /// A subscription was refused.
    refused: Option<ErrorReply>,
    /// Nobody waited for the last reply.
    was_unawaited: bool,
}

impl ClientSession {
    /// A call is sent.
    pub(super) fn expect_reply(&mut self) -> Ticket {
        self.slots.push_back(Slot::default());
        Ticket(self.first + self.slots.len() as u64 - 1)
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(index)
    }

    pub(super) fn take_reply(&mut self, ticket: Ticket) -> Result<Reply, &mut Waiter> {
        let slot = self.slot(ticket.0).expect("a ticket's slot is there until it is done");
        match slot.reply.take() {
            Some(reply) => Ok(reply),
            None => Err(&mut slot.waiter),
        }
    }

    /// Nobody waits for this reply any more.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        if let Some(slot) = self.slot(ticket.0) {
            slot.done = true;
            slot.reply = None;
        }
        self.clear_done();
    }

    /// Drops what is done, as far as its reply has come.
    fn clear_done(&mut self) {
        while self.first < self.answered && self.slots.front().is_some_and(|slot| slot.done) {
            self.slots.pop_front();
            self.first += 1;
        }
    }

    pub(super) fn take_message(&mut self) -> Result<Message, &mut Waiter> {
        self.messages.pop_front().ok_or(&mut self.listener)
    }

    /// How many subscriptions and their ends the server has told of.
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
            // Nothing was called: it is a subscription that is refused.
            Response::Reply(Reply::Error(error)) if self.slot(self.answered).is_none() => {
                self.refused = Some(error);
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
            // The world closes the connection instead.
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
