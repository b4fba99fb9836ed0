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
    for version in redis::Version::ALL {
        let Some(before) = version.before() else { continue };
        writeln!(out, "\n## {}, after {}\n", redis_title(*version), redis_title(before)).unwrap();
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
    let mut before = rabbitmq::Version::default();
    for version in &rabbitmq::Version::ALL[1..] {
        writeln!(out, "\n## RabbitMQ {}, after {}\n", version.number(), before.number()).unwrap();
        for change in version.changes() {
            writeln!(out, "- {change}").unwrap();
        }
        before = *version;
    }
    out.push('\n');
    out.push_str(END);
    out
}

fn redis_title(version: redis::Version) -> String {
    let product = if version.name().starts_with("valkey") { "Valkey" } else { "Redis" };
    format!("{product} {}", version.number())
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
