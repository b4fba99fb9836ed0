//! The page about upgrades has a part that is made of the profiles of the versions.
//!
//! `STUNT_DOUBLE_WRITE=1 cargo test --test house upgrades` writes it anew.

use crate::source::{root, text};
use std::fmt::Write as _;
use stunt_double::{rabbitmq, redis};

const PAGE: &str = "docs/versions.md";
const BEGIN: &str = "<!-- Made of the profiles of the versions by tests/house/versions.rs. -->\n";
const END: &str = "<!-- The end of what is made. -->\n";

/// Returns the part about both servers, as Markdown.
fn made() -> String {
    let mut out = String::from(BEGIN);
    out.push_str("\n## Redis and Valkey\n");
    for version in redis::Version::ALL {
        let Some(before) = version.before() else { continue };
        writeln!(out, "\n### {}, after {}\n", version.title(), before.title()).unwrap();
        for change in version.changes() {
            writeln!(out, "- {change}").unwrap();
        }
        let new: Vec<String> = version
            .new_commands()
            .iter()
            .map(|name| format!("`{}`", name.to_ascii_uppercase().replace('|', " ")))
            .collect();
        if !new.is_empty() {
            writeln!(out, "- New commands: {}.", new.join(", ")).unwrap();
        }
    }
    out.push_str("\n## RabbitMQ\n");
    let mut before = rabbitmq::Version::default();
    for version in &rabbitmq::Version::ALL[1..] {
        writeln!(out, "\n### {}, after {}\n", version.title(), before.number()).unwrap();
        for change in version.changes() {
            writeln!(out, "- {change}").unwrap();
        }
        before = *version;
    }
    out.push('\n');
    out.push_str(END);
    out
}

#[test]
fn the_page_about_upgrades_is_made_of_the_profiles() {
    let page = text(PAGE);
    let (head, rest) = page.split_once(BEGIN).expect("the page has the first mark");
    let (_, tail) = rest.split_once(END).expect("the page has the last mark");
    let made = format!("{head}{}{tail}", made());
    if std::env::var_os("STUNT_DOUBLE_WRITE").is_some() {
        std::fs::write(root().join(PAGE), &made).unwrap();
        return;
    }
    let differs = made.lines().zip(page.lines()).find(|(made, is)| made != is);
    assert!(made == page, "{PAGE} is old: write it anew. First difference: {differs:?}");
}

#[test]
fn every_change_is_a_sentence() {
    let of_redis = redis::Version::ALL.iter().flat_map(|version| version.changes());
    let of_rabbitmq = rabbitmq::Version::ALL.iter().flat_map(|version| version.changes());
    for change in of_redis.chain(of_rabbitmq) {
        let begins = change.starts_with(|first: char| first.is_uppercase() || first == '`');
        assert!(begins && change.ends_with('.'), "not a sentence: {change:?}");
    }
    let of_redis = redis::Version::ALL.iter().flat_map(|from| {
        let to = redis::Version::ALL.iter();
        to.map(move |to| (from.title(), to.title(), to.changes_since(*from)))
    });
    let of_rabbitmq = rabbitmq::Version::ALL.iter().flat_map(|from| {
        let to = rabbitmq::Version::ALL.iter();
        to.map(move |to| (from.title(), to.title(), to.changes_since(*from)))
    });
    for (from, to, changes) in of_redis.chain(of_rabbitmq) {
        assert_eq!(changes.is_empty(), from == to, "{from} to {to}");
        for change in changes {
            let undone = change.strip_prefix("As before ");
            let is_whole = undone.map_or(change.ends_with('.'), |rest| {
                rest.split_once(", which brought: \"").is_some_and(|(_, is)| is.ends_with(".\""))
            });
            assert!(is_whole, "{from} to {to}: {change:?}");
        }
    }
}
