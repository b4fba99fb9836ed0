//! Inline requests: splitting a line into arguments, as `sdssplitargs` does.
//!
//! Spaces separate arguments. In double quotes a backslash escapes: `\n \r \t \b \a`, `\xHH`, or
//! the next byte itself. In single quotes it only escapes `'`. A quote may open in the middle of an
//! argument, but the argument must end where the quote closes.

use crate::redis::value::number::is_space;
use std::ops::Range;

/// Splits the line. Appends the arguments' bytes to `bytes`, and the range of each to `args`.
/// Returns `false` if a quote is not closed, or is followed by anything but a space; both vectors
/// then hold what was read so far. The line has no NUL.
pub(crate) fn split(line: &[u8], bytes: &mut Vec<u8>, args: &mut Vec<Range<usize>>) -> bool {
    let mut at = 0;
    loop {
        at += line[at..].iter().take_while(|b| is_space(**b)).count();
        if at == line.len() {
            return true;
        }
        let begin = bytes.len();
        let Some(length) = argument(&line[at..], bytes) else {
            return false;
        };
        args.push(begin..bytes.len());
        at += length;
    }
}

/// Returns the length of the line's first argument, or `None` for unbalanced quotes.
fn argument(line: &[u8], bytes: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        match line.get(at) {
            // Not every space ends an argument: `\v` and `\f` only separate them.
            None | Some(b' ' | b'\n' | b'\r' | b'\t') => return Some(at),
            Some(quote @ (b'"' | b'\'')) => {
                at += 1;
                at += quoted(&line[at..], *quote, bytes)?;
                return line.get(at).is_none_or(|b| is_space(*b)).then_some(at);
            }
            Some(byte) => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
}

/// Returns the length of a quoted text, including the closing quote.
fn quoted(line: &[u8], quote: u8, bytes: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        let (byte, length) = match (&line[at..], quote) {
            ([], _) => return None,
            ([b, ..], _) if *b == quote => return Some(at + 1),
            ([b'\\', b'x', high, low, ..], b'"')
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex(*high) << 4 | hex(*low), 4)
            }
            ([b'\\', escaped, ..], b'"') => (unescaped(*escaped), 2),
            ([b'\\', b'\'', ..], b'\'') => (b'\'', 2),
            ([byte, ..], _) => (*byte, 1),
        };
        bytes.push(byte);
        at += length;
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
        let (mut bytes, mut args) = (Vec::new(), Vec::new());
        split(line, &mut bytes, &mut args)
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
