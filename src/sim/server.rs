//! Servers: a service's machine at work in the world, and its connections.
//!
//! The machine's inputs, outputs and timer are all handled here, once for
//! every kind of machine: after each input its outputs are drained onto the
//! wires and its timer is set again. A connection is held from its begin until
//! both ends have let go of it: the machine knows of it while it is *accepted*,
//! the node until it is *abandoned*; the node may also give it up (`watch.rs`) and
//! still ask why. A server that is down accepts none and has
//! no timer.

use super::id::{LinkId, NodeId};
use super::service::{Disconnected, Service, Session, Shutdown, Waiter, Wakes};
use super::task::WakeRef;
use super::timer::TimerKey;
use super::trace::{Actor, Record};
use super::wire::{Down, Route, Up, Wire};
use super::world::World;
use crate::choice::Choice;
use crate::time::Instant;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far a connection is, as the node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open,
    Ended(Disconnected),
}

pub(super) struct Conn<S: Service> {
    pub(super) route: Route,
    pub(super) node: NodeId,
    node_name: Arc<str>,
    actor: Actor,
    pub(super) phase: Phase,
    /// Whether the machine knows of it.
    accepted: bool,
    /// Whether the node's end is closed: no handle is left, or the node died.
    pub(super) abandoned: bool,
    /// How often the link had been severed when this began.
    era: u32,
    pub(super) up: Wire<Up<S::Input>>,
    pub(super) down: Wire<Down<S::Output>>,
    pub(super) session: S::Session,
    pub(super) opener: Waiter,
    /// When the session wants to look whether the server is still there.
    pub(super) watch: Option<Instant>,
}

pub(super) struct Cell<S: Service> {
    pub(super) machine: S,
    pub(super) running: bool,
    pub(super) connections: IndexMap<u32, Conn<S>, FxBuildHasher>,
    next_connection: u32,
    timer: Option<(Instant, TimerKey)>,
    /// When it or a session wants to do its housekeeping, as the world was told.
    housekeeping: Option<Instant>,
    /// The sessions that want to look, the first first.
    pub(super) watches: BTreeSet<(Instant, u32)>,
    pub(super) wakes: Vec<WakeRef>,
}

/// A machine and its connections, as the world holds them.
pub(super) struct Server<S: Service> {
    pub(super) id: u32,
    pub(super) name: Arc<str>,
    pub(super) actor: Actor,
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
    fn actor(&self) -> Actor;
    /// A call of one of the above has panicked: the process is gone.
    fn panicked(&self, world: &World);
}

impl<S: Service> Server<S> {
    pub(super) fn new(id: u32, name: Arc<str>, actor: Actor, machine: S) -> Server<S> {
        let cell = Cell {
            machine,
            running: true,
            connections: IndexMap::default(),
            next_connection: 0,
            timer: None,
            housekeeping: None,
            watches: BTreeSet::new(),
            wakes: Vec::new(),
        };
        Server { id, name, actor, cell: Mutex::new(cell) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Cell<S>> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node begins to connect; the connection's number.
    pub(super) fn connect(&self, world: &World, node: NodeId, node_name: &Arc<str>) -> u32 {
        let mut cell = self.lock();
        let id = cell.next_connection;
        cell.next_connection += 1;
        let mut core = world.lock();
        let link = core.links.between(node, self.id);
        let partitioned = Arc::clone(&core.links[link].partitioned);
        let mut conn = Conn {
            route: Route { service: self.id, connection: id, link, partitioned },
            node,
            node_name: Arc::clone(node_name),
            actor: core.processes[node].actor,
            phase: Phase::Connecting,
            accepted: false,
            abandoned: false,
            era: core.links[link].era,
            up: Wire::default(),
            down: Wire::default(),
            session: S::Session::default(),
            opener: Waiter::default(),
            watch: None,
        };
        conn.up.send(&mut core, world.now(), &conn.route, true, Up::Open);
        cell.connections.insert(id, conn);
        id
    }

    /// Puts the machine's outputs and sets its timer.
    pub(super) fn settle(&self, world: &World, cell: &mut Cell<S>) {
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
        let idle = cell.poll_housekeeping();
        if idle != cell.housekeeping {
            cell.housekeeping = idle;
            core.get_or_insert_with(|| world.lock()).set_housekeeping(self.id, idle);
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
                // A node that has given up may still want to know why.
                if conn.abandoned {
                    cell.connections.swap_remove(&connection);
                }
            }
        }
        self.settle(world, cell);
    }

    fn arrive_down(&self, world: &World, cell: &mut Cell<S>, connection: u32) {
        let Some(conn) = cell.connections.get_mut(&connection) else { return };
        let Some(item) = conn.down.arrive(&conn.route) else { return };
        if conn.abandoned || matches!(conn.phase, Phase::Ended(_)) {
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
                let is_paused = core.processes[conn.node].paused;
                drop(core);
                conn.session.deliver(world.now(), output, &mut wakes);
                while !is_paused && let Some(input) = conn.session.answer() {
                    let now = world.now();
                    conn.up.send(&mut world.lock(), now, &conn.route, true, Up::Data(input));
                }
            }
            Down::Close => self.end_at_node(world, conn, Disconnected::Reset, &mut wakes),
        }
        if conn.wants_to_look() != conn.watch {
            cell.watch(connection);
            self.settle(world, cell);
        }
    }

    /// Wakes those on the list. A waker that is not the world's may do anything,
    /// such as coming back here: it is woken with nothing locked.
    pub(super) fn wake(&self, world: &World, mut cell: MutexGuard<'_, Cell<S>>) {
        if cell.wakes.iter().any(|wake| matches!(wake, WakeRef::Waker(_))) {
            let mut wakes = std::mem::take(&mut cell.wakes);
            drop(cell);
            world.wake_all(&mut wakes);
        } else {
            world.wake_all(&mut cell.wakes);
        }
    }

    /// The node sees that the connection has ended.
    pub(super) fn end_at_node(
        &self,
        world: &World,
        conn: &mut Conn<S>,
        why: Disconnected,
        wakes: &mut Wakes<'_>,
    ) {
        if conn.abandoned || matches!(conn.phase, Phase::Ended(_)) {
            return;
        }
        conn.phase = Phase::Ended(why);
        let record = Record::Disconnected { peer: &self.name };
        world.lock().trace.record(world.now(), conn.actor, record);
        wakes.wake(&mut conn.opener);
        conn.session.disconnected(wakes);
    }

    /// The node's end closes: the machine hears of it after what was sent.
    pub(super) fn abandon(&self, world: &World, cell: &mut Cell<S>, connection: u32) {
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
        cell.watch(connection);
    }

    pub(super) fn set_running(&self, world: &World, how: Option<Shutdown>) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        let now = world.now();
        match how {
            Some(how) if cell.running => {
                cell.machine.stop(now, how);
                let record = Record::Stopped { how: how.name() };
                let mut core = world.lock();
                core.trace.record(now, self.actor, record);
                while let Some(text) = cell.machine.poll_note() {
                    core.trace.record(now, self.actor, Record::Note { text: &text });
                }
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
            Self::close_all(world, cell);
        }
    }

    /// The server's end of every connection closes: the nodes hear of it after
    /// what was sent.
    fn close_all(world: &World, cell: &mut Cell<S>) {
        let mut core = world.lock();
        for conn in cell.connections.values_mut() {
            if std::mem::take(&mut conn.accepted) {
                conn.down.send(&mut core, world.now(), &conn.route, false, Down::Close);
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
        let now = world.now();
        cell.timer.take_if(|(at, _)| *at <= now);
        cell.housekeeping.take_if(|at| *at <= now);
        let due = [cell.machine.poll_timeout(), cell.machine.poll_housekeeping()];
        if cell.running && due.into_iter().flatten().any(|at| at <= now) {
            cell.machine.handle_timeout(now);
        }
        self.look_after_sessions(world, &mut cell);
        self.settle(world, &mut cell);
        self.wake(world, cell);
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
            self.end_at_node(world, conn, Disconnected::Reset, &mut Wakes(&mut cell.wakes));
            let abandoned = conn.abandoned;
            if std::mem::take(&mut conn.accepted) {
                let record = Record::Disconnected { peer: &conn.node_name };
                world.lock().trace.record(world.now(), self.actor, record);
                cell.machine.disconnected(world.now(), u64::from(connection));
            }
            cell.watch(connection);
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

    fn actor(&self) -> Actor {
        self.actor
    }

    /// As a kill, but what it had not yet sent is not asked for; and the server
    /// is down before the machine is told, since that may panic again.
    fn panicked(&self, world: &World) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        if !std::mem::take(&mut cell.running) {
            return;
        }
        let now = world.now();
        Self::close_all(world, cell);
        let mut core = world.lock();
        if let Some((_, key)) = cell.timer.take() {
            core.cancel_timer(key);
        }
        cell.housekeeping = cell.poll_housekeeping();
        core.set_housekeeping(self.id, cell.housekeeping);
        let how = Shutdown::Kill;
        core.trace.record(now, self.actor, Record::Stopped { how: how.name() });
        drop(core);
        cell.machine.stop(now, how);
    }
}

/// Formats by calling a function: only if somebody looks.
struct Describe<F>(F);

impl<F: Fn() -> String> fmt::Display for Describe<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&(self.0)())
    }
}
