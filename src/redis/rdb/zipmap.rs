//! Zipmaps, the small hashes of Redis 2.4. They are only read.
//!
//! A zipmap has the number of its fields in one byte, the fields with their values, and a byte 255.
//! A field or a value is its length and its bytes; between the length and the bytes of a value
//! stands the number of unused bytes after it.
//!
//! Source: `zipmap.c`.

use crate::redis::value::Sds;

const END: u8 = 255;
/// This byte begins a length of four bytes. As the number of fields it means: at least so many.
const LONG: u8 = 254;

/// Returns the fields and their values in turn, or `None` if the bytes are corrupt.
pub(super) fn elements(bytes: &[u8]) -> Option<Vec<Sds>> {
    let (len, mut rest) = bytes.split_first()?;
    let mut elements = Vec::new();
    while rest != [END] {
        let (field_len, after) = length(rest)?;
        let (field, after) = after.split_at_checked(field_len)?;
        let (value_len, after) = length(after)?;
        let (unused, after) = after.split_first()?;
        let (value, after) = after.split_at_checked(value_len)?;
        elements.extend([Sds::new(field), Sds::new(value)]);
        rest = after.get(usize::from(*unused)..)?;
    }
    let fields = elements.len() / 2;
    let counted = *len >= LONG || usize::from(*len) == fields;
    (counted && fields > 0).then_some(elements)
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match *first {
        END => None,
        LONG => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            Some((u32::from_le_bytes(*len) as usize, rest))
        }
        len => Some((usize::from(len), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_zipmap_is_read() {
        let bytes = b"\x02\x03foo\x03\x00bar\x05hello\x05\x01world!\xff";
        let read: Vec<String> =
            elements(bytes).expect("it is valid").iter().map(Sds::to_string).collect();
        assert_eq!(read, ["foo", "bar", "hello", "world"]);
        for at in 0..bytes.len() {
            assert_eq!(elements(&bytes[..at]), None);
        }
    }
}
