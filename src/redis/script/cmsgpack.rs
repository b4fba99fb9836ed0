//! The library `cmsgpack`: values in the format `MessagePack`.
//!
//! Source: Salvatore Sanfilippo's lua-cmsgpack 0.4.0, as Redis includes it (`lua_cmsgpack.c`).

use super::native::{Arguments, bad_argument, failure};
use super::table::{self, UNORDERED};
use mlua::{Lua, MultiValue, Table, Value};

/// Tables below this depth are written as nil, so that a table may contain itself.
const MAX_NESTING: usize = 16;

/// Writes a length with the shortest of these headers: a short form, one byte, two, four.
fn header(out: &mut Vec<u8>, len: usize, short: (u8, usize), one: Option<u8>, two: u8, four: u8) {
    if len <= short.1 {
        out.push(short.0 | len as u8);
    } else if let (Some(one), true) = (one, len <= 0xff) {
        out.extend([one, len as u8]);
    } else if len <= 0xffff {
        out.push(two);
        out.extend((len as u16).to_be_bytes());
    } else {
        out.push(four);
        out.extend((len as u32).to_be_bytes());
    }
}

fn put_integer(out: &mut Vec<u8>, n: i64) {
    match n {
        -32..=127 => out.push(n as u8),
        128..=0xff => out.extend([0xcc, n as u8]),
        -128..=-33 => out.extend([0xd0, n as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((n as u16).to_be_bytes());
        }
        -32_768..=-129 => {
            out.push(0xd1);
            out.extend((n as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend((n as u32).to_be_bytes());
        }
        -2_147_483_648..=-32_769 => {
            out.push(0xd2);
            out.extend((n as u32).to_be_bytes());
        }
        _ => {
            out.push(if n >= 0 { 0xcf } else { 0xd3 });
            out.extend(n.to_be_bytes());
        }
    }
}

fn put_number(out: &mut Vec<u8>, n: f64) {
    if n.is_finite() && (n as i64) as f64 == n {
        put_integer(out, n as i64);
    } else if f64::from(n as f32) == n {
        out.push(0xca);
        out.extend((n as f32).to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend(n.to_be_bytes());
    }
}

fn put(lua: &Lua, out: &mut Vec<u8>, value: &Value, level: usize) -> mlua::Result<()> {
    match value {
        Value::String(text) => {
            let bytes = text.as_bytes();
            header(out, bytes.len(), (0xa0, 31), Some(0xd9), 0xda, 0xdb);
            out.extend_from_slice(&bytes);
        }
        Value::Boolean(yes) => out.push(if *yes { 0xc3 } else { 0xc2 }),
        Value::Integer(n) => put_number(out, *n as f64),
        Value::Number(n) => put_number(out, *n),
        Value::Table(table) if level < MAX_NESTING => put_table(lua, out, table, level)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

fn put_table(lua: &Lua, out: &mut Vec<u8>, table: &Table, level: usize) -> mlua::Result<()> {
    let keys = table::keys(table, |n| n > 0.0 && f64::from(n as i32) == n)?;
    let count = keys.count;
    // The keys of an array are exactly those from 1 to their number.
    if keys.greatest == Some(count as f64) {
        header(out, count, (0x90, 15), None, 0xdc, 0xdd);
        for index in 1..=count {
            put(lua, out, &table.get(index)?, level + 1)?;
        }
        return Ok(());
    }
    if keys.unordered {
        return Err(failure(lua, UNORDERED));
    }
    header(out, count, (0x80, 15), None, 0xde, 0xdf);
    for pair in table::pairs(table) {
        let (key, value) = pair?;
        put(lua, out, &key, level + 1)?;
        put(lua, out, &value, level + 1)?;
    }
    Ok(())
}

fn pack(lua: &Lua, values: MultiValue) -> mlua::Result<mlua::String> {
    if values.is_empty() {
        return Err(bad_argument(lua, 0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for value in values {
        put(lua, &mut out, &value, 0)?;
    }
    lua.create_string(out)
}

/// Why bytes cannot be read.
enum Bad {
    Missing,
    Format,
    Lua(mlua::Error),
}

impl From<mlua::Error> for Bad {
    fn from(error: mlua::Error) -> Bad {
        Bad::Lua(error)
    }
}

/// The bytes that are left to read.
struct Cursor<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    depth: usize,
}

/// Greatest depth of nested values that is read, which bounds the stack.
const MAX_DEPTH: usize = 128;

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Bad::Missing)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn length_1(&mut self) -> Result<usize, Bad> {
        Ok(usize::from(self.take::<1>()?[0]))
    }

    fn length_2(&mut self) -> Result<usize, Bad> {
        Ok(usize::from(u16::from_be_bytes(self.take()?)))
    }

    fn length_4(&mut self) -> Result<usize, Bad> {
        Ok(u32::from_be_bytes(self.take()?) as usize)
    }

    fn text(&mut self, len: usize) -> Result<Value, Bad> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Bad::Missing)?;
        self.rest = rest;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    /// Reads the elements of an array, or of a map if `keys`.
    fn table(&mut self, len: usize, keys: bool) -> Result<Value, Bad> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Bad::Format);
        }
        let table = self.lua.create_table()?;
        for index in 1..=len {
            if keys {
                let key = self.value()?;
                let value = self.value()?;
                table.set(key, value)?;
            } else {
                table.raw_set(index, self.value()?)?;
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn value(&mut self) -> Result<Value, Bad> {
        let [first] = self.take()?;
        let number = |n: f64| Ok(Value::Number(n));
        match first {
            0x00..=0x7f => number(f64::from(first)),
            0xe0..=0xff => number(f64::from(first as i8)),
            0x80..=0x8f => self.table(usize::from(first & 0xf), true),
            0x90..=0x9f => self.table(usize::from(first & 0xf), false),
            0xa0..=0xbf => self.text(usize::from(first & 0x1f)),
            0xc0 => Ok(Value::Nil),
            0xc2 => Ok(Value::Boolean(false)),
            0xc3 => Ok(Value::Boolean(true)),
            0xca => number(f64::from(f32::from_be_bytes(self.take()?))),
            0xcb => number(f64::from_be_bytes(self.take()?)),
            0xcc => number(f64::from(self.take::<1>()?[0])),
            0xcd => number(f64::from(u16::from_be_bytes(self.take()?))),
            0xce => number(f64::from(u32::from_be_bytes(self.take()?))),
            // Lua 5.1's integers are signed.
            0xcf | 0xd3 => number(i64::from_be_bytes(self.take()?) as f64),
            0xd0 => number(f64::from(self.take::<1>()?[0] as i8)),
            0xd1 => number(f64::from(i16::from_be_bytes(self.take()?))),
            0xd2 => number(f64::from(i32::from_be_bytes(self.take()?))),
            0xd9 => {
                let len = self.length_1()?;
                self.text(len)
            }
            0xda => {
                let len = self.length_2()?;
                self.text(len)
            }
            0xdb => {
                let len = self.length_4()?;
                self.text(len)
            }
            0xdc | 0xde => {
                let len = self.length_2()?;
                self.table(len, first == 0xde)
            }
            0xdd | 0xdf => {
                let len = self.length_4()?;
                self.table(len, first == 0xdf)
            }
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => Err(Bad::Format),
        }
    }
}

/// Reads up to `limit` values from an offset on. Without both, reads all, and returns no offset.
fn unpack_from(arguments: &Arguments<'_>, limit: i64, offset: i64) -> mlua::Result<MultiValue> {
    let lua = arguments.lua;
    let bytes = arguments.string(1)?;
    let all = limit == 0 && offset == 0;
    if offset < 0 || limit < 0 {
        let text = format!(
            "Invalid request to unpack with offset of {} and limit of {}.",
            offset as i32,
            bytes.len()
        );
        return Err(failure(lua, text));
    }
    let Some(rest) = bytes.get(offset as usize..) else {
        let len = bytes.len();
        let text = format!("Start offset {offset} greater than input length {len}.");
        return Err(failure(lua, text));
    };
    let most = if all { i32::MAX as usize } else { limit as usize };
    let mut cursor = Cursor { lua, rest, depth: 0 };
    let mut values: Vec<Value> = Vec::new();
    while !cursor.rest.is_empty() && values.len() < most {
        values.push(cursor.value().map_err(|bad| match bad {
            Bad::Missing => failure(lua, "Missing bytes in input."),
            Bad::Format => failure(lua, "Bad data format in input."),
            Bad::Lua(error) => error,
        })?);
    }
    if !all {
        let left = cursor.rest.len();
        let next = if left == 0 { -1.0 } else { (bytes.len() - left) as f64 };
        values.insert(0, Value::Number(next));
    }
    Ok(values.into_iter().collect())
}

fn unpack(lua: &Lua, values: MultiValue) -> mlua::Result<MultiValue> {
    unpack_from(&Arguments::new(lua, values), 0, 0)
}

fn unpack_one(lua: &Lua, values: MultiValue) -> mlua::Result<MultiValue> {
    let arguments = Arguments::new(lua, values);
    let offset = arguments.integer_or(2, 0)?;
    unpack_from(&arguments, 1, offset)
}

fn unpack_limit(lua: &Lua, values: MultiValue) -> mlua::Result<MultiValue> {
    let arguments = Arguments::new(lua, values);
    let (limit, offset) = (arguments.integer(2)?, arguments.integer_or(3, 0)?);
    unpack_from(&arguments, limit, offset)
}

/// Returns the library.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("unpack_one", lua.create_function(unpack_one)?)?;
    table.raw_set("unpack_limit", lua.create_function(unpack_limit)?)?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}
