//! The commands of publish and subscribe.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, range};
use super::{Answer, Args, Command, container, describe, flow, now};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Call;
use crate::redis::server::pubsub::Kind;

#[rustfmt::skip]
const PUBSUB_SUBCOMMANDS: &[Command] = &[
    now("pubsub|channels", -2, PUBSUB | LOADING | STALE, &[], &[], "List active channels", pubsub_channels),
    now("pubsub|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands", pubsub_help),
    now("pubsub|numpat", 2, PUBSUB | LOADING | STALE, &[], &[], "Get the count of unique patterns pattern subscriptions", pubsub_numpat),
    now("pubsub|numsub", -2, PUBSUB | LOADING | STALE, &[], &[], "Get the count of subscribers for channels", pubsub_numsub),
    now("pubsub|shardchannels", -2, PUBSUB | LOADING | STALE, &[], &[], "List active shard channels", pubsub_shardchannels),
    now("pubsub|shardnumsub", -2, PUBSUB | LOADING | STALE, &[], &[], "Get the count of subscribers for shard channels", pubsub_shardnumsub),
];

#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    flow("subscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[], "Listen for messages published to the given channels", subscribe),
    flow("unsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[], "Stop listening for messages posted to the given channels", unsubscribe),
    flow("psubscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[], "Listen for messages published to channels matching the given patterns", psubscribe),
    flow("punsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[], "Stop listening for messages posted to channels matching the given patterns", punsubscribe),
    now("publish", 3, PUBSUB | LOADING | STALE | FAST, &[], &[], "Post a message to a channel", publish),
    container("pubsub", -2, 0, &[], "A container for Pub/Sub commands", PUBSUB_SUBCOMMANDS),
    flow("ssubscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[range(NOT_KEY, 1, -1, 1)], "Listen for messages published to the given shard channels", ssubscribe),
    flow("sunsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, &[], &[range(NOT_KEY, 1, -1, 1)], "Stop listening for messages posted to the given shard channels", sunsubscribe),
    now("spublish", 3, PUBSUB | LOADING | STALE | FAST, &[], &[key(NOT_KEY, 1)], "Post a message to a shard channel", spublish),
];

/// What answers by the messages that it sends.
type Told = Result<Option<Reply>, CommandError>;

fn subscribe_to(call: &mut Call<'_>, args: Args<'_>, kind: Kind) -> Told {
    for target in &args[1..] {
        call.server.subscribe(call.client, kind, target);
    }
    Ok(None)
}

fn subscribe(call: &mut Call<'_>, args: Args<'_>) -> Told {
    subscribe_to(call, args, Kind::Channel)
}

fn psubscribe(call: &mut Call<'_>, args: Args<'_>) -> Told {
    subscribe_to(call, args, Kind::Pattern)
}

fn ssubscribe(call: &mut Call<'_>, args: Args<'_>) -> Told {
    if call.in_exec {
        return Err(CommandError::text("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    subscribe_to(call, args, Kind::Shard)
}

fn unsubscribe(call: &mut Call<'_>, args: Args<'_>) -> Told {
    call.server.unsubscribe(call.client, Kind::Channel, &args[1..]);
    Ok(None)
}

fn punsubscribe(call: &mut Call<'_>, args: Args<'_>) -> Told {
    call.server.unsubscribe(call.client, Kind::Pattern, &args[1..]);
    Ok(None)
}

fn sunsubscribe(call: &mut Call<'_>, args: Args<'_>) -> Told {
    call.server.unsubscribe(call.client, Kind::Shard, &args[1..]);
    Ok(None)
}

fn publish(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.server.publish(Kind::Channel, args[1], args[2])))
}

fn spublish(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.server.publish(Kind::Shard, args[1], args[2])))
}

fn active(call: &mut Call<'_>, args: Args<'_>, kind: Kind, name: &str) -> Answer {
    if args.len() > 3 {
        return Err(CommandError::format(format!(
            "ERR unknown subcommand or wrong number of arguments for '{name}'. Try PUBSUB HELP."
        )));
    }
    Ok(Reply::bulks(call.server.pubsub.active(kind, args.get(2).copied())))
}

fn pubsub_channels(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    active(call, args, Kind::Channel, "channels")
}

fn pubsub_shardchannels(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    active(call, args, Kind::Shard, "shardchannels")
}

fn subscribers(call: &mut Call<'_>, args: Args<'_>, kind: Kind) -> Answer {
    let counts = args[2..].iter().flat_map(|target| {
        [Reply::bulk(target), Reply::count(call.server.pubsub.subscribers(kind, target))]
    });
    Ok(Reply::Array(counts.collect()))
}

fn pubsub_numsub(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    subscribers(call, args, Kind::Channel)
}

fn pubsub_shardnumsub(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    subscribers(call, args, Kind::Shard)
}

fn pubsub_numpat(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    Ok(Reply::count(call.server.pubsub.patterns()))
}

fn pubsub_help(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    describe::help(call, args)
}
