//! Recorded conversations, played to our server. No other server is needed.

#[path = "../recorded/mod.rs"]
mod files;

use crate::support::request;
use files::{ADDITIONS, Conversation, FILES, VERSIONS, conversations};
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::Server;
use stunt_double::redis::{ServerOptions, Version};
use stunt_double::sim::service::{ByteOutput, ByteService};
use stunt_double::{Instant, Site, Stream};

/// Plays a conversation to a new server of a version. Returns what differs.
fn play(conversation: &Conversation, version: Version) -> Vec<String> {
    let random = Stream::seeded(1, Site::new("test.recorded"), 0);
    let options = ServerOptions::default().with_version(version);
    let mut server = ByteServer::new(Server::new(options, random));
    server.connected(Instant::ZERO, 1, "127.0.0.1:1");
    let mut now = Instant::ZERO;
    conversation.play(|words| {
        server.receive(now, 1, &request(words));
        let mut reply = told(&mut server);
        // A request that waits is answered when its time is up.
        while reply.is_empty()
            && let Some(at) = server.poll_timeout()
        {
            now = now.max(at);
            server.handle_timeout(now);
            reply = told(&mut server);
        }
        reply
    })
}

fn told(server: &mut ByteServer) -> Vec<u8> {
    let outputs = std::iter::from_fn(|| server.poll_output());
    let data = outputs.filter_map(|(_, output)| match output {
        ByteOutput::Data(bytes) => Some(bytes),
        _ => None,
    });
    data.flatten().collect()
}

#[test]
fn our_server_answers_as_was_recorded() {
    let conversations = FILES.iter().flat_map(|(_, text)| conversations(text));
    let differences: Vec<String> =
        conversations.flat_map(|of| play(&of, Version::default())).collect();
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

#[test]
fn each_version_answers_as_was_recorded() {
    let of_version = |(version, text): &(Version, &str)| {
        let found = conversations(text);
        let differences: Vec<String> = found.iter().flat_map(|of| play(of, *version)).collect();
        (!differences.is_empty()).then(|| format!("{version}:\n{}", differences.join("\n")))
    };
    let all = VERSIONS.iter().chain(&ADDITIONS);
    let differences: Vec<String> = all.filter_map(of_version).collect();
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}
