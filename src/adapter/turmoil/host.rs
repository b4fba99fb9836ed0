//! A server as the software of a host.
//!
//! One future owns the listener and every connection of a life, and polls them in the order of
//! their numbers. It spawns nothing: `turmoil-net` knows whose socket it is only while it polls the
//! host's own future.
//!
//! The invariant: whenever the future rests, everything the machine wants to send is in the buffer
//! of a connection or has been written, and a timer is set for the machine's next deadline.

use crate::Shutdown;
use crate::adapter::turmoil::connection::{Connection, State};
use crate::choice::{Site, Stream};
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::{BrokerOptions, wire};
use crate::redis::server::Server;
use crate::redis::{ServerOptions, resp};
use crate::sim::service::bytes::fire_until;
use crate::sim::service::{ByteOutput, ByteService, Service};
use crate::time::Instant;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant as TokioInstant, Sleep};

/// The port of RabbitMQ, and of Redis.
const AMQP: u16 = 5672;
const RESP: u16 = 6379;

/// How much is read at once.
const PIECE: usize = 16 * 1024;

/// A server that a simulated host runs; see the [module](super). Clones share the server.
pub struct Host<S> {
    shared: Rc<RefCell<Shared<S>>>,
    port: u16,
}

/// What outlives a life of the host.
struct Shared<S> {
    machine: S,
    crash: Shutdown,
    connections: u64,
    /// The latest time that the machine was given.
    now: Instant,
    is_running: bool,
    /// Wakes the host's future while it rests.
    resting: Option<Waker>,
}

impl Host<resp::ByteServer> {
    /// Returns a Redis for port 6379. `seed` decides what Redis draws at random.
    #[must_use]
    pub fn redis(options: ServerOptions, seed: u64) -> Host<resp::ByteServer> {
        let random = Stream::seeded(seed, Site::new("turmoil.redis"), 0);
        Host::new(resp::ByteServer::new(Server::new(options, random)), RESP)
    }
}

impl Host<wire::ByteServer> {
    /// Returns a RabbitMQ for port 5672. `seed` decides the names that it generates.
    #[must_use]
    pub fn rabbitmq(options: BrokerOptions, seed: u64) -> Host<wire::ByteServer> {
        let names = Stream::seeded(seed, Site::new("turmoil.rabbitmq"), 0);
        Host::new(wire::ByteServer::new(Broker::new(options, names)), AMQP)
    }
}

impl<S: ByteService + Service> Host<S> {
    fn new(mut machine: S, port: u16) -> Host<S> {
        // It begins to run with its host.
        Service::stop(&mut machine, Instant::ZERO, Shutdown::Clean);
        let shared = Shared {
            machine,
            crash: Shutdown::Kill,
            connections: 0,
            now: Instant::ZERO,
            is_running: false,
            resting: None,
        };
        Host { shared: Rc::new(RefCell::new(shared)), port }
    }

    /// Sets the port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Host<S> {
        self.port = port;
        self
    }

    /// Sets how the server ends when its host crashes: killed, by default.
    #[must_use]
    pub fn with_crash(self, how: Shutdown) -> Host<S> {
        self.shared.borrow_mut().crash = how;
        self
    }

    /// Calls `call` with the machine and the latest time that it was given, to look at it or to
    /// inject a fault. If its host runs, what it sends goes out with the host's next turn.
    ///
    /// # Panics
    ///
    /// If it is called from within itself.
    pub fn with<R>(&self, call: impl FnOnce(&mut S, Instant) -> R) -> R {
        let shared = &mut *self.shared.borrow_mut();
        let result = call(&mut shared.machine, shared.now);
        // There may be something to send, or another deadline.
        shared.resting.take().into_iter().for_each(Waker::wake);
        result
    }

    /// Serves on a host of `turmoil`, until it crashes.
    ///
    /// # Errors
    ///
    /// If the port is taken.
    ///
    /// # Panics
    ///
    /// If the server already runs on another host, or outside of turmoil.
    pub async fn serve(self) -> turmoil::Result {
        let address = ("0.0.0.0", self.port);
        let listener = Rc::new(::turmoil::net::TcpListener::bind(address).await?);
        let accept = move || {
            let listener = Rc::clone(&listener);
            async move { listener.accept().await }
        };
        let clock = || ::turmoil::sim_elapsed().expect("a host runs in a simulation");
        Ok(self.run(accept, clock).await?)
    }

    /// Serves on a host of `turmoil-net`, until the future is dropped.
    ///
    /// # Errors
    ///
    /// If the port is taken.
    ///
    /// # Panics
    ///
    /// If the server already runs on another host, or outside of turmoil-net.
    pub async fn serve_net(self) -> io::Result<()> {
        let address = format!("0.0.0.0:{}", self.port);
        let listener = turmoil_net::shim::tokio::net::TcpListener::bind(address.as_str()).await?;
        let listener = Rc::new(listener);
        let accept = move || {
            let listener = Rc::clone(&listener);
            async move { listener.accept().await }
        };
        let began = TokioInstant::now();
        let earlier = self.shared.borrow().now.since_start();
        self.run(accept, move || earlier + began.elapsed()).await
    }

    async fn run<A, F, T>(self, accept: A, clock: impl Fn() -> Duration) -> io::Result<()>
    where
        A: Fn() -> F,
        F: Future<Output = io::Result<(T, SocketAddr)>>,
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let mut life = Life::begin(self.shared, Instant::ZERO + clock());
        let mut accepting = Box::pin(accept());
        poll_fn(|cx| {
            loop {
                life.time_is(Instant::ZERO + clock());
                let mut busy = false;
                if let Poll::Ready(accepted) = accepting.as_mut().poll(cx) {
                    accepting.set(accept());
                    let (stream, peer) = accepted?;
                    life.connected(stream, peer);
                    busy = true;
                }
                busy |= life.receive(cx);
                life.send(cx);
                if !busy && life.wait(cx).is_pending() {
                    life.shared.borrow_mut().resting = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

/// One life of a server: from the start of its host to its crash.
struct Life<S: Service, T> {
    shared: Rc<RefCell<Shared<S>>>,
    connections: BTreeMap<u64, Connection<T>>,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    buffer: Box<[u8]>,
}

impl<S: ByteService + Service, T: AsyncRead + AsyncWrite + Unpin> Life<S, T> {
    fn begin(shared: Rc<RefCell<Shared<S>>>, now: Instant) -> Life<S, T> {
        let mut state = shared.borrow_mut();
        assert!(!state.is_running, "a server runs on one host at a time");
        state.is_running = true;
        state.now = now;
        state.machine.start(now);
        drop(state);
        let buffer = vec![0; PIECE].into_boxed_slice();
        Life { shared, connections: BTreeMap::new(), timer: None, buffer }
    }

    /// Sets the time, and fires the machine's timers that are due.
    fn time_is(&mut self, now: Instant) {
        let state = &mut *self.shared.borrow_mut();
        let from = std::mem::replace(&mut state.now, now);
        fire_until(&mut state.machine, |machine| machine, from, now, |_, _| {});
    }

    fn connected(&mut self, stream: T, peer: SocketAddr) {
        let state = &mut *self.shared.borrow_mut();
        state.connections += 1;
        let number = state.connections;
        ByteService::connected(&mut state.machine, state.now, number, &peer.to_string());
        self.connections.insert(number, Connection::new(stream));
    }

    /// Gives the machine what has arrived: at most one piece of each connection, so that none
    /// keeps the others waiting. Returns whether there was anything.
    fn receive(&mut self, cx: &mut Context<'_>) -> bool {
        let state = &mut *self.shared.borrow_mut();
        let buffer = &mut self.buffer;
        let mut busy = false;
        self.connections.retain(|number, connection| match connection.poll_read(cx, buffer) {
            Poll::Pending => true,
            Poll::Ready(Ok(count @ 1..)) => {
                busy = true;
                state.machine.receive(state.now, *number, &buffer[..count]);
                true
            }
            Poll::Ready(Ok(0) | Err(_)) => {
                busy = true;
                ByteService::disconnected(&mut state.machine, state.now, *number);
                false
            }
        });
        busy
    }

    /// Sends what the machine has to say.
    fn send(&mut self, cx: &mut Context<'_>) {
        let state = &mut *self.shared.borrow_mut();
        while let Some((number, output)) = ByteService::poll_output(&mut state.machine) {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            match output {
                ByteOutput::Data(bytes) => connection.push(&bytes),
                ByteOutput::Close(_) => connection.close(),
            }
        }
        self.connections.retain(|number, connection| match connection.poll_write(cx) {
            State::Open => true,
            State::Closed => false,
            State::Broken => {
                ByteService::disconnected(&mut state.machine, state.now, *number);
                false
            }
        });
    }

    /// Waits for the machine's next deadline.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.shared.borrow();
        let Some(due) = ByteService::poll_timeout(&state.machine) else { return Poll::Pending };
        let left = due - state.now;
        let (_, timer) = match self.timer.take() {
            Some((at, timer)) if at == due => self.timer.insert((at, timer)),
            _ => self.timer.insert((due, Box::pin(tokio::time::sleep(left)))),
        };
        let fired = timer.as_mut().poll(cx);
        if fired.is_ready() {
            self.timer = None;
        }
        fired
    }
}

/// The host has crashed, or the simulation has ended.
impl<S: Service, T> Drop for Life<S, T> {
    fn drop(&mut self) {
        let state = &mut *self.shared.borrow_mut();
        state.is_running = false;
        state.resting = None;
        state.machine.stop(state.now, state.crash);
        for number in self.connections.keys() {
            Service::disconnected(&mut state.machine, state.now, *number);
        }
        while Service::poll_output(&mut state.machine).is_some() {}
        if let Some(bytes) = state.machine.bytes() {
            while bytes.poll_output().is_some() {}
        }
    }
}

impl<S> Clone for Host<S> {
    fn clone(&self) -> Host<S> {
        Host { shared: Rc::clone(&self.shared), port: self.port }
    }
}

impl<S> fmt::Debug for Host<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("port", &self.port).finish_non_exhaustive()
    }
}
