//! The server's data as the bytes of a file: an RDB file, or an append-only file. The library
//! reads and writes no files; what becomes of the bytes is up to the caller.
//!
//! Reading is what a process does that starts with the file: all keys are replaced, and the disk
//! has the new ones. The commands of an append-only file run as those of a client, except that
//! keys do not expire meanwhile.
//!
//! Source: `rdb.c`, `aof.c` (`loadSingleAppendOnlyFile`).

use super::propagate::obeyed;
use super::{Server, Session};
use crate::redis::command::{Caller, Origin};
use crate::redis::database::calendar::calendar_ms;
use crate::redis::database::{Database, keyspaces};
use crate::redis::id::ClientId;
use crate::redis::rdb::{AppendOnly, Next, RdbError, Snapshot, append_only_file_for, is_rdb};
use crate::redis::reply::ErrorReply;
use crate::redis::value::Sds;
use crate::time::Instant;

/// A command, and where it begins.
type Placed<'a> = (usize, Vec<&'a [u8]>);

/// No connection of a world has this number.
const LOADER: ClientId = ClientId(u64::MAX);

/// What an append-only file had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOnlyLoad {
    /// Number of commands that were run.
    pub commands: usize,
    /// Source of each library of functions. Without the feature `lua`, the server does not load
    /// them.
    pub libraries: Vec<Sds>,
    /// The file ends within a command or a transaction; this many bytes before that are whole.
    /// As with `aof-load-truncated yes`, the rest is ignored.
    pub truncated_at: Option<usize>,
}

impl Server {
    /// Returns all keys as an RDB file, which a real server can load. Keys that have expired but
    /// were not yet removed are in it, as on the real server. It does not count as a save.
    ///
    /// ```
    /// use stunt_double::redis::ServerOptions;
    /// use stunt_double::redis::server::Server;
    /// use stunt_double::{Instant, Site, Stream};
    ///
    /// let mut server = Server::new(ServerOptions::default(), Stream::calm(Site::new("redis"), 0));
    /// server.database(0).expect("there are 16").mset([(&b"k"[..], &b"v"[..])]);
    /// let file = server.to_rdb();
    ///
    /// let mut other = Server::new(ServerOptions::default(), Stream::calm(Site::new("redis"), 0));
    /// other.load_rdb(Instant::ZERO, &file)?;
    /// assert_eq!(other.database(0).expect("there are 16").get(b"k")?, Some(&b"v"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_rdb(&self) -> Vec<u8> {
        self.rdb_with(Vec::new())
    }

    /// Returns all keys as an RDB file for a replica, with the place in the history.
    pub(super) fn data_set(&mut self) -> Vec<u8> {
        let replication = &mut self.replication;
        let place = vec![
            (Snapshot::STREAM_DATABASE, replication.stream_database().to_string()),
            ("repl-id", replication.history().to_string()),
            ("repl-offset", replication.offset.to_string()),
        ];
        self.rdb_with(place)
    }

    fn rdb_with(&self, more: Vec<(&str, String)>) -> Vec<u8> {
        let seconds = calendar_ms(self.now, self.ahead) / 1_000;
        let mut fields = vec![
            (self.profile().product.rdb_field, self.profile().product.number.to_owned()),
            ("redis-bits", "64".to_owned()),
            ("ctime", seconds.to_string()),
            ("used-mem", self.profile().memory.at_start.to_string()),
        ];
        fields.extend(more);
        fields.push(("aof-base", "0".to_owned()));
        let mut snapshot = self.snapshot();
        let field = |(name, value)| (Sds::from(name), Sds::from(value));
        snapshot.fields = fields.into_iter().map(field).collect();
        snapshot.to_bytes()
    }

    /// Returns all keys as an append-only file without an RDB preamble, as a rewrite writes it.
    #[must_use]
    pub fn to_append_only_file(&self) -> Vec<u8> {
        append_only_file_for(&self.snapshot(), self.config.limits.producers)
    }

    fn snapshot(&self) -> Snapshot {
        let records = self.databases.iter().flat_map(Database::records).collect();
        Snapshot {
            records,
            libraries: self.libraries(),
            version: self.options.version(),
            ..Snapshot::default()
        }
    }

    /// Replaces all keys with those of an RDB file. Those that have expired by now are left out.
    /// The libraries of functions are replaced, too; without the feature `lua` they are left out.
    /// Returns the source of each.
    ///
    /// # Errors
    ///
    /// [`RdbError`] for a file that is damaged or of a later version, that has values of modules or
    /// a key twice, that has keys in a database which the server does not have, or a library that
    /// does not load. Then nothing has changed.
    pub fn load_rdb(&mut self, now: Instant, file: &[u8]) -> Result<Vec<Sds>, RdbError> {
        self.advance(now);
        let (snapshot, _) = Snapshot::read(file, &self.config.limits, self.options.version())?;
        let saved = keyspaces(snapshot.records, self.databases.len())?;
        let unloadable = |why: String| RdbError::new(0, format!("a library does not load: {why}"));
        self.replace_libraries(&snapshot.libraries).map_err(unloadable)?;
        self.abandon_history();
        self.disk().adopt(saved);
        Ok(snapshot.libraries)
    }

    /// Replaces all keys with those that an append-only file makes. The file may begin with an RDB
    /// file, as `aof-use-rdb-preamble yes` writes it.
    ///
    /// # Errors
    ///
    /// [`RdbError`] for a file that is damaged, or that calls a command which does not exist. Then
    /// the keys are those of the file up to there.
    pub fn load_append_only_file(
        &mut self,
        now: Instant,
        file: &[u8],
    ) -> Result<AppendOnlyLoad, RdbError> {
        self.advance(now);
        let mut load = AppendOnlyLoad::default();
        let (mut records, mut begin) = (Vec::new(), 0);
        if is_rdb(file) {
            let (snapshot, end) =
                Snapshot::read(file, &self.config.limits, self.options.version())?;
            (records, load.libraries, begin) = (snapshot.records, snapshot.libraries, end);
        }
        let saved = keyspaces(records, self.databases.len())?;
        let unloadable = |why: String| RdbError::new(0, format!("a library does not load: {why}"));
        self.replace_libraries(&load.libraries).map_err(unloadable)?;
        self.abandon_history();
        self.databases.iter_mut().for_each(Database::suspend_expiry);
        self.databases.iter_mut().for_each(|database| database.obeys = true);
        self.disk().adopt(saved);
        let session = Session::new(0, "loader", now, None);
        self.sessions.insert(LOADER, session);
        let result = self.run_file(file, begin, &mut load);
        self.forget(LOADER);
        for database in &mut self.databases {
            database.observers.events.clear();
            database.observers.ready.clear();
            database.obeys = false;
            database.advance_to(now);
        }
        self.publish_events();
        self.disk().is_loaded();
        result.map(|()| load)
    }

    /// Runs the commands of a file from `begin` on.
    fn run_file(
        &mut self,
        file: &[u8],
        begin: usize,
        load: &mut AppendOnlyLoad,
    ) -> Result<(), RdbError> {
        let mut commands = AppendOnly::new(file, begin);
        // The commands of a transaction that has not ended, and where it begins.
        let mut transaction: Option<(usize, Vec<Placed<'_>>)> = None;
        loop {
            let at = commands.at();
            let words = match commands.next_command()? {
                Next::Command(words) => words,
                Next::End => break,
                Next::Truncated => {
                    load.truncated_at = Some(at);
                    break;
                }
            };
            let is = |name: &str| words[0].eq_ignore_ascii_case(name.as_bytes());
            if is("multi") {
                transaction.get_or_insert((at, Vec::new()));
            } else if is("exec") {
                for (at, words) in transaction.take().unwrap_or_default().1 {
                    self.run_from_file(at, &words, load)?;
                }
            } else if let Some((_, queued)) = &mut transaction {
                queued.push((at, words));
            } else {
                self.run_from_file(at, &words, load)?;
            }
        }
        if let Some((at, _)) = transaction {
            load.truncated_at = Some(at);
        }
        Ok(())
    }

    fn run_from_file(
        &mut self,
        at: usize,
        words: &[&[u8]],
        load: &mut AppendOnlyLoad,
    ) -> Result<(), RdbError> {
        load.commands += 1;
        let Some(command) = self.table.named(words) else {
            let name = String::from_utf8_lossy(words[0]);
            return Err(RdbError::new(at, format!("there is no command {name}")));
        };
        if let (Some(library), "function|load") = (words.last(), command.name) {
            load.libraries.push(Sds::new(library));
        }
        // What fails here has failed before, or has been refused: the file goes on, as on the real
        // server.
        if command.accepts(words.len()) {
            let obeyed = obeyed(words);
            let words = obeyed.as_deref().unwrap_or(words);
            // It is no call: no log and no counter of commands has it.
            let database = self.sessions.get(&LOADER).map_or(0, |session| session.database);
            let caller = Caller { client: LOADER, database, origin: Origin::Operator };
            if let Err(error) = self.execute(caller, command, words) {
                self.stats.failed(&ErrorReply::from(error));
                self.stats.unexpected_errors += 1;
            }
        }
        Ok(())
    }
}
