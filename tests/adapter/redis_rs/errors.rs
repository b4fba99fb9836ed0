//! The errors that redis-rs reports when a server, a link or a node fails: the same as on a real
//! network.

use super::adapter::Connect;
use super::redis::{
    AsyncCommands, AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, RedisResult,
};
use super::support::run;
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::redis::{Redis, ServerOptions, start};
use stunt_double::sim::{Node, Sim};

/// Runs a client that fails, and returns its error and when it came.
fn fails<F>(
    client: impl FnMut(Node, Redis) -> F + 'static,
    fault: impl FnOnce(&Node, &Redis) + 'static,
) -> (RedisError, Duration)
where
    F: Future<Output = RedisError> + 'static,
{
    let mut sim = Sim::new(1);
    let server = start(&mut sim, ServerOptions::default());
    let (send, failed) = std::sync::mpsc::channel();
    let mut client = client;
    let node = sim.node_with("client", server.clone(), move |node, server| {
        let (send, at) = (send.clone(), node.clone());
        let client = client(node, server);
        async move {
            let error = client.await;
            send.send((error, at.now().since_start())).unwrap();
        }
    });
    sim.after(Duration::from_secs(10), move || fault(&node, &server));
    sim.run().expect_done();
    failed.recv().unwrap()
}

async fn waits(node: Node, server: Redis) -> RedisError {
    let mut con = Connect::multiplexed(&server, &node).await.unwrap();
    con.blpop::<_, ()>("nothing", 0.0).await.unwrap_err()
}

async fn waits_lightly(node: Node, server: Redis) -> RedisError {
    let mut con = server.connection(&node).await.unwrap();
    con.blpop::<_, ()>("nothing", 0.0).await.unwrap_err()
}

#[test]
fn a_server_that_ends_drops_the_connection() {
    for how in [Shutdown::Clean, Shutdown::Kill, Shutdown::PowerLoss] {
        let (error, at) = fails(waits, move |_, server| server.stop(how));
        assert!(error.is_io_error() && error.is_connection_dropped(), "{how:?}: {error}");
        assert_eq!(at, Duration::from_secs(10));
        let (error, at) = fails(waits_lightly, move |_, server| server.stop(how));
        assert!(error.is_io_error() && error.is_connection_dropped(), "{how:?}: {error}");
        assert_eq!(at, Duration::from_secs(10));
    }
}

#[test]
fn a_severed_link_resets_the_connection() {
    let (error, _) = fails(waits, |node, server| node.link(server).sever());
    assert!(error.is_io_error() && error.is_connection_dropped(), "{error}");
    let (error, _) = fails(waits_lightly, |node, server| node.link(server).sever());
    assert!(error.is_io_error() && error.is_connection_dropped(), "{error}");
}

#[test]
fn a_stopped_server_refuses_connections() {
    run(async |node, server| {
        server.stop(Shutdown::Clean);
        let error = server.multiplexed(&node).await.unwrap_err();
        assert!(error.is_connection_refusal(), "{error}");
        let error = server.connection(&node).await.unwrap_err();
        assert!(error.is_connection_refusal(), "{error}");
        let error = server.pubsub(&node).await.err().unwrap();
        assert!(error.is_connection_refusal(), "{error}");
        Ok(())
    });
}

#[test]
fn a_connection_time_out_is_measured_by_the_nodes_clock() {
    run(async |node, server| {
        node.link(&server).partition();
        let error = server.multiplexed(&node).await.unwrap_err();
        assert!(error.is_io_error() && error.is_timeout(), "{error}");
        assert_eq!(node.now().since_start(), Duration::from_secs(1));

        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let config = config.set_connection_timeout(Some(Duration::from_millis(2_500)));
        let info = RedisConnectionInfo::default();
        let error = server.multiplexed_with(&node, &info, config).await.unwrap_err();
        assert!(error.is_io_error() && error.is_timeout(), "{error}");
        assert_eq!(node.now().since_start(), Duration::from_millis(3_500));
        Ok(())
    });
}

#[test]
fn after_a_crash_a_new_connection_works() {
    let mut sim = Sim::new(1);
    let server = start(&mut sim, ServerOptions::default());
    sim.node_with("client", server.clone(), async |node: Node, server| {
        let mut con = Connect::multiplexed(&server, &node).await?;
        let mut dropped = 0;
        for i in 0..10 {
            if let Err(error) = con.set::<_, _, ()>("k", i).await {
                assert!(error.is_connection_dropped(), "{error}");
                dropped += 1;
                con = server.multiplexed(&node).await?;
            }
            node.sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(dropped, 1);
        RedisResult::Ok(())
    });
    sim.after(Duration::from_millis(4_500), move || server.crash());
    sim.run().expect_done();
}

#[test]
fn the_servers_errors_keep_their_codes() {
    async fn check(con: &mut impl AsyncCommands) -> RedisResult<()> {
        let () = con.set("text", "x").await?;
        let error = con.lpush::<_, _, ()>("text", 1).await.unwrap_err();
        assert_eq!(error.code(), Some("WRONGTYPE"));
        assert_eq!(error.kind(), ErrorKind::Extension);
        let error = con.incr::<_, _, ()>("text", 1).await.unwrap_err();
        assert_eq!(error.detail(), Some("value is not an integer or out of range"));
        Ok(())
    }
    run(async |node, server| {
        check(&mut server.multiplexed(&node).await?).await?;
        check(&mut server.connection(&node).await?).await
    });
}

/// A server that lost an element to a client that had gone would lose work.
#[test]
fn a_dropped_connection_takes_its_blocked_request_with_it() {
    run(async |node, server| {
        let mut other = server.connection(&node).await?;
        for light in [false, true] {
            let key = if light { "light" } else { "multiplexed" };
            if light {
                let mut con = server.connection(&node).await?;
                let wait = con.blpop::<_, ()>(key, 0.0);
                assert!(node.timeout(Duration::from_secs(1), wait).await.is_err());
            } else {
                let mut con = server.multiplexed(&node).await?;
                let wait = con.blpop::<_, ()>(key, 0.0);
                assert!(node.timeout(Duration::from_secs(1), wait).await.is_err());
            }
            node.sleep(Duration::from_secs(1)).await;
            assert_eq!(other.rpush::<_, _, i64>(key, "job").await?, 1);
            assert_eq!(other.llen::<_, i64>(key).await?, 1, "{key}: the job is still there");
        }
        Ok(())
    });
}

#[test]
fn a_killed_node_takes_its_blocked_request_with_it() {
    let mut sim = Sim::new(1);
    let server = start(&mut sim, ServerOptions::default());
    let worker = sim.node_with("worker", server.clone(), async |node: Node, server| {
        let mut con = Connect::multiplexed(&server, &node).await?;
        let mut messages = server.pubsub(&node).await?;
        messages.subscribe("news").await?;
        con.blpop::<_, ()>("jobs", 0.0).await
    });
    let looked = server.clone();
    sim.after(Duration::from_secs(1), move || {
        assert_eq!(
            looked.command(["PUBSUB", "NUMSUB", "news"]).to_string(),
            "1) \"news\"\n2) (integer) 1"
        );
        worker.kill();
    });
    sim.run().expect_done();
    assert_eq!(server.command(["RPUSH", "jobs", "a"]).as_integer(), Some(1));
    assert_eq!(server.command(["LLEN", "jobs"]).as_integer(), Some(1));
    assert_eq!(server.command(["PUBLISH", "news", "x"]).as_integer(), Some(0));
}
