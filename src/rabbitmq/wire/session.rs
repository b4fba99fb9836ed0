//! One connection: its bytes become frames, and frames become methods for the broker.
//!
//! Frames are read in place. Only an incomplete frame is copied, so that a session keeps at most
//! one frame. Everything that concerns the whole connection becomes a [`Demand`]. The
//! [`ByteServer`](super::ByteServer) meets it, because it may affect other connections.
//!
//! Source: AMQP 0-9-1, sections 2.2.4 and 4.2.3; RabbitMQ 3.10.8, observed.

use super::content::{Contents, Header, Part, Whole, misused_method, unexpected};
use super::decode::{ConnectionMethod, Incoming, decode, is_known};
use super::dialect::{Dialect, dialect};
use super::encode::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, To};
use super::fault::WireFault;
use super::malformed::Malformed;
use crate::Instant;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::protocol::error::MethodId;
use crate::rabbitmq::protocol::id::{ChannelId, ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::limits::FRAME_MIN;
use crate::rabbitmq::protocol::method::{ConnectionOptions, Method, ids};

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for the protocol header.
    Header,
    /// Has sent `connection.start`.
    Starting,
    /// Has sent `connection.tune`.
    Tuning,
    /// Has received `connection.tune-ok`.
    Opening,
    /// The connection is open in the broker.
    Running,
    /// A close was sent or answered. Only the socket is left.
    Closed,
}

/// A demand of a connection's bytes that concerns the whole connection.
#[derive(Debug)]
pub(super) enum Demand {
    /// They begin with an accepted protocol header.
    Start(Dialect),
    /// They belong to another protocol, and begin with this header.
    Refuse([u8; 8]),
    Connection(MethodId, ConnectionMethod),
    /// A method that is not allowed on channel 0.
    Misplaced(MethodId),
    /// A method on channel 0 whose arguments cannot be read.
    Unreadable,
    Fault(WireFault),
    /// The process that reads the server's socket crashes: it does not know this method, or cannot
    /// read its table.
    Crash {
        channel: u16,
    },
}

/// A connection at the level of bytes.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) phase: Phase,
    /// Whether the session has stopped reading.
    pub(super) deaf: bool,
    /// When the socket is closed, whatever the client sends.
    pub(super) deadline: Option<Instant>,
    /// Whether the socket is to be closed.
    pub(super) hung_up: bool,
    /// Bytes that were not sent yet.
    pub(super) out: Vec<u8>,
    /// Whether it is in the queue of connections with output.
    pub(super) queued: bool,
    pub(super) frame_max: u32,
    pub(super) dialect: Dialect,
    /// The options that were negotiated so far.
    pub(super) options: Box<ConnectionOptions>,
    contents: Contents,
    /// An incomplete frame.
    front: Vec<u8>,
}

/// A complete frame.
#[derive(Clone, Copy, Debug)]
struct Frame<'a> {
    kind: u8,
    channel: u16,
    payload: &'a [u8],
}

/// The first frame of some bytes.
enum Cut<'a> {
    /// A frame, and its length including everything around the payload.
    Frame(Frame<'a>, usize),
    /// An incomplete frame, and the number of bytes that are missing at least.
    Missing(usize),
    Broken(WireFault),
}

fn cut(bytes: &[u8], frame_max: u32) -> Cut<'_> {
    let Some(&[kind, c, d, l, m, n, o]) = bytes.first_chunk() else {
        return Cut::Missing(7 - bytes.len());
    };
    let length = u32::from_be_bytes([l, m, n, o]);
    if length > frame_max {
        return Cut::Broken(WireFault::too_large(kind, length, frame_max));
    }
    let end = 7 + length as usize;
    match bytes.get(end) {
        None => Cut::Missing(end + 1 - bytes.len()),
        Some(&FRAME_END) => {
            let channel = u16::from_be_bytes([c, d]);
            Cut::Frame(Frame { kind, channel, payload: &bytes[7..end] }, end + 1)
        }
        Some(marker) => Cut::Broken(WireFault::end_marker(kind, &bytes[7..end], *marker)),
    }
}

/// A frame's payload, read according to its type.
enum Payload<'a> {
    Method(MethodId, &'a [u8]),
    Header(Header<'a>),
    Body(&'a [u8]),
    Heartbeat,
    Unknown,
}

fn analyze<'a>(frame: &Frame<'a>) -> Payload<'a> {
    match (frame.kind, frame.payload) {
        (FRAME_METHOD, [c, d, m, n, arguments @ ..]) => {
            let (class, method) = (u16::from_be_bytes([*c, *d]), u16::from_be_bytes([*m, *n]));
            Payload::Method(MethodId::new(class, method), arguments)
        }
        (FRAME_HEADER, payload) => Header::read(payload).map_or(Payload::Unknown, Payload::Header),
        (FRAME_BODY, payload) => Payload::Body(payload),
        (FRAME_HEARTBEAT, []) => Payload::Heartbeat,
        _ => Payload::Unknown,
    }
}

impl Session {
    pub(super) fn new() -> Session {
        Session {
            phase: Phase::Header,
            deaf: false,
            deadline: None,
            hung_up: false,
            out: Vec::new(),
            queued: false,
            frame_max: FRAME_MIN,
            dialect: Dialect::V0_9_1,
            options: Box::default(),
            contents: Contents::default(),
            front: Vec::new(),
        }
    }

    /// How events for channel 0 are encoded.
    pub(super) fn to(&self) -> To {
        To { channel: 0, frame_max: self.frame_max, dialect: self.dialect }
    }

    /// Drops incomplete contents, which are of no use any more.
    pub(super) fn closed(&mut self) {
        self.phase = Phase::Closed;
        self.contents.clear();
    }

    /// Reads until something concerns the whole connection, or there is nothing more to read.
    pub(super) fn read(
        &mut self,
        broker: &mut Broker,
        now: Instant,
        id: ConnectionId,
        input: &mut &[u8],
    ) -> Option<Demand> {
        while !self.deaf && !self.hung_up {
            if self.phase == Phase::Header {
                return self.read_header(input, broker.profile().serves_amqp_1_0);
            }
            if !self.front.is_empty() {
                if !self.complete_front(input) {
                    return None;
                }
                let front = std::mem::take(&mut self.front);
                let demand = match cut(&front, self.frame_max) {
                    Cut::Frame(frame, _) => self.take_frame(broker, now, id, &frame),
                    Cut::Broken(fault) => Some(Demand::Fault(fault)),
                    Cut::Missing(_) => None,
                };
                self.front = front;
                self.front.clear();
                if demand.is_some() {
                    return demand;
                }
            }
            match cut(input, self.frame_max) {
                Cut::Frame(frame, length) => {
                    *input = &input[length..];
                    let demand = self.take_frame(broker, now, id, &frame);
                    if demand.is_some() {
                        return demand;
                    }
                }
                Cut::Missing(_) => {
                    self.front.extend_from_slice(std::mem::take(input));
                    return None;
                }
                Cut::Broken(fault) => return Some(Demand::Fault(fault)),
            }
        }
        None
    }

    fn read_header(&mut self, input: &mut &[u8], serves_amqp_1_0: bool) -> Option<Demand> {
        let (head, rest) = input.split_at(input.len().min(8 - self.front.len()));
        self.front.extend_from_slice(head);
        *input = rest;
        let header: [u8; 8] = self.front[..].try_into().ok()?;
        self.front.clear();
        let dialect = dialect(header, serves_amqp_1_0);
        Some(dialect.map_or(Demand::Refuse(header), Demand::Start))
    }

    /// Completes the incomplete frame. Returns whether it is complete, or broken.
    fn complete_front(&mut self, input: &mut &[u8]) -> bool {
        while let Cut::Missing(missing) = cut(&self.front, self.frame_max) {
            let Some((head, rest)) = input.split_at_checked(missing) else {
                self.front.extend_from_slice(std::mem::take(input));
                return false;
            };
            self.front.extend_from_slice(head);
            *input = rest;
        }
        true
    }

    fn take_frame(
        &mut self,
        broker: &mut Broker,
        now: Instant,
        id: ConnectionId,
        frame: &Frame<'_>,
    ) -> Option<Demand> {
        match (self.phase, frame.channel) {
            (Phase::Closed, 0) => on_channel_0_when_closed(frame, self.dialect),
            (Phase::Closed, _) => None,
            (_, 0) => on_channel_0(frame, self.dialect),
            (Phase::Running, channel) => self
                .on_channel(
                    broker,
                    now,
                    ChannelId { connection: id, number: ChannelNumber(channel) },
                    frame,
                )
                .err(),
            (Phase::Header | Phase::Starting | Phase::Tuning | Phase::Opening, _) => {
                Some(Demand::Fault(WireFault::unexpected_frame(frame.kind, frame.payload)))
            }
        }
    }

    /// Handles a frame on a channel of an open connection.
    fn on_channel(
        &mut self,
        broker: &mut Broker,
        now: Instant,
        ch: ChannelId,
        frame: &Frame<'_>,
    ) -> Result<(), Demand> {
        let channel = frame.channel;
        let payload = analyze(frame);
        let part = match payload {
            Payload::Method(..) => Part::Method,
            Payload::Header(header) => Part::Header(header),
            Payload::Body(octets) => Part::Body(octets),
            Payload::Heartbeat => {
                return Err(Demand::Fault(WireFault::unexpected_frame(frame.kind, frame.payload)));
            }
            Payload::Unknown => {
                return Err(Demand::Fault(WireFault::unknown_frame(frame.kind, frame.payload)));
            }
        };
        if let Some(at) = self.contents.position(channel) {
            if let Payload::Method(id, _) = payload
                && !self.dialect.read(id).is_some_and(is_known)
            {
                return Err(Demand::Crash { channel });
            }
            let refuses_longer = broker.profile().refuses_longer_bodies;
            match self.contents.go_on(at, part, refuses_longer).map_err(Demand::Fault)? {
                None => {}
                Some(Whole::Publish(publish)) => {
                    let method = Method::BasicPublish(publish);
                    broker.handle_input(now, ch.connection, ch.number, method);
                }
                Some(Whole::Refused(id, error)) => broker.refuse_content(now, ch, id, error),
            }
            return Ok(());
        }
        let Payload::Method(id, arguments) = payload else {
            let reason = "expected method frame, got non method frame instead";
            return Err(Demand::Fault(unexpected(reason, MethodId::NONE)));
        };
        match decode_in(self.dialect, id, arguments) {
            Ok(Incoming::Method(method)) => {
                broker.handle_input(now, ch.connection, ch.number, method);
            }
            Ok(Incoming::Publish(publish)) => self.contents.begin(channel, id, Some(publish)),
            Ok(Incoming::Foreign { content: true }) => self.contents.begin(channel, id, None),
            Ok(Incoming::Foreign { .. } | Incoming::Connection(_)) => {
                let error = misused_method(id, broker.profile());
                broker.refuse_content(now, ch, id, error);
            }
            Err(Malformed::Shape) => {
                return Err(Demand::Fault(WireFault::undecodable(id, arguments)));
            }
            Err(Malformed::Utf8) => {
                return Err(Demand::Fault(WireFault::malformed_utf8(MethodId::NONE)));
            }
            Err(Malformed::Unknown | Malformed::Table) => return Err(Demand::Crash { channel }),
        }
        Ok(())
    }
}

/// Decodes a method's arguments in a client's dialect.
fn decode_in(dialect: Dialect, id: MethodId, arguments: &[u8]) -> Result<Incoming, Malformed> {
    let id = dialect.read(id).ok_or(Malformed::Unknown)?;
    if dialect == Dialect::V0_8 && id == ids::BASIC_CONSUME {
        // It ends without a table of arguments, which an empty table replaces.
        return match decode(id, arguments) {
            Ok(_) => Err(Malformed::Shape),
            Err(_) => decode(id, &[arguments, &[0; 4]].concat()),
        };
    }
    decode(id, arguments)
}

/// Handles a frame on channel 0 before the close.
fn on_channel_0(frame: &Frame<'_>, dialect: Dialect) -> Option<Demand> {
    Some(match analyze(frame) {
        Payload::Method(id, arguments) => match decode_in(dialect, id, arguments) {
            Ok(Incoming::Connection(method)) => Demand::Connection(id, method),
            Ok(_) => Demand::Misplaced(id),
            Err(Malformed::Utf8) => Demand::Fault(WireFault::malformed_utf8(id)),
            Err(Malformed::Unknown) => Demand::Crash { channel: 0 },
            Err(Malformed::Shape | Malformed::Table) => Demand::Unreadable,
        },
        // All bytes count as traffic, so heartbeats need no handling.
        Payload::Heartbeat => return None,
        Payload::Unknown => Demand::Fault(WireFault::unknown_frame(frame.kind, frame.payload)),
        Payload::Header(_) | Payload::Body(_) => {
            Demand::Fault(WireFault::unexpected_frame(frame.kind, frame.payload))
        }
    })
}

/// Handles a frame on channel 0 after the close. Only the closing handshake still has an effect,
/// and a method that does not exist still crashes the reader.
fn on_channel_0_when_closed(frame: &Frame<'_>, dialect: Dialect) -> Option<Demand> {
    let Payload::Method(id, arguments) = analyze(frame) else { return None };
    match decode_in(dialect, id, arguments) {
        Ok(Incoming::Connection(method)) => Some(Demand::Connection(id, method)),
        Err(Malformed::Unknown) => Some(Demand::Crash { channel: 0 }),
        _ => None,
    }
}
