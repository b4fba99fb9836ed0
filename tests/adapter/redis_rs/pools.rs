//! Pools of connections: `deadpool` on any node, `bb8` where tokio's time is virtual.

#[cfg(feature = "deadpool")]
mod on_deadpool {
    use super::super::adapter::deadpool::Manager;
    use super::super::redis::{AsyncCommands, ErrorKind, RedisError};
    use super::super::support::run;
    use deadpool::managed::{Pool, PoolError};
    use std::time::Duration;

    fn backend(error: PoolError<RedisError>) -> RedisError {
        match error {
            PoolError::Backend(error) => error,
            other => RedisError::from((ErrorKind::Client, "the pool failed", other.to_string())),
        }
    }

    #[test]
    fn connections_are_shared_and_used_again() {
        run(async |node, server| {
            let pool =
                Pool::<Manager>::builder(Manager::new(&node, &server)).max_size(2).build().unwrap();
            let tasks: Vec<_> = (0..10)
                .map(|i| {
                    let (pool, at) = (pool.clone(), node.clone());
                    node.spawn(async move {
                        let mut con = pool.get().await.map_err(backend)?;
                        at.sleep(Duration::from_secs(1)).await;
                        con.incr::<_, _, i64>("count", i).await
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap()?;
            }
            assert_eq!(node.now().since_start(), Duration::from_secs(5));
            assert_eq!(pool.status().size, 2);
            Ok(())
        });
    }

    #[test]
    fn a_broken_connection_is_replaced() {
        run(async |node, server| {
            let pool =
                Pool::<Manager>::builder(Manager::new(&node, &server)).max_size(1).build().unwrap();
            for i in 1..=3 {
                let mut con = pool.get().await.map_err(backend)?;
                let () = con.set("k", i).await?;
                drop(con);
                server.restart();
            }
            server.stop(stunt_double::Shutdown::Clean);
            let error = pool.get().await.map_err(backend).err().unwrap();
            assert!(error.is_connection_refusal(), "{error}");
            Ok(())
        });
    }

    #[test]
    fn a_pool_with_time_outs_says_that_it_has_no_runtime() {
        run(async |node, server| {
            let pool = Pool::<Manager>::builder(Manager::new(&node, &server))
                .wait_timeout(Some(Duration::from_secs(1)))
                .build();
            assert!(pool.err().unwrap().to_string().contains("untime"));
            Ok(())
        });
    }
}

#[cfg(feature = "bb8")]
mod on_bb8 {
    use super::super::adapter::bb8::Manager;
    #[cfg(feature = "tokio")]
    use super::super::redis::AsyncCommands;
    use super::super::redis::ErrorKind;
    #[cfg(feature = "tokio")]
    use super::super::support::run_beside_tokio;
    use super::super::support::{paused_runtime, run};
    #[cfg(feature = "tokio")]
    use bb8::Pool;

    #[test]
    fn the_pool_is_refused_where_it_would_read_the_real_clock() {
        run(async |node, server| {
            let error = Manager::new(&node, &server).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidClientConfig);
            assert!(error.to_string().contains("deadpool"), "{error}");
            Ok(())
        });
    }

    #[test]
    fn the_pool_is_refused_where_tokios_time_stands_still() {
        paused_runtime().block_on(async {
            run(async |node, server| {
                let error = Manager::new(&node, &server).unwrap_err();
                assert!(error.to_string().contains("stand still"), "{error}");
                Ok(())
            });
        });
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn connections_are_used_again_where_tokios_time_is_virtual() {
        run_beside_tokio(async |node, server| {
            let pool = Pool::builder()
                .max_size(1)
                .max_lifetime(None)
                .idle_timeout(None)
                .build(Manager::new(&node, &server)?)
                .await?;
            for i in 1..=3 {
                let mut con = pool.get().await.unwrap();
                assert_eq!(con.incr::<_, _, i64>("n", 1).await?, i);
            }
            server.restart();
            let mut con = pool.get().await.unwrap();
            assert_eq!(con.incr::<_, _, i64>("n", 1).await?, 4);
            Ok(())
        });
    }
}
