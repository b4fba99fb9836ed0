//! Binaries as Erlang prints them, which is how the server's texts quote a client.
//!
//! `~w` prints each byte as a number. `~p` prints a string if all bytes are printable in Latin-1,
//! and breaks lines before column 80. The printed string starts in the column in which the text
//! before it ended.
//!
//! Source: `io_lib:format` of Erlang/OTP 25, observed.

/// Prints as `~w`: `<<1,2>>`.
pub(super) fn plain(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"<<");
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(itoa::Buffer::new().format(*byte).as_bytes());
    }
    out.extend_from_slice(b">>");
}

/// The width of a line, which no line reaches.
const WIDTH: usize = 80;

/// Prints as `~p`; see the module.
pub(super) fn pretty(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() && bytes.iter().all(|byte| is_printable(*byte)) {
        return string(bytes, out);
    }
    let column = column(out);
    let mut whole = Vec::new();
    plain(bytes, &mut whole);
    if column + 1 + whole.len() < WIDTH {
        return out.extend_from_slice(&whole);
    }
    let inner = column + 2;
    let room = (WIDTH - 1).saturating_sub(inner).max(8);
    let mut left = room;
    out.extend_from_slice(b"<<");
    for number in whole[2..whole.len() - 2].split_inclusive(|byte| *byte == b',') {
        if number.len() > left {
            new_line(inner, out);
            left = room;
        }
        left -= number.len();
        out.extend_from_slice(number);
    }
    out.extend_from_slice(b">>");
}

/// Prints the tuple `{invalid_frame_end_marker,N}` as `~p`.
pub(super) fn end_marker(marker: u8, out: &mut Vec<u8>) {
    let column = column(out);
    let marker = marker.to_string();
    let tag = b"{invalid_frame_end_marker,";
    out.extend_from_slice(tag);
    if column + 1 + tag.len() + marker.len() + 1 >= WIDTH {
        new_line(column + 1, out);
    }
    out.extend_from_slice(marker.as_bytes());
    out.push(b'}');
}

fn new_line(indent: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + indent, b' ');
}

/// Number of characters in the last line.
fn column(text: &[u8]) -> usize {
    text.iter().rev().take_while(|byte| **byte != b'\n').count()
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, 8..=13 | 27 | 32..=126 | 160..)
}

fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"<<\"");
    for byte in bytes {
        let escaped = match byte {
            8 => b'b',
            9 => b't',
            10 => b'n',
            11 => b'v',
            12 => b'f',
            13 => b'r',
            27 => b'e',
            b'"' | b'\\' => *byte,
            _ => {
                out.push(*byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escaped]);
    }
    out.extend_from_slice(b"\">>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(before: &str, bytes: &[u8], marker: Option<u8>) -> String {
        let mut out = before.as_bytes().to_vec();
        pretty(bytes, &mut out);
        if let Some(marker) = marker {
            out.extend_from_slice(b": ");
            end_marker(marker, &mut out);
        }
        out.drain(..before.len());
        out.escape_ascii().to_string()
    }

    const ALL: &str = "type 1, all octets = ";
    const FIRST: &str = "type 255, first 16 octets = ";

    #[test]
    fn binaries_are_printed_as_erlang_prints_them() {
        let upwards: Vec<u8> = (0..16).collect();
        let high: Vec<u8> = (140..156).collect();
        let table: [(&str, &[u8], Option<u8>, &str); 9] = [
            (ALL, b"", None, "<<>>"),
            (ALL, b"hi \"\\\n\x1b", None, r#"<<\"hi \\\"\\\\\\n\\e\">>"#),
            (ALL, b"\xe4\xff", None, r#"<<\"\xe4\xff\">>"#),
            (ALL, b"a\0", None, "<<97,0>>"),
            (ALL, b"\x7f", None, "<<127>>"),
            (ALL, b"a", Some(1), r#"<<\"a\">>: {invalid_frame_end_marker,1}"#),
            (
                ALL,
                &[1; 13],
                Some(1),
                &format!(
                    "<<1,1,1,1,1,1,1,1,1,1,1,1,1>>: {{invalid_frame_end_marker,\\n{:53}1}}",
                    ""
                ),
            ),
            (
                "type 1, first 16 octets = ",
                &upwards,
                Some(0),
                &format!(
                    "<<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15>>: \
                     {{invalid_frame_end_marker,\\n{:70}0}}",
                    ""
                ),
            ),
            (
                FIRST,
                &high,
                None,
                &format!(
                    "<<140,141,142,143,144,145,146,147,148,149,150,151,\\n{:30}152,153,154,155>>",
                    ""
                ),
            ),
        ];
        for (before, bytes, marker, expected) in table {
            assert_eq!(printed(before, bytes, marker), expected);
        }
    }

    #[test]
    fn plain_binaries_are_lists_of_numbers() {
        let mut out = Vec::new();
        plain(b"ab\0", &mut out);
        assert_eq!(out, b"<<97,98,0>>");
    }
}
