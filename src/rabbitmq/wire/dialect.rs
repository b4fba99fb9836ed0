//! Dialects: how a client begins, and which version of AMQP it speaks.
//!
//! Source: AMQP 0-9-1, section 4.2.2; RabbitMQ 3.10.8, observed.

use crate::rabbitmq::protocol::error::MethodId;

/// The header with which a client of AMQP 0-9-1 begins.
const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\0\0\x09\x01";

/// The header with which a client of AMQP 1.0 begins, and since RabbitMQ 4 the answer to most
/// headers that are not accepted.
pub(super) const AMQP_1_0: [u8; 8] = *b"AMQP\x03\x01\0\0";

/// Other headers that are accepted: clients of AMQP 0-9 are treated as clients of 0-9-1, those of
/// AMQP 0-8 in their own dialect, which a server of AMQP 1.0 has forgotten.
const OTHER_HEADERS: [([u8; 8], Dialect); 3] = [
    (*b"AMQP\x01\x01\0\x09", Dialect::V0_9_1),
    (*b"AMQP\x01\x01\x08\0", Dialect::V0_8),
    (*b"AMQP\x01\x01\x09\x01", Dialect::V0_8),
];

/// The version of AMQP that a connection speaks.
///
/// AMQP 0-8 differs little, as far as RabbitMQ has kept it: `connection.close` and its answer have
/// other numbers, `basic.consume` has no arguments, `channel.open-ok` is empty, and the extensions
/// of 0-9-1 do not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V0_9_1,
    V0_8,
}

impl Dialect {
    /// The version that `connection.start` names.
    pub(super) const fn version(self) -> [u8; 2] {
        match self {
            Dialect::V0_9_1 => [0, 9],
            Dialect::V0_8 => [8, 0],
        }
    }

    /// Returns the method that a client means by a number.
    pub(super) fn read(self, id: MethodId) -> Option<MethodId> {
        match (self, id.class, id.method) {
            (Dialect::V0_9_1, ..) => Some(id),
            (Dialect::V0_8, 10, 60) => Some(MethodId::new(10, 50)),
            (Dialect::V0_8, 10, 61) => Some(MethodId::new(10, 51)),
            // Extensions, and methods with other numbers in 0-8.
            (Dialect::V0_8, 10, 50.. | 41)
            | (Dialect::V0_8, 40, 30..)
            | (Dialect::V0_8, 60, 120..)
            | (Dialect::V0_8, 85, _) => None,
            (Dialect::V0_8, ..) => Some(id),
        }
    }

    /// Returns the number of a method that the server sends.
    pub(super) fn write(self, id: MethodId) -> MethodId {
        match (self, id.class, id.method) {
            (Dialect::V0_8, 10, 50) => MethodId::new(10, 60),
            (Dialect::V0_8, 10, 51) => MethodId::new(10, 61),
            _ => id,
        }
    }
}

/// Returns the dialect of a client that begins with this header, if it is accepted.
pub(super) fn dialect(header: [u8; 8], serves_amqp_1_0: bool) -> Option<Dialect> {
    let own = (PROTOCOL_HEADER, Dialect::V0_9_1);
    let served = std::iter::once(own).chain(OTHER_HEADERS);
    let mut served = served.filter(|(_, dialect)| !serves_amqp_1_0 || *dialect == Dialect::V0_9_1);
    served.find(|(known, _)| *known == header).map(|(_, dialect)| dialect)
}

/// Returns the answer to a header that is not accepted.
pub(super) fn answer(header: [u8; 8], serves_amqp_1_0: bool) -> [u8; 8] {
    match header {
        [b'A', b'M', b'Q', b'P', 0, 0, minor, _] if minor >= 9 => PROTOCOL_HEADER,
        _ if serves_amqp_1_0 => AMQP_1_0,
        _ => PROTOCOL_HEADER,
    }
}
