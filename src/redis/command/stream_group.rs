//! The commands on the consumer groups of streams.

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::{Answer, Args, Command, Rows, container, database, help, wrong_subcommand};
use crate::redis::command::arguments::{integer, is, shown};
use crate::redis::command::stream_reply::{INVALID_ID, delivered, end, id, ids, shown_id, start};
use crate::redis::database::{Database, GroupStart};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{
    AutoClaim, Claim, Group, Pending, Redelivery, StreamEntry, StreamId, number,
};

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    const XGROUP: &'static [Command<S>] = &[
        database("xgroup|create", -5, WRITE | DENYOOM, &["stream"], &[key(RW | INSERT, 2)], "Create a consumer group.", xgroup_create),
        database("xgroup|createconsumer", 5, WRITE | DENYOOM, &["stream"], &[key(RW | INSERT, 2)], "Create a consumer in a consumer group.", xgroup_createconsumer),
        database("xgroup|delconsumer", 5, WRITE, &["stream"], &[key(RW | DELETE, 2)], "Delete a consumer from a consumer group.", xgroup_delconsumer),
        database("xgroup|destroy", 4, WRITE, &["stream"], &[key(RW | DELETE, 2)], "Destroy a consumer group.", xgroup_destroy),
        help("xgroup|help", 2, LOADING | STALE, &["stream"], &[], "Show helpful text about the different subcommands"),
        database("xgroup|setid", -5, WRITE, &["stream"], &[key(RW | UPDATE, 2)], "Set a consumer group to an arbitrary last delivered ID value.", xgroup_setid),
    ];

    #[rustfmt::skip]
    pub(crate) const STREAM_GROUPS: &'static [Command<S>] = &[
        database("xack", -4, WRITE | FAST, &["stream"], &[key(RW | UPDATE, 1)], "Marks a pending message as correctly processed, effectively removing it from the pending entries list of the consumer group. Return value of the command is the number of messages successfully acknowledged, that is, the IDs we were actually able to resolve in the PEL.", xack),
        database("xautoclaim", -6, WRITE | FAST, &["stream"], &[key(RW | DELETE, 1)], "Changes (or acquires) ownership of messages in a consumer group, as if the messages were delivered to the specified consumer.", xautoclaim).tips(&["nondeterministic_output"]),
        database("xclaim", -6, WRITE | FAST, &["stream"], &[key(RW | UPDATE, 1)], "Changes (or acquires) ownership of a message in a consumer group, as if the message was delivered to the specified consumer.", xclaim).tips(&["nondeterministic_output"]),
        container("xgroup", -2, 0, &[], "A container for consumer groups commands", Rows::XGROUP),
        database("xpending", -3, READONLY, &["stream"], &[key(RO | ACCESS, 1)], "Return information and entries from a stream consumer group pending entries list, that are messages fetched but never acknowledged.", xpending).tips(&["nondeterministic_output"]),
    ];
}

/// Reads `[ENTRIESREAD count]`, and `[MKSTREAM]` if that is allowed. Returns the count, and whether
/// to make a stream.
fn group_options(args: Args<'_>, may_make: bool) -> Result<(Option<i64>, bool), CommandError> {
    let (mut entries_read, mut make) = (None, false);
    let mut words = &args[5..];
    while let [word, rest @ ..] = words {
        words = if may_make && is(word, "mkstream") {
            make = true;
            rest
        } else if is(word, "entriesread")
            && let [count, rest @ ..] = rest
        {
            let count = integer(count)?;
            if count < -1 {
                return Err(CommandError::text("ERR value for ENTRIESREAD must be positive or -1"));
            }
            entries_read = Some(count).filter(|count| *count >= 0);
            rest
        } else {
            return Err(wrong_subcommand(args, "XGROUP"));
        };
    }
    Ok((entries_read, make))
}

/// `key group id | $ [MKSTREAM] [ENTRIESREAD count]`.
fn xgroup_create(db: &mut Database, args: Args<'_>) -> Answer {
    let (entries_read, make) = group_options(args, true)?;
    let start = match args[4] {
        b"$" => Ok(GroupStart::End),
        text => id(text).map(GroupStart::After),
    };
    match start {
        Ok(start) if args.len() <= 8 => {
            db.xgroup_create(args[2], args[3], start, entries_read, make)?;
            Ok(Reply::OK)
        }
        other => {
            match db.grouped(args[2]) {
                Err(CommandError::Other(_)) if make => {}
                found => found.map(|_| ())?,
            }
            other
                .err()
                .filter(|_| args.len() <= 8)
                .map_or(Err(wrong_subcommand(args, "XGROUP")), Err)
        }
    }
}

/// `key group id | $ [ENTRIESREAD count]`. Unlike in other places the id may be `-` or `+`.
fn xgroup_setid(db: &mut Database, args: Args<'_>) -> Answer {
    let (entries_read, _) = group_options(args, false)?;
    db.check_group(args[2], args[3])?;
    if args.len() != 5 && args.len() != 7 {
        return Err(wrong_subcommand(args, "XGROUP"));
    }
    let start = match args[4] {
        b"$" => GroupStart::End,
        text => GroupStart::After(StreamId::parse_bound(text, 0).ok_or(INVALID_ID)?),
    };
    db.xgroup_setid(args[2], args[3], start, entries_read)?;
    Ok(Reply::OK)
}

fn xgroup_destroy(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::flag(db.xgroup_destroy(args[2], args[3])?))
}

fn xgroup_createconsumer(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::flag(db.xgroup_createconsumer(args[2], args[3], args[4])?))
}

fn xgroup_delconsumer(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.xgroup_delconsumer(args[2], args[3], args[4])?))
}

/// `key group id …`. The ids are only checked if there is a group.
fn xack(db: &mut Database, args: Args<'_>) -> Answer {
    match ids(&args[3..]) {
        Ok(ids) => Ok(Reply::count(db.xack(args[1], args[2], &ids)?)),
        Err(error) => match db.stream(args[1])?.and_then(|stream| stream.group(args[2])) {
            Some(_) => Err(error),
            None => Ok(Reply::Integer(0)),
        },
    }
}

/// The range of `XPENDING`.
struct PendingRange<'a> {
    min_idle: i64,
    from: StreamId,
    to: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> PendingRange<'a> {
    /// Reads `[IDLE min-idle] start end count [consumer]`.
    fn read(words: Args<'a>) -> Result<PendingRange<'a>, CommandError> {
        let (min_idle, words) = match words {
            [word, idle, rest @ ..] if is(word, "idle") => {
                let idle = integer(idle)?;
                if rest.len() < 3 {
                    return Err(CommandError::Syntax);
                }
                (idle, rest)
            }
            words => (0, words),
        };
        // Four words are the most without `IDLE`, but Redis ignores two more.
        let [from, to, count, rest @ ..] = words else { return Err(CommandError::Syntax) };
        let count = usize::try_from(integer(count)?).unwrap_or(0);
        let (from, to) = (start(from)?, end(to)?);
        Ok(PendingRange { min_idle, from, to, count, consumer: rest.first().copied() })
    }
}

/// `key group [[IDLE min-idle] start end count [consumer]]`.
fn xpending(db: &mut Database, args: Args<'_>) -> Answer {
    let now = db.now_ms();
    if args.len() == 3 {
        return db.group(args[1], args[2]).map(pending_summary);
    }
    if !(6..=9).contains(&args.len()) {
        return Err(CommandError::Syntax);
    }
    let range = PendingRange::read(&args[3..])?;
    let group = db.group(args[1], args[2])?;
    if range.from > range.to {
        return Ok(Reply::Array(Vec::new()));
    }
    let bounds = range.from..=range.to;
    let shown = |(id, pending): (StreamId, &Pending)| {
        let idle = now.wrapping_sub(pending.delivered_at);
        (range.min_idle == 0 || idle >= range.min_idle).then(|| {
            Reply::Array(vec![
                shown_id(id),
                Reply::bulk(group.owner(pending).name()),
                Reply::Integer(idle.max(0)),
                Reply::Integer(pending.deliveries as i64),
            ])
        })
    };
    let listed = match range.consumer {
        Some(name) => {
            let ids =
                group.consumer(name).into_iter().flat_map(|c| c.pending().range(bounds.clone()));
            let of_consumer = ids.filter_map(|id| Some((*id, group.pending().get(id)?)));
            of_consumer.filter_map(shown).take(range.count).collect()
        }
        None => {
            let all = group.pending().range(bounds).map(|(id, pending)| (*id, pending));
            all.filter_map(shown).take(range.count).collect()
        }
    };
    Ok(Reply::Array(listed))
}

/// Returns how many entries are pending, between which ids, and for whom.
fn pending_summary(group: &Group) -> Reply {
    let pending = group.pending();
    let ends = (pending.first_key_value(), pending.last_key_value());
    let (Some((first, _)), Some((last, _))) = ends else {
        return Reply::Array(vec![Reply::Integer(0), Reply::Nil, Reply::Nil, Reply::NilArray]);
    };
    let consumers = group.consumers().filter(|consumer| !consumer.pending().is_empty());
    let consumers = consumers.map(|consumer| {
        let count = number::format_i64(consumer.pending().len() as i64);
        Reply::Array(vec![Reply::bulk(consumer.name()), Reply::bulk(&count)])
    });
    Reply::Array(vec![
        Reply::count(pending.len()),
        shown_id(*first),
        shown_id(*last),
        Reply::Array(consumers.collect()),
    ])
}

/// Returns claimed entries, or only their ids.
fn claimed(entries: &[(StreamId, Option<StreamEntry>)], just_id: bool) -> Reply {
    if just_id {
        Reply::Array(entries.iter().map(|(id, _)| shown_id(*id)).collect())
    } else {
        delivered(entries)
    }
}

/// The ids and options of `XCLAIM`.
struct ClaimWords {
    min_idle: i64,
    ids: Vec<StreamId>,
    force: bool,
    last_id: StreamId,
    redelivery: Redelivery,
}

impl ClaimWords {
    /// Reads `min-idle-time id … [IDLE ms] [TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]`.
    fn read(words: Args<'_>, now: i64) -> Result<ClaimWords, CommandError> {
        let [min_idle, words @ ..] = words else { return Err(CommandError::Syntax) };
        let number = |word: &[u8], what: &str| {
            let error = || CommandError::format(format!("ERR Invalid {what} argument for XCLAIM"));
            integer(word).map_err(|_| error())
        };
        let min_idle = number(min_idle, "min-idle-time")?.max(0);
        let ids: Vec<StreamId> = words.iter().map_while(|word| StreamId::parse(word, 0)).collect();
        let mut options = &words[ids.len()..];
        let (mut time, mut deliveries) = (None, None);
        let (mut force, mut just_id, mut last_id) = (false, false, StreamId::MIN);
        while let [word, rest @ ..] = options {
            options = rest;
            if is(word, "force") {
                force = true;
                continue;
            }
            if is(word, "justid") {
                just_id = true;
                continue;
            }
            let [value, rest @ ..] = rest else { return Err(unknown_option(word)) };
            options = rest;
            if is(word, "idle") {
                time = Some(now.wrapping_sub(number(value, "IDLE option")?));
            } else if is(word, "time") {
                time = Some(number(value, "TIME option")?);
            } else if is(word, "retrycount") {
                let count = number(value, "RETRYCOUNT option")?;
                deliveries = u64::try_from(count).ok();
            } else if is(word, "lastid") {
                last_id = id(value)?;
            } else {
                return Err(unknown_option(word));
            }
        }
        // A time that makes no sense is the present.
        let at = time.filter(|time| (0..=now).contains(time)).unwrap_or(now);
        let redelivery = Redelivery { at, deliveries, just_id };
        Ok(ClaimWords { min_idle, ids, force, last_id, redelivery })
    }
}

fn unknown_option(word: &[u8]) -> CommandError {
    CommandError::format(format!("ERR Unrecognized XCLAIM option '{}'", shown(word)))
}

/// `key group consumer`, and [`ClaimWords`]. Those are only checked if there is a group.
fn xclaim(db: &mut Database, args: Args<'_>) -> Answer {
    let words = match ClaimWords::read(&args[4..], db.now_ms()) {
        Ok(words) => words,
        Err(error) => return Err(db.group(args[1], args[2]).map_or_else(|e| e, |_| error)),
    };
    let ClaimWords { min_idle, ids, force, last_id, redelivery } = words;
    let claim = Claim { ids: &ids, min_idle, force, last_id, redelivery };
    let got = db.xclaim(args[1], args[2], args[3], claim)?;
    Ok(claimed(&got.entries, redelivery.just_id))
}

/// Reads `min-idle-time start [COUNT count] [JUSTID]`.
fn auto_claim(words: Args<'_>) -> Result<AutoClaim, CommandError> {
    // An id has 16 bytes, and the server reserves room for as many.
    const GREATEST: i64 = i64::MAX / 16;
    let [min_idle, from, rest @ ..] = words else { return Err(CommandError::Syntax) };
    let invalid = CommandError::text("ERR Invalid min-idle-time argument for XAUTOCLAIM");
    let min_idle = integer(min_idle).map_err(|_| invalid)?.max(0);
    let mut claim = AutoClaim { min_idle, start: start(from)?, count: 100, just_id: false };
    let mut options = rest;
    while let [word, rest @ ..] = options {
        options = rest;
        if is(word, "justid") {
            claim.just_id = true;
        } else if is(word, "count")
            && let [count, rest @ ..] = rest
        {
            let count = number::parse_i64(count).filter(|n| (1..=GREATEST).contains(n));
            let count = count.and_then(|count| usize::try_from(count).ok());
            claim.count = count.ok_or(CommandError::text("ERR COUNT must be > 0"))?;
            options = rest;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(claim)
}

/// `key group consumer min-idle-time start [COUNT count] [JUSTID]`.
fn xautoclaim(db: &mut Database, args: Args<'_>) -> Answer {
    let claim = match auto_claim(&args[4..]) {
        Ok(claim) => claim,
        Err(error) => {
            // The server has looked the key up before.
            db.read_any(args[1]);
            return Err(error);
        }
    };
    let got = db.xautoclaim(args[1], args[2], args[3], claim)?;
    let deleted = got.claimed.deleted.iter().map(|id| shown_id(*id));
    Ok(Reply::Array(vec![
        shown_id(got.next),
        claimed(&got.claimed.entries, claim.just_id),
        Reply::Array(deleted.collect()),
    ]))
}
