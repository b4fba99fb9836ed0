//! The commands on lists that block until there is something to be had.

use super::super::blocking::Attempt;
use super::super::error::Error;
use super::super::long_double::LongDouble;
use super::super::reply::Reply;
use super::super::sds::Sds;
use super::super::server::Call;
use super::super::value::End;
use super::Args;
use super::list::{end, several};
use crate::time::Instant;
use std::time::Duration;

type Flow = Result<Option<Reply>, Error>;

/// When a client gives up that waits for so many seconds from now on; `None`
/// for 0: never.
///
/// Redis counts in milliseconds, rounded up.
pub(super) fn deadline(call: &Call<'_>, seconds: &[u8]) -> Result<Option<Instant>, Error> {
    let seconds = LongDouble::parse(seconds)
        .ok_or(Error::text("ERR timeout is not a float or out of range"))?;
    let millis =
        u64::try_from(seconds.ceil_millis()).map_err(|_| Error::text("ERR timeout is negative"))?;
    Ok((millis > 0).then(|| call.now() + Duration::from_millis(millis)))
}

impl Call<'_> {
    /// Makes an attempt on each of these keys, or waits; see
    /// [`Server::attempt_or_block`](crate::redis::Server::attempt_or_block).
    pub(super) fn attempt(
        &mut self,
        keys: Args<'_>,
        attempt: Attempt,
        until: Option<Instant>,
    ) -> Flow {
        let (client, database, in_exec) = (self.client, self.database, self.in_exec);
        self.server.attempt_or_block(client, database, keys, attempt, until, in_exec)
    }
}

pub(super) fn blpop(call: &mut Call<'_>, args: Args<'_>) -> Flow {
    pop(call, args, End::Left)
}

pub(super) fn brpop(call: &mut Call<'_>, args: Args<'_>) -> Flow {
    pop(call, args, End::Right)
}

/// `key … timeout`.
fn pop(call: &mut Call<'_>, args: Args<'_>, end: End) -> Flow {
    let last = args.len() - 1;
    let until = deadline(call, args[last])?;
    call.attempt(&args[1..last], Attempt::Pop(end), until)
}

/// `timeout numkeys key … LEFT | RIGHT [COUNT count]`; the timeout is looked at
/// last.
pub(super) fn blmpop(call: &mut Call<'_>, args: Args<'_>) -> Flow {
    let (keys, from, count) = several(args, 2)?;
    let until = deadline(call, args[1])?;
    call.attempt(keys, Attempt::PopMany(from, count), until)
}

/// `source destination LEFT | RIGHT LEFT | RIGHT timeout`.
pub(super) fn blmove(call: &mut Call<'_>, args: Args<'_>) -> Flow {
    let (from, to) = (end(args[3])?, end(args[4])?);
    let until = deadline(call, args[5])?;
    let destination = Sds::new(args[2]);
    call.attempt(&args[1..2], Attempt::Move { from, to, destination }, until)
}

/// `source destination timeout`.
pub(super) fn brpoplpush(call: &mut Call<'_>, args: Args<'_>) -> Flow {
    let until = deadline(call, args[3])?;
    let (from, to, destination) = (End::Right, End::Left, Sds::new(args[2]));
    call.attempt(&args[1..2], Attempt::Move { from, to, destination }, until)
}
