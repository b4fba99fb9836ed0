//! A relay publishes what is in the outbox, and marks it as sent when the broker has confirmed it.
//! If it dies in between, it publishes the same again, and the customer gets two mails. The fix
//! remembers the ids of the mails that were sent, where they are sent.

use super::{Table, channel, consume, durable, ms, persistent};
use crate::{Bug, Planted};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Error, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "outbox double send",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("relay killed"),
};

const MAILS: u32 = 4;

/// What is to be published.
type Outbox = Table<BTreeSet<String>>;
/// How often each mail was sent.
type Sent = Table<BTreeMap<String, u32>>;

async fn publish(channel: &Channel, outbox: &Outbox) -> Result<(), Error> {
    channel.queue_declare("mails", durable()).await?;
    channel.confirm_select().await?;
    loop {
        let Some(mail) = outbox.lock().first().cloned() else { return Ok(()) };
        if channel.publish(persistent("", "mails", &mail))?.await?.is_ack() {
            outbox.lock().remove(&mail);
        }
    }
}

async fn relay(node: Node, (rabbit, outbox): (RabbitMq, Outbox)) {
    while !outbox.lock().is_empty() {
        let channel = channel(&node, &rabbit).await;
        if publish(&channel, &outbox).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

async fn serve(node: &Node, channel: &Channel, sent: &Sent, fixed: bool) -> Result<(), Error> {
    let mut mails = consume(channel, "mails", durable(), 1).await?;
    while let Some(mail) = mails.next().await {
        let mail = mail?;
        let id = mail.properties().message_id().unwrap_or_default().to_owned();
        let mut sent = sent.lock();
        let times = sent.entry(id.clone()).or_default();
        if !fixed || *times == 0 {
            node.note(format_args!("sends {id}"));
            *times += 1;
        }
        drop(sent);
        mail.ack()?;
    }
    Ok(())
}

async fn mailer(node: Node, (rabbit, sent): (RabbitMq, Sent), fixed: bool) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&node, &channel, &sent, fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let (outbox, sent) = (Outbox::default(), Sent::default());
    outbox.lock().extend((1..=MAILS).map(|mail| format!("mail {mail}")));
    let handles = (rabbit.clone(), sent.clone());
    sim.daemon_with("mailer", handles, move |node, with| mailer(node, with, fixed));
    let node = sim.node_with("relay", (rabbit, outbox), relay);
    Chaos::new().kill(&node).run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let sent = sent.lock();
    match sent.iter().find(|(_, times)| **times != 1) {
        Some((mail, times)) => Err(format!("{mail} was sent {times} times")),
        None => super::expect_done(sent.len(), MAILS),
    }
}
