//! The grammar of C's `strtod`.

/// The result of `strtod` or `strtold` reading a whole text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Literal<'a> {
    /// `inf` or `infinity`.
    Infinity,
    /// `nan`, or `nan(…)`.
    Nan,
    /// Digits, optionally with a point and an exponent.
    Decimal(&'a str),
    /// The same in hexadecimal, without its `0x`. The exponent after the `p` is a decimal power of
    /// two.
    Hexadecimal(&'a str),
}

impl<'a> Literal<'a> {
    /// Reads the whole text as a literal. Returns whether it has a minus, and the literal. Spaces
    /// are not skipped.
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

    /// Returns whether any digit before the exponent is not zero. Only then is a result of zero an
    /// underflow.
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

/// Returns the text if it is a numeral: digits with at most one point, at least one digit, and
/// optionally an exponent with at least one digit.
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
