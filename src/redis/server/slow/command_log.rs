//! The command log of Valkey: large requests and large replies. Its log of slow commands is the
//! slow log (`slow`).
//!
//! A request is as large as its bytes on the wire, and so is a reply, with the messages that the
//! command has sent to its own client: confirmations, or what it has published. An invalidation is
//! no part of it, nor is a reply that the client does not want. Both are noted when the command has
//! run, under the limits of that moment: a `CONFIG SET` that lowers a limit is noted itself. A call
//! that has to wait is noted when it ends.
//!
//! The server counts the bytes of what a client has sent and been told, not those of each call. So
//! the commands of a transaction have the request `EXEC`, and each has the reply up to there; and
//! those of a script have the request that runs the script, or in later versions only their own
//! replies.
//!
//! Source: `commandlog.c` (Valkey), and the real servers.

use super::{SlowEntry, without_secrets};
use crate::redis::command::{Args, Origin, flag};
use crate::redis::id::ClientId;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::server::Server;
use crate::redis::server::command::Row;
use crate::redis::value::number;
use crate::redis::version::Numbers;
use std::collections::VecDeque;

/// Entries of one kind.
#[derive(Debug, Default)]
pub(crate) struct SizeLog {
    /// The newest entry is the first.
    pub(crate) entries: VecDeque<SlowEntry>,
    next_id: u64,
    limit: Limit,
}

/// The logs of large requests and of large replies.
#[derive(Debug)]
pub(crate) struct CommandLog {
    pub(crate) requests: SizeLog,
    pub(crate) replies: SizeLog,
    /// The client whose requests are read, if all its bytes that have arrived are too few for a
    /// large one, and short replies are small. [`NOBODY`] once other commands run within a request.
    small: ClientId,
    /// A string of fewer bytes is a small reply. With 0, a short reply may be large.
    small_bulk: usize,
    outer: Outer,
    /// Bytes of the messages that the running command has sent to its own client.
    told: u64,
}

/// The request within which other commands run.
#[derive(Debug, Default)]
struct Outer {
    client: Option<ClientId>,
    request: u64,
    /// Bytes of the replies that are made already.
    said: u64,
}

/// No client has this number.
const NOBODY: ClientId = ClientId(u64::MAX - 16);

impl Default for CommandLog {
    fn default() -> CommandLog {
        CommandLog {
            requests: SizeLog::default(),
            replies: SizeLog::default(),
            small: NOBODY,
            small_bulk: 0,
            outer: Outer::default(),
            told: 0,
        }
    }
}

impl CommandLog {
    /// Returns whether it is plain that neither a request nor its reply is large: almost all are
    /// small, and to count the bytes of each would cost more than what many commands do.
    #[inline]
    fn are_small(
        &self,
        (client, origin): (ClientId, Origin),
        args: Args<'_>,
        reply: &Option<Reply>,
    ) -> bool {
        let is_reply_small = match reply {
            Some(Reply::Bulk(bytes)) => bytes.len() < self.small_bulk,
            // A text that is part of the program is short.
            Some(Reply::Simple(text)) => !text.is_heap_allocated(),
            Some(Reply::Integer(_)) => true,
            Some(other) => has_no_text(other),
            // Messages to the client may take the place of a reply.
            None => false,
        };
        is_reply_small && (self.small == client || self.is_small(origin, args))
    }

    /// Returns whether it is plain by its words that a request is small, and that a short reply is
    /// all that its client is told.
    #[inline(never)]
    fn is_small(&self, origin: Origin, args: Args<'_>) -> bool {
        let words: usize = args.iter().map(|word| word.len()).sum();
        let request = words as u64 + (args.len() as u64 + 1) * FRAME;
        let is_small = request < self.requests.limit.bytes && self.small_bulk > 0;
        is_small && origin == Origin::Client && self.told == 0
    }
}

/// A limit: from how many bytes on entries are made, and how many are kept.
#[derive(Clone, Copy, Debug)]
struct Limit {
    bytes: u64,
    entries: usize,
}

impl Default for Limit {
    fn default() -> Limit {
        Limit { bytes: Limit::NONE, entries: 0 }
    }
}

impl Limit {
    /// The limit that turns a log off.
    const NONE: u64 = u64::MAX;

    fn is_reached(self, size: u64) -> bool {
        size >= self.bytes && self.bytes != Limit::NONE
    }
}

impl SizeLog {
    fn note(&mut self, size: u64, entry: SlowEntry) {
        if self.limit.entries == 0 {
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.entries.push_front(SlowEntry { id, micros: size, ..entry });
        self.entries.truncate(self.limit.entries);
    }

    /// Sets the limit, and drops the entries beyond: the server does after each command, unless the
    /// log is off.
    fn set_limit(&mut self, limit: Limit) {
        self.limit = limit;
        if limit.bytes != Limit::NONE && limit.entries > 0 {
            self.entries.truncate(limit.entries);
        }
    }
}

/// Number of bytes of a line with a number: `*3`, `$12`, `:-1`.
fn numbered(number: i64) -> u64 {
    let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
    1 + u64::from(number < 0) + u64::from(digits) + 2
}

fn bulk(len: usize) -> u64 {
    numbered(len as i64) + len as u64 + 2
}

/// Returns the bytes of a request on the wire.
fn request_size(args: Args<'_>) -> u64 {
    numbered(args.len() as i64) + args.iter().map(|word| bulk(word.len())).sum::<u64>()
}

/// More bytes than frame any word.
const FRAME: u64 = 32;

/// More bytes than a short reply has, or than frame any reply.
const SHORT: usize = 256;

/// Returns whether a reply is a number or the like. Apart from the replies of most calls, which are
/// looked at without a call.
#[inline(never)]
fn has_no_text(reply: &Reply) -> bool {
    matches!(reply, Reply::Nil | Reply::NilArray | Reply::Boolean(_))
}

/// Returns the bytes of a reply on the wire.
fn reply_size(reply: &Reply, protocol: Protocol, numbers: Numbers) -> u64 {
    let size = |item: &Reply| reply_size(item, protocol, numbers);
    let resp3 = protocol == Protocol::Resp3;
    let text = |len: usize| if resp3 { 1 + len as u64 + 2 } else { bulk(len) };
    match reply {
        Reply::Simple(text) => 1 + text.len() as u64 + 2,
        Reply::Error(error) => 1 + error.0.len() as u64 + 2,
        Reply::Integer(n) => numbered(*n),
        Reply::Bulk(bytes) => bulk(bytes.len()),
        Reply::Nil | Reply::NilArray => {
            if resp3 {
                3
            } else {
                5
            }
        }
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            numbered(items.len() as i64) + items.iter().map(size).sum::<u64>()
        }
        Reply::Map(pairs) | Reply::Pairs(pairs) => {
            let flat = pairs.iter().map(|(key, value)| size(key) + size(value)).sum::<u64>();
            let head = match reply {
                Reply::Pairs(_) if resp3 => 4 * pairs.len() as u64 + numbered(pairs.len() as i64),
                _ if resp3 => numbered(pairs.len() as i64),
                _ => numbered(2 * pairs.len() as i64),
            };
            head + flat
        }
        Reply::Double(x) => text(number::format_score(*x, numbers).len()),
        Reply::Coordinate(x) => text(number::format_coordinate(*x, numbers).len()),
        Reply::Boolean(_) => 4,
        Reply::BigNumber(digits) => text(digits.len()),
        Reply::Verbatim(_, bytes) => bulk(bytes.len() + if resp3 { 4 } else { 0 }),
        Reply::Attributed(attributes, reply) if resp3 => {
            let flat = attributes.iter().map(|(key, value)| size(key) + size(value)).sum::<u64>();
            numbered(attributes.len() as i64) + flat + size(reply)
        }
        Reply::Attributed(_, reply) => size(reply),
    }
}

impl Server {
    fn size_limit(&self, bytes: &str, entries: &str) -> Limit {
        const NORMALLY: (i64, i64) = (1 << 20, 128);
        let value = |name, normally| {
            self.config.word(name).and_then(|text| text.parse().ok()).unwrap_or(normally)
        };
        Limit {
            bytes: u64::try_from(value(bytes, NORMALLY.0)).unwrap_or(Limit::NONE),
            entries: usize::try_from(value(entries, NORMALLY.1)).unwrap_or(usize::MAX),
        }
    }

    /// Takes the limits from the configuration.
    pub(in crate::redis::server) fn limit_sizes(&mut self) {
        let requests =
            self.size_limit("commandlog-request-larger-than", "commandlog-large-request-max-len");
        let replies =
            self.size_limit("commandlog-reply-larger-than", "commandlog-large-reply-max-len");
        if let Some(log) = &mut self.watchers.command_log {
            log.requests.set_limit(requests);
            log.replies.set_limit(replies);
            log.small = NOBODY;
            log.small_bulk =
                usize::try_from(replies.bytes).unwrap_or(usize::MAX).saturating_sub(SHORT);
        }
    }

    /// Notes that so many bytes of a client have arrived, whose requests are read next, or that no
    /// more are read.
    pub(in crate::redis) fn note_read(&mut self, client: Option<ClientId>, bytes: usize) {
        if let Some(log) = &mut self.watchers.command_log {
            let are_small = (bytes as u64) < log.requests.limit.bytes && log.small_bulk > 0;
            log.small = client.filter(|_| are_small).unwrap_or(NOBODY);
        }
    }

    /// Notes a message to a client, which is part of the reply if a command sends it to its own.
    #[cold]
    pub(in crate::redis::server) fn note_told(&mut self, client: ClientId, message: &Reply) {
        if self.watchers.command_log.is_some() && self.outbox.running() == Some(client) {
            let size = self.size_for(client, message);
            if let Some(log) = &mut self.watchers.command_log {
                log.small = NOBODY;
                log.told += size;
            }
        }
    }

    /// Notes that what the client of the last command is told from now on is no part of a reply.
    pub(in crate::redis::server) fn forget_told(&mut self) {
        if let Some(log) = &mut self.watchers.command_log {
            log.told = 0;
        }
    }

    /// Notes an item of a transaction's reply that no command has answered.
    pub(in crate::redis::server) fn note_item(&mut self, client: ClientId, item: &Reply) {
        let size = if self.wants_reply(client) { self.size_for(client, item) } else { 0 };
        if let Some(log) = &mut self.watchers.command_log {
            log.outer.said += size;
        }
    }

    fn size_for(&self, client: ClientId, reply: &Reply) -> u64 {
        let protocol = self.sessions.get(&client).map_or(Protocol::Resp2, |by| by.protocol);
        reply_size(reply, protocol, self.profile().numbers)
    }

    /// Notes that `EXEC` begins to answer, with so many replies.
    pub(in crate::redis::server) fn note_transaction(&mut self, client: ClientId, replies: usize) {
        if let Some(log) = &mut self.watchers.command_log {
            log.small = NOBODY;
            let said = numbered(replies as i64);
            log.outer = Outer { client: Some(client), request: request_size(&[b"EXEC"]), said };
        }
    }

    /// Notes that a script begins to run.
    #[cfg(feature = "lua")]
    pub(in crate::redis::server) fn note_script(
        &mut self,
        (client, origin): (ClientId, Origin),
        args: Args<'_>,
    ) {
        if let Some(log) = &mut self.watchers.command_log {
            log.small = NOBODY;
            if origin != Origin::Exec {
                (log.outer.request, log.outer.said) = (request_size(args), 0);
            }
            log.outer.client = Some(client);
        }
    }

    /// Notes a request, and its reply, if they are large.
    #[inline]
    pub(in crate::redis::server) fn note_sizes(
        &mut self,
        (client, origin): (ClientId, Origin),
        command: &Row,
        args: Args<'_>,
        reply: &Option<Reply>,
    ) {
        let Some(log) = &self.watchers.command_log else { return };
        if !log.are_small((client, origin), args, reply) {
            self.note_if_large((client, origin), command, args, reply.as_ref());
        }
    }

    pub(super) fn note_if_large(
        &mut self,
        (client, origin): (ClientId, Origin),
        command: &Row,
        args: Args<'_>,
        reply: Option<&Reply>,
    ) {
        if self.blocking.is_blocked(client) {
            return;
        }
        let hears = origin == Origin::Script || self.wants_reply(client);
        let own = reply.filter(|_| hears).map_or(0, |reply| self.size_for(client, reply));
        let by_reply = self.profile().logs_replies_to_scripts;
        let Some(log) = &mut self.watchers.command_log else { return };
        let (request, reply) = match origin {
            Origin::Client => (request_size(args), own + std::mem::take(&mut log.told)),
            // A master is not answered.
            Origin::Operator => (request_size(args), 0),
            Origin::Exec => {
                log.outer.said += own + std::mem::take(&mut log.told);
                (log.outer.request, log.outer.said)
            }
            Origin::Script if by_reply => (0, own),
            Origin::Script => (log.outer.request, log.outer.said + log.told),
        };
        let by = if origin == Origin::Script { log.outer.client } else { None };
        let large = (log.requests.limit.is_reached(request), log.replies.limit.is_reached(reply));
        if large != (false, false) && !command.has(flag::SKIP_COMMANDLOG) {
            let by = by.unwrap_or(client);
            self.note_large(by, command, args, (request, large.0), (reply, large.1));
        }
    }

    fn note_large(
        &mut self,
        client: ClientId,
        command: &Row,
        args: Args<'_>,
        (request, is_request_large): (u64, bool),
        (reply, is_reply_large): (u64, bool),
    ) {
        let entry = self.slow_entry(client, &without_secrets(command, args));
        let Some(log) = &mut self.watchers.command_log else { return };
        if is_request_large {
            log.requests.note(request, entry.clone());
        }
        if is_reply_large && reply > 0 {
            log.replies.note(reply, entry);
        }
    }
}
