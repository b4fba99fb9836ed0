//! A manager for the pool `bb8`: it opens multiplexed connections in a world.
//!
//! bb8 measures time-outs with tokio's timers, so the manager is refused on a node without a
//! runtime of tokio. For the age of connections it reads the real clock: build the pool with
//! `max_lifetime(None)` and `idle_timeout(None)`, or a run depends on the machine's load.

use super::connect::Connect;
use super::redis::aio::MultiplexedConnection;
use super::redis::{
    AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, RedisResult, cmd,
};
use crate::adapter::tokio_time::{TokioTime, tokio_time};
use crate::redis::Redis;
use crate::sim::Node;
use std::fmt;

/// Opens connections from a node to a Redis for a pool.
///
/// Before a connection is used again, it must answer a `PING`.
pub struct Manager {
    node: Node,
    redis: Redis,
    settings: Option<(RedisConnectionInfo, AsyncConnectionConfig)>,
}

const WITHOUT_RUNTIME: &str = "bb8 needs tokio's timers, and here they are missing, would read the \
    real clock, or would stand still: run this code on a node with a runtime of tokio, or use the \
    pool deadpool, which needs no timers";

impl Manager {
    /// Returns a manager that opens connections with default settings, as
    /// [`Connect::multiplexed`] does. It must be made by code of the node.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidClientConfig`] if the caller does not run in a runtime of tokio whose
    /// time is virtual.
    pub fn new(node: &Node, redis: &Redis) -> RedisResult<Manager> {
        if tokio_time(node) != TokioTime::Virtual {
            return Err(RedisError::from((ErrorKind::InvalidClientConfig, WITHOUT_RUNTIME)));
        }
        Ok(Manager { node: node.clone(), redis: redis.clone(), settings: None })
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

impl ::bb8::ManageConnection for Manager {
    type Connection = MultiplexedConnection;
    type Error = RedisError;

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        match &self.settings {
            None => self.redis.multiplexed(&self.node).await,
            Some((info, config)) => {
                self.redis.multiplexed_with(&self.node, info, config.clone()).await
            }
        }
    }

    async fn is_valid(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        cmd("PING").exec_async(connection).await
    }

    fn has_broken(&self, _: &mut MultiplexedConnection) -> bool {
        false
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
