//! `LCS`: the longest common subsequence of two strings.

use super::flag::*;
use super::key_spec::range;
use super::key_spec::usage::*;
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{integer, is};
use crate::redis::database::Database;
use crate::redis::database::LcsMatch;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const LCS: &'static [Command<S>] = &[
        database("lcs", -3, READONLY, &["string"], &[range(RO | ACCESS, 1, 1, 1)], "Find longest common substring", lcs),
    ];
}

#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: usize,
}

/// `key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]`. The types of the values are checked
/// before the options.
fn lcs(db: &mut Database, args: Args<'_>) -> Answer {
    let (a, b, db) = (args[1], args[2], db);
    let options = match options(&args[3..]) {
        Ok(options) => options,
        Err(error) => {
            db.lcs_strings(a, b)?;
            return Err(error);
        }
    };
    if options.len {
        return Ok(Reply::count(db.lcs_len(a, b)?));
    }
    let lcs = db.lcs(a, b)?;
    if !options.idx {
        return Ok(Reply::Bulk(lcs.bytes.into()));
    }
    let long_enough = |piece: &&LcsMatch| piece.a.len() >= options.min_match_len;
    let pieces = lcs.matches.iter().filter(long_enough);
    let pieces = pieces.map(|piece| reply_of(piece, options.with_match_len)).collect();
    Ok(Reply::Map(vec![
        (Reply::bulk(b"matches"), Reply::Array(pieces)),
        (Reply::bulk(b"len"), Reply::count(lcs.bytes.len())),
    ]))
}

fn options(args: Args<'_>) -> Result<Options, CommandError> {
    let mut options = Options::default();
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        if is(word, "len") {
            options.len = true;
        } else if is(word, "idx") {
            options.idx = true;
        } else if is(word, "withmatchlen") {
            options.with_match_len = true;
        } else if is(word, "minmatchlen") {
            let n = integer(rest.next().ok_or(CommandError::Syntax)?)?;
            options.min_match_len = usize::try_from(n).unwrap_or(0);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if options.len && options.idx {
        return Err(CommandError::text(
            "ERR If you want both the length and indexes, please just use IDX.",
        ));
    }
    Ok(options)
}

/// Returns the first and last positions of a match in either string, and on request its length.
fn reply_of(piece: &LcsMatch, with_len: bool) -> Reply {
    let span = |range: &std::ops::Range<usize>| {
        Reply::Array(vec![Reply::count(range.start), Reply::count(range.end - 1)])
    };
    let mut parts = vec![span(&piece.a), span(&piece.b)];
    if with_len {
        parts.push(Reply::count(piece.a.len()));
    }
    Reply::Array(parts)
}
