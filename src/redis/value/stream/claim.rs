//! Claims: a consumer takes over entries that are pending for others.
//!
//! An entry that was deleted from the stream cannot be claimed. The attempt removes it from what is
//! pending.
//!
//! Source: `t_stream.c` (`xclaimCommand`, `xautoclaimCommand`).

use super::{Group, Stream, StreamEntry, StreamId, range};

/// How a claimed entry counts as delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redelivery {
    /// The time of the delivery, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The number of deliveries to set. Otherwise it is increased.
    pub deliveries: Option<u64>,
    /// `JUSTID`: the entries are not returned, and their deliveries are not counted.
    pub just_id: bool,
}

/// A claim of named entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The entries, in the order of the reply.
    pub ids: &'a [StreamId],
    /// The least time since the last delivery, in milliseconds.
    pub min_idle: i64,
    /// `FORCE`: claims entries that are pending for nobody.
    pub force: bool,
    /// `LASTID`: what the group has read at least.
    pub last_id: StreamId,
    /// How the entries count as delivered.
    pub redelivery: Redelivery,
}

/// The result of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The claimed entries; without their fields, if those were not wanted.
    pub entries: Vec<(StreamId, Option<StreamEntry>)>,
    /// Pending entries that no longer exist in the stream.
    pub deleted: Vec<StreamId>,
    /// The consumer did not exist before.
    pub new_consumer: bool,
    /// Only the last id of the group was changed.
    pub only_last_id: bool,
}

/// A claim of any entries that were not acknowledged in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoClaim {
    /// The least time since the last delivery, in milliseconds.
    pub min_idle: i64,
    /// Where the search begins.
    pub start: StreamId,
    /// The greatest number of entries in the reply. Ten times as many are looked at.
    pub count: usize,
    /// `JUSTID`: the entries are not returned, and their deliveries are not counted.
    pub just_id: bool,
}

/// The result of a claim of any entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoClaimed {
    /// Where to go on, or `0-0` at the end.
    pub next: StreamId,
    /// The result of the claim itself.
    pub claimed: Claimed,
}

impl Stream {
    /// `XCLAIM`: gives entries to a consumer. Returns `None` if there is no such group.
    pub fn claim(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        claim: Claim<'_>,
        now_ms: i64,
    ) -> Option<Claimed> {
        let Stream { nodes, groups, .. } = self;
        let state = groups.get_mut(group)?;
        let mut claimed = Claimed::default();
        if claim.last_id > state.last_id() {
            state.set_position(claim.last_id, state.entries_read());
            claimed.only_last_id = true;
        }
        for id in claim.ids {
            let pending = state.pending().get(id).copied();
            let Some(entry) = range::between(nodes, *id, *id).next() else {
                if state.acknowledge(*id) {
                    claimed.deleted.push(*id);
                    claimed.only_last_id = false;
                }
                continue;
            };
            match pending {
                Some(pending) if is_too_fresh(pending.delivered_at, claim.min_idle, now_ms) => {}
                None if !claim.force => {}
                Some(_) | None => {
                    let deliveries = pending.map_or(1, |pending| pending.deliveries);
                    let entry = (!claim.redelivery.just_id).then(|| entry.to_owned());
                    take(state, &mut claimed, consumer, *id, deliveries, claim.redelivery, now_ms);
                    claimed.entries.push((*id, entry));
                    claimed.only_last_id = false;
                }
            }
        }
        Some(claimed)
    }

    /// `XAUTOCLAIM`: gives a consumer entries that were not acknowledged in time. Returns `None` if
    /// there is no such group.
    pub fn auto_claim(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        claim: AutoClaim,
        now_ms: i64,
    ) -> Option<AutoClaimed> {
        let Stream { nodes, groups, .. } = self;
        let state = groups.get_mut(group)?;
        let mut claimed = Claimed::default();
        let (mut attempts, mut left) = (claim.count.saturating_mul(10), claim.count);
        let mut next = state.pending().range(claim.start..).next().map(|(id, p)| (*id, *p));
        let redelivery = Redelivery { at: now_ms, deliveries: None, just_id: claim.just_id };
        while let Some((id, pending)) = next
            && attempts > 0
            && left > 0
        {
            attempts -= 1;
            match range::between(nodes, id, id).next() {
                None => {
                    state.acknowledge(id);
                    claimed.deleted.push(id);
                    left -= 1;
                }
                Some(_) if is_too_fresh(pending.delivered_at, claim.min_idle, now_ms) => {}
                Some(entry) => {
                    let entry = (!claim.just_id).then(|| entry.to_owned());
                    take(state, &mut claimed, consumer, id, pending.deliveries, redelivery, now_ms);
                    claimed.entries.push((id, entry));
                    left -= 1;
                }
            }
            let after = id.next().and_then(|id| state.pending().range(id..).next());
            next = after.map(|(id, pending)| (*id, *pending));
        }
        Some(AutoClaimed { next: next.map_or(StreamId::MIN, |(id, _)| id), claimed })
    }
}

/// Returns whether an entry was delivered too recently to be claimed.
fn is_too_fresh(delivered_at: i64, min_idle: i64, now: i64) -> bool {
    min_idle > 0 && now.wrapping_sub(delivered_at) < min_idle
}

/// Makes an entry pending for its new consumer.
fn take(
    state: &mut Group,
    claimed: &mut Claimed,
    consumer: &[u8],
    id: StreamId,
    deliveries: u64,
    how: Redelivery,
    now_ms: i64,
) {
    let (place, is_new) = state.see(consumer, now_ms);
    claimed.new_consumer |= is_new;
    let counted = deliveries.wrapping_add(u64::from(!how.just_id));
    state.assign(id, place, how.at, how.deliveries.unwrap_or(counted));
    state.note_activity(place, now_ms);
}
