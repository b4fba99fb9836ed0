//! Unit tests of code that takes lapin's own types, which nobody but a server can make: a delivery
//! with its acker, a channel, a connection.

use crate::support::{app, channel, consume, declare, next, publish};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, ConnectionProperties, Result};

/// Code under test: keeps what it can read, and refuses the rest.
async fn handle(delivery: Delivery) -> Result<Option<u32>> {
    match std::str::from_utf8(&delivery.data).ok().and_then(|text| text.parse().ok()) {
        Some(number) => {
            delivery.ack(BasicAckOptions::default()).await?;
            Ok(Some(number))
        }
        None => {
            delivery.reject(BasicRejectOptions { requeue: false }).await?;
            Ok(None)
        }
    }
}

#[test]
fn a_handler_of_deliveries_acknowledges_or_rejects_each() {
    let (_, rabbit) = app(async |node, rabbit| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
        declare(&channel, "numbers").await?;
        for body in ["7", "seven"] {
            publish(&channel, "numbers", body.as_bytes()).await?;
        }
        let mut consumer = consume(&channel, "numbers", "me").await?;
        assert_eq!(handle(next(&mut consumer).await.expect("the first")?).await?, Some(7));
        assert_eq!(handle(next(&mut consumer).await.expect("the second")?).await?, None);
        connection.close(200, "bye".into()).await
    });
    assert_eq!(rabbit.list_queues()[0].messages(), 0);
}

/// Code under test: announces an order.
async fn announce(channel: &Channel, order: u32) -> Result<()> {
    let mut headers = FieldTable::default();
    headers.insert("kind".into(), AMQPValue::LongString("order".into()));
    let properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2);
    let body = order.to_string();
    let options = BasicPublishOptions::default();
    channel
        .basic_publish("".into(), "orders".into(), options, body.as_bytes(), properties)
        .await?
        .await?;
    Ok(())
}

#[test]
fn code_that_takes_a_channel_publishes_what_it_should() {
    app(async |node, rabbit| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
        declare(&channel, "orders").await?;
        announce(&channel, 42).await?;
        let got = channel.basic_get("orders".into(), BasicGetOptions { no_ack: true }).await?;
        let got = got.expect("it was published").delivery;
        let headers = got.properties.headers().as_ref().expect("it has headers");
        assert_eq!(got.data, b"42");
        assert_eq!(headers.inner().get("kind"), Some(&AMQPValue::LongString("order".into())));
        Ok(())
    });
}
