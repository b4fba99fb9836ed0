//! When the messages of a queue expire.
//!
//! A message expires at a fixed time, which neither a delivery nor a restart changes. But only the
//! head of the queue is dropped, so an expired message stays behind a head that has not expired.
//! The times are stored separately, by position, because few messages have one; a flag in the entry
//! marks those that do.
//!
//! Source: <https://www.rabbitmq.com/docs/ttl>, and the server's behaviour.

use crate::Instant;
use crate::rabbitmq::protocol::limits::MAX_EXPIRY;
use crate::rabbitmq::protocol::message::{Entry, Position};
use std::collections::BTreeMap;
use std::time::Duration;

/// Expiry times of messages, including those that are not ready.
#[derive(Debug, Default)]
pub(crate) struct Expiries {
    times: BTreeMap<Position, Instant>,
    /// When the broker's timer for the head fires next.
    pub(crate) armed: Option<Instant>,
}

impl Expiries {
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    pub(crate) fn insert(&mut self, position: Position, at: Instant) {
        self.times.insert(position, at);
    }

    /// Returns when a message expires, if it does.
    pub(crate) fn of(&self, entry: &Entry) -> Option<Instant> {
        if entry.expires() { self.times.get(&entry.position()).copied() } else { None }
    }

    /// Removes the expiry time of a message and returns it.
    pub(crate) fn remove(&mut self, entry: &Entry) -> Option<Instant> {
        if entry.expires() { self.times.remove(&entry.position()) } else { None }
    }

    /// Adds times that were stored elsewhere.
    pub(crate) fn append(&mut self, mut other: Expiries) {
        self.times.append(&mut other.times);
    }

    /// Removes the times of all messages but these, and any timer.
    pub(crate) fn keep_only(&mut self, kept: impl Iterator<Item = Position>) {
        let kept = kept.filter_map(|position| Some((position, *self.times.get(&position)?)));
        *self = Expiries { times: kept.collect(), armed: None };
    }
}

/// Returns the time to live that an `expiration` means, or the server's error text.
pub(crate) fn parse_expiration(text: &str) -> Result<Duration, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 {
        return Err("no_integer".to_owned());
    }
    let (number, rest) = text.split_at(text.len() - unsigned.len() + digits);
    if !rest.is_empty() {
        return Err(format!("{{leftover_string,\"{rest}\"}}"));
    }
    let magnitude = number.trim_start_matches(['-', '+']).trim_start_matches('0');
    match magnitude.parse::<u64>() {
        _ if magnitude.is_empty() => Ok(Duration::ZERO),
        _ if number.starts_with('-') => Err(format!("{{value_negative,-{magnitude}}}")),
        Ok(ms) if i128::from(ms) <= MAX_EXPIRY => Ok(Duration::from_millis(ms)),
        Ok(_) | Err(_) => Err(format!("{{value_too_large,{magnitude}}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expirations_are_read_as_the_server_reads_them() {
        for (text, ms) in
            [("60000", 60_000), ("+5", 5), ("00", 0), ("-0", 0), ("315360000000", 315_360_000_000)]
        {
            assert_eq!(parse_expiration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for (text, why) in [
            ("abc", "no_integer"),
            ("", "no_integer"),
            (" 5", "no_integer"),
            ("-1", "{value_negative,-1}"),
            ("10s", "{leftover_string,\"s\"}"),
            ("1.5", "{leftover_string,\".5\"}"),
            ("5 ", "{leftover_string,\" \"}"),
            ("315360000001", "{value_too_large,315360000001}"),
            ("123456789012345678901234567890", "{value_too_large,123456789012345678901234567890}"),
        ] {
            assert_eq!(parse_expiration(text).unwrap_err(), why, "{text}");
        }
    }
}
