//! `SORT` and `SORT_RO`, which must know whether a script calls them.

use super::Row;
use crate::redis::command::flag::*;
use crate::redis::command::key_spec::usage::*;
use crate::redis::command::key_spec::{key, unknown};
use crate::redis::command::{Answer, Args, Caller, Origin, server, sort as words};
use crate::redis::server::Server;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    server("sort", -2, WRITE | DENYOOM | MOVABLEKEYS, &["set", "sortedset", "list", "dangerous"], &[key(RO | ACCESS, 1), unknown(RO | ACCESS, "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort"), unknown(OW | UPDATE, "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array")], "Sort the elements in a list, set or sorted set", sort),
    server("sort_ro", -2, READONLY | MOVABLEKEYS, &["set", "sortedset", "list", "dangerous"], &[key(RO | ACCESS, 1), unknown(RO | ACCESS, "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort")], "Sort the elements in a list, set or sorted set. Read-only variant of SORT.", sort_ro),
];

fn sort(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let for_script = caller.origin == Origin::Script;
    words::run(&mut server.databases[caller.database], args, false, for_script)
}

fn sort_ro(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let for_script = caller.origin == Origin::Script;
    words::run(&mut server.databases[caller.database], args, true, for_script)
}
