//! A client does not send what AMQP cannot carry.

use stunt_double::rabbitmq::{
    self, BindOptions, BrokerOptions, Channel, Connection, ConnectionOptions, ConsumeOptions,
    Error, ExchangeBindOptions, ExchangeOptions, FieldTable, FieldValue, Properties, Publish,
    QueueOptions,
};
use stunt_double::sim::Sim;

fn long() -> String {
    // 256 bytes, but fewer characters.
    "\u{e4}".repeat(128)
}

/// Asserts that a call was refused for this.
fn refused<T>(what: &str, result: Result<T, Error>) {
    match result {
        Err(Error::ShortStringTooLong { what: found, length: 256 }) => assert_eq!(found, what),
        Err(other) => panic!("{what}: {other}"),
        Ok(_) => panic!("{what} was sent"),
    }
}

fn nested(name: String) -> FieldTable {
    let inner = FieldTable::new().with(name, 1);
    FieldTable::new().with("a", vec![FieldValue::from(inner)])
}

async fn names_and_tags(channel: &Channel) {
    let (queue, exchange) = (QueueOptions::default(), ExchangeOptions::default());
    let consume = ConsumeOptions::default();
    refused("queue", channel.queue_declare(&long(), queue.clone()).await);
    let arguments = QueueOptions { arguments: nested(long()), ..queue };
    refused("the name of an argument", channel.queue_declare("q", arguments).await);
    refused("queue", channel.queue_purge(&long()).await);
    refused("queue", channel.queue_delete(&long(), false, false).await);
    refused("queue", channel.basic_get(&long(), true).await);
    refused("queue", channel.basic_consume(&long(), consume.clone()).await.map(drop));
    let tagged = ConsumeOptions { consumer_tag: long().into(), ..consume.clone() };
    refused("consumer tag", channel.basic_consume("q", tagged).await.map(drop));
    let arguments = ConsumeOptions { arguments: nested(long()), ..consume };
    refused("the name of an argument", channel.basic_consume("q", arguments).await.map(drop));
    refused("consumer tag", channel.basic_cancel(&long()).await);
    refused("exchange", channel.exchange_declare(&long(), exchange.clone()).await);
    let kind = ExchangeOptions { kind: long().into(), ..exchange.clone() };
    refused("exchange type", channel.exchange_declare("e", kind).await);
    let arguments = ExchangeOptions { arguments: nested(long()), ..exchange };
    refused("the name of an argument", channel.exchange_declare("e", arguments).await);
    refused("exchange", channel.exchange_delete(&long(), false).await);
}

async fn bindings(channel: &Channel) {
    refused("queue", channel.queue_bind(&long(), "e", "").await);
    refused("exchange", channel.queue_bind("q", &long(), "").await);
    refused("routing key", channel.queue_bind("q", "e", &long()).await);
    let binding = || BindOptions { arguments: nested(long()), ..BindOptions::new("q", "e", "") };
    refused("the name of an argument", channel.queue_bind_with(binding()).await);
    refused("the name of an argument", channel.queue_unbind_with(binding()).await);
    refused("exchange", channel.exchange_bind(&long(), "e", "").await);
    refused("exchange", channel.exchange_bind("e", &long(), "").await);
    refused("routing key", channel.exchange_unbind("e", "f", &long()).await);
    let binding = ExchangeBindOptions::new("e", "f", "");
    let binding = ExchangeBindOptions { arguments: nested(long()), ..binding };
    refused("the name of an argument", channel.exchange_bind_with(binding).await);
}

fn messages(channel: &Channel) {
    let publish = |properties| {
        channel.basic_publish_with(Publish { properties, ..Publish::new("", "q", "") }).map(drop)
    };
    let p = Properties::default;
    refused("content-type", publish(p().with_content_type(long())));
    refused("content-encoding", publish(p().with_content_encoding(long())));
    refused("correlation-id", publish(p().with_correlation_id(long())));
    refused("reply-to", publish(p().with_reply_to(long())));
    refused("expiration", publish(p().with_expiration(long())));
    refused("message-id", publish(p().with_message_id(long())));
    refused("type", publish(p().with_kind(long())));
    refused("user-id", publish(p().with_user_id(long())));
    refused("app-id", publish(p().with_app_id(long())));
    refused("cluster-id", publish(p().with_cluster_id(long())));
    refused("the name of a header", publish(p().with_headers(FieldTable::new().with(long(), 1))));
    refused("the name of a header", publish(p().with_headers(nested(long()))));
    refused("exchange", channel.basic_publish(&long(), "", p(), ""));
    refused("routing key", channel.basic_publish("", &long(), p(), ""));
}

#[test]
fn a_short_string_over_255_bytes_is_refused_before_anything_is_sent() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("client", rabbit, async |node, rabbit| {
        let connection = Connection::connect(&node, &rabbit).await?;
        let channel = connection.channel().await?;
        names_and_tags(&channel).await;
        bindings(&channel).await;
        messages(&channel);
        refused("reason", connection.update_secret("x", &long()).await);
        let options = ConnectionOptions { virtual_host: long().into(), ..Default::default() };
        refused("virtual host", Connection::connect_with(&node, &rabbit, options).await);

        // The broker was sent nothing, so the channel is open and its counts are unchanged.
        channel.confirm_select().await?;
        refused("routing key", channel.publish(Publish::new("", long(), "")).map(drop));
        assert_eq!(channel.unconfirmed(), 0);
        let name = long().split_off(2);
        let declared = channel.queue_declare(&name, QueueOptions::default()).await?;
        assert_eq!(declared.queue.len(), 254);
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
}

#[test]
fn the_error_names_the_string_that_is_too_long() {
    let error = Error::ShortStringTooLong { what: "routing key", length: 300 };
    let text = "routing key is 300 bytes long, and AMQP carries at most 255";
    assert_eq!((error.to_string().as_str(), error.amqp()), (text, None));
}
