//! Encoding of replies.
//!
//! Kinds that RESP2 lacks are written as in [`Reply::in_protocol`], but in one pass and straight
//! into the client's buffer.

use crate::redis::value::number;
use crate::redis::version::{Numbers, Version};
use crate::redis::{Protocol, Reply};
use smallvec::SmallVec;
use std::ops::DerefMut;

/// Appends the reply to `out`, as a client of that protocol gets it.
///
/// A reply that is one line on the wire stays one line: line ends in it become spaces, and are
/// dropped at the end of an error. The format of a verbatim text is cut or padded to three letters.
/// The recursion is as deep as the reply.
pub fn encode(reply: &Reply, protocol: Protocol, out: &mut Vec<u8>) {
    encode_into(reply, protocol, out);
}

/// As [`encode`], into bytes of any kind.
pub(crate) fn encode_into(reply: &Reply, protocol: Protocol, out: &mut impl Out) {
    encode_with(reply, protocol, Version::default().profile().numbers, out);
}

/// Bytes that grow.
pub(crate) trait Out: DerefMut<Target = [u8]> {
    /// Makes room for so many bytes more.
    fn reserve(&mut self, bytes: usize);
    fn push(&mut self, byte: u8);
    fn extend_from_slice(&mut self, bytes: &[u8]);
}

impl Out for Vec<u8> {
    fn reserve(&mut self, bytes: usize) {
        self.reserve(bytes);
    }

    fn push(&mut self, byte: u8) {
        self.push(byte);
    }

    fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Short replies need no memory.
impl Out for SmallVec<[u8; 64]> {
    fn reserve(&mut self, bytes: usize) {
        self.reserve(bytes);
    }

    fn push(&mut self, byte: u8) {
        self.push(byte);
    }

    fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// As [`encode`], by a server that writes numbers in this way.
pub(crate) fn encode_with(reply: &Reply, protocol: Protocol, numbers: Numbers, out: &mut impl Out) {
    let resp3 = protocol == Protocol::Resp3;
    match reply {
        Reply::Simple(text) => line(b'+', text.as_bytes(), out),
        Reply::Error(error) => line(b'-', error.0.trim_end_matches(['\r', '\n']).as_bytes(), out),
        Reply::Integer(n) => integer(b':', *n, out),
        Reply::Bulk(bytes) => bulk(bytes, out),
        Reply::Nil | Reply::NilArray if resp3 => out.extend_from_slice(b"_\r\n"),
        Reply::Nil => out.extend_from_slice(b"$-1\r\n"),
        Reply::NilArray => out.extend_from_slice(b"*-1\r\n"),
        Reply::Array(items) => all(b'*', items, protocol, numbers, out),
        Reply::Set(items) => all(if resp3 { b'~' } else { b'*' }, items, protocol, numbers, out),
        Reply::Push(items) => all(if resp3 { b'>' } else { b'*' }, items, protocol, numbers, out),
        Reply::Map(pairs) => {
            if resp3 {
                length(b'%', pairs.len(), out);
            } else {
                length(b'*', pairs.len() * 2, out);
            }
            for (key, value) in pairs {
                encode_with(key, protocol, numbers, out);
                encode_with(value, protocol, numbers, out);
            }
        }
        Reply::Pairs(pairs) => {
            length(b'*', if resp3 { pairs.len() } else { pairs.len() * 2 }, out);
            for (first, second) in pairs {
                if resp3 {
                    out.extend_from_slice(b"*2\r\n");
                }
                encode_with(first, protocol, numbers, out);
                encode_with(second, protocol, numbers, out);
            }
        }
        Reply::Attributed(attributes, reply) => {
            if resp3 {
                length(b'|', attributes.len(), out);
                for (name, value) in attributes {
                    encode_with(name, protocol, numbers, out);
                    encode_with(value, protocol, numbers, out);
                }
            }
            encode_with(reply, protocol, numbers, out);
        }
        Reply::Double(x) if resp3 => line(b',', &number::format_score(*x, numbers), out),
        Reply::Double(x) => bulk(&number::format_score(*x, numbers), out),
        Reply::Coordinate(x) if resp3 => {
            line(b',', &number::format_coordinate(*x, numbers), out);
        }
        Reply::Coordinate(x) => bulk(&number::format_coordinate(*x, numbers), out),
        Reply::Boolean(yes) if resp3 => {
            out.extend_from_slice(if *yes { b"#t\r\n" } else { b"#f\r\n" });
        }
        Reply::Boolean(yes) => integer(b':', i64::from(*yes), out),
        Reply::BigNumber(digits) if resp3 => line(b'(', digits.as_bytes(), out),
        Reply::BigNumber(digits) => bulk(digits.as_bytes(), out),
        Reply::Verbatim(format, text) if resp3 => verbatim(*format, text, out),
        Reply::Verbatim(_, text) => bulk(text, out),
    }
}

fn all(kind: u8, items: &[Reply], protocol: Protocol, numbers: Numbers, out: &mut impl Out) {
    length(kind, items.len(), out);
    for item in items {
        encode_with(item, protocol, numbers, out);
    }
}

fn integer(kind: u8, n: i64, out: &mut impl Out) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn length(kind: u8, n: usize, out: &mut impl Out) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn bulk(bytes: &[u8], out: &mut impl Out) {
    out.reserve(bytes.len() + 16);
    length(b'$', bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Writes one line; see [`one_line`].
fn line(kind: u8, text: &[u8], out: &mut impl Out) {
    out.push(kind);
    let begin = out.len();
    out.extend_from_slice(text);
    out[begin..].iter_mut().for_each(one_line);
    out.extend_from_slice(b"\r\n");
}

/// Replaces a byte that would end the line with a space.
pub(super) fn one_line(byte: &mut u8) {
    if matches!(byte, b'\r' | b'\n') {
        *byte = b' ';
    }
}

fn verbatim(format: [u8; 3], text: &[u8], out: &mut impl Out) {
    length(b'=', text.len() + 4, out);
    out.extend_from_slice(&format);
    out.push(b':');
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::ErrorReply;

    fn encoded(reply: &Reply, protocol: Protocol) -> String {
        let mut out = Vec::new();
        encode(reply, protocol, &mut out);
        out.escape_ascii().to_string()
    }

    #[test]
    fn each_kind_in_either_protocol() {
        let pair = || vec![(Reply::bulk(b"m"), Reply::Double(0.1))];
        let text = "$19\\r\\n0.10000000000000001\\r\\n";
        let table = [
            (Reply::OK, "+OK\\r\\n", "+OK\\r\\n"),
            (Reply::Integer(-7), ":-7\\r\\n", ":-7\\r\\n"),
            (Reply::bulk(b"a\r\nb"), "$4\\r\\na\\r\\nb\\r\\n", "$4\\r\\na\\r\\nb\\r\\n"),
            (Reply::Nil, "$-1\\r\\n", "_\\r\\n"),
            (Reply::NilArray, "*-1\\r\\n", "_\\r\\n"),
            (Reply::Array(vec![Reply::Nil]), "*1\\r\\n$-1\\r\\n", "*1\\r\\n_\\r\\n"),
            (Reply::Set(vec![Reply::flag(true)]), "*1\\r\\n:1\\r\\n", "~1\\r\\n:1\\r\\n"),
            (Reply::Push(vec![]), "*0\\r\\n", ">0\\r\\n"),
            (
                Reply::Map(pair()),
                &format!("*2\\r\\n$1\\r\\nm\\r\\n{text}"),
                "%1\\r\\n$1\\r\\nm\\r\\n,0.10000000000000001\\r\\n",
            ),
            (
                Reply::Pairs(pair()),
                &format!("*2\\r\\n$1\\r\\nm\\r\\n{text}"),
                "*1\\r\\n*2\\r\\n$1\\r\\nm\\r\\n,0.10000000000000001\\r\\n",
            ),
            (Reply::Double(f64::INFINITY), "$3\\r\\ninf\\r\\n", ",inf\\r\\n"),
            (Reply::Double(1e17), "$5\\r\\n1e+17\\r\\n", ",1e+17\\r\\n"),
            (Reply::Double(f64::NAN), "$4\\r\\n-nan\\r\\n", ",-nan\\r\\n"),
            (Reply::Boolean(true), ":1\\r\\n", "#t\\r\\n"),
            (Reply::Boolean(false), ":0\\r\\n", "#f\\r\\n"),
            (Reply::BigNumber("12".into()), "$2\\r\\n12\\r\\n", "(12\\r\\n"),
            (Reply::Verbatim(*b"txt", "a".into()), "$1\\r\\na\\r\\n", "=5\\r\\ntxt:a\\r\\n"),
            (Reply::Verbatim(*b"mkd", "".into()), "$0\\r\\n\\r\\n", "=4\\r\\nmkd:\\r\\n"),
        ];
        for (reply, resp2, resp3) in table {
            assert_eq!(encoded(&reply, Protocol::Resp2), resp2);
            assert_eq!(encoded(&reply, Protocol::Resp3), resp3);
        }
    }

    /// The texts that a 7.0.15 server sent for these values from Lua.
    #[test]
    fn a_line_stays_a_line() {
        let error = Reply::Error(ErrorReply("ERR a\r\nb\r\n".into()));
        assert_eq!(encoded(&error, Protocol::Resp2), "-ERR a  b\\r\\n");
        let status = Reply::Simple("a\r\nb\r\n".into());
        assert_eq!(encoded(&status, Protocol::Resp2), "+a  b  \\r\\n");
        let number = Reply::BigNumber("a\r\nb\r\n".into());
        assert_eq!(encoded(&number, Protocol::Resp3), "(a  b  \\r\\n");
    }
}
