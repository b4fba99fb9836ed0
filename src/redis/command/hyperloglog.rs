//! The commands on HyperLogLogs.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, range};
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{is, shown};
use crate::redis::database::Database;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::hyperloglog;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const HYPERLOGLOG: &'static [Command<S>] = &[
        database("pfadd", -2, WRITE | DENYOOM | FAST, &["hyperloglog"], &[key(RW | INSERT, 1)], "Adds the specified elements to the specified HyperLogLog.", pfadd),
        database("pfcount", -2, MAY_REPLICATE | READONLY, &["hyperloglog"], &[range(RW | ACCESS, 1, -1, 1).noted("RW because it may change the internal representation of the key, and propagate to replicas")], "Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).", pfcount),
        database("pfdebug", 3, WRITE | DENYOOM | ADMIN, &["hyperloglog"], &[key(RW | ACCESS, 2)], "Internal commands for debugging HyperLogLog values", pfdebug),
        database("pfmerge", -2, WRITE | DENYOOM, &["hyperloglog"], &[key(RW | ACCESS | INSERT, 1), range(RO | ACCESS, 2, -1, 1)], "Merge N different HyperLogLogs into a single one.", pfmerge),
        database("pfselftest", 1, ADMIN, &["hyperloglog"], &[], "An internal command for testing HyperLogLog values", pfselftest),
    ];
}

fn pfadd(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::flag(db.pfadd(args[1], &args[2..])?))
}

fn pfcount(db: &mut Database, args: Args<'_>) -> Answer {
    let estimate = match args {
        [_, key] => db.pfcount(key)?,
        _ => db.pfcount_union(&args[1..])?,
    };
    Ok(Reply::Integer(estimate as i64))
}

fn pfmerge(db: &mut Database, args: Args<'_>) -> Answer {
    db.pfmerge(args[1], &args[2..])?;
    Ok(Reply::OK)
}

/// `(GETREG | DECODE | ENCODING | TODENSE) key`. The key is checked first.
fn pfdebug(db: &mut Database, args: Args<'_>) -> Answer {
    let (what, key) = (args[1], args[2]);
    if is(what, "simd") && db.profile.arguments.pfdebug_takes_simd {
        return match (is(key, "on"), is(key, "off")) {
            (true, _) => Ok(Reply::status("enabled")),
            (_, true) => Ok(Reply::status("disabled")),
            _ => Err(CommandError::text("ERR Argument must be ON or OFF")),
        };
    }
    let bytes = db.existing_hyperloglog(key)?;
    if is(what, "getreg") {
        db.pf_make_dense(key)?;
        let registers = hyperloglog::registers(db.existing_hyperloglog(key)?)?;
        let registers = registers.iter().map(|count| Reply::Integer((*count).into()));
        Ok(Reply::Array(registers.collect()))
    } else if is(what, "decode") {
        let runs = hyperloglog::runs(bytes);
        let runs = runs.ok_or(CommandError::text("ERR HLL encoding is not sparse"))?;
        Ok(Reply::bulk(runs.as_bytes()))
    } else if is(what, "encoding") {
        let encoding = hyperloglog::encoding(bytes).map_or("", hyperloglog::Encoding::name);
        Ok(Reply::status(encoding))
    } else if is(what, "todense") {
        Ok(Reply::flag(db.pf_make_dense(key)?))
    } else {
        let what = shown(what);
        Err(CommandError::format(format!("ERR Unknown PFDEBUG subcommand '{what}'")))
    }
}

/// The tests that the real server makes here are this project's own.
fn pfselftest(_: &mut Database, _: Args<'_>) -> Answer {
    Ok(Reply::OK)
}
