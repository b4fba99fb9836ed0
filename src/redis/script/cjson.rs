//! The library `cjson`: its functions and their settings.
//!
//! `encode` and `decode` have the two directions. The settings belong to the library's
//! table: `cjson.new()` returns another with its own. As in Redis, settings that a script changes
//! stay changed for later scripts.
//!
//! Source: Mark Pulford's Lua CJSON 2.1.0, as Redis includes it (`lua_cjson.c`).

mod decode;
mod encode;

use super::native::{Arguments, bad_argument};

use mlua::{Function, Lua, MultiValue, Table, Value};
use std::sync::{Arc, Mutex, MutexGuard};

/// The settings of one table of the library.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Arrays that are too sparse are written as objects, instead of being an error.
    pub(super) sparse_convert: bool,
    /// An array is too sparse if its greatest index exceeds its elements times this, and `safe`.
    pub(super) sparse_ratio: i32,
    pub(super) sparse_safe: i32,
    pub(super) encode_depth: i32,
    pub(super) decode_depth: i32,
    /// How infinities and NaN are written: 0 is an error, 1 as they are, 2 as `null`.
    pub(super) encode_invalid: usize,
    /// Whether numbers that JSON does not allow are read.
    pub(super) decode_invalid: bool,
    /// Number of significant digits that are written.
    pub(super) precision: i32,
    keep_buffer: bool,
    /// A table is an array if its metatable says so.
    pub(super) knows_arrays: bool,
    /// Arrays that are read get such a metatable.
    pub(super) marks_arrays: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1_000,
            decode_depth: 1_000,
            encode_invalid: 0,
            decode_invalid: true,
            precision: 14,
            keep_buffer: true,
            knows_arrays: false,
            marks_arrays: false,
        }
    }
}

/// The settings, shared by the functions of one table.
type Shared = Arc<Mutex<Settings>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Settings> {
    shared.lock().expect("no function of the library panics while it holds the settings")
}

/// Returns the arguments of a function that has at most this many.
fn at_most(lua: &Lua, values: MultiValue, most: usize) -> mlua::Result<Arguments<'_>> {
    let arguments = Arguments::new(lua, values);
    if arguments.len() > most {
        return Err(bad_argument(lua, most + 1, "found too many arguments"));
    }
    Ok(arguments)
}

/// Sets an integer if the argument is given. Returns it.
fn set_integer(
    arguments: &Arguments<'_>,
    number: usize,
    setting: &mut i32,
    least: i32,
    most: i32,
) -> mlua::Result<Value> {
    if arguments.values.get(number - 1).is_some_and(|value| !value.is_nil()) {
        let value = arguments.integer(number)? as i32;
        if !(least..=most).contains(&value) {
            let problem = format!("expected integer between {least} and {most}");
            return Err(bad_argument(arguments.lua, 1, &problem));
        }
        *setting = value;
    }
    Ok(Value::Number(f64::from(*setting)))
}

/// Sets one of several choices if the argument is given. A boolean is the first or the second.
/// Returns the choice.
fn set_choice(
    arguments: &Arguments<'_>,
    number: usize,
    setting: &mut usize,
    choices: &[&str],
) -> mlua::Result<Value> {
    match arguments.values.get(number - 1) {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(yes)) => *setting = usize::from(*yes),
        Some(_) => {
            let given = arguments.string(number)?;
            let found = choices.iter().position(|choice| choice.as_bytes() == given);
            let problem = || format!("invalid option '{}'", String::from_utf8_lossy(&given));
            *setting = found.ok_or_else(|| bad_argument(arguments.lua, number, &problem()))?;
        }
    }
    match *setting {
        0 => Ok(Value::Boolean(false)),
        1 => Ok(Value::Boolean(true)),
        other => Ok(Value::String(arguments.lua.create_string(choices[other])?)),
    }
}

const SWITCH: [&str; 2] = ["off", "on"];

fn set_switch(arguments: &Arguments<'_>, number: usize, setting: &mut bool) -> mlua::Result<Value> {
    let mut choice = usize::from(*setting);
    let value = set_choice(arguments, number, &mut choice, &SWITCH)?;
    *setting = choice == 1;
    Ok(value)
}

fn encode_sparse_array(
    settings: &mut Settings,
    arguments: &Arguments<'_>,
) -> mlua::Result<MultiValue> {
    let convert = set_switch(arguments, 1, &mut settings.sparse_convert)?;
    let ratio = set_integer(arguments, 2, &mut settings.sparse_ratio, 0, i32::MAX)?;
    let safe = set_integer(arguments, 3, &mut settings.sparse_safe, 0, i32::MAX)?;
    Ok([convert, ratio, safe].into_iter().collect())
}

fn encode_max_depth(
    settings: &mut Settings,
    arguments: &Arguments<'_>,
) -> mlua::Result<MultiValue> {
    let value = set_integer(arguments, 1, &mut settings.encode_depth, 1, i32::MAX)?;
    Ok([value].into_iter().collect())
}

fn decode_max_depth(
    settings: &mut Settings,
    arguments: &Arguments<'_>,
) -> mlua::Result<MultiValue> {
    let value = set_integer(arguments, 1, &mut settings.decode_depth, 1, i32::MAX)?;
    Ok([value].into_iter().collect())
}

fn encode_number_precision(
    settings: &mut Settings,
    arguments: &Arguments<'_>,
) -> mlua::Result<MultiValue> {
    let value = set_integer(arguments, 1, &mut settings.precision, 1, 14)?;
    Ok([value].into_iter().collect())
}

fn encode_keep_buffer(
    settings: &mut Settings,
    arguments: &Arguments<'_>,
) -> mlua::Result<MultiValue> {
    Ok([set_switch(arguments, 1, &mut settings.keep_buffer)?].into_iter().collect())
}

fn encode_invalid_numbers(
    settings: &mut Settings,
    arguments: &Arguments<'_>,
) -> mlua::Result<MultiValue> {
    let choices = ["off", "on", "null"];
    let value = set_choice(arguments, 1, &mut settings.encode_invalid, &choices)?;
    Ok([value].into_iter().collect())
}

fn decode_invalid_numbers(
    settings: &mut Settings,
    arguments: &Arguments<'_>,
) -> mlua::Result<MultiValue> {
    Ok([set_switch(arguments, 1, &mut settings.decode_invalid)?].into_iter().collect())
}

fn decode_array_with_array_mt(
    settings: &mut Settings,
    arguments: &Arguments<'_>,
) -> mlua::Result<MultiValue> {
    Ok([set_switch(arguments, 1, &mut settings.marks_arrays)?].into_iter().collect())
}

/// The field of a metatable that makes its table an array.
pub(super) const IS_ARRAY: &str = "__is_cjson_array";

/// The setter that only libraries have that know of arrays.
const ARRAY_SETTER: (&str, usize, Setter) =
    ("decode_array_with_array_mt", 1, decode_array_with_array_mt);

/// A function that reads and changes settings.
type Setter = fn(&mut Settings, &Arguments<'_>) -> mlua::Result<MultiValue>;

/// The functions for settings, and their greatest number of arguments.
const SETTERS: [(&str, usize, Setter); 7] = [
    ("encode_sparse_array", 3, encode_sparse_array),
    ("encode_max_depth", 1, encode_max_depth),
    ("decode_max_depth", 1, decode_max_depth),
    ("encode_number_precision", 1, encode_number_precision),
    ("encode_keep_buffer", 1, encode_keep_buffer),
    ("encode_invalid_numbers", 1, encode_invalid_numbers),
    ("decode_invalid_numbers", 1, decode_invalid_numbers),
];

/// Returns the one argument of `encode` or `decode`.
fn only_argument(lua: &Lua, values: MultiValue) -> mlua::Result<Arguments<'_>> {
    if values.len() != 1 {
        return Err(bad_argument(lua, 1, "expected 1 argument"));
    }
    Ok(Arguments::new(lua, values))
}

/// Returns the library, with settings of its own. `format` is Lua's `string.format`, and `next` its
/// function of that name. `knows_arrays` decides whether metatables can make tables arrays.
pub(super) fn library(
    lua: &Lua,
    format: &Function,
    next: &Function,
    knows_arrays: bool,
) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let shared = Arc::new(Mutex::new(Settings { knows_arrays, ..Settings::default() }));
    let own = shared.clone();
    let used = (format.clone(), next.clone());
    let encode = move |lua: &Lua, values: MultiValue| {
        let arguments = only_argument(lua, values)?;
        let settings = lock(&own).clone();
        encode::encode(lua, &settings, (&used.0, &used.1), &arguments.values[0])
    };
    table.raw_set("encode", lua.create_function(encode)?)?;

    let own = shared.clone();
    let decode = move |lua: &Lua, values: MultiValue| {
        let text = only_argument(lua, values)?.string(1)?;
        let settings = lock(&own).clone();
        decode::decode(lua, &settings, &text)
    };
    table.raw_set("decode", lua.create_function(decode)?)?;

    let of_arrays = knows_arrays.then_some(ARRAY_SETTER);
    for (name, most, set) in SETTERS.into_iter().chain(of_arrays) {
        let own = shared.clone();
        let function =
            move |lua: &Lua, values: MultiValue| set(&mut lock(&own), &at_most(lua, values, most)?);
        table.raw_set(name, lua.create_function(function)?)?;
    }
    let (format, next) = (format.clone(), next.clone());
    table.raw_set(
        "new",
        lua.create_function(move |lua, ()| library(lua, &format, &next, knows_arrays))?,
    )?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}
