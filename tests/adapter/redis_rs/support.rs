//! A world with one Redis and one client, and what the tests wait for.

use super::redis::RedisResult;
use futures_core::Stream;
use std::future::{Future, poll_fn};
use std::pin::pin;
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
