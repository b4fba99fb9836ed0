//! A relay publishes what is in the outbox, and marks it as sent when the broker has confirmed it.
//! If it dies in between, it publishes the same again, and the customer gets two mails. The fix
//! remembers the ids of the mails that were sent, where they are sent.

use super::{Table, channel, confirming, consume, ms, next, publish, text};
use crate::{Bug, Planted};
use lapin::options::BasicAckOptions;
use lapin::{Channel, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "outbox double send, on lapin",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("relay killed"),
};

const MAILS: u32 = 4;

/// What is to be published.
type Outbox = Table<BTreeSet<String>>;
/// How often each mail was sent.
type Sent = Table<BTreeMap<String, u32>>;

async fn publish_all(channel: &Channel, outbox: &Outbox) -> Result<()> {
    confirming(channel, "mails").await?;
    loop {
        let mail = outbox.lock().expect("one thread").first().cloned();
        let Some(mail) = mail else { return Ok(()) };
        if publish(channel, "mails", &mail).await? {
            outbox.lock().expect("one thread").remove(&mail);
        }
    }
}

async fn relay(node: Node, (rabbit, outbox): (RabbitMq, Outbox)) {
    while !outbox.lock().expect("one thread").is_empty() {
        let channel = channel(&node, &rabbit).await;
        if publish_all(&channel, &outbox).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

/// Sends a mail. The fix looks first whether it was sent.
fn send(sent: &Sent, mail: String, fixed: bool) {
    let mut book = sent.lock().expect("one thread");
    let times = book.entry(mail).or_default();
    if !fixed || *times == 0 {
        *times += 1;
    }
}

async fn serve(channel: &Channel, sent: &Sent, fixed: bool) -> Result<()> {
    let mut mails = consume(channel, "mails", false).await?;
    while let Some(mail) = next(&mut mails).await {
        let mail = mail?;
        send(sent, text(&mail), fixed);
        mail.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

async fn mailer(node: Node, (rabbit, sent): (RabbitMq, Sent), fixed: bool) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&channel, &sent, fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> std::result::Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let (outbox, sent) = (Outbox::default(), Sent::default());
    outbox.lock().expect("one thread").extend((1..=MAILS).map(|mail| format!("mail {mail}")));
    let handles = (rabbit.clone(), Sent::clone(&sent));
    sim.daemon_with("mailer", handles, move |node, with| mailer(node, with, fixed));
    let node = sim.node_with("relay", (rabbit, outbox), relay);
    Chaos::new().kill(&node).run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let sent = sent.lock().expect("one thread");
    match sent.iter().find(|(_, times)| **times != 1) {
        Some((mail, times)) => Err(format!("{mail} was sent {times} times")),
        None if sent.len() < MAILS as usize => Err(format!("{} of {MAILS} mails sent", sent.len())),
        None => Ok(()),
    }
}
