//! `FUNCTION DUMP` and `RESTORE`: all libraries as one payload. The same libraries are part of an
//! RDB file.
//!
//! Source: `functions.c` (`functionDumpCommand`, `functionRestoreCommand`).

use super::functions::refuse;
use crate::redis::command::arguments::is;
use crate::redis::command::{Answer, Args, Caller, wrong_subcommand};
use crate::redis::error::CommandError;
use crate::redis::rdb::{dump_libraries, restore_libraries};
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::value::Sds;

impl Server {
    /// `FUNCTION DUMP`.
    pub(crate) fn function_dump(&mut self, _: Caller, _: Args<'_>) -> Answer {
        let codes = self.scripting.functions.codes().map(|code| code.to_vec());
        Ok(Reply::bulk(&dump_libraries(&codes.collect::<Vec<_>>(), self.profile())))
    }

    /// `FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]`.
    pub(crate) fn function_restore(&mut self, _: Caller, args: Args<'_>) -> Answer {
        self.must_not_run()?;
        let (flush, replace) = match &args[3..] {
            [] => (false, false),
            [policy] if is(policy, "append") => (false, false),
            [policy] if is(policy, "replace") => (false, true),
            [policy] if is(policy, "flush") => (true, false),
            [_] => {
                return Err(CommandError::text(
                    "ERR Wrong restore policy given, value should be either FLUSH, APPEND or \
                     REPLACE.",
                ));
            }
            _ => return Err(wrong_subcommand(args, "FUNCTION")),
        };
        let codes =
            restore_libraries(args[2], &self.config.limits, self.profile()).map_err(refuse)?;
        let profile = self.profile();
        let functions = &mut self.scripting.functions;
        let (apart, loaded) = functions.load_apart(&codes, profile);
        if let Err(why) = loaded {
            functions.give_back(apart);
            return Err(refuse(why));
        }
        if flush {
            functions.clear();
        }
        functions.join(apart, replace).map_err(refuse)?;
        self.functions_changed();
        Ok(Reply::OK)
    }

    /// Returns the texts of all libraries.
    pub(crate) fn libraries(&self) -> Vec<Sds> {
        self.scripting.functions.codes().cloned().collect()
    }

    /// Replaces all libraries, or returns why one of them does not load.
    pub(crate) fn replace_libraries(&mut self, codes: &[Sds]) -> Result<(), String> {
        let codes: Vec<Vec<u8>> = codes.iter().map(|code| code.to_vec()).collect();
        let profile = self.profile();
        let functions = &mut self.scripting.functions;
        let (apart, loaded) = functions.load_apart(&codes, profile);
        if loaded.is_err() {
            functions.give_back(apart);
            return loaded;
        }
        functions.clear();
        functions.join(apart, false)?;
        self.persistence.libraries.now = self.libraries();
        Ok(())
    }

    /// Loads the libraries that are on disk, in a new process.
    pub(crate) fn load_libraries(&mut self) {
        let codes = self.persistence.libraries.now.clone();
        self.replace_libraries(&codes).expect("a library that was loaded before loads again");
    }
}
