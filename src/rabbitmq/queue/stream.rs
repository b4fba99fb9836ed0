//! A stream: messages that stay when they are consumed, and the consumers that read them.
//!
//! Every message has an *offset*, counted from 0. A consumer is a *reader*: it has the offset that
//! it reads next, and credit for as many deliveries as its prefetch count. An acknowledgement
//! returns one credit and removes no message. Readers neither share messages nor wait for each
//! other.
//!
//! Messages are dropped by whole *segments*, the oldest first, when a new segment begins: while the
//! stream is longer than its limit, or the segment is older than its limit.
//!
//! Source: <https://www.rabbitmq.com/docs/streams>, and the server's behaviour.

mod log;

use crate::Instant;
use crate::rabbitmq::key::ConsumerKey;
use crate::rabbitmq::protocol::age::Age;
use crate::rabbitmq::protocol::error::Fault;
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::protocol::table::FieldValue;
use crate::rabbitmq::version::Streams as Rules;
use indexmap::IndexMap;
pub(crate) use log::{Log, Retention};
use rustc_hash::FxBuildHasher;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) log: Log,
    /// The rules of the version.
    pub(crate) rules: &'static Rules,
    /// The message appended last. Readers at the end of the stream get it without decoding the log.
    newest: Option<(u64, Arc<Message>)>,
    /// The offset that each reader reads next, in the order in which readers arrived.
    readers: IndexMap<ConsumerKey, u64, FxBuildHasher>,
}

/// Where a consumer begins to read (`x-stream-offset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    First,
    /// With the message that was written last.
    Last,
    /// With the first message that is written from now on.
    Next,
    Offset(u64),
    /// With the first message that was written at this time or later.
    Since(Instant),
}

impl Start {
    /// The start that an argument asks for.
    ///
    /// # Errors
    ///
    /// The server's refusal of an invalid argument.
    pub(crate) fn parse(
        now: Instant,
        what: &str,
        argument: Option<&FieldValue>,
        explains: bool,
    ) -> Result<Start, Fault> {
        let Some(value) = argument else { return Ok(Start::Next) };
        if let FieldValue::Timestamp(seconds) = value {
            let since = Duration::from_secs(*seconds);
            let since = since.saturating_sub(Instant::ZERO.since_unix_epoch());
            return Ok(Start::Since(Instant::ZERO.saturating_add(since)));
        }
        if let Some(offset) = value.as_integer() {
            return Ok(Start::Offset(u64::try_from(offset).unwrap_or(0)));
        }
        match value.as_str() {
            Some("first") => Ok(Start::First),
            Some("last") => Ok(Start::Last),
            Some("next") => Ok(Start::Next),
            Some(text) => match Age::parse(text) {
                Age::Nonsense if !explains => Err(Fault::internal()),
                Age::Valid(age) => Ok(Start::Since(now.checked_sub(age).unwrap_or(Instant::ZERO))),
                Age::UnknownUnit | Age::Nonsense => Err(Fault::precondition(format!(
                    "invalid arg 'x-stream-offset' for {what}: \
                     {{invalid_stream_offset_arg,{{longstr,{}}}}}",
                    if text.is_empty() { "<<>>".to_owned() } else { format!("<<\"{text}\">>") }
                ))),
            },
            None => Err(Fault::internal()),
        }
    }
}

impl Stream {
    pub(crate) fn new(rules: &'static Rules) -> Stream {
        let readers = IndexMap::default();
        Stream { log: Log::default(), rules, newest: None, readers }
    }

    pub(crate) fn readers(&self) -> usize {
        self.readers.len()
    }

    pub(crate) fn consumers(&self) -> impl Iterator<Item = ConsumerKey> {
        self.readers.keys().copied()
    }

    /// Adds a reader.
    pub(crate) fn attach(&mut self, consumer: ConsumerKey, start: Start) {
        let (first, next) = (self.log.first_offset(), self.log.next_offset());
        let offset = match start {
            Start::First => first,
            Start::Last => self.log.last_chunk(),
            Start::Next => next,
            // An offset in the future is waited for.
            Start::Offset(offset) => offset.max(first),
            Start::Since(at) => self.log.first_since(at),
        };
        self.readers.insert(consumer, offset);
    }

    /// Removes the readers that do not pass.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(ConsumerKey) -> bool) {
        self.readers.retain(|&consumer, _| stays(consumer));
    }

    /// Returns the next message for a reader, if there is one, and advances the reader.
    pub(crate) fn read_next(&mut self, consumer: ConsumerKey) -> Option<(u64, Message)> {
        let next = self.readers.get_mut(&consumer)?;
        if *next >= self.log.next_offset() {
            return None;
        }
        let offset = (*next).max(self.log.first_offset());
        let message = match &self.newest {
            Some((newest, message)) if *newest == offset => {
                let properties = message.properties().clone().with_offset(offset);
                message.with_properties(properties)
            }
            _ => self.log.read(offset)?,
        };
        *next = offset + 1;
        Some((offset, message))
    }

    /// Appends a message and returns its offset. May drop the oldest segments.
    pub(crate) fn append(
        &mut self,
        now: Instant,
        message: &Arc<Message>,
        retention: Retention,
    ) -> u64 {
        let properties = message.properties();
        let kept = match self.rules.keeps_amqp_1_0 {
            true => Some(properties.clone().through_amqp_1_0()),
            // Most messages have nothing that a stream does not keep.
            false if properties.has_more() => Some(properties.clone().kept_by_stream()),
            false => None,
        };
        let converted = kept.map(|kept| Arc::new(message.with_properties(kept)));
        let message = converted.as_ref().unwrap_or(message);
        let offset = self.log.append(now, message, retention);
        self.newest = Some((offset, Arc::clone(message)));
        offset
    }

    /// Drops everything from this offset on, as a crash does.
    pub(crate) fn truncate(&mut self, next: u64) {
        self.newest = None;
        self.log.truncate(next);
    }
}
