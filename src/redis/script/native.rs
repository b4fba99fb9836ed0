//! What the functions of Lua's C libraries share: arguments, their errors, errors with a position.
//!
//! A native function fails with a [`Raised`]. A script sees it as a text or as a table, never as
//! the Rust error that it is on its way (`plain_error` in `sandbox.lua`).
//!
//! Source: Lua 5.1's `lauxlib.c` (`luaL_argerror`, `luaL_typerror`, `luaL_error`).

use mlua::{Error, Lua, MultiValue, Value};

/// Name of the sandbox's chunk, by which its functions are known.
pub(super) const SANDBOX: &str = "=[sandbox]";

/// What a native function raises.
#[derive(Clone, Debug)]
pub(super) enum Raised {
    /// A text, with the position of the caller if it has one.
    Text(Vec<u8>),
    /// An error of a command: a table with the field `err`. The second field tells whether the
    /// server has counted it.
    Reply(Vec<u8>, bool),
}

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Raised::Text(text) | Raised::Reply(text, _)) = self;
        f.write_str(&String::from_utf8_lossy(text))
    }
}

impl std::error::Error for Raised {}

impl From<Raised> for Error {
    fn from(raised: Raised) -> Error {
        Error::external(raised)
    }
}

/// Returns what a native function raised, if an error is of that kind.
pub(super) fn raised(error: &Error) -> Option<&Raised> {
    match error {
        Error::CallbackError { cause, .. } => raised(cause),
        Error::ExternalError(error) => error.downcast_ref(),
        Error::WithContext { cause, .. } => raised(cause),
        _ => None,
    }
}

/// Returns the place of the function at a level of the stack, as Lua's messages begin: `chunk:1: `.
fn place(lua: &Lua, level: usize) -> String {
    let of = |debug: &mlua::Debug<'_>| {
        let line = debug.current_line()?;
        Some(format!("{}:{line}: ", debug.source().short_src?))
    };
    lua.inspect_stack(level, of).flatten().unwrap_or_default()
}

/// Returns an error of the running native function, with the place of its caller.
pub(super) fn failure(lua: &Lua, text: impl AsRef<str>) -> Error {
    Raised::Text(format!("{}{}", place(lua, 1), text.as_ref()).into_bytes()).into()
}

/// Returns the error of an argument, counted from 1.
pub(super) fn bad_argument(lua: &Lua, number: usize, problem: &str) -> Error {
    let name = lua.inspect_stack(0, |debug| debug.names().name.map(|name| name.into_owned()));
    let name = name.flatten().unwrap_or_else(|| "?".to_owned());
    failure(lua, format!("bad argument #{number} to '{name}' ({problem})"))
}

/// Name of a value's type, as Lua's messages show it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::Error(_) | Value::LightUserData(_) => "userdata",
        other => other.type_name(),
    }
}

/// The arguments of a native function.
pub(super) struct Arguments<'a> {
    pub(super) lua: &'a Lua,
    pub(super) values: Vec<Value>,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(lua: &'a Lua, values: MultiValue) -> Arguments<'a> {
        Arguments { lua, values: values.into_iter().collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns the error of an argument of a wrong type. Arguments are counted from 1.
    fn type_error(&self, number: usize, expected: &str) -> Error {
        let got = self.values.get(number - 1).map_or("no value", type_name);
        bad_argument(self.lua, number, &format!("{expected} expected, got {got}"))
    }

    /// Returns the bytes of a string or a number.
    pub(super) fn string(&self, number: usize) -> mlua::Result<Vec<u8>> {
        let value = self.values.get(number - 1);
        let text = value.and_then(|value| text_of(self.lua, value));
        text.ok_or_else(|| self.type_error(number, "string"))
    }

    /// Returns a number, or the number that a string shows.
    pub(super) fn number(&self, number: usize) -> mlua::Result<f64> {
        let value = self.values.get(number - 1);
        let found = value.and_then(|value| number_of(self.lua, value));
        found.ok_or_else(|| self.type_error(number, "number"))
    }

    /// Returns a number as an integer: without its fraction, and within the range.
    pub(super) fn integer(&self, number: usize) -> mlua::Result<i64> {
        Ok(self.number(number)? as i64)
    }

    /// Returns a number as an integer, or a default if it is missing.
    pub(super) fn integer_or(&self, number: usize, default: i64) -> mlua::Result<i64> {
        match self.values.get(number - 1) {
            None | Some(Value::Nil) => Ok(default),
            Some(_) => self.integer(number),
        }
    }
}

/// Returns the number that a value is, or that its text shows.
pub(super) fn number_of(lua: &Lua, value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Number(n) => Some(*n),
        Value::String(_) => lua.coerce_number(value.clone()).ok().flatten(),
        _ => None,
    }
}

/// Returns the bytes of a string, or of a number's text.
pub(super) fn text_of(lua: &Lua, value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => {
            let text = lua.coerce_string(value.clone()).ok().flatten()?;
            Some(text.as_bytes().to_vec())
        }
        _ => None,
    }
}
