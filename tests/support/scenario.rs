//! Recorded conversations with RabbitMQ, and how one is played to a broker.
//!
//! ```text
//! # What this shows.
//! = connect a
//! > a.1 channel.open
//! < a.1 channel.open-ok
//! > a.1 basic.publish routing-key=q | body "0"
//! > a.1 basic.get queue=q
//! < a.1 basic.get-ok delivery-tag=1 routing-key=q | body "0"
//! ```
//!
//! `>` is a line that a client sends on channel 1 of its connection `a`. Everything that is sent
//! until the broker is silent again follows (`<`), sorted by connection and channel, in order
//! within each channel. `< a closed` is the end of a socket. `=` is an event:
//!
//! - `connect a user=eve password=x vhost=v channel-max=2 capabilities=`: the whole handshake, of
//!   which only a refusal is recorded
//! - `socket a`: no handshake
//! - `lose a`: the socket dies
//! - `wait 300ms`: time passes
//! - `together`: everything up to the next event is sent without waiting
//! - `settle`: ends `together`
//! - `quiet 8ms`: how long a real server must be silent before its answer counts as complete
//! - `restart`, `kill`: the broker stops, cleanly or not, and starts again
//! - `ctl …`: a command of `rabbitmqctl`, with words in single quotes if needed
//!
//! Before it is recorded, a line may begin with `!` instead of `>`. If it closes the channel or the
//! connection, lines that reopen it are added.
//!
//! Names that a server makes are numbered in order of appearance, times in `x-death` are 0, the
//! node is `rabbit@localhost`.

use super::names::Names;
use crate::played::amqp::{Decoder, encode};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

type Result<T> = std::result::Result<T, String>;

/// An arrival on a socket.
#[derive(Debug)]
pub(crate) enum Heard {
    Bytes(Vec<u8>),
    Closed,
}

/// A broker that a scenario is played to.
pub(crate) trait Side {
    /// Opens a socket.
    fn connect(&mut self, name: &str);
    fn send(&mut self, name: &str, bytes: &[u8]);
    /// The client's socket dies.
    fn lose(&mut self, name: &str);
    /// Returns everything that has arrived. A side that does not answer at once waits a moment if
    /// nothing has.
    fn hear(&mut self) -> Vec<(String, Heard)>;
    fn pass(&mut self, time: Duration);
    fn stop_and_start(&mut self, cleanly: bool);
    fn control(&mut self, words: &[String]) -> Result<()>;
    /// How many times in a row nothing arrives before the side counts as silent; `None` if all
    /// answers are there at once.
    fn silence(&self) -> Option<u32>;
    /// The vhost of connections for which a scenario names none.
    fn vhost(&self) -> &str {
        "/"
    }
    /// Returns whether objects of a scenario would still exist in the next one.
    fn has_to_be_cleaned_up(&self) -> bool {
        false
    }
}

/// Factor for answers in which several processes and a disk take part.
const LONGER: u32 = 4;

/// How long a side waits when nothing has arrived.
pub(crate) const MOMENT: Duration = Duration::from_millis(2);

/// Number of such waits for the answer to a question that changes nothing.
const PATIENCE: u32 = 500;

/// Number of such waits for the answer to a handshake.
const HANDSHAKE: u32 = 1_000;

const PROBE: &str = "~probe";

/// A client's connection.
#[derive(Debug, Default)]
struct Connection {
    decoder: Decoder,
    said: Vec<(u16, String)>,
    closed: bool,
    /// Channels that can be asked a question.
    open: BTreeSet<u16>,
    /// Whether nothing is answered any more, or for now.
    deaf: bool,
    probes: usize,
}

impl Connection {
    fn hear(&mut self, heard: &Heard) -> Result<()> {
        let Heard::Bytes(bytes) = heard else {
            self.closed = true;
            return Ok(());
        };
        for (channel, line) in self.decoder.feed(bytes)? {
            match line.split(' ').next().unwrap_or_default() {
                "channel.open-ok" => drop(self.open.insert(channel)),
                "channel.close" | "channel.close-ok" => drop(self.open.remove(&channel)),
                "connection.close" | "connection.close-ok" => self.open.clear(),
                "connection.blocked" => self.deaf = true,
                "connection.unblocked" => self.deaf = false,
                "basic.cancel-ok" if line.contains(PROBE) => {
                    self.probes = self.probes.saturating_sub(1);
                    continue;
                }
                _ => {}
            }
            self.said.push((channel, line));
        }
        Ok(())
    }

    /// Updates which channels can be asked a question after a line.
    fn sends(&mut self, channel: u16, line: &str) {
        let name = line.split(' ').next().unwrap_or_default();
        let breaks = matches!(name, "channel.close" | "header" | "body" | "frame" | "raw");
        if breaks || (name == "basic.publish" && !line.contains(" | body ")) {
            self.open.remove(&channel);
        } else if name == "connection.close" {
            self.open.clear();
        }
    }
}

/// Plays a scenario, and returns it with the answers of this side.
pub(crate) fn play(scenario: &str, side: &mut dyn Side) -> Result<String> {
    Player::new(scenario, side).play(scenario)
}

/// As [`play`], but stops at the first difference from the scenario.
#[allow(dead_code, reason = "only where there is something to compare with")]
pub(crate) fn compare(scenario: &str, side: &mut dyn Side) -> Result<String> {
    let mut player = Player::new(scenario, side);
    player.stops = true;
    player.play(scenario)
}

struct Player<'a> {
    side: &'a mut dyn Side,
    connections: BTreeMap<String, Connection>,
    names: Names,
    silence: u32,
    /// Whether answers are not awaited.
    together: bool,
    /// Whether it stops at the first difference.
    stops: bool,
    has_streams: bool,
    written: Vec<String>,
    /// The declared objects, as the lines that delete them.
    made: BTreeSet<String>,
}

impl<'a> Player<'a> {
    fn new(scenario: &str, side: &'a mut dyn Side) -> Player<'a> {
        let slow = ["x-queue-type:S=quorum", "x-queue-type:S=stream"];
        let slow = slow.iter().any(|kind| scenario.contains(kind));
        let silence = side.silence().unwrap_or(0) * if slow { LONGER } else { 1 };
        let (connections, names) = (BTreeMap::new(), Names::default());
        let (written, made) = (Vec::new(), BTreeSet::new());
        Player {
            side,
            connections,
            names,
            silence,
            together: false,
            stops: false,
            has_streams: scenario.contains("x-queue-type:S=stream"),
            written,
            made,
        }
    }

    fn at_once(&self) -> bool {
        self.side.silence().is_none()
    }

    /// A scenario that cannot be played to its end is cleaned up too, because the next one begins
    /// with an empty broker.
    fn play(mut self, scenario: &str) -> Result<String> {
        let played = self.lines(scenario);
        self.clean_up()?;
        played?;
        Ok(self.written.join("\n") + "\n")
    }

    fn lines(&mut self, scenario: &str) -> Result<()> {
        for line in scenario.lines().filter(|line| !line.starts_with("< ")) {
            let played = match line.strip_prefix("! ") {
                Some(line) => self.send_and_reopen(line),
                None => self.line(line),
            };
            played.map_err(|why| format!("{why}, in {line}"))?;
            let written = self.written.iter().map(String::as_str);
            if self.stops && !scenario.lines().zip(written).all(|(said, written)| said == written) {
                break;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<()> {
        self.written.push(line.to_owned());
        if let Some(line) = line.strip_prefix("> ") {
            self.send(line)?;
        } else if let Some(line) = line.strip_prefix("= ") {
            self.together = line == "together";
            self.happen(line)?;
        } else {
            return Ok(());
        }
        if !self.together {
            self.settle()?;
            self.write_answers();
        }
        Ok(())
    }

    /// Sends a line marked with `!`.
    fn send_and_reopen(&mut self, line: &str) -> Result<()> {
        let target = line.split(' ').next().unwrap_or_default();
        let name = target.split('.').next().unwrap_or_default();
        let before = self.connections.get(name).map(|c| c.open.clone()).unwrap_or_default();
        let first = self.written.len();
        self.line(&format!("> {line}"))?;
        let answered = |what: &str| self.written[first..].iter().any(|l| l.starts_with(what));
        let (failed, broken) = (
            answered(&format!("< {target} channel.close ")),
            answered(&format!("< {name}.0 connection.close ")),
        );
        if failed {
            self.line(&format!("> {target} channel.close-ok"))?;
            self.line(&format!("> {target} channel.open"))?;
        } else if broken || !self.connections.contains_key(name) {
            if self.connections.contains_key(name) {
                self.line(&format!("> {name}.0 connection.close-ok"))?;
            }
            self.line(&format!("= connect {name}"))?;
            for channel in before {
                self.line(&format!("> {name}.{channel} channel.open"))?;
            }
        }
        Ok(())
    }

    fn send(&mut self, line: &str) -> Result<()> {
        let (target, line) = line.split_once(' ').ok_or("no method")?;
        let (name, channel) = target.split_once('.').unwrap_or((target, "0"));
        let channel: u16 = channel.parse().map_err(|_| "no channel")?;
        let connection = self.connections.get_mut(name).ok_or("no such connection")?;
        connection.sends(channel, line);
        let bytes = encode(channel, &self.names.real(line))?;
        self.side.send(name, &bytes);
        for class in ["queue", "exchange"] {
            if let Some(fields) = line.strip_prefix(&format!("{class}.declare "))
                && let Some(name) = field(fields, class)
                && !name.starts_with("amq.")
            {
                self.made.insert(format!("{class}.delete {class}={name}"));
            }
        }
        Ok(())
    }

    fn happen(&mut self, line: &str) -> Result<()> {
        let words = split(line);
        let argument = words.get(1).cloned().unwrap_or_default();
        match words[0].as_str() {
            "connect" => self.handshake(&argument, &words[2..])?,
            "socket" => self.socket(&argument),
            "lose" => {
                self.connections.remove(&argument).ok_or("no such connection")?;
                self.side.lose(&argument);
                // The real server takes a moment to notice.
                self.side.pass(MOMENT * 25 * u32::from(!self.at_once()));
            }
            "wait" => {
                let time = duration(&argument)?;
                self.side.pass(time);
            }
            "settle" | "together" => {}
            "quiet" => {
                let time = duration(&argument)?;
                self.silence = (time.as_millis() / MOMENT.as_millis()) as u32;
            }
            "restart" | "kill" => {
                self.side.stop_and_start(words[0] == "restart");
            }
            "ctl" => self.side.control(&words[1..])?,
            other => return Err(format!("no directive {other}")),
        }
        Ok(())
    }

    fn socket(&mut self, name: &str) {
        if self.connections.insert(name.to_owned(), Connection::default()).is_some() {
            self.side.lose(name);
        }
        self.side.connect(name);
    }

    fn handshake(&mut self, name: &str, options: &[String]) -> Result<()> {
        let option = |key: &str, default: &str| {
            let given = options.iter().find_map(|o| o.strip_prefix(key)?.strip_prefix('='));
            given.unwrap_or(default).to_owned()
        };
        let usual = "publisher_confirms,exchange_exchange_bindings,basic.nack,\
                     consumer_cancel_notify,connection.blocked,authentication_failure_close";
        let capabilities = option("capabilities", usual);
        let capabilities: Vec<String> = capabilities
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| format!("{name}:t=true"))
            .collect();
        let (user, password) = (option("user", "guest"), option("password", "guest"));
        self.socket(name);
        self.side.send(name, b"AMQP\0\0\x09\x01");
        let start_ok = format!(
            "connection.start-ok client-properties={{capabilities:F={{{}}}}} mechanism=PLAIN \
             response=\"\\x00{user}\\x00{password}\" locale=en_US",
            capabilities.join(",")
        );
        let tune_ok = format!(
            "connection.tune-ok channel-max={} frame-max=131072 heartbeat={}",
            option("channel-max", "2047"),
            option("heartbeat", "0")
        );
        let open =
            format!("connection.open virtual-host=\"{}\"", option("vhost", self.side.vhost()));
        for (asked, answers) in [
            ("connection.start", vec![start_ok]),
            ("connection.tune", vec![tune_ok, open]),
            ("connection.open-ok", Vec::new()),
        ] {
            if !self.is_told(name, asked)? {
                return Ok(());
            }
            for answer in answers {
                let bytes = encode(0, &answer)?;
                self.side.send(name, &bytes);
            }
        }
        Ok(())
    }

    /// Waits for this method and consumes it. Returns false if another or none arrives.
    fn is_told(&mut self, name: &str, method: &str) -> Result<bool> {
        for _ in 0..HANDSHAKE {
            let connection = self.connections.get_mut(name).ok_or("no such connection")?;
            if let [(0, first), ..] = &connection.said[..] {
                let is_it = first.split(' ').next() == Some(method);
                if is_it {
                    connection.said.remove(0);
                }
                return Ok(is_it);
            }
            if connection.closed || (!self.listen()? && self.at_once()) {
                break;
            }
        }
        Ok(false)
    }

    /// Returns whether anything arrived.
    fn listen(&mut self) -> Result<bool> {
        let heard = self.side.hear();
        for (name, heard) in &heard {
            if let Some(connection) = self.connections.get_mut(name) {
                connection.hear(heard)?;
            }
        }
        Ok(!heard.is_empty())
    }

    /// Waits until everything is silent. That cannot be known of a real server, so each channel is
    /// asked a question that changes nothing, twice, and then awaited.
    fn settle(&mut self) -> Result<()> {
        if self.at_once() {
            while self.listen()? {}
            return Ok(());
        }
        self.listen_until_silent(self.silence / 2)?;
        for _ in 0..2 {
            let probe = format!("basic.cancel consumer-tag=\"{PROBE}\"");
            for (name, connection) in &mut self.connections {
                if connection.closed || connection.deaf {
                    continue;
                }
                for channel in &connection.open {
                    connection.probes += 1;
                    self.side.send(name, &encode(*channel, &probe)?);
                }
            }
            self.listen_until_silent(self.silence)?;
            self.connections.values_mut().for_each(|connection| connection.probes = 0);
        }
        Ok(())
    }

    fn listen_until_silent(&mut self, silence: u32) -> Result<()> {
        let mut silent = 0;
        loop {
            silent = if self.listen()? { 0 } else { silent + 1 };
            let mut live = self.connections.values().filter(|c| !c.closed && !c.deaf);
            let waited = live.all(|c| c.probes == 0) || silent > PATIENCE;
            if silent >= silence && waited {
                return Ok(());
            }
        }
    }

    fn write_answers(&mut self) {
        for (name, connection) in &mut self.connections {
            let mut said = std::mem::take(&mut connection.said);
            said.sort_by_key(|(channel, _)| *channel);
            for (channel, line) in said {
                let line = self.names.normal(&line);
                let line = line.replace(&format!("vhost '{}'", self.side.vhost()), "vhost '/'");
                // A long name makes the server wrap its text.
                let term =
                    format!("\\n{}{{resource,<<\\\"{}\\\">>", " ".repeat(31), self.side.vhost());
                let line = line.replace(&term, "{resource,<<\\\"/\\\">>");
                self.written.push(format!("< {name}.{channel} {line}"));
            }
            if connection.closed {
                self.written.push(format!("< {name} closed"));
            }
        }
        self.connections.retain(|_, connection| !connection.closed);
    }

    /// Deletes the objects of the scenario, for the next one.
    fn clean_up(&mut self) -> Result<()> {
        for name in std::mem::take(&mut self.connections).keys() {
            self.side.lose(name);
        }
        if !self.side.has_to_be_cleaned_up() {
            return Ok(());
        }
        self.side.pass(MOMENT * 10);
        self.handshake("clean-up", &[])?;
        let made = std::mem::take(&mut self.made);
        let generated = self.names.queues().map(|q| format!("queue.delete queue={q}"));
        let lines: Vec<String> = made.iter().cloned().chain(generated).collect();
        // On a channel each, because an object that cannot be deleted closes it.
        for (channel, line) in (1..).zip(&lines) {
            for line in ["channel.open", line] {
                let bytes = encode(channel, &self.names.real(line))?;
                self.side.send("clean-up", &bytes);
            }
        }
        for _ in 0..HANDSHAKE {
            self.listen()?;
            let said = self.connections.get("clean-up").map(|connection| &connection.said);
            let is_answer = |(_, line): &&(u16, String)| {
                ["queue.delete-ok", "exchange.delete-ok", "channel.close "]
                    .iter()
                    .any(|answer| line.starts_with(answer))
            };
            if said.is_none_or(|said| said.iter().filter(is_answer).count() >= lines.len()) {
                break;
            }
        }
        self.side.lose("clean-up");
        // A stream is deleted a while after the answer.
        let moments = if self.has_streams { 250 } else { 10 };
        self.side.pass(MOMENT * moments);
        Ok(())
    }
}

/// Returns the value of a field in a line, as it is written.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let at = format!(" {line}").find(&format!(" {name}="))?;
    let value = &line[at + name.len() + 1..];
    if let Some(quoted) = value.strip_prefix('"') {
        let mut escaped = false;
        let end = quoted.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        return Some(&value[..end + 2]);
    }
    Some(value.split(' ').next().unwrap_or(value))
}

/// Splits a line into words, some in single quotes.
fn split(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("there is one").push(c),
        }
    }
    words
}

fn duration(text: &str) -> Result<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, Duration::from_millis(1)),
        None => (text.strip_suffix('s').unwrap_or(text), Duration::from_secs(1)),
    };
    Ok(unit * number.parse().map_err(|_| format!("no duration {text}"))?)
}

/// The first lines that differ, with the lines before.
pub(crate) fn difference(recorded: &str, played: &str) -> String {
    let (recorded, played): (Vec<_>, Vec<_>) =
        (recorded.lines().collect(), played.lines().collect());
    let at = recorded.iter().zip(&played).take_while(|(a, b)| a == b).count();
    let asked = recorded[..at].iter().rfind(|line| !line.starts_with('<')).unwrap_or(&"");
    let line = |lines: &[&str]| (*lines.get(at).unwrap_or(&"nothing")).to_owned();
    let (recorded, played) = (line(&recorded), line(&played));
    format!("line {}\n  {asked}\n  recorded: {recorded}\n  played:   {played}", at + 1)
}
