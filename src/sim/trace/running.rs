//! The running hash of a trace, which is fed with every event.
//!
//! The bytes wait in a buffer, because XXH3 is fastest on many at once. The hash is that of all of
//! them, one behind the other, wherever the buffer was emptied. A small world never fills the
//! buffer, and so never needs the hasher, which is large.

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// The size of the buffer when it is first used, and that at which it is emptied. Only a long text
/// makes it larger.
const FIRST: usize = 256;
const MOST: usize = 2048;

/// A 128-bit hash of everything that was fed to it.
#[derive(Clone, Default)]
pub(crate) struct Running {
    waiting: Vec<u8>,
    hasher: Option<Box<Xxh3>>,
}

impl Running {
    #[inline]
    pub(super) fn feed(&mut self, words: &[u8; 32], text: &[u8]) {
        if self.waiting.capacity() - self.waiting.len() < words.len() + text.len() {
            self.make_room(words.len() + text.len());
        }
        self.waiting.extend_from_slice(words);
        if !text.is_empty() {
            self.waiting.extend_from_slice(text);
        }
    }

    #[cold]
    fn make_room(&mut self, wanted: usize) {
        let capacity = self.waiting.capacity();
        if capacity >= MOST {
            self.hasher.get_or_insert_with(|| Box::new(Xxh3::new())).update(&self.waiting);
            self.waiting.clear();
        }
        let more = if capacity < MOST { FIRST.max(capacity) } else { 0 };
        self.waiting.reserve_exact(wanted.max(more));
    }

    /// Returns the hash so far.
    pub(super) fn hash(&self) -> u128 {
        match &self.hasher {
            None => xxh3_128(&self.waiting),
            Some(hasher) => {
                let mut hasher = hasher.clone();
                hasher.update(&self.waiting);
                hasher.digest128()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_all_bytes_wherever_the_buffer_was_emptied() {
        let text = "x".repeat(5_000);
        let mut running = Running::default();
        let mut all = Vec::new();
        assert_eq!(running.hash(), xxh3_128(b""));
        for length in (0..300).chain([2_000, 2_048, 5_000, 1]) {
            let words = [length as u8; 32];
            running.feed(&words, &text.as_bytes()[..length]);
            all.extend_from_slice(&words);
            all.extend_from_slice(&text.as_bytes()[..length]);
            assert_eq!(running.hash(), xxh3_128(&all), "after {length}");
        }
        assert!(running.waiting.capacity() <= 2 * 5_100);
    }
}
