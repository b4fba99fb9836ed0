//! A program that retries, prioritises and buries messages in quorum queues.

use crate::{Words, over};
use std::future::Future;
use std::pin::Pin;
use stunt_double::rabbitmq::Version;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Connection, Error, ExchangeOptions};
use stunt_double::rabbitmq::{FieldTable, FieldValue, Properties, QueueOptions};
use stunt_double::sim::Sim;

/// Code with a channel.
type Run = fn(Channel) -> Pin<Box<dyn Future<Output = Result<String, Error>> + Send>>;

/// A way in which the application uses RabbitMQ: the code, and what it expects to get.
struct Check {
    run: Run,
    words: Words,
}

const CHECKS: [Check; 7] = [
    Check {
        run: |channel| Box::pin(transient(channel)),
        words: Words {
            name: "a queue that is neither durable nor exclusive is declared",
            expects: "declared",
            remedy: "make it durable, with `x-expires` if nobody deletes it, or exclusive; or set \
                     deprecated_features.permit.transient_nonexcl_queues = true",
        },
    },
    Check {
        run: |channel| Box::pin(nacked(channel)),
        words: Words {
            name: "a poison message that is nacked leaves its queue at the delivery limit",
            expects: "gone after 4 deliveries",
            remedy: "return it with basic.reject, which counts",
        },
    },
    Check {
        run: |channel| Box::pin(requeued(channel)),
        words: Words {
            name: "a message waits in a loop of requeues until its dependency is back, in round 50",
            expects: "done in round 50",
            remedy: "set `x-delivery-limit`: -1 is unlimited; beyond a limit a dead-letter exchange keeps the message",
        },
    },
    Check {
        run: |channel| Box::pin(in_order(channel)),
        words: Words {
            name: "messages with and without priority leave in the order in which they came",
            expects: "low, plain, high",
            remedy: "set no priority, or one on every message",
        },
    },
    Check {
        run: |channel| Box::pin(counter(channel)),
        words: Words {
            name: "a retry counter in x-death that a client carries over goes on: the client sends 7, and \
                   the next death makes it 8",
            expects: "count 8",
            remedy: "keep the counter in a header of its own: the broker replaces the x-death of a client",
        },
    },
    Check {
        run: |channel| Box::pin(buried(channel)),
        words: Words {
            name: "a dead letter is delivered as new",
            expects: "redelivered: false",
            remedy: "find duplicates by a message id, not by the flag `redelivered`",
        },
    },
    Check {
        run: |channel| Box::pin(unknown_type(channel)),
        words: Words {
            name: "an exchange of a type that does not exist closes the connection",
            expects: "closes the connection",
            remedy: "handle the end of a channel, too",
        },
    },
];

async fn transient(channel: Channel) -> Result<String, Error> {
    let Err(error) = channel.queue_declare("updates", QueueOptions::default()).await else {
        return Ok("declared".to_owned());
    };
    Ok(error.to_string().lines().next().unwrap_or_default().to_owned())
}

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
        over(check.words, Version::ALL, |version, to| {
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
