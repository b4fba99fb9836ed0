//! lapin with its own sockets, on tokio.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Result};
use stunt_double::Shutdown;
use stunt_double::adapter::loopback::{Options, Server};

fn on_tokio(work: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(work).unwrap();
}

/// Opens a channel with confirms and a queue.
async fn open(server: &Server) -> Result<(Connection, Channel)> {
    let connection =
        Connection::connect(&server.amqp_url(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let table = FieldTable::default();
    channel.queue_declare("tasks".into(), QueueDeclareOptions::default(), table).await?;
    Ok((connection, channel))
}

async fn consume(channel: &Channel) -> Result<Consumer> {
    let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume("tasks".into(), "worker".into(), options, table).await
}

#[test]
fn messages_are_confirmed_delivered_and_acknowledged() {
    let server = Server::start(Options::default()).unwrap();
    on_tokio(async {
        let (connection, channel) = open(&server).await?;
        let mut tasks = consume(&channel).await?;
        for i in 0..100_u8 {
            let (options, properties) =
                (BasicPublishOptions::default(), BasicProperties::default());
            let confirm =
                channel.basic_publish("".into(), "tasks".into(), options, &[i], properties).await?;
            assert!(confirm.await?.is_ack());
            let task = tasks.next().await.unwrap()?;
            assert_eq!(task.data, [i]);
            task.ack(BasicAckOptions::default()).await?;
        }
        connection.close(200, "done".into()).await?;
        server.rabbitmq(|broker, _| broker.check_invariants()).unwrap();
        Ok(())
    });
}

#[test]
fn a_killed_broker_ends_the_consumer_and_takes_new_connections_again() {
    let server = Server::start(Options::default()).unwrap();
    on_tokio(async {
        let (_connection, channel) = open(&server).await?;
        let mut tasks = consume(&channel).await?;
        server.stop_rabbitmq(Shutdown::Kill);
        assert!(!matches!(tasks.next().await, Some(Ok(_))));
        server.start_rabbitmq().unwrap();
        let (connection, _channel) = open(&server).await?;
        connection.close(200, "done".into()).await
    });
}
