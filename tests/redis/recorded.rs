//! Recorded conversations, played to our server. No other server is needed.

#[path = "../recorded/mod.rs"]
mod files;

use files::{FILES, conversations};
use stunt_double::redis::ServerOptions;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::Server;
use stunt_double::sim::service::{ByteOutput, ByteService};
use stunt_double::{Instant, Site, Stream};

/// Returns the bytes of a request.
fn encoded(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[test]
fn our_server_answers_as_was_recorded() {
    let mut differences = Vec::new();
    for conversation in FILES.iter().flat_map(|(_, text)| conversations(text)) {
        let random = Stream::seeded(1, Site::new("test.recorded"), 0);
        let mut server = ByteServer::new(Server::new(ServerOptions::default(), random));
        server.connected(Instant::ZERO, 1, "127.0.0.1:1");
        differences.extend(conversation.play(|words| {
            server.receive(Instant::ZERO, 1, &encoded(words));
            let mut reply = Vec::new();
            while let Some((_, output)) = server.poll_output() {
                if let ByteOutput::Data(bytes) = output {
                    reply.extend(bytes);
                }
            }
            reply
        }));
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}
