//! `COMMAND DOCS`: what the server tells people about its commands.
//!
//! The facts are in `docs.txt`. A summary that it does not have is that of the row. The file is
//! read when somebody asks, once.
//!
//! Source: the replies of the real server of each version.

use super::sheet::Sheet;
use super::{Args, Command, Table};
use crate::redis::reply::Reply;
use crate::redis::version::{Profile, Texts};
use std::sync::OnceLock;

const FACTS: &str = include_str!("docs.txt");

/// A line's letter, or the depth of an argument, and the rest of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    /// Since which version there is the command, and its group.
    Origin(&'a str),
    Summary(&'a str),
    Complexity(&'a str),
    Flags(&'a str),
    DeprecatedSince(&'a str),
    ReplacedBy(&'a str),
    History(&'a str),
    Argument(usize, &'a str),
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Line<'a>> {
        let (letter, rest) = line.split_once(' ')?;
        Some(match letter {
            "b" => Line::Origin(rest),
            "s" => Line::Summary(rest),
            "c" => Line::Complexity(rest),
            "f" => Line::Flags(rest),
            "d" => Line::DeprecatedSince(rest),
            "r" => Line::ReplacedBy(rest),
            "h" => Line::History(rest),
            dots if dots.bytes().all(|dot| dot == b'.') => Line::Argument(dots.len(), rest),
            _ => return None,
        })
    }
}

fn line_of_file(line: &'static str) -> Line<'static> {
    Line::read(line).expect("a line of the file begins with a letter or with dots")
}

fn bulk(text: &str) -> Reply {
    Reply::bulk(text.as_bytes())
}

/// Returns a token, in which spaces are encoded.
fn token(text: &str) -> Reply {
    bulk(&text.replace("%20", " ").replace("%25", "%"))
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
            ("\"", text) => add("summary", token(text)),
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
fn about<S>(command: &Command<S>, sheet: &Sheet, profile: &Profile) -> (Reply, Reply) {
    let mut fields = facts(command, sheet, profile);
    if !command.subcommands.is_empty() {
        let about = |sub| about(sub, sheet, profile);
        let about = Reply::Map(command.subcommands.iter().map(about).collect());
        fields.push((bulk("subcommands"), about));
    }
    (bulk(command.name), Reply::Map(fields))
}

/// Returns what is said about a command alone.
fn facts<S>(command: &Command<S>, sheet: &Sheet, profile: &Profile) -> Vec<(Reply, Reply)> {
    let found = sheet.of(command.name, profile.version);
    let (origin, lines): (_, Vec<Line<'_>>) = match found {
        Some((origin, lines)) => (origin, lines.map(line_of_file).collect()),
        None => ("", Vec::new()),
    };
    let (mut summary, mut origin) = (command.summary, origin);
    for line in &lines {
        match line {
            Line::Summary(text) => summary = text,
            Line::Origin(text) => origin = text,
            _ => {}
        }
    }
    let (since, group) = origin.split_once(' ').unwrap_or_default();
    let mut fields = Vec::new();
    let mut add = |name: &str, value: Reply| fields.push((bulk(name), value));
    add("summary", bulk(summary));
    add("since", bulk(since));
    add("group", bulk(group));
    let mut history = Vec::new();
    for line in &lines {
        match line {
            Line::Complexity(text) => add("complexity", bulk(text)),
            Line::Flags(flags) => {
                add("doc_flags", Reply::Set(flags.split(' ').map(Reply::status).collect()));
            }
            Line::DeprecatedSince(version) => add("deprecated_since", bulk(version)),
            Line::ReplacedBy(text) => add("replaced_by", bulk(text)),
            Line::History(text) => {
                let (version, what) = text.split_once(' ').unwrap_or((text, ""));
                history.push(Reply::Array(vec![bulk(version), bulk(what)]));
            }
            Line::Origin(_) | Line::Summary(_) | Line::Argument(..) => {}
        }
    }
    if !history.is_empty() {
        add("history", Reply::Set(history));
    }
    let begin = lines.iter().position(|line| matches!(line, Line::Argument(..)));
    if let Some(begin) = begin {
        add("arguments", Reply::Array(arguments(&lines[begin..], 1, &profile.texts).0));
    }
    fields
}

/// Returns what is said about these commands, or about all. Names that are unknown are skipped.
pub(super) fn docs<S>(table: &Table<S>, names: Args<'_>) -> Reply {
    static SHEET: OnceLock<Sheet> = OnceLock::new();
    let sheet = SHEET.get_or_init(|| Sheet::read(FACTS));
    let about = |command| about(command, sheet, table.profile());
    if names.is_empty() {
        return Reply::Map(table.iter().map(about).collect());
    }
    let named = names.iter().filter_map(|name| {
        let words: Vec<&[u8]> = name.splitn(2, |byte| *byte == b'|').collect();
        table.named(&words)
    });
    Reply::Map(named.map(about).collect())
}
