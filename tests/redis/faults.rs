//! A running server that refuses commands, whose clients vanish, or whose clock jumps.

use std::time::Duration;
use stunt_double::redis::{
    self, AppendFsync, Client, Error, Pipeline, Redis, Refusal, Reply, ServerOptions, Subscription,
};
use stunt_double::sim::{Disconnected, Node, Outcome, Seeds, Sim};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn world(options: ServerOptions) -> (Sim, Redis) {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, options);
    (sim, redis)
}

async fn popper(node: Node, redis: Redis) -> Result<(), Error> {
    let client = Client::connect(&node, &redis).await?;
    let popped = client.call(["BLPOP", "jobs", "0"]).await?;
    node.note(popped);
    Ok(())
}

#[test]
fn a_blocked_client_whose_machine_died_is_forgotten_after_the_keepalives_time() {
    for (options, set, held, gone) in [
        (ServerOptions::default(), None, 599, 601),
        (ServerOptions::default(), Some("2"), 4, 6),
        (ServerOptions::default().with_tcp_keepalive(Duration::from_secs(2)), None, 4, 6),
        (ServerOptions::default(), Some("0"), 86_400, 0),
    ] {
        let (mut sim, redis) = world(options);
        if let Some(seconds) = set {
            assert_eq!(redis.command(["CONFIG", "SET", "tcp-keepalive", seconds]), Reply::OK);
        }
        let node = sim.daemon_with("popper", redis.clone(), popper);
        sim.run_for(secs(1)).expect_reached();
        node.lose_power();
        let blocked = || {
            let info = redis.command(["INFO", "clients"]).as_text().unwrap().to_owned();
            info.contains("blocked_clients:1")
        };
        sim.run_for(secs(held - 1)).expect_reached();
        assert!(blocked(), "{set:?}: not yet");
        if gone > 0 {
            sim.run_for(secs(gone - held)).expect_reached();
            assert!(!blocked(), "{set:?}");
            redis.command(["RPUSH", "jobs", "one"]);
            assert_eq!(redis.command(["LLEN", "jobs"]).as_integer(), Some(1), "nobody swallows it");
        }
    }
}

#[test]
fn an_item_pushed_before_the_keepalive_finds_out_is_lost_with_the_dead_client() {
    let (mut sim, redis) = world(ServerOptions::default());
    let node = sim.daemon_with("popper", redis.clone(), popper);
    sim.run_for(secs(1)).expect_reached();
    node.lose_power();
    sim.run_for(secs(60)).expect_reached();
    redis.command(["RPUSH", "jobs", "lost"]);
    assert_eq!(redis.command(["LLEN", "jobs"]).as_integer(), Some(0), "it was handed to the dead");
    sim.run_for(secs(3_600)).expect_reached();
    redis.command(["RPUSH", "jobs", "kept"]);
    assert_eq!(redis.command(["LLEN", "jobs"]).as_integer(), Some(1));
}

#[test]
fn a_blocked_client_behind_a_partition_is_dropped_and_learns_of_it_when_it_speaks() {
    let (mut sim, redis) = world(ServerOptions::default());
    let node = sim.node_with("popper", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        let popped = node.timeout(secs(7_200), client.call(["BLPOP", "jobs", "0"])).await;
        assert!(popped.is_err(), "nothing came");
        let error = client.call(["PING"]).await.unwrap_err();
        assert_eq!(error.disconnected(), Some(Disconnected::Reset));
        Ok::<(), Error>(())
    });
    let link = node.link(&redis);
    let heal = link.clone();
    sim.after(secs(1), move || link.partition());
    sim.after(secs(3_600), move || heal.heal());
    sim.run().expect_done();
}

#[test]
fn a_vanished_subscriber_counts_until_retransmissions_to_it_are_given_up() {
    let (mut sim, redis) = world(ServerOptions::default().with_tcp_keepalive(Duration::ZERO));
    let node = sim.daemon_with("listener", redis.clone(), async |node, redis| {
        let mut listener = Subscription::connect(&node, &redis).await?;
        listener.subscribe(["news"]).await?;
        listener.next().await.expect("the connection ends once").map(drop)
    });
    sim.run_for(secs(1)).expect_reached();
    node.lose_power();
    sim.run_for(secs(10_000)).expect_reached();
    assert_eq!(redis.command(["PUBLISH", "news", "x"]).as_integer(), Some(1));
    sim.run_for(secs(900)).expect_reached();
    assert_eq!(redis.command(["PUBLISH", "news", "x"]).as_integer(), Some(1));
    sim.run_for(secs(30)).expect_reached();
    assert_eq!(redis.command(["PUBLISH", "news", "x"]).as_integer(), Some(0));
}

/// Returns the reply to each of these commands, on a connection of its own.
fn told(sim: &mut Sim, name: &str, redis: &Redis, commands: &[&'static str]) -> Vec<String> {
    let with = (redis.clone(), commands.to_vec());
    sim.node_with(name, with, async |node, (redis, commands)| {
        let client = Client::connect(&node, &redis).await?;
        for command in commands {
            match client.call(command.split(' ')).await {
                Ok(reply) => node.note(reply),
                Err(error) => node.note(error.reply().expect("the server's").code()),
            }
        }
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
    let trace = sim.trace();
    let theirs = trace.note_events().filter(|event| &*event.who == name);
    theirs.map(|event| event.kind.to_string()).collect()
}

#[test]
fn each_bad_state_refuses_what_the_real_server_refuses_in_it() {
    let commands = &["GET k", "SET k v", "DEL k", "PING", "INFO nothing"];
    let ok = ["(nil)", "OK", "(integer) 1", "PONG", "\"\""];
    for (refusal, code, refused) in [
        (Refusal::read_only(), "READONLY", &[1, 2][..]),
        (Refusal::out_of_memory(), "OOM", &[1]),
        (Refusal::misconfigured(), "MISCONF", &[1, 2, 3]),
        (Refusal::loading(), "LOADING", &[0, 1, 2, 3]),
        (Refusal::busy(), "BUSY", &[0, 1, 2, 3, 4]),
        (Refusal::cluster_down(), "CLUSTERDOWN", &[0, 1, 2]),
        (Refusal::new("TRYAGAIN later").commands(["get", "info"]), "TRYAGAIN", &[0, 4]),
    ] {
        let (mut sim, redis) = world(ServerOptions::default());
        redis.refuse(refusal);
        let told = told(&mut sim, "client", &redis, commands);
        for (at, answer) in told.iter().enumerate() {
            let is_refused = refused.contains(&at);
            assert_eq!(answer == code, is_refused, "{code}: {} gives {answer}", commands[at]);
            // DEL finds nothing where SET was refused.
            if !is_refused && commands[at] != "DEL k" {
                assert_eq!(answer, ok[at], "{code}: {}", commands[at]);
            }
        }
    }
}

#[test]
fn a_refusal_ends_after_its_times_or_when_it_is_lifted() {
    let (mut sim, redis) = world(ServerOptions::default());
    redis.refuse(Refusal::new("ERR one").commands(["set"]).times(2));
    redis.refuse(Refusal::new("TWO two").commands(["Set"]).lasting(secs(5)));
    let told_first = told(&mut sim, "a", &redis, &["SET k v", "SET k v", "SET k v", "GET k"]);
    assert_eq!(told_first, ["ERR", "ERR", "TWO", "(nil)"]);
    sim.run_for(secs(5)).expect_reached();
    assert_eq!(told(&mut sim, "b", &redis, &["SET k v"]), ["OK"]);
    redis.refuse(Refusal::read_only());
    assert_eq!(told(&mut sim, "c", &redis, &["SET k v"]), ["READONLY"]);
    redis.refuse_nothing();
    assert_eq!(told(&mut sim, "d", &redis, &["SET k v"]), ["OK"]);
}

#[test]
fn a_transaction_with_a_refused_command_is_discarded() {
    let (mut sim, redis) = world(ServerOptions::default());
    redis.refuse(Refusal::out_of_memory());
    sim.node_with("a", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        let pipeline = Pipeline::new().command(["GET", "k"]).command(["SET", "k", "v"]);
        let error = client.transaction(&pipeline).await.unwrap_err();
        // Everything that is queued may need memory.
        let Error::Aborted { index: 0, error, .. } = error else { panic!("{error}") };
        assert_eq!(error.code(), "OOM");
        // A transaction queued before the server's state changed is refused at EXEC.
        redis.refuse_nothing();
        client.call(["MULTI"]).await?;
        client.call(["SET", "k", "v"]).await?;
        redis.refuse(Refusal::read_only());
        let error = client.call(["EXEC"]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "EXECABORT Transaction discarded because of: READONLY You can't write against a read \
             only replica."
        );
        // A state that refuses a queued command refuses EXEC, too, although EXEC itself may run in
        // it.
        for (refusal, code) in
            [(Refusal::loading(), "LOADING"), (Refusal::cluster_down(), "CLUSTERDOWN")]
        {
            redis.refuse_nothing();
            client.call(["MULTI"]).await?;
            client.call(["SET", "k", "v"]).await?;
            redis.refuse(refusal);
            let error = client.call(["EXEC"]).await.unwrap_err().to_string();
            assert!(error.contains(&format!("discarded because of: {code}")), "{error}");
        }
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
    assert!(redis.command(["GET", "k"]).is_nil());
}

#[test]
fn a_sweep_draws_which_commands_are_refused_and_calm_none_is() {
    // A client that ignores one of its replies.
    let scenario = |sim: &mut Sim| {
        let redis = redis::start(sim, ServerOptions::default());
        redis.refuse(Refusal::out_of_memory().one_in(20));
        sim.node_with("a", redis.clone(), async |node, redis| {
            let client = Client::connect(&node, &redis).await?;
            let _ = client.call(["SET", "a", "1"]).await;
            let _ = client.call(["INCR", "n"]).await;
            Ok::<(), Error>(())
        });
        sim.run().expect_done();
        assert_eq!(redis.command(["GET", "n"]), Reply::bulk(b"1"));
    };
    let sweep = Seeds::new(0..500).run(scenario);
    assert!(!sweep.failures.is_empty(), "it is found");
    let calm = stunt_double::sim::Config::new(1).with_calm_choices();
    Seeds::new(0..50).with_config(calm).run(scenario).expect_none();
}

#[test]
fn a_server_that_starts_with_data_loads_for_a_while() {
    let options = ServerOptions::default().with_append_only(AppendFsync::Always);
    let (mut sim, redis) = world(options.with_loading_time(secs(20)));
    redis.restart();
    assert_eq!(told(&mut sim, "a", &redis, &["SET k v"]), ["OK"], "it had nothing to load");
    redis.crash();
    let info = redis.command(["INFO", "persistence"]).as_text().unwrap().to_owned();
    assert!(info.contains("loading:1"), "{info}");
    assert_eq!(told(&mut sim, "b", &redis, &["GET k", "INFO nothing"]), ["LOADING", "\"\""]);
    sim.run_for(secs(20)).expect_reached();
    assert_eq!(told(&mut sim, "c", &redis, &["GET k"]), ["\"v\""]);
}

#[test]
fn a_clock_that_jumps_ahead_ends_leases_and_waits_and_one_that_jumps_back_prolongs_them() {
    for (jump, lease, gives_up) in [(0, 30, 100), (60, 1, 40), (-60, 90, 160), (3_600, 1, 1)] {
        let (mut sim, redis) = world(ServerOptions::default());
        redis.command(["SET", "lease", "mine", "EX", "30"]);
        sim.node_with("waiter", redis.clone(), async |node, redis| {
            let client = Client::connect(&node, &redis).await?;
            client.call(["BLPOP", "jobs", "100"]).await?;
            node.note("gave up");
            Ok::<(), Error>(())
        });
        sim.run_for(secs(1)).expect_reached();
        let by = Duration::from_secs(i64::unsigned_abs(jump));
        match jump {
            0.. => redis.set_clock_ahead(by),
            _ => redis.set_clock_behind(by),
        }
        let expected = 1_735_689_601 + jump;
        let time = redis.command(["TIME"]);
        assert_eq!(time.as_array().unwrap()[0], Reply::bulk(expected.to_string().as_bytes()));
        let left = redis.command(["TTL", "lease"]).as_integer().unwrap();
        let left = if left < 0 { 0 } else { left as u64 };
        assert_eq!(1 + left, lease, "a jump by {jump} s");
        sim.run().expect_done();
        assert_eq!(sim.now().since_start(), secs(gives_up), "a jump by {jump} s");
    }
}

#[test]
fn a_jump_of_the_clock_raises_the_events_of_keys_that_expire_by_it() {
    let (mut sim, redis) = world(ServerOptions::default());
    redis.command(["CONFIG", "SET", "notify-keyspace-events", "Ex"]);
    redis.command(["SET", "lease", "mine", "EX", "30"]);
    sim.node_with("listener", redis.clone(), async |node, redis| {
        let mut listener = Subscription::connect(&node, &redis).await?;
        listener.subscribe(["__keyevent@0__:expired"]).await?;
        node.note(String::from_utf8_lossy(&listener.next().await.unwrap()?.payload));
        Ok::<(), Error>(())
    });
    sim.run_for(secs(1)).expect_reached();
    redis.set_clock_ahead(Duration::from_secs(60));
    sim.run().expect_done();
    assert_eq!(sim.trace().notes(), "    1.000s  listener     lease\n");
}

#[test]
fn a_clock_that_drifts_makes_leases_shorter() {
    let (mut sim, redis) = world(ServerOptions::default());
    redis.set_clock_drift(1_000_000);
    redis.command(["SET", "lease", "mine", "PX", "30000"]);
    sim.run_for(Duration::from_millis(14_900)).expect_reached();
    assert_eq!(redis.command(["EXISTS", "lease"]).as_integer(), Some(1));
    sim.run_for(Duration::from_millis(200)).expect_reached();
    assert_eq!(redis.command(["EXISTS", "lease"]).as_integer(), Some(0));
}

#[test]
fn a_client_of_a_vanished_server_is_stuck_and_the_report_says_why() {
    let (mut sim, redis) = world(ServerOptions::default());
    sim.node_with("popper", redis.clone(), popper);
    sim.run_for(secs(1)).expect_reached();
    redis.vanish();
    let Outcome::Stuck(stuck) = sim.run() else { panic!("nothing comes") };
    assert_eq!(
        stuck.waiting[0].to_string(),
        "popper: the reply to BLPOP jobs 0 (redis has no power)"
    );
}
