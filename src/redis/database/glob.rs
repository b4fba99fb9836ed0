//! Patterns of `KEYS`, `SCAN MATCH`, `PSUBSCRIBE` and ACLs: Redis's `stringmatchlen`, over bytes,
//! with its corner cases.
//!
//! `*` is any number of bytes, `?` one byte, `[…]` one of a class, and a backslash takes the next
//! byte literally. The manual does not mention these rules:
//!
//! - Only the empty pattern matches the empty text; not even `*` does (`KEYS *` does not use
//!   patterns).
//! - A class may lack its `]`; then the pattern ends with it. The byte after a `-` ends a range,
//!   even a `]`, and a range whose ends are the wrong way round is reversed. Bytes from 0x80 come
//!   before the others in a range, as C's `char` is signed.
//! - Without case sensitivity, an escape in a class is still case-sensitive, and only ASCII letters
//!   have two cases.
//! - With more than a thousand separate stars nothing matches.
//!
//! The time is at most the product of both lengths: when a star further right is reached, earlier
//! stars need not be retried.

/// With more stars, not counting one at the end, a pattern matches nothing.
const MAX_STARS: usize = 1000;

/// Returns whether the pattern matches the whole text. `nocase` ignores the case of ASCII letters.
pub(crate) fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let mut at = 0;
    let mut next = 0;
    // Position in the pattern after the last star, and the first byte that the star has not taken.
    let mut star: Option<(usize, usize)> = None;
    let mut stars = 0;
    loop {
        if pattern.get(at) == Some(&b'*') && next < text.len() {
            at += pattern[at..].iter().take_while(|b| **b == b'*').count();
            if at == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > MAX_STARS {
                return false;
            }
            star = Some((at, next));
        }
        if next == text.len() && pattern[at..].iter().all(|b| *b == b'*') {
            return true;
        }
        if at < pattern.len()
            && next < text.len()
            && let Some(length) = match_one(&pattern[at..], text[next], nocase)
        {
            at += length;
            next += 1;
            continue;
        }
        // Let the last star take one more byte.
        match &mut star {
            Some((rest, taken)) if *taken + 1 < text.len() => {
                *taken += 1;
                (at, next) = (*rest, *taken);
            }
            _ => return false,
        }
    }
}

/// Returns the length of the pattern's first element if it matches this byte. The pattern is not
/// empty and does not begin with a star.
fn match_one(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => {
            let (matched, length) = match_class(class, byte, nocase);
            matched.then_some(1 + length)
        }
        [b'\\', literal, ..] => same(*literal, byte, nocase).then_some(2),
        [literal, ..] => same(*literal, byte, nocase).then_some(1),
        [] => None,
    }
}

/// Returns whether the class contains the byte, and the length of the class with its `]`.
fn match_class(class: &[u8], byte: u8, nocase: bool) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        at += match &class[at..] {
            [] => break,
            [b'\\', literal, ..] => {
                found |= *literal == byte;
                2
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [from, b'-', to, ..] => {
                found |= in_range(*from, *to, byte, nocase);
                3
            }
            [literal, ..] => {
                found |= same(*literal, byte, nocase);
                1
            }
        };
    }
    (found != negated, at)
}

fn in_range(from: u8, to: u8, byte: u8, nocase: bool) -> bool {
    let fold = |b: u8| if nocase { b.to_ascii_lowercase() as i8 } else { b as i8 };
    // The ends are swapped before their case is ignored.
    let (low, high) = if (from as i8) > (to as i8) { (to, from) } else { (from, to) };
    (fold(low)..=fold(high)).contains(&fold(byte))
}

fn same(a: u8, b: u8, nocase: bool) -> bool {
    a == b || (nocase && a.eq_ignore_ascii_case(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The replies of a 7.0.15 server to `KEYS <pattern>` with one key.
    #[test]
    fn patterns_match_as_on_the_server() {
        let table: &[(&[u8], &[u8], bool)] = &[
            (b"[a-c]", b"b", true),
            (b"[c-a]", b"b", true),
            (b"[^a-c]", b"b", false),
            (b"[^a", b"b", true),
            (b"[a", b"a", true),
            (b"[", b"[", false),
            (b"[", b"x", false),
            (b"[^", b"x", true),
            (b"[]a", b"a", false),
            (b"[]", b"a", false),
            (b"[a-", b"a", true),
            (b"[a-", b"-", true),
            (b"[a-]", b"-", false),
            (b"[a-]", b"b", false),
            (b"[a-]", b"]", true),
            (b"[a-]]", b"b", false),
            (b"[a-]]", b"^", true),
            (b"\\", b"\\", true),
            (b"\\a", b"a", true),
            (b"\\*", b"*", true),
            (b"a\\", b"a\\", true),
            (b"a\\", b"a", false),
            (b"[\\]]", b"]", true),
            (b"[\\a-c]", b"b", false),
            (b"[\\a-c]", b"-", true),
            (b"[a-\\c]", b"b", false),
            (b"[a\\", b"\\", true),
            (b"[\\", b"\\", true),
            (b"[\\", b"a", false),
            (b"[^]", b"a", true),
            (b"[^]a]", b"a", false),
            (b"?", b"", false),
            (b"??", b"a", false),
            (b"h?llo", b"hello", true),
            (b"h*llo", b"heeello", true),
            (b"a**b", b"ab", true),
            (b"*a*b*", b"xaxbx", true),
            (b"***", b"x", true),
            (b"a***", b"a", true),
            (b"[*]", b"*", true),
            (b"[*]", b"x", false),
            (b"[?]", b"?", true),
            (b"[\x01-\xff]", b"\x7f", false),
            (b"[\x01-\xff]", b"\xff", true),
            (b"[\x80-\xff]", b"\x90", true),
            (b"[\xff-\x80]", b"\x90", true),
            (b"[a-\xff]", b"b", false),
            (b"[a-\xff]", b"\x01", true),
            (b"a\x00b", b"a\x00b", true),
            (b"a\x00b", b"a\x00c", false),
            (b"[\x00]", b"\x00", true),
            (b"[\x00", b"\x00", true),
            (b"*[", b"ab", false),
            (b"*[a", b"ba", true),
            (b"a]", b"a]", true),
            (b"[[]", b"[", true),
            (b"[a]]", b"a]", true),
            (b"[a-c-e]", b"d", false),
            (b"[a-c-e]", b"-", true),
            (b"[--a]", b".", true),
            (b"[a^]", b"^", true),
            (b"[^^]", b"^", false),
            (b"[^^]", b"a", true),
            (b"A", b"a", false),
            (b"[^-a]", b"_", true),
            (b"*?", b"a", true),
            (b"?*", b"a", true),
            (b"*", b"a", true),
            (b"[a-b", b"b", true),
            (b"[a-bx", b"x", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(
                matches(pattern, text, false),
                *expected,
                "{} on {}",
                pattern.escape_ascii(),
                text.escape_ascii()
            );
        }
    }

    /// The replies of the same server to `CONFIG GET <pattern>` for `maxmemory`.
    #[test]
    fn case_can_be_ignored() {
        for (pattern, expected) in [
            ("MaxMem?ry", true),
            ("maxmem[O]ry", true),
            ("maxmem[\\O]ry", false),
            ("maxmem[N-P]ry", true),
            ("maxmem[n-P]ry", false),
            ("maxmem[P-n]ry", false),
            ("maxmem[^O]ry", false),
            ("*MEMORY", true),
            ("maxmem[Z-a]ry", false),
            ("maxmem[^Z-a]ry", true),
            ("MAXMEM[Oo]RY", true),
            ("maxmem[A-z]ry", true),
            ("maxmem[_-O]ry", false),
            ("maxmem[O-_]ry", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), b"maxmemory", true), expected, "{pattern}");
        }
    }

    #[test]
    fn the_empty_text_and_a_thousand_stars() {
        assert!(matches(b"", b"", false));
        assert!(!matches(b"*", b"", false));
        assert!(!matches(b"**", b"", false));
        for (stars, expected) in [(10, true), (999, true), (1000, true), (1001, false)] {
            assert_eq!(matches(&b"*a".repeat(stars), &b"a".repeat(stars), false), expected);
        }
        assert!(matches(&[b"*a".repeat(1000), b"*".to_vec()].concat(), &[b'a'; 1001], false));
    }

    #[test]
    fn many_stars_cost_no_more_than_the_product() {
        let pattern = [b"a*".repeat(500), b"b".to_vec()].concat();
        assert!(!matches(&pattern, &[b'a'; 20_000], false));
    }

    /// Redis's own recursion, without its shortcut.
    fn model(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                model(rest, text, nocase)
                    || (!text.is_empty() && model(pattern, &text[1..], nocase))
            }
            ([_, ..], [byte, rest @ ..]) => match_one(pattern, *byte, nocase)
                .is_some_and(|length| model(&pattern[length..], rest, nocase)),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn backtracking_over_one_star_is_enough(
            pattern in "[ab*?\\[\\]^\\\\B-]{0,12}",
            text in "[abB\\]-]{1,10}",
            nocase: bool,
        ) {
            prop_assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes(), nocase),
                model(pattern.as_bytes(), text.as_bytes(), nocase)
            );
        }

        #[test]
        fn any_bytes_are_accepted(pattern: Vec<u8>, text: Vec<u8>, nocase: bool) {
            let _ = matches(&pattern, &text, nocase);
        }
    }
}
