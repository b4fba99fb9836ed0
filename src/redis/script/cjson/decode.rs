//! `cjson.decode`: JSON as a Lua value.
//!
//! The real library reads C strings, in which a NUL ends the text.

use super::{IS_ARRAY, Settings};
use crate::redis::script::native::failure;
use crate::redis::value::number;
use mlua::{Lua, Table, Value};

/// A token, as the errors call it.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Bad(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::Text(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Bad(problem) => problem,
        }
    }
}

/// The text, and how far it has been read.
struct Reader<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    text: &'a [u8],
    at: usize,
    /// Where the last token began, or where it went wrong.
    index: usize,
}

/// Returns the value of a JSON text.
pub(super) fn decode(lua: &Lua, settings: &Settings, text: &[u8]) -> mlua::Result<Value> {
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(failure(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut reader = Reader { lua, settings, text, at: 0, index: 0 };
    let token = reader.token();
    let value = reader.value(token)?;
    let token = reader.token();
    if token != Token::End {
        return Err(reader.unexpected("the end", &token));
    }
    Ok(value)
}

impl Reader<'_> {
    /// Returns a byte ahead. The text ends with a NUL.
    fn ahead(&self, by: usize) -> u8 {
        self.text.get(self.at + by).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn unexpected(&self, expected: &str, found: &Token) -> mlua::Error {
        let (found, at) = (found.name(), self.index + 1);
        failure(self.lua, format!("Expected {expected} but found {found} at character {at}"))
    }

    fn bad(&mut self, problem: &'static str) -> Token {
        self.index = self.at;
        Token::Bad(problem)
    }

    fn token(&mut self) -> Token {
        while matches!(self.ahead(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.index = self.at;
        let single = match self.ahead(0) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return Token::End,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.settings.decode_invalid && self.is_invalid_number() {
                    return self.bad("invalid number");
                }
                return self.number();
            }
            b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+' => return self.word(),
            _ => return self.bad("invalid token"),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token {
        let words = [
            ("true", Token::Boolean(true)),
            ("false", Token::Boolean(false)),
            ("null", Token::Null),
        ];
        for (word, token) in words {
            if self.rest().starts_with(word.as_bytes()) {
                self.at += word.len();
                return token;
            }
        }
        if self.settings.decode_invalid && self.is_invalid_number() {
            return self.number();
        }
        self.bad("invalid token")
    }

    /// Returns whether a number follows that C reads and JSON does not allow.
    fn is_invalid_number(&self) -> bool {
        let sign = usize::from(self.ahead(0) == b'-');
        let word = |word: &[u8]| {
            let found = self.rest().get(sign..sign + word.len());
            found.is_some_and(|found| found.eq_ignore_ascii_case(word))
        };
        match self.ahead(sign) {
            b'+' if sign == 0 => true,
            b'0' => matches!(self.ahead(sign + 1), b'x' | b'X' | b'0'..=b'9'),
            first if first <= b'9' => false,
            _ => word(b"inf") || word(b"nan"),
        }
    }

    fn number(&mut self) -> Token {
        let len = length_of_number(self.rest());
        let text = &self.rest()[..len];
        let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
        let value = match unsigned.first() {
            None => return self.bad("invalid number"),
            Some(b'n' | b'N') => f64::NAN,
            Some(b'i' | b'I') => f64::INFINITY,
            Some(_) => {
                match std::str::from_utf8(unsigned).ok().and_then(|text| text.parse().ok()) {
                    Some(value) => value,
                    None => number::parse_double(unsigned).unwrap_or(f64::INFINITY),
                }
            }
        };
        let negative = text.first() == Some(&b'-');
        self.at += len;
        Token::Number(if negative { -value } else { value })
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.ahead(0) {
                b'"' => {
                    self.at += 1;
                    return Token::Text(bytes);
                }
                0 => return self.bad("unexpected end of string"),
                b'\\' => {
                    let escaped = match self.ahead(1) {
                        letter @ (b'"' | b'\\' | b'/') => letter,
                        b'b' => 0x08,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 0x0c,
                        b'r' => b'\r',
                        b'u' => match self.unicode() {
                            Some(letter) => {
                                let mut utf8 = [0; 4];
                                bytes.extend(letter.encode_utf8(&mut utf8).bytes());
                                continue;
                            }
                            None => return self.bad("invalid unicode escape code"),
                        },
                        _ => return self.bad("invalid escape code"),
                    };
                    bytes.push(escaped);
                    self.at += 2;
                }
                byte => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// Returns the four hexadecimal digits after `\u`.
    fn code_unit(&self, at: usize) -> Option<u32> {
        (2..6).try_fold(0, |code, digit| {
            Some(code * 16 + char::from(self.ahead(at + digit)).to_digit(16)?)
        })
    }

    /// Takes an escape `\uXXXX`, or two that are a surrogate pair.
    fn unicode(&mut self) -> Option<char> {
        let first = self.code_unit(0)?;
        if first & 0xF800 != 0xD800 {
            let letter = char::from_u32(first)?;
            self.at += 6;
            return Some(letter);
        }
        if first & 0x400 != 0 || self.ahead(6) != b'\\' || self.ahead(7) != b'u' {
            return None;
        }
        let second = self.code_unit(6)?;
        if second & 0xFC00 != 0xDC00 {
            return None;
        }
        let letter = char::from_u32(((first & 0x3FF) << 10 | (second & 0x3FF)) + 0x10000)?;
        self.at += 12;
        Some(letter)
    }

    /// Begins an array or an object.
    fn open(&mut self, depth: usize) -> mlua::Result<Table> {
        if depth as i64 > i64::from(self.settings.decode_depth) {
            let at = self.at;
            let text = format!("Found too many nested data structures ({depth}) at character {at}");
            return Err(failure(self.lua, text));
        }
        self.lua.create_table()
    }

    /// Reads a key of an object, with its colon.
    fn key(&mut self, token: Token) -> mlua::Result<mlua::String> {
        let Token::Text(key) = token else {
            return Err(self.unexpected("object key string", &token));
        };
        let colon = self.token();
        if colon != Token::Colon {
            return Err(self.unexpected("colon", &colon));
        }
        self.lua.create_string(key)
    }

    /// Reads a value. Open arrays and objects are kept in a list, since the depth of the stack
    /// should not depend on a text.
    fn value(&mut self, first: Token) -> mlua::Result<Value> {
        let mut opened: Vec<Open> = Vec::new();
        let mut token = first;
        loop {
            let mut value = match token {
                Token::Text(bytes) => Value::String(self.lua.create_string(bytes)?),
                Token::Number(n) => Value::Number(n),
                Token::Boolean(yes) => Value::Boolean(yes),
                Token::Null => Value::NULL,
                Token::ObjectBegin => {
                    let table = self.open(opened.len() + 1)?;
                    match self.token() {
                        Token::ObjectEnd => Value::Table(table),
                        next => {
                            let key = self.key(next)?;
                            opened.push(Open { table, place: Place::Key(key) });
                            token = self.token();
                            continue;
                        }
                    }
                }
                Token::ArrayBegin => {
                    let table = self.open(opened.len() + 1)?;
                    if self.settings.marks_arrays {
                        let metatable = self.lua.create_table()?;
                        metatable.raw_set(IS_ARRAY, true)?;
                        table.set_metatable(Some(metatable))?;
                    }
                    match self.token() {
                        Token::ArrayEnd => Value::Table(table),
                        next => {
                            opened.push(Open { table, place: Place::Index(1) });
                            token = next;
                            continue;
                        }
                    }
                }
                other => return Err(self.unexpected("value", &other)),
            };
            // The value may end the arrays and objects that it is in.
            loop {
                let Some(innermost) = opened.last_mut() else { return Ok(value) };
                let (end, expected) = innermost.put(value)?;
                let next = self.token();
                if next == end {
                    let ended = opened.pop().expect("there is an innermost one");
                    value = Value::Table(ended.table);
                    continue;
                }
                if next != Token::Comma {
                    return Err(self.unexpected(expected, &next));
                }
                token = self.token();
                break;
            }
            if let Some(Open { place: Place::Key(_), .. }) = opened.last() {
                let key = self.key(token)?;
                if let Some(innermost) = opened.last_mut() {
                    innermost.place = Place::Key(key);
                }
                token = self.token();
            }
        }
    }
}

/// An array or object that is being read.
struct Open {
    table: Table,
    place: Place,
}

/// Where the next value goes.
enum Place {
    Index(i64),
    Key(mlua::String),
}

impl Open {
    /// Adds a value. Returns the token that would end this, and what is expected next.
    fn put(&mut self, value: Value) -> mlua::Result<(Token, &'static str)> {
        match &mut self.place {
            Place::Index(index) => {
                self.table.raw_set(*index, value)?;
                *index += 1;
                Ok((Token::ArrayEnd, "comma or array end"))
            }
            Place::Key(key) => {
                self.table.raw_set(&*key, value)?;
                Ok((Token::ObjectEnd, "comma or object end"))
            }
        }
    }
}

/// Length of the number that C's `strtod` reads from the beginning of a text, or 0.
fn length_of_number(text: &[u8]) -> usize {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let rest = &text[sign..];
    let word =
        |word: &[u8]| rest.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word));
    for name in [&b"infinity"[..], b"inf", b"nan"] {
        if word(name) {
            return sign + name.len();
        }
    }
    if word(b"0x") {
        let len = length_of_digits(&rest[2..], u8::is_ascii_hexdigit, b'p');
        if len > 0 {
            return sign + 2 + len;
        }
    }
    match length_of_digits(rest, u8::is_ascii_digit, b'e') {
        0 => 0,
        len => sign + len,
    }
}

/// Length of digits with at most one point, and of an exponent if it has digits.
fn length_of_digits(text: &[u8], is_digit: fn(&u8) -> bool, exponent: u8) -> usize {
    let digits = |from: usize| {
        text.get(from..).unwrap_or_default().iter().take_while(|byte| is_digit(byte)).count()
    };
    let whole = digits(0);
    let mut len = whole;
    if text.get(whole) == Some(&b'.') {
        let fraction = digits(whole + 1);
        if whole + fraction > 0 {
            len += 1 + fraction;
        }
    }
    if len > 0 && text.get(len).is_some_and(|byte| byte.to_ascii_lowercase() == exponent) {
        let sign = usize::from(matches!(text.get(len + 1), Some(b'-' | b'+')));
        let rest = text.get(len + 1 + sign..).unwrap_or_default();
        match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
            0 => {}
            count => len += 1 + sign + count,
        }
    }
    len
}
