//! The deadlines of a hash's fields: when each ends, in milliseconds since the Unix epoch.
//!
//! They are kept beside the fields, and only for a hash that has some, so that a plain hash pays
//! for one pointer. The invariant: a deadline belongs to a field, which `Hash` keeps, and both
//! tables have the same deadlines. Of fields that end at the same time, the one that was given its
//! deadline last ends first, as in the real server's order.
//!
//! Source: `t_hash.c` (`listpackExAddInternal`), `ebuckets.c`.

use crate::invariant::ensure;
use crate::redis::value::Sds;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A time, and, so that the latest of equal ones comes first, the number of the deadline.
type Due = (i64, Reverse<u64>);

/// The deadlines of some fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    of: IndexMap<Sds, Due, FxBuildHasher>,
    queue: BTreeMap<Due, Sds>,
    given: u64,
}

impl Deadlines {
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    pub(super) fn get(&self, field: &[u8]) -> Option<i64> {
        self.of.get(field).map(|(at, _)| *at)
    }

    /// The field that ends next, and when.
    pub(super) fn first(&self) -> Option<(i64, &Sds)> {
        self.queue.first_key_value().map(|((at, _), field)| (*at, field))
    }

    /// The fields that end up to this time, the first first.
    pub(super) fn due(&self, now: i64) -> Vec<Sds> {
        self.queue.range(..=(now, Reverse(0))).map(|(_, field)| field.clone()).collect()
    }

    /// Number of fields that end before this time.
    pub(super) fn before(&self, at: i64) -> usize {
        self.queue.range(..(at, Reverse(u64::MAX))).count()
    }

    pub(super) fn set(&mut self, field: &Sds, at: i64) {
        self.remove(field);
        self.given += 1;
        let due = (at, Reverse(self.given));
        self.of.insert(field.clone(), due);
        self.queue.insert(due, field.clone());
    }

    /// Returns whether there was a deadline.
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let Some(due) = self.of.swap_remove(field) else { return false };
        self.queue.remove(&due);
        true
    }

    pub(super) fn check(&self, has: impl Fn(&Sds) -> bool) -> Result<(), String> {
        ensure(self.of.len() == self.queue.len(), || "a deadline is not in its queue".to_owned())?;
        for (field, due) in &self.of {
            let queued = self.queue.get(due) == Some(field);
            ensure(queued, || format!("the deadline of field {field} is not in its queue"))?;
            ensure(has(field), || format!("field {field} has a deadline and is not there"))?;
        }
        Ok(())
    }
}
