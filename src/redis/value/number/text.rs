//! Numbers formatted without an allocation.

use super::shortest;
use crate::redis::version::Numbers;
use std::io::Write;
use std::ops::Deref;

/// A formatted number. Dereferences to its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    bytes: [u8; Text::CAPACITY],
    len: u8,
}

impl Text {
    /// Longer than the longest double, `-2.2250738585072014e-308`.
    const CAPACITY: usize = 32;

    const EMPTY: Text = Text { bytes: [0; Text::CAPACITY], len: 0 };

    fn push(&mut self, bytes: &[u8]) {
        let len = usize::from(self.len);
        self.bytes[len..len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }

    fn push_zeros(&mut self, n: usize) {
        for _ in 0..n {
            self.push(b"0");
        }
    }

    /// Returns the text, which is always ASCII.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self).expect("a number is ASCII")
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Formats an integer in decimal.
pub(crate) fn format_i64(n: i64) -> Text {
    let mut text = Text::EMPTY;
    text.push(itoa::Buffer::new().format(n).as_bytes());
    text
}

/// Formats a score or another double: `%.17g`, and `inf` or `-inf`. NaN is `-nan` whatever its
/// sign, as x86 formats the result of an undefined operation.
pub(crate) fn format_double(x: f64) -> Text {
    let mut text = Text::EMPTY;
    if x.is_nan() {
        text.push(b"-nan");
    } else if x.is_infinite() {
        text.push(if x > 0.0 { b"inf" } else { b"-inf" });
    } else if x.fract() == 0.0 && x.abs() < 1e17 {
        if x == 0.0 && x.is_sign_negative() {
            text.push(b"-");
        }
        text.push(itoa::Buffer::new().format(x as i64).as_bytes());
    } else {
        push_general(&mut text, x);
    }
    text
}

/// Formats a double as a version writes scores: as [`format_double`] does, or in few digits.
///
/// Source: `util.c` (`d2string`).
pub(crate) fn format_score(x: f64, numbers: Numbers) -> Text {
    // Integers within half of the range of 64 bits are written as such.
    const SAFE: f64 = (i64::MAX / 2) as f64;
    if !numbers.shortest {
        return format_double(x);
    }
    let mut text = Text::EMPTY;
    if x.is_nan() {
        text.push(b"nan");
    } else if x.is_infinite() {
        text.push(if x > 0.0 { b"inf" } else { b"-inf" });
    } else if x == 0.0 {
        text.push(if x.is_sign_negative() { b"-0" } else { b"0" });
    } else if x.fract() == 0.0 && x.abs() <= SAFE {
        text.push(itoa::Buffer::new().format(x as i64).as_bytes());
    } else {
        push_shortest(&mut text, x);
    }
    text
}

/// Formats a number as the argument of a command in a script.
///
/// Source: `script_lua.c` (`luaArgsToRedisArgv`).
#[cfg(feature = "lua")]
pub(crate) fn format_argument(x: f64, numbers: Numbers) -> Text {
    if x == 0.0 && numbers.shortest { format_i64(0) } else { format_score(x, numbers) }
}

/// Formats a double in few digits without regard to integers, as a version does that writes scores
/// so.
///
/// Source: `fpconv_dtoa.c`.
pub(crate) fn format_few(x: f64, numbers: Numbers) -> Text {
    let is_special = !x.is_finite() || x == 0.0;
    if !numbers.shortest || is_special {
        return format_score(x, numbers);
    }
    let mut text = Text::EMPTY;
    push_shortest(&mut text, x);
    text
}

/// Formats a finite number that is not zero in few digits, without regard to integers.
///
/// Source: `fpconv_dtoa.c` (`emit_digits`).
fn push_shortest(text: &mut Text, x: f64) {
    let found = shortest::digits(x.abs());
    let (digits, last) = (found.as_slice(), found.exponent);
    let len = digits.len() as i32;
    let first = last + len - 1;
    if x < 0.0 {
        text.push(b"-");
    }
    if last >= 0 && first < len + 7 {
        text.push(digits);
        text.push_zeros(last as usize);
    } else if last < 0 && (last > -7 || first.abs() < 4) {
        let whole = len + last;
        if whole <= 0 {
            text.push(b"0.");
            text.push_zeros(whole.unsigned_abs() as usize);
            text.push(digits);
        } else {
            let (whole, rest) = digits.split_at(whole as usize);
            text.push(whole);
            text.push(b".");
            text.push(rest);
        }
    } else {
        // The real server's buffer has room for so many.
        let digits = &digits[..digits.len().min(18 - usize::from(x < 0.0))];
        text.push(&digits[..1]);
        if digits.len() > 1 {
            text.push(b".");
            text.push(&digits[1..]);
        }
        text.push(if first < 0 { b"e-" } else { b"e+" });
        text.push(itoa::Buffer::new().format(first.unsigned_abs()).as_bytes());
    }
}

/// Formats a finite number that is not zero as `%.17g`.
fn push_general(text: &mut Text, x: f64) {
    let mut scientific = [0; Text::CAPACITY];
    let mut free = &mut scientific[..];
    write!(free, "{:.16e}", x.abs()).expect("17 digits and an exponent fit into a text");
    let unused = free.len();
    let scientific = &scientific[..Text::CAPACITY - unused];
    // `d.dddddddddddddddde-xxx`
    let mut digits = [0; 17];
    digits[0] = scientific[0];
    digits[1..].copy_from_slice(&scientific[2..18]);
    let exponent: i32 = std::str::from_utf8(&scientific[19..])
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("an exponent follows the digits");

    let significant = digits.iter().rposition(|d| *d != b'0').map_or(1, |last| last + 1);
    let digits = &digits[..significant];
    if x < 0.0 {
        text.push(b"-");
    }
    if !(-4..17).contains(&exponent) {
        text.push(&digits[..1]);
        if significant > 1 {
            text.push(b".");
            text.push(&digits[1..]);
        }
        text.push(if exponent < 0 { b"e-" } else { b"e+" });
        let size = exponent.unsigned_abs();
        text.push_zeros(usize::from(size < 10));
        text.push(itoa::Buffer::new().format(size).as_bytes());
    } else if exponent < 0 {
        text.push(b"0.");
        text.push_zeros(exponent.unsigned_abs() as usize - 1);
        text.push(digits);
    } else {
        let whole = exponent as usize + 1;
        text.push(&digits[..whole.min(significant)]);
        text.push_zeros(whole.saturating_sub(significant));
        if significant > whole {
            text.push(b".");
            text.push(&digits[whole..]);
        }
    }
}
