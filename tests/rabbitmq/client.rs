//! The async client, as a caller sees it.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, Confirmation, Connection, ConsumeOptions, Error, ExchangeOptions,
    Properties, Publish, QueueOptions, RabbitMq, ReplyCode,
};
use stunt_double::sim::{Disconnected, Latency, Node, Outcome, Sim};

/// Runs one client against a fresh broker, to the end.
fn run<F>(client: impl FnMut(Node, RabbitMq) -> F + 'static)
where
    F: Future<Output = Result<(), Error>> + 'static,
{
    let (mut sim, _) = world(client);
    sim.run().expect_done();
}

fn world<F>(client: impl FnMut(Node, RabbitMq) -> F + 'static) -> (Sim, RabbitMq)
where
    F: Future<Output = Result<(), Error>> + 'static,
{
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("client", rabbit.clone(), client);
    (sim, rabbit)
}

async fn open(node: &Node, rabbit: &RabbitMq) -> Result<Channel, Error> {
    Connection::connect(node, rabbit).await?.channel().await
}

#[test]
fn a_refused_call_says_why_and_later_ones_that_the_channel_is_closed() {
    run(async |node, rabbit| {
        let connection = Connection::connect(&node, &rabbit).await?;
        let channel = connection.channel().await?;
        let Err(Error::Amqp(error)) = channel.queue_purge("nope").await else { panic!() };
        assert_eq!((error.code, error.class_id, error.method_id), (ReplyCode::NotFound, 50, 30));
        assert_eq!(channel.close_reason(), Some(error.clone()));
        let later = channel.queue_declare("q", QueueOptions::default()).await.unwrap_err();
        assert_eq!(later, Error::AlreadyClosed(error.clone()));
        let later = channel.basic_publish("", "q", Properties::default(), "m").unwrap_err();
        assert!(later.to_string().contains("no queue 'nope' in vhost '/'"), "{later}");

        let again = connection.channel().await?;
        again.queue_declare("q", QueueOptions::default()).await?;
        Ok(())
    });
}

#[test]
fn a_closed_channels_number_is_used_again() {
    run(async |node, rabbit| {
        let connection = Connection::connect(&node, &rabbit).await?;
        for _ in 0..3 {
            let channel = connection.channel().await?;
            assert_eq!(channel.number().0, 1);
            let _ = channel.queue_purge("nope").await.unwrap_err();
        }
        let (one, two) = (connection.channel().await?, connection.channel().await?);
        assert_eq!((one.number().0, two.number().0), (1, 2));
        Ok(())
    });
}

#[test]
fn a_connection_error_closes_all_its_channels() {
    run(async |node, rabbit| {
        let connection = Connection::connect(&node, &rabbit).await?;
        let (bad, good) = (connection.channel().await?, connection.channel().await?);
        let options = ExchangeOptions { kind: "nonsense".into(), ..Default::default() };
        let error = bad.exchange_declare("e", options).await.unwrap_err();
        assert_eq!(error.amqp().unwrap().code, ReplyCode::CommandInvalid);
        let other = good.queue_declare("q", QueueOptions::default()).await.unwrap_err();
        assert_eq!(other.amqp(), error.amqp());
        assert_eq!(connection.close_reason().as_ref(), error.amqp());
        assert!(connection.channel().await.is_err());
        Ok(())
    });
}

#[test]
fn a_publish_to_a_missing_exchange_shows_at_the_next_call() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        channel.basic_publish("nope", "k", Properties::default(), "m")?;
        let error = channel.queue_declare("q", QueueOptions::default()).await.unwrap_err();
        assert_eq!(error.amqp().unwrap().text, "NOT_FOUND - no exchange 'nope' in vhost '/'");
        Ok(())
    });
}

#[test]
fn a_consumer_ends_with_the_error_that_closed_its_channel() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        let mut consumer = channel.basic_consume("q", ConsumeOptions::default()).await?;
        channel.basic_publish("", "q", Properties::default(), "arrives first")?;
        channel.basic_publish("nope", "k", Properties::default(), "m")?;
        assert_eq!(consumer.next().await.unwrap()?.text(), "arrives first");
        let error = consumer.next().await.unwrap().unwrap_err();
        assert_eq!(error.amqp().unwrap().code, ReplyCode::NotFound);
        assert!(consumer.next().await.is_none(), "and then it is over");
        Ok(())
    });
}

#[test]
fn a_cancelled_consumer_ends_after_the_deliveries_that_have_arrived() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        channel.basic_publish("", "q", Properties::default(), "m")?;
        let mut consumer = channel.basic_consume("q", ConsumeOptions::default()).await?;
        consumer.cancel().await?;
        assert_eq!(consumer.next().await.unwrap()?.text(), "m");
        assert!(consumer.next().await.is_none());
        Ok(())
    });
}

#[test]
fn a_consumer_ends_when_its_queue_is_deleted() {
    run(async |node, rabbit| {
        let connection = Connection::connect(&node, &rabbit).await?;
        let (channel, other) = (connection.channel().await?, connection.channel().await?);
        channel.queue_declare("q", QueueOptions::default()).await?;
        let mut consumer = channel.basic_consume("q", ConsumeOptions::default()).await?;
        other.queue_delete("q", false, false).await?;
        assert!(consumer.next().await.is_none());
        Ok(())
    });
}

#[test]
fn dropping_a_consumer_cancels_it_and_keeps_its_unacked_on_the_channel() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        channel.basic_publish("", "q", Properties::default(), "m")?;
        let mut consumer = channel.basic_consume("q", ConsumeOptions::default()).await?;
        let delivery = consumer.next().await.unwrap()?;
        drop(consumer);
        let ok = channel.queue_declare("q", QueueOptions::default()).await?;
        assert_eq!((ok.message_count, ok.consumer_count), (0, 0));
        delivery.ack()?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        Ok(())
    });
}

#[test]
fn dropping_the_last_handle_of_a_channel_returns_its_messages() {
    run(async |node, rabbit| {
        let connection = Connection::connect(&node, &rabbit).await?;
        let channel = connection.channel().await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        channel.basic_publish("", "q", Properties::default(), "m")?;
        let delivery = channel.basic_get("q", false).await?.unwrap();
        drop((channel, delivery));
        let again = connection.channel().await?.basic_get("q", true).await?.unwrap();
        assert!(again.redelivered());
        Ok(())
    });
}

#[test]
fn closing_a_channel_ends_its_consumers() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        let mut consumer = channel.basic_consume("q", ConsumeOptions::default()).await?;
        let ended = node.spawn(async move { consumer.next().await.map(|next| next.map(drop)) });
        node.yield_now().await;
        channel.close().await?;
        assert_eq!(ended.await.expect("not killed"), Some(Err(Error::ChannelClosed)));
        assert_eq!(channel.close().await, Err(Error::ChannelClosed));
        Ok(())
    });
}

#[test]
fn a_close_that_is_given_up_is_not_sent_twice() {
    run(async |node, rabbit| {
        let connection = Connection::connect(&node, &rabbit).await?;
        let channel = connection.channel().await?;
        let link = node.link(&rabbit);
        link.partition();
        assert!(node.timeout(Duration::from_secs(1), channel.close()).await.is_err());
        drop(channel);
        link.heal();
        node.sleep(Duration::from_secs(1)).await;
        assert_eq!(connection.channel().await?.number().0, 1, "its number is free again");
        Ok(())
    });
}

#[test]
fn confirms_are_awaited_one_by_one_or_all_together() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        let durable = QueueOptions { durable: true, ..Default::default() };
        channel.queue_declare("q", durable).await?;
        let publish = || Publish {
            properties: Properties::default().persistent(),
            ..Publish::new("", "q", "m")
        };
        assert_eq!(channel.publish(publish()).unwrap_err(), Error::NotInConfirmMode);
        assert_eq!(channel.wait_for_confirms().await.unwrap_err(), Error::NotInConfirmMode);
        channel.confirm_select().await?;
        assert_eq!(channel.publish(publish())?.await?, Confirmation::Ack);
        let (second, third) = (channel.publish(publish())?, channel.basic_publish_with(publish())?);
        assert_eq!((second.tag().0, third.unwrap().0, channel.unconfirmed()), (2, 3, 2));
        assert_eq!(channel.wait_for_confirms().await?, []);
        assert!(second.await?.is_ack());
        Ok(())
    });
}

#[test]
fn an_unroutable_mandatory_message_comes_back_before_its_confirm() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        channel.confirm_select().await?;
        let publish = Publish { mandatory: true, ..Publish::new("", "nowhere", "m") };
        assert!(channel.publish(publish)?.await?.is_ack());
        let returned = channel.try_return().expect("it came before the ack");
        assert_eq!(
            (returned.code, returned.message.body().as_ref()),
            (ReplyCode::NoRoute, &b"m"[..])
        );
        Ok(())
    });
}

#[test]
fn a_call_given_up_does_not_confuse_the_next_ones() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        let link = node.link(&rabbit);
        link.partition();
        let slow = channel.queue_declare("slow", QueueOptions::default());
        assert!(node.timeout(Duration::from_secs(1), slow).await.is_err());
        link.heal();
        let next = channel.queue_declare("next", QueueOptions::default()).await?;
        assert_eq!(next.queue, "next", "not the answer to the call given up");
        Ok(())
    });
}

#[test]
fn two_tasks_may_call_on_one_channel() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        let handles: Vec<_> = (0..10)
            .map(|i| {
                let channel = channel.clone();
                node.spawn(async move {
                    channel.queue_declare(&format!("q{i}"), QueueOptions::default()).await
                })
            })
            .collect();
        for (i, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.await.expect("not killed")?.queue, format!("q{i}"));
        }
        Ok(())
    });
}

#[test]
fn confirms_are_counted_from_the_moment_they_are_asked_for() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        node.link(&rabbit).set_latency(Latency::Constant(Duration::from_millis(10)));
        let early = channel.clone();
        let early = node.spawn(async move {
            early.publish(Publish::new("", "q", "while select is under way"))?.await
        });
        channel.confirm_select().await?;
        let late = channel.publish(Publish::new("", "q", "after"))?.await?;
        assert!(late.is_ack() && early.await.expect("not killed")?.is_ack());
        assert_eq!(channel.unconfirmed(), 0);
        Ok(())
    });
}

#[test]
fn a_tag_used_again_belongs_to_the_new_consumer() {
    run(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        let options = || ConsumeOptions { consumer_tag: "me".into(), ..Default::default() };
        let mut consumer = channel.basic_consume("q", options()).await?;
        consumer.cancel().await?;
        // The old handle is dropped after the new consumer exists.
        consumer = channel.basic_consume("q", options()).await?;
        channel.basic_publish("", "q", Properties::default(), "m")?;
        assert_eq!(consumer.next().await.expect("the consumer is not cancelled")?.text(), "m");
        Ok(())
    });
}

#[test]
fn several_tasks_may_wait_for_one_thing() {
    let (mut sim, rabbit) = world(async |node, rabbit| {
        let connection = Connection::connect(&node, &rabbit).await?;
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let connection = connection.clone();
                node.spawn(async move { connection.closed().await })
            })
            .collect();
        for task in waiting {
            assert_eq!(task.await.expect("not killed").amqp().unwrap().code.number(), 320);
        }
        Ok(())
    });
    sim.after(Duration::from_secs(1), move || rabbit.stop(Shutdown::Clean));
    sim.run().expect_done();
}

#[test]
fn a_connection_has_at_most_2047_channels() {
    run(async |node, rabbit| {
        let connection = Connection::connect(&node, &rabbit).await?;
        let mut channels = Vec::new();
        for _ in 0..2_047 {
            channels.push(connection.channel().await?);
        }
        assert_eq!(connection.channel().await.unwrap_err(), Error::NoFreeChannel);
        channels.pop();
        node.yield_now().await;
        node.sleep(Duration::from_millis(1)).await;
        assert_eq!(connection.channel().await?.number().0, 2_047);
        Ok(())
    });
}

#[test]
fn a_consume_that_was_given_up_receives_nothing() {
    let (mut sim, rabbit) = world(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        channel.basic_publish("", "q", Properties::default(), "m")?;
        let link = node.link(&rabbit);
        link.partition();
        let consume = channel.basic_consume("q", ConsumeOptions::default());
        assert!(node.timeout(Duration::from_secs(1), consume).await.is_err());
        link.heal();
        channel.close().await
    });
    sim.run().expect_done();
    assert_eq!(rabbit.messages_ready("q"), Some(1), "the close returned it");
}

#[test]
fn without_a_broker_there_is_no_connection() {
    let (mut sim, rabbit) = world(async |node, rabbit| {
        let error = Connection::connect(&node, &rabbit).await.unwrap_err();
        assert_eq!(error, Error::Disconnected(Disconnected::Refused));
        Ok(())
    });
    rabbit.stop(Shutdown::Clean);
    sim.run().expect_done();
}

#[test]
fn closing_a_connection_ends_everything_on_it() {
    run(async |node, rabbit| {
        let connection = Connection::connect(&node, &rabbit).await?;
        let channel = connection.channel().await?;
        channel.queue_declare("q", QueueOptions { exclusive: true, ..Default::default() }).await?;
        connection.close().await?;
        assert!(channel.queue_purge("q").await.is_err());
        node.sleep(Duration::from_secs(1)).await;
        assert!(rabbit.list_queues().is_empty(), "its exclusive queue is gone");
        Ok(())
    });
}

#[test]
fn a_stuck_client_says_what_it_waits_for() {
    let (mut sim, _) = world(async |node, rabbit| {
        let channel = open(&node, &rabbit).await?;
        channel.queue_declare("task_queue", QueueOptions::default()).await?;
        let mut consumer = channel.basic_consume("task_queue", ConsumeOptions::default()).await?;
        let _ = consumer.next().await;
        Ok(())
    });
    let Outcome::Stuck(stuck) = sim.run() else { panic!("nothing is ever published") };
    assert_eq!(stuck.waiting[0].to_string(), "client: a delivery from task_queue");
}

#[test]
fn deliveries_carry_everything_about_the_message() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    run(move |node, rabbit| {
        let log = Arc::clone(&log);
        async move {
            let channel = open(&node, &rabbit).await?;
            channel.queue_declare("q", QueueOptions::default()).await?;
            let options = ConsumeOptions { consumer_tag: "me".into(), ..Default::default() };
            let mut consumer = channel.basic_consume("q", options).await?;
            let properties = Properties::default().with_correlation_id("7");
            channel.basic_publish("", "q", properties, "m")?;
            let d = consumer.next().await.unwrap()?;
            log.lock().unwrap().push(format!(
                "{} {} {} '{}' {} {:?} {}",
                d.consumer_tag(),
                d.delivery_tag(),
                d.redelivered(),
                d.exchange(),
                d.routing_key(),
                d.properties().correlation_id(),
                d.text()
            ));
            d.reject(true)?;
            let again = consumer.next().await.unwrap()?;
            assert!(again.redelivered());
            Ok(())
        }
    });
    assert_eq!(*seen.lock().unwrap(), ["me 1 false '' q Some(\"7\") m"]);
}
