//! Keyspace notifications: which events are raised, and their names.
//!
//! An event has a class, by which `notify-keyspace-events` selects it, and a name, which is not
//! always the command's: `SETRANGE` raises `setrange`, but `LPUSHX` raises `lpush`. The operations
//! of the database raise events; the server turns them into messages.
//!
//! Source: <https://redis.io/docs/manual/keyspace-notifications/>.

use crate::redis::value::Sds;
use std::fmt;
use std::ops::BitOr;

/// A set of event classes, and of the two kinds of channels that the events go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventClasses(u16);

/// All classes with their letters, in the order of `CONFIG GET`.
const LETTERS: [(char, EventClasses); 16] = [
    ('g', EventClasses::GENERIC),
    ('$', EventClasses::STRING),
    ('l', EventClasses::LIST),
    ('s', EventClasses::SET),
    ('h', EventClasses::HASH),
    ('z', EventClasses::SORTED_SET),
    ('x', EventClasses::EXPIRED),
    ('e', EventClasses::EVICTED),
    ('t', EventClasses::STREAM),
    ('d', EventClasses::MODULE),
    ('n', EventClasses::NEW),
    ('o', EventClasses::OVERWRITTEN),
    ('c', EventClasses::TYPE_CHANGED),
    ('K', EventClasses::KEYSPACE),
    ('E', EventClasses::KEYEVENT),
    ('m', EventClasses::KEY_MISS),
];

impl EventClasses {
    /// `K`: to channels named after the key.
    pub const KEYSPACE: EventClasses = EventClasses(1);
    /// `E`: to channels named after the event.
    pub const KEYEVENT: EventClasses = EventClasses(1 << 1);
    /// `g`: `del`, `expire`, `rename_from`, … of any type.
    pub const GENERIC: EventClasses = EventClasses(1 << 2);
    /// `$`.
    pub const STRING: EventClasses = EventClasses(1 << 3);
    /// `l`.
    pub const LIST: EventClasses = EventClasses(1 << 4);
    /// `s`.
    pub const SET: EventClasses = EventClasses(1 << 5);
    /// `h`.
    pub const HASH: EventClasses = EventClasses(1 << 6);
    /// `z`.
    pub const SORTED_SET: EventClasses = EventClasses(1 << 7);
    /// `x`: a key expired.
    pub const EXPIRED: EventClasses = EventClasses(1 << 8);
    /// `e`: a key was evicted.
    pub const EVICTED: EventClasses = EventClasses(1 << 9);
    /// `t`.
    pub const STREAM: EventClasses = EventClasses(1 << 10);
    /// `d`.
    pub const MODULE: EventClasses = EventClasses(1 << 11);
    /// `m`: a read missed its key.
    pub const KEY_MISS: EventClasses = EventClasses(1 << 12);
    /// `n`: a key was added.
    pub const NEW: EventClasses = EventClasses(1 << 13);
    /// `o`: a key was given another value. Since Redis 8.2.
    pub const OVERWRITTEN: EventClasses = EventClasses(1 << 14);
    /// `c`: the other value is of another type. Since Redis 8.2.
    pub const TYPE_CHANGED: EventClasses = EventClasses(1 << 15);
    /// `A`: all except misses, additions and replacements.
    pub const ALL: EventClasses = EventClasses(0b1111_1111_1100);

    /// Returns whether two sets have a class in common.
    #[must_use]
    pub fn intersects(self, other: EventClasses) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns whether no event is ever sent.
    #[must_use]
    pub fn is_silent(self) -> bool {
        !self.intersects(EventClasses::KEYSPACE | EventClasses::KEYEVENT)
    }

    /// Parses the letters of `notify-keyspace-events`. Returns `None` if a letter is invalid.
    #[must_use]
    pub fn parse(text: &str) -> Option<EventClasses> {
        text.chars().try_fold(EventClasses::default(), |classes, letter| {
            let class = match letter {
                'A' => EventClasses::ALL,
                letter => LETTERS.iter().find(|(l, _)| *l == letter)?.1,
            };
            Some(classes | class)
        })
    }
}

impl BitOr for EventClasses {
    type Output = EventClasses;

    fn bitor(self, other: EventClasses) -> EventClasses {
        EventClasses(self.0 | other.0)
    }
}

/// Displays the set as `CONFIG GET notify-keyspace-events` does, which omits `n`, `o` and `c` after
/// an `A`.
impl fmt::Display for EventClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0 & EventClasses::ALL.0 == EventClasses::ALL.0;
        if all {
            f.write_str("A")?;
        }
        let unsaid = EventClasses::NEW | EventClasses::OVERWRITTEN | EventClasses::TYPE_CHANGED;
        let said = if all { EventClasses::ALL | unsaid } else { EventClasses(0) };
        for (letter, class) in LETTERS {
            if self.intersects(class) && !said.intersects(class) {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// An event of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// The event's name: `set`, `expired`, …
    pub event: &'static str,
    /// The key.
    pub key: Sds,
    /// Number of the database.
    pub database: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_written_as_the_server_writes_them() {
        let written = |text: &str| EventClasses::parse(text).map(|c| c.to_string());
        assert_eq!(written("KEAmn").as_deref(), Some("AKEm"));
        assert_eq!(written("nmKEx$").as_deref(), Some("$xnKEm"));
        assert_eq!(written("Kx$").as_deref(), Some("$xK"));
        assert_eq!(written("g$lshzxetdKE").as_deref(), Some("AKE"));
        assert_eq!(written(""), Some(String::new()));
        assert_eq!(written("q"), None);
    }
}
