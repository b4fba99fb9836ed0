//! One server with clients of both kinds: those that send commands as values, and those that send
//! bytes.

use bytes::Bytes;
use stunt_double::Shutdown;
use stunt_double::redis::ServerOptions;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::Server;
use stunt_double::sim::service::{ByteOutput, ByteService, Service};
use stunt_double::{Instant, Site, Stream};

const NOW: Instant = Instant::ZERO;
const CLIENT: u64 = 1;

/// Returns everything that was sent to the typed clients.
fn told_typed(server: &mut ByteServer) -> Vec<(u64, String)> {
    let polled = std::iter::from_fn(|| Service::poll_output(server));
    polled.map(|(client, output)| (client, ByteServer::describe_output(&output))).collect()
}

#[test]
fn typed_clients_and_clients_of_bytes_share_one_server() {
    const TYPED: u64 = 2;
    let request = |words: &[&'static str]| words.iter().map(|w| Bytes::from(*w)).collect();
    let random = Stream::seeded(1, Site::new("test.bytes"), 0);
    let mut server = ByteServer::new(Server::new(ServerOptions::default(), random));
    Service::connected(&mut server, NOW, TYPED, "typed");
    server.handle_input(NOW, TYPED, request(&["SET", "k", "typed"]));
    assert_eq!(told_typed(&mut server), [(TYPED, "OK".to_owned())]);

    ByteService::connected(&mut server, NOW, CLIENT, "bytes");
    server.receive(NOW, CLIENT, b"GET k\r\nBLPOP q 0\r\nPING\r\n");
    let data = |bytes: &[u8]| Some((CLIENT, ByteOutput::Data(bytes.to_vec())));
    assert_eq!(ByteService::poll_output(&mut server), data(b"$5\r\ntyped\r\n"));
    // A push of the typed client serves the byte client, which continues with what it had sent.
    server.handle_input(NOW, TYPED, request(&["RPUSH", "q", "a"]));
    assert_eq!(told_typed(&mut server), [(TYPED, "(integer) 1".to_owned())]);
    let fed = b"*2\r\n$1\r\nq\r\n$1\r\na\r\n+PONG\r\n";
    assert_eq!(ByteService::poll_output(&mut server), data(fed));
    // And a push of the byte client serves the typed client.
    server.handle_input(NOW, TYPED, request(&["BLPOP", "q", "0"]));
    server.handle_input(NOW, TYPED, request(&["QUIT"]));
    assert!(told_typed(&mut server).is_empty());
    server.receive(NOW, CLIENT, b"RPUSH q b\r\n");
    assert_eq!(ByteService::poll_output(&mut server), data(b":1\r\n"));
    let told = told_typed(&mut server);
    let texts: Vec<&str> = told.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["1) \"q\" 2) \"b\"", "OK", "closed"]);

    server.stop(NOW, Shutdown::Clean);
    server.start(NOW);
    server.receive(NOW, CLIENT, b"PING\r\n");
    assert_eq!(ByteService::poll_output(&mut server), None, "its connection is gone");
}
