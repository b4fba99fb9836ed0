//! Refusals: a running server that answers with errors.
//!
//! A [`Refusal`] states which commands are answered with which error instead of being run, how
//! often and for how long. To a client, the server then looks like a replica, or as if its memory
//! were full, its disk failing or its data set loading. Refusals are checked where Redis checks
//! those states: after the password, and before the command is queued or run. So a transaction
//! whose command is refused is discarded (`EXECABORT`), as with the real server. Refusals are tried
//! in the order in which they were added; the first that matches answers.
//!
//! Source: Redis 7.0's `server.c` (`processCommand`), for the texts and for what each state
//! refuses.

use super::Request;
use super::command::Row;
use crate::choice::Stream;
use crate::redis::command::flag;
use crate::redis::reply::ErrorReply;
use crate::time::Instant;
use smol_str::SmolStr;
use std::time::Duration;

/// The commands that a refusal matches.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Matches {
    Every,
    /// Commands with this flag, and also `PING` if set.
    Flagged {
        flag: u32,
        ping: bool,
    },
    /// Commands without this flag.
    Unflagged(u32),
    /// Commands that may need memory, and everything that a transaction queues.
    NeedingMemory,
    /// Commands that name a key.
    Keyed,
    /// These commands, in lower case, with their subcommands.
    Named(Vec<SmolStr>),
}

/// Commands that are answered with an error instead of being run.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::redis::{self, Client, Error, Refusal, ServerOptions};
/// use stunt_double::sim::Sim;
///
/// let mut sim = Sim::new(1);
/// let redis = redis::start(&mut sim, ServerOptions::default());
/// redis.refuse(Refusal::read_only().lasting(Duration::from_secs(30)));
/// sim.node_with("writer", redis, async |node, redis| {
///     let client = Client::connect(&node, &redis).await?;
///     while let Err(error) = client.call(["SET", "k", "v"]).await {
///         assert_eq!(error.reply().map(|error| error.code()), Some("READONLY"));
///         node.sleep(Duration::from_secs(7)).await;
///     }
///     node.note("written");
///     Ok::<(), Error>(())
/// });
/// sim.run().expect_done();
/// assert!(sim.trace().notes().contains("35.000s  writer       written"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refusal does nothing until it is given to a server"]
pub struct Refusal {
    error: ErrorReply,
    matches: Matches,
    /// Number of commands that it still refuses. `None` is unlimited.
    left: Option<u64>,
    /// Its duration, counted from when it is added, and the end that follows from it.
    lasting: Option<Duration>,
    until: Option<Instant>,
    /// One in `one_in` matching commands is refused.
    one_in: u64,
}

impl Refusal {
    /// Returns a refusal that answers every command with this error, such as `ERR try again`, whose
    /// first word is the code. Line ends become spaces, since an error is one line. An empty text
    /// becomes `ERR`.
    pub fn new(error: impl Into<SmolStr>) -> Refusal {
        let error: SmolStr = error.into();
        let error = match error.trim() {
            "" => SmolStr::new_static("ERR"),
            _ if error.contains(['\r', '\n']) => error.replace(['\r', '\n'], " ").into(),
            _ => error,
        };
        Refusal {
            error: ErrorReply(error),
            matches: Matches::Every,
            left: None,
            lasting: None,
            until: None,
            one_in: 1,
        }
    }

    fn of(error: &'static str, matches: Matches) -> Refusal {
        Refusal { matches, ..Refusal::new(SmolStr::new_static(error)) }
    }

    /// Refuses commands that write with `READONLY`: the server has become a replica.
    pub fn read_only() -> Refusal {
        const TEXT: &str = "READONLY You can't write against a read only replica.";
        Refusal::of(TEXT, Matches::Flagged { flag: flag::WRITE, ping: false })
    }

    /// Refuses commands that may need memory with `OOM`: `maxmemory` is reached.
    pub fn out_of_memory() -> Refusal {
        const TEXT: &str = "OOM command not allowed when used memory > 'maxmemory'.";
        Refusal::of(TEXT, Matches::NeedingMemory)
    }

    /// Refuses commands that write, and `PING`, with `MISCONF`: the last snapshot could not be
    /// saved.
    pub fn misconfigured() -> Refusal {
        const TEXT: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently \
                            unable to persist to disk. Commands that may modify the data set are \
                            disabled, because this instance is configured to report errors during \
                            writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). \
                            Please check the Redis logs for details about the RDB error.";
        Refusal::of(TEXT, Matches::Flagged { flag: flag::WRITE, ping: true })
    }

    /// Refuses most commands with `LOADING`: the server loads its data set from disk. Commands such
    /// as `INFO` run anyway. See also
    /// [`ServerOptions::with_loading_time`](crate::redis::ServerOptions::with_loading_time).
    pub fn loading() -> Refusal {
        const TEXT: &str = "LOADING Redis is loading the dataset in memory";
        Refusal::of(TEXT, Matches::Unflagged(flag::LOADING))
    }

    /// Refuses most commands with `BUSY`: a script runs for too long.
    pub fn busy() -> Refusal {
        const TEXT: &str = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or \
                            SHUTDOWN NOSAVE.";
        Refusal::of(TEXT, Matches::Unflagged(flag::ALLOW_BUSY))
    }

    /// Refuses commands that name a key with `CLUSTERDOWN`: the cluster has lost slots.
    pub fn cluster_down() -> Refusal {
        Refusal::of("CLUSTERDOWN The cluster is down", Matches::Keyed)
    }

    /// Refuses these commands instead, by name, ignoring case. A container such as `CONFIG` stands
    /// for all its subcommands.
    pub fn commands<I>(mut self, names: I) -> Refusal
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let names = names.into_iter().map(|name| name.as_ref().to_ascii_lowercase().into());
        self.matches = Matches::Named(names.collect());
        self
    }

    /// Refuses only the next `n` matching commands.
    pub fn times(mut self, n: u64) -> Refusal {
        self.left = Some(n);
        self
    }

    /// Lasts only this long, from when the server is given it.
    pub fn lasting(mut self, time: Duration) -> Refusal {
        self.lasting = Some(time);
        self
    }

    /// Refuses only one in `n` matching commands, drawn from the server's stream of choices. 0
    /// counts as 1. The calm choice is not to refuse.
    pub fn one_in(mut self, n: u64) -> Refusal {
        self.one_in = n.max(1);
        self
    }

    pub(crate) fn fits(&self, suspect: Suspect<'_>) -> bool {
        self.matches.fits(suspect)
    }

    /// Returns the error that it answers with.
    #[must_use]
    pub fn error(&self) -> &ErrorReply {
        &self.error
    }
}

/// All refusals of a server that are not over.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Vec<Refusal>);

/// A command that may be refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspect<'a> {
    pub(crate) command: &'static Row,
    /// The commands it stands for: for `EXEC`, the queued ones.
    pub(crate) queued: &'a [(&'static Row, Request)],
    /// The command is part of a transaction.
    pub(crate) in_multi: bool,
}

impl Suspect<'_> {
    fn any(&self, is: impl Fn(&Row) -> bool) -> bool {
        is(self.command) || self.queued.iter().any(|(command, _)| is(command))
    }

    fn has(&self, flag: u32) -> bool {
        self.any(|command| command.has(flag))
    }
}

impl Matches {
    /// Returns whether the server checks this state only after it knows that a subscriber may send
    /// the command.
    fn is_late(&self) -> bool {
        matches!(self, Matches::Unflagged(_))
    }

    fn fits(&self, suspect: Suspect<'_>) -> bool {
        let name = suspect.command.name;
        match self {
            Matches::Every => true,
            Matches::Flagged { flag, ping } => suspect.has(*flag) || (*ping && name == "ping"),
            Matches::NeedingMemory => {
                let ends_it = ["exec", "discard", "quit", "reset"].contains(&name);
                suspect.has(flag::DENYOOM) || (suspect.in_multi && !ends_it)
            }
            Matches::Unflagged(flag) => suspect.any(|command| !command.has(*flag)),
            Matches::Keyed => suspect.any(|command| !command.keys.is_empty()),
            Matches::Named(names) => {
                let container = name.split('|').next().unwrap_or(name);
                names.iter().any(|wanted| wanted == name || wanted == container)
            }
        }
    }
}

impl Refusals {
    pub(crate) fn add(&mut self, now: Instant, mut refusal: Refusal) {
        refusal.until = refusal.lasting.map(|time| now + time);
        self.0.push(refusal);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns whether a refusal for loading is in effect, for `INFO`.
    pub(crate) fn is_loading(&self, now: Instant) -> bool {
        let is_over = |refusal: &Refusal| refusal.until.is_some_and(|until| until <= now);
        self.0.iter().any(|refusal| refusal.error.code() == "LOADING" && !is_over(refusal))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the error that refuses a command, if one does.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        suspect: Suspect<'_>,
        late: bool,
        random: &mut Stream,
    ) -> Option<ErrorReply> {
        if self.0.is_empty() {
            return None;
        }
        self.0.retain(|r| r.left != Some(0) && r.until.is_none_or(|until| until > now));
        for refusal in &mut self.0 {
            if refusal.matches.is_late() != late || !refusal.fits(suspect) {
                continue;
            }
            if refusal.one_in > 1 && random.choose_rarely(1, refusal.one_in) == 0 {
                continue;
            }
            if let Some(left) = &mut refusal.left {
                *left -= 1;
            }
            return Some(refusal.error.clone());
        }
        None
    }
}
