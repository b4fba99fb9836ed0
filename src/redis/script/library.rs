//! `redis.register_function`: how a library registers its functions while it is loaded.
//!
//! Source: `function_lua.c` (`luaRegisterFunction`), `functions.c` (`functionLibCreateFunction`).

use super::Script;
use super::api::worded;
use super::native::{Raised, raised, text_of};
use super::table;
use crate::redis::version::Profile;
use mlua::{Function, Lua, MultiValue, Table, Value};
use std::sync::{Arc, Mutex, MutexGuard};

/// The names of the flags, as `FUNCTION LIST` orders them.
pub(crate) const FLAGS: [&str; 5] =
    ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"];

/// A function that a library has registered.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) name: Vec<u8>,
    pub(crate) description: Option<Vec<u8>>,
    pub(crate) callback: Script,
    /// Indices of [`FLAGS`], each once, ascending.
    pub(crate) flags: Vec<usize>,
}

/// The functions registered so far, while a library is loaded.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending(Arc<Mutex<Option<Vec<Registration>>>>);

impl Pending {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Registration>>> {
        self.0.lock().expect("nothing panics while it registers a function")
    }

    pub(super) fn begin(&self) {
        *self.lock() = Some(Vec::new());
    }

    pub(super) fn end(&self) -> Vec<Registration> {
        self.lock().take().unwrap_or_default()
    }

    /// Adds a function. In versions where Lua is an engine, [`check`] checks it.
    fn register(&self, registration: Registration, is_checked: bool) -> Result<(), &'static str> {
        let mut pending = self.lock();
        let Some(functions) = pending.as_mut() else {
            return Err("redis.register_function can only be called on FUNCTION LOAD command");
        };
        if is_checked && !is_name(&registration.name) {
            return Err("Library names can only contain letters, numbers, or underscores(_) and \
                        must be at least one character long");
        }
        if is_checked && functions.iter().any(|known| known.name == registration.name) {
            return Err(EXISTS);
        }
        functions.push(registration);
        Ok(())
    }
}

const EXISTS: &str = "Function already exists in the library";

/// Returns the functions that a library has registered, unless one of them is refused.
pub(super) fn check(
    functions: Vec<Registration>,
    profile: &Profile,
) -> Result<Vec<Registration>, String> {
    if profile.lua.is_an_engine {
        for (at, function) in functions.iter().enumerate() {
            if !is_name(&function.name) {
                return Err("Function names can only contain letters, numbers, or underscores(_) \
                            and must be at least one character long"
                    .to_owned());
            }
            if functions[..at].iter().any(|known| known.name == function.name) {
                return Err(EXISTS.to_owned());
            }
        }
    }
    Ok(functions)
}

/// Returns whether a text is a valid name of a library or a function.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn read_flags(lua: &Lua, flags: &Table) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for value in table::elements(flags) {
        let word = text_of(lua, &value.ok()?)?;
        let flag = FLAGS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(&word))?;
        found.push(flag);
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

fn by_names(lua: &Lua, given: &Value) -> Result<Registration, &'static str> {
    let Value::Table(given) = given else {
        return Err(
            "calling redis.register_function with a single argument is only applicable to \
                    Lua table (representing named arguments).",
        );
    };
    let (mut name, mut description, mut callback, mut flags) = (None, None, None, Vec::new());
    for (key, value) in table::pairs(given).flatten() {
        let Some(key) = text_of(lua, &key) else {
            return Err("named argument key given to redis.register_function is not a string");
        };
        match key.to_ascii_lowercase().as_slice() {
            b"function_name" => {
                name = Some(text_of(lua, &value).ok_or(
                    "function_name argument given to redis.register_function must be a string",
                )?);
            }
            b"description" => {
                description = Some(text_of(lua, &value).ok_or(
                    "description argument given to redis.register_function must be a string",
                )?);
            }
            b"callback" => {
                let Value::Function(function) = value else {
                    return Err("callback argument given to redis.register_function must be a \
                                function");
                };
                callback = Some(function);
            }
            b"flags" => {
                let Value::Table(given) = value else {
                    return Err("flags argument to redis.register_function must be a table \
                                representing function flags");
                };
                flags = read_flags(lua, &given).ok_or("unknown flag given")?;
            }
            _ => return Err("unknown argument given to redis.register_function"),
        }
    }
    let name = name.ok_or("redis.register_function must get a function name argument")?;
    let callback = callback.ok_or("redis.register_function must get a callback argument")?;
    Ok(Registration { name, description, callback: Script(callback), flags })
}

fn by_position(lua: &Lua, name: &Value, callback: &Value) -> Result<Registration, &'static str> {
    let name = text_of(lua, name);
    let name = name.ok_or("first argument to redis.register_function must be a string")?;
    let Value::Function(callback) = callback else {
        return Err("second argument to redis.register_function must be a function");
    };
    let callback = Script(Function::clone(callback));
    Ok(Registration { name, description: None, callback, flags: Vec::new() })
}

/// Returns the table `redis` that a library has while it is loaded.
pub(super) fn api(lua: &Lua, pending: &Pending, profile: &'static Profile) -> mlua::Result<Table> {
    let pending = pending.clone();
    let register = move |lua: &Lua, values: MultiValue| {
        if pending.lock().is_none() {
            let text = "redis.register_function can only be called on FUNCTION LOAD command";
            return Err(refuse(profile, text));
        }
        let values: Vec<Value> = values.into_iter().collect();
        let read = match &values[..] {
            [given] => by_names(lua, given),
            [name, callback] => by_position(lua, name, callback),
            _ => Err("wrong number of arguments to redis.register_function"),
        };
        read.and_then(|registration| pending.register(registration, !profile.lua.is_an_engine))
            .map_err(|text| refuse(profile, text))
    };
    let table = lua.create_table()?;
    table.raw_set("register_function", lua.create_function(register)?)?;
    Ok(table)
}

fn refuse(profile: &Profile, text: &str) -> mlua::Error {
    Raised::Reply(format!("ERR {}", worded(profile, text)).into_bytes(), false).into()
}

/// Returns what an error says that stopped a library.
pub(super) fn message(error: &mlua::Error) -> String {
    match raised(error) {
        Some(Raised::Reply(text, _)) => String::from_utf8_lossy(text).into_owned(),
        Some(Raised::Text(text)) => format!("ERR {}", String::from_utf8_lossy(text)),
        None => match error {
            mlua::Error::RuntimeError(text) => {
                format!("ERR {}", text.split("\nstack traceback:").next().unwrap_or_default())
            }
            other => format!("ERR {other}"),
        },
    }
}
