//! sova-rabbit's `FakeBroker`: a map of queues behind a lock, asked for one message at a time. Its
//! acknowledgement does nothing, it has no connections, channels, consumers, prefetch or confirms,
//! and it has no time.

use bytes::Bytes;
use futures_executor::block_on;
use sova_rabbit::{Broker as _, Exchange, FakeBroker, QueueOpts};
use stunt_double_peers::{Batch, run};

const MESSAGES: u64 = 20_000;

/// A message is published to a direct exchange, taken from its queue and acknowledged.
fn rounds() -> Batch {
    let broker = FakeBroker::new();
    let exchange = Exchange::direct("work");
    block_on(async {
        broker.declare_exchange(&exchange).await.expect("it is declared");
        broker.declare_queue("q", &QueueOpts::default()).await.expect("it is declared");
        broker.bind("q", "work", "q").await.expect("it is bound");
    });
    let body = Bytes::from_static(&[0; 100]);
    Box::new(move || {
        block_on(async {
            for _ in 0..MESSAGES {
                broker.publish(&exchange, "q", body.clone()).await.expect("it is routed");
                let delivery = broker.consume_one("q").await.expect("the queue is there");
                delivery.expect("a message").ack().await.expect("it is taken");
            }
        });
        MESSAGES
    })
}

fn main() {
    run(&[("rounds", rounds)]);
}
