//! kora-core: the store of one shard, without the threads and queues that its engine puts before
//! it. Commands are values that own their words. It has no bytes of Redis (another crate has), no
//! transactions and no persistence.

use kora_core::command::Command;
use kora_core::shard::ShardStore;
use std::hint::black_box;
use stunt_double_peers::{Batch, KEYS, Scattered, VALUE, keys, repeated, run};

fn store(count: u64) -> (ShardStore, Vec<String>) {
    let (mut store, keys) = (ShardStore::new(0), keys(count));
    for key in &keys {
        store.set_bytes(key.as_bytes(), VALUE.as_bytes(), None, None, false, false);
    }
    (store, keys)
}

fn get(count: u64) -> Batch {
    let ((mut store, keys), mut walk) = (store(count), Scattered::over(count));
    repeated(move || {
        black_box(store.get_bytes(keys[walk.step()].as_bytes()));
    })
}

fn set(count: u64) -> Batch {
    let ((mut store, keys), mut walk) = (store(count), Scattered::over(count));
    repeated(move || {
        let key = keys[walk.step()].as_bytes();
        black_box(store.set_bytes(key, VALUE.as_bytes(), None, None, false, false));
    })
}

fn incr() -> Batch {
    let mut store = ShardStore::new(0);
    repeated(move || {
        black_box(store.incr_by_bytes(b"counter", 1));
    })
}

fn lpush() -> Batch {
    let mut store = ShardStore::new(0);
    repeated(move || {
        let (key, values) = (b"list".to_vec(), vec![VALUE.as_bytes().to_vec()]);
        black_box(store.execute(Command::LPush { key, values }));
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
