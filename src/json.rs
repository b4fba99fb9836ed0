//! A writer of JSON.
//!
//! Values are written one behind the other; commas and the order of keys are the caller's order.
//! Invariant: what was written is valid JSON, and is safe inside a `<script>` element of a page: no
//! text can end the element, because `<`, `>` and `&` are written as escapes.

use std::fmt::Write;

/// JSON that is being written.
#[derive(Debug, Default)]
pub(crate) struct Json {
    text: String,
    /// Whether the next value follows another one.
    follows: bool,
}

impl Json {
    /// Returns what was written.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn separate(&mut self) {
        if std::mem::replace(&mut self.follows, true) {
            self.text.push(',');
        }
    }

    fn between(&mut self, ends: (char, char), fill: impl FnOnce(&mut Json)) {
        self.separate();
        self.text.push(ends.0);
        self.follows = false;
        fill(self);
        self.text.push(ends.1);
        self.follows = true;
    }

    /// Writes an object. `fill` writes its members, each with [`Json::key`] and a value.
    pub(crate) fn object(&mut self, fill: impl FnOnce(&mut Json)) {
        self.between(('{', '}'), fill);
    }

    /// Writes an array.
    pub(crate) fn array(&mut self, fill: impl FnOnce(&mut Json)) {
        self.between(('[', ']'), fill);
    }

    /// Writes the key of the next value.
    pub(crate) fn key(&mut self, key: &str) -> &mut Json {
        self.text(key);
        self.text.push(':');
        self.follows = false;
        self
    }

    /// Writes a whole number.
    pub(crate) fn number(&mut self, number: impl Into<i128>) {
        self.separate();
        let _ = write!(self.text, "{}", number.into());
    }

    /// Writes thousandths as a decimal number, without rounding.
    pub(crate) fn thousandths(&mut self, number: u64) {
        self.separate();
        let _ = write!(self.text, "{}.{:03}", number / 1_000, number % 1_000);
    }

    /// Writes `true` or `false`.
    pub(crate) fn bool(&mut self, value: bool) {
        self.separate();
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// Writes `null`.
    pub(crate) fn null(&mut self) {
        self.separate();
        self.text.push_str("null");
    }

    /// Writes a string.
    pub(crate) fn text(&mut self, text: &str) {
        self.separate();
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                // The last two end a line in JavaScript.
                '<' | '>' | '&' | '\0'..='\x1f' | '\x7f' | '\u{2028}' | '\u{2029}' => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(character));
                }
                _ => self.text.push(character),
            }
        }
        self.text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_separated_however_they_nest() {
        let mut json = Json::default();
        json.object(|json| {
            json.key("a").array(|json| {
                json.number(1u32);
                json.array(|_| {});
                json.object(|_| {});
                json.number(-2i64);
            });
            json.key("b").bool(true);
            json.key("c").null();
            json.key("d").thousandths(1_234_005);
            json.key("e").text("f");
        });
        let expected = r#"{"a":[1,[],{},-2],"b":true,"c":null,"d":1234.005,"e":"f"}"#;
        assert_eq!(json.into_text(), expected);
    }

    #[test]
    fn no_text_breaks_out() {
        let mut json = Json::default();
        json.text("</script> & \"\\\n\t\r\0\u{7f}\u{2028}\u{2029} ä 🐇");
        let expected = "\"\\u003c/script\\u003e \\u0026 \\\"\\\\\\n\\u0009\\u000d\\u0000\\u007f\\u2028\\u2029 ä 🐇\"";
        assert_eq!(json.into_text(), expected);
    }
}
