//! `DEBUG`: the subcommands that tests use. The others are unknown, as on a server of another
//! version.

use super::{Flow, Row};
use crate::redis::command::arguments::{integer, is, shown};
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, Origin, flow, wrong_subcommand};
use crate::redis::database::keyspace::Keyspace;
use crate::redis::database::{Database, digest, memory};
use crate::redis::error::CommandError;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::server::Server;
use crate::redis::value::{StringValue, Value, number};
use smol_str::SmolStr;
use std::time::Duration;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    flow("debug", -2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "A container for debugging commands", debug),
];

/// The needs of a subcommand, and the function that runs it.
enum Run {
    /// Nothing. It changes nothing.
    Alone(fn(Args<'_>) -> Answer),
    /// The selected database.
    Database(fn(&mut Database, Args<'_>) -> Answer),
    /// The server.
    Server(fn(&mut Server, Args<'_>) -> Answer),
    /// The server and the caller. It may answer later, or answers by itself.
    Flow(fn(&mut Server, Caller, Args<'_>) -> Flow),
}

/// A subcommand: its name, least and greatest number of arguments, usage, summary and function.
struct Debug {
    name: &'static str,
    arguments: (usize, usize),
    usage: &'static str,
    summary: &'static str,
    run: Run,
}

const fn row(
    name: &'static str,
    arguments: (usize, usize),
    usage: &'static str,
    summary: &'static str,
    run: Run,
) -> Debug {
    Debug { name, arguments, usage, summary, run }
}

const ANY: usize = usize::MAX;

#[rustfmt::skip]
const SUBCOMMANDS: &[Debug] = &[
    row("change-repl-id", (0, 0), "", "Has no effect here", Run::Alone(ok)),
    row("digest", (0, 0), "", "Returns the real server's digest of all keys and values", Run::Server(digest)),
    row("digest-value", (0, ANY), " <key> [<key> ...]", "Returns the real server's digest of each of these values", Run::Database(digest_value)),
    row("error", (1, 1), " <string>", "Returns an error with this text", Run::Alone(error)),
    row("help", (0, 0), "", "Returns this text", Run::Alone(help)),
    row("htstats", (1, 1), " <dbid>", "Returns statistics of a database's hash tables, in which no two keys share a slot", Run::Server(htstats)),
    row("loadaof", (0, 0), "", "Reads the append-only file again, if there is one", Run::Server(loadaof)),
    row("log", (1, 1), " <message>", "Has no effect here", Run::Alone(ok)),
    row("object", (1, 1), " <key>", "Returns how a value is stored", Run::Database(object)),
    row("pause-cron", (1, 1), " <0|1>", "Stops everything that happens by itself: expiry and save points", Run::Server(pause_cron)),
    row("populate", (1, 3), " <count> [<prefix>] [<size>]", "Adds keys", Run::Database(populate)),
    row("protocol", (1, 1), " <type>", "Returns a value of this kind", Run::Flow(protocol)),
    row("quicklist-packed-threshold", (1, 1), " <size>", "Has no effect here", Run::Alone(packed_threshold)),
    row("reload", (0, ANY), " [MERGE] [NOFLUSH] [NOSAVE]", "Saves the keys and reads them again", Run::Server(reload)),
    row("replybuffer", (2, 2), " PEAK-RESET-TIME|RESIZING <value>", "Has no effect here", Run::Alone(replybuffer)),
    row("sdslen", (1, 1), " <key>", "Returns the sizes of a key and its text, without slack", Run::Database(sdslen)),
    row("set-active-expire", (1, 1), " <0|1>", "Sets whether keys expire without being looked up", Run::Server(set_active_expire)),
    row("sleep", (1, 1), " <seconds>", "Serves nobody for this long", Run::Flow(sleep)),
];

fn debug(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let arguments = args.len() - 2;
    let called = |row: &&Debug| {
        let (least, most) = row.arguments;
        is(args[1], row.name) && (least..=most).contains(&arguments)
    };
    match SUBCOMMANDS.iter().find(called) {
        Some(row) => match row.run {
            Run::Alone(run) => run(args).map(Some),
            Run::Database(run) => run(&mut server.databases[caller.database], args).map(Some),
            Run::Server(run) => run(server, args).map(Some),
            Run::Flow(run) => run(server, caller, args),
        },
        None => Err(wrong_subcommand(args, "DEBUG")),
    }
}

fn ok(_: Args<'_>) -> Answer {
    Ok(Reply::OK)
}

/// The reply is an error, but the call has not failed.
fn error(args: Args<'_>) -> Answer {
    Ok(CommandError::format(shown(args[2])).into())
}

fn help(_: Args<'_>) -> Answer {
    let title = "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:".to_owned();
    let rows = SUBCOMMANDS.iter().flat_map(|row| {
        [format!("{}{}", row.name.to_uppercase(), row.usage), format!("    {}.", row.summary)]
    });
    let line = |line: String| Reply::Simple(SmolStr::new(line));
    Ok(Reply::Array(std::iter::once(title).chain(rows).map(line).collect()))
}

/// Nobody is served for this many seconds; then the command is answered.
fn sleep(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    // Like C's `strtod`, text that is not a number is 0.
    let seconds = std::str::from_utf8(args[2]).ok().and_then(|text| text.parse::<f64>().ok());
    let seconds = seconds.filter(|s| s.is_finite() && *s > 0.0).unwrap_or(0.0);
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    // An operator's command takes no time.
    if duration.is_zero() || caller.origin == Origin::Operator {
        return Ok(Some(Reply::OK));
    }
    let until = server.now + duration;
    server.fall_asleep(caller.client, until);
    // Within a transaction, this is one of its replies.
    Ok((caller.origin == Origin::Exec).then_some(Reply::OK))
}

/// The key may have expired, as long as it is stored.
fn object(db: &mut Database, args: Args<'_>) -> Answer {
    let entry = db.stored(args[2]).ok_or(CommandError::NoSuchKey)?;
    let encoding = entry.value.encoding_name();
    let idle = db.idle_secs(entry);
    Ok(Reply::Simple(SmolStr::new(format!(
        "Value at:0x7f0000000000 refcount:1 encoding:{encoding} serializedlength:0 lru:{} \
         lru_seconds_idle:{idle}",
        entry.clock,
    ))))
}

fn sdslen(db: &mut Database, args: Args<'_>) -> Answer {
    let entry = db.stored(args[2]).ok_or(CommandError::NoSuchKey)?;
    let no_text = CommandError::text("ERR Not an sds encoded string.");
    let (Value::String(value), Some((key_takes, value_takes))) =
        (&entry.value, memory::texts(args[2], &entry.value))
    else {
        return Err(no_text);
    };
    Ok(Reply::Simple(SmolStr::new(format!(
        "key_sds_len:{}, key_sds_avail:0, key_zmalloc: {key_takes}, val_sds_len:{}, \
         val_sds_avail:0, val_zmalloc: {value_takes}",
        args[2].len(),
        value.len(),
    ))))
}

fn digest(server: &mut Server, _: Args<'_>) -> Answer {
    let mut all = digest::NONE;
    for (number, database) in server.databases.iter().enumerate() {
        digest::mix_database(&mut all, number, &database.keyspace);
    }
    Ok(Reply::Simple(SmolStr::new(digest::hex(&all))))
}

/// The keys may have expired, as long as they are stored.
fn digest_value(db: &mut Database, args: Args<'_>) -> Answer {
    let of = |key: &&[u8]| {
        let digest = db.stored(key).map_or(digest::NONE, digest::of_entry);
        Reply::Simple(SmolStr::new(digest::hex(&digest)))
    };
    Ok(Reply::Array(args[2..].iter().map(of).collect()))
}

/// Describes a hash table in which no two keys share a slot.
fn table_stats(title: &str, len: usize) -> String {
    let head = format!("[{title} HT]\nHash table 0 stats (main hash table):\n");
    if len == 0 {
        return head + "No stats available for empty dictionaries\n";
    }
    let size = len.next_power_of_two().max(4);
    let share = |n: usize| n as f64 * 100.0 / size as f64;
    let mut chains = String::new();
    for (length, slots) in [(0, size - len), (1, len)] {
        if slots > 0 {
            chains += &format!("   {length}: {slots} ({:.02}%)\n", share(slots));
        }
    }
    format!(
        "{head} table size: {size}\n number of elements: {len}\n different slots: {len}\n \
         max chain length: 1\n avg chain length (counted): 1.00\n \
         avg chain length (computed): 1.00\n Chain length distribution:\n{chains}"
    )
}

fn htstats(server: &mut Server, args: Args<'_>) -> Answer {
    let number = usize::try_from(integer(args[2])?).ok();
    let database = number.and_then(|number| server.databases.get(number));
    let database = database.ok_or(CommandError::text("ERR Out of range database"))?;
    let keys = table_stats("Dictionary", database.len());
    let text = keys + &table_stats("Expires", database.expiring());
    Ok(Reply::Verbatim("txt".into(), text.into()))
}

/// Reads a number as C's `atoi` does: text that is not a number is 0.
fn is_on(arg: &[u8]) -> bool {
    integer(arg).unwrap_or(0) != 0
}

fn set_active_expire(server: &mut Server, args: Args<'_>) -> Answer {
    let on = is_on(args[2]);
    server.databases.iter_mut().for_each(|database| database.set_active_expiry(on));
    Ok(Reply::OK)
}

fn pause_cron(server: &mut Server, args: Args<'_>) -> Answer {
    server.cron_paused = is_on(args[2]);
    let runs = !server.cron_paused;
    server.databases.iter_mut().for_each(|database| database.set_cron(runs));
    Ok(Reply::OK)
}

fn replybuffer(args: Args<'_>) -> Answer {
    let known = ["peak-reset-time", "resizing"];
    if known.iter().any(|name| is(args[2], name)) {
        Ok(Reply::OK)
    } else {
        Err(wrong_subcommand(args, "DEBUG"))
    }
}

fn packed_threshold(args: Args<'_>) -> Answer {
    let size = number::parse_memory(args[2]).filter(|size| *size <= 1 << 32);
    size.map(|_| Reply::OK).ok_or(CommandError::text(
        "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
    ))
}

/// The options of `RELOAD`.
struct Reload {
    save: bool,
    flush: bool,
    merge: bool,
}

/// `[MERGE] [NOFLUSH] [NOSAVE]`. Writes everything and reads it again.
fn reload(server: &mut Server, args: Args<'_>) -> Answer {
    let mut how = Reload { save: true, flush: true, merge: false };
    for word in &args[2..] {
        if is(word, "merge") {
            how.merge = true;
        } else if is(word, "noflush") {
            how.flush = false;
        } else if is(word, "nosave") {
            how.save = false;
        } else {
            return Err(CommandError::text(
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ));
        }
    }
    if !how.save && server.options.append_only() {
        return Err(CommandError::text(
            "ERR stunt-double: NOSAVE is not modelled beside appendonly",
        ));
    }
    let saved = if how.save {
        server.disk().save();
        server.databases.iter().map(|database| database.keyspace.clone()).collect()
    } else if let Some(saved) = server.disk().saved_keys() {
        saved
    } else {
        if how.flush {
            server.databases.iter_mut().for_each(Database::drop_all);
        }
        return Err(CommandError::text("ERR Error trying to load the RDB dump"));
    };
    if how.flush {
        server.disk().reload(saved);
        return Ok(Reply::OK);
    }
    let both = |(database, keys): (&Database, &Keyspace)| {
        keys.iter().any(|entry| database.stored(&entry.key).is_some())
    };
    if !how.merge && server.databases.iter().zip(&saved).any(both) {
        // The real server exits when it finds a key that already exists.
        return Err(CommandError::text(
            "ERR stunt-double: NOFLUSH needs MERGE if a saved key exists",
        ));
    }
    server.disk().merge(saved);
    Ok(Reply::OK)
}

/// The real server exits if it has no append-only file.
fn loadaof(server: &mut Server, _: Args<'_>) -> Answer {
    if !server.config.append_only {
        return Err(CommandError::text("ERR stunt-double: LOADAOF needs an append-only file"));
    }
    server.disk().reload_append_only();
    Ok(Reply::OK)
}

/// `count [prefix [size]]`. Adds keys `prefix:0`, `prefix:1` and so on with values `value:0`,
/// `value:1` and so on, padded with zeros or cut to the size. Existing keys stay.
fn populate(db: &mut Database, args: Args<'_>) -> Answer {
    let count = integer(args[2])?;
    let prefix = args.get(3).copied().unwrap_or(b"key");
    let size = args.get(4).map(|size| integer(size)).transpose()?;
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    for i in 0..count {
        let key = [prefix, format!(":{i}").as_bytes()].concat();
        if db.stored(&key).is_none() {
            let mut value = format!("value:{i}").into_bytes();
            value.resize(size.unwrap_or(value.len()), 0);
            db.insert(&key, Value::String(StringValue::plain(&value)));
        }
    }
    Ok(Reply::OK)
}

type Example = fn() -> Reply;

/// Returns a value of each kind that the protocol has.
fn protocol(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let three = || (0..3).map(Reply::Integer).collect::<Vec<_>>();
    let kinds: [(&str, Example); 8] = [
        ("string", || Reply::bulk(b"Hello World")),
        ("integer", || Reply::Integer(12_345)),
        ("double", || Reply::Double(3_141.0 / 1_000.0)),
        ("bignum", || Reply::BigNumber("1234567999999999999999999999999999999".into())),
        ("null", || Reply::Nil),
        ("true", || Reply::Boolean(true)),
        ("false", || Reply::Boolean(false)),
        ("verbatim", || Reply::Verbatim("txt".into(), "This is a verbatim\nstring".into())),
    ];
    if let Some((_, reply)) = kinds.iter().find(|(name, _)| is(args[2], name)) {
        return Ok(Some(reply()));
    }
    if is(args[2], "array") {
        Ok(Some(Reply::Array(three())))
    } else if is(args[2], "set") {
        Ok(Some(Reply::Set(three())))
    } else if is(args[2], "map") {
        let pair = |n: i64| (Reply::Integer(n), Reply::Boolean(n == 1));
        Ok(Some(Reply::Map((0..3).map(pair).collect())))
    } else if is(args[2], "attrib") {
        let popularity = Reply::Array(vec![Reply::bulk(b"key:123"), Reply::Integer(90)]);
        let reply = Box::new(Reply::bulk(b"Some real reply following the attribute"));
        Ok(Some(Reply::Attributed(vec![(Reply::bulk(b"key-popularity"), popularity)], reply)))
    } else if is(args[2], "push") {
        if server.session_mut(caller.client).protocol == Protocol::Resp2 {
            return Err(CommandError::text("ERR RESP2 is not supported by this command"));
        }
        let items = vec![Reply::bulk(b"server-cpu-usage"), Reply::Integer(42)];
        server.push(caller.client, items);
        Ok(Some(Reply::bulk(b"Some real reply following the push reply")))
    } else {
        Err(CommandError::text(
            "ERR Wrong protocol type name. Please use one of the following: \
             string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
        ))
    }
}
