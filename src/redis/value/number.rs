//! Numbers as text, by Redis's rules.
//!
//! Three readers are exactly as strict as functions of Redis's `util.c` and `t_zset.c`:
//! [`parse_i64`] (`string2ll`), [`parse_double`] (`string2d`) and [`parse_score_bound`]
//! (`zslParseRange`). The last two build on C's `strtod`, whose grammar is [`Literal`]: decimal or
//! hexadecimal, or `inf`, `infinity`, `nan` in any case, independent of the locale.
//!
//! Two writers fill a [`Text`], which needs no allocation: [`format_i64`], and [`format_double`],
//! C's `%.17g`. Every result depends on the bytes alone: reading rounds correctly, and writing is
//! exact, on every platform.

use crate::redis::version::Numbers;

mod literal;
mod shortest;
mod text;

pub(crate) use literal::Literal;
#[cfg(feature = "lua")]
pub(crate) use text::format_argument;
pub(crate) use text::{Text, format_double, format_few, format_i64, format_score};

/// Formats a finite coordinate: as a score, or as `%.17f` without trailing zeros and without a
/// trailing point.
pub(crate) fn format_coordinate(x: f64, numbers: Numbers) -> Vec<u8> {
    if numbers.coordinates_are_doubles {
        return format_score(x, numbers).to_vec();
    }
    let text = format!("{x:.17}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { b"0".to_vec() } else { text.as_bytes().to_vec() }
}

/// Reads an integer in the only form in which Redis writes it: no spaces, no plus, no leading zero,
/// no `-0`. Returns `None` for anything else, and for numbers beyond 64 bits. This is `string2ll`.
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
    // Nineteen digits always fit into a u64.
    let mut magnitude = 0u64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit - b'0');
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// C's `strtod` over the whole text. Numbers out of range become an infinity or zero; "nan" becomes
/// NaN.
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

/// Returns the double nearest to the numeral, ties to even.
fn hexadecimal(text: &str) -> f64 {
    let (digits, exponent) = text.split_once(['p', 'P']).unwrap_or((text, "0"));
    let unsigned = exponent.trim_start_matches(['+', '-']);
    // The text has only digits, so parsing fails only if there are too many. No text is long enough
    // to outweigh an exponent of this size.
    let size: i64 = unsigned.parse().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    let mut exponent = if exponent.starts_with('-') { -size } else { size };

    // The leading 60 bits or so. The last of them is set if any later digit is not zero.
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
    // The weight of the last bit of a double of this size.
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
    // By addition, a mantissa that was rounded up to the next power of two carries into the
    // exponent, and at the top into infinity.
    f64::from_bits((((last + 1074) as u64) << 52) + rounded)
}

/// Returns whether the text of a number is hexadecimal.
pub(crate) fn is_hexadecimal(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.eq_ignore_ascii_case(&b'x'))
}

/// Reads a command's argument as `string2d` does: as `strtod` reads the whole text. Returns `None`
/// for NaN, and for a number that is too large or, not being zero, too small for a double.
pub(crate) fn parse_double(text: &[u8]) -> Option<f64> {
    let (x, literal) = strtod(text)?;
    let out_of_range =
        (x.is_infinite() && literal != Literal::Infinity) || (x == 0.0 && literal.is_nonzero());
    (!out_of_range && !x.is_nan()).then_some(x)
}

/// Reads a bound of `ZRANGEBYSCORE` and similar commands. Returns it, and whether it is exclusive.
///
/// This is less strict than [`parse_double`], since `zslParseRange` uses `strtod` alone: leading
/// white space is skipped, an empty text is 0, everything after a NUL is ignored, and numbers out
/// of range become an infinity or zero. NaN is not a bound.
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

/// Reads a memory size up to a NUL, with a unit such as `mb` (1,024²) or `m` (1,000²). As in Redis,
/// no digits are 0. A number that does not fit is the greatest that does, and the product with the
/// unit wraps.
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

/// Reads a memory size as [`parse_memory`], but none whose digits do not fit.
pub(crate) fn parse_fitting_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    digits.copied().try_fold(0, |sum, digit| add(sum, &digit))?;
    parse_memory(text)
}

/// Reads a number as `string2ull` does: a canonical integer must not be negative, and anything else
/// is read by C's `strtoull`, which accepts spaces, a plus, zeros, and wraps what has a minus.
pub(crate) fn parse_u64(text: &[u8]) -> Option<u64> {
    if let Some(n) = parse_i64(text) {
        return u64::try_from(n).ok();
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_space(byte))?;
    let (negative, digits) = match &text[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0u64, |n, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        n.checked_mul(10)?.checked_add(digit.into())
    })?;
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

#[cfg(test)]
mod tests;
