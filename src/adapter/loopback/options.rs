//! Which servers run on loopback, where, and by which clock.

use crate::rabbitmq::BrokerOptions;
use crate::redis::ServerOptions;

/// How servers are started. By default both run, on ports that the system chooses, with the real
/// clock.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(super) redis: Option<ServerOptions>,
    pub(super) rabbitmq: Option<BrokerOptions>,
    pub(super) redis_port: u16,
    pub(super) rabbitmq_port: u16,
    pub(super) seed: u64,
    pub(super) has_manual_clock: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            redis: Some(ServerOptions::default()),
            rabbitmq: Some(BrokerOptions::default()),
            redis_port: 0,
            rabbitmq_port: 0,
            seed: 0,
            has_manual_clock: false,
        }
    }
}

impl Options {
    /// Runs Redis with these options. Its port replaces that of [`ServerOptions::with_port`].
    pub fn with_redis(mut self, options: ServerOptions) -> Options {
        self.redis = Some(options);
        self
    }

    /// Runs RabbitMQ with these options.
    pub fn with_rabbitmq(mut self, options: BrokerOptions) -> Options {
        self.rabbitmq = Some(options);
        self
    }

    /// Leaves out Redis.
    pub fn without_redis(mut self) -> Options {
        self.redis = None;
        self
    }

    /// Leaves out RabbitMQ.
    pub fn without_rabbitmq(mut self) -> Options {
        self.rabbitmq = None;
        self
    }

    /// Sets the port of Redis. 0, the default, lets the system choose one.
    pub fn with_redis_port(mut self, port: u16) -> Options {
        self.redis_port = port;
        self
    }

    /// Sets the port of RabbitMQ. 0, the default, lets the system choose one.
    pub fn with_rabbitmq_port(mut self, port: u16) -> Options {
        self.rabbitmq_port = port;
        self
    }

    /// Sets the seed of everything that a server draws: names of queues and consumers, `SPOP`.
    pub fn with_seed(mut self, seed: u64) -> Options {
        self.seed = seed;
        self
    }

    /// Lets only [`Server::advance`](super::Server::advance) move the clock. It begins at
    /// [`Instant::ZERO`](crate::Instant::ZERO), as in every world. A jump beyond a minute ends AMQP
    /// connections that have heartbeats, as the same minute of silence would.
    pub fn with_manual_clock(mut self) -> Options {
        self.has_manual_clock = true;
        self
    }
}
