//! Reads of a group's consumers: new entries, and those that are pending for it.
//!
//! Source: `t_stream.c` (`streamReplyWithRange`, `streamReplyWithRangeFromConsumerPEL`).

use super::group::Bookmark;
use super::{Pending, ReadCounting, Stream, StreamEntry, StreamId, range};

/// A pending entry that a read has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedEntry {
    /// The entry.
    pub entry: StreamEntry,
    /// The time since it was delivered before, in milliseconds.
    pub idle: i64,
    /// How often it was delivered before.
    pub deliveries: u64,
}

/// The result of a consumer's read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The entries in order. One without fields was deleted from the stream, but is still pending.
    pub entries: Vec<(StreamId, Option<StreamEntry>)>,
    /// The entries that were claimed before those, the longest idle first.
    pub claimed: Vec<ClaimedEntry>,
    /// The consumer did not exist before.
    pub new_consumer: bool,
}

impl Delivery {
    /// Returns whether the consumer got nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.claimed.is_empty()
    }
}

impl Stream {
    /// Gives a consumer up to this many entries that its group has not read, and makes them pending
    /// unless it acknowledges them by reading (`no_ack`). 0 is unlimited. Returns `None` if there
    /// is no such group, or no new entry. With `anyway` the consumer is seen, and created, even if
    /// there is none.
    pub fn deliver(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        count: usize,
        (no_ack, anyway): (bool, bool),
        now_ms: i64,
    ) -> Option<Delivery> {
        let counting = ReadCounting::default();
        self.deliver_by(counting, group, consumer, count, (no_ack, anyway), now_ms)
    }

    pub(crate) fn deliver_by(
        &mut self,
        counting: ReadCounting,
        group: &[u8],
        consumer: &[u8],
        count: usize,
        (no_ack, anyway): (bool, bool),
        now_ms: i64,
    ) -> Option<Delivery> {
        let Stream { nodes, counters, groups, setbacks, .. } = self;
        let state = groups.get_mut(group)?;
        let mut last = state.last_id();
        if counters.last_id <= last && !anyway {
            return None;
        }
        let from = last.next().unwrap_or_default();
        let mut range = match state.bookmark.filter(|mark| mark.setbacks == *setbacks) {
            Some(mark) => range::after(nodes, mark.node, mark.offset, from),
            None => range::between(nodes, from, StreamId::MAX),
        };
        let mut next = range.next_placed();
        if next.is_none() && !anyway {
            return None;
        }
        let (place, new_consumer) = state.see(consumer, now_ms);
        let mut read = state.entries_read();
        let mut entries = Vec::new();
        let mut place_after = None;
        while let Some((_, placed)) = next {
            let id = placed.entry.id();
            if id > last {
                read = counters.count_read(counting, (last, read), id);
                last = id;
            }
            if !no_ack {
                state.assign(id, place, now_ms, 1);
            }
            entries.push((id, Some(placed.entry.to_owned())));
            place_after = range.place();
            if entries.len() == count {
                break;
            }
            next = range.next_placed();
        }
        if !entries.is_empty() {
            if !no_ack {
                state.note_activity(place, now_ms);
            }
            state.set_position(last, read);
            let mark = |(node, offset)| Bookmark { node, offset, setbacks: *setbacks };
            state.bookmark = place_after.map(mark);
        }
        Some(Delivery { entries, claimed: Vec::new(), new_consumer })
    }

    /// Gives a consumer up to this many entries again that are pending for it, after an id. 0 is
    /// unlimited. Returns `None` if there is no such group.
    pub fn redeliver(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        after: StreamId,
        count: usize,
        now_ms: i64,
    ) -> Option<Delivery> {
        let state = self.groups.get_mut(group)?;
        let (_, new_consumer) = state.see(consumer, now_ms);
        // After the greatest id Redis begins again, as `XADD` does not.
        let from = after.next().unwrap_or_default();
        let pending = state.consumer(consumer).into_iter().flat_map(|c| c.pending().range(from..));
        let limit = if count == 0 { usize::MAX } else { count };
        let ids: Vec<StreamId> = pending.take(limit).copied().collect();
        let entry = |id: &StreamId| (*id, self.get(*id).map(|entry| entry.to_owned()));
        let entries: Vec<_> = ids.iter().map(entry).collect();
        let state = self.groups.get_mut(group)?;
        for (id, _) in entries.iter().filter(|(_, entry)| entry.is_some()) {
            state.redelivered(*id, now_ms);
        }
        Some(Delivery { entries, claimed: Vec::new(), new_consumer })
    }

    /// Gives a consumer up to this many pending entries that nobody has acknowledged for so many
    /// milliseconds, whomever they were pending for, and then as [`Stream::deliver`] does, so that
    /// there are no more entries together. 0 is unlimited. An entry that was deleted stays pending.
    /// Returns `None` if there is no such group.
    pub fn claim_and_deliver(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        (count, min_idle): (usize, i64),
        no_ack: bool,
        now_ms: i64,
    ) -> Option<Delivery> {
        let limit = if count == 0 { usize::MAX } else { count };
        self.group_mut(group)?.index_ages();
        let idle = self.group(group)?.idle(min_idle, now_ms);
        let entry = |(id, of): (StreamId, Pending)| {
            let idle = now_ms.saturating_sub(of.delivered_at).max(0);
            let entry = self.get(id)?.to_owned();
            Some(ClaimedEntry { entry, idle, deliveries: of.deliveries })
        };
        let claimed: Vec<ClaimedEntry> = idle.filter_map(entry).take(limit).collect();
        let state = self.group_mut(group)?;
        let (place, new_consumer) = state.see(consumer, now_ms);
        for claim in &claimed {
            state.assign(claim.entry.id, place, now_ms, claim.deliveries.wrapping_add(1));
            state.note_activity(place, now_ms);
        }
        let mut delivery = Delivery::default();
        if claimed.len() < limit {
            let left = if count == 0 { 0 } else { count - claimed.len() };
            // The versions that claim count so.
            let counting = ReadCounting { from_position: true, ..ReadCounting::default() };
            delivery = self.deliver_by(counting, group, consumer, left, (no_ack, true), now_ms)?;
        }
        Some(Delivery { claimed, new_consumer, ..delivery })
    }
}
