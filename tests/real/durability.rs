//! Data that is left after the death of the process, compared on both.

use crate::server::{RealServer, request};
use stunt_double::Shutdown;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::Server;
use stunt_double::redis::{AppendFsync, ServerOptions};
use stunt_double::sim::service::{ByteOutput, ByteService};
use stunt_double::{Instant, Site, Stream};

const NOW: Instant = Instant::ZERO;

/// Both servers, to be killed while nobody is connected.
struct Mortal {
    real: RealServer,
    ours: ByteServer,
    clients: u64,
}

impl Mortal {
    fn new(settings: &[&str], options: ServerOptions) -> Option<Mortal> {
        let real = RealServer::start(settings)?;
        let random = Stream::seeded(1, Site::new("test.durability"), 0);
        let ours = ByteServer::new(Server::new(options.with_version(real.version()), random));
        Some(Mortal { real, ours, clients: 0 })
    }

    /// Waits until the real server has written its append-only file. On a busy disk it postpones
    /// writes during a sync; our disk takes no time.
    fn wait_until_all_is_written(&mut self) {
        const TRIES: usize = 200;
        let mut socket = self.real.connect();
        for _ in 0..TRIES {
            let info = socket.request(&[b"INFO", b"persistence"]);
            let info = String::from_utf8_lossy(&info);
            let postponed = info.contains("aof_enabled:1") && !info.contains("aof_buffer_length:0");
            if !postponed {
                return;
            }
            // The server's own way of waiting.
            socket.request(&[b"BLPOP", b"no-such-key", b"0.05"]);
        }
        panic!("the append-only file is still not written");
    }

    /// Sends lines to both and returns the replies, which must be equal.
    fn say(&mut self, lines: &[String]) -> Vec<String> {
        self.clients += 1;
        let client = self.clients;
        self.ours.connected(NOW, client, "127.0.0.1:1");
        let mut socket = self.real.connect();
        let mut answers = Vec::new();
        for line in lines {
            let words: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
            let real = socket.request(&words);
            self.ours.receive(NOW, client, &request(&words));
            let mut ours = Vec::new();
            while let Some((_, output)) = self.ours.poll_output() {
                if let ByteOutput::Data(bytes) = output {
                    ours.extend(bytes);
                }
            }
            let (real, ours) = (real.escape_ascii().to_string(), ours.escape_ascii().to_string());
            assert_eq!(real, ours, "{line}");
            answers.push(real);
        }
        self.ours.disconnected(NOW, client);
        answers
    }

    fn kill(&mut self) {
        self.wait_until_all_is_written();
        self.real.kill_and_restart();
        self.ours.machine_mut().stop(NOW, Shutdown::Kill);
        self.ours.machine_mut().start(NOW);
    }
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn nothing_saved() -> ServerOptions {
    ServerOptions::default().with_save_points([])
}

/// Returns the pattern for each number, with the number in place of `#`.
fn numbers(pattern: &str, first: u32, last: u32) -> String {
    (first..=last).map(|n| pattern.replace('#', &n.to_string())).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_append_only_file_survives_the_death_of_the_process() {
    for (name, fsync) in [
        ("always", AppendFsync::Always),
        ("everysec", AppendFsync::EverySec),
        ("no", AppendFsync::No),
    ] {
        let settings = ["--save", "", "--appendonly", "yes", "--appendfsync", name];
        let options = nothing_saved().with_append_only(fsync);
        let Some(mut both) = Mortal::new(&settings, options) else { return };
        both.say(&lines(&["SET k v", "RPUSH l a b", "DEL none", "LPOP l"]));
        both.kill();
        let answers = both.say(&lines(&["GET k", "LRANGE l 0 -1", "DBSIZE"]));
        assert_eq!(answers, ["$1\\r\\nv\\r\\n", "*1\\r\\n$1\\r\\nb\\r\\n", ":2\\r\\n"]);
    }
}

#[test]
fn without_persistence_nothing_is_left() {
    let Some(mut both) = Mortal::new(&["--save", ""], nothing_saved()) else { return };
    both.say(&lines(&["SET k v", "SELECT 3", "SET k w"]));
    both.kill();
    assert_eq!(both.say(&lines(&["DBSIZE", "GET k"])), [":0\\r\\n", "$-1\\r\\n"]);
}

#[test]
fn only_saved_keys_are_left() {
    let Some(mut both) = Mortal::new(&["--save", ""], nothing_saved()) else { return };
    both.say(&lines(&["SET k v", "RPUSH l a", "SET gone 1", "SELECT 3", "SET k three", "SAVE"]));
    both.say(&lines(&["SET k w", "RPUSH l b", "DEL gone", "SET new 1", "SWAPDB 0 3"]));
    both.kill();
    let look = ["GET k", "LRANGE l 0 -1", "GET gone", "GET new", "SELECT 3", "GET k", "DBSIZE"];
    let answers = both.say(&lines(&look));
    assert_eq!(answers[0], "$1\\r\\nv\\r\\n");
    assert_eq!(answers[5], "$5\\r\\nthree\\r\\n");
    // Killed again without another save, the server has the same keys.
    both.say(&lines(&["FLUSHALL"]));
    both.kill();
    assert_eq!(both.say(&lines(&look)), answers);
}

/// Returns values in an encoding larger than necessary, or just large enough.
fn values() -> Vec<String> {
    let long = "x".repeat(65);
    let mut values = lines(&[
        "SET int 12",
        "SET text a",
        "APPEND raw ab",
        "APPEND rawint 12",
        "APPEND rawint 3",
        "SETRANGE range 0 5",
        "INCRBYFLOAT float 3",
        "INCRBYFLOAT float2 3.5",
        "SETBIT bit 1 1",
        "SET zeros 007",
        "RPUSH list a 1",
        "SADD small 1 2 x",
        "SREM small x",
        "SADD mixed 1 x",
        "HSET hash a b",
        "ZADD zset 1 a",
    ]);
    values.extend([
        format!("SET long {long}"),
        format!("HSET shrunk f v g {long}"),
        "HDEL shrunk g".to_owned(),
        format!("HSET wide f {long}"),
        format!("HSET many {}", numbers("f# v", 1, 513)),
        format!("HDEL many {}", numbers("f#", 2, 513)),
        format!("SADD intset {}", numbers("#", 1, 513)),
        format!("SREM intset {}", numbers("#", 400, 513)),
        format!("SADD huge {}", numbers("#", 1, 513)),
        format!("SADD full {}", numbers("#", 1, 512)),
        format!("ZADD zshrunk 1 a 2 {long}"),
        format!("ZREM zshrunk {long}"),
        format!("ZADD zwide 1 {long}"),
        format!("ZADD zmany {}", numbers("1 m#", 1, 129)),
        "ZREM zmany m1 m2".to_owned(),
        format!("ZADD zfull {}", numbers("1 m#", 1, 129)),
    ]);
    values
}

fn encodings() -> Vec<String> {
    [
        "int", "text", "raw", "rawint", "range", "float", "float2", "bit", "zeros", "list",
        "small", "mixed", "hash", "zset", "long", "shrunk", "wide", "many", "intset", "huge",
        "full", "zshrunk", "zwide", "zmany", "zfull",
    ]
    .iter()
    .map(|key| format!("OBJECT ENCODING {key}"))
    .collect()
}

#[test]
fn encodings_after_reading_a_snapshot() {
    let Some(mut both) = Mortal::new(&["--save", ""], nothing_saved()) else { return };
    both.say(&values());
    let before = both.say(&encodings());
    both.say(&lines(&["SAVE"]));
    both.kill();
    let after = both.say(&encodings());
    assert_ne!(before, after, "some shrink");
    both.say(&lines(&["FLUSHALL"]));
    both.say(&values());
    assert_eq!(both.say(&encodings()), before);
    both.say(&lines(&["DEBUG RELOAD"]));
    assert_eq!(both.say(&encodings()), after);
}

#[test]
fn encodings_after_changing_limits_and_reading_a_snapshot() {
    let Some(mut both) = Mortal::new(&["--save", ""], nothing_saved()) else { return };
    both.say(&values());
    for limits in [
        "CONFIG SET hash-max-listpack-value 100 zset-max-listpack-value 100",
        "CONFIG SET hash-max-listpack-value 0 zset-max-listpack-value 0",
        "CONFIG SET hash-max-listpack-entries 0 zset-max-listpack-entries 0",
        "CONFIG SET set-max-intset-entries 1",
        "CONFIG SET set-max-intset-entries 1000",
    ] {
        both.say(&lines(&[limits, "DEBUG RELOAD"]));
        both.say(&encodings());
    }
}

#[test]
fn encodings_after_reading_an_append_only_file() {
    let settings = ["--save", "", "--appendonly", "yes"];
    let options = nothing_saved().with_append_only(AppendFsync::EverySec);
    let Some(mut both) = Mortal::new(&settings, options) else { return };
    both.say(&values());
    both.say(&encodings());
    both.kill();
    both.say(&encodings());
}
