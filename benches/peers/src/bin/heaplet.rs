//! heaplet: typed values, encoded with `bincode`. It has no bytes of Redis, no clients, no
//! transactions and no persistence.

use heaplet::Store;
use std::hint::black_box;
use stunt_double_peers::{Batch, KEYS, Scattered, VALUE, keys, repeated, run};

fn store(count: u64) -> (Store, Vec<String>) {
    let (store, keys) = (Store::new(), keys(count));
    for key in &keys {
        store.kv().set(key, &VALUE).expect("it is kept");
    }
    (store, keys)
}

fn get(count: u64) -> Batch {
    let ((store, keys), mut walk) = (store(count), Scattered::over(count));
    repeated(move || {
        let value: Option<String> = store.kv().get(&keys[walk.step()]).expect("a text");
        black_box(value);
    })
}

fn set(count: u64) -> Batch {
    let ((store, keys), mut walk) = (store(count), Scattered::over(count));
    repeated(move || {
        store.kv().set(&keys[walk.step()], &VALUE).expect("it is kept");
    })
}

fn incr() -> Batch {
    let store = Store::new();
    repeated(move || {
        black_box(store.kv().incr("counter").expect("a number"));
    })
}

fn lpush() -> Batch {
    let store = Store::new();
    repeated(move || {
        black_box(store.list("list").lpush(&VALUE).expect("a list"));
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
    ]);
}
