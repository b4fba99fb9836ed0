//! A worker needs Redis for each job, and returns the job to its queue when Redis is down. The
//! broker delivers it again at once, thousands of times. The fix waits before it returns the job,
//! twice as long each time.

use super::{Table, channel, consume, durable, ms, produce};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Error, RabbitMq};
use stunt_double::redis::{self, AppendFsync, Client, Redis, ServerOptions};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "requeue storm",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("redis crashed for"),
};

const JOBS: u32 = 3;
const DELIVERIES: u32 = 20;

#[derive(Clone)]
struct Handles {
    rabbit: RabbitMq,
    redis: Redis,
    deliveries: Table<u32>,
}

async fn work(node: &Node, redis: &Redis, job: &str) -> Result<(), redis::Error> {
    let client = Client::connect(node, redis).await?;
    client.call(["SADD", "done", job]).await.map(drop)
}

async fn serve(
    node: &Node,
    channel: &Channel,
    handles: &Handles,
    fixed: bool,
) -> Result<(), Error> {
    let mut jobs = consume(channel, "jobs", durable(), 1).await?;
    let mut pause = ms(50);
    while let Some(job) = jobs.next().await {
        let job = job?;
        *handles.deliveries.lock() += 1;
        if work(node, &handles.redis, &job.text()).await.is_ok() {
            job.ack()?;
            pause = ms(50);
            continue;
        }
        if fixed {
            node.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
        job.nack(true)?;
    }
    Ok(())
}

async fn worker(node: Node, handles: Handles, fixed: bool) {
    loop {
        let channel = channel(&node, &handles.rabbit).await;
        if serve(&node, &channel, &handles, fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let redis = redis::start(sim, ServerOptions::default().with_append_only(AppendFsync::Always));
    let handles =
        Handles { rabbit: rabbit.clone(), redis: redis.clone(), deliveries: Table::default() };
    sim.daemon_with("worker", handles.clone(), move |node, with| worker(node, with, fixed));
    sim.node_with("producer", (rabbit, "jobs", JOBS), produce);
    let downtime = ms(200)..ms(200);
    let plan = Chaos::new().with_downtime(downtime).crash(&redis);
    plan.run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let deliveries = *handles.deliveries.lock();
    match redis.command(["SCARD", "done"]).as_integer() {
        Some(done) if done != i64::from(JOBS) => Err(format!("{done} of {JOBS} jobs done")),
        _ if deliveries > DELIVERIES => {
            Err(format!("{JOBS} jobs were delivered {deliveries} times"))
        }
        _ => Ok(()),
    }
}
