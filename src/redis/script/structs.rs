//! The library `struct`: values as the bytes of C structs.
//!
//! Source: Roberto Ierusalimschy's Lua library struct, as Redis includes it (`lua_struct.c`).

use super::native::{Arguments, bad_argument, failure};
use mlua::{Lua, MultiValue, Table, Value};

/// Greatest size of an integer in bytes.
const MAX_INTEGER: usize = 32;

/// Greatest number in a format, as a C `int` has it.
const MAX_NUMBER: usize = i32::MAX as usize;

/// A format, read from left to right, with its options so far.
struct Format<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    big_endian: bool,
    alignment: usize,
}

/// An element of a format: its letter and its size.
#[derive(Clone, Copy)]
struct Element {
    letter: u8,
    size: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, format: &'a [u8]) -> Format<'a> {
        // A NUL ends the format.
        let rest = format.split(|byte| *byte == 0).next().unwrap_or_default();
        Format { lua, rest, big_endian: false, alignment: 1 }
    }

    /// Takes a number from the format, or returns the default if there is none.
    fn number(&mut self, default: usize) -> mlua::Result<usize> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(digits);
        self.rest = rest;
        if digits.is_empty() {
            return Ok(default);
        }
        let value = digits.iter().try_fold(0_usize, |n, digit| {
            n.checked_mul(10)?.checked_add(usize::from(digit - b'0')).filter(|n| *n <= MAX_NUMBER)
        });
        value.ok_or_else(|| failure(self.lua, "integral size overflow"))
    }

    /// Takes the next element. Options have the size 0.
    fn element(&mut self) -> mlua::Result<Option<Element>> {
        let Some((&letter, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match letter {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'f' => 4,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > MAX_INTEGER {
                    let text =
                        format!("integral size {size} is larger than limit of {MAX_INTEGER}");
                    return Err(failure(self.lua, text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some(Element { letter, size }))
    }

    /// Number of bytes before an element at this position, so that it is aligned.
    fn padding(&self, position: usize, element: Element) -> usize {
        if element.size == 0 || element.letter == b'c' {
            return 0;
        }
        let size = element.size.min(self.alignment);
        size.wrapping_sub(position & size.wrapping_sub(1)) & size.wrapping_sub(1)
    }

    /// Applies an option.
    fn option(&mut self, letter: u8) -> mlua::Result<()> {
        match letter {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let alignment = self.number(8)?;
                if !alignment.is_power_of_two() {
                    let text = format!("alignment {alignment} is not a power of 2");
                    return Err(failure(self.lua, text));
                }
                self.alignment = alignment;
            }
            _ => {
                let problem = format!("invalid format option '{}'", char::from(letter));
                return Err(bad_argument(self.lua, 1, &problem));
            }
        }
        Ok(())
    }

    /// Returns bytes in the format's order, from their little-endian order.
    fn ordered<const N: usize>(&self, mut bytes: [u8; N]) -> [u8; N] {
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }

    fn put_integer(&self, out: &mut Vec<u8>, n: f64, size: usize) {
        let value = if n < 0.0 { (n as i64) as u64 } else { n as u64 };
        let start = out.len();
        out.extend((0..size).map(|at| if at < 8 { (value >> (8 * at)) as u8 } else { 0 }));
        if self.big_endian {
            out[start..].reverse();
        }
    }

    fn integer(&self, bytes: &[u8], signed: bool) -> f64 {
        let add = |n: u64, byte: &u8| (n << 8) | u64::from(*byte);
        let value = if self.big_endian {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        };
        if !signed {
            return value as f64;
        }
        let unused = 64_usize.saturating_sub(bytes.len() * 8) as u32;
        match bytes.len() {
            0 => 0.0,
            _ => ((value << unused) as i64 >> unused) as f64,
        }
    }
}

fn pack(lua: &Lua, values: MultiValue) -> mlua::Result<mlua::String> {
    let mut arguments = Arguments::new(lua, values);
    // The real function has a nil after its arguments, which its errors show.
    arguments.values.push(Value::Nil);
    let text = arguments.string(1)?;
    let mut format = Format::new(lua, &text);
    let mut out = Vec::new();
    // Padding is counted from here, which may differ from the length of the output.
    let mut position = 0_usize;
    let mut next = 2;
    while let Some(element) = format.element()? {
        let padding = format.padding(position, element);
        position += padding;
        out.resize(out.len() + padding, 0);
        let mut size = element.size;
        match element.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                format.put_integer(&mut out, arguments.number(next)?, size);
                next += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                let bytes = (arguments.number(next)? as f32).to_le_bytes();
                out.extend(format.ordered(bytes));
                next += 1;
            }
            b'd' => {
                out.extend(format.ordered(arguments.number(next)?.to_le_bytes()));
                next += 1;
            }
            b'c' | b's' => {
                let bytes = arguments.string(next)?;
                next += 1;
                if size == 0 {
                    size = bytes.len();
                }
                let bytes =
                    bytes.get(..size).ok_or_else(|| bad_argument(lua, next, "string too short"))?;
                out.extend_from_slice(bytes);
                if element.letter == b's' {
                    out.push(0);
                    size += 1;
                }
            }
            letter => format.option(letter)?,
        }
        position += size;
    }
    lua.create_string(out)
}

fn unpack(lua: &Lua, values: MultiValue) -> mlua::Result<MultiValue> {
    let arguments = Arguments::new(lua, values);
    let text = arguments.string(1)?;
    let data = arguments.string(2)?;
    let start = arguments.integer_or(3, 1)?;
    if start == 0 {
        return Err(bad_argument(lua, 3, "offset must be 1 or greater"));
    }
    // A negative offset wraps around, beyond all data.
    let mut position = (start as usize).wrapping_sub(1);
    let mut format = Format::new(lua, &text);
    let mut results: Vec<Value> = Vec::new();
    let too_short = || bad_argument(lua, 2, "data string too short");
    while let Some(element) = format.element()? {
        position = position.saturating_add(format.padding(position, element));
        let end = position.checked_add(element.size).filter(|end| *end <= data.len());
        let mut end = end.ok_or_else(too_short)?;
        let bytes = &data[position..end];
        match element.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let signed = element.letter.is_ascii_lowercase();
                results.push(Value::Number(format.integer(bytes, signed)));
            }
            b'x' => {}
            b'f' => {
                let bytes = bytes.try_into().expect("the element has four bytes");
                let n = f32::from_le_bytes(format.ordered(bytes));
                results.push(Value::Number(f64::from(n)));
            }
            b'd' => {
                let bytes = bytes.try_into().expect("the element has eight bytes");
                results.push(Value::Number(f64::from_le_bytes(format.ordered(bytes))));
            }
            b'c' if element.size == 0 => {
                let size = results.pop().and_then(|size| super::native::number_of(lua, &size));
                let size = size.ok_or_else(|| failure(lua, "format 'c0' needs a previous size"))?;
                let size = if size < 0.0 { usize::MAX } else { size as usize };
                end = position
                    .checked_add(size)
                    .filter(|end| *end <= data.len())
                    .ok_or_else(too_short)?;
                results.push(Value::String(lua.create_string(&data[position..end])?));
            }
            b'c' => results.push(Value::String(lua.create_string(bytes)?)),
            b's' => {
                let rest = &data[position..];
                let len = rest.iter().position(|byte| *byte == 0);
                let len = len.ok_or_else(|| failure(lua, "unfinished string in data"))?;
                results.push(Value::String(lua.create_string(&rest[..len])?));
                end = position + len + 1;
            }
            letter => format.option(letter)?,
        }
        position = end;
    }
    results.push(Value::Number(position as f64 + 1.0));
    Ok(results.into_iter().collect())
}

fn size(lua: &Lua, values: MultiValue) -> mlua::Result<f64> {
    let text = Arguments::new(lua, values).string(1)?;
    let mut format = Format::new(lua, &text);
    let mut position = 0_usize;
    while let Some(element) = format.element()? {
        position += format.padding(position, element);
        match element.letter {
            b's' => return Err(bad_argument(lua, 1, "option 's' has no fixed size")),
            b'c' if element.size == 0 => {
                return Err(bad_argument(lua, 1, "option 'c0' has no fixed size"));
            }
            letter if !letter.is_ascii_alphanumeric() => format.option(letter)?,
            _ => {}
        }
        position += element.size;
    }
    Ok(position as f64)
}

/// Returns the library.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("size", lua.create_function(size)?)?;
    Ok(table)
}
