//! The bytes of a client, and those of a server in a readable form.

/// The protocol header of AMQP 0-9-1.
pub(crate) const HEADER: &[u8] = b"AMQP\0\0\x09\x01";

pub(crate) fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub(crate) fn short(octets: impl AsRef<[u8]>) -> Vec<u8> {
    let octets = octets.as_ref();
    cat(&[&[u8::try_from(octets.len()).unwrap()], octets])
}

pub(crate) fn long(octets: impl AsRef<[u8]>) -> Vec<u8> {
    let octets = octets.as_ref();
    cat(&[&u32::try_from(octets.len()).unwrap().to_be_bytes(), octets])
}

pub(crate) fn frame_with_end(kind: u8, channel: u16, payload: &[u8], end: u8) -> Vec<u8> {
    cat(&[&[kind], &channel.to_be_bytes(), &long(payload), &[end]])
}

pub(crate) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    frame_with_end(kind, channel, payload, 0xCE)
}

/// The beginning of a frame with this length.
pub(crate) fn announced(kind: u8, channel: u16, length: u32) -> Vec<u8> {
    cat(&[&[kind], &channel.to_be_bytes(), &length.to_be_bytes()])
}

pub(crate) fn method(channel: u16, class: u16, method: u16, arguments: &[u8]) -> Vec<u8> {
    frame(1, channel, &cat(&[&class.to_be_bytes(), &method.to_be_bytes(), arguments]))
}

/// A content header with these properties.
pub(crate) fn header_with(channel: u16, size: u64, properties: &[u8]) -> Vec<u8> {
    frame(2, channel, &cat(&[&[0, 60, 0, 0], &size.to_be_bytes(), properties]))
}

pub(crate) fn header(channel: u16, size: u64) -> Vec<u8> {
    header_with(channel, size, &[0, 0])
}

pub(crate) fn body(channel: u16, octets: &[u8]) -> Vec<u8> {
    frame(3, channel, octets)
}

pub(crate) fn start_ok_with(properties: &[u8], mechanism: &str, response: &[u8]) -> Vec<u8> {
    let arguments = [&long(properties)[..], &short(mechanism), &long(response), &short("en_US")];
    method(0, 10, 11, &arguments.concat())
}

pub(crate) fn start_ok() -> Vec<u8> {
    start_ok_with(b"", "PLAIN", b"\0guest\0guest")
}

/// The property of a client that wants to know why its login fails.
pub(crate) fn authentication_failure_close() -> Vec<u8> {
    let capability = cat(&[&short("authentication_failure_close"), b"t\x01"]);
    cat(&[&short("capabilities"), b"F", &long(capability)])
}

pub(crate) fn tune_ok_with(channel_max: u16, frame_max: u32, heartbeat: u16) -> Vec<u8> {
    let arguments =
        [&channel_max.to_be_bytes()[..], &frame_max.to_be_bytes(), &heartbeat.to_be_bytes()];
    method(0, 10, 31, &arguments.concat())
}

pub(crate) fn tune_ok() -> Vec<u8> {
    tune_ok_with(2_047, 131_072, 0)
}

pub(crate) fn open_with(virtual_host: &str) -> Vec<u8> {
    method(0, 10, 40, &cat(&[&short(virtual_host), &short(""), &[0]]))
}

pub(crate) fn open() -> Vec<u8> {
    open_with("/")
}

/// The arguments of a normal close by a client.
fn done() -> Vec<u8> {
    cat(&[&200_u16.to_be_bytes(), &short("bye"), &[0; 4]])
}

pub(crate) fn close() -> Vec<u8> {
    method(0, 10, 50, &done())
}

pub(crate) fn close_ok() -> Vec<u8> {
    method(0, 10, 51, b"")
}

pub(crate) fn channel_open(channel: u16) -> Vec<u8> {
    method(channel, 20, 10, &short(""))
}

pub(crate) fn channel_close(channel: u16) -> Vec<u8> {
    method(channel, 20, 40, &done())
}

pub(crate) fn channel_close_ok(channel: u16) -> Vec<u8> {
    method(channel, 20, 41, b"")
}

/// Declares a queue on channel 1, with these flags and fields.
pub(crate) fn declare_with(queue: &[u8], flags: u8, fields: &[u8]) -> Vec<u8> {
    method(1, 50, 10, &cat(&[&[0, 0], &short(queue), &[flags], &long(fields)]))
}

/// Declares a queue that is deleted with its last consumer.
pub(crate) fn declare(queue: &str) -> Vec<u8> {
    declare_with(queue.as_bytes(), 8, b"")
}

/// Declares, passively, a queue that does not exist.
pub(crate) fn declare_missing() -> Vec<u8> {
    declare_with(b"nope", 1, b"")
}

/// The method without content, on channel 1.
pub(crate) fn publish_to(exchange: &[u8], key: &[u8], flags: u8) -> Vec<u8> {
    method(1, 60, 40, &cat(&[&[0, 0], &short(exchange), &short(key), &[flags]]))
}

/// The method without content, on channel 1, to a queue that need not exist.
pub(crate) fn publish() -> Vec<u8> {
    publish_to(b"", b"q", 0)
}

pub(crate) fn get(queue: &str) -> Vec<u8> {
    method(1, 60, 70, &cat(&[&[0, 0], &short(queue), &[1]]))
}

/// Describes a server's bytes frame by frame: channel, kind and contents.
pub(crate) fn describe(bytes: &[u8]) -> Vec<String> {
    let mut rest = bytes;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        if rest.starts_with(b"AMQP") {
            frames.push(format!("header {}", hex(&rest[..8])));
            rest = &rest[8..];
            continue;
        }
        let channel = u16::from_be_bytes([rest[1], rest[2]]);
        let length = u32::from_be_bytes(rest[3..7].try_into().unwrap()) as usize;
        assert_eq!(rest[7 + length], 0xCE);
        frames.push(describe_frame(rest[0], channel, &rest[7..7 + length]));
        rest = &rest[8 + length..];
    }
    frames
}

fn describe_frame(kind: u8, channel: u16, payload: &[u8]) -> String {
    if kind != 1 {
        return format!("{channel}: type {kind} {}", hex(payload));
    }
    let word = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
    let (class, method, arguments) = (word(0), word(2), &payload[4..]);
    if [(10, 50), (10, 60), (20, 40)].contains(&(class, method)) && !arguments.is_empty() {
        let end = 7 + usize::from(payload[6]);
        let text =
            payload[7..end].escape_ascii().to_string().replace(r"\'", "'").replace(r#"\""#, "\"");
        let (code, c, m) = (word(4), word(end), word(end + 2));
        return format!("{channel}: {class}.{method} {code} {text} {c}.{m}");
    }
    let shown = if arguments.len() > 300 { "...".to_owned() } else { hex(arguments) };
    format!("{channel}: {class}.{method} {shown}").trim_end().to_owned()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
