//! Strings that are embedded into the object of their key.
//!
//! A value decides for itself while it is made. In versions in which the key counts too
//! (`version/embedding.rs`), the database decides once the value has its place.

use super::Database;
use super::keyspace::{Entry, NEVER, Slot};
use crate::redis::value::{StringEncoding, StringValue, Value};
use crate::redis::version::{Embedding, Placed};

impl Database {
    /// Greatest length of a value that may be embedded.
    pub(crate) fn longest_embedded(&self) -> usize {
        self.profile.encodings.embedding.most
    }

    /// Decides whether a string is embedded that has replaced another one.
    pub(crate) fn settle_replaced(&mut self, key: &[u8]) {
        if let Some(slot) = self.keyspace.find(key) {
            let expires = self.keyspace.entry(slot).expires_at() != NEVER;
            self.settle_embedding(slot, expires);
        }
    }

    /// Returns whether it has to be decided if a value is embedded beside its key.
    #[inline]
    pub(super) fn may_not_embed(&self, key: &[u8], value: &Value) -> bool {
        let rule = &self.profile.encodings.embedding;
        let Value::String(string) = value else { return false };
        // Both are short almost always, and so the length is not asked for.
        rule.beside_key
            && !(string.is_short() && rule.always_embeds(key.len() + StringValue::SHORT))
            && !rule.always_embeds(key.len() + string.len())
    }

    /// Decides whether a string is embedded beside its key.
    #[inline]
    pub(super) fn settle_embedding(&mut self, slot: Slot, expired_before: bool) {
        if !self.profile.encodings.embedding.beside_key {
            return;
        }
        let entry = self.keyspace.entry(slot);
        if self.may_not_embed(&entry.key, &entry.value) {
            self.embed_beside_key(slot, expired_before);
        }
    }

    /// Decides about a value that may not be embedded.
    #[cold]
    pub(super) fn embed_beside_key(&mut self, slot: Slot, expired_before: bool) {
        let rule = self.profile.encodings.embedding;
        self.keyspace.resized(slot);
        settle(rule, self.keyspace.entry_mut(slot), expired_before, false);
    }

    /// Decides which strings are embedded after all were read from a file, or set again.
    pub(super) fn settle_all_embeddings(&mut self, loaded: bool) {
        let rule = self.profile.encodings.embedding;
        if rule.beside_key {
            self.keyspace.entries_mut().for_each(|entry| settle(rule, entry, false, loaded));
        }
    }
}

fn settle(rule: Embedding, entry: &mut Entry, expired_before: bool, loaded: bool) {
    let (key, expires) = (entry.key.len(), entry.expires_at() != NEVER);
    if let Value::String(string) = &mut entry.value
        && string.encoding() == StringEncoding::Embstr
        && !rule.embeds(Placed { key, value: string.len(), expires, expired_before, loaded })
    {
        string.make_raw();
    }
}
