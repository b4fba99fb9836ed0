//! Operations on strings.
//!
//! Source: <https://redis.io/commands/?group=string>, `t_string.c`.

use super::Database;
use super::keyspace::NEVER;
use super::notify::EventClasses;
use crate::redis::error::CommandError;
use crate::redis::value::{LongDouble, StringValue, Value, number};

/// The condition of `SET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetCondition {
    /// `NX`: only if the key does not exist.
    IfAbsent,
    /// `XX`: only if the key exists.
    IfPresent,
}

/// The effect of a write on the key's time to live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// It is removed.
    #[default]
    Clear,
    /// `KEEPTTL`: it stays.
    Keep,
    /// The key expires at this time, in milliseconds since the Unix epoch.
    At(i64),
}

/// The options of `SET`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetOptions {
    /// `NX` or `XX`.
    pub condition: Option<SetCondition>,
    /// `EX`, `PX`, `EXAT`, `PXAT` or `KEEPTTL`.
    pub expiry: Expiry,
    /// `GET`: returns the former value, which must be a string.
    pub get: bool,
}

/// The result of `SET`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetOutcome {
    /// Whether the condition held.
    pub set: bool,
    /// The former value, with [`SetOptions::get`].
    pub former: Option<Vec<u8>>,
}

impl Database {
    /// `GET`: returns the value of a string.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn get(&mut self, key: &[u8]) -> Result<Option<&[u8]>, CommandError> {
        Ok(self.read::<StringValue>(key)?.map(StringValue::as_slice))
    }

    /// `SET`: sets a key to a string, whatever it held.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`] if [`SetOptions::get`] is set and the key has another type.
    pub fn set(
        &mut self,
        key: &[u8],
        value: &[u8],
        options: SetOptions,
    ) -> Result<SetOutcome, CommandError> {
        let mut outcome = SetOutcome::default();
        if options.get {
            outcome.former = self.get(key)?.map(<[u8]>::to_vec);
        }
        let exists = match options.condition {
            Some(_) => self.peek(key).is_some(),
            None => false,
        };
        match options.condition {
            Some(SetCondition::IfAbsent) if exists => {
                self.seek(key);
                return Ok(outcome);
            }
            Some(SetCondition::IfPresent) if !exists => return Ok(outcome),
            Some(_) | None => {}
        }
        let expires_at = match options.expiry {
            Expiry::Clear => NEVER,
            Expiry::At(at) => at.min(NEVER - 1),
            Expiry::Keep => self.peek(key).map_or(NEVER, |entry| entry.expires_at()),
        };
        if self.is_past(expires_at) && !self.profile.past.is_stored {
            self.remove_past(key);
            outcome.set = true;
            return Ok(outcome);
        }
        self.put_keeping(
            key,
            Value::String(StringValue::within(value, self.longest_embedded())),
            expires_at,
        );
        self.changed(key, EventClasses::STRING, "set", 1);
        if let Expiry::At(_) = options.expiry {
            self.notify(EventClasses::GENERIC, "expire", key);
        }
        outcome.set = true;
        Ok(outcome)
    }

    /// `GETSET`: sets a string without a time to live. Returns the former value.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn getset(&mut self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, CommandError> {
        let options = SetOptions { get: true, ..SetOptions::default() };
        Ok(self.set(key, value, options)?.former)
    }

    /// `GETDEL`: removes a string and returns it.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn getdel(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, CommandError> {
        let value = self.get(key)?.map(<[u8]>::to_vec);
        if value.is_some() {
            self.take(key);
            self.changed(key, EventClasses::GENERIC, "del", 1);
        }
        Ok(value)
    }

    /// `GETEX`: returns the value of a string, and changes its time to live. A time in the past
    /// removes the key.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn getex(&mut self, key: &[u8], expiry: Expiry) -> Result<Option<Vec<u8>>, CommandError> {
        let Some(value) = self.get(key)?.map(<[u8]>::to_vec) else { return Ok(None) };
        match expiry {
            Expiry::Keep => {}
            Expiry::Clear => {
                self.persist_unused(key);
            }
            Expiry::At(at) if self.is_past(at) => self.remove_past(key),
            Expiry::At(at) => {
                self.put_expiry(key, at.min(NEVER - 1));
                self.changed(key, EventClasses::GENERIC, "expire", 1);
            }
        }
        Ok(Some(value))
    }

    /// `MSET`: sets several strings.
    pub fn mset<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) {
        for (key, value) in pairs {
            self.put(key, Value::String(StringValue::within(value, self.longest_embedded())));
            self.changed(key, EventClasses::STRING, "set", 1);
        }
    }

    /// `MSETNX`: sets several strings, or none if one of the keys exists. Returns whether they were
    /// set.
    pub fn msetnx(&mut self, pairs: &[(&[u8], &[u8])]) -> bool {
        if pairs.iter().any(|(key, _)| self.seek(key).is_some()) {
            return false;
        }
        self.mset(pairs.iter().copied());
        true
    }

    /// `MSETEX`: sets several strings with one time to live, or none if the condition does not hold
    /// of all keys. Returns whether they were set. A time in the past is stored nevertheless.
    pub fn msetex(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        condition: Option<SetCondition>,
        expiry: Expiry,
    ) -> bool {
        if let Some(condition) = condition {
            let wanted = condition == SetCondition::IfPresent;
            if pairs.iter().any(|(key, _)| self.seek(key).is_some() != wanted) {
                return false;
            }
        }
        for (key, value) in pairs {
            let expires_at = match expiry {
                Expiry::Clear => NEVER,
                Expiry::At(at) => at.min(NEVER - 1),
                Expiry::Keep => self.peek(key).map_or(NEVER, |entry| entry.expires_at()),
            };
            self.put_keeping(
                key,
                Value::String(StringValue::within(value, self.longest_embedded())),
                expires_at,
            );
            let expires = matches!(expiry, Expiry::At(_));
            let expire_first = self.profile.comparisons.msetex_counts_pairs;
            if expires && expire_first {
                self.notify(EventClasses::GENERIC, "expire", key);
            }
            self.changed(key, EventClasses::STRING, "set", 1);
            if expires && !expire_first {
                self.notify(EventClasses::GENERIC, "expire", key);
            }
        }
        true
    }

    /// `STRLEN`: returns the length of a string, 0 if it is missing.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn strlen(&mut self, key: &[u8]) -> Result<usize, CommandError> {
        Ok(self.get(key)?.map_or(0, <[u8]>::len))
    }

    /// `APPEND`: appends bytes to a string. Returns the new length.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], [`CommandError::StringTooLong`].
    pub fn append(&mut self, key: &[u8], bytes: &[u8]) -> Result<usize, CommandError> {
        let limit = self.limits.string;
        let len = match self.write::<StringValue>(key)? {
            Some(string) => {
                check_length(limit, string.len() as u64, bytes.len() as u64)?;
                let string = string.make_raw();
                string.extend_from_slice(bytes);
                string.len()
            }
            None => {
                self.insert(
                    key,
                    Value::String(StringValue::within(bytes, self.longest_embedded())),
                );
                bytes.len()
            }
        };
        self.changed(key, EventClasses::STRING, "append", 1);
        Ok(len)
    }

    /// `GETRANGE`: returns the bytes from `start` to `end`, both inclusive. Negative positions
    /// count from the end; -1 is the last byte.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn getrange(&mut self, key: &[u8], start: i64, end: i64) -> Result<&[u8], CommandError> {
        let Some(string) = self.get(key)? else { return Ok(&[]) };
        let len = string.len() as i64;
        if start < 0 && end < 0 && start > end {
            return Ok(&[]);
        }
        let from_end = |at: i64| if at < 0 { (len + at.max(-len)).max(0) } else { at };
        let (start, end) = (from_end(start), from_end(end).min(len - 1));
        if start > end || len == 0 {
            return Ok(&[]);
        }
        Ok(&string[start as usize..=end as usize])
    }

    /// `SETRANGE`: overwrites bytes from `offset` on, filling a gap with zeros. Returns the new
    /// length. Without bytes it changes nothing and creates no key.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], [`CommandError::StringTooLong`].
    pub fn setrange(
        &mut self,
        key: &[u8],
        offset: u64,
        bytes: &[u8],
    ) -> Result<usize, CommandError> {
        let limit = self.limits.string;
        if bytes.is_empty() {
            return self.strlen_unread(key);
        }
        match self.peek(key).map(|entry| &entry.value) {
            Some(Value::String(_)) | None => check_length(limit, offset, bytes.len() as u64)?,
            Some(_) => return Err(CommandError::WrongType),
        }
        let string = match self.write::<StringValue>(key)? {
            Some(string) => string,
            None => {
                self.insert(key, Value::String(StringValue::raw(Vec::new())));
                self.again::<StringValue>(key)?.expect("the key was just added")
            }
        };
        let string = string.make_raw();
        let offset = offset as usize;
        let end = offset + bytes.len();
        if string.len() < end {
            string.resize(end, 0);
        }
        string[offset..end].copy_from_slice(bytes);
        let len = string.len();
        self.changed(key, EventClasses::STRING, "setrange", 1);
        Ok(len)
    }

    /// Returns the length of a string, without counting as a read.
    fn strlen_unread(&mut self, key: &[u8]) -> Result<usize, CommandError> {
        match self.seek(key).map(|entry| &entry.value) {
            Some(Value::String(string)) => Ok(string.len()),
            Some(_) => Err(CommandError::WrongType),
            None => Ok(0),
        }
    }

    /// `INCRBY`: adds to an integer, which is 0 if missing. Returns the sum.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], [`CommandError::NotAnInteger`], [`CommandError::Overflow`].
    pub fn incrby(&mut self, key: &[u8], by: i64) -> Result<i64, CommandError> {
        let event = "incrby";
        match self.write::<StringValue>(key)? {
            Some(string) => {
                let n = number::parse_i64(string).ok_or(CommandError::NotAnInteger)?;
                let sum = n.checked_add(by).ok_or(CommandError::Overflow)?;
                *string = StringValue::from_i64(sum);
                self.changed(key, EventClasses::STRING, event, 1);
                Ok(sum)
            }
            None => {
                self.insert(key, Value::String(StringValue::from_i64(by)));
                self.changed(key, EventClasses::STRING, event, 1);
                Ok(by)
            }
        }
    }

    /// `INCRBYFLOAT`: adds to a number, in the server's 80-bit arithmetic. Returns the sum's text.
    /// `by` is text too, so that no digit is lost.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], [`CommandError::NotAFloat`], [`CommandError::NotFinite`].
    pub fn incrbyfloat(&mut self, key: &[u8], by: &[u8]) -> Result<String, CommandError> {
        let most = self.longest_embedded();
        let text = match self.write::<StringValue>(key)? {
            Some(string) => {
                let n = LongDouble::parse(string).ok_or(CommandError::NotAFloat)?;
                let by = LongDouble::parse(by).ok_or(CommandError::NotAFloat)?;
                let sum = n + by;
                if sum.is_nan_or_infinite() {
                    return Err(CommandError::NotFinite);
                }
                let text = sum.format_human();
                *string = StringValue::plain_within(text.as_bytes(), most);
                self.settle_replaced(key);
                text
            }
            None => {
                let by = LongDouble::parse(by).ok_or(CommandError::NotAFloat)?;
                if by.is_nan_or_infinite() {
                    return Err(CommandError::NotFinite);
                }
                let text = by.format_human();
                self.insert(key, Value::String(StringValue::plain_within(text.as_bytes(), most)));
                text
            }
        };
        self.changed(key, EventClasses::STRING, "incrbyfloat", 1);
        Ok(text)
    }
}

/// Returns an error if a string may not have `offset + len` bytes.
pub(super) fn check_length(limit: u64, offset: u64, len: u64) -> Result<(), CommandError> {
    match offset.checked_add(len) {
        Some(total) if total <= limit => Ok(()),
        Some(_) | None => Err(CommandError::StringTooLong),
    }
}
