//! Conversions between values of field tables and Rust types.
//!
//! An integer becomes the AMQP type of its own width, so that its author chooses the type on the
//! wire. AMQP has no type for `u64`, which becomes `l` if it fits. In the other direction, any
//! integer type of AMQP converts to any integer type of Rust that can hold the value.

use super::{FieldTable, FieldValue};
use crate::Instant;
use bytes::Bytes;
use smol_str::SmolStr;
use std::fmt;

/// A value of a field table does not have the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldValueError {
    /// The value has another type.
    WrongType {
        /// AMQP's name of the type that was asked for.
        wanted: &'static str,
        /// The name of the value's type; see [`FieldValue::type_name`].
        found: &'static str,
    },
    /// The value is an integer outside the range of the type that was asked for.
    OutOfRange(i128, &'static str),
}

impl fmt::Display for FieldValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldValueError::WrongType { wanted, found } => {
                write!(f, "the field is a {found}, not {wanted}")
            }
            FieldValueError::OutOfRange(value, wanted) => {
                write!(f, "the integer {value} does not fit into {wanted}")
            }
        }
    }
}

impl std::error::Error for FieldValueError {}

impl FieldValue {
    fn wrong(&self, wanted: &'static str) -> FieldValueError {
        FieldValueError::WrongType { wanted, found: self.type_name() }
    }
}

macro_rules! integers {
    ($($type:ident => $variant:ident, $doc:literal;)*) => {$(
        #[doc = $doc]
        impl From<$type> for FieldValue {
            fn from(v: $type) -> FieldValue {
                FieldValue::$variant(v)
            }
        }
    )*};
}

integers! {
    i8 => I8, "`b`, an 8-bit signed integer.";
    u8 => U8, "`B`, an 8-bit unsigned integer.";
    i16 => I16, "`s`, a 16-bit signed integer.";
    u16 => U16, "`u`, a 16-bit unsigned integer.";
    i32 => I32, "`I`, a 32-bit signed integer: what most clients send for a small integer.";
    u32 => U32, "`i`, a 32-bit unsigned integer.";
    i64 => I64, "`l`, a 64-bit signed integer.";
    f32 => F32, "`f`, a 32-bit float.";
    f64 => F64, "`d`, a 64-bit float.";
    bool => Bool, "`t`, a truth value.";
}

/// `l`, the widest integer of AMQP.
///
/// # Errors
///
/// [`FieldValueError::OutOfRange`] above `i64::MAX`.
impl TryFrom<u64> for FieldValue {
    type Error = FieldValueError;

    fn try_from(v: u64) -> Result<FieldValue, FieldValueError> {
        match i64::try_from(v) {
            Ok(v) => Ok(FieldValue::I64(v)),
            Err(_) => Err(FieldValueError::OutOfRange(v.into(), "long")),
        }
    }
}

macro_rules! from_integers {
    ($($type:ident)*) => {$(
        /// Any integer that fits.
        impl TryFrom<&FieldValue> for $type {
            type Error = FieldValueError;

            fn try_from(value: &FieldValue) -> Result<$type, FieldValueError> {
                let integer = value.as_integer().ok_or_else(|| value.wrong("an integer"))?;
                let out_of_range = |_| FieldValueError::OutOfRange(integer, stringify!($type));
                $type::try_from(integer).map_err(out_of_range)
            }
        }

        /// Any integer that fits.
        impl TryFrom<FieldValue> for $type {
            type Error = FieldValueError;

            fn try_from(value: FieldValue) -> Result<$type, FieldValueError> {
                $type::try_from(&value)
            }
        }
    )*};
}

from_integers! { i8 u8 i16 u16 i32 u32 i64 u64 i128 usize }

macro_rules! from_others {
    ($($type:ty, $wanted:literal, $doc:literal, $pattern:pat => $value:expr;)*) => {$(
        #[doc = $doc]
        impl TryFrom<&FieldValue> for $type {
            type Error = FieldValueError;

            fn try_from(value: &FieldValue) -> Result<$type, FieldValueError> {
                match value {
                    $pattern => Ok($value),
                    other => Err(other.wrong($wanted)),
                }
            }
        }

        #[doc = $doc]
        impl TryFrom<FieldValue> for $type {
            type Error = FieldValueError;

            fn try_from(value: FieldValue) -> Result<$type, FieldValueError> {
                <$type>::try_from(&value)
            }
        }
    )*};
}

from_others! {
    bool, "a bool", "A truth value.", FieldValue::Bool(v) => *v;
    f32, "a float", "A 32-bit float.", FieldValue::F32(v) => *v;
    Bytes, "a longstr or binary", "The bytes of a long string or of `x`.",
        FieldValue::String(v) | FieldValue::Bytes(v) => v.clone();
    Vec<u8>, "a longstr or binary", "The bytes of a long string or of `x`.",
        FieldValue::String(v) | FieldValue::Bytes(v) => v.to_vec();
    FieldTable, "a table", "A table.", FieldValue::Table(v) => v.clone();
    Vec<FieldValue>, "an array", "The values of an array.", FieldValue::Array(v) => v.clone();
}

/// A float of either width.
impl TryFrom<&FieldValue> for f64 {
    type Error = FieldValueError;

    fn try_from(value: &FieldValue) -> Result<f64, FieldValueError> {
        value.as_float().ok_or_else(|| value.wrong("a float"))
    }
}

/// A float of either width.
impl TryFrom<FieldValue> for f64 {
    type Error = FieldValueError;

    fn try_from(value: FieldValue) -> Result<f64, FieldValueError> {
        f64::try_from(&value)
    }
}

/// The text of a long string that is UTF-8.
impl<'a> TryFrom<&'a FieldValue> for &'a str {
    type Error = FieldValueError;

    fn try_from(value: &'a FieldValue) -> Result<&'a str, FieldValueError> {
        value.as_str().ok_or_else(|| value.wrong("a longstr of UTF-8"))
    }
}

/// The text of a long string that is UTF-8.
impl TryFrom<&FieldValue> for String {
    type Error = FieldValueError;

    fn try_from(value: &FieldValue) -> Result<String, FieldValueError> {
        <&str>::try_from(value).map(str::to_owned)
    }
}

/// The text of a long string that is UTF-8.
impl TryFrom<FieldValue> for String {
    type Error = FieldValueError;

    fn try_from(value: FieldValue) -> Result<String, FieldValueError> {
        String::try_from(&value)
    }
}

impl From<&str> for FieldValue {
    fn from(v: &str) -> FieldValue {
        FieldValue::String(Bytes::copy_from_slice(v.as_bytes()))
    }
}

impl From<String> for FieldValue {
    fn from(v: String) -> FieldValue {
        FieldValue::String(v.into())
    }
}

impl From<SmolStr> for FieldValue {
    fn from(v: SmolStr) -> FieldValue {
        FieldValue::from(v.as_str())
    }
}

/// A long string, which clients send for bytes. `x` is [`FieldValue::Bytes`].
impl From<Bytes> for FieldValue {
    fn from(v: Bytes) -> FieldValue {
        FieldValue::String(v)
    }
}

/// A long string, which clients send for bytes. `x` is [`FieldValue::Bytes`].
impl From<Vec<u8>> for FieldValue {
    fn from(v: Vec<u8>) -> FieldValue {
        FieldValue::String(v.into())
    }
}

/// A long string, which clients send for bytes. `x` is [`FieldValue::Bytes`].
impl From<&[u8]> for FieldValue {
    fn from(v: &[u8]) -> FieldValue {
        FieldValue::String(Bytes::copy_from_slice(v))
    }
}

impl From<FieldTable> for FieldValue {
    fn from(v: FieldTable) -> FieldValue {
        FieldValue::Table(v)
    }
}

impl From<Vec<FieldValue>> for FieldValue {
    fn from(v: Vec<FieldValue>) -> FieldValue {
        FieldValue::Array(v)
    }
}

/// A timestamp: the calendar second of a moment in virtual time.
impl From<Instant> for FieldValue {
    fn from(v: Instant) -> FieldValue {
        FieldValue::Timestamp(v.since_unix_epoch().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_becomes_the_type_of_its_width_and_comes_back_as_any_it_fits() {
        let types = [
            FieldValue::from(1_i8),
            FieldValue::from(1_u8),
            FieldValue::from(1_i16),
            FieldValue::from(1_u16),
            FieldValue::from(1_i32),
            FieldValue::from(1_u32),
            FieldValue::from(1_i64),
            FieldValue::try_from(1_u64).unwrap(),
        ];
        let names = types.each_ref().map(FieldValue::type_name);
        let expected = [
            "byte",
            "unsignedbyte",
            "short",
            "unsignedshort",
            "signedint",
            "unsignedint",
            "long",
            "long",
        ];
        assert_eq!(names, expected);
        for value in &types {
            assert_eq!((i8::try_from(value), u64::try_from(value)), (Ok(1), Ok(1)));
            assert_eq!((u16::try_from(value), usize::try_from(value)), (Ok(1), Ok(1)));
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error() {
        let error = u8::try_from(FieldValue::from(300)).unwrap_err();
        assert_eq!(error.to_string(), "the integer 300 does not fit into u8");
        assert!(u64::try_from(FieldValue::from(-1)).is_err());
        assert!(FieldValue::try_from(u64::MAX).is_err());
        let error = i64::try_from(FieldValue::from("1")).unwrap_err();
        assert_eq!(error.to_string(), "the field is a longstr, not an integer");
        assert!(bool::try_from(FieldValue::from(1)).is_err());
        assert!(<&str>::try_from(&FieldValue::from(vec![0xff_u8])).is_err());
    }

    #[test]
    fn floats_text_and_bytes_go_both_ways() {
        assert_eq!(f64::try_from(FieldValue::from(1.5_f32)), Ok(1.5));
        assert_eq!(f64::try_from(FieldValue::from(1.5_f64)), Ok(1.5));
        assert_eq!(f32::try_from(FieldValue::from(1.5_f32)), Ok(1.5));
        assert_eq!(bool::try_from(FieldValue::from(true)), Ok(true));
        assert_eq!(String::try_from(FieldValue::from(String::from("a"))), Ok("a".to_owned()));
        assert_eq!(<&str>::try_from(&FieldValue::from("a")), Ok("a"));
        assert_eq!(Vec::try_from(FieldValue::from(vec![0xff_u8, 1])), Ok(vec![0xff, 1]));
        let binary = FieldValue::Bytes(Bytes::from_static(b"x"));
        assert_eq!(Bytes::try_from(&binary), Ok(Bytes::from_static(b"x")));
        let table = FieldTable::new().with("a", 1);
        assert_eq!(FieldTable::try_from(FieldValue::from(table.clone())), Ok(table));
        let array = vec![FieldValue::from(1)];
        assert_eq!(Vec::<FieldValue>::try_from(FieldValue::from(array.clone())), Ok(array));
    }
}
