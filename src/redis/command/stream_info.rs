//! `XINFO`: what a server knows about a stream, its groups and their consumers.

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::wrong_subcommand;
use super::{Answer, Args, Command, Rows, container, database, help};
use crate::redis::command::arguments::{integer, is, shown};
use crate::redis::command::stream_reply::{entry, shown_id};
use crate::redis::database::Database;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{Consumer, Group, Pending, Sds, Stream, StreamId};
use crate::redis::version::{Groups, Streams};

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    const XINFO: &'static [Command<S>] = &[
        database("xinfo|consumers", 4, READONLY, &["stream"], &[key(RO | ACCESS, 2)], "List the consumers in a consumer group", xinfo_consumers).tips(&["nondeterministic_output"]),
        database("xinfo|groups", 3, READONLY, &["stream"], &[key(RO | ACCESS, 2)], "List the consumer groups of a stream", xinfo_groups),
        help("xinfo|help", 2, LOADING | STALE, &["stream"], &[], "Show helpful text about the different subcommands"),
        database("xinfo|stream", -3, READONLY, &["stream"], &[key(RO | ACCESS, 2)], "Get information about a stream", xinfo_stream),
    ];

    #[rustfmt::skip]
    pub(crate) const STREAM_INFO: &'static [Command<S>] = &[
        container("xinfo", -2, 0, &[], "A container for stream introspection commands", Rows::XINFO),
    ];
}

fn named(name: &'static str, value: Reply) -> (Reply, Reply) {
    (Reply::bulk(name.as_bytes()), value)
}

fn stream_of<'a>(db: &'a mut Database, key: &[u8]) -> Result<&'a Stream, CommandError> {
    db.stream(key)?.ok_or(CommandError::NoSuchKey)
}

/// Returns a count that may be unknown.
fn known(count: Option<i64>) -> Reply {
    count.map_or(Reply::Nil, Reply::Integer)
}

/// `key group`.
fn xinfo_consumers(db: &mut Database, args: Args<'_>) -> Answer {
    let now = db.now_ms();
    let tells_activity = db.profile.rdb.streams != Streams::Seen;
    let group = stream_of(db, args[2])?.group(args[3]).ok_or_else(|| {
        let (key, group) = (shown(args[2]), shown(args[3]));
        CommandError::format(format!(
            "NOGROUP No such consumer group '{group}' for key name '{key}'"
        ))
    })?;
    let consumer = |consumer: &Consumer| {
        let mut fields = vec![
            named("name", Reply::bulk(consumer.name())),
            named("pending", Reply::count(consumer.pending().len())),
            named("idle", Reply::Integer(now.wrapping_sub(consumer.seen_at).max(0))),
        ];
        if tells_activity {
            let inactive = consumer.active_at.map_or(-1, |at| now.wrapping_sub(at));
            fields.push(named("inactive", Reply::Integer(inactive)));
        }
        Reply::Map(fields)
    };
    Ok(Reply::Array(group.consumers().map(consumer).collect()))
}

fn xinfo_groups(db: &mut Database, args: Args<'_>) -> Answer {
    let groups = db.profile.groups;
    let stream = stream_of(db, args[2])?;
    let group = |(name, group): (&Sds, &Group)| {
        Reply::Map(vec![
            named("name", Reply::bulk(name)),
            named("consumers", Reply::count(group.len())),
            named("pending", Reply::count(group.pending().len())),
            named("last-delivered-id", shown_id(group.last_id())),
            named("entries-read", known(group.entries_read())),
            named("lag", known(lag_of(stream, group, groups))),
        ])
    };
    Ok(Reply::Array(stream.groups().iter().map(group).collect()))
}

/// `key [FULL [COUNT count]]`.
fn xinfo_stream(db: &mut Database, args: Args<'_>) -> Answer {
    let (form, rules) = (db.profile.rdb.streams, db.profile.groups);
    // The time, where producers are shown.
    let now = db.profile.streams.producers.then(|| db.now_ms());
    let stream = stream_of(db, args[2])?;
    let wrong = || wrong_subcommand(args, "XINFO");
    let limit = match &args[3..] {
        [] => return Ok(summary(stream, now)),
        [word] if is(word, "full") => 10,
        [word, name, n] if is(word, "full") && is(name, "count") => match integer(n)? {
            ..0 => 10,
            0 => usize::MAX,
            n => usize::try_from(n).unwrap_or(usize::MAX),
        },
        _ => return Err(wrong()),
    };
    let mut fields = counters_of(stream, now);
    let entries = stream.range(StreamId::MIN, StreamId::MAX).take(limit);
    fields.push(named("entries", Reply::Array(entries.map(entry).collect())));
    let groups = stream.groups().iter();
    let groups = groups.map(|(name, group)| full_group(stream, name, group, limit, (form, rules)));
    fields.push(named("groups", Reply::Array(groups.collect())));
    Ok(Reply::Map(fields))
}

/// Returns how many entries a group has not read, by the rules of the version.
fn lag_of(stream: &Stream, group: &Group, groups: Groups) -> Option<i64> {
    let counters = stream.counters();
    let read_nothing = group.last_id() < counters.first_id;
    let is_whole = counters.max_deleted_id < counters.first_id;
    if groups.lag_from_start && stream.is_empty() {
        return Some(0);
    }
    if groups.lag_from_start && read_nothing && is_whole && counters.entries_added > 0 {
        return i64::try_from(stream.len()).ok();
    }
    stream.lag_by(group, groups.counting)
}

/// Returns what both forms of `XINFO STREAM` begin with.
fn counters_of(stream: &Stream, now: Option<i64>) -> Vec<(Reply, Reply)> {
    let counters = stream.counters();
    let mut fields = vec![
        named("length", Reply::count(stream.len())),
        named("radix-tree-keys", Reply::count(stream.node_count())),
        named("radix-tree-nodes", Reply::count(stream.radix_nodes())),
        named("last-generated-id", shown_id(counters.last_id)),
        named("max-deleted-entry-id", shown_id(counters.max_deleted_id)),
        named("entries-added", Reply::Integer(counters.entries_added as i64)),
        named("recorded-first-entry-id", shown_id(counters.first_id)),
    ];
    if let Some(now) = now {
        let producers = stream.producers();
        let (limits, (known, names)) = (producers.limits(), producers.known(now));
        let counts = [
            ("idmp-duration", limits.duration),
            ("idmp-maxsize", limits.max_size),
            ("pids-tracked", known as u64),
            ("iids-tracked", names as u64),
            ("iids-added", producers.added),
            ("iids-duplicates", producers.duplicates),
        ];
        fields.extend(counts.map(|(name, n)| named(name, Reply::Integer(n as i64))));
    }
    fields
}

fn summary(stream: &Stream, now: Option<i64>) -> Reply {
    let (from, to) = (StreamId::MIN, StreamId::MAX);
    let mut fields = counters_of(stream, now);
    fields.push(named("groups", Reply::count(stream.groups().len())));
    let first = stream.range(from, to).next().map_or(Reply::Nil, entry);
    let last = stream.range_back(from, to).next().map_or(Reply::Nil, entry);
    fields.push(named("first-entry", first));
    fields.push(named("last-entry", last));
    Reply::Map(fields)
}

fn full_group(
    stream: &Stream,
    name: &[u8],
    group: &Group,
    limit: usize,
    (form, groups): (Streams, Groups),
) -> Reply {
    let pending = |(id, pending): (&StreamId, &Pending)| {
        Reply::Array(vec![
            shown_id(*id),
            Reply::bulk(group.owner(pending).name()),
            Reply::Integer(pending.delivered_at),
            Reply::Integer(pending.deliveries as i64),
        ])
    };
    let consumer = |consumer: &Consumer| full_consumer(group, consumer, limit, form);
    Reply::Map(vec![
        named("name", Reply::bulk(name)),
        named("last-delivered-id", shown_id(group.last_id())),
        named("entries-read", known(group.entries_read())),
        named("lag", known(lag_of(stream, group, groups))),
        named("pel-count", Reply::count(group.pending().len())),
        named("pending", Reply::Array(group.pending().iter().take(limit).map(pending).collect())),
        named("consumers", Reply::Array(group.consumers().map(consumer).collect())),
    ])
}

fn full_consumer(group: &Group, consumer: &Consumer, limit: usize, form: Streams) -> Reply {
    let pending = consumer.pending().iter().take(limit).filter_map(|id| {
        let pending = group.pending().get(id)?;
        Some(Reply::Array(vec![
            shown_id(*id),
            Reply::Integer(pending.delivered_at),
            Reply::Integer(pending.deliveries as i64),
        ]))
    });
    let mut fields = vec![
        named("name", Reply::bulk(consumer.name())),
        named("seen-time", Reply::Integer(consumer.seen_at)),
    ];
    if form != Streams::Seen {
        fields.push(named("active-time", Reply::Integer(consumer.active_at.unwrap_or(-1))));
    }
    fields.extend([
        named("pel-count", Reply::count(consumer.pending().len())),
        named("pending", Reply::Array(pending.collect())),
    ]);
    Reply::Map(fields)
}
