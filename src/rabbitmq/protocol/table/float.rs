//! Floats as text.
//!
//! Source: Erlang/OTP 25, `float_to_list(F, [short])`.

/// A float as Erlang prints it: the shortest digits that identify it, with an exponent where that
/// is not longer, or where not every integer is a float.
pub(super) fn float(v: f64) -> String {
    // Erlang has no such floats. Only a caller of this library can put one into a table.
    if !v.is_finite() {
        return v.to_string();
    }
    let text = format!("{:e}", v.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let length = digits.len() as i64;
    let place = exponent.parse::<i64>().unwrap_or(0) + 1;
    let sign = if v.is_sign_negative() { "-" } else { "" };
    let zeros = |n: i64| "0".repeat(usize::try_from(n).unwrap_or(0));
    let cost = exponent.len() as i64 + 1 + if length == 1 { 2 } else { 1 };
    let is_exact = v.abs() < 9_007_199_254_740_992.0;
    let plain = match place {
        _ if v == 0.0 => Some("0.0".to_owned()),
        ..=0 => (2 - place <= cost || place == 0).then(|| format!("0.{}{digits}", zeros(-place))),
        _ if !is_exact => None,
        _ if place < length => {
            let (whole, part) = digits.split_at(usize::try_from(place).unwrap_or(0));
            Some(format!("{whole}.{part}"))
        }
        _ => (place - length + 2 <= cost).then(|| format!("{digits}{}.0", zeros(place - length))),
    };
    plain.map_or_else(
        || {
            let (first, rest) = digits.split_at(1);
            let rest = if rest.is_empty() { "0" } else { rest };
            format!("{sign}{first}.{rest}e{exponent}")
        },
        |plain| format!("{sign}{plain}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_erlang_writes_them() {
        for (value, text) in [
            (1e100, "1.0e100"),
            (2.0, "2.0"),
            (1e-7, "1.0e-7"),
            (123_456_789_012_345_680.0, "1.2345678901234568e17"),
            (0.1_f32.into(), "0.10000000149011612"),
            (-1.5, "-1.5"),
            (0.0, "0.0"),
            (0.5, "0.5"),
            (1_000.0, "1.0e3"),
            (0.000_1, "0.0001"),
            (0.000_123_45, "1.2345e-4"),
            (-0.0, "-0.0"),
            (9_007_199_254_740_991.0, "9007199254740991.0"),
            (9_007_199_254_740_992.0, "9.007199254740992e15"),
            (12_345_000.0, "1.2345e7"),
            (100.0, "100.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float(value), text);
        }
    }
}
