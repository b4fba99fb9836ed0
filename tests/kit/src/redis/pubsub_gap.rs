//! A subscriber loses its connection and subscribes again. What was published in between is gone,
//! because pub/sub keeps nothing. The fix also keeps the messages in a list, and reads from there
//! what it has not seen whenever it has subscribed.

use super::ms;
use crate::{Bug, Planted};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::redis::{self, Client, Error, Redis, ServerOptions, Subscription};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "pub/sub gap at reconnect",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("connections of subscriber"),
};

const MESSAGES: usize = 6;

type Seen = Arc<Mutex<BTreeSet<String>>>;

async fn listen(node: &Node, redis: &Redis, seen: &Seen, fixed: bool) -> Result<(), Error> {
    let mut subscription = Subscription::connect(node, redis).await?;
    subscription.subscribe(["news"]).await?;
    if fixed {
        let client = Client::connect(node, redis).await?;
        let missed: Vec<String> = client.call_as(["LRANGE", "news:log", "0", "-1"]).await?;
        seen.lock().expect("one thread").extend(missed);
    }
    while let Some(message) = subscription.next().await {
        let text = message?.text();
        node.note(format_args!("sees {text}"));
        seen.lock().expect("one thread").insert(text);
    }
    Ok(())
}

async fn subscriber(node: Node, (redis, seen): (Redis, Seen), fixed: bool) {
    loop {
        drop(listen(&node, &redis, &seen, fixed).await);
        node.sleep(ms(10)).await;
    }
}

async fn publisher(node: Node, redis: Redis) -> Result<(), Error> {
    let client = Client::connect(&node, &redis).await?;
    node.sleep(ms(50)).await;
    for number in 0..MESSAGES {
        let text = format!("news {number}");
        client.call(["RPUSH", "news:log", &text]).await?;
        client.call(["PUBLISH", "news", &text]).await?;
        node.sleep(ms(5)).await;
    }
    // Time for the subscriber to come back.
    node.sleep(ms(500)).await;
    Ok(())
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    let seen = Seen::default();
    let handles = (redis.clone(), Arc::clone(&seen));
    let node = sim
        .daemon_with("subscriber", handles, move |node, handles| subscriber(node, handles, fixed));
    sim.node_with("publisher", redis.clone(), publisher);
    let plan = Chaos::new().sever(&node.link(&redis));
    plan.run_then_heal(sim, Duration::from_secs(30)).expect_done();
    match seen.lock().expect("one thread").len() {
        MESSAGES => Ok(()),
        seen => Err(format!("{seen} of {MESSAGES} messages seen")),
    }
}
