//! The check of a database's invariants.

use super::{Database, Observers};
use crate::invariant::ensure;

impl Database {
    /// Checks what always holds between two operations, and returns the first invariant that is
    /// broken. O(n log n). Tests may call it after every step.
    ///
    /// The table of keys finds each entry in its slot; the expiry index has exactly the keys with a
    /// time to live; no collection but a stream is empty; a sorted set's map and tree agree; a
    /// stream's nodes are well-formed, and its pending entries belong to consumers; the values
    /// remembered for a crash are valid; no wait queue is empty or has a client twice.
    ///
    /// # Errors
    ///
    /// A sentence that names the broken invariant.
    pub fn check_invariants(&self) -> Result<(), String> {
        let of = |why: String| format!("database {}: {why}", self.index);
        self.keyspace.check_invariants().map_err(of)?;
        for entry in self.keyspace.iter() {
            let checked = entry.value.check_invariants();
            checked.map_err(|why| of(format!("key {}: {why}", entry.key)))?;
        }
        self.undo.check_invariants().map_err(of)?;
        self.observers.check_invariants().map_err(of)
    }
}

impl Observers {
    fn check_invariants(&self) -> Result<(), String> {
        for (key, watched) in &self.watched {
            ensure(watched.watchers > 0, || format!("nobody watches key {key}"))?;
        }
        for (key, queue) in &self.awaited {
            ensure(!queue.is_empty(), || format!("nobody waits for key {key}"))?;
            for (at, client) in queue.iter().enumerate() {
                let once = !queue.iter().skip(at + 1).any(|other| other == client);
                ensure(once, || format!("client {client} waits twice for key {key}"))?;
            }
        }
        for (at, key) in self.ready.iter().enumerate() {
            let once = !self.ready[at + 1..].contains(key);
            ensure(once, || format!("key {key} is ready twice"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::value::{Kind, List};

    #[test]
    fn a_broken_invariant_is_named() {
        let mut db = Database::new();
        assert_eq!(db.check_invariants(), Ok(()));
        db.insert(b"k", List::default().wrap());
        assert_eq!(db.check_invariants(), Err("database 0: key k: an empty list".to_owned()));
    }
}
