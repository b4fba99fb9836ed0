//! Lines to frames, and frames to lines.

use super::methods::{Field, Method, Type, properties};
use super::text::{Bytes, Reader, quoted, word};
use std::collections::BTreeMap;

/// Longest frame that is sent.
const FRAME_MAX: usize = 131_072;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const END: u8 = 0xce;

/// The class of all methods with content.
const BASIC: u16 = 60;

type Result<T> = std::result::Result<T, String>;

/// Encodes one line as the bytes that a channel sends.
pub(crate) fn encode(channel: u16, line: &str) -> Result<Vec<u8>> {
    let mut reader = Reader::new(line);
    let name = reader.until(&[' ']);
    match name {
        "heartbeat" => return Ok(frame(HEARTBEAT, channel, &[])),
        "raw" => {
            reader.expect(" ")?;
            return reader.word();
        }
        "frame" => {
            reader.expect(" type=")?;
            let kind = reader.field(Type::Octet)?[0];
            reader.expect(" payload=")?;
            return Ok(frame(kind, channel, &reader.word()?));
        }
        "header" => {
            reader.expect(" class-id=")?;
            let class = reader.field(Type::Short)?;
            reader.expect(" body-size=")?;
            let size = reader.field(Type::LongLong)?;
            let properties = properties_of(&mut reader)?;
            return Ok(frame(HEADER, channel, &[&class[..], &[0, 0], &size, &properties].concat()));
        }
        "body" => {
            reader.expect(" ")?;
            return Ok(frame(BODY, channel, &reader.word()?));
        }
        _ => {}
    }
    let Some(method) = Method::by_name(name) else { return Err(format!("no method {name:?}")) };
    let given = fields(&mut reader, &method.fields)?;
    let mut payload = [method.class.to_be_bytes(), method.number.to_be_bytes()].concat();
    pack(&mut payload, &method.fields, &given);
    let mut bytes = frame(METHOD, channel, &payload);
    let properties = properties_of(&mut reader)?;
    if reader.skip(" | body ") {
        let body = reader.word()?;
        let size = (body.len() as u64).to_be_bytes();
        let class = BASIC.to_be_bytes();
        bytes.extend(frame(HEADER, channel, &[&class[..], &[0, 0], &size, &properties].concat()));
        for part in body.chunks(FRAME_MAX - 8) {
            bytes.extend(frame(BODY, channel, part));
        }
    }
    if reader.is_at_end() { Ok(bytes) } else { Err(format!("{:?} in {line:?}", reader.rest())) }
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a test writes no four gigabytes");
    [&[kind], &channel.to_be_bytes()[..], &length.to_be_bytes(), payload, &[END]].concat()
}

/// Reads the given fields, as bytes; a bit is one byte.
fn fields(reader: &mut Reader<'_>, known: &[Field]) -> Result<BTreeMap<&'static str, Vec<u8>>> {
    let mut given = BTreeMap::new();
    while !reader.rest().starts_with(" |") && reader.skip(" ") {
        let name = reader.until(&['=']);
        reader.expect("=")?;
        let Some((name, kind)) = known.iter().find(|field| field.0 == name) else {
            return Err(format!("no field {name:?}"));
        };
        let bytes = match kind {
            Type::Bit => vec![u8::from(reader.is_true()?)],
            kind => reader.field(*kind)?,
        };
        given.insert(*name, bytes);
    }
    Ok(given)
}

/// Writes all fields in order, with bits packed into bytes.
fn pack(payload: &mut Vec<u8>, fields: &[Field], given: &BTreeMap<&str, Vec<u8>>) {
    let mut bits = 0;
    for (name, kind) in fields {
        let given = given.get(name);
        if *kind == Type::Bit {
            if bits == 0 {
                payload.push(0);
            }
            let byte = payload.last_mut().expect("one was just put there");
            *byte |= given.map_or(0, |bit| bit[0]) << bits;
            bits = (bits + 1) % 8;
            continue;
        }
        bits = 0;
        let zeros = match kind {
            Type::Octet | Type::ShortString | Type::Bit => 1,
            Type::Short => 2,
            Type::Long | Type::LongString | Type::Table => 4,
            Type::LongLong => 8,
        };
        match given {
            Some(bytes) => payload.extend_from_slice(bytes),
            None => payload.resize(payload.len() + zeros, 0),
        }
    }
}

fn properties_of(reader: &mut Reader<'_>) -> Result<Vec<u8>> {
    let known = properties();
    let given = if reader.skip(" | props") { fields(reader, &known)? } else { BTreeMap::new() };
    let (mut flags, mut bytes) = (0_u16, Vec::new());
    for (place, (name, _)) in known.iter().enumerate() {
        if let Some(value) = given.get(name) {
            flags |= 1 << (15 - place);
            bytes.extend_from_slice(value);
        }
    }
    Ok([&flags.to_be_bytes()[..], &bytes].concat())
}

/// A content that has begun.
#[derive(Debug, Default)]
struct Content {
    line: String,
    size: u64,
    body: Vec<u8>,
}

/// Decodes what arrives on one connection to lines with their channels.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    bytes: Vec<u8>,
    contents: BTreeMap<u16, Content>,
}

impl Decoder {
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<(u16, String)>> {
        self.bytes.extend_from_slice(bytes);
        let mut lines = Vec::new();
        loop {
            if self.bytes.starts_with(b"AMQP") && self.bytes.len() >= 8 {
                let header: Vec<u8> = self.bytes.drain(..8).collect();
                lines.push((0, format!("raw {}", quoted(&header))));
                continue;
            }
            let mut rest = Bytes(&self.bytes);
            let Ok([kind]) = rest.array() else { break };
            let (Ok(channel), Ok(length)) = (rest.array(), rest.array()) else { break };
            let (channel, length) = (u16::from_be_bytes(channel), u32::from_be_bytes(length));
            let (Ok(payload), Ok([end])) = (rest.take(length as usize), rest.array()) else {
                break;
            };
            if end != END {
                return Err(format!("a frame ends with {end}"));
            }
            let (payload, left) = (payload.to_vec(), rest.0.len());
            self.bytes.drain(..self.bytes.len() - left);
            if let Some(line) = self.line(kind, channel, &payload)? {
                lines.push((channel, line));
            }
        }
        Ok(lines)
    }

    /// Returns the line that a frame is, or completes.
    fn line(&mut self, kind: u8, channel: u16, payload: &[u8]) -> Result<Option<String>> {
        match kind {
            HEARTBEAT => return Ok(Some("heartbeat".to_owned())),
            METHOD => {
                let (method, line) = method(payload)?;
                if !method.has_content() {
                    return Ok(Some(line));
                }
                self.contents.insert(channel, Content { line, size: u64::MAX, body: Vec::new() });
            }
            HEADER | BODY => {
                let Some(content) = self.contents.get_mut(&channel) else {
                    return Err(format!("a content on channel {channel} out of nothing"));
                };
                let mut bytes = Bytes(payload);
                if kind == BODY {
                    content.body.extend_from_slice(payload);
                } else {
                    bytes.take(4)?;
                    content.size = u64::from_be_bytes(bytes.array()?);
                    content.line.push_str(&properties_in(&mut bytes)?);
                }
            }
            other => return Err(format!("a frame of type {other}")),
        }
        let complete = self.contents.get(&channel).is_some_and(|c| c.body.len() as u64 >= c.size);
        let content = if complete { self.contents.remove(&channel) } else { None };
        Ok(content.map(|content| format!("{} | body {}", content.line, quoted(&content.body))))
    }
}

fn method(payload: &[u8]) -> Result<(Method, String)> {
    let mut bytes = Bytes(payload);
    let (class, number) = (u16::from_be_bytes(bytes.array()?), u16::from_be_bytes(bytes.array()?));
    let Some(method) = Method::by_number(class, number) else {
        return Err(format!("no method {class} {number}"));
    };
    let mut line = method.name.to_owned();
    let (mut bits, mut place) = (0, 8);
    for (name, kind) in &method.fields {
        if *kind == Type::Bit {
            if place == 8 {
                (bits, place) = (bytes.array::<1>()?[0], 0);
            }
            if bits >> place & 1 == 1 {
                line.push_str(&format!(" {name}=true"));
            }
            place += 1;
            continue;
        }
        place = 8;
        let (text, is_zero) = bytes.field(*kind)?;
        if !is_zero {
            line.push_str(&format!(" {name}={text}"));
        }
    }
    if bytes.0.is_empty() { Ok((method, line)) } else { Err(format!("{} too long", method.name)) }
}

fn properties_in(bytes: &mut Bytes<'_>) -> Result<String> {
    let flags = u16::from_be_bytes(bytes.array()?);
    let mut line = if flags == 0 { String::new() } else { " | props".to_owned() };
    for (place, (name, kind)) in properties().into_iter().enumerate() {
        if flags >> (15 - place) & 1 == 1 {
            let (text, _) = bytes.field(kind)?;
            let text = if text.is_empty() { word(b"") } else { text };
            line.push_str(&format!(" {name}={text}"));
        }
    }
    Ok(line)
}
