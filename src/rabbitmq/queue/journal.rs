//! The journal of a durable queue: the persistent messages that survive a crash.
//!
//! Every publish and every acknowledgement of a persistent message is an *operation*, and
//! operations reach the disk in order. Two marks follow them: operations up to `written` survive a
//! crash of the server's process, operations up to `synced` survive a power loss too. A confirm
//! follows the sync.
//!
//! - If a confirm is waiting, the queue writes and syncs as soon as its work at this instant is
//!   done: at a timer for the present moment, which fires after the inputs of that moment.
//! - Otherwise it waits for 200 ms of *idleness*, which every operation on the queue restarts.
//! - At 32,768 unwritten operations it writes at once, and syncs as soon as it can.
//! - A sync takes [`BrokerOptions::sync_time`]; one runs at a time.
//!
//! Only operations that a crash would have to undo are kept. Positions in a queue rise, so the
//! published part of a mark is one position. An acknowledgement is kept only from the time its
//! publish is written until it is synced itself: in between the message may have to come back.
//!
//! Source: the server's queue index and message store (`queue_index_max_journal_entries`), and
//! experiments that killed it.
//!
//! [`BrokerOptions::sync_time`]: crate::rabbitmq::BrokerOptions::sync_time

use super::expiry::Expiries;
use crate::Instant;
use crate::rabbitmq::key::{ChannelKey, QueueKey};
use crate::rabbitmq::protocol::message::{Entry, Position};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Idleness after which a queue syncs although nobody waits for it.
const IDLE: Duration = Duration::from_millis(200);

/// Number of unwritten operations that force a write.
const MAX_UNWRITTEN: u32 = 32_768;

/// How the broker goes down without a clean stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The server's process died: written operations survive.
    Kill,
    /// The machine lost power: only synced operations survive.
    PowerLoss,
}

/// A point in the log of operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    /// Position of the first message that is not included.
    published: Position,
    /// Number of acknowledgements that are included.
    acked: u64,
}

/// The part that waits until a queue has a message safely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// A publisher: its channel, and the number of the publish there.
    Publisher(ChannelKey, u64),
    /// A dead letter that its own queue keeps until then: its number, and the queue it went to.
    Letter(u64, QueueKey),
}

/// A publish whose confirm waits for the sync.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    position: Position,
    waiter: Waiter,
}

#[derive(Debug)]
pub(crate) struct Journal {
    head: Mark,
    written: Mark,
    synced: Mark,
    /// The sync that is running: when it ends, and the mark it reaches.
    syncing: Option<(Instant, Mark)>,
    /// Operations since the last write.
    unwritten: u32,
    /// Acknowledged messages, starting with number `synced.acked`.
    acks: VecDeque<Entry>,
    /// Expiry times of these messages.
    expiries: Expiries,
    /// For messages that moved to the front before their publish was synced: the original position,
    /// by the position at the front.
    moved: BTreeMap<Position, Position>,
    /// In order of position.
    waiting: VecDeque<Waiting>,
    /// Since when a sync is due without waiting for idleness.
    urgent: Option<Instant>,
    last_operation: Instant,
    /// When the broker's timer for this journal fires next.
    pub(crate) armed: Option<Instant>,
}

impl Journal {
    /// A journal for a queue whose next message gets position `next`, and whose earlier messages
    /// are on disk.
    pub(crate) fn new(next: Position) -> Journal {
        let mark = Mark { published: next, acked: 0 };
        Journal {
            head: mark,
            written: mark,
            synced: mark,
            syncing: None,
            unwritten: 0,
            acks: VecDeque::new(),
            expiries: Expiries::default(),
            moved: BTreeMap::new(),
            waiting: VecDeque::new(),
            urgent: None,
            last_operation: Instant::ZERO,
            armed: None,
        }
    }

    /// Notes the publish of a persistent message, perhaps with a confirm that waits.
    pub(crate) fn publish(&mut self, now: Instant, position: Position, confirm: Option<Waiter>) {
        self.head.published = Position(position.0 + 1);
        if let Some(waiter) = confirm {
            self.waiting.push_back(Waiting { position, waiter });
            self.urgent.get_or_insert(now);
        }
        self.count(now);
    }

    /// Notes that a persistent message left the queue, by an acknowledgement or otherwise. It may
    /// have an expiry time.
    pub(crate) fn ack(&mut self, now: Instant, entry: Entry, expiry: Option<Instant>) {
        if entry.position() < self.written.published {
            if let Some(at) = expiry {
                self.expiries.insert(entry.position(), at);
            }
            self.acks.push_back(entry);
            self.head.acked += 1;
        }
        self.count(now);
    }

    /// Notes that a message moved to the front. Whether it survives a crash still depends on its
    /// original position.
    pub(crate) fn moved_to_front(&mut self, from: Position, to: Position) {
        let first = self.moved.remove(&from).unwrap_or(from);
        if first >= self.synced.published {
            self.moved.insert(to, first);
        }
    }

    /// Notes that the queue is not idle, for something other than an operation.
    pub(crate) fn touch(&mut self, now: Instant) {
        self.last_operation = now;
    }

    fn count(&mut self, now: Instant) {
        self.last_operation = now;
        self.unwritten += 1;
        if self.unwritten >= MAX_UNWRITTEN {
            self.write();
            self.urgent.get_or_insert(now);
        }
    }

    fn write(&mut self) {
        self.written = self.head;
        self.unwritten = 0;
    }

    /// Returns when [`Journal::fire`] is next due, which may be in the past.
    pub(crate) fn due(&self) -> Option<Instant> {
        if let Some((done, _)) = self.syncing {
            return Some(done);
        }
        let idle = || self.last_operation + IDLE;
        let is_dirty = self.unwritten > 0 || self.written != self.synced;
        self.urgent.or_else(|| is_dirty.then(idle))
    }

    /// Does everything that is due by `now`, and appends who can be told that a message is safe.
    pub(crate) fn fire(
        &mut self,
        now: Instant,
        sync_time: Duration,
        confirm_on_write: bool,
        confirmed: &mut Vec<Waiter>,
    ) {
        while self.due().is_some_and(|due| due <= now) {
            match self.syncing.take() {
                Some((_, mark)) => self.finish(mark, confirmed),
                None => {
                    self.write();
                    self.urgent = None;
                    if confirm_on_write {
                        self.confirm(self.written, confirmed);
                    }
                    if sync_time.is_zero() {
                        self.finish(self.written, confirmed);
                    } else {
                        self.syncing = Some((now + sync_time, self.written));
                    }
                }
            }
        }
    }

    fn finish(&mut self, mark: Mark, confirmed: &mut Vec<Waiter>) {
        for entry in self.acks.drain(..(mark.acked - self.synced.acked) as usize) {
            self.expiries.remove(&entry);
        }
        self.synced = mark;
        self.moved.retain(|_, first| *first >= mark.published);
        self.confirm(mark, confirmed);
    }

    /// Takes the waiting publishes up to this mark.
    fn confirm(&mut self, mark: Mark, confirmed: &mut Vec<Waiter>) {
        while let Some(first) = self.waiting.front()
            && first.position < mark.published
        {
            confirmed.push(first.waiter);
            self.waiting.pop_front();
        }
    }

    /// Checks that the marks are in order and that the suffix of operations reaches from the last
    /// sync to the last operation.
    pub(crate) fn check(&self) -> Result<(), String> {
        let published = [self.synced, self.written, self.head].map(|mark| mark.published);
        let acked = [self.synced, self.written, self.head].map(|mark| mark.acked);
        if !published.is_sorted() || !acked.is_sorted() {
            return Err(format!("its journal is synced beyond what is written: {self:?}"));
        }
        if self.acks.len() as u64 != self.head.acked - self.synced.acked {
            return Err(format!("its journal does not have the acks since the sync: {self:?}"));
        }
        if !self.waiting.iter().map(|waiting| waiting.position).is_sorted()
            || self.waiting.front().is_some_and(|first| first.position < self.synced.published)
        {
            return Err(format!("its journal keeps a confirm back: {self:?}"));
        }
        Ok(())
    }

    /// Returns who waits for confirms, in the order of their publishes.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Waiter> {
        self.waiting.iter().map(|waiting| waiting.waiter)
    }

    /// Takes the expiry times of messages that a crash may bring back.
    pub(crate) fn take_expiries(&mut self) -> Expiries {
        std::mem::take(&mut self.expiries)
    }

    /// Position of the first message that does not survive this crash.
    pub(crate) fn kept(&self, crash: Crash) -> Position {
        match crash {
            Crash::Kill => self.written.published,
            Crash::PowerLoss => self.synced.published,
        }
    }

    fn mark(&self, crash: Crash) -> Mark {
        match crash {
            Crash::Kill => self.written,
            Crash::PowerLoss => self.synced,
        }
    }

    /// Returns the messages whose acknowledgements a crash undoes.
    pub(crate) fn undone(&self, crash: Crash) -> impl Iterator<Item = Entry> {
        let kept = self.mark(crash).acked - self.synced.acked;
        self.acks.iter().skip(kept as usize).cloned()
    }

    /// Returns whether a message is still there after a crash.
    pub(crate) fn has(&self, crash: Crash, entry: &Entry) -> bool {
        let position = entry.position();
        *self.moved.get(&position).unwrap_or(&position) < self.mark(crash).published
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::protocol::message::Message;
    use crate::rabbitmq::protocol::properties::Properties;
    use bytes::Bytes;
    use smol_str::SmolStr;
    use std::sync::Arc;

    fn entry(position: u64) -> Entry {
        let properties = Properties::default().persistent();
        let message = Message::new(None, SmolStr::default(), properties, Bytes::new());
        Entry::new(Arc::new(message), Position(position))
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn fire(journal: &mut Journal, now: Instant, sync_time: Duration) {
        journal.fire(now, sync_time, false, &mut Vec::new());
    }

    fn left(journal: &Journal, crash: Crash, contents: &[u64]) -> Vec<u64> {
        let contents = contents.iter().map(|&p| entry(p)).chain(journal.undone(crash));
        let left = contents.filter(|entry| journal.has(crash, entry));
        let mut left: Vec<u64> = left.map(|entry| entry.position().0).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn idleness_syncs_and_every_operation_postpones_it() {
        let mut journal = Journal::new(Position(0));
        for i in 0..60 {
            journal.publish(at(50 * i), Position(i), None);
            fire(&mut journal, at(50 * i), Duration::ZERO);
        }
        let all: Vec<u64> = (0..60).collect();
        assert_eq!(left(&journal, Crash::Kill, &all), [0; 0]);
        assert_eq!(journal.due(), Some(at(50 * 59 + 200)));
        fire(&mut journal, at(50 * 59 + 200), Duration::ZERO);
        assert_eq!(left(&journal, Crash::PowerLoss, &all), all);
        assert_eq!(journal.due(), None);
    }

    #[test]
    fn a_kill_keeps_what_is_written_and_a_power_loss_what_is_synced() {
        let sync = Duration::from_millis(5);
        let mut journal = Journal::new(Position(0));
        journal.publish(at(0), Position(0), None);
        fire(&mut journal, at(200), sync);
        assert_eq!(left(&journal, Crash::Kill, &[0]), [0]);
        assert_eq!(left(&journal, Crash::PowerLoss, &[0]), [0; 0]);
        assert_eq!(journal.due(), Some(at(205)));
        fire(&mut journal, at(205), sync);
        assert_eq!(left(&journal, Crash::PowerLoss, &[0]), [0]);
    }

    #[test]
    fn an_unsynced_ack_is_undone() {
        let mut journal = Journal::new(Position(3));
        journal.ack(at(0), entry(1), None);
        assert_eq!(left(&journal, Crash::Kill, &[0, 2]), [0, 1, 2]);
        fire(&mut journal, at(200), Duration::ZERO);
        assert_eq!(left(&journal, Crash::Kill, &[0, 2]), [0, 2]);
        assert!(journal.acks.is_empty());
    }

    #[test]
    fn an_ack_during_the_sync_of_its_publish_can_still_be_undone() {
        let sync = Duration::from_millis(5);
        let mut journal = Journal::new(Position(0));
        journal.publish(at(0), Position(0), None);
        fire(&mut journal, at(200), sync);
        journal.ack(at(201), entry(0), None);
        fire(&mut journal, at(205), sync);
        assert_eq!(left(&journal, Crash::PowerLoss, &[]), [0]);
        fire(&mut journal, at(401), sync);
        assert_eq!(left(&journal, Crash::Kill, &[]), [0; 0]);
        assert_eq!(left(&journal, Crash::PowerLoss, &[]), [0]);
        fire(&mut journal, at(406), sync);
        assert_eq!(left(&journal, Crash::PowerLoss, &[]), [0; 0]);
    }

    #[test]
    fn many_operations_force_a_write() {
        let mut journal = Journal::new(Position(0));
        for i in 0..u64::from(MAX_UNWRITTEN) {
            assert_ne!(journal.due(), Some(at(0)));
            journal.publish(at(0), Position(i), None);
        }
        assert_eq!(left(&journal, Crash::Kill, &[0, 32_767]), [0, 32_767]);
        assert_eq!(left(&journal, Crash::PowerLoss, &[0]), [0; 0]);
        assert_eq!(journal.due(), Some(at(0)));
    }

    #[test]
    fn messages_that_come_and_go_leave_nothing_behind() {
        let mut journal = Journal::new(Position(0));
        for i in 0..1_000_000 {
            journal.publish(at(0), Position(i), None);
            journal.ack(at(0), entry(i), None);
        }
        assert!(journal.acks.len() < 100, "{}", journal.acks.len());
    }
}
