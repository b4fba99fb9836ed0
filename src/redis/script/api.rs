//! The table `redis` of scripts.
//!
//! Its functions exist as long as the interpreter; what they do depends on the run. A run puts one
//! function into a slot, which has access to the server. Without it there is no run, and functions
//! that need one say so. For `EVAL`, which leaves nothing behind that a later run could call, that
//! function is `redis.call` itself.
//!
//! Source: `script_lua.c` (`luaRegisterRedisAPI`), `eval.c` (`scriptingInit`).

use super::convert::{self, Words};
use super::meter::Meter;
use super::native::{Arguments, Raised, number_of, text_of};
use crate::redis::database::sha1::sha1;
use crate::redis::reply::Protocol;
use crate::redis::version::{Numbers, Profile};
use mlua::{Function, Lua, MultiValue, Table, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Name of the function that runs a command.
pub(super) const CALL: &str = "call";

/// What a function asks of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Run a command.
    Call,
    /// Run a command, and return its error as a table.
    TryCall,
    /// Whether the user may run a command.
    MayCall,
}

/// A request to the run. The words are `None` if they are no words.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) ask: Ask,
    pub(super) words: Option<Words>,
}

/// The place where functions that outlive a run find it. A request is handed over beside Lua, whose
/// stack has no room for the same thousands of words twice.
#[derive(Debug)]
pub(super) struct Slot {
    run: Mutex<Option<Function>>,
    asked: Mutex<Option<Asked>>,
    profile: &'static Profile,
}

impl Slot {
    /// Returns an empty slot of a server of this version.
    pub(super) fn new(profile: &'static Profile) -> Slot {
        Slot { profile, run: Mutex::default(), asked: Mutex::default() }
    }

    pub(super) fn numbers(&self) -> Numbers {
        self.profile.numbers
    }

    pub(super) fn fill(&self, run: Function) {
        *lock(&self.run) = Some(run);
    }

    pub(super) fn clear(&self) {
        *lock(&self.run) = None;
        *lock(&self.asked) = None;
    }

    /// Returns the request that the run answers, unless it was called itself.
    pub(super) fn take(&self) -> Option<Asked> {
        lock(&self.asked).take()
    }

    fn ask(&self, name: &str, ask: Ask, values: MultiValue) -> mlua::Result<Value> {
        let run = self.within_run(name)?;
        let mut words = Words::default();
        let words = words.fill(values, self.numbers()).map(|()| words);
        *lock(&self.asked) = Some(Asked { ask, words });
        let answer = run.call(());
        // Lua may have had no room to call the run, which then must not find the request later.
        *lock(&self.asked) = None;
        answer
    }

    /// Returns the run, or the error of a function that was called outside of one.
    fn within_run(&self, name: &str) -> mlua::Result<Function> {
        lock(&self.run).clone().ok_or_else(|| {
            let text = format!("{name} can only be called inside a script invocation");
            reply_error(&worded(self.profile, &text))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reply_error(text: &str) -> mlua::Error {
    Raised::Reply(format!("ERR {text}").into_bytes(), false).into()
}

/// Returns a text in the words of a version: Valkey calls the table `redis` `server`.
pub(super) fn worded(profile: &Profile, text: &str) -> String {
    if profile.lua.has_server { text.replacen("redis.", "server.", 1) } else { text.to_owned() }
}

/// Returns an error's text with a code: `-CODE text` has its own, everything else gets `ERR`.
fn with_code(text: &[u8]) -> Vec<u8> {
    // C's text ends with a NUL.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let Some(rest) = text.strip_prefix(b"-") else { return [b"ERR ", text].concat() };
    let (code, message) = match rest.iter().position(|byte| *byte == b' ') {
        Some(space) => (&rest[..space], &rest[space + 1..]),
        None => (&b"ERR"[..], rest),
    };
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = message.iter().take_while(|byte| is_end(byte)).count();
    let message = &message[start..];
    let end = message.iter().rev().take_while(|byte| is_end(byte)).count();
    [code, b" ", &message[..message.len() - end]].concat()
}

/// Adds `redis.call`, `redis.pcall` and `redis.acl_check_cmd`.
fn add_calls(lua: &Lua, api: &Table, slot: &Arc<Slot>) -> mlua::Result<()> {
    let functions = [
        (CALL, "redis.call/pcall", Ask::Call),
        ("pcall", "redis.call/pcall", Ask::TryCall),
        ("acl_check_cmd", "redis.acl_check_cmd", Ask::MayCall),
    ];
    for (name, shown, ask) in functions {
        let own = Arc::clone(slot);
        let function = move |_: &Lua, values: MultiValue| own.ask(shown, ask, values);
        api.raw_set(name, lua.create_function(function)?)?;
    }
    Ok(())
}

/// `redis.error_reply(text)` and `redis.status_reply(text)`.
fn add_replies(lua: &Lua, api: &Table) -> mlua::Result<()> {
    let only_text = |values: &MultiValue| match values.iter().collect::<Vec<_>>()[..] {
        [Value::String(text)] => Some(text.as_bytes().to_vec()),
        _ => None,
    };
    let wrong =
        |lua: &Lua| convert::error_table(lua, b"ERR wrong number or type of arguments", false);
    let error_reply = move |lua: &Lua, values: MultiValue| {
        let Some(text) = only_text(&values) else { return wrong(lua) };
        let text = if text.starts_with(b"-") { text } else { [b"-", &text[..]].concat() };
        convert::error_table(lua, &with_code(&text), false)
    };
    api.raw_set("error_reply", lua.create_function(error_reply)?)?;
    let status_reply = move |lua: &Lua, values: MultiValue| {
        let Some(text) = only_text(&values) else { return wrong(lua) };
        let table = lua.create_table()?;
        table.raw_set("ok", lua.create_string(text)?)?;
        Ok(Value::Table(table))
    };
    api.raw_set("status_reply", lua.create_function(status_reply)?)
}

/// Levels of `redis.log`.
const LEVELS: [(&str, i64); 4] =
    [("LOG_DEBUG", 0), ("LOG_VERBOSE", 1), ("LOG_NOTICE", 2), ("LOG_WARNING", 3)];

/// Adds `redis.log` and the version, which libraries also have while they are loaded.
pub(super) fn add_log_and_version(
    lua: &Lua,
    api: &Table,
    profile: &'static Profile,
) -> mlua::Result<()> {
    // There is no log, so the arguments are only checked.
    let log = move |lua: &Lua, values: MultiValue| -> mlua::Result<()> {
        let arguments = Arguments::new(lua, values);
        if arguments.len() < 2 {
            return Err(reply_error(&worded(
                profile,
                "redis.log() requires two arguments or more.",
            )));
        }
        let Some(level) = number_of(lua, &arguments.values[0]) else {
            return Err(reply_error("First argument must be a number (log level)."));
        };
        if !(0..=3).contains(&(level as i64)) {
            let of = if profile.lua.levels_are_of_log { "log" } else { "debug" };
            return Err(reply_error(&format!("Invalid {of} level.")));
        }
        Ok(())
    };
    api.raw_set("log", lua.create_function(log)?)?;
    for (name, level) in LEVELS {
        api.raw_set(name, level)?;
    }
    let version = profile.product.redis_number;
    api.raw_set("REDIS_VERSION", version)?;
    api.raw_set("REDIS_VERSION_NUM", number_of_version(version))?;
    if profile.lua.has_server {
        api.raw_set("SERVER_NAME", profile.product.name)?;
        api.raw_set("VALKEY_VERSION", profile.product.number)?;
        api.raw_set("VALKEY_VERSION_NUM", number_of_version(profile.product.number))?;
    }
    Ok(())
}

/// Returns a version as a number with a byte for each part.
fn number_of_version(version: &str) -> i64 {
    version.split('.').fold(0, |n, part| n << 8 | part.parse::<i64>().unwrap_or(0))
}

/// Returns the table `os`, whose one function is a clock in virtual time: it shows the seconds that
/// the script has run.
pub(super) fn clock(lua: &Lua, meter: &Arc<Meter>) -> mlua::Result<Table> {
    let meter = Arc::clone(meter);
    let clock = move |_: &Lua, _: MultiValue| Ok(meter.elapsed() as f64 / 1000.0);
    let os = lua.create_table()?;
    os.raw_set("clock", lua.create_function(clock)?)?;
    Ok(os)
}

/// The flag of `redis.set_repl` for replicas.
const REPLICAS: i64 = 2;

fn add_settings(lua: &Lua, api: &Table, slot: &Arc<Slot>, meter: &Arc<Meter>) -> mlua::Result<()> {
    let (own, shared) = (Arc::clone(slot), Arc::clone(meter));
    let set_protocol = move |lua: &Lua, values: MultiValue| {
        own.within_run("redis.setresp")?;
        let arguments = Arguments::new(lua, values);
        if arguments.len() != 1 {
            let text = worded(own.profile, "redis.setresp() requires one argument.");
            return Err(reply_error(&text));
        }
        match number_of(lua, &arguments.values[0]).map_or(0, |n| n as i64) {
            2 => shared.set_protocol(Protocol::Resp2),
            3 => shared.set_protocol(Protocol::Resp3),
            _ => return Err(reply_error("RESP version must be 2 or 3.")),
        }
        Ok(())
    };
    api.raw_set("setresp", lua.create_function(set_protocol)?)?;
    let (own, shared) = (Arc::clone(slot), Arc::clone(meter));
    // The append-only file keeps what a key became, so no change can be missing there.
    let set_replication = move |lua: &Lua, values: MultiValue| {
        own.within_run("redis.set_repl")?;
        let arguments = Arguments::new(lua, values);
        if arguments.len() != 1 {
            let number = if own.profile.lua.set_repl_requires_one {
                "one argument"
            } else {
                "two arguments"
            };
            let text = format!("redis.set_repl() requires {number}.");
            return Err(reply_error(&worded(own.profile, &text)));
        }
        let flags = number_of(lua, &arguments.values[0]).map_or(0, |n| n as i64);
        if flags & !3 != 0 {
            return Err(reply_error(
                "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
            ));
        }
        shared.set_replicates(flags & REPLICAS != 0);
        Ok(())
    };
    api.raw_set("set_repl", lua.create_function(set_replication)?)?;
    let flags = [
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", REPLICAS),
        ("REPL_REPLICA", REPLICAS),
        ("REPL_ALL", 3),
    ];
    for (name, flag) in flags {
        api.raw_set(name, flag)?;
    }
    Ok(())
}

/// Returns the table.
pub(super) fn table(
    lua: &Lua,
    slot: &Arc<Slot>,
    meter: &Arc<Meter>,
    profile: &'static Profile,
) -> mlua::Result<Table> {
    let api = lua.create_table()?;
    add_calls(lua, &api, slot)?;
    add_replies(lua, &api)?;
    add_log_and_version(lua, &api, profile)?;
    add_settings(lua, &api, slot, meter)?;
    let sha1hex = |lua: &Lua, values: MultiValue| {
        let arguments = Arguments::new(lua, values);
        if arguments.len() != 1 {
            return Err(reply_error("wrong number of arguments"));
        }
        Ok(hex(&sha1(&text_of(lua, &arguments.values[0]).unwrap_or_default())))
    };
    api.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    Ok(api)
}

/// Adds the functions that only `EVAL` has: those of the debugger, which is never active.
pub(super) fn add_debugging(lua: &Lua, api: &Table) -> mlua::Result<()> {
    api.raw_set("breakpoint", lua.create_function(|_, _: MultiValue| Ok(false))?)?;
    api.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    api.raw_set("replicate_commands", lua.create_function(|_, _: MultiValue| Ok(true))?)
}

/// Returns bytes as hexadecimal digits in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
