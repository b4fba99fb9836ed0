//! Streams as RDB: the nodes as they are in memory, the counters, and the groups with their
//! consumers. The pending entries of a group come with their deliveries, and then, for each
//! consumer, only their ids.
//!
//! Source: `rdb.c` (`rdbSaveObject`, `rdbSaveStreamPEL`, `rdbSaveStreamConsumers`).

use super::reader::Reader;
use super::writer::Writer;
use super::{RdbError, kind};
use crate::redis::value::{
    Group, Kind, ProducerLimits, Producers, ReadCounting, Stream, StreamCounters, StreamId, Value,
};
use crate::redis::version::Streams;
use std::collections::BTreeMap;

/// Stands for a number of read entries, or a time, that is not known.
const UNKNOWN: i64 = -1;

/// Times and numbers of the deliveries of pending entries.
type Deliveries = BTreeMap<StreamId, (i64, u64)>;

pub(super) fn write(writer: &mut Writer, stream: &Stream, form: Streams) {
    writer.count(stream.node_count());
    for (id, listpack) in stream.listpacks() {
        writer.string(&raw(id));
        writer.string(listpack);
    }
    let counters = stream.counters();
    writer.length(counters.length);
    for id in [counters.last_id, counters.first_id, counters.max_deleted_id] {
        write_id(writer, id);
    }
    writer.length(counters.entries_added);
    writer.count(stream.groups().len());
    for (name, group) in stream.groups() {
        writer.string(name);
        write_id(writer, group.last_id());
        writer.length(group.entries_read().unwrap_or(UNKNOWN) as u64);
        writer.count(group.pending().len());
        for (id, pending) in group.pending() {
            writer.raw(&raw(*id));
            writer.raw(&pending.delivered_at.to_le_bytes());
            writer.length(pending.deliveries);
        }
        writer.count(group.len());
        for consumer in group.consumers() {
            writer.string(consumer.name());
            writer.raw(&consumer.seen_at.to_le_bytes());
            if form != Streams::Seen {
                writer.raw(&consumer.active_at.unwrap_or(UNKNOWN).to_le_bytes());
            }
            writer.count(consumer.pending().len());
            consumer.pending().iter().for_each(|id| writer.raw(&raw(*id)));
        }
    }
    if form == Streams::Idempotent {
        write_producers(writer, stream.producers());
    }
}

fn write_producers(writer: &mut Writer, producers: &Producers) {
    let limits = producers.limits();
    writer.length(limits.duration);
    writer.length(limits.max_size);
    writer.count(producers.len());
    for (producer, count, names) in producers.iter() {
        writer.string(producer);
        writer.count(count);
        for (name, entry) in names {
            writer.string(name);
            write_id(writer, entry);
        }
    }
    writer.length(producers.added);
    writer.length(producers.duplicates);
}

fn read_producers(reader: &mut Reader<'_>) -> Result<Producers, RdbError> {
    let limits = ProducerLimits { duration: reader.length()?, max_size: reader.length()? };
    let mut producers = Producers::new(limits);
    for _ in 0..reader.length()? {
        let producer = reader.string()?;
        for _ in 0..reader.length()? {
            let name = reader.string()?;
            let entry = read_id(reader)?;
            if !producers.put(&producer, &name, entry) {
                return Err(reader.error("a producer has given a name twice"));
            }
        }
    }
    producers.added = reader.length()?;
    producers.duplicates = reader.length()?;
    Ok(producers)
}

/// Returns an id as a key of the radix tree, or among pending entries.
fn raw(id: StreamId) -> [u8; 16] {
    ((u128::from(id.ms) << 64) | u128::from(id.seq)).to_be_bytes()
}

fn from_raw(raw: [u8; 16]) -> StreamId {
    let id = u128::from_be_bytes(raw);
    StreamId::new((id >> 64) as u64, id as u64)
}

fn write_id(writer: &mut Writer, id: StreamId) {
    writer.length(id.ms);
    writer.length(id.seq);
}

fn read_id(reader: &mut Reader<'_>) -> Result<StreamId, RdbError> {
    Ok(StreamId::new(reader.length()?, reader.length()?))
}

/// Reads a stream of this type.
pub(super) fn read(reader: &mut Reader<'_>, of: u8) -> Result<Option<Value>, RdbError> {
    let mut nodes = BTreeMap::new();
    for _ in 0..reader.length()? {
        let id = reader.string()?;
        let id = <[u8; 16]>::try_from(&*id).map_err(|_| reader.error("a node has no id"))?;
        let listpack = reader.string()?.into_owned();
        if nodes.insert(from_raw(id), listpack).is_some() {
            return Err(reader.error("a node is there twice"));
        }
    }
    let length = reader.length()?;
    let mut counters = StreamCounters { length, last_id: read_id(reader)?, ..Default::default() };
    let has_counters = of != kind::STREAM_LISTPACKS;
    if has_counters {
        counters.first_id = read_id(reader)?;
        counters.max_deleted_id = read_id(reader)?;
        counters.entries_added = reader.length()?;
    } else {
        counters.entries_added = length;
    }
    let of_nodes = |nodes, counters, reader: &Reader<'_>| {
        let stream = Stream::from_listpacks(nodes, counters);
        stream.ok_or_else(|| reader.error("a node of a stream is corrupt"))
    };
    let mut stream = of_nodes(nodes, counters, reader)?;
    if !has_counters {
        let first = stream.range(StreamId::MIN, StreamId::MAX).next();
        counters.first_id = first.map_or(StreamId::MIN, |entry| entry.id());
        let nodes: Vec<_> =
            stream.listpacks().map(|(id, listpack)| (id, listpack.to_vec())).collect();
        stream = of_nodes(nodes.into_iter().collect(), counters, reader)?;
    }
    for _ in 0..reader.length()? {
        let name = reader.string()?;
        let group = read_group(reader, of, counters)?;
        if stream.group(&name).is_some() {
            return Err(reader.error("a group is there twice"));
        }
        stream.put_group(&name, group);
    }
    if of == kind::STREAM_LISTPACKS_4 {
        stream.put_producers(read_producers(reader)?);
    }
    stream.check_invariants().map_err(|why| reader.error(why))?;
    Ok(Some(stream.wrap()))
}

fn read_group(
    reader: &mut Reader<'_>,
    of: u8,
    counters: StreamCounters,
) -> Result<Group, RdbError> {
    let last_id = read_id(reader)?;
    let entries_read = if of != kind::STREAM_LISTPACKS {
        Some(reader.length()? as i64).filter(|read| *read != UNKNOWN)
    } else {
        counters.entries_up_to(last_id, ReadCounting::default())
    };
    let mut group = Group::new(last_id, entries_read);
    let mut deliveries = Deliveries::new();
    for _ in 0..reader.length()? {
        let id = from_raw(reader.array()?);
        let delivery = (i64::from_le_bytes(reader.array()?), reader.length()?);
        if deliveries.insert(id, delivery).is_some() {
            return Err(reader.error("a pending entry is there twice"));
        }
    }
    for _ in 0..reader.length()? {
        let name = reader.string()?;
        let seen_at = i64::from_le_bytes(reader.array()?);
        let has_activity = matches!(of, kind::STREAM_LISTPACKS_3 | kind::STREAM_LISTPACKS_4);
        let active_at = if has_activity { i64::from_le_bytes(reader.array()?) } else { seen_at };
        if !group.add_known_consumer(&name, seen_at, Some(active_at).filter(|at| *at != UNKNOWN)) {
            return Err(reader.error("a consumer is there twice"));
        }
        for _ in 0..reader.length()? {
            let id = from_raw(reader.array()?);
            // Each entry is pending for one consumer.
            let delivery = deliveries.remove(&id);
            let (at, count) = delivery.ok_or_else(|| reader.error("an entry is not pending"))?;
            group.put_pending(id, &name, at, count);
        }
    }
    if !deliveries.is_empty() {
        return Err(reader.error("a pending entry has no consumer"));
    }
    group.count_turns_by_id();
    Ok(group)
}
