//! Servers in a world, as a test holds them: alone, with replicas, with Sentinels.

use super::companion::Group;
use crate::choice::Site;
use crate::redis::database::Database;
use crate::redis::persist::Losses;
use crate::redis::reply::Reply;
use crate::redis::resp::ByteServer;
use crate::redis::server::refusal::Refusal;
use crate::redis::server::{Discarded, SentinelOptions, Server, ServerOptions};
use crate::redis::value::Sds;
use crate::sim::chaos::{AnyMachine, Machine, sealed};
use crate::sim::{Link, ServiceHandle, Sim};
use crate::time::Instant;
use std::ops::Deref;

/// The site at which `SPOP`, `RANDOMKEY` and similar commands draw.
const DRAWS: Site = Site::new("redis.draws");

/// A server in a world, as a test holds it.
///
/// It dereferences to a [`ServiceHandle`], which stops and starts the server, sets its clock and
/// wipes its disk. All clones are the same server.
#[derive(Clone, Debug)]
pub struct Redis {
    service: ServiceHandle<ByteServer>,
    /// The servers that it can reach.
    group: Group,
}

impl Deref for Redis {
    type Target = ServiceHandle<ByteServer>;

    fn deref(&self) -> &ServiceHandle<ByteServer> {
        &self.service
    }
}

impl sealed::Machine for Redis {
    fn machine(&self) -> AnyMachine {
        self.service.machine()
    }
}

impl Machine for Redis {}

/// Starts a server named `redis` in the world. See [`start_named`] for several servers, or another
/// name.
///
/// # Panics
///
/// If the world already has a service or a node of that name.
pub fn start(sim: &mut Sim, options: ServerOptions) -> Redis {
    start_named(sim, "redis", options)
}

/// Starts a server of this name in the world.
///
/// # Panics
///
/// If the world already has a service or a node of that name.
pub fn start_named(sim: &mut Sim, name: &str, options: ServerOptions) -> Redis {
    let make = |random| ByteServer::new(Server::new(options, random));
    Redis { service: sim.service(name, DRAWS, make), group: Group::default() }
}

/// Starts replicas of these names, which follow `master` over the simulated network. From now on
/// all of them can reach each other, so any may become the master of the others (`REPLICAOF`,
/// `FAILOVER`). Call it again for more replicas of the same master.
///
/// A replica has nothing at first: it connects, and the master sends its data set after the delay
/// of [`ServerOptions::with_sync_delay`], five seconds unless the master's options say otherwise.
/// The messages of servers to each other are background work, which does not keep [`Sim::run`]
/// going by itself.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::redis::{self, Client, ServerOptions};
/// use stunt_double::sim::{Latency, Sim};
///
/// let mut sim = Sim::new(1);
/// let master = redis::start_named(&mut sim, "redis-a", ServerOptions::default());
/// let replicas =
///     redis::start_replicas(&mut sim, &master, ["redis-b"], ServerOptions::default());
/// let replica = replicas[0].clone();
/// // What the master sends takes a while: reads from the replica are stale.
/// replica.link_to(&master).set_latency(Latency::Constant(Duration::from_millis(20)));
/// sim.run_for(Duration::from_secs(10));
/// sim.node_with("client", (master, replica), async |node, (master, replica)| {
///     let (writer, reader) =
///         (Client::connect(&node, &master).await?, Client::connect(&node, &replica).await?);
///     writer.call(["SET", "k", "v"]).await?;
///     assert!(reader.call(["GET", "k"]).await?.is_nil());
///     assert_eq!(writer.call(["WAIT", "1", "0"]).await?.as_integer(), Some(1));
///     assert_eq!(reader.call(["GET", "k"]).await?.as_text(), Some("v"));
///     Ok::<(), redis::Error>(())
/// });
/// sim.run().expect_done();
/// ```
///
/// # Panics
///
/// If the world already has a service or a node of one of the names, or of one of them with
/// `-link` behind it.
pub fn start_replicas(
    sim: &mut Sim,
    master: &Redis,
    names: impl IntoIterator<Item: AsRef<str>>,
    options: ServerOptions,
) -> Vec<Redis> {
    master.join(sim, &master.group);
    let port = master.inspect(Server::port);
    let options = options.with_master(master.name(), port);
    let mut replicas = Vec::new();
    for name in names {
        let replica = start_named(sim, name.as_ref(), options.clone());
        let replica = Redis { group: master.group.clone(), ..replica };
        replica.join(sim, &master.group);
        replicas.push(replica);
    }
    replicas
}

/// Starts Sentinels of these names, which listen on port 26379 and watch a master with its replicas
/// over the simulated network. They behave as the real ones do: they find the replicas and each
/// other through the master, agree by quorum that it is down, elect a leader by majority, and that
/// one promotes the best replica. A client asks them who the master is
/// (`SENTINEL get-master-addr-by-name`), or subscribes to `+switch-master`.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::Shutdown;
/// use stunt_double::redis::{self, Client, SentinelOptions, ServerOptions};
/// use stunt_double::sim::Sim;
///
/// let mut sim = Sim::new(1);
/// let master = redis::start_named(&mut sim, "redis-a", ServerOptions::default());
/// redis::start_replicas(&mut sim, &master, ["redis-b"], ServerOptions::default());
/// let options = SentinelOptions::new("mymaster", 2).with_down_after(Duration::from_secs(5));
/// let sentinels = redis::start_sentinels(&mut sim, &master, ["s1", "s2", "s3"], options);
/// sim.run_for(Duration::from_secs(30)).expect_reached();
/// master.stop(Shutdown::Kill);
/// sim.run_for(Duration::from_secs(30)).expect_reached();
/// sim.node_with("client", sentinels[0].clone(), async |node, sentinel| {
///     let client = Client::connect(&node, &sentinel).await?;
///     let master = client.call(["SENTINEL", "get-master-addr-by-name", "mymaster"]).await?;
///     assert_eq!(master.as_array().map(|words| words[0].as_text()), Some(Some("redis-b")));
///     Ok::<(), redis::Error>(())
/// });
/// sim.run().expect_done();
/// ```
///
/// # Panics
///
/// If the world already has a service or a node of one of the names, or of one of them with
/// `-link` behind it.
pub fn start_sentinels(
    sim: &mut Sim,
    master: &Redis,
    names: impl IntoIterator<Item: AsRef<str>>,
    options: SentinelOptions,
) -> Vec<Redis> {
    master.join(sim, &master.group);
    let options = options.watching(master.name(), master.inspect(Server::port));
    let mut sentinels = Vec::new();
    for name in names {
        let options = ServerOptions::default().with_port(26_379).with_sentinel(options.clone());
        let sentinel = start_named(sim, name.as_ref(), options);
        let sentinel = Redis { group: master.group.clone(), ..sentinel };
        sentinel.join(sim, &master.group);
        sentinels.push(sentinel);
    }
    sentinels
}

/// The requests that a test can make to a server in a world. The closures must not use a handle of
/// the same service: the service is locked while they run.
impl Redis {
    /// Inspects the server.
    ///
    /// # Panics
    ///
    /// If `look` uses a handle of the same service, or drops a connection to it.
    pub fn inspect<R>(&self, look: impl FnOnce(&Server) -> R) -> R {
        self.service.inspect(|machine| look(machine.machine()))
    }

    /// Calls the server directly, at the world's time, as an administrator at the server itself
    /// would. Everything that the server says to its clients during the call is then sent to them.
    ///
    /// # Panics
    ///
    /// If `call` uses a handle of the same service, or drops a connection to it.
    pub fn with<R>(&self, call: impl FnOnce(&mut Server, Instant) -> R) -> R {
        self.service.with(|machine, now| machine.operate(now, |server| call(server, now)))
    }

    /// Lets the servers of a group and this one reach each other.
    fn join(&self, sim: &mut Sim, group: &Group) {
        let name = self.name().to_owned();
        self.with(|server, _| server.announce_as(&name));
        group.join(sim, &self.service);
    }

    /// Returns the link on which this server connects to another, as a replica or a Sentinel does:
    /// to delay, partition or sever it. The other direction, in which the other connects to this
    /// one, is a link of its own.
    ///
    /// # Panics
    ///
    /// If the two servers cannot reach each other: neither was started by [`start_replicas`] for
    /// the other, or for the same master.
    #[must_use]
    pub fn link_to(&self, other: &Redis) -> Link {
        self.group.link(self.name(), other.name()).unwrap_or_else(|| {
            panic!(
                "{} and {} do not know each other: start one as a replica of the other with \
                 redis::start_replicas",
                self.name(),
                other.name()
            )
        })
    }

    /// Returns the writes that the server has last discarded, because it became the replica of a
    /// master that did not have them.
    #[must_use]
    pub fn discarded(&self) -> Discarded {
        self.inspect(|server| server.discarded().clone())
    }

    /// Calls a database directly, at the world's time. Returns `None` if no database has this
    /// number. `work` must not use a handle of the same service.
    pub fn database<R>(&self, index: usize, work: impl FnOnce(&mut Database) -> R) -> Option<R> {
        self.with(|server, now| {
            server.handle_timeout(now);
            let result = server.database(index).map(|database| {
                database.advance_to(now);
                work(database)
            });
            // Serves blocked clients that were waiting for the result.
            server.handle_timeout(now);
            result
        })
    }

    /// Runs a command at once and returns its reply, like `redis-cli` on the server's own machine:
    /// without a link and latency, and regardless of `CLIENT PAUSE` and `DEBUG SLEEP`. A command
    /// that would block answers as it does in `EXEC`. A replica refuses writes (`READONLY`); with
    /// `CONFIG SET replica-read-only no` it takes them.
    pub fn command<I>(&self, command: I) -> Reply
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let words: Vec<Sds> = command.into_iter().map(|word| Sds::new(word.as_ref())).collect();
        let words: Vec<&[u8]> = words.iter().map(Sds::as_slice).collect();
        self.with(|server, now| server.operate(now, &words))
    }

    /// Answers commands of clients with errors from now on, instead of running them; see
    /// [`Refusal`]. Calls at the server itself are not refused.
    pub fn refuse(&self, refusal: Refusal) {
        self.with(|server, now| server.refuse(now, refusal));
    }

    /// Ends all refusals.
    pub fn refuse_nothing(&self) {
        self.with(|server, _| server.refuse_nothing());
    }

    /// Returns what the server lost when it last stopped.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.inspect(|server| server.losses().clone())
    }
}
