//! JSON, as far as it is written here.

use std::fmt::Write;

/// Returns a text as a JSON string, in quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a string grows as it must");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_forbids_in_a_string_is_escaped() {
        assert_eq!(quoted("a \"b\" \\ \n\r\t\u{1} é"), r#""a \"b\" \\ \n\r\t\u0001 é""#);
    }
}
