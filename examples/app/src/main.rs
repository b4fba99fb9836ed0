//! Runs the whole service against the servers at `AMQP_URL` and `REDIS_URL`, places 20 orders,
//! waits until they are done, and prints what became of them. What goes wrong is logged to the
//! standard error.

use lapin::ConnectionProperties;
use order_service::{Error, Marker, Role, Servers};
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;

const ORDERS: u64 = 20;

#[derive(Clone)]
struct Urls {
    amqp: String,
    redis: String,
}

impl Servers for Urls {
    async fn rabbitmq(&self) -> Result<lapin::Connection, Error> {
        Ok(lapin::Connection::connect(&self.amqp, ConnectionProperties::default()).await?)
    }

    async fn redis(&self) -> Result<MultiplexedConnection, Error> {
        let client = redis::Client::open(self.redis.as_str())?;
        Ok(client.get_multiplexed_async_connection().await?)
    }
}

fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let url = |name: &str| std::env::var(name).map_err(|_| format!("set {name}"));
    let servers = Urls { amqp: url("AMQP_URL")?, redis: url("REDIS_URL")? };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let worker = Role::Worker(Marker::WithTheResult);
        let parts = [Role::Relay, worker, worker, Role::Closer, Role::Closer]
            .map(|role| tokio::spawn(order_service::run(servers.clone(), role, stopped.clone())));
        order_service::place(&servers, ORDERS).await?;
        order_service::wait_until_done(&servers, ORDERS).await?;
        stop.send(true)?;
        for part in parts {
            part.await?;
        }
        let report = order_service::report(&servers).await?;
        report.check(ORDERS)?;
        println!("{report}");
        Ok(())
    })
}
