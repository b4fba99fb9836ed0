//! Digests of values and databases, equal to the real server's: `DEBUG DIGEST` and `DEBUG
//! DIGEST-VALUE` show whether two servers have the same data.
//!
//! Ordered parts are *mixed* in, so that their order matters. Unordered parts are *added*, so that
//! their order does not matter.
//!
//! Source: `debug.c` (`computeDatasetDigest`).

use super::Database;
use super::keyspace::Entry;
use super::sha1::{Sha1, sha1};
use crate::redis::value::{StreamId, Value, number};
use crate::redis::version::{Numbers, Version};

/// The digest of nothing.
pub(crate) const NONE: Sha1 = [0; 20];

fn add(digest: &mut Sha1, bytes: &[u8]) {
    for (byte, other) in digest.iter_mut().zip(sha1(bytes)) {
        *byte ^= other;
    }
}

fn mix(digest: &mut Sha1, bytes: &[u8]) {
    add(digest, bytes);
    *digest = sha1(&*digest);
}

/// Returns the digest of two parts that belong together.
fn pair(first: &[u8], second: &[u8]) -> Sha1 {
    let mut digest = NONE;
    mix(&mut digest, first);
    mix(&mut digest, second);
    digest
}

/// The rules by which a version digests values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    numbers: Numbers,
    /// A deadline of a field leaves its mark.
    marks_deadlines: bool,
    /// Fields that are due by then are not there.
    due_by: i64,
}

impl Rules {
    /// As the first version digests, which knows no deadlines of fields.
    pub(crate) fn plain() -> Rules {
        let numbers = Version::default().profile().numbers;
        Rules { numbers, marks_deadlines: false, due_by: i64::MIN }
    }

    pub(crate) fn of(db: &Database) -> Rules {
        let fields = &db.profile.fields;
        let due_by = if fields.due_are_gone { db.expired_by } else { i64::MIN };
        Rules { numbers: db.profile.numbers, marks_deadlines: fields.mark_digest, due_by }
    }
}

/// Mixes in a value, and whether it has a time to live. The expiry time itself does not matter.
pub(crate) fn mix_value(digest: &mut Sha1, value: &Value, expires: bool, rules: Rules) {
    let kind: u32 = match value {
        Value::String(_) => 0,
        Value::List(_) => 1,
        Value::Set(_) => 2,
        Value::SortedSet(_) => 3,
        Value::Hash(_) => 4,
        Value::Stream(_) => 6,
    };
    mix(digest, &kind.to_be_bytes());
    match value {
        Value::String(string) => mix(digest, string),
        Value::List(list) => list.iter().for_each(|element| mix(digest, element)),
        Value::Set(set) => set.iter().for_each(|member| add(digest, &member)),
        Value::SortedSet(set) => {
            for (member, score) in set.iter() {
                add(digest, &pair(member, &number::format_few(score, rules.numbers)));
            }
        }
        Value::Hash(hash) => {
            for (field, value) in hash.iter().filter(|(field, _)| !hash.is_due(field, rules.due_by))
            {
                let mut one = pair(field, value);
                if rules.marks_deadlines && hash.deadline(field).is_some() {
                    add(&mut one, b"!!hexpire!!");
                }
                add(digest, &one);
            }
        }
        // Groups and counters do not matter.
        Value::Stream(stream) => {
            for entry in stream.range(StreamId::MIN, StreamId::MAX) {
                let StreamId { ms, seq } = entry.id();
                mix(digest, format!("{ms}.{seq}").as_bytes());
                for (field, value) in entry.fields() {
                    field.with(|field| mix(digest, field));
                    value.with(|value| mix(digest, value));
                }
            }
        }
    }
    if expires {
        add(digest, b"!!expire!!");
    }
}

/// Returns the digest of an entry's value.
pub(crate) fn of_entry(entry: &Entry, rules: Rules) -> Sha1 {
    let mut digest = NONE;
    mix_value(&mut digest, &entry.value, entry.expiry().is_some(), rules);
    digest
}

/// Adds the keys of the database with this number. A database without keys adds nothing.
pub(crate) fn mix_database(digest: &mut Sha1, number: usize, db: &Database) {
    let rules = Rules::of(db);
    if db.keyspace.len() > 0 {
        mix(digest, &(number as u32).to_be_bytes());
    }
    for entry in db.keyspace.iter() {
        let mut key = NONE;
        mix(&mut key, &entry.key);
        mix_value(&mut key, &entry.value, entry.expiry().is_some(), rules);
        add(digest, &key);
    }
}

/// Formats a digest as the server does.
pub(crate) fn hex(digest: &Sha1) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
