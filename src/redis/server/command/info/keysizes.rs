//! The section `Keysizes`: how many values of each type have how many elements, or how many bytes.
//!
//! Sizes are counted in classes: a class has the sizes from its name, a power of two, to the next.
//!
//! Source: <https://redis.io/docs/latest/commands/info/>.

use super::Lines;
use crate::redis::database::Database;
use crate::redis::server::Server;
use crate::redis::value::Value;
use std::collections::BTreeMap;

/// The types with the names of their fields, in order. Streams are not counted.
const FIELDS: [&str; 5] =
    ["strings_sizes", "lists_items", "sets_items", "zsets_items", "hashes_items"];

pub(super) fn keysizes(server: &Server) -> Lines {
    server.databases.iter().enumerate().flat_map(|(index, db)| sizes_of(index, db)).collect()
}

fn sizes_of(index: usize, db: &Database) -> Lines {
    let mut classes: [BTreeMap<u64, u64>; 5] = Default::default();
    for entry in db.keyspace.iter() {
        if let Some((field, size)) = size(&entry.value) {
            let class = size.checked_ilog2().map_or(0, |log| 1 << log);
            *classes[field].entry(class).or_default() += 1;
        }
    }
    let line = |(field, classes): (&str, &BTreeMap<u64, u64>)| {
        let counts: Vec<String> = classes.iter().map(|(class, n)| format!("{class}={n}")).collect();
        let name = format!("db{index}_distrib_{field}");
        (!counts.is_empty()).then(|| (name, counts.join(",")))
    };
    FIELDS.into_iter().zip(&classes).filter_map(line).collect()
}

/// Returns the place of a value's type in [`FIELDS`], and its size.
fn size(value: &Value) -> Option<(usize, u64)> {
    let (field, size) = match value {
        Value::String(string) => (0, string.len()),
        Value::List(list) => (1, list.len()),
        Value::Set(set) => (2, set.len()),
        Value::SortedSet(set) => (3, set.len()),
        Value::Hash(hash) => (4, hash.len()),
        Value::Stream(_) => return None,
    };
    Some((field, size as u64))
}
