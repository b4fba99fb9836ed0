//! The commands on lists that block until there is something to be had.

use super::Args;
use super::list::{end, several};
use super::options::timeout;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Call;
use crate::redis::server::blocking::Attempt;
use crate::redis::value::{End, Sds};

type Flow = Result<Option<Reply>, CommandError>;

pub(super) fn blpop(call: &mut Call<'_>, args: Args<'_>) -> Flow {
    pop(call, args, End::Left)
}

pub(super) fn brpop(call: &mut Call<'_>, args: Args<'_>) -> Flow {
    pop(call, args, End::Right)
}

/// `key … timeout`.
fn pop(call: &mut Call<'_>, args: Args<'_>, end: End) -> Flow {
    let last = args.len() - 1;
    let until = timeout(call, args[last])?;
    call.attempt_or_block(&args[1..last], Attempt::Pop(end), until)
}

/// `timeout numkeys key … LEFT | RIGHT [COUNT count]`; the timeout is looked at
/// last.
pub(super) fn blmpop(call: &mut Call<'_>, args: Args<'_>) -> Flow {
    let (keys, from, count) = several(args, 2)?;
    let until = timeout(call, args[1])?;
    call.attempt_or_block(keys, Attempt::PopMany(from, count), until)
}

/// `source destination LEFT | RIGHT LEFT | RIGHT timeout`.
pub(super) fn blmove(call: &mut Call<'_>, args: Args<'_>) -> Flow {
    let (from, to) = (end(args[3])?, end(args[4])?);
    let until = timeout(call, args[5])?;
    let destination = Sds::new(args[2]);
    call.attempt_or_block(&args[1..2], Attempt::Move { from, to, destination }, until)
}

/// `source destination timeout`.
pub(super) fn brpoplpush(call: &mut Call<'_>, args: Args<'_>) -> Flow {
    let until = timeout(call, args[3])?;
    let (from, to, destination) = (End::Right, End::Left, Sds::new(args[2]));
    call.attempt_or_block(&args[1..2], Attempt::Move { from, to, destination }, until)
}
