//! Subscriptions: a connection that listens.

use super::convert::Words;
use super::{Client, ClientError, Redis, Request};
use crate::redis::reply::Reply;
use crate::sim::Node;
use crate::sim::service::Wait;
use bytes::Bytes;
use futures_core::Stream;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// On which channel.
    pub channel: Bytes,
    /// Through which pattern it came, if through one.
    pub pattern: Option<Bytes>,
    /// What.
    pub payload: Bytes,
}

impl Message {
    /// A push that is a message; `None` if it tells of a subscription.
    pub(super) fn from_push(items: Vec<Reply>) -> Option<Message> {
        let mut items = items.into_iter().map(|item| match item {
            Reply::Bulk(bytes) => bytes,
            _ => Bytes::new(),
        });
        let kind = items.next()?;
        let pattern = match kind.as_ref() {
            b"message" | b"smessage" => None,
            b"pmessage" => Some(items.next()?),
            _ => return None,
        };
        Some(Message { pattern, channel: items.next()?, payload: items.next()? })
    }

    /// The payload as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// A connection that listens to channels. Also a [`Stream`] of messages.
///
/// ```
/// use stunt_double::redis::{self, Client, ClientError, ServerOptions, Subscription};
/// use stunt_double::sim::Sim;
///
/// let mut sim = Sim::new(1);
/// let redis = redis::start(&mut sim, ServerOptions::default());
/// sim.node_with("listener", redis.clone(), async |node, redis| {
///     let mut news = Subscription::open(&node, &redis).await?;
///     news.subscribe(["news"]).await?;
///     assert_eq!(news.next().await?.text(), "hello");
///     Ok::<(), ClientError>(())
/// });
/// sim.node_with("speaker", redis, async |node, redis| {
///     let client = Client::connect(&node, &redis).await?;
///     while client.call(["PUBLISH", "news", "hello"]).await?.as_integer() == Some(0) {}
///     Ok::<(), ClientError>(())
/// });
/// sim.run().expect_done();
/// ```
#[derive(Debug)]
pub struct Subscription {
    client: Client,
    listening: Mutex<Listening>,
}

/// What a subscription listens to, as it is told where a run is stuck.
#[derive(Debug, Default)]
struct Listening {
    targets: BTreeSet<String>,
    text: Arc<str>,
}

impl Listening {
    /// A command is sent: `SUBSCRIBE` and its like, or the end of one.
    fn note(&mut self, command: &str, targets: &[Bytes]) {
        let name = |target: &Bytes| target.escape_ascii().to_string();
        match command {
            "UNSUBSCRIBE" | "PUNSUBSCRIBE" => {
                self.targets.retain(|known| targets.iter().all(|target| name(target) != *known));
            }
            _ => self.targets.extend(targets.iter().map(name)),
        }
        let targets: Vec<&str> = self.targets.iter().map(String::as_str).collect();
        self.text = match &*targets {
            [] => "a message, though it listens to nothing".into(),
            targets => format!("a message on {}", targets.join(", ")).into(),
        };
    }
}

impl Subscription {
    /// Connects, without listening to anything yet.
    ///
    /// # Errors
    ///
    /// [`ClientError::Disconnected`] if the server is not running.
    pub async fn open(node: &Node, redis: &Redis) -> Result<Subscription, ClientError> {
        Client::connect(node, redis).await.map(Subscription::on)
    }

    /// Listens on a connection that was made before, such as one with a password.
    /// The client must have no other clone that calls commands: in RESP2 a
    /// subscriber may not.
    #[must_use]
    pub fn on(client: Client) -> Subscription {
        let mut listening = Listening::default();
        listening.note("", &[]);
        Subscription { client, listening: Mutex::new(listening) }
    }

    /// Listens to channels, from when this returns.
    ///
    /// # Errors
    ///
    /// [`ClientError::Disconnected`] if the connection ends meanwhile.
    pub async fn subscribe<I>(&self, channels: I) -> Result<(), ClientError>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.tell("SUBSCRIBE", channels).await
    }

    /// Listens to every channel that matches a pattern.
    ///
    /// # Errors
    ///
    /// As [`Subscription::subscribe`].
    pub async fn psubscribe<I>(&self, patterns: I) -> Result<(), ClientError>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.tell("PSUBSCRIBE", patterns).await
    }

    /// Listens to shard channels.
    ///
    /// # Errors
    ///
    /// As [`Subscription::subscribe`].
    pub async fn ssubscribe<I>(&self, channels: I) -> Result<(), ClientError>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.tell("SSUBSCRIBE", channels).await
    }

    /// Listens to these channels no more.
    ///
    /// # Errors
    ///
    /// As [`Subscription::subscribe`].
    pub async fn unsubscribe<I>(&self, channels: I) -> Result<(), ClientError>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.tell("UNSUBSCRIBE", channels).await
    }

    /// Listens to these patterns no more.
    ///
    /// # Errors
    ///
    /// As [`Subscription::subscribe`].
    pub async fn punsubscribe<I>(&self, patterns: I) -> Result<(), ClientError>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.tell("PUNSUBSCRIBE", patterns).await
    }

    fn listening(&self) -> MutexGuard<'_, Listening> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each target is confirmed by itself. None is no request.
    async fn tell<I>(&self, command: &str, targets: I) -> Result<(), ClientError>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut request: Request = vec![Bytes::copy_from_slice(command.as_bytes())];
        request.extend(targets.into_iter().map(|t| Bytes::copy_from_slice(t.as_ref())));
        let count = request.len() as u64 - 1;
        if count == 0 {
            return Ok(());
        }
        let text = Words(&request).to_string();
        self.listening().note(command, &request[1..]);
        let target = self.client.inner.send_with(|session| {
            Ok::<_, ClientError>((Some(request), session.confirmed() + count))
        })?;
        let why = || Wait::Shared(format!("{text} to be confirmed").into());
        poll_fn(|cx| self.client.inner.poll_session(cx, why, |s| s.wait_confirmed(target))).await?
    }

    /// The next message.
    ///
    /// # Errors
    ///
    /// [`ClientError::Disconnected`] when the connection has ended and every message
    /// that came before was taken.
    pub async fn next(&mut self) -> Result<Message, ClientError> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    fn poll_message(&self, cx: &Context<'_>) -> Poll<Result<Message, ClientError>> {
        let why = || Wait::Shared(Arc::clone(&self.listening().text));
        let polled = self.client.inner.poll_session(cx, why, |s| s.take_message());
        polled.map_err(ClientError::from)
    }
}

/// Ends when the connection does.
impl Stream for Subscription {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_message(cx).map(Result::ok)
    }
}
