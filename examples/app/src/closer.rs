//! The closer: it writes to the ledger how many orders were charged. Only the holder of a lock may,
//! and since a holder may be slow and lose its lock, each write carries a fencing token: a write
//! with an older token than the ledger's comes too late.

use crate::Error;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, ExistenceCheck, SetExpiry, SetOptions};
use std::time::Duration;
use tokio::sync::watch;

/// How long the lock is held without being renewed.
const LEASE: Duration = Duration::from_secs(2);

pub(crate) async fn run(
    redis: &mut MultiplexedConnection,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    while !*stop.borrow() {
        close(redis).await?;
        let _ = tokio::time::timeout(Duration::from_secs(1), stop.changed()).await;
    }
    Ok(())
}

async fn close(redis: &mut MultiplexedConnection) -> redis::RedisResult<()> {
    let token: u64 = redis.incr("ledger:tokens", 1).await?;
    let lease = SetExpiry::PX(LEASE.as_millis() as u64);
    let options = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(lease);
    if !redis.set_options::<_, _, bool>("ledger:lock", token, options).await? {
        return Ok(());
    }
    let charged: u64 = redis.llen("charged").await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    write(redis, token, charged).await?;
    release(redis, token).await
}

/// Writes to the ledger, unless a later holder already has.
async fn write(redis: &mut MultiplexedConnection, token: u64, n: u64) -> redis::RedisResult<()> {
    loop {
        redis::cmd("WATCH").arg("ledger:token").query_async::<()>(redis).await?;
        let last: Option<u64> = redis.get("ledger:token").await?;
        if last.is_some_and(|last| last > token) {
            return redis::cmd("UNWATCH").query_async(redis).await;
        }
        let written: Option<()> = redis::pipe()
            .atomic()
            .set("ledger:token", token)
            .ignore()
            .set("ledger:charged", n)
            .ignore()
            .query_async(redis)
            .await?;
        if written.is_some() {
            return Ok(());
        }
    }
}

/// Releases the lock, unless it is another's by now.
async fn release(redis: &mut MultiplexedConnection, token: u64) -> redis::RedisResult<()> {
    redis::cmd("WATCH").arg("ledger:lock").query_async::<()>(redis).await?;
    if redis.get::<_, Option<u64>>("ledger:lock").await? != Some(token) {
        return redis::cmd("UNWATCH").query_async(redis).await;
    }
    redis::pipe().atomic().del("ledger:lock").ignore().query_async::<Option<()>>(redis).await?;
    Ok(())
}
