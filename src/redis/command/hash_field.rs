//! The commands on deadlines of hash fields.
//!
//! Each checks its arguments in the order of the version's server; `words` has the three ways in
//! which these are read.

mod words;

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::Unit;
use crate::redis::database::Database;
use crate::redis::database::{FieldDeadline, FieldExpiry, Ttl};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{Hash, Sds};
use crate::redis::version::{FieldSyntax, Versions};

const VERSIONS: Versions = Versions::WITH_FIELD_DEADLINES;
const LATER: Versions = Versions::REDIS_SINCE_8_0_VALKEY_9_1;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const HASH_FIELD: &'static [Command<S>] = &[
        database("hexpire", -6, WRITE | FAST, &["hash"], &[key(RW | UPDATE, 1)], "Set the time to live of hash fields in seconds.", hexpire).in_versions(VERSIONS),
        database("hexpireat", -6, WRITE | FAST, &["hash"], &[key(RW | UPDATE, 1)], "Set when hash fields end, as a UNIX timestamp in seconds.", hexpireat).in_versions(VERSIONS),
        database("hexpiretime", -5, READONLY | FAST, &["hash"], &[key(RO | ACCESS, 1)], "Get when hash fields end, as a UNIX timestamp in seconds.", hexpiretime).in_versions(VERSIONS),
        database("hgetdel", -5, WRITE | FAST, &["hash"], &[key(RW | ACCESS | DELETE, 1)], "Get the values of hash fields, and delete them.", hgetdel).in_versions(LATER),
        database("hgetex", -5, WRITE | FAST, &["hash"], &[key(RW | ACCESS | UPDATE, 1).noted("RW and UPDATE because it changes the TTL")], "Get the values of hash fields, and set when they end.", hgetex).in_versions(Versions::REDIS_SINCE_8_0),
        database("hgetex", -5, WRITE | FAST, &["hash"], &[key(RW | ACCESS | UPDATE, 1)], "Get the values of hash fields, and set when they end.", hgetex).in_versions(Versions::VALKEY_9_1),
        database("hpersist", -5, WRITE | FAST, &["hash"], &[key(RW | UPDATE, 1)], "Remove the deadlines of hash fields.", hpersist).in_versions(VERSIONS),
        database("hpexpire", -6, WRITE | FAST, &["hash"], &[key(RW | UPDATE, 1)], "Set the time to live of hash fields in milliseconds.", hpexpire).in_versions(VERSIONS),
        database("hpexpireat", -6, WRITE | FAST, &["hash"], &[key(RW | UPDATE, 1)], "Set when hash fields end, as a UNIX timestamp in milliseconds.", hpexpireat).in_versions(VERSIONS),
        database("hpexpiretime", -5, READONLY | FAST, &["hash"], &[key(RO | ACCESS, 1)], "Get when hash fields end, as a UNIX timestamp in milliseconds.", hpexpiretime).in_versions(VERSIONS),
        database("hpttl", -5, READONLY | FAST, &["hash"], &[key(RO | ACCESS, 1)], "Get the time to live of hash fields in milliseconds.", hpttl).tips(&["nondeterministic_output"]).in_versions(VERSIONS),
        database("hsetex", -6, WRITE | DENYOOM | FAST, &["hash"], &[key(RW | UPDATE, 1)], "Set hash fields, and when they end.", hsetex).in_versions(Versions::REDIS_SINCE_8_0),
        database("hsetex", -6, WRITE | DENYOOM | FAST, &["hash"], &[key(RW | INSERT, 1)], "Set hash fields, and when they end.", hsetex).in_versions(Versions::VALKEY_9_1),
        database("httl", -5, READONLY | FAST, &["hash"], &[key(RO | ACCESS, 1)], "Get the time to live of hash fields in seconds.", httl).tips(&["nondeterministic_output"]).in_versions(VERSIONS),
    ];
}

fn hexpire(db: &mut Database, args: Args<'_>) -> Answer {
    expire_in(db, args, Unit { seconds: true, absolute: false }, "hexpire")
}

fn hpexpire(db: &mut Database, args: Args<'_>) -> Answer {
    expire_in(db, args, Unit { seconds: false, absolute: false }, "hpexpire")
}

fn hexpireat(db: &mut Database, args: Args<'_>) -> Answer {
    expire_in(db, args, Unit { seconds: true, absolute: true }, "hexpireat")
}

fn hpexpireat(db: &mut Database, args: Args<'_>) -> Answer {
    expire_in(db, args, Unit { seconds: false, absolute: true }, "hpexpireat")
}

/// Returns whether the version looks at the arguments before it looks at the key's type.
fn words_first(db: &Database) -> bool {
    db.profile.fields.syntax == FieldSyntax::AfterOptions
}

/// Reads a time for a command of this name.
fn read_time(
    db: &Database,
    word: &[u8],
    unit: Unit,
    command: &'static str,
) -> Result<i64, CommandError> {
    words::time(word, unit, db.now_ms(), &db.profile.fields, command)
}

/// `key time [condition] FIELDS n field …`.
fn expire_in(db: &mut Database, args: Args<'_>, unit: Unit, command: &'static str) -> Answer {
    let read = |db: &Database| words::conditions(args, db.profile.fields.syntax);
    let (at, words) = if words_first(db) {
        let words = read(db)?;
        (read_time(db, args[2], unit, command)?, words)
    } else {
        db.check_type::<Hash>(args[1])?;
        (read_time(db, args[2], unit, command)?, read(db)?)
    };
    let (condition, fields) = words;
    let outcomes = db.hpexpireat(args[1], at, condition, fields)?;
    let reply = |outcome: FieldExpiry| Reply::Integer(outcome as i64);
    Ok(Reply::Array(outcomes.into_iter().map(reply).collect()))
}

/// The fields of a command without options: `key FIELDS n field …`.
fn fields<'a>(
    db: &mut Database,
    args: Args<'a>,
    command: words::Of,
) -> Result<&'a [&'a [u8]], CommandError> {
    if words_first(db) {
        return words::fields_at(args, 2, db.profile.fields.syntax, command);
    }
    db.check_type::<Hash>(args[1])?;
    words::fields_at(args, 2, db.profile.fields.syntax, command)
}

fn ttl_as(db: &mut Database, args: Args<'_>, tell: impl Fn(i64, i64) -> i64) -> Answer {
    let fields = fields(db, args, words::Of::Reading)?;
    let now = db.now_ms();
    let reply = |ttl| {
        Reply::Integer(match ttl {
            Ttl::NoKey => -2,
            Ttl::Persistent => -1,
            // Within a transaction that sleeps, a field may outlive its time.
            Ttl::At(at) => tell(at, now.min(at)),
        })
    };
    Ok(Reply::Array(db.hpexpiretime(args[1], fields)?.into_iter().map(reply).collect()))
}

/// The result is rounded up to a second.
fn httl(db: &mut Database, args: Args<'_>) -> Answer {
    ttl_as(db, args, |at, now| ((i128::from(at) - i128::from(now) + 999) / 1_000) as i64)
}

fn hpttl(db: &mut Database, args: Args<'_>) -> Answer {
    ttl_as(db, args, i64::saturating_sub)
}

fn hexpiretime(db: &mut Database, args: Args<'_>) -> Answer {
    ttl_as(db, args, |at, _| ((i128::from(at) + 999) / 1_000) as i64)
}

fn hpexpiretime(db: &mut Database, args: Args<'_>) -> Answer {
    ttl_as(db, args, |at, _| at)
}

fn hpersist(db: &mut Database, args: Args<'_>) -> Answer {
    let fields = fields(db, args, words::Of::Changing)?;
    let reply = |ttl| {
        Reply::Integer(match ttl {
            Ttl::NoKey => -2,
            Ttl::Persistent => -1,
            Ttl::At(_) => 1,
        })
    };
    Ok(Reply::Array(db.hpersist(args[1], fields)?.into_iter().map(reply).collect()))
}

fn values(values: &[Option<Sds>]) -> Reply {
    Reply::Array(values.iter().map(|value| Reply::bulk_or_nil(value.as_deref())).collect())
}

fn hgetdel(db: &mut Database, args: Args<'_>) -> Answer {
    let fields = fields(db, args, words::Of::Changing)?;
    Ok(values(&db.hgetdel(args[1], fields)?))
}

/// Returns the deadline that words ask for; `otherwise` without any.
fn deadline(
    db: &Database,
    read: &words::Read<'_>,
    otherwise: FieldDeadline,
    command: &'static str,
) -> Result<FieldDeadline, CommandError> {
    Ok(match read.deadline {
        None => otherwise,
        Some(words::Asked::Persist) => FieldDeadline::Removed,
        Some(words::Asked::KeepTtl) => FieldDeadline::Kept,
        Some(words::Asked::Read(at)) => FieldDeadline::At(at),
        Some(words::Asked::Time(word, unit)) => {
            FieldDeadline::At(read_time(db, word, unit, command)?)
        }
    })
}

/// `key [EX s | PX ms | EXAT time | PXAT time | PERSIST] FIELDS n field …`.
fn hgetex(db: &mut Database, args: Args<'_>) -> Answer {
    let (now, rules) = (db.now_ms(), &db.profile.fields);
    if !words_first(db) {
        db.check_type::<Hash>(args[1])?;
    }
    let read = words::options(args, words::GETEX, now, rules)?;
    db.check_type::<Hash>(args[1])?;
    let deadline = deadline(db, &read, FieldDeadline::Kept, "hgetex")?;
    Ok(values(&db.hgetex(args[1], read.words, deadline)?))
}

/// `key [FNX | FXX] [EX s | PX ms | EXAT time | PXAT time | KEEPTTL] FIELDS n field value …`;
/// Valkey also takes `NX` and `XX`.
fn hsetex(db: &mut Database, args: Args<'_>) -> Answer {
    let (now, rules) = (db.now_ms(), &db.profile.fields);
    let read = words::options(args, words::SETEX, now, rules)?;
    db.check_type::<Hash>(args[1])?;
    let exists = db.peek(args[1]).is_some();
    if read.condition.key_exists.is_some_and(|wanted| wanted != exists) {
        return Ok(Reply::Integer(0));
    }
    let deadline = deadline(db, &read, FieldDeadline::Removed, "hsetex")?;
    let (pairs, _) = read.words.as_chunks::<2>();
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|[field, value]| (*field, *value)).collect();
    Ok(Reply::flag(db.hsetex(args[1], &pairs, read.condition, deadline)?))
}
