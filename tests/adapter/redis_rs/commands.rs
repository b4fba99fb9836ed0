//! Unmodified code on redis-rs: typed commands, pipelines, transactions, RESP3, big values.

use super::adapter::Connect;
use super::redis::aio::{ConnectionLike, MultiplexedConnection, transaction_async};
use super::redis::{
    self, AsyncCommands, AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo, RedisResult,
    Value, cmd, pipe,
};
use super::support::run;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use stunt_double::redis::{ServerOptions, start};
use stunt_double::sim::{Latency, Node, Sim};

fn resp3() -> RedisConnectionInfo {
    RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3)
}

fn plain() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(None)
}

/// Code as it stands in production.
async fn use_everything<C>(con: &mut C) -> RedisResult<()>
where
    C: ConnectionLike + Clone + Send + Sync,
{
    let () = con.set("count", 41).await?;
    assert_eq!(con.incr::<_, _, i64>("count", 1).await?, 42);
    assert_eq!(con.get::<_, Option<String>>("nothing").await?, None);

    let () = con.hset_multiple("user", &[("name", "ann"), ("city", "Oslo")]).await?;
    let user: BTreeMap<String, String> = con.hgetall("user").await?;
    assert_eq!(
        user,
        BTreeMap::from([("name".into(), "ann".into()), ("city".into(), "Oslo".into())])
    );

    let () = con.sadd("tags", &["a", "b"]).await?;
    let tags: BTreeSet<String> = con.smembers("tags").await?;
    assert_eq!(tags.len(), 2);

    let () = con.zadd_multiple("scores", &[(1.5, "low"), (2.5, "high")]).await?;
    let scores: Vec<(String, f64)> = con.zrange_withscores("scores", 0, -1).await?;
    assert_eq!(scores, [("low".to_owned(), 1.5), ("high".to_owned(), 2.5)]);

    let (a, b): (i64, String) =
        pipe().incr("count", 1).set("x", "y").ignore().get("x").query_async(con).await?;
    assert_eq!((a, b.as_str()), (43, "y"));
    let (a, b): (i64, i64) =
        pipe().atomic().incr("count", 1).incr("count", 1).query_async(con).await?;
    assert_eq!((a, b), (44, 45));

    let (sum,): (i64,) = transaction_async(con.clone(), &["count"], async |mut con, mut pipe| {
        let count: i64 = con.get("count").await?;
        pipe.set("count", count + 55).ignore().get("count").query_async(&mut con).await
    })
    .await?;
    assert_eq!(sum, 100);
    assert_eq!(con.get_db(), 0);
    Ok(())
}

#[test]
fn production_code_runs_unchanged() {
    run(async |node, server| use_everything(&mut server.multiplexed(&node).await?).await);
    run(async |node, server| {
        use_everything(&mut server.multiplexed_with(&node, &resp3(), plain()).await?).await
    });
    run(async |node, server| use_everything(&mut server.connection(&node).await?).await);
    run(async |node, server| {
        use_everything(&mut server.connection_with(&node, &resp3()).await?).await
    });
}

#[test]
fn resp3_has_its_own_types() {
    run(async |node, server| {
        let mut multiplexed = server.multiplexed_with(&node, &resp3(), plain()).await?;
        let mut light = server.connection_with(&node, &resp3()).await?;
        let () = light.hset("h", "field", "value").await?;
        let () = light.zadd("z", "member", 1.5).await?;
        let hash = Value::Map(vec![(
            Value::BulkString(b"field".to_vec()),
            Value::BulkString(b"value".to_vec()),
        )]);
        assert_eq!(cmd("HGETALL").arg("h").query_async::<Value>(&mut multiplexed).await?, hash);
        assert_eq!(cmd("HGETALL").arg("h").query_async::<Value>(&mut light).await?, hash);
        let score = cmd("ZSCORE").arg("z").arg("member").query_async::<Value>(&mut light).await?;
        assert_eq!(score, Value::Double(1.5));
        Ok(())
    });
}

#[test]
fn database_user_and_password_are_redis_rs_own_settings() {
    run(async |node, server| {
        server.command(["CONFIG", "SET", "requirepass", "secret"]);
        let info = RedisConnectionInfo::default().set_password("secret").set_db(3);
        for info in [info.clone(), info.clone().set_username("default")] {
            for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
                let info = info.clone().set_protocol(protocol);
                let mut con = server.multiplexed_with(&node, &info, plain()).await?;
                let () = con.set("where", "here").await?;
                assert_eq!(con.get_db(), 3);
                let mut con = server.connection_with(&node, &info).await?;
                assert_eq!(con.get::<_, String>("where").await?, "here");
                assert_eq!(con.get_db(), 3);
            }
        }
        assert_eq!(server.database(3, |db| db.len()), Some(1));

        let wrong = RedisConnectionInfo::default().set_password("guess");
        let refused = server.multiplexed_with(&node, &wrong, plain()).await.unwrap_err();
        assert_eq!(refused.kind(), redis::ErrorKind::AuthenticationFailed);
        let refused = server.connection_with(&node, &wrong).await.unwrap_err();
        assert_eq!(refused.code(), Some("WRONGPASS"));
        Ok(())
    });
}

#[test]
fn big_values_and_long_pipelines_arrive_whole() {
    run(async |node, server| {
        let big: Vec<u8> = (0..4_000_000_u32).map(|i| i as u8).collect();
        let mut light = server.connection(&node).await?;
        let mut multiplexed = server.multiplexed(&node).await?;
        let () = multiplexed.set("big", big.as_slice()).await?;
        assert!(multiplexed.get::<_, Vec<u8>>("big").await? == big);
        assert!(light.get::<_, Vec<u8>>("big").await? == big);

        let mut pipeline = pipe();
        (0..10_000).for_each(|i| _ = pipeline.incr("n", i));
        let sums: Vec<i64> = pipeline.query_async(&mut multiplexed).await?;
        assert_eq!(sums.last(), Some(&49_995_000));
        let sums: Vec<i64> = pipeline.query_async(&mut light).await?;
        assert_eq!(sums.last(), Some(&(2 * 49_995_000)));
        Ok(())
    });
}

#[test]
fn commands_travel_with_the_latency_of_the_link() {
    let mut sim = Sim::new(1);
    let server = start(&mut sim, ServerOptions::default());
    let node = sim.node_with("client", server.clone(), async |node: Node, server| {
        let mut con = Connect::multiplexed(&server, &node).await?;
        let before = node.now();
        let () = con.set("k", 1).await?;
        assert_eq!(node.now() - before, Duration::from_millis(10));
        RedisResult::Ok(())
    });
    node.link(&server).set_latency(Latency::Constant(Duration::from_millis(5)));
    sim.run().expect_done();
}

#[test]
fn a_multiplexed_connection_answers_many_tasks() {
    run(async |node, server| {
        let con = server.multiplexed(&node).await?;
        let tasks: Vec<_> = (0..100)
            .map(|i| {
                let mut con: MultiplexedConnection = con.clone();
                node.spawn(async move {
                    let () = con.set(i, i * i).await?;
                    con.get::<_, i64>(i).await
                })
            })
            .collect();
        for (i, task) in (0..).zip(tasks) {
            assert_eq!(task.await.unwrap()?, i * i);
        }
        Ok(())
    });
}
