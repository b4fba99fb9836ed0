//! Arguments as JSON, both ways.
//!
//! JSON has one type of integer and one type of text. So an argument read from a file is a `long`
//! or a `longstr`, whatever it was before.

use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use serde_json::{Map, Number, Value};

/// Converts arguments from a file, sorted by name.
///
/// # Errors
///
/// The server's refusal of a value that no argument can have.
pub(crate) fn to_table(object: &Map<String, Value>) -> Result<FieldTable, String> {
    object.iter().map(|(name, value)| Ok((name.as_str(), to_value(value)?))).collect()
}

fn to_value(value: &Value) -> Result<FieldValue, String> {
    Ok(match value {
        Value::Null => return Err("{unhandled_type,nil}".to_owned()),
        Value::Bool(value) => FieldValue::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => FieldValue::I64(integer),
            (None, Some(float)) if !number.is_u64() => FieldValue::F64(float),
            _ => return Err(format!("{number} does not fit into 64 bits")),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => {
            FieldValue::Array(values.iter().map(to_value).collect::<Result<_, String>>()?)
        }
        Value::Object(object) => FieldValue::Table(to_table(object)?),
    })
}

/// Converts arguments for a file.
pub(crate) fn from_table(table: &FieldTable) -> Map<String, Value> {
    table.iter().map(|(name, value)| (name.to_owned(), from_value(value))).collect()
}

fn from_value(value: &FieldValue) -> Value {
    let float = |value: f64| Number::from_f64(value).map_or(Value::Null, Value::Number);
    match value {
        FieldValue::Bool(value) => Value::Bool(*value),
        FieldValue::F32(value) => float((*value).into()),
        FieldValue::F64(value) => float(*value),
        FieldValue::Timestamp(seconds) => (*seconds).into(),
        FieldValue::Array(values) => values.iter().map(from_value).collect(),
        FieldValue::Table(table) => Value::Object(from_table(table)),
        FieldValue::Void | FieldValue::Nested { .. } => Value::Null,
        FieldValue::String(_) | FieldValue::Bytes(_) | FieldValue::Decimal { .. } => {
            Value::String(value.to_string())
        }
        FieldValue::I8(_)
        | FieldValue::U8(_)
        | FieldValue::I16(_)
        | FieldValue::U16(_)
        | FieldValue::I32(_)
        | FieldValue::U32(_)
        | FieldValue::I64(_) => {
            value.as_integer().and_then(|n| i64::try_from(n).ok()).map_or(Value::Null, Value::from)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn integers_become_long_and_fractions_double() {
        let json = object(r#"{"z": 1, "f": 1.5, "a": ["x", 99999999999], "t": {"on": true}}"#);
        let table = to_table(&json).unwrap();
        let types: Vec<_> = table.iter().map(|(n, v)| format!("{n}:{}", v.type_name())).collect();
        assert_eq!(types, ["a:array", "f:double", "t:table", "z:long"]);
        assert_eq!(from_table(&table), json);
    }

    #[test]
    fn json_values_that_no_argument_can_have_are_refused() {
        assert!(to_table(&object(r#"{"n": null}"#)).is_err());
        assert!(to_table(&object(r#"{"n": 18446744073709551615}"#)).is_err());
        assert!(to_table(&object(r#"{"n": -9223372036854775808}"#)).is_ok());
    }
}
