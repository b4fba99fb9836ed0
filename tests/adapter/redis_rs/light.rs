//! The light connection: replies reach their callers, and what it cannot do it says.

use super::adapter::Connect;
use super::redis::{AsyncCommands, ErrorKind, cmd, pipe};
use super::support::run;
use std::time::Duration;

#[test]
fn an_abandoned_request_leaves_its_reply_to_nobody() {
    run(async |node, server| {
        let mut con = server.connection(&node).await?;
        let () = con.set("k", "value").await?;
        let mut clone = con.clone();
        let waits = clone.blpop::<_, Option<(String, String)>>("nothing", 2.0);
        assert!(node.timeout(Duration::from_secs(1), waits).await.is_err());
        // The server answers the BLPOP first, and its answer goes nowhere.
        assert_eq!(con.get::<_, String>("k").await?, "value");
        assert_eq!(node.now().since_start(), Duration::from_secs(2));
        Ok(())
    });
}

#[test]
fn clones_share_one_connection_and_its_order() {
    run(async |node, server| {
        let con = server.connection(&node).await?;
        let tasks: Vec<_> = (0..100)
            .map(|i| {
                let mut con = con.clone();
                node.spawn(async move {
                    let () = con.set(i, i * i).await?;
                    con.get::<_, i64>(i).await
                })
            })
            .collect();
        for (i, task) in (0..).zip(tasks) {
            assert_eq!(task.await.unwrap()?, i * i);
        }
        assert_eq!(server.database(0, |db| db.len()), Some(100));
        Ok(())
    });
}

#[test]
fn its_response_time_out_is_virtual() {
    run(async |node, server| {
        let mut con = server.connection(&node).await?;
        con.set_response_timeout(Some(Duration::from_millis(500)));
        let error = con.blpop::<_, ()>("nothing", 2.0).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(node.now().since_start(), Duration::from_millis(500));
        Ok(())
    });
}

#[test]
fn a_command_without_an_answer_does_not_wait() {
    run(async |node, server| {
        let mut con = server.connection(&node).await?;
        let () = cmd("SET").arg("k").arg(1).set_no_response(true).query_async(&mut con).await?;
        assert_eq!(con.get::<_, i64>("k").await?, 1);
        Ok(())
    });
}

#[test]
fn commands_that_are_answered_by_messages_are_refused() {
    run(async |node, server| {
        let mut con = server.connection(&node).await?;
        for name in ["SUBSCRIBE", "punsubscribe", "MONITOR"] {
            let error = cmd(name).arg("x").query_async::<()>(&mut con).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Client);
            assert!(error.to_string().contains("redis.pubsub(&node)"), "{error}");
            let error = pipe().cmd(name).query_async::<()>(&mut con).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Client);
        }
        Ok(())
    });
}

#[test]
fn a_refused_transaction_is_an_error_and_the_connection_goes_on() {
    run(async |node, server| {
        let mut con = server.connection(&node).await?;
        let error = pipe()
            .atomic()
            .set("k", 1)
            .cmd("NOSUCH")
            .query_async::<()>(&mut con)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some("EXECABORT"));
        assert!(!con.exists::<_, bool>("k").await?);
        let empty = pipe().query_async::<()>(&mut con).await.unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::Client);
        Ok(())
    });
}
