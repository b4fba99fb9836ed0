//! The commands that move values as bytes: `DUMP`, `RESTORE`, and `MIGRATE`, which never reaches
//! another server here.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{after, key};
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{integer, is};
use crate::redis::database::{Database, RestoreOptions};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const DUMP: &'static [Command<S>] = &[
        database("dump", 2, READONLY, &["keyspace"], &[key(RO | ACCESS, 1)], "Return a serialized version of the value stored at the specified key.", dump).tips(&["nondeterministic_output"]),
        database("migrate", -6, WRITE | MOVABLEKEYS, &["keyspace", "dangerous"], &[key(RW | ACCESS | DELETE, 3), after(RW | ACCESS | DELETE | INCOMPLETE, "KEYS", -2, -1)], "Atomically transfer a key from a Redis instance to another one.", migrate).tips(&["nondeterministic_output"]),
        database("restore", -4, WRITE | DENYOOM, &["keyspace", "dangerous"], &[key(OW | UPDATE, 1)], "Create a key using the provided serialized value, previously obtained using DUMP.", restore),
        database("restore-asking", -4, WRITE | DENYOOM | ASKING, &["keyspace", "dangerous"], &[key(OW | UPDATE, 1)], "An internal command for migrating keys in a cluster", restore),
    ];
}

fn dump(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(db.dump(args[1]).map_or(Reply::Nil, |payload| Reply::Bulk(payload.into())))
}

/// `key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds | FREQ frequency]`.
/// The checks come in the server's order.
fn restore(db: &mut Database, args: Args<'_>) -> Answer {
    let mut options = RestoreOptions::default();
    let mut absolute = false;
    let mut words = &args[4..];
    while let [word, rest @ ..] = words {
        words = rest;
        if is(word, "replace") {
            options.replace = true;
        } else if is(word, "absttl") {
            absolute = true;
        } else if is(word, "idletime") && !rest.is_empty() && options.frequency.is_none() {
            let idle = u64::try_from(integer(rest[0])?)
                .map_err(|_| CommandError::text("ERR Invalid IDLETIME value, must be >= 0"))?;
            options.idle = Some(idle);
            words = &rest[1..];
        } else if is(word, "freq") && !rest.is_empty() && options.idle.is_none() {
            let frequency = u8::try_from(integer(rest[0])?).map_err(|_| {
                CommandError::text("ERR Invalid FREQ value, must be >= 0 and <= 255")
            })?;
            options.frequency = Some(frequency);
            words = &rest[1..];
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if !options.replace {
        db.check_not_busy(args[1])?;
    }
    let ttl = integer(args[2])?;
    if ttl < 0 {
        return Err(CommandError::text("ERR Invalid TTL value, must be >= 0"));
    }
    // A time beyond the range of the calendar is before it, as in Redis.
    let at = if absolute { ttl } else { ttl.wrapping_add(db.now_ms()) };
    options.expires_at = (ttl > 0).then_some(at);
    db.restore(args[1], args[3], options)?;
    Ok(Reply::OK)
}

/// `host port (key | "") database timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password]
/// [KEYS key …]`. No other server can be reached.
fn migrate(db: &mut Database, args: Args<'_>) -> Answer {
    let mut keys = &args[3..4];
    let mut words = &args[6..];
    while let [word, rest @ ..] = words {
        let arguments = usize::from(is(word, "auth")) + 2 * usize::from(is(word, "auth2"));
        if is(word, "keys") {
            if !args[3].is_empty() {
                return Err(CommandError::text(
                    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty \
                     string",
                ));
            }
            keys = rest;
            break;
        }
        if arguments == 0 && !is(word, "copy") && !is(word, "replace") {
            return Err(CommandError::Syntax);
        }
        words = rest.get(arguments..).ok_or(CommandError::Syntax)?;
    }
    integer(args[5])?;
    integer(args[4])?;
    let found = keys.iter().filter(|key| db.touch_key(key)).count();
    if found == 0 {
        return Ok(Reply::status("NOKEY"));
    }
    // Nothing listens at any address, and no name is known.
    let host = std::str::from_utf8(args[1]).unwrap_or_default();
    let known = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok();
    Err(CommandError::text(if known {
        "IOERR error or timeout writing to target instance"
    } else {
        "IOERR error or timeout connecting to the client"
    }))
}
