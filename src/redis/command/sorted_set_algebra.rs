//! `ZUNION`, `ZINTER`, `ZDIFF`, and the commands that store or count their results.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, numbered};
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{double, integer, is, limit, scored};
use crate::redis::database::Database;
use crate::redis::database::{Aggregate, Combination};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use crate::redis::version::Arguments;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const SORTED_SET_ALGEBRA: &'static [Command<S>] = &[
        database("zdiff", -3, READONLY | MOVABLEKEYS, &["sortedset"], &[numbered(RO | ACCESS, 1)], "Subtract multiple sorted sets", zdiff),
        database("zdiffstore", -4, WRITE | DENYOOM | MOVABLEKEYS, &["sortedset"], &[key(OW | UPDATE, 1), numbered(RO | ACCESS, 2)], "Subtract multiple sorted sets and store the resulting sorted set in a new key", zdiffstore),
        database("zinter", -3, READONLY | MOVABLEKEYS, &["sortedset"], &[numbered(RO | ACCESS, 1)], "Intersect multiple sorted sets", zinter),
        database("zintercard", -3, READONLY | MOVABLEKEYS, &["sortedset"], &[numbered(RO | ACCESS, 1)], "Intersect multiple sorted sets and return the cardinality of the result", zintercard),
        database("zinterstore", -4, WRITE | DENYOOM | MOVABLEKEYS, &["sortedset"], &[key(OW | UPDATE, 1), numbered(RO | ACCESS, 2)], "Intersect multiple sorted sets and store the resulting sorted set in a new key", zinterstore),
        database("zunion", -3, READONLY | MOVABLEKEYS, &["sortedset"], &[numbered(RO | ACCESS, 1)], "Add multiple sorted sets", zunion),
        database("zunionstore", -4, WRITE | DENYOOM | MOVABLEKEYS, &["sortedset"], &[key(OW | UPDATE, 1), numbered(RO | ACCESS, 2)], "Add multiple sorted sets and store the resulting sorted set in a new key", zunionstore),
    ];
}

/// Returns the keys, whose number is at `at`, and the position after them.
fn keys<'a>(
    args: Args<'a>,
    at: usize,
    command: &'static str,
) -> Result<(Args<'a>, usize), CommandError> {
    let n = integer(args[at])?;
    if n < 1 {
        return Err(CommandError::NoInputKeys(command));
    }
    let end = usize::try_from(n).ok().and_then(|n| n.checked_add(at + 1));
    let end = end.filter(|end| *end <= args.len()).ok_or(CommandError::Syntax)?;
    Ok((&args[at + 1..end], end))
}

/// The options after the keys.
struct Options {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl Options {
    /// `[WEIGHTS weight …] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`. A difference has neither of
    /// the first two; the storing commands do not have the last.
    fn parse(
        mut rest: Args<'_>,
        keys: usize,
        combination: Combination,
        store: bool,
        rules: &Arguments,
    ) -> Result<Options, CommandError> {
        let mut options =
            Options { weights: Vec::new(), aggregate: Aggregate::Sum, with_scores: false };
        let weighted = combination != Combination::Difference;
        while let [word, after @ ..] = rest {
            rest = match after {
                after if weighted && after.len() >= keys && is(word, "weights") => {
                    let not_a_weight = CommandError::text("ERR weight value is not a float");
                    let weights = after[..keys].iter().map(|word| double(word, rules));
                    options.weights = weights.collect::<Option<_>>().ok_or(not_a_weight)?;
                    &after[keys..]
                }
                [how, after @ ..] if weighted && is(word, "aggregate") => {
                    options.aggregate = match () {
                        () if is(how, "sum") => Aggregate::Sum,
                        () if is(how, "min") => Aggregate::Min,
                        () if is(how, "max") => Aggregate::Max,
                        () => return Err(CommandError::Syntax),
                    };
                    after
                }
                after if !store && is(word, "withscores") => {
                    options.with_scores = true;
                    after
                }
                _ => return Err(CommandError::Syntax),
            };
        }
        Ok(options)
    }
}

/// Returns the members of a combination. The number of keys is at `at`.
fn combined(
    db: &mut Database,
    args: Args<'_>,
    at: usize,
    combination: Combination,
    command: &'static str,
) -> Result<(Vec<(Sds, f64)>, bool), CommandError> {
    let (keys, after) = keys(args, at, command)?;
    let sources = db.zsources(keys)?;
    let rules = &db.profile.arguments;
    let options = Options::parse(&args[after..], keys.len(), combination, at == 2, rules)?;
    let members = sources.combine(combination, &options.weights, options.aggregate);
    Ok((members, options.with_scores))
}

fn answer(
    db: &mut Database,
    args: Args<'_>,
    combination: Combination,
    command: &'static str,
) -> Answer {
    let (members, with_scores) = combined(db, args, 1, combination, command)?;
    Ok(scored(&members, with_scores))
}

fn store(
    db: &mut Database,
    args: Args<'_>,
    combination: Combination,
    command: &'static str,
) -> Answer {
    let (members, _) = combined(db, args, 2, combination, command)?;
    Ok(Reply::count(db.zstore(args[1], combination, members)))
}

fn zunion(db: &mut Database, args: Args<'_>) -> Answer {
    answer(db, args, Combination::Union, "zunion")
}

fn zinter(db: &mut Database, args: Args<'_>) -> Answer {
    answer(db, args, Combination::Intersection, "zinter")
}

fn zdiff(db: &mut Database, args: Args<'_>) -> Answer {
    answer(db, args, Combination::Difference, "zdiff")
}

fn zunionstore(db: &mut Database, args: Args<'_>) -> Answer {
    store(db, args, Combination::Union, "zunionstore")
}

fn zinterstore(db: &mut Database, args: Args<'_>) -> Answer {
    store(db, args, Combination::Intersection, "zinterstore")
}

fn zdiffstore(db: &mut Database, args: Args<'_>) -> Answer {
    store(db, args, Combination::Difference, "zdiffstore")
}

/// `numkeys key … [LIMIT limit]`. A limit of 0 is unlimited.
fn zintercard(db: &mut Database, args: Args<'_>) -> Answer {
    let (keys, after) = keys(args, 1, "zintercard")?;
    let sources = db.zsources(keys)?;
    let limit = limit(&args[after..])?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    Ok(Reply::count(sources.intersection_len(limit)))
}
