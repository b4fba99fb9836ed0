//! The life of a key in words, and what a server holds.

use crate::redis::database::calendar::calendar_ms;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::story::{Fate, Happening};
use crate::redis::value::{Sds, Value};
use crate::sim::trace::Told;
use std::fmt;

/// How many keys a portrait shows.
const SHOWN: usize = 100;

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
        Fate::Lost => "lost, as the server went down".to_owned(),
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

/// Returns what a server holds, a key a line: its type, its value if that is a string, its length
/// otherwise, and its time to live.
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
            let value = match &entry.value {
                Value::String(text) => format!("\"{}\"", short(&text.as_slice().escape_ascii())),
                Value::List(list) => format!("a list of {}", list.len()),
                Value::Hash(hash) => format!("a hash of {}", hash.len()),
                Value::Set(set) => format!("a set of {}", set.len()),
                Value::SortedSet(set) => format!("a sorted set of {}", set.len()),
            };
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
