//! A small order service on RabbitMQ and Redis.
//!
//! The shop writes each order to Redis, together with an entry in an *outbox*. The *relay*
//! publishes the outbox with confirms, and removes an entry once its message is safe. *Workers*
//! charge orders: a marker in Redis and an idempotency key at the bank make a repeated delivery
//! harmless, a declined charge is tried again after a while (a queue with a time to live and a
//! dead-letter exchange), and after three attempts the order has failed. The *closer* keeps a
//! ledger; a lock with a fencing token keeps two closers from overwriting each other.
//!
//! Start with [`run`]. Everything here is production code: it is given connections by whoever
//! starts it ([`Servers`]), tells time with tokio, and logs with tracing what goes wrong.

mod backoff;
mod bank;
mod closer;
mod outbox;
mod private;
mod publish;
mod report;
mod shop;
mod stop;
mod topology;
mod worker;

pub use report::{Report, report};
pub use shop::{place, wait_until_done};
pub use topology::declare;

use backoff::Backoff;
use private::Private;
use redis::aio::MultiplexedConnection;
use std::future::Future;
use std::time::Duration;
use stop::Stop;
use tokio::sync::watch;

/// Any error of the service, with its cause as text.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Connects to the servers.
pub trait Servers: Clone + Send + Sync + 'static {
    /// Connects to RabbitMQ.
    fn rabbitmq(&self) -> impl Future<Output = Result<lapin::Connection, Error>> + Send;

    /// Connects to Redis, anew at every call: the service watches keys, which is a state of the
    /// connection.
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

/// How long RabbitMQ may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(3);

/// Runs one part of the service until it is asked to stop. If a connection fails, it connects
/// again, after a while that doubles up to 8 s.
///
/// A part that is asked to stop gives up connecting at once, and has 10 s to finish what it has
/// begun. If the sender is dropped, the part stops too.
pub async fn run(servers: impl Servers, role: Role, stop: watch::Receiver<bool>) {
    let mut stop = Stop::new(stop);
    let mut backoff = Backoff::new();
    while !stop.is_asked() {
        let mut end = stop.clone();
        let ended = tokio::select! {
            biased;
            ended = session(&servers, role, &mut stop, &mut backoff) => ended,
            () = end.overdue() => Err("it did not stop in time".into()),
        };
        if let Err(error) = ended {
            tracing::warn!(?role, %error, "a session has failed");
            stop.wait(backoff.next()).await;
        }
    }
}

/// Works with one set of connections. Ends by itself once it is asked to stop, after it has
/// finished its work.
async fn session(
    servers: &impl Servers,
    role: Role,
    stop: &mut Stop,
    backoff: &mut Backoff,
) -> Result<(), Error> {
    let Some(redis) = stop.or(servers.redis()).await.transpose()? else { return Ok(()) };
    let mut redis = Private::new(redis);
    if role == Role::Closer {
        backoff.reset();
        return closer::run(&mut redis, stop).await;
    }
    let opened = stop.or(open(servers)).await.transpose()?;
    let Some((rabbitmq, channel)) = opened else { return Ok(()) };
    backoff.reset();
    match role {
        Role::Relay => outbox::relay(&channel, &mut redis, stop).await?,
        Role::Worker(marker) => worker::run(&channel, &mut redis, marker, stop).await?,
        Role::Closer => unreachable!("it has no connection to RabbitMQ"),
    }
    tokio::time::timeout(GOODBYE, rabbitmq.close(200, "stopped".into())).await??;
    Ok(())
}

/// Connects to RabbitMQ, and declares what the service needs there.
async fn open(servers: &impl Servers) -> Result<(lapin::Connection, lapin::Channel), Error> {
    let rabbitmq = servers.rabbitmq().await?;
    let channel = rabbitmq.create_channel().await?;
    declare(&channel).await?;
    Ok((rabbitmq, channel))
}
