//! Numbers as text, with Redis's rules for what is one.
//!
//! Three readers, as strict as the functions of Redis's `util.c` and `t_zset.c`
//! they are named for: [`parse_i64`] (`string2ll`), [`parse_double`]
//! (`string2d`) and [`parse_score_bound`] (`zslParseRange`). The last two rest
//! on C's `strtod`, whose grammar is [`Literal`]: decimal or hexadecimal, or
//! `inf`, `infinity`, `nan` in any case, and nothing that depends on a locale.
//!
//! Two writers, into a [`Text`] that needs no allocation: [`format_i64`], and
//! [`format_double`], C's `%.17g`. Every result is a function of the bytes
//! alone: reading rounds correctly, writing is exact, on every platform.

use std::io::Write;
use std::ops::Deref;

/// A number written out; derefs to its bytes.
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

    /// As a string; it is always ASCII.
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

/// The integer these bytes are in the one way Redis writes it: no spaces, no
/// plus, no leading zero, no `-0`; `None` for everything else, and for what 64
/// bits do not hold. This is `string2ll`.
pub(crate) fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    // Nineteen digits always fit u64.
    let mut magnitude = 0u64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit - b'0');
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// The integer in decimal.
pub(crate) fn format_i64(n: i64) -> Text {
    let mut text = Text::EMPTY;
    text.push(itoa::Buffer::new().format(n).as_bytes());
    text
}

/// What `strtod` and `strtold` read when they read the whole of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Literal<'a> {
    /// `inf` or `infinity`.
    Infinity,
    /// `nan`, or `nan(…)`.
    Nan,
    /// Digits with perhaps a point, perhaps an exponent.
    Decimal(&'a str),
    /// The same in hexadecimal, without its `0x`; the exponent, after a `p`, is
    /// decimal and of two.
    Hexadecimal(&'a str),
}

impl<'a> Literal<'a> {
    /// The literal that the whole text is, and whether a minus stands before
    /// it. Spaces are not skipped.
    pub(crate) fn read(text: &'a [u8]) -> Option<(bool, Literal<'a>)> {
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let literal = if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity")
        {
            Literal::Infinity
        } else if rest.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"nan")) {
            let payload = &rest[3..];
            let parenthesised = payload.len() >= 2
                && payload[0] == b'('
                && payload[payload.len() - 1] == b')'
                && payload[1..payload.len() - 1]
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || *b == b'_');
            if !payload.is_empty() && !parenthesised {
                return None;
            }
            Literal::Nan
        } else if let [b'0', b'x' | b'X', rest @ ..] = rest {
            Literal::Hexadecimal(numeral(rest, u8::is_ascii_hexdigit, b'p')?)
        } else {
            Literal::Decimal(numeral(rest, u8::is_ascii_digit, b'e')?)
        };
        Some((negative, literal))
    }

    /// Whether a digit before the exponent is not zero: only then is a result
    /// of zero an underflow.
    pub(crate) fn is_nonzero(&self) -> bool {
        let (text, exponent) = match self {
            Literal::Infinity | Literal::Nan => return true,
            Literal::Decimal(text) => (text, b'e'),
            Literal::Hexadecimal(text) => (text, b'p'),
        };
        text.bytes()
            .take_while(|b| b.to_ascii_lowercase() != exponent)
            .any(|b| b != b'0' && b != b'.')
    }
}

/// The text itself if it is digits with at most one point, at least one digit,
/// and perhaps an exponent with at least one.
fn numeral(text: &[u8], is_digit: fn(&u8) -> bool, exponent: u8) -> Option<&str> {
    let digits = |from: usize| text[from..].iter().take_while(|b| is_digit(b)).count();
    let whole = digits(0);
    let mut at = whole;
    let mut count = whole;
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        at += 1 + fraction;
        count += fraction;
    }
    if count == 0 {
        return None;
    }
    if let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let digits = match rest {
            [letter, b'+' | b'-', digits @ ..] | [letter, digits @ ..]
                if letter.to_ascii_lowercase() == exponent =>
            {
                digits
            }
            _ => return None,
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
    }
    std::str::from_utf8(text).ok()
}

/// `strtod` over the whole text: out of range becomes an infinity or a zero,
/// not a number becomes NaN.
fn strtod(text: &[u8]) -> Option<(f64, Literal<'_>)> {
    let (negative, literal) = Literal::read(text)?;
    let magnitude = match literal {
        Literal::Infinity => f64::INFINITY,
        Literal::Nan => f64::NAN,
        Literal::Decimal(text) => text.parse().ok()?,
        Literal::Hexadecimal(text) => hexadecimal(text),
    };
    Some((if negative { -magnitude } else { magnitude }, literal))
}

/// The double nearest to the numeral, ties to even.
fn hexadecimal(text: &str) -> f64 {
    let (digits, exponent) = text.split_once(['p', 'P']).unwrap_or((text, "0"));
    let unsigned = exponent.trim_start_matches(['+', '-']);
    // Digits alone, so only too many of them can fail; a text long enough to
    // outweigh an exponent of this size does not exist.
    let size: i64 = unsigned.parse().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    let mut exponent = if exponent.starts_with('-') { -size } else { size };

    // The leading 60 bits or so; whether anything follows is kept in the last.
    let mut mantissa = 0u64;
    let mut after_point = false;
    for byte in digits.bytes() {
        let Some(digit) = char::from(byte).to_digit(16) else {
            after_point = true;
            continue;
        };
        if mantissa >> 56 == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
            exponent -= if after_point { 4 } else { 0 };
        } else {
            mantissa |= u64::from(digit != 0);
            exponent += if after_point { 0 } else { 4 };
        }
    }
    if mantissa == 0 {
        return 0.0;
    }
    let highest = i64::from(mantissa.ilog2()) + exponent;
    if highest > 1023 {
        return f64::INFINITY;
    }
    // The weight of a double's last bit at this size.
    let last = (highest - 52).max(-1074);
    let shift = last - exponent;
    let rounded = if shift <= 0 {
        mantissa << -shift
    } else if shift > 63 {
        // Less than half of the least double, as the mantissa has 60 bits.
        0
    } else {
        let kept = mantissa >> shift;
        let rest = mantissa & ((1 << shift) - 1);
        let half = 1 << (shift - 1);
        kept + u64::from(rest > half || (rest == half && kept & 1 == 1))
    };
    // Adding lets a mantissa that was rounded up to the next power of two carry
    // into the exponent, and at the top into infinity.
    f64::from_bits((((last + 1074) as u64) << 52) + rounded)
}

/// The double these bytes are for a command's argument, `string2d`: as `strtod`
/// reads them from the first byte to the last, except NaN, and except what is
/// too large or, not being zero, too small for a double.
pub(crate) fn parse_double(text: &[u8]) -> Option<f64> {
    let (x, literal) = strtod(text)?;
    let out_of_range =
        (x.is_infinite() && literal != Literal::Infinity) || (x == 0.0 && literal.is_nonzero());
    (!out_of_range && !x.is_nan()).then_some(x)
}

/// A bound of `ZRANGEBYSCORE` and its kin, and whether it is exclusive.
///
/// Laxer than [`parse_double`], because `zslParseRange` asks `strtod` alone:
/// leading white space is skipped, no text at all is 0, what follows a NUL is
/// not seen, and what is out of range becomes an infinity or zero. NaN is no
/// bound.
pub(crate) fn parse_score_bound(text: &[u8]) -> Option<(f64, bool)> {
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    let (text, exclusive) = match text {
        [b'(', text @ ..] => (text, true),
        text => (text, false),
    };
    if text.is_empty() {
        return Some((0.0, exclusive));
    }
    let spaces = text.iter().take_while(|b| is_space(**b)).count();
    let (x, _) = strtod(&text[spaces..])?;
    (!x.is_nan()).then_some((x, exclusive))
}

/// C's `isspace`.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// A memory size, with a unit such as `mb` (of 1,024) or `m` (of 1,000), up to a NUL. As in
/// Redis no digits are 0, and what does not fit is as much as does before the unit, and
/// wraps with it.
pub(crate) fn parse_memory(text: &[u8]) -> Option<u64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(digits);
    let unit: u64 = match &*unit.to_ascii_lowercase() {
        b"" | b"b" => 1,
        b"k" => 1_000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    if digits.len() >= 128 {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    let number = digits.iter().try_fold(0, add).unwrap_or(u64::MAX);
    Some(number.wrapping_mul(unit))
}

/// A score or another double as text: `%.17g`, and `inf` or `-inf`. NaN is
/// `-nan` whatever its sign, which is how x86 writes the result of an undefined
/// operation.
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

/// `%.17g` of a finite number that is not zero.
fn push_general(text: &mut Text, x: f64) {
    let mut scientific = [0; Text::CAPACITY];
    let mut free = &mut scientific[..];
    write!(free, "{:.16e}", x.abs()).expect("17 digits and an exponent fit");
    let unused = free.len();
    let scientific = &scientific[..Text::CAPACITY - unused];
    // `d.dddddddddddddddde-xxx`
    let mut digits = [0; 17];
    digits[0] = scientific[0];
    digits[1..].copy_from_slice(&scientific[2..18]);
    let exponent: i32 = std::str::from_utf8(&scientific[19..])
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("an exponent follows");

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_integer_has_one_spelling() {
        for n in [0, 1, -1, 9, 10, i64::MAX, i64::MIN, 1_000_000] {
            assert_eq!(&*format_i64(n), n.to_string().as_bytes());
            assert_eq!(parse_i64(&format_i64(n)), Some(n));
        }
        for text in [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "01",
            "-0",
            "-01",
            "00",
            "1\0",
            "1a",
            "9223372036854775808",
            "-9223372036854775809",
            "123456789012345678901",
            "18446744073709551617",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
    }

    /// What a 7.0.15 server answered to `ZADD z <text> m`, then `ZINCRBY z 0 m`.
    #[test]
    fn a_double_is_read_and_written_as_the_server_does() {
        for (text, score) in [
            ("0x1p3", "8"),
            ("0x.8", "0.5"),
            ("0x1", "1"),
            ("+5", "5"),
            ("infinity", "inf"),
            ("INF", "inf"),
            ("iNfinity", "inf"),
            ("-inf", "-inf"),
            ("+inf", "inf"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-0", "-0"),
            ("0", "0"),
            ("1e16", "10000000000000000"),
            ("1e17", "1e+17"),
            ("0.1", "0.10000000000000001"),
            ("3.0", "3"),
            ("5e-324", "4.9406564584124654e-324"),
            ("3e-324", "4.9406564584124654e-324"),
            ("0x1p-1074", "4.9406564584124654e-324"),
            ("0x1.8p-1075", "4.9406564584124654e-324"),
            ("0x1.fffffffffffff7p1023", "1.7976931348623157e+308"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("0e-999", "0"),
            ("0e999", "0"),
            ("1e+5", "100000"),
            ("1E5", "100000"),
            ("1e-5", "1.0000000000000001e-05"),
            ("0.0001", "0.0001"),
            ("123456789.123", "123456789.123"),
            ("1e22", "1e+22"),
            ("9007199254740993", "9007199254740992"),
            ("-1.5e-7", "-1.4999999999999999e-07"),
            ("0x1P+4", "16"),
            ("0x1.00000000000008p0", "1"),
            ("0x1.000000000000080000000000000001p0", "1.0000000000000002"),
            ("2.2250738585072011e-308", "2.2250738585072009e-308"),
            ("1e15", "1000000000000000"),
            ("123456789012345678", "1.2345678901234568e+17"),
            ("99999999999999990", "99999999999999984"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("1e-310", "9.9999999999999694e-311"),
        ] {
            let x = parse_double(text.as_bytes()).unwrap_or_else(|| panic!("{text:?}"));
            assert_eq!(format_double(x).as_str(), score, "{text:?}");
        }
        for text in [
            "1e400",
            "1e-400",
            "0x",
            "0x1p",
            "0x.p1",
            " 5",
            "5 ",
            "",
            "infinit",
            "nan",
            "nan(1)",
            "1e",
            ".",
            "-",
            "+",
            "2e-324",
            "0x1p-1075",
            "0x1p1024",
            "0x1.fffffffffffff8p1023",
            "1.7976931348623159e308",
            "1\0",
            "1_0",
            "1d5",
            "1e99999999999999999999",
            "--1",
            "0x-1",
        ] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text:?}");
        }
    }

    /// The same server's judgement on bounds of `ZRANGEBYSCORE`.
    #[test]
    fn a_bound_is_whatever_strtod_reads() {
        for (text, bound) in [
            ("", (0.0, false)),
            (" 1", (1.0, false)),
            ("( 1", (1.0, true)),
            ("(", (0.0, true)),
            ("\t\n\u{b}\u{c}\r1", (1.0, false)),
            ("1\0xx", (1.0, false)),
            ("\0", (0.0, false)),
            ("(1", (1.0, true)),
            ("(0x1", (1.0, true)),
            ("1e400", (f64::INFINITY, false)),
            ("-1e400", (f64::NEG_INFINITY, false)),
            ("1e-400", (0.0, false)),
            ("(-inf", (f64::NEG_INFINITY, true)),
        ] {
            assert_eq!(parse_score_bound(text.as_bytes()), Some(bound), "{text:?}");
        }
        for text in [" ", "1 ", "((1", "nan", "-", "+", "(nan", "1x"] {
            assert_eq!(parse_score_bound(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn seventeen_digits_read_back(bits: u64) {
            let x = f64::from_bits(bits);
            prop_assume!(x.is_finite());
            let text = format_double(x);
            prop_assert_eq!(parse_double(&text), Some(x));
        }

        #[test]
        fn hexadecimal_is_exact(mantissa in 0u64..1 << 53, exponent in -1074i32..=971) {
            // Dividing by powers of two would round twice below the normals.
            let power = |n: i32| 2f64.powi(n / 2) * 2f64.powi(n - n / 2);
            let x = mantissa as f64 * power(exponent);
            prop_assume!(exponent > -1022);
            let text = format!("0x{mantissa:x}p{exponent}");
            prop_assert_eq!(hexadecimal(&text[2..]), x);
        }

        #[test]
        fn any_bytes_are_a_number_or_not(bytes: Vec<u8>) {
            let _ = (parse_i64(&bytes), parse_double(&bytes), parse_score_bound(&bytes));
        }
    }
}
