//! `COMMAND DOCS`: what the server tells people about its commands.
//!
//! The facts are in `docs.txt`, except for the summaries, which are in the rows. The file is read
//! when somebody asks, once for all commands that are asked for.
//!
//! Of the commands of 7.0.15 it says what that version says, but for the display texts of their
//! arguments, which later versions have.
//!
//! Source: the replies of redis-server 7.0.15, of Redis 8.6.2 and of Valkey 9.1.2.

use super::{Args, Command, Table};
use crate::redis::reply::Reply;
use crate::redis::version::{Profile, Texts};
use std::collections::BTreeMap;

const FACTS: &str = include_str!("docs.txt");

/// A line's letter, or the depth of an argument, and the rest of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Complexity(&'a str),
    Flags(&'a str),
    DeprecatedSince(&'a str),
    ReplacedBy(&'a str),
    History(&'a str),
    Argument(usize, &'a str),
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Line<'a>> {
        let (letter, rest) = line.strip_prefix(' ')?.split_once(' ')?;
        Some(match letter {
            "c" => Line::Complexity(rest),
            "f" => Line::Flags(rest),
            "d" => Line::DeprecatedSince(rest),
            "r" => Line::ReplacedBy(rest),
            "h" => Line::History(rest),
            dots => Line::Argument(dots.len(), rest),
        })
    }
}

fn bulk(text: &str) -> Reply {
    Reply::bulk(text.as_bytes())
}

/// Returns a token, in which spaces are encoded.
fn token(text: &str) -> Reply {
    bulk(&text.replace("%20", " ").replace("%25", "%"))
}

/// The facts by the name of a command, which may begin with a product: the first line, and those
/// below it.
struct Facts(BTreeMap<&'static str, (&'static str, Vec<Line<'static>>)>);

impl Facts {
    /// Reads the file.
    fn read() -> Facts {
        let mut facts = BTreeMap::new();
        let mut lines = FACTS.lines().filter(|line| !line.starts_with('#')).peekable();
        while let Some(first) = lines.next() {
            let below =
                std::iter::from_fn(|| Line::read(lines.next_if(|line| line.starts_with(' '))?));
            let name = first.split(' ').next().unwrap_or_default();
            facts.insert(name, (first, below.collect()));
        }
        Facts(facts)
    }

    /// Returns what a product says about a command.
    fn of(&self, name: &str, product: &str) -> Option<&(&'static str, Vec<Line<'static>>)> {
        self.0.get(&*format!("{product}:{name}")).or_else(|| self.0.get(name))
    }
}

/// Returns the arguments of this depth from the beginning of the lines, and the lines after them.
fn arguments<'a>(
    mut lines: &'a [Line<'static>],
    depth: usize,
    texts: &Texts,
) -> (Vec<Reply>, &'a [Line<'static>]) {
    let mut found = Vec::new();
    while let Some((Line::Argument(at, words), rest)) = lines.split_first()
        && *at == depth
    {
        let (nested, rest) = arguments(rest, depth + 1, texts);
        found.push(argument(words, nested, texts));
        lines = rest;
    }
    (found, lines)
}

fn argument(words: &str, nested: Vec<Reply>, texts: &Texts) -> Reply {
    let mut fields = Vec::new();
    let mut add = |name: &str, value: Reply| fields.push((bulk(name), value));
    let mut words = words.split(' ');
    let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    add("name", token(name));
    add("type", bulk(kind));
    if texts.arguments_have_display && !matches!(kind, "oneof" | "block") {
        let shown = words.clone().find_map(|word| word.strip_prefix('!'));
        add("display_text", token(shown.unwrap_or(name)));
    }
    let mut flags = Vec::new();
    for word in words {
        match word.split_at(1) {
            ("#", index) => add("key_spec_index", Reply::Integer(index.parse().unwrap_or(0))),
            ("=", text) => add("token", token(text)),
            ("@", version) => add("since", bulk(version)),
            ("~", version) => add("deprecated_since", bulk(version)),
            ("!", _) => {}
            ("?", _) => flags.push(Reply::status("optional")),
            ("*", _) => flags.push(Reply::status("multiple")),
            _ => flags.push(Reply::status("multiple_token")),
        }
    }
    if !flags.is_empty() {
        add("flags", Reply::Set(flags));
    }
    if !nested.is_empty() {
        add("arguments", Reply::Array(nested));
    }
    Reply::Map(fields)
}

/// Returns what is said about a command, and about its subcommands.
fn about<S>(command: &Command<S>, facts: &Facts, profile: &Profile) -> (Reply, Reply) {
    let mut fields = vec![(bulk("summary"), bulk(command.summary))];
    let mut add = |name: &str, value: Reply| fields.push((bulk(name), value));
    if let Some((first, lines)) = facts.of(command.name, profile.product.name) {
        let mut words = first.split(' ').skip(1);
        add("since", words.next().map_or(Reply::Nil, bulk));
        add("group", words.next().map_or(Reply::Nil, bulk));
        let mut history = Vec::new();
        for line in lines {
            match line {
                Line::Complexity(text) => add("complexity", bulk(text)),
                Line::Flags(flags) => {
                    let flags = flags.split(' ').map(Reply::status);
                    add("doc_flags", Reply::Set(flags.collect()));
                }
                Line::DeprecatedSince(version) => add("deprecated_since", bulk(version)),
                Line::ReplacedBy(text) => add("replaced_by", bulk(text)),
                Line::History(text) => {
                    let (version, what) = text.split_once(' ').unwrap_or((text, ""));
                    history.push(Reply::Array(vec![bulk(version), bulk(what)]));
                }
                Line::Argument(..) => {}
            }
        }
        if !history.is_empty() {
            add("history", Reply::Set(history));
        }
        let begin = lines.iter().position(|line| matches!(line, Line::Argument(..)));
        if let Some(begin) = begin {
            add("arguments", Reply::Array(arguments(&lines[begin..], 1, &profile.texts).0));
        }
    }
    if !command.subcommands.is_empty() {
        let about = |sub| about(sub, facts, profile);
        add("subcommands", Reply::Map(command.subcommands.iter().map(about).collect()));
    }
    (bulk(command.name), Reply::Map(fields))
}

/// Returns what is said about these commands, or about all. Names that are unknown are skipped.
pub(super) fn docs<S>(table: &Table<S>, names: Args<'_>) -> Reply {
    let facts = Facts::read();
    let about = |command| about(command, &facts, table.profile());
    if names.is_empty() {
        return Reply::Map(table.iter().map(about).collect());
    }
    let named = names.iter().filter_map(|name| {
        let words: Vec<&[u8]> = name.splitn(2, |byte| *byte == b'|').collect();
        table.named(&words)
    });
    Reply::Map(named.map(about).collect())
}
