//! The commands on bits of strings.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, range};
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{integer, is};
use crate::redis::database::Database;
use crate::redis::database::{BitRange, BitUnit, FieldAction, FieldOperation, FieldType, Overflow};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::bitmap::Operator;
use crate::redis::value::number;
use crate::redis::version::Arguments;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const BITMAP: &'static [Command<S>] = &[
        database("bitcount", -2, READONLY, &["bitmap"], &[key(RO | ACCESS, 1)], "Count set bits in a string", bitcount),
        database("bitfield", -2, WRITE | DENYOOM, &["bitmap"], &[key(RW | ACCESS | UPDATE | VARIABLE, 1).noted("This command allows both access and modification of the key")], "Perform arbitrary bitfield integer operations on strings", bitfield),
        database("bitfield_ro", -2, READONLY | FAST, &["bitmap"], &[key(RO | ACCESS, 1)], "Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD", bitfield_ro),
        database("bitop", -4, WRITE | DENYOOM, &["bitmap"], &[key(OW | UPDATE, 2), range(RO | ACCESS, 3, -1, 1)], "Perform bitwise operations between strings", bitop),
        database("bitpos", -3, READONLY, &["bitmap"], &[key(RO | ACCESS, 1)], "Find first bit set or clear in a string", bitpos),
        database("getbit", 3, READONLY | FAST, &["bitmap"], &[key(RO | ACCESS, 1)], "Returns the bit value at offset in the string value stored at key", getbit),
        database("setbit", 4, WRITE | DENYOOM, &["bitmap"], &[key(RW | ACCESS | UPDATE, 1)], "Sets or clears the bit at offset in the string value stored at key", setbit),
    ];
}

fn bit_offset(arg: &[u8]) -> Result<u64, CommandError> {
    let offset = number::parse_i64(arg).and_then(|offset| u64::try_from(offset).ok());
    offset.ok_or(CommandError::BitOffset)
}

fn getbit(db: &mut Database, args: Args<'_>) -> Answer {
    let offset = bit_offset(args[2])?;
    Ok(Reply::flag(db.get_bit(args[1], offset)?))
}

fn setbit(db: &mut Database, args: Args<'_>) -> Answer {
    let offset = bit_offset(args[2])?;
    if offset / 8 >= db.limits.string {
        return Err(CommandError::BitOffset);
    }
    let bit = match args[3] {
        b"0" => false,
        b"1" => true,
        _ => return Err(CommandError::BitValue),
    };
    Ok(Reply::flag(db.set_bit(args[1], offset, bit)?))
}

fn unit(word: &[u8]) -> Result<BitUnit, CommandError> {
    if is(word, "bit") {
        Ok(BitUnit::Bit)
    } else if is(word, "byte") {
        Ok(BitUnit::Byte)
    } else {
        Err(CommandError::Syntax)
    }
}

/// `key [start end [BYTE | BIT]]`. The range is only checked if there is a string.
fn bitcount(db: &mut Database, args: Args<'_>) -> Answer {
    let rules = &db.profile.arguments;
    let count = match count_range(&args[2..], rules) {
        Err(error) if rules.bit_ranges_first => return Err(error),
        Ok(range) => db.bitcount(args[1], range)?,
        Err(_) if db.get(args[1])?.is_none() => 0,
        Err(error) => return Err(error),
    };
    Ok(Reply::Integer(count as i64))
}

/// The unit is only checked if the range is not empty.
fn count_range(args: Args<'_>, rules: &Arguments) -> Result<BitRange, CommandError> {
    let (start, end, rest) = match args {
        [] => return Ok(BitRange::default()),
        [start] if rules.bitcount_takes_start => {
            return Ok(BitRange { start: integer(start)?, ..BitRange::default() });
        }
        [start, end, rest @ ..] if rest.len() < 2 => {
            let start = integer(start)?;
            // Where the end may be missing, it is read last.
            if rules.bitcount_takes_start {
                rest.first().map(|word| unit(word)).transpose()?;
            }
            (start, integer(end)?, rest)
        }
        _ => return Err(CommandError::Syntax),
    };
    let range = BitRange { start, end: Some(end), unit: BitUnit::Byte };
    if start < 0 && end < 0 && start > end && !rules.bit_ranges_first {
        return Ok(range);
    }
    let unit = rest.first().map_or(Ok(BitUnit::Byte), |word| unit(word))?;
    Ok(BitRange { unit, ..range })
}

/// `key bit [start [end [BYTE | BIT]]]`. The range is only checked if there is a string.
fn bitpos(db: &mut Database, args: Args<'_>) -> Answer {
    let bit = match integer(args[2])? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::text("ERR The bit argument must be 1 or 0.")),
    };
    let found = match search_range(&args[3..]) {
        Err(error) if db.profile.arguments.bit_ranges_first => return Err(error),
        Ok(range) => db.bitpos(args[1], bit, range)?,
        Err(_) if db.get(args[1])?.is_none() => (!bit).then_some(0),
        Err(error) => return Err(error),
    };
    Ok(found.map_or(Reply::Integer(-1), |at| Reply::Integer(at as i64)))
}

/// The unit is checked before the end.
fn search_range(args: Args<'_>) -> Result<BitRange, CommandError> {
    let mut range = BitRange::default();
    if args.len() > 3 {
        return Err(CommandError::Syntax);
    }
    if let Some(start) = args.first() {
        range.start = integer(start)?;
    }
    if let Some(word) = args.get(2) {
        range.unit = unit(word)?;
    }
    if let Some(end) = args.get(1) {
        range.end = Some(integer(end)?);
    }
    Ok(range)
}

/// The operators of `BITOP`, the later ones last, with their least number of sources.
const OPERATORS: [(&str, Operator, usize); 7] = [
    ("and", Operator::And, 1),
    ("or", Operator::Or, 1),
    ("xor", Operator::Xor, 1),
    ("diff", Operator::Diff, 2),
    ("diff1", Operator::Diff1, 2),
    ("andor", Operator::AndOr, 2),
    ("one", Operator::One, 1),
];

/// `AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE destination source …`.
fn bitop(db: &mut Database, args: Args<'_>) -> Answer {
    let known = if db.profile.arguments.bitop_takes_differences { OPERATORS.len() } else { 3 };
    let operator = OPERATORS[..known].iter().find(|(name, ..)| is(args[1], name));
    let (destination, sources) = (args[2], &args[3..]);
    let len = match (operator, sources) {
        (Some((name, _, least)), _) if sources.len() < *least => {
            let name = name.to_uppercase();
            return Err(CommandError::format(format!(
                "ERR BITOP {name} must be called with at least two source keys."
            )));
        }
        (Some((_, operator, _)), _) => db.bitop(*operator, destination, sources)?,
        (None, [source]) if is(args[1], "not") => db.bitop_not(destination, source)?,
        (None, _) if is(args[1], "not") => {
            return Err(CommandError::text(
                "ERR BITOP NOT must be called with a single source key.",
            ));
        }
        (None, _) => return Err(CommandError::Syntax),
    };
    Ok(Reply::count(len))
}

fn bitfield(db: &mut Database, args: Args<'_>) -> Answer {
    let operations = field_operations(db, args)?;
    do_bitfield(db, args[1], &operations)
}

fn bitfield_ro(db: &mut Database, args: Args<'_>) -> Answer {
    let operations = field_operations(db, args)?;
    if operations.iter().any(|operation| operation.action != FieldAction::Get) {
        return Err(CommandError::text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    do_bitfield(db, args[1], &operations)
}

fn do_bitfield(db: &mut Database, key: &[u8], operations: &[FieldOperation]) -> Answer {
    let answers = db.bitfield(key, operations)?;
    let reply = |answer: Option<i64>| answer.map_or(Reply::Nil, Reply::Integer);
    Ok(Reply::Array(answers.into_iter().map(reply).collect()))
}

/// `key [GET type offset | SET type offset value | INCRBY type offset by |
/// OVERFLOW WRAP | SAT | FAIL] …`.
fn field_operations(
    db: &mut Database,
    args: Args<'_>,
) -> Result<Vec<FieldOperation>, CommandError> {
    let most = db.limits.string;
    let mut operations = Vec::new();
    let mut overflow = Overflow::default();
    let mut rest = &args[2..];
    while let [word, following @ ..] = rest {
        rest = match following {
            [kind, following @ ..] if is(word, "overflow") => {
                overflow = overflow_of(kind)?;
                following
            }
            [kind, offset, following @ ..] if is(word, "get") => {
                operations.push(field_at(kind, offset, most, FieldAction::Get)?);
                following
            }
            [kind, offset, value, following @ ..] if is(word, "set") || is(word, "incrby") => {
                let mut operation = field_at(kind, offset, most, FieldAction::Get)?;
                let value = integer(value)?;
                operation.action = if is(word, "set") {
                    FieldAction::Set(value, overflow)
                } else {
                    FieldAction::IncrBy(value, overflow)
                };
                operations.push(operation);
                following
            }
            _ => return Err(CommandError::Syntax),
        };
    }
    Ok(operations)
}

fn overflow_of(word: &[u8]) -> Result<Overflow, CommandError> {
    let kinds = [("wrap", Overflow::Wrap), ("sat", Overflow::Saturate), ("fail", Overflow::Fail)];
    let kind = kinds.into_iter().find(|(name, _)| is(word, name));
    kind.map(|(_, kind)| kind).ok_or(CommandError::text("ERR Invalid OVERFLOW type specified"))
}

/// Reads a type such as `u8`, and an offset in bits or, after a `#`, in multiples of the type's
/// width.
fn field_at(
    kind: &[u8],
    offset: &[u8],
    most: u64,
    action: FieldAction,
) -> Result<FieldOperation, CommandError> {
    let bits = |digits: &[u8]| number::parse_i64(digits).and_then(|bits| u32::try_from(bits).ok());
    let field = match kind {
        [b'i', digits @ ..] => bits(digits).and_then(|bits| FieldType::new(true, bits)),
        [b'u', digits @ ..] => bits(digits).and_then(|bits| FieldType::new(false, bits)),
        _ => None,
    };
    let field = field.ok_or(CommandError::text(INVALID_TYPE))?;
    let offset = match offset {
        // The product wraps around, as in Redis.
        [b'#', digits @ ..] => bit_offset(digits)?.wrapping_mul(field.bits().into()),
        _ => bit_offset(offset)?,
    };
    if offset / 8 >= most {
        return Err(CommandError::BitOffset);
    }
    Ok(FieldOperation { field, offset, action })
}

const INVALID_TYPE: &str = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 \
                            is not supported but i64 is.";
