//! A Redis for unit tests of blocking code: no world, no socket, a clock that the test moves.
//!
//! The invariant: nothing blocks. A call that would have to wait moves the stand-in's clock to the
//! end of its wait, because nobody else can act meanwhile. A wait without an end is refused.

use super::redis::{
    Cmd, ConnectionLike, ErrorKind, Msg, Parser, RedisConnectionInfo, RedisError, RedisResult,
    ToRedisArgs, Value, cmd,
};
use super::replies::{self, collect};
use crate::Shutdown;
use crate::adapter::stand_in::Machine;
use crate::redis::database::Database;
use crate::redis::server::Server;
use crate::redis::{Losses, Refusal, Reply, ServerOptions};
use crate::time::Instant;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A Redis without a world, for code that calls redis-rs' blocking
/// [`Commands`](super::redis::Commands).
///
/// Its clock stands still until [`advance`](StandIn::advance) moves it. A call that has to wait
/// (`BLPOP` with a time-out, `DEBUG SLEEP`) moves the clock to the end of the wait: that is what
/// would happen if nobody else acted. A wait that never ends is refused.
///
/// All clones are one stand-in, and it can have any number of connections.
#[derive(Clone)]
pub struct StandIn(Arc<Mutex<Machine>>);

impl StandIn {
    /// Returns a new, empty Redis with default options.
    #[must_use]
    pub fn redis() -> StandIn {
        StandIn::redis_with(ServerOptions::default(), 0)
    }

    /// Returns a new, empty Redis with these options. The seed decides what `SPOP` and similar
    /// commands draw.
    #[must_use]
    pub fn redis_with(options: ServerOptions, seed: u64) -> StandIn {
        StandIn(Arc::new(Mutex::new(Machine::new(options, seed))))
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// A refused connection ([`RedisError::is_connection_refusal`]) if the server is stopped; the
    /// server's error if it requires a password.
    pub fn connection(&self) -> RedisResult<Connection> {
        self.connection_with(&RedisConnectionInfo::default())
    }

    /// Opens a connection with a database, a user and password, and a protocol.
    ///
    /// # Errors
    ///
    /// As [`StandIn::connection`], or the server's error if it refuses the settings.
    pub fn connection_with(&self, info: &RedisConnectionInfo) -> RedisResult<Connection> {
        let refused = || RedisError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        let number = self.lock().connect().ok_or_else(refused)?;
        let mut connection = Connection {
            stand_in: self.clone(),
            number,
            database: info.db(),
            parser: Parser::new(),
            owed: 0,
        };
        for command in replies::greeting(info) {
            command.exec(&mut connection)?;
        }
        Ok(connection)
    }

    /// Opens a connection for subscriptions.
    ///
    /// # Errors
    ///
    /// As [`StandIn::connection`].
    pub fn pubsub(&self) -> RedisResult<PubSub> {
        Ok(PubSub { connection: self.connection()?, messages: VecDeque::new() })
    }

    /// Moves the clock ahead. Keys expire and waits end on the way, each at its own time.
    pub fn advance(&self, by: Duration) {
        self.lock().advance(by);
    }

    /// Returns the time on the stand-in's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.lock().now()
    }

    /// Stops the server and closes every connection. New ones are refused until
    /// [`StandIn::start`].
    pub fn stop(&self, how: Shutdown) {
        self.lock().stop(how);
    }

    /// Starts the server with the data that it still has.
    pub fn start(&self) {
        self.lock().start();
    }

    /// Stops the server in good order and starts it again.
    pub fn restart(&self) {
        self.stop(Shutdown::Clean);
        self.start();
    }

    /// Kills the server's process and starts it again.
    pub fn crash(&self) {
        self.stop(Shutdown::Kill);
        self.start();
    }

    /// Cuts the power of the server's machine and starts it again.
    pub fn lose_power(&self) {
        self.stop(Shutdown::PowerLoss);
        self.start();
    }

    /// Takes everything from the server, including its disk.
    pub fn wipe(&self) {
        self.lock().wipe();
    }

    /// Inspects the server. `look` must not use the stand-in or a connection to it.
    pub fn inspect<R>(&self, look: impl FnOnce(&Server) -> R) -> R {
        look(self.lock().server())
    }

    /// Calls the server directly, as an administrator on its machine would. `call` must not use
    /// the stand-in or a connection to it.
    pub fn with<R>(&self, call: impl FnOnce(&mut Server, Instant) -> R) -> R {
        self.lock().operate(call)
    }

    /// Calls a database directly. Returns `None` if no database has this number. `work` must not
    /// use the stand-in or a connection to it.
    pub fn database<R>(&self, index: usize, work: impl FnOnce(&mut Database) -> R) -> Option<R> {
        self.with(|server, now| {
            server.database(index).map(|database| {
                database.advance_to(now);
                work(database)
            })
        })
    }

    /// Runs a command at once and returns its reply, like `redis-cli` on the server's own machine.
    pub fn command<I>(&self, command: I) -> Reply
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let words: Vec<Vec<u8>> = command.into_iter().map(|word| word.as_ref().to_vec()).collect();
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.with(|server, now| server.operate(now, &words))
    }

    /// Answers commands of clients with errors from now on, instead of running them.
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

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// A connection to a [`StandIn`], for everything that takes redis-rs' [`ConnectionLike`]:
/// `Commands`, `cmd`, pipelines, `transaction`. It closes when it is dropped.
///
/// A command that the server refuses within an atomic pipeline is reported by the error of `EXEC`
/// alone.
pub struct Connection {
    stand_in: StandIn,
    number: u64,
    database: i64,
    parser: Parser,
    /// How many replies are still to come to requests that were given up.
    owed: usize,
}

const ENDLESS_WAIT: &str = "the call would wait forever, because a stand-in without a world has \
    nobody who could act meanwhile: give it a time-out, push first, or test it in a world";

const NO_REPLY: &str = "the server does not answer this call: replies are switched off (CLIENT \
    REPLY), or the answer is a message, which the PubSub of the stand-in receives";

impl Connection {
    /// Sends a request and returns its replies. Messages between them are skipped, as by redis-rs'
    /// own connection.
    fn request(&mut self, bytes: &[u8], wanted: usize) -> RedisResult<Vec<Value>> {
        let stand_in = self.stand_in.clone();
        let mut machine = stand_in.lock();
        machine.send(self.number, bytes);
        let endless = || RedisError::from((ErrorKind::Client, ENDLESS_WAIT));
        let mut replies = Vec::with_capacity(wanted);
        let mut is_endless = false;
        while replies.len() < wanted {
            match self.read(&mut machine)? {
                Some(Value::Push { .. }) => {}
                Some(_) if self.owed > 0 => self.owed -= 1,
                Some(value) => replies.push(value),
                None if !machine.is_held_up(self.number) => {
                    return Err(RedisError::from((ErrorKind::Client, NO_REPLY)));
                }
                None if machine.wait_for(self.number) => {}
                None if machine.unblock(self.number) => is_endless = true,
                None => {
                    self.owed += wanted - replies.len();
                    return Err(endless());
                }
            }
        }
        if is_endless { Err(endless()) } else { Ok(replies) }
    }

    /// Reads one value. `None` means that nothing more has arrived.
    fn read(&mut self, machine: &mut Machine) -> RedisResult<Option<Value>> {
        let broken = || RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        let lane = machine.lane(self.number).ok_or_else(broken)?;
        match self.parser.parse_value(&mut *lane) {
            Ok(value) => Ok(Some(value)),
            Err(_) if lane.is_closed() => Err(broken()),
            Err(_) if lane.is_dry() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command(&mut self, bytes: &[u8]) -> RedisResult<Value> {
        let replies = self.request(bytes, 1)?;
        Ok(replies.into_iter().next().unwrap_or(Value::Nil))
    }

    fn req_packed_commands(
        &mut self,
        bytes: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        collect(self.request(bytes, offset + count)?, offset)
    }

    fn req_command(&mut self, command: &Cmd) -> RedisResult<Value> {
        let bytes = command.get_packed_command();
        if !command.is_no_response() {
            return self.req_packed_command(&bytes);
        }
        let stand_in = self.stand_in.clone();
        let mut machine = stand_in.lock();
        machine.send(self.number, &bytes);
        while self.read(&mut machine)?.is_some() {}
        Ok(Value::Nil)
    }

    fn get_db(&self) -> i64 {
        self.database
    }

    fn check_connection(&mut self) -> bool {
        cmd("PING").query::<String>(self).is_ok()
    }

    fn is_open(&self) -> bool {
        self.stand_in.lock().lane(self.number).is_some_and(|lane| !lane.is_closed())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stand_in.lock().disconnect(self.number);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("number", &self.number)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// A connection to a [`StandIn`] that receives messages, with the methods of redis-rs' own
/// `PubSub`.
#[derive(Debug)]
pub struct PubSub {
    connection: Connection,
    messages: VecDeque<Msg>,
}

impl PubSub {
    /// Subscribes to channels.
    ///
    /// # Errors
    ///
    /// If the connection has ended, or no channel was given.
    pub fn subscribe<T: ToRedisArgs>(&mut self, channels: T) -> RedisResult<()> {
        self.change("SUBSCRIBE", channels)
    }

    /// Subscribes to patterns of channels.
    ///
    /// # Errors
    ///
    /// As [`PubSub::subscribe`].
    pub fn psubscribe<T: ToRedisArgs>(&mut self, patterns: T) -> RedisResult<()> {
        self.change("PSUBSCRIBE", patterns)
    }

    /// Unsubscribes from channels.
    ///
    /// # Errors
    ///
    /// If the connection has ended.
    pub fn unsubscribe<T: ToRedisArgs>(&mut self, channels: T) -> RedisResult<()> {
        self.change("UNSUBSCRIBE", channels)
    }

    /// Unsubscribes from patterns of channels.
    ///
    /// # Errors
    ///
    /// If the connection has ended.
    pub fn punsubscribe<T: ToRedisArgs>(&mut self, patterns: T) -> RedisResult<()> {
        self.change("PUNSUBSCRIBE", patterns)
    }

    /// Returns the next message.
    ///
    /// # Errors
    ///
    /// If there is none, a time-out ([`RedisError::is_timeout`]): nobody can publish while the call
    /// waits. If the connection has ended, an error that says so.
    pub fn get_message(&mut self) -> RedisResult<Msg> {
        match self.receive() {
            // Messages that arrived before the end can still be read.
            Err(error) if error.is_io_error() && !self.messages.is_empty() => {}
            received => received?,
        }
        let none = || RedisError::from(io::Error::from(io::ErrorKind::WouldBlock));
        self.messages.pop_front().ok_or_else(none)
    }

    fn change<T: ToRedisArgs>(&mut self, command: &str, names: T) -> RedisResult<()> {
        let bytes = cmd(command).arg(names).get_packed_command();
        self.connection.stand_in.lock().send(self.connection.number, &bytes);
        self.receive()
    }

    /// Reads everything that has arrived and keeps the messages, even if something else among it is
    /// an error, or the connection has ended after it.
    fn receive(&mut self) -> RedisResult<()> {
        let stand_in = self.connection.stand_in.clone();
        let mut machine = stand_in.lock();
        let mut refused = None;
        let result = loop {
            match self.connection.read(&mut machine) {
                Ok(Some(Value::ServerError(error))) => {
                    refused.get_or_insert(error);
                }
                Ok(Some(value)) => self.messages.extend(Msg::from_owned_value(value)),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        match refused {
            Some(error) => Err(error.into()),
            None => result,
        }
    }
}
