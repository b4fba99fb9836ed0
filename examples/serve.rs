//! Lends simulated servers to loopback sockets, so that `redis-cli`, AMQP clients and clients in
//! any language can talk to them.
//!
//! `cargo run --release --features loopback --example serve -- --redis 127.0.0.1:6380 --amqp
//! 127.0.0.1:5673`
//!
//! Either may be left out. Port 0 lets the system choose one. `--redis-version` imitates another
//! version, such as `8.2` or `valkey-9.1`, and so does `--amqp-version`: `4.3`.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;
use stunt_double::adapter::loopback::{Options, Server};
use stunt_double::rabbitmq::{self, BrokerOptions};
use stunt_double::redis::{self, ServerOptions};

const USAGE: &str = "usage: serve [--redis 127.0.0.1:PORT] [--redis-version VERSION] \
                     [--amqp 127.0.0.1:PORT] [--amqp-version VERSION]";

/// Reads the port of an address, which must be on loopback.
fn port(address: Option<String>) -> Result<u16, String> {
    let address = address.ok_or(USAGE)?;
    let parsed = address.parse::<SocketAddrV4>();
    let parsed = parsed.map_err(|_| format!("'{address}' is not 127.0.0.1 with a port"))?;
    let is_loopback = *parsed.ip() == Ipv4Addr::LOCALHOST;
    is_loopback.then(|| parsed.port()).ok_or_else(|| format!("{address} is not 127.0.0.1"))
}

fn run() -> Result<(), String> {
    let mut options = Options::default().with_seed(1).without_redis().without_rabbitmq();
    let (mut redis, mut amqp) = (false, false);
    let mut redis_options = ServerOptions::default();
    let mut amqp_options = BrokerOptions::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--redis" => {
                redis = true;
                options = options.with_redis_port(port(arguments.next())?);
            }
            "--redis-version" => {
                let name = arguments.next().ok_or(USAGE)?;
                let version = name.parse::<redis::Version>().map_err(|error| error.to_string())?;
                redis_options = redis_options.with_version(version);
            }
            "--amqp" => {
                amqp = true;
                options = options.with_rabbitmq_port(port(arguments.next())?);
            }
            "--amqp-version" => {
                let name = arguments.next().ok_or(USAGE)?;
                let version =
                    name.parse::<rabbitmq::Version>().map_err(|error| error.to_string())?;
                amqp_options = amqp_options.with_version(version);
            }
            // All examples take one; nothing here depends on it.
            "--seed" => drop(arguments.next()),
            "--help" => (redis, amqp) = (false, false),
            other => return Err(format!("unknown argument '{other}'; {USAGE}")),
        }
    }
    if !redis && !amqp {
        println!("{USAGE}");
        return Ok(());
    }
    if redis {
        options = options.with_redis(redis_options);
    }
    if amqp {
        options = options.with_rabbitmq(amqp_options);
    }
    let server = Server::start(options).map_err(|error| error.to_string())?;
    if redis {
        println!("a simulated Redis listens at {}", server.redis_url());
    }
    if amqp {
        println!("a simulated RabbitMQ listens at {}", server.amqp_url());
    }
    server.wait();
    Ok(())
}

fn main() -> ExitCode {
    run().map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}
