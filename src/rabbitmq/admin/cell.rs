//! A cell of a listing, as text and as JSON.
//!
//! Both are those of `rabbitmqctl` 3.10.8, including its oddities: its JSON writes the four digits
//! of a control character in the wrong order (`\u1000` for U+0001), an array of a field table as an
//! object with types for names, which may repeat, and a missing value as an empty string.

use super::text::{Arguments, tags};
use crate::rabbitmq::protocol::id::{ChannelId, ConnectionId};
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use smol_str::SmolStr;
use std::fmt::{self, Write as _};

/// A column of a listing: its name, and the cell of a row.
pub(super) type Column<R> = (&'static str, fn(&R) -> Cell);

/// The value in one column of one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Number(i128),
    Truth(bool),
    /// No value.
    Missing,
    Arguments(FieldTable),
    Tags(Vec<SmolStr>),
    /// An IP address.
    Address([u8; 4]),
    /// A tuple of numbers.
    Tuple(&'static [u8]),
}

impl Cell {
    /// A cell for a value that may be missing.
    pub(super) fn of(cell: Option<impl Into<Cell>>) -> Cell {
        cell.map_or(Cell::Missing, Into::into)
    }
}

/// The cell as text, for a table.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Text(text) => f.write_str(text),
            Cell::Number(number) => number.fmt(f),
            Cell::Truth(truth) => truth.fmt(f),
            Cell::Missing => Ok(()),
            Cell::Arguments(table) => Arguments(table).fmt(f),
            Cell::Tags(names) => f.write_str(&tags(names)),
            Cell::Address([a, b, c, d]) => write!(f, "{a}.{b}.{c}.{d}"),
            Cell::Tuple(numbers) => write!(f, "{{{}}}", joined(numbers)),
        }
    }
}

fn joined(numbers: &[u8]) -> String {
    numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
}

/// The cell as JSON.
pub(super) struct Json<'a>(pub(super) &'a Cell);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cell::Text(text) => Quoted(text).fmt(f),
            Cell::Number(number) => number.fmt(f),
            Cell::Truth(truth) => truth.fmt(f),
            Cell::Missing => f.write_str("\"\""),
            Cell::Arguments(table) => JsonTable(table).fmt(f),
            Cell::Tags(names) => list(f, names.iter().map(|name| Quoted(name))),
            Cell::Address(parts) => write!(f, "[{}]", joined(parts)),
            Cell::Tuple(numbers) => write!(f, "[{}]", joined(numbers)),
        }
    }
}

fn list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = T>,
) -> fmt::Result {
    f.write_char('[')?;
    for (i, item) in items.enumerate() {
        f.write_str(if i == 0 { "" } else { "," })?;
        item.fmt(f)?;
    }
    f.write_char(']')
}

/// `[["name","type",value]]`.
struct JsonTable<'a>(&'a FieldTable);

impl fmt::Display for JsonTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(
            f,
            self.0.iter().map(|(name, value)| {
                format!("[{},\"{}\",{}]", Quoted(name), value.type_name(), JsonValue(value))
            }),
        )
    }
}

struct JsonValue<'a>(&'a FieldValue);

impl fmt::Display for JsonValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FieldValue::String(_) | FieldValue::Bytes(_) => Quoted(&self.0.to_string()).fmt(f),
            FieldValue::Void => f.write_str("\"undefined\""),
            FieldValue::Decimal { scale, value } => write!(f, "[{scale},{value}]"),
            FieldValue::Table(table) => JsonTable(table).fmt(f),
            FieldValue::Array(values) if values.is_empty() => f.write_str("[]"),
            FieldValue::Array(values) => {
                f.write_char('{')?;
                for (i, value) in values.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    write!(f, "\"{}\":{}", value.type_name(), JsonValue(value))?;
                }
                f.write_char('}')
            }
            FieldValue::Nested { .. } => f.write_str("[]"),
            value => value.fmt(f),
        }
    }
}

/// A string of `rabbitmqctl`'s JSON.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\u{8}' => f.write_str("\\b")?,
                '\t' => f.write_str("\\t")?,
                '\n' => f.write_str("\\n")?,
                '\u{c}' => f.write_str("\\f")?,
                '\r' => f.write_str("\\r")?,
                c if c < ' ' => {
                    let digits = format!("{:04X}", u32::from(c));
                    write!(f, "\\u{}", digits.chars().rev().collect::<String>())?;
                }
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl From<$type> for Cell {
            fn from(number: $type) -> Cell {
                Cell::Number(number.into())
            }
        }
    )*};
}

numbers! { u8 u16 u32 u64 i32 i64 }

impl From<usize> for Cell {
    fn from(number: usize) -> Cell {
        Cell::Number(number as i128)
    }
}

impl From<bool> for Cell {
    fn from(truth: bool) -> Cell {
        Cell::Truth(truth)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<&SmolStr> for Cell {
    fn from(text: &SmolStr) -> Cell {
        Cell::Text(text.to_string())
    }
}

impl From<&FieldTable> for Cell {
    fn from(table: &FieldTable) -> Cell {
        Cell::Arguments(table.clone())
    }
}

/// The id, where the real command prints a process identifier.
impl From<ConnectionId> for Cell {
    fn from(id: ConnectionId) -> Cell {
        Cell::Text(id.to_string())
    }
}

/// The id, where the real command prints a process identifier.
impl From<ChannelId> for Cell {
    fn from(id: ChannelId) -> Cell {
        Cell::Text(id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn json(cell: impl Into<Cell>) -> String {
        Json(&cell.into()).to_string()
    }

    #[test]
    fn cells_are_written_as_rabbitmqctl_writes_them() {
        let inner = FieldTable::new().with("k", "v").with("n", 2);
        let array = FieldValue::Array(vec!["a".into(), 1.into(), FieldValue::Void, "b".into()]);
        let table = FieldTable::new()
            .with("l", 5)
            .with("q\"", "a\"b\\c\n\t/\u{e9}")
            .with("b", true)
            .with("d", 1.5)
            .with("arr", array)
            .with("none", FieldValue::Array(Vec::new()))
            .with("tab", inner)
            .with("T", FieldValue::Timestamp(7))
            .with("dec", FieldValue::Decimal { scale: 2, value: 5 })
            .with("x", FieldValue::Bytes(Bytes::from_static(b"\x01\x12\x1f")))
            .with("f", 0.1_f32)
            .with("big", 1e100);
        let expected = concat!(
            r#"[["l","signedint",5],["q\"","longstr","a\"b\\c\n\t/é"],["b","bool",true],"#,
            r#"["d","double",1.5],"#,
            r#"["arr","array",{"longstr":"a","signedint":1,"void":"undefined","longstr":"b"}],"#,
            r#"["none","array",[]],"#,
            r#"["tab","table",[["k","longstr","v"],["n","signedint",2]]],["T","timestamp",7],"#,
            r#"["dec","decimal",[2,5]],["x","binary","\u1000\u2100\uF100"],"#,
            r#"["f","float",0.10000000149011612],["big","double",1.0e100]]"#,
        );
        assert_eq!(json(&table), expected);
        assert_eq!(json(&FieldTable::new()), "[]");
    }

    #[test]
    fn only_utf8_strings_are_text() {
        assert_eq!((json(true), json(7_u64), json("")), ("true".into(), "7".into(), "\"\"".into()));
        assert_eq!(Json(&Cell::of(None::<u64>)).to_string(), "\"\"");
        assert_eq!(Json(&Cell::Address([127, 0, 0, 1])).to_string(), "[127,0,0,1]");
        assert_eq!(Cell::Address([127, 0, 0, 1]).to_string(), "127.0.0.1");
        assert_eq!(Cell::Tuple(&[0, 9, 1]).to_string(), "{0,9,1}");
        assert_eq!(Json(&Cell::Tags(vec!["a".into(), "b".into()])).to_string(), r#"["a","b"]"#);
    }
}
