//! Redis in a world: links, crashes, interleaving, determinism.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::redis::{
    self, AppendFsync, Client, ClientOptions, Error, Pipeline, Protocol, Redis, Reply,
    ServerOptions, Subscription,
};
use stunt_double::sim::trace::EventKind;
use stunt_double::sim::{
    Config, Disconnected, Latency, Node, Outcome, Sim, Strategy, check_determinism,
};

type Done = Result<(), Error>;

fn start(seed: u64) -> (Sim, Redis) {
    let mut sim = Sim::new(seed);
    let redis = redis::start(&mut sim, ServerOptions::default());
    (sim, redis)
}

#[test]
fn a_call_takes_a_round_trip_of_the_link() {
    let (mut sim, redis) = start(1);
    let node = sim.node_with("client", redis.clone(), async |node: Node, redis| -> Done {
        node.sleep(Duration::from_secs(1)).await;
        let client = Client::connect(&node, &redis).await?;
        let began = node.now();
        client.call(["SET", "k", "v"]).await?;
        assert_eq!(node.now() - began, Duration::from_millis(10));
        Ok(())
    });
    node.link(&redis).set_latency(Latency::Constant(Duration::from_millis(5)));
    sim.run().expect_done();
}

#[test]
fn a_client_that_dies_while_blocked_leaves_its_turn_to_the_next() {
    let (mut sim, redis) = start(1);
    let taken = Arc::new(Mutex::new(Vec::new()));
    let with = (redis.clone(), Arc::clone(&taken));
    for name in ["first", "second"] {
        let with = with.clone();
        let node = sim.node_with(name, with, consume);
        if name == "first" {
            sim.after(Duration::from_secs(1), move || node.kill());
        }
    }
    sim.node_with("producer", redis.clone(), async |node: Node, redis| -> Done {
        node.sleep(Duration::from_secs(2)).await;
        Client::connect(&node, &redis).await?.call(["RPUSH", "tasks", "a"]).await?;
        Ok(())
    });
    sim.run().expect_done();
    assert_eq!(*taken.lock().unwrap(), ["second \"a\""]);
    assert_eq!(redis.command(["LLEN", "tasks"]), Reply::Integer(0));
}

async fn consume(node: Node, (redis, taken): (Redis, Arc<Mutex<Vec<String>>>)) -> Done {
    let client = Client::connect(&node, &redis).await?;
    let reply = client.call(["BLPOP", "tasks", "0"]).await?;
    taken.lock().unwrap().push(format!("{} {}", node.name(), reply.as_array().unwrap()[1]));
    Ok(())
}

#[test]
fn a_client_that_dies_in_multi_leaves_nothing_behind() {
    let (mut sim, redis) = start(1);
    let node = sim.daemon_with("dying", redis.clone(), async |node: Node, redis| -> Done {
        let client = Client::connect(&node, &redis).await?;
        client.call(["WATCH", "k"]).await?;
        client.call(["MULTI"]).await?;
        client.call(["SET", "k", "v"]).await?;
        node.sleep(Duration::MAX).await;
        Ok(())
    });
    sim.after(Duration::from_secs(1), move || node.kill());
    sim.run().expect_done();
    assert_eq!(redis.command(["EXISTS", "k"]), Reply::Integer(0));
    let info = redis.command(["INFO", "clients"]);
    assert!(info.as_text().unwrap().contains("connected_clients:0\r\n"), "who asks is no client");
}

#[test]
fn the_report_of_a_stuck_run_says_who_waits_for_what() {
    let (mut sim, redis) = start(1);
    sim.node_with("worker", redis, async |node: Node, redis| -> Done {
        Client::connect(&node, &redis).await?.call(["BLPOP", "tasks", "0"]).await?;
        Ok(())
    });
    let Outcome::Stuck(stuck) = sim.run() else { panic!("nobody pushes") };
    assert_eq!(stuck.waiting[0].to_string(), "worker: the reply to BLPOP tasks 0");
}

#[test]
fn a_blocking_call_times_out_on_the_virtual_clock() {
    let (mut sim, redis) = start(1);
    sim.node_with("worker", redis, async |node: Node, redis| -> Done {
        let client = Client::connect(&node, &redis).await?;
        let began = node.now();
        assert!(client.call(["BLPOP", "tasks", "3600"]).await?.is_nil());
        assert_eq!(node.now() - began, Duration::from_secs(3_600));
        Ok(())
    });
    sim.run().expect_done();
}

#[test]
fn a_partition_delays_bytes_and_a_severed_link_resets() {
    let (mut sim, redis) = start(1);
    let node = sim.node_with("client", redis.clone(), async |node: Node, redis| -> Done {
        let client = Client::connect(&node, &redis).await?;
        node.sleep(Duration::from_secs(1)).await;
        let began = node.now();
        client.call(["SET", "k", "v"]).await?;
        assert_eq!(node.now() - began, Duration::from_secs(9));
        node.sleep(Duration::from_secs(10)).await;
        let refused = client.call(["GET", "k"]).await;
        assert_eq!(refused, Err(Error::Disconnected(Disconnected::Reset)));
        Client::connect(&node, &redis).await?.call(["GET", "k"]).await?;
        Ok(())
    });
    let link = node.link(&redis);
    let (partitioned, healed, severed) = (link.clone(), link.clone(), link);
    sim.after(Duration::from_millis(500), move || partitioned.partition());
    sim.after(Duration::from_secs(10), move || healed.heal());
    sim.after(Duration::from_secs(15), move || severed.sever());
    sim.run().expect_done();
}

/// Sets two keys to the same number again and again, in one go, while another client reads both.
/// Returns whether it ever saw them differ.
fn sees_a_half(strategy: Strategy, seed: u64, atomic: bool) -> bool {
    let mut sim = Sim::with_config(Config::new(seed).with_strategy(strategy));
    let redis = redis::start(&mut sim, ServerOptions::default());
    let seen = Arc::new(Mutex::new(false));
    sim.node_with("writer", redis.clone(), move |node, redis| async move {
        let client = Client::connect(&node, &redis).await?;
        for i in 0..20 {
            let i = i.to_string();
            let both = Pipeline::new().command(["SET", "name", &i]).command(["SET", "role", &i]);
            if atomic {
                assert!(client.transaction(&both).await?.is_some());
            } else {
                client.pipeline(&both).await?;
            }
        }
        Ok::<(), Error>(())
    });
    let saw = Arc::clone(&seen);
    sim.node_with("reader", redis, move |node, redis| {
        let saw = Arc::clone(&saw);
        async move {
            let client = Client::connect(&node, &redis).await?;
            for _ in 0..40 {
                let reply = client.call(["MGET", "name", "role"]).await?;
                let both = reply.as_array().unwrap();
                *saw.lock().unwrap() |= both[0] != both[1];
            }
            Ok::<(), Error>(())
        }
    });
    sim.run().expect_done();
    *seen.lock().unwrap()
}

#[test]
fn a_plain_pipeline_may_be_interleaved_with_others_and_a_transaction_never_is() {
    let halves =
        |atomic| (0..50).filter(|seed| sees_a_half(Strategy::Random, *seed, atomic)).count();
    assert!(halves(false) > 0, "other clients come between its commands");
    assert_eq!(halves(true), 0);
}

#[test]
fn a_transaction_returns_none_if_its_watch_is_broken_and_an_error_if_it_is_refused() {
    let (mut sim, redis) = start(1);
    sim.node_with("client", redis, async |node: Node, redis| -> Done {
        let (one, other) =
            (Client::connect(&node, &redis).await?, Client::connect(&node, &redis).await?);
        one.call(["WATCH", "k"]).await?;
        other.call(["SET", "k", "v"]).await?;
        let pipeline = Pipeline::new().command(["GET", "k"]);
        assert_eq!(one.transaction(&pipeline).await?, None);
        assert_eq!(one.transaction(&pipeline).await?, Some(vec![Reply::bulk(b"v")]));
        let refused = one.transaction(&Pipeline::new().command(["NOSUCH"])).await.unwrap_err();
        assert_eq!(refused.reply().unwrap().code(), "EXECABORT");
        let error = one.call(["INCR", "k"]).await.unwrap_err();
        assert_eq!(error.to_string(), "ERR value is not an integer or out of range");
        let empty: [&str; 0] = [];
        assert_eq!(one.call(empty).await, Err(Error::EmptyCommand));
        assert_eq!(one.call(["SUBSCRIBE", "c"]).await, Err(Error::NotACall));
        Ok(())
    });
    sim.run().expect_done();
}

#[test]
fn a_client_connects_with_a_password_a_database_and_a_protocol() {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default().with_password("secret"));
    sim.node_with("client", redis, async |node: Node, redis| -> Done {
        let refused = Client::connect(&node, &redis).await?.call(["PING"]).await.unwrap_err();
        assert_eq!(refused.reply().unwrap().code(), "NOAUTH");
        let options = ClientOptions {
            password: Some("secret".into()),
            database: 3,
            protocol: Protocol::Resp3,
        };
        let client = Client::connect_with(&node, &redis, options).await?;
        client.call(["ZADD", "z", "0.5", "a"]).await?;
        assert_eq!(client.call(["ZSCORE", "z", "a"]).await?, Reply::Double(0.5));
        Ok(())
    });
    sim.run().expect_done();
}

#[test]
fn a_subscription_is_a_stream_of_messages_until_the_server_goes() {
    let (mut sim, redis) = start(1);
    sim.node_with("listener", redis.clone(), async |node: Node, redis| -> Done {
        let mut news = Subscription::connect(&node, &redis).await?;
        news.subscribe(["news"]).await?;
        news.psubscribe(["n*"]).await?;
        let message = news.next().await.unwrap()?;
        assert_eq!((message.channel.as_ref(), message.pattern), (&b"news"[..], None));
        assert_eq!(news.next().await.unwrap()?.pattern.as_deref(), Some(&b"n*"[..]));
        news.punsubscribe(["n*"]).await?;
        node.note("only the channel is left");
        assert_eq!(news.next().await.unwrap()?.text(), "second");
        assert_eq!(news.next().await, Some(Err(Error::Disconnected(Disconnected::Closed))));
        assert_eq!(news.next().await, None);
        Ok(())
    });
    sim.node_with("speaker", redis.clone(), async |node: Node, redis| -> Done {
        node.sleep(Duration::from_secs(1)).await;
        let client = Client::connect(&node, &redis).await?;
        assert_eq!(client.call(["PUBLISH", "news", "first"]).await?.as_integer(), Some(2));
        node.sleep(Duration::from_secs(1)).await;
        assert_eq!(client.call(["PUBLISH", "news", "second"]).await?.as_integer(), Some(1));
        Ok(())
    });
    let stopping = redis;
    sim.after(Duration::from_secs(5), move || stopping.restart());
    sim.run().expect_done();
}

#[test]
fn the_trace_lists_the_keys_that_a_crash_lost() {
    let mut sim = Sim::new(1);
    let options = ServerOptions::default().with_append_only(AppendFsync::EverySec);
    let redis = redis::start(&mut sim, options);
    sim.node_with("client", redis.clone(), async |node: Node, redis| -> Done {
        let client = Client::connect(&node, &redis).await?;
        client.call(["SET", "synced", "1"]).await?;
        node.sleep(Duration::from_millis(1_500)).await;
        client.call(["SET", "late", "1"]).await?;
        Ok(())
    });
    sim.run().expect_done();
    redis.crash();
    assert_eq!(redis.command(["DBSIZE"]), Reply::Integer(2), "a kill loses nothing written");
    redis.command(["SET", "later", "1"]);
    redis.lose_power();
    assert_eq!(redis.command(["KEYS", "*"]).as_array().unwrap().len(), 2);
    let notes: Vec<String> = sim
        .trace()
        .events()
        .filter_map(
            |event| if let EventKind::Note(text) = &event.kind { Some(text.clone()) } else { None },
        )
        .collect();
    assert_eq!(notes, ["lost the last changes of 1 key: later"]);
    redis.wipe();
    assert_eq!(redis.command(["DBSIZE"]), Reply::Integer(0));
}

#[test]
fn a_server_that_is_down_refuses_and_then_has_what_it_kept() {
    let (mut sim, redis) = start(1);
    redis.command(["SET", "k", "v"]);
    redis.stop(stunt_double::Shutdown::Clean);
    sim.node_with("client", redis.clone(), async |node: Node, redis| -> Done {
        let refused = Client::connect(&node, &redis).await.unwrap_err();
        assert_eq!(refused, Error::Disconnected(Disconnected::Refused));
        node.sleep(Duration::from_secs(2)).await;
        let client = Client::connect(&node, &redis).await?;
        assert_eq!(client.call(["GET", "k"]).await?.as_text(), Some("v"));
        Ok(())
    });
    sim.after(Duration::from_secs(1), move || redis.start());
    sim.run().expect_done();
}

#[test]
fn the_same_seed_gives_the_same_run_and_draws() {
    let scenario = |sim: &mut Sim| {
        let redis = redis::start(sim, ServerOptions::default());
        for i in 0..3 {
            sim.node_with(
                &format!("client-{i}"),
                redis.clone(),
                async |node: Node, redis| -> Done {
                    let client = Client::connect(&node, &redis).await?;
                    for j in 0..20 {
                        client.call(["SADD", "set", &format!("{} {j}", node.name())]).await?;
                        client.call(["SPOP", "set"]).await?;
                        client.call(["SET", "k", "v", "PX", &(j + 1).to_string()]).await?;
                        node.sleep(Duration::from_millis(3)).await;
                    }
                    Ok(())
                },
            );
        }
        sim.run().expect_done();
    };
    check_determinism(Config::new(7).with_strategy(Strategy::Random), scenario).unwrap();
}

#[test]
fn random_commands_draw_from_the_seed_and_replay_from_a_tape() {
    let run = |config: Config| {
        let mut sim = Sim::with_config(config);
        let redis = redis::start(&mut sim, ServerOptions::default());
        let members: Vec<String> = (0..100).map(|i| i.to_string()).collect();
        let words = ["SADD".to_owned(), "set".to_owned()].into_iter().chain(members);
        redis.command(words);
        let drawn: Vec<String> =
            (0..10).map(|_| redis.command(["SPOP", "set"]).to_string()).collect();
        (drawn, sim.tape())
    };
    let (drawn, tape) = run(Config::new(3).with_recording());
    assert_eq!(run(Config::new(3)).0, drawn);
    assert_ne!(run(Config::new(4)).0, drawn);
    assert_eq!(run(Config::new(99).with_tape(tape)).0, drawn);
}

/// A client of the node sends this, and then another client tries to connect.
fn ended_by(words: &'static [&'static str]) -> (Sim, Redis, String) {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    let with = (redis.clone(), words);
    sim.node_with("caller", with, async |node: Node, (redis, words): (Redis, &[&str])| -> Done {
        let client = Client::connect(&node, &redis).await?;
        client.call(["SET", "k", "v"]).await?;
        client.call(words).await.expect_err("the server is gone");
        Client::connect(&node, &redis).await.expect_err("nobody listens");
        Ok(())
    });
    sim.run().expect_done();
    let notes = sim.trace().transcript();
    (sim, redis, notes)
}

#[test]
fn a_server_that_a_client_has_ended_refuses_until_it_is_started() {
    for (words, how) in [
        (&["SHUTDOWN", "NOSAVE"][..], "clean"),
        (&["SHUTDOWN"], "clean"),
        (&["DEBUG", "SEGFAULT"], "killed"),
    ] {
        let (mut sim, redis, trace) = ended_by(words);
        assert!(!redis.is_running(), "{words:?}");
        assert!(trace.contains("refused by redis"), "{words:?}: {trace}");
        assert!(trace.contains(&format!("stopped ({how})")), "{words:?}: {trace}");
        redis.start();
        assert!(redis.is_running());
        assert_eq!(redis.command(["PING"]).to_string(), "PONG");
        sim.run().expect_done();
    }
    // It is its own operator, too.
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    redis.command(["SHUTDOWN", "NOSAVE"]);
    assert!(!redis.is_running());
    redis.restart();
    assert_eq!(redis.command(["PING"]).to_string(), "PONG");
    sim.run().expect_done();
}

#[test]
fn a_server_that_restarts_by_itself_refuses_meanwhile() {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    sim.node_with("caller", redis.clone(), async |node: Node, redis: Redis| -> Done {
        let client = Client::connect(&node, &redis).await?;
        client.call(["DEBUG", "RESTART", "500"]).await.expect_err("the server is gone");
        let refused = Client::connect(&node, &redis).await.expect_err("nobody listens");
        assert!(refused.to_string().contains("refused"), "{refused}");
        node.sleep(Duration::from_secs(1)).await;
        Client::connect(&node, &redis).await?.call(["PING"]).await?;
        Ok(())
    });
    sim.run().expect_done();
    assert!(redis.is_running());
}
