//! The cache of scripts, and `EVAL`, `EVALSHA` and `SCRIPT`.
//!
//! A script is cached by the SHA-1 of its text when it is first seen. Nothing but `SCRIPT FLUSH`
//! and the end of the process removes it.
//!
//! Source: `eval.c`.

use super::host::{self, Invocation};
use super::shebang::{self, Flags};
use crate::redis::command::arguments::integer;
use crate::redis::command::{Answer, Args, Caller};
use crate::redis::database::sha1::sha1;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::script::{Interpreter, Kind, Script, hex};
use crate::redis::server::Server;
use crate::redis::server::command::Row;
use crate::redis::value::Sds;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// A cached script.
#[derive(Debug)]
struct Cached {
    body: Sds,
    flags: Flags,
    script: Script,
}

/// The cache of scripts, and their interpreter.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    pub(super) interpreter: Option<Box<Interpreter>>,
    by_sha: IndexMap<String, Cached, FxBuildHasher>,
}

impl Scripts {
    /// Number of cached scripts, and the bytes of their texts.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.by_sha.len(), self.by_sha.values().map(|cached| cached.body.len()).sum())
    }
}

/// The result of a command that may answer later.
type Flow = Result<Option<Reply>, CommandError>;

const NO_SCRIPT: CommandError = CommandError::text("NOSCRIPT No matching script. Please use EVAL.");

impl Server {
    /// Returns the cached script of a text, or caches it. Returns its SHA-1.
    fn cache_script(&mut self, body: &[u8]) -> Result<String, CommandError> {
        let sha = hex(&sha1(body));
        let profile = self.profile();
        let scripts = &mut self.scripting.scripts;
        if scripts.by_sha.contains_key(&sha) {
            return Ok(sha);
        }
        let (flags, code) =
            shebang::of_script(body).map_err(|why| CommandError::format(format!("ERR {why}")))?;
        let interpreter = scripts
            .interpreter
            .get_or_insert_with(|| Box::new(Interpreter::new(Kind::Eval, profile)));
        let script = interpreter.compile(code, "@user_script").map_err(|why| {
            CommandError::format(format!("ERR Error compiling script (new function): {why}"))
        })?;
        scripts.by_sha.insert(sha.clone(), Cached { body: Sds::new(body), flags, script });
        Ok(sha)
    }

    fn run_cached(&mut self, caller: Caller, sha: &str, args: Args<'_>, read_only: bool) -> Flow {
        let (keys, rest) = host::split(args, integer(args[2])?)?;
        let scripts = &mut self.scripting.scripts;
        let cached = scripts.by_sha.get(sha).ok_or(NO_SCRIPT)?;
        let invocation = Invocation {
            script: cached.script.clone(),
            name: sha.to_owned(),
            kind: Kind::Eval,
            flags: cached.flags,
            read_only,
            keys,
            args: rest,
        };
        self.invoke(caller, &invocation)
    }

    /// Returns the flags of a call: those of the script or function that it runs, if that has
    /// declared any.
    pub(crate) fn flags_of(&self, command: &Row, args: Args<'_>) -> u32 {
        let declared = match (command.name, args.get(1)) {
            ("eval" | "eval_ro", Some(body)) => {
                shebang::of_script(body).ok().map(|(flags, _)| flags)
            }
            ("evalsha" | "evalsha_ro", Some(sha)) => {
                let sha = String::from_utf8_lossy(sha).to_ascii_lowercase();
                self.scripting.scripts.by_sha.get(&sha).map(|cached| cached.flags)
            }
            ("fcall" | "fcall_ro", Some(name)) => self.scripting.functions.flags(name),
            _ => None,
        };
        declared.map_or(command.flags, |flags| flags.of_command(command.flags))
    }

    /// Shows a call to the monitors before the commands of its script.
    pub(super) fn show_call(&mut self, caller: Caller, args: Args<'_>) {
        if self.is_watched()
            && let Some(command) = self.table.named(args)
        {
            self.feed_monitors((caller.client, caller.database, caller.origin), command, args);
        }
    }

    /// `EVAL` and `EVAL_RO`: `script numkeys key … arg …`.
    pub(crate) fn eval(&mut self, caller: Caller, args: Args<'_>) -> Flow {
        self.show_call(caller, args);
        host::split(args, integer(args[2])?)?;
        let sha = self.cache_script(args[1])?;
        let read_only = args[0].eq_ignore_ascii_case(b"eval_ro");
        self.run_cached(caller, &sha, args, read_only)
    }

    /// `EVALSHA` and `EVALSHA_RO`: `sha1 numkeys key … arg …`.
    pub(crate) fn evalsha(&mut self, caller: Caller, args: Args<'_>) -> Flow {
        self.show_call(caller, args);
        if args[1].len() != 40 {
            return Err(NO_SCRIPT);
        }
        let sha = String::from_utf8_lossy(args[1]).to_ascii_lowercase();
        let read_only = args[0].eq_ignore_ascii_case(b"evalsha_ro");
        self.run_cached(caller, &sha, args, read_only)
    }

    /// `SCRIPT EXISTS sha1 …`.
    pub(crate) fn script_exists(&mut self, _: Caller, args: Args<'_>) -> Answer {
        let known = |sha: &&[u8]| {
            let sha = String::from_utf8_lossy(sha).to_ascii_lowercase();
            Reply::flag(self.scripting.scripts.by_sha.contains_key(&sha))
        };
        Ok(Reply::Array(args[2..].iter().map(known).collect()))
    }

    /// `SCRIPT SHOW sha1`.
    pub(crate) fn script_show(&mut self, _: Caller, args: Args<'_>) -> Answer {
        let sha = String::from_utf8_lossy(args[2]).to_ascii_lowercase();
        match self.scripting.scripts.by_sha.get(&sha) {
            Some(cached) => Ok(Reply::bulk(&cached.body)),
            None => Err(CommandError::text("NOSCRIPT No matching script.")),
        }
    }

    /// `SCRIPT LOAD script`.
    pub(crate) fn script_load(&mut self, _: Caller, args: Args<'_>) -> Answer {
        Ok(Reply::bulk(self.cache_script(args[2])?.as_bytes()))
    }

    /// `SCRIPT KILL`.
    pub(crate) fn script_kill(&mut self, _: Caller, _: Args<'_>) -> Answer {
        self.kill_script(Kind::Eval)
    }

    /// Removes all scripts, with everything that they left in the interpreter.
    pub(crate) fn flush_scripts(&mut self) {
        self.scripting.scripts = Scripts::default();
    }
}
