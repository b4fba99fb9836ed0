//! redis-rs with its own sockets: the blocking client, and the manager that connects again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use redis::{AsyncCommands, Client, Commands, RedisResult, pipe};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::adapter::loopback::{Options, Server};

fn start() -> Server {
    Server::start(Options::default()).unwrap()
}

#[test]
fn the_blocking_client_works_and_the_test_moves_its_clock() -> RedisResult<()> {
    let server = start();
    let mut con = Client::open(server.redis_url())?.get_connection()?;
    let () = con.set_ex("k", 1, 3600)?;
    let (a, b): (i64, i64) = pipe().atomic().incr("k", 1).get("k").query(&mut con)?;
    assert_eq!((a, b), (2, 2));
    server.advance(Duration::from_secs(3600));
    assert!(!con.exists::<_, bool>("k")?);
    Ok(())
}

#[test]
fn the_blocking_pubsub_receives_messages() -> RedisResult<()> {
    let server = start();
    let client = Client::open(server.redis_url())?;
    let (mut con, mut publisher) = (client.get_connection()?, client.get_connection()?);
    let mut messages = con.as_pubsub();
    messages.subscribe("news")?;
    assert_eq!(publisher.publish::<_, _, i64>("news", "hello")?, 1);
    assert_eq!(messages.get_message()?.get_payload::<String>()?, "hello");
    Ok(())
}

#[test]
fn the_connection_manager_survives_a_restart() -> RedisResult<()> {
    let server = start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::open(server.redis_url())?;
        let mut con = client.get_connection_manager().await?;
        let () = con.set("n", 1).await?;
        server.stop_redis(Shutdown::Clean);
        server.start_redis().unwrap();
        // The first calls may fail on the old connection.
        let mut failures = Vec::new();
        while let Err(error) = con.incr::<_, _, i64>("n", 1).await {
            assert!(error.is_io_error(), "{error}");
            failures.push(error);
            assert!(failures.len() < 1_000, "it never connects again: {failures:?}");
        }
        assert!(con.get::<_, i64>("n").await? >= 2);
        Ok(())
    })
}
