//! A program that retries, prioritises and buries messages in quorum queues.

use crate::over;
use std::future::Future;
use std::pin::Pin;
use stunt_double::rabbitmq::Version;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Connection, Error, ExchangeOptions};
use stunt_double::rabbitmq::{FieldTable, FieldValue, Properties, QueueOptions};
use stunt_double::sim::Sim;

/// Code with a channel.
type Run = fn(Channel) -> Pin<Box<dyn Future<Output = Result<String, Error>> + Send>>;

/// A way in which the application uses RabbitMQ: a name, the code, and what it expects to get.
struct Check {
    name: &'static str,
    run: Run,
    expects: &'static str,
}

const CHECKS: [Check; 6] = [
    Check {
        name: "a poison message that is nacked leaves its queue at the delivery limit",
        run: |channel| Box::pin(nacked(channel)),
        expects: "gone after 4 deliveries",
    },
    Check {
        name: "a message waits in a loop of requeues until its dependency is back, in round 50",
        run: |channel| Box::pin(requeued(channel)),
        expects: "done in round 50",
    },
    Check {
        name: "messages with and without priority leave in the order in which they came",
        run: |channel| Box::pin(in_order(channel)),
        expects: "low, plain, high",
    },
    Check {
        name: "a retry counter that the client carries over in x-death goes on",
        run: |channel| Box::pin(counter(channel)),
        expects: "count 8",
    },
    Check {
        name: "a dead letter is delivered as new",
        run: |channel| Box::pin(buried(channel)),
        expects: "redelivered: false",
    },
    Check {
        name: "an exchange of a type that does not exist closes the connection",
        run: |channel| Box::pin(unknown_type(channel)),
        expects: "closes the connection",
    },
];

/// Declares a quorum queue with some arguments.
async fn quorum(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), Error> {
    let arguments = arguments.with("x-queue-type", "quorum");
    let options = QueueOptions { durable: true, arguments, ..Default::default() };
    channel.queue_declare(name, options).await.map(drop)
}

fn send(channel: &Channel, queue: &str, properties: Properties, body: &str) -> Result<(), Error> {
    channel.basic_publish("", queue, properties, body.to_owned()).map(drop)
}

async fn nacked(channel: Channel) -> Result<String, Error> {
    quorum(&channel, "work", FieldTable::new().with("x-delivery-limit", 3)).await?;
    send(&channel, "work", Properties::default(), "poison")?;
    for delivery in 0..20 {
        let Some(message) = channel.basic_get("work", false).await? else {
            return Ok(format!("gone after {delivery} deliveries"));
        };
        message.nack(true)?;
    }
    Ok("still delivered after 20 deliveries".to_owned())
}

async fn requeued(channel: Channel) -> Result<String, Error> {
    quorum(&channel, "work", FieldTable::new()).await?;
    send(&channel, "work", Properties::default(), "waits")?;
    for round in 1..50 {
        let Some(message) = channel.basic_get("work", false).await? else {
            return Ok(format!("lost in round {round}"));
        };
        message.reject(true)?;
    }
    let message = channel.basic_get("work", false).await?;
    Ok(message.map_or("lost in round 50", |_| "done in round 50").to_owned())
}

async fn in_order(channel: Channel) -> Result<String, Error> {
    quorum(&channel, "work", FieldTable::new()).await?;
    send(&channel, "work", Properties::default().with_priority(1), "low")?;
    send(&channel, "work", Properties::default(), "plain")?;
    send(&channel, "work", Properties::default().with_priority(9), "high")?;
    let mut order = Vec::new();
    while let Some(message) = channel.basic_get("work", true).await? {
        order.push(message.text());
    }
    Ok(order.join(", "))
}

async fn counter(channel: Channel) -> Result<String, Error> {
    let arguments = FieldTable::new()
        .with("x-dead-letter-exchange", "")
        .with("x-dead-letter-routing-key", "retry");
    quorum(&channel, "work", arguments).await?;
    quorum(&channel, "retry", FieldTable::new()).await?;
    let seven = FieldTable::new()
        .with("count", 7_i64)
        .with("queue", "work")
        .with("reason", "rejected")
        .with("exchange", "")
        .with("routing-keys", vec![FieldValue::from("work")]);
    let history = FieldTable::new().with("x-death", vec![FieldValue::from(seven)]);
    send(&channel, "work", Properties::default().with_headers(history), "retried")?;
    let first = channel.basic_get("work", false).await?;
    first.expect("it was published").reject(false)?;
    let dead = channel.basic_get("retry", true).await?.expect("it is dead");
    let death = dead.properties().headers().and_then(|headers| headers.get("x-death")?.as_array());
    let death = death.and_then(|deaths| deaths.first()?.as_table()?.get("count")?.as_integer());
    Ok(format!("count {}", death.unwrap_or_default()))
}

async fn buried(channel: Channel) -> Result<String, Error> {
    let arguments = FieldTable::new()
        .with("x-dead-letter-exchange", "")
        .with("x-dead-letter-routing-key", "buried");
    quorum(&channel, "work", arguments).await?;
    quorum(&channel, "buried", FieldTable::new()).await?;
    send(&channel, "work", Properties::default(), "rejected")?;
    let first = channel.basic_get("work", false).await?;
    first.expect("it was published").reject(false)?;
    let dead = channel.basic_get("buried", true).await?.expect("it is dead");
    Ok(format!("redelivered: {}", dead.redelivered()))
}

async fn unknown_type(channel: Channel) -> Result<String, Error> {
    let options = ExchangeOptions { kind: "x-none".into(), ..Default::default() };
    let Err(error) = channel.exchange_declare("odd", options).await else {
        return Ok("no error".to_owned());
    };
    // Another channel of the connection shows what was closed.
    Ok(match channel.connection().channel().await {
        Ok(_) => format!("closes the channel only: {error}"),
        Err(_) => "closes the connection".to_owned(),
    })
}

/// Runs the checks over all versions of RabbitMQ.
pub(crate) fn run(seed: u64) {
    for check in &CHECKS {
        over(check.name, check.expects, Version::ALL, |version, to| {
            let mut sim = Sim::new(seed);
            let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default().with_version(version));
            sim.node_with("app", (rabbit, to, check.run), async |node, (rabbit, to, run)| {
                let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
                let got = run(channel).await?;
                *to.lock().expect("nothing panics") = Some(got);
                Ok::<(), Error>(())
            });
            sim.run().expect_done();
        });
    }
}
