//! The commands on the connection itself.

use super::{Flow, Row, client, node};
use crate::redis::command::arguments::{is, shown};
use crate::redis::command::flag::*;
use crate::redis::command::key::database_index;
use crate::redis::command::{Answer, Args, Caller, container, database, flow, server};
use crate::redis::database::Database;
use crate::redis::error::CommandError;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::server::acl::DEFAULT_USER;
use crate::redis::server::{Replies, Server};
use crate::redis::value::{Sds, number};

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    server("auth", -2, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, &["connection"], &[], "Authenticate to the server", auth),
    container("client", -2, 0, &[], "A container for client connection commands", client::SUBCOMMANDS),
    database("echo", 2, LOADING | STALE | FAST, &["connection"], &[], "Echo the given string", echo),
    server("hello", -1, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, &["connection"], &[], "Handshake with Redis", hello),
    server("ping", -1, FAST, &["connection"], &[], "Ping the server", ping).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    flow("quit", -1, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, &["connection"], &[], "Close the connection", quit),
    server("reset", 1, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, &["connection"], &[], "Reset the connection", reset),
    server("select", 2, LOADING | STALE | FAST, &["connection"], &[], "Change the selected database for the current connection", select),
];

const WRONG_PASSWORD: CommandError =
    CommandError::text("WRONGPASS invalid username-password pair or user is disabled.");

/// Logs a client in.
fn authenticate(
    server: &mut Server,
    caller: Caller,
    args: Args<'_>,
    (user, password): (&[u8], &[u8]),
) -> Result<(), CommandError> {
    if !server.acl.user(user).is_some_and(|known| known.accepts(password)) {
        server.log_failed_login(caller, args[0], user);
        return Err(WRONG_PASSWORD);
    }
    let session = server.session_mut(caller.client);
    session.user = Some(Sds::new(user));
    session.authenticated = true;
    Ok(())
}

/// `[user] password`.
fn auth(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    match args {
        [_, _] if server.acl.default_user().is_some_and(|user| user.any_password) => {
            Err(CommandError::text(
                "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
            ))
        }
        [_, password] => {
            authenticate(server, caller, args, (DEFAULT_USER.as_bytes(), password))?;
            Ok(Reply::OK)
        }
        [_, user, password] => {
            authenticate(server, caller, args, (user, password))?;
            Ok(Reply::OK)
        }
        _ => Err(CommandError::Syntax),
    }
}

/// An option of `HELLO`.
#[derive(Clone, Copy)]
enum HelloOption<'a> {
    Auth(&'a [u8], &'a [u8]),
    SetName(&'a [u8]),
}

/// The options taken together: the last of each kind counts.
#[derive(Default)]
struct Introduction<'a> {
    auth: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Introduction<'a> {
    fn read(&mut self, option: HelloOption<'a>) -> Result<(), CommandError> {
        match option {
            HelloOption::Auth(user, password) => self.auth = Some((user, password)),
            HelloOption::SetName(name) => {
                client::check_name(name)?;
                self.name = Some(name);
            }
        }
        Ok(())
    }
}

fn each_option<'a>(
    mut rest: Args<'a>,
    mut run: impl FnMut(HelloOption<'a>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    while let [word, after @ ..] = rest {
        rest = match after {
            [user, password, after @ ..] if is(word, "auth") => {
                run(HelloOption::Auth(user, password))?;
                after
            }
            [name, after @ ..] if is(word, "setname") => {
                run(HelloOption::SetName(name))?;
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
    Ok(())
}

/// `[version [AUTH user password] [SETNAME name]]`.
fn hello(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let mut protocol = server.session_mut(caller.client).protocol;
    if let Some(version) = args.get(1) {
        let version = number::parse_i64(version)
            .ok_or(CommandError::text("ERR Protocol version is not an integer or out of range"))?;
        protocol = match version {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err(CommandError::text("NOPROTO unsupported protocol version")),
        };
    }
    let options = args.get(2..).unwrap_or_default();
    let mut last = Introduction::default();
    let reads_all_first = server.profile().arguments.hello_reads_all_first;
    each_option(options, |option| {
        match option {
            _ if reads_all_first => last.read(option)?,
            HelloOption::Auth(user, password) => {
                authenticate(server, caller, args, (user, password))?;
            }
            HelloOption::SetName(name) => {
                client::set_name(server.session_mut(caller.client), name)?;
            }
        }
        Ok(())
    })?;
    if let Some(auth) = last.auth {
        authenticate(server, caller, args, auth)?;
    }
    if let Some(name) = last.name {
        client::set_name(server.session_mut(caller.client), name)?;
    }
    if !server.session_mut(caller.client).authenticated {
        let proto = if server.profile().texts.hello_names_protocol { "<proto> " } else { "" };
        return Err(CommandError::format(format!(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO {proto}AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        )));
    }
    server.session_mut(caller.client).protocol = protocol;
    let text = |text: &str| Reply::bulk(text.as_bytes());
    let version = if protocol == Protocol::Resp3 { 3 } else { 2 };
    let mode = if server.sentinel.is_some() { "sentinel" } else { "standalone" };
    let role = if server.replication.is_replica() { "replica" } else { "master" };
    let product = server.config.shown_product();
    let mut fields = vec![
        (text("server"), text(product.name)),
        (text("version"), text(product.number)),
        (text("proto"), Reply::Integer(version)),
        (text("id"), Reply::Integer(server.session_mut(caller.client).id as i64)),
        (text("mode"), text(mode)),
    ];
    if server.sentinel.is_none() {
        fields.push((text("role"), text(role)));
    }
    fields.push((text("modules"), node::modules(server)));
    Ok(Reply::Map(fields))
}

fn echo(_: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::bulk(args[1]))
}

/// To a RESP2 subscriber, the reply looks like a message.
fn ping(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    if args.len() > 2 {
        return Err(CommandError::Arity("ping".into()));
    }
    let message = args.get(1).copied();
    let resp2 = server.session_mut(caller.client).protocol == Protocol::Resp2;
    if resp2 && server.pubsub.is_subscriber(caller.client) {
        return Ok(Reply::bulks([b"pong", message.unwrap_or_default()]));
    }
    Ok(message.map_or(Reply::status("PONG"), Reply::bulk))
}

/// The connection closes after the reply.
fn quit(server: &mut Server, caller: Caller, _args: Args<'_>) -> Flow {
    server.session_mut(caller.client).closing = true;
    Ok(Some(Reply::OK))
}

/// Resets the connection to its initial state.
fn reset(server: &mut Server, caller: Caller, _args: Args<'_>) -> Answer {
    let client = caller.client;
    server.unwatch(client);
    server.pubsub.remove_client(client);
    server.watchers.forget(client);
    server.untrack(client);
    let authenticated = server.acl.is_open;
    let clears_marks = server.profile().reset_clears_marks;
    let session = server.session_mut(caller.client);
    session.multi = None;
    session.database = 0;
    session.protocol = Protocol::Resp2;
    session.replies = Replies::On;
    session.forget_claims(clears_marks);
    session.user = Some(DEFAULT_USER.into());
    session.authenticated = authenticated;
    Ok(Reply::status("RESET"))
}

fn select(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let index = database_index(args[1], server.databases.len())?;
    server.session_mut(caller.client).database = index;
    Ok(Reply::OK)
}
