//! The commands on the connection itself.

use super::flag::*;
use super::options::{is, shown};
use super::{Answer, Args, Command, client, container, flow, now};
use crate::redis::error::CommandError;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::server::{Call, Replies};
use crate::redis::value::{Sds, number};

#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    now("auth", -2, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, &["connection"], &[], "Authenticate to the server", auth),
    container("client", -2, 0, &[], "A container for client connection commands", client::SUBCOMMANDS),
    now("echo", 2, LOADING | STALE | FAST, &["connection"], &[], "Echo the given string", echo),
    now("hello", -1, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, &["connection"], &[], "Handshake with Redis", hello),
    now("ping", -1, FAST, &["connection"], &[], "Ping the server", ping).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    flow("quit", -1, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, &["connection"], &[], "Close the connection", quit),
    now("reset", 1, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, &["connection"], &[], "Reset the connection", reset),
];

const WRONG_PASSWORD: CommandError =
    CommandError::text("WRONGPASS invalid username-password pair or user is disabled.");

/// There is one user, `default`, with the configured password, or any.
fn authenticate(call: &mut Call<'_>, user: &[u8], password: &[u8]) -> Result<(), CommandError> {
    let wanted = call.server.config.password();
    if user != b"default" || wanted.is_some_and(|wanted| wanted.as_slice() != password) {
        return Err(WRONG_PASSWORD);
    }
    call.session().authenticated = true;
    Ok(())
}

/// `[user] password`.
fn auth(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    match args {
        [_, _] if call.server.config.password().is_none() => Err(CommandError::text(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        )),
        [_, password] => authenticate(call, b"default", password).map(|()| Reply::OK),
        [_, user, password] => authenticate(call, user, password).map(|()| Reply::OK),
        _ => Err(CommandError::Syntax),
    }
}

/// `[version [AUTH user password] [SETNAME name]]`.
fn hello(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let mut protocol = call.session().protocol;
    if let Some(version) = args.get(1) {
        let version = number::parse_i64(version)
            .ok_or(CommandError::text("ERR Protocol version is not an integer or out of range"))?;
        protocol = match version {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err(CommandError::text("NOPROTO unsupported protocol version")),
        };
    }
    let (mut login, mut name) = (None, None);
    let mut rest = args.get(2..).unwrap_or_default();
    while let [word, after @ ..] = rest {
        rest = match after {
            [user, password, after @ ..] if is(word, "auth") => {
                login = Some((*user, *password));
                after
            }
            [value, after @ ..] if is(word, "setname") => {
                name = Some(*value);
                after
            }
            _ => {
                let word = shown(word);
                return Err(CommandError::format(format!(
                    "ERR Syntax error in HELLO option '{word}'"
                )));
            }
        };
    }
    if let Some((user, password)) = login {
        authenticate(call, user, password)?;
    }
    if !call.session().authenticated {
        return Err(CommandError::text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        client::set_name(call.session(), name)?;
    }
    call.session().protocol = protocol;
    let text = |text: &str| Reply::bulk(text.as_bytes());
    let version = if protocol == Protocol::Resp3 { 3 } else { 2 };
    Ok(Reply::Map(vec![
        (text("server"), text("redis")),
        (text("version"), text(super::server::VERSION)),
        (text("proto"), Reply::Integer(version)),
        (text("id"), Reply::Integer(call.session().id as i64)),
        (text("mode"), text("standalone")),
        (text("role"), text("master")),
        (text("modules"), Reply::Array(Vec::new())),
    ]))
}

fn echo(_call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::bulk(args[1]))
}

/// A subscriber of RESP2 gets an answer that looks like a message.
fn ping(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    if args.len() > 2 {
        return Err(CommandError::Arity("ping".into()));
    }
    let message = args.get(1).copied();
    let resp2 = call.session().protocol == Protocol::Resp2;
    if resp2 && call.server.pubsub.is_subscriber(call.client) {
        return Ok(Reply::bulks([b"pong", message.unwrap_or_default()]));
    }
    Ok(message.map_or(Reply::status("PONG"), Reply::bulk))
}

/// The connection closes once this is answered.
fn quit(call: &mut Call<'_>, _args: Args<'_>) -> Result<Option<Reply>, CommandError> {
    call.session().closing = true;
    Ok(Some(Reply::OK))
}

/// The connection is as it was when it was made.
fn reset(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    let client = call.client;
    call.server.unwatch(client);
    call.server.pubsub.remove_client(client);
    let authenticated = call.server.config.password().is_none();
    let session = call.session();
    session.multi = None;
    session.database = 0;
    session.protocol = Protocol::Resp2;
    session.replies = Replies::On;
    session.name = Sds::default();
    session.authenticated = authenticated;
    Ok(Reply::status("RESET"))
}
