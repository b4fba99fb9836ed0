//! The real server as a side of a conversation.

use super::node::{Node, available, nap};
use crate::played::scenario::{Heard, MOMENT, Side};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Added to each wait, so that everything due has happened.
const SLACK: Duration = Duration::from_millis(60);

pub(crate) struct Real<'a> {
    node: &'a Mutex<Node>,
    vhost: &'a str,
    /// Whether the vhost is deleted after the conversation.
    is_thrown_away: bool,
    sockets: BTreeMap<String, TcpStream>,
    silence: u32,
}

impl<'a> Real<'a> {
    /// Waits long enough that everything has certainly arrived.
    pub(crate) fn new(node: &'a Mutex<Node>) -> Real<'a> {
        let (vhost, is_thrown_away) = ("/", false);
        Real { node, vhost, is_thrown_away, sockets: BTreeMap::new(), silence: 15 }
    }

    /// Waits long enough that everything has arrived unless the machine is busy.
    pub(crate) fn in_a_hurry(node: &'a Mutex<Node>) -> Real<'a> {
        Real { silence: 4, ..Real::new(node) }
    }

    /// Uses a vhost for this conversation only.
    pub(crate) fn in_vhost_of_its_own(self, vhost: &'a str) -> Real<'a> {
        Real { vhost, is_thrown_away: true, ..self }
    }

    fn node(&self) -> MutexGuard<'a, Node> {
        self.node.lock().expect("no thread panics while it holds the lock")
    }
}

impl Side for Real<'_> {
    fn connect(&mut self, name: &str) {
        self.sockets.insert(name.to_owned(), self.node().connect());
    }

    fn send(&mut self, name: &str, bytes: &[u8]) {
        let Some(socket) = self.sockets.get_mut(name) else { return };
        // An error shows when the socket is read. A server that does not read has room for
        // everything that a scenario sends.
        let _ = socket.write_all(bytes);
    }

    fn lose(&mut self, name: &str) {
        self.sockets.remove(name);
    }

    fn hear(&mut self) -> Vec<(String, Heard)> {
        let mut heard = Vec::new();
        let mut ended = Vec::new();
        for (name, socket) in &mut self.sockets {
            let (bytes, closed) = available(socket);
            if !bytes.is_empty() {
                heard.push((name.clone(), Heard::Bytes(bytes)));
            }
            if closed {
                heard.push((name.clone(), Heard::Closed));
                ended.push(name.clone());
            }
        }
        for name in ended {
            self.sockets.remove(&name);
        }
        if heard.is_empty() {
            nap(MOMENT);
        }
        heard
    }

    fn pass(&mut self, time: Duration) {
        if !time.is_zero() {
            nap(time + SLACK);
        }
    }

    fn stop_and_start(&mut self, cleanly: bool) {
        if cleanly {
            for command in ["stop_app", "start_app"] {
                self.node().control(&[command.to_owned()]).expect("a node can be restarted");
            }
        } else {
            self.node().kill_and_restart();
        }
    }

    fn control(&mut self, words: &[String]) -> Result<(), String> {
        self.node().control(words)
    }

    fn silence(&self) -> Option<u32> {
        Some(self.silence)
    }

    fn vhost(&self) -> &str {
        self.vhost
    }

    fn has_to_be_cleaned_up(&self) -> bool {
        !self.is_thrown_away
    }
}
