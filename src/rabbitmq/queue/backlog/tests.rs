//! Tests of the backlog.

use super::*;
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::protocol::properties::Properties;
use crate::rabbitmq::version::Version;
use bytes::Bytes;
use smol_str::SmolStr;
use std::sync::Arc;

fn entry(position: u64) -> Entry {
    with_priority(position, 0)
}

fn with_priority(position: u64, priority: u8) -> Entry {
    let properties = Properties::default().with_priority(priority);
    let body = Bytes::from_static(b"ab");
    let message = Message::new(None, SmolStr::default(), properties, body);
    Entry::new(Arc::new(message), Position(position))
}

fn positions(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|e| e.position().0).collect()
}

fn backlog(n: u64) -> Backlog {
    let mut backlog = Backlog::default();
    for position in 0..n {
        backlog.push(entry(position));
    }
    backlog
}

#[test]
fn a_message_returns_to_its_place() {
    let mut backlog = backlog(5);
    let mut held: Vec<Entry> = (0..3).map(|_| backlog.pop().unwrap()).collect();
    backlog.restore(vec![held.remove(1)]);
    assert_eq!(positions(&[backlog.pop().unwrap(), backlog.pop().unwrap()]), [1, 3]);
    backlog.restore(held);
    assert_eq!((backlog.len(), backlog.bytes()), (3, 6));
    assert_eq!(positions(&backlog.take_all()), [0, 2, 4]);
    assert!(backlog.is_empty());
}

#[test]
fn interleaved_returns_come_out_in_order() {
    let mut backlog = backlog(10);
    let (mut even, mut odd) = (Vec::new(), Vec::new());
    while let Some(entry) = backlog.pop() {
        if entry.position().0 % 2 == 0 { even.push(entry) } else { odd.push(entry) }
    }
    backlog.push(entry(10));
    backlog.restore(odd);
    backlog.restore(even);
    let all: Vec<u64> = backlog.iter().map(|entry| entry.position().0).collect();
    assert_eq!(all, (0..=10).collect::<Vec<_>>());
    for position in (0..=10).map(Position) {
        assert_eq!(backlog.front().map(Entry::position), Some(position));
        assert_eq!(backlog.pop().map(|entry| entry.position()), Some(position));
    }
    assert!(backlog.front().is_none());
}

#[test]
fn a_long_backlog_keeps_its_order() {
    let mut backlog = backlog(3 * PAGE as u64);
    assert!(backlog.has_pages());
    // Messages that come back late are younger than the line, and older than the pages behind it.
    let mut held: Vec<Entry> = (0..PAGE + 10).map(|_| backlog.pop().unwrap()).collect();
    let late = held.split_off(PAGE / 2);
    backlog.restore(held);
    backlog.push(entry(3 * PAGE as u64));
    while backlog.pop().unwrap().position().0 + 1 < PAGE as u64 / 2 {}
    backlog.restore(late);
    backlog.check().unwrap();
    assert_eq!(backlog.len(), 2 * PAGE + PAGE / 2 + 1);
    for position in PAGE as u64 / 2..=3 * PAGE as u64 {
        assert_eq!(backlog.front().map(Entry::position), Some(Position(position)));
        assert_eq!(backlog.pop().map(|entry| entry.position()), Some(Position(position)));
    }
    assert_eq!((backlog.pop().is_none(), backlog.rest.is_none()), (true, true));
}

#[test]
fn the_highest_level_goes_first_and_a_message_returns_to_its_own() {
    let mut backlog = Backlog::with_levels(3);
    for (position, priority) in [(0, 0), (1, 2), (2, 9), (3, 3), (4, 2)] {
        backlog.push(with_priority(position, priority));
    }
    let held: Vec<Entry> = (0..3).map(|_| backlog.pop().unwrap()).collect();
    assert_eq!(positions(&held), [2, 3, 1]);
    let [_, three, one] = held.try_into().unwrap();
    backlog.restore(vec![one, three]);
    assert_eq!(backlog.iter().map(|e| e.position().0).collect::<Vec<_>>(), [3, 1, 4, 0]);
    assert_eq!((backlog.len(), backlog.bytes()), (4, 8));
    assert_eq!(positions(&backlog.take_all()), [3, 1, 4, 0]);
    assert_eq!((backlog.is_empty(), backlog.bytes()), (true, 0));
}

#[test]
fn a_quorum_queue_serves_two_classes_two_to_one() {
    let mut backlog = Backlog::of_quorum(&Version::V4_0.profile().quorum);
    let first = FIRST_OF_QUORUM.0;
    for (position, priority) in [(0, 5), (1, 5), (2, 0), (3, 4), (4, 9), (5, 5)] {
        backlog.push(with_priority(first + position, priority));
    }
    let order = |backlog: &Backlog| -> Vec<u64> {
        backlog.iter().map(|entry| entry.position().0 % first).collect()
    };
    assert_eq!(order(&backlog), [0, 1, 2, 4, 5, 3]);
    assert_eq!(backlog.pop().map(|entry| entry.position().0), Some(first));
    assert_eq!(order(&backlog), [1, 2, 4, 5, 3]);
    backlog.restore(vec![entry(7)]);
    assert_eq!(order(&backlog), [7, 1, 2, 4, 5, 3], "what was returned goes first");
    let all: Vec<u64> = backlog.take_all().iter().map(|e| e.position().0 % first).collect();
    assert_eq!((all, backlog.len()), (vec![7, 1, 2, 4, 5, 3], 0));
}

#[test]
fn a_quorum_queue_serves_ranks_from_the_highest_and_none_is_four() {
    let mut backlog = Backlog::of_quorum(&Version::V4_3.profile().quorum);
    let first = FIRST_OF_QUORUM.0;
    let plain = Message::new(None, SmolStr::default(), Properties::default(), Bytes::new());
    backlog.push(Entry::new(Arc::new(plain), Position(first)));
    for (position, priority) in [(1, 0), (2, 255), (3, 4), (4, 5), (5, 31), (6, 3)] {
        backlog.push(with_priority(first + position, priority));
    }
    backlog.restore(vec![with_priority(1, 0)]);
    let all: Vec<u64> = backlog.iter().map(|entry| entry.position().0 % first).collect();
    assert_eq!(all, [1, 2, 5, 4, 0, 3, 6, 1]);
    backlog.check().unwrap();
    let taken: Vec<u64> = backlog.take_all().iter().map(|e| e.position().0 % first).collect();
    assert_eq!(taken, all);
}
