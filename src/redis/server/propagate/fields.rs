//! The effects of commands on hash fields and their deadlines.
//!
//! Redis sends what has changed: `HPEXPIREAT` with the fields that have got a deadline, and an
//! `HDEL` for each field that has ended. Valkey sends what clients wrote, without conditions, and
//! one `HDEL`; and it sends a value that was computed as `HSET` or `HSETEX`, because the command
//! itself would not keep the deadline apart from that of a field that has ended meanwhile.
//!
//! Source: `t_hash.c` (`hexpireGenericCommand`, `propagateHashFieldDeletion`), and experiments.

use super::words;
use crate::redis::command::Args;
use crate::redis::command::arguments::{expire_unit, is};
use crate::redis::database::Database;
use crate::redis::reply::Reply;
use crate::redis::value::number::parse_i64;
use crate::redis::value::{Hash, Kind, Sds};
use crate::redis::version::{FieldSyntax, Fields};

type Effects = Vec<Vec<Sds>>;

fn number(number: &impl ToString) -> Sds {
    Sds::from(number.to_string())
}

/// Returns the commands that delete fields.
pub(super) fn hdel(key: &[u8], fields: &[Sds], rules: &Fields) -> Effects {
    let at_once = if rules.ended_are_sent_together { fields.len().max(1) } else { 1 };
    let command = |fields: &[Sds]| {
        let mut made = words(&[b"HDEL", key]);
        made.extend_from_slice(fields);
        made
    };
    fields.chunks(at_once).map(command).collect()
}

/// Returns a command with fields at its end.
fn with_fields(begin: &[&[u8]], fields: &[Sds]) -> Vec<Sds> {
    let mut made = words(begin);
    made.push("FIELDS".into());
    made.push(number(&fields.len()));
    made.extend_from_slice(fields);
    made
}

/// Returns the effects of a command that has changed something.
pub(super) fn effects(
    db: &Database,
    command: &str,
    args: Args<'_>,
    reply: Option<&Reply>,
) -> Effects {
    let (key, rules) = (args[1], &db.profile.fields);
    let changed = db.observers.fields.as_slice();
    let hash = db.stored(key).and_then(|entry| Hash::of(&entry.value));
    let deadline = |field: &Sds| hash.and_then(|hash| hash.deadline(field));
    let of_changed = changed.first().and_then(deadline);
    match command {
        "hincrbyfloat" => computed(db, (args, hash), reply.and_then(Reply::as_bytes)),
        "hincrby" | "hsetnx" if rules.sets_are_sent_bare => bare(command, (args, hash), reply),
        "hexpire" | "hpexpire" | "hexpireat" | "hpexpireat" => match of_changed {
            None => hdel(key, changed, rules),
            Some(at) => vec![hpexpireat(command, args, at, changed, rules)],
        },
        "hgetex" => match (hash, of_changed) {
            _ if args[2..].iter().any(|word| is(word, "persist"))
                && is_persisted(hash, changed) =>
            {
                vec![hgetex(args, None, changed, rules)]
            }
            (_, Some(at)) => vec![hgetex(args, Some(at), changed, rules)],
            (_, None) => hdel(key, changed, rules),
        },
        "hsetex" => hsetex(db, args, hash),
        "hgetdel" if !rules.sets_are_sent_bare => {
            let fields: Vec<Sds> = args[4..].iter().map(|field| Sds::new(field)).collect();
            let mut made = words(&[b"HDEL", key]);
            made.extend(fields);
            vec![made]
        }
        _ => vec![words(args)],
    }
}

/// Returns whether fields are there without a deadline: the word `PERSIST` may also be a field.
fn is_persisted(hash: Option<&Hash>, changed: &[Sds]) -> bool {
    hash.is_some_and(|hash| {
        changed.iter().all(|field| hash.contains(field) && hash.deadline(field).is_none())
    })
}

/// `HINCRBYFLOAT`: the sum.
fn computed(db: &Database, of: (Args<'_>, Option<&Hash>), sum: Option<&[u8]>) -> Effects {
    let ((args, hash), Some(sum)) = (of, sum) else { return Vec::new() };
    let (key, field, rules) = (args[1], args[2], &db.profile.fields);
    let deadline = hash.and_then(|hash| hash.deadline(field));
    if rules.float_keeps_deadline {
        return vec![words(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, sum])];
    }
    match deadline.filter(|_| rules.sets_are_sent_bare) {
        Some(at) => vec![set_with_deadline(key, field, sum, at)],
        None => vec![words(&[b"HSET", key, field, sum])],
    }
}

fn set_with_deadline(key: &[u8], field: &[u8], value: &[u8], at: i64) -> Vec<Sds> {
    let at = at.to_string();
    words(&[b"HSETEX", key, b"PXAT", at.as_bytes(), b"FIELDS", b"1", field, value])
}

/// `HINCRBY` and `HSETNX` on a hash with deadlines.
fn bare(command: &str, of: (Args<'_>, Option<&Hash>), reply: Option<&Reply>) -> Effects {
    let (args, hash) = of;
    let (key, field) = (args[1], args[2]);
    if hash.is_none_or(|hash| hash.deadlines() == 0) {
        return vec![words(args)];
    }
    let sum = match reply {
        Some(Reply::Integer(sum)) if command == "hincrby" => sum.to_string().into_bytes(),
        _ => args[3].to_vec(),
    };
    match hash.and_then(|hash| hash.deadline(field)) {
        Some(at) => vec![set_with_deadline(key, field, &sum, at)],
        None => vec![words(&[b"HSET", key, field, &sum])],
    }
}

/// `HEXPIRE` and similar commands, with the time in milliseconds. Redis leaves out the fields that
/// it has not changed.
fn hpexpireat(command: &str, args: Args<'_>, at: i64, changed: &[Sds], rules: &Fields) -> Vec<Sds> {
    let mut made = words(args);
    if command != "hpexpireat" {
        made[0] = "HPEXPIREAT".into();
        made[2] = number(&at);
    }
    let place = (3..made.len()).find(|at| is(&made[*at], "fields"));
    let Some(begin) = place.map(|at| at + 1) else { return made };
    let end = begin + 1 + count_of(made.get(begin));
    if rules.syntax != FieldSyntax::AfterOptions
        && end <= made.len()
        && end - begin - 1 > changed.len()
    {
        let behind = made.split_off(end);
        made.truncate(begin);
        made.push(number(&changed.len()));
        made.extend_from_slice(changed);
        made.extend(behind);
    }
    made
}

/// Returns the number of fields that a word tells; 0, if it tells none.
fn count_of(word: Option<&impl AsRef<[u8]>>) -> usize {
    let count = word.and_then(|word| parse_i64(word.as_ref()));
    count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// Returns where `HGETEX` or `HSETEX` has the word `FIELDS`. Valkey also takes the key for it.
fn place_of_fields(args: Args<'_>, rules: &Fields) -> Option<usize> {
    let from = if rules.syntax == FieldSyntax::AfterOptions { 1 } else { 2 };
    (from..args.len()).find(|at| is(args[*at], "fields"))
}

/// `HGETEX`: as the command that changes deadlines alone. Valkey leaves out the fields that it has
/// not changed.
fn hgetex(args: Args<'_>, at: Option<i64>, changed: &[Sds], rules: &Fields) -> Vec<Sds> {
    let at = at.map(|at| at.to_string());
    let begin: Vec<&[u8]> = match &at {
        Some(at) => vec![b"HPEXPIREAT", args[1], at.as_bytes()],
        None => vec![b"HPERSIST", args[1]],
    };
    let place = place_of_fields(args, rules).unwrap_or(args.len());
    match rules.syntax {
        FieldSyntax::AfterOptions => with_fields(&begin, changed),
        FieldSyntax::Fixed => {
            let mut made = words(&begin);
            made.extend(args[place..].iter().map(|word| Sds::new(word)));
            made
        }
        FieldSyntax::Anywhere => {
            let fields = args.iter().skip(place + 2).take(count_of(args.get(place + 1)));
            let fields: Vec<Sds> = fields.map(|field| Sds::new(field)).collect();
            with_fields(&begin, &fields)
        }
    }
}

/// `HSETEX`: with an absolute deadline. Valkey sends no condition.
fn hsetex(db: &Database, args: Args<'_>, hash: Option<&Hash>) -> Effects {
    let rules = &db.profile.fields;
    let Some(place) = place_of_fields(args, rules) else { return Vec::new() };
    let end = (place + 2 + 2 * count_of(args.get(place + 1))).min(args.len());
    let is_option = |at: usize| at >= 2 && !(place..end).contains(&at);
    let timed = (2..args.len()).find(|at| is_option(*at) && expire_unit(args[*at]).is_some());
    let deadline = args.get(place + 2).and_then(|field| hash?.deadline(field));
    if timed.is_some() && deadline.is_none() {
        return hdel(args[1], &db.observers.fields, rules);
    }
    let mut made = Vec::new();
    let mut at = 0;
    while at < args.len() {
        let word = args[at];
        let is_condition = ["fnx", "fxx", "nx", "xx"].iter().any(|name| is(word, name));
        if is_option(at) && is_condition && rules.sets_are_sent_bare {
            at += 1;
        } else if is_option(at) && expire_unit(word).is_some() && !is(word, "pxat") {
            made.push("PXAT".into());
            made.push(number(&deadline.unwrap_or_default()));
            at += 2;
        } else {
            made.push(Sds::new(word));
            at += 1;
        }
    }
    vec![made]
}
