//! The number of nodes of the radix trees in which Redis keeps ids.
//!
//! The tree itself is not modelled: an ordered map finds ids as well. Its number of nodes depends
//! only on which ids it has. There is a leaf for each, a node for each place where ids part, and one
//! for each stretch of bytes that is without a choice.
//!
//! Source: `rax.c`.

use super::StreamId;

/// Number of bytes of an id.
const DEPTH: usize = 16;

/// Returns the number of nodes of a tree with these ids, which are in order and different.
pub(crate) fn nodes(ids: impl IntoIterator<Item = StreamId>) -> usize {
    // The places where the path to the last id parts from others, by their depths. Each has counted
    // itself, but not yet the stretch above it.
    let mut path: Vec<usize> = Vec::new();
    let mut last: Option<[u8; DEPTH]> = None;
    let mut count = 0;
    // A byte at a parting leads to the next place, and a stretch has the bytes between.
    let stretch = |above: Option<&usize>, below: usize| {
        usize::from(below > above.map_or(0, |depth| depth + 1))
    };
    for id in ids {
        let bytes = id.to_bytes();
        count += 1;
        let Some(last) = last.replace(bytes) else {
            path.push(DEPTH);
            continue;
        };
        let parts_at = last.iter().zip(bytes).take_while(|(a, b)| *a == b).count();
        // What lies deeper than the parting is complete.
        while let Some(below) = path.pop_if(|depth| *depth > parts_at) {
            let above = path.last().copied().filter(|depth| *depth > parts_at);
            count += stretch(Some(&above.unwrap_or(parts_at)), below);
        }
        if path.last() != Some(&parts_at) {
            path.push(parts_at);
            count += 1;
        }
        path.push(DEPTH);
    }
    while let Some(below) = path.pop() {
        count += stretch(path.last(), below);
    }
    count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_of_small_trees() {
        let of = |ids: &[(u64, u64)]| nodes(ids.iter().map(|(ms, seq)| StreamId::new(*ms, *seq)));
        assert_eq!(of(&[]), 1);
        assert_eq!(of(&[(1, 1)]), 2);
        // A stretch, the parting, two leaves.
        assert_eq!(of(&[(1, 1), (1, 2)]), 4);
        assert_eq!(of(&[(1, 1), (1, 2), (1, 3)]), 5);
        // Two partings, a stretch above either, one from the first to a leaf, three leaves.
        assert_eq!(of(&[(1, 1), (1, 2), (2, 1)]), 8);
        // They part at the root.
        assert_eq!(of(&[(0, 1), (u64::MAX, 1)]), 5);
    }
}
