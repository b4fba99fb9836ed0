//! Inline requests: splitting a line into arguments, as `sdssplitargs` does.
//!
//! Spaces separate arguments. In double quotes a backslash escapes: `\n \r \t \b \a`, `\xHH`, or
//! the next byte itself. In single quotes it only escapes `'`. A quote may open in the middle of an
//! argument, but the argument must end where the quote closes.
//!
//! Valkey 8.1 and later lose each byte 0xff, and 9.1 goes on behind a quote that closes, and closes
//! one by a last quote even after a backslash ([`Inline`]).

use crate::redis::value::number::is_space;
use crate::redis::version::Inline;
use std::ops::Range;

/// Splits the line. Appends the arguments' bytes to `bytes`, and the range of each to `args`.
/// Returns `false` if a quote is not closed, or is followed by anything but a space; both vectors
/// then hold what was read so far. The line has no NUL.
pub(crate) fn split(
    line: &[u8],
    rules: Inline,
    bytes: &mut Vec<u8>,
    args: &mut Vec<Range<usize>>,
) -> bool {
    let mut at = 0;
    loop {
        at += line[at..].iter().take_while(|b| is_space(**b)).count();
        if at == line.len() {
            return true;
        }
        let begin = bytes.len();
        let Some(length) = argument(&line[at..], rules, bytes) else {
            return false;
        };
        args.push(begin..bytes.len());
        at += length;
    }
}

/// Returns the length of the line's first argument, or `None` for unbalanced quotes.
fn argument(line: &[u8], rules: Inline, bytes: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        match line.get(at) {
            // Not every space ends an argument: `\v` and `\f` only separate them.
            None | Some(b' ' | b'\n' | b'\r' | b'\t') => return Some(at),
            Some(quote @ (b'"' | b'\'')) => {
                at += 1;
                at += quoted(&line[at..], *quote, rules, bytes)?;
                if !rules.goes_on_behind_quotes {
                    return line.get(at).is_none_or(|b| is_space(*b)).then_some(at);
                }
            }
            Some(byte) => {
                rules.push(*byte, bytes);
                at += 1;
            }
        }
    }
}

/// Returns the length of a quoted text, including the closing quote.
fn quoted(line: &[u8], quote: u8, rules: Inline, bytes: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        let (byte, length) = match (&line[at..], quote) {
            ([], _) => return None,
            ([b, ..], _) if *b == quote => return Some(at + 1),
            ([b'\\', b'x', high, low, ..], b'"')
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                // An escape may stand for any byte.
                bytes.push(hex(*high) << 4 | hex(*low));
                at += 4;
                continue;
            }
            ([b'\\', last], _) if rules.goes_on_behind_quotes && *last == quote => (b'\\', 1),
            ([b'\\', escaped, ..], b'"') => (unescaped(*escaped), 2),
            ([b'\\', b'\'', ..], b'\'') => (b'\'', 2),
            ([byte, ..], _) => (*byte, 1),
        };
        rules.push(byte, bytes);
        at += length;
    }
}

impl Inline {
    fn push(self, byte: u8, bytes: &mut Vec<u8>) {
        if byte != 0xff || !self.loses_ff {
            bytes.push(byte);
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split_line(line: &[u8]) -> Option<Vec<Vec<u8>>> {
        split_as(line, Inline { loses_ff: false, goes_on_behind_quotes: false })
    }

    fn split_as(line: &[u8], rules: Inline) -> Option<Vec<Vec<u8>>> {
        let (mut bytes, mut args) = (Vec::new(), Vec::new());
        split(line, rules, &mut bytes, &mut args)
            .then(|| args.into_iter().map(|range| bytes[range].to_vec()).collect())
    }

    /// The arguments that a 7.0.15 server read.
    #[test]
    fn quotes_and_escapes() {
        type Row<'a> = (&'a [u8], Option<&'a [&'a [u8]]>);
        let table: &[Row<'_>] = &[
            (b"", Some(&[])),
            (b"  ping   ", Some(&[b"ping"])),
            (
                b"ping \"a\\x41\\n\\r\\t\\b\\a\\q\\\\\\\"\"",
                Some(&[b"ping", b"aA\n\r\t\x08\x07q\\\""]),
            ),
            (b"ping 'a\\'b\\n'", Some(&[b"ping", b"a'b\\n"])),
            (b"ping \"\" ''", Some(&[b"ping", b"", b""])),
            (b"ping a\"b c\"", Some(&[b"ping", b"ab c"])),
            (b"ping a'b c'", Some(&[b"ping", b"ab c"])),
            (b"ping \"\\x4\"", Some(&[b"ping", b"x4"])),
            (b"ping \"\\x4G\\X41\\xfF\"", Some(&[b"ping", b"x4GX41\xff"])),
            (b"ping\ta\r b\r", Some(&[b"ping", b"a", b"b"])),
            (b"ping\x0ba", Some(&[b"ping\x0ba"])),
            (b"\x0b\x0c'ping'\x0ba", Some(&[b"ping", b"a"])),
            (b"\\x70ing", Some(&[b"\\x70ing"])),
            (b"ping \"a", None),
            (b"ping 'a", None),
            (b"ping \"a\"b", None),
            (b"ping 'a'b", None),
            (b"\"a\"\"b\"", None),
            (b"ping a\"b", None),
            (b"ping \"abc\\", None),
            (b"ping \"abc\\\"", None),
            (b"ping '\\\\'", None),
        ];
        for (line, expected) in table {
            let expected = expected.map(|args| args.iter().map(|a| a.to_vec()).collect());
            assert_eq!(split_line(line), expected, "{}", line.escape_ascii());
        }
    }

    /// The arguments that Valkey 8.1.8 and 9.1.2 read.
    #[test]
    fn later_corners() {
        let v8_1 = Inline { loses_ff: true, goes_on_behind_quotes: false };
        let v9_1 = Inline { loses_ff: true, goes_on_behind_quotes: true };
        type Row<'a> = (&'a [u8], Option<&'a [u8]>, Option<&'a [u8]>);
        let table: &[Row<'_>] = &[
            (b"\xffa\xff", Some(b"a"), Some(b"a")),
            (b"\xff", Some(b""), Some(b"")),
            (b"\"\xfe\\\xff\"", Some(b"\xfe"), Some(b"\xfe")),
            (b"'\xff\xfe'", Some(b"\xfe"), Some(b"\xfe")),
            (b"\"a\\xff\"", Some(b"a\xff"), Some(b"a\xff")),
            (b"\"a\"b", None, Some(b"ab")),
            (b"'a'\"b c\"d", None, Some(b"ab cd")),
            (b"\"a\\\"", None, Some(b"a\\")),
            (b"'a\\'", None, Some(b"a\\")),
            (b"\"a\\\\\"", Some(b"a\\"), Some(b"a\\")),
            (b"\"a\\\" ", None, None),
            (b"\"a\\\"b\"", Some(b"a\"b"), Some(b"a\"b")),
            (b"\"a\"\\\"b", None, None),
            (b"'a\\'b'", Some(b"a'b"), Some(b"a'b")),
        ];
        for (line, earlier, later) in table {
            let one = |arg: &Option<&[u8]>| arg.map(|arg| vec![arg.to_vec()]);
            assert_eq!(split_as(line, v8_1), one(earlier), "8.1: {}", line.escape_ascii());
            assert_eq!(split_as(line, v9_1), one(later), "9.1: {}", line.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_line_is_split_or_refused(line: Vec<u8>) {
            let _ = split_line(&line);
        }

        #[test]
        fn quoting_is_undone(args in proptest::collection::vec(any::<Vec<u8>>(), 0..5)) {
            let quote = |arg: &Vec<u8>| {
                let hex: String = arg.iter().map(|b| format!("\\x{b:02x}")).collect();
                format!("\"{hex}\"")
            };
            let line: Vec<String> = args.iter().map(quote).collect();
            prop_assert_eq!(split_line(line.join(" ").as_bytes()), Some(args));
        }
    }
}
