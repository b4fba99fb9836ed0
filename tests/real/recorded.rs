//! Recorded conversations, played to the real server: what was recorded is still true.

#[path = "../recorded/mod.rs"]
mod files;

use crate::server::RealServer;
use files::{FILES, conversations};

#[test]
fn the_real_server_answers_as_was_recorded() {
    let mut differences = Vec::new();
    let mut conversed = 0;
    for conversation in FILES.iter().flat_map(|(_, text)| conversations(text)) {
        let Some(server) = RealServer::start(&["--save", ""]) else { return };
        let mut client = server.connect();
        conversed += 1;
        differences.extend(conversation.play(|words| {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            client.request(&words)
        }));
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    println!("{conversed} conversations: the real server answers as was recorded");
}
