//! The slow log, the latency monitor, the monitors, the command log of Valkey and the hot keys of
//! Redis 8.6: five ways to watch commands as they run.
//!
//! Commands take no virtual time, with two exceptions: `DEBUG SLEEP` and slow scripts. So the slow
//! log of a server with its default threshold has those, and with a threshold of 0 it has every
//! command with a duration of 0. The latency monitor notes the longest duration of each second.
//!
//! A command that takes time is kept as the *pending call* until it ends.
//!
//! Source: `slowlog.c`, `latency.c`, `replication.c` (`replicationFeedMonitors`), `server.c`
//! (`call`).

mod command_log;

use super::Server;
use super::command::Row;
use super::command::hotkeys::HotKeys;
use crate::redis::command::{Args, Origin, flag};
use crate::redis::id::ClientId;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use crate::redis::version::Profile;
use crate::time::Instant;
use command_log::CommandLog;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;
use std::time::Duration;

/// Greatest number of arguments of an entry, and of bytes of an argument.
const MAX_ARGUMENTS: usize = 32;
const MAX_BYTES: usize = 128;

/// An entry of the slow log.
#[derive(Clone, Debug)]
pub(crate) struct SlowEntry {
    pub(crate) id: u64,
    /// Seconds since the Unix epoch.
    pub(crate) time: u64,
    pub(crate) micros: u64,
    pub(crate) args: Vec<Sds>,
    pub(crate) peer: String,
    pub(crate) name: Sds,
}

/// Samples of one event of the latency monitor: the second, and its longest milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    pub(crate) samples: VecDeque<(u64, u64)>,
    /// The longest of all time.
    pub(crate) longest: u64,
}

impl Samples {
    /// Greatest number of samples.
    const MOST: usize = 160;

    fn add(&mut self, second: u64, millis: u64) {
        self.longest = self.longest.max(millis);
        match self.samples.back_mut().filter(|last| last.0 == second) {
            Some(last) => last.1 = last.1.max(millis),
            None => {
                if self.samples.len() == Samples::MOST {
                    self.samples.pop_front();
                }
                self.samples.push_back((second, millis));
            }
        }
    }
}

/// A command that takes time.
#[derive(Debug)]
struct Pending {
    client: ClientId,
    command: &'static Row,
    words: Vec<Sds>,
    began: Instant,
}

/// All five.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    /// The newest entry is the first.
    pub(crate) slow_log: VecDeque<SlowEntry>,
    next_id: u64,
    pub(crate) latency: IndexMap<&'static str, Samples, FxBuildHasher>,
    /// Clients in `MONITOR`, in the order in which they began.
    pub(crate) monitors: Vec<ClientId>,
    pending: Option<Pending>,
    /// The session of `HOTKEYS`, which may have ended.
    pub(crate) hot_keys: Option<HotKeys>,
    /// The logs of large requests and replies, in versions that have them.
    pub(crate) command_log: Option<Box<CommandLog>>,
}

impl Watchers {
    pub(super) fn new(profile: &Profile) -> Watchers {
        let command_log = profile.logs_sizes.then(Box::default);
        Watchers { command_log, ..Watchers::default() }
    }

    /// Removes a client that is gone.
    pub(crate) fn forget(&mut self, client: ClientId) {
        self.monitors.retain(|monitor| *monitor != client);
    }
}

/// Returns the arguments without those that are secret.
fn without_secrets<'a>(command: &Row, args: Args<'a>) -> Vec<&'a [u8]> {
    const REDACTED: &[u8] = b"(redacted)";
    let mut shown = args.to_vec();
    match command.name {
        "auth" => shown[1..].fill(REDACTED),
        "acl|setuser" => shown.iter_mut().skip(2).for_each(|word| *word = REDACTED),
        "hello" => {
            if let Some(at) = args.iter().position(|word| word.eq_ignore_ascii_case(b"auth")) {
                shown.iter_mut().skip(at + 1).take(2).for_each(|word| *word = REDACTED);
            }
        }
        "migrate" => {
            for (at, word) in args.iter().enumerate().skip(6) {
                let count = if word.eq_ignore_ascii_case(b"auth") {
                    1
                } else if word.eq_ignore_ascii_case(b"auth2") {
                    2
                } else {
                    continue;
                };
                shown.iter_mut().skip(at + 1).take(count).for_each(|word| *word = REDACTED);
            }
        }
        "config|set" => {
            for pair in shown[2..].chunks_exact_mut(2) {
                let secret = [
                    &b"requirepass"[..],
                    b"masterauth",
                    b"masteruser",
                    b"primaryauth",
                    b"primaryuser",
                    b"tls-key-file-pass",
                    b"tls-client-key-file-pass",
                ];
                if secret.iter().any(|name| pair[0].eq_ignore_ascii_case(name)) {
                    pair[1] = REDACTED;
                }
            }
        }
        _ => {}
    }
    shown
}

/// Returns a word in quotes, with escapes, as `sdscatrepr` writes it.
pub(crate) fn quoted(word: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in word {
        match byte {
            b'\\' | b'"' => text.extend(['\\', char::from(*byte)]),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            b' '..=b'~' => text.push(char::from(*byte)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text.push('"');
    text
}

impl Server {
    /// Shows a command to the clients in `MONITOR`.
    pub(crate) fn feed_monitors(
        &mut self,
        (client, database, origin): (ClientId, usize, Origin),
        command: &Row,
        args: Args<'_>,
    ) {
        if self.watchers.monitors.is_empty() || self.is_loading() {
            return;
        }
        let at = self.calendar(self.now);
        let by = match origin {
            Origin::Script => "lua".to_owned(),
            Origin::Client | Origin::Exec | Origin::Operator => {
                self.sessions.get(&client).map_or_else(String::new, |by| by.peer.to_string())
            }
        };
        let words: Vec<String> = without_secrets(command, args).into_iter().map(quoted).collect();
        let (secs, micros) = (at.as_secs(), at.subsec_micros());
        let line = format!("{secs}.{micros:06} [{database} {by}] {}", words.join(" "));
        for monitor in self.watchers.monitors.clone() {
            let line = Reply::Simple(line.as_str().into());
            // Its own call is answered first.
            if self.outbox.running() == Some(monitor) && self.wants_reply(monitor) {
                self.outbox.hold_back(line);
            } else {
                self.reply(monitor, line);
            }
        }
    }

    /// Returns whether a call has to be noted: somebody watches, or it may take time.
    pub(super) fn is_watched(&self) -> bool {
        !self.watchers.monitors.is_empty()
            || self.config.slow_log_threshold == 0
            || self.is_asleep()
            || self.is_busy()
    }

    /// Notes that a command has run, for all who watch. A command that takes time is noted when it
    /// ends.
    #[cold]
    pub(super) fn watch_call(
        &mut self,
        (client, database, origin): (ClientId, usize, Origin),
        command: &'static Row,
        args: Args<'_>,
        takes_time: bool,
    ) {
        if !command.has(flag::SKIP_MONITOR | flag::ADMIN) {
            self.feed_monitors((client, database, origin), command, args);
        }
        // A transaction does not take the time of its own command.
        if takes_time && self.watchers.pending.is_none() {
            let words = without_secrets(command, args).into_iter().map(Sds::new).collect();
            self.watchers.pending = Some(Pending { client, command, words, began: self.now });
        } else if self.config.slow_log_threshold == 0 && !self.blocking.is_blocked(client) {
            let words = without_secrets(command, args);
            self.add_to_slow_log(client, command, &words, Duration::ZERO);
        }
    }

    /// Returns the words of the command that takes time.
    #[cfg(feature = "lua")]
    pub(crate) fn pending_words(&self) -> &[Sds] {
        self.watchers.pending.as_ref().map_or(&[], |pending| &pending.words)
    }

    /// Notes that the command that took time has ended.
    pub(super) fn pending_call_ends(&mut self, now: Instant) {
        let Some(pending) = self.watchers.pending.take() else { return };
        let took = now - pending.began;
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let threshold = self.config.latency_threshold;
        if threshold > 0 && millis >= threshold {
            let event = if pending.command.has(flag::FAST) { "fast-command" } else { "command" };
            let second = self.calendar(now).as_secs();
            self.watchers.latency.entry(event).or_default().add(second, millis);
        }
        let words: Vec<&[u8]> = pending.words.iter().map(Sds::as_slice).collect();
        self.add_to_slow_log(pending.client, pending.command, &words, took);
    }

    /// Notes that a blocked command has ended without another run.
    #[cold]
    pub(super) fn note_blocked(&mut self, client: ClientId, words: &[Sds], reply: &Reply) {
        let words: Vec<&[u8]> = words.iter().map(Sds::as_slice).collect();
        if let Some(command) = self.table.named(&words) {
            if self.config.slow_log_threshold == 0 {
                self.add_to_slow_log(client, command, &words, Duration::ZERO);
            }
            self.note_if_large((client, Origin::Client), command, &words, Some(reply));
        }
    }

    /// Drops the entries beyond the limit: the server does after each command, unless the log is
    /// off.
    pub(super) fn limit_slow_log(&mut self) {
        let most = usize::try_from(self.config.slow_log_length).unwrap_or(usize::MAX);
        if self.config.slow_log_threshold >= 0 && !self.is_slow_log_off() {
            self.watchers.slow_log.truncate(most);
        }
    }

    fn is_slow_log_off(&self) -> bool {
        self.config.slow_log_length == 0 && self.profile().slow_log_may_be_off
    }

    /// Returns an entry without its number and its measure.
    fn slow_entry(&self, client: ClientId, words: Args<'_>) -> SlowEntry {
        let by = self.sessions.get(&client);
        SlowEntry {
            id: 0,
            time: self.calendar(self.now).as_secs(),
            micros: 0,
            args: shortened(words),
            peer: by.map_or_else(String::new, |by| by.peer.to_string()),
            name: by.map_or_else(Sds::default, |by| Sds::new(by.name())),
        }
    }

    fn add_to_slow_log(
        &mut self,
        client: ClientId,
        command: &Row,
        words: Args<'_>,
        took: Duration,
    ) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let threshold = u64::try_from(self.config.slow_log_threshold);
        if threshold.is_ok_and(|threshold| micros >= threshold)
            && !self.is_slow_log_off()
            && !command.has(flag::SKIP_SLOWLOG | flag::SKIP_COMMANDLOG)
        {
            let id = self.watchers.next_id;
            let entry = SlowEntry { id, micros, ..self.slow_entry(client, words) };
            self.watchers.next_id += 1;
            self.watchers.slow_log.push_front(entry);
        }
        self.limit_slow_log();
    }
}

/// Returns the words of an entry: the first ones, and the beginnings of long ones.
fn shortened(words: Args<'_>) -> Vec<Sds> {
    let shown = if words.len() > MAX_ARGUMENTS { MAX_ARGUMENTS - 1 } else { words.len() };
    let mut entry: Vec<Sds> = words[..shown]
        .iter()
        .map(|word| match word.len().checked_sub(MAX_BYTES) {
            Some(more @ 1..) => {
                let tail = format!("... ({more} more bytes)");
                Sds::new(&[&word[..MAX_BYTES], tail.as_bytes()].concat())
            }
            _ => Sds::new(word),
        })
        .collect();
    if words.len() > shown {
        let more = words.len() - shown;
        entry.push(Sds::new(format!("... ({more} more arguments)").as_bytes()));
    }
    entry
}
