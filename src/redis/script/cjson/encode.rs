//! `cjson.encode`: a Lua value as JSON.

use super::{IS_ARRAY, Settings};
use crate::redis::script::native::{failure, type_name};
use crate::redis::script::table;
use mlua::{Function, Lua, Table, Value};

/// The text so far, and how it is written.
struct Writer<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    /// Lua's `string.format`.
    format: &'a Function,
    /// Lua's `next`.
    next: &'a Function,
    out: Vec<u8>,
}

/// Returns a value as JSON.
pub(super) fn encode(
    lua: &Lua,
    settings: &Settings,
    (format, next): (&Function, &Function),
    value: &Value,
) -> mlua::Result<mlua::String> {
    let mut writer = Writer { lua, settings, format, next, out: Vec::new() };
    writer.value(value)?;
    lua.create_string(writer.out)
}

impl Writer<'_> {
    fn refuse<T>(&self, value: &Value, reason: &str) -> mlua::Result<T> {
        let name = type_name(value);
        Err(failure(self.lua, format!("Cannot serialise {name}: {reason}")))
    }

    fn string(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for byte in bytes {
            match byte {
                b'"' => self.out.extend(b"\\\""),
                b'\\' => self.out.extend(b"\\\\"),
                b'/' => self.out.extend(b"\\/"),
                0x08 => self.out.extend(b"\\b"),
                b'\t' => self.out.extend(b"\\t"),
                b'\n' => self.out.extend(b"\\n"),
                0x0c => self.out.extend(b"\\f"),
                b'\r' => self.out.extend(b"\\r"),
                0..0x20 | 0x7f => self.out.extend(format!("\\u{byte:04x}").bytes()),
                other => self.out.push(*other),
            }
        }
        self.out.push(b'"');
    }

    fn number(&mut self, value: &Value) -> mlua::Result<()> {
        let n = match value {
            Value::Integer(n) => *n as f64,
            Value::Number(n) => *n,
            _ => return Ok(()),
        };
        if !n.is_finite() {
            match self.settings.encode_invalid {
                0 => return self.refuse(value, "must not be NaN or Inf"),
                1 if n.is_nan() => {
                    self.out.extend(b"nan");
                    return Ok(());
                }
                1 => {}
                _ => {
                    self.out.extend(b"null");
                    return Ok(());
                }
            }
        }
        if n.fract() == 0.0 && n.abs() < 1e14 && self.settings.precision == 14 && n != 0.0 {
            self.out.extend(itoa::Buffer::new().format(n as i64).bytes());
            return Ok(());
        }
        let pattern = format!("%.{}g", self.settings.precision);
        let text: mlua::String = self.format.call((pattern, n))?;
        self.out.extend_from_slice(&text.as_bytes());
        Ok(())
    }

    /// Returns the length of a table that is an array, or `None` if it is to be an object.
    fn length_of_array(&self, value: &Value, table: &Table) -> mlua::Result<Option<usize>> {
        let keys = table::keys(table, |n| n.floor() == n && n >= 1.0)?;
        let Some(greatest) = keys.greatest else { return Ok(None) };
        let Settings { sparse_convert, sparse_ratio, sparse_safe, .. } = *self.settings;
        let is_sparse = sparse_ratio > 0
            && greatest > keys.count as f64 * f64::from(sparse_ratio)
            && greatest > f64::from(sparse_safe);
        if !is_sparse {
            return Ok(Some(greatest as usize));
        }
        if sparse_convert { Ok(None) } else { self.refuse(value, "excessively sparse array") }
    }

    /// Writes a key of an object, with its colon.
    fn key(&mut self, key: &Value) -> mlua::Result<()> {
        match key {
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.number(key)?;
                self.out.push(b'"');
            }
            Value::String(text) => self.string(&text.as_bytes()),
            other => return self.refuse(other, "table key must be a number or string"),
        }
        self.out.push(b':');
        Ok(())
    }

    /// Begins an array or an object. `depth` counts the open ones, this one included.
    fn open(&mut self, value: &Value, table: &Table, depth: usize) -> mlua::Result<Open> {
        if depth as i64 > i64::from(self.settings.encode_depth) {
            let text = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(failure(self.lua, text));
        }
        let marked = self.settings.knows_arrays && is_marked(table)?;
        let len = if marked { Some(table.raw_len()) } else { self.length_of_array(value, table)? };
        match len {
            Some(len) if len > 0 || marked => {
                self.out.push(b'[');
                Ok(Open::Array { table: table.clone(), next: 1, len })
            }
            _ => {
                self.out.push(b'{');
                Ok(Open::Object { table: table.clone(), last: Value::Nil })
            }
        }
    }

    /// Returns the next value of an array or object, having written what comes before it, or ends
    /// it.
    fn next(&mut self, open: &mut Open) -> mlua::Result<Option<Value>> {
        match open {
            Open::Array { table, next, len } => {
                if *next > *len {
                    self.out.push(b']');
                    return Ok(None);
                }
                if *next > 1 {
                    self.out.push(b',');
                }
                *next += 1;
                Ok(Some(table.raw_get(*next - 1)?))
            }
            Open::Object { table, last } => {
                let (key, value): (Value, Value) = self.next.call((&*table, &*last))?;
                if key.is_nil() {
                    self.out.push(b'}');
                    return Ok(None);
                }
                if !last.is_nil() {
                    self.out.push(b',');
                }
                self.key(&key)?;
                *last = key;
                Ok(Some(value))
            }
        }
    }

    /// Writes a value. Open arrays and objects are kept in a list, since the depth of the stack
    /// should not depend on a script.
    fn value(&mut self, value: &Value) -> mlua::Result<()> {
        let mut opened = Vec::new();
        let mut current = Some(value.clone());
        loop {
            match &current {
                Some(value @ Value::Table(table)) => {
                    opened.push(self.open(value, table, opened.len() + 1)?);
                }
                Some(value) => self.scalar(value)?,
                None => {
                    opened.pop();
                }
            }
            let Some(innermost) = opened.last_mut() else { return Ok(()) };
            current = self.next(innermost)?;
        }
    }

    fn scalar(&mut self, value: &Value) -> mlua::Result<()> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => self.number(value)?,
            Value::Boolean(true) => self.out.extend(b"true"),
            Value::Boolean(false) => self.out.extend(b"false"),
            Value::Nil => self.out.extend(b"null"),
            Value::LightUserData(data) if data.0.is_null() => self.out.extend(b"null"),
            other => return self.refuse(other, "type not supported"),
        }
        Ok(())
    }
}

/// Returns whether the metatable of a table makes it an array.
fn is_marked(table: &Table) -> mlua::Result<bool> {
    let Some(metatable) = table.metatable() else { return Ok(false) };
    Ok(!matches!(metatable.raw_get(IS_ARRAY)?, Value::Nil | Value::Boolean(false)))
}

/// An array or object that is being written.
enum Open {
    Array {
        table: Table,
        next: usize,
        len: usize,
    },
    /// The last key that was written is nil before the first.
    Object {
        table: Table,
        last: Value,
    },
}
