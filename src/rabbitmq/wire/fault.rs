//! The server's errors when a client breaks the protocol: a reply code, a text, and the method that
//! caused it.
//!
//! The texts are bytes, because they quote bytes of the client.
//!
//! Source: RabbitMQ 3.10.8, observed.

use super::erlang;
use crate::rabbitmq::protocol::error::{MethodId, ReplyCode};

/// Why the server closes a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WireFault {
    pub(super) code: ReplyCode,
    pub(super) text: Vec<u8>,
    pub(super) method: MethodId,
    /// Whether the reader of the socket gives up: it reads nothing more, and hangs up three seconds
    /// later whatever the client sends.
    pub(super) fatal: bool,
}

impl WireFault {
    pub(super) fn new(code: ReplyCode, reason: &str, method: MethodId) -> WireFault {
        let text = format!("{} - {reason}", code.name()).into_bytes();
        WireFault { code, text, method, fatal: false }
    }

    /// The error after a crash of a process of the server, which gives no reason.
    pub(super) fn internal() -> WireFault {
        let code = ReplyCode::InternalError;
        let text = code.name().as_bytes().to_vec();
        WireFault { code, text, method: MethodId::NONE, fatal: false }
    }

    /// A frame of a known type where it is not allowed.
    pub(super) fn unexpected_frame(kind: u8, payload: &[u8]) -> WireFault {
        WireFault::of_frame(ReplyCode::UnexpectedFrame, kind, payload)
    }

    /// A frame of an unknown type, or too short for its type.
    pub(super) fn unknown_frame(kind: u8, payload: &[u8]) -> WireFault {
        let mut fault = WireFault::of_frame(ReplyCode::FrameError, kind, payload);
        fault.text.extend_from_slice(b": unknown_frame");
        fault
    }

    /// A frame that does not end where its length says.
    pub(super) fn end_marker(kind: u8, payload: &[u8], marker: u8) -> WireFault {
        let mut fault = WireFault::of_frame(ReplyCode::FrameError, kind, payload);
        // Columns are counted from the beginning of the reason.
        let mut reason = fault.text.split_off(ReplyCode::FrameError.name().len() + 3);
        reason.extend_from_slice(b": ");
        erlang::end_marker(marker, &mut reason);
        fault.text.append(&mut reason);
        WireFault { fatal: true, ..fault }
    }

    /// A frame longer than negotiated.
    pub(super) fn too_large(kind: u8, length: u32, frame_max: u32) -> WireFault {
        let mut fault = WireFault::of_frame(ReplyCode::FrameError, kind, b"");
        let limit = frame_max - 8;
        fault.text.extend(format!(": {{frame_too_large,{length},{limit}}}").into_bytes());
        WireFault { fatal: true, ..fault }
    }

    /// Arguments that do not match their method.
    pub(super) fn undecodable(method: MethodId, arguments: &[u8]) -> WireFault {
        let mut fault = WireFault::new(ReplyCode::FrameError, "cannot decode ", method);
        // Only the beginning fits into a reply text.
        erlang::plain(&arguments[..arguments.len().min(256)], &mut fault.text);
        fault
    }

    pub(super) fn malformed_utf8(method: MethodId) -> WireFault {
        WireFault::new(ReplyCode::FrameError, "Malformed UTF-8 in shortstr", method)
    }

    fn of_frame(code: ReplyCode, kind: u8, payload: &[u8]) -> WireFault {
        let (how_many, shown) = match payload.get(..16) {
            Some(first) if payload.len() > 16 => ("first 16", first),
            _ => ("all", payload),
        };
        let mut reason = format!("type {kind}, {how_many} octets = ").into_bytes();
        erlang::pretty(shown, &mut reason);
        let text = [code.name().as_bytes(), b" - ", &reason].concat();
        WireFault { code, text, method: MethodId::NONE, fatal: false }
    }
}
