//! The client library lapin on a simulated host.
//!
//! lapin's thread may not touch the simulator, so a driver on the host owns the socket and lets the
//! thread run in lock step; see [`adapter::lapin`](crate::adapter::lapin). The invariant: the
//! thread runs only while the driver is polled. The driver is polled when bytes arrive, when a task
//! of lapin is ready, and at each millisecond of the host's clock, the finest that its timers have:
//! a caller of lapin may leave work for the thread without waking anything.

mod line;

use crate::adapter::lapin::open;
use ::lapin::{Connection, ConnectionProperties, Result};
use line::HostLine;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;

/// The user and the vhost of a caller that names none.
const URI: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

/// Connects the client library [`lapin`](::lapin) from a host of `turmoil` to the RabbitMQ at
/// `address`, such as `"rabbit:5672"`. A URI gives the user, password, vhost and parameters; the
/// default is the user `guest` and the vhost `/`. The URI's host and port do not count.
///
/// Its thread, its waits and its heartbeats are in the host's time. What differs from lapin on a
/// socket is said in [`adapter::lapin`](crate::adapter::lapin). The jitter of its waits comes from
/// the address and from when it connects.
///
/// ```
/// use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
/// use lapin::types::FieldTable;
/// use lapin::{BasicProperties, ConnectionProperties};
/// use stunt_double::adapter::turmoil::{Host, lapin};
/// use stunt_double::rabbitmq::BrokerOptions;
///
/// let mut sim = turmoil::Builder::new().rng_seed(7).build();
/// let server = Host::rabbitmq(BrokerOptions::default(), 1);
/// sim.host("rabbit", move || server.clone().serve());
/// sim.client("app", async {
///     let connection = lapin("rabbit:5672", None, ConnectionProperties::default()).await?;
///     // From here on it is production code.
///     let channel = connection.create_channel().await?;
///     channel.confirm_select(ConfirmSelectOptions::default()).await?;
///     let (options, none) = (QueueDeclareOptions::default(), FieldTable::default());
///     channel.queue_declare("jobs".into(), options, none).await?;
///     let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
///     let published = channel.basic_publish("".into(), "jobs".into(), options, b"hi", properties);
///     assert!(published.await?.await?.is_ack());
///     connection.close(200, "bye".into()).await?;
///     Ok(())
/// });
/// sim.run().unwrap();
/// ```
///
/// # Errors
///
/// What [`Connection::connect`] returns. An I/O error if the
/// scheme is `amqps`.
///
/// # Panics
///
/// Outside of a host of turmoil.
pub async fn lapin(
    address: impl Into<Arc<str>>,
    uri: Option<&str>,
    properties: ConnectionProperties,
) -> Result<Connection> {
    use ::turmoil::net::TcpStream;

    let dial = |address: Arc<str>| async move { TcpStream::connect(&*address).await };
    let (driver, opening) =
        open(HostLine::new(address.into(), dial), uri.unwrap_or(URI), properties)?;
    tokio::spawn(driver);
    opening.connect().await
}

/// Connects the client library [`lapin`](::lapin) from a host of `turmoil-net`, as [`lapin()`] does
/// from a host of `turmoil`. Returns the connection to be and its driver.
///
/// The host's own future must poll both, because `turmoil-net` knows whose socket it is only
/// meanwhile. So the driver cannot be spawned: it runs beside the code, for as long as the
/// connection is used, as another branch of a `select!`. It never ends.
///
/// ```
/// use lapin::ConnectionProperties;
/// use stunt_double::adapter::turmoil::{Host, lapin_net};
/// use stunt_double::rabbitmq::BrokerOptions;
/// use turmoil_net::fixture::ClientServer;
///
/// let server = Host::rabbitmq(BrokerOptions::default(), 1);
/// let software = async move { server.serve_net().await.unwrap() };
/// ClientServer::new().server("rabbit", software).run("app", async {
///     let properties = ConnectionProperties::default();
///     let (connecting, driver) = lapin_net("rabbit:5672", None, properties).unwrap();
///     let work = async {
///         let connection = connecting.await?;
///         let _channel = connection.create_channel().await?;
///         connection.close(200, "bye".into()).await
///     };
///     tokio::select! {
///         biased;
///         done = work => done.unwrap(),
///         never = driver => match never {},
///     }
/// });
/// ```
///
/// # Errors
///
/// If the URI is wrong, or its scheme is `amqps`. The connection's errors are those of
/// [`Connection::connect`].
///
/// # Panics
///
/// Outside of a runtime of tokio. The driver, outside of a host of turmoil-net.
pub fn lapin_net(
    address: impl Into<Arc<str>>,
    uri: Option<&str>,
    properties: ConnectionProperties,
) -> Result<(impl Future<Output = Result<Connection>>, impl Future<Output = Infallible>)> {
    use turmoil_net::shim::tokio::net::TcpStream;

    let dial = |address: Arc<str>| async move { TcpStream::connect(&*address).await };
    let (driver, opening) =
        open(HostLine::new(address.into(), dial), uri.unwrap_or(URI), properties)?;
    let driver = async {
        driver.await;
        pending().await
    };
    Ok((opening.connect(), driver))
}
