//! A team checks its topology before it deploys it. The broker's definitions file is loaded in one
//! line, the application publishes one message of each kind, and the example shows which queues got
//! it. Then comes a change that looks harmless: a catch-all binding for the audit, which starves
//! the alternate exchange. Last, what happens to a mail that nobody sends.
//!
//! `cargo run --example definitions --features definitions -- --seed 1`

mod common;

use std::time::Duration;
use stunt_double::rabbitmq::definitions::Definitions;
use stunt_double::rabbitmq::{self, BrokerOptions, Connection, ConnectionOptions};
use stunt_double::rabbitmq::{Error, FieldTable, Properties, RabbitMq};
use stunt_double::sim::{Node, Sim};

const TOPOLOGY: &str = include_str!("definitions/topology.json");

/// A change that somebody proposes.
const CHANGE: &str = r##"{"bindings": [{
    "source": "shop.events", "destination": "shop.audit", "destination_type": "exchange",
    "routing_key": "#"
}]}"##;

/// One kind of message: its routing key, whether it is to be audited, and the queues it must reach.
type Kind = (&'static str, bool, &'static [&'static str]);

const KINDS: &[Kind] = &[
    ("order.new", false, &["shop.orders"]),
    ("order.paid", true, &["shop.audit", "shop.orders", "shop.payments"]),
    ("order.shipped", false, &["shop.mails", "shop.orders"]),
    ("parcel.shipped.late", true, &["shop.audit", "shop.mails"]),
    // The typing error is deliberate: the alternate exchange takes it.
    ("odrer.new", false, &["shop.lost"]),
];

/// The same message after the change. The alternate exchange gets only what no binding matches, and
/// the new binding matches everything, even what the audit then ignores.
const CHANGED: &[Kind] = &[("odrer.new", false, &[])];

/// Publishes one message of each kind and prints which queues it reached.
async fn application(
    node: Node,
    (rabbit, kinds): (RabbitMq, &'static [Kind]),
) -> Result<(), Error> {
    let options = ConnectionOptions {
        virtual_host: "shop".into(),
        user: "shop-app".into(),
        password: "s3cret".into(),
        ..Default::default()
    };
    let channel = Connection::connect_with(&node, &rabbit, options).await?.channel().await?;
    channel.confirm_select().await?;
    for &(key, is_audited, expected) in kinds {
        let before = counts(&rabbit);
        let headers = FieldTable::new().with("audit", is_audited);
        let properties = Properties::default().persistent().with_headers(headers);
        channel.basic_publish("shop.events", key, properties, key)?;
        channel.wait_for_confirms().await?;
        let after = counts(&rabbit);
        let grown = before.iter().zip(&after).filter(|(before, after)| before.1 < after.1);
        let got: Vec<&str> = grown.map(|(_, after)| after.0.as_str()).collect();
        let queues = if got.is_empty() { "nowhere".to_owned() } else { got.join(", ") };
        println!("{:>6?}  {key:<20} -> {queues}", node.now().since_start());
        assert_eq!(got, expected, "{key}");
        node.sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Returns the number of messages in each queue.
fn counts(rabbit: &RabbitMq) -> Vec<(String, usize)> {
    rabbit.list_queues().iter().map(|row| (row.name.to_string(), row.messages())).collect()
}

fn main() {
    let mut sim = Sim::new(common::seed());
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let topology = Definitions::from_json(TOPOLOGY).expect("the file is valid");
    rabbit.import_definitions(&topology).expect("the broker accepts the definitions");

    common::heading("what the file makes");
    print!(
        "{}",
        rabbit.rabbitmqctl("list_queues -p shop name type policy").expect("these columns exist")
    );

    common::heading("where each kind of message goes");
    sim.node_with("application", (rabbit.clone(), KINDS), application);
    sim.run_for(Duration::from_secs(10)).expect_reached();

    common::heading("the same with a catch-all for the audit");
    let change = Definitions::from_json(CHANGE).expect("the change is valid");
    rabbit.import_vhost_definitions("shop", &change).expect("the change adds one binding");
    sim.node_with("changed", (rabbit.clone(), CHANGED), application);
    sim.run_for(Duration::from_secs(10)).expect_reached();

    common::heading("a mail that nobody sends is dead after a minute");
    let show = |sim: &Sim, queue: &str| {
        let messages = rabbit.peek("shop", queue, 9).expect("the queue exists");
        let bodies: Vec<_> =
            messages.iter().map(|m| String::from_utf8_lossy(m.message.body())).collect();
        println!("{:>6?}  {queue} has {bodies:?}", sim.now().since_start());
        messages.len()
    };
    assert_eq!((show(&sim, "shop.mails"), show(&sim, "shop.dead")), (2, 0));
    sim.run_for(Duration::from_secs(60)).expect_reached();
    assert_eq!((show(&sim, "shop.mails"), show(&sim, "shop.dead")), (0, 2));

    common::heading("what the broker counted");
    let stats = rabbit.overview().message_stats;
    for (name, count) in stats.iter().filter(|(_, count)| *count > 0) {
        println!("{name:>15} {count}");
    }
    assert_eq!((stats.publish, stats.confirm, stats.drop_unroutable), (6, 6, 1));

    let exported = rabbit.export_definitions();
    let again = Definitions::from_json(&exported.to_json()).expect("an exported file is valid");
    assert_eq!(again, exported);
}
