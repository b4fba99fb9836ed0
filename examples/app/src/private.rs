//! A connection to Redis that belongs to one task.
//!
//! `WATCH` is a state of the connection. redis-rs' multiplexed connection can be cloned and shared,
//! and then the `EXEC` of another task would end the watch and its writes would pass as our own.
//! This type cannot be cloned, and its methods borrow it mutably, so a `WATCH` and its `EXEC` have
//! the connection to themselves.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, RedisResult};

pub(crate) struct Private(MultiplexedConnection);

impl Private {
    /// Takes a connection that was opened for this task alone.
    pub(crate) fn new(connection: MultiplexedConnection) -> Private {
        Private(connection)
    }

    /// Sends one command.
    pub(crate) async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        command.query_async(&mut self.0).await
    }

    /// Sends several commands. An atomic pipeline that a watched key forbids gives `None`.
    pub(crate) async fn all<T: FromRedisValue>(&mut self, pipeline: &Pipeline) -> RedisResult<T> {
        pipeline.query_async(&mut self.0).await
    }

    /// Makes the next transaction conditional: it has no effect if one of these keys has changed.
    pub(crate) async fn watch(&mut self, keys: &[&str]) -> RedisResult<()> {
        self.ask(redis::cmd("WATCH").arg(keys)).await
    }

    /// Ends the watch without a transaction.
    pub(crate) async fn unwatch(&mut self) -> RedisResult<()> {
        self.ask(&redis::cmd("UNWATCH")).await
    }

    /// Runs a transaction. Returns whether it took place: not if a watched key has changed.
    pub(crate) async fn commit(&mut self, transaction: &Pipeline) -> RedisResult<bool> {
        let done: Option<()> = self.all(transaction).await?;
        Ok(done.is_some())
    }
}
