//! Why bytes are not a method.

use super::reader::TooShort;
use super::text::text;
use smol_str::SmolStr;

/// Why the bytes are not a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// There is no such method.
    Unknown,
    /// Too few octets, or too many.
    Shape,
    /// A name that is not UTF-8.
    Utf8,
    /// A table that cannot be read.
    Table,
}

impl From<TooShort> for Malformed {
    fn from(_: TooShort) -> Malformed {
        Malformed::Shape
    }
}

/// Returns a name, which must be UTF-8.
pub(super) fn name(bytes: &[u8]) -> Result<SmolStr, Malformed> {
    std::str::from_utf8(bytes).map(|_| text(bytes)).map_err(|_| Malformed::Utf8)
}
