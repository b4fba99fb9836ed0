//! fred with its own sockets, on tokio.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use fred::prelude::*;
use fred::types::RespVersion;
use std::time::Duration;
use stunt_double::adapter::loopback::{Options, Server};

/// Runs the same code on either version of the protocol.
fn on(protocol: RespVersion) {
    let server = Server::start(Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let done: Result<(), Error> = runtime.block_on(async {
        let mut config = Config::from_url(&server.redis_url())?;
        config.version = protocol;
        let client = Builder::from_config(config).build()?;
        client.init().await?;
        let _: () = client.set("k", 1, Some(Expiration::EX(3600)), None, false).await?;
        let transaction = client.multi();
        let _: () = transaction.incr("k").await?;
        let _: () = transaction.get("k").await?;
        let both: (i64, i64) = transaction.exec(true).await?;
        assert_eq!(both, (2, 2));
        server.advance(Duration::from_secs(3600));
        assert_eq!(client.get::<Option<i64>, _>("k").await?, None);
        let _: () = client.hset("h", ("f", 1)).await?;
        let error = client.incr::<i64, _>("h").await.unwrap_err();
        assert!(error.details().starts_with("WRONGTYPE"), "{error}");
        client.quit().await
    });
    done.unwrap();
}

#[test]
fn commands_transactions_and_expiry_over_resp2() {
    on(RespVersion::RESP2);
}

#[test]
fn commands_transactions_and_expiry_over_resp3() {
    on(RespVersion::RESP3);
}
