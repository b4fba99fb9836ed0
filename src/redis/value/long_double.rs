//! The numbers of `INCRBYFLOAT` and `HINCRBYFLOAT`: C's `long double` on x86, with 80 bits, of
//! which 64 are the mantissa.
//!
//! Redis adds in this format and prints 17 decimals, so digits beyond the precision of a double are
//! visible: 5010.6 becomes `5010.60000000000000009`. Reading and adding round correctly, ties to
//! even. Printing rounds the exact value in the same way, as glibc does.
//!
//! A *human* text (`LD_STR_HUMAN`) is `%.17Lf` without trailing zeros, and without a trailing
//! point. It never has an exponent.

use super::number::Literal;
use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round, Status};
use std::ops::Add;

/// An 80-bit floating-point number; see the [module](self).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongDouble(X87DoubleExtended);

impl LongDouble {
    /// A text must be shorter than this (`MAX_LONG_DOUBLE_CHARS`).
    const MAX_CHARS: usize = 5 * 1024;

    /// 10^17, for 17 decimals.
    const SCALE: u128 = 10u128.pow(17);

    /// Reads a command's argument or an old value as `string2ld` does: as `strtold` reads the whole
    /// text. Returns `None` for NaN, for a text of 5120 bytes or more, and for a number that is too
    /// large or, not being zero, too small. Infinities are numbers here.
    pub(crate) fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= LongDouble::MAX_CHARS {
            return None;
        }
        let (negative, literal) = Literal::read(text)?;
        if !literal.is_nonzero() {
            let zero = X87DoubleExtended::ZERO;
            return Some(LongDouble(if negative { -zero } else { zero }));
        }
        let parsed = match literal {
            Literal::Infinity => {
                let infinity = X87DoubleExtended::INFINITY;
                return Some(LongDouble(if negative { -infinity } else { infinity }));
            }
            Literal::Nan => return None,
            Literal::Decimal(text) => text.parse::<X87DoubleExtended>(),
            // The parser requires an exponent; C does not.
            Literal::Hexadecimal(text) if text.contains(['p', 'P']) => format!("0x{text}").parse(),
            Literal::Hexadecimal(text) => format!("0x{text}p0").parse(),
        };
        let magnitude = parsed.ok()?;
        if !magnitude.is_finite() || magnitude.is_zero() {
            return None;
        }
        Some(LongDouble(if negative { -magnitude } else { magnitude }))
    }

    /// Returns whether it is NaN or an infinity, which no command stores.
    pub(crate) fn is_nan_or_infinite(self) -> bool {
        !self.0.is_finite()
    }

    /// Converts seconds to milliseconds, rounded up like `ceill`. A result that does not fit is
    /// `i64::MIN`, as for a cast on x86. The product is rounded before, so 0.501 becomes 502.
    pub(crate) fn ceil_millis(self) -> i64 {
        let thousand = X87DoubleExtended::from_u128(1_000).value;
        let millis = (self.0 * thousand).value.to_i128_r(64, Round::TowardPositive, &mut false);
        if millis.status.contains(Status::INVALID_OP) {
            return i64::MIN;
        }
        i64::try_from(millis.value).unwrap_or(i64::MIN)
    }

    /// Returns whether the number is positive or a positive zero.
    pub(crate) fn is_positive(self) -> bool {
        !self.0.is_negative()
    }

    /// Returns the human text. Zero is `0` even if negative, and so is a number without a non-zero
    /// digit among the 17 decimals.
    pub(crate) fn format_human(self) -> String {
        if self.0.is_nan() {
            return "nan".to_owned();
        }
        let negative = self.0.is_negative();
        if self.0.is_infinite() {
            return if negative { "-inf" } else { "inf" }.to_owned();
        }
        // Sign, 15 bits of exponent, 64 bits of mantissa with the leading one.
        let bits = self.0.to_bits();
        let mantissa = u128::from(bits as u64);
        // Subnormals have the exponent of the least normal number.
        let biased = (((bits >> 64) & 0x7fff) as i32).max(1);
        let exponent = biased - 16383 - 63;

        let mut text = if exponent >= 0 {
            shifted_left(mantissa as u64, exponent.unsigned_abs())
        } else {
            // The product is below 2^121, so nothing is lost.
            let scaled = shifted_right(mantissa * LongDouble::SCALE, exponent.unsigned_abs());
            let (whole, fraction) = (scaled / LongDouble::SCALE, scaled % LongDouble::SCALE);
            if fraction == 0 { whole.to_string() } else { format!("{whole}.{fraction:017}") }
        };
        if text.contains('.') {
            text.truncate(text.trim_end_matches('0').len());
        }
        if negative && text != "0" {
            text.insert(0, '-');
        }
        text
    }
}

impl Add for LongDouble {
    type Output = LongDouble;

    /// Returns the sum, rounded to 64 bits of mantissa, ties to even.
    fn add(self, other: LongDouble) -> LongDouble {
        LongDouble((self.0 + other.0).value)
    }
}

/// Returns `n / 2^shift`, ties to even.
fn shifted_right(n: u128, shift: u32) -> u128 {
    if shift >= u128::BITS {
        // Less than a half, as the highest bits of `n` are clear.
        return 0;
    }
    let kept = n >> shift;
    let rest = n & ((1 << shift) - 1);
    let half = 1 << (shift - 1);
    kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
}

/// Returns the decimal digits of `n * 2^shift`, up to 4933 of them.
fn shifted_left(n: u64, shift: u32) -> String {
    if shift <= 64 {
        return (u128::from(n) << shift).to_string();
    }
    // Limbs of nine decimal digits, the lowest first.
    const LIMB: u64 = 1_000_000_000;
    let mut limbs = Vec::with_capacity(552);
    let mut rest = n;
    while rest != 0 {
        limbs.push(rest % LIMB);
        rest /= LIMB;
    }
    let mut left = shift;
    while left > 0 {
        let step = left.min(32);
        let mut carry = 0;
        for limb in &mut limbs {
            let shifted = (*limb << step) + carry;
            *limb = shifted % LIMB;
            carry = shifted / LIMB;
        }
        while carry != 0 {
            limbs.push(carry % LIMB);
            carry /= LIMB;
        }
        left -= step;
    }
    let mut digits = limbs.pop().unwrap_or_default().to_string();
    for limb in limbs.iter().rev() {
        digits.push_str(&format!("{limb:09}"));
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> Option<String> {
        let (a, b) = (LongDouble::parse(a.as_bytes())?, LongDouble::parse(b.as_bytes())?);
        let sum = a + b;
        Some(if sum.is_nan_or_infinite() { "!".to_owned() } else { sum.format_human() })
    }

    /// The replies of a 7.0.15 server to `INCRBYFLOAT` with a value and an increment; `!` where it
    /// answered that the result would be NaN or infinite.
    #[test]
    fn sums_are_the_servers_to_the_last_digit() {
        for (value, increment, expected) in [
            ("10.50", "0.1", Some("10.6")),
            ("5.0e3", "10.6", Some("5010.60000000000000009")),
            ("5010.6", "0", Some("5010.60000000000000009")),
            ("0.1", "0.2", Some("0.3")),
            ("3", "1.000", Some("4")),
            ("0", "-0", Some("0")),
            ("-0", "0", Some("0")),
            ("1e-18", "0", Some("0")),
            ("-1e-18", "0", Some("0")),
            ("5e-18", "0", Some("0")),
            ("6e-18", "0", Some("0.00000000000000001")),
            ("0x1p-18", "0", Some("0.00000381469726562")),
            ("0x3p-18", "0", Some("0.00001144409179688")),
            ("0x1.8p-17", "1", Some("1.00001144409179688")),
            ("1", "-1", Some("0")),
            ("1", "1e-19", Some("1")),
            ("1", "1e-20", Some("1")),
            ("18446744073709551615", "0.5", Some("18446744073709551616")),
            ("18446744073709551615", "1", Some("18446744073709551616")),
            ("18446744073709551616", "1", Some("18446744073709551616")),
            ("9223372036854775807", "0.5", Some("9223372036854775807.5")),
            ("1e20", "0.1", Some("100000000000000000000")),
            ("1e25", "0", Some("10000000000000000000000000")),
            ("123456789012345678901234567890", "0", Some("123456789012345678899921813504")),
            ("1e40", "-1e22", Some("9999999999999999989748657316172260179968")),
            ("0x8p61", "0x1p-2", Some("18446744073709551616")),
            ("0xf.8", "0X1P3", Some("23.5")),
            ("0x.8", ".5", Some("1")),
            ("5.", "+5", Some("10")),
            ("1E3", "1e-3", Some("1000.001")),
            ("0.30000000000000004", "0", Some("0.30000000000000004")),
            ("2.675", "0", Some("2.675")),
            ("-17.0000000000000001", "0.000000000000000049", Some("-17.00000000000000005")),
            ("3.6e-4951", "0", Some("0")),
            ("0e99999999999999999999", "1", Some("1")),
            ("inf", "0", Some("!")),
            ("1", "-INFINITY", Some("!")),
            ("nan", "0", None),
            ("1e5000", "0", None),
            ("1e-5000", "0", None),
            ("0x1p16384", "0", None),
            ("0x1p-16446", "0", None),
            ("1.18973149535723176502e4932", "1.18973149535723176502e4932", Some("!")),
            ("", "1", None),
            (" 1", "1", None),
            ("1 ", "1", None),
            ("1e", "1", None),
            ("0x", "1", None),
            (".", "1", None),
            ("1.5x", "1", None),
        ] {
            assert_eq!(sum(value, increment).as_deref(), expected, "{value:?} + {increment:?}");
        }
    }

    #[test]
    fn the_largest_are_written_out_and_the_longest_texts_refused() {
        let text = sum("1e4932", "0").expect("it is in range");
        assert_eq!(text.len(), 4933);
        assert!(text.starts_with("100000000000000000000601894938"));
        assert!(LongDouble::parse(&[b'0'; 5119]).is_some());
        assert!(LongDouble::parse(&[b'0'; 5120]).is_none());
    }

    #[test]
    fn an_infinity_is_a_number_that_no_command_stores() {
        let infinity = LongDouble::parse(b"-inf").expect("it is a number");
        assert!(infinity.is_nan_or_infinite());
        assert_eq!(infinity.format_human(), "-inf");
        let nan = infinity + LongDouble::parse(b"inf").expect("it is a number");
        assert_eq!((nan.is_nan_or_infinite(), nan.format_human().as_str()), (true, "nan"));
    }
}
