//! Lends simulated servers to loopback sockets, so that `redis-cli`, AMQP clients and clients in
//! any language can talk to them.
//!
//! `cargo run --release --features loopback --example serve -- --redis 127.0.0.1:6380 --amqp
//! 127.0.0.1:5673`
//!
//! Either may be left out, and so may the host. Port 0 lets the system choose one.
//! `--redis-version` imitates another version, such as `8.2` or `valkey-9.1`, and so does
//! `--amqp-version`: `4.3`. `--help` lists them, as does a command line without a server.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;
use std::str::FromStr;
use stunt_double::adapter::loopback::{Options, Server};
use stunt_double::rabbitmq::{self, BrokerOptions};
use stunt_double::redis::{self, ServerOptions};

const USAGE: &str = "usage: serve [--redis 127.0.0.1:PORT] [--redis-version VERSION] \
                     [--amqp 127.0.0.1:PORT] [--amqp-version VERSION]";

/// The arguments of the command line.
#[derive(Default)]
struct Asked {
    redis: Option<u16>,
    redis_version: Option<redis::Version>,
    amqp: Option<u16>,
    amqp_version: Option<rabbitmq::Version>,
    help: bool,
}

impl Asked {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut asked = Asked::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let mut value = || {
                let value = value.clone().or_else(|| arguments.next());
                value.ok_or_else(|| format!("{name} needs a value"))
            };
            match name {
                "--redis" => asked.redis = Some(port(&value()?)?),
                "--redis-version" => asked.redis_version = Some(version(&value()?)?),
                "--amqp" => asked.amqp = Some(port(&value()?)?),
                "--amqp-version" => asked.amqp_version = Some(version(&value()?)?),
                // All examples take one; nothing here depends on it.
                "--seed" => drop(value()?),
                "--help" | "-h" => asked.help = true,
                _ => return Err(format!("unknown argument '{argument}'")),
            }
        }
        asked.check()
    }

    /// Refuses a version of a server that is not asked for.
    fn check(self) -> Result<Asked, String> {
        if self.help {
            return Ok(self);
        }
        if self.redis.is_none() && self.redis_version.is_some() {
            return Err("--redis-version needs --redis".to_owned());
        }
        if self.amqp.is_none() && self.amqp_version.is_some() {
            return Err("--amqp-version needs --amqp".to_owned());
        }
        Ok(self)
    }
}

/// Reads a port, or an address, which must be on loopback.
fn port(address: &str) -> Result<u16, String> {
    if let Ok(port) = address.strip_prefix("localhost:").unwrap_or(address).parse() {
        return Ok(port);
    }
    let parsed = address.parse::<SocketAddrV4>();
    let parsed = parsed.map_err(|_| format!("'{address}' is not 127.0.0.1 with a port"))?;
    let is_loopback = *parsed.ip() == Ipv4Addr::LOCALHOST;
    is_loopback.then(|| parsed.port()).ok_or_else(|| format!("{address} is not 127.0.0.1"))
}

fn version<V: FromStr<Err: Display>>(name: &str) -> Result<V, String> {
    name.parse().map_err(|error: V::Err| error.to_string())
}

fn help() {
    let names = |all: Vec<String>| all.join(", ");
    let redis = redis::Version::ALL.iter().map(ToString::to_string).collect();
    let amqp = rabbitmq::Version::ALL.iter().map(ToString::to_string).collect();
    println!("{USAGE}\n");
    println!("versions of --redis: {}", names(redis));
    println!("versions of --amqp:  {}", names(amqp));
    println!("The beginning of a name is its newest version: 8, valkey, valkey-9, 4.");
    println!("The oldest ones are the default. A port of 0 lets the system choose one.");
}

fn serve(asked: &Asked) -> Result<(), String> {
    let mut options = Options::default().with_seed(1).without_redis().without_rabbitmq();
    let redis_version = asked.redis_version.unwrap_or_default();
    let amqp_version = asked.amqp_version.unwrap_or_default();
    if let Some(port) = asked.redis {
        options = options
            .with_redis_port(port)
            .with_redis(ServerOptions::default().with_version(redis_version));
    }
    if let Some(port) = asked.amqp {
        options = options
            .with_rabbitmq_port(port)
            .with_rabbitmq(BrokerOptions::default().with_version(amqp_version));
    }
    let server = Server::start(options).map_err(|error| error.to_string())?;
    if asked.redis.is_some() {
        println!("a simulated {} listens at {}", redis_version.title(), server.redis_url());
    }
    if asked.amqp.is_some() {
        println!("a simulated {} listens at {}", amqp_version.title(), server.amqp_url());
    }
    server.wait();
    Ok(())
}

fn main() -> ExitCode {
    let asked = match Asked::read(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // Without a server there is nothing to wait for, so the command line is explained.
    if asked.help || (asked.redis.is_none() && asked.amqp.is_none()) {
        help();
        return ExitCode::SUCCESS;
    }
    serve(&asked).map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}
