//! Reads of a group's consumers: new entries, and those that are pending for it.
//!
//! Source: `t_stream.c` (`streamReplyWithRange`, `streamReplyWithRangeFromConsumerPEL`).

use super::group::Bookmark;
use super::{Stream, StreamEntry, StreamId, range};

/// The result of a consumer's read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The entries in order. One without fields was deleted from the stream, but is still pending.
    pub entries: Vec<(StreamId, Option<StreamEntry>)>,
    /// The consumer did not exist before.
    pub new_consumer: bool,
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
        let Stream { nodes, counters, groups, setbacks } = self;
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
                read = match read {
                    Some(read) if !counters.has_gap_after(id) => Some(read.wrapping_add(1)),
                    read if counters.entries_added == 0 => read,
                    _ => counters.entries_up_to(id),
                };
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
        Some(Delivery { entries, new_consumer })
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
        Some(Delivery { entries, new_consumer })
    }
}
