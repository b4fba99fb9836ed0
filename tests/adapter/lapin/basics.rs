use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Node, Sim};

async fn app(connection: &Connection) -> lapin::Result<Vec<u8>> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    channel
        .queue_declare("jobs".into(), QueueDeclareOptions::default(), FieldTable::default())
        .await?;
    let confirm = channel
        .basic_publish(
            "".into(),
            "jobs".into(),
            BasicPublishOptions::default(),
            b"hello",
            BasicProperties::default(),
        )
        .await?
        .await?;
    assert!(confirm.is_ack());
    let mut consumer = channel
        .basic_consume(
            "jobs".into(),
            "me".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let next = std::future::poll_fn(|cx| {
        futures_core::Stream::poll_next(std::pin::Pin::new(&mut consumer), cx)
    });
    let delivery = next.await.expect("a delivery")?;
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(delivery.data)
}

#[test]
fn publish_confirm_consume_ack() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("app", rabbit, async |node: Node, rabbit: RabbitMq| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let data = app(&connection).await?;
        node.note(String::from_utf8_lossy(&data));
        connection.close(200, "bye".into()).await?;
        Ok::<(), lapin::Error>(())
    });
    sim.run().expect_done();
    println!("{}", sim.trace().transcript());
    assert!(sim.trace().notes().contains("hello"));
}
