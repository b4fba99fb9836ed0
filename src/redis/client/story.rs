//! The life of a key in words, and what a server holds.

use crate::redis::database::calendar::calendar_ms;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::story::{Fate, Happening};
use crate::redis::value::number::format_double;
use crate::redis::value::{Consumer, Group, Sds, Value};
use crate::sim::trace::Told;
use std::borrow::Cow;
use std::fmt;

/// How many keys a portrait shows.
const SHOWN: usize = 100;

/// How many members of a collection are shown, and how long each of them may be.
const MEMBERS: usize = 6;
const LONGEST_MEMBER: usize = 24;

/// The longest word or reply that is shown.
const LONGEST: usize = 40;

/// How the descriptions of messages begin that belong to every connection.
pub(super) const ROUTINE: &[&str] = &["AUTH", "CLIENT", "HELLO", "PING", "SELECT"];

/// Returns something that happened in words.
pub(super) fn told(happening: &Happening) -> Told {
    let Happening { database, key, fate, lived } = happening;
    let key = key.escape_ascii();
    let subject = if *database == 0 { format!("{key}") } else { format!("{key} (db {database})") };
    let mut text = words(fate);
    if let Some(lived) = lived {
        text += &format!("; it is gone, after {lived:?}");
    }
    Told { kind: "key", subject: subject.into(), text }
}

fn words(fate: &Fate) -> String {
    match fate {
        Fate::Command { by, words, reply } => {
            let words: Vec<String> = words.iter().map(|word| short(&word.escape_ascii())).collect();
            let reply = reply.as_ref().map_or("waits".to_owned(), answer);
            format!("{by}: {} → {reply}", words.join(" "))
        }
        Fate::Served { by, reply } => format!("{by}, which waited → {}", answer(reply)),
        Fate::Event(event) => (*event).to_owned(),
        Fate::Flushed => "flushed".to_owned(),
        Fate::Swapped { by, with, was_here, was_there } => {
            let what = match (was_here, was_there) {
                (true, true) => format!("it changes places with that of db {with}"),
                (true, false) => format!("it is in db {with} now"),
                (false, _) => format!("it comes from db {with}"),
            };
            format!("{by}: SWAPDB: {what}")
        }
        Fate::Discarded { command, master } if command.is_empty() => {
            format!("lost in a failover: the new master {master} has not this value")
        }
        Fate::Discarded { command, master } => {
            let words: Vec<String> = command.iter().map(Sds::to_string).collect();
            format!("{} lost in a failover: {master} never received it", words.join(" "))
        }
        Fate::Lost => "lost, as the server went down".to_owned(),
        Fate::SetBack => {
            "back to what was on disk, as the server went down: its last changes are lost"
                .to_owned()
        }
        Fate::Back => {
            "back, as the server went down: what removed it was not yet on disk".to_owned()
        }
        Fate::ExpiredMeanwhile => "expired while the server was down".to_owned(),
        Fate::Wiped => "lost, as the server's disk was wiped".to_owned(),
    }
}

fn answer(reply: &Reply) -> String {
    short(&reply.to_string().replace('\n', " "))
}

/// Returns a text of a bearable length.
fn short(text: &dyn fmt::Display) -> String {
    let text = text.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Returns what a server holds, a key a line: its type, its value if that is a string or small, its
/// length otherwise, and its time to live.
pub(super) fn portrait(server: &Server) -> Vec<String> {
    let mut lines = Vec::new();
    let mut more = 0;
    for (index, database) in server.databases.iter().enumerate() {
        let mut keys: Vec<Sds> = database.keyspace.iter().map(|entry| entry.key.clone()).collect();
        keys.sort_unstable();
        more += keys.len().saturating_sub(SHOWN);
        for key in keys.into_iter().take(SHOWN) {
            let Some(entry) = database.keyspace.get(&key) else { continue };
            let name = key.escape_ascii();
            let database = if index == 0 { String::new() } else { format!(" (db {index})") };
            let value = value(&entry.value);
            let now = calendar_ms(server.now, server.ahead);
            let expiry = entry.expiry().map_or("no expiry".to_owned(), |at| {
                format!("expires in {} ms", at.saturating_sub(now))
            });
            lines.push(format!("key {name}{database}: {value}, {expiry}"));
        }
    }
    if more > 0 {
        lines.push(format!("and {more} more keys"));
    }
    lines
}

/// Returns a value: a string as it is, and the members of a small collection.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", short(&text.as_slice().escape_ascii())),
        Value::List(list) => collection("list", list.len(), list.iter().map(shown)),
        Value::Hash(hash) => {
            let mut fields: Vec<(&Sds, &Sds)> = hash.iter().collect();
            fields.sort_unstable();
            let pair = |(field, value): (&Sds, &Sds)| {
                format!("{}={}", field.escape_ascii(), value.escape_ascii())
            };
            collection("hash", hash.len(), fields.into_iter().map(pair))
        }
        Value::Set(set) => {
            let mut members: Vec<Sds> = set.iter().map(Cow::into_owned).collect();
            members.sort_unstable();
            collection("set", set.len(), members.iter().map(shown))
        }
        Value::SortedSet(set) => {
            let pair = |(member, score): (&Sds, f64)| {
                format!("{}={}", member.escape_ascii(), format_double(score).escape_ascii())
            };
            collection("sorted set", set.len(), set.iter().map(pair))
        }
        Value::Stream(stream) => {
            let groups: Vec<String> = stream.groups().iter().map(group).collect();
            let groups = if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") };
            let last = stream.counters().last_id;
            format!("a stream of {} up to {last}, {groups}", stream.len())
        }
    }
}

/// Returns a group of a stream: what it has read, and what is pending for whom.
fn group((name, group): (&Sds, &Group)) -> String {
    let consumers = group.consumers().filter(|consumer| !consumer.pending().is_empty());
    let pending = |consumer: &Consumer| {
        format!("{} for {}", consumer.pending().len(), consumer.name().escape_ascii())
    };
    let pending: Vec<String> = consumers.map(pending).collect();
    let pending = if pending.is_empty() { "none".to_owned() } else { pending.join(", ") };
    format!("group {} at {} with pending: {pending}", name.escape_ascii(), group.last_id())
}

/// Returns the members of a collection if they are few and short, and how many there are. Those of
/// a set and of a hash have to be sorted, as their order depends on their encodings.
fn collection(kind: &str, length: usize, members: impl Iterator<Item = String>) -> String {
    let count = format!("a {kind} of {length}");
    if length > MEMBERS {
        return count;
    }
    let members: Vec<String> = members.collect();
    match members.iter().all(|member| member.len() <= LONGEST_MEMBER) {
        true => format!("{count}: {}", members.join(", ")),
        false => count,
    }
}

fn shown(member: &Sds) -> String {
    member.escape_ascii().to_string()
}
