//! not_redis: an async client of a concurrent map on tokio. It has no bytes of Redis, no
//! transactions and no persistence, and no INCR.

use not_redis::Client;
use std::hint::black_box;
use stunt_double_peers::{Batch, KEYS, OPERATIONS, Scattered, VALUE, keys, run};
use tokio::runtime::{Builder, Runtime};

fn client(count: u64) -> (Runtime, Client, Vec<String>) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut client, keys) = (Client::new(), keys(count));
    runtime.block_on(async {
        client.start().await;
        for key in &keys {
            client.set(key.clone(), VALUE).await.expect("it is kept");
        }
    });
    (runtime, client, keys)
}

fn get(count: u64) -> Batch {
    let ((runtime, mut client, keys), mut walk) = (client(count), Scattered::over(count));
    Box::new(move || {
        runtime.block_on(async {
            for _ in 0..OPERATIONS {
                let value: String = client.get_str(&keys[walk.step()]).await.expect("a string");
                black_box(value);
            }
        });
        OPERATIONS
    })
}

fn set(count: u64) -> Batch {
    let ((runtime, mut client, keys), mut walk) = (client(count), Scattered::over(count));
    Box::new(move || {
        runtime.block_on(async {
            for _ in 0..OPERATIONS {
                client.set(keys[walk.step()].clone(), VALUE).await.expect("it is kept");
            }
        });
        OPERATIONS
    })
}

fn lpush() -> Batch {
    let (runtime, mut client, _) = client(0);
    Box::new(move || {
        runtime.block_on(async {
            for _ in 0..OPERATIONS {
                black_box(client.lpush("list", VALUE).await.expect("a list"));
            }
        });
        OPERATIONS
    })
}

fn main() {
    run(&[
        ("get", || get(1)),
        ("set", || set(1)),
        ("get-many", || get(KEYS)),
        ("set-many", || set(KEYS)),
        ("lpush", lpush),
    ]);
}
