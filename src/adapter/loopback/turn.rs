//! The thread that serves all sockets, and what it shares with the test.
//!
//! It waits for a socket, a timer or the test. Then it takes the lock and makes one turn: new
//! connections, what sockets take and hold, timers that are due.

use super::clock::Clock;
use super::error::StartError;
use super::options::Options;
use super::port::{PIECE, Port};
use crate::choice::{Site, Stream};
use crate::rabbitmq::broker::Broker;
use crate::redis::server::Server;
use crate::sim::service::Service;
use crate::time::Instant;
use crate::{rabbitmq, redis, shutdown::Shutdown};
use mio::{Events, Poll, Token};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

type Redis = Port<redis::resp::ByteServer>;
type RabbitMq = Port<rabbitmq::wire::ByteServer>;

/// The token by which the test wakes the thread.
pub(super) const WAKER: Token = Token(0);
const REDIS: Token = Token(1);
const RABBITMQ: Token = Token(2);

/// The site at which `SPOP`, `RANDOMKEY` and similar commands draw.
const DRAWS: Site = Site::new("loopback.draws");
/// The site at which RabbitMQ draws names.
const NAMES: Site = Site::new("loopback.names");

/// How long the thread waits before it asks the system for a connection again.
const ACCEPT_LATER: Duration = Duration::from_millis(10);

/// Returns the token of a connection to Redis: 3, 5, 7 and so on.
fn redis_token(number: u64) -> Token {
    Token(usize::try_from(2 * number).expect("fewer than 2^31 connections") + REDIS.0)
}

/// Returns the token of a connection to RabbitMQ: 4, 6, 8 and so on.
fn rabbitmq_token(number: u64) -> Token {
    Token(usize::try_from(2 * number).expect("fewer than 2^31 connections") + RABBITMQ.0)
}

/// Both servers and their clock.
#[derive(Debug)]
pub(super) struct Ports {
    clock: Clock,
    redis: Option<Redis>,
    rabbitmq: Option<RabbitMq>,
    buffer: Vec<u8>,
    is_over: bool,
    /// Nobody can start a server again that has ended.
    ends_with_servers: bool,
}

/// Makes the servers and the means to wait for their sockets.
pub(super) fn open(options: Options) -> Result<(Poll, Ports), StartError> {
    if options.redis.is_none() && options.rabbitmq.is_none() {
        return Err(StartError::NoServer);
    }
    let poll = Poll::new().map_err(StartError::System)?;
    let registry = || poll.registry().try_clone().map_err(StartError::System);
    let clock = if options.has_manual_clock { Clock::manual() } else { Clock::real() };
    let (now, seed) = (clock.now(), options.seed);
    let redis = match options.redis {
        None => None,
        Some(options_) => Some(Port::open(registry()?, REDIS, options.redis_port, |port| {
            let random = Stream::seeded(seed, DRAWS, 0);
            let mut server = Server::new(options_.with_port(port), random);
            // Its process begins now, not at the beginning of the world.
            server.stop(now, Shutdown::Clean);
            server.start(now);
            redis::resp::ByteServer::new(server)
        })?),
    };
    let rabbitmq = match options.rabbitmq {
        None => None,
        Some(options_) => Some(Port::open(registry()?, RABBITMQ, options.rabbitmq_port, |_| {
            let broker = Broker::new(options_, Stream::seeded(seed, NAMES, 0));
            rabbitmq::wire::ByteServer::new(broker)
        })?),
    };
    let ports = Ports {
        clock,
        redis,
        rabbitmq,
        buffer: vec![0; PIECE],
        is_over: false,
        ends_with_servers: false,
    };
    Ok((poll, ports))
}

/// Starts the thread.
pub(super) fn spawn(poll: Poll, ports: Arc<Mutex<Ports>>) -> io::Result<JoinHandle<()>> {
    Builder::new().name("loopback".to_owned()).spawn(move || run(poll, &ports))
}

fn lock(ports: &Mutex<Ports>) -> MutexGuard<'_, Ports> {
    ports.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes all sockets when the thread ends, even by a panic, so that no client waits in vain.
struct Closes<'a>(&'a Mutex<Ports>);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        lock(self.0).close();
    }
}

fn run(mut poll: Poll, ports: &Mutex<Ports>) {
    let _closes = Closes(ports);
    let mut events = Events::with_capacity(1_024);
    let mut wait = lock(ports).wait();
    loop {
        // An interrupted wait found nothing.
        if poll.poll(&mut events, wait).is_err() {
            events.clear();
        }
        let mut ports = lock(ports);
        if ports.is_over {
            return;
        }
        ports.turn(&events);
        if ports.ends_with_servers && ports.are_stopped() {
            return;
        }
        wait = ports.wait();
    }
}

impl Ports {
    /// Notes that the thread ends with the last server.
    pub(super) fn end_with_servers(&mut self) {
        self.ends_with_servers = true;
    }

    fn are_stopped(&self) -> bool {
        self.redis.as_ref().is_none_or(Port::is_stopped)
            && self.rabbitmq.as_ref().is_none_or(Port::is_stopped)
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(super) fn redis(&mut self) -> Option<&mut Redis> {
        self.redis.as_mut()
    }

    pub(super) fn rabbitmq(&mut self) -> Option<&mut RabbitMq> {
        self.rabbitmq.as_mut()
    }

    pub(super) fn redis_addr(&self) -> Option<SocketAddr> {
        self.redis.as_ref().map(Port::addr)
    }

    pub(super) fn rabbitmq_addr(&self) -> Option<SocketAddr> {
        self.rabbitmq.as_ref().map(Port::addr)
    }

    pub(super) fn start_redis(&mut self) -> Option<Result<(), StartError>> {
        let now = self.now();
        self.redis.as_mut().map(|port| port.start(now))
    }

    pub(super) fn start_rabbitmq(&mut self) -> Option<Result<(), StartError>> {
        let now = self.now();
        self.rabbitmq.as_mut().map(|port| port.start(now))
    }

    /// Lets the thread end.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }

    fn close(&mut self) {
        self.redis.iter_mut().for_each(Port::close);
        self.rabbitmq.iter_mut().for_each(Port::close);
    }

    /// Moves the clock, after everything that clients have sent was read.
    pub(super) fn advance(&mut self, by: Duration) {
        let now = self.now();
        let buffer = &mut self.buffer;
        if let Some(port) = &mut self.redis {
            catch_up(port, now, buffer, redis_token);
        }
        if let Some(port) = &mut self.rabbitmq {
            catch_up(port, now, buffer, rabbitmq_token);
        }
        self.clock.advance(by);
        self.fire();
    }

    fn fire(&mut self) {
        let now = self.now();
        if let Some(port) = &mut self.redis {
            port.fire_until(now);
        }
        if let Some(port) = &mut self.rabbitmq {
            port.fire_until(now);
        }
    }

    fn turn(&mut self, events: &Events) {
        let now = self.now();
        for event in events {
            let token = event.token();
            if token == WAKER || token == REDIS || token == RABBITMQ {
                continue;
            }
            let number = (token.0 as u64 - 1) / 2;
            let has_ended = event.is_read_closed() || event.is_error();
            if token == redis_token(number) {
                self.redis.iter_mut().for_each(|port| port.stirs(number, has_ended));
            } else {
                self.rabbitmq.iter_mut().for_each(|port| port.stirs(number, has_ended));
            }
        }
        // Timers that were due before the clients spoke come first.
        self.fire();
        let buffer = &mut self.buffer;
        if let Some(port) = &mut self.redis {
            port.accept(now, redis_token);
            port.read_pieces(now, buffer);
        }
        if let Some(port) = &mut self.rabbitmq {
            port.accept(now, rabbitmq_token);
            port.read_pieces(now, buffer);
        }
        self.fire();
    }

    /// Returns how long the thread may wait for a socket. `None` is forever.
    fn wait(&mut self) -> Option<Duration> {
        let redis = self.redis.as_mut().map(status);
        let rabbitmq = self.rabbitmq.as_mut().map(status);
        let statuses = [redis, rabbitmq].into_iter().flatten();
        let waits = statuses.flat_map(|(has_unread, accepts_later, due)| {
            let due = due.filter(|at| *at < Instant::MAX).and_then(|at| self.clock.until(at));
            [has_unread.then_some(Duration::ZERO), accepts_later.then_some(ACCEPT_LATER), due]
        });
        waits.flatten().min()
    }
}

fn status<M: Service>(port: &mut Port<M>) -> (bool, bool, Option<Instant>) {
    (port.has_unread(), port.accepts_later(), port.poll_timeout())
}

fn catch_up<M: Service>(
    port: &mut Port<M>,
    now: Instant,
    buffer: &mut [u8],
    token: impl Fn(u64) -> Token,
) {
    port.accept(now, token);
    port.read_all(now, buffer);
}
