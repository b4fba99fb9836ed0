//! References: the pending entries of groups, when entries are deleted or trimmed.
//!
//! An entry is *referenced* while it is pending in a group, and while a group has not read it yet.
//! `XDEL` leaves references as they are. `XDELEX`, `XACKDEL` and the options of a trim may remove
//! them with the entry, or spare an entry that has some.
//!
//! Source: <https://redis.io/commands/xdelex>, <https://redis.io/commands/xackdel>.

use super::{Group, Stream, StreamId, Trim, TrimTo};

/// The rule of a deletion for the groups that know an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// `KEEPREF`: entries stay pending.
    #[default]
    Keep,
    /// `DELREF`: the deleted entry is pending nowhere.
    Delete,
    /// `ACKED`: only entries are deleted that every group has read and acknowledged.
    Acked,
}

/// The fate of an entry that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// There was none.
    Missing,
    /// It was deleted. `XACKDEL` says so of one that was only pending.
    Deleted,
    /// It was spared, because it is referenced.
    Referenced,
}

impl Stream {
    fn is_referenced(&self, id: StreamId) -> bool {
        let knows = |group: &Group| group.last_id() < id || group.pending().contains_key(&id);
        self.groups.values().any(knows)
    }

    fn forget(&mut self, id: StreamId) {
        for group in self.groups.values_mut() {
            group.acknowledge(id);
        }
    }

    /// `XDELEX`: deletes entries. Returns what became of each.
    pub fn delete_referenced(
        &mut self,
        ids: &[StreamId],
        references: References,
    ) -> Vec<(StreamId, Deletion)> {
        let delete = |id: &StreamId| {
            if references == References::Acked && self.is_referenced(*id) {
                return (*id, Deletion::Referenced);
            }
            if references == References::Delete {
                self.forget(*id);
            }
            let deleted = self.delete(&[*id]) == 1;
            (*id, if deleted { Deletion::Deleted } else { Deletion::Missing })
        };
        ids.iter().map(delete).collect()
    }

    /// `XACKDEL`: acknowledges entries of a group, and deletes them. Returns what became of each,
    /// and how many entries the stream has lost, or `None` if there is no such group.
    pub fn acknowledge_and_delete(
        &mut self,
        group: &[u8],
        ids: &[StreamId],
        references: References,
    ) -> Option<(Vec<Deletion>, usize)> {
        self.groups.get(group)?;
        let mut lost = 0;
        let delete = |id: &StreamId| {
            if !self.groups.get_mut(group).is_some_and(|group| group.acknowledge(*id)) {
                return Deletion::Missing;
            }
            let [(_, became)] = self.delete_referenced(&[*id], references)[..] else {
                return Deletion::Missing;
            };
            lost += usize::from(became == Deletion::Deleted);
            match became {
                Deletion::Referenced => Deletion::Referenced,
                Deletion::Deleted | Deletion::Missing => Deletion::Deleted,
            }
        };
        let became = ids.iter().map(delete).collect();
        Some((became, lost))
    }

    /// Removes the oldest entries one by one, with regard to their references. Returns how many.
    pub(super) fn trim_referenced(&mut self, trim: Trim) -> u64 {
        let (mut removed, mut from) = (0, StreamId::MIN);
        while let Some((id, node)) = self.nodes.range(from..).next() {
            let (id, live) = (*id, node.master().live as u64);
            let length = self.counters.length;
            let whole = match trim.to {
                TrimTo::Length(most) if length <= most => break,
                TrimTo::Length(most) => length - live >= most,
                TrimTo::Id(first) => node.last(id).unwrap_or_default() < first,
            };
            if trim.limit > 0 && removed + live > trim.limit {
                break;
            }
            let surplus = match trim.to {
                TrimTo::Length(most) => length - most,
                TrimTo::Id(_) => u64::MAX,
            };
            let goes = |entry: StreamId| match trim.to {
                TrimTo::Length(_) => true,
                TrimTo::Id(first) => entry < first,
            };
            let entries = node.walk(id, node.entries()).take_while(|p| goes(p.entry.id()));
            let entries = entries.filter(|placed| !placed.deleted);
            let spared = |entry| trim.references == References::Acked && self.is_referenced(entry);
            let old = entries.filter(|placed| !spared(placed.entry.id()));
            let old = old.take(usize::try_from(surplus).unwrap_or(usize::MAX));
            let old: Vec<(StreamId, usize)> = old.map(|p| (p.entry.id(), p.start)).collect();
            removed += self.remove_from(id, &old, trim.references);
            let (false, Some(next)) = (!whole, id.next()) else { break };
            from = next;
        }
        removed
    }

    /// Removes these entries of a node. Returns how many.
    fn remove_from(
        &mut self,
        node: StreamId,
        old: &[(StreamId, usize)],
        references: References,
    ) -> u64 {
        if references == References::Delete {
            old.iter().for_each(|(id, _)| self.forget(*id));
        }
        let count = old.len() as u64;
        let Some(found) = self.nodes.get_mut(&node) else { return 0 };
        if count == found.master().live as u64 {
            self.nodes.remove(&node);
        } else if count > 0 {
            let starts: Vec<usize> = old.iter().map(|(_, start)| *start).collect();
            found.mark_deleted(&starts);
        }
        self.counters.length -= count;
        count
    }
}
