//! Streams beside a naive reference: a plain list of entries, and for each group a plain list of
//! what is pending.

use proptest::prelude::*;
use stunt_double::redis::database::{
    Database, GroupRead, GroupStart, XaddId, XaddOptions, XreadgroupOptions,
};
use stunt_double::redis::value::{
    AutoClaim, Claim, Limits, Redelivery, StreamEntry, StreamId, StreamLimits, Trim, TrimTo,
};

type Fields = Vec<(String, String)>;

#[derive(Clone, Debug)]
struct Waiting {
    id: u64,
    consumer: usize,
    deliveries: u64,
}

#[derive(Clone, Debug, Default)]
struct Group {
    last: u64,
    /// In order of the ids.
    pending: Vec<Waiting>,
}

/// The reference. An id is its time; every sequence number is 0.
#[derive(Clone, Debug, Default)]
struct Model {
    entries: Vec<(u64, Fields)>,
    last: u64,
    added: u64,
    greatest_deleted: u64,
    groups: [Group; 2],
}

const GROUPS: [&[u8]; 2] = [b"g", b"h"];
const CONSUMERS: [&[u8]; 3] = [b"a", b"b", b"c"];

#[derive(Clone, Debug)]
enum Step {
    Add(u64, Fields),
    Delete(Vec<u64>),
    TrimTo(u64),
    TrimFrom(u64),
    Read { group: usize, consumer: usize, count: usize, no_ack: bool },
    ReadAgain { group: usize, consumer: usize, after: u64, count: usize },
    Acknowledge(usize, Vec<u64>),
    Claim { group: usize, consumer: usize, ids: Vec<u64>, force: bool },
    ClaimAny { group: usize, consumer: usize, start: u64, count: usize },
    SetPosition(usize, u64),
    RemoveConsumer(usize, usize),
}

fn fields() -> impl Strategy<Value = Fields> {
    let value = prop_oneof!["[a-c]", "-?[0-9]{1,9}", "x{60,70}"];
    let same = value.clone().prop_map(|value| vec![("n".to_owned(), value)]);
    prop_oneof![3 => same, 1 => prop::collection::vec(("[a-b0-9]", value), 1..4)]
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..60_u64;
    let ids = prop::collection::vec(id.clone(), 1..4);
    let (group, consumer, count) = (0..2_usize, 0..3_usize, 0..4_usize);
    prop_oneof![
        8 => (0..4_u64, fields()).prop_map(|(ahead, fields)| Step::Add(ahead, fields)),
        3 => ids.clone().prop_map(Step::Delete),
        1 => (0..20_u64).prop_map(Step::TrimTo),
        1 => id.clone().prop_map(Step::TrimFrom),
        6 => (group.clone(), consumer.clone(), count.clone(), any::<bool>()).prop_map(
            |(group, consumer, count, no_ack)| Step::Read { group, consumer, count, no_ack }
        ),
        2 => (group.clone(), consumer.clone(), id.clone(), count).prop_map(
            |(group, consumer, after, count)| Step::ReadAgain { group, consumer, after, count }
        ),
        3 => (group.clone(), ids.clone()).prop_map(|(group, ids)| Step::Acknowledge(group, ids)),
        2 => (group.clone(), consumer.clone(), ids, any::<bool>()).prop_map(
            |(group, consumer, ids, force)| Step::Claim { group, consumer, ids, force }
        ),
        2 => (group.clone(), consumer.clone(), id.clone(), 1..4_usize).prop_map(
            |(group, consumer, start, count)| Step::ClaimAny { group, consumer, start, count }
        ),
        1 => (group.clone(), id).prop_map(|(group, id)| Step::SetPosition(group, id)),
        1 => (group, consumer).prop_map(|(group, consumer)| Step::RemoveConsumer(group, consumer)),
    ]
}

fn limited(count: usize) -> usize {
    if count == 0 { usize::MAX } else { count }
}

impl Model {
    fn has(&self, id: u64) -> bool {
        self.entries.iter().any(|(known, _)| *known == id)
    }

    fn deliver(&mut self, group: usize, consumer: usize, count: usize, no_ack: bool) -> Vec<u64> {
        let state = &mut self.groups[group];
        let new = self.entries.iter().map(|(id, _)| *id).filter(|id| *id > state.last);
        let ids: Vec<u64> = new.take(limited(count)).collect();
        state.last = ids.last().copied().unwrap_or(state.last);
        if !no_ack {
            for id in &ids {
                state.assign(*id, consumer, |_| 1);
            }
        }
        ids
    }

    fn redeliver(&mut self, group: usize, consumer: usize, after: u64, count: usize) -> Vec<u64> {
        let existing: Vec<u64> = self.entries.iter().map(|(id, _)| *id).collect();
        let waiting = self.groups[group].pending.iter_mut();
        let waiting = waiting.filter(|w| w.consumer == consumer && w.id > after);
        let mut ids = Vec::new();
        for waiting in waiting.take(limited(count)) {
            waiting.deliveries += u64::from(existing.contains(&waiting.id));
            ids.push(waiting.id);
        }
        ids
    }

    fn claim(&mut self, group: usize, consumer: usize, ids: &[u64], force: bool) -> Vec<u64> {
        let mut claimed = Vec::new();
        for id in ids {
            let exists = self.has(*id);
            let state = &mut self.groups[group];
            let is_pending = state.pending.iter().any(|waiting| waiting.id == *id);
            if !exists {
                state.pending.retain(|waiting| waiting.id != *id);
            } else if is_pending || force {
                state.assign(*id, consumer, |before| before.unwrap_or(1) + 1);
                claimed.push(*id);
            }
        }
        claimed
    }

    fn claim_any(&mut self, group: usize, consumer: usize, start: u64, count: usize) -> Vec<u64> {
        let pending = self.groups[group].pending.iter().map(|waiting| waiting.id);
        let ids: Vec<u64> = pending.filter(|id| *id >= start).take(count).collect();
        self.claim(group, consumer, &ids, false)
    }
}

impl Group {
    fn assign(&mut self, id: u64, consumer: usize, count: impl Fn(Option<u64>) -> u64) {
        let before = self.pending.iter().position(|waiting| waiting.id == id);
        let before = before.map(|at| self.pending.remove(at).deliveries);
        self.pending.push(Waiting { id, consumer, deliveries: count(before) });
        self.pending.sort_by_key(|waiting| waiting.id);
    }
}

fn stream_id(id: u64) -> StreamId {
    StreamId::new(id, 0)
}

fn stream_ids(ids: &[u64]) -> Vec<StreamId> {
    ids.iter().map(|id| stream_id(*id)).collect()
}

/// Takes a step on both, and compares what it returns.
fn take(step: &Step, db: &mut Database, model: &mut Model) -> Result<(), TestCaseError> {
    let ids_of = |entries: &[(StreamId, Option<StreamEntry>)]| -> Vec<u64> {
        entries.iter().map(|(id, _)| id.ms).collect()
    };
    let redelivery = Redelivery { at: db.now_ms(), deliveries: None, just_id: false };
    match step {
        Step::Add(ahead, fields) => {
            let id = model.last + ahead;
            let words: Vec<(&[u8], &[u8])> =
                fields.iter().map(|(f, v)| (f.as_bytes(), v.as_bytes())).collect();
            let exact = XaddId::Exact(stream_id(id));
            let added = db.xadd(b"s", exact, &words, XaddOptions::default());
            prop_assert_eq!(added.is_ok(), *ahead > 0);
            if *ahead > 0 {
                model.entries.push((id, fields.clone()));
                model.last = id;
                model.added += 1;
            }
        }
        Step::Delete(ids) => {
            let before = model.entries.len();
            for id in ids {
                if model.has(*id) {
                    model.entries.retain(|(known, _)| known != id);
                    model.greatest_deleted = model.greatest_deleted.max(*id);
                }
            }
            let deleted = before - model.entries.len();
            prop_assert_eq!(db.xdel(b"s", &stream_ids(ids))?, deleted);
        }
        Step::TrimTo(length) => {
            let surplus = model.entries.len().saturating_sub(*length as usize);
            model.entries.drain(..surplus);
            let trimmed = db.xtrim(b"s", Trim::exactly(TrimTo::Length(*length)))?;
            prop_assert_eq!(trimmed, surplus as u64);
        }
        Step::TrimFrom(id) => {
            let before = model.entries.len();
            model.entries.retain(|(known, _)| known >= id);
            let trimmed = db.xtrim(b"s", Trim::exactly(TrimTo::Id(stream_id(*id))))?;
            prop_assert_eq!(trimmed, (before - model.entries.len()) as u64);
        }
        Step::Read { group, consumer, count, no_ack } => {
            let options = XreadgroupOptions { count: *count, no_ack: *no_ack, claim: None };
            let (name, by) = (GROUPS[*group], CONSUMERS[*consumer]);
            let read = db.xreadgroup(b"s", name, by, GroupRead::New, options)?;
            let expected = model.deliver(*group, *consumer, *count, *no_ack);
            prop_assert_eq!(ids_of(&read.entries), expected);
        }
        Step::ReadAgain { group, consumer, after, count } => {
            let options = XreadgroupOptions { count: *count, ..Default::default() };
            let (name, by) = (GROUPS[*group], CONSUMERS[*consumer]);
            let from = GroupRead::PendingAfter(stream_id(*after));
            let read = db.xreadgroup(b"s", name, by, from, options)?;
            prop_assert_eq!(
                ids_of(&read.entries),
                model.redeliver(*group, *consumer, *after, *count)
            );
        }
        Step::Acknowledge(group, ids) => {
            let pending = &mut model.groups[*group].pending;
            let before = pending.len();
            pending.retain(|waiting| !ids.contains(&waiting.id));
            let acknowledged = before - pending.len();
            prop_assert_eq!(db.xack(b"s", GROUPS[*group], &stream_ids(ids))?, acknowledged);
        }
        Step::Claim { group, consumer, ids, force } => {
            let wanted = stream_ids(ids);
            let last_id = StreamId::MIN;
            let claim = Claim { ids: &wanted, min_idle: 0, force: *force, last_id, redelivery };
            let claimed = db.xclaim(b"s", GROUPS[*group], CONSUMERS[*consumer], claim)?;
            let expected = model.claim(*group, *consumer, ids, *force);
            prop_assert_eq!(ids_of(&claimed.entries), expected);
        }
        Step::ClaimAny { group, consumer, start, count } => {
            let start_id = stream_id(*start);
            let claim = AutoClaim { min_idle: 0, start: start_id, count: *count, just_id: false };
            let got = db.xautoclaim(b"s", GROUPS[*group], CONSUMERS[*consumer], claim)?;
            let expected = model.claim_any(*group, *consumer, *start, *count);
            prop_assert_eq!(ids_of(&got.claimed.entries), expected);
        }
        Step::SetPosition(group, id) => {
            let start = GroupStart::After(stream_id(*id));
            db.xgroup_setid(b"s", GROUPS[*group], start, None)?;
            model.groups[*group].last = *id;
        }
        Step::RemoveConsumer(group, consumer) => {
            let pending = &mut model.groups[*group].pending;
            let before = pending.len();
            pending.retain(|waiting| waiting.consumer != *consumer);
            let removed = before - pending.len();
            let (group, consumer) = (GROUPS[*group], CONSUMERS[*consumer]);
            prop_assert_eq!(db.xgroup_delconsumer(b"s", group, consumer)?, removed);
        }
    }
    Ok(())
}

/// Compares everything that can be read.
fn compare(db: &mut Database, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(db.check_invariants(), Ok(()));
    let (first, last) = (StreamId::MIN, StreamId::MAX);
    let listed: Vec<(u64, Fields)> = db
        .xrange(b"s", first, last, 0)?
        .into_iter()
        .map(|entry| {
            let text = |(f, v): &(stunt_double::redis::Sds, _)| (f.to_string(), format!("{v}"));
            (entry.id.ms, entry.fields.iter().map(text).collect())
        })
        .collect();
    prop_assert_eq!(&listed, &model.entries);
    let mut backwards: Vec<u64> =
        db.xrevrange(b"s", first, last, 0)?.iter().map(|entry| entry.id.ms).collect();
    backwards.reverse();
    prop_assert!(backwards.into_iter().eq(model.entries.iter().map(|(id, _)| *id)));
    for (from, to) in [(10, 30), (25, 26), (40, 5)] {
        let read = db.xrange(b"s", stream_id(from), stream_id(to), 2)?;
        let expected = model.entries.iter().map(|(id, _)| *id);
        let expected = expected.filter(|id| (from..=to).contains(id)).take(2);
        prop_assert!(read.iter().map(|entry| entry.id.ms).eq(expected));
    }
    let Some(stream) = db.stream(b"s")? else { return Err(TestCaseError::fail("no stream")) };
    let counters = stream.counters();
    prop_assert_eq!(counters.last_id.ms, model.last);
    prop_assert_eq!(counters.entries_added, model.added);
    prop_assert_eq!(counters.max_deleted_id.ms, model.greatest_deleted);
    prop_assert_eq!(counters.first_id.ms, model.entries.first().map_or(0, |(id, _)| *id));
    for (name, expected) in GROUPS.iter().zip(&model.groups) {
        let Some(group) = stream.group(name) else { return Err(TestCaseError::fail("no group")) };
        prop_assert_eq!(group.last_id().ms, expected.last);
        let pending: Vec<(u64, &[u8], u64)> = group
            .pending()
            .iter()
            .map(|(id, p)| (id.ms, group.owner(p).name().as_slice(), p.deliveries))
            .collect();
        let expected = expected.pending.iter();
        let expected = expected.map(|w| (w.id, CONSUMERS[w.consumer], w.deliveries));
        prop_assert!(pending.into_iter().eq(expected));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_stream_is_a_list_with_groups(
        steps in prop::collection::vec(step(), 1..80),
        max_entries in prop_oneof![Just(0), Just(1), Just(3), Just(100)],
        max_bytes in prop_oneof![Just(0), Just(90), Just(4_096)],
    ) {
        let mut db = Database::new();
        let limits = StreamLimits { max_bytes, max_entries };
        db.set_limits(Limits { stream: limits, ..Limits::default() });
        for group in GROUPS {
            db.xgroup_create(b"s", group, GroupStart::End, None, true)?;
        }
        let mut model = Model::default();
        for step in steps {
            take(&step, &mut db, &mut model)?;
            compare(&mut db, &model)?;
        }
    }
}
