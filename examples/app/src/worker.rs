//! A worker: it charges orders, however often each is delivered.
//!
//! An order is *entered in the books* exactly once, because its marker is set in the same
//! transaction. It is *charged* exactly once, because the bank is asked with the order as
//! idempotency key. What is no order at all, or has ended too many workers, is parked: somebody has
//! to look at it.

use crate::bank::{Answer, charge};
use crate::private::Private;
use crate::publish::publish;
use crate::shop::price;
use crate::stop::Stop;
use crate::topology::{ORDERS, PARKED};
use crate::{Error, Marker};
use futures_util::StreamExt;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use redis::{Cmd, RedisResult, pipe};

/// After this many attempts an order has failed.
const ATTEMPTS: i64 = 3;

pub(crate) async fn run(
    channel: &Channel,
    redis: &mut Private,
    marker: Marker,
    stop: &mut Stop,
) -> Result<(), Error> {
    channel.basic_qos(4, BasicQosOptions::default()).await?;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut orders = channel.basic_consume(ORDERS.into(), "".into(), options, arguments).await?;
    while let Some(order) = stop.or(orders.next()).await {
        let Some(order) = order else { return Err("the consumer was cancelled".into()) };
        handle(channel, redis, marker, &order?).await?;
    }
    // Orders that were delivered and not begun go back with the channel.
    channel.basic_cancel(orders.tag(), BasicCancelOptions::default()).await?;
    Ok(())
}

async fn handle(
    channel: &Channel,
    redis: &mut Private,
    marker: Marker,
    delivery: &Delivery,
) -> Result<(), Error> {
    let order = std::str::from_utf8(&delivery.data).ok().and_then(|text| text.parse().ok());
    let Some(order) = order else { return park(channel, delivery, "it is no order").await };
    if deaths(delivery, "delivery_limit") > 0 {
        return park(channel, delivery, "it was returned too often").await;
    }
    let attempt = deaths(delivery, "rejected") + 1;
    let answer = match marker {
        Marker::BeforeTheCharge => mark_and_charge(redis, order, attempt).await?,
        Marker::WithTheResult => charge_and_mark(redis, order, attempt).await?,
    };
    if answer == Answer::Declined {
        if attempt < ATTEMPTS {
            // It is dead-lettered, and comes back later.
            delivery.nack(BasicNackOptions::default()).await?;
            return Ok(());
        }
        let _: u64 = redis.ask(&Cmd::sadd("failed", order)).await?;
    }
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(())
}

/// Moves a message to where somebody looks at it. A rejection would send it back to the worker.
async fn park(channel: &Channel, delivery: &Delivery, why: &str) -> Result<(), Error> {
    let message = String::from_utf8_lossy(&delivery.data);
    tracing::warn!(%message, why, "a message is parked");
    if !publish(channel, PARKED, &delivery.data, delivery.properties.clone()).await? {
        return Err("RabbitMQ did not take a message that is to be parked".into());
    }
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(())
}

/// Returns the name of an order's marker, which is also the idempotency key of its charge.
fn marker_of(order: u64) -> String {
    format!("marker:{order}")
}

async fn mark_and_charge(redis: &mut Private, order: u64, attempt: i64) -> RedisResult<Answer> {
    let marker = marker_of(order);
    if !redis.ask::<bool>(&Cmd::set_nx(&marker, 1)).await? {
        return Ok(Answer::Charged);
    }
    let answer = charge(redis, &marker, order, attempt).await?;
    match answer {
        Answer::Charged => {
            let mut entry = pipe();
            entry.atomic().rpush("charged", order).incr("revenue", price(order));
            let _: (u64, u64) = redis.all(&entry).await?;
        }
        Answer::Declined => {
            let _: u64 = redis.ask(&Cmd::del(&marker)).await?;
        }
    }
    Ok(answer)
}

async fn charge_and_mark(redis: &mut Private, order: u64, attempt: i64) -> RedisResult<Answer> {
    let marker = marker_of(order);
    if redis.ask(&Cmd::exists(&marker)).await? {
        return Ok(Answer::Charged);
    }
    if charge(redis, &marker, order, attempt).await? == Answer::Declined {
        return Ok(Answer::Declined);
    }
    loop {
        redis.watch(&[&marker]).await?;
        if redis.ask(&Cmd::exists(&marker)).await? {
            redis.unwatch().await?;
            return Ok(Answer::Charged);
        }
        let mut entry = pipe();
        entry.atomic().set(&marker, 1).ignore();
        entry.rpush("charged", order).ignore().incr("revenue", price(order)).ignore();
        if redis.commit(&entry).await? {
            return Ok(Answer::Charged);
        }
    }
}

/// How often the message died for this reason, as its `x-death` header says.
fn deaths(delivery: &Delivery, reason: &str) -> i64 {
    let headers = delivery.properties.headers().as_ref();
    let Some(AMQPValue::FieldArray(deaths)) =
        headers.and_then(|headers| headers.inner().get("x-death"))
    else {
        return 0;
    };
    let counts = deaths.as_slice().iter().filter_map(|death| {
        let AMQPValue::FieldTable(death) = death else { return None };
        let is_meant = matches!(
            death.inner().get("reason"),
            Some(AMQPValue::LongString(is)) if is.as_bytes() == reason.as_bytes()
        );
        match death.inner().get("count") {
            Some(AMQPValue::LongLongInt(count)) if is_meant => Some(*count),
            _ => None,
        }
    });
    counts.sum()
}
