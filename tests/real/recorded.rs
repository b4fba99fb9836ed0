//! Recorded conversations, played to the real server: what was recorded is still true.

#[path = "../recorded/mod.rs"]
mod files;

use crate::server::RealServer;
use files::{ADDITIONS, FILES, VERSIONS, conversations};
use stunt_double::redis::Version;

#[test]
fn the_real_server_answers_as_was_recorded() {
    let mut differences = Vec::new();
    let mut conversed = 0;
    for conversation in FILES.iter().flat_map(|(_, text)| conversations(text)) {
        let Some(server) = RealServer::start(&["--save", ""]) else { return };
        if server.version() != Version::default() {
            return println!("SKIPPED: these were recorded from {}", Version::default());
        }
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

/// The variable that has the replies written anew.
const RECORD: &str = "STUNT_DOUBLE_RECORD";

#[test]
fn the_real_server_answers_as_its_version_was_recorded() {
    let Some(server) = RealServer::start(&["--save", ""]) else { return };
    let version = server.version();
    drop(server);
    if std::env::var(RECORD).is_ok_and(|value| value == "1") {
        record(version, "versions", include_str!("../recorded/versions/requests.txt"));
        record(version, "additions", include_str!("../recorded/additions/requests.txt"));
        return;
    }
    let recorded = VERSIONS.iter().chain(&ADDITIONS).filter(|(of, _)| *of == version);
    let mut differences = Vec::new();
    for conversation in recorded.flat_map(|(_, text)| conversations(text)) {
        let Some(server) = RealServer::start(&["--save", ""]) else { return };
        let mut client = server.connect();
        differences.extend(conversation.play(|words| {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            client.request(&words)
        }));
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    println!("{version} answers as was recorded");
}

/// Writes the replies to all requests to the file of a version in a folder.
fn record(version: Version, folder: &str, requests: &str) {
    let folder = format!("{}/tests/recorded/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut text =
        format!("# The replies of {version}, {}, to `requests.txt`.\n", version.number());
    let mut session = None;
    for line in requests.lines().filter(|line| !line.starts_with("# ")) {
        text += line;
        text += "\n";
        if line.starts_with("= ") {
            let server = RealServer::start(&["--save", ""]).expect("it has just been started");
            let client = server.connect();
            session = Some((server, client));
        } else if !line.is_empty() {
            let (_, client) = session.as_mut().expect("a name comes first");
            let words = files::words(line);
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let reply = client.request(&words);
            let is_open = OPEN.iter().any(|open| line.starts_with(open));
            let reply = if is_open { "*".to_owned() } else { reply.escape_ascii().to_string() };
            text += &format!("  {}\n", reply.replace("\\'", "'"));
        }
    }
    std::fs::write(format!("{folder}/{version}.txt"), text).expect("the folder can be written to");
}

/// Requests whose replies depend on the machine, on what is not modelled, or on an open order.
const OPEN: [&str; 9] = [
    "hello",
    "info",
    "module list",
    "lolwut",
    "command count",
    "command info",
    "acl cat",
    "smembers",
    "dump x",
];
