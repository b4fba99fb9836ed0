//! Time-outs: what would read the real clock is refused with a sentence.

use super::adapter::Connect;
use super::redis::{AsyncCommands, AsyncConnectionConfig, ErrorKind, RedisConnectionInfo};
use super::support::run;
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
