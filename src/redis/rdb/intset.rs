//! Intsets: sorted arrays of integers, all of the same width.
//!
//! An intset has the width in four bytes, the number of integers in four, and the integers.
//!
//! Source: `intset.c`.

/// Returns the bytes of an intset with these integers, which are in order.
pub(super) fn bytes(numbers: &[i64]) -> Vec<u8> {
    let width = numbers.iter().map(|n| match n {
        -32_768..=32_767 => 2,
        -2_147_483_648..=2_147_483_647 => 4,
        _ => 8,
    });
    let width = width.max().unwrap_or(2);
    let mut bytes = Vec::with_capacity(8 + width * numbers.len());
    bytes.extend_from_slice(&(width as u32).to_le_bytes());
    bytes.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
    for n in numbers {
        bytes.extend_from_slice(&n.to_le_bytes()[..width]);
    }
    bytes
}

/// Returns the integers in order, or `None` if the bytes are corrupt.
pub(super) fn numbers(bytes: &[u8]) -> Option<Vec<i64>> {
    let (width, rest) = bytes.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (width, len) = (u32::from_le_bytes(*width) as usize, u32::from_le_bytes(*len) as usize);
    if !matches!(width, 2 | 4 | 8) || len == 0 || len.checked_mul(width)? != rest.len() {
        return None;
    }
    let number = |data: &[u8]| {
        let mut full = [if data[width - 1] & 128 == 0 { 0 } else { 255 }; 8];
        full[..width].copy_from_slice(data);
        i64::from_le_bytes(full)
    };
    let numbers: Vec<i64> = rest.chunks_exact(width).map(number).collect();
    numbers.is_sorted_by(|a, b| a < b).then_some(numbers)
}
