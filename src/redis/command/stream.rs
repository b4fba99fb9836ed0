//! The commands on streams, except for those on groups. `XREAD` and `XREADGROUP` may block and are
//! in `server/command/streams.rs`.

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{integer, is, pairs};
use crate::redis::command::stream_producers::Naming;
use crate::redis::command::stream_reply::{INVALID_ID, end, entry, id, ids, shown_id, start};
use crate::redis::database::{Database, Named, XaddId, XaddOptions};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{References, StreamId, Trim, TrimTo};
use crate::redis::version::StreamRules;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const STREAM: &'static [Command<S>] = &[
        database("xadd", -5, WRITE | DENYOOM | FAST, &["stream"], &[key(RW | UPDATE, 1).noted("UPDATE instead of INSERT because of the optional trimming feature")], "Appends a new entry to a stream", xadd).tips(&["nondeterministic_output"]),
        database("xdel", -3, WRITE | FAST, &["stream"], &[key(RW | DELETE, 1)], "Removes the specified entries from the stream. Returns the number of items actually deleted, that may be different from the number of IDs passed in case certain IDs do not exist.", xdel),
        database("xlen", 2, READONLY | FAST, &["stream"], &[key(RO, 1)], "Return the number of entries in a stream", xlen),
        database("xrange", -4, READONLY, &["stream"], &[key(RO | ACCESS, 1)], "Return a range of elements in a stream, with IDs matching the specified IDs interval", xrange),
        database("xrevrange", -4, READONLY, &["stream"], &[key(RO | ACCESS, 1)], "Return a range of elements in a stream, with IDs matching the specified IDs interval, in reverse order (from greater to smaller IDs) compared to XRANGE", xrevrange),
        database("xsetid", -3, WRITE | DENYOOM | FAST, &["stream"], &[key(RW | UPDATE, 1)], "An internal command for replicating stream values", xsetid),
        database("xtrim", -4, WRITE, &["stream"], &[key(RW | DELETE, 1)], "Trims the stream to (approximately if '~' is passed) a certain size", xtrim).tips(&["nondeterministic_output"]),
    ];
}

/// The options of `XADD` and `XTRIM`.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    trim: Option<TrimTo>,
    approximate: bool,
    limit: Option<u64>,
    existing: bool,
    references: Option<References>,
}

const TWO_STRATEGIES: CommandError = CommandError::text(
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
);
const NOTHING_TO_LIMIT: CommandError = CommandError::text(
    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
);
const NAMED_WITH_ID: CommandError =
    CommandError::text("ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs");
const EXACT_LIMIT: CommandError =
    CommandError::text("ERR syntax error, LIMIT cannot be used without the special ~ option");

impl Options {
    /// Reads `MAXLEN [=|~] n`, `MINID [=|~] id`, `LIMIT n` or `KEEPREF`, `DELREF`, `ACKED` from the
    /// beginning of the words. Returns how many words that were, or `None` if there is no such
    /// option.
    fn read(
        &mut self,
        words: Args<'_>,
        takes_references: bool,
    ) -> Result<Option<usize>, CommandError> {
        let [name, rest @ ..] = words else { return Ok(None) };
        if takes_references
            && self.references.is_none()
            && let Some(references) = references_of(name)
        {
            self.references = Some(references);
            return Ok(Some(1));
        }
        if rest.is_empty() {
            return Ok(None);
        }
        if is(name, "limit") {
            let limit = u64::try_from(integer(rest[0])?);
            let negative = CommandError::text("ERR The LIMIT argument must be >= 0.");
            self.limit = Some(limit.map_err(|_| negative)?);
            return Ok(Some(2));
        }
        let by_length = is(name, "maxlen");
        if !by_length && !is(name, "minid") {
            return Ok(None);
        }
        if self.trim.is_some() {
            return Err(TWO_STRATEGIES);
        }
        self.approximate = rest.len() >= 2 && rest[0] == b"~";
        let has_mark = rest.len() >= 2 && (rest[0] == b"~" || rest[0] == b"=");
        let value = rest[usize::from(has_mark)];
        self.trim = Some(if by_length {
            let length = u64::try_from(integer(value)?);
            let negative = CommandError::text("ERR The MAXLEN argument must be >= 0.");
            TrimTo::Length(length.map_err(|_| negative)?)
        } else {
            TrimTo::Id(id(value)?)
        });
        Ok(Some(2 + usize::from(has_mark)))
    }

    /// Returns how to trim, if that was said. `max_entries` is the greatest number of entries of a
    /// node.
    fn trim(&self, max_entries: u64, rules: StreamRules) -> Result<Option<Trim>, CommandError> {
        if self.trim.is_none() && self.limit.is_some_and(|limit| limit > 0) {
            return Err(NOTHING_TO_LIMIT);
        }
        if self.limit.is_some() && !self.approximate {
            return Err(EXACT_LIMIT);
        }
        let Some(to) = self.trim else { return Ok(None) };
        // An approximate trim removes up to 100 full nodes. The real server counts in 64 bits.
        let usual = match (max_entries.wrapping_mul(100)) as i64 {
            ..=0 => 10_000,
            entries => entries.min(1_000_000) as u64,
        };
        let limit = if self.approximate { self.limit.unwrap_or(usual) } else { 0 };
        let references = self.references.unwrap_or_default();
        if !self.approximate || references == References::Keep {
            return Ok(Some(Trim { to, approximate: self.approximate, limit, references }));
        }
        // Entries that are looked at one by one are trimmed exactly, or not at all.
        let trim = Trim { to, approximate: false, limit, references };
        Ok(rules.trims_references_exactly.then_some(trim))
    }
}

/// Returns what a word says about references, if it does.
pub(super) fn references_of(word: &[u8]) -> Option<References> {
    match () {
        () if is(word, "keepref") => Some(References::Keep),
        () if is(word, "delref") => Some(References::Delete),
        () if is(word, "acked") => Some(References::Acked),
        () => None,
    }
}

/// `key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO producer | IDMP producer name]
/// [MAXLEN | MINID …] * | id field value …`.
fn xadd(db: &mut Database, args: Args<'_>) -> Answer {
    let mut options = Options::default();
    let mut at = 2;
    let (mut given, mut naming) = (None, None);
    let rules = db.profile.streams;
    while let Some(word) = args.get(at).filter(|word| **word != b"*") {
        if let Some(words) = options.read(&args[at..], rules.references)? {
            at += words;
        } else if rules.producers
            && let Some((read, words)) = Naming::read(&args[at..], naming.is_some())?
        {
            naming = Some(read);
            at += words;
        } else if is(word, "nomkstream") {
            options.existing = true;
            at += 1;
        } else {
            given = Some(given_id(word)?);
            if naming.is_some() && !db.obeys {
                return Err(NAMED_WITH_ID);
            }
            break;
        }
    }
    let trim = options.trim(db.limits.stream.max_entries, rules)?;
    let fields = args.get(at + 1..).filter(|fields| fields.len() >= 2);
    let Some(fields) = fields else { return Err(CommandError::Arity("xadd".into())) };
    let fields = pairs(fields, 0, "xadd")?;
    let id = given.unwrap_or(XaddId::Auto);
    let options = XaddOptions { existing: options.existing, trim };
    let added = match naming {
        Some(naming) => {
            let name = naming.name(&fields);
            let named = Named { producer: naming.producer(), name: &name };
            db.xadd_once(args[1], id, &fields, options, named)?
        }
        None => db.xadd(args[1], id, &fields, options)?,
    };
    Ok(added.map_or(Reply::Nil, shown_id))
}

/// Reads the id of a new entry, which may be `ms-*`.
fn given_id(word: &[u8]) -> Result<XaddId, CommandError> {
    match StreamId::parse_open(word) {
        Some(ms) => Ok(XaddId::AutoSeq(ms)),
        None => Ok(XaddId::Exact(id(word)?)),
    }
}

/// `key MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]`.
fn xtrim(db: &mut Database, args: Args<'_>) -> Answer {
    let mut options = Options::default();
    let mut at = 2;
    let rules = db.profile.streams;
    while at < args.len() {
        at += options.read(&args[at..], rules.references)?.ok_or(CommandError::Syntax)?;
    }
    if options.trim.is_none() && options.limit.is_none_or(|limit| limit == 0) {
        return Err(CommandError::text(
            "ERR syntax error, XTRIM must be called with a trimming strategy",
        ));
    }
    if options.trim.is_none() {
        return Err(NOTHING_TO_LIMIT);
    }
    let trim = options.trim(db.limits.stream.max_entries, rules)?;
    // Nothing matches this if the version trims nothing.
    let trim = trim.unwrap_or(Trim::exactly(TrimTo::Id(StreamId::MIN)));
    Ok(Reply::Integer(db.xtrim(args[1], trim)? as i64))
}

fn xlen(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.xlen(args[1])?))
}

/// `key id …`. The ids are only checked if there is a stream.
fn xdel(db: &mut Database, args: Args<'_>) -> Answer {
    match ids(&args[2..]) {
        Ok(ids) => Ok(Reply::count(db.xdel(args[1], &ids)?)),
        Err(error) => match db.xdel(args[1], &[]) {
            Ok(_) if db.value(args[1]).is_none() => Ok(Reply::Integer(0)),
            Ok(_) => Err(error),
            Err(wrong_type) => Err(wrong_type),
        },
    }
}

/// `key start end [COUNT count]`.
fn xrange(db: &mut Database, args: Args<'_>) -> Answer {
    let (from, to) = (start(args[2])?, end(args[3])?);
    let count = range_count(&args[4..])?;
    let Some(stream) = db.stream(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let Some(count) = count else { return Ok(Reply::NilArray) };
    Ok(Reply::Array(stream.range(from, to).take(count).map(entry).collect()))
}

/// `key end start [COUNT count]`.
fn xrevrange(db: &mut Database, args: Args<'_>) -> Answer {
    let (from, to) = (start(args[3])?, end(args[2])?);
    let count = range_count(&args[4..])?;
    let Some(stream) = db.stream(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let Some(count) = count else { return Ok(Reply::NilArray) };
    Ok(Reply::Array(stream.range_back(from, to).take(count).map(entry).collect()))
}

/// Reads `[COUNT count]`, the last one if there are several. Returns `None` for 0 or less.
fn range_count(words: Args<'_>) -> Result<Option<usize>, CommandError> {
    let mut count = Some(usize::MAX);
    for option in words.chunks(2) {
        match option {
            [word, n] if is(word, "count") => {
                count = usize::try_from(integer(n)?).ok().filter(|n| *n > 0);
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    Ok(count)
}

/// `key id [ENTRIESADDED count] [MAXDELETEDID id]`.
fn xsetid(db: &mut Database, args: Args<'_>) -> Answer {
    let last = id(args[2])?;
    let (mut added, mut deleted) = (None, StreamId::MIN);
    for option in args[3..].chunks(2) {
        let &[word, value] = option else { return Err(CommandError::Syntax) };
        if is(word, "entriesadded") {
            let count = u64::try_from(integer(value)?);
            let negative = CommandError::text("ERR entries_added must be positive");
            added = Some(count.map_err(|_| negative)?);
        } else if is(word, "maxdeletedid") {
            deleted = StreamId::parse(value, 0).ok_or(INVALID_ID)?;
            if last < deleted {
                return Err(CommandError::text(
                    "ERR The ID specified in XSETID is smaller than the provided \
                     max_deleted_entry_id",
                ));
            }
        } else {
            return Err(CommandError::Syntax);
        }
    }
    db.xsetid(args[1], last, added, Some(deleted).filter(|id| *id != StreamId::MIN))?;
    Ok(Reply::OK)
}
