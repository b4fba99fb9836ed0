//! Methods that clients do not send: those of the server, and those that RabbitMQ has for AMQP 1.0.
//!
//! The server decodes them before it refuses them. So their shapes matter, and are in one table.
//!
//! Source: AMQP 0-9-1, section 1, and the extensions of RabbitMQ.

use super::malformed::{Malformed, name};
use super::reader::Reader;
use super::table::read_table;
use crate::rabbitmq::protocol::error::MethodId;

/// The shape of one argument. Flags are one octet, however many there are.
#[derive(Clone, Copy, Debug)]
enum Shape {
    U8,
    U16,
    U32,
    U64,
    /// A short string that must be UTF-8.
    Name,
    /// A short string that need not be UTF-8.
    Octets,
    Long,
    Table,
}

use Shape::{Long, Name, Octets, Table, U8, U16, U32, U64};

/// Class, method, shapes of the arguments, and whether content follows.
const FOREIGN: &[(u16, u16, &[Shape], bool)] = &[
    (10, 10, &[U8, U8, Table, Long, Long], false),
    (10, 20, &[Long], false),
    (10, 21, &[Long], false),
    (10, 30, &[U16, U32, U16], false),
    (10, 41, &[Name], false),
    (10, 60, &[Name], false),
    (10, 61, &[], false),
    (10, 71, &[], false),
    (20, 11, &[Long], false),
    (20, 21, &[U8], false),
    (30, 11, &[U16], false),
    (40, 11, &[], false),
    (40, 21, &[], false),
    (40, 31, &[], false),
    (40, 51, &[], false),
    (50, 11, &[Name, U32, U32], false),
    (50, 21, &[], false),
    (50, 31, &[U32], false),
    (50, 41, &[U32], false),
    (50, 51, &[], false),
    (60, 11, &[], false),
    (60, 21, &[Name], false),
    (60, 31, &[Name], false),
    (60, 50, &[U16, Octets, Octets, Octets], true),
    (60, 60, &[Octets, U64, U8, Octets, Octets], true),
    (60, 71, &[U64, U8, Octets, Octets, U32], true),
    (60, 72, &[Name], false),
    (60, 111, &[], false),
    (60, 200, &[Name, U32, U8], false),
    (60, 201, &[U32], false),
    (60, 202, &[Name, U32], false),
    (85, 11, &[], false),
    (90, 11, &[], false),
    (90, 21, &[], false),
    (90, 31, &[], false),
];

/// Checks the arguments of one of these methods, and returns whether content follows it.
#[cold]
pub(super) fn has_content(id: MethodId, arguments: &[u8]) -> Result<bool, Malformed> {
    let row = FOREIGN.iter().find(|row| (row.0, row.1) == (id.class, id.method));
    let (_, _, shapes, content) = *row.ok_or(Malformed::Unknown)?;
    let mut reader = Reader::new(arguments);
    let (mut names, mut tables) = (Vec::new(), Vec::new());
    for shape in shapes {
        match shape {
            U8 => reader.u8().map(drop)?,
            U16 => reader.u16().map(drop)?,
            U32 => reader.u32().map(drop)?,
            U64 => reader.u64().map(drop)?,
            Octets => reader.short().map(drop)?,
            Long => reader.long().map(drop)?,
            Name => names.push(reader.short()?),
            Table => tables.push(reader.long()?),
        }
    }
    if !reader.is_empty() {
        return Err(Malformed::Shape);
    }
    for bytes in names {
        name(bytes)?;
    }
    for fields in tables {
        read_table(fields).map_err(|_| Malformed::Table)?;
    }
    Ok(content)
}
