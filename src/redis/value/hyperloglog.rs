//! HyperLogLogs: strings that estimate how many distinct elements were added to them.
//!
//! An element's hash (`MurmurHash64A`) chooses one of 16,384 registers and a count of zero bits; a
//! register keeps the greatest count. The number of elements is estimated from how often each count
//! occurs. A string has a header of 16 bytes, which ends with the last estimate, and its registers:
//! *dense*, with six bits for each, or *sparse*, as runs of equal registers. A sparse one becomes
//! dense when it grows too long (`hll-sparse-max-bytes`), and stays so.
//!
//! The bytes are the real server's, bit by bit, so a client may read them with `GET` and write them
//! with `SET`. Bytes that only look like a HyperLogLog are therefore possible. They are *corrupt*
//! if their runs do not add up to 16,384 registers.
//!
//! Source: `hyperloglog.c`, and Ertl, "New cardinality estimation algorithms for HyperLogLog
//! sketches", <https://arxiv.org/abs/1702.01284>.

mod estimate;
mod hash;
mod sparse;

use estimate::Histogram;
use std::fmt;

/// Number of registers.
pub const REGISTERS: usize = 1 << 14;

/// Length of the header: `HYLL`, the encoding, three unused bytes, and the last estimate.
const HEADER: usize = 16;

/// Length of a dense HyperLogLog.
const DENSE: usize = HEADER + REGISTERS * 6 / 8;

/// The byte of the header with the highest bits of the estimate. Its own highest bit is set if the
/// estimate is outdated.
const OUTDATED: usize = 15;

/// The registers as one byte each.
pub type Registers = [u8; REGISTERS];

/// The error of bytes that are no HyperLogLog, though they begin like one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runs of the sparse HyperLogLog do not add up to its registers")
    }
}

impl std::error::Error for Corrupt {}

/// How the registers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits for each.
    Dense,
    /// Runs of equal ones.
    Sparse,
}

impl Encoding {
    /// Returns the name in `PFDEBUG ENCODING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        }
    }
}

/// Returns the bytes of a HyperLogLog without elements.
#[must_use]
pub fn new() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..4].copy_from_slice(b"HYLL");
    bytes[4] = 1;
    bytes.extend_from_slice(&sparse::ALL_ZERO);
    bytes
}

/// Returns the encoding, or `None` if the bytes do not begin like a HyperLogLog.
#[must_use]
pub fn encoding(bytes: &[u8]) -> Option<Encoding> {
    match bytes.get(..HEADER)? {
        [b'H', b'Y', b'L', b'L', 0, ..] if bytes.len() == DENSE => Some(Encoding::Dense),
        [b'H', b'Y', b'L', b'L', 1, ..] => Some(Encoding::Sparse),
        _ => None,
    }
}

/// Adds an element. Returns whether a register has changed.
///
/// # Errors
///
/// [`Corrupt`], also for bytes that do not begin like a HyperLogLog.
pub fn add(bytes: &mut Vec<u8>, element: &[u8], max_sparse: u64) -> Result<bool, Corrupt> {
    let (register, count) = hash::place(element);
    raise(bytes, register, count, max_sparse)
}

/// Raises a register to at least this count. Returns whether it has changed.
fn raise(
    bytes: &mut Vec<u8>,
    register: usize,
    count: u8,
    max_sparse: u64,
) -> Result<bool, Corrupt> {
    match encoding(bytes).ok_or(Corrupt)? {
        Encoding::Dense => Ok(raise_dense(&mut bytes[HEADER..], register, count)),
        Encoding::Sparse => match sparse::raise(bytes, HEADER, register, count, max_sparse)? {
            sparse::Raised::Same => Ok(false),
            sparse::Raised::Changed => {
                outdate(bytes);
                Ok(true)
            }
            sparse::Raised::TooLarge => {
                make_dense(bytes)?;
                Ok(raise_dense(&mut bytes[HEADER..], register, count))
            }
        },
    }
}

/// Marks the estimate in the header as outdated.
pub fn outdate(bytes: &mut [u8]) {
    if let Some(byte) = bytes.get_mut(OUTDATED) {
        *byte |= 0x80;
    }
}

/// Returns the estimate in the header, unless it is outdated.
#[must_use]
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let estimate = bytes.get(8..HEADER)?.try_into().ok().map(u64::from_le_bytes)?;
    (estimate >> 63 == 0).then_some(estimate)
}

/// Estimates the number of elements and writes it into the header.
///
/// # Errors
///
/// [`Corrupt`], also for bytes that do not begin like a HyperLogLog.
pub fn refresh(bytes: &mut [u8]) -> Result<u64, Corrupt> {
    let histogram = match encoding(bytes).ok_or(Corrupt)? {
        Encoding::Dense => {
            let mut histogram = Histogram::default();
            (0..REGISTERS).for_each(|at| histogram.add(dense(&bytes[HEADER..], at), 1));
            histogram
        }
        Encoding::Sparse => {
            let mut histogram = Histogram::default();
            let mut registers = 0;
            for run in sparse::runs(&bytes[HEADER..]) {
                registers += run.len;
                histogram.add(run.count, run.len);
            }
            if registers != REGISTERS {
                return Err(Corrupt);
            }
            histogram
        }
    };
    let estimate = histogram.estimate();
    bytes[8..HEADER].copy_from_slice(&estimate.to_le_bytes());
    Ok(estimate)
}

/// Estimates the number of elements from registers.
#[must_use]
pub fn estimate(registers: &Registers) -> u64 {
    let mut histogram = Histogram::default();
    registers.iter().for_each(|count| histogram.add(*count, 1));
    histogram.estimate()
}

/// Raises registers to those of a HyperLogLog.
///
/// # Errors
///
/// [`Corrupt`], also for bytes that do not begin like a HyperLogLog.
pub fn merge_into(registers: &mut Registers, bytes: &[u8]) -> Result<(), Corrupt> {
    match encoding(bytes).ok_or(Corrupt)? {
        Encoding::Dense => {
            for (at, register) in registers.iter_mut().enumerate() {
                *register = (*register).max(dense(&bytes[HEADER..], at));
            }
            Ok(())
        }
        Encoding::Sparse => {
            let raise = |register: &mut u8, count: u8| *register = (*register).max(count);
            unpack(&bytes[HEADER..], registers, raise)
        }
    }
}

/// Raises the registers of a HyperLogLog to these, and outdates its estimate.
///
/// # Errors
///
/// [`Corrupt`], also for bytes that do not begin like a HyperLogLog.
pub fn merge_from(
    bytes: &mut Vec<u8>,
    registers: &Registers,
    max_sparse: u64,
) -> Result<(), Corrupt> {
    for (at, count) in registers.iter().enumerate().filter(|(_, count)| **count > 0) {
        raise(bytes, at, *count, max_sparse)?;
    }
    outdate(bytes);
    Ok(())
}

/// Makes a HyperLogLog dense. Returns whether it was sparse.
///
/// # Errors
///
/// [`Corrupt`], also for bytes that do not begin like a HyperLogLog.
pub fn make_dense(bytes: &mut Vec<u8>) -> Result<bool, Corrupt> {
    match encoding(bytes).ok_or(Corrupt)? {
        Encoding::Dense => return Ok(false),
        Encoding::Sparse => {}
    }
    let mut registers: Registers = [0; REGISTERS];
    unpack(&bytes[HEADER..], &mut registers, |register, count| *register = count)?;
    bytes.resize(HEADER, 0);
    bytes[4] = 0;
    bytes.resize(DENSE, 0);
    for (at, count) in registers.iter().enumerate() {
        raise_dense(&mut bytes[HEADER..], at, *count);
    }
    Ok(true)
}

/// Returns all registers (`PFDEBUG GETREG`).
///
/// # Errors
///
/// [`Corrupt`], also for bytes that do not begin like a HyperLogLog.
pub fn registers(bytes: &[u8]) -> Result<Box<Registers>, Corrupt> {
    let mut registers = Box::new([0; REGISTERS]);
    merge_into(&mut registers, bytes)?;
    Ok(registers)
}

/// Returns the runs of a sparse HyperLogLog as text: `z:n` and `Z:n` for n registers that are 0, in
/// one byte or two, `v:c,n` for n registers that are c (`PFDEBUG DECODE`). Returns `None` if it is
/// not sparse.
#[must_use]
pub fn runs(bytes: &[u8]) -> Option<String> {
    match encoding(bytes)? {
        Encoding::Dense => None,
        Encoding::Sparse => {
            let texts: Vec<String> =
                sparse::runs(&bytes[HEADER..]).map(|run| run.to_string()).collect();
            Some(texts.join(" "))
        }
    }
}

/// Applies the runs to the registers, except for runs of zeros. More runs than registers are
/// corrupt, as in a server with the fix of CVE-2025-32023.
fn unpack(
    runs: &[u8],
    registers: &mut Registers,
    apply: impl Fn(&mut u8, u8),
) -> Result<(), Corrupt> {
    let mut at = 0;
    for run in sparse::runs(runs) {
        let end = at + run.len;
        let equal = registers.get_mut(at..end).ok_or(Corrupt)?;
        if run.count > 0 {
            equal.iter_mut().for_each(|register| apply(register, run.count));
        }
        at = end;
    }
    if at == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

/// Returns a dense register.
fn dense(registers: &[u8], at: usize) -> u8 {
    let (byte, shift) = (at * 6 / 8, at * 6 % 8);
    let next = registers.get(byte + 1).copied().unwrap_or(0);
    ((u16::from_le_bytes([registers[byte], next]) >> shift) & 63) as u8
}

/// Raises a dense register to at least this count. Returns whether it has changed.
fn raise_dense(registers: &mut [u8], at: usize, count: u8) -> bool {
    let before = dense(registers, at);
    if count <= before {
        return false;
    }
    let (byte, shift) = (at * 6 / 8, at * 6 % 8);
    let [low, high] = (u16::from(before ^ count) << shift).to_le_bytes();
    registers[byte] ^= low;
    if let Some(next) = registers.get_mut(byte + 1) {
        *next ^= high;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn estimates_are_close() {
        for n in [0u64, 1, 10, 100, 1_000, 20_000] {
            let mut bytes = new();
            for element in 0..n {
                add(&mut bytes, &element.to_le_bytes(), 3_000).unwrap();
            }
            let estimate = refresh(&mut bytes).unwrap();
            let off = estimate.abs_diff(n) as f64;
            assert!(off <= n as f64 * 0.02, "{estimate} of {n}");
        }
    }

    proptest! {
        #[test]
        fn sparse_and_dense_agree(
            elements in prop::collection::vec(any::<u16>(), 0..400),
            max_sparse in 0u64..600,
        ) {
            let (mut sparse, mut other) = (new(), new());
            make_dense(&mut other).unwrap();
            for element in elements {
                let element = element.to_le_bytes();
                let changed = add(&mut sparse, &element, max_sparse).unwrap();
                prop_assert_eq!(changed, add(&mut other, &element, max_sparse).unwrap());
            }
            prop_assert_eq!(registers(&sparse).unwrap(), registers(&other).unwrap());
            prop_assert_eq!(refresh(&mut sparse.clone()), refresh(&mut other.clone()));
            make_dense(&mut sparse).unwrap();
            prop_assert_eq!(&sparse[HEADER..], &other[HEADER..]);
        }

        #[test]
        fn no_bytes_cause_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            elements in prop::collection::vec(any::<u16>(), 1..20),
        ) {
            let mut hll = new();
            hll.truncate(HEADER);
            hll.extend(bytes);
            let _ = (runs(&hll), registers(&hll), refresh(&mut hll));
            for element in elements {
                let _ = add(&mut hll, &element.to_le_bytes(), 40);
            }
            let _ = make_dense(&mut hll);
        }
    }
}
