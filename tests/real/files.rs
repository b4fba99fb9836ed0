//! Files in both directions: the real server loads our RDB and append-only files, and we load its
//! own. The digest of the data stays the same.

use crate::dump::makers;
use crate::geo::line;
use crate::server::{RealServer, RealSocket};
use std::path::Path;
use stunt_double::redis::server::{ClientId, Output, Server};
use stunt_double::redis::{ServerOptions, Version};
use stunt_double::{Instant, Site, Stream};

fn ask(socket: &mut RealSocket, request: &[Vec<u8>]) -> String {
    let words: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
    String::from_utf8_lossy(&socket.request(&words)).trim().to_owned()
}

/// Fills a real server with all kinds of values, in two databases, some with a time to live.
fn fill(socket: &mut RealSocket, seed: u64) {
    let mut random = Stream::seeded(seed, Site::new("test.files"), 0);
    for number in 0..300 {
        let database = if number < 200 { 0 } else { 3 };
        ask(socket, &line(&format!("SELECT {database}")));
        for request in makers(&mut random) {
            ask(socket, &request);
        }
        ask(socket, &line(&format!("RENAME k key:{number}")));
        if number % 3 == 0 {
            ask(
                socket,
                &line(&format!("PEXPIREAT key:{number} {}", 4_102_444_800_000 + i64::from(number))),
            );
        }
    }
    ask(socket, &line("SELECT 0"));
    ask(socket, &line("SADD hashed a b c 1 2 3"));
    let many: Vec<String> = (0..600).map(|n| format!("f{n} v{n}")).collect();
    ask(socket, &line(&format!("HSET fields {}", many.join(" "))));
    ask(socket, &line("PFADD sketch a b c"));
    for request in [
        "XADD stream 1-1 f v",
        "XADD stream 2-1 f v g w",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group ann COUNT 1 STREAMS stream >",
        "XGROUP CREATECONSUMER stream group idle",
        "XADD empty 1-1 f v",
        "XDEL empty 1-1",
    ] {
        ask(socket, &line(request));
    }
    ask(socket, &line("GEOADD places 13.361389 38.115556 a 15.087269 37.502669 b"));
}

fn digest(socket: &mut RealSocket) -> String {
    ask(socket, &line("DEBUG DIGEST"))
}

fn ours(real: &RealServer) -> Server {
    let options = ServerOptions::default().with_version(real.version());
    Server::new(options, Stream::calm(Site::new("test.files"), 0))
}

fn our_digest(server: &mut Server) -> String {
    assert_eq!(server.check_invariants(), Ok(()));
    let client = ClientId(1);
    server.connected(Instant::ZERO, client, "test");
    server.handle_input(Instant::ZERO, client, &[b"DEBUG", b"DIGEST"]);
    let Some(Output::Reply { reply, .. }) = server.poll_output() else { panic!("it answers") };
    server.disconnected(Instant::ZERO, client);
    format!("+{reply}")
}

#[test]
fn rdb_files_go_both_ways() {
    let Some(mut real) = RealServer::start(&["--save", ""]) else { return };
    for seed in 0..3 {
        let mut socket = real.connect();
        ask(&mut socket, &line("FLUSHALL"));
        fill(&mut socket, seed);
        let expected = digest(&mut socket);
        ask(&mut socket, &line("SAVE"));
        let file = std::fs::read(real.folder().join("dump.rdb")).unwrap();
        let mut server = ours(&real);
        assert_eq!(server.load_rdb(Instant::ZERO, &file), Ok(Vec::new()));
        assert_eq!(our_digest(&mut server), expected, "seed {seed}");

        let file = server.to_rdb();
        real.restart_with(|folder| std::fs::write(folder.join("dump.rdb"), &file).unwrap());
        assert_eq!(digest(&mut real.connect()), expected, "seed {seed}");
        let at = file.len() / 2;
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        assert!(server.load_rdb(Instant::ZERO, &damaged).is_err());
        assert!(server.load_rdb(Instant::ZERO, &file[..at]).is_err());
        assert_eq!(our_digest(&mut server), expected, "a damaged file changes nothing");
    }
}

/// Returns the files of a multi-part append-only file in one: base, then increment.
fn joined(folder: &Path) -> Vec<u8> {
    let mut parts: Vec<_> = std::fs::read_dir(folder.join("appendonlydir"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_string_lossy().ends_with("manifest"))
        .collect();
    // The last base is before the last increment.
    parts.sort();
    let last = |kind: &str| {
        let part = parts.iter().rfind(|path| path.to_string_lossy().contains(kind));
        part.map_or_else(Vec::new, |path| std::fs::read(path).unwrap())
    };
    [last(".base."), last(".incr.")].concat()
}

#[test]
fn append_only_files_go_both_ways() {
    for preamble in ["yes", "no"] {
        let options = ["--save", "", "--appendonly", "yes", "--aof-use-rdb-preamble", preamble];
        let Some(mut real) = RealServer::start(&options) else { return };
        let mut socket = real.connect();
        fill(&mut socket, 1);
        ask(&mut socket, &line("BGREWRITEAOF"));
        while !ask(&mut socket, &line("INFO persistence")).contains("aof_rewrite_in_progress:0") {}
        for request in ["SET after 1", "MULTI", "INCR after", "RPUSH more a b", "EXEC", "DEL key:7"]
        {
            ask(&mut socket, &line(request));
        }
        let expected = digest(&mut socket);
        ask(&mut socket, &line("CONFIG SET appendfsync always"));
        ask(&mut socket, &line("SET last 1"));
        ask(&mut socket, &line("DEL last"));
        let file = joined(real.folder());
        let mut server = ours(&real);
        let load = server.load_append_only_file(Instant::ZERO, &file).unwrap();
        assert_eq!(load.truncated_at, None);
        assert_eq!(our_digest(&mut server), expected, "preamble {preamble}");
        for cut in [1, 5, 20, 40, 100] {
            let load = server.load_append_only_file(Instant::ZERO, &file[..file.len() - cut]);
            let load = load.expect("a file may be cut");
            assert!(load.truncated_at.is_some_and(|at| at <= file.len() - cut), "{load:?}");
        }
        server.load_append_only_file(Instant::ZERO, &file).unwrap();

        let file = server.to_append_only_file();
        real.restart_with(|folder| {
            std::fs::remove_dir_all(folder.join("appendonlydir")).unwrap();
            std::fs::write(folder.join("appendonly.aof"), &file).unwrap();
        });
        assert_eq!(digest(&mut real.connect()), expected, "preamble {preamble}");
        let mut again = ours(&real);
        again.load_append_only_file(Instant::ZERO, &file).unwrap();
        assert_eq!(our_digest(&mut again), expected);
    }
}

/// Sends lines to our server. Returns its last reply.
fn say(server: &mut Server, lines: &[&str]) -> String {
    let client = ClientId(1);
    server.connected(Instant::ZERO, client, "test");
    let mut last = String::new();
    for request in lines {
        let request = line(request);
        let words: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
        server.handle_input(Instant::ZERO, client, &words);
        let Some(Output::Reply { reply, .. }) = server.poll_output() else { panic!("it answers") };
        last = reply.to_string();
    }
    server.disconnected(Instant::ZERO, client);
    last
}

#[test]
fn append_only_files_have_the_producers() {
    let options = ["--save", "", "--appendonly", "yes", "--aof-use-rdb-preamble", "no"];
    let Some(mut real) = RealServer::start(&options) else { return };
    if real.version() != Version::Redis8_6 {
        return;
    }
    let lines = [
        "CONFIG SET stream-idmp-duration 55",
        "XADD s 9999999999999-1 a 1",
        "XADD s 9999999999999-2 a 1",
        "XADD s 9999999999999-3 a 1",
        "XADD s 9999999999999-4 a 1",
        "XADD s IDMPAUTO r * a 1",
        "XADD s IDMPAUTO r * a 1",
        "XIDMPRECORD s q n1 9999999999999-2",
        "XIDMPRECORD s q n0 9999999999999-3",
        "XIDMPRECORD s q n9 9999999999999-1",
        "XIDMPRECORD s p zz 9999999999999-4",
        "XDEL s 9999999999999-3",
        "XGROUP CREATE s g $",
        "CONFIG SET stream-idmp-duration 100",
    ];
    let mut server = ours(&real);
    say(&mut server, &lines);
    let mut socket = real.connect();
    for request in lines {
        ask(&mut socket, &line(request));
    }
    ask(&mut socket, &line("BGREWRITEAOF"));
    let ends = ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"];
    let is_rewritten = |told: &str| ends.iter().all(|end| told.contains(end));
    let rewritten =
        (0..1_000_000).any(|_| is_rewritten(&ask(&mut socket, &line("INFO persistence"))));
    assert!(rewritten, "the real server does not end its rewrite");
    let file = server.to_append_only_file();
    let (real_file, ours_file) = (joined(real.folder()), file.clone());
    assert_eq!(real_file.escape_ascii().to_string(), ours_file.escape_ascii().to_string());

    real.restart_with(|folder| {
        std::fs::remove_dir_all(folder.join("appendonlydir")).unwrap();
        std::fs::write(folder.join("appendonly.aof"), &file).unwrap();
    });
    let told = ask(&mut real.connect(), &line("XINFO STREAM s"));
    let mut again = ours(&real);
    again.load_append_only_file(Instant::ZERO, &file).unwrap();
    let names = "$12\r\niids-tracked\r\n:4\r\n";
    assert!(told.contains(names), "{told}");
    let ours = say(&mut again, &["XINFO STREAM s"]);
    assert!(ours.contains("\"iids-tracked\"\n22) (integer) 4"), "{ours}");
}
