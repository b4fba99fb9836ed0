//! A stream is read again. Messages stay when they are consumed, so a new consumer builds its view
//! from the beginning, another starts at a point in time, and one that died continues from the
//! offset it had stored.
//!
//! `cargo run --example stream_replay -- --seed 1`

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Connection, ConsumeOptions, Error};
use stunt_double::rabbitmq::{Delivery, FieldTable, FieldValue, Properties, Publish};
use stunt_double::rabbitmq::{QueueOptions, RabbitMq};
use stunt_double::sim::{Node, Sim};

/// Each minute brings a withdrawal or a deposit.
const PAYMENTS: [i64; 8] = [100, -30, -20, 50, -10, 200, -90, 5];

/// An accountant's record after each message: the next offset, and the balance so far. It
/// survives the accountant's death.
type Ledger = Arc<Mutex<(i64, i64)>>;

async fn open(node: &Node, rabbit: &RabbitMq) -> Result<Channel, Error> {
    let channel = Connection::connect(node, rabbit).await?.channel().await?;
    let arguments = FieldTable::new().with("x-queue-type", "stream").with("x-max-age", "7D");
    let options = QueueOptions { durable: true, arguments, ..Default::default() };
    channel.queue_declare("payments", options).await?;
    // RabbitMQ requires a prefetch limit of a stream's consumer.
    channel.basic_qos(10, false).await?;
    Ok(channel)
}

async fn bank(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let channel = open(&node, &rabbit).await?;
    channel.confirm_select().await?;
    for payment in PAYMENTS {
        let publish = Publish {
            properties: Properties::default().with_timestamp_at(node.now()),
            ..Publish::new("", "payments", payment.to_string())
        };
        assert!(channel.publish(publish)?.await?.is_ack());
        node.sleep(Duration::from_secs(60)).await;
    }
    Ok(())
}

fn offset(payment: &Delivery) -> i64 {
    let headers = payment.properties().headers();
    let offset = headers.and_then(|headers| headers.get("x-stream-offset"));
    let offset = offset.and_then(FieldValue::as_integer);
    offset
        .and_then(|offset| i64::try_from(offset).ok())
        .expect("every message of a stream has an offset")
}

fn amount(payment: &Delivery) -> i64 {
    payment.text().parse().expect("the bank writes numbers")
}

fn from(start: impl Into<FieldValue>) -> ConsumeOptions {
    let arguments = FieldTable::new().with("x-stream-offset", start);
    ConsumeOptions { arguments, ..Default::default() }
}

/// Keeps the balance; continues where the previous run of this node ended.
async fn accountant(node: Node, (rabbit, ledger): (RabbitMq, Ledger)) -> Result<(), Error> {
    let channel = open(&node, &rabbit).await?;
    let (next, _) = *ledger.lock().expect("a world runs on one thread");
    node.note(format!("reads from offset {next}"));
    let mut payments = channel.basic_consume("payments", from(next)).await?;
    while let Some(payment) = payments.next().await {
        let payment = payment?;
        let mut ledger = ledger.lock().expect("a world runs on one thread");
        ledger.0 = offset(&payment) + 1;
        ledger.1 += amount(&payment);
        node.note(format!("offset {}: balance {}", offset(&payment), ledger.1));
        payment.ack()?;
    }
    Ok(())
}

/// Starts late, and reads the stream from the beginning.
async fn auditor(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    node.sleep(Duration::from_secs(3_600)).await;
    let channel = open(&node, &rabbit).await?;
    let mut all = channel.basic_consume("payments", from("first")).await?;
    let mut lowest = 0;
    let mut balance = 0;
    for _ in PAYMENTS {
        let payment = all.next().await.expect("the broker does not cancel the consumer")?;
        balance += amount(&payment);
        lowest = lowest.min(balance);
        payment.ack()?;
    }
    node.note(format!("an hour later, from the first: balance {balance}, never below {lowest}"));
    assert_eq!((balance, lowest), (PAYMENTS.iter().sum(), 0));

    let recent = channel.basic_consume("payments", from("58m")).await;
    let first = recent?.next().await.expect("the broker does not cancel the consumer")?;
    node.note(format!("of the last 58 minutes, the first is offset {}", offset(&first)));
    assert_eq!(offset(&first), 2, "what came at 2 minutes and later");
    Ok(())
}

fn main() {
    common::heading("a stream, and who reads it when");
    let mut sim = Sim::new(common::seed());
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let ledger = Ledger::default();
    sim.node_with("bank", rabbit.clone(), bank);
    let accountant =
        sim.daemon_with("accountant", (rabbit.clone(), Arc::clone(&ledger)), accountant);
    sim.node_with("auditor", rabbit.clone(), auditor);
    sim.after(Duration::from_secs(210), move || accountant.restart());
    sim.run().expect_done();
    print!("{}", sim.trace().notes());
    let (next, balance) = *ledger.lock().expect("a world runs on one thread");
    assert_eq!((next, balance), (8, PAYMENTS.iter().sum()), "each payment counts once");
    assert_eq!(rabbit.messages_ready("payments"), Some(8), "and all are still there");
    println!("balance {balance}, each payment counted once, all 8 still there");
}
