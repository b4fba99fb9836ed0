//! The library `bit`: operations on 32-bit integers.
//!
//! Source: the Lua library `LuaBitOp`, as Redis includes it (`lua_bit.c`).

use super::native::Arguments;
use mlua::{Lua, MultiValue, Table, Value};

/// Returns an argument as 32 bits. Numbers are rounded and wrap around.
fn bits(arguments: &Arguments<'_>, number: usize) -> mlua::Result<u32> {
    let n = arguments.number(number)? + 6_755_399_441_055_744.0;
    Ok(n.to_bits() as u32)
}

fn signed(bits: u32) -> Value {
    Value::Number(f64::from(bits as i32))
}

/// Adds a function of all arguments.
fn add_fold(lua: &Lua, table: &Table, name: &str, fold: fn(u32, u32) -> u32) -> mlua::Result<()> {
    let function = move |lua: &Lua, values: MultiValue| {
        let arguments = Arguments::new(lua, values);
        let mut result = bits(&arguments, 1)?;
        for number in (2..=arguments.len()).rev() {
            result = fold(result, bits(&arguments, number)?);
        }
        Ok(signed(result))
    };
    table.raw_set(name, lua.create_function(function)?)
}

/// Adds a function of bits and a number of places.
fn add_shift(lua: &Lua, table: &Table, name: &str, shift: fn(u32, u32) -> u32) -> mlua::Result<()> {
    let function = move |lua: &Lua, values: MultiValue| {
        let arguments = Arguments::new(lua, values);
        let (value, by) = (bits(&arguments, 1)?, bits(&arguments, 2)? & 31);
        Ok(signed(shift(value, by)))
    };
    table.raw_set(name, lua.create_function(function)?)
}

/// Adds a function of one argument.
fn add_unary(lua: &Lua, table: &Table, name: &str, of: fn(u32) -> u32) -> mlua::Result<()> {
    let function =
        move |lua: &Lua, values: MultiValue| Ok(signed(of(bits(&Arguments::new(lua, values), 1)?)));
    table.raw_set(name, lua.create_function(function)?)
}

/// `bit.tohex(x [, digits])`. A negative number of digits selects upper case.
fn to_hex(lua: &Lua, values: MultiValue) -> mlua::Result<mlua::String> {
    let arguments = Arguments::new(lua, values);
    let value = bits(&arguments, 1)?;
    let digits = if arguments.len() < 2 { 8 } else { bits(&arguments, 2)? as i32 };
    let text = if digits < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    let shown = digits.unsigned_abs().min(8) as usize;
    lua.create_string(&text[8 - shown..])
}

/// Returns the library.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    add_unary(lua, &table, "tobit", |b| b)?;
    add_unary(lua, &table, "bnot", |b| !b)?;
    add_unary(lua, &table, "bswap", u32::swap_bytes)?;
    add_fold(lua, &table, "band", |a, b| a & b)?;
    add_fold(lua, &table, "bor", |a, b| a | b)?;
    add_fold(lua, &table, "bxor", |a, b| a ^ b)?;
    add_shift(lua, &table, "lshift", |b, n| b << n)?;
    add_shift(lua, &table, "rshift", |b, n| b >> n)?;
    add_shift(lua, &table, "arshift", |b, n| ((b as i32) >> n) as u32)?;
    add_shift(lua, &table, "rol", u32::rotate_left)?;
    add_shift(lua, &table, "ror", u32::rotate_right)?;
    table.raw_set("tohex", lua.create_function(to_hex)?)?;
    Ok(table)
}
