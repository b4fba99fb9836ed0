//! Numbers as the real server reads and writes them.

use super::{format_double, format_i64, hexadecimal, parse_double, parse_i64, parse_score_bound};
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

/// The replies of a 7.0.15 server to `ZADD z <text> m`, then `ZINCRBY z 0 m`.
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

/// The same server's reading of bounds of `ZRANGEBYSCORE`.
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
        // Division by powers of two would round twice for subnormal numbers.
        let power = |n: i32| 2f64.powi(n / 2) * 2f64.powi(n - n / 2);
        let x = mantissa as f64 * power(exponent);
        prop_assume!(exponent > -1022);
        let text = format!("0x{mantissa:x}p{exponent}");
        prop_assert_eq!(hexadecimal(&text[2..]), x);
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes: Vec<u8>) {
        let _ = (parse_i64(&bytes), parse_double(&bytes), parse_score_bound(&bytes));
    }
}
