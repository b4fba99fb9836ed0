//! Numbers and bytes in few bytes, for the log of a trace.
//!
//! A number is written seven bits at a time, the lowest first; the highest bit of each byte says
//! whether more follow. Bytes are written behind their length. What was written is read back in the
//! same order by the same code, so a reader that finds too little has an end that is not shown.

/// Writes a number.
pub(crate) fn put_number(log: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        log.push(n as u8 | 0x80);
        n >>= 7;
    }
    log.push(n as u8);
}

/// Writes bytes behind their length.
#[cfg(any(test, feature = "rabbitmq", feature = "redis"))]
pub(crate) fn put_bytes(log: &mut Vec<u8>, bytes: &[u8]) {
    put_number(log, bytes.len() as u64);
    log.extend_from_slice(bytes);
}

/// Reads a number, and moves `log` behind it.
pub(crate) fn take_number(log: &mut &[u8]) -> u64 {
    let mut n = 0;
    let mut shift = 0;
    while let Some((byte, rest)) = log.split_first() {
        *log = rest;
        n |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    n
}

/// Reads bytes, and moves `log` behind them.
pub(crate) fn take_bytes<'a>(log: &mut &'a [u8]) -> &'a [u8] {
    let length = take_number(log) as usize;
    let (bytes, rest) = log.split_at(length.min(log.len()));
    *log = rest;
    bytes
}

/// Reads bytes that were text.
#[cfg(any(test, feature = "rabbitmq"))]
pub(crate) fn take_text<'a>(log: &mut &'a [u8]) -> &'a str {
    std::str::from_utf8(take_bytes(log)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let mut log = Vec::new();
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        numbers.iter().for_each(|n| put_number(&mut log, *n));
        put_bytes(&mut log, b"some text");
        put_bytes(&mut log, &[7; 200]);
        let mut rest = &*log;
        assert_eq!(numbers.map(|_| take_number(&mut rest)), numbers);
        assert_eq!(take_text(&mut rest), "some text");
        assert_eq!(take_bytes(&mut rest), [7; 200]);
        assert_eq!(take_number(&mut rest), 0, "nothing is left");
        assert_eq!(take_bytes(&mut rest), b"");
    }
}
