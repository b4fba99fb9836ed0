//! LZF, the compression of strings: as Marc Lehmann's liblzf compresses in its setting "very fast",
//! which is Redis's.
//!
//! Compressed bytes are *runs* of literal bytes and *references* to earlier ones:
//!
//! | bytes | meaning |
//! |---|---|
//! | `000nnnnn`, n + 1 bytes | these bytes |
//! | `nnnddddd dddddddd` | n + 2 bytes, from d + 1 bytes back; n is from 1 to 6 |
//! | `111ddddd nnnnnnnn dddddddd` | n + 9 bytes, from d + 1 bytes back |
//!
//! A table remembers where three bytes were last seen, by a hash without a check. liblzf does not
//! clear the table, so remains of an earlier call can, rarely, lead the real server to another
//! result.

/// Bits of the hash.
const HASH_BITS: u32 = 16;
const MOST_LITERALS: usize = 32;
/// References reach back less than this.
const FARTHEST: usize = 1 << 13;
/// The longest reference is two bytes longer than this less one.
const LONGEST: usize = (1 << 8) + (1 << 3);
/// No more bytes than this result from one byte of input.
const MOST_PER_BYTE: u64 = 264;

fn slot(three: u32) -> usize {
    let hash = (three >> (24 - HASH_BITS)).wrapping_sub(three.wrapping_mul(5));
    (hash & ((1 << HASH_BITS) - 1)) as usize
}

fn three(input: &[u8], at: usize) -> u32 {
    u32::from(input[at]) << 16 | u32::from(input[at + 1]) << 8 | u32::from(input[at + 2])
}

/// Where three bytes were last seen. An entry is a place and `base`; entries that are not greater
/// than `base` are of earlier inputs, or of the first place, to which nothing refers.
#[derive(Debug, Default)]
pub(super) struct Seen {
    entries: Vec<u32>,
    base: u32,
}

impl Seen {
    /// Forgets everything, and makes room for an input of this length.
    fn begin(&mut self, len: usize) -> u32 {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        match self.base.checked_add(len) {
            Some(end) if !self.entries.is_empty() => {
                let base = self.base;
                self.base = end;
                base
            }
            Some(_) | None => {
                self.entries.clear();
                self.entries.resize(1 << HASH_BITS, 0);
                self.base = len;
                0
            }
        }
    }
}

/// Compresses bytes. Returns `None` if the result would be longer than `most`. There are at least
/// four bytes.
pub(super) fn compress(seen: &mut Seen, input: &[u8], most: usize) -> Option<Vec<u8>> {
    let base = seen.begin(input.len());
    let entry = |at: usize| base.wrapping_add(at as u32);
    let seen = &mut seen.entries;
    let mut out = Vec::with_capacity(most + 1);
    // The place of the byte that counts the literals of the current run, and their number.
    let (mut run, mut literals) = (0, 0);
    out.push(0);
    let mut at = 0;
    let end = input.len();
    while at + 2 < end {
        let slot_of_three = slot(three(input, at));
        let before = std::mem::replace(&mut seen[slot_of_three], entry(at));
        let before = before.saturating_sub(base) as usize;
        let matches = before > 0
            && before < at
            && at - before - 1 < FARTHEST
            && input[before..before + 3] == input[at..at + 3];
        if !matches {
            if out.len() >= most {
                return None;
            }
            literals += 1;
            out.push(input[at]);
            at += 1;
            if literals == MOST_LITERALS {
                out[run] = (literals - 1) as u8;
                (run, literals) = (out.len(), 0);
                out.push(0);
            }
            continue;
        }
        let empty = usize::from(literals == 0);
        if out.len() - empty + 4 >= most {
            return None;
        }
        if literals > 0 {
            out[run] = (literals - 1) as u8;
        } else {
            out.pop();
        }
        let length = match_length(input, before, at);
        let distance = at - before - 1;
        let high = (distance >> 8) as u8;
        // The code is two less than the length.
        let code = length - 2;
        if code < 7 {
            out.push((code as u8) << 5 | high);
        } else {
            out.extend_from_slice(&[7 << 5 | high, (code - 7) as u8]);
        }
        out.push(distance as u8);
        (run, literals) = (out.len(), 0);
        out.push(0);
        at += length;
        if at + 2 >= end {
            break;
        }
        // Of the bytes that the reference covers, only the last two places are remembered.
        for place in [at - 2, at - 1] {
            seen[slot(three(input, place))] = entry(place);
        }
    }
    if out.len() + 3 > most {
        return None;
    }
    for byte in &input[at..] {
        literals += 1;
        out.push(*byte);
        if literals == MOST_LITERALS {
            out[run] = (literals - 1) as u8;
            (run, literals) = (out.len(), 0);
            out.push(0);
        }
    }
    if literals > 0 {
        out[run] = (literals - 1) as u8;
    } else {
        out.pop();
    }
    Some(out)
}

/// Returns how many bytes are equal from both places on, of which at least three are.
fn match_length(input: &[u8], before: usize, at: usize) -> usize {
    let most = (input.len() - at - 2).min(LONGEST);
    let same = |length: usize| input[before + length] == input[at + length];
    // liblzf compares sixteen bytes without asking for the end if there are so many.
    let mut length = 2;
    if most > 16 {
        while length < 18 {
            length += 1;
            if !same(length) {
                return length;
            }
        }
    }
    loop {
        length += 1;
        if length >= most || !same(length) {
            return length;
        }
    }
}

/// Decompresses bytes to exactly this length. Returns `None` if they are corrupt.
pub(super) fn decompress(mut input: &[u8], len: u64) -> Option<Vec<u8>> {
    if len > input.len() as u64 * MOST_PER_BYTE {
        return None;
    }
    let len = usize::try_from(len).ok()?;
    let mut out = Vec::with_capacity(len);
    while let [control, rest @ ..] = input {
        let control = usize::from(*control);
        if control < 32 {
            let (literals, rest) = rest.split_at_checked(control + 1)?;
            out.extend_from_slice(literals);
            input = rest;
        } else {
            let (more, rest) = if control >> 5 == 7 { rest.split_first()? } else { (&0, rest) };
            let (low, rest) = rest.split_first()?;
            let length = (control >> 5) + usize::from(*more) + 2;
            let distance = (control & 31) << 8 | usize::from(*low);
            let begin = out.len().checked_sub(distance + 1)?;
            if out.len() + length > len {
                return None;
            }
            for at in begin..begin + length {
                out.push(out[at]);
            }
            input = rest;
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_compressed_is_restored(
            parts in prop::collection::vec(("[ab]{1,3}", 1usize..400), 1..12)
        ) {
            let text: String = parts.iter().map(|(part, times)| part.repeat(*times)).collect();
            if text.len() > 4
                && let Some(small) = compress(&mut Seen::default(), text.as_bytes(), text.len() - 4)
            {
                prop_assert!(small.len() <= text.len() - 4);
                let restored = decompress(&small, text.len() as u64);
                prop_assert_eq!(restored.as_deref(), Some(text.as_bytes()));
            }
        }

        #[test]
        fn no_bytes_cause_a_panic(input in prop::collection::vec(any::<u8>(), 0..60), len in 0u64..400) {
            let _ = decompress(&input, len);
        }
    }
}
