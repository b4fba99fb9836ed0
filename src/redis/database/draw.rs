//! Drawing from a collection: `SPOP`, `SRANDMEMBER`, `HRANDFIELD`, `ZRANDMEMBER`, `RANDOMKEY`.
//!
//! A draw is an index, chosen by the server's own stream, so a calm world draws the first element.

use crate::choice::Stream;
use crate::redis::error::CommandError;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

/// Greatest number of draws with repetition. More would not fit into memory; the real server tries,
/// and its process exits when memory runs out.
const MOST: i64 = 1 << 24;

/// Checks a count, whose negation must also be a count.
pub(crate) fn count(n: i64) -> Result<i64, CommandError> {
    if n == i64::MIN {
        let most = i64::MAX;
        return Err(CommandError::format(format!(
            "ERR value is out of range, value must between -{most} and {most}"
        )));
    }
    Ok(n)
}

/// Checks a count of pairs, each of which is two replies.
pub(crate) fn count_of_pairs(n: i64) -> Result<i64, CommandError> {
    const MOST: i64 = i64::MAX / 2;
    if (-MOST..=MOST).contains(&n) {
        Ok(n)
    } else {
        Err(CommandError::text("ERR value is out of range"))
    }
}

/// Draws an index below `len`, which must not be 0.
pub(crate) fn one(random: &mut Stream, len: usize) -> usize {
    random.choose(len as u64) as usize
}

/// Draws up to `count` distinct indices below `len`.
pub(crate) fn distinct(random: &mut Stream, len: usize, count: usize) -> Vec<usize> {
    if count >= len {
        return (0..len).collect();
    }
    // Floyd's algorithm: every subset of that size is equally likely, in `count` draws.
    let mut drawn: IndexSet<usize, FxBuildHasher> = IndexSet::default();
    for last in len - count..len {
        let index = one(random, last + 1);
        if !drawn.insert(index) {
            drawn.insert(last);
        }
    }
    drawn.into_iter().collect()
}

/// Draws indices for a command's count: distinct ones for a positive count, and exactly `-count`,
/// which may repeat, for a negative one.
pub(crate) fn by_count(
    random: &mut Stream,
    len: usize,
    count: i64,
) -> Result<Vec<usize>, CommandError> {
    if count < -MOST {
        return Err(CommandError::OutOfRange);
    }
    if len == 0 {
        return Ok(Vec::new());
    }
    if count >= 0 {
        return Ok(distinct(random, len, usize::try_from(count).unwrap_or(usize::MAX)));
    }
    Ok((0..-count).map(|_| one(random, len)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Site;

    #[test]
    fn distinct_draws_are_distinct_and_reach_everything() {
        let mut random = Stream::seeded(3, Site::new("test.draw"), 0);
        let mut seen = [false; 10];
        for _ in 0..100 {
            let drawn = distinct(&mut random, 10, 4);
            assert_eq!(drawn.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
            for index in drawn {
                seen[index] = true;
            }
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(distinct(&mut random, 3, 9), [0, 1, 2]);
        assert_eq!(by_count(&mut random, 3, -7).unwrap().len(), 7);
    }

    #[test]
    fn more_draws_than_fit_into_memory_are_refused() {
        let mut random = Stream::calm(Site::new("test.draw"), 0);
        for len in [0, 3] {
            assert_eq!(by_count(&mut random, len, -MOST - 1), Err(CommandError::OutOfRange));
        }
    }
}
