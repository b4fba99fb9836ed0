//! Lends a simulated server to a loopback socket, so that `redis-cli`, AMQP clients
//! and clients in any language can talk to it. The only place with a socket, and
//! with the wall clock as the time.
//!
//! `cargo run --release --example serve -- --redis 127.0.0.1:6380 --amqp 127.0.0.1:5673`
//!
//! Either may be left out. `--allow-any-address` lets it listen beyond loopback,
//! where anybody may connect.

#![expect(clippy::disallowed_methods, reason = "a real socket wants the real clock and threads")]

use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stunt_double::rabbitmq::broker::Broker;
use stunt_double::rabbitmq::{BrokerOptions, wire};
use stunt_double::redis::server::Server;
use stunt_double::redis::{ServerOptions, resp};
use stunt_double::sim::service::{ByteOutput, ByteService, Hangup};
use stunt_double::{Instant, Shutdown, Site, Stream, WORLD_EPOCH};

/// A message from a socket's thread to the thread that has the server.
enum Happened {
    Connected(u64, TcpStream),
    Received(u64, Vec<u8>),
    Ended(u64),
}

const USAGE: &str =
    "usage: serve [--redis 127.0.0.1:PORT] [--amqp 127.0.0.1:PORT] [--allow-any-address]";

/// The arguments: where to listen, for whom.
#[derive(Default)]
struct Addresses {
    redis: Option<SocketAddr>,
    amqp: Option<SocketAddr>,
}

fn addresses() -> Result<Addresses, String> {
    let mut addresses = Addresses::default();
    let mut any = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut address = || {
            let address = arguments.next().ok_or(USAGE)?;
            let parsed = address.parse();
            parsed.map_err(|_| format!("'{address}' is not an IP address with a port"))
        };
        match argument.as_str() {
            "--redis" => addresses.redis = Some(address()?),
            "--amqp" => addresses.amqp = Some(address()?),
            "--allow-any-address" => any = true,
            "--help" => return Ok(Addresses::default()),
            // All examples take one; nothing here depends on it.
            "--seed" => drop(arguments.next()),
            other => return Err(format!("unknown argument '{other}'; {USAGE}")),
        }
    }
    let beyond = |address: &SocketAddr| !address.ip().is_loopback() && !any;
    match [addresses.redis, addresses.amqp].into_iter().flatten().find(beyond) {
        Some(address) => Err(format!("{address} is not loopback; --allow-any-address permits it")),
        None => Ok(addresses),
    }
}

/// Takes connections; each gets a thread that reads.
fn accept(listener: &TcpListener, events: &Sender<Happened>) {
    for (client, stream) in (1..).zip(listener.incoming()) {
        let Ok(stream) = stream else { continue };
        let _ = stream.set_nodelay(true);
        let Ok(mut reader) = stream.try_clone() else { continue };
        if events.send(Happened::Connected(client, stream)).is_err() {
            return;
        }
        let events = events.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if events.send(Happened::Received(client, buffer[..read].to_vec())).is_err() {
                    return;
                }
            }
            let _ = events.send(Happened::Ended(client));
        });
    }
}

/// Drives a server: what happened goes in, bytes and timers come out.
fn serve(mut server: impl ByteService, clock: Clock, events: &Receiver<Happened>) {
    let mut sockets = std::collections::BTreeMap::new();
    loop {
        let wait = server.poll_timeout().map_or(Duration::from_secs(3_600), |at| at - clock.now());
        let event = events.recv_timeout(wait);
        let now = clock.now();
        match event {
            Ok(Happened::Connected(client, socket)) => {
                let peer = socket.peer_addr().map_or_else(|_| "?".to_owned(), |a| a.to_string());
                server.connected(now, client, &peer);
                sockets.insert(client, socket);
            }
            Ok(Happened::Received(client, bytes)) => server.receive(now, client, &bytes),
            Ok(Happened::Ended(client)) => {
                sockets.remove(&client);
                server.disconnected(now, client);
            }
            Err(RecvTimeoutError::Timeout) => server.handle_timeout(now),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while let Some((client, output)) = server.poll_output() {
            match output {
                ByteOutput::Data(bytes) => {
                    let Some(socket) = sockets.get_mut(&client) else { continue };
                    if socket.write_all(&bytes).is_err() {
                        sockets.remove(&client);
                        server.disconnected(now, client);
                    }
                }
                ByteOutput::Close(how) => {
                    let Some(socket) = sockets.remove(&client) else { continue };
                    close(&socket, how);
                }
                _ => {}
            }
        }
    }
}

/// Closes a socket, which the thread that reads from it then lets go.
fn close(socket: &TcpStream, how: Hangup) {
    let _ = match how {
        // A socket that lingers for no time is reset when its last handle is dropped.
        Hangup::Reset => SockRef::from(socket)
            .set_linger(Some(Duration::ZERO))
            .and_then(|()| socket.shutdown(std::net::Shutdown::Read)),
        _ => socket.shutdown(std::net::Shutdown::Both),
    };
}

/// The time of a world that began when the machine's calendar had a certain day.
#[derive(Clone, Copy)]
struct Clock {
    start: Instant,
    began: std::time::Instant,
}

impl Clock {
    /// The calendar is the machine's, so that EXPIREAT and TIME mean what they say.
    fn new() -> Clock {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(WORLD_EPOCH);
        let start = Instant::ZERO + since_epoch.saturating_sub(WORLD_EPOCH);
        Clock { start, began: std::time::Instant::now() }
    }

    fn now(self) -> Instant {
        self.start + self.began.elapsed()
    }
}

/// Listens, and lets a thread of its own serve.
fn listen(
    address: SocketAddr,
    clock: Clock,
    server: impl ByteService + Send + 'static,
) -> Result<thread::JoinHandle<()>, String> {
    let listener = TcpListener::bind(address).map_err(|e| format!("cannot listen: {e}"))?;
    let (sender, receiver) = channel();
    thread::spawn(move || accept(&listener, &sender));
    Ok(thread::spawn(move || serve(server, clock, &receiver)))
}

fn run() -> Result<(), String> {
    let addresses = addresses()?;
    let clock = Clock::new();
    let mut threads = Vec::new();
    if let Some(address) = addresses.redis {
        let options = ServerOptions::default().with_port(address.port());
        let mut server = Server::new(options, Stream::seeded(1, Site::new("serve.random"), 0));
        // Its process begins now, not at the beginning of the world.
        server.stop(clock.start, Shutdown::Clean);
        server.start(clock.start);
        threads.push(listen(address, clock, resp::ByteServer::new(server))?);
        let (host, port) = (address.ip(), address.port());
        println!("a simulated Redis listens at {address}; try redis-cli -h {host} -p {port}");
    }
    if let Some(address) = addresses.amqp {
        let names = Stream::seeded(1, Site::new("serve.names"), 0);
        let broker = Broker::new(BrokerOptions::default(), names);
        threads.push(listen(address, clock, wire::ByteServer::new(broker))?);
        println!("a simulated RabbitMQ listens at {address}; amqp://guest:guest@{address}/");
    }
    if threads.is_empty() {
        println!("{USAGE}");
    }
    for thread in threads {
        thread.join().map_err(|_| "a server has panicked".to_owned())?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
