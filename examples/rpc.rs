//! RabbitMQ's sixth tutorial, remote procedure calls: a callback queue and correlation ids, with
//! plain channel methods. A server that dies between its reply and its acknowledgement causes a
//! second reply, which the client must ignore.
//!
//! `cargo run --example rpc -- --seed 1`

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Connection, ConsumeOptions, Error};
use stunt_double::rabbitmq::{Properties, QueueOptions, RabbitMq};
use stunt_double::sim::{Node, Sim};

fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

/// Answers requests one at a time. `replied` is true between a reply and its acknowledgement.
async fn serve(node: Node, (rabbit, replied): (RabbitMq, Arc<AtomicBool>)) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("rpc_queue", QueueOptions::default()).await?;
    channel.basic_qos(1, false).await?;
    let mut requests = channel.basic_consume("rpc_queue", ConsumeOptions::default()).await?;
    while let Some(request) = requests.next().await {
        let request = request?;
        let n: u64 = request.text().parse().expect("a request is a number");
        node.note(format!("fib({n})"));
        node.sleep(Duration::from_millis(10 * n)).await;
        let reply_to = request.properties().reply_to().unwrap_or_default();
        let id = request.properties().correlation_id().unwrap_or_default();
        let properties = Properties::default().with_correlation_id(id);
        channel.basic_publish("", reply_to, properties, fib(n).to_string())?;
        replied.store(true, Relaxed);
        node.sleep(Duration::from_millis(1)).await;
        request.ack()?;
        replied.store(false, Relaxed);
    }
    Ok(())
}

/// Calls `fib` with each number, and returns when all calls are answered and a second has passed
/// without another reply.
async fn call(node: Node, rabbit: RabbitMq, numbers: &[u64]) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    let options = QueueOptions { exclusive: true, ..Default::default() };
    let callback = channel.queue_declare("", options).await?.queue;
    let options = ConsumeOptions { no_ack: true, ..Default::default() };
    let mut replies = channel.basic_consume(&callback, options).await?;

    let mut pending = BTreeMap::new();
    for (id, n) in numbers.iter().enumerate() {
        let id = format!("call-{id}");
        let properties = Properties::default().with_reply_to(&*callback).with_correlation_id(&*id);
        channel.basic_publish("", "rpc_queue", properties, n.to_string())?;
        pending.insert(id, *n);
    }
    let stranger = Properties::default().with_correlation_id("somebody-else");
    channel.basic_publish("", &callback, stranger, "42")?;

    while let Ok(Some(reply)) = node.timeout(Duration::from_secs(1), replies.next()).await {
        let reply = reply?;
        let id = reply.properties().correlation_id().unwrap_or_default().to_owned();
        match pending.remove(&id) {
            Some(n) => {
                node.note(format!("{id}: fib({n}) = {}", reply.text()));
                assert_eq!(reply.text(), fib(n).to_string());
            }
            None => node.note(format!("{id}: nobody waits for this, dropped")),
        }
    }
    assert!(pending.is_empty(), "unanswered: {pending:?}");
    Ok(())
}

/// Runs two servers and a client; returns the client's notes.
fn story(title: &str, numbers: &'static [u64], kill: bool) -> Vec<String> {
    common::heading(title);
    let mut sim = Sim::new(common::seed());
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    for name in ["server-1", "server-2"] {
        let flag = Arc::new(AtomicBool::new(false));
        let server = sim.daemon_with(name, (rabbit.clone(), Arc::clone(&flag)), serve);
        if kill && name == "server-1" {
            sim.when(move || flag.load(Relaxed), move || server.kill());
        }
    }
    sim.run().expect_done();
    sim.node_with("client", rabbit, move |node, rabbit| call(node, rabbit, numbers));
    sim.run().expect_done();
    print!("{}", sim.trace().notes());
    let trace = sim.trace();
    let client = trace.events().filter(|event| &*event.who == "client");
    client.map(|event| event.kind.to_string()).collect()
}

fn main() {
    let said = story("two servers, three calls", &[30, 10, 20], false);
    assert!(said.contains(&"call-0: fib(30) = 832040".to_owned()));
    assert!(said.contains(&"somebody-else: nobody waits for this, dropped".to_owned()));

    let said = story("server-1 dies after its reply and before its ack", &[30], true);
    assert!(said.contains(&"call-0: fib(30) = 832040".to_owned()));
    assert!(said.contains(&"call-0: nobody waits for this, dropped".to_owned()));
}
