//! A world with one Redis and one client, and what the tests wait for.

use super::redis::RedisResult;
use futures_core::Stream;
use std::future::{Future, poll_fn};
use std::pin::pin;
#[cfg(feature = "tokio")]
use std::time::Duration;
use stunt_double::redis::{Redis, ServerOptions, start};
use stunt_double::sim::{Node, Sim};

/// Runs `client` on a node beside a Redis, to its end.
pub(crate) fn run<F>(client: impl FnMut(Node, Redis) -> F + 'static)
where
    F: Future<Output = RedisResult<()>> + 'static,
{
    let mut sim = Sim::new(1);
    let server = start(&mut sim, ServerOptions::default());
    sim.node_with("client", server, client);
    sim.run().expect_done();
}

/// Returns a stream's next item.
pub(crate) async fn next<S: Stream>(stream: S) -> Option<S::Item> {
    let mut stream = pin!(stream);
    poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}

/// Runs `client` as [`run`] does, beside a paused runtime of tokio whose clock the world follows.
#[cfg(feature = "tokio")]
pub(crate) fn run_beside_tokio<F>(client: impl FnMut(Node, Redis) -> F + 'static)
where
    F: Future<Output = RedisResult<()>> + 'static,
{
    let mut sim = Sim::new(1);
    let server = start(&mut sim, ServerOptions::default());
    let node = sim.node_with("client", server, client);
    let ended = async move {
        while node.is_alive() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    paused_runtime().block_on(sim.run_beside(ended)).unwrap();
}

/// Returns a runtime of tokio whose clock is paused.
pub(crate) fn paused_runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }.enable_time().start_paused(true).build().unwrap()
}
