//! amqprs with its own sockets, on tokio.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use amqprs::BasicProperties;
use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicPublishArguments, QueueDeclareArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use stunt_double::adapter::loopback::{Options, Server};

#[test]
fn messages_are_delivered_and_acknowledged() {
    let server = Server::start(Options::default()).unwrap();
    let port = server.amqp_addr().port();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let arguments = OpenConnectionArguments::new("127.0.0.1", port, "guest", "guest");
        let connection = Connection::open(&arguments).await.unwrap();
        let channel = connection.open_channel(None).await.unwrap();
        channel.queue_declare(QueueDeclareArguments::new("tasks")).await.unwrap();
        let consume = BasicConsumeArguments::new("tasks", "worker");
        let (_, mut tasks) = channel.basic_consume_rx(consume).await.unwrap();
        for i in 0..100_u8 {
            let publish = BasicPublishArguments::new("", "tasks");
            channel.basic_publish(BasicProperties::default(), vec![i], publish).await.unwrap();
            let task = tasks.recv().await.unwrap();
            assert_eq!(task.content.unwrap(), [i]);
            let tag = task.deliver.unwrap().delivery_tag();
            channel.basic_ack(BasicAckArguments::new(tag, false)).await.unwrap();
        }
        channel.close().await.unwrap();
        connection.close().await.unwrap();
    });
    server.rabbitmq(|broker, _| broker.check_invariants()).unwrap();
}
