//! Conversions of replies into the caller's types.
//!
//! The rules are those of the `redis` crate. Numbers are read from integers, doubles and text. Text
//! is read from any reply that has one. A null is `None`, an empty collection, or an error for any
//! other type. Pairs are read from maps and from flat arrays alike, since RESP2 has no maps.
//! Nothing is cut or rounded silently: a number out of range is an error.

use crate::redis::reply::Reply;
use crate::redis::value::number;
use crate::redis::value::{Sds, StreamEntry, StreamId};
use crate::redis::version::Numbers;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{BuildHasher, Hash};

/// A reply that cannot be read as the requested type.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvertError {
    /// The reply, or the part of it that does not fit.
    pub reply: Reply,
    /// The requested type, such as `an i64`.
    pub wanted: &'static str,
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConvertError { reply, wanted } = self;
        write!(f, "the reply {reply} is not {wanted}")
    }
}

impl std::error::Error for ConvertError {}

impl ConvertError {
    fn new(reply: Reply, wanted: &'static str) -> ConvertError {
        ConvertError { reply, wanted }
    }
}

/// A type that a reply can be read as; see [`Client::call_as`](super::Client::call_as).
///
/// It is implemented for `()`, integers, floats, `bool`, `String`, [`Bytes`], `Vec<u8>` and
/// [`Reply`], for [`StreamId`] and [`StreamEntry`], and for `Option`, `Vec`, tuples, sets and maps
/// of them.
///
/// ```
/// use std::collections::BTreeMap;
/// use stunt_double::redis::{FromReply, Reply};
///
/// let reply = Reply::bulks(["ann", "10", "bob", "20"]);
/// let scores = BTreeMap::<String, u32>::from_reply(reply)?;
/// assert_eq!(scores["bob"], 20);
/// # Ok::<(), stunt_double::redis::ConvertError>(())
/// ```
pub trait FromReply: Sized {
    /// Reads a reply.
    ///
    /// # Errors
    ///
    /// [`ConvertError`] if the reply has no such value.
    fn from_reply(reply: Reply) -> Result<Self, ConvertError>;

    /// Reads the bytes of a string as a `Vec` of this type. Only `u8` can do that, so that
    /// `Vec<u8>` reads as the bytes.
    #[doc(hidden)]
    fn from_bytes(bytes: &Bytes) -> Option<Vec<Self>> {
        let _ = bytes;
        None
    }
}

impl FromReply for Reply {
    fn from_reply(reply: Reply) -> Result<Reply, ConvertError> {
        Ok(reply)
    }
}

/// Accepts any reply.
impl FromReply for () {
    fn from_reply(_: Reply) -> Result<(), ConvertError> {
        Ok(())
    }
}

/// Returns the digits of a number, if the reply is text.
fn digits(reply: &Reply) -> Option<&str> {
    match reply {
        Reply::BigNumber(digits) => Some(digits),
        other => other.as_text(),
    }
}

macro_rules! integers {
    ($($type:ty, $wanted:literal;)*) => {$(
        impl FromReply for $type {
            fn from_reply(reply: Reply) -> Result<$type, ConvertError> {
                let value = match &reply {
                    Reply::Integer(n) => <$type>::try_from(*n).ok(),
                    Reply::Boolean(yes) => Some(<$type>::from(*yes)),
                    other => digits(other).and_then(|text| text.parse().ok()),
                };
                value.ok_or_else(|| ConvertError::new(reply, $wanted))
            }
        }

        impl TryFrom<Reply> for $type {
            type Error = ConvertError;

            fn try_from(reply: Reply) -> Result<$type, ConvertError> {
                <$type>::from_reply(reply)
            }
        }
    )*};
}

integers! {
    i8, "an i8";
    i16, "an i16";
    i32, "an i32";
    i64, "an i64";
    i128, "an i128";
    isize, "an isize";
    u16, "a u16";
    u32, "a u32";
    u64, "a u64";
    u128, "a u128";
    usize, "a usize";
}

impl FromReply for u8 {
    fn from_reply(reply: Reply) -> Result<u8, ConvertError> {
        let value = u64::from_reply(reply.clone()).ok();
        value.and_then(|n| n.try_into().ok()).ok_or_else(|| ConvertError::new(reply, "a u8"))
    }

    fn from_bytes(bytes: &Bytes) -> Option<Vec<u8>> {
        Some(bytes.to_vec())
    }
}

impl FromReply for f64 {
    fn from_reply(reply: Reply) -> Result<f64, ConvertError> {
        let value = match &reply {
            Reply::Double(x) | Reply::Coordinate(x) => Some(*x),
            #[expect(clippy::cast_precision_loss, reason = "as the integer's text would be read")]
            Reply::Integer(n) => Some(*n as f64),
            other => digits(other).and_then(|text| text.parse().ok()),
        };
        value.ok_or_else(|| ConvertError::new(reply, "a float"))
    }
}

impl FromReply for f32 {
    fn from_reply(reply: Reply) -> Result<f32, ConvertError> {
        f64::from_reply(reply).map(|x| x as f32)
    }
}

/// An integer is true if it is not 0. A null and the text `0` are false; the texts `1` and `OK` are
/// true.
impl FromReply for bool {
    fn from_reply(reply: Reply) -> Result<bool, ConvertError> {
        match &reply {
            Reply::Boolean(yes) => Ok(*yes),
            Reply::Integer(n) => Ok(*n != 0),
            Reply::Nil | Reply::NilArray => Ok(false),
            other => match other.as_bytes() {
                Some(b"1" | b"OK") => Ok(true),
                Some(b"0") => Ok(false),
                _ => Err(ConvertError::new(reply, "a bool")),
            },
        }
    }
}

impl FromReply for Bytes {
    fn from_reply(reply: Reply) -> Result<Bytes, ConvertError> {
        match reply {
            Reply::Bulk(bytes) | Reply::Verbatim(_, bytes) => Ok(bytes),
            Reply::Simple(text) | Reply::BigNumber(text) => {
                Ok(Bytes::copy_from_slice(text.as_bytes()))
            }
            Reply::Integer(n) => Ok(n.to_string().into()),
            Reply::Coordinate(x) => Ok(number::format_coordinate(x, Numbers::default()).into()),
            Reply::Double(x) => Ok(number::format_double(x).to_vec().into()),
            other => Err(ConvertError::new(other, "a string")),
        }
    }
}

impl FromReply for String {
    fn from_reply(reply: Reply) -> Result<String, ConvertError> {
        let bytes = Bytes::from_reply(reply.clone())?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(ConvertError::new(reply, "UTF-8")),
        }
    }
}

macro_rules! try_from {
    ($($type:ty),*) => {$(
        impl TryFrom<Reply> for $type {
            type Error = ConvertError;

            fn try_from(reply: Reply) -> Result<$type, ConvertError> {
                <$type>::from_reply(reply)
            }
        }
    )*};
}

try_from!(u8, f64, f32, bool, Bytes, String);

impl FromReply for StreamId {
    fn from_reply(reply: Reply) -> Result<StreamId, ConvertError> {
        let id = reply.as_bytes().and_then(|text| StreamId::parse(text, 0));
        id.ok_or_else(|| ConvertError::new(reply, "the id of a stream's entry"))
    }
}

/// Reads an entry as `XRANGE`, `XREAD` and similar commands return it. An entry that is pending
/// although it was deleted has no fields.
impl FromReply for StreamEntry {
    fn from_reply(reply: Reply) -> Result<StreamEntry, ConvertError> {
        let (id, fields) = <(StreamId, Vec<Bytes>)>::from_reply(reply)?;
        let pairs = fields.chunks_exact(2);
        let fields = pairs.map(|pair| (Sds::new(&pair[0]), Sds::new(&pair[1]))).collect();
        Ok(StreamEntry { id, fields })
    }
}

impl<T: FromReply> FromReply for Option<T> {
    fn from_reply(reply: Reply) -> Result<Option<T>, ConvertError> {
        if reply.is_nil() { Ok(None) } else { T::from_reply(reply).map(Some) }
    }
}

/// Returns the elements of a collection. Pairs become arrays of two; a null has no elements.
fn elements(reply: Reply, wanted: &'static str) -> Result<Vec<Reply>, ConvertError> {
    match reply {
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => Ok(items),
        Reply::Map(pairs) | Reply::Pairs(pairs) => {
            Ok(pairs.into_iter().map(|(key, value)| Reply::Array(vec![key, value])).collect())
        }
        Reply::Nil | Reply::NilArray => Ok(Vec::new()),
        other => Err(ConvertError::new(other, wanted)),
    }
}

impl<T: FromReply> FromReply for Vec<T> {
    fn from_reply(reply: Reply) -> Result<Vec<T>, ConvertError> {
        if let Reply::Bulk(bytes) = &reply
            && let Some(values) = T::from_bytes(bytes)
        {
            return Ok(values);
        }
        elements(reply, "an array")?.into_iter().map(T::from_reply).collect()
    }
}

/// Reads pairs from a map, from an array of arrays of two, or from an array of twice the length.
fn pairs<K: FromReply, V: FromReply>(reply: Reply) -> Result<Vec<(K, V)>, ConvertError> {
    const WANTED: &str = "pairs";
    let items = elements(reply, WANTED)?;
    let is_pair = |item: &Reply| item.as_array().is_some_and(|pair| pair.len() == 2);
    if items.iter().all(is_pair) {
        return items.into_iter().map(<(K, V)>::from_reply).collect();
    }
    if items.len() % 2 != 0 {
        return Err(ConvertError::new(Reply::Array(items), WANTED));
    }
    let mut items = items.into_iter();
    let mut pairs = Vec::with_capacity(items.len() / 2);
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((K::from_reply(key)?, V::from_reply(value)?));
    }
    Ok(pairs)
}

impl<K: FromReply + Ord, V: FromReply> FromReply for BTreeMap<K, V> {
    fn from_reply(reply: Reply) -> Result<BTreeMap<K, V>, ConvertError> {
        Ok(pairs(reply)?.into_iter().collect())
    }
}

impl<T: FromReply + Ord> FromReply for BTreeSet<T> {
    fn from_reply(reply: Reply) -> Result<BTreeSet<T>, ConvertError> {
        Ok(Vec::from_reply(reply)?.into_iter().collect())
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "the caller asks for it; nothing here iterates over it"
)]
impl<K, V, S> FromReply for std::collections::HashMap<K, V, S>
where
    K: FromReply + Eq + Hash,
    V: FromReply,
    S: BuildHasher + Default,
{
    fn from_reply(reply: Reply) -> Result<Self, ConvertError> {
        Ok(pairs(reply)?.into_iter().collect())
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "the caller asks for it; nothing here iterates over it"
)]
impl<T, S> FromReply for std::collections::HashSet<T, S>
where
    T: FromReply + Eq + Hash,
    S: BuildHasher + Default,
{
    fn from_reply(reply: Reply) -> Result<Self, ConvertError> {
        Ok(Vec::from_reply(reply)?.into_iter().collect())
    }
}

macro_rules! tuples {
    ($($count:literal: $($name:ident)*;)*) => {$(
        impl<$($name: FromReply),*> FromReply for ($($name,)*) {
            fn from_reply(reply: Reply) -> Result<Self, ConvertError> {
                const WANTED: &str = concat!("an array of ", $count);
                let items = elements(reply, WANTED)?;
                if items.len() != $count {
                    return Err(ConvertError::new(Reply::Array(items), WANTED));
                }
                let mut items = items.into_iter();
                Ok(($($name::from_reply(items.next().expect("the length was checked"))?,)*))
            }
        }
    )*};
}

tuples! {
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
}

/// Displays a command: its words, shortened where they are long.
pub(super) struct Words<'a>(pub(super) &'a [Bytes]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Long enough for a command and a key.
        const MOST: usize = 80;
        let mut words = self.0.iter();
        let mut text = String::from_utf8_lossy(words.next().map_or(&b""[..], |w| w)).to_uppercase();
        for word in words {
            if text.len() > MOST {
                text.push_str(" …");
                break;
            }
            text.push(' ');
            text.extend(word.escape_ascii().take(MOST).map(char::from));
        }
        f.write_str(&text)
    }
}
