//! The commands that read streams and may block until there is something to read.

use super::{Flow, Row};
use crate::redis::command::arguments::{Timeouts, integer, is};
use crate::redis::command::attempt::Attempt;
use crate::redis::command::flag::*;
use crate::redis::command::key_spec::half_after;
use crate::redis::command::key_spec::usage::*;
use crate::redis::command::stream_reply::{by_stream, claimed, delivered, entry, id};
use crate::redis::command::{Args, Caller, Origin, flow};
use crate::redis::database::{Database, GroupRead, XreadgroupOptions};
use crate::redis::error::CommandError;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::server::Server;
use crate::redis::value::{Sds, Stream, StreamId};
use crate::redis::version::{Profile, Texts, XreadLast};
use crate::time::Instant;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    flow("xread", -4, READONLY | BLOCKING | MOVABLEKEYS, &["stream"], &[half_after(RO | ACCESS, "STREAMS", 1)], "Return never seen elements in multiple streams, with IDs greater than the ones reported by the caller for each stream. Can block.", xread),
    flow("xreadgroup", -7, WRITE | BLOCKING | MOVABLEKEYS, &["stream"], &[half_after(RO | ACCESS, "STREAMS", 4)], "Return new entries from a stream using a consumer group, or access the history of the pending entries for a given consumer. Can block.", xreadgroup),
];

/// Greatest number of entries for a client that has waited, unless it gave one.
const COUNT_AFTER_WAIT: usize = 1_000;

const UNBALANCED: &str = "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' \
                          must be specified.";
const GROUP_IN_XREAD: &str =
    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
const NOACK_IN_XREAD: &str =
    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";
const CLAIM_IN_XREAD: &str =
    "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.";
const END_IN_XREADGROUP: &str = "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of \
     this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would \
     just return an empty result set.";
const NO_LAST_ID: &str = "ERR the stream last element ID is 0-0";
const NEW_IN_XREAD: &str = "ERR The > ID can be specified only when calling XREADGROUP using the \
                            GROUP <group> <consumer> option.";

/// Returns the error of streams without as many ids.
fn unbalanced(args: Args<'_>, of_group: bool, texts: &Texts) -> CommandError {
    if !texts.unbalanced_names_command {
        return CommandError::text(UNBALANCED);
    }
    let name = String::from_utf8_lossy(args[0]).to_lowercase();
    let ids = match of_group {
        true => "an ID or '>'",
        false if texts.unbalanced_offers_last => "an ID, '+', or '$'",
        false => "an ID or '$'",
    };
    CommandError::format(format!(
        "ERR Unbalanced '{name}' list of streams: for each stream key {ids} must be specified."
    ))
}

/// Reads the time for which an entry was not acknowledged that is claimed.
fn least_idle(word: &[u8]) -> Result<i64, CommandError> {
    let invalid = CommandError::text("ERR min-idle-time is not an integer or out of range");
    match integer(word).map_err(|_| invalid)? {
        ..0 => Err(CommandError::text("ERR min-idle-time must be a positive integer")),
        min_idle => Ok(min_idle),
    }
}

/// The words of both commands.
struct Words<'a> {
    /// When the wait ends, if the client blocks at all.
    block: Option<Option<Instant>>,
    /// 0 is unlimited.
    count: usize,
    no_ack: bool,
    claim: Option<i64>,
    group: Option<(&'a [u8], &'a [u8])>,
    keys: Args<'a>,
    ids: Args<'a>,
}

impl<'a> Words<'a> {
    /// Reads `[COUNT n] [BLOCK ms] [GROUP group consumer] [NOACK] [CLAIM min-idle] STREAMS key … id
    /// …`.
    fn read(
        args: Args<'a>,
        timeouts: Timeouts,
        by: Origin,
        of_group: bool,
        profile: &Profile,
    ) -> Result<Words<'a>, CommandError> {
        let mut words = Words {
            block: None,
            count: 0,
            no_ack: false,
            claim: None,
            group: None,
            keys: &[],
            ids: &[],
        };
        let mut rest = &args[1..];
        loop {
            let [word, more @ ..] = rest else { return Err(CommandError::Syntax) };
            rest = match more {
                [_, ..]
                    if is(word, "block")
                        && by == Origin::Script
                        && !profile.streams.scripts_read_with_block =>
                {
                    let name = String::from_utf8_lossy(args[0]);
                    return Err(CommandError::format(format!(
                        "ERR {name} command is not allowed with BLOCK option from scripts"
                    )));
                }
                [millis, more @ ..] if is(word, "block") => {
                    words.block = Some(timeouts.millis(millis)?);
                    more
                }
                [count, more @ ..] if is(word, "count") => {
                    words.count = usize::try_from(integer(count)?).unwrap_or(0);
                    more
                }
                [_, ..] if is(word, "streams") => {
                    if !more.len().is_multiple_of(2) {
                        return Err(unbalanced(args, of_group, &profile.texts));
                    }
                    (words.keys, words.ids) = more.split_at(more.len() / 2);
                    break;
                }
                [group, consumer, more @ ..] if is(word, "group") => {
                    if !of_group {
                        return Err(CommandError::text(GROUP_IN_XREAD));
                    }
                    words.group = Some((group, consumer));
                    more
                }
                [min_idle, more @ ..] if is(word, "claim") && profile.streams.reads_claim => {
                    if !of_group {
                        return Err(CommandError::text(CLAIM_IN_XREAD));
                    }
                    words.claim = Some(least_idle(min_idle)?);
                    more
                }
                more if is(word, "noack") => {
                    if !of_group {
                        return Err(CommandError::text(NOACK_IN_XREAD));
                    }
                    words.no_ack = true;
                    more
                }
                _ => return Err(CommandError::Syntax),
            };
        }
        if of_group && words.group.is_none() {
            return Err(CommandError::text("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(words)
    }

    /// Returns the streams with their ids.
    fn streams(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.keys.iter().copied().zip(self.ids.iter().copied())
    }

    /// Returns the greatest number of entries for a client that has waited.
    fn count_after_wait(&self) -> usize {
        if self.count == 0 { COUNT_AFTER_WAIT } else { self.count }
    }
}

/// Returns the protocol of a caller. An operator has none of its own.
fn protocol_of(server: &Server, caller: Caller) -> Protocol {
    server.sessions.get(&caller.client).map_or(Protocol::Resp2, |session| session.protocol)
}

/// Returns the reply, if anything was read. Otherwise blocks, if the client wants that.
fn answer(
    server: &mut Server,
    caller: Caller,
    words: &Words<'_>,
    read: Vec<(Reply, Reply)>,
    attempt: impl FnOnce(Protocol) -> Attempt,
) -> Flow {
    let protocol = protocol_of(server, caller);
    if !read.is_empty() {
        return Ok(Some(by_stream(read, protocol)));
    }
    let Some(deadline) = words.block else { return Ok(Some(Reply::NilArray)) };
    Ok(server.block(caller, words.keys, attempt(protocol), deadline))
}

/// Where a client of `XREAD` reads on in a stream.
struct ReadFrom<'a> {
    key: &'a [u8],
    after: StreamId,
    /// The entry that it reads whatever its id.
    last: Option<Reply>,
}

impl<'a> ReadFrom<'a> {
    /// Reads the id. That of `$` is the last one of the stream; for `+` see [`XreadLast`].
    fn read(db: &mut Database, key: &'a [u8], text: &[u8]) -> Result<Self, CommandError> {
        let rule = db.profile.arguments.xread_last;
        let stream = db.stream(key)?;
        let end = stream.map_or(StreamId::MIN, |stream| stream.counters().last_id);
        let (after, last) = match (text, rule) {
            (b"$", _) => (end, None),
            (b">", _) => return Err(CommandError::text(NEW_IN_XREAD)),
            (b"+", XreadLast::LastEntry) => {
                let backwards = |stream: &Stream| {
                    stream.range_back(StreamId::MIN, StreamId::MAX).next().map(entry)
                };
                (end, stream.and_then(backwards))
            }
            (b"+", XreadLast::BeforeLastId) if stream.is_some() => {
                (end.previous().ok_or(CommandError::text(NO_LAST_ID))?, None)
            }
            (b"+", XreadLast::BeforeLastId | XreadLast::BeforeLastIdOrZero) => {
                (end.previous().unwrap_or_default(), None)
            }
            (text, _) => (id(text)?, None),
        };
        Ok(ReadFrom { key, after, last })
    }
}

/// See [`Words`].
fn xread(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let words = Words::read(args, server.timeouts(), caller.origin, false, server.profile())?;
    let db = &mut server.databases[caller.database];
    let mut places = Vec::with_capacity(words.keys.len());
    for (key, text) in words.streams() {
        places.push(ReadFrom::read(db, key, text)?);
    }
    let limit = if words.count == 0 { usize::MAX } else { words.count };
    let mut read = Vec::new();
    for ReadFrom { key, after, last } in &places {
        let news = |stream: &&Stream| stream.last_entry_id() > *after;
        if let Some(last) = last {
            read.push((Reply::bulk(key), Reply::Array(vec![last.clone()])));
        } else if let Some(stream) = db.stream(key)?.filter(news)
            && let Some(from) = after.next()
        {
            let entries = stream.range(from, StreamId::MAX).take(limit).map(entry);
            read.push((Reply::bulk(key), Reply::Array(entries.collect())));
        }
    }
    let count = words.count_after_wait();
    answer(server, caller, &words, read, |protocol| {
        let after = places.iter().map(|place| (Sds::new(place.key), place.after)).collect();
        Attempt::Read { after, count, protocol }
    })
}

/// See [`Words`]. The id `>` is what the group has read.
fn xreadgroup(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let words = Words::read(args, server.timeouts(), caller.origin, true, server.profile())?;
    let Some((group, consumer)) = words.group else { return Err(CommandError::Syntax) };
    let db = &mut server.databases[caller.database];
    let takes_last = db.profile.arguments.xread_last != XreadLast::Refused;
    let mut reads: Vec<(&[u8], GroupRead)> = Vec::with_capacity(words.keys.len());
    for (key, text) in words.streams() {
        db.check_readable(key, group)?;
        let read = match text {
            b"$" => return Err(CommandError::text(END_IN_XREADGROUP)),
            b"+" if takes_last => {
                return Err(CommandError::format(END_IN_XREADGROUP.replace('$', "+")));
            }
            b">" => GroupRead::New,
            text => match id(text)? {
                // The server marks `>` so.
                StreamId::MAX => GroupRead::New,
                id => GroupRead::PendingAfter(id),
            },
        };
        reads.push((key, read));
    }
    let (count, no_ack, claim) = (words.count, words.no_ack, words.claim);
    let options = XreadgroupOptions { count, no_ack, claim };
    let mut read = Vec::new();
    for (key, from) in reads {
        if let Some(delivery) = db.serve_consumer(key, group, consumer, from, options)? {
            let entries = match claim.filter(|_| from == GroupRead::New) {
                Some(_) => claimed(&delivery),
                None => delivered(&delivery.entries),
            };
            read.push((Reply::bulk(key), entries));
        }
    }
    let options = XreadgroupOptions { count: words.count_after_wait(), ..options };
    let answer = answer(server, caller, &words, read, |protocol| Attempt::ReadGroup {
        group: Sds::new(group),
        consumer: Sds::new(consumer),
        options,
        protocol,
    })?;
    if let (None, Some(min_idle)) = (&answer, claim) {
        server.wait_for_idle(caller, words.keys, group, min_idle);
    }
    Ok(answer)
}
