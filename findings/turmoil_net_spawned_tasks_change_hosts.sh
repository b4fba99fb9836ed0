#!/usr/bin/env bash
# turmoil-net 0.1.0: in the fixture `ClientServer`, a task that the client spawns opens its sockets on the server's host.
#
# Expected: everything that the client's future does happens on the client's host, also in tasks that it spawns with
# `tokio::task::spawn_local`, as production code does.
# Seen: the shim knows whose socket it is only while it polls a host's own future. A spawned task runs with whatever host
# was polled last, here the server's, and its connection comes from the server's own address:
#   the client's future: peer is the client
#   a task it spawned: peer is the server
#
# Needs cargo. turmoil-net and tokio are taken from crates.io.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
tokio = { version = "1.54", features = ["rt", "time"] }
turmoil-net = "=0.1.0"
TOML
cat >"$folder/src/main.rs" <<'RUST'
use std::time::Duration;
use turmoil_net::fixture::ClientServer;
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};

/// Connects to the server, and says from whose address.
async fn whose() -> &'static str {
    let stream = TcpStream::connect("server:9000").await.unwrap();
    let from = stream.local_addr().unwrap().ip();
    tokio::time::sleep(Duration::from_millis(50)).await;
    match from.to_string().as_str() {
        "192.168.0.2" => "the client",
        _ => "the server",
    }
}

fn main() {
    let server = async {
        let listener = TcpListener::bind("0.0.0.0:9000").await.unwrap();
        loop {
            let accepted = tokio::time::timeout(Duration::from_millis(1), listener.accept());
            drop(accepted.await);
        }
    };
    ClientServer::new().server("server", server).run("client", async {
        println!("the client's future: peer is {}", whose().await);
        let spawned = tokio::task::spawn_local(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            whose().await
        });
        println!("a task it spawned: peer is {}", spawned.await.unwrap());
    });
}
RUST
seen=$(cd "$folder" && cargo run --quiet)
echo "$seen"
diff <(echo "$seen") <(sed -n 's/^#   //p' "$0")
