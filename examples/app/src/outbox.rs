//! The relay: it publishes what is in the outbox. An entry leaves the outbox only after RabbitMQ
//! has confirmed its message, so an order may be published twice, but never lost.

use crate::Error;
use crate::private::Private;
use crate::publish::publish;
use crate::stop::Stop;
use crate::topology::ORDERS;
use lapin::{BasicProperties, Channel};
use redis::Cmd;
use std::time::Duration;

/// How long the relay waits when there is nothing to publish.
const IDLE: Duration = Duration::from_millis(200);
/// How long it waits when RabbitMQ has refused a message, before it tries again.
const REFUSED: Duration = Duration::from_secs(1);

pub(crate) async fn relay(
    channel: &Channel,
    redis: &mut Private,
    stop: &mut Stop,
) -> Result<(), Error> {
    while !stop.is_asked() {
        // It is forwarded as it is: whether it makes sense is the worker's question.
        let Some(order) = redis.ask::<Option<Vec<u8>>>(&Cmd::lindex("outbox", 0)).await? else {
            stop.wait(IDLE).await;
            continue;
        };
        if publish(channel, ORDERS, &order, BasicProperties::default()).await? {
            let _: u64 = redis.ask(&Cmd::lrem("outbox", 1, order)).await?;
        } else {
            let order = String::from_utf8_lossy(&order);
            tracing::warn!(%order, "RabbitMQ did not take an order");
            stop.wait(REFUSED).await;
        }
    }
    Ok(())
}
