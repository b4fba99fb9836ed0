//! The cost of lapin in a world, and of the same code against a real RabbitMQ if there is one.
//!
//! `AMQP_URL=amqp://127.0.0.1:5672/%2f cargo bench -p stunt-double-benches --bench adapters_lapin`

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, criterion_group, criterion_main};
use futures_core::Stream;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties, Result};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Config, Node, Retention, Sim};

/// Publishes, waits for the confirm and the delivery, and acknowledges, one message after another.
/// Returns how long that took.
async fn messages(connection: &Connection, count: u64) -> Result<Duration> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("bench".into(), options, FieldTable::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = channel.basic_consume("bench".into(), "me".into(), options, none).await?;
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    let began = Instant::now();
    for _ in 0..count {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let published =
            channel.basic_publish("".into(), "bench".into(), options, b"hello", properties);
        published.await?.await?;
        let next = poll_fn(|cx| Pin::new(&mut consumer).poll_next(cx)).await;
        next.expect("the consumer goes on")?.ack(BasicAckOptions::default()).await?;
    }
    Ok(began.elapsed())
}

async fn client(node: Node, (rabbit, count, took): (RabbitMq, u64, Arc<Mutex<Duration>>)) {
    let connection = rabbit.lapin(&node, ConnectionProperties::default()).await.expect("it runs");
    let time = messages(&connection, count).await.expect("nothing fails");
    *took.lock().expect("nobody panics") = time;
    connection.close(200, "bye".into()).await.expect("it is open");
}

fn world(count: u64) -> Duration {
    let config = Config::new(1).with_retention(Retention::Digest).with_max_steps(u64::MAX);
    let mut sim = Sim::with_config(config);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let took = Arc::<Mutex<Duration>>::default();
    sim.node_with("client", (rabbit, count, Arc::clone(&took)), client);
    sim.run().expect_done();
    *took.lock().expect("nobody panics")
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lapin");
    group.bench_function("a world made, used and dropped", |bench| bench.iter(|| world(1)));
    let message = "publish, confirm, deliver, ack";
    group.bench_function(format!("{message}: in a world"), |bench| bench.iter_custom(world));
    if let Ok(url) = std::env::var("AMQP_URL") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        group.bench_function(format!("{message}: a real server"), |bench| {
            bench.iter_custom(|count| {
                // A connection for each: the queue belongs to it.
                let options = ConnectionProperties::default();
                runtime.block_on(async {
                    let connection = Connection::connect(&url, options).await.expect("it runs");
                    let time = messages(&connection, count).await.expect("nothing fails");
                    connection.close(200, "bye".into()).await.expect("it is open");
                    time
                })
            });
        });
    }
    group.finish();
}

criterion_group!(lapin_in_a_world, benches);
criterion_main!(lapin_in_a_world);
