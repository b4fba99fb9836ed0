//! Producers that may send again: the options `IDMP` and `IDMPAUTO` of `XADD`, and the commands
//! `XCFGSET` and `XIDMPRECORD`.

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{integer, is};
use crate::redis::command::stream_reply::id;
use crate::redis::database::{Database, Named};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{Stream, name_of_content};
use crate::redis::version::Versions;
use std::borrow::Cow;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const STREAM_PRODUCERS: &'static [Command<S>] = &[
        database("xcfgset", -2, WRITE | FAST, &["stream"], &[key(RW | UPDATE, 1)], "Sets the IDMP configuration parameters for a stream.", xcfgset).in_versions(Versions::REDIS_8_6),
        database("xidmprecord", 5, WRITE | DENYOOM | FAST, &["stream"], &[key(RW | UPDATE, 1)], "An internal command for setting IDMP metadata on an existing stream message.", xidmprecord).in_versions(Versions::REDIS_8_6),
    ];
}

/// The producer of `XADD`, and its name for the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming<'a> {
    producer: &'a [u8],
    /// The name of the message; its content names it otherwise.
    name: Option<&'a [u8]>,
}

impl<'a> Naming<'a> {
    /// Reads `IDMP producer name` or `IDMPAUTO producer` from the beginning of the words. Returns
    /// also how many words that were, or `None` if there is no such option.
    pub(super) fn read(
        words: Args<'a>,
        known: bool,
    ) -> Result<Option<(Naming<'a>, usize)>, CommandError> {
        let (naming, count) = match words {
            [word, producer, name, ..] if is(word, "idmp") => {
                (Naming { producer, name: Some(name) }, 3)
            }
            [word, producer, ..] if is(word, "idmpauto") => (Naming { producer, name: None }, 2),
            _ => return Ok(None),
        };
        if known {
            return Err(CommandError::text(
                "ERR syntax error, IDMP/IDMPAUTO specified multiple times",
            ));
        }
        if naming.producer.is_empty() {
            return Err(CommandError::text(match naming.name {
                Some(_) => "ERR syntax error, IDMP requires a non-empty producer ID",
                None => "ERR syntax error, IDMPAUTO requires a non-empty producer ID",
            }));
        }
        if naming.name.is_some_and(<[u8]>::is_empty) {
            return Err(CommandError::text(
                "ERR syntax error, IDMP requires a non-empty idempotent ID",
            ));
        }
        Ok(Some((naming, count)))
    }

    pub(super) fn producer(&self) -> &'a [u8] {
        self.producer
    }

    /// Returns the name of a message with these fields.
    pub(super) fn name(&self, fields: &[(&[u8], &[u8])]) -> Cow<'a, [u8]> {
        match self.name {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(name_of_content(fields).to_vec()),
        }
    }
}

/// `key [IDMP-DURATION seconds] [IDMP-MAXSIZE names]`, at least one. The words are only looked at
/// if there is a stream.
fn xcfgset(db: &mut Database, args: Args<'_>) -> Answer {
    let stream = db.again::<Stream>(args[1])?.ok_or(CommandError::NoSuchKey)?;
    let mut limits = stream.producers().limits();
    if args.len() == 2 {
        return Err(CommandError::text("ERR At least one parameter must be specified"));
    }
    let (mut has_duration, mut has_size) = (false, false);
    for option in args[2..].chunks(2) {
        let &[word, value] = option else { return Err(CommandError::Syntax) };
        if is(word, "idmp-duration") {
            limits.duration = setting("DURATION", (86_400, "seconds"), value, has_duration)?;
            has_duration = true;
        } else if is(word, "idmp-maxsize") {
            limits.max_size = setting("MAXSIZE", (10_000, "entries"), value, has_size)?;
            has_size = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    db.xcfgset(args[1], limits)?;
    Ok(Reply::OK)
}

/// Reads a value of `XCFGSET`.
fn setting(
    name: &str,
    (most, unit): (u64, &str),
    value: &[u8],
    known: bool,
) -> Result<u64, CommandError> {
    if known {
        return Err(CommandError::format(format!("ERR IDMP-{name} specified multiple times")));
    }
    let value = u64::try_from(integer(value)?).ok().filter(|value| (1..=most).contains(value));
    value.ok_or_else(|| {
        CommandError::format(format!("ERR IDMP-{name} must be between 1 and {most} {unit}"))
    })
}

/// `key producer name id`.
fn xidmprecord(db: &mut Database, args: Args<'_>) -> Answer {
    let entry = id(args[4])?;
    let named = Named { producer: args[2], name: args[3] };
    if named.producer.is_empty() {
        return Err(CommandError::text("ERR producer ID must be non-empty"));
    }
    if named.name.is_empty() {
        return Err(CommandError::text("ERR idempotent ID must be non-empty"));
    }
    db.xidmprecord(args[1], named, entry)?;
    Ok(Reply::OK)
}
