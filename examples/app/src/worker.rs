//! A worker: it charges orders, each exactly once, however often it is delivered.

use crate::shop::price;
use crate::topology::ORDERS;
use crate::{Error, Marker};
use futures_util::StreamExt;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use std::time::Duration;
use tokio::sync::watch;

/// After this many attempts an order has failed.
const ATTEMPTS: i64 = 3;

pub(crate) async fn run(
    channel: &Channel,
    redis: &mut MultiplexedConnection,
    marker: Marker,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    channel.basic_qos(4, BasicQosOptions::default()).await?;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut orders = channel.basic_consume(ORDERS.into(), "".into(), options, arguments).await?;
    loop {
        let order = tokio::select! {
            biased;
            _ = stop.changed() => break,
            order = orders.next() => order,
        };
        let Some(order) = order else { return Err("the consumer was cancelled".into()) };
        handle(redis, marker, &order?).await?;
    }
    // Orders that were delivered and not begun go back with the channel.
    channel.basic_cancel(orders.tag(), BasicCancelOptions::default()).await?;
    Ok(())
}

async fn handle(
    redis: &mut MultiplexedConnection,
    marker: Marker,
    delivery: &Delivery,
) -> Result<(), Error> {
    let order: u64 = std::str::from_utf8(&delivery.data)?.parse()?;
    let attempt = declined_before(delivery) + 1;
    if !is_declined(order, attempt) {
        match marker {
            Marker::BeforeTheCharge => charge_after_marking(redis, order).await?,
            Marker::WithTheResult => charge_and_mark(redis, order).await?,
        }
    } else if attempt < ATTEMPTS {
        // It is dead-lettered, and comes back later.
        delivery.nack(BasicNackOptions::default()).await?;
        return Ok(());
    } else {
        let _: u64 = redis.sadd("failed", order).await?;
    }
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(())
}

/// The bank: it declines every third order at first, and every ninth always.
fn is_declined(order: u64, attempt: i64) -> bool {
    order.is_multiple_of(9) || (order.is_multiple_of(3) && attempt == 1)
}

/// Asking the bank takes a while.
async fn ask_the_bank() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn charge_after_marking(redis: &mut MultiplexedConnection, order: u64) -> Result<(), Error> {
    if !redis.set_nx::<_, _, bool>(format!("marker:{order}"), 1).await? {
        return Ok(());
    }
    ask_the_bank().await;
    redis::pipe()
        .atomic()
        .rpush("charged", order)
        .ignore()
        .incr("revenue", price(order))
        .ignore()
        .query_async::<()>(redis)
        .await?;
    Ok(())
}

async fn charge_and_mark(redis: &mut MultiplexedConnection, order: u64) -> Result<(), Error> {
    let marker = format!("marker:{order}");
    ask_the_bank().await;
    loop {
        redis::cmd("WATCH").arg(&marker).query_async::<()>(redis).await?;
        if redis.exists(&marker).await? {
            redis::cmd("UNWATCH").query_async::<()>(redis).await?;
            return Ok(());
        }
        let done: Option<()> = redis::pipe()
            .atomic()
            .set(&marker, 1)
            .ignore()
            .rpush("charged", order)
            .ignore()
            .incr("revenue", price(order))
            .ignore()
            .query_async(redis)
            .await?;
        if done.is_some() {
            return Ok(());
        }
    }
}

/// How often the order was declined, as its `x-death` header says.
fn declined_before(delivery: &Delivery) -> i64 {
    let headers = delivery.properties.headers().as_ref();
    let Some(AMQPValue::FieldArray(deaths)) =
        headers.and_then(|headers| headers.inner().get("x-death"))
    else {
        return 0;
    };
    let counts = deaths.as_slice().iter().filter_map(|death| {
        let AMQPValue::FieldTable(death) = death else { return None };
        let rejected = matches!(
            death.inner().get("reason"),
            Some(AMQPValue::LongString(reason)) if reason.as_bytes() == b"rejected"
        );
        match death.inner().get("count") {
            Some(AMQPValue::LongLongInt(count)) if rejected => Some(*count),
            _ => None,
        }
    });
    counts.sum()
}
