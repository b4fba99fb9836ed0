//! The subcommands that read the keys again: from the last save, or from the append-only file.

use crate::redis::command::arguments::is;
use crate::redis::command::{Answer, Args};
use crate::redis::database::Database;
use crate::redis::database::keyspace::Keyspace;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;

const FAILED: CommandError = CommandError::text("ERR Error trying to load the RDB dump");

/// The options of `RELOAD`.
struct Reload {
    save: bool,
    flush: bool,
    merge: bool,
}

/// `[MERGE] [NOFLUSH] [NOSAVE]`. Writes everything and reads it again.
pub(super) fn reload(server: &mut Server, args: Args<'_>) -> Answer {
    let mut how = Reload { save: true, flush: true, merge: false };
    for word in &args[2..] {
        if is(word, "merge") {
            how.merge = true;
        } else if is(word, "noflush") {
            how.flush = false;
        } else if is(word, "nosave") {
            how.save = false;
        } else {
            return Err(CommandError::text(
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ));
        }
    }
    if !how.save && server.options.append_only() {
        return Err(CommandError::text(
            "ERR stunt-double: NOSAVE is not modelled beside appendonly",
        ));
    }
    let saved = if how.save {
        server.disk().save();
        server.databases.iter().map(|database| database.keyspace.clone()).collect()
    } else if let Some(saved) = server.disk().saved_keys() {
        saved
    } else {
        if how.flush {
            server.databases.iter_mut().for_each(Database::drop_all);
            server.persistence.libraries.now.clear();
            server.load_libraries();
        }
        return Err(FAILED);
    };
    if how.flush {
        if !how.save {
            server.persistence.libraries.read();
            server.load_libraries();
        }
        server.disk().reload(saved);
        return Ok(Reply::OK);
    }
    // The libraries come first in a file.
    if !how.merge && !server.persistence.libraries.now.is_empty() {
        return Err(FAILED);
    }
    let both = |(database, keys): (&Database, &Keyspace)| {
        keys.iter().any(|entry| database.stored(&entry.key).is_some())
    };
    if !how.merge && server.databases.iter().zip(&saved).any(both) {
        // The real server exits when it finds a key that already exists.
        return Err(CommandError::text(
            "ERR stunt-double: NOFLUSH needs MERGE if a saved key exists",
        ));
    }
    server.disk().merge(saved);
    Ok(Reply::OK)
}

/// The real server exits if it has no append-only file.
pub(super) fn loadaof(server: &mut Server, _: Args<'_>) -> Answer {
    if server.disk().reload_append_only() {
        return Ok(Reply::OK);
    }
    Err(CommandError::text("ERR stunt-double: LOADAOF needs an append-only file"))
}
