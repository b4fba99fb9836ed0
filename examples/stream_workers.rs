//! Workers that share a stream as a consumer group. A worker may die in the middle of a job, and
//! one job is poison: it kills every worker that touches it.
//!
//! An entry that was delivered and not acknowledged belongs to its consumer for ever. So somebody
//! has to claim what has been idle for too long (`XAUTOCLAIM`), or the job of a dead worker is
//! never done. And somebody has to look at how often an entry was delivered, or the poison kills
//! the workers one after the other, for ever.
//!
//! `cargo run --release --example stream_workers -- --seed 1`

mod common;

use std::collections::BTreeSet;
use std::time::Duration;
use stunt_double::Site;
use stunt_double::redis::{self, Client, Error, Redis, Reply, ServerOptions};
use stunt_double::sim::{Node, Seeds, Sim};

/// The sites that decide which worker dies, when, and how long a job takes.
const VICTIM: Site = Site::new("workers.victim");
const DEATH: Site = Site::new("workers.death");
const WORK: Site = Site::new("workers.work");

const JOBS: usize = 12;
const POISON: &str = "poison";
/// How long an entry may be pending before another worker claims it.
const IDLE: &str = "1000";
/// How often an entry is delivered before it counts as poison.
const DELIVERIES: i64 = 3;

/// An entry: its id, and its fields with their values.
type Entry = (String, Vec<String>);

/// How careful the workers are.
#[derive(Clone, Copy)]
struct Care {
    claims: bool,
    counts_deliveries: bool,
}

/// Takes over an entry that others have left, or this worker in a former life. Sets it aside if it
/// was delivered too often. It takes only one: if it kills, a neighbour would count as delivered as
/// often, and be set aside with it.
async fn claim(client: &Client, name: &str, care: Care) -> Result<Vec<Entry>, Error> {
    let call = ["XAUTOCLAIM", "jobs", "group", name, IDLE, "0", "COUNT", "1"];
    let (_, claimed, _): (String, Vec<Entry>, Vec<String>) = client.call_as(call).await?;
    let mut mine = Vec::new();
    for (id, fields) in claimed {
        let pending = ["XPENDING", "jobs", "group", &id, &id, "1"];
        let pending: Vec<(String, String, i64, i64)> = client.call_as(pending).await?;
        let deliveries = pending.first().map_or(0, |(.., deliveries)| *deliveries);
        if care.counts_deliveries && deliveries > DELIVERIES {
            client.call(["XADD", "dead", "*", "job", &fields[1]]).await?;
            client.call(["XACK", "jobs", "group", &id]).await?;
        } else {
            mine.push((id, fields));
        }
    }
    Ok(mine)
}

async fn worker(node: Node, redis: Redis, care: Care) -> Result<(), Error> {
    let client = Client::connect(&node, &redis).await?;
    let name = node.name().to_owned();
    loop {
        let mut entries = Vec::new();
        if care.claims {
            entries = claim(&client, &name, care).await?;
        }
        if entries.is_empty() {
            let read = ["XREADGROUP", "GROUP", "group", &name, "COUNT", "2", "BLOCK", "500"];
            let read: Vec<&str> = read.into_iter().chain(["STREAMS", "jobs", ">"]).collect();
            let streams: Option<Vec<(String, Vec<Entry>)>> = client.call_as(read).await?;
            entries = streams.into_iter().flatten().flat_map(|(_, entries)| entries).collect();
        }
        for (id, fields) in entries {
            let job = &fields[1];
            if job == POISON {
                // The process crashes, and its supervisor starts it again.
                node.restart();
                std::future::pending::<()>().await;
            }
            node.sleep(Duration::from_millis(10 + node.choose(WORK, 90))).await;
            client.call(["SADD", "done", job]).await?;
            client.call(["XACK", "jobs", "group", &id]).await?;
        }
    }
}

/// Twelve jobs and a poisonous one, three workers, one of which dies. Fails unless after a minute
/// every job is done, and the poison is set aside.
fn scenario(sim: &mut Sim, care: Care) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    redis.command(["XGROUP", "CREATE", "jobs", "group", "0", "MKSTREAM"]);
    let workers = ["worker-1", "worker-2", "worker-3"].map(|name| {
        sim.daemon_with(name, redis.clone(), move |node, redis| worker(node, redis, care))
    });
    sim.node_with("shop", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        for number in 0..=JOBS {
            let job = if number == JOBS / 2 { POISON.to_owned() } else { format!("job-{number}") };
            client.call(["XADD", "jobs", "*", "job", &job]).await?;
        }
        Ok::<(), Error>(())
    });
    let victim = workers[sim.choose(VICTIM, 0, 2) as usize].clone();
    let at = Duration::from_millis(sim.choose(DEATH, 1, 300));
    sim.after(at, move || victim.kill());
    sim.run_for(Duration::from_secs(60)).expect_reached();

    let texts = |words: &[&str]| -> BTreeSet<String> {
        let reply = redis.command(words.iter().copied());
        let items = reply.as_array().unwrap_or_default();
        items.iter().filter_map(|item| Some(item.as_text()?.to_owned())).collect()
    };
    let done = texts(&["SMEMBERS", "done"]);
    let missing = (0..=JOBS).filter(|number| *number != JOBS / 2);
    let missing: Vec<String> =
        missing.map(|number| format!("job-{number}")).filter(|job| !done.contains(job)).collect();
    if !missing.is_empty() {
        return Err(format!("never done: {}", missing.join(", ")));
    }
    let pending = redis.command(["XPENDING", "jobs", "group"]);
    let pending = pending.as_array().and_then(|summary| summary[0].as_integer()).unwrap_or(0);
    if pending > 0 {
        return Err(format!(
            "{pending} still pending: the poison kills one worker after the other"
        ));
    }
    let dead = redis.command(["XRANGE", "dead", "-", "+"]);
    let dead = dead.as_array().unwrap_or_default();
    let jobs: Vec<&str> = dead.iter().filter_map(|entry| job_of(entry)).collect();
    if jobs != [POISON] {
        return Err(format!("set aside in the stream `dead`: {}", jobs.join(", ")));
    }
    Ok(())
}

/// The job of an entry: the value of its one field.
fn job_of(entry: &Reply) -> Option<&str> {
    let [_, fields] = entry.as_array()? else { return None };
    fields.as_array()?.get(1)?.as_text()
}

fn main() {
    let first = common::seed();
    let careless = Care { claims: false, counts_deliveries: false };
    let claims = Care { claims: true, counts_deliveries: false };
    let careful = Care { claims: true, counts_deliveries: true };
    for (title, care) in [
        ("nobody claims", careless),
        ("workers claim what is idle", claims),
        ("workers also set aside what was delivered too often", careful),
    ] {
        common::heading(&format!("{title}, 100 seeds"));
        let sweep =
            Seeds::new(first..first + 100).with_all_failures().run(|sim| scenario(sim, care));
        println!("{} of {} seeds leave something behind", sweep.failures.len(), sweep.ran);
        if let Some(failure) = sweep.failures.first() {
            println!("seed {}: {}", failure.seed, failure.message);
        }
        if sweep.failures.is_empty() {
            println!(
                "every job is done at least once, and the poison alone is in the stream `dead`"
            );
        }
        assert!(!care.counts_deliveries || sweep.failures.is_empty(), "nothing is left behind");
    }
}
