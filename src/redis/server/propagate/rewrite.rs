//! The effects of each command: its own words, or those of a command that depends on nothing but
//! the data.
//!
//! A command is rewritten from its reply and from what it has left in the database. Words that the
//! server would keep are kept as the client sent them; the words that the server writes itself are
//! as it writes them, in upper case.
//!
//! Source: the calls of `rewriteClientCommandVector` and `rewriteClientCommandArgument`.

use super::{fields, words};
use crate::redis::command::Args;
use crate::redis::command::arguments::{Unit, expire_time, expire_unit, is};
use crate::redis::command::attempt::Attempt;
use crate::redis::database::Database;
use crate::redis::reply::Reply;
use crate::redis::value::geo::Point;
use crate::redis::value::number::{parse_double, parse_i64};
use crate::redis::value::{End, Kind, Sds, Stream, StreamId};

type Effects = Vec<Vec<Sds>>;

/// Returns whether a command is sent even if it has changed nothing.
pub(super) fn is_forced(command: &str) -> bool {
    matches!(command, "publish" | "spublish" | "flushall" | "flushdb" | "swapdb")
}

fn number(number: &impl ToString) -> Sds {
    Sds::from(number.to_string())
}

/// Returns the effects of a command that has changed something.
pub(super) fn effects(
    db: &Database,
    command: &str,
    args: Args<'_>,
    reply: Option<&Reply>,
    lazily: bool,
) -> Effects {
    let removal: &[u8] = if lazily { b"UNLINK" } else { b"DEL" };
    let key = args.get(1).copied().unwrap_or_default();
    let expiry = || db.stored(key).and_then(|entry| entry.expiry());
    match command {
        // Their effects are those of the commands that they have called.
        "exec" | "eval" | "evalsha" | "eval_ro" | "evalsha_ro" | "fcall" | "fcall_ro" => Vec::new(),
        "set" if db.stored(key).is_none() && !db.profile.past.is_stored => {
            // A time in the past has removed the key.
            vec![words(&[removal, key])]
        }
        "set" => vec![set(db, args, expiry())],
        "msetex" => vec![msetex(db, args)],
        // Without a comparison it is sent as it is.
        "delex" if args.len() > 2 => vec![words(&[b"DEL", key])],
        "delifeq" => vec![words(&[b"DEL", key])],
        "setex" | "psetex" => match expiry() {
            Some(at) => {
                vec![vec!["SET".into(), key.into(), args[3].into(), "PXAT".into(), number(&at)]]
            }
            None => vec![words(args)],
        },
        "getset" => vec![words(&[b"SET", key, args[2]])],
        "getdel" => vec![words(&[b"DEL", key])],
        "getex" => match (db.stored(key), expiry()) {
            (None, _) => vec![words(&[removal, key])],
            (Some(_), Some(at)) => vec![vec!["PEXPIREAT".into(), key.into(), number(&at)]],
            (Some(_), None) => vec![words(&[b"PERSIST", key])],
        },
        "expire" | "pexpire" | "expireat" | "pexpireat" => match expiry() {
            None => vec![words(&[removal, key])],
            Some(at) => {
                let mut words = words(args);
                if command != "pexpireat" {
                    words[0] = "PEXPIREAT".into();
                    words[2] = number(&at);
                }
                vec![words]
            }
        },
        "incrbyfloat" => match reply.and_then(Reply::as_bytes) {
            Some(value) => vec![words(&[b"SET", key, value, b"KEEPTTL"])],
            None => Vec::new(),
        },
        "hincrby" | "hincrbyfloat" | "hsetnx" | "hexpire" | "hpexpire" | "hexpireat"
        | "hpexpireat" | "hgetex" | "hsetex" | "hgetdel" => {
            fields::effects(db, command, args, reply)
        }
        "spop" => spop(db, key, reply, removal),
        "restore" => restore(args, db.stored(key).is_some(), expiry()),
        "xadd" => vec![xadd(db, args, reply)],
        "xtrim" => vec![trimmed(db, args, words(args), args.len())],
        "geoadd" => vec![geoadd(db.profile.rewrites.geoadd, args)],
        "lmpop" => popped_many((b"LPOP", b"RPOP", "right"), &args[1..], reply),
        "blmpop" => popped_many((b"LPOP", b"RPOP", "right"), &args[2..], reply),
        "zmpop" => popped_many((b"ZPOPMIN", b"ZPOPMAX", "max"), &args[1..], reply),
        "bzmpop" => popped_many((b"ZPOPMIN", b"ZPOPMAX", "max"), &args[2..], reply),
        "blpop" => popped(b"LPOP", reply),
        "brpop" => popped(b"RPOP", reply),
        "bzpopmin" => popped(b"ZPOPMIN", reply),
        "bzpopmax" => popped(b"ZPOPMAX", reply),
        "blmove" => vec![words(&[b"LMOVE", key, args[2], args[3], args[4]])],
        "brpoplpush" => vec![words(&[b"RPOPLPUSH", key, args[2]])],
        _ => vec![words(args)],
    }
}

/// Returns the options of `SET`, each with its value if it takes one.
fn set_options<'a>(args: Args<'a>) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
    const WITH_VALUE: [&str; 8] = ["ex", "px", "exat", "pxat", "ifeq", "ifne", "ifdeq", "ifdne"];
    let mut rest = args.iter().copied();
    std::iter::from_fn(move || {
        let option = rest.next()?;
        let takes_value = WITH_VALUE.iter().any(|name| is(option, name));
        Some((option, if takes_value { rest.next() } else { None }))
    })
}

/// `SET`: with an absolute expiry time, and without `GET`. Later versions send one with an absolute
/// time as it is.
fn set(db: &Database, args: Args<'_>, expiry: Option<i64>) -> Vec<Sds> {
    let options = || set_options(&args[3..]).map(|(word, _)| word);
    let has = |name: &str| options().any(|word| is(word, name));
    if db.profile.rewrites.keep_pxat && has("pxat") {
        return words(args);
    }
    let expires = ["ex", "px", "exat", "pxat"].iter().any(|name| has(name));
    if expires && let Some(at) = expiry {
        return vec!["SET".into(), args[1].into(), args[2].into(), "PXAT".into(), number(&at)];
    }
    let mut kept = words(&args[..3]);
    for (option, value) in set_options(&args[3..]).filter(|(word, _)| !is(word, "get")) {
        kept.push(option.into());
        kept.extend(value.map(Sds::from));
    }
    kept
}

/// `MSETEX`: with an absolute expiry time.
fn msetex(db: &Database, args: Args<'_>) -> Vec<Sds> {
    let mut words = words(args);
    let pairs = parse_i64(args[1]).and_then(|keys| usize::try_from(keys).ok()).unwrap_or(0);
    let options = pairs.saturating_mul(2).saturating_add(2)..args.len().saturating_sub(1);
    for at in options {
        if let Some(unit) = expire_unit(args[at])
            && unit != (Unit { seconds: false, absolute: true })
            && let Ok(time) = expire_time(args[at + 1], unit, db.now_ms(), "msetex")
        {
            words[at] = "PXAT".into();
            words[at + 1] = number(&time);
        }
    }
    words
}

fn spop(db: &Database, key: &[u8], reply: Option<&Reply>, removal: &[u8]) -> Effects {
    let remove = |member: &Reply| {
        let member = member.as_bytes().unwrap_or_default();
        words(&[b"SREM", key, member])
    };
    match reply {
        Some(Reply::Bulk(_)) => reply.into_iter().map(remove).collect(),
        Some(_) if db.stored(key).is_none() => vec![words(&[removal, key])],
        Some(reply) => reply.as_array().unwrap_or_default().iter().map(remove).collect(),
        None => Vec::new(),
    }
}

/// `RESTORE`: with an absolute expiry time.
fn restore(args: Args<'_>, exists: bool, expiry: Option<i64>) -> Effects {
    if !exists {
        return vec![words(&[b"DEL", args[1]])];
    }
    let mut words = words(args);
    if let Some(at) = expiry
        && !args[4..].iter().any(|word| is(word, "absttl"))
    {
        words[2] = number(&at);
        words.push("ABSTTL".into());
    }
    vec![words]
}

/// `XADD`: with the id that the entry got. One that names an entry that is there is sent as it is:
/// a replica finds the same entry, and counts it too.
fn xadd(db: &Database, args: Args<'_>, reply: Option<&Reply>) -> Vec<Sds> {
    let at = end_of_stream_options(args);
    let mut words = words(args);
    let is_named = args[2..at].iter().any(|word| is(word, "idmp") || is(word, "idmpauto"));
    if is_named && db.observers.found_again {
        return words;
    }
    if let (Some(id), Some(word)) = (reply.and_then(Reply::as_bytes), words.get_mut(at))
        && word.ends_with(b"*")
    {
        *word = id.into();
    }
    trimmed(db, args, words, at)
}

/// Returns where the options of `XADD` or `XTRIM` end.
pub(super) fn end_of_stream_options(args: Args<'_>) -> usize {
    if is(args[0], "xtrim") {
        return args.len();
    }
    let mut at = 2;
    while let Some(word) = args.get(at) {
        at += match () {
            () if ["nomkstream", "keepref", "delref", "acked"].iter().any(|o| is(word, o)) => 1,
            () if is(word, "limit") || is(word, "idmpauto") => 2,
            () if is(word, "idmp") => 3,
            () if is(word, "maxlen") || is(word, "minid") => {
                2 + usize::from(args.get(at + 1).is_some_and(|mark| *mark == b"~" || *mark == b"="))
            }
            () => break,
        };
    }
    at
}

/// Returns the words of a command that trims a stream approximately, with the length or the first
/// id that this has left. Options stand before `end`.
fn trimmed(db: &Database, args: Args<'_>, mut words: Vec<Sds>, end: usize) -> Vec<Sds> {
    let by = (2..end).find(|at| is(args[*at], "maxlen") || is(args[*at], "minid"));
    let Some(by) = by.filter(|by| args.get(by + 1).is_some_and(|mark| *mark == b"~")) else {
        return words;
    };
    let stream = db.stored(args[1]).and_then(|entry| Stream::of(&entry.value));
    let left = |stream: &Stream| match is(args[by], "maxlen") {
        true => number(&stream.len()),
        false => {
            let first = stream.range(StreamId::MIN, StreamId::MAX).next();
            number(&first.map_or(StreamId::MAX, |entry| entry.id()))
        }
    };
    if let Some(stream) = stream
        && by + 2 < words.len()
    {
        words[by + 1] = "=".into();
        words[by + 2] = left(stream);
    }
    words
}

/// `GEOADD` is a `ZADD` of the positions as scores.
fn geoadd(name: &str, args: Args<'_>) -> Vec<Sds> {
    let is_option = |word: &[u8]| ["nx", "xx", "ch"].iter().any(|name| is(word, name));
    let first = (2..args.len()).find(|at| !is_option(args[*at])).unwrap_or(args.len());
    let mut words = words(&args[..first]);
    words[0] = name.into();
    for place in args[first..].chunks_exact(3) {
        let coordinate = |word: &[u8]| parse_double(word).unwrap_or(0.0);
        let point = Point::new(coordinate(place[0]), coordinate(place[1]));
        let score = point.map_or(0, |point| point.bits());
        words.extend([number(&score), place[2].into()]);
    }
    words
}

/// A pop of one element: the reply names the key.
fn popped(command: &[u8], reply: Option<&Reply>) -> Effects {
    match reply.and_then(Reply::as_array) {
        Some([key, ..]) => vec![words(&[command, key.as_bytes().unwrap_or_default()])],
        Some([]) | None => Vec::new(),
    }
}

/// A pop of several elements: the reply has the key and the elements. `rest` begins with the number
/// of keys; behind them stands the side.
fn popped_many(
    (first, last, last_side): (&[u8], &[u8], &str),
    rest: Args<'_>,
    reply: Option<&Reply>,
) -> Effects {
    let Some([key, elements]) = reply.and_then(Reply::as_array) else { return Vec::new() };
    let keys = parse_i64(rest[0]).and_then(|keys| usize::try_from(keys).ok());
    let side = keys.and_then(|keys| rest.get(keys + 1));
    let command = if side.is_some_and(|side| is(side, last_side)) { last } else { first };
    let count = number(&elements.as_array().map_or(0, <[Reply]>::len));
    vec![words(&[command, key.as_bytes().unwrap_or_default(), &count])]
}

/// Returns the effects of serving a blocked client that had called a command of this name.
pub(super) fn served(attempt: &Attempt, called: &str, key: &[u8], reply: &Reply) -> Effects {
    let list = |end: End| -> &[u8] { if end == End::Left { b"LPOP" } else { b"RPOP" } };
    let sorted = |end: End| -> &[u8] { if end == End::Left { b"ZPOPMIN" } else { b"ZPOPMAX" } };
    let side = |end: End| -> &[u8] { if end == End::Left { b"left" } else { b"right" } };
    let count = || {
        let elements = reply.as_array().and_then(|items| items.get(1));
        number(&elements.and_then(Reply::as_array).map_or(0, <[Reply]>::len))
    };
    match attempt {
        Attempt::Pop(end) => vec![words(&[list(*end), key])],
        Attempt::PopMany(end, _) => vec![words(&[list(*end), key, &count()])],
        Attempt::PopScored(end) => vec![words(&[sorted(*end), key])],
        Attempt::PopManyScored(end, _) => vec![words(&[sorted(*end), key, &count()])],
        Attempt::Move { destination, .. } if called == "brpoplpush" => {
            vec![words(&[b"RPOPLPUSH", key, destination])]
        }
        Attempt::Move { from, to, destination } => {
            vec![words(&[b"LMOVE", key, destination, side(*from), side(*to)])]
        }
        Attempt::Replicas { .. }
        | Attempt::Synced(_)
        | Attempt::Read { .. }
        | Attempt::ReadGroup { .. } => Vec::new(),
    }
}
