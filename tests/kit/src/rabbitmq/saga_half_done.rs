//! An order is two steps: reserve the goods, charge the customer. The program takes the order from
//! its queue and does one after the other, so its death leaves goods reserved that nobody pays for.
//! The fix acknowledges the order after the last step, and each step is done once for each order.

use super::{Table, channel, consume, durable, ms, produce};
use crate::{Bug, Planted};
use std::collections::BTreeSet;
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Error, RabbitMq};
use stunt_double::redis::{self, Client, Redis, ServerOptions};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "saga half done",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("orders killed"),
};

const ORDERS: u32 = 4;

#[derive(Clone)]
struct Handles {
    rabbit: RabbitMq,
    warehouse: Redis,
    /// The orders that were charged, at the bank.
    charged: Table<BTreeSet<String>>,
}

async fn reserve(node: &Node, warehouse: &Redis, order: &str) -> Result<(), redis::Error> {
    let client = Client::connect(node, warehouse).await?;
    client.call(["SADD", "reserved", order]).await.map(drop)
}

async fn serve(
    node: &Node,
    channel: &Channel,
    handles: &Handles,
    fixed: bool,
) -> Result<(), Error> {
    let mut orders = consume(channel, "orders", durable(), 1).await?;
    while let Some(order) = orders.next().await {
        let order = order?;
        if !fixed {
            order.ack()?;
        }
        while reserve(node, &handles.warehouse, &order.text()).await.is_err() {
            node.sleep(ms(20)).await;
        }
        node.sleep(ms(3)).await;
        node.note(format_args!("charges {}", order.text()));
        handles.charged.lock().insert(order.text());
        if fixed {
            order.ack()?;
        }
    }
    Ok(())
}

async fn orders(node: Node, handles: Handles, fixed: bool) {
    loop {
        let channel = channel(&node, &handles.rabbit).await;
        if serve(&node, &channel, &handles, fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let warehouse = redis::start_named(sim, "warehouse", ServerOptions::default());
    let handles = Handles { rabbit: rabbit.clone(), warehouse, charged: Table::default() };
    let node =
        sim.daemon_with("orders", handles.clone(), move |node, with| orders(node, with, fixed));
    sim.node_with("shop", (rabbit, "orders", ORDERS), produce);
    Chaos::new().kill(&node).run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let reserved = handles.warehouse.command(["SCARD", "reserved"]).as_integer();
    let (reserved, charged) = (reserved.unwrap_or_default(), handles.charged.lock().len());
    if (reserved, charged) == (i64::from(ORDERS), ORDERS as usize) {
        Ok(())
    } else {
        Err(format!("{reserved} of {ORDERS} orders reserved, and {charged} charged"))
    }
}
