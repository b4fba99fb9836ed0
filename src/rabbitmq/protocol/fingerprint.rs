//! Fingerprints: hashes of what something shows of itself, for the digest of a trace.

use std::fmt::{self, Write as _};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Room for most texts, so that they do not grow.
const USUAL: usize = 512;

/// Returns a hash of the text for debugging, which shows every field.
pub(crate) fn fingerprint(of: &dyn fmt::Debug, seed: u64) -> u64 {
    let mut text = String::with_capacity(USUAL);
    write!(text, "{of:?}").expect("a text grows as it must");
    xxh3_64_with_seed(text.as_bytes(), seed)
}
