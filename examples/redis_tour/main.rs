//! A tour of Redis by type: a short story for each type, in which every reply is asserted. Then the
//! features that need more than one command: scans in pieces, expiry on virtual time, and a
//! pipeline with and without a transaction.
//!
//! `cargo run --release --example redis_tour -- --seed 1`

#[path = "../common/mod.rs"]
mod common;

mod bitmaps;
mod hashes;
mod keys;
mod lists;
mod server;
mod sets;
mod sorted_sets;
mod strings;
mod transactions;

use std::collections::BTreeSet;
use std::time::Duration;
use stunt_double::redis::{
    self, Client, Error, Pipeline, Redis, Reply, ServerOptions, Subscription,
};
use stunt_double::sim::{Node, Sim};

/// Commands with their expected replies.
type Story = &'static [(&'static str, &'static str)];

const STORIES: [(&str, Story); 9] = [
    ("strings: a greeting, a counter and a price", strings::STORY),
    ("bitmaps: one bit turns foo into goo", bitmaps::STORY),
    ("hashes: a user", hashes::STORY),
    ("lists: a queue of tasks", lists::STORY),
    ("sets: who likes what", sets::STORY),
    ("sorted sets: a high-score table", sorted_sets::STORY),
    ("keys: patterns, lives and names", keys::STORY),
    ("transactions: all or nothing, if nobody was there first", transactions::STORY),
    ("the connection, and the server behind it", server::STORY),
];

/// Formats a reply on one line, with strings in quotes.
fn short(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Reply::Integer(n) => n.to_string(),
        Reply::Array(items) => {
            format!("[{}]", items.iter().map(short).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Splits a line into words. Quotes keep spaces together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in line.split('"').enumerate() {
        if i % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

async fn say(client: &Client, line: &str) -> Result<String, Error> {
    let pipeline = Pipeline::new().command(words(line));
    Ok(short(&client.pipeline(&pipeline).await?[0]))
}

async fn stories(client: &Client) -> Result<(), Error> {
    for (title, story) in STORIES {
        common::heading(title);
        for (line, answer) in story {
            let said = say(client, line).await?;
            println!("{line} => {said}");
            assert_eq!(said, *answer, "{line}");
        }
        client.call(["FLUSHALL"]).await?;
    }
    Ok(())
}

/// Scans a whole collection in pieces. Returns the number of calls and the elements found.
async fn scan(client: &Client, command: &[&str]) -> Result<(usize, BTreeSet<String>), Error> {
    let (mut cursor, mut calls, mut found) = ("0".to_owned(), 0, BTreeSet::new());
    loop {
        let at = command.len() - command.iter().rev().position(|w| *w == "?").unwrap_or(0) - 1;
        let mut words = command.to_vec();
        words[at] = &cursor;
        let reply = client.call(words).await?;
        let parts = reply.as_array().expect("a cursor and a page").to_vec();
        let page = parts[1].as_array().expect("a page");
        found.extend(page.iter().filter_map(Reply::as_text).map(str::to_owned));
        cursor = parts[0].as_text().expect("a cursor").to_owned();
        calls += 1;
        if cursor == "0" {
            return Ok((calls, found));
        }
    }
}

async fn scans(client: &Client) -> Result<(), Error> {
    common::heading("scans: a thousand of everything, about a hundred at a time");
    for i in 0..1_000 {
        let name = format!("n{i}");
        client.call(["HSET", "hash", &name, ""]).await?;
        client.call(["SADD", "set", &name]).await?;
        client.call(["ZADD", "zset", "0", &name]).await?;
        client.call(["SET", &format!("key:{i}"), ""]).await?;
    }
    let commands: [&[&str]; 4] = [
        &["HSCAN", "hash", "?", "COUNT", "100"],
        &["SSCAN", "set", "?", "COUNT", "100"],
        &["ZSCAN", "zset", "?", "COUNT", "100"],
        &["SCAN", "?", "MATCH", "key:*", "COUNT", "100"],
    ];
    for command in commands {
        let (calls, found) = scan(client, command).await?;
        let names = found.iter().filter(|name| name.starts_with(['n', 'k'])).count();
        println!("{} found {names} in {calls} calls", command[0]);
        assert_eq!(names, 1_000);
        assert!(calls >= 10, "COUNT bounds each call");
    }
    client.call(["FLUSHALL"]).await?;

    common::heading("a list of ten, iterated in slices of four");
    for i in 0..10 {
        client.call(["RPUSH", "list", &i.to_string()]).await?;
    }
    for start in (0..10).step_by(4) {
        let slice = say(client, &format!("LRANGE list {start} {}", start + 3)).await?;
        println!("from {start}: {slice}");
        assert!(slice.starts_with(&format!("[\"{start}\"")));
    }
    client.call(["FLUSHALL"]).await?;
    Ok(())
}

async fn patterns(client: &Client) -> Result<(), Error> {
    common::heading("patterns");
    let keys = ["hello", "hallo", "hllo", "heeeello", "hillo"];
    for key in keys {
        client.call(["SET", key, ""]).await?;
    }
    let expected = [
        ("h?llo", vec!["hallo", "hello", "hillo"]),
        ("h*llo", vec!["hallo", "heeeello", "hello", "hillo", "hllo"]),
        ("h[ae]llo", vec!["hallo", "hello"]),
    ];
    for (pattern, expected) in expected {
        let reply = client.call(["KEYS", pattern]).await?;
        let found: BTreeSet<&str> =
            reply.as_array().unwrap_or_default().iter().filter_map(Reply::as_text).collect();
        println!("KEYS {pattern} => {found:?}");
        assert_eq!(found, expected.into_iter().collect());
    }
    client.call(["FLUSHALL"]).await?;
    Ok(())
}

async fn expiry(node: &Node, client: &Client) -> Result<(), Error> {
    common::heading("a key of ten seconds, in virtual time");
    let began = node.now();
    client.call(["SET", "session", "alice", "EX", "10"]).await?;
    for wait in [4, 5, 1] {
        node.sleep(Duration::from_secs(wait)).await;
        let (value, ttl) = (say(client, "GET session").await?, say(client, "TTL session").await?);
        println!("after {:>2} s: {value}, TTL {ttl}", (node.now() - began).as_secs());
    }
    assert!(client.call(["GET", "session"]).await?.is_nil());
    Ok(())
}

/// Shows what depends on time, with the world's clock.
async fn clocks(client: &Client) -> Result<(), Error> {
    common::heading("the server's clock is the world's");
    for line in ["TIME", "LASTSAVE", "BGSAVE", "BGREWRITEAOF", "CLIENT ID", "COMMAND COUNT"] {
        println!("{line} => {}", say(client, line).await?);
    }
    let info = client.call(["INFO", "server"]).await?;
    let uptime = info.as_text().and_then(|text| text.lines().find(|l| l.starts_with("uptime")));
    println!("INFO => {}", uptime.expect("it has been up for a while"));
    Ok(())
}

async fn messages(node: &Node, redis: &Redis, client: &Client) -> Result<(), Error> {
    common::heading("publish and subscribe, and what happens to a key");
    client.call(["CONFIG", "SET", "notify-keyspace-events", "Ex"]).await?;
    let mut news = Subscription::connect(node, redis).await?;
    news.subscribe(["news"]).await?;
    news.psubscribe(["__keyevent@*"]).await?;
    news.ssubscribe(["shard"]).await?;
    client.call(["PUBLISH", "news", "hello"]).await?;
    client.call(["SPUBLISH", "shard", "here"]).await?;
    client.call(["SET", "session", "alice", "PX", "1500"]).await?;
    for expected in ["hello", "here", "session"] {
        let message = news.next().await.expect("the connection is open")?;
        let channel = String::from_utf8_lossy(&message.channel);
        println!("{}: {} on {channel}", node.now(), message.text());
        assert_eq!(message.text(), expected);
    }
    news.unsubscribe(["news"]).await?;
    news.punsubscribe(["__keyevent@*"]).await?;
    assert_eq!(client.call(["PUBLISH", "news", "gone"]).await?.as_integer(), Some(0));
    Ok(())
}

/// Runs the same commands in one pipeline, first plainly and then as a transaction. Only the
/// transaction keeps other clients from running commands in between.
async fn pipelines(client: &Client) -> Result<(), Error> {
    common::heading("a pipeline that sets name and role");
    let pipeline = Pipeline::new()
        .command(["SET", "name", "alice"])
        .command(["SET", "role", "admin"])
        .command(["INCR", "name"])
        .command(["MGET", "name", "role"]);
    for (how, replies) in [
        ("plain", client.pipeline(&pipeline).await?),
        ("as a transaction", client.transaction(&pipeline).await?.expect("nothing is watched")),
    ] {
        println!("{how}:");
        replies.iter().for_each(|reply| println!("  {}", short(reply)));
        assert_eq!(short(&replies[3]), r#"["alice", "admin"]"#, "an error undoes nothing");
    }
    Ok(())
}

async fn tour(node: Node, redis: Redis) -> Result<(), Error> {
    let client = Client::connect(&node, &redis).await?;
    stories(&client).await?;
    scans(&client).await?;
    patterns(&client).await?;
    expiry(&node, &client).await?;
    messages(&node, &redis, &client).await?;
    clocks(&client).await?;
    pipelines(&client).await
}

fn main() {
    let mut sim = Sim::new(common::seed());
    let redis = redis::start(&mut sim, ServerOptions::default());
    sim.node_with("tour", redis, tour);
    sim.run().expect_done();
    println!("\ndone at {}; the digest of the run is {}", sim.now(), sim.digest());
}
