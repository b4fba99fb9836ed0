//! The words of `SORT` and `SORT_RO`, and their answer. The rows are in `server/command/sort.rs`.

use super::{Answer, Args};
use crate::redis::command::arguments::{integer, is};
use crate::redis::database::Database;
use crate::redis::database::{SortBy, SortOptions};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;

/// `[BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA]
/// [STORE destination]`.
fn parse<'a>(
    args: Args<'a>,
    read_only: bool,
    reads_all_keys: bool,
) -> Result<(SortOptions, Option<&'a [u8]>), CommandError> {
    let mut sort = SortOptions::default();
    let mut store = None;
    let mut rest = &args[2..];
    while let [word, after @ ..] = rest {
        rest = match after {
            after if is(word, "asc") => {
                sort.descending = false;
                after
            }
            after if is(word, "desc") => {
                sort.descending = true;
                after
            }
            after if is(word, "alpha") => {
                sort.alpha = true;
                after
            }
            [offset, count, after @ ..] if is(word, "limit") => {
                sort.limit = Some((integer(offset)?, integer(count)?));
                after
            }
            [pattern, after @ ..] if is(word, "by") => {
                let varies = pattern.contains(&b'*');
                if varies && !reads_all_keys {
                    return Err(CommandError::text(
                        "ERR BY option of SORT denied due to insufficient ACL permissions.",
                    ));
                }
                sort.by = if varies { SortBy::Pattern(Sds::new(pattern)) } else { SortBy::Nothing };
                after
            }
            [pattern, after @ ..] if is(word, "get") => {
                if !reads_all_keys {
                    return Err(CommandError::text(
                        "ERR GET option of SORT denied due to insufficient ACL permissions.",
                    ));
                }
                sort.get.push(Sds::new(pattern));
                after
            }
            [destination, after @ ..] if is(word, "store") && !read_only => {
                store = Some(*destination);
                after
            }
            _ => return Err(CommandError::Syntax),
        };
    }
    Ok((sort, store))
}

/// Returns the error of a user who may not read every key, if the request has options for that or
/// an error before them.
pub(crate) fn check_without_all_keys(args: Args<'_>, read_only: bool) -> Result<(), CommandError> {
    parse(args, read_only, false).map(|_| ())
}

/// Runs the command. A script gets a set in order, even if nothing is to be sorted by.
pub(crate) fn run(db: &mut Database, args: Args<'_>, read_only: bool, for_script: bool) -> Answer {
    let (sort, store) = parse(args, read_only, true)?;
    if let Some(destination) = store {
        return Ok(Reply::count(db.sort_store(args[1], &sort, destination)?));
    }
    let sorted = db.sort_for(args[1], &sort, for_script)?;
    Ok(Reply::Array(sorted.iter().map(|item| Reply::bulk_or_nil(item.as_deref())).collect()))
}
