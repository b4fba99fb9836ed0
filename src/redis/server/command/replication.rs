//! The commands of replication. What they do is in the server's `master`, `replica` and `failover`.
//!
//! Source: `replication.c`.

use super::{Flow, Row};
use crate::redis::command::arguments::{count, integer, is};
use crate::redis::command::attempt::{Attempt, Syncs};
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, Origin, flow, server};
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::replication::{Announced, FailoverOptions, NO_FILE, Stage};
use crate::redis::value::{Sds, number};
use crate::redis::version::Versions;
use std::time::Duration;

const INTERNAL: u32 = ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    server("role", 1, NOSCRIPT | LOADING | STALE | FAST, &["admin", "dangerous"], &[], "Return the role of the instance in the context of replication", role),
    server("failover", -1, ADMIN | NOSCRIPT | STALE, &[], &[], "Start a coordinated failover between this server and one of its replicas.", failover),
    server("replicaof", 3, ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING, &[], &[], "Make the server a replica of another instance, or promote it as master.", replicaof),
    server("slaveof", 3, ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING, &[], &[], "Make the server a replica of another instance, or promote it as master.", replicaof),
    flow("psync", -3, INTERNAL, &[], &[], "Internal command used for replication", psync),
    flow("sync", 1, INTERNAL, &[], &[], "Internal command used for replication", psync),
    flow("replconf", -1, ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY, &[], &[], "An internal command for configuring the replication stream", replconf),
    flow("waitaof", 4, BLOCKING, &["connection"], &[], "Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.", waitaof).in_versions(Versions::SINCE_7_2).tips(&["request_policy:all_shards", "response_policy:agg_min"]),
    flow("wait", 3, NOSCRIPT, &["connection"], &[], "Wait for the synchronous replication of all the write commands sent in the context of the current connection", wait).tips(&["request_policy:all_shards", "response_policy:agg_min"]),
];

fn role(server: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    if let Some(sentinel) = &server.sentinel {
        let names = Reply::bulks(sentinel.masters.keys());
        return Ok(Reply::Array(vec![Reply::bulk(b"sentinel"), names]));
    }
    let replication = &server.replication;
    if let Some(link) = &replication.link {
        let offset = if link.is_connected() { replication.offset as i64 } else { -1 };
        return Ok(Reply::Array(vec![
            Reply::bulk(b"slave"),
            Reply::bulk(&link.host),
            Reply::Integer(i64::from(link.port)),
            Reply::bulk(link.shown().as_bytes()),
            Reply::Integer(offset),
        ]));
    }
    let online = replication.replicas.iter().filter(|(_, replica)| replica.stage == Stage::Online);
    let shown = online.map(|(client, replica)| {
        let (host, port) = server.address_of(*client);
        Reply::bulks([host, port.to_string().into(), replica.acked.to_string().into()])
    });
    let replicas = Reply::Array(shown.collect());
    Ok(Reply::Array(vec![
        Reply::bulk(b"master"),
        Reply::Integer(replication.offset as i64),
        replicas,
    ]))
}

/// `[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]`.
fn failover(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    if let [word] = &args[1..]
        && is(word, "abort")
    {
        if server.replication.failover.is_none() {
            return Err(CommandError::text("ERR No failover in progress."));
        }
        server.abort_failover();
        return Ok(Reply::OK);
    }
    let mut words = &args[1..];
    let mut options = FailoverOptions::default();
    loop {
        words = match words {
            [] => break,
            [word, millis, rest @ ..] if is(word, "timeout") && options.timeout.is_none() => {
                let millis = u64::try_from(integer(millis)?).ok().filter(|millis| *millis > 0);
                let millis = millis
                    .ok_or(CommandError::text("ERR FAILOVER timeout must be greater than 0"))?;
                options.timeout = Some(Duration::from_millis(millis));
                rest
            }
            [word, host, port, rest @ ..] if is(word, "to") && options.target.is_none() => {
                options.target = Some((Sds::new(host), integer(port)?));
                rest
            }
            [word, rest @ ..] if is(word, "force") && !options.force => {
                options.force = true;
                rest
            }
            _ => return Err(CommandError::Syntax),
        };
    }
    server.begin_failover(options)?;
    Ok(Reply::OK)
}

/// `NO ONE`, or `host port`.
fn replicaof(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    if server.replication.failover.is_some() {
        return Err(CommandError::text("ERR REPLICAOF not allowed while failing over."));
    }
    if is(args[1], "no") && is(args[2], "one") {
        server.follow_nobody();
        return Ok(Reply::OK);
    }
    if server.replication.replicas.contains_key(&caller.client) {
        return Err(CommandError::text("ERR Command is not valid when client is a replica."));
    }
    let port = number::parse_i64(args[2]).and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or(CommandError::text("ERR Invalid master port"))?;
    let same = server.replication.link.as_ref().is_some_and(|link| {
        link.port == port && link.host.as_slice().eq_ignore_ascii_case(args[1])
    });
    if same {
        return Ok(Reply::status("OK Already connected to specified master"));
    }
    server.follow(args[1], port, false);
    Ok(Reply::OK)
}

/// `PSYNC replicationid offset [FAILOVER]`, or `SYNC`.
fn psync(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let client = caller.client;
    if server.replication.replicas.contains_key(&client) {
        return Ok(None);
    }
    if let [_, id, _, word, ..] = args
        && is(word, "failover")
    {
        if !server.replication.is_replica() {
            return Err(CommandError::text("ERR PSYNC FAILOVER can't be sent to a master."));
        }
        if !id.eq_ignore_ascii_case(&server.replication.history()) {
            return Err(CommandError::text("ERR PSYNC FAILOVER replid must match my replid."));
        }
        server.follow_nobody();
    }
    let position = match args {
        [_, id, from, ..] => Some((*id, from)),
        _ => None,
    };
    let position = position.map(|(id, from)| integer(from).map(|from| (id, from))).transpose()?;
    server.sync(client, position)
}

fn announced(server: &mut Server, client: ClientId) -> &mut Announced {
    server.replication.announced.entry(client).or_default()
}

/// Pairs of an option and its value.
fn replconf(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let client = caller.client;
    for pair in args[1..].chunks_exact(2) {
        let (option, value) = (pair[0], pair[1]);
        if is(option, "ack") {
            if let Some(offset) = number::parse_i64(value).and_then(|at| u64::try_from(at).ok()) {
                let synced = match args {
                    [_, _, _, word, synced] if is(word, "fack") => number::parse_i64(synced),
                    _ => None,
                };
                let synced = synced.and_then(|offset| u64::try_from(offset).ok());
                server.acknowledged(client, offset, synced);
            }
            return Ok(None);
        }
        if is(option, "getack") {
            server.confirm();
            return Ok(None);
        }
        if is(option, "listening-port") {
            let port = integer(value)?;
            announced(server, client).port = port;
        } else if is(option, "ip-address") {
            if value.len() >= 256 {
                return Err(CommandError::format(format!(
                    "ERR REPLCONF ip-address provided by replica instance is too long: {} bytes",
                    value.len()
                )));
            }
            announced(server, client).address = Some(Sds::new(value));
        } else if is(option, "capa") {
            let announced = announced(server, client);
            announced.psync2 |= is(value, "psync2");
            announced.asks_for_parting |= is(value, "parting");
            // Links between our servers wait like those of real ones.
            announced.takes_stream |= is(value, "eof") || is(value, "parting");
        } else if is(option, "rdb-only") {
            number::parse_i64(value).filter(|on| *on == 0 || *on == 1).ok_or(
                CommandError::text("ERR value is out of range, value must between 0 and 1"),
            )?;
        } else if is(option, "rdb-filter-only") {
            let mut words = value.split(|byte| byte.is_ascii_whitespace());
            let known = |word: &&[u8]| word.is_empty() || is(word, "functions");
            if let Some(word) = words.find(|word| !known(word)) {
                let word = String::from_utf8_lossy(word);
                return Err(CommandError::format(format!(
                    "ERR Unsupported rdb-filter-only option: {word}"
                )));
            }
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(CommandError::format(format!(
                "ERR Unrecognized REPLCONF option: {option}"
            )));
        }
    }
    Ok(Some(Reply::OK))
}

/// `numreplicas milliseconds`.
fn wait(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    if server.replication.is_replica() {
        return Err(CommandError::text(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 \
             if a replica is configured to be writable (which is not the default) writes to \
             replicas are just local and are not propagated.",
        ));
    }
    let replicas = integer(args[1])?;
    let deadline = server.timeouts().millis(args[2])?;
    let offset = server.sessions.get(&caller.client).map_or(0, |session| session.written);
    let have = server.replicas_with(offset);
    let count = usize::try_from(replicas).unwrap_or(0);
    if have >= count || !matches!(caller.origin, Origin::Client) {
        return Ok(Some(Reply::count(have)));
    }
    server.want_acks();
    Ok(server.block(caller, &[], Attempt::Replicas { count, offset }, deadline))
}

/// `numlocal numreplicas milliseconds`.
fn waitaof(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let local = match integer(args[1])? {
        0 => false,
        1 => true,
        _ => {
            return Err(CommandError::text(
                "ERR value is out of range, value must between 0 and 1",
            ));
        }
    };
    let replicas = count(args[2])?;
    let deadline = server.timeouts().millis(args[3])?;
    if server.replication.is_replica() {
        return Err(CommandError::text(
            "ERR WAITAOF cannot be used with replica instances. Please also note that writes to \
             replicas are just local and are not propagated.",
        ));
    }
    if local && !server.config.append_only {
        return Err(NO_FILE);
    }
    let offset = server.sessions.get(&caller.client).map_or(0, |session| session.written);
    let (changes, _) = server.changes_and_synced();
    let wanted = Syncs { local, changes, replicas, offset };
    let synced = server.synced(wanted);
    if synced.suffices(wanted) || !caller.origin.may_wait() {
        return Ok(Some(synced.reply()));
    }
    server.want_acks();
    let reply = server.block(caller, &[], Attempt::Synced(wanted), deadline);
    server.watch_syncs();
    Ok(reply)
}
