//! The loss of a failover: the writes of a former master that its new master does not have.
//!
//! As long as both histories are known, the loss is named write by write: the part of the own
//! history from where the two part. Otherwise it is named by the keys that differ.
//!
//! Source: `replication.c` (`masterTryPartialResynchronization`), which does not tell.

use super::Server;
use crate::redis::database::keyspace::{Entry, Keyspace};
use crate::redis::rdb::{AppendOnly, Next, dump};
use crate::redis::value::{Sds, Value, number};
use std::fmt;

/// A write that no other server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostWrite {
    /// Number of the database.
    pub database: usize,
    /// The command, as replicas would have run it.
    pub command: Vec<Sds>,
}

/// The writes that a server has discarded because its new master does not have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discarded {
    /// The writes, in order, as far as they were still known.
    pub writes: Vec<LostWrite>,
    /// Keys that have changed without a known write, each with the number of its database.
    pub keys: Vec<(usize, Sds)>,
    /// The new master.
    pub master: String,
}

/// Greatest number of writes, or of keys, that are named.
const NAMED: usize = 10;

impl fmt::Display for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let Discarded { writes, keys, master } = self;
        if writes.is_empty() && keys.is_empty() {
            return f.write_str("no failover has lost a write");
        }
        let count = if writes.is_empty() { keys.len() } else { writes.len() };
        let what = if writes.is_empty() { "key" } else { "write" };
        write!(f, "failover lost {count} {what}{} that {master} does not have: ", plural(count))?;
        for (i, LostWrite { database, command }) in writes.iter().take(NAMED).enumerate() {
            let shown = |word: &Sds| word.to_string();
            let words: Vec<String> = command.iter().take(8).map(shown).collect();
            f.write_str(if i == 0 { "" } else { ", " })?;
            f.write_str(&words.join(" "))?;
            if command.len() > 8 {
                f.write_str(" …")?;
            }
            if *database != 0 {
                write!(f, " (database {database})")?;
            }
        }
        let keys = if writes.is_empty() { &keys[..] } else { &[] };
        for (i, (database, key)) in keys.iter().take(NAMED).enumerate() {
            write!(f, "{}{key}", if i == 0 { "" } else { ", " })?;
            if *database != 0 {
                write!(f, " (database {database})")?;
            }
        }
        if count > NAMED { f.write_str(", …") } else { Ok(()) }
    }
}

impl Server {
    /// Returns the writes that the server has last discarded, because it became the replica of a
    /// master that did not have them.
    #[must_use]
    pub fn discarded(&self) -> &Discarded {
        &self.replication.discarded
    }

    /// Returns what was discarded as text, the first time it is called after that.
    pub(crate) fn take_discarded_note(&mut self) -> Option<String> {
        std::mem::take(&mut self.replication.untold).then(|| self.replication.discarded.to_string())
    }

    /// Returns what this server has and its new master has not, if it was a master itself.
    /// `parting` is the history that the master's continues, and the offset from which on it
    /// differs.
    pub(super) fn what_is_discarded(
        &self,
        parting: Option<(Sds, u64)>,
        new: &[Keyspace],
    ) -> Option<Discarded> {
        let replication = &self.replication;
        let link = replication.link.as_ref()?;
        if !link.was_master {
            return None;
        }
        let master = link.host.to_string();
        let own = parting.and_then(|(former, parts_at)| self.writes_beyond(&former, parts_at));
        let (writes, known) = (own.as_deref().map(writes_of).unwrap_or_default(), own.is_some());
        let wrote = self.changes() != replication.changes_at_start;
        let keys = if known || !wrote { Vec::new() } else { self.differing_keys(new) };
        let lost = Discarded { writes, keys, master };
        (!lost.writes.is_empty() || !lost.keys.is_empty()).then_some(lost)
    }

    /// Returns the part of its own history that does not belong to another that parts from it
    /// there, or `None` if it is not known.
    fn writes_beyond(&self, former: &Sds, parts_at: u64) -> Option<Vec<u8>> {
        let replication = &self.replication;
        let before = parts_at.checked_sub(1)?;
        if replication.id.as_ref() == Some(former) {
            return replication.after(before.min(replication.offset));
        }
        if replication.former_id.as_ref() == Some(former) {
            return replication.after(replication.parts_at?.min(parts_at).checked_sub(1)?);
        }
        // A history from before it was started last.
        let remembered = replication.remembered.as_ref().filter(|past| past.id == *former)?;
        let mut bytes = remembered.after(before)?;
        bytes.extend(
            replication.backlog.as_ref().map(|log| log.last(log.len())).unwrap_or_default(),
        );
        Some(bytes)
    }

    /// Returns the keys whose values are not those of these databases.
    fn differing_keys(&self, new: &[Keyspace]) -> Vec<(usize, Sds)> {
        let mut keys = Vec::new();
        for (index, (database, new)) in self.databases.iter().zip(new).enumerate() {
            for entry in database.keyspace.iter() {
                let bytes = |value: &Value| dump(value, database.profile);
                let same = |other: &Entry| bytes(&other.value) == bytes(&entry.value);
                let same = new.get(&entry.key).is_some_and(same);
                if !same {
                    keys.push((index, entry.key.clone()));
                }
            }
        }
        keys
    }
}

/// Returns the writes of a part of a history.
fn writes_of(bytes: &[u8]) -> Vec<LostWrite> {
    let mut commands = AppendOnly::new(bytes, 0);
    let (mut writes, mut database) = (Vec::new(), 0);
    while let Ok(Next::Command(words)) = commands.next_command() {
        let is = |name: &[u8]| words[0].eq_ignore_ascii_case(name);
        if is(b"select") {
            let number = words.get(1).and_then(|word| number::parse_i64(word));
            database = number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        } else if !(is(b"ping") || is(b"multi") || is(b"exec") || is(b"replconf")) {
            let command = words.iter().map(|word| Sds::new(word)).collect();
            writes.push(LostWrite { database, command });
        }
    }
    writes
}
