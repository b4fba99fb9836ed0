//! A manager for the pool `deadpool`: it opens multiplexed connections in a world.
//!
//! A pool without a runtime, which is deadpool's default, uses no timers, so it is deterministic on
//! every node. A pool with time-outs needs a runtime of tokio and returns
//! `PoolError::NoRuntimeSpecified` without one. deadpool reads the real clock for its metrics alone
//! (`Metrics::age`, `Metrics::last_used`): code that decides by them is not deterministic.

use super::connect::Connect;
use super::redis::aio::MultiplexedConnection;
use super::redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisError, pipe};
use crate::redis::Redis;
use crate::sim::Node;
use ::deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Opens connections from a node to a Redis for a pool.
///
/// Before a connection is used again, it forgets watched keys and must answer a `PING`.
pub struct Manager {
    node: Node,
    redis: Redis,
    settings: Option<(RedisConnectionInfo, AsyncConnectionConfig)>,
    pings: AtomicUsize,
}

impl Manager {
    /// Returns a manager that opens connections with default settings, as
    /// [`Connect::multiplexed`] does.
    #[must_use]
    pub fn new(node: &Node, redis: &Redis) -> Manager {
        Manager {
            node: node.clone(),
            redis: redis.clone(),
            settings: None,
            pings: AtomicUsize::new(0),
        }
    }

    /// Sets redis-rs' own settings, as for [`Connect::multiplexed_with`].
    #[must_use]
    pub fn with_settings(
        mut self,
        info: RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> Manager {
        self.settings = Some((info, config));
        self
    }
}

impl managed::Manager for Manager {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        match &self.settings {
            None => self.redis.multiplexed(&self.node).await,
            Some((info, config)) => {
                self.redis.multiplexed_with(&self.node, info, config.clone()).await
            }
        }
    }

    async fn recycle(
        &self,
        connection: &mut MultiplexedConnection,
        _: &Metrics,
    ) -> RecycleResult<RedisError> {
        let number = self.pings.fetch_add(1, Relaxed);
        let mut check = pipe();
        check.cmd("UNWATCH").ignore().cmd("PING").arg(number);
        let (answer,): (usize,) = check.query_async(connection).await?;
        if answer == number {
            Ok(())
        } else {
            Err(RecycleError::message("the connection answers an earlier PING"))
        }
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("node", &self.node)
            .field("redis", &self.redis)
            .finish_non_exhaustive()
    }
}
