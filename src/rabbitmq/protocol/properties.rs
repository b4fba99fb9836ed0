//! The fourteen properties of a message.
//!
//! Most messages carry a delivery mode and perhaps nothing else. So these two are in the message
//! itself, and the other properties are in one shared block: sixteen bytes in all.
//!
//! Source: AMQP 0-9-1, section 1.8 (class basic).

use super::fingerprint::fingerprint;
use super::table::{FieldTable, FieldValue, in_milliseconds};
use crate::Instant;
use smol_str::SmolStr;
use std::sync::Arc;
use std::time::Duration;

/// The header that holds the offset of a message in a stream.
const OFFSET: SmolStr = SmolStr::new_static("x-stream-offset");

/// The properties of a message, built with chained setters.
///
/// ```
/// use stunt_double::rabbitmq::Properties;
///
/// let properties = Properties::default().persistent().with_correlation_id("7");
/// assert!(properties.is_persistent());
/// assert_eq!(properties.delivery_mode(), Some(2));
/// assert_eq!(properties.correlation_id(), Some("7"));
/// assert_eq!(properties.headers(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    delivery_mode: Option<u8>,
    priority: Option<u8>,
    more: Option<Arc<More>>,
}

/// The properties that most messages do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct More {
    headers: Option<FieldTable>,
    /// Separate, because headers often come alone.
    rest: Option<Box<Rest>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rest {
    timestamp: Option<u64>,
    content_type: Option<SmolStr>,
    content_encoding: Option<SmolStr>,
    correlation_id: Option<SmolStr>,
    reply_to: Option<SmolStr>,
    expiration: Option<SmolStr>,
    message_id: Option<SmolStr>,
    kind: Option<SmolStr>,
    user_id: Option<SmolStr>,
    app_id: Option<SmolStr>,
    cluster_id: Option<SmolStr>,
    /// The routing keys of a `BCC` header that was removed.
    bcc: Vec<SmolStr>,
    /// The bytes in which these properties arrived, if encoding them again would produce other
    /// bytes. The server passes a header on unchanged until it has to change it.
    verbatim: Option<Box<[u8]>>,
    history: History,
}

/// The facts that a server with message containers knows of a message beside its properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Whether the header `x-death` was made by the server.
    pub(crate) has_died: bool,
    /// Whether the message is routed by its routing key alone, whatever its header `CC` says.
    pub(crate) has_new_key: bool,
    /// Number of its deliveries that failed.
    pub(crate) failures: u32,
    /// Number of bytes of the properties that its publisher sent, if the server has changed them.
    pub(crate) sent_len: Option<usize>,
}

impl Properties {
    /// Properties with only these two set.
    pub(crate) fn common(delivery_mode: Option<u8>, priority: Option<u8>) -> Properties {
        Properties { delivery_mode, priority, more: None }
    }

    /// Access for a change of a property, which gives up the bytes that arrived.
    fn more_mut(&mut self) -> &mut More {
        let more = Arc::make_mut(self.more.get_or_insert_default());
        if let Some(rest) = &mut more.rest {
            rest.verbatim = None;
        }
        more
    }

    /// Returns the properties with the bytes in which they arrived, for properties that would be
    /// encoded differently.
    pub(crate) fn came_as(mut self, bytes: &[u8]) -> Properties {
        self.rest_mut().verbatim = Some(bytes.into());
        self
    }

    /// The flags and properties as they arrived, if encoding them again would produce other bytes.
    pub(crate) fn verbatim(&self) -> Option<&[u8]> {
        self.rest(|rest| rest.verbatim.as_deref())
    }

    /// Returns the properties without the bytes in which they arrived.
    pub(crate) fn rewritten(mut self) -> Properties {
        if self.verbatim().is_some() {
            self.more_mut();
        }
        self
    }

    fn rest_mut(&mut self) -> &mut Rest {
        self.more_mut().rest.get_or_insert_default()
    }

    /// A number that differs if two sets of properties differ.
    pub(crate) fn fingerprint(&self) -> u64 {
        let inline = [self.delivery_mode, self.priority].map(|part| part.map_or(256, u64::from));
        let more = self.more.as_ref().map_or(0, |more| fingerprint(more, 0));
        more ^ (inline[0] << 16 | inline[1])
    }

    fn more<'a, T: ?Sized>(
        &'a self,
        part: impl FnOnce(&'a More) -> Option<&'a T>,
    ) -> Option<&'a T> {
        self.more.as_deref().and_then(part)
    }

    fn rest<'a, T: ?Sized>(
        &'a self,
        part: impl FnOnce(&'a Rest) -> Option<&'a T>,
    ) -> Option<&'a T> {
        self.more.as_deref().and_then(|more| more.rest.as_deref()).and_then(part)
    }

    /// `delivery-mode` 2: in a durable queue the message survives a restart.
    #[must_use]
    pub fn persistent(self) -> Properties {
        self.with_delivery_mode(2)
    }

    /// `delivery-mode`: 1 is transient, 2 is persistent. A publish with any other value is refused.
    #[must_use]
    pub fn with_delivery_mode(self, mode: u8) -> Properties {
        let mut changed = self.rewritten();
        changed.delivery_mode = Some(mode);
        changed
    }

    /// `priority`: only queues declared with priorities use it.
    #[must_use]
    pub fn with_priority(self, priority: u8) -> Properties {
        let mut changed = self.rewritten();
        changed.priority = Some(priority);
        changed
    }

    /// `headers`: what a headers exchange matches.
    #[must_use]
    pub fn with_headers(mut self, headers: FieldTable) -> Properties {
        self.more_mut().headers = Some(headers);
        self
    }

    /// `timestamp`: seconds since the Unix epoch.
    #[must_use]
    pub fn with_timestamp(mut self, seconds: u64) -> Properties {
        self.rest_mut().timestamp = Some(seconds);
        self
    }

    /// `timestamp`: the calendar second of a moment in virtual time.
    #[must_use]
    pub fn with_timestamp_at(self, moment: Instant) -> Properties {
        self.with_timestamp(moment.since_unix_epoch().as_secs())
    }

    /// `content-type`: a MIME type.
    #[must_use]
    pub fn with_content_type(mut self, value: impl Into<SmolStr>) -> Properties {
        self.rest_mut().content_type = Some(value.into());
        self
    }

    /// `content-encoding`: a MIME encoding.
    #[must_use]
    pub fn with_content_encoding(mut self, value: impl Into<SmolStr>) -> Properties {
        self.rest_mut().content_encoding = Some(value.into());
        self
    }

    /// `correlation-id`: the request that this message answers.
    #[must_use]
    pub fn with_correlation_id(mut self, value: impl Into<SmolStr>) -> Properties {
        self.rest_mut().correlation_id = Some(value.into());
        self
    }

    /// `reply-to`: the queue in which an answer is expected.
    #[must_use]
    pub fn with_reply_to(mut self, value: impl Into<SmolStr>) -> Properties {
        self.rest_mut().reply_to = Some(value.into());
        self
    }

    /// `expiration`: the message's time to live, in milliseconds as a decimal number. An expired
    /// message is dropped when it reaches the head of its queue. A requeue does not restart the
    /// time.
    #[must_use]
    pub fn with_expiration(mut self, value: impl Into<SmolStr>) -> Properties {
        self.rest_mut().expiration = Some(value.into());
        self
    }

    /// `message-id`: the application's name for the message.
    #[must_use]
    pub fn with_message_id(mut self, value: impl Into<SmolStr>) -> Properties {
        self.rest_mut().message_id = Some(value.into());
        self
    }

    /// `type`: the application's name for the kind of message.
    #[must_use]
    pub fn with_kind(mut self, value: impl Into<SmolStr>) -> Properties {
        self.rest_mut().kind = Some(value.into());
        self
    }

    /// `user-id`: must be the connection's user when the message is published.
    #[must_use]
    pub fn with_user_id(mut self, value: impl Into<SmolStr>) -> Properties {
        self.rest_mut().user_id = Some(value.into());
        self
    }

    /// `app-id`: the publishing application.
    #[must_use]
    pub fn with_app_id(mut self, value: impl Into<SmolStr>) -> Properties {
        self.rest_mut().app_id = Some(value.into());
        self
    }

    /// `cluster-id`: deprecated by AMQP, and passed on.
    #[must_use]
    pub fn with_cluster_id(mut self, value: impl Into<SmolStr>) -> Properties {
        self.rest_mut().cluster_id = Some(value.into());
        self
    }

    /// Returns whether `delivery-mode` is 2.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.delivery_mode == Some(2)
    }

    /// See [`Properties::with_delivery_mode`].
    #[must_use]
    pub fn delivery_mode(&self) -> Option<u8> {
        self.delivery_mode
    }

    /// See [`Properties::with_priority`].
    #[must_use]
    pub fn priority(&self) -> Option<u8> {
        self.priority
    }

    /// See [`Properties::with_headers`].
    #[must_use]
    pub fn headers(&self) -> Option<&FieldTable> {
        self.more(|more| more.headers.as_ref())
    }

    /// See [`Properties::with_timestamp`].
    #[must_use]
    pub fn timestamp(&self) -> Option<u64> {
        self.rest(|rest| rest.timestamp.as_ref()).copied()
    }

    /// See [`Properties::with_content_type`].
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.rest(|rest| rest.content_type.as_deref())
    }

    /// See [`Properties::with_content_encoding`].
    #[must_use]
    pub fn content_encoding(&self) -> Option<&str> {
        self.rest(|rest| rest.content_encoding.as_deref())
    }

    /// See [`Properties::with_correlation_id`].
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.rest(|rest| rest.correlation_id.as_deref())
    }

    /// See [`Properties::with_reply_to`].
    #[must_use]
    pub fn reply_to(&self) -> Option<&str> {
        self.rest(|rest| rest.reply_to.as_deref())
    }

    /// See [`Properties::with_expiration`].
    #[must_use]
    pub fn expiration(&self) -> Option<&str> {
        self.rest(|rest| rest.expiration.as_deref())
    }

    /// See [`Properties::with_message_id`].
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.rest(|rest| rest.message_id.as_deref())
    }

    /// The property `type`; see [`Properties::with_kind`].
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.rest(|rest| rest.kind.as_deref())
    }

    /// See [`Properties::with_user_id`].
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.rest(|rest| rest.user_id.as_deref())
    }

    /// See [`Properties::with_app_id`].
    #[must_use]
    pub fn app_id(&self) -> Option<&str> {
        self.rest(|rest| rest.app_id.as_deref())
    }

    /// See [`Properties::with_cluster_id`].
    #[must_use]
    pub fn cluster_id(&self) -> Option<&str> {
        self.rest(|rest| rest.cluster_id.as_deref())
    }

    /// Returns the properties of a client's message as a server with message containers keeps
    /// them: headers sorted by name and each name once, the expiration as a plain number, and no
    /// history.
    pub(crate) fn contained(mut self, time_to_live: Option<Duration>) -> Properties {
        let more = self.more_mut();
        if let Some(headers) = more.headers.take() {
            more.headers = Some(headers.distinct());
        }
        if let Some(rest) = &mut more.rest {
            rest.history = History::default();
            rest.expiration = time_to_live.map(|time| time.as_millis().to_string().into());
        }
        self
    }

    /// Number of bytes that the properties took on the wire when the message was published.
    pub(crate) fn sent_len(&self) -> usize {
        self.history().sent_len.unwrap_or_else(|| self.encoded_len())
    }

    /// Number of bytes that the properties take on the wire.
    pub(crate) fn encoded_len(&self) -> usize {
        const FLAGS: usize = 2;
        let small = [self.delivery_mode, self.priority].into_iter().flatten().count();
        let Some(more) = self.more.as_deref() else { return FLAGS + small };
        let headers = more.headers.as_ref().map_or(0, FieldTable::encoded_len);
        let rest = more.rest.as_deref().map_or(0, |rest| {
            let texts = [
                &rest.content_type,
                &rest.content_encoding,
                &rest.correlation_id,
                &rest.reply_to,
                &rest.expiration,
                &rest.message_id,
                &rest.kind,
                &rest.user_id,
                &rest.app_id,
                &rest.cluster_id,
            ];
            let texts = texts.into_iter().flatten().map(|text| 1 + text.len());
            texts.sum::<usize>() + rest.timestamp.map_or(0, |_| 8)
        });
        FLAGS + small + headers + rest
    }

    /// Returns the facts that the server knows of the message beside its properties.
    pub(crate) fn history(&self) -> History {
        self.rest(|rest| Some(&rest.history)).copied().unwrap_or_default()
    }

    /// Returns the properties with another history.
    pub(crate) fn with_history(mut self, history: History) -> Properties {
        if history != self.history() {
            self.rest_mut().history = history;
        }
        self
    }

    /// Returns the properties without `expiration`, with other headers.
    pub(crate) fn dead(mut self, headers: FieldTable) -> Properties {
        let more = self.more_mut();
        more.headers = Some(headers);
        if let Some(rest) = &mut more.rest {
            rest.expiration = None;
        }
        self
    }

    /// Returns the properties as a stream keeps them before RabbitMQ 4.
    pub(crate) fn kept_by_stream(mut self) -> Properties {
        let more = self.more_mut();
        if let Some(rest) = &mut more.rest {
            rest.cluster_id = None;
            rest.timestamp = rest.timestamp.map(in_milliseconds);
        }
        more.headers = more.headers.take().map(FieldTable::streamed);
        self
    }

    /// Returns the properties after a conversion to AMQP 1.0 and back, as a stream keeps them since
    /// RabbitMQ 4.
    pub(crate) fn through_amqp_1_0(mut self) -> Properties {
        let is_persistent = self.is_persistent();
        self.delivery_mode = Some(if is_persistent { 2 } else { 1 });
        if self.has_more() {
            let has_died = self.history().has_died;
            let more = self.more_mut();
            if let Some(rest) = &mut more.rest {
                rest.cluster_id = None;
                rest.timestamp = rest.timestamp.map(in_milliseconds);
            }
            let headers = more.headers.take().map(|headers| headers.through_amqp_1_0(has_died));
            more.headers = headers.filter(|headers| !headers.is_empty());
        }
        self
    }

    /// Returns the properties of a message in a stream, with its offset among the headers, which
    /// are sorted by name.
    pub(crate) fn with_offset(mut self, offset: u64) -> Properties {
        let offset = FieldValue::I64(i64::try_from(offset).unwrap_or(i64::MAX));
        let more = self.more_mut();
        more.headers = Some(match more.headers.take() {
            None => FieldTable::single(OFFSET, offset),
            Some(headers) => headers.with(OFFSET, offset).sorted(),
        });
        self
    }

    /// Removes the header `BCC` and keeps the routing keys that it held.
    pub(crate) fn hide_bcc(&mut self, keys: Vec<SmolStr>) {
        let more = self.more_mut();
        if !keys.is_empty() || more.rest.is_some() {
            more.rest.get_or_insert_default().bcc = keys;
        }
        if let Some(headers) = &mut more.headers {
            headers.remove("BCC");
        }
    }

    /// The routing keys of a `BCC` header that was removed.
    pub(crate) fn bcc(&self) -> &[SmolStr] {
        self.rest(|rest| Some(rest.bcc.as_slice())).unwrap_or_default()
    }

    /// Returns whether any property other than the delivery mode and the priority is set.
    pub(crate) fn has_more(&self) -> bool {
        self.more.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_sixteen_bytes() {
        assert_eq!(size_of::<Properties>(), 16);
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let a = Properties::default().with_kind("order").with_app_id("shop");
        let b = a.clone().with_kind("bill").with_priority(3);
        assert_eq!((a.kind(), b.kind()), (Some("order"), Some("bill")));
        assert_eq!((b.app_id(), b.priority(), a.priority()), (Some("shop"), Some(3), None));
    }
}
