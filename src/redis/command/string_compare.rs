//! `DELEX`, `DELIFEQ`, `DIGEST` and `MSETEX`: commands of later versions that compare a string, or
//! set several with one time to live.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, numbered_pairs};
use super::string::stored_expiry;
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{ExpiryWords, Pairs, is, pairs};
use crate::redis::database::{Comparison, Database, SetCondition, string_digest};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::number;
use crate::redis::version::{Comparisons, Versions};

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const STRING_COMPARE: &'static [Command<S>] = &[
        database("delex", -2, WRITE | FAST, &["string"], &[key(RW | DELETE | VARIABLE, 1)], "Conditionally removes the specified key based on value or hash digest comparison.", delex).in_versions(Versions::REDIS_8_6),
        database("delifeq", 3, WRITE | FAST, &["string"], &[key(RM | DELETE, 1)], "Delete key if value matches string.", delifeq).in_versions(Versions::VALKEY_9_1),
        database("digest", 2, READONLY | FAST, &["string"], &[key(RO | ACCESS, 1)], "Returns the XXH3 hash of a string value.", digest_of).in_versions(Versions::REDIS_8_6),
        database("msetex", -4, WRITE | DENYOOM | MOVABLEKEYS, &["string"], &[numbered_pairs(OW | UPDATE, 1)], "Atomically sets multiple string keys with a shared expiration in a single operation. Supports flexible argument parsing where condition and expiration flags can appear in any order.", msetex).in_versions(Versions::REDIS_8_6_VALKEY_9_1).tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]),
    ];
}

impl Comparisons {
    /// Returns the comparison that a word and its value make, if it is one in this version.
    pub(super) fn read<'a>(self, word: &[u8], value: Option<&'a [u8]>) -> Option<Comparison<'a>> {
        let value = value?;
        if is(word, "ifeq") && self.equal {
            return Some(Comparison::Equal(value));
        }
        if !self.others {
            return None;
        }
        match () {
            () if is(word, "ifne") => Some(Comparison::NotEqual(value)),
            () if is(word, "ifdeq") => Some(Comparison::DigestEqual(value)),
            () if is(word, "ifdne") => Some(Comparison::DigestNotEqual(value)),
            () => None,
        }
    }
}

/// `key [IFEQ | IFNE value | IFDEQ | IFDNE digest]`. The condition is only read if there is a
/// string.
fn delex(db: &mut Database, args: Args<'_>) -> Answer {
    let (word, value) = match args[2..] {
        [] => return Ok(Reply::flag(db.del(args[1]))),
        [word, value] => (word, value),
        _ => return Err(CommandError::Arity("delex".into())),
    };
    let comparison = db.profile.comparisons.read(word, Some(value));
    // One that no string can meet still looks the key up.
    let deleted = db.delex(args[1], comparison)?;
    Ok(Reply::flag(deleted))
}

/// `key value`.
fn delifeq(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::flag(db.delifeq(args[1], args[2])?))
}

/// `key`.
fn digest_of(db: &mut Database, args: Args<'_>) -> Answer {
    let digest = db.get(args[1])?.map(string_digest);
    Ok(digest.map_or(Reply::Nil, |digest| Reply::bulk(digest.as_bytes())))
}

/// Reads `numkeys key value …`. Returns the pairs, and the words after them.
fn numbered<'a>(args: Args<'a>, rules: Comparisons) -> Result<(Pairs<'a>, Args<'a>), CommandError> {
    let (number_error, pairs_error) = if rules.msetex_counts_pairs {
        ("ERR invalid numkeys value", "ERR wrong number of key-value pairs")
    } else {
        ("ERR invalid numkeys value or out of range", "ERR syntax error")
    };
    let number = number::parse_i64(args[1]).and_then(|keys| i32::try_from(keys).ok());
    let number = number.and_then(|keys| usize::try_from(keys).ok()).filter(|keys| *keys > 0);
    let end = number.ok_or(CommandError::text(number_error))?.saturating_mul(2).saturating_add(2);
    let words = args.get(2..end).ok_or(CommandError::text(pairs_error))?;
    Ok((pairs(words, 0, "msetex")?, &args[end..]))
}

/// `numkeys key value … [NX | XX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`, in any order.
fn msetex(db: &mut Database, args: Args<'_>) -> Answer {
    let (pairs, words) = numbered(args, db.profile.comparisons)?;
    let (mut condition, mut expiry) = (None, ExpiryWords::default());
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if is(word, "nx") && condition != Some(SetCondition::IfPresent) {
            condition = Some(SetCondition::IfAbsent);
        } else if is(word, "xx") && condition != Some(SetCondition::IfAbsent) {
            condition = Some(SetCondition::IfPresent);
        } else if !expiry.take(word, "keepttl", &mut rest)? {
            return Err(CommandError::Syntax);
        }
    }
    let expiry = stored_expiry(expiry, db.now_ms(), "msetex")?;
    Ok(Reply::flag(db.msetex(&pairs, condition, expiry)))
}
