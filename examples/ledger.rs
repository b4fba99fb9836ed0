//! Was every confirmed message processed, how often, and in which order? A ledger beside a broker
//! and its worker answers, while the worker is killed and restarted at a drawn moment.
//!
//! `cargo run --release --example ledger -- --seed 1`

mod common;

use std::time::Duration;
use stunt_double::Site;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, Error, Publish, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Breaches, Config, Ledger, Node, Promise, Seeds, Sim};

/// The site that decides when the worker dies.
const DEATH: Site = Site::new("ledger.death");

const MESSAGES: u32 = 6;

async fn publisher(node: Node, (rabbit, ledger): (RabbitMq, Ledger)) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("payments", QueueOptions::default()).await?;
    channel.confirm_select().await?;
    for number in 1..=MESSAGES {
        ledger.sent(&node, "payments", number);
        let message = Publish::new("", "payments", number.to_string());
        if channel.publish(message)?.await?.is_ack() {
            ledger.confirmed(&node, "payments", number);
        }
    }
    Ok(())
}

/// When a worker acknowledges a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ack {
    BeforeWork,
    AfterWork,
}

type Handles = (RabbitMq, Ledger, Ack);

async fn worker(node: Node, (rabbit, ledger, ack): Handles) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("payments", QueueOptions::default()).await?;
    channel.basic_qos(1, false).await?;
    let mut payments = channel.basic_consume("payments", ConsumeOptions::default()).await?;
    while let Some(payment) = payments.next().await {
        let payment = payment?;
        if ack == Ack::BeforeWork {
            payment.ack()?;
        }
        node.sleep(Duration::from_millis(20)).await; // the work
        ledger.processed(&node, "payments", String::from_utf8_lossy(payment.body()));
        node.sleep(Duration::from_millis(1)).await; // and its end
        if ack == Ack::AfterWork {
            payment.ack()?;
        }
    }
    Ok(())
}

fn scenario(sim: &mut Sim, ack: Ack) -> Ledger {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let ledger = Ledger::new();
    sim.node_with("publisher", (rabbit.clone(), ledger.clone()), publisher);
    let node = sim.daemon_with("worker", (rabbit, ledger.clone(), ack), worker);
    let after = sim.choose_told(DEATH, 0, 200, |ms| format!("the worker dies after {ms} ms"));
    if after > 0 {
        sim.after(Duration::from_millis(after), move || node.restart());
    }
    sim.run().expect_done();
    ledger
}

/// Looks for a breach in 500 seeds.
fn hunt(ack: Ack, promise: Promise) {
    let first = common::seed();
    let sweep =
        Seeds::new(first..first + 500).without_files().run(|sim| scenario(sim, ack).check(promise));
    let told = match (&sweep.account, sweep.failures.first()) {
        (Some(account), _) => {
            let decisive = account.decisive().map(|decisive| decisive.choice.told());
            format!("{}\n    because {}", account.failure.message, decisive.unwrap_or_default())
        }
        (None, Some(failure)) => failure.message.clone(),
        (None, None) => format!("{} seeds, no breach", sweep.ran),
    };
    println!("{ack:?}, {promise:?}: {told}");
}

fn main() -> Result<(), Breaches> {
    common::heading("without a death every promise is kept");
    let mut calm = Sim::with_config(Config::new(common::seed()).with_calm_choices());
    let ledger = scenario(&mut calm, Ack::AfterWork);
    for promise in [Promise::AtLeastOnce, Promise::AtMostOnce, Promise::InOrder] {
        println!("{promise:?}: {}", if ledger.check(promise).is_ok() { "kept" } else { "broken" });
    }
    println!("in this order: {}", ledger.order("payments").join(" "));

    common::heading("a worker that dies at a drawn moment");
    hunt(Ack::BeforeWork, Promise::AtLeastOnce);
    hunt(Ack::BeforeWork, Promise::AtMostOnce);
    hunt(Ack::AfterWork, Promise::AtLeastOnce);
    hunt(Ack::AfterWork, Promise::AtMostOnce);
    hunt(Ack::AfterWork, Promise::InOrder);
    Ok(())
}
