//! Lends a simulated server to a loopback socket, so that `redis-cli` and clients in
//! any language can talk to it. The only place with a socket, and with the wall
//! clock as the time.
//!
//! `cargo run --release --example serve -- --redis 127.0.0.1:6380`
//!
//! `--allow-any-address` lets it listen beyond loopback, where anybody may
//! connect.

#![expect(clippy::disallowed_methods, reason = "a real socket wants the real clock and threads")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stunt_double::redis::resp::{ByteOutput, ByteServer};
use stunt_double::redis::{ClientId, Server, ServerOptions};
use stunt_double::{Instant, Site, Stream, WORLD_EPOCH};

/// What the threads of the sockets tell the one that has the server.
enum Happened {
    Connected(ClientId, TcpStream),
    Received(ClientId, Vec<u8>),
    Ended(ClientId),
}

const USAGE: &str = "usage: serve --redis 127.0.0.1:PORT [--allow-any-address]";

/// The arguments: where to listen, if they say so.
fn address() -> Result<Option<SocketAddr>, String> {
    let mut address = None;
    let mut any = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--redis" => address = Some(arguments.next().ok_or(USAGE)?),
            "--allow-any-address" => any = true,
            "--help" => return Ok(None),
            // All examples take one; nothing here depends on it.
            "--seed" => drop(arguments.next()),
            other => return Err(format!("unknown argument '{other}'; {USAGE}")),
        }
    }
    let Some(address) = address else { return Ok(None) };
    let parsed: SocketAddr =
        address.parse().map_err(|_| format!("'{address}' is not an IP address with a port"))?;
    if !parsed.ip().is_loopback() && !any {
        return Err(format!("{parsed} is not loopback; --allow-any-address permits it"));
    }
    Ok(Some(parsed))
}

/// Takes connections; each gets a thread that reads.
fn accept(listener: &TcpListener, events: &Sender<Happened>) {
    for (number, stream) in (1..).zip(listener.incoming()) {
        let Ok(stream) = stream else { continue };
        let _ = stream.set_nodelay(true);
        let client = ClientId(number);
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

/// Drives the server: what happened goes in, bytes and timers come out.
fn serve(mut server: Server, events: &Receiver<Happened>) {
    // The calendar is the machine's, so that EXPIREAT and TIME mean what they say.
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(WORLD_EPOCH);
    let start = Instant::ZERO + since_epoch.saturating_sub(WORLD_EPOCH);
    let began = std::time::Instant::now();
    // Its process begins now, not at the beginning of the world.
    server.stop(start);
    server.start(start);
    let mut server = ByteServer::new(server);
    let mut sockets = std::collections::BTreeMap::new();
    loop {
        let now = start + began.elapsed();
        let wait = server.poll_timeout().map_or(Duration::from_secs(3_600), |at| at - now);
        let event = events.recv_timeout(wait);
        let now = start + began.elapsed();
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
            let Some(socket) = sockets.get_mut(&client) else { continue };
            let sent = match output {
                ByteOutput::Data(bytes) => socket.write_all(&bytes),
                ByteOutput::Close => socket.shutdown(Shutdown::Both),
            };
            if sent.is_err() {
                sockets.remove(&client);
                server.disconnected(now, client);
            }
        }
    }
}

fn run() -> Result<(), String> {
    let Some(address) = address()? else {
        println!("{USAGE}");
        return Ok(());
    };
    let listener = TcpListener::bind(address).map_err(|e| format!("cannot listen: {e}"))?;
    let (host, port) = (address.ip(), address.port());
    println!("a simulated Redis listens at {address}; try redis-cli -h {host} -p {port}");
    let (sender, receiver) = channel();
    thread::spawn(move || accept(&listener, &sender));
    let random = Stream::seeded(1, Site::new("serve.random"), 0);
    serve(Server::new(ServerOptions::default(), random), &receiver);
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
