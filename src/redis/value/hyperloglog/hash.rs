//! The place of an element: a register, and the count that it raises the register to.
//!
//! Source: `hyperloglog.c` (`hllPatLen`); the hash is Austin Appleby's `MurmurHash64A`, read as
//! little-endian on every platform.

use super::REGISTERS;

const SEED: u64 = 0xadc8_3b19;

fn murmur(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    let (blocks, rest) = bytes.as_chunks::<8>();
    for block in blocks {
        let mut block = u64::from_le_bytes(*block).wrapping_mul(M);
        block ^= block >> 47;
        hash = (hash ^ block.wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut block = [0; 8];
        block[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(block)).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 47)).wrapping_mul(M);
    hash ^ (hash >> 47)
}

/// Returns the register of an element, and its count: the number of zeros that follow the bits of
/// the register, and one.
pub(super) fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let zeros = (hash >> 14 | 1 << 50).trailing_zeros();
    (hash as usize % REGISTERS, zeros as u8 + 1)
}
