//! Trimming: the removal of a stream's oldest entries.
//!
//! Source: `t_stream.c` (`streamTrim`).

use super::{References, Stream, StreamId};

/// The entries that remain when a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimTo {
    /// `MAXLEN`: this many entries.
    Length(u64),
    /// `MINID`: entries from this id on.
    Id(StreamId),
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// The entries that remain.
    pub to: TrimTo,
    /// `~`: only whole nodes are removed, so that more may remain.
    pub approximate: bool,
    /// `LIMIT`: the greatest number of entries to remove; 0 is unlimited.
    pub limit: u64,
    /// What happens to references of entries that are removed.
    pub references: References,
}

impl Trim {
    /// Returns an exact trim.
    #[must_use]
    pub fn exactly(to: TrimTo) -> Trim {
        Trim { to, approximate: false, limit: 0, references: References::Keep }
    }
}

impl Stream {
    /// `XTRIM`: removes the oldest entries. Returns how many.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let removed = match trim.references {
            References::Keep => self.trim_nodes(trim),
            References::Delete | References::Acked => self.trim_referenced(trim),
        };
        if self.counters.length == 0 {
            self.counters.first_id = StreamId::MIN;
        } else if removed > 0 {
            self.counters.first_id = self.first_live_id();
        }
        removed
    }

    fn trim_nodes(&mut self, trim: Trim) -> u64 {
        let mut removed = 0;
        while let Some((id, node)) = self.nodes.first_key_value() {
            let id = *id;
            let live = node.master().live as u64;
            let whole = match trim.to {
                TrimTo::Length(length) if self.counters.length <= length => break,
                TrimTo::Length(length) => self.counters.length - live >= length,
                TrimTo::Id(from) => node.last(id).unwrap_or_default() < from,
            };
            if trim.limit > 0 && removed + live > trim.limit {
                break;
            }
            if whole {
                self.nodes.pop_first();
                self.counters.length -= live;
                removed += live;
                continue;
            }
            if !trim.approximate {
                removed += self.trim_within(trim.to);
            }
            break;
        }
        removed
    }

    /// Marks the oldest entries of the first node as deleted. Returns how many.
    fn trim_within(&mut self, to: TrimTo) -> u64 {
        let Some(mut first) = self.nodes.first_entry() else { return 0 };
        let id = *first.key();
        let node = first.get_mut();
        let surplus = match to {
            TrimTo::Length(length) => self.counters.length - length,
            TrimTo::Id(_) => u64::MAX,
        };
        let goes = |entry: StreamId| match to {
            TrimTo::Length(_) => true,
            TrimTo::Id(from) => entry < from,
        };
        let entries = node.walk(id, node.entries());
        let old = entries.take_while(|placed| goes(placed.entry.id()));
        let old = old.filter(|placed| !placed.deleted).map(|placed| placed.start);
        let old: Vec<usize> = old.take(usize::try_from(surplus).unwrap_or(usize::MAX)).collect();
        node.mark_deleted(&old);
        self.counters.length -= old.len() as u64;
        old.len() as u64
    }
}
