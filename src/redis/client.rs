//! The client: how a node of the world uses Redis.
//!
//! [`start`] puts a [`Server`](crate::redis::server::Server) into a world. A node opens a
//! [`Client`], which is one connection, and calls commands on it. Everything goes through the node's link, so latency, partitions and
//! crashes of the node apply. The order within a connection never breaks. When a node dies, its
//! blocked calls, transactions and subscriptions leave nothing behind on the server.
//!
//! ```
//! use stunt_double::redis::{self, Client, ServerOptions};
//! use stunt_double::sim::Sim;
//!
//! let mut sim = Sim::new(1);
//! let redis = redis::start(&mut sim, ServerOptions::default());
//! sim.node_with("counter", redis, async |node, redis| {
//!     let client = Client::connect(&node, &redis).await?;
//!     client.call(["SET", "visits", "41"]).await?;
//!     let visits = client.call(["INCR", "visits"]).await?;
//!     assert_eq!(visits.as_integer(), Some(42));
//!     Ok::<(), redis::Error>(())
//! });
//! sim.run().expect_done();
//! ```
//!
//! Start reading at [`Client::call`]. `session` is the client's side of a connection, as a sans-IO
//! value; `handle` is the server as a test holds it, and `service` makes it a service of the world.

pub(crate) mod companion;
mod convert;
mod error;
mod handle;
mod log;
mod monitor;
mod pipeline;
mod service;
mod session;
mod story;
mod subscription;

pub use convert::{ConvertError, FromReply};
pub use error::Error;
pub use handle::{Redis, start, start_named, start_replicas, start_sentinels};
pub use monitor::Monitor;
pub use pipeline::Pipeline;
pub use session::{ClientSession, Response};
pub use subscription::{Invalidated, Message, Subscription};

use crate::redis::reply::{Protocol, Reply};
use crate::redis::resp::ByteServer;
use crate::redis::value::Sds;
use crate::sim::service::Wait;
use crate::sim::{self, Disconnected, Node};
use bytes::Bytes;
use convert::Words;
use session::Ticket;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// How a client connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientOptions {
    /// The protocol version, which decides what kinds of replies arrive.
    pub protocol: Protocol,
    /// Logs in with this password (`AUTH`).
    pub password: Option<Sds>,
    /// Selects this database (`SELECT`).
    pub database: usize,
}

/// A connection from a node to a server. All clones are one connection, which closes when the last
/// of them is dropped.
#[derive(Clone)]
pub struct Client {
    inner: Arc<sim::service::Connection<ByteServer>>,
}

impl Client {
    /// Connects with RESP2, to database 0, without a password.
    ///
    /// # Errors
    ///
    /// - [`Error::Disconnected`] with [`Disconnected::Refused`] if the server is not running, with
    ///   [`Disconnected::TimedOut`] if nothing answers, as on a partitioned link, and with another
    ///   reason if the connection ends before it is open.
    ///
    /// A server that requires a password accepts the connection and answers the first call with an
    /// error.
    pub async fn connect(node: &Node, redis: &Redis) -> Result<Client, Error> {
        Client::connect_with(node, redis, ClientOptions::default()).await
    }

    /// Connects with these options.
    ///
    /// # Errors
    ///
    /// - [`Error::Disconnected`] as in [`Client::connect`], or if the connection ends before the
    ///   server has answered all options.
    /// - [`Error::Reply`] if the server refuses the password, the protocol or the database, or
    ///   refuses commands in general ([`Refusal`](crate::redis::Refusal)).
    pub async fn connect_with(
        node: &Node,
        redis: &Redis,
        options: ClientOptions,
    ) -> Result<Client, Error> {
        let inner = Arc::new(sim::service::Connection::connect(node, redis).await?);
        let client = Client { inner };
        if let Some(password) = &options.password {
            client.call([b"AUTH", password.as_slice()]).await?;
        }
        if options.protocol == Protocol::Resp3 {
            client.call(["HELLO", "3"]).await?;
        }
        if options.database != 0 {
            client.call(["SELECT", &options.database.to_string()]).await?;
        }
        Ok(client)
    }

    /// Calls a command and waits for its reply.
    ///
    /// ```no_run
    /// # use stunt_double::redis::{Client, Error};
    /// # async fn f(client: Client) -> Result<(), Error> {
    /// client.call(["SET", "greeting", "hello", "EX", "10"]).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// If the future is dropped before the reply arrives, the command may still run, and its reply
    /// is ignored.
    ///
    /// # Errors
    ///
    /// - [`Error::Reply`] if the reply is an error.
    /// - [`Error::Disconnected`] if the connection has ended, or ends before the reply arrives.
    /// - [`Error::EmptyCommand`] without any word, [`Error::NotACall`] for commands that are not
    ///   answered by one reply, such as `SUBSCRIBE` and `MONITOR`.
    pub async fn call<I>(&self, command: I) -> Result<Reply, Error>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        match self.ask(request(command)?)?.await? {
            Reply::Error(error) => Err(Error::Reply(error)),
            reply => Ok(reply),
        }
    }

    /// Calls a command as [`Client::call`] does, and reads the reply as a type; see [`FromReply`].
    ///
    /// ```no_run
    /// # use stunt_double::redis::{Client, Error};
    /// # async fn f(client: Client) -> Result<(), Error> {
    /// let visits: u64 = client.call_as(["INCR", "visits"]).await?;
    /// let name: Option<String> = client.call_as(["GET", "name"]).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::call`], and [`Error::Convert`] if the reply cannot be read as that type. The
    /// command ran in that case.
    pub async fn call_as<T: FromReply, I>(&self, command: I) -> Result<T, Error>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        Ok(T::from_reply(self.call(command).await?)?)
    }

    /// Sends several commands at once and waits for their replies, which may include errors.
    /// Commands of other clients may run between two of them.
    ///
    /// # Errors
    ///
    /// - [`Error::PipelineCut`], with the replies that arrived, if the connection ended before the
    ///   last one.
    /// - [`Error::Disconnected`] if nothing was sent.
    /// - [`Error::EmptyCommand`] or [`Error::NotACall`] if a command cannot be sent. Nothing was
    ///   sent then.
    pub async fn pipeline(&self, pipeline: &Pipeline) -> Result<Vec<Reply>, Error> {
        // Check every command before sending any.
        let requests: Vec<Request> =
            pipeline.requests().iter().cloned().collect::<Result<_, Error>>()?;
        let mut sent = Vec::with_capacity(requests.len());
        for request in requests {
            sent.push(self.ask(request)?);
        }
        let mut replies = Vec::with_capacity(sent.len());
        for answer in sent {
            match answer.await {
                Ok(reply) => replies.push(reply),
                Err(why) => return Err(Error::PipelineCut { replies, why }),
            }
        }
        Ok(replies)
    }

    /// Runs several commands as a transaction, sent at once between `MULTI` and `EXEC`. Returns
    /// `None` if a watched key has changed; nothing ran then.
    ///
    /// # Errors
    ///
    /// - [`Error::Aborted`] if the server refused a command when it was queued; nothing ran.
    /// - [`Error::Reply`] if the server refused `MULTI` or `EXEC`. If it refused `MULTI`, the
    ///   commands ran one by one.
    /// - Those of [`Client::pipeline`].
    ///
    /// An error of a command that ran is among the replies.
    pub async fn transaction(&self, pipeline: &Pipeline) -> Result<Option<Vec<Reply>>, Error> {
        let framed = pipeline.framed();
        let mut replies = self.pipeline(&framed).await?;
        match replies.pop() {
            Some(Reply::Array(replies)) => Ok(Some(replies)),
            Some(Reply::Error(error)) => Err(pipeline.refusal(replies, error)),
            // `EXEC` answers with a null when a watched key has changed.
            Some(_) | None => Ok(None),
        }
    }

    /// Closes the connection. Commands that were sent still run.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Sends a command, and returns its reply as a future.
    fn ask(&self, request: Request) -> Result<Answer<'_>, Error> {
        let to = Arc::new(ReplyTo(request.clone()));
        let ticket: Result<Ticket, Error> =
            self.inner.send_with(|session| Ok((Some(request), session.expect_reply())));
        Ok(Answer { client: self, ticket: ticket?, to })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The reply to a command that was sent, as a future. It is small, because callers hold it as long
/// as they wait. Dropping it gives up the reply.
struct Answer<'a> {
    client: &'a Client,
    ticket: Ticket,
    to: Arc<ReplyTo>,
}

impl Future for Answer<'_> {
    type Output = Result<Reply, Disconnected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let why = || Wait::Shown(Arc::clone(&self.to) as Arc<dyn fmt::Display + Send + Sync>);
        self.client.inner.poll_session(cx, why, |session| session.take_reply(self.ticket))
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        let _ = self.client.inner.session(|session| session.forget(self.ticket));
    }
}

/// The reason shown where a run is stuck: the command whose reply is outstanding.
struct ReplyTo(Request);

impl fmt::Display for ReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the reply to {}", Words(&self.0))
    }
}

/// A command with its arguments, as it is sent.
pub(crate) type Request = Vec<Bytes>;

/// Returns the words of a command, which must be one that is answered by one reply.
fn request<I>(command: I) -> Result<Request, Error>
where
    I: IntoIterator,
    I::Item: AsRef<[u8]>,
{
    let words: Request =
        command.into_iter().map(|word| Bytes::copy_from_slice(word.as_ref())).collect();
    let name = words.first().ok_or(Error::EmptyCommand)?;
    if has_one_reply(name, &words[1..]) { Ok(words) } else { Err(Error::NotACall) }
}

/// The end of the names of the commands that are answered by messages.
const SUBSCRIBE: &[u8] = b"subscribe";

fn has_one_reply(name: &[u8], arguments: &[Bytes]) -> bool {
    let is = |word: &[u8], known: &str| word.eq_ignore_ascii_case(known.as_bytes());
    match name.len() {
        4 => !is(name, "sync"),
        5 => !is(name, "psync"),
        6 if is(name, "client") => match arguments {
            [reply, how] => !is(reply, "reply") || !(is(how, "off") || is(how, "skip")),
            _ => true,
        },
        7 => !is(name, "monitor"),
        8 if is(name, "replconf") => {
            !arguments.first().is_some_and(|what| is(what, "ack") || is(what, "getack"))
        }
        long => !name[long.saturating_sub(SUBSCRIBE.len())..].eq_ignore_ascii_case(SUBSCRIBE),
    }
}
