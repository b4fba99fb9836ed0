//! The servers as hosts of turmoil and of turmoil-net, through the public API.

#![allow(clippy::unwrap_used)]

use redis_1 as redis;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncCommands, AsyncConnectionConfig, RedisConnectionInfo, RedisResult};
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::adapter::turmoil::Host;
use stunt_double::rabbitmq::BrokerOptions;
use stunt_double::redis::value::End;
use stunt_double::redis::{AppendFsync, ServerOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use turmoil::net::TcpStream;

/// What a client saw, with the time.
type Seen = Rc<RefCell<Vec<String>>>;

fn see(seen: &Seen, what: impl std::fmt::Display) {
    let at = turmoil::sim_elapsed().unwrap().as_millis();
    seen.borrow_mut().push(format!("{at}ms {what}"));
}

/// The driver of a connection borrows it.
static INFO: LazyLock<RedisConnectionInfo> = LazyLock::new(RedisConnectionInfo::default);

async fn connect<T>(
    socket: T,
) -> RedisResult<(MultiplexedConnection, impl Future<Output = ()> + Send + 'static)>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    MultiplexedConnection::new_with_config(&INFO, socket, config).await
}

async fn dial() -> Result<MultiplexedConnection, Box<dyn std::error::Error>> {
    let (connection, driver) = connect(TcpStream::connect("redis:6379").await?).await?;
    tokio::spawn(driver);
    Ok(connection)
}

/// Redis as a host, with everything that involves time or the network.
fn run() -> Vec<String> {
    let seen = Seen::default();
    let mut builder = turmoil::Builder::new();
    builder.rng_seed(7).simulation_duration(Duration::from_secs(600));
    let mut sim = builder.build();
    let server = Host::redis(ServerOptions::default(), 1);
    sim.host("redis", move || server.clone().serve());
    let log = Rc::clone(&seen);
    sim.client("app", async move {
        let (mut a, mut b) = (dial().await?, dial().await?);
        let _: () = a.set_ex("k", 1, 2).await?;
        let popped = tokio::spawn(async move {
            let popped: Option<(String, String)> = b.blpop("list", 5.0).await.unwrap();
            let none: Option<(String, String)> = b.blpop("list", 1.0).await.unwrap();
            (popped, none)
        });
        sleep(Duration::from_millis(300)).await;
        let _: () = a.rpush("list", "x").await?;
        see(&log, format!("{:?}", popped.await?));
        let mut pubsub =
            PubSub::new(&RedisConnectionInfo::default(), TcpStream::connect("redis:6379").await?)
                .await?;
        pubsub.subscribe("channel").await?;
        let _: i64 = a.publish("channel", "hello").await?;
        let message = {
            let mut messages = std::pin::pin!(pubsub.on_message());
            std::future::poll_fn(|cx| futures_core::Stream::poll_next(messages.as_mut(), cx)).await
        };
        see(&log, message.unwrap().get_payload::<String>()?);
        turmoil::partition("app", "redis");
        let lost = timeout(Duration::from_secs(2), a.get::<_, Option<i64>>("k")).await;
        see(&log, format!("partitioned: {}", lost.is_err()));
        turmoil::repair("app", "redis");
        let gone: Option<i64> = dial().await?.get("k").await?;
        see(&log, format!("expired: {}", gone.is_none()));
        Ok(())
    });
    sim.run().unwrap();
    seen.take()
}

#[test]
fn redis_rs_talks_to_redis_over_turmoils_network() {
    let seen = run();
    let said: Vec<&str> = seen.iter().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(
        said,
        ["(Some((\"list\", \"x\")), None)", "hello", "partitioned: true", "expired: true"]
    );
    for _ in 0..10 {
        assert_eq!(run(), seen, "the same seed, the same run");
    }
}

#[test]
fn a_crash_of_the_host_loses_what_was_not_on_disk() {
    for (crash, append_only, kept) in [
        (Shutdown::Kill, false, false),
        (Shutdown::Kill, true, true),
        (Shutdown::PowerLoss, false, false),
    ] {
        let mut builder = turmoil::Builder::new();
        builder.simulation_duration(Duration::from_secs(60));
        let mut sim = builder.build();
        let mut options = ServerOptions::default();
        if append_only {
            options = options.with_append_only(AppendFsync::Always);
        }
        let server = Host::redis(options, 1).with_crash(crash);
        let software = server.clone();
        sim.host("redis", move || software.clone().serve());
        sim.client("app", async {
            let _: () = dial().await?.set("k", 1).await?;
            Ok(())
        });
        sim.run().unwrap();
        sim.crash("redis");
        sim.bounce("redis");
        let found = Rc::new(RefCell::new(None));
        let result = Rc::clone(&found);
        sim.client("later", async move {
            *result.borrow_mut() = dial().await?.get::<_, Option<i64>>("k").await?;
            Ok(())
        });
        sim.run().unwrap();
        assert_eq!(found.take().is_some(), kept, "{crash:?}, append-only: {append_only}");
    }
}

#[test]
fn rabbitmq_answers_the_protocol_header_and_closes() {
    let mut sim = turmoil::Builder::new().build();
    let server = Host::rabbitmq(BrokerOptions::default(), 1).with_port(5673);
    sim.host("rabbit", move || server.clone().serve());
    sim.client("app", async {
        let mut socket = TcpStream::connect("rabbit:5673").await?;
        socket.write_all(b"AMQP\x00\x00\x09\x01").await?;
        let mut start = [0; 11];
        socket.read_exact(&mut start).await?;
        assert_eq!((start[0], &start[7..]), (1, &[0, 10, 0, 10][..]), "connection.start");
        let mut socket = TcpStream::connect("rabbit:5673").await?;
        socket.write_all(b"HTTP/1.1").await?;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        assert_eq!(answer, b"AMQP\x00\x00\x09\x01", "it says which version it speaks");
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn redis_rs_talks_to_redis_over_the_shim_of_turmoil_net() {
    use turmoil_net::fixture::ClientServer;
    use turmoil_net::shim::tokio::net::TcpStream;

    let server = Host::redis(ServerOptions::default(), 1);
    let software = async move { server.serve_net().await.unwrap() };
    let popped = ClientServer::new().server("redis", software).run("app", async {
        let socket = TcpStream::connect("redis:6379").await.unwrap();
        let (mut connection, driver) = connect(socket).await.unwrap();
        // The shim knows whose socket it is only while the host's own future is polled.
        let work = async {
            let _: () = connection.set_ex("k", 41, 1).await.unwrap();
            let number: i64 = connection.incr("k", 1).await.unwrap();
            let popped: Option<(String, String)> = connection.blpop("list", 2.0).await.unwrap();
            let gone: Option<i64> = connection.get("k").await.unwrap();
            (number, popped, gone)
        };
        tokio::select! {
            biased;
            done = work => done,
            () = driver => panic!("the connection ended"),
        }
    });
    assert_eq!(popped, (42, None, None));
}

#[test]
fn what_the_test_does_to_a_server_is_seen_at_once() {
    let mut sim = turmoil::Builder::new().build();
    let server = Host::redis(ServerOptions::default(), 1);
    let software = server.clone();
    sim.host("redis", move || software.clone().serve());
    let popped = Rc::new(RefCell::new(None));
    let result = Rc::clone(&popped);
    sim.client("app", async move {
        let got: (String, String) = dial().await?.blpop("jobs", 0.0).await?;
        *result.borrow_mut() = Some(got.1);
        Ok(())
    });
    for _ in 0..1_000 {
        sim.step().unwrap();
    }
    server.with(|server, _| {
        let jobs = server.machine_mut().database(0).unwrap();
        jobs.push(b"jobs", End::Right, &[b"a"]).unwrap();
    });
    for _ in 0..1_000 {
        sim.step().unwrap();
    }
    assert_eq!(popped.take().as_deref(), Some("a"));
}
