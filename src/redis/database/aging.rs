//! The clock of a key: when it was last used, or how often.
//!
//! Every key has 24 bits, which a new key gets and each use changes. By default they are the second
//! of the last use, which wraps around after 194 days. Under a policy that evicts the least
//! frequently used keys they are a minute (16 bits) and a logarithmic counter of uses (8 bits),
//! which decays as time passes. A change of the policy does not convert them: as in the real
//! server, the old bits are read in the new way until the key is used.
//!
//! A counter is incremented at random. The draws are the server's, so the database collects the
//! uses of a command, and [`Database::count_uses`] applies them when the command has run. The calm
//! choice is to increment, so that in a calm world a counter counts.
//!
//! Source: `evict.c` (`estimateObjectIdleTime`, `LFULogIncr`, `LFUDecrAndReturn`), `db.c`
//! (`lookupKey`, `updateLFU`), `object.c` (`objectSetLRUOrLFU`).

use super::Database;
use super::keyspace::{Entry, Slot};
use crate::choice::Stream;
use crate::redis::value::Sds;

/// The greatest value of the clock, and in most versions its period where a time is before the
/// clock's beginning, which is a second too short.
pub(crate) const CLOCK_MAX: u32 = (1 << 24) - 1;

/// The counter of a new key.
const INITIAL: u32 = 5;

/// How uses are counted, and those that are not yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frequencies {
    /// Minutes in which a counter decays by one. 0 is never.
    pub(crate) decay: u32,
    /// The greater, the rarer a large counter is incremented.
    pub(crate) factor: u32,
    uses: Vec<Sds>,
    /// Uses do not count now (`CLIENT NO-TOUCH`).
    held: bool,
    /// Nothing is counted, uses are only held.
    only_holds: bool,
}

impl Frequencies {
    pub(crate) fn new(decay: u32, factor: u32) -> Frequencies {
        Frequencies { decay, factor, ..Frequencies::default() }
    }

    /// Returns a key's counter at this minute.
    fn counter(&self, clock: u32, minute: u32) -> u32 {
        let (since, counter) = (clock >> 8, clock & 0xff);
        let elapsed = if minute >= since { minute - since } else { 0xffff - since + minute };
        counter.saturating_sub(elapsed.checked_div(self.decay).unwrap_or(0))
    }
}

impl Database {
    /// Begins or ends to count how often keys are used.
    pub(crate) fn set_frequencies(&mut self, frequencies: Option<Frequencies>) {
        self.frequencies = frequencies.map(Box::new);
    }

    /// Begins or ends to ignore uses of keys.
    pub(crate) fn hold_uses(&mut self, held: bool) {
        if held {
            let only_holds =
                || Box::new(Frequencies { only_holds: true, ..Frequencies::default() });
            self.frequencies.get_or_insert_with(only_holds).held = true;
        } else if self.counting().is_none() {
            self.frequencies = None;
        } else if let Some(frequencies) = &mut self.frequencies {
            frequencies.held = false;
        }
    }

    /// Returns how uses are counted, if they are.
    pub(super) fn counting(&self) -> Option<&Frequencies> {
        self.frequencies.as_deref().filter(|frequencies| !frequencies.only_holds)
    }

    /// The current minute, in 16 bits.
    fn minute(&self) -> u32 {
        (self.now_ms() / 60_000) as u32 & 0xffff
    }

    /// Returns the clock of a key that is added now.
    pub(super) fn clock_of_new(&self) -> u32 {
        match self.counting() {
            None => self.lru_clock,
            Some(_) => self.minute() << 8 | INITIAL,
        }
    }

    /// Notes a use of a key.
    #[inline]
    pub(super) fn used(&mut self, slot: Slot) -> &mut Entry {
        let clock = self.lru_clock;
        if self.frequencies.is_some() {
            self.remember_use(slot);
            return self.keyspace.entry_mut(slot);
        }
        let entry = self.keyspace.entry_mut(slot);
        entry.clock = clock;
        entry
    }

    #[cold]
    fn remember_use(&mut self, slot: Slot) {
        let key = self.keyspace.entry(slot).key.clone();
        if let Some(frequencies) = self.frequencies.as_mut().filter(|uses| !uses.held) {
            frequencies.uses.push(key);
        }
    }

    /// Forgets the uses of a key that is removed.
    #[inline]
    pub(super) fn forget_uses(&mut self, key: &[u8]) {
        if let Some(frequencies) = &mut self.frequencies {
            frequencies.uses.retain(|used| used.as_slice() != key);
        }
    }

    /// Counts the uses since the last call.
    pub(crate) fn count_uses(&mut self, random: &mut Stream) {
        let minute = self.minute();
        let Some(frequencies) = &mut self.frequencies else { return };
        for key in std::mem::take(&mut frequencies.uses) {
            let Some(slot) = self.keyspace.find(&key) else { continue };
            let entry = self.keyspace.entry_mut(slot);
            let mut counter = frequencies.counter(entry.clock, minute);
            if counter < 0xff {
                let above = u64::from(counter.saturating_sub(INITIAL));
                let one_in = above * u64::from(frequencies.factor) + 1;
                counter += u32::from(random.choose(one_in) == 0);
            }
            entry.clock = minute << 8 | counter;
        }
    }

    fn clock_period(&self) -> u32 {
        CLOCK_MAX + u32::from(self.profile.clock_wraps_exactly)
    }

    /// Returns the seconds since a key was last used.
    pub(crate) fn idle_secs(&self, entry: &Entry) -> u32 {
        let Database { lru_clock, .. } = *self;
        match lru_clock.checked_sub(entry.clock) {
            Some(idle) => idle,
            None => lru_clock + (self.clock_period() - entry.clock),
        }
    }

    /// Returns the counter of a key's uses, or `None` if uses are not counted.
    pub(crate) fn frequency_of(&self, entry: &Entry) -> Option<u32> {
        let frequencies = self.counting()?;
        Some(frequencies.counter(entry.clock, self.minute()))
    }

    /// Sets the clock of a key that was not used for this many seconds, or the counter of its uses.
    /// Only the one that the policy reads has an effect.
    pub(super) fn set_age(&mut self, slot: Slot, idle: Option<u64>, frequency: Option<u8>) {
        let clock = match (self.counting(), idle, frequency) {
            (Some(_), _, Some(frequency)) => self.minute() << 8 | u32::from(frequency),
            (None, Some(idle), _) => {
                // The server computes in 64 bits and stores 24 of them.
                let at = i64::from(self.lru_clock)
                    .wrapping_sub((idle as i64).wrapping_mul(1_000) / 1_000);
                let period = i64::from(self.clock_period());
                let at = if at < 0 { at.wrapping_add(period) } else { at };
                at as u32 & CLOCK_MAX
            }
            (Some(_), _, None) | (None, None, _) => return,
        };
        self.keyspace.entry_mut(slot).clock = clock;
    }
}
