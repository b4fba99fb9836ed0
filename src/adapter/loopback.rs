//! Servers on loopback sockets, for clients that insist on an address.
//!
//! A [`Server`] is a Redis and a RabbitMQ behind TCP ports of `127.0.0.1`, in this process. It is
//! there in less than a millisecond and gone when it is dropped. Any client in any language can use
//! it. It replaces a server in a container where a test only needs its behaviour.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use std::time::Duration;
//! use stunt_double::adapter::loopback::{Options, Server};
//!
//! let server = Server::start(Options::default())?;
//! println!("{} and {}", server.redis_url(), server.amqp_url());
//!
//! let mut socket = TcpStream::connect(server.redis_addr())?;
//! socket.write_all(b"SET session ann EX 3600\r\n")?;
//! let mut reply = [0; 5];
//! socket.read_exact(&mut reply)?;
//! assert_eq!(&reply, b"+OK\r\n");
//!
//! server.advance(Duration::from_secs(3600));
//! server.redis(|redis, _| assert!(redis.database(0).unwrap().is_empty()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sockets, the operating system and, unless [`Options::with_manual_clock`] is set, the real clock
//! take part, so a run is not deterministic. For that, put the code into a [world](crate::sim).
//!
//! # Inside
//!
//! One thread does everything, with sockets that never block. A turn of it reads at most one piece
//! from each connection, so no client can keep it from the others. What a client does not read
//! waits in a buffer. Start with `turn`; `port` is a server with its connections, `connection` one
//! socket.
//!
//! The invariant: whenever nobody holds the lock of the ports, everything that the machines have
//! said has been written or lies in the buffer of its connection, and every timer up to the last
//! look at the clock has fired.

mod clock;
mod connection;
mod error;
mod options;
mod port;
mod turn;

pub use error::StartError;
pub use options::Options;

use crate::Shutdown;
use crate::rabbitmq::broker::Broker;
use crate::redis;
use crate::time::Instant;
use mio::Waker;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use turn::Ports;

/// Stand-ins on loopback sockets; see the [module](self). Dropping it closes all sockets and ends
/// its thread.
pub struct Server {
    ports: Arc<Mutex<Ports>>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    redis: Option<SocketAddr>,
    rabbitmq: Option<SocketAddr>,
}

const NO_REDIS: &str = "this server was started without Redis: leave out Options::without_redis";
const NO_RABBITMQ: &str =
    "this server was started without RabbitMQ: leave out Options::without_rabbitmq";

impl Server {
    /// Starts the servers.
    ///
    /// # Errors
    ///
    /// [`StartError`] if a port is in use or the system refuses a socket or a thread.
    pub fn start(options: Options) -> Result<Server, StartError> {
        let (poll, ports) = turn::open(options)?;
        let (redis, rabbitmq) = (ports.redis_addr(), ports.rabbitmq_addr());
        let waker = Waker::new(poll.registry(), turn::WAKER).map_err(StartError::System)?;
        let ports = Arc::new(Mutex::new(ports));
        let thread = turn::spawn(poll, Arc::clone(&ports)).map_err(StartError::System)?;
        Ok(Server { ports, waker, thread: Some(thread), redis, rabbitmq })
    }

    /// Runs `call` while the thread does nothing, then lets it look around.
    fn with<R>(&self, call: impl FnOnce(&mut Ports) -> R) -> R {
        let result = call(&mut lock(&self.ports));
        // Without its waker, the thread sees the change with the next byte or timer.
        let _ = self.waker.wake();
        result
    }

    /// Returns the address of Redis.
    ///
    /// # Panics
    ///
    /// If the server was started without Redis.
    #[must_use]
    pub fn redis_addr(&self) -> SocketAddr {
        self.redis.expect(NO_REDIS)
    }

    /// Returns the URL of Redis: `redis://127.0.0.1:PORT/`.
    ///
    /// # Panics
    ///
    /// If the server was started without Redis.
    #[must_use]
    pub fn redis_url(&self) -> String {
        format!("redis://{}/", self.redis_addr())
    }

    /// Returns the address of RabbitMQ.
    ///
    /// # Panics
    ///
    /// If the server was started without RabbitMQ.
    #[must_use]
    pub fn amqp_addr(&self) -> SocketAddr {
        self.rabbitmq.expect(NO_RABBITMQ)
    }

    /// Returns the URL of RabbitMQ's default vhost, for its default user:
    /// `amqp://guest:guest@127.0.0.1:PORT/%2f`.
    ///
    /// # Panics
    ///
    /// If the server was started without RabbitMQ.
    #[must_use]
    pub fn amqp_url(&self) -> String {
        format!("amqp://guest:guest@{}/%2f", self.amqp_addr())
    }

    /// Calls Redis directly, as an administrator on its machine would. `call` must not wait for a
    /// client, because nothing is served meanwhile.
    ///
    /// # Panics
    ///
    /// If the server was started without Redis.
    pub fn redis<R>(&self, call: impl FnOnce(&mut redis::server::Server, Instant) -> R) -> R {
        self.with(|ports| {
            let now = ports.now();
            let port = ports.redis().expect(NO_REDIS);
            port.operate(now, |machine| machine.operate(now, |server| call(server, now)))
        })
    }

    /// Calls RabbitMQ directly, as an administrator on its machine would. `call` must not wait for
    /// a client, because nothing is served meanwhile.
    ///
    /// # Panics
    ///
    /// If the server was started without RabbitMQ.
    pub fn rabbitmq<R>(&self, call: impl FnOnce(&mut Broker, Instant) -> R) -> R {
        self.with(|ports| {
            let now = ports.now();
            let port = ports.rabbitmq().expect(NO_RABBITMQ);
            port.operate(now, |machine| call(machine.operated_at(now), now))
        })
    }

    /// Moves the clock of both servers ahead. Everything that clients have sent before is read
    /// first. Timers fire on the way, each at its own time.
    pub fn advance(&self, by: Duration) {
        self.with(|ports| ports.advance(by));
    }

    /// Returns the time on the servers' clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        lock(&self.ports).now()
    }

    /// Stops Redis: its connections close as the operating system closes them, and its port refuses
    /// new ones.
    ///
    /// # Panics
    ///
    /// If the server was started without Redis.
    pub fn stop_redis(&self, how: Shutdown) {
        self.with(|ports| {
            let now = ports.now();
            ports.redis().expect(NO_REDIS).stop(now, how);
        });
    }

    /// Starts Redis again on the same port, with the data that it still has. A no-op if it is
    /// running.
    ///
    /// # Errors
    ///
    /// [`StartError`] if something else uses the port by now.
    ///
    /// # Panics
    ///
    /// If the server was started without Redis.
    pub fn start_redis(&self) -> Result<(), StartError> {
        self.with(Ports::start_redis).expect(NO_REDIS)
    }

    /// Stops RabbitMQ: its connections close as the operating system closes them, and its port
    /// refuses new ones.
    ///
    /// # Panics
    ///
    /// If the server was started without RabbitMQ.
    pub fn stop_rabbitmq(&self, how: Shutdown) {
        self.with(|ports| {
            let now = ports.now();
            ports.rabbitmq().expect(NO_RABBITMQ).stop(now, how);
        });
    }

    /// Starts RabbitMQ again on the same port, with the data that it still has. A no-op if it is
    /// running.
    ///
    /// # Errors
    ///
    /// [`StartError`] if something else uses the port by now.
    ///
    /// # Panics
    ///
    /// If the server was started without RabbitMQ.
    pub fn start_rabbitmq(&self) -> Result<(), StartError> {
        self.with(Ports::start_rabbitmq).expect(NO_RABBITMQ)
    }

    /// Waits until the servers end: until each was stopped, or has ended on a client's request
    /// (`SHUTDOWN`), or one panics.
    pub fn wait(mut self) {
        self.with(Ports::end_with_servers);
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

fn lock(ports: &Mutex<Ports>) -> MutexGuard<'_, Ports> {
    ports.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.with(Ports::end);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("redis", &self.redis)
            .field("rabbitmq", &self.rabbitmq)
            .finish_non_exhaustive()
    }
}
