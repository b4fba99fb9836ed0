//! Scripts: Lua as `EVAL` and `FCALL` run it.
//!
//! An [`Interpreter`] is one state of Lua 5.1 in a sandbox (`script/sandbox.lua`), with the
//! libraries that Redis adds: `cjson`, `cmsgpack`, `struct`, `bit` and `redis` (`api`). It knows no
//! server: during a run, a [`Host`] runs its commands. The server owns two interpreters, as Redis
//! does: one for `EVAL`, one for functions.
//!
//! A run is a function of the script, its arguments, the host's answers and what earlier scripts
//! left in the interpreter (settings of `cjson`, the state of `math.random`). Nothing of the
//! machine reaches it: no file, clock or address. Its memory is bounded.
//!
//! Source: `script.c`, `script_lua.c`, `eval.c`, `function_lua.c`.

mod api;
mod bits;
mod cjson;
mod cmsgpack;
mod convert;
mod library;
mod meter;
mod native;
mod random;
mod structs;
mod table;

pub(crate) use api::hex;
pub(crate) use library::{FLAGS, is_name};
pub(crate) use meter::{Meter, Stop};

use crate::redis::reply::{ErrorReply, Reply};
use crate::redis::version::Profile;
use api::{Ask, Asked, CALL, Slot};
use convert::Words;
use library::{Pending, Registration};
use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value};
use native::{Raised, SANDBOX, failure, raised, text_of};
use random::Random;
use std::cell::RefCell;
use std::sync::Arc;

/// What a script needs of the server that runs it.
pub(crate) trait Host {
    /// Runs a command. The reply may be an error.
    fn call(&mut self, words: &[&[u8]], meter: &Meter) -> Called;

    /// Returns whether the script's user may run a command, or why that cannot be said.
    fn may_call(&mut self, words: &[&[u8]]) -> Result<bool, &'static str>;
}

/// The result of a command that a script calls.
pub(crate) enum Called {
    /// The command's reply, in the types of no particular protocol.
    Reply(Reply),
    /// The script must not run any further.
    Stop(Stop),
}

/// A compiled script or function.
#[derive(Clone, Debug)]
pub(crate) struct Script(Function);

/// The end of a run.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) reply: Reply,
    /// Whether the reply is an error that a command counted already.
    pub(crate) counted: bool,
}

/// Greatest memory of an interpreter in bytes, while a script runs. Conversions are not limited:
/// each step of them costs several times as much if it has to expect that memory is short.
const MEMORY: usize = 512 << 20;
/// No limit.
const UNLIMITED: usize = 0;

const NO_WORDS: &str = "ERR Lua redis lib command arguments must be strings or integers";
const NO_WORDS_OF_VALKEY: &str = "ERR Command arguments must be strings or integers";
const TOO_FEW: &str = "ERR Please specify at least one argument for this redis lib call";
const TOO_FEW_OF_VALKEY: &str = "ERR Please specify at least one argument for this call";

/// One state of Lua, in its sandbox.
#[derive(Debug)]
pub(crate) struct Interpreter {
    lua: Lua,
    /// The true table of globals, which scripts cannot change.
    globals: Table,
    run: Function,
    /// The true table `redis`.
    api: Table,
    slot: Arc<Slot>,
    meter: Arc<Meter>,
    random: Random,
    profile: &'static Profile,
    /// For functions: what the library that is loaded has registered, and the choice of globals.
    loading: Option<(Pending, Function)>,
}

/// Which globals an interpreter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `KEYS` and `ARGV`, and what `EVAL` has.
    Eval,
    /// Functions get their keys and arguments as parameters.
    Functions,
}

impl Interpreter {
    /// Returns a new interpreter for a server of this version.
    pub(crate) fn new(kind: Kind, profile: &'static Profile) -> Interpreter {
        Interpreter::build(kind, profile).expect("the sandbox is the same in every interpreter")
    }

    fn build(kind: Kind, profile: &'static Profile) -> mlua::Result<Interpreter> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        let globals = lua.globals();
        let meter = Arc::<Meter>::default();
        let random = Random::default();
        let slot = Arc::new(Slot::new(profile));

        let format: Function = globals.raw_get::<Table>("string")?.raw_get("format")?;
        let next: Function = globals.raw_get("next")?;
        globals
            .raw_set("cjson", cjson::library(&lua, &format, &next, profile.lua.marks_arrays)?)?;
        globals.raw_set("struct", structs::library(&lua)?)?;
        globals.raw_set("cmsgpack", cmsgpack::library(&lua)?)?;
        globals.raw_set("bit", bits::library(&lua)?)?;
        let api = api::table(&lua, &slot, &meter, profile)?;
        if kind == Kind::Eval {
            api::add_debugging(&lua, &api)?;
        }
        globals.raw_set("redis", &api)?;
        if profile.lua.has_server {
            globals.raw_set("server", &api)?;
        }
        if profile.lua.has_clock {
            globals.raw_set("os", api::clock(&lua, &meter)?)?;
        }
        random::replace(&lua, &globals.raw_get("math")?, &random)?;

        let native = lua.create_table()?;
        native.raw_set("no_such_global", lua.create_function(no_such_global)?)?;
        native.raw_set("plain_error", lua.create_function(plain_error)?)?;
        native.raw_set("error_handler", lua.create_function(error_handler)?)?;
        native.raw_set("null", Value::NULL)?;
        let sandbox: Table =
            lua.load(include_str!("script/sandbox.lua")).set_name(SANDBOX).call(native)?;
        let run = sandbox.raw_get("run")?;
        let (frozen, loading): (Table, _) = match kind {
            Kind::Eval => (sandbox.raw_get::<Function>("lock")?.call(())?, None),
            Kind::Functions => {
                let pending = Pending::default();
                let api = library::api(&lua, &pending, profile)?;
                api::add_log_and_version(&lua, &api, profile)?;
                let lock: Function = sandbox.raw_get("lock_for_functions")?;
                let (own, choose): (Table, Function) = lock.call((api, profile.lua.has_server))?;
                (own, Some((pending, choose)))
            }
        };
        lua.set_globals(frozen)?;
        Ok(Interpreter { lua, globals, run, api, slot, meter, random, profile, loading })
    }

    /// Compiles a script.
    ///
    /// # Errors
    ///
    /// Lua's message.
    pub(crate) fn compile(&self, code: &[u8], name: &str) -> Result<Script, String> {
        let chunk = self.lua.load(code).set_name(name).set_mode(mlua::ChunkMode::Text);
        chunk.into_function().map(Script).map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => message,
            other => other.to_string(),
        })
    }

    /// Loads a library: runs its code, which registers functions. It is stopped after half a
    /// second.
    ///
    /// # Errors
    ///
    /// What `FUNCTION LOAD` answers.
    pub(crate) fn load(&mut self, code: &[u8]) -> Result<Vec<Registration>, String> {
        const MILLISECONDS: u64 = 500;
        let Some((pending, choose)) = &self.loading else { return Ok(Vec::new()) };
        let script = self.compile(code, "@user_function");
        let script = script.map_err(|why| format!("Error compiling function: {why}"))?;
        let load = || -> mlua::Result<()> {
            choose.call::<()>(true)?;
            self.meter.begin(&self.lua, MILLISECONDS, Stop::LoadTimeout)?;
            pending.begin();
            self.lua.set_memory_limit(MEMORY)?;
            script.0.call(())
        };
        let loaded = load();
        let unlimited = self.lua.set_memory_limit(UNLIMITED).map(drop);
        let registered = pending.end();
        self.lua.remove_global_hook();
        let ended = choose.call::<()>(false);
        match loaded.and(unlimited).and(ended) {
            Ok(()) => library::check(registered, self.profile),
            Err(error) => {
                let why = library::message(&error);
                Err(format!("Error registering functions: {why}"))
            }
        }
    }

    /// The state of `math.random`.
    pub(crate) fn random_state(&self) -> u64 {
        self.random.state()
    }

    /// Restores the state of `math.random`, to run a script again.
    pub(crate) fn restore_random(&self, state: u64) {
        self.random.restore(state);
    }

    /// Milliseconds that the last run took, in virtual time.
    pub(crate) fn elapsed(&self) -> u64 {
        self.meter.elapsed()
    }

    /// Returns whether the last run was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.meter.is_stopped()
    }

    /// Runs a script. It is stopped after this number of milliseconds.
    pub(crate) fn run(
        &mut self,
        script: &Script,
        name: &str,
        kind: Kind,
        (keys, args): (&[&[u8]], &[&[u8]]),
        host: &mut dyn Host,
        (stop_at, why): (u64, Stop),
    ) -> Finished {
        let outcome = self.try_run(script, kind, keys, args, host, (stop_at, why));
        self.slot.clear();
        match outcome {
            Ok(Ok((reply, counted))) => Finished { reply, counted },
            Ok(Err((message, place, counted))) => {
                let text = match place {
                    Some(place) if self.profile.lua.errors_name_script => {
                        format!("{message} script: {name}, on {place}.")
                    }
                    Some(place) => format!("{message} script: on {place}."),
                    None => message,
                };
                Finished { reply: Reply::Error(ErrorReply(text.into())), counted }
            }
            // The error handler did not run, as when memory is short.
            Err(error) => {
                let text = raised(&error).map_or_else(|| error.to_string(), ToString::to_string);
                let text: String = text.chars().take(100).collect();
                let text = format!("ERR Error running script {name}, {text}");
                Finished { reply: Reply::Error(ErrorReply(text.into())), counted: false }
            }
        }
    }

    #[allow(clippy::type_complexity, reason = "a result, or what the script's error says")]
    fn try_run(
        &self,
        script: &Script,
        kind: Kind,
        keys: &[&[u8]],
        args: &[&[u8]],
        host: &mut dyn Host,
        (stop_at, why): (u64, Stop),
    ) -> mlua::Result<Result<(Reply, bool), (String, Option<String>, bool)>> {
        let lua = &self.lua;
        let (keys, args) = (convert::list(lua, keys)?, convert::list(lua, args)?);
        if kind == Kind::Eval {
            self.globals.raw_set("KEYS", &keys)?;
            self.globals.raw_set("ARGV", &args)?;
        }
        self.meter.begin(lua, stop_at, why)?;
        let run = RefCell::new((host, Words::default()));
        let called = lua.scope(|scope| {
            let answer = scope.create_function(|lua, values: MultiValue| {
                let mut run =
                    run.try_borrow_mut().map_err(|_| mlua::Error::RecursiveMutCallback)?;
                let (host, words) = &mut *run;
                lua.set_memory_limit(UNLIMITED)?;
                let answered = self.answer(lua, values, words, &mut **host);
                lua.set_memory_limit(MEMORY)?;
                answered
            })?;
            if kind == Kind::Eval {
                self.api.raw_set(CALL, &answer)?;
            }
            self.slot.fill(answer);
            lua.set_memory_limit(MEMORY)?;
            match kind {
                Kind::Eval => self.run.call::<(bool, Value, bool)>(&script.0),
                Kind::Functions => self.run.call((&script.0, keys, args)),
            }
        });
        lua.set_memory_limit(UNLIMITED)?;
        let (ok, value, has_only_elements) = called?;
        match (ok, value) {
            (true, value) => {
                let reply = convert::to_reply(&value, has_only_elements, self.meter.protocol())?;
                let counted = match (&reply, &value) {
                    (Reply::Error(_), Value::Table(table)) => convert::is_counted(table)?,
                    _ => false,
                };
                Ok(Ok((reply, counted)))
            }
            (false, Value::Table(table)) => Ok(Err(convert::read_error(lua, &table)?)),
            (false, other) => {
                let text = text_of(lua, &other).unwrap_or_else(|| b"execution failure".to_vec());
                Err(Raised::Text(text).into())
            }
        }
    }

    /// Answers a function of the table `redis` during a run.
    fn answer(
        &self,
        lua: &Lua,
        values: MultiValue,
        words: &mut Words,
        host: &mut dyn Host,
    ) -> mlua::Result<Value> {
        let (ask, are_words) = match self.slot.take() {
            None => (Ask::Call, words.fill(values, self.slot.numbers()).is_some()),
            Some(Asked { ask, words: None }) => (ask, false),
            Some(Asked { ask, words: Some(asked) }) => {
                *words = asked;
                (ask, true)
            }
        };
        let refuse = |text: &str, counted| {
            if ask == Ask::TryCall {
                return convert::error_table(lua, text.as_bytes(), counted);
            }
            Err(Raised::Reply(text.as_bytes().to_vec(), counted).into())
        };
        let names_no_product = self.profile.texts.name_no_product;
        if !are_words {
            return refuse(if names_no_product { NO_WORDS_OF_VALKEY } else { NO_WORDS }, false);
        }
        let words = words.list();
        if words.is_empty() {
            return refuse(if names_no_product { TOO_FEW_OF_VALKEY } else { TOO_FEW }, false);
        }
        if ask == Ask::MayCall {
            return match host.may_call(&words) {
                Ok(may) => Ok(Value::Boolean(may)),
                Err(text) => refuse(&api::worded(self.profile, text), false),
            };
        }
        match host.call(&words, &self.meter) {
            Called::Reply(Reply::Error(ErrorReply(text))) => refuse(&text, true),
            Called::Reply(reply) => {
                convert::reply_to_lua(lua, reply, self.meter.protocol(), self.slot.numbers())
            }
            Called::Stop(why) => Err(self.meter.stop(lua, why)),
        }
    }
}

/// `__index` of the globals: reading one that does not exist is an error.
fn no_such_global(lua: &Lua, (_, name): (Value, Value)) -> mlua::Result<()> {
    let Some(name) = text_of(lua, &name) else {
        let text = "Second argument to luaProtectedTableError must be a string or number";
        return Err(failure(lua, text));
    };
    let name = String::from_utf8_lossy(&name);
    let text = format!("Script attempted to access nonexistent global variable '{name}'");
    Err(failure(lua, text))
}

/// Returns an error as scripts see it: what a native function raised is a table or a text. Places
/// in the sandbox are not shown.
fn plain_error(lua: &Lua, problem: Value) -> mlua::Result<Value> {
    if let Value::String(text) = &problem
        && let Some(rest) = text.as_bytes().strip_prefix(&SANDBOX.as_bytes()[1..])
    {
        let at = rest.windows(2).position(|end| end == b": ").map_or(0, |at| at + 2);
        return Ok(Value::String(lua.create_string(&rest[at..])?));
    }
    let Value::Error(error) = &problem else { return Ok(problem) };
    match raised(error) {
        Some(Raised::Reply(text, counted)) => convert::error_table(lua, text, *counted),
        Some(Raised::Text(text)) => Ok(Value::String(lua.create_string(text)?)),
        None => Ok(Value::String(lua.create_string(error.to_string())?)),
    }
}

/// Handles an error that nothing has caught: makes it a table, and notes its place.
fn error_handler(lua: &Lua, problem: Value) -> mlua::Result<Value> {
    let table = match plain_error(lua, problem)? {
        Value::Table(table) => table,
        other => {
            let shown = match text_of(lua, &other) {
                Some(text) => text,
                None => other.to_string()?.into_bytes(),
            };
            let Value::Table(table) =
                convert::error_table(lua, &[b"ERR ", &shown[..]].concat(), false)?
            else {
                unreachable!("an error's table is a table");
            };
            table
        }
    };
    if let Some((source, line)) = place_of_error(lua) {
        table.raw_set("source", source)?;
        table.raw_set("line", line)?;
    }
    Ok(Value::Table(table))
}

/// Returns the place of the function that failed, or of its caller if it is not written in Lua.
/// Functions of the sandbox count as not written in Lua.
fn place_of_error(lua: &Lua) -> Option<(String, i64)> {
    let frame = |level: usize| {
        lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let native = source.what == "C";
            let name = source.source.map(|name| name.into_owned()).unwrap_or_default();
            let line = debug.current_line().and_then(|line| i64::try_from(line).ok()).unwrap_or(-1);
            (native, name, line)
        })
    };
    let mut level = 1;
    let (mut native, mut source, mut line) = frame(level)?;
    if native || source == SANDBOX {
        level += 1;
        (native, source, line) = frame(level)?;
        while source == SANDBOX || (native && frame(level + 1).is_some_and(|f| f.1 == SANDBOX)) {
            level += 1;
            (native, source, line) = frame(level)?;
        }
    }
    Some((source, line))
}
