//! The relay: it publishes what is in the outbox. An entry leaves the outbox only after RabbitMQ
//! has confirmed its message, so an order may be published twice, but never lost.

use crate::Error;
use crate::topology::ORDERS;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use std::time::Duration;
use tokio::sync::watch;

pub(crate) async fn relay(
    channel: &Channel,
    redis: &mut MultiplexedConnection,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    while !*stop.borrow() {
        let Some(order) = redis.lindex::<_, Option<u64>>("outbox", 0).await? else {
            let _ = tokio::time::timeout(Duration::from_millis(200), stop.changed()).await;
            continue;
        };
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let body = order.to_string();
        let confirm = channel
            .basic_publish("".into(), ORDERS.into(), options, body.as_bytes(), persistent)
            .await?;
        // RabbitMQ may be gone without a word.
        let confirm = tokio::time::timeout(Duration::from_secs(10), confirm).await??;
        if confirm.is_ack() && confirm.take_message().is_none() {
            let _: u64 = redis.lrem("outbox", 1, order).await?;
        }
    }
    Ok(())
}
