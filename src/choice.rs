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
//! The answers of a [`Choices`] come from a seed or from a recorded [`Tape`], or are always calm.
//! Once a tape is exhausted they are calm, or those of a seed. A machine owns one [`Stream`], given
//! to it at construction.

mod recorder;
mod stream;
mod tape;

pub use stream::Stream;
pub use tape::{Choice, ParseTapeError, Tape};

use crate::time::Instant;
use indexmap::IndexMap;
use recorder::{Made, Recorder};
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

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

#[derive(Clone, Debug)]
enum Mode {
    Calm,
    Seed(u64),
    Tape(Box<Taped>),
}

/// The rest of a tape for the streams that are not in use yet.
#[derive(Clone, Debug)]
struct Taped {
    values: IndexMap<(u64, u64), VecDeque<u64>, FxBuildHasher>,
    /// The seed that follows it.
    then: Option<u64>,
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
#[derive(Debug)]
pub struct Choices {
    mode: Mode,
    streams: IndexMap<(u64, u64), Stream, FxBuildHasher>,
    recorder: Option<Recorder>,
}

/// A clone draws what the original would have drawn next, and keeps a record of its own.
impl Clone for Choices {
    fn clone(&self) -> Choices {
        let (mode, streams) = (self.mode.clone(), self.streams.clone());
        Choices { mode, streams, recorder: self.recorder.as_ref().map(Recorder::copy) }
    }
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
        Choices::taped(tape, None)
    }

    /// Returns choices read from a tape, and drawn from `seed` once the tape has no more for a site
    /// and entity. If the tape is the first part of a recorded run, the world repeats that part and
    /// goes on differently.
    #[must_use]
    pub fn replaying_then(tape: &Tape, seed: u64) -> Choices {
        Choices::taped(tape, Some(seed))
    }

    fn taped(tape: &Tape, then: Option<u64>) -> Choices {
        let mut values: IndexMap<_, VecDeque<u64>, _> = IndexMap::default();
        for choice in tape.choices() {
            let key = (site_key(choice.site.as_bytes()), choice.entity);
            values.entry(key).or_default().push_back(choice.value);
        }
        Choices::with_mode(Mode::Tape(Box::new(Taped { values, then })))
    }

    fn with_mode(mode: Mode) -> Choices {
        Choices { mode, streams: IndexMap::default(), recorder: None }
    }

    /// Records every choice from now on; see [`Choices::tape`].
    #[must_use]
    pub fn recording(mut self) -> Choices {
        self.recorder = Some(Recorder::default());
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
        let value = self.stream_at(place, site, entity).draw(n);
        if let Some(recorder) = &self.recorder {
            recorder.add(Made { site, entity, n, value });
        }
        value
    }

    #[inline]
    fn stream_at(&mut self, place: &mut Place, site: Site, entity: u64) -> &mut Stream {
        let number = match place.0 {
            Some(number) => number,
            None => *place.0.insert(self.find(site, entity)),
        };
        &mut self.streams[number.get() as usize - 1]
    }

    /// Returns 0, or rarely (once in `one_in` times) a number in `1..=kinds`, each equally likely.
    /// 0 is calm: nothing happens. A rarity below 2 counts as 2. If `kinds` is 0 nothing is drawn.
    pub fn choose_rarely(&mut self, site: Site, entity: u64, kinds: u64, one_in: u64) -> u64 {
        if kinds == 0 {
            return 0;
        }
        let stream = self.stream_at(&mut Place::default(), site, entity);
        let value = stream.draw_rarely(kinds, one_in);
        if let Some(recorder) = &self.recorder {
            recorder.add(Made { site, entity, n: kinds.saturating_add(1), value });
        }
        value
    }

    /// Returns the next choice of a schedule that decides by more than one draw: the one on the
    /// tape, calm, or else what `propose` returns. It is recorded like any other; what `propose`
    /// draws with [`Choices::draw`] is not.
    pub(crate) fn decide(
        &mut self,
        place: &mut Place,
        site: Site,
        entity: u64,
        n: u64,
        propose: impl FnOnce(&mut Choices) -> u64,
    ) -> u64 {
        if n <= 1 {
            return 0;
        }
        let value = match self.stream_at(place, site, entity).given() {
            Some(value) => value.min(n - 1),
            None => propose(self),
        };
        if let Some(recorder) = &self.recorder {
            recorder.add(Made { site, entity, n, value });
        }
        value
    }

    /// Returns a number in `0..n` that is no choice by itself, and so not recorded.
    pub(crate) fn draw(&mut self, site: Site, entity: u64, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        self.stream_at(&mut Place::default(), site, entity).draw(n)
    }

    /// Returns whether there is a record. What is made for it alone, such as words, is made only
    /// then.
    #[inline]
    pub(crate) fn is_recording(&self) -> bool {
        self.recorder.is_some()
    }

    /// Adds to the last choice, if it was made after there were `before`, who asked for it, and
    /// what it decided.
    pub(crate) fn attribute(
        &self,
        before: usize,
        who: &Arc<str>,
        words: impl FnOnce() -> Option<String>,
    ) {
        if let Some(recorder) = &self.recorder
            && recorder.len() > before
        {
            recorder.attribute(who, words());
        }
    }

    /// Does what [`Choices::begin`] does, where mostly there is no record.
    #[inline]
    pub(crate) fn recorded(&self, now: Instant) -> Option<usize> {
        if self.is_recording() { self.begin(now) } else { None }
    }

    /// Tells the record the time of the choices to come. Returns how many it has, if there is one.
    #[cold]
    #[inline(never)]
    pub(crate) fn begin(&self, now: Instant) -> Option<usize> {
        let recorder = self.recorder.as_ref()?;
        recorder.set_now(now);
        Some(recorder.len())
    }

    /// Tells the record the time of the choices to come.
    pub(crate) fn set_now(&self, now: Instant) {
        if let Some(recorder) = &self.recorder {
            recorder.set_now(now);
        }
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

    /// Returns the choices at `site` for `entity` as an owned stream, for a machine to keep. If
    /// these choices are recorded, so are the stream's, in the same order. Do not call
    /// [`Choices::choose`] for the same site and entity as well: that would repeat the stream's
    /// draws.
    #[must_use]
    pub fn stream(&mut self, site: Site, entity: u64) -> Stream {
        self.stream_of(site, entity, &Arc::from(site.name))
    }

    /// Returns a stream as [`Choices::stream`] does, which is recorded in the name of `who`.
    pub(crate) fn stream_of(&mut self, site: Site, entity: u64, who: &Arc<str>) -> Stream {
        let mut stream = self.source_of(site, entity);
        if let Some(recorder) = &self.recorder {
            stream.tell(recorder, who);
        }
        stream
    }

    fn source_of(&mut self, site: Site, entity: u64) -> Stream {
        match &mut self.mode {
            Mode::Calm => Stream::calm(site, entity),
            Mode::Seed(seed) => Stream::seeded(*seed, site, entity),
            Mode::Tape(tape) => {
                let values = tape.values.swap_remove(&(site.key, entity)).unwrap_or_default();
                Stream::taped(values, tape.then, site, entity)
            }
        }
    }

    /// Returns the choices since [`Choices::recording`], in order, with those of the streams that
    /// were handed out; empty without recording.
    #[must_use]
    pub fn tape(&self) -> Tape {
        self.recorder.as_ref().map(Recorder::tape).unwrap_or_default()
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
        let tape: Tape = [Choice::new("test.a", 0, 100, 70)].into_iter().collect();
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
        assert_eq!(parent.tape().len(), 10);
    }

    #[test]
    fn the_choices_of_a_stream_have_their_place_among_all() {
        let mut choices = Choices::seeded(4).recording();
        let mut stream = choices.stream(B, 1);
        let _ = (choices.choose(A, 0, 9), stream.choose(9), choices.choose(A, 0, 9));
        let tape = choices.tape();
        let sites: Vec<&str> = tape.choices().iter().map(|choice| &*choice.site).collect();
        assert_eq!(sites, ["test.a", "test.b", "test.a"]);
    }

    #[test]
    fn what_follows_a_prefix_is_drawn_from_the_seed_at_the_same_positions() {
        let mut whole = Choices::seeded(21).recording();
        let all = draws(&mut whole, A, 0, 1_000, 10);
        for length in 0..=10 {
            let prefix = whole.tape().prefix(length);
            let mut same = Choices::replaying_then(&prefix, 21);
            assert_eq!(draws(&mut same, A, 0, 1_000, 10), all, "the seed's own prefix");
            let mut other = Choices::replaying_then(&prefix, 22);
            let others = draws(&mut other, A, 0, 1_000, 10);
            assert_eq!(others[..length], all[..length]);
            let fresh = draws(&mut Choices::seeded(22), A, 0, 1_000, 10);
            assert_eq!(others[length..], fresh[length..]);
        }
    }

    #[test]
    fn something_rare_keeps_its_probability_and_nothing_is_0() {
        let mut choices = Choices::seeded(8).recording();
        let drawn: Vec<u64> = (0..9_000).map(|_| choices.choose_rarely(A, 0, 3, 10)).collect();
        assert!(drawn.iter().all(|value| *value <= 3));
        for kind in 1..=3 {
            let count = drawn.iter().filter(|value| **value == kind).count();
            assert!((230..370).contains(&count), "{count} of 9000 at 1/30");
        }
        let tape = choices.tape();
        assert!(tape.choices().iter().all(|choice| choice.n == 4));
        let mut again = Choices::replaying(&tape);
        let replayed: Vec<u64> = (0..9_000).map(|_| again.choose_rarely(A, 0, 3, 10)).collect();
        assert_eq!(replayed, drawn);
        assert_eq!(again.choose_rarely(A, 0, 3, 10), 0, "an exhausted tape is calm");
        assert_eq!(Choices::calm().choose_rarely(A, 0, 3, 0), 0);
        assert_eq!(choices.choose_rarely(A, 0, 0, 10), 0);
    }
}
