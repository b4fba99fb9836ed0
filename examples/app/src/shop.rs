//! The shop: it takes orders.

use crate::{Error, Servers};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use std::time::Duration;

/// The price of an order, in cents.
pub(crate) fn price(order: u64) -> u64 {
    1_000 + order * 7
}

/// Places orders 1 to `count`. Redis holds each with its entry in the outbox, or not at all.
///
/// # Errors
///
/// If Redis cannot be reached within a minute.
pub async fn place(servers: &impl Servers, count: u64) -> Result<(), Error> {
    let mut redis = retry(servers, 60).await?;
    for order in 1..=count {
        let mut attempts = 0;
        while let Err(error) = place_one(&mut redis, order).await {
            tracing::warn!(order, %error, "an order was not placed");
            attempts += 1;
            if attempts > 60 {
                return Err(error.into());
            }
            redis = retry(servers, 60).await?;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn place_one(redis: &mut MultiplexedConnection, order: u64) -> redis::RedisResult<()> {
    redis::pipe()
        .atomic()
        .hset(format!("order:{order}"), "price", price(order))
        .ignore()
        .rpush("outbox", order)
        .ignore()
        .query_async(redis)
        .await
}

/// Waits until each of `count` orders was charged or has failed, and the outbox is empty.
///
/// # Errors
///
/// If that takes longer than five minutes.
pub async fn wait_until_done(servers: &impl Servers, count: u64) -> Result<(), Error> {
    let mut redis = retry(servers, 60).await?;
    let mut done = (0, 0, 0);
    for _ in 0..600 {
        match counts(&mut redis).await {
            Ok((charged, failed, 0)) if charged + failed >= count => return Ok(()),
            Ok(counts) => done = counts,
            Err(error) => {
                tracing::warn!(%error, "the orders cannot be counted");
                redis = retry(servers, 60).await?;
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let (charged, failed, outbox) = done;
    Err(format!(
        "of {count} orders, {charged} were charged, {failed} have failed, and {outbox} are still \
         in the outbox"
    )
    .into())
}

/// Returns how many orders were charged, how many have failed, and how many are in the outbox.
async fn counts(redis: &mut MultiplexedConnection) -> redis::RedisResult<(u64, u64, u64)> {
    let (charged, failed) = (redis.llen("charged").await?, redis.scard("failed").await?);
    Ok((charged, failed, redis.llen("outbox").await?))
}

async fn retry(servers: &impl Servers, attempts: u32) -> Result<MultiplexedConnection, Error> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match servers.redis().await {
            Err(error) if attempt >= attempts => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the shop cannot reach Redis");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            connected => return connected,
        }
    }
}
