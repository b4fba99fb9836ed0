//! Bits of a string: what `BITCOUNT`, `BITPOS`, `BITOP` and `BITFIELD` compute, on slices.
//!
//! Bit 0 is the most significant bit of the first byte. Reads beyond the end of a string see clear
//! bits. Ranges are half open and count bits.
//!
//! Loops work on whole words where possible, so that the compiler vectorises them.

use std::ops::Range;

/// How `BITOP` combines several strings into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Set where all are set.
    And,
    /// Set where any is set.
    Or,
    /// Set where an odd number are set.
    Xor,
    /// Set where the first is set, and none of the others.
    Diff,
    /// Set where any but the first is set, and the first is not.
    Diff1,
    /// Set where the first is set, and any of the others.
    AndOr,
    /// Set where exactly one is set.
    One,
}

/// Returns the bit at an offset.
#[must_use]
pub fn get(bytes: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset / 8).ok().and_then(|at| bytes.get(at));
    byte.is_some_and(|byte| byte >> (7 - offset % 8) & 1 == 1)
}

/// Sets or clears the bit at an offset. Returns the previous bit.
///
/// # Panics
///
/// If the offset is beyond the bytes.
pub fn set(bytes: &mut [u8], offset: u64, bit: bool) -> bool {
    let byte = &mut bytes[(offset / 8) as usize];
    let mask = 0x80 >> (offset % 8);
    let before = *byte & mask != 0;
    if bit {
        *byte |= mask;
    } else {
        *byte &= !mask;
    }
    before
}

/// Returns the number of set bits.
#[must_use]
pub fn count(bytes: &[u8]) -> u64 {
    // A block's sum fits into 32 bits per lane, which vectorises best.
    let mut blocks = bytes.chunks_exact(64);
    let ones = |word: &[u8]| -> u32 {
        u64::from_ne_bytes(word.try_into().expect("a chunk has 8 bytes")).count_ones()
    };
    let whole: u64 =
        blocks.by_ref().map(|block| u64::from(block.chunks_exact(8).map(ones).sum::<u32>())).sum();
    whole + blocks.remainder().iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// Returns the number of set bits in a range.
#[must_use]
pub fn count_range(bytes: &[u8], range: Range<u64>) -> u64 {
    let Some((first, middle, last)) = split(bytes, range) else { return 0 };
    let ones = |edge: Edge| u64::from((edge.byte & edge.mask).count_ones());
    first.map_or(0, ones) + count(middle.bytes) + last.map_or(0, ones)
}

/// Returns the first bit of a range that is set, or clear, within the bytes.
#[must_use]
pub fn position(bytes: &[u8], bit: bool, range: Range<u64>) -> Option<u64> {
    let (first, middle, last) = split(bytes, range)?;
    let in_byte = |byte: u8, mask: u8, at: usize| {
        let wanted = if bit { byte } else { !byte } & mask;
        (wanted != 0).then(|| at as u64 * 8 + u64::from(wanted.leading_zeros()))
    };
    let in_edge = |edge: Edge| in_byte(edge.byte, edge.mask, edge.at);
    let in_middle = || {
        let at = byte_with(middle.bytes, bit)?;
        in_byte(middle.bytes[at], 0xff, middle.at + at)
    };
    first.and_then(in_edge).or_else(in_middle).or_else(|| last.and_then(in_edge))
}

/// Returns the first byte with such a bit.
fn byte_with(bytes: &[u8], bit: bool) -> Option<usize> {
    let without = if bit { 0 } else { 0xff };
    let block_len = 64;
    let is_without = |block: &&[u8]| block.iter().fold(0, |all, byte| all | (byte ^ without)) == 0;
    let skipped = bytes.chunks_exact(block_len).take_while(is_without).count() * block_len;
    let found = bytes[skipped..].iter().position(|byte| *byte != without)?;
    Some(skipped + found)
}

/// A byte of which only a part is in a range.
struct Edge {
    at: usize,
    byte: u8,
    mask: u8,
}

/// The bytes that are entirely in a range.
struct Middle<'a> {
    at: usize,
    bytes: &'a [u8],
}

/// Splits a range into the partial byte at its beginning, the whole bytes, and the partial byte at
/// its end. Returns `None` for an empty range.
fn split(bytes: &[u8], range: Range<u64>) -> Option<(Option<Edge>, Middle<'_>, Option<Edge>)> {
    let end = range.end.min(bytes.len() as u64 * 8);
    if range.start >= end {
        return None;
    }
    let (from, to) = ((range.start / 8) as usize, (end / 8) as usize);
    let head = 0xff >> (range.start % 8);
    let tail = !(0xff >> (end % 8));
    let edge = |at: usize, mask: u8| Edge { at, byte: bytes[at], mask };
    if from == to {
        return Some((Some(edge(from, head & tail)), Middle { at: from, bytes: &[] }, None));
    }
    let first = (head != 0xff).then(|| edge(from, head));
    let at = from + usize::from(first.is_some());
    let last = (tail != 0).then(|| edge(to, tail));
    Some((first, Middle { at, bytes: &bytes[at..to] }, last))
}

/// Combines strings bit by bit. The result is as long as the longest of them.
#[must_use]
pub fn combine(operator: Operator, sources: &[&[u8]]) -> Vec<u8> {
    match operator {
        Operator::And | Operator::Or | Operator::Xor => {}
        Operator::One => return exactly_one(sources),
        Operator::Diff | Operator::Diff1 | Operator::AndOr => {
            return beside_the_first(operator, sources);
        }
    }
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let Some((first, others)) = sources.split_first() else { return Vec::new() };
    let mut combined = Vec::with_capacity(len);
    combined.extend_from_slice(first);
    combined.resize(len, 0);
    // Blocks stay in the cache, however many sources there are.
    for (index, block) in combined.chunks_mut(BLOCK).enumerate() {
        for source in others {
            let from = (index * BLOCK).min(source.len());
            let to = (from + block.len()).min(source.len());
            combine_block(operator, block, &source[from..to]);
        }
    }
    combined
}

/// Compares the first string with the union of the others.
fn beside_the_first(operator: Operator, sources: &[&[u8]]) -> Vec<u8> {
    let Some((first, others)) = sources.split_first() else { return Vec::new() };
    let mut combined = combine(Operator::Or, others);
    combined.resize(combined.len().max(first.len()), 0);
    for (at, any) in combined.iter_mut().enumerate() {
        let first = first.get(at).copied().unwrap_or(0);
        *any = match operator {
            Operator::Diff => first & !*any,
            Operator::Diff1 => *any & !first,
            _ => *any & first,
        };
    }
    combined
}

fn exactly_one(sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let (mut once, mut twice) = (vec![0; len], vec![0; len]);
    for source in sources {
        for ((once, twice), byte) in once.iter_mut().zip(&mut twice).zip(*source) {
            *twice |= *once & byte;
            *once |= byte;
        }
    }
    once.iter().zip(&twice).map(|(once, twice): (&u8, &u8)| once & !twice).collect()
}

const BLOCK: usize = 16 << 10;

fn combine_block(operator: Operator, into: &mut [u8], from: &[u8]) {
    let (both, rest) = into.split_at_mut(from.len());
    match operator {
        Operator::And => {
            both.iter_mut().zip(from).for_each(|(a, b)| *a &= b);
            rest.fill(0);
        }
        Operator::Or => both.iter_mut().zip(from).for_each(|(a, b)| *a |= b),
        Operator::Xor => both.iter_mut().zip(from).for_each(|(a, b)| *a ^= b),
        Operator::Diff | Operator::Diff1 | Operator::AndOr | Operator::One => {
            unreachable!("these are not combined source by source")
        }
    }
}

/// Inverts every bit of a string.
#[must_use]
pub fn invert(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| !byte).collect()
}

/// Returns up to 64 bits from an offset on as a number; the first bit is the most significant.
#[must_use]
pub fn field(bytes: &[u8], offset: u64, bits: u32) -> u64 {
    (offset..offset + u64::from(bits)).fold(0, |n, at| n << 1 | u64::from(get(bytes, at)))
}

/// Writes a number to the `bits` bits from an offset on.
///
/// # Panics
///
/// If the bits end beyond the bytes.
pub fn set_field(bytes: &mut [u8], offset: u64, bits: u32, value: u64) {
    for index in 0..bits {
        set(bytes, offset + u64::from(index), value >> (bits - 1 - index) & 1 == 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(bytes: &[u8]) -> Vec<bool> {
        bytes.iter().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1 == 1)).collect()
    }

    /// Long runs of equal bytes exercise the skipping of whole blocks.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let run = (prop::sample::select(vec![0, 0xff, 0x10, 0xfe]), 0..150usize);
        prop::collection::vec(run, 0..5)
            .prop_map(|runs| runs.into_iter().flat_map(|(byte, n)| vec![byte; n]).collect())
    }

    proptest! {
        #[test]
        fn ranges_are_counted_and_searched_as_bit_by_bit(
            bytes in bytes(), start in 0..5000u64, len in 0..5000u64, bit in any::<bool>(),
        ) {
            let range = start..start + len;
            let model = bits(&bytes);
            let within = || model.iter().enumerate().filter(|(i, _)| range.contains(&(*i as u64)));
            let ones = within().filter(|b| *b.1).count() as u64;
            prop_assert_eq!(count_range(&bytes, range.clone()), ones);
            let first = within().find(|b| *b.1 == bit).map(|b| b.0 as u64);
            prop_assert_eq!(position(&bytes, bit, range.clone()), first);
            prop_assert_eq!(count(&bytes), model.iter().filter(|b| **b).count() as u64);
        }

        #[test]
        fn strings_are_combined_as_bit_by_bit(sources in prop::collection::vec(bytes(), 1..4)) {
            let len = sources.iter().map(Vec::len).max().unwrap_or(0);
            let padded = |source: &Vec<u8>| { let mut s = source.clone(); s.resize(len, 0); s };
            let slices: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            let fold = |with: fn(u8, u8) -> u8| {
                let both = |a: Vec<u8>, b: Vec<u8>| {
                    a.iter().zip(b).map(|(a, b)| with(*a, b)).collect()
                };
                sources.iter().map(padded).reduce(both).unwrap_or_default()
            };
            prop_assert_eq!(combine(Operator::And, &slices), fold(|a, b| a & b));
            prop_assert_eq!(combine(Operator::Or, &slices), fold(|a, b| a | b));
            prop_assert_eq!(combine(Operator::Xor, &slices), fold(|a, b| a ^ b));
            let count = |bit: usize| sources.iter().filter(|s| get(s, bit as u64)).count();
            let first = |bit: usize| sources.first().is_some_and(|s| get(s, bit as u64));
            let others = |bit: usize| count(bit) - usize::from(first(bit));
            let bits_of = |operator| bits(&combine(operator, &slices));
            for (at, bit) in bits_of(Operator::One).into_iter().enumerate() {
                prop_assert_eq!(bit, count(at) == 1);
            }
            for (at, bit) in bits_of(Operator::Diff).into_iter().enumerate() {
                prop_assert_eq!(bit, first(at) && others(at) == 0);
            }
            for (at, bit) in bits_of(Operator::Diff1).into_iter().enumerate() {
                prop_assert_eq!(bit, !first(at) && others(at) > 0);
            }
            for (at, bit) in bits_of(Operator::AndOr).into_iter().enumerate() {
                prop_assert_eq!(bit, first(at) && others(at) > 0);
            }
        }

        #[test]
        fn a_field_is_read_as_written(
            mut bytes in prop::collection::vec(any::<u8>(), 20),
            offset in 0..90u64, width in 1..=64u32, value in any::<u64>(),
        ) {
            let before = bits(&bytes);
            set_field(&mut bytes, offset, width, value);
            prop_assert_eq!(field(&bytes, offset, width), value & (u64::MAX >> (64 - width)));
            let outside = |at: u64| at < offset || at >= offset + u64::from(width);
            for (at, (before, after)) in before.iter().zip(bits(&bytes)).enumerate() {
                prop_assert!(!outside(at as u64) || *before == after);
            }
        }
    }

    #[test]
    fn beyond_the_bytes_everything_is_clear() {
        assert!(!get(b"\xff", 8));
        assert!(!get(b"\xff", u64::MAX));
        assert_eq!(field(b"\xff", 4, 8), 0xf0);
        assert_eq!(position(b"\xff", false, 0..100), None);
    }
}
