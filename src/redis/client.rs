//! The client: how a node of the world uses Redis.
//!
//! [`start`] puts a [`Server`] into a world. A node opens a [`Client`], which is one connection,
//! and calls commands on it. Everything goes through the node's link, so latency, partitions and
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
//! value; `service` makes the server a service of the world.

pub(crate) mod companion;
mod convert;
mod log;
mod pipeline;
mod service;
mod session;
mod story;
mod subscription;

pub use convert::{ConvertError, FromReply};
pub use pipeline::Pipeline;
pub use session::{ClientSession, Response};
pub use subscription::{Invalidated, Message, Subscription};

use crate::choice::Site;
use crate::redis::database::Database;
use crate::redis::persist::Losses;
use crate::redis::reply::{ErrorReply, Protocol, Reply};
use crate::redis::resp::ByteServer;
use crate::redis::server::refusal::Refusal;
use crate::redis::server::{Discarded, SentinelOptions, Server, ServerOptions};
use crate::redis::value::Sds;
use crate::sim::chaos::{AnyMachine, Machine, sealed};
use crate::sim::service::Wait;
use crate::sim::{self, Disconnected, Link, Node, ServiceHandle, Sim};
use crate::time::Instant;
use bytes::Bytes;
use companion::Group;
use convert::Words;
use session::Ticket;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The site at which `SPOP`, `RANDOMKEY` and similar commands draw.
const DRAWS: Site = Site::new("redis.draws");

/// A server in a world, as a test holds it.
///
/// It dereferences to a [`ServiceHandle`], which stops and starts the server, sets its clock and
/// wipes its disk. All clones are the same server.
#[derive(Clone, Debug)]
pub struct Redis {
    service: ServiceHandle<ByteServer>,
    /// The servers that it can reach.
    group: Group,
}

impl Deref for Redis {
    type Target = ServiceHandle<ByteServer>;

    fn deref(&self) -> &ServiceHandle<ByteServer> {
        &self.service
    }
}

impl sealed::Machine for Redis {
    fn machine(&self) -> AnyMachine {
        self.service.machine()
    }
}

impl Machine for Redis {}

/// Starts a server named `redis` in the world. See [`start_named`] for several servers, or another
/// name.
///
/// # Panics
///
/// If the world already has a service or a node of that name.
pub fn start(sim: &mut Sim, options: ServerOptions) -> Redis {
    start_named(sim, "redis", options)
}

/// Starts a server of this name in the world.
///
/// # Panics
///
/// If the world already has a service or a node of that name.
pub fn start_named(sim: &mut Sim, name: &str, options: ServerOptions) -> Redis {
    let make = |random| ByteServer::new(Server::new(options, random));
    Redis { service: sim.service(name, DRAWS, make), group: Group::default() }
}

/// Starts replicas of these names, which follow `master` over the simulated network. From now on
/// all of them can reach each other, so any may become the master of the others (`REPLICAOF`,
/// `FAILOVER`). Call it again for more replicas of the same master.
///
/// A replica has nothing at first: it connects, and the master sends its data set after the delay
/// of [`ServerOptions::with_sync_delay`], five seconds unless the master's options say otherwise.
/// The messages of servers to each other are background work, which does not keep [`Sim::run`]
/// going by itself.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::redis::{self, Client, ServerOptions};
/// use stunt_double::sim::{Latency, Sim};
///
/// let mut sim = Sim::new(1);
/// let master = redis::start_named(&mut sim, "redis-a", ServerOptions::default());
/// let replicas =
///     redis::start_replicas(&mut sim, &master, ["redis-b"], ServerOptions::default());
/// let replica = replicas[0].clone();
/// // What the master sends takes a while: reads from the replica are stale.
/// replica.link_to(&master).set_latency(Latency::Constant(Duration::from_millis(20)));
/// sim.run_for(Duration::from_secs(10));
/// sim.node_with("client", (master, replica), async |node, (master, replica)| {
///     let (writer, reader) =
///         (Client::connect(&node, &master).await?, Client::connect(&node, &replica).await?);
///     writer.call(["SET", "k", "v"]).await?;
///     assert!(reader.call(["GET", "k"]).await?.is_nil());
///     assert_eq!(writer.call(["WAIT", "1", "0"]).await?.as_integer(), Some(1));
///     assert_eq!(reader.call(["GET", "k"]).await?.as_text(), Some("v"));
///     Ok::<(), redis::Error>(())
/// });
/// sim.run().expect_done();
/// ```
///
/// # Panics
///
/// If the world already has a service or a node of one of the names, or of one of them with
/// `-link` behind it.
pub fn start_replicas(
    sim: &mut Sim,
    master: &Redis,
    names: impl IntoIterator<Item: AsRef<str>>,
    options: ServerOptions,
) -> Vec<Redis> {
    master.join(sim, &master.group);
    let port = master.inspect(Server::port);
    let options = options.with_master(master.name(), port);
    let mut replicas = Vec::new();
    for name in names {
        let replica = start_named(sim, name.as_ref(), options.clone());
        let replica = Redis { group: master.group.clone(), ..replica };
        replica.join(sim, &master.group);
        replicas.push(replica);
    }
    replicas
}

/// Starts Sentinels of these names, which listen on port 26379 and watch a master with its replicas
/// over the simulated network. They behave as the real ones do: they find the replicas and each
/// other through the master, agree by quorum that it is down, elect a leader by majority, and that
/// one promotes the best replica. A client asks them who the master is
/// (`SENTINEL get-master-addr-by-name`), or subscribes to `+switch-master`.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::Shutdown;
/// use stunt_double::redis::{self, Client, SentinelOptions, ServerOptions};
/// use stunt_double::sim::Sim;
///
/// let mut sim = Sim::new(1);
/// let master = redis::start_named(&mut sim, "redis-a", ServerOptions::default());
/// redis::start_replicas(&mut sim, &master, ["redis-b"], ServerOptions::default());
/// let options = SentinelOptions::new("mymaster", 2).with_down_after(Duration::from_secs(5));
/// let sentinels = redis::start_sentinels(&mut sim, &master, ["s1", "s2", "s3"], options);
/// sim.run_for(Duration::from_secs(30)).expect_reached();
/// master.stop(Shutdown::Kill);
/// sim.run_for(Duration::from_secs(30)).expect_reached();
/// sim.node_with("client", sentinels[0].clone(), async |node, sentinel| {
///     let client = Client::connect(&node, &sentinel).await?;
///     let master = client.call(["SENTINEL", "get-master-addr-by-name", "mymaster"]).await?;
///     assert_eq!(master.as_array().map(|words| words[0].as_text()), Some(Some("redis-b")));
///     Ok::<(), redis::Error>(())
/// });
/// sim.run().expect_done();
/// ```
///
/// # Panics
///
/// If the world already has a service or a node of one of the names, or of one of them with
/// `-link` behind it.
pub fn start_sentinels(
    sim: &mut Sim,
    master: &Redis,
    names: impl IntoIterator<Item: AsRef<str>>,
    options: SentinelOptions,
) -> Vec<Redis> {
    master.join(sim, &master.group);
    let options = options.watching(master.name(), master.inspect(Server::port));
    let mut sentinels = Vec::new();
    for name in names {
        let options = ServerOptions::default().with_port(26_379).with_sentinel(options.clone());
        let sentinel = start_named(sim, name.as_ref(), options);
        let sentinel = Redis { group: master.group.clone(), ..sentinel };
        sentinel.join(sim, &master.group);
        sentinels.push(sentinel);
    }
    sentinels
}

/// The requests that a test can make to a server in a world. The closures must not use a handle of
/// the same service: the service is locked while they run.
impl Redis {
    /// Inspects the server.
    ///
    /// # Panics
    ///
    /// If `look` uses a handle of the same service, or drops a connection to it.
    pub fn inspect<R>(&self, look: impl FnOnce(&Server) -> R) -> R {
        self.service.inspect(|machine| look(machine.machine()))
    }

    /// Calls the server directly, at the world's time, as an administrator at the server itself
    /// would. Everything that the server says to its clients during the call is then sent to them.
    ///
    /// # Panics
    ///
    /// If `call` uses a handle of the same service, or drops a connection to it.
    pub fn with<R>(&self, call: impl FnOnce(&mut Server, Instant) -> R) -> R {
        self.service.with(|machine, now| machine.operate(now, |server| call(server, now)))
    }

    /// Lets the servers of a group and this one reach each other.
    fn join(&self, sim: &mut Sim, group: &Group) {
        let name = self.name().to_owned();
        self.with(|server, _| server.announce_as(&name));
        group.join(sim, &self.service);
    }

    /// Returns the link on which this server connects to another, as a replica or a Sentinel does:
    /// to delay, partition or sever it. The other direction, in which the other connects to this
    /// one, is a link of its own.
    ///
    /// # Panics
    ///
    /// If the two servers cannot reach each other: neither was started by [`start_replicas`] for
    /// the other, or for the same master.
    #[must_use]
    pub fn link_to(&self, other: &Redis) -> Link {
        self.group.link(self.name(), other.name()).unwrap_or_else(|| {
            panic!(
                "{} and {} do not know each other: start one as a replica of the other with \
                 redis::start_replicas",
                self.name(),
                other.name()
            )
        })
    }

    /// Returns the writes that the server has last discarded, because it became the replica of a
    /// master that did not have them.
    #[must_use]
    pub fn discarded(&self) -> Discarded {
        self.inspect(|server| server.discarded().clone())
    }

    /// Calls a database directly, at the world's time. Returns `None` if no database has this
    /// number. `work` must not use a handle of the same service.
    pub fn database<R>(&self, index: usize, work: impl FnOnce(&mut Database) -> R) -> Option<R> {
        self.with(|server, now| {
            server.handle_timeout(now);
            let result = server.database(index).map(|database| {
                database.advance_to(now);
                work(database)
            });
            // Serves blocked clients that were waiting for the result.
            server.handle_timeout(now);
            result
        })
    }

    /// Runs a command at once and returns its reply, like `redis-cli` on the server's own machine:
    /// without a link and latency, and regardless of `CLIENT PAUSE` and `DEBUG SLEEP`. A command
    /// that would block answers as it does in `EXEC`.
    pub fn command<I>(&self, command: I) -> Reply
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let words: Vec<Sds> = command.into_iter().map(|word| Sds::new(word.as_ref())).collect();
        let words: Vec<&[u8]> = words.iter().map(Sds::as_slice).collect();
        self.with(|server, now| server.operate(now, &words))
    }

    /// Answers commands of clients with errors from now on, instead of running them; see
    /// [`Refusal`]. Calls at the server itself are not refused.
    pub fn refuse(&self, refusal: Refusal) {
        self.with(|server, now| server.refuse(now, refusal));
    }

    /// Ends all refusals.
    pub fn refuse_nothing(&self) {
        self.with(|server, _| server.refuse_nothing());
    }

    /// Returns what the server lost when it last stopped.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.inspect(|server| server.losses().clone())
    }
}

/// Why a call of the client failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The server answered with an error; [`ErrorReply::code`] is its kind.
    Reply(ErrorReply),
    /// The connection has ended: connect again. Whether the command ran is unknown.
    Disconnected(Disconnected),
    /// The server refused a command of a transaction when it was queued, so nothing ran
    /// (`EXECABORT`).
    Aborted {
        /// Index of the refused command in the transaction, from 0. The first one, if several were
        /// refused.
        index: usize,
        /// The command.
        command: String,
        /// The server's reply to it.
        error: ErrorReply,
        /// The server's reply to `EXEC`: `EXECABORT`.
        exec: ErrorReply,
    },
    /// The connection ended in the middle of a pipeline. Whether the remaining commands ran is
    /// unknown.
    PipelineCut {
        /// The replies that arrived, in order.
        replies: Vec<Reply>,
        /// How the connection ended.
        why: Disconnected,
    },
    /// The reply cannot be read as the type that the caller asked for.
    Convert(ConvertError),
    /// The call has no words.
    EmptyCommand,
    /// The command is answered by messages, not by a reply; use a [`Subscription`].
    NotACall,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Reply(value) => write!(f, "{value}"),
            Error::Disconnected(value) => value.fmt(f),
            Error::Aborted { index, command, error, .. } => write!(
                f,
                "nothing was run: command {index} of the transaction ({command}) was refused: {error}"
            ),
            Error::PipelineCut { replies, why } => {
                write!(f, "{why}, after {} of the pipeline's replies", replies.len())
            }
            Error::Convert(value) => value.fmt(f),
            Error::EmptyCommand => f.write_str("a call needs at least one word"),
            Error::NotACall => {
                f.write_str("SUBSCRIBE and similar commands have no reply: use a Subscription")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<Disconnected> for Error {
    fn from(error: Disconnected) -> Error {
        Error::Disconnected(error)
    }
}

impl From<ConvertError> for Error {
    fn from(error: ConvertError) -> Error {
        Error::Convert(error)
    }
}

impl Error {
    /// Returns the server's error, if the server answered with one.
    #[must_use]
    pub fn reply(&self) -> Option<&ErrorReply> {
        match self {
            Error::Reply(error) | Error::Aborted { exec: error, .. } => Some(error),
            Error::Disconnected(_)
            | Error::PipelineCut { .. }
            | Error::Convert(_)
            | Error::EmptyCommand
            | Error::NotACall => None,
        }
    }

    /// Returns how the connection ended, if it did.
    #[must_use]
    pub fn disconnected(&self) -> Option<Disconnected> {
        match self {
            Error::Disconnected(why) | Error::PipelineCut { why, .. } => Some(*why),
            Error::Reply(_)
            | Error::Aborted { .. }
            | Error::Convert(_)
            | Error::EmptyCommand
            | Error::NotACall => None,
        }
    }
}

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
    ///   refuses commands in general ([`Refusal`]).
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
    /// - [`Error::EmptyCommand`] without any word, [`Error::NotACall`] for `SUBSCRIBE` and similar
    ///   commands.
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

/// The end of the names of the commands that are answered by messages.
const SUBSCRIBE: &[u8] = b"subscribe";

/// Returns the words of a command, which must be one that is answered by a reply.
fn request<I>(command: I) -> Result<Request, Error>
where
    I: IntoIterator,
    I::Item: AsRef<[u8]>,
{
    let words: Request =
        command.into_iter().map(|word| Bytes::copy_from_slice(word.as_ref())).collect();
    let name = words.first().ok_or(Error::EmptyCommand)?;
    let end = &name[name.len().saturating_sub(SUBSCRIBE.len())..];
    let by_messages = end.eq_ignore_ascii_case(SUBSCRIBE);
    if by_messages { Err(Error::NotACall) } else { Ok(words) }
}
