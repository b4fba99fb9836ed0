//! The commands of publish and subscribe.

use super::{Flow, Row};
use crate::redis::command::flag::*;
use crate::redis::command::key_spec::usage::*;
use crate::redis::command::key_spec::{key, range};
use crate::redis::command::{
    Answer, Args, Caller, container, flow, help, server, wrong_subcommand,
};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::pubsub::Kind;
use crate::redis::server::sentinel::HELLO;

#[rustfmt::skip]
const PUBSUB_SUBCOMMANDS: &[Row] = &[
    server("pubsub|channels", -2, PUBSUB | LOADING | STALE, &[], &[], "List active channels", pubsub_channels),
    help("pubsub|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands"),
    server("pubsub|numpat", 2, PUBSUB | LOADING | STALE, &[], &[], "Get the count of unique patterns pattern subscriptions", pubsub_numpat),
    server("pubsub|numsub", -2, PUBSUB | LOADING | STALE, &[], &[], "Get the count of subscribers for channels", pubsub_numsub),
    server("pubsub|shardchannels", -2, PUBSUB | LOADING | STALE, &[], &[], "List active shard channels", pubsub_shardchannels),
    server("pubsub|shardnumsub", -2, PUBSUB | LOADING | STALE, &[], &[], "Get the count of subscribers for shard channels", pubsub_shardnumsub),
];

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    flow("subscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[], "Listen for messages published to the given channels", subscribe),
    flow("unsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[], "Stop listening for messages posted to the given channels", unsubscribe),
    flow("psubscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[], "Listen for messages published to channels matching the given patterns", psubscribe),
    flow("punsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[], "Stop listening for messages posted to channels matching the given patterns", punsubscribe),
    server("publish", 3, MAY_REPLICATE | PUBSUB | LOADING | STALE | FAST, &[], &[], "Post a message to a channel", publish),
    container("pubsub", -2, 0, &[], "A container for Pub/Sub commands", PUBSUB_SUBCOMMANDS),
    flow("ssubscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[range(NOT_KEY, 1, -1, 1)], "Listen for messages published to the given shard channels", ssubscribe),
    flow("sunsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[range(NOT_KEY, 1, -1, 1)], "Stop listening for messages posted to the given shard channels", sunsubscribe),
    server("spublish", 3, MAY_REPLICATE | PUBSUB | LOADING | STALE | FAST, &[], &[key(NOT_KEY, 1)], "Post a message to a shard channel", spublish),
];

fn subscribe_to(server: &mut Server, caller: Caller, args: Args<'_>, kind: Kind) -> Flow {
    for target in &args[1..] {
        server.subscribe(caller.client, kind, target);
    }
    Ok(None)
}

fn subscribe(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    subscribe_to(server, caller, args, Kind::Channel)
}

fn psubscribe(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    subscribe_to(server, caller, args, Kind::Pattern)
}

fn ssubscribe(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    if !caller.origin.may_wait() {
        return Err(CommandError::text("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    subscribe_to(server, caller, args, Kind::Shard)
}

fn unsubscribe(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    server.unsubscribe(caller.client, Kind::Channel, &args[1..]);
    Ok(None)
}

fn punsubscribe(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    server.unsubscribe(caller.client, Kind::Pattern, &args[1..]);
    Ok(None)
}

fn sunsubscribe(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    server.unsubscribe(caller.client, Kind::Shard, &args[1..]);
    Ok(None)
}

fn publish(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let now = server.now;
    if let Some(sentinel) = &mut server.sentinel {
        if args[1] != HELLO.as_bytes() {
            return Err(CommandError::text(
                "ERR Only HELLO messages are accepted by Sentinel instances.",
            ));
        }
        sentinel.greeted(now, &String::from_utf8_lossy(args[2]));
        return Ok(Reply::Integer(1));
    }
    Ok(Reply::count(server.publish(Kind::Channel, args[1], args[2])))
}

fn spublish(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    Ok(Reply::count(server.publish(Kind::Shard, args[1], args[2])))
}

fn active(server: &mut Server, _: Caller, args: Args<'_>, kind: Kind) -> Answer {
    if args.len() > 3 {
        return Err(wrong_subcommand(args, "PUBSUB"));
    }
    Ok(Reply::bulks(server.pubsub.active(kind, args.get(2).copied())))
}

fn pubsub_channels(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    active(server, caller, args, Kind::Channel)
}

fn pubsub_shardchannels(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    active(server, caller, args, Kind::Shard)
}

fn subscribers(server: &mut Server, _: Caller, args: Args<'_>, kind: Kind) -> Answer {
    let counts = args[2..].iter().flat_map(|target| {
        [Reply::bulk(target), Reply::count(server.pubsub.subscribers(kind, target))]
    });
    Ok(Reply::Array(counts.collect()))
}

fn pubsub_numsub(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    subscribers(server, caller, args, Kind::Channel)
}

fn pubsub_shardnumsub(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    subscribers(server, caller, args, Kind::Shard)
}

fn pubsub_numpat(server: &mut Server, _: Caller, _args: Args<'_>) -> Answer {
    Ok(Reply::count(server.pubsub.patterns()))
}
