//! The lives of keys where no command says what became of them: a crash undoes what was answered,
//! and databases change places.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::Server;
use stunt_double::redis::{self, Client, Redis, ServerOptions};
use stunt_double::sim::service::{ByteService, Service};
use stunt_double::sim::{Config, Latency, Sim};
use stunt_double::{Instant, Shutdown, Site, Stream};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Runs commands of a node with this name, and nothing beyond them.
fn run(sim: &mut Sim, name: &str, redis: &Redis, commands: &'static [&'static [&'static str]]) {
    let is_done = Rc::new(Cell::new(false));
    let at_work = (redis.clone(), commands, Rc::clone(&is_done));
    sim.node_with(name, at_work, async |node, (redis, commands, is_done)| {
        let client = Client::connect(&node, &redis).await?;
        for command in commands {
            client.call(command.iter().copied()).await?;
        }
        is_done.set(true);
        Ok::<(), redis::Error>(())
    });
    sim.run_until(move || is_done.get()).expect_reached();
}

fn world() -> (Sim, Redis) {
    let config = Config::new(1).with_stories().with_latency(Latency::Constant(ms(1)));
    let mut sim = Sim::with_config(config);
    let redis = redis::start(&mut sim, ServerOptions::default());
    (sim, redis)
}

fn told(sim: &Sim, subject: &str) -> Vec<String> {
    let stories = sim.trace().stories();
    let story = stories.iter().find(|story| &*story.subject == subject);
    let story = story.unwrap_or_else(|| panic!("no story of {subject}: {stories:?}"));
    story.steps.iter().map(|step| step.text.clone()).collect()
}

#[test]
fn a_change_that_a_power_loss_undoes_is_told() {
    let (mut sim, redis) = world();
    run(&mut sim, "shop", &redis, &[&["SET", "stock", "1"], &["SET", "lock", "me"], &["SAVE"]]);
    run(
        &mut sim,
        "bank",
        &redis,
        &[&["SET", "stock", "2"], &["DEL", "lock"], &["SET", "new", "1"]],
    );
    redis.stop(Shutdown::PowerLoss);
    sim.run_for(ms(1_000)).expect_reached();
    redis.start();
    run(&mut sim, "till", &redis, &[&["GET", "stock"], &["GET", "lock"], &["GET", "new"]]);
    assert_eq!(
        told(&sim, "stock")[1..],
        [
            "bank: SET stock 2 → OK",
            "back to what was on disk, as the server went down: its last changes are lost",
            "till: GET stock → \"1\"",
        ]
    );
    let lock = told(&sim, "lock");
    assert!(lock[1].starts_with("bank: DEL lock → (integer) 1; it is gone, after "), "{lock:?}");
    assert_eq!(
        lock[2..],
        [
            "back, as the server went down: what removed it was not yet on disk",
            "till: GET lock → \"me\"",
        ]
    );
    let new = told(&sim, "new");
    assert!(new[1].starts_with("lost, as the server went down; it is gone, after "), "{new:?}");
    // It was lost when the power went, and not when it came back.
    let stories = sim.trace().stories();
    let story = stories.iter().find(|story| &*story.subject == "new").unwrap();
    assert!(story.steps[1].at - story.steps[0].at < ms(10), "{story}");
}

#[test]
fn a_change_that_is_on_disk_is_not_said_to_be_undone() {
    let (mut sim, redis) = world();
    run(&mut sim, "shop", &redis, &[&["SET", "stock", "1"], &["SAVE"]]);
    redis.lose_power();
    run(&mut sim, "till", &redis, &[&["GET", "stock"]]);
    assert_eq!(told(&sim, "stock"), ["shop: SET stock 1 → OK", "till: GET stock → \"1\""]);
}

#[test]
fn a_key_that_expires_while_the_server_is_down_is_not_said_to_be_lost() {
    let (mut sim, redis) = world();
    run(&mut sim, "shop", &redis, &[&["SET", "lock", "me", "PX", "500"], &["SAVE"]]);
    redis.stop(Shutdown::Kill);
    sim.run_for(ms(1_000)).expect_reached();
    redis.start();
    run(&mut sim, "till", &redis, &[&["GET", "lock"]]);
    let lock = told(&sim, "lock");
    assert!(lock[1].starts_with("expired while the server was down; it is gone"), "{lock:?}");
    assert_eq!(lock[2..], ["till: GET lock → (nil)"]);
}

#[test]
fn an_evicted_key_is_told_even_by_the_command_that_names_it() {
    let (mut sim, redis) = world();
    run(
        &mut sim,
        "shop",
        &redis,
        &[
            &["SET", "stock", "1"],
            &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "1"],
            &["GET", "stock"],
        ],
    );
    let stock = told(&sim, "stock");
    assert!(stock[1].starts_with("evicted; it is gone"), "{stock:?}");
    assert_eq!(stock[2..], ["shop: GET stock → (nil)"]);
}

#[test]
fn a_wiped_disk_is_told() {
    let (mut sim, redis) = world();
    run(&mut sim, "shop", &redis, &[&["SET", "stock", "1"], &["SAVE"]]);
    redis.wipe();
    let stock = told(&sim, "stock");
    assert!(stock[1].starts_with("lost, as the server's disk was wiped; it is gone"), "{stock:?}");
}

#[test]
fn a_swap_of_databases_removes_nothing() {
    let (mut sim, redis) = world();
    run(
        &mut sim,
        "shop",
        &redis,
        &[
            &["SET", "here", "1"],
            &["SET", "both", "1"],
            &["SELECT", "1"],
            &["SET", "both", "2"],
            &["SWAPDB", "0", "1"],
            &["GET", "here"],
            &["DEL", "here"],
        ],
    );
    assert_eq!(told(&sim, "here"), ["shop: SET here 1 → OK", "shop: SWAPDB: it is in db 1 now"]);
    let there = told(&sim, "here (db 1)");
    assert_eq!(there[..2], ["shop: SWAPDB: it comes from db 0", "shop: GET here → \"1\""]);
    // It is as old as it was before.
    assert!(there[2].ends_with("it is gone, after 12ms"), "{there:?}");
    let both = "shop: SWAPDB: it changes places with that of db";
    assert_eq!(told(&sim, "both")[1], format!("{both} 1"));
    assert_eq!(told(&sim, "both (db 1)")[1], format!("{both} 0"));
}

#[test]
fn a_portrait_shows_small_values() {
    let server = Server::new(ServerOptions::default(), Stream::calm(Site::new("redis"), 0));
    let mut server = ByteServer::new(server);
    ByteService::connected(&mut server, Instant::ZERO, 1, "a test");
    for command in [
        "SET text hello",
        "RPUSH list b a b",
        "SADD numbers 4 2 1",
        "SADD words c a b",
        "HSET hash b 2 a 1",
        "ZADD ranks 2.5 second 1 first",
        "RPUSH many 1 2 3 4 5 6 7",
        "SADD long a-member-that-is-longer-than-a-line-should-be",
    ] {
        server.receive(Instant::ZERO, 1, format!("{command}\r\n").as_bytes());
    }
    assert_eq!(
        server.portrait(Instant::ZERO),
        [
            "key hash: a hash of 2: a=1, b=2, no expiry",
            "key list: a list of 3: b, a, b, no expiry",
            "key long: a set of 1, no expiry",
            "key many: a list of 7, no expiry",
            "key numbers: a set of 3: 1, 2, 4, no expiry",
            "key ranks: a sorted set of 2: first=1, second=2.5, no expiry",
            "key text: \"hello\", no expiry",
            "key words: a set of 3: a, b, c, no expiry",
        ]
    );
}

#[test]
fn the_story_of_a_stream_says_who_added_read_and_acknowledged() {
    let (mut sim, redis) = world();
    let adds: &[&[&str]] =
        &[&["XGROUP", "CREATE", "jobs", "g", "0", "MKSTREAM"], &["XADD", "jobs", "5-1", "n", "1"]];
    run(&mut sim, "shop", &redis, adds);
    let reads: &[&[&str]] = &[
        &["XREADGROUP", "GROUP", "g", "w", "COUNT", "1", "STREAMS", "jobs", ">"],
        &["XACK", "jobs", "g", "5-1"],
    ];
    run(&mut sim, "worker", &redis, reads);
    let told = told(&sim, "jobs");
    assert!(told.iter().any(|step| step.starts_with("shop: XADD jobs 5-1 n 1 →")), "{told:?}");
    assert!(told.iter().any(|step| step.starts_with("worker: XREADGROUP GROUP g w")), "{told:?}");
    assert!(told.iter().any(|step| step == "worker: XACK jobs g 5-1 → (integer) 1"), "{told:?}");
}
