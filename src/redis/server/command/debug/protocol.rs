//! One reply of each kind that the protocol has.

use super::super::Flow;
use crate::redis::command::arguments::is;
use crate::redis::command::{Args, Caller};
use crate::redis::error::CommandError;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::server::Server;

type Example = fn() -> Reply;

/// `PROTOCOL`: a value of each kind that the protocol has.
pub(super) fn protocol(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let three = || (0..3).map(Reply::Integer).collect::<Vec<_>>();
    let kinds: [(&str, Example); 8] = [
        ("string", || Reply::bulk(b"Hello World")),
        ("integer", || Reply::Integer(12_345)),
        ("double", || Reply::Double(3_141.0 / 1_000.0)),
        ("bignum", || Reply::BigNumber("1234567999999999999999999999999999999".into())),
        ("null", || Reply::Nil),
        ("true", || Reply::Boolean(true)),
        ("false", || Reply::Boolean(false)),
        ("verbatim", || Reply::Verbatim(*b"txt", "This is a verbatim\nstring".into())),
    ];
    if let Some((_, reply)) = kinds.iter().find(|(name, _)| is(args[2], name)) {
        return Ok(Some(reply()));
    }
    if is(args[2], "array") {
        Ok(Some(Reply::Array(three())))
    } else if is(args[2], "set") {
        Ok(Some(Reply::Set(three())))
    } else if is(args[2], "map") {
        let pair = |n: i64| (Reply::Integer(n), Reply::Boolean(n == 1));
        Ok(Some(Reply::Map((0..3).map(pair).collect())))
    } else if is(args[2], "attrib") {
        let popularity = Reply::Array(vec![Reply::bulk(b"key:123"), Reply::Integer(90)]);
        let reply = Box::new(Reply::bulk(b"Some real reply following the attribute"));
        Ok(Some(Reply::Attributed(vec![(Reply::bulk(b"key-popularity"), popularity)], reply)))
    } else if is(args[2], "push") {
        if server.session_mut(caller.client).protocol == Protocol::Resp2 {
            return Err(CommandError::text("ERR RESP2 is not supported by this command"));
        }
        let items = vec![Reply::bulk(b"server-cpu-usage"), Reply::Integer(42)];
        server.push(caller.client, items);
        Ok(Some(Reply::bulk(b"Some real reply following the push reply")))
    } else {
        Err(CommandError::text(
            "ERR Wrong protocol type name. Please use one of the following: \
             string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
        ))
    }
}
