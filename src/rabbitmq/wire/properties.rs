//! A message's properties as the server encodes them in a content header.
//!
//! There are fourteen flags, one for each property, from the highest bit of a word. The two lowest
//! bits are ignored, also the one for "more flags follow": as on the server, no class has more than
//! fourteen properties.
//!
//! Source: AMQP 0-9-1, section 4.2.6.1.

use super::reader::{Reader, TooShort};
use super::table::{BadTable, read_exactly, write_table};
use super::text::text as kept;
use super::writer::short;
use crate::rabbitmq::protocol::properties::Properties;

const CONTENT_TYPE: u16 = 1 << 15;
const CONTENT_ENCODING: u16 = 1 << 14;
const HEADERS: u16 = 1 << 13;
const DELIVERY_MODE: u16 = 1 << 12;
const PRIORITY: u16 = 1 << 11;
const CORRELATION_ID: u16 = 1 << 10;
const REPLY_TO: u16 = 1 << 9;
const EXPIRATION: u16 = 1 << 8;
const MESSAGE_ID: u16 = 1 << 7;
const TIMESTAMP: u16 = 1 << 6;
const TYPE: u16 = 1 << 5;
const USER_ID: u16 = 1 << 4;
const APP_ID: u16 = 1 << 3;
const CLUSTER_ID: u16 = 1 << 2;

/// The bits that mean no property.
const IGNORED: u16 = 3;

/// All properties after the priority.
const RARER: u16 = PRIORITY - CLUSTER_ID;

/// The bytes are not properties: they end too early or too late, or contain a table that cannot be
/// read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadProperties;

impl From<TooShort> for BadProperties {
    fn from(_: TooShort) -> BadProperties {
        BadProperties
    }
}

impl From<BadTable> for BadProperties {
    fn from(_: BadTable) -> BadProperties {
        BadProperties
    }
}

/// Reads the flags and the properties that they announce. Nothing may follow.
pub(super) fn read_properties(bytes: &[u8]) -> Result<Properties, BadProperties> {
    let mut reader = Reader::new(bytes);
    let flags = reader.u16()?;
    let mut is_exact = flags & IGNORED == 0;
    let mut properties = Properties::default();
    if flags & CONTENT_TYPE != 0 {
        properties = properties.with_content_type(kept(reader.short()?));
    }
    if flags & CONTENT_ENCODING != 0 {
        properties = properties.with_content_encoding(kept(reader.short()?));
    }
    if flags & HEADERS != 0 {
        let (headers, is_read_exactly) = read_exactly(reader.long()?)?;
        is_exact &= is_read_exactly;
        properties = properties.with_headers(headers);
    }
    if flags & DELIVERY_MODE != 0 {
        properties = properties.with_delivery_mode(reader.u8()?);
    }
    if flags & PRIORITY != 0 {
        properties = properties.with_priority(reader.u8()?);
    }
    // Most messages have none of these.
    if flags & RARER != 0 {
        properties = read_rarer(flags, properties, &mut reader)?;
    }
    match reader.is_empty() {
        false => Err(BadProperties),
        true if is_exact => Ok(properties),
        true => Ok(properties.came_as(bytes)),
    }
}

fn read_rarer(
    flags: u16,
    mut properties: Properties,
    reader: &mut Reader<'_>,
) -> Result<Properties, BadProperties> {
    if flags & CORRELATION_ID != 0 {
        properties = properties.with_correlation_id(kept(reader.short()?));
    }
    if flags & REPLY_TO != 0 {
        properties = properties.with_reply_to(kept(reader.short()?));
    }
    if flags & EXPIRATION != 0 {
        properties = properties.with_expiration(kept(reader.short()?));
    }
    if flags & MESSAGE_ID != 0 {
        properties = properties.with_message_id(kept(reader.short()?));
    }
    if flags & TIMESTAMP != 0 {
        properties = properties.with_timestamp(reader.u64()?);
    }
    if flags & TYPE != 0 {
        properties = properties.with_kind(kept(reader.short()?));
    }
    if flags & USER_ID != 0 {
        properties = properties.with_user_id(kept(reader.short()?));
    }
    if flags & APP_ID != 0 {
        properties = properties.with_app_id(kept(reader.short()?));
    }
    if flags & CLUSTER_ID != 0 {
        properties = properties.with_cluster_id(kept(reader.short()?));
    }
    Ok(properties)
}

/// Writes the flags and the properties that are set, in the bytes in which they arrived if those
/// were kept.
pub(super) fn write_properties(properties: &Properties, out: &mut Vec<u8>) {
    if let Some(verbatim) = properties.verbatim() {
        return out.extend_from_slice(verbatim);
    }
    let at = out.len();
    let mut flags = 0;
    out.extend_from_slice(&[0; 2]);
    let text = |flag: u16, value: Option<&str>, out: &mut Vec<u8>| {
        value.map_or(0, |value| {
            short(value, out);
            flag
        })
    };
    let more = properties.has_more();
    if more {
        flags |= text(CONTENT_TYPE, properties.content_type(), out);
        flags |= text(CONTENT_ENCODING, properties.content_encoding(), out);
        if let Some(headers) = properties.headers() {
            flags |= HEADERS;
            write_table(headers, out);
        }
    }
    if let Some(mode) = properties.delivery_mode() {
        flags |= DELIVERY_MODE;
        out.push(mode);
    }
    if let Some(priority) = properties.priority() {
        flags |= PRIORITY;
        out.push(priority);
    }
    if more {
        flags |= text(CORRELATION_ID, properties.correlation_id(), out);
        flags |= text(REPLY_TO, properties.reply_to(), out);
        flags |= text(EXPIRATION, properties.expiration(), out);
        flags |= text(MESSAGE_ID, properties.message_id(), out);
        if let Some(timestamp) = properties.timestamp() {
            flags |= TIMESTAMP;
            out.extend_from_slice(&timestamp.to_be_bytes());
        }
        flags |= text(TYPE, properties.kind(), out);
        flags |= text(USER_ID, properties.user_id(), out);
        flags |= text(APP_ID, properties.app_id(), out);
        flags |= text(CLUSTER_ID, properties.cluster_id(), out);
    }
    out[at..at + 2].copy_from_slice(&flags.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_must_be_complete_with_nothing_after_them() {
        let table: [&[u8]; 6] = [
            b"",
            b"\0",
            b"\x80\0\x05ab",
            b"\x80\0\x01abc",
            b"\x20\0\0\0\0\x02\xff\xff",
            // More flags are announced. Neither this broker nor the server reads them.
            b"\x80\x01\0\0\x01a",
        ];
        for bytes in table {
            assert_eq!(read_properties(bytes), Err(BadProperties), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_two_lowest_flags_are_ignored() {
        let flagged = read_properties(b"\0\x03").unwrap();
        assert_eq!(flagged.headers(), None);
        let mut out = Vec::new();
        write_properties(&flagged, &mut out);
        assert_eq!(out, b"\0\x03", "and passed on");
        let persistent = Properties::default().persistent().with_priority(7);
        assert_eq!(read_properties(b"\x18\0\x02\x07"), Ok(persistent));
    }
}
