//! Transactions: what `WATCH` guards.
//!
//! The queue of a transaction is in its client's session; this is the optimistic
//! lock. A watched key has a version in its database, counted up by every change
//! of it while anybody watches; `EXEC` goes ahead only if no version has moved. A
//! key that expires is changed by that; one that had expired when it was
//! watched, though nobody had noticed, may go.
//!
//! Source: <https://redis.io/docs/manual/transactions/>, `multi.c`.

use super::id::ClientId;
use super::sds::Sds;
use super::server::{Server, Watch};

impl Server {
    /// `WATCH`: a client watches a key from now on.
    pub(crate) fn watch(&mut self, client: ClientId, database: usize, key: &[u8]) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        let same = |watch: &Watch| watch.database == database && watch.key.as_slice() == key;
        if session.watches.iter().any(same) {
            return;
        }
        let db = &mut self.databases[database];
        let expired = db.is_expired_unnoticed(key);
        let watched = db.observers.watched.entry(Sds::new(key)).or_default();
        watched.watchers += 1;
        let watch = Watch { database, key: Sds::new(key), version: watched.version, expired };
        session.watches.push(watch);
    }

    /// `UNWATCH`: a client watches nothing any more.
    pub(crate) fn unwatch(&mut self, client: ClientId) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        for watch in std::mem::take(&mut session.watches) {
            let watched = &mut self.databases[watch.database].observers.watched;
            if let Some(state) = watched.get_mut(&watch.key) {
                state.watchers -= 1;
                if state.watchers == 0 {
                    watched.swap_remove(&watch.key);
                }
            }
        }
    }

    /// Whether a key that a client watches was changed, or has expired.
    pub(crate) fn watch_is_broken(&mut self, client: ClientId) -> bool {
        let Some(session) = self.sessions.get(&client) else { return false };
        session.watches.iter().any(|watch| {
            let db = &self.databases[watch.database];
            let watched = db.observers.watched.get(&watch.key);
            watched.is_none_or(|state| state.version != watch.version)
                || (!watch.expired && db.is_expired_unnoticed(&watch.key))
        })
    }
}
