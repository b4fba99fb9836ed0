//! Services: sans-IO machines, as servers in the world.
//!
//! A machine that implements [`Service`] is given to
//! [`Sim::service`](super::Sim::service) and reached from nodes through
//! connections. Each connection has two wires, up to the machine and down to
//! the node; an item put on a wire arrives after the link's latency, in order.
//! On the node's side a [`Session`], another sans-IO value, takes what arrives
//! apart at once, so that the awaiting futures only look at its result.
//!
//! The machine's inputs, outputs and timer are all handled here, once for
//! every kind of machine: after each input its outputs are drained onto the
//! wires and its timer is set again.

use super::event::Target;
use super::link::LinkId;
use super::node::{Node, NodeId};
use super::task::{Wait, WakeRef};
use super::timer::TimerKey;
use super::trace::{Actor, Record};
use super::world::{Core, World};
use crate::choice::Choice;
use crate::time::Instant;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// How a server process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shutdown {
    /// It is asked to stop, and does so in good order.
    Clean,
    /// The process is killed: what it had not yet handed to the operating
    /// system is lost.
    Kill,
    /// The machine loses power: what was not yet synced to the disk is lost.
    PowerLoss,
}

impl Shutdown {
    fn name(self) -> &'static str {
        match self {
            Shutdown::Clean => "clean",
            Shutdown::Kill => "killed",
            Shutdown::PowerLoss => "power lost",
        }
    }
}

/// A machine that can be a server in the world.
///
/// Inputs come with the time; outputs are polled until there are none; the
/// machine says when it next wants [`Service::handle_timeout`].
pub trait Service: Send + 'static {
    /// What a client sends.
    type Input: Send + 'static;
    /// What the machine sends.
    type Output: Send + 'static;
    /// The client's side of a connection.
    type Session: Session<Self::Output>;

    /// A client has connected; `connection` is never used again.
    fn connected(&mut self, now: Instant, connection: u64, client: &str);

    /// A client's message has arrived.
    fn handle_input(&mut self, now: Instant, connection: u64, input: Self::Input);

    /// A client's socket was closed, by the client or its death.
    fn disconnected(&mut self, now: Instant, connection: u64);

    /// The next message to send, and to whom.
    fn poll_output(&mut self) -> Option<(u64, Self::Output)>;

    /// When [`Service::handle_timeout`] is to be called, if at all.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The time of [`Service::poll_timeout`] has come.
    fn handle_timeout(&mut self, now: Instant);

    /// The server stops. What it says to its clients before a clean stop is
    /// polled after this; then every connection is closed.
    fn stop(&mut self, now: Instant, how: Shutdown);

    /// The server starts again with what it still has.
    fn start(&mut self, now: Instant);

    /// Everything it has is gone, on disk too. Called while it is stopped.
    fn wipe(&mut self, now: Instant);

    /// The choices its stream has recorded.
    fn recorded(&self) -> &[Choice] {
        &[]
    }

    /// A message in a few words, for the transcript.
    fn describe_input(input: &Self::Input) -> String;

    /// A message in a few words, for the transcript.
    fn describe_output(output: &Self::Output) -> String;

    /// A number that differs where two messages do, for the digest.
    fn fingerprint_input(input: &Self::Input) -> u64;

    /// A number that differs where two messages do, for the digest.
    fn fingerprint_output(output: &Self::Output) -> u64;
}

/// The client's side of a connection: what has arrived, and who waits for it.
pub trait Session<Output>: Default + Send + 'static {
    /// A message from the machine has arrived.
    fn deliver(&mut self, output: Output, wakes: &mut Wakes<'_>);

    /// The connection has ended; wake everyone.
    fn disconnected(&mut self, wakes: &mut Wakes<'_>);
}

/// One future that waits for something in a [`Session`].
#[derive(Debug, Default)]
pub struct Waiter(Option<WakeRef>);

/// Those to be woken when a session has been looked at.
#[derive(Debug)]
pub struct Wakes<'a>(&'a mut Vec<WakeRef>);

impl Wakes<'_> {
    /// Wakes whoever waits there, if anyone does.
    pub fn wake(&mut self, waiter: &mut Waiter) {
        self.0.extend(waiter.0.take());
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// The server is not running: connection refused.
    #[error("connection refused: the server is not running")]
    Refused,
    /// The connection was closed or reset by the other end, or severed.
    #[error("connection reset: the server or the link went away")]
    Reset,
    /// This end has closed it.
    #[error("the connection was closed by this end")]
    Closed,
}

#[derive(Debug)]
enum Up<I> {
    Open,
    Data(I),
    Close,
}

#[derive(Debug)]
enum Down<O> {
    Accepted,
    Refused,
    Data(O),
    Close,
}

/// One direction of a connection: what is in flight, in order.
#[derive(Debug)]
struct Wire<T> {
    in_flight: VecDeque<T>,
    /// When the last item arrives: none sent later arrives before it.
    last: (Instant, u16),
    /// Items whose time came while the link was partitioned.
    stalled: u32,
}

impl<T> Default for Wire<T> {
    fn default() -> Wire<T> {
        Wire { in_flight: VecDeque::new(), last: (Instant::ZERO, 0), stalled: 0 }
    }
}

/// Where the wires of a connection lead.
#[derive(Clone, Debug)]
struct Route {
    service: u32,
    connection: u32,
    link: LinkId,
    partitioned: Arc<AtomicBool>,
}

impl<T> Wire<T> {
    fn send(&mut self, core: &mut Core, now: Instant, route: &Route, up: bool, item: T) {
        self.last = core.arrival(now, route.link, self.last);
        self.in_flight.push_back(item);
        self.schedule(core, now, self.last, route, up);
    }

    fn schedule(&self, core: &mut Core, now: Instant, at: (Instant, u16), route: &Route, up: bool) {
        let target = Target::Arrival { service: route.service, connection: route.connection, up };
        core.agenda.push(now, at.0, at.1, target);
    }

    /// Schedules what waited for the link to heal.
    fn resume(&mut self, core: &mut Core, now: Instant, route: &Route, up: bool) {
        for _ in 0..std::mem::take(&mut self.stalled) {
            self.schedule(core, now, (now, 0), route, up);
        }
    }

    /// The front item, whose time has come; `None` if it must wait.
    fn arrive(&mut self, route: &Route) -> Option<T> {
        if route.partitioned.load(Relaxed) && !self.in_flight.is_empty() {
            self.stalled += 1;
            return None;
        }
        self.in_flight.pop_front()
    }

    fn clear(&mut self) {
        self.in_flight.clear();
        self.stalled = 0;
    }
}

/// How far a connection is, as the node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    Ended(Disconnected),
}

struct Conn<S: Service> {
    route: Route,
    node: NodeId,
    node_name: Arc<str>,
    actor: Actor,
    phase: Phase,
    /// Whether the machine knows of it.
    accepted: bool,
    /// Whether the node's end is closed: no handle is left, or the node died.
    abandoned: bool,
    /// How often the link had been severed when this began.
    era: u32,
    up: Wire<Up<S::Input>>,
    down: Wire<Down<S::Output>>,
    session: S::Session,
    opener: Waiter,
}

struct Cell<S: Service> {
    machine: S,
    running: bool,
    connections: IndexMap<u32, Conn<S>, FxBuildHasher>,
    next_connection: u32,
    timer: Option<(Instant, TimerKey)>,
    wakes: Vec<WakeRef>,
}

/// A machine and its connections, as the world holds them.
pub(super) struct Server<S: Service> {
    id: u32,
    name: Arc<str>,
    actor: Actor,
    cell: Mutex<Cell<S>>,
}

/// What the run loop needs of a service of any kind.
pub(super) trait Port {
    fn arrive(&self, world: &World, connection: u32, up: bool);
    fn timeout(&self, world: &World);
    fn node_died(&self, world: &World, node: NodeId);
    fn healed(&self, world: &World, link: LinkId);
    fn severed(&self, world: &World, link: LinkId, before: u32);
    fn recorded(&self) -> Vec<Choice>;
}

impl<S: Service> Server<S> {
    pub(super) fn new(id: u32, name: Arc<str>, actor: Actor, machine: S) -> Server<S> {
        let cell = Cell {
            machine,
            running: true,
            connections: IndexMap::default(),
            next_connection: 0,
            timer: None,
            wakes: Vec::new(),
        };
        Server { id, name, actor, cell: Mutex::new(cell) }
    }

    fn lock(&self) -> MutexGuard<'_, Cell<S>> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the machine's outputs on the wires and sets its timer.
    fn settle(&self, world: &World, cell: &mut Cell<S>) {
        let now = world.now();
        let mut core = None;
        while let Some((connection, output)) = cell.machine.poll_output() {
            let conn = u32::try_from(connection).ok().and_then(|c| cell.connections.get_mut(&c));
            // What is said to one who has gone is lost.
            if let Some(conn) = conn.filter(|c| c.accepted && !c.abandoned) {
                let core = core.get_or_insert_with(|| world.lock());
                conn.down.send(core, now, &conn.route, false, Down::Data(output));
            }
        }
        // A server that is down does nothing by itself.
        let wanted = if cell.running { cell.machine.poll_timeout() } else { None };
        let set = cell.timer.map(|(at, _)| at);
        // A timer that comes too early is set anew when it does.
        let keep = match (wanted, set) {
            (None, None) => true,
            (Some(wanted), Some(set)) => set <= wanted,
            (None, Some(_)) | (Some(_), None) => false,
        };
        if !keep {
            let core = core.get_or_insert_with(|| world.lock());
            if let Some((_, key)) = cell.timer.take() {
                core.cancel_timer(key);
            }
            if let Some(at) = wanted.filter(|at| *at < Instant::MAX) {
                cell.timer = Some((at, core.set_service_timer(now, at, self.id)));
            }
        }
    }

    fn arrive_up(&self, world: &World, cell: &mut Cell<S>, connection: u32) {
        let Some(conn) = cell.connections.get_mut(&connection) else { return };
        let Some(item) = conn.up.arrive(&conn.route) else { return };
        let now = world.now();
        match item {
            Up::Open => {
                let mut core = world.lock();
                let (answer, record) = if cell.running {
                    (Down::Accepted, Record::Connected { service: &self.name })
                } else {
                    (Down::Refused, Record::Refused { service: &self.name })
                };
                core.trace.record(now, conn.actor, record);
                conn.down.send(&mut core, now, &conn.route, false, answer);
                drop(core);
                conn.accepted = cell.running;
                if conn.accepted {
                    cell.machine.connected(now, u64::from(connection), &conn.node_name);
                }
            }
            Up::Data(input) if conn.accepted => {
                let mut core = world.lock();
                if core.trace.is_on() {
                    let print = S::fingerprint_input(&input);
                    let text = &Describe(|| S::describe_input(&input));
                    let record = Record::Request { from: &conn.node_name, print, text };
                    core.trace.record(now, self.actor, record);
                }
                drop(core);
                cell.machine.handle_input(now, u64::from(connection), input);
            }
            Up::Data(_) => {}
            Up::Close => {
                if std::mem::take(&mut conn.accepted) {
                    let record = Record::Disconnected { peer: &conn.node_name };
                    world.lock().trace.record(now, self.actor, record);
                    cell.machine.disconnected(now, u64::from(connection));
                }
                // The node closed its end before it sent this.
                cell.connections.swap_remove(&connection);
            }
        }
        self.settle(world, cell);
    }

    fn arrive_down(&self, world: &World, cell: &mut Cell<S>, connection: u32) {
        let Some(conn) = cell.connections.get_mut(&connection) else { return };
        let Some(item) = conn.down.arrive(&conn.route) else { return };
        if conn.abandoned {
            return;
        }
        let mut wakes = Wakes(&mut cell.wakes);
        match item {
            Down::Accepted => {
                conn.phase = Phase::Open;
                wakes.wake(&mut conn.opener);
            }
            Down::Refused => {
                conn.phase = Phase::Ended(Disconnected::Refused);
                wakes.wake(&mut conn.opener);
            }
            Down::Data(output) => {
                let mut core = world.lock();
                if core.trace.is_on() {
                    let print = S::fingerprint_output(&output);
                    let text = &Describe(|| S::describe_output(&output));
                    let record = Record::Response { from: &self.name, print, text };
                    core.trace.record(world.now(), conn.actor, record);
                }
                drop(core);
                conn.session.deliver(output, &mut wakes);
            }
            Down::Close => self.end_at_node(world, conn, &mut wakes),
        }
    }

    /// Wakes those on the list. A waker that is not the world's may do anything,
    /// such as coming back here: it is woken with nothing locked.
    fn wake(&self, world: &World, mut cell: MutexGuard<'_, Cell<S>>) {
        if cell.wakes.iter().any(|wake| matches!(wake, WakeRef::Waker(_))) {
            let mut wakes = std::mem::take(&mut cell.wakes);
            drop(cell);
            world.wake_all(&mut wakes);
        } else {
            world.wake_all(&mut cell.wakes);
        }
    }

    /// The node sees that the connection has ended.
    fn end_at_node(&self, world: &World, conn: &mut Conn<S>, wakes: &mut Wakes<'_>) {
        if conn.abandoned || matches!(conn.phase, Phase::Ended(_)) {
            return;
        }
        conn.phase = Phase::Ended(Disconnected::Reset);
        let record = Record::Disconnected { peer: &self.name };
        world.lock().trace.record(world.now(), conn.actor, record);
        wakes.wake(&mut conn.opener);
        conn.session.disconnected(wakes);
    }

    /// The node's end closes: the machine hears of it after what was sent.
    fn abandon(&self, world: &World, cell: &mut Cell<S>, connection: u32) {
        let Some(conn) = cell.connections.get_mut(&connection) else { return };
        if std::mem::replace(&mut conn.abandoned, true) {
            return;
        }
        conn.down.clear();
        if !matches!(conn.phase, Phase::Ended(_)) {
            // Other tasks than the one that closes it may wait.
            conn.phase = Phase::Ended(Disconnected::Closed);
            let mut wakes = Wakes(&mut cell.wakes);
            wakes.wake(&mut conn.opener);
            conn.session.disconnected(&mut wakes);
        }
        conn.up.send(&mut world.lock(), world.now(), &conn.route, true, Up::Close);
    }

    fn set_running(&self, world: &World, how: Option<Shutdown>) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        let now = world.now();
        match how {
            Some(how) if cell.running => {
                cell.machine.stop(now, how);
                let record = Record::Stopped { how: how.name() };
                world.lock().trace.record(now, self.actor, record);
            }
            None if !cell.running => {
                cell.machine.start(now);
                world.lock().trace.record(now, self.actor, Record::Started);
            }
            Some(_) | None => return,
        }
        cell.running = how.is_none();
        self.settle(world, cell);
        if !cell.running {
            let mut core = world.lock();
            for conn in cell.connections.values_mut() {
                if std::mem::take(&mut conn.accepted) {
                    conn.down.send(&mut core, now, &conn.route, false, Down::Close);
                }
            }
        }
    }
}

impl<S: Service> Port for Server<S> {
    fn arrive(&self, world: &World, connection: u32, up: bool) {
        let mut cell = self.lock();
        if up {
            self.arrive_up(world, &mut cell, connection);
        } else {
            self.arrive_down(world, &mut cell, connection);
            self.wake(world, cell);
        }
    }

    fn timeout(&self, world: &World) {
        let mut cell = self.lock();
        cell.timer = None;
        let now = world.now();
        if cell.machine.poll_timeout().is_some_and(|at| at <= now) {
            cell.machine.handle_timeout(now);
        }
        self.settle(world, &mut cell);
    }

    fn node_died(&self, world: &World, node: NodeId) {
        let mut cell = self.lock();
        let theirs: Vec<u32> =
            cell.connections.iter().filter(|(_, c)| c.node == node).map(|(id, _)| *id).collect();
        for connection in theirs {
            self.abandon(world, &mut cell, connection);
        }
        self.wake(world, cell);
    }

    fn healed(&self, world: &World, link: LinkId) {
        let mut cell = self.lock();
        let mut core = world.lock();
        let now = world.now();
        for conn in cell.connections.values_mut().filter(|c| c.route.link == link) {
            conn.up.resume(&mut core, now, &conn.route, true);
            conn.down.resume(&mut core, now, &conn.route, false);
        }
    }

    fn severed(&self, world: &World, link: LinkId, before: u32) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        let cut: Vec<u32> = cell
            .connections
            .iter()
            .filter(|(_, c)| c.route.link == link && c.era < before)
            .map(|(id, _)| *id)
            .collect();
        for connection in cut {
            let conn = cell.connections.get_mut(&connection).expect("it was just listed");
            conn.up.clear();
            conn.down.clear();
            self.end_at_node(world, conn, &mut Wakes(&mut cell.wakes));
            let abandoned = conn.abandoned;
            if std::mem::take(&mut conn.accepted) {
                let record = Record::Disconnected { peer: &conn.node_name };
                world.lock().trace.record(world.now(), self.actor, record);
                cell.machine.disconnected(world.now(), u64::from(connection));
            }
            if abandoned {
                cell.connections.swap_remove(&connection);
            }
        }
        self.settle(world, cell);
        self.wake(world, guard);
    }

    fn recorded(&self) -> Vec<Choice> {
        self.lock().machine.recorded().to_vec()
    }
}

/// Formats by calling a function: only if somebody looks.
struct Describe<F>(F);

impl<F: Fn() -> String> fmt::Display for Describe<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&(self.0)())
    }
}

/// A service of the world, as a test holds it: to stop, start and look into
/// the machine. `Clone`, `Send` and `Sync`.
pub struct ServiceHandle<S: Service> {
    world: Arc<World>,
    server: Arc<Server<S>>,
}

impl<S: Service> ServiceHandle<S> {
    pub(super) fn new(world: &Arc<World>, server: &Arc<Server<S>>) -> ServiceHandle<S> {
        ServiceHandle { world: Arc::clone(world), server: Arc::clone(server) }
    }

    pub(super) fn id(&self) -> u32 {
        self.server.id
    }

    pub(super) fn world(&self) -> &Arc<World> {
        &self.world
    }

    pub(super) fn shared_name(&self) -> &Arc<str> {
        &self.server.name
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// Whether it is running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.server.lock().running
    }

    /// Stops the server and closes every connection; nothing if it is not
    /// running. New connections are refused until [`ServiceHandle::start`].
    pub fn stop(&self, how: Shutdown) {
        self.server.set_running(&self.world, Some(how));
    }

    /// Starts the server with what it still has; nothing if it is running.
    pub fn start(&self) {
        self.server.set_running(&self.world, None);
    }

    /// Stops the server in good order and starts it again.
    pub fn restart(&self) {
        self.stop(Shutdown::Clean);
        self.start();
    }

    /// Kills the server's process and starts it again.
    pub fn crash(&self) {
        self.stop(Shutdown::Kill);
        self.start();
    }

    /// Cuts the server machine's power, and starts it again.
    pub fn lose_power(&self) {
        self.stop(Shutdown::PowerLoss);
        self.start();
    }

    /// Takes everything from the server, its disk included. A running server
    /// is killed first and started again after.
    pub fn wipe(&self) {
        let running = self.is_running();
        self.stop(Shutdown::Kill);
        let now = self.world.now();
        let mut cell = self.server.lock();
        cell.machine.wipe(now);
        self.world.lock().trace.record(now, self.server.actor, Record::Wiped);
        drop(cell);
        if running {
            self.start();
        }
    }

    /// Looks into the machine. `look` must not use a handle of the same
    /// service: that is locked meanwhile.
    pub fn inspect<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(&self.server.lock().machine)
    }

    /// Calls the machine directly, as an administrator at the server itself
    /// would; what it says to its clients is then sent to them. `call` must not
    /// use a handle of the same service: that is locked meanwhile.
    pub fn with<R>(&self, call: impl FnOnce(&mut S, Instant) -> R) -> R {
        let mut cell = self.server.lock();
        let result = call(&mut cell.machine, self.world.now());
        self.server.settle(&self.world, &mut cell);
        result
    }
}

impl<S: Service> Clone for ServiceHandle<S> {
    fn clone(&self) -> ServiceHandle<S> {
        ServiceHandle::new(&self.world, &self.server)
    }
}

impl<S: Service> fmt::Debug for ServiceHandle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHandle").field("name", &self.server.name).finish_non_exhaustive()
    }
}

/// A node's end of a connection to a service: what a client library is built
/// on. Dropping it closes the socket.
pub struct Connection<S: Service> {
    world: Arc<World>,
    server: Arc<Server<S>>,
    id: u32,
}

impl<S: Service> Connection<S> {
    /// Connects `node` to `service`. Waits as long as the link is
    /// partitioned.
    ///
    /// # Errors
    ///
    /// [`Disconnected::Refused`] if the server is not running.
    ///
    /// # Panics
    ///
    /// If the node and the service are of different worlds.
    pub async fn open(
        node: &Node,
        service: &ServiceHandle<S>,
    ) -> Result<Connection<S>, Disconnected> {
        let connection = Connection::begin(node, service);
        std::future::poll_fn(|cx| connection.poll_open(cx)).await?;
        Ok(connection)
    }

    fn begin(node: &Node, service: &ServiceHandle<S>) -> Connection<S> {
        service.world.expect_same(node.world());
        let (world, server) = (Arc::clone(node.world()), Arc::clone(&service.server));
        let mut guard = server.lock();
        let cell = &mut *guard;
        let id = cell.next_connection;
        cell.next_connection += 1;
        let mut core = world.lock();
        let link = core.links.between(node.id(), server.id);
        let partitioned = Arc::clone(&core.links[link].partitioned);
        let mut conn = Conn {
            route: Route { service: server.id, connection: id, link, partitioned },
            node: node.id(),
            node_name: Arc::clone(node.shared_name()),
            actor: core.nodes[node.id()].actor,
            phase: Phase::Connecting,
            accepted: false,
            abandoned: false,
            era: core.links[link].era,
            up: Wire::default(),
            down: Wire::default(),
            session: S::Session::default(),
            opener: Waiter::default(),
        };
        conn.up.send(&mut core, world.now(), &conn.route, true, Up::Open);
        cell.connections.insert(id, conn);
        drop(core);
        drop(guard);
        Connection { world, server, id }
    }

    fn poll_open(&self, cx: &Context<'_>) -> Poll<Result<(), Disconnected>> {
        let mut cell = self.server.lock();
        // It may be gone although its handle is here: its node was killed.
        let Some(conn) = cell.connections.get_mut(&self.id) else {
            return Poll::Ready(Err(Disconnected::Closed));
        };
        match conn.phase {
            Phase::Open => Poll::Ready(Ok(())),
            Phase::Ended(why) => Poll::Ready(Err(why)),
            Phase::Connecting => {
                let mut core = self.world.lock();
                core.note_wait(Wait::Shared(
                    format!("a connection to {}", self.server.name).into(),
                ));
                conn.opener.0 = Some(core.wake_ref(cx));
                Poll::Pending
            }
        }
    }

    /// Looks at the session, may change it, and sends what it says to send.
    /// Here as in the other methods, what looks must not use a handle of the
    /// same service: that is locked meanwhile.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] if the connection has ended, before anything is looked
    /// at; or the error of `make`, and then nothing is sent.
    pub fn send_with<R, E: From<Disconnected>>(
        &self,
        make: impl FnOnce(&mut S::Session) -> Result<(Option<S::Input>, R), E>,
    ) -> Result<R, E> {
        let mut cell = self.server.lock();
        let Some(conn) = cell.connections.get_mut(&self.id).filter(|c| !c.abandoned) else {
            return Err(Disconnected::Closed.into());
        };
        if let Phase::Ended(why) = conn.phase {
            return Err(why.into());
        }
        let (input, result) = make(&mut conn.session)?;
        if let Some(input) = input {
            let mut core = self.world.lock();
            conn.up.send(&mut core, self.world.now(), &conn.route, true, Up::Data(input));
        }
        Ok(result)
    }

    /// Polls for something in the session. `look` gives it, or the waiter to
    /// be woken when it may be there.
    ///
    /// Once the connection has ended this still looks, so that what arrived
    /// before can be had: `look` must not wait in vain then.
    pub fn poll_session<T>(
        &self,
        cx: &Context<'_>,
        waiting_for: impl FnOnce() -> Wait,
        look: impl FnOnce(&mut S::Session) -> Result<T, &mut Waiter>,
    ) -> Poll<Result<T, Disconnected>> {
        let mut cell = self.server.lock();
        let Some(conn) = cell.connections.get_mut(&self.id).filter(|c| !c.abandoned) else {
            return Poll::Ready(Err(Disconnected::Closed));
        };
        match (look(&mut conn.session), conn.phase) {
            (Ok(value), _) => Poll::Ready(Ok(value)),
            (Err(_), Phase::Ended(why)) => Poll::Ready(Err(why)),
            (Err(waiter), Phase::Connecting | Phase::Open) => {
                let mut core = self.world.lock();
                core.note_wait(waiting_for());
                waiter.0 = Some(core.wake_ref(cx));
                Poll::Pending
            }
        }
    }

    /// Looks at the session; `None` once this end is closed.
    pub fn session<R>(&self, look: impl FnOnce(&mut S::Session) -> R) -> Option<R> {
        let mut cell = self.server.lock();
        let conn = cell.connections.get_mut(&self.id).filter(|c| !c.abandoned)?;
        Some(look(&mut conn.session))
    }

    /// Closes the socket: the server hears of it after what was sent.
    pub fn close(&self) {
        let mut cell = self.server.lock();
        self.server.abandon(&self.world, &mut cell, self.id);
        self.server.wake(&self.world, cell);
    }

    /// The world's time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.world.now()
    }
}

impl<S: Service> Drop for Connection<S> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<S: Service> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("service", &self.server.name)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
