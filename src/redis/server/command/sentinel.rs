//! `SENTINEL`. What it does is in the server's `sentinel`.
//!
//! Source: `sentinel.c` (`sentinelCommand`).

use super::Row;
use crate::redis::command::arguments::integer;
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, container, help, server};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::sentinel::{
    Instance, Kind, Master, Reconfigured, Sentinel, SentinelOptions,
};
use crate::time::Instant;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    container("sentinel", -2, ADMIN, &[], "A container for Sentinel commands", SENTINEL),
];

#[rustfmt::skip]
const SENTINEL: &[Row] = &[
    server("sentinel|ckquorum", 3, ADMIN, &[], &[], "Check for a Sentinel quorum", ckquorum),
    server("sentinel|failover", 3, ADMIN, &[], &[], "Force a failover", failover),
    server("sentinel|flushconfig", 2, ADMIN, &[], &[], "Rewrite configuration file", flushconfig),
    server("sentinel|get-master-addr-by-name", 3, ADMIN, &[], &[], "Get port and address of a master", get_master),
    help("sentinel|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands"),
    server("sentinel|is-master-down-by-addr", 6, ADMIN, &[], &[], "Check if a master is down", is_master_down),
    server("sentinel|master", 3, ADMIN, &[], &[], "Shows the state of a master", master),
    server("sentinel|masters", 2, ADMIN, &[], &[], "List the monitored masters", masters),
    server("sentinel|monitor", 6, ADMIN, &[], &[], "Start monitoring", monitor),
    server("sentinel|myid", 2, ADMIN, &[], &[], "Get the Sentinel instance ID", myid),
    server("sentinel|pending-scripts", 2, ADMIN, &[], &[], "Get information about pending scripts", pending_scripts),
    server("sentinel|remove", 3, ADMIN, &[], &[], "Stop monitoring", remove),
    server("sentinel|replicas", 3, ADMIN, &[], &[], "List the monitored replicas", replicas),
    server("sentinel|reset", 3, ADMIN, &[], &[], "Reset masters by name pattern", reset),
    server("sentinel|sentinels", 3, ADMIN, &[], &[], "List the Sentinel instances", sentinels),
    server("sentinel|set", -5, ADMIN, &[], &[], "Change the configuration of a monitored master", set),
    server("sentinel|slaves", 3, ADMIN, &[], &[], "List the monitored slaves", replicas),
];

/// The commands that a Sentinel has besides `SENTINEL`.
pub(super) fn has(command: &str) -> bool {
    matches!(
        command,
        "acl"
            | "auth"
            | "client"
            | "command"
            | "hello"
            | "info"
            | "ping"
            | "psubscribe"
            | "publish"
            | "punsubscribe"
            | "role"
            | "sentinel"
            | "shutdown"
            | "subscribe"
            | "unsubscribe"
    )
}

/// Returns the Sentinel that this server is.
fn sentinel(server: &mut Server) -> Result<&mut Sentinel, CommandError> {
    server.sentinel.as_deref_mut().ok_or(CommandError::text("ERR this server is no Sentinel"))
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

fn watched<'a>(server: &'a mut Server, name: &[u8]) -> Result<&'a Master, CommandError> {
    let found = sentinel(server)?.masters.get(&text(name));
    found.ok_or(CommandError::text("ERR No such master with that name"))
}

fn get_master(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    Ok(match sentinel(server)?.masters.get(&text(args[2])) {
        None => Reply::NilArray,
        Some(master) => {
            let (host, port) = master.current_address();
            Reply::bulks([host.clone(), port.to_string()])
        }
    })
}

fn myid(server: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Ok(Reply::bulk(sentinel(server)?.id.as_bytes()))
}

fn pending_scripts(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Ok(Reply::Array(Vec::new()))
}

fn flushconfig(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Ok(Reply::OK)
}

fn masters(server: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    let now = server.now;
    let masters = sentinel(server)?.masters.iter();
    let shown = masters.map(|(name, master)| shown(now, master, &master.itself, name.clone()));
    Ok(Reply::Array(shown.collect()))
}

fn master(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let now = server.now;
    let name = text(args[2]);
    let master = watched(server, args[2])?;
    Ok(shown(now, master, &master.itself, name))
}

fn replicas(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let now = server.now;
    let master = watched(server, args[2])?;
    let replicas = master.replicas.iter();
    let shown = replicas
        .map(|((host, port), replica)| shown(now, master, replica, format!("{host}:{port}")));
    Ok(Reply::Array(shown.collect()))
}

fn sentinels(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let now = server.now;
    let master = watched(server, args[2])?;
    let sentinels = master.sentinels.iter();
    let shown = sentinels.map(|(id, sentinel)| shown(now, master, sentinel, id.clone()));
    Ok(Reply::Array(shown.collect()))
}

fn ckquorum(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    match watched(server, args[2])?.reachable() {
        Ok(usable) => Ok(Reply::Simple(
            format!(
                "OK {usable} usable Sentinels. Quorum and failover authorization can be reached"
            )
            .into(),
        )),
        Err(why) => {
            let quorum = "Not enough available Sentinels to reach the specified quorum for this \
                          master";
            let majority = "Not enough available Sentinels to reach the majority and authorize a \
                            failover";
            let missing = match (why.no_quorum, why.no_majority) {
                (true, true) => format!("{quorum}. {majority}"),
                (true, false) => quorum.to_owned(),
                (false, _) => majority.to_owned(),
            };
            let usable = why.usable;
            Err(CommandError::format(format!("NOQUORUM {usable} usable Sentinels. {missing}")))
        }
    }
}

fn failover(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let now = server.now;
    let name = text(args[2]);
    let master = watched(server, args[2])?;
    if master.failover.is_some() {
        return Err(CommandError::text("INPROG Failover already in progress"));
    }
    if master.best_replica(now).is_none() {
        return Err(CommandError::text("NOGOODSLAVE No suitable replica to promote"));
    }
    let Server { sentinel, random, .. } = server;
    if let Some(sentinel) = sentinel {
        sentinel.begin_failover(now, &name, true, random);
    }
    Ok(Reply::OK)
}

/// `ip port current-epoch runid`.
fn is_master_down(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let (port, epoch) = (integer(args[3])?, integer(args[4])?);
    let address = (text(args[2]), u16::try_from(port).unwrap_or(0));
    let candidate = text(args[5]);
    let now = server.now;
    let Server { sentinel, random, .. } = server;
    let Some(sentinel) = sentinel else { return Err(CommandError::Syntax) };
    let epoch = u64::try_from(epoch).unwrap_or(0);
    let (down, leader, epoch) = sentinel.is_master_down(now, &address, (epoch, &candidate), random);
    let leader = leader.unwrap_or_else(|| "*".to_owned());
    Ok(Reply::Array(vec![
        Reply::flag(down),
        Reply::bulk(leader.as_bytes()),
        Reply::Integer(epoch as i64),
    ]))
}

fn reset(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let now = server.now;
    Ok(Reply::count(sentinel(server)?.reset(now, args[2])))
}

/// `name ip port quorum`.
fn monitor(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let invalid = |text| move |_| CommandError::text(text);
    let quorum = integer(args[5]).map_err(invalid("ERR Invalid quorum"))?;
    let port = integer(args[4]).map_err(invalid("ERR Invalid port"))?;
    let quorum = usize::try_from(quorum).ok().filter(|quorum| *quorum > 0);
    let quorum = quorum.ok_or(CommandError::text("ERR Quorum must be 1 or greater."))?;
    let port = u16::try_from(port).map_err(|_| CommandError::text("ERR Invalid port number."))?;
    let now = server.now;
    let name = text(args[2]);
    let sentinel = sentinel(server)?;
    if sentinel.masters.contains_key(&name) {
        return Err(CommandError::text("ERR Duplicate master name."));
    }
    let options = SentinelOptions::new(name, quorum);
    sentinel.monitor(now, &options, (text(args[3]), port));
    Ok(Reply::OK)
}

fn remove(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    watched(server, args[2])?;
    sentinel(server)?.remove(&text(args[2]));
    Ok(Reply::OK)
}

/// `name option value …`.
fn set(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    watched(server, args[2])?;
    let name = text(args[2]);
    let master = sentinel(server)?.masters.get_mut(&name);
    let Some(master) = master else { return Err(CommandError::Syntax) };
    for pair in args[3..].chunks(2) {
        let option = text(pair[0]).to_lowercase();
        let unknown = CommandError::format(format!(
            "ERR Unknown option or number of arguments for SENTINEL SET '{}'",
            text(pair[0])
        ));
        let Some(value) = pair.get(1) else { return Err(unknown) };
        let invalid = CommandError::format(format!(
            "ERR Invalid argument '{}' for SENTINEL SET '{option}'",
            text(value)
        ));
        let number = integer(value).ok().and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
        let number = || number.ok_or(invalid);
        let millis = std::time::Duration::from_millis;
        match option.as_str() {
            "down-after-milliseconds" => master.down_after = millis(number()?),
            "failover-timeout" => master.failover_timeout = millis(number()?),
            "parallel-syncs" => {
                master.parallel_syncs = usize::try_from(number()?).unwrap_or(usize::MAX);
            }
            "quorum" => master.quorum = usize::try_from(number()?).unwrap_or(usize::MAX),
            _ => return Err(unknown),
        }
    }
    Ok(Reply::OK)
}

/// Returns the fields of an instance.
fn shown(now: Instant, master: &Master, of: &Instance, name: String) -> Reply {
    let millis = |since: Instant| (now - since).as_millis().to_string();
    let mut fields: Vec<(&str, String)> = vec![
        ("name", name),
        ("ip", of.address.0.clone()),
        ("port", of.address.1.to_string()),
        ("runid", of.run_id.clone().unwrap_or_default()),
        ("flags", flags(master, of)),
        ("link-pending-commands", "0".to_owned()),
        ("link-refcount", "1".to_owned()),
    ];
    if let (Some(state), Kind::Master) = (master.failover, of.kind) {
        fields.push(("failover-state", state.shown().to_owned()));
    }
    fields.extend([
        ("last-ping-sent", of.unanswered.map_or("0".to_owned(), millis)),
        ("last-ok-ping-reply", millis(of.available)),
        ("last-ping-reply", millis(of.answered)),
    ]);
    fields.extend(of.s_down.map(|since| ("s-down-time", millis(since))));
    if of.kind == Kind::Master {
        fields.extend(master.o_down.map(|since| ("o-down-time", millis(since))));
    }
    fields.push(("down-after-milliseconds", master.down_after.as_millis().to_string()));
    if of.kind != Kind::Sentinel {
        let role = if of.reports_master == Some(true) { "master" } else { "slave" };
        fields.extend([
            ("info-refresh", of.info_at.map_or("0".to_owned(), millis)),
            ("role-reported", role.to_owned()),
            ("role-reported-time", millis(of.role_since)),
        ]);
    }
    match of.kind {
        Kind::Master => fields.extend([
            ("config-epoch", master.config_epoch.to_string()),
            ("num-slaves", master.replicas.len().to_string()),
            ("num-other-sentinels", master.sentinels.len().to_string()),
            ("quorum", master.quorum.to_string()),
            ("failover-timeout", master.failover_timeout.as_millis().to_string()),
            ("parallel-syncs", master.parallel_syncs.to_string()),
        ]),
        Kind::Replica => {
            let (host, port) = of.follows.clone().unwrap_or_else(|| ("?".to_owned(), 0));
            fields.extend([
                ("master-link-down-time", of.link_down_for.as_millis().to_string()),
                ("master-link-status", if of.link_is_up { "ok" } else { "err" }.to_owned()),
                ("master-host", host),
                ("master-port", port.to_string()),
                ("slave-priority", of.priority.to_string()),
                ("slave-repl-offset", of.offset.to_string()),
                ("replica-announced", "1".to_owned()),
            ]);
        }
        Kind::Sentinel => fields.extend([
            ("last-hello-message", millis(of.hello_at)),
            ("voted-leader", of.voted.clone().unwrap_or_else(|| "?".to_owned())),
            ("voted-leader-epoch", of.voted_in.to_string()),
        ]),
    }
    let pair = |(name, value): (&str, String)| {
        (Reply::bulk(name.as_bytes()), Reply::bulk(value.as_bytes()))
    };
    Reply::Map(fields.into_iter().map(pair).collect())
}

fn flags(master: &Master, of: &Instance) -> String {
    let is_master = of.kind == Kind::Master;
    let kind = match of.kind {
        Kind::Master => "master",
        Kind::Replica => "slave",
        Kind::Sentinel => "sentinel",
    };
    let set = [
        ("s_down", of.s_down.is_some()),
        ("o_down", is_master && master.o_down.is_some()),
        (kind, true),
        ("disconnected", of.is_disconnected()),
        ("master_down", of.says_down),
        ("failover_in_progress", is_master && master.failover.is_some()),
        ("promoted", of.promoted),
        ("reconf_sent", matches!(of.reconfigured, Some(Reconfigured::Sent(_)))),
        ("reconf_inprog", of.reconfigured == Some(Reconfigured::InProgress)),
        ("reconf_done", of.reconfigured == Some(Reconfigured::Done)),
        ("force_failover", is_master && master.forced),
    ];
    let names: Vec<&str> = set.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect();
    names.join(",")
}
