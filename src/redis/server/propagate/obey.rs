//! What a server runs that a master or an append-only file tells it to, where a client's command of
//! the same words is another one.
//!
//! `XADD` and `XTRIM` are sent with the length that they have left, and with the `LIMIT` that the
//! client gave. A client may not give a limit of an exact trim. A server that obeys ignores it.
//!
//! Source: `t_stream.c` (`streamParseAddOrTrimArgsOrReply`, `mustObeyClient`).

use super::rewrite::end_of_stream_options;
use crate::redis::command::Args;
use crate::redis::command::arguments::is;

/// Returns the words that are to be run instead of a command from a master or a file, if those are
/// others.
pub(in crate::redis::server) fn obeyed<'a>(args: Args<'a>) -> Option<Vec<&'a [u8]>> {
    if !is(args[0], "xadd") && !is(args[0], "xtrim") {
        return None;
    }
    let end = end_of_stream_options(args);
    let options = || 2..end.min(args.len());
    let limit = options().find(|at| is(args[*at], "limit"));
    let by = options().find(|at| is(args[*at], "maxlen") || is(args[*at], "minid"))?;
    let approximate = args.get(by + 1).is_some_and(|mark| *mark == b"~");
    if limit.is_none() && !approximate {
        return None;
    }
    let is_limit = |at: usize| limit.is_some_and(|limit| at == limit || at == limit + 1);
    let mut words = Vec::new();
    for (at, word) in args.iter().enumerate() {
        if !is_limit(at) {
            words.push(*word);
        }
        if approximate && at == by + 2 {
            words.extend([&b"LIMIT"[..], b"0"]);
        }
    }
    Some(words)
}
