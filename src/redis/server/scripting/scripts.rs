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
use smol_str::SmolStr;

/// A cached script.
#[derive(Debug)]
struct Cached {
    sha: SmolStr,
    flags: Flags,
    script: Script,
}

impl Cached {
    fn invocation<'a>(
        &self,
        command: &'static str,
        keys: Args<'a>,
        args: Args<'a>,
    ) -> Invocation<'a> {
        Invocation {
            script: self.script.clone(),
            name: self.sha.clone(),
            kind: Kind::Eval,
            flags: self.flags,
            command,
            keys,
            args,
        }
    }
}

/// The cache of scripts, and their interpreter.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    pub(super) interpreter: Option<Box<Interpreter>>,
    /// By their texts, since the digest of a text takes longer than to find it.
    cached: IndexMap<Sds, Cached, FxBuildHasher>,
    /// Where the scripts are, by the SHA-1 of their texts in lower case.
    by_sha: IndexMap<SmolStr, usize, FxBuildHasher>,
}

impl Scripts {
    /// Number of cached scripts, and the bytes of their texts.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.cached.len(), self.cached.keys().map(|body| body.len()).sum())
    }

    /// Returns where the script of this SHA-1 is, in whatever case.
    fn position(&self, sha: &[u8]) -> Option<usize> {
        let sha = String::from_utf8_lossy(sha).to_ascii_lowercase();
        self.by_sha.get(sha.as_str()).copied()
    }

    fn named(&self, sha: &[u8]) -> Option<&Cached> {
        self.position(sha).map(|at| &self.cached[at])
    }

    fn text(&self, sha: &[u8]) -> Option<&Sds> {
        self.cached.get_index(self.position(sha)?).map(|(body, _)| body)
    }
}

/// The result of a command that may answer later.
type Flow = Result<Option<Reply>, CommandError>;

const NO_SCRIPT: CommandError = CommandError::text("NOSCRIPT No matching script. Please use EVAL.");
const NO_SCRIPT_OF_VALKEY: CommandError = CommandError::text("NOSCRIPT No matching script.");

impl Server {
    /// Returns the error of a digest of which no script is cached.
    fn no_script(&self) -> CommandError {
        if self.profile().texts.name_no_product { NO_SCRIPT_OF_VALKEY } else { NO_SCRIPT }
    }

    /// Caches the script of a text, unless it is.
    fn cache_script(&mut self, body: &[u8]) -> Result<&Cached, CommandError> {
        let (profile, may_compile) = (self.profile(), self.must_not_run());
        let scripts = &mut self.scripting.scripts;
        if let Some(at) = scripts.cached.get_index_of(body) {
            return Ok(&scripts.cached[at]);
        }
        may_compile?;
        let (flags, code) = shebang::of_script(body, profile)
            .map_err(|why| CommandError::format(format!("ERR {why}")))?;
        let interpreter = scripts
            .interpreter
            .get_or_insert_with(|| Box::new(Interpreter::new(Kind::Eval, profile)));
        let script = interpreter.compile(code, "@user_script").map_err(|why| {
            CommandError::format(format!("ERR Error compiling script (new function): {why}"))
        })?;
        let sha = SmolStr::new(hex(&sha1(body)));
        let cached = Cached { sha: sha.clone(), flags, script };
        let (at, _) = scripts.cached.insert_full(Sds::new(body), cached);
        scripts.by_sha.insert(sha, at);
        Ok(&scripts.cached[at])
    }

    /// Returns the flags of a call: those of the script or function that it runs, if that has
    /// declared any.
    pub(crate) fn flags_of(&self, command: &Row, args: Args<'_>) -> u32 {
        let declared = match (command.name, args.get(1)) {
            ("eval" | "eval_ro", Some(body)) => {
                shebang::of_script(body, self.profile()).ok().map(|(flags, _)| flags)
            }
            ("evalsha" | "evalsha_ro", Some(sha)) => {
                self.scripting.scripts.named(sha).map(|cached| cached.flags)
            }
            ("fcall" | "fcall_ro", Some(name)) => self.scripting.functions.flags(name),
            _ => None,
        };
        declared.map_or(command.flags, |flags| flags.of_command(command.flags))
    }

    /// Shows a call to the monitors before the commands of its script.
    pub(super) fn show_call(&mut self, caller: Caller, args: Args<'_>) {
        self.note_script((caller.client, caller.origin), args);
        if self.is_watched()
            && let Some(command) = self.table.named(args)
        {
            self.feed_monitors((caller.client, caller.database, caller.origin), command, args);
        }
    }

    /// `EVAL` and `EVAL_RO`: `script numkeys key … arg …`.
    pub(crate) fn eval(&mut self, caller: Caller, args: Args<'_>) -> Flow {
        self.show_call(caller, args);
        let (keys, rest) = host::split(args, integer(args[2])?)?;
        let command = if args[0].eq_ignore_ascii_case(b"eval_ro") { "eval_ro" } else { "eval" };
        let cached = self.cache_script(args[1])?;
        let invocation = cached.invocation(command, keys, rest);
        self.invoke(caller, &invocation)
    }

    /// `EVALSHA` and `EVALSHA_RO`: `sha1 numkeys key … arg …`.
    pub(crate) fn evalsha(&mut self, caller: Caller, args: Args<'_>) -> Flow {
        self.show_call(caller, args);
        if args[1].len() != 40 {
            return Err(self.no_script());
        }
        let (keys, rest) = host::split(args, integer(args[2])?)?;
        let read_only = args[0].eq_ignore_ascii_case(b"evalsha_ro");
        let cached = self.scripting.scripts.named(args[1]).ok_or_else(|| self.no_script())?;
        let command = if read_only { "evalsha_ro" } else { "evalsha" };
        let invocation = cached.invocation(command, keys, rest);
        self.invoke(caller, &invocation)
    }

    /// `SCRIPT EXISTS sha1 …`.
    pub(crate) fn script_exists(&mut self, _: Caller, args: Args<'_>) -> Answer {
        let known = |sha: &&[u8]| Reply::flag(self.scripting.scripts.named(sha).is_some());
        Ok(Reply::Array(args[2..].iter().map(known).collect()))
    }

    /// `SCRIPT SHOW sha1`.
    pub(crate) fn script_show(&mut self, _: Caller, args: Args<'_>) -> Answer {
        match self.scripting.scripts.text(args[2]) {
            Some(body) => Ok(Reply::bulk(body)),
            None => Err(NO_SCRIPT_OF_VALKEY),
        }
    }

    /// `SCRIPT LOAD script`.
    pub(crate) fn script_load(&mut self, _: Caller, args: Args<'_>) -> Answer {
        Ok(Reply::bulk(self.cache_script(args[2])?.sha.as_bytes()))
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
