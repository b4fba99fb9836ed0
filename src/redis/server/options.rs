//! What a server is started with, and comes back to when it is started again, as from a
//! configuration file.

use crate::redis::database::{Database, EventClasses};
use crate::redis::persist::{AppendFsync, SavePoint};
use crate::redis::value::{Limits, Sds};
use std::time::Duration;

/// How a server is set up. The default is Redis's own: no password, 16
/// databases, the save points `3600 1 300 100 60 10000`, no append-only file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    pub(super) databases: usize,
    pub(super) password: Option<Sds>,
    pub(super) save_points: Vec<SavePoint>,
    pub(super) append_only: Option<AppendFsync>,
    pub(super) events: EventClasses,
    pub(super) limits: Limits,
    pub(super) uneven_pages: bool,
    pub(super) loading_time: Duration,
    pub(super) tcp_keepalive: u32,
    pub(super) fsync_time: Duration,
    pub(super) port: u16,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        let point = |secs, changes| SavePoint { after: Duration::from_secs(secs), changes };
        ServerOptions {
            databases: 16,
            password: None,
            save_points: vec![point(3_600, 1), point(300, 100), point(60, 10_000)],
            append_only: None,
            events: EventClasses::default(),
            limits: Limits::default(),
            uneven_pages: false,
            loading_time: Duration::ZERO,
            tcp_keepalive: 300,
            fsync_time: Duration::ZERO,
            port: 6_379,
        }
    }
}

impl ServerOptions {
    /// How many databases `SELECT` can choose from; at least 1.
    #[must_use]
    pub fn with_databases(mut self, databases: usize) -> ServerOptions {
        self.databases = databases.max(1);
        self
    }

    /// Clients must `AUTH` with this password first (`requirepass`).
    #[must_use]
    pub fn with_password(mut self, password: impl Into<Sds>) -> ServerOptions {
        self.password = Some(password.into());
        self
    }

    /// When the keys are saved (`save`). With none, a server without an
    /// append-only file keeps nothing over a restart.
    #[must_use]
    pub fn with_save_points(
        mut self,
        points: impl IntoIterator<Item = SavePoint>,
    ) -> ServerOptions {
        self.save_points = points.into_iter().collect();
        self
    }

    /// Keeps an append-only file, synced so (`appendonly yes`).
    #[must_use]
    pub fn with_append_only(mut self, fsync: AppendFsync) -> ServerOptions {
        self.append_only = Some(fsync);
        self
    }

    /// Which keyspace notifications are sent (`notify-keyspace-events`).
    #[must_use]
    pub fn with_notifications(mut self, events: EventClasses) -> ServerOptions {
        self.events = events;
        self
    }

    /// Up to which sizes values keep their compact encodings.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> ServerOptions {
        self.limits = limits;
        self
    }

    /// Draws how many places a call of `SCAN`, `HSCAN`, `SSCAN` or `ZSCAN` looks at: from
    /// none to twice its `COUNT`, where otherwise it is `COUNT`.
    ///
    /// A sweep over seeds then finds a client that takes a short page, or an empty one, for
    /// the last. Each call is one more choice of the server's, and calm it is `COUNT`.
    #[must_use]
    pub fn with_uneven_pages(mut self) -> ServerOptions {
        self.uneven_pages = true;
        self
    }

    /// How long the server loads its data set when it starts again with keys: meanwhile it
    /// accepts connections and answers `LOADING` to most commands. By default it takes no time.
    #[must_use]
    pub fn with_loading_time(mut self, time: Duration) -> ServerOptions {
        self.loading_time = time;
        self
    }

    /// How long the disk takes for a sync of the append-only file, where that is synced once a
    /// second ([`AppendFsync::EverySec`]). By default none, and then the death of the process
    /// loses nothing that was answered. Otherwise it loses what was answered while a sync ran, as
    /// the real server does: that postpones its writes meanwhile, for up to two seconds
    /// (`aof.c`). 10 to 100 ms are usual, seconds when the disk is busy.
    #[must_use]
    pub fn with_fsync_time(mut self, time: Duration) -> ServerOptions {
        self.fsync_time = time;
        self
    }

    pub(crate) fn fsync_time(&self) -> Duration {
        self.fsync_time
    }

    /// Silence after which the server's operating system probes a client (`tcp-keepalive`), in whole
    /// seconds. A client that does not answer is dropped after about as long again. Zero is never.
    #[must_use]
    pub fn with_tcp_keepalive(mut self, silence: Duration) -> ServerOptions {
        self.tcp_keepalive = u32::try_from(silence.as_secs()).unwrap_or(u32::MAX);
        self
    }

    pub(crate) fn loading_time(&self) -> Duration {
        self.loading_time
    }

    /// The port that the server says it listens on (`tcp_port`, `laddr`): 6379 unless told
    /// otherwise. It listens on none.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> ServerOptions {
        self.port = port;
        self
    }

    pub(crate) fn databases(&self) -> usize {
        self.databases
    }

    pub(crate) fn append_only(&self) -> bool {
        self.append_only.is_some()
    }

    /// An empty database of this number.
    pub(super) fn database(&self, index: usize) -> Database {
        let mut database = Database::numbered(index);
        database.uneven_pages = self.uneven_pages;
        database
    }
}
