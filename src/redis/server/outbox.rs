//! The outbox: what the server sends, in order.
//!
//! Everything goes out in the order in which it is said, in one queue. Two rules need more than that:
//!
//! - Within `EXEC`, a message to the client itself (how a subscription answers, `DEBUG PROTOCOL
//!   push`, an event that it listens for) is one of the replies. While a command of a transaction
//!   runs, such messages go to a stage of their own, from which the transaction takes them, before
//!   the command's reply. What other clients are told goes to the queue as ever.
//! - A client that is hung up on is not sent what was said before.

use crate::redis::id::ClientId;
use crate::redis::reply::{Protocol, Reply};
use std::collections::VecDeque;

/// Something for a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A reply, or a push, in order; to be written in this protocol.
    Reply {
        /// To whom.
        client: ClientId,
        /// The protocol the client spoke when it was made.
        protocol: Protocol,
        /// What.
        reply: Reply,
    },
    /// The connection is to be closed when what came before is sent. The server
    /// knows the client no more.
    Close {
        /// Whose.
        client: ClientId,
    },
}

/// The messages to a client while a command of its transaction runs.
#[derive(Debug)]
struct Stage {
    client: ClientId,
    messages: Vec<Reply>,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Output>,
    stage: Option<Stage>,
}

impl Outbox {
    /// Sends a reply.
    #[inline]
    pub(super) fn reply(&mut self, client: ClientId, protocol: Protocol, reply: Reply) {
        self.queue.push_back(Output::Reply { client, protocol, reply });
    }

    /// Sends a message that is no reply.
    #[inline]
    pub(super) fn push(&mut self, client: ClientId, protocol: Protocol, items: Vec<Reply>) {
        let message = Reply::Push(items);
        match &mut self.stage {
            Some(stage) if stage.client == client => stage.messages.push(message),
            Some(_) | None => self.reply(client, protocol, message),
        }
    }

    /// Closes a connection after everything that was said before.
    pub(super) fn close(&mut self, client: ClientId) {
        self.queue.push_back(Output::Close { client });
    }

    /// Drops what was said to a client and not yet sent.
    pub(super) fn drop_replies(&mut self, client: ClientId) {
        let is_for_it =
            |output: &Output| matches!(output, Output::Reply { client: to, .. } if *to == client);
        self.queue.retain(|output| !is_for_it(output));
    }

    /// Begins to keep messages to this client apart, until [`Outbox::take_stage`].
    pub(super) fn begin_stage(&mut self, client: ClientId) {
        self.stage = Some(Stage { client, messages: Vec::new() });
    }

    /// Ends that, and returns the messages in order.
    pub(super) fn take_stage(&mut self) -> Vec<Reply> {
        self.stage.take().map_or_else(Vec::new, |stage| stage.messages)
    }

    /// Whether no stage is open.
    pub(super) fn is_settled(&self) -> bool {
        self.stage.is_none()
    }

    #[inline]
    pub(super) fn poll(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }
}
