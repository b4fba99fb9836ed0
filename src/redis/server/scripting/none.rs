//! The commands of scripts in a build without Lua: each says which feature it needs.

use crate::redis::command::{Answer, Args, Caller};
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::command::Row;
use crate::redis::server::transaction::Exec;
use crate::redis::value::Sds;
use crate::time::Instant;

const NEEDED: CommandError =
    CommandError::text("ERR scripts need the feature `lua` of stunt-double: add it to Cargo.toml");

macro_rules! needs_lua {
    ($($name:ident)*) => {
        impl Server {
            $(pub(crate) fn $name(&mut self, _: Caller, _: Args<'_>) -> Answer {
                Err(NEEDED)
            })*
        }
    };
}

needs_lua! {
    script_exists script_show script_load script_kill function_load function_delete
    function_list function_stats function_kill function_dump function_restore
}

macro_rules! needs_lua_to_run {
    ($($name:ident)*) => {
        impl Server {
            $(pub(crate) fn $name(
                &mut self,
                _: Caller,
                _: Args<'_>,
            ) -> Result<Option<Reply>, CommandError> {
                Err(NEEDED)
            })*
        }
    };
}

needs_lua_to_run! { eval evalsha fcall }

/// Without scripts, the server is never busy with one.
impl Server {
    pub(crate) fn is_busy(&self) -> bool {
        false
    }

    pub(crate) fn flags_of(&self, command: &Row, _: Args<'_>) -> u32 {
        command.flags
    }

    pub(crate) fn is_busy_for(&self, _: ClientId) -> bool {
        false
    }

    pub(crate) fn busy_error(&self) -> Option<CommandError> {
        None
    }

    pub(crate) fn busy_until(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn busy_within(&mut self, _: Exec) {}

    pub(crate) fn continue_script(&mut self) {}

    pub(crate) fn script_is_killed(&self) -> bool {
        false
    }
}

impl Server {
    /// Without scripts there are no libraries.
    pub(crate) fn libraries(&self) -> Vec<Sds> {
        Vec::new()
    }

    /// The libraries of a file are ignored: they could not run.
    pub(crate) fn replace_libraries(&mut self, _: &[Sds]) -> Result<(), String> {
        Ok(())
    }

    pub(crate) fn load_libraries(&mut self) {}

    /// Nothing is cached that could be removed.
    pub(crate) fn flush_scripts(&mut self) {}

    /// Nothing is loaded that could be removed.
    pub(crate) fn flush_functions(&mut self) {}
}
