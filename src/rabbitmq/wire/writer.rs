//! The counterpart of `reader`: writes the elementary fields of AMQP.
//!
//! Source: AMQP 0-9-1, section 4.2.5.

use super::text::octets;
use crate::rabbitmq::protocol::limits::SHORT_STRING_MAX;

/// Writes a short string, cut between characters to at most 255 octets.
pub(super) fn short(text: &str, out: &mut Vec<u8>) {
    let octets = octets(text);
    let is_inside = |at: usize| octets.get(at).is_some_and(|octet| octet & 0xc0 == 0x80);
    let mut end = octets.len().min(SHORT_STRING_MAX);
    if octets.len() > SHORT_STRING_MAX {
        while end > SHORT_STRING_MAX - 3 && is_inside(end) {
            end -= 1;
        }
    }
    short_octets(&octets[..end], out);
}

/// Writes at most 255 octets as a short string.
pub(super) fn short_octets(octets: &[u8], out: &mut Vec<u8>) {
    out.push(u8::try_from(octets.len()).expect("a short string is cut to 255 octets"));
    out.extend_from_slice(octets);
}

/// Writes what `write` writes, with its length in four octets in front.
pub(super) fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = out.len() - at - 4;
    let length = u32::try_from(length).expect("nothing that is sent is as long as 4 GiB");
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_string_is_cut_between_characters() {
        let mut out = Vec::new();
        short(&"\u{20ac}".repeat(100), &mut out);
        assert_eq!((out[0], out.len()), (255, 256));
        out.clear();
        short(&format!("a{}", "\u{20ac}".repeat(100)), &mut out);
        assert_eq!((out[0], out.len()), (253, 254));
    }
}
