//! The closer: it writes to the ledger how many orders were charged. Only the holder of a lock may,
//! and since a holder may be slow and lose its lock, each write carries a fencing token: a write
//! with an older token than the ledger's comes too late.
//!
//! Two things make the fence hold. The token is drawn in the transaction that takes the lock, so
//! tokens rise in the order of the holders. And the orders are counted in a transaction that finds
//! the lock still held, so a later holder never counts fewer.

use crate::Error;
use crate::private::Private;
use crate::stop::Stop;
use redis::{Cmd, RedisResult, SetExpiry, SetOptions, pipe};
use std::time::Duration;

/// How long the lock is held without being renewed.
const LEASE: Duration = Duration::from_secs(2);

pub(crate) async fn run(redis: &mut Private, stop: &mut Stop) -> Result<(), Error> {
    while !stop.is_asked() {
        close(redis).await?;
        stop.wait(Duration::from_secs(1)).await;
    }
    Ok(())
}

async fn close(redis: &mut Private) -> RedisResult<()> {
    let Some(token) = acquire(redis).await? else { return Ok(()) };
    if let Some(charged) = count(redis, token).await? {
        tokio::time::sleep(Duration::from_millis(300)).await;
        write(redis, token, charged).await?;
    }
    release(redis, token).await
}

/// Takes the lock together with a new token. Returns `None` if another holds it.
async fn acquire(redis: &mut Private) -> RedisResult<Option<u64>> {
    redis.watch(&["ledger:lock", "ledger:tokens"]).await?;
    if redis.ask(&Cmd::exists("ledger:lock")).await? {
        redis.unwatch().await?;
        return Ok(None);
    }
    let last: Option<u64> = redis.ask(&Cmd::get("ledger:tokens")).await?;
    let token = last.unwrap_or_default() + 1;
    let lease = SetExpiry::PX(LEASE.as_millis() as u64);
    let mut both = pipe();
    both.atomic().set("ledger:tokens", token).ignore();
    both.set_options("ledger:lock", token, SetOptions::default().with_expiration(lease)).ignore();
    Ok(redis.commit(&both).await?.then_some(token))
}

/// Counts the charged orders, unless the lock is another's by now.
async fn count(redis: &mut Private, token: u64) -> RedisResult<Option<u64>> {
    let mut both = pipe();
    both.atomic().get("ledger:lock").llen("charged");
    let (holder, charged): (Option<u64>, u64) = redis.all(&both).await?;
    Ok((holder == Some(token)).then_some(charged))
}

/// Writes to the ledger, unless a later holder already has.
async fn write(redis: &mut Private, token: u64, charged: u64) -> RedisResult<()> {
    loop {
        redis.watch(&["ledger:token"]).await?;
        let last: Option<u64> = redis.ask(&Cmd::get("ledger:token")).await?;
        if last.is_some_and(|last| last > token) {
            return redis.unwatch().await;
        }
        let mut entry = pipe();
        entry.atomic().set("ledger:token", token).ignore();
        entry.rpush("ledger:entries", format!("{token} {charged}")).ignore();
        if redis.commit(&entry).await? {
            return Ok(());
        }
    }
}

/// Releases the lock, unless it is another's by now.
async fn release(redis: &mut Private, token: u64) -> RedisResult<()> {
    redis.watch(&["ledger:lock"]).await?;
    if redis.ask::<Option<u64>>(&Cmd::get("ledger:lock")).await? != Some(token) {
        return redis.unwatch().await;
    }
    redis.commit(pipe().atomic().del("ledger:lock").ignore()).await?;
    Ok(())
}
