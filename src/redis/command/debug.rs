//! `DEBUG`: the subcommands that tests use. The others are unknown, as on a server
//! of another version.

use super::super::error::Error;
use super::super::reply::{Protocol, Reply};
use super::super::server::Call;
use super::super::value::{StringValue, Value};
use super::options::{integer, is};
use super::{Answer, Args};
use smol_str::SmolStr;
use std::time::Duration;

type Debug = fn(&mut Call<'_>, Args<'_>) -> Result<Option<Reply>, Error>;

/// Name, how many arguments it has at least and at most, and what runs it.
const SUBCOMMANDS: [(&str, usize, usize, Debug); 10] = [
    ("sleep", 1, 1, sleep),
    ("object", 1, 1, |call, args| object(call, args).map(Some)),
    ("set-active-expire", 1, 1, |call, args| set_active_expire(call, args).map(Some)),
    ("error", 1, 1, |_, args| Err(Error::format(String::from_utf8_lossy(args[2])))),
    ("reload", 0, 3, |call, _| Ok(Some(reload(call)))),
    ("populate", 1, 3, |call, args| populate(call, args).map(Some)),
    ("protocol", 1, 1, |call, args| protocol(call, args).map(Some)),
    ("log", 1, 1, |_, _| Ok(Some(Reply::OK))),
    ("change-repl-id", 0, 0, |_, _| Ok(Some(Reply::OK))),
    ("quicklist-packed-threshold", 1, 1, |_, _| Ok(Some(Reply::OK))),
];

pub(super) fn debug(call: &mut Call<'_>, args: Args<'_>) -> Result<Option<Reply>, Error> {
    let arguments = args.len() - 2;
    let found = SUBCOMMANDS
        .iter()
        .find(|(name, least, most, _)| is(args[1], name) && (*least..=*most).contains(&arguments));
    let Some((.., run)) = found else {
        let name = String::from_utf8_lossy(args[1]);
        return Err(Error::format(format!(
            "ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP."
        )));
    };
    run(call, args)
}

/// Nobody is served for so many seconds; then this is answered.
fn sleep(call: &mut Call<'_>, args: Args<'_>) -> Result<Option<Reply>, Error> {
    // As C's strtod: what is no number is 0.
    let seconds = std::str::from_utf8(args[2]).ok().and_then(|text| text.parse::<f64>().ok());
    let seconds = seconds.filter(|s| s.is_finite() && *s > 0.0).unwrap_or(0.0);
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if duration.is_zero() || call.in_exec {
        return Ok(Some(Reply::OK));
    }
    let until = call.now() + duration;
    let client = call.client;
    call.server.sleep(client, until);
    Ok(None)
}

fn object(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let db = call.db();
    let idle = db.object_idletime(args[2]).ok_or(Error::NoSuchKey)?.as_secs();
    let accessed = (db.now_ms() / 1_000) as u64 - idle;
    let encoding = db.object_encoding(args[2]).unwrap_or_default();
    Ok(Reply::Simple(SmolStr::new(format!(
        "Value at:0x7f0000000000 refcount:1 encoding:{encoding} serializedlength:0 lru:{} \
         lru_seconds_idle:{idle}",
        accessed & 0xff_ffff,
    ))))
}

fn set_active_expire(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    // As C's atoi: what is no number is 0.
    let on = integer(args[2]).unwrap_or(0) != 0;
    let now = call.now();
    for database in &mut call.server.databases {
        database.active_expire = on;
        database.advance_to(now);
    }
    Ok(Reply::OK)
}

/// Everything is written and read again.
fn reload(call: &mut Call<'_>) -> Reply {
    call.server.save();
    for database in &mut call.server.databases {
        database.reencode();
    }
    Reply::OK
}

/// `count [prefix [size]]`: keys `prefix:0` and on, with `value:0` and on, padded
/// with zeros or cut to a size. Those that are there stay.
fn populate(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let count = integer(args[2])?;
    let prefix = args.get(3).copied().unwrap_or(b"key");
    let size = args.get(4).map(|size| integer(size)).transpose()?;
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    let db = call.db();
    for i in 0..count {
        let key = [prefix, format!(":{i}").as_bytes()].concat();
        if db.value(&key).is_none() {
            let mut value = format!("value:{i}").into_bytes();
            value.resize(size.unwrap_or(value.len()), 0);
            db.insert(&key, Value::String(StringValue::plain(&value)));
        }
    }
    Ok(Reply::OK)
}

type Example = fn() -> Reply;

/// A value of each kind that the protocol has.
fn protocol(call: &mut Call<'_>, args: Args<'_>) -> Answer {
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
        return Ok(reply());
    }
    if is(args[2], "array") {
        Ok(Reply::Array(three()))
    } else if is(args[2], "set") {
        Ok(Reply::Set(three()))
    } else if is(args[2], "map") {
        let pair = |n: i64| (Reply::Integer(n), Reply::Boolean(n == 1));
        Ok(Reply::Map((0..3).map(pair).collect()))
    } else if is(args[2], "push") {
        if call.session().protocol == Protocol::Resp2 {
            return Err(Error::text("ERR RESP2 is not supported by this command"));
        }
        let items = vec![Reply::bulk(b"server-cpu-usage"), Reply::Integer(42)];
        call.server.push(call.client, items);
        Ok(Reply::bulk(b"Some real reply following the push reply"))
    } else {
        Err(Error::text(
            "ERR Wrong protocol type name. Please use one of the following: \
             string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
        ))
    }
}
