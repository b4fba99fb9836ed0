//! Conversions between replies and Lua's values.
//!
//! The types of RESP3 that Lua lacks are tables with one field: `map`, `set`, `double`,
//! `big_number`, `verbatim_string`. A status is a table with the field `ok`, an error one with the
//! field `err`. Fractions of numbers are lost on the way to the client, as documented by Redis.
//!
//! Source: `script_lua.c` (`redisProtocolToLuaType`, `luaReplyToRedisReply`).

use super::native::{Raised, text_of};
use super::table::{self, UNORDERED};
use crate::redis::reply::{ErrorReply, Protocol, Reply};
use crate::redis::value::number;
use crate::redis::version::Numbers;
use mlua::{BString, Either, Lua, Table, Value};
use smallvec::SmallVec;
use smol_str::SmolStr;

/// Returns a table with one field.
fn with_field(lua: &Lua, name: &str, value: Value) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, value)?;
    Ok(Value::Table(table))
}

fn string(lua: &Lua, bytes: &[u8]) -> mlua::Result<Value> {
    Ok(Value::String(lua.create_string(bytes)?))
}

/// The field of an error's table that keeps the error from being counted twice.
const COUNTED: &str = "ignore_error_stats_update";

/// Returns an error as a table. `counted` tells whether the server has counted it.
pub(super) fn error_table(lua: &Lua, text: &[u8], counted: bool) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("err", string(lua, text)?)?;
    if counted {
        table.raw_set(COUNTED, true)?;
    }
    Ok(Value::Table(table))
}

/// Returns a command's reply as a script sees it. It must have the types of the script's protocol.
fn to_lua(lua: &Lua, reply: &Reply) -> mlua::Result<Value> {
    Ok(match reply {
        Reply::Simple(text) => with_field(lua, "ok", string(lua, text.as_bytes())?)?,
        Reply::Error(ErrorReply(text)) => error_table(lua, text.as_bytes(), true)?,
        Reply::Integer(n) => Value::Number(*n as f64),
        Reply::Bulk(bytes) => string(lua, bytes)?,
        Reply::Nil | Reply::NilArray => Value::Boolean(false),
        Reply::Array(items) | Reply::Push(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in items.iter().enumerate() {
                table.raw_set(index + 1, to_lua(lua, item)?)?;
            }
            Value::Table(table)
        }
        Reply::Map(pairs) | Reply::Pairs(pairs) => {
            let table = lua.create_table_with_capacity(0, pairs.len())?;
            for (key, value) in pairs {
                table.raw_set(to_lua(lua, key)?, to_lua(lua, value)?)?;
            }
            with_field(lua, "map", Value::Table(table))?
        }
        Reply::Set(items) => {
            let table = lua.create_table_with_capacity(0, items.len())?;
            for item in items {
                table.raw_set(to_lua(lua, item)?, true)?;
            }
            with_field(lua, "set", Value::Table(table))?
        }
        Reply::Double(x) | Reply::Coordinate(x) => with_field(lua, "double", Value::Number(*x))?,
        Reply::Boolean(yes) => Value::Boolean(*yes),
        Reply::BigNumber(digits) => with_field(lua, "big_number", string(lua, digits.as_bytes())?)?,
        Reply::Verbatim(format, text) => {
            let table = lua.create_table_with_capacity(0, 2)?;
            table.raw_set("string", string(lua, text)?)?;
            table.raw_set("format", string(lua, format)?)?;
            with_field(lua, "verbatim_string", Value::Table(table))?
        }
        Reply::Attributed(_, reply) => to_lua(lua, reply)?,
    })
}

/// Returns a command's reply as a script sees it that has chosen a protocol.
pub(super) fn reply_to_lua(
    lua: &Lua,
    reply: Reply,
    protocol: Protocol,
    numbers: Numbers,
) -> mlua::Result<Value> {
    match (reply.in_form(protocol, numbers), protocol) {
        (Reply::Nil, Protocol::Resp3) => Ok(Value::Nil),
        (Reply::Array(items), Protocol::Resp3) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in items.into_iter().enumerate() {
                table.raw_set(index + 1, reply_to_lua(lua, item, protocol, numbers)?)?;
            }
            Ok(Value::Table(table))
        }
        (reply, _) => to_lua(lua, &reply),
    }
}

/// Returns the C integer of a number. Out of its range, x86 returns the least.
fn truncated(n: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&n) { n as i64 } else { i64::MIN }
}

/// Greatest depth of a reply. The real interpreter's stack allows more, which no client reads.
const MAX_DEPTH: usize = 128;

fn text(bytes: &[u8]) -> String {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(bytes).replace(['\r', '\n'], " ")
}

/// Returns a script's result as a reply. `protocol` is the script's, which decides about booleans.
/// A table that `has_only_elements` is an array, without a look at its fields.
pub(super) fn to_reply(
    value: &Value,
    has_only_elements: bool,
    protocol: Protocol,
) -> mlua::Result<Reply> {
    match value {
        Value::Table(table) if has_only_elements => elements_to_reply(table, protocol, 1),
        _ => nested(value, protocol, 0),
    }
}

fn nested(value: &Value, protocol: Protocol, depth: usize) -> mlua::Result<Reply> {
    Ok(match value {
        Value::String(bytes) => Reply::bulk(&bytes.as_bytes()),
        Value::Boolean(yes) => match (protocol, yes) {
            (Protocol::Resp3, yes) => Reply::Boolean(*yes),
            (Protocol::Resp2, true) => Reply::Integer(1),
            (Protocol::Resp2, false) => Reply::Nil,
        },
        Value::Integer(n) => Reply::Integer(*n),
        Value::Number(n) => Reply::Integer(truncated(*n)),
        Value::Table(_) if depth > MAX_DEPTH => error("ERR reached lua stack limit".into()),
        Value::Table(table) => table_to_reply(table, protocol, depth + 1)?,
        _ => Reply::Nil,
    })
}

fn error(text: String) -> Reply {
    Reply::Error(ErrorReply(text.into()))
}

fn table_to_reply(table: &Table, protocol: Protocol, depth: usize) -> mlua::Result<Reply> {
    if let Value::String(message) = table.raw_get("err")? {
        return Ok(error(text(&message.as_bytes())));
    }
    if let Value::String(status) = table.raw_get("ok")? {
        return Ok(Reply::Simple(SmolStr::new(text(&status.as_bytes()))));
    }
    match table.raw_get("double")? {
        Value::Integer(n) => return Ok(Reply::Double(n as f64)),
        Value::Number(n) => return Ok(Reply::Double(n)),
        _ => {}
    }
    if let Value::String(digits) = table.raw_get("big_number")? {
        let digits = String::from_utf8_lossy(&digits.as_bytes()).replace(['\r', '\n'], " ");
        return Ok(Reply::BigNumber(digits.into()));
    }
    if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
        && let Value::String(format) = verbatim.raw_get("format")?
        && let Value::String(content) = verbatim.raw_get("string")?
    {
        // A format has exactly three letters.
        let mut letters = [b' '; 3];
        let given = format.as_bytes();
        let until_nul = given.iter().take_while(|byte| **byte != 0);
        letters.iter_mut().zip(until_nul).for_each(|(letter, byte)| *letter = *byte);
        return Ok(Reply::Verbatim(letters, content.as_bytes().to_vec().into()));
    }
    if let Value::Table(map) = table.raw_get("map")? {
        must_have_order(&map)?;
        let pairs = table::pairs(&map).map(|pair| {
            let (key, value) = pair?;
            Ok((nested(&key, protocol, depth)?, nested(&value, protocol, depth)?))
        });
        return Ok(Reply::Map(pairs.collect::<mlua::Result<_>>()?));
    }
    if let Value::Table(set) = table.raw_get("set")? {
        must_have_order(&set)?;
        let items = table::pairs(&set).map(|pair| nested(&pair?.0, protocol, depth));
        return Ok(Reply::Set(items.collect::<mlua::Result<_>>()?));
    }
    elements_to_reply(table, protocol, depth)
}

fn elements_to_reply(table: &Table, protocol: Protocol, depth: usize) -> mlua::Result<Reply> {
    let items = table::elements(table).map(|item| nested(&item?, protocol, depth));
    Ok(Reply::Array(items.collect::<mlua::Result<_>>()?))
}

/// Returns a list of texts.
pub(super) fn list(lua: &Lua, items: &[&[u8]]) -> mlua::Result<Table> {
    // A text of UTF-8 needs no reference of its own on its way.
    lua.create_sequence_from(items.iter().map(|item| match std::str::from_utf8(item) {
        Ok(text) => Either::Left(text),
        Err(_) => Either::Right(BString::from(*item)),
    }))
}

/// Refuses a table whose order depends on addresses.
fn must_have_order(table: &Table) -> mlua::Result<()> {
    if table::keys(table, |_| true)?.unordered {
        return Err(Raised::Text(UNORDERED.as_bytes().to_vec()).into());
    }
    Ok(())
}

/// The words of a command that a script calls, one after the other. A run fills the same bytes for
/// each of its commands.
#[derive(Debug, Default)]
pub(super) struct Words {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: SmallVec<[usize; 8]>,
}

impl Words {
    /// Becomes the words of these values. Returns `None` if one is neither a string nor a number.
    pub(super) fn fill(
        &mut self,
        values: impl IntoIterator<Item = Value>,
        numbers: Numbers,
    ) -> Option<()> {
        self.bytes.clear();
        self.ends.clear();
        for value in values {
            match value {
                Value::String(text) => self.bytes.extend_from_slice(&text.as_bytes()),
                Value::Integer(n) => self.add_number(n as f64, numbers),
                Value::Number(n) => self.add_number(n, numbers),
                _ => return None,
            }
            self.ends.push(self.bytes.len());
        }
        Some(())
    }

    fn add_number(&mut self, n: f64, numbers: Numbers) {
        self.bytes.extend_from_slice(&number::format_argument(n, numbers));
    }

    pub(super) fn list(&self) -> SmallVec<[&[u8]; 8]> {
        let mut start = 0;
        let word = |end: &usize| &self.bytes[std::mem::replace(&mut start, *end)..*end];
        self.ends.iter().map(word).collect()
    }
}

/// Returns what a script's error table says: its text, its place, and whether it was counted.
pub(super) fn read_error(lua: &Lua, table: &Table) -> mlua::Result<(String, Option<String>, bool)> {
    let field = |name: &str| -> mlua::Result<Option<String>> {
        Ok(text_of(lua, &table.get(name)?).map(|bytes| text(&bytes)))
    };
    let message = field("err")?.unwrap_or_else(|| "(null)".to_owned());
    let place = match (field("source")?, field("line")?) {
        (Some(source), Some(line)) => Some(format!("{source}:{line}")),
        _ => None,
    };
    Ok((message, place, is_counted(table)?))
}

/// Returns whether the server has counted the error that a table is.
pub(super) fn is_counted(table: &Table) -> mlua::Result<bool> {
    Ok(matches!(table.get(COUNTED)?, Value::Boolean(true)))
}
