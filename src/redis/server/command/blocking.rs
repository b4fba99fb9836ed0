//! The commands that block until one of their keys has something.

use super::{Flow, Row};
use crate::redis::command::attempt::Attempt;
use crate::redis::command::flag::*;
use crate::redis::command::key_spec::usage::*;
use crate::redis::command::key_spec::{key, numbered, range};
use crate::redis::command::list::{end, several};
use crate::redis::command::sorted_set::pop_many;
use crate::redis::command::{Args, Caller, flow};
use crate::redis::server::Server;
use crate::redis::value::{End, Sds};

#[rustfmt::skip]
pub(super) const LISTS: &[Row] = &[
    flow("blmove", 6, WRITE | DENYOOM | NOSCRIPT | BLOCKING, &["list"], &[key(RW | ACCESS | DELETE, 1), key(RW | INSERT, 2)], "Pop an element from a list, push it to another list and return it; or block until one is available", blmove),
    flow("blmpop", -5, WRITE | BLOCKING | MOVABLEKEYS, &["list"], &[numbered(RW | ACCESS | DELETE, 2)], "Pop elements from a list, or block until one is available", blmpop),
    flow("blpop", -3, WRITE | NOSCRIPT | BLOCKING, &["list"], &[range(RW | ACCESS | DELETE, 1, -2, 1)], "Remove and get the first element in a list, or block until one is available", blpop),
    flow("brpop", -3, WRITE | NOSCRIPT | BLOCKING, &["list"], &[range(RW | ACCESS | DELETE, 1, -2, 1)], "Remove and get the last element in a list, or block until one is available", brpop),
    flow("brpoplpush", 4, WRITE | DENYOOM | NOSCRIPT | BLOCKING, &["list"], &[key(RW | ACCESS | DELETE, 1), key(RW | INSERT, 2)], "Pop an element from a list, push it to another list and return it; or block until one is available", brpoplpush),
];

#[rustfmt::skip]
pub(super) const SORTED_SETS: &[Row] = &[
    flow("bzmpop", -5, WRITE | BLOCKING | MOVABLEKEYS, &["sortedset"], &[numbered(RW | ACCESS | DELETE, 2)], "Remove and return members with scores in a sorted set or block until one is available", bzmpop),
    flow("bzpopmax", -3, WRITE | NOSCRIPT | BLOCKING | FAST, &["sortedset"], &[range(RW | ACCESS | DELETE, 1, -2, 1)], "Remove and return the member with the highest score from one or more sorted sets, or block until one is available", bzpopmax),
    flow("bzpopmin", -3, WRITE | NOSCRIPT | BLOCKING | FAST, &["sortedset"], &[range(RW | ACCESS | DELETE, 1, -2, 1)], "Remove and return the member with the lowest score from one or more sorted sets, or block until one is available", bzpopmin),
];

fn blpop(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    pop(server, caller, args, End::Left)
}

fn brpop(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    pop(server, caller, args, End::Right)
}

/// `key … timeout`.
fn pop(server: &mut Server, caller: Caller, args: Args<'_>, end: End) -> Flow {
    let last = args.len() - 1;
    let until = server.timeouts().seconds(args[last])?;
    server.attempt_or_block(caller, &args[1..last], Attempt::Pop(end), until)
}

/// `timeout numkeys key … LEFT | RIGHT [COUNT count]`. The timeout is checked last.
fn blmpop(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let (keys, from, count) = several(args, 2)?;
    let until = server.timeouts().seconds(args[1])?;
    server.attempt_or_block(caller, keys, Attempt::PopMany(from, count), until)
}

/// `source destination LEFT | RIGHT LEFT | RIGHT timeout`.
fn blmove(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let (from, to) = (end(args[3])?, end(args[4])?);
    let until = server.timeouts().seconds(args[5])?;
    let destination = Sds::new(args[2]);
    server.attempt_or_block(caller, &args[1..2], Attempt::Move { from, to, destination }, until)
}

/// `source destination timeout`.
fn brpoplpush(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let until = server.timeouts().seconds(args[3])?;
    let (from, to, destination) = (End::Right, End::Left, Sds::new(args[2]));
    server.attempt_or_block(caller, &args[1..2], Attempt::Move { from, to, destination }, until)
}

fn bzmpop(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    // The timeout is checked last.
    let (keys, attempt) = pop_many(args, 2)?;
    let deadline = server.timeouts().seconds(args[1])?;
    server.attempt_or_block(caller, keys, attempt, deadline)
}

fn scored_pop(server: &mut Server, caller: Caller, args: Args<'_>, end: End) -> Flow {
    let last = args.len() - 1;
    let deadline = server.timeouts().seconds(args[last])?;
    server.attempt_or_block(caller, &args[1..last], Attempt::PopScored(end), deadline)
}

fn bzpopmin(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    scored_pop(server, caller, args, End::Left)
}

fn bzpopmax(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    scored_pop(server, caller, args, End::Right)
}
