//! A connection that watches what the server runs.

use super::{Client, Error, Redis};
use crate::redis::reply::Reply;
use crate::sim::Node;
use crate::sim::service::Wait;
use futures_core::Stream;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A connection that is told of every command that the server runs (`MONITOR`), as a line each.
/// Also a [`Stream`] of lines.
///
/// A line has the time in seconds, the database and the address of the client, and the words in
/// quotes, as in <https://redis.io/docs/latest/commands/monitor/>.
///
/// ```
/// use stunt_double::redis::{self, Client, Error, Monitor, ServerOptions};
/// use stunt_double::sim::Sim;
///
/// let mut sim = Sim::new(1);
/// let redis = redis::start(&mut sim, ServerOptions::default());
/// sim.node_with("app", redis, async |node, redis| {
///     let mut monitor = Monitor::connect(&node, &redis).await?;
///     Client::connect(&node, &redis).await?.call(["SET", "k", "v"]).await?;
///     let line = monitor.next().await.expect("it is connected")?;
///     assert!(line.ends_with(r#""SET" "k" "v""#), "{line}");
///     Ok::<(), Error>(())
/// });
/// sim.run().expect_done();
/// ```
#[derive(Debug)]
pub struct Monitor {
    client: Client,
    /// The end of the connection was returned already.
    ended: bool,
}

impl Monitor {
    /// Connects, and watches from when this returns.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`] and [`Monitor::on`].
    pub async fn connect(node: &Node, redis: &Redis) -> Result<Monitor, Error> {
        Monitor::on(Client::connect(node, redis).await?).await
    }

    /// Watches on an existing connection, such as one with a password. No clone of the client may
    /// call commands.
    ///
    /// # Errors
    ///
    /// - [`Error::Disconnected`] if the connection has ended, or ends before the server answers.
    /// - [`Error::Reply`] if the server refuses, for example because the client has not logged in.
    pub async fn on(client: Client) -> Result<Monitor, Error> {
        let answer = client.ask(vec!["MONITOR".into()])?.await?;
        match answer {
            Reply::Error(error) => Err(Error::Reply(error)),
            _ => Ok(Monitor { client, ended: false }),
        }
    }

    /// Waits for the next line and returns it. When the connection has ended and every line that
    /// arrived before was taken, it returns [`Error::Disconnected`] once, and `None` from then on.
    pub async fn next(&mut self) -> Option<Result<String, Error>> {
        poll_fn(|cx| self.poll_line(cx)).await
    }

    fn poll_line(&mut self, cx: &Context<'_>) -> Poll<Option<Result<String, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let why = || Wait::Shared("a command that the server runs".into());
        let polled = self.client.inner.poll_session(cx, why, |session| session.take_line());
        polled.map(|line| {
            self.ended = line.is_err();
            Some(line.map(|line| line.to_string()).map_err(Error::from))
        })
    }
}

/// As [`Monitor::next`].
impl Stream for Monitor {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_line(cx)
    }
}
