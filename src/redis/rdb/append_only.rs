//! Append-only files: commands as clients send them. A rewrite without an RDB preamble writes those
//! that make each key.
//!
//! Source: `aof.c` (`rewriteAppendOnlyFileRio`, `loadSingleAppendOnlyFile`).

use super::{RdbError, Snapshot};
use crate::redis::value::{Group, Hash, ProducerLimits, Stream, StreamId, Value, number};
use crate::redis::version::Streams;

/// The most elements of one command.
const AT_ONCE: usize = 64;

/// Returns the append-only file that makes these libraries and keys. Its keys come in order of
/// their databases. A server that reads it must have the default settings of producers.
#[must_use]
pub fn append_only_file(snapshot: &Snapshot) -> Vec<u8> {
    append_only_file_for(snapshot, ProducerLimits::default())
}

/// Returns the append-only file for a server whose new streams remember this much of producers.
pub(crate) fn append_only_file_for(snapshot: &Snapshot, usual: ProducerLimits) -> Vec<u8> {
    let knows_producers = snapshot.version.profile().rdb.streams == Streams::Idempotent;
    let usual = knows_producers.then_some(usual);
    let mut file = Vec::new();
    for library in &snapshot.libraries {
        write_command(&mut file, &[b"FUNCTION", b"LOAD", library]);
    }
    let mut databases: Vec<usize> = snapshot.records.iter().map(|record| record.database).collect();
    databases.sort_unstable();
    databases.dedup();
    for database in databases {
        write_command(&mut file, &[b"SELECT", database.to_string().as_bytes()]);
        for record in snapshot.records.iter().filter(|record| record.database == database) {
            value(&mut file, &record.key, &record.value);
            if let (Value::Stream(stream), Some(usual)) = (&record.value, usual) {
                producers(&mut file, &record.key, stream, usual);
            }
            if let Some(at) = record.expires_at {
                write_command(&mut file, &[b"PEXPIREAT", &record.key, &number::format_i64(at)]);
            }
        }
    }
    file
}

/// Appends a command, as clients send it.
pub(crate) fn write_command(file: &mut Vec<u8>, words: &[&[u8]]) {
    file.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        file.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        file.extend_from_slice(word);
        file.extend_from_slice(b"\r\n");
    }
}

/// Writes the commands that make a value.
fn value(file: &mut Vec<u8>, key: &[u8], value: &Value) {
    match value {
        Value::String(string) => write_command(file, &[b"SET", key, string]),
        Value::List(list) => {
            batches(file, b"RPUSH", key, list.iter().map(|element| [element.to_vec()]));
        }
        Value::Set(set) => {
            batches(file, b"SADD", key, set.iter().map(|member| [member.to_vec()]));
        }
        Value::SortedSet(set) => {
            let pairs = set
                .iter()
                .map(|(member, score)| [number::format_double(score).to_vec(), member.to_vec()]);
            batches(file, b"ZADD", key, pairs);
        }
        Value::Hash(hash) if hash.deadlines() > 0 => fields(file, key, hash),
        Value::Hash(hash) => {
            let pairs = hash.iter().map(|(field, value)| [field.to_vec(), value.to_vec()]);
            batches(file, b"HMSET", key, pairs);
        }
        Value::Stream(value) => stream(file, key, value),
    }
}

/// Writes the commands that make a hash whose fields have deadlines, one field after the other.
fn fields(file: &mut Vec<u8>, key: &[u8], hash: &Hash) {
    for (field, value) in hash.iter() {
        write_command(file, &[b"HMSET", key, field, value]);
        if let Some(at) = hash.deadline(field) {
            let at = number::format_i64(at);
            write_command(file, &[b"HPEXPIREAT", key, &at, b"FIELDS", b"1", field]);
        }
    }
}

/// Writes the commands that make a stream: its entries, its counters, its groups, and what is
/// pending. A stream without entries needs one that is removed at once.
fn stream(file: &mut Vec<u8>, key: &[u8], stream: &Stream) {
    for entry in stream.range(StreamId::MIN, StreamId::MAX) {
        let (id, entry) = (entry.id().to_string(), entry.to_owned());
        let mut words: Vec<&[u8]> = vec![b"XADD", key, id.as_bytes()];
        words.extend(entry.fields.iter().flat_map(|(field, value)| [&**field, &**value]));
        write_command(file, &words);
    }
    if stream.is_empty() {
        write_command(file, &[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
    }
    let counters = stream.counters();
    let (last, deleted) = (counters.last_id.to_string(), counters.max_deleted_id.to_string());
    let added = number::format_i64(counters.entries_added as i64);
    let words: [&[u8]; 7] = [
        b"XSETID",
        key,
        last.as_bytes(),
        b"ENTRIESADDED",
        &added,
        b"MAXDELETEDID",
        deleted.as_bytes(),
    ];
    write_command(file, &words);
    for (name, group) in stream.groups() {
        let (last, read) = (group.last_id().to_string(), group.entries_read().unwrap_or(-1));
        let read = number::format_i64(read);
        let create: [&[u8]; 7] =
            [b"XGROUP", b"CREATE", key, name, last.as_bytes(), b"ENTRIESREAD", &read];
        write_command(file, &create);
        for consumer in group.consumers() {
            if consumer.pending().is_empty() {
                write_command(file, &[b"XGROUP", b"CREATECONSUMER", key, name, consumer.name()]);
            }
            for id in consumer.pending() {
                pending(file, (key, name, consumer.name()), *id, group);
            }
        }
    }
}

/// Writes the commands that make what a stream remembers of its producers: the limits, unless they
/// are the usual ones, and the name of each entry that still exists.
fn producers(file: &mut Vec<u8>, key: &[u8], stream: &Stream, usual: ProducerLimits) {
    let limits = stream.producers().limits();
    if limits != usual {
        let (duration, size) = (limits.duration.to_string(), limits.max_size.to_string());
        let (duration, size) = (duration.as_bytes(), size.as_bytes());
        let set: [&[u8]; 6] = [b"XCFGSET", key, b"IDMP-DURATION", duration, b"IDMP-MAXSIZE", size];
        write_command(file, &set);
    }
    for (producer, _, names) in stream.producers().iter() {
        for (name, entry) in names.filter(|(_, entry)| stream.get(*entry).is_some()) {
            let entry = entry.to_string();
            write_command(file, &[b"XIDMPRECORD", key, producer, name, entry.as_bytes()]);
        }
    }
}

/// Writes the command that makes an entry pending for a consumer: key, group and consumer.
fn pending(file: &mut Vec<u8>, of: (&[u8], &[u8], &[u8]), id: StreamId, group: &Group) {
    let Some(pending) = group.pending().get(&id) else { return };
    let (at, count) = (pending.delivered_at, pending.deliveries as i64);
    let (at, count, id) = (number::format_i64(at), number::format_i64(count), id.to_string());
    let (key, name, consumer) = of;
    let words: [&[u8]; 12] = [
        b"XCLAIM",
        key,
        name,
        consumer,
        b"0",
        id.as_bytes(),
        b"TIME",
        &at,
        b"RETRYCOUNT",
        &count,
        b"JUSTID",
        b"FORCE",
    ];
    write_command(file, &words);
}

/// Writes a command for each batch of elements, which have `N` words each.
fn batches<const N: usize>(
    file: &mut Vec<u8>,
    name: &[u8],
    key: &[u8],
    elements: impl Iterator<Item = [Vec<u8>; N]>,
) {
    let elements: Vec<[Vec<u8>; N]> = elements.collect();
    for batch in elements.chunks(AT_ONCE) {
        let mut words = vec![name, key];
        words.extend(batch.iter().flatten().map(Vec::as_slice));
        write_command(file, &words);
    }
}

/// The commands of an append-only file, read.
#[derive(Debug)]
pub(crate) struct AppendOnly<'a> {
    file: &'a [u8],
    at: usize,
}

/// The next part of an append-only file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A command: its name and its arguments.
    Command(Vec<&'a [u8]>),
    /// Nothing.
    End,
    /// The beginning of a command.
    Truncated,
}

impl<'a> AppendOnly<'a> {
    pub(crate) fn new(file: &'a [u8], begin: usize) -> AppendOnly<'a> {
        AppendOnly { file, at: begin }
    }

    /// Number of bytes that were read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Returns the next command. Lines that begin with `#` are notes.
    pub(crate) fn next_command(&mut self) -> Result<Next<'a>, RdbError> {
        while self.file.get(self.at) == Some(&b'#') {
            if self.line().is_none() {
                return Ok(Next::Truncated);
            }
        }
        if self.at >= self.file.len() {
            return Ok(Next::End);
        }
        let begin = self.at;
        let Some(count) = self.header(b'*')? else { return Ok(Next::Truncated) };
        if count == 0 {
            return Err(RdbError::new(begin, "a command has no name"));
        }
        let mut words = Vec::new();
        for _ in 0..count {
            let Some(len) = self.header(b'$')? else { return Ok(Next::Truncated) };
            let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
            let word = end.and_then(|end| Some((self.file.get(self.at..end)?, end)));
            let Some((word, end)) = word.filter(|(_, end)| end + 2 <= self.file.len()) else {
                return Ok(Next::Truncated);
            };
            words.push(word);
            self.at = end + 2;
        }
        Ok(Next::Command(words))
    }

    /// Returns the next line without its end, or `None` if it has none.
    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = self.file.get(self.at..)?;
        let len = rest.iter().position(|byte| *byte == b'\n')?;
        self.at += len + 1;
        Some(rest[..len].strip_suffix(b"\r").unwrap_or(&rest[..len]))
    }

    /// Returns the number after a byte, or `None` if the file ends before it does.
    fn header(&mut self, kind: u8) -> Result<Option<u64>, RdbError> {
        let begin = self.at;
        let invalid = || RdbError::new(begin, format!("no {} is here", char::from(kind)));
        if self.file.get(begin).is_some_and(|byte| *byte != kind) {
            return Err(invalid());
        }
        let Some(line) = self.line() else { return Ok(None) };
        let number = line.get(1..).and_then(number::parse_i64);
        number.and_then(|number| u64::try_from(number).ok()).map(Some).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_end_anywhere() {
        let mut file = Vec::new();
        write_command(&mut file, &[b"SET", b"k", b"a\r\nb"]);
        file.extend_from_slice(b"#TS:1\r\n");
        write_command(&mut file, &[b"DEL", b"k"]);
        for len in 0..=file.len() {
            let mut commands = AppendOnly::new(&file[..len], 0);
            let mut read = 0;
            let end = loop {
                match commands.next_command() {
                    Ok(Next::Command(words)) => {
                        read += words.len();
                    }
                    other => break other,
                }
            };
            let whole = [(0, 0), (30, 3), (37, 3), (57, 5)];
            match whole.iter().find(|(at, _)| *at == len) {
                Some((_, words)) => assert_eq!((end, read), (Ok(Next::End), *words), "{len}"),
                None => assert_eq!(end, Ok(Next::Truncated), "{len}"),
            }
        }
        let damaged = AppendOnly::new(b"SET k v\r\n", 0).next_command();
        assert_eq!(damaged.map_err(|error| error.offset), Err(0));
    }
}
