//! The order of found members, also of those at the same distance.
//!
//! All members are merge-sorted, which is stable. If only the first are wanted, the server uses a
//! quicksort that skips what it does not need and does not keep the order of equal members
//! ("Engineering a sort function", 1993). The comparison treats a distance
//! that is not a number as less than any, in both places, which is no order; neither algorithm
//! minds.
//!
//! Source: `geo.c`, `pqsort.c`.

use super::{Found, Order};
use std::cmp::Ordering;

/// Sorts the members, or at least the first `wanted` of them.
pub(super) fn sort(found: &mut Vec<Found>, order: Order, wanted: usize) {
    let compare = |a: &Found, b: &Found| {
        let ascending = match (a.distance > b.distance, a.distance == b.distance) {
            (true, _) => Ordering::Greater,
            (false, true) => Ordering::Equal,
            (false, false) => Ordering::Less,
        };
        match order {
            Order::Nearest => ascending,
            Order::Farthest => ascending.reverse(),
        }
    };
    if wanted == found.len() {
        let all = std::mem::take(found);
        *found = merge_sorted(all, &compare);
    } else if wanted > 0 {
        partial_sort(found, &compare, wanted - 1);
    }
}

/// Sorts from the top down, the smaller half first.
fn merge_sorted<T>(mut items: Vec<T>, compare: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if items.len() <= 1 {
        return items;
    }
    let right = items.split_off(items.len() / 2);
    let mut merged = Vec::with_capacity(items.len() + right.len());
    let mut left = merge_sorted(items, compare).into_iter().peekable();
    let mut right = merge_sorted(right, compare).into_iter().peekable();
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let from = if compare(a, b).is_le() { &mut left } else { &mut right };
        merged.extend(from.next());
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// Puts the items up to index `last` into their places.
fn partial_sort<T>(mut items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering, last: usize) {
    // Number of items before this part.
    let mut before = 0;
    loop {
        let n = items.len();
        if n < 7 {
            return insertion_sort(items, compare);
        }
        items.swap(0, pivot(items, compare));
        let (less, greater) = partition(items, compare);
        if less > 1 && before <= last {
            partial_sort(&mut items[..less], compare, last - before);
        }
        if greater <= 1 || before + n - greater > last {
            return;
        }
        before += n - greater;
        items = &mut items[n - greater..];
    }
}

fn insertion_sort<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Returns the index of the item to divide by: the middle one, or a median of three, or one of
/// nine.
fn pivot<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let less = |a: usize, b: usize| compare(&items[a], &items[b]).is_lt();
    let greater = |a: usize, b: usize| compare(&items[a], &items[b]).is_gt();
    let median = |a: usize, b: usize, c: usize| {
        if less(a, b) {
            if less(b, c) {
                b
            } else if less(a, c) {
                c
            } else {
                a
            }
        } else if greater(b, c) {
            b
        } else if less(a, c) {
            a
        } else {
            c
        }
    };
    let n = items.len();
    let (mut low, mut middle, mut high) = (0, n / 2, n - 1);
    if n == 7 {
        return middle;
    }
    if n > 40 {
        let step = n / 8;
        low = median(low, low + step, low + 2 * step);
        middle = median(middle - step, middle, middle + step);
        high = median(high - 2 * step, high - step, high);
    }
    median(low, middle, high)
}

/// Divides by the first item: the less, the equal, the greater. Returns the number of those that
/// are less and of those that are greater.
fn partition<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let n = items.len();
    // Equal items are gathered at both ends: before `a`, and from `d` on. Between `b` and `c` lie
    // those that are not yet compared.
    let (mut a, mut b, mut c, mut d) = (1, 1, n, n);
    loop {
        while b < c {
            match compare(&items[b], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(a, b);
                    a += 1;
                }
                Ordering::Less => {}
            }
            b += 1;
        }
        while b < c {
            match compare(&items[c - 1], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    d -= 1;
                    items.swap(c - 1, d);
                }
                Ordering::Greater => {}
            }
            c -= 1;
        }
        if b >= c {
            break;
        }
        items.swap(b, c - 1);
        b += 1;
        c -= 1;
    }
    let (less, greater) = (b - a, d - c);
    exchange(items, 0, b, a.min(less));
    exchange(items, b, n, greater.min(n - d));
    (less, greater)
}

/// Swaps the first `count` items from `begin` on with the last `count` before `end`.
fn exchange<T>(items: &mut [T], begin: usize, end: usize, count: usize) {
    for at in 0..count {
        items.swap(begin + at, end - count + at);
    }
}
