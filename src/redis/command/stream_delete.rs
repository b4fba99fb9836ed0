//! `XDELEX` and `XACKDEL`: deletions with regard to the groups that know an entry.

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::stream::references_of;
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::is;
use crate::redis::command::stream_reply::ids;
use crate::redis::database::Database;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{Deletion, References, Stream, StreamId, Value, number};
use crate::redis::version::Versions;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const STREAM_DELETE: &'static [Command<S>] = &[
        database("xackdel", -6, WRITE | FAST, &["stream"], &[key(RW | UPDATE | DELETE, 1)], "Acknowledges and deletes one or multiple messages for a stream consumer group.", xackdel).in_versions(Versions::REDIS_SINCE_8_2),
        database("xdelex", -5, WRITE | FAST, &["stream"], &[key(RW | DELETE, 1)], "Deletes one or multiple entries from the stream.", xdelex).in_versions(Versions::REDIS_SINCE_8_2),
    ];
}

/// Reads `[KEEPREF | DELREF | ACKED] IDS numids id …`, in any order. Returns the words of the ids.
fn deletion(words: Args<'_>) -> Result<(References, Args<'_>), CommandError> {
    let (mut references, mut found) = (None, None);
    let mut rest = words;
    while let [word, more @ ..] = rest {
        rest = more;
        if references.is_none()
            && let Some(read) = references_of(word)
        {
            references = Some(read);
        } else if is(word, "ids")
            && let [count, more @ ..] = more
        {
            let count = number::parse_i64(count).and_then(|count| usize::try_from(count).ok());
            let count = count
                .filter(|count| *count > 0)
                .ok_or(CommandError::text("ERR Number of IDs must be a positive integer"))?;
            let ids = more.get(..count).ok_or(CommandError::text(
                "ERR The `numids` parameter must match the number of arguments",
            ))?;
            found = Some(ids);
            rest = &more[count..];
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok((references.unwrap_or_default(), found.ok_or(CommandError::Syntax)?))
}

fn told(became: &[Deletion]) -> Reply {
    let told = |became: &Deletion| {
        Reply::Integer(match became {
            Deletion::Missing => -1,
            Deletion::Deleted => 1,
            Deletion::Referenced => 2,
        })
    };
    Reply::Array(became.iter().map(told).collect())
}

/// `key [KEEPREF | DELREF | ACKED] IDS numids id …`. The ids are only checked if there is a stream.
fn xdelex(db: &mut Database, args: Args<'_>) -> Answer {
    db.check_type::<Stream>(args[1])?;
    let (references, words) = deletion(&args[2..])?;
    if db.seek(args[1]).is_none() {
        return Ok(told(&vec![Deletion::Missing; words.len()]));
    }
    Ok(told(&db.xdelex(args[1], &ids(words)?, references)?))
}

/// `key group [KEEPREF | DELREF | ACKED] IDS numids id …`. The ids are only checked if there is a
/// group.
fn xackdel(db: &mut Database, args: Args<'_>) -> Answer {
    db.check_type::<Stream>(args[1])?;
    let (references, words) = deletion(&args[3..])?;
    let known = match db.peek(args[1]).map(|entry| &entry.value) {
        Some(Value::Stream(stream)) => stream.group(args[2]).is_some(),
        Some(_) | None => false,
    };
    let ids = if known { ids(words)? } else { vec![StreamId::MIN; words.len()] };
    Ok(told(&db.xackdel(args[1], args[2], &ids, references)?))
}
