//! A rate limiter in Redis: at most five requests of a user in any second, counted in a sorted set.
//! Three gateways that count and add with separate commands let too many through, since another
//! gateway may come in between. A script does both in one step, and never does.
//!
//! `cargo run --release --features lua --example rate_limiter -- --seed 1`

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Site;
use stunt_double::redis::{self, Client, Error, Redis, ServerOptions};
use stunt_double::sim::{Latency, Node, Seeds, Sim};

/// The site that decides when a request arrives.
const ARRIVAL: Site = Site::new("limiter.arrival");

const LIMIT: i64 = 5;
const WINDOW: i64 = 1_000;
const REQUESTS: usize = 12;

/// Counts the requests of the last second by the server's clock, and adds this one if there is
/// room. Returns its time, or nothing.
const SCRIPT: &str = "
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
    if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return false end
    redis.call('ZADD', KEYS[1], now, ARGV[3])
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    return now";

/// When requests were let through, in milliseconds of the server's clock.
type Admitted = Arc<Mutex<Vec<i64>>>;

/// Asks with one script.
async fn ask_script(client: &Client, id: &str) -> Result<Option<i64>, Error> {
    let (window, limit) = (WINDOW.to_string(), LIMIT.to_string());
    let call = ["EVAL", SCRIPT, "1", "hits:ann", &window, &limit, id];
    Ok(client.call(call).await?.as_integer())
}

/// Asks with separate commands.
async fn ask_in_steps(client: &Client, id: &str) -> Result<Option<i64>, Error> {
    let (secs, micros): (i64, i64) = client.call_as(["TIME"]).await?;
    let now = secs * 1_000 + micros / 1_000;
    let oldest = (now - WINDOW).to_string();
    client.call(["ZREMRANGEBYSCORE", "hits:ann", "-inf", &oldest]).await?;
    if client.call_as::<i64, _>(["ZCARD", "hits:ann"]).await? >= LIMIT {
        return Ok(None);
    }
    client.call(["ZADD", "hits:ann", &now.to_string(), id]).await?;
    Ok(Some(now))
}

async fn gateway(node: Node, redis: Redis, admitted: Admitted, script: bool) -> Result<(), Error> {
    let client = Client::connect(&node, &redis).await?;
    for number in 0..REQUESTS {
        node.sleep(Duration::from_millis(node.choose(ARRIVAL, 300))).await;
        let id = format!("{}:{number}", node.name());
        let passed = match script {
            true => ask_script(&client, &id).await?,
            false => ask_in_steps(&client, &id).await?,
        };
        admitted.lock().expect("one thread").extend(passed);
    }
    Ok(())
}

/// Three gateways ask for one user. Fails if more than five requests pass within a second.
fn scenario(sim: &mut Sim, script: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    let admitted = Admitted::default();
    for name in ["gateway-1", "gateway-2", "gateway-3"] {
        let handles = (redis.clone(), Arc::clone(&admitted));
        let node = sim.node_with(name, handles, move |node, (redis, admitted)| {
            gateway(node, redis, admitted, script)
        });
        node.link(&redis).set_latency(Latency::Constant(Duration::from_millis(2)));
    }
    sim.run().expect_done();
    let mut admitted = admitted.lock().expect("one thread").clone();
    admitted.sort_unstable();
    let within =
        |first: i64| admitted.iter().filter(move |at| (first..first + WINDOW).contains(*at));
    match admitted.iter().map(|first| within(*first).count() as i64).max() {
        Some(most) if most > LIMIT => {
            Err(format!("{most} requests within a second, and the limit is {LIMIT}"))
        }
        _ => Ok(()),
    }
}

fn main() {
    let first = common::seed();
    println!("At most {LIMIT} requests of a user within a second, asked of three gateways.");
    for (title, script) in [("separate commands", false), ("one script", true)] {
        common::heading(&format!("{title}, 300 seeds"));
        let seeds = Seeds::new(first..first + 300).with_all_failures();
        let sweep = seeds.run(|sim| scenario(sim, script));
        println!("{} of {} seeds let too many through", sweep.failures.len(), sweep.ran);
        if let Some(failure) = sweep.failures.first() {
            println!("seed {}: {}", failure.seed, failure.message);
        }
        assert!(!script || sweep.failures.is_empty(), "a script is one step");
    }
}
