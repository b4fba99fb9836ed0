//! The effects of reading and claiming for a consumer group.
//!
//! Each entry that becomes pending is sent as an `XCLAIM` that names its consumer, its time and how
//! often it was delivered, so that it does not matter when a replica runs it. A group that reads
//! without acknowledging leaves nothing pending: its position is sent instead.
//!
//! Source: `t_stream.c` (`streamPropagateXCLAIM`, `streamPropagateGroupID`).

use super::words;
use crate::redis::command::Args;
use crate::redis::command::arguments::is;
use crate::redis::database::Database;
use crate::redis::reply::Reply;
use crate::redis::value::{Group, Kind, Pending, Sds, Stream, StreamId};
use std::collections::BTreeMap;

type Effects = Vec<Vec<Sds>>;

/// A delivery: its consumer, its time, and how often there was one.
type Nack = (Sds, i64, u64);

/// A group before a command.
#[derive(Debug)]
pub(super) struct GroupBefore {
    key: Sds,
    group: Sds,
    consumer: Sds,
    /// Up to where it had read. The greatest id if what is new is not read.
    last_id: StreamId,
    knew_consumer: bool,
    pending: BTreeMap<StreamId, Nack>,
}

fn group_of<'a>(db: &'a Database, key: &[u8], group: &[u8]) -> Option<(&'a Stream, &'a Group)> {
    let stream = db.stored(key).and_then(|entry| Stream::of(&entry.value))?;
    Some((stream, stream.group(group)?))
}

fn nacks(group: &Group) -> BTreeMap<StreamId, Nack> {
    let nack = |(id, pending): (&StreamId, &Pending)| {
        let owner = group.owner(pending).name().clone();
        (*id, (owner, pending.delivered_at, pending.deliveries))
    };
    group.pending().iter().map(nack).collect()
}

impl GroupBefore {
    pub(super) fn of(db: &Database, key: &[u8], group: &[u8], consumer: &[u8]) -> GroupBefore {
        let found = group_of(db, key, group).map(|(_, group)| group);
        GroupBefore {
            key: key.into(),
            group: group.into(),
            consumer: consumer.into(),
            last_id: found.map_or(StreamId::MAX, Group::last_id),
            knew_consumer: found.is_none_or(|group| group.consumer(consumer).is_some()),
            pending: BTreeMap::new(),
        }
    }

    fn with_pending(mut self, db: &Database) -> GroupBefore {
        let found = group_of(db, &self.key, &self.group);
        self.pending = found.map(|(_, group)| nacks(group)).unwrap_or_default();
        self
    }

    fn xclaim(&self, id: Sds, nack: &Nack, last_id: StreamId) -> Vec<Sds> {
        let (consumer, at, deliveries) = nack;
        vec![
            "XCLAIM".into(),
            self.key.clone(),
            self.group.clone(),
            consumer.clone(),
            "0".into(),
            id,
            "TIME".into(),
            at.to_string().into(),
            "RETRYCOUNT".into(),
            deliveries.to_string().into(),
            "FORCE".into(),
            "JUSTID".into(),
            "LASTID".into(),
            last_id.to_string().into(),
        ]
    }

    fn position(&self, group: &Group) -> Vec<Sds> {
        vec![
            "XGROUP".into(),
            "SETID".into(),
            self.key.clone(),
            self.group.clone(),
            group.last_id().to_string().into(),
            "ENTRIESREAD".into(),
            group.entries_read().unwrap_or(-1).to_string().into(),
        ]
    }

    /// Returns the effects of the reading of new entries, and of those that were claimed before.
    pub(super) fn read(&self, db: &Database, no_ack: bool, claimed: &[StreamId]) -> Effects {
        let Some((stream, group)) = group_of(db, &self.key, &self.group) else { return Vec::new() };
        let mut effects = Vec::new();
        if no_ack && !self.knew_consumer && group.consumer(&self.consumer).is_some() {
            let key = [&b"XGROUP"[..], b"CREATECONSUMER", &self.key, &self.group, &self.consumer];
            effects.push(words(&key));
        }
        for id in claimed {
            if let Some(pending) = group.pending().get(id) {
                let owner = group.owner(pending).name().clone();
                let nack = (owner, pending.delivered_at, pending.deliveries);
                effects.push(self.xclaim(id.to_string().into(), &nack, self.last_id));
            }
        }
        if group.last_id() <= self.last_id {
            return effects;
        }
        if no_ack {
            effects.push(self.position(group));
            return effects;
        }
        let rules = db.profile.rewrites;
        let Some(first) = self.last_id.next() else { return effects };
        for entry in stream.range(first, group.last_id()) {
            if let Some(pending) = group.pending().get(&entry.id()) {
                let owner = group.owner(pending).name().clone();
                let nack = (owner, pending.delivered_at, pending.deliveries);
                let position = if rules.entries_keep_position { self.last_id } else { entry.id() };
                effects.push(self.xclaim(entry.id().to_string().into(), &nack, position));
            }
        }
        if rules.reads_set_position {
            effects.push(self.position(group));
        }
        effects
    }

    /// Returns the effects of claiming the entries that the reply lists. `asked` are the entries
    /// that may have been found to be gone.
    fn claimed(
        &self,
        db: &Database,
        asked: impl Iterator<Item = (StreamId, Sds)>,
        claimed: &[Reply],
    ) -> Effects {
        let Some((_, group)) = group_of(db, &self.key, &self.group) else { return Vec::new() };
        let claimed: Vec<StreamId> = claimed.iter().filter_map(id_of).collect();
        let now = nacks(group);
        let mut effects = Vec::new();
        for (id, word) in asked {
            let nack = match now.get(&id) {
                Some(nack) if claimed.contains(&id) => nack,
                Some(_) => continue,
                None => match self.pending.get(&id) {
                    Some(nack) => nack,
                    None => continue,
                },
            };
            effects.push(self.xclaim(word, nack, group.last_id()));
        }
        if effects.is_empty() && group.last_id() > self.last_id {
            effects.push(self.position(group));
        }
        effects
    }
}

/// Returns the id of an entry of a reply, with or without its fields.
fn id_of(reply: &Reply) -> Option<StreamId> {
    let id = match reply.as_array() {
        Some([id, ..]) => id,
        Some([]) => return None,
        None => reply,
    };
    StreamId::parse(id.as_bytes()?, 0)
}

/// Returns the places of the words `GROUP` and `STREAMS` of an `XREADGROUP` that has succeeded.
/// Other options may stand before and between them.
fn places(args: Args<'_>) -> Option<(usize, usize)> {
    let group = args.iter().position(|word| is(word, "group"))?;
    // The names of a group and of a consumer may be any words.
    let streams = args.iter().skip(group + 3).position(|word| is(word, "streams"))?;
    Some((group, group + 3 + streams))
}

/// Returns the keys of `XREADGROUP`, each with whether it reads what is new.
fn read_keys<'a>(args: Args<'a>, streams: usize) -> impl Iterator<Item = (&'a [u8], bool)> {
    let rest = &args[streams + 1..];
    let (keys, ids) = rest.split_at(rest.len() / 2);
    keys.iter().zip(ids).map(|(key, id)| (*key, *id == b">"))
}

/// Returns the groups that a command is about to change.
pub(super) fn groups_before(db: &Database, command: &str, args: Args<'_>) -> Vec<GroupBefore> {
    match command {
        "xreadgroup" => {
            let Some((group, streams)) = places(args) else { return Vec::new() };
            let before = |(key, is_new)| {
                let before = GroupBefore::of(db, key, args[group + 1], args[group + 2]);
                let last_id = if is_new { before.last_id } else { StreamId::MAX };
                GroupBefore { last_id, ..before }
            };
            read_keys(args, streams).map(before).collect()
        }
        "xclaim" | "xautoclaim" => {
            vec![GroupBefore::of(db, args[1], args[2], args[3]).with_pending(db)]
        }
        _ => Vec::new(),
    }
}

/// Returns the effects of a command that reads or claims, or `None` for any other command.
pub(super) fn effects(
    db: &Database,
    command: &str,
    args: Args<'_>,
    before: &[GroupBefore],
    reply: Option<&Reply>,
) -> Option<Effects> {
    match (command, before.first()) {
        ("xreadgroup", _) => {
            let (group, streams) = places(args)?;
            let options = args[1..group].iter().chain(&args[group + 3..streams]);
            let no_ack = { options }.any(|word| is(word, "noack"));
            let reads = before.iter().zip(&db.observers.claimed);
            Some(reads.flat_map(|(group, claimed)| group.read(db, no_ack, claimed)).collect())
        }
        ("xclaim", Some(group)) => {
            let id = |word: &&[u8]| Some((StreamId::parse(word, 0)?, Sds::new(word)));
            let asked = args.iter().skip(5).map_while(id);
            let claimed = reply.and_then(Reply::as_array).unwrap_or_default();
            Some(group.claimed(db, asked, claimed))
        }
        ("xautoclaim", Some(group)) => {
            let parts = reply.and_then(Reply::as_array).unwrap_or_default();
            let list = |at: usize| parts.get(at).and_then(Reply::as_array).unwrap_or_default();
            let mut asked: Vec<StreamId> =
                list(1).iter().chain(list(2)).filter_map(id_of).collect();
            asked.sort_unstable();
            let asked = asked.into_iter().map(|id| (id, Sds::from(id.to_string())));
            Some(group.claimed(db, asked, list(1)))
        }
        _ => None,
    }
}
