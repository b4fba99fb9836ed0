//! What a client does every day: confirms, returns, consumers, credentials, blocking.

use crate::support::{app, channel, consume, declare, next, publish, take};
use lapin::auth::AuthProvider;
use lapin::message::DeliveryResult;
use lapin::options::BasicAckOptions;
use lapin::types::{LongString, ShortString};
use lapin::{Confirmation, ConnectionProperties};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use stunt_double::rabbitmq::admin::{Alarm, Permissions};
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Node, Sim};

#[test]
fn a_message_is_confirmed_delivered_and_acknowledged() {
    let (_, rabbit) = app(async |node, rabbit| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
        declare(&channel, "jobs").await?;
        assert_eq!(publish(&channel, "jobs", b"hello").await?, Confirmation::Ack(None));
        let mut consumer = consume(&channel, "jobs", "me").await?;
        assert_eq!(take(&mut consumer).await?, b"hello");
        connection.close(200, "bye".into()).await
    });
    assert!(rabbit.list_connections().is_empty());
    assert_eq!(rabbit.list_queues()[0].messages_ready, 0);
}

#[test]
fn a_mandatory_message_without_a_queue_is_returned_with_its_confirm() {
    app(async |node, rabbit| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
        let Confirmation::Ack(Some(returned)) = publish(&channel, "nowhere", b"lost").await? else {
            panic!("it is returned");
        };
        assert_eq!((returned.reply_code, returned.delivery.data), (312, b"lost".to_vec()));
        Ok(())
    });
}

#[test]
fn a_large_body_arrives_in_one_piece() {
    app(async |node, rabbit| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
        declare(&channel, "jobs").await?;
        let body: Vec<u8> = (0..10_000_000_u32).map(|i| (i % 251) as u8).collect();
        publish(&channel, "jobs", &body).await?;
        let mut consumer = consume(&channel, "jobs", "me").await?;
        assert!(take(&mut consumer).await? == body);
        Ok(())
    });
}

#[test]
fn credentials_and_vhost_come_from_the_uri() {
    app(async |node, rabbit| {
        rabbit.add_user("ann", "secret");
        rabbit.add_vhost("shop");
        let all = Permissions::all();
        rabbit.set_permissions("shop", "ann", all).expect("both exist");
        let name = ConnectionProperties::default().with_connection_name("orders".into());
        let uri = "amqp://ann:secret@rabbit/shop?heartbeat=10";
        let connection = rabbit.lapin_with(&node, uri, name).await?;
        let row = &rabbit.list_connections()[0];
        assert_eq!((&*row.user, &*row.vhost, row.timeout), ("ann", "shop", 10));
        connection.close(200, "bye".into()).await?;

        for (uri, why) in [
            ("amqp://ann:wrong@rabbit/shop", "ACCESS_REFUSED"),
            ("amqps://ann:secret@rabbit/shop", "a world's network has no TLS"),
            ("http://rabbit", "scheme"),
        ] {
            let refused = rabbit.lapin_with(&node, uri, ConnectionProperties::default()).await;
            let error = refused.expect_err(uri).to_string();
            assert!(error.to_lowercase().contains(&why.to_lowercase()), "{uri}: {error}");
        }
        Ok(())
    });
}

#[test]
fn an_unknown_vhost_is_not_allowed() {
    app(async |node, rabbit| {
        let refused = rabbit.lapin_with(&node, "amqp://rabbit/none", Default::default()).await;
        let error = refused.expect_err("there is none").to_string();
        assert!(error.contains("NOT_ALLOWED"), "{error}");
        Ok(())
    });
}

#[test]
fn a_connection_that_the_broker_blocks_waits_until_the_alarm_is_over() {
    let (sim, rabbit) = app(async |node, rabbit| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
        declare(&channel, "jobs").await?;
        rabbit.set_alarm(Alarm::Memory, true);
        let (clock, broker) = (node.clone(), rabbit.clone());
        node.spawn(async move {
            clock.sleep(Duration::from_secs(5)).await;
            broker.set_alarm(Alarm::Memory, false);
        });
        for body in [b"a", b"b"] {
            publish(&channel, "jobs", body).await?;
        }
        Ok(())
    });
    assert_eq!(sim.now().to_string(), "5s");
    assert_eq!(rabbit.list_queues()[0].messages_ready, 2);
}

#[test]
fn a_consumer_ends_when_its_queue_is_deleted() {
    app(async |node, rabbit| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
        declare(&channel, "jobs").await?;
        let mut consumer = consume(&channel, "jobs", "me").await?;
        channel.queue_delete("jobs".into(), Default::default()).await?;
        assert!(next(&mut consumer).await.is_none());
        Ok(())
    });
}

/// A token that is valid for a second.
struct Token(Arc<AtomicU32>);

impl AuthProvider for Token {
    fn mechanism(&self) -> ShortString {
        "PLAIN".into()
    }

    fn auth_starter(&self) -> Result<LongString, String> {
        Ok("\0guest\0guest".into())
    }

    fn valid_for(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }

    fn refresh(&self) -> Result<LongString, String> {
        self.0.fetch_add(1, Relaxed);
        Ok("guest".into())
    }
}

/// Pins a difference that the module documents: lapin would refresh it once it beats itself.
#[test]
fn a_secret_is_refreshed_by_hand_only() {
    app(async |node, rabbit| {
        let refreshed = Arc::<AtomicU32>::default();
        let properties = ConnectionProperties::default();
        let properties = properties.with_auth_provider(Token(Arc::clone(&refreshed)));
        let connection = rabbit.lapin(&node, properties).await?;
        node.sleep(Duration::from_secs(10)).await;
        assert_eq!(refreshed.load(Relaxed), 0);
        connection.update_secret("guest".into(), "by hand".into()).await?;
        connection.close(200, "bye".into()).await
    });
}

#[test]
fn a_delegate_publishes_on_another_connection_of_its_node() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.daemon_with("bridge", rabbit.clone(), async |node: Node, rabbit: RabbitMq| {
        let from = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let to = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let (from, to) = (channel(&from).await?, channel(&to).await?);
        declare(&from, "in").await?;
        declare(&to, "out").await?;
        consume(&from, "in", "bridge").await?.set_delegate(move |delivery: DeliveryResult| {
            let to = to.clone();
            async move {
                let Ok(Some(delivery)) = delivery else { return };
                publish(&to, "out", &delivery.data).await.unwrap();
                delivery.ack(BasicAckOptions::default()).await.unwrap();
            }
        });
        publish(&from, "in", b"hello").await?;
        // Nothing else of this node runs from now on.
        node.sleep(Duration::MAX).await;
        lapin::Result::Ok(())
    });
    sim.run_for(Duration::from_millis(100)).expect_reached();
    let ready: Vec<usize> = rabbit.list_queues().iter().map(|queue| queue.messages()).collect();
    assert_eq!(ready, [0, 1]);
}
