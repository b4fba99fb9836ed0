//! The options that a server is started with, and returns to when it is started again, as from a
//! configuration file.

use super::acl::Acl;
use super::acl::file::AclFile;
use super::policy::EvictionPolicy;
use super::sentinel::{Sentinel, SentinelOptions};
use crate::redis::database::{Database, EventClasses};
use crate::redis::error::CommandError;
use crate::redis::persist::{AppendFsync, SavePoint};
use crate::redis::value::{Limits, Sds};
use crate::redis::version::Version;
use crate::time::Instant;
use std::time::Duration;

/// How a server is set up. The defaults are Redis's own: no password, 16 databases, the save points
/// `3600 1 300 100 60 10000`, no append-only file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    pub(super) version: Version,
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
    pub(super) acl_file: Option<AclFile>,
    pub(super) max_clients: u64,
    pub(super) client_timeout: Duration,
    pub(super) max_memory: u64,
    pub(super) policy: EvictionPolicy,
    pub(super) master: Option<(String, u16)>,
    pub(super) master_password: Option<Sds>,
    pub(super) sync_delay: Duration,
    pub(super) sentinel: Option<SentinelOptions>,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        let point = |secs, changes| SavePoint { after: Duration::from_secs(secs), changes };
        ServerOptions {
            version: Version::default(),
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
            acl_file: None,
            max_clients: 10_000,
            client_timeout: Duration::ZERO,
            max_memory: 0,
            policy: EvictionPolicy::NoEviction,
            master: None,
            master_password: None,
            sync_delay: Duration::from_secs(5),
            sentinel: None,
        }
    }
}

impl ServerOptions {
    /// Sets the version that the server imitates; Redis 7.0 by default. Options that name commands
    /// ([`ServerOptions::with_acl_file`]) mean those of this version, so set it first.
    #[must_use]
    pub fn with_version(mut self, version: Version) -> ServerOptions {
        self.version = version;
        self
    }

    /// See [`ServerOptions::with_version`].
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Sets the number of databases, from 1 to 65,536.
    #[must_use]
    pub fn with_databases(mut self, databases: usize) -> ServerOptions {
        self.databases = databases.clamp(1, 1 << 16);
        self
    }

    /// Requires clients to `AUTH` with this password (`requirepass`). An empty one is none.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<Sds>) -> ServerOptions {
        self.password = Some(password.into()).filter(|password: &Sds| !password.is_empty());
        self
    }

    /// Sets the save points (`save`). Without any, and without an append-only file, a restart keeps
    /// only the last `SAVE`.
    #[must_use]
    pub fn with_save_points(
        mut self,
        points: impl IntoIterator<Item = SavePoint>,
    ) -> ServerOptions {
        self.save_points = points.into_iter().collect();
        self
    }

    /// Keeps an append-only file that is synced in this way (`appendonly yes`).
    #[must_use]
    pub fn with_append_only(mut self, fsync: AppendFsync) -> ServerOptions {
        self.append_only = Some(fsync);
        self
    }

    /// Sets which keyspace notifications are sent (`notify-keyspace-events`).
    #[must_use]
    pub fn with_notifications(mut self, events: EventClasses) -> ServerOptions {
        self.events = events;
        self
    }

    /// Sets the sizes up to which values keep their compact encodings.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> ServerOptions {
        self.limits = limits;
        self
    }

    /// Draws how many places a call of `SCAN`, `HSCAN`, `SSCAN` or `ZSCAN` walks: from 0 to twice
    /// its `COUNT`. By default it walks exactly `COUNT`.
    ///
    /// A sweep over seeds then finds a client that mistakes a short or empty page for the last one.
    /// Each call is one more choice of the server; the calm choice is `COUNT`.
    #[must_use]
    pub fn with_uneven_pages(mut self) -> ServerOptions {
        self.uneven_pages = true;
        self
    }

    /// Sets how long the server loads its data set when it starts with keys. Meanwhile it accepts
    /// connections and answers most commands with `LOADING`. The default is zero.
    #[must_use]
    pub fn with_loading_time(mut self, time: Duration) -> ServerOptions {
        self.loading_time = time;
        self
    }

    /// Sets how long the disk takes to sync an append-only file that is synced once a second
    /// ([`AppendFsync::EverySec`]). The default is zero, and then a crash of the process loses
    /// nothing that was answered. Otherwise it loses what was answered while a sync ran, as in the
    /// real server, which postpones writes meanwhile for up to two seconds (`aof.c`). Typical
    /// values are 10 to 100 ms, and seconds for a busy disk.
    #[must_use]
    pub fn with_fsync_time(mut self, time: Duration) -> ServerOptions {
        self.fsync_time = time;
        self
    }

    pub(crate) fn fsync_time(&self) -> Duration {
        self.fsync_time
    }

    /// Sets the silence after which the server's operating system probes a client
    /// (`tcp-keepalive`), in whole seconds. A client that does not answer is dropped after about
    /// the same time again. Zero is never.
    #[must_use]
    pub fn with_tcp_keepalive(mut self, silence: Duration) -> ServerOptions {
        self.tcp_keepalive = u32::try_from(silence.as_secs()).unwrap_or(u32::MAX);
        self
    }

    /// Sets how many clients may be connected (`maxclients`), at least 1. Further ones are told
    /// `ERR max number of clients reached`, and closed. The default is 10,000.
    #[must_use]
    pub fn with_max_clients(mut self, clients: u32) -> ServerOptions {
        self.max_clients = u64::from(clients.max(1));
        self
    }

    /// Closes clients that send nothing for longer than this (`timeout`), in whole seconds, unless
    /// they wait for a key or listen to a channel. Zero, the default, is never.
    #[must_use]
    pub fn with_client_timeout(mut self, idle: Duration) -> ServerOptions {
        self.client_timeout = idle;
        self
    }

    /// Limits the server's memory to this many bytes (`maxmemory`). Zero, the default, is no limit.
    ///
    /// The limit counts the bytes that a real server would use for the keys (`MEMORY USAGE`) and
    /// for itself, which is close to 1 MB: see `used_memory` in `INFO`. Beyond the limit, commands
    /// that may need memory are refused with `OOM`, unless keys can be evicted
    /// ([`ServerOptions::with_eviction`]).
    #[must_use]
    pub fn with_max_memory(mut self, bytes: u64) -> ServerOptions {
        self.max_memory = bytes;
        self
    }

    /// Sets which keys are evicted beyond the limit (`maxmemory-policy`). The default is none.
    ///
    /// ```
    /// use stunt_double::redis::server::Server;
    /// use stunt_double::redis::{EvictionPolicy, ServerOptions};
    /// use stunt_double::{Instant, Site, Stream};
    ///
    /// let options = ServerOptions::default()
    ///     .with_max_memory(1_000_000)
    ///     .with_eviction(EvictionPolicy::AllKeysLru);
    /// let mut server = Server::new(options, Stream::seeded(1, Site::new("redis"), 0));
    /// let client = stunt_double::redis::server::ClientId(1);
    /// server.connected(Instant::ZERO, client, "a cache");
    /// let value = vec![b'x'; 10_000];
    /// for n in 0..100 {
    ///     let key = format!("k{n}");
    ///     server.handle_input(Instant::ZERO, client, &[b"SET", key.as_bytes(), &value]);
    /// }
    /// let kept = server.database(0).map_or(0, |db| db.len());
    /// assert!(kept < 20, "{kept} keys fit");
    /// ```
    #[must_use]
    pub fn with_eviction(mut self, policy: EvictionPolicy) -> ServerOptions {
        self.policy = policy;
        self
    }

    pub(crate) fn loading_time(&self) -> Duration {
        self.loading_time
    }

    /// Sets the port that the server claims to listen on (`tcp_port`, `laddr`). The default is
    /// 6379. The server listens on no port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> ServerOptions {
        self.port = port;
        self
    }

    /// Gives the server a file of ACL users (`aclfile`) with this path and text, which it loads
    /// when it starts. `ACL SAVE` and `ACL LOAD` write and read it on the server's modelled disk:
    /// nothing is read from this machine. A line is one of `ACL LIST`, such as
    /// `user app on >secret ~app:* +@all`.
    ///
    /// # Errors
    ///
    /// The error that `ACL LOAD` would answer for this file: a real server does not start with it.
    pub fn with_acl_file(
        mut self,
        path: impl Into<String>,
        text: impl Into<Sds>,
    ) -> Result<ServerOptions, CommandError> {
        let file = AclFile { path: path.into(), text: text.into() };
        let mut acl = Acl::new(self.version, None);
        acl.load(&file, false).map_err(|why| CommandError::format(format!("ERR {why}")))?;
        self.acl_file = Some(file);
        Ok(self)
    }

    /// Makes the server a replica of the server of this name, which listens on this port
    /// (`replicaof`), whenever it is started. In a world, it needs to be able to reach that server:
    /// see [`start_replicas`](crate::redis::start_replicas).
    #[must_use]
    pub fn with_master(mut self, host: impl Into<String>, port: u16) -> ServerOptions {
        self.master = Some((host.into(), port));
        self
    }

    /// Sets the password with which the server logs in to its master (`masterauth`).
    #[must_use]
    pub fn with_master_password(mut self, password: impl Into<Sds>) -> ServerOptions {
        self.master_password = Some(password.into());
        self
    }

    /// Sets how long a master waits, in whole seconds, before it sends its data set to a new
    /// replica (`repl-diskless-sync-delay`). The default is five seconds, as in the real server,
    /// which hopes that more replicas come meanwhile.
    #[must_use]
    pub fn with_sync_delay(mut self, delay: Duration) -> ServerOptions {
        self.sync_delay = delay;
        self
    }

    /// Makes the server a Sentinel, which has no keys, and watches a master at this address.
    pub(crate) fn with_sentinel(mut self, options: SentinelOptions) -> ServerOptions {
        self.sentinel = Some(options);
        self
    }

    pub(super) fn sentinel(&self) -> Option<&SentinelOptions> {
        self.sentinel.as_ref()
    }

    pub(super) fn new_sentinel(&self) -> Option<Box<Sentinel>> {
        let options = self.sentinel.as_ref()?;
        let own = (String::new(), self.port);
        Some(Box::new(Sentinel::new(Instant::ZERO, options, own)))
    }

    pub(super) fn sync_delay(&self) -> u64 {
        self.sync_delay.as_secs()
    }

    pub(super) fn master(&self) -> Option<&(String, u16)> {
        self.master.as_ref()
    }

    /// Returns what tells the histories of this server from those of others.
    pub(super) fn replication_seed(&self) -> String {
        self.port.to_string()
    }

    pub(crate) fn databases(&self) -> usize {
        self.databases
    }

    pub(crate) fn append_only(&self) -> bool {
        self.append_only.is_some()
    }

    /// Returns an empty database with this number.
    pub(super) fn database(&self, index: usize) -> Database {
        let mut database = Database::numbered(index);
        database.uneven_pages = self.uneven_pages;
        database.profile = self.version.profile();
        database
    }
}
