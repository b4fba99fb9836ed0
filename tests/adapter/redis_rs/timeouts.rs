//! Time-outs: what would read the real clock is refused with a sentence.

use super::adapter::Connect;
use super::redis::{AsyncCommands, AsyncConnectionConfig, ErrorKind, RedisConnectionInfo};
#[cfg(feature = "tokio")]
use super::support::{next, run_beside_tokio};
use super::support::{paused_runtime, run};
use std::time::Duration;

#[test]
fn a_response_time_out_is_refused_without_a_runtime() {
    run(async |node, server| {
        let (info, config) = (RedisConnectionInfo::default(), AsyncConnectionConfig::new());
        let error = server.multiplexed_with(&node, &info, config).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidClientConfig);
        assert!(error.to_string().contains("call set_response_timeout(None)"), "{error}");
        Ok(())
    });
}

#[test]
fn a_call_waits_in_virtual_time() {
    run(async |node, server| {
        let mut con = server.multiplexed(&node).await?;
        // A response time-out of 500 ms would end it, if it were measured.
        let nothing: Option<(String, String)> = con.blpop("nothing", 3600.0).await?;
        assert_eq!(nothing, None);
        assert_eq!(node.now().since_start(), Duration::from_secs(3600));
        Ok(())
    });
}

#[test]
fn inside_a_real_runtime_nothing_reads_its_clock() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    run(async |node, server| {
        let mut con = server.multiplexed(&node).await?;
        let nothing: Option<(String, String)> = con.blpop("nothing", 60.0).await?;
        assert_eq!(nothing, None);

        let (info, config) = (RedisConnectionInfo::default(), AsyncConnectionConfig::new());
        let error = server.multiplexed_with(&node, &info, config).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidClientConfig);
        assert!(error.to_string().contains("would read the real clock"), "{error}");
        let error = server.pubsub(&node).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidClientConfig);
        Ok(())
    });
}

#[test]
fn inside_a_paused_runtime_nothing_waits_for_its_clock_or_its_tasks() {
    // As in a test with `start_paused = true` that calls `Sim::run`.
    paused_runtime().block_on(async {
        run(async |node, server| {
            let mut con = server.multiplexed(&node).await?;
            let () = con.set("k", 1).await?;
            let nothing: Option<(String, String)> = con.blpop("nothing", 60.0).await?;
            assert_eq!(nothing, None);

            let (info, config) = (RedisConnectionInfo::default(), AsyncConnectionConfig::new());
            let error = server.multiplexed_with(&node, &info, config).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidClientConfig);
            assert!(error.to_string().contains("await Sim::run_beside"), "{error}");
            let error = server.pubsub(&node).await.err().unwrap();
            assert!(error.to_string().contains("await Sim::run_beside"), "{error}");
            Ok(())
        });
    });
}

#[cfg(feature = "tokio")]
#[test]
fn beside_a_paused_runtime_the_default_response_time_out_is_virtual() {
    run_beside_tokio(async |node, server| {
        let mut con = server.multiplexed(&node).await?;
        let () = con.set("k", 1).await?;
        let before = node.now();
        let error = con.blpop::<_, ()>("nothing", 3600.0).await.unwrap_err();
        assert!(error.is_io_error() && error.is_timeout(), "{error}");
        let waited = node.now() - before;
        let (limit, tick) = (Duration::from_millis(500), Duration::from_millis(1));
        assert!(waited >= limit && waited <= limit + 2 * tick, "{waited:?}");
        Ok(())
    });
}

#[cfg(feature = "tokio")]
#[test]
fn beside_a_paused_runtime_a_time_out_of_ones_own_holds() {
    run_beside_tokio(async |node, server| {
        let config = AsyncConnectionConfig::new();
        let config = config.set_response_timeout(Some(Duration::from_millis(50)));
        let info = RedisConnectionInfo::default();
        let mut con = server.multiplexed_with(&node, &info, config).await?;
        let before = node.now();
        let error = con.blpop::<_, ()>("nothing", 3600.0).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(node.now() - before <= Duration::from_millis(52));

        let mut messages = server.pubsub(&node).await?;
        messages.subscribe("news").await?;
        // The connection that timed out still waits for its reply.
        let () = server.connection(&node).await?.publish("news", "hello").await?;
        let message = next(messages.on_message()).await.unwrap();
        assert_eq!(message.get_payload::<String>()?, "hello");
        Ok(())
    });
}
