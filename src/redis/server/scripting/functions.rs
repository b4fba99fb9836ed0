//! Libraries of functions: `FUNCTION` and `FCALL`.
//!
//! A library is one text, which registers functions when it is loaded. Names of functions are
//! unique among all libraries. Libraries are data: they are saved with the keys, and survive what
//! the keys survive.
//!
//! Source: `functions.c`, `function_lua.c`.

use super::host::{self, Invocation};
use super::shebang::{self, Flags};
use crate::redis::command::arguments::is;
use crate::redis::command::{Answer, Args, Caller};
use crate::redis::database::glob;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::script::{Interpreter, Kind, Script, is_name};
use crate::redis::server::Server;
use crate::redis::value::{Sds, number};
use crate::redis::version::Profile;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// A function of a library.
#[derive(Clone, Debug)]
struct Function {
    description: Option<Sds>,
    flags: Flags,
    script: Script,
}

/// A library.
#[derive(Clone, Debug)]
struct Library {
    /// The whole text, with its first line.
    code: Sds,
    functions: IndexMap<Sds, Function, FxBuildHasher>,
}

/// All libraries, and their interpreter.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    pub(super) interpreter: Option<Box<Interpreter>>,
    libraries: IndexMap<Sds, Library, FxBuildHasher>,
}

/// The only engine.
const ENGINE: &str = "LUA";

impl Functions {
    /// Number of libraries and of functions.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.libraries.len(), self.libraries.values().map(|library| library.functions.len()).sum())
    }

    /// Returns the texts of all libraries, in the order in which they were loaded.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &Sds> {
        self.libraries.values().map(|library| &library.code)
    }

    /// Returns the flags of a function, if there is one with this name.
    pub(super) fn flags(&self, name: &[u8]) -> Option<Flags> {
        self.find(name).map(|(_, function)| function.flags)
    }

    fn find(&self, name: &[u8]) -> Option<(&Sds, &Function)> {
        // Names of functions ignore case, when they are called.
        self.libraries
            .values()
            .flat_map(|library| &library.functions)
            .find(|(known, _)| known.as_slice().eq_ignore_ascii_case(name))
    }

    /// Compiles a library and runs its code. Returns its name and the library.
    fn compile(
        &mut self,
        code: &[u8],
        profile: &'static Profile,
    ) -> Result<(Sds, Library), String> {
        let first = shebang::of_library(code, profile)?;
        if !is_name(&first.name) {
            return Err("Library names can only contain letters, numbers, or underscores(_) and \
                        must be at least one character long"
                .to_owned());
        }
        if !first.engine.eq_ignore_ascii_case(ENGINE.as_bytes()) {
            let engine = String::from_utf8_lossy(&first.engine);
            return Err(format!("Engine '{engine}' not found"));
        }
        let interpreter = self
            .interpreter
            .get_or_insert_with(|| Box::new(Interpreter::new(Kind::Functions, profile)));
        let registered = interpreter.load(first.code)?;
        if registered.is_empty() {
            return Err("No functions registered".to_owned());
        }
        let functions = registered.into_iter().map(|registration| {
            let function = Function {
                description: registration.description.map(|text| Sds::new(&text)),
                flags: Flags::of(&registration.flags),
                script: registration.callback,
            };
            (Sds::new(&registration.name), function)
        });
        let functions = functions.collect();
        Ok((Sds::new(&first.name), Library { code: Sds::new(code), functions }))
    }

    /// Loads these libraries into an empty set, which has this set's interpreter until it is given
    /// back with [`Functions::join`] or [`Functions::give_back`].
    pub(super) fn load_apart(
        &mut self,
        codes: &[Vec<u8>],
        profile: &'static Profile,
    ) -> (Functions, Result<(), String>) {
        let mut apart =
            Functions { interpreter: self.interpreter.take(), libraries: IndexMap::default() };
        let loaded = codes.iter().try_for_each(|code| apart.load(code, false, profile).map(|_| ()));
        (apart, loaded)
    }

    /// Takes the interpreter of a set back.
    pub(super) fn give_back(&mut self, apart: Functions) {
        self.interpreter = apart.interpreter;
    }

    /// Removes all libraries.
    pub(super) fn clear(&mut self) {
        self.libraries.clear();
    }

    /// Adds the libraries of another set: all of them, or none. A library that exists is replaced,
    /// or is the reason to add none.
    pub(super) fn join(&mut self, mut apart: Functions, replace: bool) -> Result<(), String> {
        self.interpreter = apart.interpreter.take();
        let exists = apart.libraries.keys().find(|name| self.libraries.contains_key(*name));
        if let Some(name) = exists.filter(|_| !replace) {
            return Err(format!("Library {name} already exists"));
        }
        let kept = self.libraries.iter().filter(|(name, _)| !apart.libraries.contains_key(*name));
        let kept: IndexMap<_, _, _> = kept.map(|(name, of)| (name.clone(), of.clone())).collect();
        let kept = Functions { interpreter: None, libraries: kept };
        for (name, library) in &apart.libraries {
            if let Some(taken) = kept.taken(name, library) {
                return Err(format!("Function {taken} already exists"));
            }
        }
        self.libraries = kept.libraries;
        self.libraries.extend(apart.libraries);
        Ok(())
    }

    /// Returns the name of a function that another library has, if there is one.
    fn taken(&self, name: &Sds, library: &Library) -> Option<Sds> {
        let others = self.libraries.iter().filter(|(other, _)| *other != name);
        let mut names = others.flat_map(|(_, other)| other.functions.keys());
        names
            .find(|known| {
                library.functions.keys().any(|own| own.as_slice().eq_ignore_ascii_case(known))
            })
            .cloned()
    }

    /// Loads a library.
    fn load(
        &mut self,
        code: &[u8],
        replace: bool,
        profile: &'static Profile,
    ) -> Result<Sds, String> {
        let first = shebang::of_library(code, profile)?;
        if is_name(&first.name)
            && first.engine.eq_ignore_ascii_case(ENGINE.as_bytes())
            && !replace
            && self.libraries.contains_key(first.name.as_slice())
        {
            let name = String::from_utf8_lossy(&first.name);
            return Err(format!("Library '{name}' already exists"));
        }
        let (name, library) = self.compile(code, profile)?;
        if let Some(taken) = self.taken(&name, &library) {
            return Err(format!("Function {taken} already exists"));
        }
        self.libraries.insert(name.clone(), library);
        Ok(name)
    }
}

pub(super) fn refuse(why: impl AsRef<str>) -> CommandError {
    CommandError::format(format!("ERR {}", why.as_ref()))
}

impl Server {
    /// Notes that the libraries have changed, for save points.
    pub(super) fn functions_changed(&mut self) {
        self.databases[0].usage.changes += 1;
        self.persistence.libraries.now = self.libraries();
    }

    /// `FUNCTION LOAD [REPLACE] code`.
    pub(crate) fn function_load(&mut self, _: Caller, args: Args<'_>) -> Answer {
        self.must_not_run()?;
        let (code, options) = args[2..].split_last().ok_or(refuse("Function code is missing"))?;
        if let Some(option) = options.iter().find(|option| !is(option, "replace")) {
            let option = String::from_utf8_lossy(option);
            return Err(refuse(format!("Unknown option given: {option}")));
        }
        let profile = self.profile();
        let name =
            self.scripting.functions.load(code, !options.is_empty(), profile).map_err(refuse)?;
        self.functions_changed();
        Ok(Reply::bulk(&name))
    }

    /// `FUNCTION DELETE library`.
    pub(crate) fn function_delete(&mut self, _: Caller, args: Args<'_>) -> Answer {
        let removed = self.scripting.functions.libraries.shift_remove(args[2]);
        removed.ok_or(refuse("Library not found"))?;
        self.functions_changed();
        Ok(Reply::OK)
    }

    /// Removes all libraries.
    pub(crate) fn flush_functions(&mut self) {
        self.scripting.functions.libraries.clear();
        self.functions_changed();
    }

    /// `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]`.
    pub(crate) fn function_list(&mut self, _: Caller, args: Args<'_>) -> Answer {
        let (mut with_code, mut pattern) = (false, None);
        let mut words = args[2..].iter();
        while let Some(word) = words.next() {
            if !with_code && is(word, "withcode") {
                with_code = true;
            } else if pattern.is_none() && is(word, "libraryname") {
                let given = words.next().ok_or(refuse("library name argument was not given"))?;
                pattern = Some(*given);
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(refuse(format!("Unknown argument {word}")));
            }
        }
        let libraries = self.scripting.functions.libraries.iter();
        let shown = libraries
            .filter(|(name, _)| pattern.is_none_or(|pattern| glob::matches(pattern, name, true)));
        let list = shown.map(|(name, library)| listed(name, library, with_code));
        Ok(Reply::Array(list.collect()))
    }

    /// `FUNCTION STATS`.
    pub(crate) fn function_stats(&mut self, _: Caller, _: Args<'_>) -> Answer {
        let running = self.running_function()?;
        let (libraries, functions) = self.scripting.functions.size();
        let counts = Reply::Map(vec![
            (Reply::bulk(b"libraries_count"), Reply::count(libraries)),
            (Reply::bulk(b"functions_count"), Reply::count(functions)),
        ]);
        Ok(Reply::Map(vec![
            (Reply::bulk(b"running_script"), running),
            (Reply::bulk(b"engines"), Reply::Map(vec![(Reply::bulk(ENGINE.as_bytes()), counts)])),
        ]))
    }

    /// `FUNCTION KILL`.
    pub(crate) fn function_kill(&mut self, _: Caller, _: Args<'_>) -> Answer {
        self.kill_script(Kind::Functions)
    }

    /// `FCALL` and `FCALL_RO`: `function numkeys key … arg …`.
    pub(crate) fn fcall(
        &mut self,
        caller: Caller,
        args: Args<'_>,
    ) -> Result<Option<Reply>, CommandError> {
        self.show_call(caller, args);
        let functions = &mut self.scripting.functions;
        let (name, function) = functions.find(args[1]).ok_or(refuse("Function not found"))?;
        let (name, function) = (name.to_string(), function.clone());
        let count = number::parse_i64(args[2]).ok_or(refuse("Bad number of keys provided"))?;
        let (keys, rest) = host::split(args, count)?;
        let command = if args[0].eq_ignore_ascii_case(b"fcall_ro") { "fcall_ro" } else { "fcall" };
        let invocation = Invocation {
            script: function.script,
            name: name.into(),
            kind: Kind::Functions,
            flags: function.flags,
            command,
            keys,
            args: rest,
        };
        self.invoke(caller, &invocation)
    }
}

/// Returns a library as `FUNCTION LIST` shows it.
fn listed(name: &Sds, library: &Library, with_code: bool) -> Reply {
    let functions = library.functions.iter().map(|(name, function)| {
        let flags = function.flags.names().map(Reply::status);
        Reply::Map(vec![
            (Reply::bulk(b"name"), Reply::bulk(name)),
            (
                Reply::bulk(b"description"),
                Reply::bulk_or_nil(function.description.as_ref().map(Sds::as_slice)),
            ),
            (Reply::bulk(b"flags"), Reply::Set(flags.collect())),
        ])
    });
    let mut fields = vec![
        (Reply::bulk(b"library_name"), Reply::bulk(name)),
        (Reply::bulk(b"engine"), Reply::bulk(ENGINE.as_bytes())),
        (Reply::bulk(b"functions"), Reply::Array(functions.collect())),
    ];
    if with_code {
        fields.push((Reply::bulk(b"library_code"), Reply::bulk(&library.code)));
    }
    Reply::Map(fields)
}
