//! Words, numbers and tables between text and bytes.

use super::methods::Type;
use std::fmt::Write as _;

/// Reads a line from left to right.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    line: &'a str,
    at: usize,
}

type Result<T> = std::result::Result<T, String>;

fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.*#/@+-".contains(c)
}

impl<'a> Reader<'a> {
    pub(super) fn new(line: &'a str) -> Reader<'a> {
        Reader { line, at: 0 }
    }

    fn fail<T>(&self, what: &str) -> Result<T> {
        Err(format!("{what} expected at {:?} in {:?}", self.rest(), self.line))
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// Skips this text if it comes next. Returns whether it did.
    pub(super) fn skip(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    pub(super) fn expect(&mut self, text: &str) -> Result<()> {
        if self.skip(text) { Ok(()) } else { self.fail(text) }
    }

    /// Takes everything before the next of these characters, or before the end.
    pub(super) fn until(&mut self, ends: &[char]) -> &'a str {
        let rest = self.rest();
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn next(&mut self) -> Result<char> {
        let Some(c) = self.rest().chars().next() else { return self.fail("more") };
        self.at += c.len_utf8();
        Ok(c)
    }

    /// A word, bare or in quotation marks.
    pub(super) fn word(&mut self) -> Result<Vec<u8>> {
        if !self.skip("\"") {
            let rest = self.rest();
            let bare = &rest[..rest.find(|c| !is_bare(c)).unwrap_or(rest.len())];
            self.at += bare.len();
            return Ok(bare.as_bytes().to_vec());
        }
        let mut bytes = Vec::new();
        loop {
            match self.next()? {
                '"' => break,
                '\\' => match self.next()? {
                    'n' => bytes.push(b'\n'),
                    'r' => bytes.push(b'\r'),
                    't' => bytes.push(b'\t'),
                    'x' => {
                        let digits = [self.next()?, self.next()?].iter().collect::<String>();
                        match u8::from_str_radix(&digits, 16) {
                            Ok(byte) => bytes.push(byte),
                            Err(_) => return self.fail("two hexadecimal digits"),
                        }
                    }
                    c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                },
                c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if self.skip("*") {
            let times: usize = self.number()?;
            bytes = bytes.repeat(times);
        }
        Ok(bytes)
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T> {
        let word = self.word()?;
        match std::str::from_utf8(&word).ok().and_then(|word| word.parse().ok()) {
            Some(number) => Ok(number),
            None => self.fail("a number"),
        }
    }

    pub(super) fn is_true(&mut self) -> Result<bool> {
        Ok(self.word()? == b"true")
    }

    /// Encodes a field of this type. Bits are packed elsewhere.
    pub(super) fn field(&mut self, kind: Type) -> Result<Vec<u8>> {
        Ok(match kind {
            Type::Bit => return self.fail("no bit"),
            Type::Octet => vec![self.number()?],
            Type::Short => self.number::<u16>()?.to_be_bytes().to_vec(),
            Type::Long => self.number::<u32>()?.to_be_bytes().to_vec(),
            Type::LongLong => self.number::<u64>()?.to_be_bytes().to_vec(),
            Type::ShortString => {
                let word = self.word()?;
                let Ok(length) = u8::try_from(word.len()) else { return self.fail("255 bytes") };
                [&[length], &word[..]].concat()
            }
            Type::LongString => with_length(&self.word()?),
            Type::Table => self.table()?,
        })
    }

    fn table(&mut self) -> Result<Vec<u8>> {
        self.expect("{")?;
        let mut bytes = Vec::new();
        while !self.skip("}") {
            bytes.extend(self.field(Type::ShortString)?);
            self.expect(":")?;
            self.value(&mut bytes)?;
            self.skip(",");
        }
        Ok(with_length(&bytes))
    }

    /// Encodes a value with the letter of its type.
    fn value(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let letter = self.next()?;
        bytes.push(u8::try_from(letter).unwrap_or_default());
        if letter == 'V' {
            return Ok(());
        }
        self.expect("=")?;
        match letter {
            't' => bytes.push(u8::from(self.is_true()?)),
            'b' => bytes.extend(self.number::<i8>()?.to_be_bytes()),
            'B' => bytes.push(self.number()?),
            's' => bytes.extend(self.number::<i16>()?.to_be_bytes()),
            'u' => bytes.extend(self.number::<u16>()?.to_be_bytes()),
            'I' => bytes.extend(self.number::<i32>()?.to_be_bytes()),
            'i' => bytes.extend(self.number::<u32>()?.to_be_bytes()),
            'l' | 'L' => bytes.extend(self.number::<i64>()?.to_be_bytes()),
            'T' => bytes.extend(self.number::<u64>()?.to_be_bytes()),
            'f' => bytes.extend(self.number::<f32>()?.to_be_bytes()),
            'd' => bytes.extend(self.number::<f64>()?.to_be_bytes()),
            'D' => {
                let word = String::from_utf8_lossy(&self.word()?).into_owned();
                let parts = word.split_once('/');
                let parts = parts.and_then(|(a, b)| Some((a.parse::<u8>().ok()?, b.parse().ok()?)));
                let Some((scale, value)) = parts else { return self.fail("a decimal") };
                bytes.push(scale);
                bytes.extend(u32::to_be_bytes(value));
            }
            'S' | 'x' => bytes.extend(with_length(&self.word()?)),
            'F' => bytes.extend(self.table()?),
            'A' => {
                self.expect("[")?;
                let mut items = Vec::new();
                while !self.skip("]") {
                    self.value(&mut items)?;
                    self.skip(",");
                }
                bytes.extend(with_length(&items));
            }
            _ => return self.fail("the letter of a type"),
        }
        Ok(())
    }
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a test writes no four gigabytes");
    [&length.to_be_bytes(), bytes].concat()
}

/// Writes a word, without quotation marks if possible.
pub(super) fn word(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes);
    match text {
        Ok(text) if !text.is_empty() && text.chars().all(is_bare) => text.to_owned(),
        _ => quoted(bytes),
    }
}

/// Writes a word in quotation marks.
pub(super) fn quoted(bytes: &[u8]) -> String {
    if let [first, ..] = bytes
        && bytes.len() > 64
        && bytes.iter().all(|byte| byte == first)
    {
        return format!("{}*{}", quoted(&bytes[..1]), bytes.len());
    }
    let mut text = String::from("\"");
    let escape = |text: &mut String, c: char| match c {
        '"' | '\\' => text.extend(['\\', c]),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        c if c.is_ascii_control() => write!(text, "\\x{:02x}", u32::from(c)).expect("it is text"),
        c => text.push(c),
    };
    match std::str::from_utf8(bytes) {
        Ok(word) => word.chars().for_each(|c| escape(&mut text, c)),
        Err(_) => bytes.iter().for_each(|byte| match byte {
            0..127 => escape(&mut text, char::from(*byte)),
            _ => write!(text, "\\x{byte:02x}").expect("it is text"),
        }),
    }
    text.push('"');
    text
}

/// Takes bytes from the front.
#[derive(Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let split = self.0.split_at_checked(length);
        let (front, rest) = split.ok_or_else(|| format!("{length} bytes of {:?}", self.0))?;
        self.0 = rest;
        Ok(front)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("take returns N bytes"))
    }

    fn long(&mut self) -> Result<&'a [u8]> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(length as usize)
    }

    /// Returns a field as text, and whether it is zero or empty.
    pub(super) fn field(&mut self, kind: Type) -> Result<(String, bool)> {
        let number = match kind {
            Type::Bit => return Err("a bit cannot be read alone".to_owned()),
            Type::Octet => self.array::<1>()?[0].into(),
            Type::Short => u16::from_be_bytes(self.array()?).into(),
            Type::Long => u32::from_be_bytes(self.array()?).into(),
            Type::LongLong => u64::from_be_bytes(self.array()?),
            Type::ShortString => {
                let length = self.array::<1>()?[0];
                let bytes = self.take(length.into())?;
                return Ok((word(bytes), bytes.is_empty()));
            }
            Type::LongString => {
                let bytes = self.long()?;
                return Ok((word(bytes), bytes.is_empty()));
            }
            Type::Table => {
                let bytes = self.long()?;
                return Ok((table(bytes)?, bytes.is_empty()));
            }
        };
        Ok((number.to_string(), number == 0))
    }

    fn value(&mut self) -> Result<String> {
        let letter = char::from(self.array::<1>()?[0]);
        let text = match letter {
            'V' => return Ok("V".to_owned()),
            't' => (self.array::<1>()?[0] != 0).to_string(),
            'b' => i8::from_be_bytes(self.array()?).to_string(),
            'B' => self.array::<1>()?[0].to_string(),
            's' => i16::from_be_bytes(self.array()?).to_string(),
            'u' => u16::from_be_bytes(self.array()?).to_string(),
            'I' => i32::from_be_bytes(self.array()?).to_string(),
            'i' => u32::from_be_bytes(self.array()?).to_string(),
            'l' | 'L' => i64::from_be_bytes(self.array()?).to_string(),
            'T' => u64::from_be_bytes(self.array()?).to_string(),
            'f' => format!("{:?}", f32::from_be_bytes(self.array()?)),
            'd' => format!("{:?}", f64::from_be_bytes(self.array()?)),
            'D' => format!("{}/{}", self.array::<1>()?[0], u32::from_be_bytes(self.array()?)),
            'S' | 'x' => word(self.long()?),
            'F' => table(self.long()?)?,
            'A' => {
                let mut items = Bytes(self.long()?);
                let mut texts = Vec::new();
                while !items.0.is_empty() {
                    texts.push(items.value()?);
                }
                format!("[{}]", texts.join(","))
            }
            other => return Err(format!("unknown type of field: {other:?}")),
        };
        Ok(format!("{letter}={text}"))
    }
}

fn table(bytes: &[u8]) -> Result<String> {
    let mut bytes = Bytes(bytes);
    let mut texts = Vec::new();
    while !bytes.0.is_empty() {
        let (name, _) = bytes.field(Type::ShortString)?;
        texts.push(format!("{name}:{}", bytes.value()?));
    }
    Ok(format!("{{{}}}", texts.join(",")))
}
