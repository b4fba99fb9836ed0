//! A private `redis-server`: in a directory of its own, on a unix socket, killed when the value is
//! dropped.
//!
//! `STUNT_DOUBLE_REDIS_SERVER` names another server to run, with the arguments that come before its
//! options: a Redis or Valkey of any version that is modelled. Ours then imitates that version.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use stunt_double::redis::Version;

/// Number of attempts to connect before the server counts as failed. Each attempt waits for the
/// process a moment.
const TRIES: u32 = 2_000;

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub(crate) struct RealServer {
    child: Child,
    folder: PathBuf,
    options: Vec<String>,
    version: Version,
}

/// Returns the command that starts a server.
fn program() -> Command {
    let words = std::env::var("STUNT_DOUBLE_REDIS_SERVER").unwrap_or_default();
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("redis-server"));
    command.args(words);
    command
}

/// Reads the version off the answer to `--version`, such as `Redis server v=7.0.15 sha=…`.
fn version_of(answer: &str) -> Option<Version> {
    let product = answer.split_whitespace().next()?.to_lowercase();
    let number = answer.split_once("v=")?.1.split_whitespace().next()?;
    let (major, rest) = number.split_once('.')?;
    let minor = rest.split('.').next()?;
    format!("{product}-{major}.{minor}").parse().ok()
}

impl RealServer {
    /// Starts a server with these further options. Returns `None`, having printed why, if there is
    /// no server of a version that is modelled.
    pub(crate) fn start(options: &[&str]) -> Option<RealServer> {
        match RealServer::try_start(options) {
            Ok(server) => Some(server),
            Err(why) => {
                println!("SKIPPED: {why}");
                None
            }
        }
    }

    fn try_start(options: &[&str]) -> Result<RealServer, String> {
        crate::wanted()?;
        let answer = program().arg("--version").output();
        let answer = answer.map_err(|error| format!("no redis-server to compare with: {error}"))?;
        let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
        let version = version_of(&answer)
            .ok_or_else(|| format!("this version is not modelled: {}", answer.trim()))?;
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("stunt-double-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(|e| format!("no folder for a server: {e}"))?;
        let options = options.iter().map(|o| (*o).to_owned()).collect();
        let child = spawn(&folder, &options)?;
        let mut server = RealServer { child, folder, options, version };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        for _ in 0..TRIES {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("redis-server ended at once: {status}"));
            }
            let answer = self.try_connect().map(|mut socket| socket.request(&[b"PING"]));
            // While loading it says so, and also if it requires a password.
            if answer.is_some_and(|a| a.starts_with(b"+PONG") || a.starts_with(b"-NOAUTH")) {
                return Ok(());
            }
            std::thread::yield_now();
            let _ = Command::new("sleep").arg("0.005").status();
        }
        Err("redis-server did not answer".to_owned())
    }

    fn try_connect(&self) -> Option<RealSocket> {
        let stream = UnixStream::connect(self.folder.join("redis.sock")).ok()?;
        Some(RealSocket { stream })
    }

    /// Its address, for a client of its own.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.join("redis.sock").display())
    }

    pub(crate) fn connect(&self) -> RealSocket {
        self.try_connect().expect("a server that answers takes connections")
    }

    /// Its version.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Its directory.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Kills the process, changes its directory, and starts another process in it.
    pub(crate) fn restart_with(&mut self, change: impl FnOnce(&std::path::Path)) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        change(&self.folder);
        self.kill_and_restart();
    }

    /// Kills the process and starts another in the same directory.
    pub(crate) fn kill_and_restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(self.folder.join("redis.sock"));
        self.child = spawn(&self.folder, &self.options).expect("it could be started before");
        self.wait_until_it_answers().expect("it could be started before");
    }
}

fn spawn(folder: &PathBuf, options: &Vec<String>) -> Result<Child, String> {
    program()
        .args(["--port", "0", "--unixsocket"])
        .arg(folder.join("redis.sock"))
        .arg("--dir")
        .arg(folder)
        .args(["--enable-debug-command", "yes", "--daemonize", "no", "--loglevel", "warning"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("redis-server does not start: {error}"))
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A connection to a real server.
pub(crate) struct RealSocket {
    stream: UnixStream,
}

impl RealSocket {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // A closed connection is noticed when reading.
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a request and waits for the first bytes of the reply.
    pub(crate) fn request(&mut self, words: &[&[u8]]) -> Vec<u8> {
        self.send(&request(words));
        let mut buffer = vec![0; 1 << 16];
        let read = self.stream.read(&mut buffer).unwrap_or(0);
        buffer.truncate(read);
        buffer
    }

    /// Returns what has arrived, and whether the server has closed the connection.
    pub(crate) fn available(&mut self) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        self.stream.set_nonblocking(true).unwrap();
        let closed = loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break true,
                Ok(read) => all.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break false,
                Err(_) => break true,
            }
        };
        self.stream.set_nonblocking(false).unwrap();
        (all, closed)
    }
}

/// Returns a request as bytes.
pub(crate) fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
