//! The client in a world: refusals, ends of connections, waits, and conversions of replies.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::redis::{
    self, Client, ConvertError, Error, FromReply, Monitor, Pipeline, Protocol, Redis, Reply,
    ServerOptions, Subscription,
};
use stunt_double::sim::{Disconnected, Latency, Node, Outcome, Sim};

fn world() -> (Sim, Redis) {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    (sim, redis)
}

#[test]
fn a_transaction_says_which_command_was_refused_and_why() {
    let (mut sim, redis) = world();
    sim.node_with("a", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        let pipeline = Pipeline::new()
            .command(["SET", "k", "v"])
            .command(["LPUSH", "jobs"])
            .command(["NOSUCH", "x"]);
        let error = client.transaction(&pipeline).await.unwrap_err();
        let Error::Aborted { index, command, error: why, exec } = &error else {
            panic!("{error}");
        };
        assert_eq!((*index, &**command), (1, "LPUSH jobs"));
        assert_eq!(why.0, "ERR wrong number of arguments for 'lpush' command");
        assert_eq!(
            error.to_string(),
            "nothing was run: command 1 of the transaction (LPUSH jobs) was refused: \
             ERR wrong number of arguments for 'lpush' command"
        );
        assert_eq!((error.reply(), exec.code()), (Some(exec), "EXECABORT"));
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
    assert!(redis.command(["GET", "k"]).is_nil());
}

#[test]
fn a_pipeline_that_is_cut_returns_the_replies_that_arrived() {
    let (mut sim, redis) = world();
    let node = sim.node_with("a", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        let pipeline = Pipeline::new()
            .command(["SET", "k", "v"])
            .command(["GET", "k"])
            .command(["BLPOP", "jobs", "0"])
            .command(["GET", "k"]);
        let error = client.pipeline(&pipeline).await.unwrap_err();
        assert_eq!(error.disconnected(), Some(Disconnected::Closed));
        let Error::PipelineCut { replies, .. } = error else { panic!("{error}") };
        assert_eq!(replies, [Reply::OK, Reply::bulk(b"v")]);
        Ok::<(), Error>(())
    });
    node.link(&redis).set_latency(Latency::Constant(Duration::from_millis(1)));
    let crash = redis;
    sim.after(Duration::from_secs(1), move || crash.crash());
    sim.run().expect_done();
}

async fn waits_for(node: Node, (redis, what): (Redis, &'static str)) -> Result<(), Error> {
    match what {
        "subscription" => {
            let mut listener = Subscription::connect(&node, &redis).await?;
            listener.subscribe(["news", "sport"]).await?;
            listener.psubscribe(["w*"]).await?;
            listener.unsubscribe(["sport"]).await?;
            listener.next().await.unwrap().map(drop)
        }
        _ => Client::connect(&node, &redis).await?.call(what.split(' ')).await.map(drop),
    }
}

#[test]
fn a_stuck_run_names_the_key_or_the_channel_that_a_client_waits_for() {
    for (what, told) in [
        ("blpop jobs mail 0", "the reply to BLPOP jobs mail 0"),
        ("subscription", "a message on news, w*"),
    ] {
        let (mut sim, redis) = world();
        sim.node_with("a", (redis, what), waits_for);
        let Outcome::Stuck(stuck) = sim.run() else { panic!("nothing comes") };
        assert_eq!(stuck.waiting[0].what, [told]);
    }
}

#[test]
fn the_trace_marks_a_reply_that_nobody_waits_for() {
    let (mut sim, redis) = world();
    let node = sim.node_with("a", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        let call = client.call(["INCR", "k"]);
        assert!(node.timeout(Duration::from_millis(5), call).await.is_err());
        assert_eq!(client.call_as::<u64, _>(["INCR", "k"]).await?, 2, "it was run all the same");
        Ok::<(), Error>(())
    });
    node.link(&redis).set_latency(Latency::Constant(Duration::from_millis(10)));
    sim.run().expect_done();
    let transcript = sim.trace().transcript();
    let line = "a            nobody waited for that answer of redis";
    assert_eq!(transcript.matches(line).count(), 1, "{transcript}");
}

#[test]
fn replies_are_read_as_the_callers_types() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let (mut sim, redis) = world();
        sim.node_with("a", (redis, protocol), async |node, (redis, protocol)| {
            let options = redis::ClientOptions { protocol, ..Default::default() };
            let c = Client::connect_with(&node, &redis, options).await?;
            let _: () = c.call_as(["SET", "n", "41"]).await?;
            assert_eq!(c.call_as::<i8, _>(["INCR", "n"]).await?, 42);
            assert_eq!(c.call_as::<u128, _>(["GET", "n"]).await?, 42);
            assert_eq!(c.call_as::<String, _>(["GET", "n"]).await?, "42");
            assert_eq!(c.call_as::<Vec<u8>, _>(["GET", "n"]).await?, b"42");
            assert_eq!(c.call_as::<Bytes, _>(["GET", "n"]).await?, "42");
            assert_eq!(c.call_as::<Option<u32>, _>(["GET", "n"]).await?, Some(42));
            assert_eq!(c.call_as::<Option<u32>, _>(["GET", "none"]).await?, None);
            assert!(c.call_as::<bool, _>(["EXISTS", "n"]).await?);
            assert!(!c.call_as::<bool, _>(["EXISTS", "none"]).await?);
            c.call(["ZADD", "z", "1.5", "a", "2", "b"]).await?;
            let scores: BTreeMap<String, f64> =
                c.call_as(["ZRANGE", "z", "0", "-1", "WITHSCORES"]).await?;
            assert_eq!(scores, BTreeMap::from([("a".to_owned(), 1.5), ("b".to_owned(), 2.0)]));
            assert_eq!(c.call_as::<f64, _>(["ZSCORE", "z", "a"]).await?, 1.5);
            c.call(["HSET", "h", "f", "1", "g", "2"]).await?;
            #[expect(clippy::disallowed_types, reason = "nothing here walks it")]
            let fields: std::collections::HashMap<String, u8> = c.call_as(["HGETALL", "h"]).await?;
            assert_eq!((fields["f"], fields["g"]), (1, 2));
            c.call(["SADD", "s", "x", "y"]).await?;
            let members: BTreeSet<String> = c.call_as(["SMEMBERS", "s"]).await?;
            assert_eq!(members.len(), 2);
            let got: (Option<String>, Option<u8>) = c.call_as(["MGET", "none", "n"]).await?;
            assert_eq!(got, (None, Some(42)));
            let names: Vec<Option<String>> = c.call_as(["MGET", "none", "n"]).await?;
            assert_eq!(names, [None, Some("42".to_owned())]);
            let (cursor, keys): (u64, Vec<String>) = c.call_as(["SCAN", "0"]).await?;
            assert_eq!((cursor, keys.len()), (0, 4));
            Ok::<(), Error>(())
        });
        sim.run().expect_done();
    }
}

#[test]
fn a_reply_of_another_type_is_an_error_that_shows_it() {
    let refused: Vec<ConvertError> = vec![
        u8::from_reply(Reply::Integer(256)).unwrap_err(),
        u64::from_reply(Reply::Integer(-1)).unwrap_err(),
        i64::from_reply(Reply::bulk(b"12x")).unwrap_err(),
        i64::from_reply(Reply::Nil).unwrap_err(),
        String::from_reply(Reply::bulk(b"\xff")).unwrap_err(),
        bool::from_reply(Reply::bulk(b"yes")).unwrap_err(),
        <(u8, u8)>::from_reply(Reply::bulks(["1"])).unwrap_err(),
        BTreeMap::<String, u8>::from_reply(Reply::bulks(["a", "1", "b"])).unwrap_err(),
        Vec::<String>::from_reply(Reply::bulk(b"text")).unwrap_err(),
    ];
    let wanted: Vec<&str> = refused.iter().map(|error| error.wanted).collect();
    let expected = [
        "a u8",
        "a u64",
        "an i64",
        "an i64",
        "UTF-8",
        "a bool",
        "an array of 2",
        "pairs",
        "an array",
    ];
    assert_eq!(wanted, expected);
    assert_eq!(refused[0].to_string(), "the reply (integer) 256 is not a u8");
    assert_eq!(i64::try_from(Reply::bulk(b"7")), Ok(7));
}

#[cfg(feature = "lua")]
#[test]
fn a_stuck_run_names_the_script_that_does_not_end() {
    let (mut sim, redis) = world();
    sim.node_with("a", redis, async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        client.call(["EVAL", "while true do end", "0"]).await?;
        Ok::<(), Error>(())
    });
    let Outcome::Stuck(stuck) = sim.run() else { panic!("nothing kills it") };
    assert_eq!(stuck.waiting[0].what, ["the reply to EVAL while true do end 0"]);
}

#[test]
fn a_monitor_sees_what_the_server_runs_until_it_stops() {
    let (mut sim, redis) = world();
    sim.node_with("watcher", redis.clone(), async |node, redis| {
        let mut monitor = Monitor::connect(&node, &redis).await?;
        let line = monitor.next().await.expect("it is connected")?;
        assert_eq!(line, "1735689600.500000 [0 app] \"SELECT\" \"2\"");
        let line = monitor.next().await.expect("it is connected")?;
        assert_eq!(line, "1735689601.000000 [2 app] \"SET\" \"k\" \"a \\\"b\\\"\"");
        let lost = monitor.next().await.expect("the end is told");
        assert!(matches!(lost, Err(Error::Disconnected(_))), "{lost:?}");
        assert_eq!(monitor.next().await, None);
        Ok::<(), Error>(())
    });
    sim.node_with("app", redis.clone(), async |node, redis| {
        let options = redis::ClientOptions { database: 2, ..Default::default() };
        node.sleep(Duration::from_millis(500)).await;
        let client = Client::connect_with(&node, &redis, options).await?;
        node.sleep(Duration::from_millis(500)).await;
        client.call(["SET", "k", "a \"b\""]).await?;
        Ok::<(), Error>(())
    });
    let at = redis;
    sim.after(Duration::from_secs(2), move || at.stop(Shutdown::Kill));
    sim.run().expect_done();
}

#[test]
fn a_monitor_is_refused_as_any_command() {
    let mut sim = Sim::new(1);
    let options = ServerOptions::default().with_password("secret");
    let redis = redis::start(&mut sim, options);
    sim.node_with("a", redis, async |node, redis| {
        let why = Monitor::connect(&node, &redis).await.expect_err("nobody has logged in");
        assert_eq!(why.to_string(), "NOAUTH Authentication required.");
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
}

#[test]
fn what_is_not_answered_by_one_reply_is_not_a_call() {
    let (mut sim, redis) = world();
    sim.node_with("a", redis, async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        for words in [
            "monitor",
            "SSUBSCRIBE c",
            "punsubscribe",
            "SYNC",
            "PSYNC ? -1",
            "CLIENT REPLY SKIP",
            "REPLCONF ACK 1",
        ] {
            assert_eq!(client.call(words.split(' ')).await, Err(Error::NotACall), "{words}");
        }
        assert_eq!(client.call(["CLIENT", "REPLY", "on"]).await, Ok(Reply::OK));
        let bogus = client.call(["CLIENT", "REPLY", "bogus"]).await;
        assert_eq!(bogus.expect_err("no such way").to_string(), "ERR syntax error");
        assert_eq!(client.call_as::<u8, _>(["CLIENT", "ID"]).await, Ok(1));
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
}
