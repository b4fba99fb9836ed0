//! The shared parts of the commands' parsers: words, numbers, times.

use crate::redis::command::Args;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{LongDouble, Sds, number};
use crate::redis::version::Arguments;
use crate::time::Instant;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use std::time::Duration;

/// Key/value (or field/value) argument pairs.
pub(crate) type Pairs<'a> = SmallVec<[(&'a [u8], &'a [u8]); 4]>;

/// Returns the argument pairs from `at` on.
pub(crate) fn pairs<'a>(
    args: Args<'a>,
    at: usize,
    command: &'static str,
) -> Result<Pairs<'a>, CommandError> {
    let pairs = args[at..].chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(CommandError::Arity(command.into()));
    }
    Ok(pairs.map(|pair| (pair[0], pair[1])).collect())
}

/// Returns whether an argument is this word, ignoring case.
pub(crate) fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// Returns an argument as errors show it: as text that ends at a NUL.
pub(crate) fn shown(arg: &[u8]) -> String {
    let text = arg.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Reads an integer.
pub(crate) fn integer(arg: &[u8]) -> Result<i64, CommandError> {
    number::parse_i64(arg).ok_or(CommandError::NotAnInteger)
}

/// Reads a score, a weight, a coordinate or a length.
pub(crate) fn double(arg: &[u8], rules: &Arguments) -> Option<f64> {
    if rules.doubles_are_decimal && number::is_hexadecimal(arg) {
        return None;
    }
    number::parse_double(arg)
}

/// Reads a score.
pub(crate) fn score(arg: &[u8], rules: &Arguments) -> Result<f64, CommandError> {
    double(arg, rules).ok_or(CommandError::NotAFloat)
}

/// Reads a count of 0 or more.
pub(crate) fn count(arg: &[u8]) -> Result<usize, CommandError> {
    let n = number::parse_i64(arg).ok_or(CommandError::NotPositive)?;
    usize::try_from(n).map_err(|_| CommandError::NotPositive)
}

/// The unit of a time to live, and its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) seconds: bool,
    /// It counts from the Unix epoch, not from now.
    pub(crate) absolute: bool,
}

impl Unit {
    /// Returns a time in milliseconds since the Unix epoch, or `None` if it does not fit.
    pub(crate) fn millis(self, time: i64, now: i64) -> Option<i64> {
        let millis = if self.seconds { time.checked_mul(1_000)? } else { time };
        if self.absolute { Some(millis) } else { millis.checked_add(now) }
    }
}

/// Reads a time for `SET`, `GETEX` and similar commands, which must be positive. Returns it in
/// milliseconds since the Unix epoch.
pub(crate) fn expire_time(
    arg: &[u8],
    unit: Unit,
    now: i64,
    command: &'static str,
) -> Result<i64, CommandError> {
    let n = integer(arg)?;
    let invalid = CommandError::InvalidExpire(command);
    if n <= 0 {
        return Err(invalid);
    }
    unit.millis(n, now).ok_or(invalid)
}

/// Returns the unit for `EX`, `PX`, `EXAT` or `PXAT`.
pub(crate) fn expire_unit(word: &[u8]) -> Option<Unit> {
    let units =
        [("ex", true, false), ("px", false, false), ("exat", true, true), ("pxat", false, true)];
    let (_, seconds, absolute) = units.into_iter().find(|(name, ..)| is(word, name))?;
    Some(Unit { seconds, absolute })
}

/// The words of a command's options on an expiry: a time with its unit, or the command's own word
/// (`KEEPTTL`, `PERSIST`). They exclude each other, and so do two units. Of several times in one
/// unit the last one counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExpiryWords<'a> {
    pub(crate) time: Option<(&'a [u8], Unit)>,
    pub(crate) own: bool,
}

impl<'a> ExpiryWords<'a> {
    /// Takes a word, and from the rest its time. Returns whether it is such a word and may stand
    /// here.
    pub(crate) fn take(
        &mut self,
        word: &[u8],
        own: &str,
        rest: &mut std::slice::Iter<'_, &'a [u8]>,
    ) -> Result<bool, CommandError> {
        if self.time.is_none() && is(word, own) {
            self.own = true;
            return Ok(true);
        }
        let earlier = self.time.map(|(_, unit)| unit);
        match expire_unit(word) {
            Some(unit) if !self.own && earlier.is_none_or(|earlier| earlier == unit) => {
                self.time = Some((rest.next().ok_or(CommandError::Syntax)?, unit));
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }
}

/// Reads a time to wait in whole milliseconds.
fn whole(millis: &[u8]) -> Result<i64, CommandError> {
    let wrong = CommandError::text("ERR timeout is not an integer or out of range");
    number::parse_i64(millis).ok_or(wrong)
}

/// The rules for times to wait, counted from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    now: Instant,
    /// The greatest number of milliseconds that end before the server's calendar does.
    longest: i64,
    /// Longer times are refused.
    is_limited: bool,
}

impl Timeouts {
    /// `calendar` is the time since the UNIX epoch.
    pub(crate) fn new(now: Instant, calendar: Duration, rules: &Arguments) -> Timeouts {
        let passed = i64::try_from(calendar.as_millis()).unwrap_or(i64::MAX);
        Timeouts { now, longest: i64::MAX - passed, is_limited: rules.timeouts_have_a_range }
    }

    /// Returns the deadline of a client that blocks for this many seconds, or `None` for 0, which
    /// is forever. Redis counts in milliseconds, rounded up; a number that does not fit counts as
    /// negative in 7.0.
    pub(crate) fn seconds(self, seconds: &[u8]) -> Result<Option<Instant>, CommandError> {
        let seconds = LongDouble::parse(seconds)
            .ok_or(CommandError::text("ERR timeout is not a float or out of range"))?;
        let millis = seconds.ceil_millis();
        if self.is_limited && millis == i64::MIN && seconds.is_positive() {
            return Err(CommandError::text("ERR timeout is out of range"));
        }
        self.deadline(millis)
    }

    /// As [`Timeouts::seconds`], for whole milliseconds.
    pub(crate) fn millis(self, millis: &[u8]) -> Result<Option<Instant>, CommandError> {
        self.deadline(whole(millis)?)
    }

    /// Returns the end of a pause of the server for this many milliseconds. One that does not fit
    /// is over at once in 7.0.
    pub(crate) fn pause(self, millis: &[u8]) -> Result<Instant, CommandError> {
        let millis = whole(millis)?;
        let end = self.deadline(millis)?.filter(|_| millis <= self.longest);
        Ok(end.unwrap_or(self.now))
    }

    fn deadline(self, millis: i64) -> Result<Option<Instant>, CommandError> {
        if self.is_limited && millis > self.longest {
            return Err(CommandError::text("ERR timeout is out of range"));
        }
        let millis =
            u64::try_from(millis).map_err(|_| CommandError::text("ERR timeout is negative"))?;
        Ok((millis > 0).then(|| self.now + Duration::from_millis(millis)))
    }
}

/// Reads a number of keys and the keys, from `at` on. Returns also the position after them.
pub(crate) fn numbered_keys<'a>(
    args: Args<'a>,
    at: usize,
) -> Result<(Args<'a>, usize), CommandError> {
    let n = number::parse_i64(args[at]).filter(|n| *n > 0).ok_or(CommandError::NumKeys)?;
    let end = usize::try_from(n).ok().and_then(|n| n.checked_add(at + 1));
    let end = end.filter(|end| *end <= args.len()).ok_or(CommandError::Syntax)?;
    Ok((&args[at + 1..end], end))
}

/// Reads `[COUNT count]`. A bad count is reported before superfluous arguments.
pub(crate) fn pop_count(words: Args<'_>) -> Result<usize, CommandError> {
    match words {
        [] => Ok(1),
        [word, n, rest @ ..] if is(word, "count") => {
            let n = count(n).ok().filter(|n| *n > 0);
            let n = n.ok_or(CommandError::text("ERR count should be greater than 0"))?;
            if rest.is_empty() { Ok(n) } else { Err(CommandError::Syntax) }
        }
        _ => Err(CommandError::Syntax),
    }
}

/// Reads `[LIMIT limit]`, the last one if there are several. 0 is unlimited.
pub(crate) fn limit(words: Args<'_>) -> Result<usize, CommandError> {
    let mut limit = 0;
    for option in words.chunks(2) {
        match option {
            [word, n] if is(word, "limit") => {
                limit = count(n).map_err(|_| CommandError::text("ERR LIMIT can't be negative"))?;
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    Ok(limit)
}

/// Returns members, on request with their scores, in order.
pub(crate) fn scored(members: &[(Sds, f64)], with_scores: bool) -> Reply {
    if with_scores {
        let pair = |(member, score): &(Sds, f64)| (Reply::bulk(member), Reply::Double(*score));
        Reply::Pairs(members.iter().map(pair).collect())
    } else {
        Reply::bulks(members.iter().map(|(member, _)| member))
    }
}

/// Returns each of these keys once, in their order.
pub(crate) fn distinct<'a>(keys: &'a [&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    /// So many are compared with each other in less time than it takes to hash them.
    const FEW: usize = 8;
    let mut seen: IndexSet<&[u8], FxBuildHasher> = IndexSet::default();
    keys.iter().enumerate().filter_map(move |(at, key)| {
        let is_new = match keys.len() {
            ..=FEW => !keys[..at].contains(key),
            _ => seen.insert(key),
        };
        is_new.then_some(*key)
    })
}
