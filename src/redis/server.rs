//! The server: databases, sessions and everything that they share, as one owned value.
//!
//! It is driven through [`Server::handle_input`], [`Server::handle_timeout`] and
//! [`Server::poll_output`].
//!
//! # Order within a step
//!
//! The server handles an input or a timer in this order: keys that are due expire; the command, or
//! the whole `EXEC`, runs; its events are published as each of its commands ends; blocked clients
//! are served from the keys that it fed, first come first served, until none can be; the clients
//! that this released continue with the requests that they had sent meanwhile. No input of another
//! client comes in between.

// This file has the state and the contract. `dispatch` is the path of a request through the checks
// that Redis makes. `session` is what the server knows of a client, `command` has the commands that
// need the server, `sleep` models `DEBUG SLEEP`, and `lifecycle` stops and starts the process.

pub(crate) mod acl;
pub(crate) mod blocking;
mod check;
mod clients;
mod clock;
mod command;
pub(crate) mod config;
mod disk;
mod dispatch;
mod eviction;
mod files;
mod idle;
mod lifecycle;
mod limits;
mod options;
mod outbox;
mod pause;
mod permission;
mod policy;
mod propagate;
pub(crate) mod pubsub;
pub(crate) mod refusal;
pub(crate) mod replication;
mod scripting;
pub(crate) mod sentinel;
mod session;
mod sleep;
mod slow;
mod stats;
pub(crate) mod story;
pub(crate) mod tracking;
pub(crate) mod transaction;

pub(crate) use dispatch::hangs_up_on;
pub use files::AppendOnlyLoad;
pub use options::ServerOptions;
pub use outbox::Output;
pub(crate) use pause::Pause;
pub use policy::EvictionPolicy;
pub use refusal::Refusal;
pub use replication::{Dial, DialAction, Discarded, LostWrite};
pub use sentinel::SentinelOptions;
pub(crate) use session::{Replies, Session, Watch};
pub(crate) use sleep::Sleep;
pub(crate) use stats::Stats;
use story::Story;

use self::command::Row;
use crate::Shutdown;
use crate::choice::Stream;
use crate::redis::command::{Origin, Table};
use crate::redis::database::Database;
use crate::redis::database::calendar::instant_of_ms;
use crate::redis::error::CommandError;
pub use crate::redis::id::ClientId;
use crate::redis::persist::Persistence;
use crate::redis::reply::Reply;
use crate::redis::value::Sds;
use crate::redis::version::Profile;
use crate::time::Instant;
use acl::Acl;
use acl::file::AclFile;
use blocking::Blocking;
use config::Config;
use eviction::Eviction;
use indexmap::IndexMap;
use outbox::Outbox;
use propagate::Sent;
use pubsub::PubSub;
use refusal::Refusals;
use replication::Replication;
use rustc_hash::FxBuildHasher;
use scripting::Scripting;
use sentinel::Sentinel;
use slow::Watchers;
use std::collections::VecDeque;
use std::time::Duration;
use tracking::Tracking;
use transaction::Scheduled;

/// A request that waits for its turn.
pub(crate) type Request = Vec<Sds>;

/// A Redis server as a value.
///
/// # Driving it
///
/// The server reads no clock and starts nothing. Every call passes in the time, which must not go
/// backwards.
///
/// 1. Call [`connected`](Server::connected), then [`handle_input`](Server::handle_input) any number
///    of times for a client, then [`disconnected`](Server::disconnected).
/// 2. After each of them, call [`poll_output`](Server::poll_output) until it returns `None`.
///    Outputs queue, so several inputs in a row are legal.
/// 3. Call [`handle_timeout`](Server::handle_timeout) at the time that
///    [`poll_timeout`](Server::poll_timeout) returns. Timers of the same instant fire in this
///    order: keys expire, a `DEBUG SLEEP` ends, a `CLIENT PAUSE` ends, blocked clients time out,
///    the lowest [`ClientId`] first, idle clients are closed (`timeout`).
///
/// The databases can also be used directly at any time: [`database`](Server::database).
///
/// ```
/// use stunt_double::redis::server::{ClientId, Output, Server};
/// use stunt_double::redis::{Reply, ServerOptions};
/// use stunt_double::{Instant, Site, Stream};
///
/// let now = Instant::ZERO;
/// let mut server = Server::new(ServerOptions::default(), Stream::calm(Site::new("redis"), 0));
/// let client = ClientId(1);
/// server.connected(now, client, "a test");
/// server.handle_input(now, client, &[b"INCRBY", b"counter", b"5"]);
/// let Some(Output::Reply { reply, .. }) = server.poll_output() else { panic!("it answers") };
/// assert_eq!(reply, Reply::Integer(5));
/// ```
#[derive(Debug)]
pub struct Server {
    pub(crate) options: ServerOptions,
    pub(crate) config: Config,
    pub(crate) table: &'static Table<Server>,
    pub(crate) now: Instant,
    pub(crate) started: Instant,
    pub(crate) databases: Vec<Database>,
    pub(crate) sessions: IndexMap<ClientId, Session, FxBuildHasher>,
    pub(crate) acl: Acl,
    /// The file of users on the disk.
    pub(crate) acl_file: Option<AclFile>,
    next_id: u64,
    pub(crate) random: Stream,
    pub(crate) pubsub: PubSub,
    pub(crate) blocking: Blocking,
    pub(crate) persistence: Persistence,
    /// Nanoseconds by which the machine's calendar is ahead of the world's.
    pub(crate) ahead: i64,
    /// Commands that are answered with errors.
    pub(crate) refusals: Refusals,
    /// The server loads its data set until then.
    pub(crate) loading_until: Option<Instant>,
    pub(crate) stats: Stats,
    pub(crate) running: bool,
    /// When a process that has ended starts by itself.
    pub(crate) starts_at: Option<Instant>,
    /// How the process has ended by itself.
    pub(crate) exited: Option<Shutdown>,
    outbox: Outbox,
    /// Clients that were released and may have waiting requests.
    released: VecDeque<ClientId>,
    /// Clients that have continued, for a caller that keeps further requests of theirs and asked
    /// for this list.
    resumed: Option<VecDeque<ClientId>>,
    /// Nothing expires or is saved by itself (`DEBUG PAUSE-CRON`).
    pub(crate) cron_paused: bool,
    /// Work that a transaction has put off until its end.
    pub(crate) scheduled: Scheduled,
    /// `DEBUG SLEEP`, and the inputs that arrived meanwhile.
    pub(crate) sleep: Sleep,
    /// `CLIENT PAUSE`.
    pub(crate) paused: Option<Pause>,
    /// What happened to each key, while somebody asks for it.
    story: Option<Box<Story>>,
    pub(crate) scripting: Scripting,
    pub(crate) watchers: Watchers,
    pub(crate) tracking: Tracking,
    pub(crate) eviction: Eviction,
    pub(crate) replication: Replication,
    /// The state of a Sentinel, if it is one.
    pub(crate) sentinel: Option<Box<Sentinel>>,
}

impl Server {
    /// Returns a running server without keys. `SPOP`, `RANDOMKEY` and similar commands draw from
    /// `random`.
    #[must_use]
    pub fn new(options: ServerOptions, random: Stream) -> Server {
        let config = Config::new(&options);
        let mut server = Server {
            table: match options.sentinel() {
                None => command::table(options.version),
                Some(_) => command::sentinel_table(),
            },
            now: Instant::ZERO,
            started: Instant::ZERO,
            databases: (0..options.databases()).map(|index| options.database(index)).collect(),
            sessions: IndexMap::default(),
            acl: Acl::new(options.version, None),
            acl_file: options.acl_file.clone(),
            next_id: 1,
            random,
            pubsub: PubSub::default(),
            blocking: Blocking::default(),
            persistence: Persistence::default(),
            ahead: 0,
            refusals: Refusals::default(),
            loading_until: None,
            stats: Stats::default(),
            running: true,
            starts_at: None,
            exited: None,
            outbox: Outbox::new(options.version.profile()),
            released: VecDeque::new(),
            resumed: None,
            cron_paused: false,
            scheduled: Scheduled::default(),
            sleep: Sleep::default(),
            paused: None,
            story: None,
            scripting: Scripting::default(),
            watchers: Watchers::new(options.version.profile()),
            tracking: Tracking::default(),
            eviction: Eviction::default(),
            replication: Replication::new(options.replication_seed()),
            sentinel: options.new_sentinel(),
            options,
            config,
        };
        server.start_acl();
        server.apply_config();
        if server.config.append_only {
            server.disk().append_only_is_synced();
        }
        server.start_replication();
        server
    }

    /// The facts of the version that the server imitates.
    pub(crate) fn profile(&self) -> &'static Profile {
        self.options.version.profile()
    }

    /// The port that the server claims to listen on.
    pub(crate) fn port(&self) -> u16 {
        self.config.port
    }

    /// Returns how the process has ended if a client has ended it (`SHUTDOWN`, `DEBUG SEGFAULT`)
    /// and it does not start again by itself (`DEBUG RESTART`).
    pub(crate) fn exited(&self) -> Option<Shutdown> {
        if self.running || self.starts_at.is_some() { None } else { self.exited }
    }

    /// Returns whether the server is running; see [`Server::stop`].
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Returns the text of the file of ACL users, as it is on the server's disk; see
    /// [`ServerOptions::with_acl_file`].
    #[must_use]
    pub fn acl_file(&self) -> Option<&[u8]> {
        self.acl_file.as_ref().map(|file| file.text.as_slice())
    }

    /// Returns a database, to inspect it or to change it directly, or `None` if no database has
    /// this number. `WATCH` sees such changes at once, blocked clients with the next input.
    pub fn database(&mut self, index: usize) -> Option<&mut Database> {
        self.databases.get_mut(index)
    }

    /// Answers commands with errors from now on, instead of running them; see [`Refusal`].
    /// [`Server::refuse_nothing`] ends it. A refusal outlives a restart.
    pub fn refuse(&mut self, now: Instant, refusal: Refusal) {
        self.advance(now);
        self.refusals.add(self.now.max(now), refusal);
    }

    /// Silence after which the operating system probes a client that connects now. Zero is never.
    pub(crate) fn tcp_keepalive(&self) -> Duration {
        Duration::from_secs(u64::from(self.config.tcp_keepalive))
    }

    /// Returns whether the server loads its data set, or pretends to ([`Refusal::loading`]).
    pub(crate) fn is_loading(&self) -> bool {
        self.loading_until.is_some_and(|until| until > self.now)
            || self.refusals.is_loading(self.now)
    }

    /// Ends all refusals, but not the loading of a data set.
    pub fn refuse_nothing(&mut self) {
        self.refusals.clear();
    }

    /// Handles a client's request: a command's name and its arguments. The server ignores an empty
    /// request, and a request of a client that is not connected.
    pub fn handle_input(&mut self, now: Instant, client: ClientId, request: &[&[u8]]) {
        self.advance(now);
        if request.is_empty() {
            return;
        }
        if self.is_asleep() {
            return self.keep_request(now, client, request);
        }
        self.sleep.read_at = now;
        self.receive(client, request);
        self.settle();
    }

    /// Runs one command for a client that exists only for it.
    pub(crate) fn operate(&mut self, now: Instant, words: &[&[u8]]) -> Reply {
        /// No connection of a world has this number.
        const OPERATOR: ClientId = ClientId(u64::MAX);
        self.advance(now);
        if !self.running {
            return CommandError::text("ERR the server is not running").into();
        }
        if words.is_empty() {
            return CommandError::text("ERR a command has at least one word").into();
        }
        self.sessions.insert(OPERATOR, Session::new(0, "operator", now, None));
        let reply = match self.table.resolve(words) {
            Ok(command) => match self.check_operator(OPERATOR, command, words) {
                Ok(()) => self.call(OPERATOR, Origin::Operator, command, words),
                Err(error) => Some(error.into()),
            },
            Err(error) => Some(error.into()),
        };
        self.forget(OPERATOR);
        self.send_effects(Sent::Together);
        self.settle();
        reply.unwrap_or(Reply::Nil)
    }

    /// Returns an error if the role or the memory refuses an operator's command.
    fn check_operator(
        &mut self,
        operator: ClientId,
        command: &'static Row,
        words: &[&[u8]],
    ) -> Result<(), CommandError> {
        self.check_role_for_all(operator, command, words)?;
        self.check_memory(operator, command, words)
    }

    /// Returns the next output, if there is one. A sleeping server sends nothing: earlier outputs
    /// follow when it wakes.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.is_asleep() { None } else { self.outbox.poll() }
    }

    /// Returns when [`Server::handle_timeout`] is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.running {
            return self.starts_at;
        }
        if let Some(until) = self.sleep.until() {
            return Some(until);
        }
        if self.is_busy() {
            return self.busy_until();
        }
        let expiry = self.databases.iter().filter_map(Database::next_expiry_ms).min();
        [
            expiry.map(|ms| instant_of_ms(ms, self.ahead)),
            self.blocking.next_timeout(),
            self.blocking.next_sync,
            self.next_idle_entry(),
            self.paused.map(|pause| pause.until),
            self.next_idle_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Fires the timers that are due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.starts_at.is_some_and(|at| at <= now) {
            self.start(now);
        }
        self.wake(now);
        if self.is_asleep() {
            return;
        }
        self.advance(now);
        if self.is_busy() {
            self.continue_script();
            self.settle();
            return self.read_what_came_meanwhile();
        }
        // A key may have been set with a time in the past.
        for database in &mut self.databases {
            database.advance_to(now);
        }
        self.publish_events();
        if self.replication.feeds {
            self.send_effects(Sent::OneByOne);
        }
        if self.replication.cron.is_some_and(|due| due <= now) {
            self.replicate_until(now);
        }
        self.watch_until(now);
        if self.replication.is_replica() {
            // Bytes may have arrived while it slept.
            self.read_link();
        }
        if self.paused.is_some_and(|pause| pause.until <= now) {
            self.unpause();
        }
        if self.blocking.next_sync.is_some_and(|due| due <= now) {
            self.serve_waits();
            self.watch_syncs();
        }
        self.serve_idle_waits();
        for client in self.blocking.due(now) {
            self.time_out(client);
        }
        self.close_idle_clients();
        self.settle();
        self.read_what_came_meanwhile();
    }

    /// Advances the time. Due keys expire before anything else happens. A sleeping server does not
    /// notice.
    pub(crate) fn advance(&mut self, now: Instant) {
        if self.is_busy() {
            self.now = self.now.max(now);
        } else if now > self.now && !self.is_asleep() {
            self.disk().persist_until(now);
            self.now = now;
            for database in &mut self.databases {
                database.advance_to(now);
            }
            self.publish_events();
            if self.replication.feeds {
                self.send_effects(Sent::OneByOne);
            }
        }
    }

    /// Finishes a step: serves blocked clients and lets released ones continue, until nothing is
    /// left to do.
    fn settle(&mut self) {
        while !self.is_asleep() {
            if self.script_is_killed() {
                self.continue_script();
            }
            self.evict_if_due();
            self.evict_clients();
            self.publish_events();
            self.send_invalidations();
            if self.replication.feeds {
                self.send_effects(Sent::Together);
            }
            if self.serve_ready() {
                continue;
            }
            let Some(client) = self.released.pop_front() else { return };
            self.resume(client);
            if let Some(resumed) = &mut self.resumed {
                resumed.push_back(client);
            }
        }
    }

    /// Tells the machine that the client whose request comes next has replies that were polled and
    /// not yet written: the request is part of a pipeline.
    #[inline]
    pub(crate) fn note_unwritten(&mut self, client: Option<ClientId>) {
        self.outbox.note_unwritten(client);
    }

    /// Begins or ends to keep the list for [`Server::poll_resumed`], which the caller must then
    /// poll after every input.
    pub(crate) fn report_resumed(&mut self, report: bool) {
        self.resumed = report.then(VecDeque::new);
    }

    /// Returns the next client that waited and has continued, in order.
    pub(crate) fn poll_resumed(&mut self) -> Option<ClientId> {
        self.resumed.as_mut()?.pop_front()
    }

    /// Sends the databases' events to their subscribers.
    pub(crate) fn publish_events(&mut self) {
        if self.tracking.is_on {
            return self.publish_with_invalidations();
        }
        if self.config.events.is_silent() {
            return;
        }
        for index in 0..self.databases.len() {
            if self.databases[index].observers.events.is_empty() {
                continue;
            }
            for event in std::mem::take(&mut self.databases[index].observers.events) {
                self.publish_key_event(&event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_can_be_sent_to_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<Server>();
    }
}
