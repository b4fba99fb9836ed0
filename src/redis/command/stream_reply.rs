//! The replies that show parts of streams, and the arguments that name them.

use crate::redis::command::Args;
use crate::redis::error::CommandError;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::value::{Delivery, Entry, StreamEntry, StreamId};

/// The error of an argument that is not an id.
pub(crate) const INVALID_ID: CommandError =
    CommandError::text("ERR Invalid stream ID specified as stream command argument");

/// Reads an id. Its sequence number is 0 if it has none.
pub(crate) fn id(arg: &[u8]) -> Result<StreamId, CommandError> {
    StreamId::parse(arg, 0).ok_or(INVALID_ID)
}

/// Reads ids.
pub(crate) fn ids(args: Args<'_>) -> Result<Vec<StreamId>, CommandError> {
    args.iter().map(|arg| id(arg)).collect()
}

/// Reads an end of a range, without its parenthesis. Returns also whether it had one.
fn bound(arg: &[u8], missing_seq: u64) -> Result<(StreamId, bool), CommandError> {
    match arg {
        [b'(', excluded @ ..] if !excluded.is_empty() => {
            Ok((StreamId::parse(excluded, missing_seq).ok_or(INVALID_ID)?, true))
        }
        _ => Ok((StreamId::parse_bound(arg, missing_seq).ok_or(INVALID_ID)?, false)),
    }
}

/// Reads the start of a range: `id`, `(id`, `-` or `+`.
pub(crate) fn start(arg: &[u8]) -> Result<StreamId, CommandError> {
    match bound(arg, 0)? {
        (id, false) => Ok(id),
        (id, true) => id.next().ok_or(CommandError::text("ERR invalid start ID for the interval")),
    }
}

/// Reads the end of a range.
pub(crate) fn end(arg: &[u8]) -> Result<StreamId, CommandError> {
    match bound(arg, u64::MAX)? {
        (id, false) => Ok(id),
        (id, true) => {
            id.previous().ok_or(CommandError::text("ERR invalid end ID for the interval"))
        }
    }
}

/// Returns an id.
pub(crate) fn shown_id(id: StreamId) -> Reply {
    id.with_text(Reply::bulk)
}

/// Returns an id and what belongs to it.
fn with_id(id: StreamId, rest: Reply) -> Reply {
    Reply::Array(vec![shown_id(id), rest])
}

/// Returns an entry of a stream.
pub(crate) fn entry(entry: Entry<'_>) -> Reply {
    let texts = entry.fields().flat_map(|(field, value)| [field, value]);
    let texts = texts.map(|text| text.with(Reply::bulk)).collect();
    with_id(entry.id(), Reply::Array(texts))
}

/// Returns a copied entry.
pub(crate) fn owned(entry: &StreamEntry) -> Reply {
    with_id(entry.id, fields_of(entry))
}

fn fields_of(entry: &StreamEntry) -> Reply {
    Reply::bulks(entry.fields.iter().flat_map(|(field, value)| [field, value]))
}

/// Returns entries of which some were deleted.
pub(crate) fn delivered(entries: &[(StreamId, Option<StreamEntry>)]) -> Reply {
    let each = |(id, entry): &(StreamId, Option<StreamEntry>)| match entry {
        Some(entry) => owned(entry),
        None => with_id(*id, Reply::NilArray),
    };
    Reply::Array(entries.iter().map(each).collect())
}

/// Returns the entries that a consumer reads who claims: each with how long it was idle, and how
/// often it was delivered before.
pub(crate) fn claimed(delivery: &Delivery) -> Reply {
    let told = |entry: &StreamEntry, idle, deliveries: u64| {
        let counts = [Reply::Integer(idle), Reply::Integer(deliveries as i64)];
        Reply::Array([shown_id(entry.id), fields_of(entry)].into_iter().chain(counts).collect())
    };
    let claimed = delivery.claimed.iter();
    let claimed = claimed.map(|claim| told(&claim.entry, claim.idle, claim.deliveries));
    let new = delivery.entries.iter().filter_map(|(_, entry)| Some(told(entry.as_ref()?, 0, 0)));
    Reply::Array(claimed.chain(new).collect())
}

/// Returns what was read of several streams: a map in RESP3, and an array of arrays in RESP2.
pub(crate) fn by_stream(streams: Vec<(Reply, Reply)>, protocol: Protocol) -> Reply {
    match protocol {
        Protocol::Resp3 => Reply::Map(streams),
        Protocol::Resp2 => {
            let pair = |(key, entries)| Reply::Array(vec![key, entries]);
            Reply::Array(streams.into_iter().map(pair).collect())
        }
    }
}
