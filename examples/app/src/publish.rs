//! Publishing a message so that it is known to be safe.

use crate::Error;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel};
use std::time::Duration;

/// How long to wait for a confirm: RabbitMQ may be gone without a word.
const PATIENCE: Duration = Duration::from_secs(10);

/// Publishes a persistent message to a queue. Returns whether RabbitMQ has it safely in the queue:
/// not if it refused the message, or returned it because there is no such queue.
///
/// # Errors
///
/// If nobody knows what became of the message.
pub(crate) async fn publish(
    channel: &Channel,
    queue: &str,
    body: &[u8],
    properties: BasicProperties,
) -> Result<bool, Error> {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let persistent = properties.with_delivery_mode(2);
    let confirm = channel.basic_publish("".into(), queue.into(), options, body, persistent).await?;
    let confirm = tokio::time::timeout(PATIENCE, confirm).await??;
    Ok(confirm.is_ack() && confirm.take_message().is_none())
}
