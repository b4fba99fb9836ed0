//! The choices of one entity at one site, as an owned value.
//!
//! A stream is sequential: its `i`-th answer is draw `i` of its key, or the `i`-th value of a tape.
//! A tape that is exhausted is followed by calm answers or by the draws of a seed, from the same
//! position on. So what follows a prefix of a run does not depend on how long the prefix is.

use super::Site;
use super::recorder::{Made, Recorder};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::sync::Arc;

/// The origin of a stream's answers.
#[derive(Debug)]
enum Source {
    Calm,
    Seed(Box<ChaCha8Rng>),
    Tape(Box<Rest>),
}

/// The rest of a tape for one stream.
#[derive(Clone, Debug)]
struct Rest {
    values: VecDeque<u64>,
    /// The number of values that were taken.
    taken: u64,
    /// The seed that follows them.
    then: Option<u64>,
}

/// A clone draws what the original would have drawn next.
impl Clone for Source {
    fn clone(&self) -> Source {
        match self {
            Source::Calm => Source::Calm,
            Source::Seed(rng) => {
                let state = rng.serialize_state();
                Source::Seed(Box::new(ChaCha8Rng::deserialize_state(&state)))
            }
            Source::Tape(rest) => Source::Tape(rest.clone()),
        }
    }
}

/// The recorder of a stream that was handed out, and in whose name it draws.
#[derive(Clone, Debug)]
struct Told {
    recorder: Recorder,
    who: Arc<str>,
}

/// The choices of one entity at one site: an owned, sequential stream.
///
/// A machine holds its randomness in this form.
#[derive(Clone, Debug)]
pub struct Stream {
    site: Site,
    entity: u64,
    source: Source,
    told: Option<Box<Told>>,
}

impl Stream {
    /// Returns a stream that always answers 0.
    #[must_use]
    pub fn calm(site: Site, entity: u64) -> Stream {
        Stream { site, entity, source: Source::Calm, told: None }
    }

    /// Returns the stream of this seed, site and entity.
    #[must_use]
    pub fn seeded(seed: u64, site: Site, entity: u64) -> Stream {
        Stream { site, entity, source: Source::Seed(generator(seed, site, entity)), told: None }
    }

    /// Returns a stream of the values of a tape, and then of a seed, if there is one.
    pub(super) fn taped(
        values: VecDeque<u64>,
        then: Option<u64>,
        site: Site,
        entity: u64,
    ) -> Stream {
        let source = Source::Tape(Box::new(Rest { values, taken: 0, then }));
        Stream { site, entity, source, told: None }
    }

    /// Records its choices from now on, in the name of `who`.
    pub(super) fn tell(&mut self, recorder: &Recorder, who: &Arc<str>) {
        let told = Told { recorder: recorder.clone(), who: Arc::clone(who) };
        self.told = Some(Box::new(told));
    }

    /// Returns the next choice, in `0..n`. If `n` is 0 or 1 there is nothing to choose: the answer
    /// is 0, and nothing is drawn or recorded.
    pub fn choose(&mut self, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        let value = self.draw(n);
        self.record(n, value);
        value
    }

    /// Returns the next choice as [`Stream::choose`] does, and has `told` say what was decided, for
    /// a person who reads the account of a failure. It is asked only if somebody records.
    pub fn choose_told(&mut self, n: u64, told: impl FnOnce(u64) -> String) -> u64 {
        let value = self.choose(n);
        if n > 1
            && let Some(Told { recorder, who }) = self.told.as_deref()
        {
            recorder.attribute(who, Some(told(value)));
        }
        value
    }

    /// Returns 0, or rarely (once in `one_in` times) a number in `1..=kinds`, each equally likely.
    /// 0 is calm: nothing happens. A rarity below 2 counts as 2. If `kinds` is 0 nothing is drawn.
    pub fn choose_rarely(&mut self, kinds: u64, one_in: u64) -> u64 {
        if kinds == 0 {
            return 0;
        }
        let value = self.draw_rarely(kinds, one_in);
        self.record(kinds.saturating_add(1), value);
        value
    }

    /// Returns a value in `0..n`, for an `n` of at least 2.
    pub(super) fn draw(&mut self, n: u64) -> u64 {
        match &mut self.source {
            Source::Calm => 0,
            Source::Seed(rng) => scale(rng.next_u64(), n),
            // A tape from another program may hold a value outside `0..n`: the largest valid one is
            // used.
            Source::Tape(_) => match self.next_of_tape() {
                Some(value) => value.min(n - 1),
                None => self.draw(n),
            },
        }
    }

    pub(super) fn draw_rarely(&mut self, kinds: u64, one_in: u64) -> u64 {
        match &mut self.source {
            Source::Calm => 0,
            Source::Seed(rng) => {
                let n = one_in.max(2).saturating_mul(kinds);
                // The largest values are the rare ones, so that 0 is calm for every rarity.
                scale(rng.next_u64(), n).saturating_add(kinds + 1).saturating_sub(n)
            }
            Source::Tape(_) => match self.next_of_tape() {
                Some(value) => value.min(kinds),
                None => self.draw_rarely(kinds, one_in),
            },
        }
    }

    /// Returns the next value if it is given, by a tape or because all are calm; `None` if it is to
    /// be drawn.
    pub(super) fn given(&mut self) -> Option<u64> {
        let value = self.next_of_tape();
        match self.source {
            Source::Calm => Some(value.unwrap_or(0)),
            Source::Seed(_) | Source::Tape(_) => value,
        }
    }

    /// Returns the next value of the tape. If it has no more, the source becomes what follows it.
    fn next_of_tape(&mut self) -> Option<u64> {
        let Source::Tape(rest) = &mut self.source else { return None };
        if let Some(value) = rest.values.pop_front() {
            rest.taken += 1;
            return Some(value);
        }
        self.source = match rest.then {
            None => Source::Calm,
            Some(seed) => {
                let mut rng = generator(seed, self.site, self.entity);
                // A draw is two words of 32 bits.
                rng.set_word_pos(2 * u128::from(rest.taken));
                Source::Seed(rng)
            }
        };
        None
    }

    fn record(&self, n: u64, value: u64) {
        if let Some(told) = &self.told {
            told.recorder.add(Made { site: self.site, entity: self.entity, n, value });
            told.recorder.attribute(&told.who, None);
        }
    }
}

fn generator(seed: u64, site: Site, entity: u64) -> Box<ChaCha8Rng> {
    let mut key = [0; 32];
    key[0..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&site.key.to_le_bytes());
    key[16..24].copy_from_slice(&entity.to_le_bytes());
    key[24..32].copy_from_slice(b"stuntdbl");
    Box::new(ChaCha8Rng::from_seed(key))
}

/// Scales a 64-bit draw to `0..n`. One draw makes one choice for every `n`, so choice `i` is at
/// position `i`. The bias is below n / 2^64.
fn scale(draw: u64, n: u64) -> u64 {
    ((u128::from(draw) * u128::from(n)) >> 64) as u64
}
