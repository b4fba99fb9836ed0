//! The payloads of `DUMP`: a value, the version of RDB in two bytes, and a checksum of all that.
//!
//! Source: `cluster.c` (`createDumpPayload`, `verifyDumpPayload`).

use super::crc64::crc64;
use super::reader::Reader;
#[cfg(feature = "lua")]
use super::snapshot::part;
use super::writer::Writer;
use super::{decode, encode};
use crate::redis::value::{Limits, Value};
use crate::redis::version::{Profile, Rdb};

/// Length of the version and the checksum.
const FOOTER: usize = 10;
const CHECKSUM: usize = 8;

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadError {
    /// It is of a later version, or damaged.
    Footer,
    /// The value is corrupt, or of a type that is not known.
    Value,
}

/// Returns the length of a value in a file, without the byte of its type.
pub(crate) fn length(value: &Value, profile: &Profile) -> usize {
    let mut writer = Writer::default();
    encode::value(&mut writer, value, profile);
    writer.bytes.len()
}

/// Returns the payload of a value.
pub(crate) fn dump(value: &Value, profile: &Profile) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.byte(encode::kind_of(value, profile.rdb));
    encode::value(&mut writer, value, profile);
    with_footer(writer, profile.rdb)
}

/// Returns a payload, with its version and checksum.
fn with_footer(mut writer: Writer, rdb: Rdb) -> Vec<u8> {
    writer.raw(&rdb.version.to_le_bytes());
    let checksum = crc64(&writer.bytes);
    writer.raw(&checksum.to_le_bytes());
    writer.bytes
}

/// Checks the version and the checksum of a payload. Returns where they begin.
fn check_footer(payload: &[u8], rdb: Rdb, limits: &Limits) -> Result<usize, PayloadError> {
    let body = payload.len().checked_sub(FOOTER).ok_or(PayloadError::Footer)?;
    let version = u16::from_le_bytes([payload[body], payload[body + 1]]);
    let (checked, checksum) = payload.split_at(payload.len() - CHECKSUM);
    if !rdb.reads(version, limits.relaxed_rdb) || crc64(checked).to_le_bytes() != *checksum {
        return Err(PayloadError::Footer);
    }
    Ok(body)
}

/// Returns the value of a payload. As in Redis, bytes between the value and the footer are ignored.
/// `checked` is false if any footer is right.
pub(crate) fn restore(
    payload: &[u8],
    limits: &Limits,
    profile: &Profile,
    checked: bool,
) -> Result<Value, PayloadError> {
    if checked {
        check_footer(payload, profile.rdb, limits)?;
    }
    let mut reader = Reader::new(payload);
    let kind = reader.byte().map_err(|_| PayloadError::Value)?;
    let value =
        decode::value(&mut reader, kind, limits, profile).map_err(|_| PayloadError::Value)?;
    value.ok_or(PayloadError::Value)
}

/// Returns the payload of libraries of functions (`FUNCTION DUMP`).
#[cfg(feature = "lua")]
pub(crate) fn dump_libraries(codes: &[Vec<u8>], profile: &Profile) -> Vec<u8> {
    let mut writer = Writer::default();
    for code in codes {
        writer.byte(part::FUNCTION);
        writer.string(code);
    }
    with_footer(writer, profile.rdb)
}

/// Returns the texts of the libraries of a payload, or why it is refused.
#[cfg(feature = "lua")]
pub(crate) fn restore_libraries(
    payload: &[u8],
    limits: &Limits,
    profile: &Profile,
) -> Result<Vec<Vec<u8>>, &'static str> {
    let body = check_footer(payload, profile.rdb, limits)
        .map_err(|_| "DUMP payload version or checksum are wrong")?;
    let mut reader = Reader::new(&payload[..body]);
    let mut codes = Vec::new();
    while reader.at() < body {
        match reader.byte().map_err(|_| "can not read data type")? {
            part::FUNCTION => {
                let code =
                    reader.string().map_err(|_| "failed loading the given functions payload")?;
                codes.push(code.into_owned());
            }
            part::OLD_FUNCTION => return Err("failed loading the given functions payload"),
            _ => return Err("given type is not a function"),
        }
    }
    Ok(codes)
}
