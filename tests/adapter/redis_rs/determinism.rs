//! The same seed gives the same run, whichever connection is used and whenever a node dies.

use super::adapter::Connect;
use super::redis::aio::ConnectionLike;
use super::redis::{AsyncCommands, RedisResult, pipe};
use super::support::next;
use std::time::Duration;
use stunt_double::redis::{Redis, ServerOptions, start};
use stunt_double::sim::{Config, Latency, Node, Seeds, Sim, Strategy, check_determinism};
use stunt_double::{Instant, Site};

/// Registers a name, and returns its rank and everyone.
async fn register<C: ConnectionLike + Send + Sync>(
    con: &mut C,
    name: &str,
) -> RedisResult<(i64, Vec<String>)> {
    let at: i64 = con.incr("clock", 1).await?;
    let () = con.zadd("names", name, at).await?;
    pipe().atomic().zrank("names", name).zrange("names", 0, -1).query_async(con).await
}

async fn client(node: Node, server: Redis) -> RedisResult<()> {
    let mut multiplexed = server.multiplexed(&node).await?;
    let mut light = server.connection(&node).await?;
    let mut messages = server.pubsub(&node).await?;
    messages.subscribe("names").await?;
    for _ in 0..3 {
        let (rank, all) = register(&mut multiplexed, node.name()).await?;
        node.note(format!("{rank} of {}", all.len()));
        let (rank, all) = register(&mut light, node.name()).await?;
        node.note(format!("{rank} of {}", all.len()));
        let () = light.publish("names", node.name()).await?;
        let message = next(messages.on_message()).await;
        node.note(format!("{:?}", message.map(|m| m.get_payload::<String>())));
        node.sleep(Duration::from_millis(3)).await;
    }
    let nothing: Option<(String, String)> = multiplexed.blpop("nothing", 2.0).await?;
    assert_eq!(nothing, None);
    Ok(())
}

/// A client that notes its error instead of failing.
async fn survivor(node: Node, server: Redis) {
    if let Err(error) = client(node.clone(), server).await {
        node.note(format!("{error}"));
    }
}

fn world(sim: &mut Sim) -> (Vec<Node>, Redis) {
    let server = start(sim, ServerOptions::default());
    let names = ["a", "b", "c"];
    let nodes = names.map(|name| {
        let node = sim.node_with(name, server.clone(), survivor);
        let (min, max) = (Duration::from_micros(50), Duration::from_millis(5));
        node.link(&server).set_latency(Latency::Uniform { min, max });
        node
    });
    (nodes.into(), server)
}

fn scenario(sim: &mut Sim) {
    world(sim);
    sim.run().expect_done();
    assert_eq!(sim.trace().notes().lines().count(), 27, "no client has failed");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for strategy in [Strategy::Fifo, Strategy::Random] {
        for seed in 0..20 {
            let config = Config::new(seed).with_strategy(strategy);
            check_determinism(config, scenario).unwrap_or_else(|difference| panic!("{difference}"));
        }
    }
}

#[test]
fn two_hundred_random_schedules_pass() {
    Seeds::new(0..200).with_strategy(Strategy::Random).run(scenario).expect_none();
}

/// Kills a node at a moment of the seed's choice, and the server at another.
fn with_kills(sim: &mut Sim) {
    let (nodes, server) = world(sim);
    let kill = sim.choose(Site::new("test.kill"), 0, 60_000_000);
    let crash = sim.choose(Site::new("test.crash"), 0, 60_000_000);
    let victim = nodes[0].clone();
    sim.at(Instant::from_nanos(kill), move || victim.restart());
    let crashed = server.clone();
    sim.at(Instant::from_nanos(crash), move || crashed.crash());
    sim.run().expect_done();
    server.inspect(|server| server.check_invariants()).unwrap();
    // Nothing of the clients is left behind.
    assert_eq!(server.command(["PUBLISH", "names", "x"]).as_integer(), Some(0));
}

#[test]
fn kills_and_crashes_replay() {
    for seed in 0..200 {
        let config = Config::new(seed).with_strategy(Strategy::Random);
        check_determinism(config, with_kills).unwrap_or_else(|difference| panic!("{difference}"));
    }
}

/// Set for a child process, which then prints its digests and nothing else.
const CHILD: &str = "STUNT_DOUBLE_TEST_CHILD";

#[test]
fn two_processes_agree_on_every_digest() {
    let digests: Vec<String> = (0..3)
        .map(|seed| {
            let mut sim = Sim::with_config(Config::new(seed).with_strategy(Strategy::Random));
            with_kills(&mut sim);
            format!("digest {}", sim.digest())
        })
        .collect();
    if std::env::var_os(CHILD).is_some() {
        println!("\n{}", digests.join("\n"));
        return;
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::two_processes_agree_on_every_digest"), "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let told: Vec<&str> = text.lines().filter(|line| line.starts_with("digest ")).collect();
    assert_eq!(told, digests, "{text}");
}
