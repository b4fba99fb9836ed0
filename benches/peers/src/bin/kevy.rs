//! kevy-embedded: typed operations on shards behind locks, and `dispatch_argv`, which takes words
//! and writes a reply as bytes. In memory only here: what it can keep on disk is off by default.

use kevy_embedded::{Config, Store};
use std::hint::black_box;
use stunt_double_peers::{Batch, KEYS, Scattered, VALUE, keys, repeated, run};

fn store(count: u64) -> (Store, Vec<String>) {
    let store = Store::open(Config::default()).expect("it needs no disk");
    let keys = keys(count);
    for key in &keys {
        store.set(key.as_bytes(), VALUE.as_bytes()).expect("it is kept");
    }
    (store, keys)
}

fn get(count: u64) -> Batch {
    let ((store, keys), mut walk) = (store(count), Scattered::over(count));
    repeated(move || {
        black_box(store.get(keys[walk.step()].as_bytes()).expect("a string"));
    })
}

fn set(count: u64) -> Batch {
    let ((store, keys), mut walk) = (store(count), Scattered::over(count));
    repeated(move || {
        let key = keys[walk.step()].as_bytes();
        black_box(store.set(key, VALUE.as_bytes()).expect("it is kept"));
    })
}

fn incr() -> Batch {
    let (store, _) = store(0);
    repeated(move || {
        black_box(store.incr(b"counter").expect("a number"));
    })
}

fn lpush() -> Batch {
    let (store, _) = store(0);
    repeated(move || {
        black_box(store.lpush(b"list", &[VALUE.as_bytes()]).expect("a list"));
    })
}

/// Words in, bytes out. The words are made before.
fn dispatch(words: &[&str]) -> Batch {
    let (store, _) = store(1);
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    let mut out = Vec::new();
    repeated(move || {
        out.clear();
        store.dispatch_argv(&words, &mut out);
        black_box(&out);
    })
}

fn main() {
    run(&[
        ("get", || get(1)),
        ("set", || set(1)),
        ("get-many", || get(KEYS)),
        ("set-many", || set(KEYS)),
        ("incr", incr),
        ("lpush", lpush),
        ("get-words", || dispatch(&["GET", "key:000000000000"])),
        ("set-words", || dispatch(&["SET", "key:000000000000", VALUE])),
        ("incr-words", || dispatch(&["INCR", "counter"])),
        ("lpush-words", || dispatch(&["LPUSH", "list", VALUE])),
    ]);
}
