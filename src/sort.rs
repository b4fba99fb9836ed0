//! Sorting off the hot path.
//!
//! The standard library's sort is compiled anew for every type and every comparison, and is large.
//! Here only indices are sorted, so that all callers share one copy of it, which keeps the build
//! short.

use std::cmp::Ordering;

/// Sorts stably by a comparison. It allocates, and takes longer than `slice::sort_by`: on the hot
/// path use that.
pub(crate) fn sort_by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let order = order(items.len(), &|a, b| compare(&items[a], &items[b]));
    let mut slots: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(
        order
            .into_iter()
            .map(|index| slots[index].take().expect("an order names every index once")),
    );
}

/// Sorts stably by a key, which is made for every comparison; see [`sort_by`].
pub(crate) fn sort_by_key<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

fn order(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_keep_their_order() {
        let mut items: Vec<(u32, usize)> = (0..100).map(|i| (i * 7 % 5, i as usize)).collect();
        let mut expected = items.clone();
        expected.sort_by_key(|(key, _)| *key);
        sort_by_key(&mut items, |(key, _)| *key);
        assert_eq!(items, expected);
    }
}
