//! Append-only files, as a rewrite without an RDB preamble writes them: the commands that make each
//! key.
//!
//! Source: `aof.c` (`rewriteAppendOnlyFileRio`).

use super::Snapshot;
use crate::redis::value::{Value, number};

/// The most elements of one command.
const AT_ONCE: usize = 64;

/// Returns the append-only file that makes these libraries and keys. Its keys come in order of
/// their databases.
#[must_use]
pub fn append_only_file(snapshot: &Snapshot) -> Vec<u8> {
    let mut file = Vec::new();
    for library in &snapshot.libraries {
        command(&mut file, &[b"FUNCTION", b"LOAD", library]);
    }
    let mut databases: Vec<usize> = snapshot.records.iter().map(|record| record.database).collect();
    databases.sort_unstable();
    databases.dedup();
    for database in databases {
        command(&mut file, &[b"SELECT", database.to_string().as_bytes()]);
        for record in snapshot.records.iter().filter(|record| record.database == database) {
            value(&mut file, &record.key, &record.value);
            if let Some(at) = record.expires_at {
                command(&mut file, &[b"PEXPIREAT", &record.key, &number::format_i64(at)]);
            }
        }
    }
    file
}

fn command(file: &mut Vec<u8>, words: &[&[u8]]) {
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
        Value::String(string) => command(file, &[b"SET", key, string]),
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
        Value::Hash(hash) => {
            let pairs = hash.iter().map(|(field, value)| [field.to_vec(), value.to_vec()]);
            batches(file, b"HMSET", key, pairs);
        }
    }
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
        command(file, &words);
    }
}
