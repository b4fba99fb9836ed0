//! The light connection: redis-rs' commands and parser, without its tasks and channels.
//!
//! A [`Connection`] sends what redis-rs has encoded and lets redis-rs' parser read what arrives.
//! There is no driver: whoever waits for a reply reads for everyone. Replies belong to the requests
//! in the order in which these were sent. A request whose caller has gone keeps its place, so that
//! its reply does not reach anyone else.

use super::redis::aio::ConnectionLike;
use super::redis::{
    Arg, Cmd, ErrorKind, Parser, Pipeline, RedisConnectionInfo, RedisError, RedisFuture,
    RedisResult, Value,
};
use super::replies::{collect, greeting};
use crate::adapter::redis_rs_io::socket::{error, write_error};
use crate::sim::{ByteConnection, Node};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A connection to a Redis of a world, for everything that takes redis-rs'
/// [`ConnectionLike`]: `AsyncCommands`, `cmd`, pipelines, transactions.
///
/// All clones are one connection, and their requests are pipelined. It closes when the last clone
/// is dropped. It is faster than a `MultiplexedConnection`, and its response time-out is measured
/// by the node's clock. Subscriptions are refused: they are answered by messages.
///
/// A command that the server refuses within an atomic pipeline is reported by the error of `EXEC`
/// alone.
#[derive(Clone)]
pub struct Connection {
    node: Node,
    lane: Arc<Mutex<Lane>>,
    database: i64,
    response_timeout: Option<Duration>,
}

struct Lane {
    socket: ByteConnection,
    parser: Parser,
    /// Number of the first of the requests below.
    first: u64,
    requests: VecDeque<Request>,
    /// How many of the requests have all their replies.
    complete: usize,
    /// Why there will be no more replies.
    broken: Option<RedisError>,
}

/// A request that was sent.
struct Request {
    outstanding: usize,
    replies: Vec<Value>,
    is_given_up: bool,
}

impl Connection {
    /// Logs in on a new connection of bytes and selects the database.
    pub(super) async fn open(
        node: &Node,
        socket: ByteConnection,
        info: &RedisConnectionInfo,
    ) -> RedisResult<Connection> {
        let lane = Lane {
            socket,
            parser: Parser::new(),
            first: 0,
            requests: VecDeque::new(),
            complete: 0,
            broken: None,
        };
        let mut connection = Connection {
            node: node.clone(),
            lane: Arc::new(Mutex::new(lane)),
            database: info.db(),
            response_timeout: None,
        };
        for command in greeting(info) {
            command.exec_async(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Sets for how long a request waits for its reply, by the node's clock. `None`, the default,
    /// waits forever. A request that times out may still run.
    pub fn set_response_timeout(&mut self, limit: Option<Duration>) {
        self.response_timeout = limit;
    }

    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request, and returns its replies once there are `wanted`.
    async fn request(&self, bytes: &[u8], wanted: usize) -> RedisResult<Vec<Value>> {
        if bytes.is_empty() {
            return Err(RedisError::from((ErrorKind::Client, "empty command")));
        }
        let number = self.lane().send(bytes, wanted)?;
        let waiting = Waiting { connection: self, number };
        let replies = poll_fn(|cx| self.lane().poll(cx, number));
        let replies = match self.response_timeout {
            None => replies.await,
            Some(limit) => match self.node.timeout(limit, replies).await {
                Ok(replies) => replies,
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            },
        };
        drop(waiting);
        replies
    }
}

impl Lane {
    /// Sends a request and returns its number.
    fn send(&mut self, bytes: &[u8], wanted: usize) -> RedisResult<u64> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        self.socket.write(bytes).map_err(write_error)?;
        let request = Request {
            outstanding: wanted,
            replies: Vec::with_capacity(wanted),
            is_given_up: false,
        };
        self.requests.push_back(request);
        Ok(self.first + self.requests.len() as u64 - 1)
    }

    /// Returns the replies to a request once all are there, and reads what has arrived until then.
    fn poll(&mut self, cx: &Context<'_>, number: u64) -> Poll<RedisResult<Vec<Value>>> {
        loop {
            let place = usize::try_from(number - self.first).expect("fewer than 2^64 requests");
            let request = &mut self.requests[place];
            if request.outstanding == 0 {
                return Poll::Ready(Ok(std::mem::take(&mut request.replies)));
            }
            if let Some(why) = &self.broken {
                return Poll::Ready(Err(why.clone()));
            }
            if let Err(why) = ready!(self.read(cx)) {
                self.broken = Some(why);
            }
        }
    }

    /// Reads one reply.
    fn read(&mut self, cx: &Context<'_>) -> Poll<RedisResult<()>> {
        let mut arrived = Arrived { socket: &self.socket, cx, is_dry: false, is_over: false };
        let value = match self.parser.parse_value(&mut arrived) {
            Err(_) if arrived.is_dry => return Poll::Pending,
            Err(_) if arrived.is_over => {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe).into()));
            }
            value => value?,
        };
        // A message that no request asked for.
        if matches!(value, Value::Push { .. }) {
            return Poll::Ready(Ok(()));
        }
        if let Some(request) = self.requests.get_mut(self.complete) {
            request.outstanding -= 1;
            request.replies.push(value);
            self.complete += usize::from(request.outstanding == 0);
        }
        self.forget();
        Poll::Ready(Ok(()))
    }

    /// Gives up a request.
    fn give_up(&mut self, number: u64) {
        let place = usize::try_from(number - self.first).expect("fewer than 2^64 requests");
        self.requests[place].is_given_up = true;
        self.forget();
    }

    /// Removes the requests in front for which nobody waits and nothing is to come.
    fn forget(&mut self) {
        while self.complete > 0 && self.requests.front().is_some_and(|first| first.is_given_up) {
            self.requests.pop_front();
            self.first += 1;
            self.complete -= 1;
        }
    }
}

/// The bytes that have arrived, for redis-rs' parser. It keeps what it has read of a reply that is
/// not complete.
struct Arrived<'a, 'b> {
    socket: &'a ByteConnection,
    cx: &'a Context<'b>,
    /// Nothing more has arrived yet.
    is_dry: bool,
    /// The server has closed its end.
    is_over: bool,
}

impl Read for Arrived<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.socket.poll_read(self.cx, buffer) {
            Poll::Pending => {
                self.is_dry = true;
                Err(io::ErrorKind::WouldBlock.into())
            }
            Poll::Ready(Ok(0)) => {
                self.is_over = true;
                Ok(0)
            }
            Poll::Ready(read) => read.map_err(error),
        }
    }
}

/// A caller that waits for replies. When it is gone, nobody wants them.
struct Waiting<'a> {
    connection: &'a Connection,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.connection.lane().give_up(self.number);
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            check(command.args_iter().next().as_ref())?;
            let bytes = command.get_packed_command();
            if command.is_no_response() {
                let mut lane = self.lane();
                let number = lane.send(&bytes, 1)?;
                lane.give_up(number);
                return Ok(Value::Nil);
            }
            let replies = self.request(&bytes, 1).await?;
            Ok(replies.into_iter().next().unwrap_or(Value::Nil))
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            for command in pipeline.cmd_iter() {
                check(command.args_iter().next().as_ref())?;
            }
            let bytes = pipeline.get_packed_pipeline();
            collect(self.request(&bytes, offset + count).await?, offset)
        })
    }

    fn get_db(&self) -> i64 {
        self.database
    }
}

/// Refuses commands that are answered by messages.
fn check(name: Option<&Arg<&[u8]>>) -> RedisResult<()> {
    let Some(Arg::Simple(name)) = name else { return Ok(()) };
    let is_for_messages = name.eq_ignore_ascii_case(b"monitor")
        || name.len() >= b"subscribe".len()
            && name[name.len() - b"subscribe".len()..].eq_ignore_ascii_case(b"subscribe");
    if !is_for_messages {
        return Ok(());
    }
    Err(RedisError::from((
        ErrorKind::Client,
        "this command is answered by messages, which a light connection does not hand out: use \
         redis.pubsub(&node), or redis.multiplexed_with(..) with RESP3 and a push sender",
    )))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("node", &self.node)
            .field("database", &self.database)
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}
