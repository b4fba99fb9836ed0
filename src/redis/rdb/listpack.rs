//! Listpacks as values are written in them: the elements of a whole array, as texts. The bytes are
//! those of `value/listpack.rs`.
//!
//! Source: `listpack.c`, `listpack.md`.

use crate::redis::value::Sds;
use crate::redis::value::listpack;

/// A listpack that is written.
#[derive(Debug, Default)]
pub(super) struct Listpack(listpack::Listpack);

impl Listpack {
    pub(super) fn new() -> Listpack {
        Listpack::default()
    }

    /// Returns the size so far, with the last byte.
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    /// Appends a string, as an integer if it is the text of one.
    pub(super) fn push(&mut self, text: &[u8]) {
        self.0.append(|to| to.text(text));
    }

    /// Returns the bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// Returns the elements, or `None` if the bytes are corrupt.
pub(super) fn elements(bytes: &[u8]) -> Option<Vec<Sds>> {
    let pack = listpack::Listpack::from_bytes(bytes.to_vec())?;
    let (mut elements, mut at) = (Vec::new(), pack.first());
    while at < pack.end() {
        let (element, next) = pack.get(at);
        elements.push(element.to_sds());
        at = next;
    }
    Some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn elements_come_back(
            numbers in prop::collection::vec(any::<i64>(), 0..20),
            shift in 0u32..64,
            lengths in prop::collection::vec(0usize..20_000, 0..4),
        ) {
            let mut texts: Vec<Vec<u8>> =
                numbers.iter().map(|n| (n >> shift).to_string().into_bytes()).collect();
            texts.extend(lengths.iter().map(|len| vec![b'x'; *len]));
            let mut listpack = Listpack::new();
            texts.iter().for_each(|text| listpack.push(text));
            let size = listpack.size();
            let bytes = listpack.finish();
            prop_assert_eq!(bytes.len(), size);
            let read: Vec<Vec<u8>> =
                elements(&bytes).unwrap().iter().map(|element| element.to_vec()).collect();
            prop_assert_eq!(read, texts);
        }

        #[test]
        fn no_bytes_cause_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if bytes.len() > 6 {
                let size = (bytes.len() as u32).to_le_bytes();
                bytes[..4].copy_from_slice(&size);
            }
            let _ = elements(&bytes);
        }
    }
}
