//! Lapin on a tokio node: code of the caller that lapin runs has the node's runtime.

use lapin::message::DeliveryResult;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, ConnectionProperties};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions};
use stunt_double::sim::{Config, Sim, Strategy, check_determinism};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep};

fn scenario(sim: &mut Sim) {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    sim.tokio_node_with("consumer", rabbit, async |node, rabbit| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let (options, arguments) = (QueueDeclareOptions::default(), FieldTable::default());
        channel.queue_declare("jobs".into(), options, arguments.clone()).await?;
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume("jobs".into(), "".into(), options, arguments).await?;
        let (sender, mut done) = unbounded_channel();
        consumer.set_delegate(move |delivery: DeliveryResult| {
            let sender = sender.clone();
            async move {
                let Ok(Some(delivery)) = delivery else { return };
                // The work takes a while, and then another task finishes it.
                sleep(Duration::from_secs(60)).await;
                tokio::spawn(async move {
                    delivery.ack(BasicAckOptions::default()).await.unwrap();
                    sender.send(delivery.data).unwrap();
                });
            }
        });
        let start = Instant::now();
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        channel.basic_publish("".into(), "jobs".into(), options, b"one", properties).await?;
        assert_eq!(done.recv().await.unwrap(), b"one");
        assert!(start.elapsed() >= Duration::from_secs(60));
        assert!(start.elapsed() < Duration::from_secs(61));
        connection.close(200, "done".into()).await
    });
    sim.run().expect_done();
}

#[test]
fn a_delegate_sleeps_and_spawns_on_the_nodes_runtime() {
    for strategy in [Strategy::Fifo, Strategy::Random] {
        for seed in 0..10 {
            check_determinism(Config::new(seed).with_strategy(strategy), scenario)
                .unwrap_or_else(|divergence| panic!("{divergence}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn code_beside_a_world_is_told_to_use_a_tokio_node() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.daemon("test", async |_| std::future::pending::<()>().await);
    let refused = sim
        .run_beside(async move { rabbit.lapin(&node, ConnectionProperties::default()).await })
        .await
        .unwrap();
    assert!(refused.unwrap_err().to_string().contains("tokio node"));
}
