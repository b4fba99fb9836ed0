//! Values as `rabbitmqctl` prints them: arguments as Erlang terms, the definitions of policies as
//! JSON.

use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use std::fmt::{self, Write as _};

/// Arguments: `[{"key","text"},{"key",1}]`.
pub(super) struct Arguments<'a>(pub(super) &'a FieldTable);

impl fmt::Display for Arguments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (i, (name, value)) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            write!(f, "{{\"{name}\",{}}}", Argument(value))?;
        }
        f.write_char(']')
    }
}

struct Argument<'a>(&'a FieldValue);

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FieldValue::String(_) | FieldValue::Bytes(_) => write!(f, "\"{}\"", self.0),
            FieldValue::Table(table) => Arguments(table).fmt(f),
            FieldValue::Array(values) => {
                f.write_char('[')?;
                for (i, value) in values.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    Argument(value).fmt(f)?;
                }
                f.write_char(']')
            }
            value => value.fmt(f),
        }
    }
}

/// A definition: `{"max-length":10}`.
pub(super) struct Json<'a>(pub(super) &'a FieldTable);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (i, (name, value)) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            write!(f, "{}:{}", Quoted(name), JsonValue(value))?;
        }
        f.write_char('}')
    }
}

struct JsonValue<'a>(&'a FieldValue);

impl fmt::Display for JsonValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FieldValue::String(_) | FieldValue::Bytes(_) => Quoted(&self.0.to_string()).fmt(f),
            FieldValue::Table(table) => Json(table).fmt(f),
            FieldValue::Void | FieldValue::Nested { .. } => f.write_str("null"),
            FieldValue::Array(values) => {
                f.write_char('[')?;
                for (i, value) in values.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    JsonValue(value).fmt(f)?;
                }
                f.write_char(']')
            }
            value => value.fmt(f),
        }
    }
}

/// A string of JSON.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Tags: `[monitoring, policymaker]`.
pub(super) fn tags(tags: &[smol_str::SmolStr]) -> String {
    format!("[{}]", tags.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_print_as_rabbitmqctl_prints_them() {
        let inner = FieldTable::new().with("k", "v");
        let array = FieldValue::Array(vec!["a".into(), 1.into()]);
        let table =
            FieldTable::new().with("b", true).with("n", 1).with("x", array).with("t", inner);
        assert_eq!(
            Arguments(&table).to_string(),
            r#"[{"b",true},{"n",1},{"x",["a",1]},{"t",[{"k","v"}]}]"#
        );
        assert_eq!(Json(&table).to_string(), r#"{"b":true,"n":1,"x":["a",1],"t":{"k":"v"}}"#);
        assert_eq!(Arguments(&FieldTable::new()).to_string(), "[]");
        let odd = FieldTable::new().with("a\"b", "c\\\n\u{1}");
        assert_eq!(Json(&odd).to_string(), r#"{"a\"b":"c\\\n\u0001"}"#);
    }
}
