//! The memory of a client, at both ends: a node with a connection of RabbitMQ, a channel and a
//! consumer, or with a connection of Redis.

use crate::ALLOCATOR;
use stats_alloc::Region;
use std::future::pending;
use std::time::Duration;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, QueueOptions, RabbitMq,
};
use stunt_double::redis::{self, Client, Redis, ServerOptions};
use stunt_double::sim::{Config, Node, Retention, Sim};

const CLIENTS: usize = 1_000;

async fn declares(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("jobs", QueueOptions::default()).await.map(drop)
}

async fn consumes(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    let _consumer = channel.basic_consume("jobs", ConsumeOptions::default()).await?;
    pending::<()>().await;
    Ok(())
}

pub(crate) fn an_amqp_client_is_small() {
    let config = Config::new(1).with_retention(Retention::Digest);
    let mut sim = Sim::with_config(config);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("declares", rabbit.clone(), declares);
    sim.run().expect_done();
    let region = Region::new(ALLOCATOR);
    for i in 0..CLIENTS {
        sim.daemon_with(&format!("client-{i}"), rabbit.clone(), consumes);
    }
    sim.run_for(Duration::ZERO).expect_reached();
    let used = region.change();
    assert_eq!(rabbit.list_consumers().len(), CLIENTS);
    drop(sim);
    let client = (used.bytes_allocated - used.bytes_deallocated) / CLIENTS;
    println!("{client} bytes for each AMQP client");
    assert!(client <= 3_000, "{client} bytes for each AMQP client");
}

async fn calls(node: Node, redis: Redis) -> Result<(), redis::Error> {
    let client = Client::connect(&node, &redis).await?;
    client.call(["SET", "key", "value"]).await?;
    pending::<()>().await;
    Ok(())
}

pub(crate) fn a_redis_client_is_small() {
    let mut sim = Sim::with_config(Config::new(1).with_retention(Retention::Digest));
    let redis = redis::start(&mut sim, ServerOptions::default());
    let region = Region::new(ALLOCATOR);
    for i in 0..CLIENTS {
        sim.daemon_with(&format!("client-{i}"), redis.clone(), calls);
    }
    sim.run_for(Duration::ZERO).expect_reached();
    let used = region.change();
    let connected = redis.command(["CLIENT", "LIST"]).to_string().matches("name=").count();
    assert_eq!(connected, CLIENTS + 1, "the clients and the operator");
    drop(sim);
    let client = (used.bytes_allocated - used.bytes_deallocated) / CLIENTS;
    println!("{client} bytes for each Redis client");
    assert!(client <= 2_700, "{client} bytes for each Redis client");
}
