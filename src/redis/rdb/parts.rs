//! Parts that values of several types share as RDB: compact arrays, and pairs of their elements.

use super::RdbError;
use super::reader::Reader;
use crate::redis::value::Sds;

pub(super) type Read<T> = Result<T, RdbError>;

/// Reads a string that contains a compact array.
pub(super) fn packed<T>(reader: &mut Reader<'_>, read: fn(&[u8]) -> Option<T>) -> Read<T> {
    let bytes = reader.string()?;
    read(&bytes).ok_or_else(|| reader.error("a compact value is corrupt"))
}

pub(super) fn duplicate(reader: &Reader<'_>) -> RdbError {
    reader.error("a value has an element twice")
}

/// Returns the elements in pairs.
pub(super) fn pairs<'e>(
    reader: &Reader<'_>,
    elements: &'e [Sds],
) -> Read<impl Iterator<Item = (&'e Sds, &'e Sds)> + use<'e>> {
    let (pairs, rest) = elements.as_chunks::<2>();
    if rest.is_empty() {
        Ok(pairs.iter().map(|[first, second]| (first, second)))
    } else {
        Err(reader.error("a compact value has half a pair"))
    }
}
