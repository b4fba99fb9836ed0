//! The lives of messages where a broker does not simply pass them on: refused, held back, dead,
//! undone by a crash. A story says what happened, in order, and nothing that did not.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, Connection, ConsumeOptions, ExchangeOptions, FieldTable,
    FieldValue, Properties, Publish, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Config, Latency, Node, Sim};

type Done = Result<(), rabbitmq::Error>;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn world() -> (Sim, RabbitMq) {
    let config = Config::new(1).with_stories().with_latency(Latency::Constant(ms(1)));
    let mut sim = Sim::with_config(config);
    let options = BrokerOptions::default().with_sync_time(ms(5));
    let rabbit = rabbitmq::start(&mut sim, options);
    (sim, rabbit)
}

/// A node that does this on a channel.
fn work(
    sim: &mut Sim,
    name: &str,
    rabbit: &RabbitMq,
    does: impl AsyncFn(Node, Channel) -> Done + 'static,
) {
    let does = Rc::new(does);
    sim.node_with(name, rabbit.clone(), move |node, rabbit: RabbitMq| {
        let does = Rc::clone(&does);
        async move {
            let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
            does(node, channel).await
        }
    });
}

/// Runs what the node `shop` does on a channel.
fn shop(does: impl AsyncFn(Node, Channel) -> Done + 'static) -> (Sim, RabbitMq) {
    let (mut sim, rabbit) = world();
    work(&mut sim, "shop", &rabbit, does);
    sim.run().expect_done();
    (sim, rabbit)
}

/// What was told of the messages with this body: all of it, as there is only one.
fn told(sim: &Sim, body: &str) -> Vec<String> {
    let stories = sim.trace().stories();
    let end = format!("{body:?}");
    let mut theirs = stories.iter().filter(|story| story.subject.ends_with(&end));
    let story = theirs.next().unwrap_or_else(|| panic!("no story of {body}: {stories:?}"));
    assert!(theirs.next().is_none(), "several stories of {body}: {stories:?}");
    story.steps.iter().map(|step| step.text.clone()).collect()
}

fn arguments<const N: usize>(all: [(&str, FieldValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    all.into_iter().for_each(|(name, value)| table.insert(name, value));
    table
}

fn text(value: &str) -> FieldValue {
    FieldValue::from(value)
}

async fn queue<const N: usize>(channel: &Channel, name: &str, all: [(&str, FieldValue); N]) {
    let options = QueueOptions { durable: true, arguments: arguments(all), ..Default::default() };
    channel.queue_declare(name, options).await.unwrap();
}

async fn fanout(channel: &Channel, name: &str, queues: &[&str]) -> Done {
    let options = ExchangeOptions { kind: "fanout".into(), durable: true, ..Default::default() };
    channel.exchange_declare(name, options).await?;
    for queue in queues {
        channel.queue_bind(queue, name, "").await?;
    }
    Ok(())
}

fn persistent(routing_key: &str, body: &'static str) -> Publish {
    let properties = Properties::default().persistent();
    Publish { properties, ..Publish::new("", routing_key, body) }
}

#[test]
fn one_queue_of_two_refuses_and_so_does_the_broker() {
    let (sim, _) = shop(async |_, channel| {
        queue(&channel, "open", []).await;
        let full = [("x-max-length", 0_i64.into()), ("x-overflow", text("reject-publish"))];
        queue(&channel, "full", full).await;
        fanout(&channel, "all", &["open", "full"]).await?;
        channel.confirm_select().await?;
        channel.basic_publish("all", "", Properties::default(), "order")?;
        assert_eq!(channel.wait_for_confirms().await?.len(), 1);
        Ok(())
    });
    assert_eq!(
        told(&sim, "order"),
        [
            "published by shop (channel 1) to exchange all as \"\", to be confirmed as 1",
            "put into queue open",
            "refused by queue full, which is at its limit",
            "refused to shop (channel 1): nack 1",
        ]
    );
}

#[test]
fn a_publish_is_not_confirmed_before_every_queue_has_it() {
    let (mut sim, rabbit) = world();
    let at_work = rabbit.clone();
    sim.daemon_with("shop", rabbit.clone(), async |node, rabbit: RabbitMq| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("transient", QueueOptions::default()).await?;
        queue(&channel, "durable", []).await;
        fanout(&channel, "all", &["transient", "durable"]).await?;
        channel.confirm_select().await?;
        let order = Publish { exchange: "all".into(), ..persistent("", "order") };
        let confirm = channel.publish(order)?;
        confirm.await.map(drop)
    });
    let is_there = move || at_work.inspect(|server| server.list_queues().len() == 2);
    sim.run_until(is_there).expect_reached();
    let before = sim.trace().stories().len();
    assert_eq!(before, 0);
    while sim.trace().stories().is_empty() {
        sim.run_for(ms(1)).expect_reached();
    }
    rabbit.stop(Shutdown::PowerLoss);
    assert_eq!(
        told(&sim, "order"),
        [
            "published by shop (channel 1) to exchange all as \"\", to be confirmed as 1",
            "put into queue transient",
            "put into queue durable",
            "lost with queue transient, which is not durable, as the broker went down",
            "lost from queue durable, as the broker went down",
        ]
    );
}

#[test]
fn what_no_queue_gets_is_confirmed_all_the_same() {
    let (sim, _) = shop(async |_, channel| {
        channel.confirm_select().await?;
        let order = Publish { mandatory: true, ..Publish::new("", "nowhere", "order") };
        channel.publish(order)?.await.map(drop)
    });
    assert_eq!(
        told(&sim, "order"),
        [
            "published by shop (channel 1) to the default exchange as \"nowhere\", to be confirmed \
             as 1",
            "routed to no queue",
            "sent back to shop (channel 1), as it is mandatory",
            "confirmed to shop (channel 1) as 1",
        ]
    );
}

#[test]
fn a_transaction_is_told_with_its_end() {
    let (sim, _) = shop(async |_, channel| {
        queue(&channel, "one", []).await;
        queue(&channel, "two", []).await;
        fanout(&channel, "all", &["one", "two"]).await?;
        channel.tx_select().await?;
        channel.basic_publish("all", "", Properties::default(), "undone")?;
        channel.tx_rollback().await?;
        channel.basic_publish("all", "", Properties::default(), "done")?;
        channel.basic_publish("", "nowhere", Properties::default(), "lost")?;
        channel.tx_commit().await?;
        channel.basic_publish("all", "", Properties::default(), "open")?;
        channel.close().await
    });
    let published = "published by shop (channel 1) to exchange all as \"\", to wait for a commit";
    let committed = "published by the commit of its transaction";
    assert_eq!(told(&sim, "undone"), [published, "its transaction is rolled back: it is gone"]);
    assert_eq!(
        told(&sim, "done"),
        [published, committed, "put into queue one", "put into queue two"]
    );
    assert_eq!(told(&sim, "lost")[1..], [committed, "routed to no queue"]);
    assert_eq!(told(&sim, "open"), [published, "dropped: its channel was closed before a commit"]);
}

async fn delayed(channel: &Channel) -> Done {
    let arguments = arguments([("x-delayed-type", text("fanout"))]);
    let kind = "x-delayed-message".into();
    let options = ExchangeOptions { kind, durable: true, arguments, ..Default::default() };
    channel.exchange_declare("later", options).await
}

fn late(body: &'static str) -> Publish {
    let properties = Properties::default().with_headers(arguments([("x-delay", 50.into())]));
    Publish { properties, ..Publish::new("later", "", body) }
}

#[test]
fn a_delayed_message_waits_and_is_routed_then() {
    let (sim, _) = shop(async |node, channel| {
        delayed(&channel).await?;
        queue(&channel, "one", []).await;
        queue(&channel, "two", []).await;
        channel.basic_publish_with(late("nothing bound"))?;
        node.sleep(ms(100)).await;
        channel.queue_bind("one", "later", "").await?;
        channel.queue_bind("two", "later", "").await?;
        channel.basic_publish_with(late("order"))?;
        node.sleep(ms(100)).await;
        channel.basic_publish_with(late("too late"))?;
        channel.exchange_delete("later", false).await
    });
    let published = "published by shop (channel 1) to exchange later as \"\"";
    let held = "held back by exchange later for 50ms";
    let due = "due at exchange later, which routes it now";
    assert_eq!(told(&sim, "nothing bound"), [published, held, due, "routed to no queue"]);
    assert_eq!(
        told(&sim, "order"),
        [published, held, due, "put into queue one", "put into queue two"]
    );
    assert_eq!(told(&sim, "too late"), [published, held, "dropped: exchange later was deleted"]);
}

#[test]
fn a_direct_reply_reaches_its_requester() {
    let (mut sim, rabbit) = world();
    sim.daemon_with("server", rabbit.clone(), async |node, rabbit: RabbitMq| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("requests", QueueOptions::default()).await?;
        let no_ack = ConsumeOptions { no_ack: true, ..Default::default() };
        let mut requests = channel.basic_consume("requests", no_ack).await?;
        while let Some(request) = requests.next().await {
            let to = request?.properties().reply_to().unwrap_or_default().to_owned();
            channel.basic_publish("", &to, Properties::default(), "answer")?;
            channel.basic_publish("", "amq.rabbitmq.reply-to.x", Properties::default(), "stale")?;
        }
        Done::Ok(())
    });
    sim.node_with("client", rabbit, async |node, rabbit: RabbitMq| {
        node.sleep(ms(50)).await;
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        let no_ack = ConsumeOptions { no_ack: true, ..Default::default() };
        let mut replies = channel.basic_consume("amq.rabbitmq.reply-to", no_ack).await?;
        let properties = Properties::default().with_reply_to("amq.rabbitmq.reply-to");
        channel.basic_publish("", "requests", properties, "question")?;
        assert_eq!(replies.next().await.unwrap()?.body(), "answer");
        node.sleep(ms(50)).await;
        Done::Ok(())
    });
    sim.run().expect_done();
    let answer = told(&sim, "answer");
    assert_eq!(answer[1..], ["delivered to client (channel 1) as a direct reply"], "{answer:?}");
    assert_eq!(told(&sim, "stale")[1..], ["routed to no queue"]);
}

async fn get(channel: &Channel, queue: &str) -> rabbitmq::Delivery {
    channel.basic_get(queue, false).await.unwrap().unwrap()
}

/// Runs the node `shop`, kills the broker, and lets the node `again` go on.
fn with_crash(
    before: impl AsyncFn(Node, Channel) -> Done + 'static,
    after: impl AsyncFn(Node, Channel) -> Done + 'static,
) -> Sim {
    let (mut sim, rabbit) = world();
    let is_done = Rc::new(Cell::new(false));
    let done = Rc::clone(&is_done);
    work(&mut sim, "shop", &rabbit, async move |node, channel| {
        before(node.clone(), channel).await?;
        // What was sent without an answer arrives.
        node.sleep(ms(5)).await;
        done.set(true);
        Ok(())
    });
    sim.run_until(move || is_done.get()).expect_reached();
    rabbit.crash();
    work(&mut sim, "again", &rabbit, after);
    sim.run().expect_done();
    sim
}

#[test]
fn an_acknowledgement_that_a_crash_undoes_is_told_with_what_follows() {
    let sim = with_crash(
        async |node, channel| {
            queue(&channel, "tasks", []).await;
            channel.basic_publish_with(persistent("tasks", "task"))?;
            node.sleep(ms(500)).await;
            get(&channel, "tasks").await.ack()
        },
        async |node, channel| {
            get(&channel, "tasks").await.ack()?;
            node.sleep(ms(500)).await;
            Ok(())
        },
    );
    assert_eq!(
        told(&sim, "task")[1..],
        [
            "put into queue tasks",
            "delivered from queue tasks to shop (channel 1) as 1",
            "acknowledged: it has left queue tasks",
            "back in queue tasks, as the broker went down: its acknowledgement was not yet on disk",
            "delivered again from queue tasks to again (channel 1) as 1",
            "acknowledged: it has left queue tasks",
        ]
    );
}

#[test]
fn a_requeue_that_a_crash_undoes_loses_nothing() {
    let sim = with_crash(
        async |node, channel| {
            queue(&channel, "tasks", [("x-queue-type", text("quorum"))]).await;
            channel.basic_publish_with(persistent("tasks", "task"))?;
            node.sleep(ms(500)).await;
            get(&channel, "tasks").await.nack(true)
        },
        async |_, channel| get(&channel, "tasks").await.ack(),
    );
    assert_eq!(
        told(&sim, "task")[3..],
        [
            "returned to queue tasks: its consumer requeued it",
            "back in queue tasks, as the broker went down: its requeue was not yet on disk",
            "delivered again from queue tasks to again (channel 1) as 1",
            "acknowledged: it has left queue tasks",
        ]
    );
}

#[test]
fn what_a_consumer_holds_returns_when_the_broker_goes_down() {
    let (mut sim, rabbit) = world();
    sim.daemon_with("worker", rabbit.clone(), async |node, rabbit: RabbitMq| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        queue(&channel, "tasks", []).await;
        channel.basic_publish_with(persistent("tasks", "kept"))?;
        channel.basic_publish("", "tasks", Properties::default(), "transient")?;
        node.sleep(ms(500)).await;
        let _held = (get(&channel, "tasks").await, get(&channel, "tasks").await);
        node.sleep(ms(10_000)).await;
        Done::Ok(())
    });
    sim.run_for(ms(600)).expect_reached();
    rabbit.stop(Shutdown::Kill);
    let last = |body: &str| told(&sim, body).pop().unwrap();
    assert_eq!(last("kept"), "returned to queue tasks: the broker went down");
    assert_eq!(last("transient"), "lost from queue tasks, as the broker went down");
    rabbit.wipe();
    let last = |body: &str| told(&sim, body).pop().unwrap();
    assert_eq!(last("kept"), "gone with queue tasks: the broker's disk was wiped");
    assert_eq!(last("transient"), "lost from queue tasks, as the broker went down");
}

#[test]
fn a_death_that_a_crash_undoes_is_told_although_the_letter_is_lost() {
    let sim = with_crash(
        async |node, channel| {
            let dead =
                [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text("dead"))];
            queue(&channel, "tasks", dead).await;
            queue(&channel, "dead", []).await;
            channel.basic_publish_with(persistent("tasks", "task"))?;
            node.sleep(ms(500)).await;
            get(&channel, "tasks").await.reject(false)
        },
        async |_, channel| get(&channel, "tasks").await.ack(),
    );
    assert_eq!(
        told(&sim, "task")[3..],
        [
            "died in queue tasks (rejected)",
            "published again as a dead letter, to the default exchange as \"dead\"",
            "put into queue dead",
            "back in queue tasks, as the broker went down: its death was not yet on disk",
            "lost from queue dead, as the broker went down",
            "delivered again from queue tasks to again (channel 1) as 1",
            "acknowledged: it has left queue tasks",
        ]
    );
}

#[test]
fn what_a_full_queue_gives_to_its_dead_letter_exchange_is_the_same_message() {
    let (sim, _) = shop(async |_, channel| {
        let full = [
            ("x-max-length", 0_i64.into()),
            ("x-overflow", text("reject-publish-dlx")),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("dead")),
        ];
        queue(&channel, "full", full).await;
        queue(&channel, "dead", []).await;
        channel.confirm_select().await?;
        channel.basic_publish("", "full", Properties::default(), "order")?;
        channel.wait_for_confirms().await.map(drop)
    });
    assert_eq!(
        told(&sim, "order")[1..],
        [
            "refused by queue full, which is at its limit",
            "published again as a dead letter, to the default exchange as \"dead\"",
            "put into queue dead",
            "refused to shop (channel 1): nack 1",
        ]
    );
}

/// What is told of a message after it has died in a queue with this dead-letter exchange and key.
/// The node `shop` prepares the rest.
fn after_death(
    exchange: &'static str,
    routing_key: &'static str,
    prepares: impl AsyncFn(&Channel) -> Done + 'static,
) -> Vec<String> {
    let (sim, _) = shop(async move |node, channel| {
        let dead = [
            ("x-dead-letter-exchange", text(exchange)),
            ("x-dead-letter-routing-key", text(routing_key)),
            ("x-message-ttl", 10_i64.into()),
        ];
        queue(&channel, "tasks", dead).await;
        prepares(&channel).await?;
        channel.basic_publish("", "tasks", Properties::default(), "task")?;
        node.sleep(ms(100)).await;
        Ok(())
    });
    let mut told = told(&sim, "task");
    assert_eq!(told[2], "died in queue tasks (expired)", "{told:?}");
    told.split_off(3)
}

#[test]
fn a_dead_letter_is_dropped_for_a_reason() {
    let missing = after_death("gone", "", async |_| Ok(()));
    assert_eq!(missing, ["dropped: there is no exchange gone"]);

    let again = "published again as a dead letter, to the default exchange as";
    let nowhere = after_death("", "nowhere", async |_| Ok(()));
    assert_eq!(nowhere, [format!("{again} \"nowhere\""), "routed to no queue".to_owned()]);

    let circle = after_death("", "tasks", async |_| Ok(()));
    let left_out = "not put into queue tasks: it died there before, and no consumer has rejected \
                    it since";
    let nobody = "dropped: no other queue is to get it";
    let expected = [format!("{again} \"tasks\""), left_out.to_owned(), nobody.to_owned()];
    assert_eq!(circle, expected);

    let stream = after_death("", "log", async |channel| {
        queue(channel, "log", [("x-queue-type", text("stream"))]).await;
        Ok(())
    });
    let left_out = "not put into queue log: a stream misses dead letters that are published at \
                    most once";
    let expected = [format!("{again} \"log\""), left_out.to_owned(), nobody.to_owned()];
    assert_eq!(stream, expected);
}

#[test]
fn a_circle_does_not_keep_other_queues_from_a_dead_letter() {
    let told = after_death("all", "", async |channel| {
        queue(channel, "dead", []).await;
        fanout(channel, "all", &["tasks", "dead"]).await
    });
    assert_eq!(
        told,
        [
            "published again as a dead letter, to exchange all as \"\"",
            "not put into queue tasks: it died there before, and no consumer has rejected it since",
            "put into queue dead",
        ]
    );
}

#[test]
fn a_letter_that_its_queue_keeps_is_told_with_each_try() {
    let (sim, _) = shop(async |node, channel| {
        let dead = [
            ("x-queue-type", text("quorum")),
            ("x-overflow", text("reject-publish")),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-dead-letter-exchange", text("dlx")),
            ("x-dead-letter-routing-key", text("dead")),
        ];
        queue(&channel, "tasks", dead).await;
        channel.basic_publish_with(persistent("tasks", "task"))?;
        node.sleep(ms(500)).await;
        get(&channel, "tasks").await.reject(false)?;
        node.sleep(Duration::from_secs(100)).await;
        fanout(&channel, "dlx", &[]).await?;
        node.sleep(Duration::from_secs(180)).await;
        queue(&channel, "dead", []).await;
        channel.queue_bind("dead", "dlx", "").await?;
        node.sleep(Duration::from_secs(180)).await;
        get(&channel, "dead").await.ack()?;
        node.sleep(ms(500)).await;
        Ok(())
    });
    let again = "published again as a dead letter, to exchange dlx as \"dead\"";
    let kept = "kept by queue tasks, in which it died, for another try:";
    assert_eq!(
        told(&sim, "task")[3..],
        [
            "died in queue tasks (rejected)",
            &format!("{kept} there is no exchange dlx"),
            again,
            "routed to no queue",
            &format!("{kept} no queue is to get it"),
            again,
            "put into queue dead",
            "kept no longer by queue tasks: the others have it safely",
            "delivered from queue dead to shop (channel 1) as 2",
            "acknowledged: it has left queue dead",
        ]
    );
}

#[test]
fn what_a_stream_outlives_is_told() {
    let (sim, _) = shop(async |_, channel| {
        let small = [
            ("x-queue-type", text("stream")),
            ("x-max-length-bytes", 2_000_i64.into()),
            ("x-stream-max-segment-size-bytes", 1_000_i64.into()),
        ];
        queue(&channel, "log", small).await;
        for n in 0..9 {
            let body = format!("{n}{}", "x".repeat(500));
            channel.basic_publish("", "log", Properties::default(), body)?;
        }
        channel.close().await
    });
    let outlived = "dropped from stream log, which had reached its limit of length or age";
    let stories = sim.trace().stories();
    let is_dropped = |n: usize| stories[n].steps.iter().any(|step| step.text == outlived);
    assert!(is_dropped(0) && !is_dropped(8), "{stories:?}");
}

#[test]
fn two_brokers_tell_of_two_messages() {
    let config = Config::new(1).with_stories();
    let mut sim = Sim::with_config(config);
    let brokers = ["east", "west"]
        .map(|name| rabbitmq::start_named(&mut sim, name, BrokerOptions::default()));
    sim.node_with("shop", brokers, async |node, brokers: [RabbitMq; 2]| {
        for rabbit in &brokers {
            let channel = Connection::connect(&node, rabbit).await?.channel().await?;
            channel.queue_declare("tasks", QueueOptions::default()).await?;
            channel.basic_publish("", "tasks", Properties::default(), "order")?;
            channel.close().await?;
        }
        Done::Ok(())
    });
    sim.run().expect_done();
    let stories = sim.trace().stories();
    let tellers = stories.iter().map(|story| story.steps.iter().map(|step| &*step.who).collect());
    let tellers: Vec<Vec<&str>> = tellers.collect();
    assert_eq!(tellers, [["east"; 2], ["west"; 2]]);
}
