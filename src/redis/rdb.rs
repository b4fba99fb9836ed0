//! The formats in which Redis writes values: RDB files, the payloads of `DUMP`, and append-only
//! files. All of them are bytes here; nothing reads or writes a file.
//!
//! The bytes are those that the imitated version writes, one by one: of 7.0.15, RDB version 10,
//! with strings that are numbers stored as such, longer ones compressed by LZF, and compact values
//! as listpacks or intsets. Exceptions: the members of a hash table stand in an order that Redis
//! leaves open, the nodes of a list are those that pushes at one end would make, and an intset is
//! as narrow as its members allow.
//!
//! Reading also accepts older versions: everything that the server reads, except for modules.
//! Bytes that are corrupt are an [`RdbError`], never a panic, and never need more memory than a
//! small multiple of their length. All of a value is checked, as with `sanitize-dump-payload yes`.
//!
//! Source: `rdb.c`, `aof.c`, and experiments with the server.

// `writer` and `reader` have the parts that everything is made of. `encode` and `decode` have the
// values, `hash` and `stream` those of these types. `payload` has what `DUMP` adds to a value,
// `snapshot` has whole files. `crc64` and `lzf` are algorithms, and `listpack`, `ziplist`,
// `zipmap` and `intset` are the compact arrays.

mod append_only;
mod crc64;
mod decode;
mod encode;
mod error;
mod hash;
mod intset;
mod listpack;
mod lzf;
mod parts;
mod payload;
mod reader;
mod snapshot;
mod stream;
mod writer;
mod ziplist;
mod zipmap;

pub use append_only::append_only_file;
pub(crate) use append_only::append_only_file_for;
pub(crate) use append_only::{AppendOnly, Next, write_command};
pub use error::RdbError;
pub(crate) use payload::PayloadError;
pub(crate) use payload::{dump, length, restore};
#[cfg(feature = "lua")]
pub(crate) use payload::{dump_libraries, restore_libraries};
pub(crate) use snapshot::is_rdb;
pub use snapshot::{Record, Snapshot};

/// The numbers of the types of values.
pub(crate) mod kind {
    pub(crate) const STRING: u8 = 0;
    pub(crate) const LIST: u8 = 1;
    pub(crate) const SET: u8 = 2;
    pub(crate) const ZSET: u8 = 3;
    pub(crate) const HASH: u8 = 4;
    pub(crate) const ZSET_2: u8 = 5;
    pub(crate) const HASH_ZIPMAP: u8 = 9;
    pub(crate) const LIST_ZIPLIST: u8 = 10;
    pub(crate) const SET_INTSET: u8 = 11;
    pub(crate) const ZSET_ZIPLIST: u8 = 12;
    pub(crate) const HASH_ZIPLIST: u8 = 13;
    pub(crate) const LIST_QUICKLIST: u8 = 14;
    pub(crate) const STREAM_LISTPACKS: u8 = 15;
    pub(crate) const HASH_LISTPACK: u8 = 16;
    pub(crate) const ZSET_LISTPACK: u8 = 17;
    pub(crate) const LIST_QUICKLIST_2: u8 = 18;
    pub(crate) const STREAM_LISTPACKS_2: u8 = 19;
    pub(crate) const SET_LISTPACK: u8 = 20;
    pub(crate) const STREAM_LISTPACKS_3: u8 = 21;
    /// Of Valkey, which gives the numbers from here on to other types than Redis does.
    pub(crate) const HASH_2: u8 = 22;
    pub(crate) const HASH_METADATA: u8 = 24;
    pub(crate) const HASH_LISTPACK_EX: u8 = 25;
    pub(crate) const STREAM_LISTPACKS_4: u8 = 26;
}
