//! The commands of scripts in a build without Lua: each says which feature it needs.

use crate::redis::command::{Answer, Args, Caller};
use crate::redis::error::CommandError;
use crate::redis::server::Server;

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
    eval evalsha script_exists script_load script_kill fcall function_load function_delete
    function_list function_stats function_kill function_dump function_restore
}

impl Server {
    /// Nothing is cached that could be removed.
    pub(crate) fn flush_scripts(&mut self) {}

    /// Nothing is loaded that could be removed.
    pub(crate) fn flush_functions(&mut self) {}
}
