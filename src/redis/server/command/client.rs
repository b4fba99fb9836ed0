//! `CLIENT`: what a client can learn about itself and the others, and do to them.

mod filter;

use super::{Flow, Row, tracking};
use crate::redis::command::arguments::{integer, is, shown};
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, Origin, flow, help, server, wrong_subcommand};
use crate::redis::error::CommandError;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::server::pubsub::Kind;
use crate::redis::server::session::Claims;
use crate::redis::server::{ClientId, Pause, Replies, Server, Session};
use crate::redis::value::{Sds, number};
use crate::redis::version::{Version, Versions};
use crate::time::Instant;
use filter::Filter;
use std::collections::BTreeSet;

#[rustfmt::skip]
pub(super) const SUBCOMMANDS: &[Row] = &[
    server("client|caching", 3, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Instruct the server about tracking or not keys in the next request", tracking::client_caching),
    server("client|getredir", 2, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Get tracking notifications redirection client ID if any", tracking::client_getredir),
    server("client|tracking", -3, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Enable or disable server assisted client side caching support", tracking::client_tracking),
    server("client|trackinginfo", 2, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Return information about server assisted client side caching for the current connection", tracking::client_trackinginfo),
    server("client|getname", 2, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Get the current connection name", client_getname),
    help("client|help", 2, LOADING | STALE, &["connection"], &[], "Show helpful text about the different subcommands"),
    server("client|id", 2, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Returns the client ID for the current connection", client_id),
    server("client|info", 2, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Returns information about the current client connection.", client_info).tips(&["nondeterministic_output"]),
    server("client|kill", -3, ADMIN | NOSCRIPT | LOADING | STALE, &["connection"], &[], "Kill the connection of a client", client_kill),
    server("client|list", -2, ADMIN | NOSCRIPT | LOADING | STALE, &["connection"], &[], "Get the list of client connections", client_list).tips(&["nondeterministic_output"]),
    server("client|no-evict", 3, ADMIN | NOSCRIPT | LOADING | STALE, &["connection"], &[], "Set client eviction mode for the current connection", client_no_evict),
    server("client|no-touch", 3, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.", client_no_touch).in_versions(Versions::SINCE_7_2),
    server("client|setinfo", 4, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Sets information specific to the client or connection.", client_setinfo).tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]).in_versions(Versions::SINCE_7_2),
    server("client|capa", -3, NOSCRIPT | LOADING | STALE, &["connection"], &[], "A client claims its capability.", client_capa).in_versions(Versions::VALKEY),
    server("client|import-source", 3, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Mark this client as an import source when server is in import mode.", client_import_source).in_versions(Versions::VALKEY_SINCE_8_1),
    server("client|pause", -3, ADMIN | NOSCRIPT | LOADING | STALE, &["connection"], &[], "Stop processing commands from clients for some time", client_pause),
    flow("client|reply", 3, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Instruct the server whether to reply to commands", client_reply),
    server("client|setname", 3, NOSCRIPT | LOADING | STALE, &["connection"], &[], "Set the current connection name", client_setname),
    server("client|unblock", -3, ADMIN | NOSCRIPT | LOADING | STALE, &["connection"], &[], "Unblock a client blocked in a blocking command from a different connection", client_unblock),
    server("client|unpause", 2, ADMIN | NOSCRIPT | LOADING | STALE, &["connection"], &[], "Resume processing of clients that were paused", client_unpause),
];

fn client_id(server: &mut Server, caller: Caller, _args: Args<'_>) -> Answer {
    Ok(Reply::Integer(server.session_mut(caller.client).id as i64))
}

fn client_getname(server: &mut Server, caller: Caller, _args: Args<'_>) -> Answer {
    let name = server.session_mut(caller.client).name();
    Ok(if name.is_empty() { Reply::Nil } else { Reply::bulk(name) })
}

fn client_setname(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    set_name(server.session_mut(caller.client), args[2])?;
    Ok(Reply::OK)
}

/// `ON | OFF`. Commands of a client that does not touch keys are no uses of them.
fn client_no_touch(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let on = is(args[2], "on");
    if !on && !is(args[2], "off") {
        return Err(CommandError::Syntax);
    }
    server.session_mut(caller.client).claims_mut().no_touch = on;
    Ok(Reply::OK)
}

/// `LIB-NAME name | LIB-VER version`: what library the client uses.
fn client_setinfo(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let (option, value) = (args[2], args[3]);
    let claims = server.session_mut(caller.client).claims_mut();
    let field = if is(option, "lib-name") {
        &mut claims.library
    } else if is(option, "lib-ver") {
        &mut claims.library_version
    } else {
        let option = shown(option);
        return Err(CommandError::format(format!("ERR Unrecognized option '{option}'")));
    };
    if !is_one_word(value) {
        let option = shown(option);
        return Err(CommandError::format(format!(
            "ERR {option} cannot contain spaces, newlines or special characters."
        )));
    }
    *field = Sds::new(value);
    Ok(Reply::OK)
}

/// `capability …`: of the known ones, redirection is the only one.
fn client_capa(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    if args[2..].iter().any(|capability| is(capability, "redirect")) {
        server.session_mut(caller.client).claims_mut().redirects = true;
    }
    Ok(Reply::OK)
}

/// `ON | OFF`: the client copies keys from another server. It is shown, and has no other effect.
fn client_import_source(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let (on, off) = (is(args[2], "on"), is(args[2], "off"));
    if !off && !server.config.is_on("import-mode") {
        return Err(CommandError::text("ERR Server is not in import mode"));
    }
    if !on && !off {
        return Err(CommandError::Syntax);
    }
    server.session_mut(caller.client).claims_mut().imports = on;
    Ok(Reply::OK)
}

/// Returns whether all bytes are printable ASCII: `CLIENT LIST` separates fields by spaces.
fn is_one_word(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

/// Sets a client's name, which must be one word.
pub(super) fn set_name(session: &mut Session, name: &[u8]) -> Result<(), CommandError> {
    check_name(name)?;
    session.claims_mut().name = Sds::new(name);
    Ok(())
}

pub(super) fn check_name(name: &[u8]) -> Result<(), CommandError> {
    let refused = "ERR Client names cannot contain spaces, newlines or special characters.";
    is_one_word(name).then_some(()).ok_or(CommandError::text(refused))
}

/// Bytes of a request on the wire: those of an array of bulk strings.
fn wire_len(request: Args<'_>) -> usize {
    let header = |n: usize| n.checked_ilog10().unwrap_or(0) as usize + 1 + 3;
    let words = request.iter().map(|word| header(word.len()) + word.len() + 2);
    header(request.len()) + words.sum::<usize>()
}

/// Returns the marks of a client.
fn flags(server: &Server, client: ClientId, session: &Session) -> String {
    let tracker = server.tracking.clients.get(&client);
    let mut flags = String::new();
    let marks = [
        ('S', server.replication.replicas.contains_key(&client)),
        ('O', server.watchers.monitors.contains(&client)),
        ('P', server.pubsub.is_subscriber(client)),
        ('x', session.multi.is_some() || session.executing.is_some()),
        ('t', tracker.is_some()),
        ('R', tracker.is_some_and(|by| by.broken)),
        ('B', tracker.is_some_and(|by| by.broadcasts)),
        ('b', server.blocking.is_blocked(client) || session.postponed),
        ('e', session.no_evict()),
        ('T', session.claims().is_some_and(|claims| claims.no_touch)),
        ('I', session.claims().is_some_and(|claims| claims.imports)),
    ];
    flags.extend(marks.into_iter().filter(|(_, set)| *set).map(|(mark, _)| mark));
    if flags.is_empty() {
        flags.push('N');
    }
    flags
}

/// Returns a client's line of `CLIENT LIST`. `request` is what the client runs right now; nothing
/// else is in its buffers but what it has sent ahead.
pub(super) fn line(
    server: &Server,
    client: ClientId,
    session: &Session,
    request: Args<'_>,
) -> String {
    let pubsub = |kind| server.pubsub.count(client, kind);
    let profile = server.profile();
    let queued = session.queue_size();
    let stays = session.has_queue && profile.texts.queue_stays;
    let multi = queued.map_or(if stays { 0 } else { -1 }, |queued| queued.commands as i64);
    let queued = queued.unwrap_or_default();
    let is_text = profile.memory.queues_are_text;
    let queued_bytes = if is_text { queued.bytes } else { queued.memory_of_words() };
    let arguments = match session.executing {
        Some(_) if is_text => queued.bytes,
        Some(_) | None => request.iter().map(|word| word.len()).sum(),
    };
    let flags = flags(server, client, session);
    let is_own = !request.is_empty() && profile.texts.client_has_own_buffer;
    let own = if is_own { wire_len(request) } else { 0 };
    let since = |then: Instant| (server.now - then).as_secs();
    let (capa, watch, more) = later_fields(profile.version, session);
    format!(
        "id={} addr={} laddr=127.0.0.1:{} fd={} name={} age={} idle={} flags={}{capa} db={} sub={} \
         psub={} ssub={} multi={multi}{watch} qbuf={} qbuf-free=0 argv-mem={} multi-mem={} rbs=0 rbp=0 \
         obl=0 oll=0 omem=0 tot-mem={} events=r cmd={} user={} redir={} resp={}{more}\n",
        session.id,
        session.peer,
        server.config.port,
        session.id + 7,
        String::from_utf8_lossy(session.name()),
        since(session.created),
        since(session.last_used),
        flags,
        session.database,
        pubsub(Kind::Channel),
        pubsub(Kind::Pattern),
        pubsub(Kind::Shard),
        session.sent_ahead() + own,
        arguments,
        queued_bytes,
        server.client_memory(client, session),
        session.last_command,
        session.user.as_ref().map_or_else(|| "(superuser)".to_owned(), Sds::to_string),
        tracking::redirection(server, client),
        match session.protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        },
    )
}

/// Returns the fields that later versions have: after the flags, after the transaction, at the end.
fn later_fields(version: Version, session: &Session) -> (String, String, String) {
    let fits = |versions: Versions| versions.has(version);
    let claims = session.claims();
    let redirects = claims.is_some_and(|claims| claims.redirects);
    let capa = if fits(Versions::VALKEY_SINCE_8_1) {
        format!(" capa={}", if redirects { "r" } else { "" })
    } else {
        String::new()
    };
    let watch = if fits(Versions::SINCE_7_4) {
        format!(" watch={}", session.watches.len())
    } else {
        String::new()
    };
    let mut more = String::new();
    if fits(Versions::SINCE_7_2) {
        let text = |of: fn(&Claims) -> &Sds| claims.map_or_else(String::new, |c| of(c).to_string());
        more +=
            &format!(" lib-name={} lib-ver={}", text(|c| &c.library), text(|c| &c.library_version));
    }
    if fits(Versions::REDIS_SINCE_8_0) {
        more += " io-thread=0";
    }
    if fits(Versions::SINCE_8_2) {
        more += " tot-net-in=0 tot-net-out=0 tot-cmds=0";
    }
    (capa, watch, more)
}

fn verbatim(text: String) -> Reply {
    Reply::Verbatim(*b"txt", text.into())
}

fn client_info(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let client = caller.client;
    let session = server.sessions.get(&client).expect("the caller has a session");
    Ok(verbatim(line(server, client, session, request_of(caller, client, args))))
}

/// The request that runs a transaction.
const EXEC: Args<'static> = &[b"exec"];

/// Returns the request that a client runs, if it is the caller.
fn request_of<'a>(caller: Caller, client: ClientId, args: Args<'a>) -> Args<'a> {
    match caller.origin {
        Origin::Client if caller.client == client => args,
        Origin::Exec if caller.client == client => EXEC,
        _ => &[],
    }
}

/// `[TYPE type | ID id …]`, or in later versions filters that must all match.
fn client_list(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let rules = &server.profile().arguments;
    let words = &args[2..];
    let filter = if rules.client_list_filters {
        Filter::parse(server, words, true)?
    } else {
        match words {
            [] => Filter::all(),
            [word, _] if is(word, "type") => Filter::parse(server, words, true)?,
            [word, rest @ ..] if is(word, "id") && !rest.is_empty() => {
                let parsed: Option<BTreeSet<i64>> =
                    rest.iter().map(|id| number::parse_i64(id)).collect();
                Filter::ids(parsed.ok_or(CommandError::text("ERR Invalid client ID"))?)
            }
            _ => return Err(CommandError::Syntax),
        }
    };
    let server = &*server;
    let listed = server
        .sessions
        .iter()
        .filter(|(client, session)| filter.matches(server, caller.client, **client, session));
    let lines = listed
        .map(|(client, session)| line(server, *client, session, request_of(caller, *client, args)));
    Ok(verbatim(lines.collect()))
}

/// `addr`, or filters that must all match. A client that kills itself gets the reply first.
fn client_kill(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let by_address = args.len() == 3;
    let filter = if by_address {
        Filter::address(args[2])
    } else {
        Filter::parse(server, &args[2..], false)?
    };
    let me = caller.client;
    let server = &mut *server;
    let meant = server
        .sessions
        .iter()
        .filter(|(client, session)| filter.matches(server, me, **client, session));
    let killed: Vec<ClientId> = meant.map(|(client, _)| *client).collect();
    for client in &killed {
        if *client == me {
            server.sessions.get_mut(client).expect("the client was just listed").closing = true;
        } else {
            server.close(*client);
        }
    }
    match (by_address, killed.is_empty()) {
        (true, true) => Err(CommandError::text("ERR No such client")),
        (true, false) => Ok(Reply::OK),
        (false, _) => Ok(Reply::count(killed.len())),
    }
}

/// Returns the fourth word, and those after it where they matter.
fn mode_of<'a>(server: &Server, args: Args<'a>) -> Args<'a> {
    let ignores_more = server.profile().arguments.client_takes_more;
    let end = if ignores_more { args.len().min(4) } else { args.len() };
    &args[3..end]
}

/// `id [TIMEOUT | ERROR]`.
fn client_unblock(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let error = match mode_of(server, args) {
        [] => false,
        [word] if is(word, "timeout") => false,
        [word] if is(word, "error") => true,
        [_, _, ..] => return Err(wrong_subcommand(args, "CLIENT")),
        _ => {
            return Err(CommandError::text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
        }
    };
    let id = integer(args[2])?;
    let server = &mut *server;
    let found = server.sessions.iter().find(|(_, session)| session.id as i64 == id);
    let Some(client) = found.map(|(client, _)| *client) else { return Ok(Reply::flag(false)) };
    let error =
        error.then_some(CommandError::text("UNBLOCKED client unblocked via CLIENT UNBLOCK").into());
    Ok(Reply::flag(server.unblock_by_request(client, error)))
}

fn client_no_evict(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let on = is(args[2], "on");
    if !on && !is(args[2], "off") {
        return Err(CommandError::Syntax);
    }
    server.session_mut(caller.client).claims_mut().no_evict = on;
    Ok(Reply::OK)
}

/// `milliseconds [WRITE | ALL]`. Of two pauses, the later end and the stricter mode apply.
fn client_pause(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let writes_only = match mode_of(server, args) {
        [] => false,
        [word] if is(word, "all") => false,
        [word] if is(word, "write") => true,
        [_, _, ..] => return Err(wrong_subcommand(args, "CLIENT")),
        _ => return Err(CommandError::text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let until = server.timeouts().pause(args[2])?;
    if until <= server.now {
        return Ok(Reply::OK);
    }
    let pause = Pause { until, writes_only };
    let both = server.paused.map_or(pause, |former| Pause {
        until: former.until.max(until),
        writes_only: former.writes_only && writes_only,
    });
    server.pause(both);
    Ok(Reply::OK)
}

fn client_unpause(server: &mut Server, _: Caller, _args: Args<'_>) -> Answer {
    server.unpause();
    Ok(Reply::OK)
}

/// `ON | OFF | SKIP`. Only `ON` has a reply.
fn client_reply(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let replies = &mut server.session_mut(caller.client).replies;
    if is(args[2], "on") {
        *replies = Replies::On;
        return Ok(Some(Reply::OK));
    }
    if is(args[2], "off") {
        *replies = Replies::Off;
    } else if is(args[2], "skip") {
        if *replies != Replies::Off {
            *replies = Replies::SkipNext;
        }
    } else {
        return Err(CommandError::Syntax);
    }
    Ok(None)
}
