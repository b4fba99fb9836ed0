//! The commands on times to live.

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{Unit, integer, is, shown};
use crate::redis::database::Database;
use crate::redis::database::{ExpireCondition, Ttl};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const EXPIRY: &'static [Command<S>] = &[
        database("expire", -3, WRITE | FAST, &["keyspace"], &[key(RW | UPDATE, 1)], "Set a key's time to live in seconds", expire),
        database("expireat", -3, WRITE | FAST, &["keyspace"], &[key(RW | UPDATE, 1)], "Set the expiration for a key as a UNIX timestamp", expireat),
        database("expiretime", 2, READONLY | FAST, &["keyspace"], &[key(RO | ACCESS, 1)], "Get the expiration Unix timestamp for a key", expiretime),
        database("persist", 2, WRITE | FAST, &["keyspace"], &[key(RW | UPDATE, 1)], "Remove the expiration from a key", persist),
        database("pexpire", -3, WRITE | FAST, &["keyspace"], &[key(RW | UPDATE, 1)], "Set a key's time to live in milliseconds", pexpire),
        database("pexpireat", -3, WRITE | FAST, &["keyspace"], &[key(RW | UPDATE, 1)], "Set the expiration for a key as a UNIX timestamp specified in milliseconds", pexpireat),
        database("pexpiretime", 2, READONLY | FAST, &["keyspace"], &[key(RO | ACCESS, 1)], "Get the expiration Unix timestamp for a key in milliseconds", pexpiretime),
        database("pttl", 2, READONLY | FAST, &["keyspace"], &[key(RO | ACCESS, 1)], "Get the time to live for a key in milliseconds", pttl).tips(&["nondeterministic_output"]),
        database("ttl", 2, READONLY | FAST, &["keyspace"], &[key(RO | ACCESS, 1)], "Get the time to live for a key in seconds", ttl).tips(&["nondeterministic_output"]),
    ];
}

fn expire(db: &mut Database, args: Args<'_>) -> Answer {
    expire_in(db, args, Unit { seconds: true, absolute: false }, "expire")
}

fn pexpire(db: &mut Database, args: Args<'_>) -> Answer {
    expire_in(db, args, Unit { seconds: false, absolute: false }, "pexpire")
}

fn expireat(db: &mut Database, args: Args<'_>) -> Answer {
    expire_in(db, args, Unit { seconds: true, absolute: true }, "expireat")
}

fn pexpireat(db: &mut Database, args: Args<'_>) -> Answer {
    expire_in(db, args, Unit { seconds: false, absolute: true }, "pexpireat")
}

/// `key time [NX | XX | GT | LT]`. Unlike in `SET`, the time may be in the past.
fn expire_in(db: &mut Database, args: Args<'_>, unit: Unit, command: &'static str) -> Answer {
    let condition = condition(&args[3..])?;
    let n = integer(args[2])?;
    let at = unit.millis(n, db.now_ms()).ok_or(CommandError::InvalidExpire(command))?;
    Ok(Reply::flag(db.pexpireat(args[1], at, condition)))
}

pub(super) fn condition(words: Args<'_>) -> Result<ExpireCondition, CommandError> {
    let mut condition = ExpireCondition::default();
    for word in words {
        if is(word, "nx") {
            condition.if_none = true;
        } else if is(word, "xx") {
            condition.if_some = true;
        } else if is(word, "gt") {
            condition.if_later = true;
        } else if is(word, "lt") {
            condition.if_sooner = true;
        } else {
            let word = shown(word);
            return Err(CommandError::format(format!("ERR Unsupported option {word}")));
        }
    }
    let ExpireCondition { if_none, if_some, if_later, if_sooner } = condition;
    if if_none && (if_some || if_later || if_sooner) {
        return Err(CommandError::text(
            "ERR NX and XX, GT or LT options at the same time are not compatible",
        ));
    }
    if if_later && if_sooner {
        return Err(CommandError::text(
            "ERR GT and LT options at the same time are not compatible",
        ));
    }
    Ok(condition)
}

fn persist(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::flag(db.persist(args[1])))
}

/// Returns -2 without a key, and -1 without a time to live.
fn ttl_as(db: &mut Database, args: Args<'_>, tell: impl FnOnce(i64, i64) -> i64) -> Answer {
    Ok(Reply::Integer(match db.ttl(args[1]) {
        Ttl::NoKey => -2,
        Ttl::Persistent => -1,
        // Within a transaction that sleeps, a key may outlive its time.
        Ttl::At(at) => tell(at, db.now_ms().min(at)),
    }))
}

/// The result is rounded to the nearest second, as in Redis.
fn ttl(db: &mut Database, args: Args<'_>) -> Answer {
    ttl_as(db, args, |at, now| ((i128::from(at) - i128::from(now) + 500) / 1_000) as i64)
}

fn pttl(db: &mut Database, args: Args<'_>) -> Answer {
    ttl_as(db, args, i64::saturating_sub)
}

fn expiretime(db: &mut Database, args: Args<'_>) -> Answer {
    ttl_as(db, args, |at, _| ((i128::from(at) + 500) / 1_000) as i64)
}

fn pexpiretime(db: &mut Database, args: Args<'_>) -> Answer {
    ttl_as(db, args, |at, _| at)
}
