//! Memory as the real server's allocator gives it out.

/// Returns the size that jemalloc rounds a request up to: multiples of 16 up to 128, then four
/// sizes for each doubling.
pub(crate) fn allocated(bytes: usize) -> usize {
    match bytes {
        0..=8 => 8,
        9..=128 => bytes.next_multiple_of(16),
        _ => bytes.next_multiple_of(bytes.next_power_of_two() / 8),
    }
}
