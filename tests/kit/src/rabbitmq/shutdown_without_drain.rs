//! A worker writes in batches: it acknowledges what it has put into the batch. When it is asked to
//! stop, it stops at once, and a batch that is not full is lost. The fix writes it first.

use super::{Done, channel, consume, durable, expect_done, ms, produce};
use crate::{Bug, Planted};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Delivery, Error, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "shutdown without drain",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("worker asked to stop"),
};

const JOBS: u32 = 8;
const BATCH: usize = 4;

/// What the worker hears of next.
enum Heard {
    Job(Option<Result<Delivery, Error>>),
    Stop,
    Silence,
}

/// Waits for a job, for the signal to stop, or until nothing has come for a while.
async fn hear(
    node: &Node,
    stop: Pin<&mut impl Future<Output = ()>>,
    jobs: &mut rabbitmq::Consumer,
) -> Heard {
    let mut stop = stop;
    let mut next = pin!(node.timeout(ms(100), jobs.next()));
    std::future::poll_fn(|cx| {
        if stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Heard::Stop);
        }
        next.as_mut().poll(cx).map(|next| next.map_or(Heard::Silence, Heard::Job))
    })
    .await
}

/// Writes a batch of jobs down as done.
fn write(node: &Node, done: &Done, batch: &mut Vec<String>) {
    if !batch.is_empty() {
        node.note(format_args!("writes {}", batch.join(", ")));
        done.lock().extend(batch.drain(..));
    }
}

async fn serve(
    node: &Node,
    channel: &Channel,
    mut stop: Pin<&mut impl Future<Output = ()>>,
    done: &Done,
    fixed: bool,
) -> Result<(), Error> {
    let mut jobs = consume(channel, "jobs", durable(), 1).await?;
    let mut batch = Vec::new();
    loop {
        let heard = hear(node, stop.as_mut(), &mut jobs).await;
        let is_over = matches!(heard, Heard::Stop | Heard::Job(None));
        if let Heard::Job(Some(job)) = heard {
            let job = job?;
            batch.push(job.text());
            job.ack()?;
        } else if !is_over || fixed {
            write(node, done, &mut batch);
        }
        if batch.len() >= BATCH {
            write(node, done, &mut batch);
        }
        if is_over {
            return Ok(());
        }
        if batch.is_empty() {
            // With nothing in the batch it waits as long as it takes.
            let next = jobs.next();
            match first(stop.as_mut(), next).await {
                Some(Some(job)) => {
                    let job = job?;
                    batch.push(job.text());
                    job.ack()?;
                }
                Some(None) | None => return Ok(()),
            }
        }
    }
}

/// Returns what the future returns, or `None` if the worker is asked to stop first.
async fn first<F: Future>(
    mut stop: Pin<&mut impl Future<Output = ()>>,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        if stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

async fn worker(node: Node, (rabbit, done): (RabbitMq, Done), fixed: bool) {
    let mut stop = pin!(node.terminated());
    let Some(channel) = first(stop.as_mut(), channel(&node, &rabbit)).await else { return };
    // The supervisor starts it again.
    drop(serve(&node, &channel, stop, &done, fixed).await);
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let done = Done::default();
    let handles = (rabbit.clone(), done.clone());
    let node = sim.daemon_with("worker", handles, move |node, with| worker(node, with, fixed));
    sim.node_with("producer", (rabbit, "jobs", JOBS), produce);
    Chaos::new().terminate(&node).run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let count = done.lock().len();
    expect_done(count, JOBS)
}
