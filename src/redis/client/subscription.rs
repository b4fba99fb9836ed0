//! Subscriptions: connections that listen to channels.

use super::convert::Words;
use super::{Client, Error, Redis, Request};
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

/// A published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel it was published on.
    pub channel: Bytes,
    /// The pattern through which it arrived, if it did.
    pub pattern: Option<Bytes>,
    /// The message's bytes.
    pub payload: Bytes,
    /// The subject of an invalidation of client-side caching, if this is one. Its channel is then
    /// `__redis__:invalidate`, in RESP3 too, and its payload is empty.
    pub invalidated: Option<Invalidated>,
}

/// The keys that an invalidation removes from a client's cache (`CLIENT TRACKING`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalidated {
    /// These keys.
    Keys(Vec<Bytes>),
    /// All keys: a database was flushed.
    All,
}

/// The channel of invalidations.
const INVALIDATE: &[u8] = b"__redis__:invalidate";

impl Invalidated {
    fn from_reply(reply: &Reply) -> Option<Invalidated> {
        match reply {
            Reply::Nil | Reply::NilArray => Some(Invalidated::All),
            Reply::Array(keys) => {
                let bytes = |key: &Reply| key.as_bytes().map(Bytes::copy_from_slice);
                Some(Invalidated::Keys(keys.iter().filter_map(bytes).collect()))
            }
            _ => None,
        }
    }
}

impl Message {
    /// Reads an invalidation, in RESP3 or through a channel.
    fn invalidation(items: &[Reply]) -> Option<Message> {
        let about = match items {
            [kind, about] if kind.as_bytes() == Some(b"invalidate") => about,
            [kind, channel, about]
                if kind.as_bytes() == Some(b"message")
                    && channel.as_bytes() == Some(INVALIDATE) =>
            {
                about
            }
            _ => return None,
        };
        Some(Message {
            channel: Bytes::from_static(INVALIDATE),
            pattern: None,
            payload: Bytes::new(),
            invalidated: Some(Invalidated::from_reply(about)?),
        })
    }

    /// Reads a push as a message. Returns `None` if it confirms a subscription.
    pub(super) fn from_push(items: Vec<Reply>) -> Option<Message> {
        if let Some(message) = Message::invalidation(&items) {
            return Some(message);
        }
        let mut items = items
            .into_iter()
            .map(|item| if let Reply::Bulk(bytes) = item { bytes } else { Bytes::new() });
        let kind = items.next()?;
        let pattern = match kind.as_ref() {
            b"message" | b"smessage" => None,
            b"pmessage" => Some(items.next()?),
            _ => return None,
        };
        let (channel, payload) = (items.next()?, items.next()?);
        Some(Message { pattern, channel, payload, invalidated: None })
    }

    /// Returns the payload as text. Bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// A connection that listens to channels. Also a [`Stream`] of messages.
///
/// ```
/// use stunt_double::redis::{self, Client, Error, ServerOptions, Subscription};
/// use stunt_double::sim::Sim;
///
/// let mut sim = Sim::new(1);
/// let redis = redis::start(&mut sim, ServerOptions::default());
/// sim.node_with("listener", redis.clone(), async |node, redis| {
///     let mut news = Subscription::connect(&node, &redis).await?;
///     news.subscribe(["news"]).await?;
///     assert_eq!(news.next().await.expect("it is connected")?.text(), "hello");
///     Ok::<(), Error>(())
/// });
/// sim.node_with("speaker", redis, async |node, redis| {
///     let client = Client::connect(&node, &redis).await?;
///     while client.call(["PUBLISH", "news", "hello"]).await?.as_integer() == Some(0) {}
///     Ok::<(), Error>(())
/// });
/// sim.run().expect_done();
/// ```
#[derive(Debug)]
pub struct Subscription {
    client: Client,
    listening: Mutex<Listening>,
    /// The end of the connection was returned already.
    ended: bool,
}

/// The channels of a subscription, and how a stuck run shows them.
#[derive(Debug)]
struct Listening {
    targets: BTreeSet<String>,
    text: Arc<str>,
}

impl Listening {
    fn new() -> Listening {
        let mut listening = Listening { targets: BTreeSet::new(), text: Arc::from("") };
        listening.describe();
        listening
    }

    /// Notes a command that begins or ends to listen to these targets.
    fn note(&mut self, command: Command, targets: &[Bytes]) {
        let name = |target: &Bytes| target.escape_ascii().to_string();
        if command.begins() {
            self.targets.extend(targets.iter().map(name));
        } else {
            self.targets.retain(|known| targets.iter().all(|target| name(target) != *known));
        }
        self.describe();
    }

    fn describe(&mut self) {
        let targets: Vec<&str> = self.targets.iter().map(String::as_str).collect();
        self.text = match &*targets {
            [] => "a message, though it listens to nothing".into(),
            targets => format!("a message on {}", targets.join(", ")).into(),
        };
    }
}

/// The commands that a subscription sends.
#[derive(Clone, Copy, Debug)]
enum Command {
    Subscribe,
    PSubscribe,
    SSubscribe,
    Unsubscribe,
    PUnsubscribe,
}

impl Command {
    fn name(self) -> &'static str {
        match self {
            Command::Subscribe => "SUBSCRIBE",
            Command::PSubscribe => "PSUBSCRIBE",
            Command::SSubscribe => "SSUBSCRIBE",
            Command::Unsubscribe => "UNSUBSCRIBE",
            Command::PUnsubscribe => "PUNSUBSCRIBE",
        }
    }

    /// Returns whether the command begins to listen, rather than ends it.
    fn begins(self) -> bool {
        match self {
            Command::Subscribe | Command::PSubscribe | Command::SSubscribe => true,
            Command::Unsubscribe | Command::PUnsubscribe => false,
        }
    }
}

impl Subscription {
    /// Connects, without listening to anything yet.
    ///
    /// # Errors
    ///
    /// - [`Error::Disconnected`] with [`Disconnected::Refused`] if the server is not running, with
    ///   [`Disconnected::TimedOut`] if nothing answers, as on a partitioned link, and with another
    ///   reason if the connection ends before it is open.
    ///
    /// [`Disconnected::Refused`]: crate::sim::Disconnected::Refused
    /// [`Disconnected::TimedOut`]: crate::sim::Disconnected::TimedOut
    pub async fn connect(node: &Node, redis: &Redis) -> Result<Subscription, Error> {
        Client::connect(node, redis).await.map(Subscription::on)
    }

    /// Listens on an existing connection, such as one with a password. No clone of the client may
    /// call commands: a RESP2 subscriber cannot.
    #[must_use]
    pub fn on(client: Client) -> Subscription {
        Subscription { client, listening: Mutex::new(Listening::new()), ended: false }
    }

    /// Listens to channels, from when this returns.
    ///
    /// # Errors
    ///
    /// - [`Error::Disconnected`] if the connection has ended, or ends before the server confirms.
    /// - [`Error::Reply`] if the server refuses the command, for example because the client has not
    ///   logged in.
    pub async fn subscribe<I>(&self, channels: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.tell(Command::Subscribe, channels).await
    }

    /// Listens to every channel that matches a pattern.
    ///
    /// # Errors
    ///
    /// As [`Subscription::subscribe`].
    pub async fn psubscribe<I>(&self, patterns: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.tell(Command::PSubscribe, patterns).await
    }

    /// Listens to shard channels.
    ///
    /// # Errors
    ///
    /// As [`Subscription::subscribe`].
    pub async fn ssubscribe<I>(&self, channels: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.tell(Command::SSubscribe, channels).await
    }

    /// Stops listening to these channels.
    ///
    /// # Errors
    ///
    /// As [`Subscription::subscribe`].
    pub async fn unsubscribe<I>(&self, channels: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.tell(Command::Unsubscribe, channels).await
    }

    /// Stops listening to these patterns.
    ///
    /// # Errors
    ///
    /// As [`Subscription::subscribe`].
    pub async fn punsubscribe<I>(&self, patterns: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.tell(Command::PUnsubscribe, patterns).await
    }

    fn listening(&self) -> MutexGuard<'_, Listening> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a command and waits until the server has confirmed each target. Without targets,
    /// nothing is sent.
    async fn tell<I>(&self, command: Command, targets: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut request: Request = vec![Bytes::from_static(command.name().as_bytes())];
        request.extend(targets.into_iter().map(|t| Bytes::copy_from_slice(t.as_ref())));
        let count = request.len() as u64 - 1;
        if count == 0 {
            return Ok(());
        }
        let text = Words(&request).to_string();
        self.listening().note(command, &request[1..]);
        let target = self
            .client
            .inner
            .send_with(|session| Ok::<_, Error>((Some(request), session.confirmed() + count)))?;
        let why = || Wait::Shared(format!("{text} to be confirmed").into());
        poll_fn(|cx| self.client.inner.poll_session(cx, why, |s| s.wait_confirmed(target))).await?
    }

    /// Waits for the next message and returns it. When the connection has ended and every message
    /// that arrived before was taken, it returns [`Error::Disconnected`] once, and `None` from then
    /// on.
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    fn poll_message(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let why = || Wait::Shared(Arc::clone(&self.listening().text));
        let polled = self.client.inner.poll_session(cx, why, |s| s.take_message());
        polled.map(|message| {
            self.ended = message.is_err();
            Some(message.map_err(Error::from))
        })
    }
}

/// As [`Subscription::next`].
impl Stream for Subscription {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(cx)
    }
}
