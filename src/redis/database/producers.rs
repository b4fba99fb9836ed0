//! Operations of producers that may send a message again.
//!
//! Source: <https://redis.io/docs/latest/develop/data-types/streams/idempotency>, and experiments
//! with the server.

use super::{Database, XaddId, XaddOptions};
use crate::redis::error::CommandError;
use crate::redis::value::{ProducerLimits, Stream, StreamId};

/// A message, as its producer names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// The producer.
    pub producer: &'a [u8],
    /// The name of the message, unique to the producer.
    pub name: &'a [u8],
}

impl Database {
    /// `XADD … IDMP`: adds an entry, unless its producer has added one under this name before.
    /// Returns the id of the entry, the new or the old one, or `None` if the stream does not exist
    /// and was not to be created. An old one is only looked for if the new one is to get the next
    /// id.
    ///
    /// ```
    /// use stunt_double::redis::database::{Database, Named, XaddId};
    ///
    /// let mut db = Database::new();
    /// let named = Named { producer: b"p", name: b"order-7" };
    /// let first = db.xadd_once(b"s", XaddId::Auto, &[(b"a", b"1")], Default::default(), named)?;
    /// let again = db.xadd_once(b"s", XaddId::Auto, &[(b"a", b"1")], Default::default(), named)?;
    /// assert_eq!(first, again);
    /// assert_eq!(db.xlen(b"s")?, 1);
    /// # Ok::<(), stunt_double::redis::CommandError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::xadd`].
    pub fn xadd_once(
        &mut self,
        key: &[u8],
        id: XaddId,
        fields: &[(&[u8], &[u8])],
        options: XaddOptions,
        named: Named<'_>,
    ) -> Result<Option<StreamId>, CommandError> {
        self.add_entry(key, id, fields, options, Some(named))
    }

    /// `XCFGSET`: sets how much a stream remembers of its producers. If that changes anything, the
    /// stream forgets what it has remembered.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoSuchKey`], [`CommandError::WrongType`].
    pub fn xcfgset(&mut self, key: &[u8], limits: ProducerLimits) -> Result<(), CommandError> {
        let stream = self.write::<Stream>(key)?.ok_or(CommandError::NoSuchKey)?;
        if stream.producers().limits() != limits {
            stream.producers_mut().set_limits(limits);
            self.usage.changes += 1;
        }
        Ok(())
    }

    /// `XIDMPRECORD`: names an entry that exists.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoSuchKey`], [`CommandError::WrongType`], and an error if there is no such
    /// entry, or if the producer has given another one this name.
    pub fn xidmprecord(
        &mut self,
        key: &[u8],
        named: Named<'_>,
        entry: StreamId,
    ) -> Result<(), CommandError> {
        let aged = (!self.obeys).then_some(self.now_ms());
        let stream = self.write::<Stream>(key)?.ok_or(CommandError::NoSuchKey)?;
        if stream.get(entry).is_none() {
            return Err(CommandError::text("ERR No such message in stream"));
        }
        match stream.producers().find(named.producer, named.name, aged) {
            Some(known) if known == entry => Ok(()),
            Some(_) => Err(CommandError::text(
                "ERR IID already exists for this producer with a different stream ID",
            )),
            None => {
                stream.producers_mut().add(named.producer, named.name, entry, aged);
                self.usage.changes += 1;
                Ok(())
            }
        }
    }
}
