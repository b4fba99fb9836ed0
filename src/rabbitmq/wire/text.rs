//! Short strings of any octets as text, and back.
//!
//! The server requires few of its short strings to be UTF-8 and passes the others on unchanged;
//! here they are text. An octet that is not part of UTF-8 is kept as a private character, U+10FF80
//! for 0x80 to U+10FFFF for 0xFF. To keep the mapping unambiguous, such a character that a client
//! itself sent is treated as octets that are not UTF-8, too.

use smol_str::SmolStr;

/// The private character of an octet, minus the octet.
const BASE: u32 = 0x10_ff00;

/// The octet with which every such character begins in UTF-8, and few others do.
const LEAD: u8 = 0xf4;

/// Returns the text for these octets.
pub(super) fn text(octets: &[u8]) -> SmolStr {
    match std::str::from_utf8(octets) {
        Ok(text) if !octets.contains(&LEAD) => SmolStr::new(text),
        _ => kept(octets),
    }
}

#[cold]
fn kept(octets: &[u8]) -> SmolStr {
    let mut text = String::new();
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            match stands_for(c) {
                None => text.push(c),
                Some(_) => {
                    let mut own = [0; 4];
                    text.extend(c.encode_utf8(&mut own).bytes().map(standing_for));
                }
            }
        }
        text.extend(chunk.invalid().iter().copied().map(standing_for));
    }
    text.into()
}

/// Returns the octets of a text.
pub(in crate::rabbitmq) fn octets(text: &str) -> std::borrow::Cow<'_, [u8]> {
    if !text.as_bytes().contains(&LEAD) {
        return text.as_bytes().into();
    }
    let mut octets = Vec::with_capacity(text.len());
    for c in text.chars() {
        match stands_for(c) {
            Some(octet) => octets.push(octet),
            None => octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    octets.into()
}

fn stands_for(c: char) -> Option<u8> {
    let octet = u8::try_from(u32::from(c).checked_sub(BASE)?).ok()?;
    (octet >= 0x80).then_some(octet)
}

fn standing_for(octet: u8) -> char {
    char::from_u32(BASE + u32::from(octet)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_octets_become_text_and_themselves_again() {
        let all: Vec<u8> = (0..=255).collect();
        let private = "\u{10ff80}\u{10ffff}\u{10fefe}\u{1f600}".as_bytes();
        for octets_in in [&b"plain"[..], "gr\u{fc}n".as_bytes(), b"\xff\xfe", &all, private] {
            assert_eq!(&*octets(&text(octets_in)), octets_in, "{}", octets_in.escape_ascii());
        }
        assert_eq!(text(b"a\xff"), "a\u{10ffff}");
    }
}
