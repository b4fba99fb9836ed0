//! Whole RDB files.
//!
//! A file has its version, fields about the server that wrote it, libraries of functions, the keys
//! of each database, and a checksum. Each part begins with a byte that says what it is.
//!
//! Source: `rdb.c` (`rdbSaveRio`, `rdbLoadRio`).

use super::crc64::crc64;
use super::reader::Reader;
use super::writer::Writer;
use super::{RdbError, decode, encode};
use crate::redis::value::{Limits, Sds, Value};
use crate::redis::version::{Rdb, Version};

/// The marks of the parts of a file that are not keys.
pub(super) mod part {
    pub(in super::super) const FUNCTION: u8 = 245;
    pub(in super::super) const OLD_FUNCTION: u8 = 246;
    pub(super) const MODULE: u8 = 247;
    pub(super) const IDLE: u8 = 248;
    pub(super) const FREQUENCY: u8 = 249;
    pub(super) const FIELD: u8 = 250;
    pub(super) const SIZE: u8 = 251;
    pub(super) const EXPIRES_MS: u8 = 252;
    pub(super) const EXPIRES: u8 = 253;
    pub(super) const DATABASE: u8 = 254;
    pub(super) const END: u8 = 255;
}

/// A key of a file.
#[derive(Clone, Debug)]
pub struct Record {
    /// Number of its database.
    pub database: usize,
    /// The key.
    pub key: Sds,
    /// Its value.
    pub value: Value,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires_at: Option<i64>,
    /// For how many seconds it was not used, if the server that wrote the file noted that.
    pub idle: Option<u64>,
    /// How often it was used, on the logarithmic scale of `OBJECT FREQ`, if that was noted.
    pub frequency: Option<u8>,
}

/// The contents of an RDB file.
///
/// ```
/// use stunt_double::redis::database::Limits;
/// use stunt_double::redis::rdb::{Record, Snapshot};
/// use stunt_double::redis::value::{StringValue, Value};
///
/// let mut snapshot = Snapshot::default();
/// snapshot.records.push(Record {
///     database: 0,
///     key: "greeting".into(),
///     value: Value::String(StringValue::new(b"hello")),
///     expires_at: None,
///     idle: None,
///     frequency: None,
/// });
/// let file = snapshot.to_bytes();
/// let read = Snapshot::from_bytes(&file, &Limits::default())?;
/// assert_eq!(read.records[0].key, "greeting");
/// # Ok::<(), stunt_double::redis::rdb::RdbError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Fields about the server that wrote the file: `redis-ver`, `ctime`, …
    pub fields: Vec<(Sds, Sds)>,
    /// The source of each library of functions, with its first line `#!lua name=…`.
    pub libraries: Vec<Sds>,
    /// The keys. A file has those of each database together, so they are sorted by database when
    /// they are written, stably.
    pub records: Vec<Record>,
    /// The version whose format the file has when it is written. A reader takes every format up to
    /// that of its own version.
    pub version: Version,
}

impl Snapshot {
    /// The field that names the database which the stream of commands has selected.
    pub(crate) const STREAM_DATABASE: &'static str = "repl-stream-db";

    /// Returns the number of the database in which the stream of commands continues, if the file is
    /// for a replica.
    pub(crate) fn stream_database(&self) -> Option<usize> {
        let field = self.fields.iter().find(|(name, _)| *name == Snapshot::STREAM_DATABASE);
        field.and_then(|(_, number)| number.to_string().parse().ok())
    }

    /// Returns the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let number = self.version.profile().rdb.version;
        writer.raw(Rdb::magic(number).as_bytes());
        for (name, value) in &self.fields {
            writer.byte(part::FIELD);
            writer.string(name);
            writer.string(value);
        }
        for library in &self.libraries {
            writer.byte(part::FUNCTION);
            writer.string(library);
        }
        let mut databases: Vec<usize> = self.records.iter().map(|record| record.database).collect();
        databases.sort_unstable();
        databases.dedup();
        for database in databases {
            self.write_database(&mut writer, database);
        }
        writer.byte(part::END);
        let checksum = crc64(&writer.bytes);
        writer.raw(&checksum.to_le_bytes());
        writer.bytes
    }

    fn write_database(&self, writer: &mut Writer, database: usize) {
        let records = || self.records.iter().filter(move |record| record.database == database);
        let profile = self.version.profile();
        writer.byte(part::DATABASE);
        writer.count(database);
        writer.byte(part::SIZE);
        writer.count(records().count());
        writer.count(records().filter(|record| record.expires_at.is_some()).count());
        for record in records() {
            if let Some(at) = record.expires_at {
                writer.byte(part::EXPIRES_MS);
                writer.raw(&at.to_le_bytes());
            }
            if let Some(idle) = record.idle {
                writer.byte(part::IDLE);
                writer.length(idle);
            }
            if let Some(frequency) = record.frequency {
                writer.byte(part::FREQUENCY);
                writer.byte(frequency);
            }
            writer.byte(encode::kind_of(&record.value, profile.rdb));
            writer.string(&record.key);
            encode::value(writer, &record.value, profile);
        }
    }

    /// Reads a file of any version up to 10. `limits` are the sizes up to which values stay
    /// compact. Empty collections, which some servers have written, are skipped. Bytes after the
    /// end of the file are ignored.
    ///
    /// # Errors
    ///
    /// [`RdbError`] for a file that is damaged or of a later version, and for one with values of
    /// modules.
    pub fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Snapshot, RdbError> {
        Snapshot::read(bytes, limits, Version::default()).map(|(snapshot, _)| snapshot)
    }

    /// Reads a file as [`from_bytes`](Snapshot::from_bytes) does. Returns also where it ends.
    pub(crate) fn read(
        bytes: &[u8],
        limits: &Limits,
        by: Version,
    ) -> Result<(Snapshot, usize), RdbError> {
        let mut reader = Reader::new(bytes);
        let profile = by.profile();
        let version = version(&mut reader, profile.rdb, limits)?;
        let mut snapshot = Snapshot { version: by, ..Snapshot::default() };
        let mut database = 0;
        let (mut expires_at, mut idle, mut frequency) = (None, None, None);
        loop {
            match reader.byte()? {
                part::EXPIRES => {
                    expires_at = Some(i64::from(i32::from_le_bytes(reader.array()?)) * 1_000);
                }
                part::EXPIRES_MS => expires_at = Some(i64::from_le_bytes(reader.array()?)),
                part::IDLE => idle = Some(reader.length()?),
                part::FREQUENCY => frequency = Some(reader.byte()?),
                part::DATABASE => {
                    let number = usize::try_from(reader.length()?);
                    database = number.map_err(|_| reader.error("no database has this number"))?;
                }
                part::SIZE => {
                    reader.length()?;
                    reader.length()?;
                }
                part::FIELD => {
                    let (name, value) = (reader.string()?, reader.string()?);
                    snapshot.fields.push((Sds::new(&name), Sds::new(&value)));
                }
                part::FUNCTION => snapshot.libraries.push(Sds::new(&reader.string()?)),
                part::OLD_FUNCTION => snapshot.libraries.push(old_library(&mut reader)?),
                part::MODULE => return Err(reader.error("the file has data of a module")),
                part::END => break,
                of => {
                    let key = Sds::new(&reader.string()?);
                    if let Some(value) = decode::value(&mut reader, of, limits, profile)? {
                        snapshot.records.push(Record {
                            database,
                            key,
                            value,
                            expires_at,
                            idle,
                            frequency,
                        });
                    }
                    (expires_at, idle, frequency) = (None, None, None);
                }
            }
        }
        if version >= 5 {
            let checked = reader.at();
            let checksum = u64::from_le_bytes(reader.array()?);
            // A server without checksums writes 0.
            if checksum != 0 && checksum != crc64(&bytes[..checked]) {
                return Err(reader.error("the checksum is wrong"));
            }
        }
        Ok((snapshot, reader.at()))
    }
}

/// The words that RDB files begin with.
const MAGIC: [&[u8]; 2] = [b"REDIS", b"VALKEY"];

/// Returns whether a file begins as an RDB file does.
pub(crate) fn is_rdb(file: &[u8]) -> bool {
    MAGIC.iter().any(|word| file.starts_with(word))
}

fn version(reader: &mut Reader<'_>, rdb: Rdb, limits: &Limits) -> Result<u16, RdbError> {
    let magic: [u8; 9] = reader.array()?;
    let known = MAGIC.iter().find_map(|word| Some((*word, magic.strip_prefix(*word)?)));
    let (word, digits) =
        known.ok_or_else(|| RdbError::new(0, "the file does not begin with REDIS or VALKEY"))?;
    let version = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    let is_read = |version| rdb.reads_file(word == MAGIC[1], version, limits.relaxed_rdb);
    match version {
        Some(version) if version > 0 && is_read(version) => Ok(version),
        Some(_) | None => Err(reader.error("the version of the file is not known")),
    }
}

/// Reads a library as the release candidates of 7.0 wrote it: name, engine, description and code.
fn old_library(reader: &mut Reader<'_>) -> Result<Sds, RdbError> {
    let (name, engine) = (reader.string()?, reader.string()?);
    if reader.length()? != 0 {
        reader.string()?;
    }
    let code = reader.string()?;
    let parts: [&[u8]; 6] = [b"#!", &engine, b" name=", &name, b"\n", &code];
    Ok(parts.concat().into())
}
