//! A real `redis-server`: a private one without persistence on a unix socket, which
//! `redis-benchmark -P 64` asks. What counts is the server's own processor time for a command, so
//! that neither the client nor a busy machine is in it; the kernel's work for the socket is.
//!
//! Prints the nanoseconds of a command, or exits with 3 if the programs are not installed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use stunt_double_peers::FIVE_CALLS;

/// How many commands are sent at a time: once to warm up and fill the keys, and once measured.
fn commands(words: &[&str]) -> u64 {
    match words[0] {
        "EVAL" | "GEOSEARCH" => 100_000,
        _ => 1_000_000,
    }
}

/// The words of each case's command. `redis-benchmark` replaces `__rand_int__` by 12 digits, below
/// the number of keys.
const CASES: [(&str, u64, &[&str]); 15] = [
    ("get-bytes", 1, &["GET", "key:000000000000"]),
    ("set-bytes", 1, &["SET", "key:000000000000", "value:01"]),
    ("incr-bytes", 1, &["INCR", "counter"]),
    ("lpush-bytes", 1, &["LPUSH", "list", "value:01"]),
    ("zadd-bytes", 1, &["ZADD", "zset", "1", "key:000000000000"]),
    ("get-bytes-many", 1_000_000, &["GET", "key:__rand_int__"]),
    ("set-bytes-many", 1_000_000, &["SET", "key:__rand_int__", "value:01"]),
    ("incr-bytes-many", 1_000_000, &["INCR", "counter:__rand_int__"]),
    ("zadd-bytes-many", 1_000_000, &["ZADD", "zset", "__rand_int__", "key:__rand_int__"]),
    ("eval-bytes", 1, &["EVAL", FIVE_CALLS, "2", "visits", "state", "60000", "100"]),
    ("xadd-bytes", 1, &["XADD", "stream", "MAXLEN", "~", "10000", "*", "field", "value:01"]),
    (
        "geoadd-bytes-many",
        1_000_000,
        &["GEOADD", "places", "__rand_int__e-4", "__rand_int__e-5", "key:__rand_int__"],
    ),
    (
        "geosearch-bytes-many",
        1_000_000,
        &["GEOSEARCH", "places", "FROMLONLAT", "50", "5", "BYRADIUS", "10", "km"],
    ),
    ("pfadd-bytes-many", 1_000_000, &["PFADD", "sketch", "key:__rand_int__"]),
    ("pfcount-bytes-many", 1_000_000, &["PFCOUNT", "sketch"]),
];

/// A running server and the folder of its socket. Both go with it.
struct Server {
    process: Child,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "a real server starts in real time")]
    fn start() -> Option<Server> {
        let folder = std::env::temp_dir().join(format!("peers-redis-{}", std::process::id()));
        std::fs::create_dir_all(&folder).ok()?;
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(folder.join("socket"))
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let server = Server { process, folder };
        for _ in 0..500 {
            if server.socket().exists() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// Sends the command again and again. Returns whether the client could.
    fn ask(&self, keys: u64, words: &[&str]) -> bool {
        let mut command = Command::new("redis-benchmark");
        command.arg("-s").arg(self.socket()).args(["-P", "64", "-c", "1", "-q"]);
        command.args(["-n", &commands(words).to_string(), "-r", &keys.to_string()]).args(words);
        let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        ended.is_ok_and(|status| status.success())
    }

    /// The processor time that the server's main thread, which runs all commands, has had.
    fn processor_time(&self) -> Option<u64> {
        let path = format!("/proc/{}/schedstat", self.process.id());
        let text = std::fs::read_to_string(Path::new(&path)).ok()?;
        text.split(' ').next()?.parse().ok()
    }
}

fn measure(keys: u64, words: &[&str]) -> Option<f64> {
    let server = Server::start()?;
    // Every key, counter or member exists before, as with ours.
    if keys > 1 && !server.fill(keys, words) {
        return None;
    }
    if !server.ask(keys, words) {
        return None;
    }
    let before = server.processor_time()?;
    if !server.ask(keys, words) {
        return None;
    }
    Some((server.processor_time()? - before) as f64 / commands(words) as f64)
}

impl Server {
    /// Makes everything that a command may name, with a script in the server.
    fn fill(&self, keys: u64, words: &[&str]) -> bool {
        let script = match words[0] {
            "ZADD" => {
                "for i = 0, tonumber(ARGV[1]) - 1 do \
                 redis.call('ZADD', 'zset', i, string.format('key:%012d', i)) end"
            }
            "GEOADD" | "GEOSEARCH" => {
                "for i = 0, tonumber(ARGV[1]) - 1 do \
                 local place = i * 7919 % 1000003 \
                 redis.call('GEOADD', 'places', place * 1e-4, place * 31 % 1000003 * 1e-5, \
                 string.format('key:%012d', i)) end"
            }
            "PFADD" | "PFCOUNT" => {
                "for i = 0, tonumber(ARGV[1]) - 1 do \
                 redis.call('PFADD', 'sketch', string.format('key:%012d', i)) end"
            }
            "INCR" => {
                "for i = 0, tonumber(ARGV[1]) - 1 do \
                 redis.call('SET', string.format('counter:%012d', i), '1') end"
            }
            _ => {
                "for i = 0, tonumber(ARGV[1]) - 1 do \
                 redis.call('SET', string.format('key:%012d', i), 'value:01') end"
            }
        };
        let mut command = Command::new("redis-cli");
        command.arg("-s").arg(self.socket()).args(["EVAL", script, "0", &keys.to_string()]);
        command.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let Some((_, keys, words)) = CASES.iter().find(|(name, ..)| *name == wanted) else {
        eprintln!("there is no case `{wanted}`");
        std::process::exit(2);
    };
    match measure(*keys, words) {
        Some(time) => println!("{time}"),
        None => {
            eprintln!("redis-server or redis-benchmark is not installed, or does not run");
            std::process::exit(3);
        }
    }
}
