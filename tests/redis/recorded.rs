//! Recorded conversations, played to our server. No other server is needed.

#[path = "../recorded/mod.rs"]
mod files;

use crate::support::request;
use files::{FILES, conversations};
use stunt_double::redis::ServerOptions;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::Server;
use stunt_double::sim::service::{ByteOutput, ByteService};
use stunt_double::{Instant, Site, Stream};

#[test]
fn our_server_answers_as_was_recorded() {
    let mut differences = Vec::new();
    for conversation in FILES.iter().flat_map(|(_, text)| conversations(text)) {
        let random = Stream::seeded(1, Site::new("test.recorded"), 0);
        let mut server = ByteServer::new(Server::new(ServerOptions::default(), random));
        server.connected(Instant::ZERO, 1, "127.0.0.1:1");
        differences.extend(conversation.play(|words| {
            server.receive(Instant::ZERO, 1, &request(words));
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
