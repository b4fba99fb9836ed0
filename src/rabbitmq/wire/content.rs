//! Incoming contents: what follows `basic.publish`, until it is complete.
//!
//! Each channel has at most one. Frames of other channels may come in between; frames of another
//! type on the same channel may not. As on the server, a body longer than announced is never
//! complete and its bytes are dropped. So are the bytes of a body that will be refused for its
//! size.
//!
//! Source: AMQP 0-9-1, section 4.2.6; RabbitMQ 3.10.8, observed.

use super::fault::WireFault;
use super::properties::{BadProperties, read_properties};
use super::reader::Reader;
use crate::rabbitmq::protocol::error::{AmqpError, Fault, MethodId, ReplyCode, Scope};
use crate::rabbitmq::protocol::limits::MAX_MESSAGE_SIZE;
use crate::rabbitmq::protocol::method::Publish;
use crate::rabbitmq::protocol::properties::Properties;
use crate::rabbitmq::version::Profile;
use bytes::Bytes;

/// Longest body, in the type in which content headers carry its length.
const MAX_BODY: u64 = MAX_MESSAGE_SIZE as u64;

const CLASS_BASIC: u16 = 60;

/// A content header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    class: u16,
    weight: u16,
    body_size: u64,
    properties: &'a [u8],
}

impl<'a> Header<'a> {
    /// Reads a header; `None` if the payload is too short.
    pub(super) fn read(payload: &'a [u8]) -> Option<Header<'a>> {
        let (fixed, properties) = payload.split_at_checked(12)?;
        let mut reader = Reader::new(fixed);
        let (class, weight) = (reader.u16().ok()?, reader.u16().ok()?);
        Some(Header { class, weight, body_size: reader.u64().ok()?, properties })
    }
}

/// A frame that may be part of a content.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a> {
    Method,
    Header(Header<'a>),
    Body(&'a [u8]),
}

/// A complete content.
#[derive(Debug)]
pub(super) enum Whole {
    Publish(Publish),
    /// A content whose error only shows when it is complete.
    Refused(MethodId, AmqpError),
}

/// The incomplete contents of one connection.
#[derive(Debug, Default)]
pub(super) struct Contents(Vec<Content>);

#[derive(Debug)]
struct Content {
    channel: u16,
    id: MethodId,
    /// `None` for a method that clients do not send.
    publish: Option<Publish>,
    body: Option<Body>,
}

/// The announced size of a content, and the part that has arrived.
#[derive(Debug)]
struct Body {
    properties: Result<Properties, BadProperties>,
    size: u64,
    received: u64,
    octets: Vec<u8>,
}

impl Contents {
    /// Notes a method that is followed by content.
    pub(super) fn begin(&mut self, channel: u16, id: MethodId, publish: Option<Publish>) {
        self.0.push(Content { channel, id, publish, body: None });
    }

    /// Returns the index of a channel's content, if one has begun.
    pub(super) fn position(&self, channel: u16) -> Option<usize> {
        self.0.iter().position(|content| content.channel == channel)
    }

    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    /// Adds the next frame on a channel whose content has begun.
    /// A body that is longer than was said is refused, or taken for one that has not ended.
    pub(super) fn go_on(
        &mut self,
        at: usize,
        part: Part<'_>,
        refuses_longer: bool,
    ) -> Result<Option<Whole>, WireFault> {
        let content = &mut self.0[at];
        let octets = match &mut content.body {
            None => {
                let header = content.expect_header(part)?;
                let properties = read_properties(header.properties);
                let size = header.body_size;
                if size > 0 {
                    content.body = Some(Body { properties, size, received: 0, octets: Vec::new() });
                    return Ok(None);
                }
                return Ok(Some(self.0.swap_remove(at).finish(properties, 0, Bytes::new())));
            }
            Some(body) => {
                let Part::Body(octets) = part else {
                    let reason = "expected content body, got non content body frame instead";
                    return Err(unexpected(reason, content.id));
                };
                if refuses_longer && body.received + octets.len() as u64 > body.size {
                    let reason = "content body frame exceeds remaining content size";
                    return Err(WireFault::new(ReplyCode::FrameError, reason, content.id));
                }
                let Some(octets) = body.take(octets) else { return Ok(None) };
                octets
            }
        };
        let mut content = self.0.swap_remove(at);
        Ok(content.body.take().map(|body| content.finish(body.properties, body.size, octets)))
    }
}

impl Content {
    fn expect_header<'a>(&self, part: Part<'a>) -> Result<Header<'a>, WireFault> {
        let instead = match part {
            Part::Header(header) if header.weight == 0 && header.class == CLASS_BASIC => {
                return Ok(header);
            }
            Part::Header(header) if header.weight == 0 => {
                format!("one for class {}", header.class)
            }
            _ => "non content header frame".to_owned(),
        };
        let reason =
            format!("expected content header for class {CLASS_BASIC}, got {instead} instead");
        Err(unexpected(&reason, self.id))
    }

    /// Does what a process of the server does first with a content: checks its size, then reads its
    /// properties.
    fn finish(
        self,
        properties: Result<Properties, BadProperties>,
        size: u64,
        body: Bytes,
    ) -> Whole {
        let Some(publish) = self.publish else {
            return Whole::Refused(self.id, unimplemented_method(self.id));
        };
        if size > MAX_BODY {
            let reason = format!(
                "message size {size} is larger than configured max size {MAX_MESSAGE_SIZE}"
            );
            return Whole::Refused(self.id, Fault::precondition(reason).of(self.id));
        }
        match properties {
            Ok(properties) => Whole::Publish(Publish { properties, body, ..publish }),
            Err(BadProperties) => Whole::Refused(self.id, crash()),
        }
    }
}

impl Body {
    /// Adds octets. Returns the whole body if these are the last.
    fn take(&mut self, octets: &[u8]) -> Option<Bytes> {
        self.received = self.received.saturating_add(octets.len() as u64);
        if self.received > self.size || self.size > MAX_BODY {
            self.octets = Vec::new();
        } else if self.received == octets.len() as u64 && self.received == self.size {
            return Some(Bytes::copy_from_slice(octets));
        } else {
            self.octets.extend_from_slice(octets);
        }
        (self.received == self.size).then(|| Bytes::from(std::mem::take(&mut self.octets)))
    }
}

pub(super) fn unexpected(reason: &str, method: MethodId) -> WireFault {
    WireFault::new(ReplyCode::UnexpectedFrame, reason, method)
}

/// The answer to `basic.cancel`.
const CANCEL_OK: MethodId = MethodId::new(60, 31);

/// The error for a method that clients must not send.
pub(super) fn unimplemented_method(id: MethodId) -> AmqpError {
    if id == MethodId::new(60, 200) {
        let reason = "the method 'basic.credit' is not modelled by stunt-double yet";
        return Fault::new(ReplyCode::NotImplemented, reason).of(id);
    }
    Fault::new(ReplyCode::CommandInvalid, "unimplemented method").of(id)
}

/// The error for a method without content that clients must not send.
pub(super) fn misused_method(id: MethodId, profile: &Profile) -> AmqpError {
    match id == CANCEL_OK && profile.crashes_over_cancel_ok {
        true => crash(),
        false => unimplemented_method(id),
    }
}

/// The error after a crash of the channel's process.
fn crash() -> AmqpError {
    let code = ReplyCode::InternalError;
    let text = code.name().to_owned();
    AmqpError { scope: Scope::Connection, code, text, class_id: 0, method_id: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISH: MethodId = MethodId::new(60, 40);

    fn header(size: u64) -> Vec<u8> {
        [&[0, 60, 0, 0][..], &size.to_be_bytes(), &[0, 0]].concat()
    }

    fn begun(size: u64) -> Contents {
        let mut contents = Contents::default();
        contents.begin(1, PUBLISH, Some(Publish::new("", "q", "")));
        let bytes = header(size);
        let header = Part::Header(Header::read(&bytes).unwrap());
        assert!(contents.go_on(0, header, false).unwrap().is_none());
        contents
    }

    #[test]
    fn a_body_may_come_in_pieces_even_empty_ones() {
        let mut contents = begun(5);
        for piece in [&b""[..], b"he", b"", b"ll"] {
            assert!(contents.go_on(0, Part::Body(piece), false).unwrap().is_none());
        }
        let Ok(Some(Whole::Publish(publish))) = contents.go_on(0, Part::Body(b"o"), false) else {
            panic!("it is whole");
        };
        assert_eq!(publish.body, "hello");
        assert_eq!(contents.position(1), None);
    }

    #[test]
    fn a_body_longer_than_announced_is_never_complete_and_takes_no_memory() {
        let mut contents = begun(5);
        for _ in 0..3 {
            assert!(contents.go_on(0, Part::Body(b"hello world"), false).unwrap().is_none());
            assert_eq!(contents.0[0].body.as_ref().unwrap().octets.capacity(), 0);
        }
    }

    #[test]
    fn a_body_that_is_too_large_is_read_to_its_end_and_then_refused() {
        let frame = vec![0; 131_072];
        let mut contents = begun(MAX_BODY + 1);
        for _ in 0..MAX_BODY / 131_072 {
            assert!(contents.go_on(0, Part::Body(&frame), false).unwrap().is_none());
            assert_eq!(contents.0[0].body.as_ref().unwrap().octets.capacity(), 0);
        }
        let Ok(Some(Whole::Refused(_, error))) = contents.go_on(0, Part::Body(b"x"), false) else {
            panic!("it is too large");
        };
        let text = "PRECONDITION_FAILED - message size 134217729 is larger than configured max size \
                    134217728";
        assert_eq!((error.scope, error.text.as_str()), (Scope::Channel, text));
    }
}
