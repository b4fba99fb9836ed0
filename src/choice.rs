//! Randomness, as one tape of choices.
//!
//! Everything that may differ between two runs of one program is a *choice*: a number in `0..n`,
//! drawn at a [`Site`] (the kind of decision) for an *entity* (a task, a link, a queue). **0 is
//! calm**: first in, first out; the least latency; no fault.
//!
//! Draw `i` at a site for an entity depends on `(seed, site, entity, i)` and on nothing else, so a
//! draw added in one place does not shift the draws of another. The draw is `ChaCha8`, keyed with
//! the first three and read at position `i`. Golden vectors in the tests pin it: a seed means the
//! same forever.
//!
//! The answers of a [`Choices`] come from a seed or from a recorded [`Tape`] (calm once the tape is
//! exhausted), or are always calm. A machine owns one [`Stream`], given to it at construction.

mod tape;

pub use tape::{Choice, ParseTapeError, Tape};

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU32;

/// The kind of decision that a choice is about: a name such as `"link.latency"`.
///
/// Two sites are equal if their names are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    name: &'static str,
    key: u64,
}

impl Site {
    /// Returns the site with this name. The name is one word, so that a tape can be written to text
    /// and read back. Use it for constants, where the compiler reports an invalid name:
    ///
    /// ```
    /// use stunt_double::Site;
    /// const LOSE_POWER: Site = Site::new("outbox.lose-power");
    /// assert_eq!(LOSE_POWER.name(), "outbox.lose-power");
    /// ```
    ///
    /// # Panics
    ///
    /// If the name is empty or contains white space.
    #[must_use]
    pub const fn new(name: &'static str) -> Site {
        let bytes = name.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            assert!(!bytes[i].is_ascii_whitespace(), "a site's name is one word");
            i += 1;
        }
        assert!(!name.is_empty(), "a site has a name");
        Site { name, key: site_key(name.as_bytes()) }
    }

    /// Returns the site's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({})", self.name)
    }
}

/// FNV-1a, 64 bits: a site's part of the key of its draws.
const fn site_key(name: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < name.len() {
        hash = (hash ^ name[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    hash
}

/// The origin of a stream's answers.
#[derive(Debug)]
enum Source {
    Calm,
    Seed(Box<ChaCha8Rng>),
    Tape(VecDeque<u64>),
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
            Source::Tape(values) => Source::Tape(values.clone()),
        }
    }
}

/// The choices of one entity at one site: an owned, sequential stream.
///
/// A machine holds its randomness in this form.
#[derive(Clone, Debug)]
pub struct Stream {
    site: Site,
    entity: u64,
    source: Source,
    recorded: Option<Vec<Choice>>,
}

impl Stream {
    /// Returns a stream that always answers 0.
    #[must_use]
    pub fn calm(site: Site, entity: u64) -> Stream {
        Stream { site, entity, source: Source::Calm, recorded: None }
    }

    /// Returns the stream of this seed, site and entity.
    #[must_use]
    pub fn seeded(seed: u64, site: Site, entity: u64) -> Stream {
        let mut key = [0; 32];
        key[0..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&site.key.to_le_bytes());
        key[16..24].copy_from_slice(&entity.to_le_bytes());
        key[24..32].copy_from_slice(b"stuntdbl");
        let source = Source::Seed(Box::new(ChaCha8Rng::from_seed(key)));
        Stream { site, entity, source, recorded: None }
    }

    /// Returns the next choice, in `0..n`. If `n` is 0 or 1 there is nothing to choose: the answer
    /// is 0, and nothing is drawn or recorded.
    pub fn choose(&mut self, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        let value = match &mut self.source {
            Source::Calm => 0,
            Source::Seed(rng) => scale(rng.next_u64(), n),
            // A tape from another program may hold a value outside `0..n`: the largest valid one is
            // used.
            Source::Tape(values) => values.pop_front().unwrap_or(0).min(n - 1),
        };
        if let Some(recorded) = &mut self.recorded {
            recorded.push(Choice { site: self.site.name.into(), entity: self.entity, n, value });
        }
        value
    }

    /// Returns the choices so far, if the stream was made by a recording [`Choices`]; otherwise
    /// nothing.
    #[must_use]
    pub fn recorded(&self) -> &[Choice] {
        self.recorded.as_deref().unwrap_or_default()
    }
}

/// Scales a 64-bit draw to `0..n`. One draw makes one choice for every `n`, so choice `i` is at
/// position `i`. The bias is below n / 2^64.
fn scale(draw: u64, n: u64) -> u64 {
    ((u128::from(draw) * u128::from(n)) >> 64) as u64
}

#[derive(Clone, Debug)]
enum Mode {
    Calm,
    Seed(u64),
    Tape(IndexMap<(u64, u64), VecDeque<u64>, FxBuildHasher>),
}

/// The place of the choices of a site and an entity among all, once it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place(Option<NonZeroU32>);

/// The source of every choice of a world.
///
/// ```
/// use stunt_double::{Choices, Site};
/// const COIN: Site = Site::new("example.coin");
///
/// let mut a = Choices::seeded(7).recording();
/// let tossed: Vec<u64> = (0..8).map(|_| a.choose(COIN, 0, 2)).collect();
///
/// // The same seed gives the same choices, and so does the recorded tape.
/// let mut b = Choices::seeded(7);
/// assert_eq!(tossed, (0..8).map(|_| b.choose(COIN, 0, 2)).collect::<Vec<_>>());
/// let mut c = Choices::replaying(&a.tape());
/// assert_eq!(tossed, (0..8).map(|_| c.choose(COIN, 0, 2)).collect::<Vec<_>>());
/// assert_eq!(c.choose(COIN, 0, 2), 0, "an exhausted tape is calm");
/// ```
#[derive(Clone, Debug)]
pub struct Choices {
    mode: Mode,
    streams: IndexMap<(u64, u64), Stream, FxBuildHasher>,
    recorded: Option<Vec<Choice>>,
}

impl Choices {
    /// Returns choices that are always 0.
    #[must_use]
    pub fn calm() -> Choices {
        Choices::with_mode(Mode::Calm)
    }

    /// Returns choices drawn from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Choices {
        Choices::with_mode(Mode::Seed(seed))
    }

    /// Returns choices read from a tape. They are calm once the tape has no more for a site and
    /// entity.
    #[must_use]
    pub fn replaying(tape: &Tape) -> Choices {
        let mut values: IndexMap<_, VecDeque<u64>, _> = IndexMap::default();
        for choice in tape.choices() {
            let key = (site_key(choice.site.as_bytes()), choice.entity);
            values.entry(key).or_default().push_back(choice.value);
        }
        Choices::with_mode(Mode::Tape(values))
    }

    fn with_mode(mode: Mode) -> Choices {
        Choices { mode, streams: IndexMap::default(), recorded: None }
    }

    /// Records every choice from now on; see [`Choices::tape`].
    #[must_use]
    pub fn recording(mut self) -> Choices {
        self.recorded = Some(Vec::new());
        self
    }

    /// Returns the next choice at `site` for `entity`, in `0..n`. If `n` is 0 or 1 the answer is 0,
    /// and nothing is drawn.
    pub fn choose(&mut self, site: Site, entity: u64, n: u64) -> u64 {
        self.choose_at(&mut Place::default(), site, entity, n)
    }

    /// Returns the next choice as [`Choices::choose`] does. `place` belongs to this site and entity
    /// alone; it saves the search for them.
    #[inline]
    pub(crate) fn choose_at(&mut self, place: &mut Place, site: Site, entity: u64, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        let number = match place.0 {
            Some(number) => number,
            None => *place.0.insert(self.find(site, entity)),
        };
        let value = self.streams[number.get() as usize - 1].choose(n);
        if let Some(recorded) = &mut self.recorded {
            recorded.push(Choice { site: site.name.into(), entity, n, value });
        }
        value
    }

    /// Returns the number of a stream, from 1 on, which never changes.
    fn find(&mut self, site: Site, entity: u64) -> NonZeroU32 {
        let key = (site.key, entity);
        let index = match self.streams.get_index_of(&key) {
            Some(index) => index,
            None => {
                let stream = self.source_of(site, entity);
                self.streams.insert_full(key, stream).0
            }
        };
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        number.expect("there are fewer than 2^32 sites and entities")
    }

    /// Returns whether a fault of probability `numerator / denominator` happens. Calm is `false`,
    /// unless the fault is certain. A denominator of 0 counts as 1.
    pub fn chance(&mut self, site: Site, entity: u64, numerator: u64, denominator: u64) -> bool {
        let value = self.choose(site, entity, denominator);
        value >= denominator.saturating_sub(numerator) && numerator > 0
    }

    /// Returns the choices at `site` for `entity` as an owned stream, for a machine to keep. The
    /// stream is recorded if these choices are. Do not call [`Choices::choose`] for the same site
    /// and entity as well: that would repeat the stream's draws.
    #[must_use]
    pub fn stream(&mut self, site: Site, entity: u64) -> Stream {
        let mut stream = self.source_of(site, entity);
        stream.recorded = self.recorded.is_some().then(Vec::new);
        stream
    }

    fn source_of(&mut self, site: Site, entity: u64) -> Stream {
        match &mut self.mode {
            Mode::Calm => Stream::calm(site, entity),
            Mode::Seed(seed) => Stream::seeded(*seed, site, entity),
            Mode::Tape(values) => {
                let values = values.swap_remove(&(site.key, entity)).unwrap_or_default();
                Stream { site, entity, source: Source::Tape(values), recorded: None }
            }
        }
    }

    /// Returns the choices since [`Choices::recording`], in order; empty without recording. Streams
    /// that were handed out hold their own part.
    #[must_use]
    pub fn tape(&self) -> Tape {
        self.recorded.iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Site = Site::new("test.a");
    const B: Site = Site::new("test.b");

    fn draws(choices: &mut Choices, site: Site, entity: u64, n: u64, count: usize) -> Vec<u64> {
        (0..count).map(|_| choices.choose(site, entity, n)).collect()
    }

    /// These numbers define the meaning of a seed. They must never change.
    #[test]
    fn golden_vectors() {
        let mut c = Choices::seeded(0);
        assert_eq!(draws(&mut c, A, 0, 1000, 6), GOLDEN_0);
        let mut c = Choices::seeded(0xdead_beef);
        assert_eq!(draws(&mut c, A, 1, u64::MAX, 3), GOLDEN_1);
        assert_eq!(draws(&mut c, B, 1, u64::MAX, 3), GOLDEN_2);
        assert_eq!(A.key, 10_153_000_169_661_258_352);
    }
    const GOLDEN_0: [u64; 6] = [896, 480, 450, 847, 68, 164];
    const GOLDEN_1: [u64; 3] =
        [2_755_603_950_672_541_809, 2_400_891_222_646_438_653, 11_385_668_913_599_982_820];
    const GOLDEN_2: [u64; 3] =
        [12_356_479_348_412_865_540, 8_753_261_819_207_233_790, 11_975_586_810_897_339_164];

    #[test]
    #[should_panic(expected = "a site's name is one word")]
    fn a_site_with_a_space_in_its_name_could_not_be_written_down() {
        let _ = Site::new("kill worker");
    }

    #[test]
    fn a_draw_elsewhere_does_not_shift_this_one() {
        let mut plain = Choices::seeded(3);
        let mut busy = Choices::seeded(3);
        for i in 0..100 {
            let _ = busy.choose(B, i, 10);
            let _ = busy.choose(A, 2, 10);
            assert_eq!(plain.choose(A, 1, 1000), busy.choose(A, 1, 1000));
        }
    }

    #[test]
    fn a_different_size_of_choice_uses_the_same_draw() {
        let mut small = Choices::seeded(3);
        let mut large = Choices::seeded(3);
        for _ in 0..100 {
            assert_eq!(small.choose(A, 0, 10), large.choose(A, 0, 1000) / 100);
        }
    }

    #[test]
    fn nothing_to_choose_draws_nothing() {
        let mut a = Choices::seeded(3).recording();
        let mut b = Choices::seeded(3);
        assert_eq!((a.choose(A, 0, 0), a.choose(A, 0, 1)), (0, 0));
        assert_eq!(a.tape().len(), 0);
        assert_eq!(a.choose(A, 0, 99), b.choose(A, 0, 99));
    }

    #[test]
    fn calm_is_always_zero_and_never_a_fault() {
        let mut c = Choices::calm();
        assert_eq!(draws(&mut c, A, 0, 10, 5), [0; 5]);
        assert!(!c.chance(A, 0, 1, 2));
        assert!(c.chance(A, 0, 2, 2), "certain even when calm");
        assert!(!Choices::seeded(1).chance(A, 0, 0, 2), "impossible even when not");
    }

    #[test]
    fn chance_keeps_its_probability() {
        let mut c = Choices::seeded(5);
        let hits = (0..10_000).filter(|_| c.chance(A, 0, 1, 4)).count();
        assert!((2_300..2_700).contains(&hits), "{hits} of 10000 at 1/4");
    }

    #[test]
    fn an_edited_tape_changes_only_what_was_edited() {
        let mut c = Choices::seeded(9).recording();
        let before = draws(&mut c, A, 0, 1000, 10);
        let mut tape = c.tape();
        assert!(tape.set(4, 0));
        let after = draws(&mut Choices::replaying(&tape), A, 0, 1000, 10);
        assert_eq!(after[4], 0);
        assert_eq!((&before[..4], &before[5..]), (&after[..4], &after[5..]));
    }

    #[test]
    fn a_known_place_draws_and_records_as_a_search_does() {
        let mut known = Choices::seeded(13).recording();
        let mut searched = Choices::seeded(13).recording();
        let (mut a, mut b) = (Place::default(), Place::default());
        for n in (0..50).map(|n| n % 7) {
            assert_eq!(known.choose_at(&mut a, A, 1, n), searched.choose(A, 1, n));
            assert_eq!(known.choose_at(&mut b, B, 2, 9), searched.choose(B, 2, 9));
            assert_eq!(known.choose(A, 1, 9), searched.choose(A, 1, 9), "the same stream");
        }
        assert_eq!(known.tape().to_string(), searched.tape().to_string());
        let mut replayed = Choices::replaying(&known.tape());
        let mut place = Place::default();
        assert_eq!(replayed.choose_at(&mut place, B, 2, 9), Choices::seeded(13).choose(B, 2, 9));
    }

    #[test]
    fn a_taped_value_out_of_range_becomes_the_largest_on_offer() {
        let tape: Tape =
            [Choice { site: "test.a".into(), entity: 0, n: 100, value: 70 }].into_iter().collect();
        assert_eq!(Choices::replaying(&tape).choose(A, 0, 10), 9);
    }

    #[test]
    fn a_stream_is_the_same_choices_handed_out() {
        let mut whole = Choices::seeded(11);
        let mut parent = Choices::seeded(11).recording();
        let mut stream = parent.stream(A, 5);
        for _ in 0..10 {
            assert_eq!(stream.choose(77), whole.choose(A, 5, 77));
        }
        assert_eq!(stream.recorded().len(), 10);
    }
}
