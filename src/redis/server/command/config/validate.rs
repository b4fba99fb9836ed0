//! The forms of parameters' values: which values are valid, the errors for the others, and how a
//! value is read back.

use crate::redis::value::number;

/// The valid values of a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// `yes` or `no`.
    YesNo,
    /// An integer in this inclusive range.
    Integer(i64, i64),
    /// A number of bytes in this inclusive range, with an optional unit such as `mb`.
    Memory(u64, u64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any of these words; the first means none.
    Flags(&'static [&'static str]),
    /// Any text.
    Text,
    /// A form of its own with memory sizes: a function of the current and the new value.
    Sizes(fn(&str, &str, ReadSize) -> Result<String, String>),
    /// A form of its own: a function of the current and the new value.
    Special(fn(&str, &str) -> Result<String, String>),
    /// It can only be set when the server starts.
    Immutable,
    /// It can only be set with `enable-protected-configs`, which is off.
    Protected,
}

/// Reads a memory size, or returns `None` if it is none.
pub(super) type ReadSize = fn(&[u8]) -> Option<u64>;

impl Form {
    /// Returns why a parameter of this form cannot be set at all.
    pub(super) fn refusal(self) -> Option<&'static str> {
        match self {
            Form::Immutable => Some("can't set immutable config"),
            Form::Protected => Some("can't set protected config"),
            Form::YesNo
            | Form::Integer(..)
            | Form::Memory(..)
            | Form::OneOf(_)
            | Form::Flags(_)
            | Form::Text
            | Form::Sizes(_)
            | Form::Special(_) => None,
        }
    }

    /// Returns whether a value is a number that an unsigned variable of this form would hold as if
    /// it were negative.
    pub(super) fn turns_negative(self, value: &str) -> bool {
        match self {
            Form::Integer(..) => number::parse_i64(value.as_bytes()).is_some_and(|n| n < 0),
            Form::Memory(..) => {
                number::parse_memory(value.as_bytes()).is_some_and(|n| i64::try_from(n).is_err())
            }
            _ => false,
        }
    }

    /// Returns the value as it is read back.
    ///
    /// # Errors
    ///
    /// The reason why the value is refused.
    pub(super) fn read(self, current: &str, value: &str, size: ReadSize) -> Result<String, String> {
        match self {
            Form::YesNo => word(&["yes", "no"], value)
                .map(str::to_owned)
                .ok_or_else(|| "argument must be 'yes' or 'no'".to_owned()),
            Form::Integer(least, most) => integer(value, least, most).map(|n| n.to_string()),
            Form::Sizes(read) => read(current, value, size),
            Form::Memory(least, most) => memory(value, least, most, size).map(|n| n.to_string()),
            Form::OneOf(words) => {
                word(words, value).map(str::to_owned).ok_or_else(|| not_one_of(words))
            }
            Form::Flags(words) => flags(words, value),
            Form::Text => Ok(value.to_owned()),
            Form::Special(read) => read(current, value),
            Form::Immutable | Form::Protected => Err(self.refusal().unwrap_or_default().to_owned()),
        }
    }
}

fn word(words: &[&'static str], value: &str) -> Option<&'static str> {
    words.iter().copied().find(|word| word.eq_ignore_ascii_case(value))
}

fn not_one_of(words: &[&str]) -> String {
    format!("argument(s) must be one of the following: {}", words.join(", "))
}

fn between<T: Copy + PartialOrd + std::fmt::Display>(n: T, least: T, most: T) -> Result<T, String> {
    if n < least || n > most {
        return Err(format!("argument must be between {least} and {most} inclusive"));
    }
    Ok(n)
}

fn integer(value: &str, least: i64, most: i64) -> Result<i64, String> {
    let n = number::parse_i64(value.as_bytes())
        .ok_or_else(|| "argument couldn't be parsed into an integer".to_owned())?;
    between(n, least, most)
}

fn memory(value: &str, least: u64, most: u64, size: ReadSize) -> Result<u64, String> {
    let n = size(value.as_bytes()).ok_or_else(|| "argument must be a memory value".to_owned())?;
    between(n, least, most)
}

/// Words are sorted; the first is dropped if there are others.
fn flags(words: &'static [&'static str], value: &str) -> Result<String, String> {
    let set: Option<Vec<&str>> = value.split(' ').map(|part| word(words, part)).collect();
    let set = set.ok_or_else(|| not_one_of(words))?;
    if set.contains(&"save") && set.contains(&"nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".to_owned());
    }
    let named: Vec<&str> = words[1..].iter().copied().filter(|word| set.contains(word)).collect();
    Ok(if named.is_empty() { words[0].to_owned() } else { named.join(" ") })
}

/// Values above 500 become 500, and 0 becomes 1.
pub(super) fn hertz(_: &str, value: &str) -> Result<String, String> {
    integer(value, 0, i32::MAX.into()).map(|hz| hz.clamp(1, 500).to_string())
}

/// Values below 16 KB become 16 KB.
pub(super) fn backlog_size(_: &str, value: &str, size: ReadSize) -> Result<String, String> {
    memory(value, 1, i64::MAX as u64, size).map(|size| size.max(16_384).to_string())
}

/// A memory size, or -1. A number below that is out of range rather than no size.
pub(super) fn memory_or_none(_: &str, value: &str, size: ReadSize) -> Result<String, String> {
    if let Some(n @ ..0) = number::parse_i64(value.as_bytes()) {
        return between(n, -1, i64::MAX).map(|n| n.to_string());
    }
    let n = size(value.as_bytes()).ok_or_else(|| "argument must be a memory value".to_owned())?;
    between(n as i64, -1, i64::MAX).map(|n| n.to_string())
}

/// A memory size, or a percentage of `maxmemory`.
pub(super) fn memory_or_percent(_: &str, value: &str, size: ReadSize) -> Result<String, String> {
    let wrong = || "argument must be a memory or percent value".to_owned();
    let Some(percent) = value.strip_suffix('%') else {
        let size = size(value.as_bytes()).ok_or_else(wrong)?;
        // A size that does not fit is negative, which is how the server stores a percentage.
        return Ok(match size as i64 {
            size @ 0.. => size.to_string(),
            percent => format!("{}%", percent.unsigned_abs()),
        });
    };
    let percent = number::parse_i64(percent.as_bytes()).filter(|n| *n >= 0).ok_or_else(wrong)?;
    match percent {
        0 => Ok("0".to_owned()),
        1..=100 => Ok(format!("{percent}%")),
        _ => Err("percentage argument must be less or equal to 100".to_owned()),
    }
}

/// Classes of clients, each with a hard limit, a soft limit and seconds. Other classes keep theirs.
pub(super) fn output_buffer_limit(
    current: &str,
    value: &str,
    size: ReadSize,
) -> Result<String, String> {
    const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];
    let mut limits: Vec<String> = current.split(' ').map(str::to_owned).collect();
    let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    for group in words.chunks_exact(4) {
        let name = group[0].to_ascii_lowercase();
        let name = if name == "replica" { "slave" } else { &name };
        let class = CLASSES.iter().position(|class| *class == name).ok_or_else(|| {
            "Invalid client class specified in buffer limit configuration.".to_owned()
        })?;
        let sizes = (size(group[1].as_bytes()), size(group[2].as_bytes()));
        let seconds = number::parse_i64(group[3].as_bytes()).filter(|seconds| *seconds >= 0);
        let (Some(hard), Some(soft), Some(seconds)) = (sizes.0, sizes.1, seconds) else {
            let wrong =
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
            return Err(wrong.to_owned());
        };
        let place = class * 4 + 1;
        for (limit, n) in
            limits[place..place + 3].iter_mut().zip([hard as i64, soft as i64, seconds])
        {
            *limit = n.to_string();
        }
    }
    Ok(limits.join(" "))
}

/// Percentages, read back with up to six decimals.
pub(super) fn percentiles(_: &str, value: &str) -> Result<String, String> {
    if value.is_empty() {
        return Ok(String::new());
    }
    let mut read = Vec::new();
    for word in value.split(' ') {
        let percentile = number::parse_double(word.as_bytes()).filter(|n| !n.is_nan());
        let percentile = percentile
            .ok_or_else(|| "Invalid latency-tracking-info-percentiles parameters".to_owned())?;
        if !(0.0..=100.0).contains(&percentile) {
            let wrong =
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
            return Err(wrong.to_owned());
        }
        let text = format!("{percentile:.6}");
        read.push(text.trim_end_matches('0').trim_end_matches('.').to_owned());
    }
    Ok(read.join(" "))
}

/// Three integers.
pub(super) fn oom_scores(_: &str, value: &str) -> Result<String, String> {
    let words: Vec<&str> = value.split(' ').collect();
    if words.len() != 3 {
        return Err("wrong number of arguments".to_owned());
    }
    let valid = |word: &&str| {
        number::parse_i64(word.as_bytes()).is_some_and(|n| (-2_000..=2_000).contains(&n))
    };
    if !words.iter().all(valid) {
        let wrong = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
        return Err(wrong.to_owned());
    }
    Ok(value.to_owned())
}

/// A text with names in braces, which must not be empty when they are filled in.
pub(super) fn title_template(_: &str, value: &str) -> Result<String, String> {
    const NAMES: [&str; 7] =
        ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];
    let wrong = || "template format is invalid or contains unknown variables".to_owned();
    let (mut filled, mut rest) = (false, value);
    while let Some((before, after)) = rest.split_once('{') {
        filled |= !before.trim().is_empty();
        // A doubled brace stands for itself.
        if let Some(after) = after.strip_prefix('{') {
            (filled, rest) = (true, after);
            continue;
        }
        let (name, after) = after.split_once('}').ok_or_else(wrong)?;
        if !NAMES.contains(&name) {
            return Err(wrong());
        }
        // The title is empty before the process has one.
        filled |= !matches!(name, "title" | "unixsocket" | "config-file");
        rest = after;
    }
    filled |= !rest.trim().is_empty();
    if filled { Ok(value.to_owned()) } else { Err(wrong()) }
}

pub(super) fn hostname(_: &str, value: &str) -> Result<String, String> {
    if value.len() >= 256 {
        return Err("Hostnames must be less than 256 characters".to_owned());
    }
    if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)) {
        let wrong = "Hostnames may only contain alphanumeric characters, hyphens or dots";
        return Err(wrong.to_owned());
    }
    Ok(value.to_owned())
}

pub(super) fn node_name(_: &str, value: &str) -> Result<String, String> {
    name_without(b"!#$%&()*+:;<>?@[]^{|}~", value)
}

pub(super) fn node_name_without_spaces(_: &str, value: &str) -> Result<String, String> {
    name_without(b" !#$%&()*+:;<>?@[]^{|}~", value)
}

fn name_without(refused: &[u8], value: &str) -> Result<String, String> {
    if value.bytes().any(|byte| refused.contains(&byte)) {
        return Err("Announced human node name contained invalid character".to_owned());
    }
    Ok(value.to_owned())
}

/// Up to 45 bytes, which need not be an address.
pub(super) fn announced_ip(_: &str, value: &str) -> Result<String, String> {
    if value.len() > 45 {
        return Err("cluster-announce-ip is too long".to_owned());
    }
    let valid =
        |byte: u8| !byte.is_ascii() || byte.is_ascii_alphanumeric() || b"-./:_`".contains(&byte);
    if !value.bytes().all(valid) {
        return Err("cluster-announce-ip contains invalid character".to_owned());
    }
    Ok(value.to_owned())
}

pub(super) fn ipv4(_: &str, value: &str) -> Result<String, String> {
    let valid = value.is_empty() || value.parse::<std::net::Ipv4Addr>().is_ok();
    if valid { Ok(value.to_owned()) } else { Err("Invalid IPv4 address".to_owned()) }
}

pub(super) fn ipv6(_: &str, value: &str) -> Result<String, String> {
    let valid = value.is_empty() || value.parse::<std::net::Ipv6Addr>().is_ok();
    if valid { Ok(value.to_owned()) } else { Err("Invalid IPv6 address".to_owned()) }
}

/// The server has no RDMA.
pub(super) fn no_rdma(_: &str, _: &str) -> Result<String, String> {
    Err(NO_RDMA.to_owned())
}

pub(super) const NO_RDMA: &str = "No RDMA building support.";

/// Only the locales that every system has.
pub(super) fn locale(_: &str, value: &str) -> Result<String, String> {
    let valid = ["", "C", "POSIX"].contains(&value);
    if valid { Ok(value.to_owned()) } else { Err("Invalid locale name".to_owned()) }
}
