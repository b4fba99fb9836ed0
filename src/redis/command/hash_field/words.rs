//! How the commands on deadlines of fields are read, with each server's errors in its order.
//!
//! - [`FieldSyntax::Fixed`]: `FIELDS` has its place behind at most one option (`HSETEX`: behind
//!   several), and the fields go on to the end.
//! - [`FieldSyntax::Anywhere`]: `FIELDS` may stand anywhere. Options are told apart from fields by
//!   the number of fields. `HTTL`, `HPERSIST` and `HGETDEL` have no options and are still fixed.
//! - [`FieldSyntax::AfterOptions`]: everything before the first `FIELDS` is options. A time is read
//!   only when the key has been looked at, so the last of several counts.
//!
//! Source: `t_hash.c` of Redis 7.4, and experiments with the others.

use crate::redis::command::Args;
use crate::redis::command::arguments::{ExpiryWords, Unit, expire_unit, integer, is, shown};
use crate::redis::command::expiry::condition;
use crate::redis::database::{ExpireCondition, HsetexCondition};
use crate::redis::error::CommandError;
use crate::redis::value::number;
use crate::redis::version::{FieldSyntax, Fields};

const MISPLACED: CommandError =
    CommandError::text("ERR Mandatory argument FIELDS is missing or not at the right position");
const MISMATCH: CommandError =
    CommandError::text("ERR The `numfields` parameter must match the number of arguments");
const NOT_POSITIVE: CommandError =
    CommandError::text("ERR Number of fields must be a positive integer");
const NOT_ABOVE_ZERO: CommandError =
    CommandError::text("ERR Parameter `numFields` should be greater than 0");
const INVALID: CommandError = CommandError::text("ERR invalid number of fields");
const TOO_FEW: CommandError = CommandError::text("ERR wrong number of arguments");
const TWICE: CommandError = CommandError::text("ERR FIELDS keyword specified multiple times");
const MISSING: CommandError = CommandError::text("ERR missing FIELDS argument");
const NUMFIELDS: CommandError = CommandError::text(
    "ERR numfields should be greater than 0 and match the provided number of fields",
);

type Result<T> = std::result::Result<T, CommandError>;

fn unknown(word: &[u8]) -> CommandError {
    CommandError::format(format!("ERR unknown argument: {}", shown(word)))
}

/// Reads a number of fields, from 1 up to a limit.
fn count(word: &[u8], most: i64, error: CommandError) -> Result<usize> {
    let number = number::parse_i64(word).filter(|number| (1..=most).contains(number));
    number.and_then(|number| usize::try_from(number).ok()).ok_or(error)
}

/// Reads a time and returns it in milliseconds since the Unix epoch.
pub(super) fn time(
    word: &[u8],
    unit: Unit,
    now: i64,
    rules: &Fields,
    command: &'static str,
) -> Result<i64> {
    let number = integer(word)?;
    if number < 0 && rules.syntax != FieldSyntax::AfterOptions {
        return Err(CommandError::text("ERR invalid expire time, must be >= 0"));
    }
    let at = unit.millis(number, now).filter(|at| number >= 0 && *at <= rules.latest);
    at.ok_or(CommandError::InvalidExpire(command))
}

/// A kind of command without options.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Reading,
    Changing,
}

/// Reads `FIELDS n field …` at a place where nothing else may be.
pub(super) fn fields_at<'a>(
    args: Args<'a>,
    at: usize,
    syntax: FieldSyntax,
    of: Of,
) -> Result<Args<'a>> {
    if syntax == FieldSyntax::AfterOptions {
        if !is(args[at], "fields") {
            return Err(CommandError::Syntax);
        }
        let error = if of == Of::Reading { CommandError::Syntax } else { NUMFIELDS };
        return counted(args, at, 1, error);
    }
    fixed(args, at, NOT_POSITIVE)
}

/// Reads the fields up to the end, whose number must be right.
fn fixed<'a>(args: Args<'a>, at: usize, error: CommandError) -> Result<Args<'a>> {
    if !args.get(at).is_some_and(|word| is(word, "fields")) {
        return Err(MISPLACED);
    }
    let number = args.get(at + 1).copied().ok_or(MISPLACED)?;
    let number = count(number, i64::MAX, error)?;
    let fields = &args[at + 2..];
    if fields.len() == number { Ok(fields) } else { Err(MISMATCH) }
}

/// Reads the fields up to the end as Valkey does.
fn counted<'a>(
    args: Args<'a>,
    at: usize,
    words_each: usize,
    error: CommandError,
) -> Result<Args<'a>> {
    let number = args.get(at + 1).copied().ok_or(error.clone())?;
    let number = integer(number)?;
    let words = &args[at + 2..];
    let expected = usize::try_from(number).ok().and_then(|n| n.checked_mul(words_each));
    if number > 0 && expected == Some(words.len()) { Ok(words) } else { Err(error) }
}

/// Returns where Valkey finds `FIELDS`.
fn place_of_fields(args: Args<'_>, from: usize) -> Result<usize> {
    let end = args.len().saturating_sub(1);
    (from..end).find(|at| is(args[*at], "fields")).ok_or(NUMFIELDS)
}

/// Reads the condition and the fields of `HEXPIRE` and similar commands.
pub(super) fn conditions<'a>(
    args: Args<'a>,
    syntax: FieldSyntax,
) -> Result<(ExpireCondition, Args<'a>)> {
    match syntax {
        FieldSyntax::Fixed => {
            let found = set_condition(args[3]);
            let at = if found.is_some() { 4 } else { 3 };
            Ok((found.unwrap_or_default(), fixed(args, at, NOT_ABOVE_ZERO)?))
        }
        FieldSyntax::Anywhere => conditions_anywhere(args),
        FieldSyntax::AfterOptions => {
            let at = place_of_fields(args, 3)?;
            let condition = condition(&args[3..at])?;
            Ok((condition, counted(args, at, 1, NUMFIELDS)?))
        }
    }
}

fn set_condition(word: &[u8]) -> Option<ExpireCondition> {
    let none = ExpireCondition::default();
    match word.to_ascii_lowercase().as_slice() {
        b"nx" => Some(ExpireCondition { if_none: true, ..none }),
        b"xx" => Some(ExpireCondition { if_some: true, ..none }),
        b"gt" => Some(ExpireCondition { if_later: true, ..none }),
        b"lt" => Some(ExpireCondition { if_sooner: true, ..none }),
        _ => None,
    }
}

fn conditions_anywhere<'a>(args: Args<'a>) -> Result<(ExpireCondition, Args<'a>)> {
    let (mut condition, mut several, mut fields) = (None, false, None);
    let mut at = 3;
    while at < args.len() {
        let word = args[at];
        if let Some(found) = set_condition(word) {
            several |= condition.is_some_and(|known| known != found);
            condition = Some(found);
            at += 1;
        } else if is(word, "fields") {
            if fields.is_some() {
                return Err(TWICE);
            }
            if at + 2 >= args.len() {
                return Err(CommandError::text(
                    "ERR FIELDS requires at least numfields and one field argument",
                ));
            }
            let number = count(args[at + 1], i32::MAX.into(), NOT_ABOVE_ZERO)?;
            let end = at + 2 + number;
            fields = Some(args.get(at + 2..end).ok_or(TOO_FEW)?);
            at = end;
        } else {
            return Err(unknown(word));
        }
    }
    let fields = fields.ok_or(MISSING)?;
    if several {
        return Err(CommandError::text("ERR Multiple condition flags specified"));
    }
    Ok((condition.unwrap_or_default(), fields))
}

/// A deadline that the words of a command ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    Persist,
    KeepTtl,
    /// A time that was read, in milliseconds since the Unix epoch.
    Read(i64),
    /// A time that is still to be read.
    Time(&'a [u8], Unit),
}

/// The words of `HGETEX` or `HSETEX`.
#[derive(Default)]
pub(super) struct Read<'a> {
    pub(super) condition: HsetexCondition,
    pub(super) deadline: Option<Asked<'a>>,
    /// The fields; for `HSETEX`, each with its value.
    pub(super) words: Args<'a>,
}

/// The differences between `HGETEX` and `HSETEX`.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    name: &'static str,
    /// It sets values.
    sets: bool,
    /// Its error for more than one deadline.
    two_deadlines: &'static str,
}

pub(super) const GETEX: Rules = Rules {
    name: "hgetex",
    sets: false,
    two_deadlines: "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified",
};

pub(super) const SETEX: Rules = Rules {
    name: "hsetex",
    sets: true,
    two_deadlines: "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
};

impl Rules {
    fn words_each(self) -> usize {
        if self.sets { 2 } else { 1 }
    }

    fn arity(self) -> CommandError {
        CommandError::Arity(self.name.into())
    }
}

/// Reads the options and fields of `HGETEX` or `HSETEX`.
pub(super) fn options<'a>(args: Args<'a>, of: Rules, now: i64, rules: &Fields) -> Result<Read<'a>> {
    match rules.syntax {
        FieldSyntax::Fixed if !of.sets => getex_fixed(args, of, now, rules),
        FieldSyntax::Fixed | FieldSyntax::Anywhere => options_anywhere(args, of, now, rules),
        FieldSyntax::AfterOptions => options_before(args, of),
    }
}

/// `HGETEX` takes one option before `FIELDS`.
fn getex_fixed<'a>(args: Args<'a>, of: Rules, now: i64, rules: &Fields) -> Result<Read<'a>> {
    let mut read = Read::default();
    let mut at = 2;
    if let Some(unit) = expire_unit(args[2]) {
        read.deadline = Some(Asked::Read(time(args[3], unit, now, rules, of.name)?));
        if args.len() < 6 {
            return Err(of.arity());
        }
        at = 4;
    } else if is(args[2], "persist") {
        read.deadline = Some(Asked::Persist);
        at = 3;
    }
    read.words = fixed(args, at, NOT_POSITIVE)?;
    Ok(read)
}

/// Reads words in any order. Before that was possible, the fields went on to the end.
fn options_anywhere<'a>(args: Args<'a>, of: Rules, now: i64, rules: &Fields) -> Result<Read<'a>> {
    let free = rules.syntax == FieldSyntax::Anywhere;
    let mut read = Read::default();
    let mut fields: Option<Args<'a>> = None;
    let mut foreign = false;
    let mut at = 2;
    while at < args.len() {
        let word = args[at];
        if is(word, "fields") {
            if fields.is_some() {
                return Err(TWICE);
            }
            let (found, end) = fields_from(args, at, of, free)?;
            fields = Some(found);
            at = end;
            continue;
        }
        let flag = is(word, "fnx") || is(word, "fxx");
        let keeps = is(word, "keepttl");
        let persists = is(word, "persist") && (free || !of.sets);
        let unit = expire_unit(word);
        if flag && (free || of.sets) {
            if read.condition.fields_exist.is_some() {
                return Err(CommandError::text(
                    "ERR Only one of FXX or FNX arguments can be specified",
                ));
            }
            read.condition.fields_exist = Some(is(word, "fxx"));
            foreign |= !of.sets;
        } else if keeps || persists || unit.is_some() {
            // Of the two words, at least one is not this command's, which is told at the end.
            let words_alone = |known: Asked<'_>| {
                (keeps && known == Asked::Persist) || (persists && known == Asked::KeepTtl)
            };
            if read.deadline.is_some_and(|known| !(free && words_alone(known))) {
                return Err(CommandError::text(of.two_deadlines));
            }
            read.deadline = Some(match unit {
                Some(unit) => {
                    at += 1;
                    let missing = CommandError::text("ERR missing expire time");
                    let word = args.get(at).copied().ok_or(missing)?;
                    Asked::Read(time(word, unit, now, rules, of.name)?)
                }
                None if keeps => Asked::KeepTtl,
                None => Asked::Persist,
            });
            foreign |= (keeps && !of.sets) || (persists && of.sets);
        } else {
            return Err(unknown(word));
        }
        at += 1;
    }
    read.words = fields.ok_or(MISSING)?;
    if foreign {
        return Err(CommandError::text("ERR unknown argument"));
    }
    Ok(read)
}

/// Reads `FIELDS n …`. Returns the words of the fields, and where they end.
fn fields_from<'a>(args: Args<'a>, at: usize, of: Rules, free: bool) -> Result<(Args<'a>, usize)> {
    let enough = if free { at + 1 } else { at + 1 + of.words_each() };
    if enough >= args.len() {
        return Err(of.arity());
    }
    let number = count(args[at + 1], i32::MAX.into(), INVALID)?;
    let end = at + 2 + number * of.words_each();
    if !free && end != args.len() {
        return Err(of.arity());
    }
    Ok((args.get(at + 2..end).ok_or(TOO_FEW)?, end))
}

/// Reads the options before `FIELDS`, as Valkey does: it also takes the key for that word.
fn options_before<'a>(args: Args<'a>, of: Rules) -> Result<Read<'a>> {
    let fields = place_of_fields(args, 1)?;
    let mut read = Read::default();
    let mut expiry = ExpiryWords::default();
    let own = if of.sets { "keepttl" } else { "persist" };
    let mut words = args[2..fields.max(2)].iter();
    while let Some(word) = words.next() {
        let condition = &mut read.condition;
        if expiry.take(word, own, &mut words)? {
            // It is read.
        } else if of.sets && (is(word, "fnx") || is(word, "fxx")) {
            set_once(&mut condition.fields_exist, is(word, "fxx"))?;
        } else if of.sets && (is(word, "nx") || is(word, "xx")) {
            set_once(&mut condition.key_exists, is(word, "xx"))?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let asked = if of.sets { Asked::KeepTtl } else { Asked::Persist };
    let time = expiry.time.map(|(time, unit)| Asked::Time(time, unit));
    read.deadline = time.or(expiry.own.then_some(asked));
    read.words = counted(args, fields, of.words_each(), NUMFIELDS)?;
    Ok(read)
}

fn set_once(known: &mut Option<bool>, wanted: bool) -> Result<()> {
    if known.is_some_and(|known| known != wanted) {
        return Err(CommandError::Syntax);
    }
    *known = Some(wanted);
    Ok(())
}
