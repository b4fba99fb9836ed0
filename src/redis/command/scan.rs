//! `SCAN`, `HSCAN`, `SSCAN` and `ZSCAN`.

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::{Answer, Args, Command, Rows, drawing};
use crate::choice::Stream;
use crate::redis::command::arguments::{integer, is};
use crate::redis::database::{Database, PageSize, glob, hash_page, set_page, sorted_set_page};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{Set, SortedSet, SortedSetEncoding, number};
use crate::redis::version::{Arguments, Numbers};

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const SCAN: &'static [Command<S>] = &[
        drawing("scan", -2, READONLY, &["keyspace"], &[], "Incrementally iterate the keys space", scan).tips(&["nondeterministic_output", "request_policy:special"]),
        drawing("hscan", -3, READONLY, &["hash"], &[key(RO | ACCESS, 1)], "Incrementally iterate hash fields and associated values", hscan).tips(&["nondeterministic_output"]),
        drawing("sscan", -3, READONLY, &["set"], &[key(RO | ACCESS, 1)], "Incrementally iterate Set elements", sscan).tips(&["nondeterministic_output"]),
        drawing("zscan", -3, READONLY, &["sortedset"], &[key(RO | ACCESS, 1)], "Incrementally iterate sorted sets elements and associated scores", zscan).tips(&["nondeterministic_output"]),
    ];
}

/// `[MATCH pattern] [COUNT n] [TYPE type]`. Only `SCAN` has `TYPE`.
struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    kind: Option<&'a [u8]>,
    without_values: bool,
}

/// The command whose options are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Keys,
    Fields,
    Scored,
    Others,
}

impl<'a> Options<'a> {
    fn parse(words: Args<'a>, of: Of, rules: &Arguments) -> Result<Options<'a>, CommandError> {
        let mut options = Options { pattern: None, count: 10, kind: None, without_values: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if is(word, "novalues") && rules.hscan_takes_novalues {
                if of != Of::Fields {
                    return Err(CommandError::text(
                        "ERR NOVALUES option can only be used in HSCAN",
                    ));
                }
                options.without_values = true;
                continue;
            }
            if is(word, "noscores") && rules.zscan_takes_noscores {
                if of != Of::Scored {
                    return Err(CommandError::text(
                        "ERR NOSCORES option can only be used in ZSCAN",
                    ));
                }
                options.without_values = true;
                continue;
            }
            let value = words.next().ok_or(CommandError::Syntax)?;
            if is(word, "count") {
                let count = usize::try_from(integer(value)?).unwrap_or(0);
                options.count = Some(count).filter(|n| *n > 0).ok_or(CommandError::Syntax)?;
            } else if is(word, "match") {
                options.pattern = Some(value);
            } else if is(word, "type") && of == Of::Keys {
                let exists = TYPES.iter().any(|name| is(value, name));
                if rules.scan_refuses_unknown_types && !exists {
                    let name = String::from_utf8_lossy(value);
                    return Err(CommandError::format(format!("ERR unknown type name '{name}'")));
                }
                options.kind = Some(value);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// Returns whether a name matches. `*` alone matches everything, also the empty name.
    fn passes(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|p| p == b"*" || glob::matches(p, name, false))
    }
}

/// The types of values, as `TYPE` names them.
const TYPES: [&str; 6] = ["string", "list", "set", "zset", "hash", "stream"];

/// Reads a cursor by the rules of the version: an unsigned number, or [`old_cursor`].
fn cursor(arg: &[u8], rules: &Arguments) -> Result<u64, CommandError> {
    if !rules.cursors_are_unsigned {
        return old_cursor(arg);
    }
    let text = arg.split(|byte| *byte == 0).next().unwrap_or_default();
    number::parse_u64(text).ok_or(CommandError::Cursor)
}

/// Reads a cursor as C's `strtoul` does, up to a NUL: no digits are 0, and a negative number wraps.
/// Redis accepts no leading spaces.
fn old_cursor(arg: &[u8]) -> Result<u64, CommandError> {
    let text = arg.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(0);
    }
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(CommandError::Cursor);
    }
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
    let number = number.ok_or(CommandError::Cursor)?;
    Ok(if negative { number.wrapping_neg() } else { number })
}

fn page(cursor: u64, items: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::bulk(cursor.to_string().as_bytes()), Reply::Array(items)])
}

/// Returns the selected database and, if page sizes are drawn, the stream to draw from.
fn db_and_pages<'a>(
    db: &'a mut Database,
    random: &'a mut Stream,
) -> (&'a mut Database, Option<&'a mut Stream>) {
    let random = db.uneven_pages.then_some(random);
    (db, random)
}

fn scan(db: &mut Database, random: &mut Stream, args: Args<'_>) -> Answer {
    let cursor = cursor(args[1], &db.profile.arguments)?;
    let options = Options::parse(&args[2..], Of::Keys, &db.profile.arguments)?;
    let (db, random) = db_and_pages(db, random);
    let size = PageSize { count: options.count, random };
    let found = db.scan_matching(cursor, size, |name| options.passes(name), options.kind);
    Ok(page(found.cursor, found.items.iter().map(|name| Reply::bulk(name)).collect()))
}

fn hscan(db: &mut Database, random: &mut Stream, args: Args<'_>) -> Answer {
    let cursor = cursor(args[2], &db.profile.arguments)?;
    let (db, random) = db_and_pages(db, random);
    // A missing key ends the scan before the options are checked.
    let rules = &db.profile.arguments;
    let (now, hash) = db.live_hash(args[1], &[])?;
    let Some(hash) = hash else { return Ok(page(0, Vec::new())) };
    let options = Options::parse(&args[3..], Of::Fields, rules)?;
    let found = hash_page(hash, cursor, PageSize { count: options.count, random });
    let live = found.items.iter().filter(|(field, _)| !hash.is_due(field, now));
    let passing = live.filter(|(field, _)| options.passes(field));
    if options.without_values {
        return Ok(page(found.cursor, passing.map(|(field, _)| Reply::bulk(field)).collect()));
    }
    let items = passing.flat_map(|(field, value)| [Reply::bulk(field), Reply::bulk(value)]);
    Ok(page(found.cursor, items.collect()))
}

fn sscan(db: &mut Database, random: &mut Stream, args: Args<'_>) -> Answer {
    let cursor = cursor(args[2], &db.profile.arguments)?;
    let (db, random) = db_and_pages(db, random);
    let rules = &db.profile.arguments;
    let Some(set) = db.read::<Set>(args[1])? else { return Ok(page(0, Vec::new())) };
    let options = Options::parse(&args[3..], Of::Others, rules)?;
    let found = set_page(set, cursor, PageSize { count: options.count, random });
    let passing = found.items.iter().filter(|member| options.passes(member));
    Ok(page(found.cursor, passing.map(|member| Reply::bulk(member)).collect()))
}

/// Scores are strings in either protocol.
fn zscan(db: &mut Database, random: &mut Stream, args: Args<'_>) -> Answer {
    let cursor = cursor(args[2], &db.profile.arguments)?;
    let numbers = db.profile.numbers;
    let (db, random) = db_and_pages(db, random);
    let rules = &db.profile.arguments;
    let Some(set) = db.read::<SortedSet>(args[1])? else { return Ok(page(0, Vec::new())) };
    let options = Options::parse(&args[3..], Of::Scored, rules)?;
    let packed = set.encoding() == SortedSetEncoding::Listpack;
    let found = sorted_set_page(set, cursor, PageSize { count: options.count, random });
    let passing = found.items.iter().filter(|(member, _)| options.passes(member));
    if options.without_values {
        return Ok(page(found.cursor, passing.map(|(member, _)| Reply::bulk(member)).collect()));
    }
    let items = passing.flat_map(|(member, score)| {
        [Reply::bulk(member), Reply::bulk(&score_text(*score, packed, numbers))]
    });
    Ok(page(found.cursor, items.collect()))
}

/// Returns a score as it is stored: a listpack stores whole numbers as integers, with all their
/// digits.
fn score_text(score: f64, packed: bool, numbers: Numbers) -> number::Text {
    const MOST: f64 = (i64::MAX / 2) as f64;
    if packed && score.abs() <= MOST && score.fract() == 0.0 {
        number::format_i64(score as i64)
    } else if packed {
        number::format_score(score, numbers)
    } else {
        number::format_double(score)
    }
}
