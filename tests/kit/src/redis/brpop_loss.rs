//! A worker takes a job from a list with `BRPOP`, which removes it, and dies before it is done. The
//! job is gone. The fix moves it to a list of the worker's own (`BLMOVE`), from which the worker
//! takes what it left there when it starts again.

use super::{connected, ms};
use crate::{Bug, Planted, told};
use std::time::Duration;
use stunt_double::redis::{self, Client, Error, Redis, ServerOptions};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "BRPOP job loss",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("worker killed"),
};

const JOBS: i64 = 4;

async fn work(node: &Node, client: &Client, job: &str) -> Result<(), Error> {
    node.sleep(ms(5)).await;
    client.call(["SADD", "done", job]).await.map(drop)
}

async fn popping(node: &Node, client: &Client) -> Result<(), Error> {
    loop {
        let popped = client.call(["BRPOP", "jobs", "0"]).await?;
        if let Some([_, job]) = popped.as_array() {
            work(node, client, job.as_text().unwrap_or_default()).await?;
        }
    }
}

async fn moving(node: &Node, client: &Client) -> Result<(), Error> {
    loop {
        let mut job = client.call(["LINDEX", "mine", "0"]).await?;
        if job.is_nil() {
            job = client.call(["BLMOVE", "jobs", "mine", "RIGHT", "LEFT", "0"]).await?;
        }
        let job = job.as_text().unwrap_or_default().to_owned();
        work(node, client, &job).await?;
        client.call(["LREM", "mine", "1", &job]).await?;
    }
}

async fn worker(node: Node, redis: Redis, fixed: bool) {
    loop {
        let client = connected(&node, &redis).await;
        let ended =
            if fixed { moving(&node, &client).await } else { popping(&node, &client).await };
        drop(ended);
        node.sleep(ms(20)).await;
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    sim.node_with("producer", redis.clone(), async |node, redis: Redis| {
        let client = connected(&node, &redis).await;
        for job in 1..=JOBS {
            client.call(["LPUSH", "jobs", &job.to_string()]).await?;
            node.sleep(ms(3)).await;
        }
        Ok::<(), Error>(())
    });
    let node =
        sim.daemon_with("worker", redis.clone(), move |node, redis| worker(node, redis, fixed));
    let plan = Chaos::new().kill(&node);
    plan.run_then_heal(sim, Duration::from_secs(60)).expect_done();
    match redis.command(["SCARD", "done"]).as_integer() {
        Some(JOBS) => Ok(()),
        done => Err(told(format!("{} of {JOBS} jobs done", done.unwrap_or_default()))),
    }
}
