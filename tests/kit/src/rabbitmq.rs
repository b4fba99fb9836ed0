//! Bugs of code that uses RabbitMQ.

mod ack_before_work;
mod auto_delete_race;
mod blocked_publisher;
mod confirm_misnumbered;
mod dlx_cycle;
mod exclusive_queue;
mod head_of_line;
mod heartbeat_death;
mod lost_confirm;
mod no_ack;
mod out_of_order;
mod outbox_double_send;
mod poison_loop;
mod prefetch_hoarding;
mod requeue_storm;
mod saga_half_done;
mod shutdown_without_drain;
mod single_active_consumer;
mod stale_reply;
mod undeclared_exchange;

use crate::Bug;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use stunt_double::rabbitmq::{
    Channel, Confirm, Connection, ConnectionOptions, ConsumeOptions, Consumer, Error, FieldTable,
    Properties, Publish, QueueOptions, RabbitMq,
};
use stunt_double::sim::Node;

/// Returns the bugs.
#[must_use]
pub fn bugs() -> Vec<Bug> {
    vec![
        ack_before_work::BUG,
        no_ack::BUG,
        prefetch_hoarding::BUG,
        requeue_storm::BUG,
        poison_loop::BUG,
        dlx_cycle::BUG,
        head_of_line::BUG,
        lost_confirm::BUG,
        confirm_misnumbered::BUG,
        undeclared_exchange::BUG,
        auto_delete_race::BUG,
        exclusive_queue::BUG,
        single_active_consumer::BUG,
        out_of_order::BUG,
        stale_reply::BUG,
        heartbeat_death::BUG,
        blocked_publisher::BUG,
        outbox_double_send::BUG,
        saga_half_done::BUG,
        shutdown_without_drain::BUG,
    ]
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What outlives every process: a table in a database that never fails.
#[derive(Debug)]
struct Table<T>(Arc<Mutex<T>>);

impl<T> Clone for Table<T> {
    fn clone(&self) -> Table<T> {
        Table(Arc::clone(&self.0))
    }
}

impl<T: Default> Default for Table<T> {
    fn default() -> Table<T> {
        Table(Arc::default())
    }
}

impl<T> Table<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a world runs on one thread")
    }
}

/// The jobs that were done.
type Done = Table<BTreeSet<String>>;

fn durable() -> QueueOptions {
    QueueOptions { durable: true, ..Default::default() }
}

fn with(arguments: FieldTable) -> QueueOptions {
    QueueOptions { arguments, ..durable() }
}

/// A persistent message.
fn persistent(exchange: &str, key: &str, body: &str) -> Publish {
    let properties = Properties::default().persistent().with_message_id(body);
    Publish { properties, ..Publish::new(exchange, key, body.to_owned()) }
}

/// Opens a channel, again and again if it must. Heartbeats show when the broker is gone.
async fn channel(node: &Node, rabbit: &RabbitMq) -> Channel {
    loop {
        let options =
            ConnectionOptions { heartbeat: Duration::from_secs(10), ..Default::default() };
        if let Ok(connection) = Connection::connect_with(node, rabbit, options).await
            && let Ok(channel) = connection.channel().await
        {
            return channel;
        }
        node.sleep(ms(20)).await;
    }
}

/// Consumes from a queue that it declares.
async fn consume(
    channel: &Channel,
    queue: &str,
    options: QueueOptions,
    prefetch: u16,
) -> Result<Consumer, Error> {
    channel.queue_declare(queue, options).await?;
    if prefetch > 0 {
        channel.basic_qos(prefetch, false).await?;
    }
    channel.basic_consume(queue, ConsumeOptions::default()).await
}

/// Waits for a confirm. A broker that refuses a message is as good as gone.
async fn expect_ack(confirm: Confirm) -> Result<(), Error> {
    if confirm.await?.is_ack() { Ok(()) } else { Err(Error::ChannelClosed) }
}

/// Publishes jobs 1 to `count` to a durable queue, and waits for their confirms.
async fn produce(node: Node, (rabbit, queue, count): (RabbitMq, &'static str, u32)) {
    produce_to(node, rabbit, queue, durable(), count).await;
}

/// Publishes jobs as [`produce`] does, to a queue with these options.
async fn produce_to(
    node: Node,
    rabbit: RabbitMq,
    queue: &'static str,
    options: QueueOptions,
    count: u32,
) {
    let mut next = 1;
    while next <= count {
        let channel = channel(&node, &rabbit).await;
        let declared = channel.queue_declare(queue, options.clone()).await;
        if declared.is_err()
            || produce_from(&node, &channel, queue, &mut next, count).await.is_err()
        {
            node.sleep(ms(20)).await;
        }
    }
}

async fn produce_from(
    node: &Node,
    channel: &Channel,
    queue: &str,
    next: &mut u32,
    count: u32,
) -> Result<(), Error> {
    channel.confirm_select().await?;
    while *next <= count {
        let confirm = channel.publish(persistent("", queue, &format!("job {next}")))?;
        if confirm.await?.is_ack() {
            *next += 1;
        }
        node.sleep(ms(2)).await;
    }
    Ok(())
}

/// Writes down that a job was done, and says so.
fn finish(node: &Node, done: &Done, job: String) {
    node.note(format_args!("has done {job}"));
    done.lock().insert(job);
}

/// Compares the number of jobs that were done with that of all.
fn expect_done(done: usize, all: u32) -> Result<(), String> {
    if done == all as usize { Ok(()) } else { Err(format!("{done} of {all} jobs done")) }
}
