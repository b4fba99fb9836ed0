//! Cells of a listing: a value as `rabbitmqctl` prints it, in a table or as JSON.
//!
//! The two formatters of the real command print the same term differently: in a table arguments
//! are Erlang terms, in JSON arrays of name, type and value; what is missing is empty text in
//! both.
//!
//! Source: `rabbitmqctl --formatter json` of 3.10.8, asked column by column.

use super::text::{Arguments, JsonValue, Quoted};
use crate::rabbitmq::table::{FieldTable, FieldValue};
use std::fmt::{self, Write as _};

/// The value in one column of one row.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// Text, also of what is missing: none.
    Text(String),
    Number(i64),
    Bool(bool),
    /// The arguments of a queue, an exchange, a binding or a consumer.
    Arguments(FieldTable),
    /// A list of names, such as the tags of a user.
    List(Vec<String>),
    /// Text in a table, and numbers apart in JSON: an address, a version.
    Numbers(&'static str, &'static [u8]),
}

impl Cell {
    pub(super) fn text(text: impl fmt::Display) -> Cell {
        Cell::Text(text.to_string())
    }

    pub(super) fn optional(text: Option<impl fmt::Display>) -> Cell {
        text.map_or_else(|| Cell::Text(String::new()), Cell::text)
    }

    pub(super) fn number(number: impl TryInto<i64>) -> Cell {
        Cell::Number(number.try_into().unwrap_or(i64::MAX))
    }

    /// As JSON.
    pub(super) fn json(&self) -> impl fmt::Display + '_ {
        Json(self)
    }
}

/// As in a table.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Text(text) => f.write_str(text),
            Cell::Number(number) => number.fmt(f),
            Cell::Bool(yes) => yes.fmt(f),
            Cell::Arguments(arguments) => Arguments(arguments).fmt(f),
            Cell::List(names) => write!(f, "[{}]", names.join(", ")),
            Cell::Numbers(text, _) => f.write_str(text),
        }
    }
}

struct Json<'a>(&'a Cell);

/// Elements between brackets, with commas.
fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    f.write_char('[')?;
    for (i, item) in items.into_iter().enumerate() {
        f.write_str(if i == 0 { "" } else { "," })?;
        write(f, item)?;
    }
    f.write_char(']')
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cell::Text(text) => Quoted(text).fmt(f),
            Cell::Number(number) => number.fmt(f),
            Cell::Bool(yes) => yes.fmt(f),
            Cell::Arguments(arguments) => Typed(arguments).fmt(f),
            Cell::List(names) => list(f, names, |f, name| Quoted(name).fmt(f)),
            Cell::Numbers(_, numbers) => list(f, *numbers, |f, number| number.fmt(f)),
        }
    }
}

/// Arguments with their types: `[["k","signedint",1]]`.
struct Typed<'a>(&'a FieldTable);

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0.iter(), |f, (name, value)| {
            write!(f, "[{},\"{}\",{}]", Quoted(name), value.type_name(), TypedValue(value))
        })
    }
}

struct TypedValue<'a>(&'a FieldValue);

impl fmt::Display for TypedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FieldValue::Table(table) => Typed(table).fmt(f),
            FieldValue::Array(values) => list(f, values, |f, value| {
                write!(f, "[\"{}\",{}]", value.type_name(), TypedValue(value))
            }),
            value => JsonValue(value).fmt(f),
        }
    }
}

/// Rows of named cells, as `--formatter json` prints them.
pub(super) fn json_table(rows: impl Iterator<Item = Vec<(&'static str, Cell)>>) -> String {
    let mut text = String::new();
    for (i, row) in rows.enumerate() {
        text.push_str(if i == 0 { "[\n{" } else { ",{" });
        for (j, (name, cell)) in row.iter().enumerate() {
            let comma = if j == 0 { "" } else { "," };
            write!(text, "{comma}{}:{}", Quoted(name), cell.json()).expect("a string takes all");
        }
        text.push_str("}\n");
    }
    if text.is_empty() { "[]\n".to_owned() } else { text + "]\n" }
}
