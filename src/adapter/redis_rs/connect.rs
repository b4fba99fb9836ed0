//! Connections of redis-rs from a node of a world to its Redis.
//!
//! The socket is a connection of the world, so latency, partitions, crashes and kills act on it.
//! Everything above the socket is redis-rs itself.

use super::light::Connection;
use super::redis::aio::{MultiplexedConnection, PubSub};
use super::redis::{
    AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, RedisResult,
};
use crate::adapter::redis_rs_io::config::Asked;
use crate::adapter::redis_rs_io::driver::Driver;
use crate::adapter::redis_rs_io::pump::Pump;
use crate::adapter::redis_rs_io::socket::{Seat, Socket, error};
use crate::adapter::tokio_time::{TokioTime, tokio_time};
use crate::redis::Redis;
use crate::sim::{ByteConnection, Node};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;

/// Connects redis-rs to a Redis of a world; see the [module](super).
///
/// # Errors
///
/// Each method fails with the error that redis-rs gives on a real network: a refused connection, a
/// connection time-out, a rejected password or database. What cannot work in a world is refused
/// with [`ErrorKind::InvalidClientConfig`] and a sentence that says what to do instead.
///
/// # Panics
///
/// Each method panics if the node and the server are in different worlds.
pub trait Connect {
    /// Opens a connection as [`multiplexed_with`](Connect::multiplexed_with) does, with default
    /// settings. Where a response time-out would not be measured in virtual time, it has none.
    fn multiplexed(
        &self,
        node: &Node,
    ) -> impl Future<Output = RedisResult<MultiplexedConnection>> + Send;

    /// Opens a multiplexed connection with redis-rs' own settings: database, user and password,
    /// RESP2 or RESP3, a sender for push messages, limits. The connection time-out is measured by
    /// the node's clock.
    ///
    /// A response time-out is refused on a node without a runtime of tokio, because redis-rs
    /// measures it with tokio's timers, and so is client-side caching, because the server does not
    /// track keys.
    fn multiplexed_with(
        &self,
        node: &Node,
        info: &RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> impl Future<Output = RedisResult<MultiplexedConnection>> + Send;

    /// Opens a connection for subscriptions as [`pubsub_with`](Connect::pubsub_with) does, with
    /// default settings.
    fn pubsub(&self, node: &Node) -> impl Future<Output = RedisResult<PubSub>> + Send;

    /// Opens a connection for subscriptions.
    fn pubsub_with(
        &self,
        node: &Node,
        info: &RedisConnectionInfo,
    ) -> impl Future<Output = RedisResult<PubSub>> + Send;

    /// Opens a light connection, as [`connection_with`](Connect::connection_with) does, with
    /// default settings.
    fn connection(&self, node: &Node) -> impl Future<Output = RedisResult<Connection>> + Send;

    /// Opens a light connection, which needs no task of its own; see [`Connection`].
    fn connection_with(
        &self,
        node: &Node,
        info: &RedisConnectionInfo,
    ) -> impl Future<Output = RedisResult<Connection>> + Send;
}

impl Connect for Redis {
    async fn multiplexed(&self, node: &Node) -> RedisResult<MultiplexedConnection> {
        let mut config = AsyncConnectionConfig::new();
        if tokio_time(node) != TokioTime::Virtual {
            config = config.set_response_timeout(None);
        }
        self.multiplexed_with(node, &RedisConnectionInfo::default(), config).await
    }

    async fn multiplexed_with(
        &self,
        node: &Node,
        info: &RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let asked = Asked::read(&config);
        let time = tokio_time(node);
        check(asked, time)?;
        let opening = Box::pin(open(self, node, info, config));
        let (connection, driver) = match asked.connection_timeout {
            Some(limit) => node
                .timeout(limit, opening)
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??,
            None => opening.await?,
        };
        if time == TokioTime::Virtual {
            drop(tokio::spawn(driver));
        } else {
            drop(node.spawn(driver));
        }
        Ok(connection)
    }

    async fn pubsub(&self, node: &Node) -> RedisResult<PubSub> {
        self.pubsub_with(node, &RedisConnectionInfo::default()).await
    }

    async fn pubsub_with(&self, node: &Node, info: &RedisConnectionInfo) -> RedisResult<PubSub> {
        match tokio_time(node) {
            TokioTime::None => {}
            TokioTime::Virtual => {
                let socket = Socket::new(connect(self, node).await?, &Arc::default());
                return PubSub::new(info, socket).await;
            }
            TokioTime::Real => return Err(refusal(PUBSUB_IN_REAL_RUNTIME)),
            TokioTime::Still => return Err(refusal(PUBSUB_IN_PAUSED_RUNTIME)),
        }
        let seat = Arc::<Seat>::default();
        let pump = Pump::new(Arc::clone(&seat))?;
        let socket = Socket::within_executor(connect(self, node).await?, &seat);
        let mut opening = pin!(PubSub::new(info, socket));
        let pubsub = poll_fn(|cx| {
            let _inside = pump.enter();
            opening.as_mut().poll(cx)
        });
        let pubsub = pubsub.await?;
        node.spawn_follower(pump);
        Ok(pubsub)
    }

    async fn connection(&self, node: &Node) -> RedisResult<Connection> {
        self.connection_with(node, &RedisConnectionInfo::default()).await
    }

    async fn connection_with(
        &self,
        node: &Node,
        info: &RedisConnectionInfo,
    ) -> RedisResult<Connection> {
        Connection::open(node, connect(self, node).await?, info).await
    }
}

const RESPONSE_TIMEOUT_WITHOUT_RUNTIME: &str = "a response time-out needs tokio's timers, which \
    this node does not have: call set_response_timeout(None) and wrap the call in node.timeout(..), \
    use redis.connection(&node) and its set_response_timeout, or run this code on a node with a \
    runtime of tokio";

const RESPONSE_TIMEOUT_IN_REAL_RUNTIME: &str = "a response time-out would read the real clock, \
    because the world runs inside a runtime of tokio that is not paused: call \
    set_response_timeout(None), run the world outside that runtime, or run this code on a node with \
    a runtime of tokio";

const RESPONSE_TIMEOUT_IN_PAUSED_RUNTIME: &str = "a response time-out would wait in vain, because \
    the world runs inside a paused runtime of tokio, whose clock stands still meanwhile: await \
    Sim::run_beside in place of Sim::run, call set_response_timeout(None), or run this code on a \
    node with a runtime of tokio";

const CLIENT_SIDE_CACHING: &str = "the stand-in does not track keys (CLIENT TRACKING), so there is \
    no client-side caching: leave out set_cache_config";

const PUBSUB_IN_REAL_RUNTIME: &str = "a PubSub spawns its task with tokio, and the runtime here is \
    not paused, so that task would run outside the world: run the world outside that runtime, or \
    use a multiplexed connection with RESP3 and a push sender";

const PUBSUB_IN_PAUSED_RUNTIME: &str = "a PubSub spawns its task with tokio, and the thread of the \
    runtime here is busy with the world, so that task would never run: await Sim::run_beside in \
    place of Sim::run, run the world outside that runtime, or use a multiplexed connection with \
    RESP3 and a push sender";

fn refusal(sentence: &'static str) -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, sentence))
}

/// Refuses settings that cannot work in a world.
fn check(asked: Asked, time: TokioTime) -> RedisResult<()> {
    if asked.wants_cache {
        return Err(refusal(CLIENT_SIDE_CACHING));
    }
    match time {
        TokioTime::None if asked.has_response_timeout => {
            Err(refusal(RESPONSE_TIMEOUT_WITHOUT_RUNTIME))
        }
        TokioTime::Real if asked.has_response_timeout => {
            Err(refusal(RESPONSE_TIMEOUT_IN_REAL_RUNTIME))
        }
        TokioTime::Still if asked.has_response_timeout => {
            Err(refusal(RESPONSE_TIMEOUT_IN_PAUSED_RUNTIME))
        }
        TokioTime::None | TokioTime::Virtual | TokioTime::Real | TokioTime::Still => Ok(()),
    }
}

async fn connect(redis: &Redis, node: &Node) -> RedisResult<ByteConnection> {
    Ok(ByteConnection::connect(node, redis).await.map_err(error)?)
}

async fn open(
    redis: &Redis,
    node: &Node,
    info: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> RedisResult<(MultiplexedConnection, Driver)> {
    let seat = Arc::<Seat>::default();
    let socket = Socket::new(connect(redis, node).await?, &seat);
    let (connection, driver) = MultiplexedConnection::new_with_config(info, socket, config).await?;
    Ok((connection, Driver::new(driver, seat)))
}
