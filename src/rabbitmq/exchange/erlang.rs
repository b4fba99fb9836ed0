//! The two functions of Erlang that decide where a consistent-hash exchange sends a message:
//! `erlang:phash2`, and the generator `exs1024` of the module `rand`.
//!
//! The queue that a key goes to depends on them, so they are reproduced exactly, for the terms that
//! are hashed there.
//!
//! Source: Erlang/OTP's documentation of both; compared with OTP 25.

/// The golden ratio. All constants are multiples of it.
const GOLDEN: u32 = 0x9e37_79b9;

/// The state of `phash2`, to which terms are added one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TermHash(u32);

fn mix(a: &mut u32, b: &mut u32, c: &mut u32) {
    for (right, left, last) in [(13, 8, 13), (12, 16, 5), (3, 10, 15)] {
        *a = a.wrapping_sub(*b).wrapping_sub(*c) ^ (*c >> right);
        *b = b.wrapping_sub(*c).wrapping_sub(*a) ^ (*a << left);
        *c = c.wrapping_sub(*a).wrapping_sub(*b) ^ (*b >> last);
    }
}

impl TermHash {
    fn number(self, number: u32, multiple: u32) -> TermHash {
        self.numbers(number, 0, multiple)
    }

    fn numbers(self, first: u32, second: u32, multiple: u32) -> TermHash {
        let constant = GOLDEN.wrapping_mul(multiple);
        let (mut a, mut b) = (constant.wrapping_add(first), constant.wrapping_add(second));
        let mut hash = self.0;
        mix(&mut a, &mut b, &mut hash);
        TermHash(hash)
    }

    /// Adds the beginning of a tuple with this many elements.
    pub(super) fn tuple(self, arity: u32) -> TermHash {
        self.number(arity, 9)
    }

    pub(super) fn atom(self, name: &str) -> TermHash {
        let fold = |hash: u32, byte: u8| {
            let hash = (hash << 4).wrapping_add(byte.into());
            let high = hash & 0xf000_0000;
            (hash ^ (high >> 24)) & !high
        };
        let value = name.bytes().fold(0, fold);
        if self.0 == 0 { TermHash(value) } else { self.number(value, 3) }
    }

    pub(super) fn binary(self, bytes: &[u8]) -> TermHash {
        let mut c = GOLDEN.wrapping_mul(13).wrapping_add(self.0);
        if bytes.is_empty() {
            return TermHash(c);
        }
        let (mut a, mut b) = (GOLDEN, GOLDEN);
        let word = |bytes: &[u8]| {
            bytes.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
        };
        let blocks = bytes.chunks_exact(12);
        let rest = blocks.remainder();
        for block in blocks {
            a = a.wrapping_add(word(&block[..4]));
            b = b.wrapping_add(word(&block[4..8]));
            c = c.wrapping_add(word(&block[8..]));
            mix(&mut a, &mut b, &mut c);
        }
        let part = |from: usize, to: usize| &rest[from.min(rest.len())..to.min(rest.len())];
        c = c.wrapping_add(bytes.len() as u32);
        a = a.wrapping_add(word(part(0, 4)));
        b = b.wrapping_add(word(part(4, 8)));
        c = c.wrapping_add(word(part(8, 12)) << 8);
        mix(&mut a, &mut b, &mut c);
        TermHash(c)
    }

    /// Adds an integer. Integers of more than 28 bits are hashed as bignums.
    pub(super) fn integer(self, number: i64) -> TermHash {
        let magnitude = number.unsigned_abs();
        if !(-(1 << 27)..1 << 27).contains(&number) {
            let multiple = if number < 0 { 10 } else { 11 };
            return self.numbers(magnitude as u32, (magnitude >> 32) as u32, multiple);
        }
        let negative = if number < 0 { self.number(magnitude as u32, 1) } else { self };
        negative.number(number as u32, 1)
    }

    pub(super) fn float(self, number: f64) -> TermHash {
        // Both zeros have the same hash.
        let bits = if number == 0.0 { 0 } else { number.to_bits() };
        self.numbers((bits >> 32) as u32, bits as u32, 12)
    }

    /// Adds the end of a list, behind its elements.
    pub(super) fn end_of_list(self) -> TermHash {
        self.number(2, 2)
    }

    /// Returns the hash, of 27 bits.
    pub(super) fn finish(self) -> u64 {
        u64::from(self.0 & ((1 << 27) - 1))
    }
}

/// The generator `exs1024` (xorshift1024*).
#[derive(Clone, Debug)]
pub(super) struct Exs1024 {
    state: [u64; 16],
    at: usize,
}

impl Exs1024 {
    /// The generator that `rand:seed_s(exs1024, {Key, Key, Key})` returns.
    pub(super) fn seed(key: u64) -> Exs1024 {
        const MASK: u64 = (1 << 21) - 1;
        let part = |factor: u64| ((key & MASK) + 1).wrapping_mul(factor) & MASK;
        let (first, second, third) = (part(2_097_131), part(2_097_133), part(2_097_143));
        let mut x = first << 43 | second << 22 | third << 1 | 1;
        let mut state = [0; 16];
        for word in state.iter_mut().rev() {
            x ^= x >> 12;
            x ^= x << 25;
            x ^= x >> 27;
            *word = x.wrapping_mul(2_685_821_657_736_338_717);
        }
        Exs1024 { state, at: 0 }
    }

    fn next(&mut self) -> u64 {
        let first = self.state[self.at];
        self.at = (self.at + 1) % 16;
        let mut second = self.state[self.at];
        second ^= second << 31;
        second ^= second >> 11;
        let next = first ^ (first >> 30) ^ second;
        self.state[self.at] = next;
        next.wrapping_mul(1_181_783_497_276_652_981)
    }

    /// A number from 0 to 1, as `rand:uniform_s` returns it: a conversion and a multiplication by a
    /// power of two, which have the same result on every machine.
    pub(super) fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / 18_446_744_073_709_551_616.0;
        self.next() as f64 * STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_hash_as_in_erlang() {
        let hash = TermHash::default();
        assert_eq!(hash.binary(b"abc").finish(), 98_228_475);
        assert_eq!(hash.binary(b"").finish(), 13708901);
        assert_eq!(hash.binary(b"a routing.key that is long").finish(), 28040703);
        assert_eq!(hash.atom("longstr").finish(), 56945346);
        assert_eq!(hash.tuple(2).atom("longstr").binary(b"abc").finish(), 101716503);
        assert_eq!(hash.tuple(2).atom("signedint").integer(-7).finish(), 44902276);
        assert_eq!(hash.tuple(2).atom("signedint").integer(7).finish(), 119448178);
        let long = hash.tuple(2).atom("long");
        assert_eq!(long.integer(1_700_000_000_000).finish(), 7400643);
        assert_eq!(long.integer(-1_700_000_000_000).finish(), 48777424);
        assert_eq!(hash.tuple(2).atom("double").float(1.5).finish(), 115320697);
    }

    #[test]
    fn the_generator_is_erlangs() {
        let mut generator = Exs1024::seed(5);
        assert_eq!(generator.uniform(), 0.3524409836262642);
        let mut last = 0.0;
        for _ in 0..40 {
            last = generator.uniform();
        }
        assert_eq!(last, 0.384920048377774);
    }
}
