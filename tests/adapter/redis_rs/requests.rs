//! What users of redis-rs asked for, to test their own code without a server.

use super::adapter::{Connect, StandIn};
use super::redis::aio::ConnectionLike;
use super::redis::{AsyncCommands, Commands, RedisResult, cmd, pipe};
use super::support::run;
use std::collections::BTreeMap;

/// A user's function over `AsyncCommands`.
async fn failures_by_queue<C: AsyncCommands>(con: &mut C) -> RedisResult<BTreeMap<String, usize>> {
    let mut failures = BTreeMap::new();
    for queue in con.smembers::<_, Vec<String>>("resque:queues").await? {
        let count = con.llen(format!("resque:failed:{queue}")).await?;
        failures.insert(queue, count);
    }
    Ok(failures)
}

#[test]
fn a_fake_for_async_commands_collects_the_right_types() {
    run(async |node, server| {
        let mut con = server.connection(&node).await?;
        let () = con.sadd("resque:queues", &["mail", "images"]).await?;
        let () = con.rpush("resque:failed:mail", &["a", "b"]).await?;
        let failures = failures_by_queue(&mut con).await?;
        let expected = BTreeMap::from([("mail".to_owned(), 2), ("images".to_owned(), 0)]);
        assert_eq!(failures, expected);
        Ok(())
    });
}

/// A user's function over a pipeline, which a list of expected calls cannot test.
fn enqueue(
    con: &mut impl super::redis::ConnectionLike,
    queue: &str,
    job: &str,
) -> RedisResult<i64> {
    let (length,): (i64,) =
        pipe().atomic().sadd("queues", queue).ignore().rpush(queue, job).query(con)?;
    Ok(length)
}

#[test]
fn clients_with_pipelines_are_tested_without_a_server() -> RedisResult<()> {
    let mut con = StandIn::redis().connection()?;
    assert_eq!(enqueue(&mut con, "mail", "a")?, 1);
    assert_eq!(enqueue(&mut con, "mail", "b")?, 2);
    assert!(con.sismember::<_, _, bool>("queues", "mail")?);
    Ok(())
}

/// A user's function that is generic over both traits.
async fn do_this<C: ConnectionLike + AsyncCommands>(con: &mut C) -> RedisResult<bool> {
    let () = con.set("foo", "bar").await?;
    cmd("EXISTS").arg("foo").query_async(con).await
}

#[test]
fn a_function_over_async_connections_is_tested_without_a_server() {
    run(async |node, server| {
        assert!(do_this(&mut server.connection(&node).await?).await?);
        assert!(do_this(&mut server.multiplexed(&node).await?).await?);
        Ok(())
    });
}
