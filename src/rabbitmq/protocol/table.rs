//! AMQP field tables: the arguments of declarations and the headers of messages.
//!
//! A table keeps its fields in the order of insertion. Names are unique, except in a table that a
//! client sent with duplicates over the wire; there the first field of a name counts, as in the
//! server. Two tables are equal if they hold the same fields in the same order. Floats are compared
//! by their bits, so a table always equals itself.
//!
//! Source: AMQP 0-9-1, section 4.2.5.5, with the types that RabbitMQ uses ("AMQP 0-9-1 Errata",
//! section 3).

mod convert;
mod float;

use super::error::Fault;
use crate::sort::sort_by;
use bytes::Bytes;
pub use convert::FieldValueError;
use float::float;
use smol_str::SmolStr;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A value of a field table.
#[derive(Clone, Debug)]
pub enum FieldValue {
    /// `t`: a boolean.
    Bool(bool),
    /// `b`: 8 bits, signed.
    I8(i8),
    /// `B`: 8 bits, unsigned.
    U8(u8),
    /// `s`: 16 bits, signed.
    I16(i16),
    /// `u`: 16 bits, unsigned.
    U16(u16),
    /// `I`: 32 bits, signed; most clients send it for an integer.
    I32(i32),
    /// `i`: 32 bits, unsigned.
    U32(u32),
    /// `l`, or `L`: 64 bits, signed.
    I64(i64),
    /// `f`: a 32-bit float.
    F32(f32),
    /// `d`: a 64-bit float.
    F64(f64),
    /// `D`: a decimal number, `value / 10^scale`.
    Decimal {
        /// Number of decimal places.
        scale: u8,
        /// The digits.
        value: u32,
    },
    /// `S`: a long string. Its bytes need not be UTF-8.
    String(Bytes),
    /// `A`: an array.
    Array(Vec<FieldValue>),
    /// `T`: seconds since the Unix epoch.
    Timestamp(u64),
    /// `F`: a table.
    Table(FieldTable),
    /// `V`: no value.
    Void,
    /// `x`: bytes.
    Bytes(Bytes),
    /// `A` or `F`: an array or a table that a client nested more than 64 levels deep. Its contents
    /// are passed on without being decoded.
    Nested {
        /// Whether it is a table (`F`) or an array (`A`).
        is_table: bool,
        /// The encoded contents, without the length in front.
        octets: Bytes,
    },
}

impl FieldValue {
    /// The type's name in the server's texts: `longstr`, `signedint`, `bool`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            FieldValue::Bool(_) => "bool",
            FieldValue::I8(_) => "byte",
            FieldValue::U8(_) => "unsignedbyte",
            FieldValue::I16(_) => "short",
            FieldValue::U16(_) => "unsignedshort",
            FieldValue::I32(_) => "signedint",
            FieldValue::U32(_) => "unsignedint",
            FieldValue::I64(_) => "long",
            FieldValue::F32(_) => "float",
            FieldValue::F64(_) => "double",
            FieldValue::Decimal { .. } => "decimal",
            FieldValue::String(_) => "longstr",
            FieldValue::Array(_) | FieldValue::Nested { is_table: false, .. } => "array",
            FieldValue::Timestamp(_) => "timestamp",
            FieldValue::Table(_) | FieldValue::Nested { is_table: true, .. } => "table",
            FieldValue::Void => "void",
            FieldValue::Bytes(_) => "binary",
        }
    }

    /// The value as an integer, if its type is one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i128> {
        match *self {
            FieldValue::I8(v) => Some(v.into()),
            FieldValue::U8(v) => Some(v.into()),
            FieldValue::I16(v) => Some(v.into()),
            FieldValue::U16(v) => Some(v.into()),
            FieldValue::I32(v) => Some(v.into()),
            FieldValue::U32(v) => Some(v.into()),
            FieldValue::I64(v) => Some(v.into()),
            FieldValue::Bool(_)
            | FieldValue::F32(_)
            | FieldValue::F64(_)
            | FieldValue::Decimal { .. }
            | FieldValue::String(_)
            | FieldValue::Array(_)
            | FieldValue::Timestamp(_)
            | FieldValue::Table(_)
            | FieldValue::Void
            | FieldValue::Bytes(_)
            | FieldValue::Nested { .. } => None,
        }
    }

    /// The value as text, if it is a long string that is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            FieldValue::String(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The values, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[FieldValue]> {
        match self {
            FieldValue::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The fields, if it is a table.
    #[must_use]
    pub fn as_table(&self) -> Option<&FieldTable> {
        match self {
            FieldValue::Table(table) => Some(table),
            _ => None,
        }
    }

    fn as_float(&self) -> Option<f64> {
        match *self {
            FieldValue::F32(v) => Some(v.into()),
            FieldValue::F64(v) => Some(v),
            _ => None,
        }
    }

    /// Returns whether the server considers the two values equal regardless of their types, as
    /// Erlang's `==` does: `1` equals `1.0`, and text equals its bytes.
    pub(crate) fn same_value(&self, other: &FieldValue) -> bool {
        if let (Some(a), Some(b)) = (self.whole(), other.whole()) {
            return a == b;
        }
        if let (Some(a), Some(b)) = (self.as_float(), other.as_float()) {
            return a == b;
        }
        match (self.whole(), self.as_float(), other.whole(), other.as_float()) {
            (Some(int), _, _, Some(float)) | (_, Some(float), Some(int), _) => int as f64 == float,
            _ => match (self, other) {
                (
                    FieldValue::String(a) | FieldValue::Bytes(a),
                    FieldValue::String(b) | FieldValue::Bytes(b),
                ) => a == b,
                _ => self == other,
            },
        }
    }

    /// Returns whether the server considers a binding's value equal to that of a header in a
    /// message container, as Erlang's `=:=` does: `1` does not equal `1.0`, and a timestamp in a
    /// container has milliseconds.
    pub(crate) fn same_contained_value(&self, header: &FieldValue) -> bool {
        let header_whole = match header {
            FieldValue::Timestamp(seconds) => Some(i128::from(*seconds) * 1_000),
            _ => header.as_integer(),
        };
        match (self.whole(), header_whole, self.as_float(), header.as_float()) {
            (Some(a), Some(b), ..) => a == b,
            (None, None, Some(a), Some(b)) => a.to_bits() == b.to_bits(),
            (None, None, None, None) => self.same_value(header),
            _ => false,
        }
    }

    /// Integers and timestamps. The server treats both as plain integers.
    fn whole(&self) -> Option<i128> {
        match *self {
            FieldValue::Timestamp(v) => Some(v.into()),
            _ => self.as_integer(),
        }
    }

    /// Number of bytes that the value takes on the wire, with the letter of its type.
    fn encoded_len(&self) -> usize {
        let contents = match self {
            FieldValue::Void => 0,
            FieldValue::Bool(_) | FieldValue::I8(_) | FieldValue::U8(_) => 1,
            FieldValue::I16(_) | FieldValue::U16(_) => 2,
            FieldValue::I32(_) | FieldValue::U32(_) | FieldValue::F32(_) => 4,
            FieldValue::I64(_) | FieldValue::F64(_) | FieldValue::Timestamp(_) => 8,
            FieldValue::Decimal { .. } => 5,
            FieldValue::String(bytes)
            | FieldValue::Bytes(bytes)
            | FieldValue::Nested { octets: bytes, .. } => 4 + bytes.len(),
            FieldValue::Array(values) => {
                4 + values.iter().map(FieldValue::encoded_len).sum::<usize>()
            }
            FieldValue::Table(table) => table.encoded_len(),
        };
        1 + contents
    }

    /// Converts the value to AMQP 1.0 and back: bytes become text, and timestamps have milliseconds
    /// meanwhile.
    fn converted(&mut self) {
        match self {
            FieldValue::Bytes(bytes) => *self = FieldValue::String(std::mem::take(bytes)),
            FieldValue::Timestamp(seconds) => *seconds = in_milliseconds(*seconds),
            FieldValue::Array(values) => values.iter_mut().for_each(FieldValue::converted),
            FieldValue::Table(table) => {
                table.0.iter_mut().for_each(|(_, value)| value.converted());
            }
            _ => {}
        }
    }

    /// The bits of a float, for comparisons and hashes.
    fn bits(&self) -> Option<u64> {
        match *self {
            FieldValue::F32(v) => Some(v.to_bits().into()),
            FieldValue::F64(v) => Some(v.to_bits()),
            _ => None,
        }
    }
}

impl PartialEq for FieldValue {
    fn eq(&self, other: &FieldValue) -> bool {
        if self.type_name() != other.type_name() {
            return false;
        }
        match (self, other) {
            (FieldValue::Bool(a), FieldValue::Bool(b)) => a == b,
            (FieldValue::Timestamp(a), FieldValue::Timestamp(b)) => a == b,
            (
                FieldValue::Decimal { scale: s, value: v },
                FieldValue::Decimal { scale: t, value: w },
            ) => (s, v) == (t, w),
            (FieldValue::String(a), FieldValue::String(b))
            | (FieldValue::Bytes(a), FieldValue::Bytes(b)) => a == b,
            (FieldValue::Array(a), FieldValue::Array(b)) => a == b,
            (FieldValue::Table(a), FieldValue::Table(b)) => a == b,
            (FieldValue::Nested { octets: a, .. }, FieldValue::Nested { octets: b, .. }) => a == b,
            (FieldValue::Nested { .. }, _) | (_, FieldValue::Nested { .. }) => false,
            _ => (self.as_integer(), self.bits()) == (other.as_integer(), other.bits()),
        }
    }
}

impl Eq for FieldValue {}

impl Hash for FieldValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.type_name().hash(state);
        match self {
            FieldValue::Bool(v) => v.hash(state),
            FieldValue::Timestamp(v) => v.hash(state),
            FieldValue::Decimal { scale, value } => (scale, value).hash(state),
            FieldValue::String(v) | FieldValue::Bytes(v) => v.hash(state),
            FieldValue::Array(v) => v.hash(state),
            FieldValue::Table(v) => v.hash(state),
            FieldValue::Nested { octets, .. } => octets.hash(state),
            _ => (self.as_integer(), self.bits()).hash(state),
        }
    }
}

/// The value as the server's texts print it.
impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldValue::Bool(v) => v.fmt(f),
            FieldValue::I8(v) => v.fmt(f),
            FieldValue::U8(v) => v.fmt(f),
            FieldValue::I16(v) => v.fmt(f),
            FieldValue::U16(v) => v.fmt(f),
            FieldValue::I32(v) => v.fmt(f),
            FieldValue::U32(v) => v.fmt(f),
            FieldValue::I64(v) => v.fmt(f),
            FieldValue::F32(v) => f.write_str(&float(f64::from(*v))),
            FieldValue::F64(v) => f.write_str(&float(*v)),
            FieldValue::Decimal { scale, value } => write!(f, "{{{scale},{value}}}"),
            FieldValue::String(v) | FieldValue::Bytes(v) => {
                f.write_str(&String::from_utf8_lossy(v))
            }
            FieldValue::Timestamp(v) => v.fmt(f),
            FieldValue::Void => f.write_str("undefined"),
            FieldValue::Array(values) => {
                f.write_str("[")?;
                for (i, value) in values.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{{{},{}}}", value.type_name(), Quoted(value))?;
                }
                f.write_str("]")
            }
            FieldValue::Table(table) => table.fmt(f),
            FieldValue::Nested { .. } => f.write_str("[...]"),
        }
    }
}

/// A value inside a table, where strings are written as binaries.
struct Quoted<'a>(&'a FieldValue);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FieldValue::String(_) | FieldValue::Bytes(_) => write!(f, "<<\"{}\">>", self.0),
            value => value.fmt(f),
        }
    }
}

/// Named values, in the order of insertion.
///
/// ```
/// use stunt_double::rabbitmq::FieldTable;
///
/// let arguments = FieldTable::new().with("x-queue-mode", "lazy").with("x-tries", 3);
/// assert_eq!(arguments.get("x-queue-mode").and_then(|v| v.as_str()), Some("lazy"));
/// assert_eq!(arguments.get("x-tries").map(|v| v.type_name()), Some("signedint"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldTable(Vec<(SmolStr, FieldValue)>);

impl FieldTable {
    /// A table without fields.
    #[must_use]
    pub const fn new() -> FieldTable {
        FieldTable(Vec::new())
    }

    /// A table with one field and no spare capacity.
    pub(crate) fn single(name: SmolStr, value: FieldValue) -> FieldTable {
        FieldTable(vec![(name, value)])
    }

    /// Returns the table with this field added, or with the new value for it.
    #[must_use]
    pub fn with(mut self, name: impl Into<SmolStr>, value: impl Into<FieldValue>) -> FieldTable {
        self.insert(name, value);
        self
    }

    /// Inserts a field. If the name exists, the field keeps its place and gets the new value.
    pub fn insert(&mut self, name: impl Into<SmolStr>, value: impl Into<FieldValue>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Removes a field and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<FieldValue> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// Returns this table's fields followed by those of another.
    pub(crate) fn followed_by(mut self, other: FieldTable) -> FieldTable {
        self.0.extend(other.0);
        self
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FieldValue> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The fields, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &FieldValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A table of fields as they arrived, in which a name may occur twice.
    pub(crate) fn from_fields(fields: Vec<(SmolStr, FieldValue)>) -> FieldTable {
        FieldTable(fields)
    }

    /// Returns the fields that a stream keeps: all but arrays and tables.
    pub(crate) fn streamed(mut self) -> FieldTable {
        self.0.retain_mut(|(_, value)| match value {
            FieldValue::Array(_) | FieldValue::Table(_) | FieldValue::Nested { .. } => false,
            FieldValue::Timestamp(seconds) => {
                *seconds = in_milliseconds(*seconds);
                true
            }
            _ => true,
        });
        self
    }

    /// Returns the fields that are left of headers after a conversion to AMQP 1.0 and back: arrays
    /// and tables only under `CC` and names that begin with `x-`, bytes as text, and `x-death` only
    /// if the server made it.
    pub(crate) fn through_amqp_1_0(mut self, has_died: bool) -> FieldTable {
        self.0.retain_mut(|(name, value)| {
            let is_x = name.starts_with("x-");
            let is_internal = matches!(name.as_str(), "x-routing-key" | "x-exchange")
                || name.starts_with("x-basic-")
                || name == "x-death" && !has_died;
            let is_nested = matches!(
                value,
                FieldValue::Array(_) | FieldValue::Table(_) | FieldValue::Nested { .. }
            );
            value.converted();
            !is_internal && (!is_nested || is_x || name == "CC")
        });
        self
    }

    /// Number of bytes that the table takes on the wire, with its length in front.
    pub(crate) fn encoded_len(&self) -> usize {
        4 + self.0.iter().map(|(name, value)| 1 + name.len() + value.encoded_len()).sum::<usize>()
    }

    /// Returns whether one of the fields is a decimal number, over which a stream's process
    /// crashes.
    pub(crate) fn crashes_a_stream(&self) -> bool {
        self.0.iter().any(|(_, value)| matches!(value, FieldValue::Decimal { .. }))
    }

    /// Returns the fields sorted by name, of those with the same name only the first.
    pub(crate) fn distinct(self) -> FieldTable {
        let mut sorted = self.sorted();
        sorted.0.dedup_by(|later, first| later.0 == first.0);
        sorted
    }

    /// Returns the fields sorted by name. The server keeps the arguments of a binding in this
    /// order, and headers to which it has added some.
    pub(crate) fn sorted(mut self) -> FieldTable {
        sort_by(&mut self.0, |a, b| a.0.cmp(&b.0));
        self
    }
}

impl<N: Into<SmolStr>, V: Into<FieldValue>> FromIterator<(N, V)> for FieldTable {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> FieldTable {
        let mut table = FieldTable::new();
        for (name, value) in fields {
            table.insert(name, value);
        }
        table
    }
}

/// The table as the server's texts print one: `[{<<"a">>,signedint,1}]`.
impl fmt::Display for FieldTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, (name, value)) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{{<<\"{name}\">>,{},{}}}", value.type_name(), Quoted(value))?;
        }
        f.write_str("]")
    }
}

/// Refuses a redeclaration of `what` in which the argument `name` differs.
///
/// Integers of all widths are alike, and an absent queue type is `classic`; the text may name that
/// default.
pub(crate) fn check_same_argument(
    name: &str,
    what: &str,
    received: &FieldTable,
    current: &FieldTable,
    names_default_type: bool,
) -> Result<(), Fault> {
    let (received, current) = (received.get(name), current.get(name));
    let has_default = name == "x-queue-type" && names_default_type;
    let alone = |value: Option<&FieldValue>| match value {
        Some(value) => format!("the value '{value}' of type '{}'", value.type_name()),
        None => "none".to_owned(),
    };
    let named = |value: Option<&FieldValue>| match value {
        Some(value) => format!("'{value}'"),
        None => "'classic'".to_owned(),
    };
    let (received, current) = match (received, current) {
        (None, None) => return Ok(()),
        (Some(a), Some(b)) if a.same_value(b) => return Ok(()),
        (Some(a), Some(b)) => (format!("'{a}'"), format!("'{b}'")),
        (Some(a), None) | (None, Some(a))
            if name == "x-queue-type" && a.as_str() == Some("classic") =>
        {
            return Ok(());
        }
        (a, b) if has_default => (named(a), named(b)),
        (a, b) => (alone(a), alone(b)),
    };
    Err(Fault::precondition(format!(
        "inequivalent arg '{name}' for {what}: received {received} but current is {current}"
    )))
}

/// Returns the seconds of a timestamp that a stream has kept as a 64-bit number of milliseconds.
pub(crate) fn in_milliseconds(seconds: u64) -> u64 {
    (seconds.wrapping_mul(1_000).cast_signed() / 1_000).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_occurs_once_and_keeps_its_place() {
        let table = FieldTable::new().with("b", 1).with("a", 2).with("b", "x");
        assert_eq!(table.to_string(), "[{<<\"b\">>,longstr,<<\"x\">>},{<<\"a\">>,signedint,2}]");
        assert_eq!(table.sorted().iter().map(|(n, _)| n).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn values_of_different_types_are_equal_as_in_erlang() {
        assert!(FieldValue::from(1).same_value(&FieldValue::I64(1)));
        assert!(FieldValue::from(1).same_value(&FieldValue::F64(1.0)));
        assert!(!FieldValue::from(1).same_value(&FieldValue::from("1")));
        assert!(FieldValue::from("a").same_value(&FieldValue::Bytes(Bytes::from_static(b"a"))));
        assert!(!FieldValue::from(1).eq(&FieldValue::I64(1)));
        assert_eq!(FieldValue::F64(f64::NAN), FieldValue::F64(f64::NAN));
        assert!(!FieldValue::Bool(true).same_value(&FieldValue::from(1)));
    }
}
