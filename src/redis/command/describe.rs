//! The commands that describe commands: `COMMAND`, and the `HELP` of every container. Both read the
//! one table.

use super::docs;
use super::flag::*;
use super::key_spec::{Find, KeySpec, usage};
use super::sheet::Sheet;
use super::{Answer, Args, Command, Rows, Table, help as help_row, table};
use crate::redis::command::arguments::is;
use crate::redis::database::glob;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use smol_str::SmolStr;
use std::sync::OnceLock;

/// What `HELP` says of each container, without the first line, which names the container, and the
/// last two, which are about `HELP` itself.
const HELP: &str = include_str!("help.txt");

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    const COMMAND: &'static [Command<S>] = &[
        table("command|count", 2, LOADING | STALE, &["connection"], &[], "Get total number of Redis commands", command_count),
        table("command|docs", -2, LOADING | STALE, &["connection"], &[], "Get array of specific Redis command documentation", command_docs).tips(&["nondeterministic_output_order"]),
        table("command|getkeys", -4, LOADING | STALE, &["connection"], &[], "Extract keys given a full Redis command", command_getkeys),
        table("command|getkeysandflags", -4, LOADING | STALE, &["connection"], &[], "Extract keys and access flags given a full Redis command", command_getkeysandflags),
        help_row("command|help", 2, LOADING | STALE, &["connection"], &[], "Show helpful text about the different subcommands"),
        table("command|info", -2, LOADING | STALE, &["connection"], &[], "Get array of specific Redis command details, or all when no argument is given.", command_info).tips(&["nondeterministic_output_order"]),
        table("command|list", -2, LOADING | STALE, &["connection"], &[], "Get an array of Redis command names", command_list).tips(&["nondeterministic_output_order"]),
    ];
}

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const DESCRIBE: &'static [Command<S>] = &[
        table("command", -1, LOADING | STALE, &["connection"], &[], "Get array of Redis command details", command).with(Rows::COMMAND).tips(&["nondeterministic_output_order"]),
    ];
}

/// The ACL categories, in the order in which they are listed.
pub(crate) const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

fn statuses(names: impl Iterator<Item = &'static str>) -> Vec<Reply> {
    names.map(Reply::status).collect()
}

/// Returns the ACL categories of a command, as a bit for each of [`CATEGORIES`].
pub(crate) fn category_bits<S>(command: &Command<S>) -> u32 {
    // A command of scripts is not in the category `read`, even if it only reads.
    let scripting = command.categories.contains(&"scripting");
    let follows = |category: &str| match category {
        "write" => command.has(WRITE),
        "read" => command.has(READONLY) && !scripting,
        "admin" => command.has(ADMIN),
        "dangerous" => command.has(ADMIN),
        "pubsub" => command.has(PUBSUB),
        "fast" => command.has(FAST),
        "slow" => !command.has(FAST),
        "blocking" => command.has(BLOCKING),
        _ => false,
    };
    let has = |category: &str| follows(category) || command.categories.contains(&category);
    CATEGORIES
        .iter()
        .enumerate()
        .fold(0, |bits, (at, category)| bits | u32::from(has(category)) << at)
}

fn categories<S>(command: &Command<S>) -> Vec<Reply> {
    let bits = category_bits(command);
    let has = |at: usize| bits & 1 << at != 0;
    let of_command = CATEGORIES.iter().enumerate().filter(|(at, _)| has(*at));
    of_command.map(|(_, name)| Reply::Simple(SmolStr::new(format!("@{name}")))).collect()
}

/// Returns the entry of `COMMAND INFO` for one command.
fn info<S>(command: &Command<S>) -> Reply {
    let (first, last, step) = legacy_range(command);
    Reply::Array(vec![
        Reply::bulk(command.name.as_bytes()),
        Reply::Integer(command.arity),
        Reply::Set(statuses(NAMES.iter().filter(|f| command.has(f.0)).map(|f| f.1))),
        Reply::Integer(first),
        Reply::Integer(last),
        Reply::Integer(step),
        Reply::Set(categories(command)),
        Reply::Set(command.tips.iter().map(|tip| Reply::bulk(tip.as_bytes())).collect()),
        Reply::Set(command.keys.iter().map(key_spec).collect()),
        Reply::Set(command.subcommands.iter().map(info).collect()),
    ])
}

/// Returns first key, last key and step for older clients, with all ranges in one.
fn legacy_range<S>(command: &Command<S>) -> (i64, i64, i64) {
    let fixed = command.keys.iter().filter(|spec| spec.keyword.is_none());
    let mut ranges = fixed.filter_map(|spec| match spec.find {
        Find::Range { last, step } => {
            let begin = spec.begin as i64;
            Some((begin, if last >= 0 { begin + last } else { last }, step as i64))
        }
        Find::Half | Find::Number | Find::Pairs | Find::Unknown => None,
    });
    let Some(first) = ranges.next() else { return (0, 0, 0) };
    let joined = |a: (i64, i64, i64), b: (i64, i64, i64)| {
        let adjoins = a.2 == 1 && b.2 == 1 && a.1 >= 0 && b.0 == a.1 + 1;
        if adjoins { (a.0, b.1, 1) } else { a }
    };
    ranges.fold(first, joined)
}

fn key_spec(spec: &KeySpec) -> Reply {
    let text = |text: &str| Reply::bulk(text.as_bytes());
    let used = usage::NAMES.iter().filter(|u| spec.usage & u.0 != 0).map(|u| u.1);
    let number = |name: &str, n: i64| (text(name), Reply::Integer(n));
    let search = |kind: &str, spec: Vec<(Reply, Reply)>| {
        Reply::Map(vec![(text("type"), text(kind)), (text("spec"), Reply::Map(spec))])
    };
    let begin = match spec.keyword {
        None => search("index", vec![number("index", spec.begin as i64)]),
        Some((word, from)) => {
            let rule = vec![(text("keyword"), text(word)), number("startfrom", from)];
            search("keyword", rule)
        }
    };
    let (begin, find) = match spec.find {
        Find::Range { last, step } => {
            let step = step as i64;
            let range = vec![number("lastkey", last), number("keystep", step), number("limit", 0)];
            (begin, search("range", range))
        }
        Find::Half => {
            let range = vec![number("lastkey", -1), number("keystep", 1), number("limit", 2)];
            (begin, search("range", range))
        }
        Find::Number | Find::Pairs => {
            let step = if spec.find == Find::Pairs { 2 } else { 1 };
            let rule = vec![number("keynumidx", 0), number("firstkey", 1), number("keystep", step)];
            (begin, search("keynum", rule))
        }
        Find::Unknown => (search("unknown", Vec::new()), search("unknown", Vec::new())),
    };
    let mut entries = Vec::new();
    if let Some(notes) = spec.notes {
        entries.push((text("notes"), text(notes)));
    }
    entries.push((text("flags"), Reply::Set(statuses(used))));
    entries.push((text("begin_search"), begin));
    entries.push((text("find_keys"), find));
    Reply::Map(entries)
}

fn command<S>(table: &Table<S>, _args: Args<'_>) -> Answer {
    Ok(Reply::Array(table.iter().map(info).collect()))
}

fn command_count<S>(table: &Table<S>, _args: Args<'_>) -> Answer {
    Ok(Reply::count(table.len()))
}

/// Returns a command, or with `container|subcommand` a subcommand.
fn find<S>(table: &Table<S>, name: &[u8]) -> Option<&'static Command<S>> {
    let mut parts = name.splitn(2, |byte| *byte == b'|');
    let command = table.get(parts.next()?)?;
    let Some(sub) = parts.next() else { return Some(command) };
    command.subcommand(sub)
}

fn command_info<S>(table: &Table<S>, args: Args<'_>) -> Answer {
    if args.len() == 2 {
        return command(table, args);
    }
    let about = |name: &&[u8]| find(table, name).map_or(Reply::Nil, info);
    Ok(Reply::Array(args[2..].iter().map(about).collect()))
}

/// `[FILTERBY MODULE name | ACLCAT category | PATTERN pattern]`.
fn command_list<S>(table: &Table<S>, args: Args<'_>) -> Answer {
    let all = table.iter().flat_map(|c| std::iter::once(c).chain(c.subcommands));
    let chosen: Vec<&Command<S>> = match args {
        [_, _] => all.collect(),
        [_, _, by, what, value] if is(by, "filterby") => {
            if is(what, "module") {
                Vec::new()
            } else if is(what, "aclcat") {
                let named = |reply: &Reply| {
                    let name = reply.as_bytes().unwrap_or_default();
                    name[1..].eq_ignore_ascii_case(value)
                };
                all.filter(|c| categories(c).iter().any(named)).collect()
            } else if is(what, "pattern") {
                all.filter(|c| glob::matches(value, c.name.as_bytes(), true)).collect()
            } else {
                return Err(CommandError::Syntax);
            }
        }
        _ => return Err(CommandError::Syntax),
    };
    Ok(Reply::Set(chosen.iter().map(|c| Reply::bulk(c.name.as_bytes())).collect()))
}

/// Returns the keys of a request, with the usage of each.
fn keys_of<'a, S>(table: &Table<S>, args: Args<'a>) -> Result<Vec<(&'a [u8], u16)>, CommandError> {
    let request = &args[2..];
    let command = table.get(request[0]);
    let command = command.and_then(|command| {
        let sub = request.get(1).filter(|_| !command.subcommands.is_empty());
        sub.map_or(Some(command), |sub| command.subcommand(sub))
    });
    let command = command.ok_or(CommandError::text("ERR Invalid command specified"))?;
    if !command.keys.iter().any(|spec| spec.usage & usage::NOT_KEY == 0) {
        return Err(CommandError::text("ERR The command has no key arguments"));
    }
    if !command.accepts(request.len()) {
        return Err(CommandError::text("ERR Invalid number of arguments specified for command"));
    }
    let invalid = CommandError::text("ERR Invalid arguments specified for command");
    let keys = positions_of(command, request).ok_or_else(|| invalid.clone())?;
    let by_keyword = command.keys.iter().any(|spec| spec.keyword.is_some());
    if keys.is_empty() && (by_keyword || command.name == "migrate") {
        return Err(invalid);
    }
    Ok(keys.into_iter().map(|(at, used)| (request[at], used)).collect())
}

/// Returns the positions of a command's keys in a request, with the usage of each, or `None` if the
/// request does not match the command's specifications.
pub(crate) fn positions_of<S>(
    command: &Command<S>,
    request: Args<'_>,
) -> Option<Vec<(usize, u16)>> {
    if command.name == "migrate" {
        let used = usage::RW | usage::ACCESS | usage::DELETE;
        return Some(migrated(request).map(|at| (at, used)).collect());
    }
    let mut keys = Vec::new();
    for spec in command.keys.iter().filter(|spec| spec.usage & usage::NOT_KEY == 0) {
        let positions = match spec.positions(request) {
            Some(positions) => positions,
            None if command.has(NO_MANDATORY_KEYS) => continue,
            None => return None,
        };
        let used = match command.name {
            "set" => set_usage(request, spec.usage),
            "delex" => delex_usage(request),
            "bitfield" => bitfield_usage(request),
            _ => spec.usage,
        };
        keys.extend(positions.into_iter().map(|at| (at, used)));
    }
    if command.name == "sort" {
        keys.extend(sort_store(request).map(|at| (at, usage::OW | usage::UPDATE)));
    }
    Some(keys)
}

/// `SET` reads its key only if the old value is requested, or compared.
fn set_usage(request: Args<'_>, used: u16) -> u16 {
    let has = |name: &str| request[3..].iter().any(|word| is(word, name));
    if has("get") {
        usage::RW | usage::ACCESS | usage::UPDATE
    } else if used & usage::COMPARED != 0 && ["ifeq", "ifne", "ifdeq", "ifdne"].into_iter().any(has)
    {
        usage::RW | usage::UPDATE
    } else {
        usage::OW | usage::UPDATE
    }
}

/// `DELEX` reads its key only if it compares.
fn delex_usage(request: Args<'_>) -> u16 {
    if request.len() > 2 { usage::RW | usage::DELETE } else { usage::RM | usage::DELETE }
}

/// `BITFIELD` only reads if all its operations are `GET`.
fn bitfield_usage(request: Args<'_>) -> u16 {
    let mut rest = &request[2..];
    while let [word, more @ ..] = rest {
        let skip = match more.len() {
            2.. if is(word, "get") => 2,
            1.. if is(word, "overflow") => 1,
            _ => return usage::RW | usage::ACCESS | usage::UPDATE,
        };
        rest = &more[skip..];
    }
    usage::RO | usage::ACCESS
}

/// Only `SORT` itself knows where its `STORE` is. The last one counts.
fn sort_store(request: Args<'_>) -> Option<usize> {
    let mut store = None;
    let mut rest = &request[2..];
    while let [word, more @ ..] = rest {
        let arguments = if is(word, "limit") {
            2
        } else {
            usize::from(is(word, "get") || is(word, "by") || is(word, "store"))
        };
        if is(word, "store") && !more.is_empty() {
            store = Some(request.len() - more.len());
        }
        rest = more.get(arguments..).unwrap_or_default();
    }
    store
}

/// Only `MIGRATE` itself knows whether it has one key or several after `KEYS`.
fn migrated(request: Args<'_>) -> std::ops::Range<usize> {
    let mut at = 6;
    while let Some(word) = request.get(at) {
        if is(word, "keys") {
            return if request[3].is_empty() { at + 1..request.len() } else { 0..0 };
        }
        at += 1 + usize::from(is(word, "auth")) + 2 * usize::from(is(word, "auth2"));
    }
    3..4
}

fn command_getkeys<S>(table: &Table<S>, args: Args<'_>) -> Answer {
    Ok(Reply::bulks(keys_of(table, args)?.into_iter().map(|(key, _)| key)))
}

/// `[name …]`.
fn command_docs<S>(table: &Table<S>, args: Args<'_>) -> Answer {
    Ok(docs::docs(table, &args[2..]))
}

fn command_getkeysandflags<S>(table: &Table<S>, args: Args<'_>) -> Answer {
    let keys = keys_of(table, args)?.into_iter().map(|(key, used)| {
        let names = usage::NAMES.iter().filter(|u| used & u.0 != 0).map(|u| u.1);
        Reply::Array(vec![Reply::bulk(key), Reply::Set(statuses(names))])
    });
    Ok(Reply::Array(keys.collect()))
}

/// Returns the `HELP` of the container that is called.
pub(crate) fn help<S>(table: &Table<S>, args: Args<'_>) -> Answer {
    let Some(container) = table.get(args[0]) else { return Err(CommandError::Syntax) };
    let name = container.name.to_uppercase();
    let first = format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    static SHEET: OnceLock<Sheet> = OnceLock::new();
    let sheet = SHEET.get_or_init(|| Sheet::read(HELP));
    let own = sheet.of(container.name, table.profile().version);
    let own: Vec<&str> = own.map_or_else(Vec::new, |(_, lines)| lines.collect());
    let last = match table.profile().texts.help_is_imperative {
        true => "    Print this help.",
        false => "    Prints this help.",
    };
    let lines = std::iter::once(first.as_str()).chain(own).chain(["HELP", last]);
    let line = |line: &str| Reply::Simple(SmolStr::new(line));
    Ok(Reply::Array(lines.map(line).collect()))
}
