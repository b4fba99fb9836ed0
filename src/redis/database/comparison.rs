//! Writes that compare a string with what the caller expects: `SET … IFEQ`, `DELEX`, `DELIFEQ`.
//!
//! A comparison names the value, or its digest: the 64-bit XXH3 hash in 16 hexadecimal digits. A
//! missing key is equal to nothing.
//!
//! Source: <https://redis.io/commands/delex>, <https://valkey.io/commands/delifeq>.

use super::notify::EventClasses;
use super::{Database, SetCondition, SetOptions, SetOutcome};
use crate::redis::error::CommandError;
use crate::redis::value::StringValue;
use xxhash_rust::xxh3::xxh3_64;

/// The value, or the digest of one, with which a string is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison<'a> {
    /// `IFEQ`: it is equal to this.
    Equal(&'a [u8]),
    /// `IFNE`: it is missing, or not equal to this.
    NotEqual(&'a [u8]),
    /// `IFDEQ`: it has this digest.
    DigestEqual(&'a [u8]),
    /// `IFDNE`: it is missing, or has another digest.
    DigestNotEqual(&'a [u8]),
}

/// Returns the digest of a string (`DIGEST`).
#[must_use]
pub fn string_digest(string: &[u8]) -> String {
    format!("{:016x}", xxh3_64(string))
}

impl Comparison<'_> {
    /// Returns whether both compare in the same way.
    pub(crate) fn is_like(&self, other: Comparison<'_>) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(&other)
    }

    fn holds_without(self) -> bool {
        matches!(self, Comparison::NotEqual(_) | Comparison::DigestNotEqual(_))
    }

    /// Returns whether it holds of a string. A digest may have any letters, but only 16.
    fn holds(self, string: &[u8]) -> Result<bool, CommandError> {
        let same_digest = |expected: &[u8]| match expected.len() {
            16 => Ok(expected.eq_ignore_ascii_case(string_digest(string).as_bytes())),
            _ => Err(CommandError::text("ERR must be exactly 16 hexadecimal characters")),
        };
        match self {
            Comparison::Equal(value) => Ok(string == value),
            Comparison::NotEqual(value) => Ok(string != value),
            Comparison::DigestEqual(value) => same_digest(value),
            Comparison::DigestNotEqual(value) => same_digest(value).map(|same| !same),
        }
    }
}

impl Database {
    /// `SET` with a comparison: sets a key to a string if the comparison holds.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`] if the key has another type, and an error if a digest does not
    /// have 16 characters.
    pub fn set_if(
        &mut self,
        key: &[u8],
        value: &[u8],
        comparison: Comparison<'_>,
        options: SetOptions,
    ) -> Result<SetOutcome, CommandError> {
        let mut outcome = SetOutcome::default();
        if options.get {
            outcome.former = self.get(key)?.map(<[u8]>::to_vec);
        }
        let counts = self.profile.comparisons.count_hits;
        let held = match self.seek(key).map(|entry| &entry.value) {
            Some(_) if options.condition == Some(SetCondition::IfAbsent) => false,
            Some(super::Value::String(string)) => comparison.holds(string.as_slice())?,
            Some(_) => return Err(CommandError::WrongType),
            None if options.condition == Some(SetCondition::IfPresent) => false,
            None => comparison.holds_without(),
        };
        if counts && self.peek(key).is_some() {
            self.usage.hits += 1;
        }
        if held {
            let options = SetOptions { get: false, condition: None, ..options };
            outcome.set = self.set(key, value, options)?.set;
        }
        Ok(outcome)
    }

    /// `DELEX` with a comparison: deletes a string if the comparison holds. Returns whether it did.
    /// A missing key is never deleted.
    ///
    /// # Errors
    ///
    /// An error if the key has another type, if a digest does not have 16 characters, or if there
    /// is a string but no comparison.
    pub fn delex(
        &mut self,
        key: &[u8],
        comparison: Option<Comparison<'_>>,
    ) -> Result<bool, CommandError> {
        let string = match self.read::<StringValue>(key) {
            Ok(Some(string)) => string,
            Ok(None) => return Ok(false),
            Err(_) => {
                return Err(CommandError::text(
                    "ERR Key should be of string type if conditions are specified",
                ));
            }
        };
        let unknown = CommandError::text("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
        let holds = comparison.ok_or(unknown)?.holds(string.as_slice())?;
        Ok(self.delete_compared(key, holds))
    }

    /// `DELIFEQ`: deletes a string if it is equal to this. Returns whether it was.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn delifeq(&mut self, key: &[u8], value: &[u8]) -> Result<bool, CommandError> {
        let equal = match self.seek(key).map(|entry| &entry.value) {
            Some(super::Value::String(string)) => string.as_slice() == value,
            Some(_) => return Err(CommandError::WrongType),
            None => false,
        };
        Ok(self.delete_compared(key, equal))
    }

    /// Deletes a key if its comparison holds. Returns whether it does.
    fn delete_compared(&mut self, key: &[u8], holds: bool) -> bool {
        if holds {
            self.take(key);
            self.changed(key, EventClasses::GENERIC, "del", 1);
        }
        holds
    }
}
