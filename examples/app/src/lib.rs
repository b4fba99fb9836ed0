//! A small order service on RabbitMQ and Redis.
//!
//! The shop writes each order to Redis, together with an entry in an *outbox*. The *relay*
//! publishes the outbox with confirms, and removes an entry once its message is safe. *Workers*
//! charge orders: a marker in Redis makes a repeated delivery harmless, a declined charge is tried
//! again after a while (a queue with a time to live and a dead-letter exchange), and after three
//! attempts the order has failed. The *closer* keeps a ledger; a lock with a fencing token keeps
//! two closers from overwriting each other.
//!
//! Start with [`run`]. Everything here is production code: it is given connections by whoever
//! starts it ([`Servers`]), and tells time with tokio.

mod closer;
mod outbox;
mod report;
mod shop;
mod topology;
mod worker;

pub use report::{Report, report};
pub use shop::{place, wait_until_done};
pub use topology::declare;

use redis::aio::MultiplexedConnection;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;

/// Any error of the service, with its cause as text.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Connects to the servers.
pub trait Servers: Clone + Send + Sync + 'static {
    /// Connects to RabbitMQ.
    fn rabbitmq(&self) -> impl Future<Output = Result<lapin::Connection, Error>> + Send;

    /// Connects to Redis.
    fn redis(&self) -> impl Future<Output = Result<MultiplexedConnection, Error>> + Send;
}

/// When a worker sets the marker that makes a repeated delivery harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// Before it charges. It looks safe, since no other worker can charge meanwhile.
    BeforeTheCharge,
    /// In one transaction with the result of the charge.
    WithTheResult,
}

/// One part of the service, a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Publishes the outbox.
    Relay,
    /// Charges orders.
    Worker(Marker),
    /// Keeps the ledger.
    Closer,
}

/// Runs one part of the service until it is asked to stop. If a connection fails, it connects
/// again.
pub async fn run(servers: impl Servers, role: Role, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let session = session(&servers, role, stop.clone());
        // A session ends by itself once it is asked to stop, after it has finished its work.
        if session.await.is_err() {
            let _ = tokio::time::timeout(Duration::from_millis(500), stop.changed()).await;
        }
    }
}

async fn session(
    servers: &impl Servers,
    role: Role,
    stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let mut redis = servers.redis().await?;
    if role == Role::Closer {
        return closer::run(&mut redis, stop).await;
    }
    let rabbitmq = servers.rabbitmq().await?;
    let channel = rabbitmq.create_channel().await?;
    declare(&channel).await?;
    match role {
        Role::Relay => outbox::relay(&channel, &mut redis, stop).await?,
        Role::Worker(marker) => worker::run(&channel, &mut redis, marker, stop).await?,
        Role::Closer => unreachable!("it has no connection to RabbitMQ"),
    }
    rabbitmq.close(200, "stopped".into()).await?;
    Ok(())
}
