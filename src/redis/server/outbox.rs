//! The outbox: the server's outputs, in order.
//!
//! All outputs leave in the order in which they are sent, from one queue. There are three special
//! cases:
//!
//! - Within `EXEC`, a message to the client itself (the confirmation of a subscription, `DEBUG
//!   PROTOCOL push`, an event that the client listens for) is one of the replies of the
//!   transaction. While a command of a transaction runs, such messages go to a stage. The
//!   transaction takes them from there and puts them before the command's reply. Outputs to other
//!   clients go to the queue as usual.
//! - In later versions such a message follows the reply, unless it is itself the reply, as the
//!   confirmation of a subscription is. It is held back until the request has ended. So is, in
//!   every version, the line in which a monitor sees its own call.
//! - A client that is hung up on does not receive what was sent before.

use crate::redis::id::ClientId;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::version::Profile;
use std::collections::VecDeque;

/// An output to a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A reply or a message, to be written in this protocol.
    Reply {
        /// The recipient.
        client: ClientId,
        /// The client's protocol at the time of the reply.
        protocol: Protocol,
        /// The reply or message.
        reply: Reply,
    },
    /// Bytes to be written as they are: a part of what a master sends to a replica.
    Bytes {
        /// The recipient.
        client: ClientId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Close the connection after all earlier outputs. The server no longer knows the client.
    Close {
        /// The client.
        client: ClientId,
    },
}

impl Output {
    /// Returns whether this is something that is written to this client.
    fn is_sent_to(&self, client: ClientId) -> bool {
        match self {
            Output::Reply { client: to, .. } | Output::Bytes { client: to, .. } => *to == client,
            Output::Close { .. } => false,
        }
    }
}

/// Messages to a client, kept while a command of its transaction runs.
#[derive(Debug)]
struct Stage {
    client: ClientId,
    messages: Vec<Reply>,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Output>,
    stage: Option<Stage>,
    /// The client whose request runs.
    running: Option<ClientId>,
    /// Messages to the running client follow its reply.
    follows: bool,
    held: Vec<Reply>,
    /// Messages to the client are the replies of the command that runs.
    confirms: bool,
    /// The client whose request runs, if earlier replies to it are polled but not yet written.
    unwritten: Option<ClientId>,
}

impl Outbox {
    pub(super) fn new(profile: &Profile) -> Outbox {
        Outbox { follows: profile.messages_follow_reply, ..Outbox::default() }
    }

    /// Drops everything that was not handed out.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.stage = None;
        self.running = None;
        self.held.clear();
        self.confirms = false;
        self.unwritten = None;
    }

    /// Sends a reply.
    #[inline]
    pub(super) fn reply(&mut self, client: ClientId, protocol: Protocol, reply: Reply) {
        self.queue.push_back(Output::Reply { client, protocol, reply });
    }

    /// Sends a reply before the one with which a command of this client ends: in a transaction, as
    /// one more item.
    pub(super) fn reply_first(&mut self, client: ClientId, protocol: Protocol, reply: Reply) {
        match &mut self.stage {
            Some(stage) if stage.client == client => stage.messages.push(reply),
            Some(_) | None => self.reply(client, protocol, reply),
        }
    }

    /// Sends a message that is not a reply.
    #[inline]
    pub(super) fn push(&mut self, client: ClientId, protocol: Protocol, message: Reply) {
        if self.follows && self.running == Some(client) && !self.confirms {
            self.held.push(message);
            return;
        }
        self.reply_first(client, protocol, message);
    }

    /// Sends bytes as they are.
    pub(super) fn bytes(&mut self, client: ClientId, bytes: Vec<u8>) {
        self.queue.push_back(Output::Bytes { client, bytes });
    }

    /// Closes a connection after all earlier outputs.
    pub(super) fn close(&mut self, client: ClientId) {
        self.queue.push_back(Output::Close { client });
    }

    /// Tells of replies that were polled and not yet written.
    #[inline]
    pub(super) fn note_unwritten(&mut self, client: Option<ClientId>) {
        self.unwritten = client;
    }

    /// Returns whether something was sent to a client and not yet written.
    pub(super) fn has_pending(&self, client: ClientId) -> bool {
        self.unwritten == Some(client) || self.queue.iter().any(|output| output.is_sent_to(client))
    }

    /// Drops the outputs to a client that were not polled.
    pub(super) fn drop_replies(&mut self, client: ClientId) {
        self.queue.retain(|output| !output.is_sent_to(client));
    }

    /// Notes whose request runs, until [`Outbox::end`].
    #[inline]
    pub(super) fn begin(&mut self, client: ClientId) {
        self.running = Some(client);
    }

    /// Returns the client whose request runs.
    pub(super) fn running(&self) -> Option<ClientId> {
        self.running
    }

    /// Holds a message to the running client back, until [`Outbox::end`].
    pub(super) fn hold_back(&mut self, message: Reply) {
        self.held.push(message);
    }

    /// Notes whether messages to the client are the replies of the command that runs.
    #[inline]
    pub(super) fn confirms(&mut self, confirms: bool) {
        self.confirms = confirms;
    }

    /// Notes that a request is answered. Returns whether there are messages that were held back,
    /// which are to be sent.
    #[inline]
    pub(super) fn end(&mut self) -> bool {
        self.running = None;
        !self.held.is_empty()
    }

    /// Returns what was held back.
    pub(super) fn take_held(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.held)
    }

    /// Opens the stage for messages to this client, until [`Outbox::take_stage`].
    pub(super) fn begin_stage(&mut self, client: ClientId) {
        self.stage = Some(Stage { client, messages: Vec::new() });
    }

    /// Closes the stage and returns its messages in order.
    pub(super) fn take_stage(&mut self) -> Vec<Reply> {
        self.stage.take().map_or_else(Vec::new, |stage| stage.messages)
    }

    /// Returns whether the stage is closed.
    pub(super) fn is_settled(&self) -> bool {
        self.stage.is_none() && self.running.is_none() && self.held.is_empty()
    }

    #[inline]
    pub(super) fn poll(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }
}
