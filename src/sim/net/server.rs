//! Servers: a service's machine at work in the world, and its connections.
//!
//! Inputs, outputs and timers are handled here, once for every kind of machine. After each input
//! the outputs are moved to the wires and the timer is set again. A connection is kept from its
//! beginning until both ends have released it: the machine knows it while its end is *open*, the
//! node until it has *abandoned* it. Either end may also give it up (`watch.rs`, `tcp.rs`), and the
//! node may still ask why. A server that is down accepts no connections and has no timer.

use crate::Shutdown;
use crate::sim::kernel::clock::Clock;
use crate::sim::kernel::id::NodeId;
use crate::sim::kernel::task::WakeRef;
use crate::sim::kernel::turn::Request;
use crate::sim::kernel::world::World;
use crate::sim::net::cell::Cell;
use crate::sim::net::conn::{Conn, Phase, Received, ServerEnd};
use crate::sim::net::in_flight::{Down, Flight, Route, Up};
use crate::sim::net::logged::{Reads, log_bytes};
use crate::sim::net::logged::{down_in_words, up_in_words};
use crate::sim::net::path::Keepalive;
use crate::sim::service::bytes::{ByteOutput, ByteService};
use crate::sim::service::contract::{Service, Session, Wakes};
use crate::sim::service::hangup::Disconnected;
use crate::sim::trace::Actor;
use crate::sim::trace::event::Record;
use crate::time::Instant;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::ThreadId;
use xxhash_rust::xxh3::xxh3_64;

/// A machine and its connections, as the world holds them.
pub(crate) struct Server<S: Service> {
    pub(crate) id: u32,
    pub(crate) name: Arc<str>,
    pub(crate) actor: Actor,
    reads: Reads,
    cell: Mutex<Cell<S>>,
    /// The thread that runs a closure of the test while the cell is locked.
    holder: Mutex<Option<ThreadId>>,
}

/// While this lives, its thread runs a closure while the cell is locked.
pub(crate) struct Held<'a>(&'a Mutex<Option<ThreadId>>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl<S: Service> Server<S> {
    pub(crate) fn new(
        id: u32,
        name: Arc<str>,
        (actor, reads): (Actor, Reads),
        machine: S,
    ) -> Server<S> {
        let cell = Mutex::new(Cell::new(machine));
        Server { id, name, actor, reads, cell, holder: Mutex::new(None) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Cell<S>> {
        match self.cell.try_lock() {
            Ok(cell) => cell,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => self.lock_later(),
        }
    }

    /// Waits until another thread releases the cell. Panics if this thread holds it.
    #[cold]
    fn lock_later(&self) -> MutexGuard<'_, Cell<S>> {
        let holder = *self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            holder != Some(std::thread::current().id()),
            "a handle of the service {0:?} was used inside a closure that another of its methods \
             runs: {0} is locked while that runs, so make the inner call before or after it",
            self.name
        );
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether this thread runs a closure while the cell is locked.
    pub(crate) fn is_held_here(&self) -> bool {
        let holder = *self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        holder == Some(std::thread::current().id())
    }

    /// Marks that a closure of the test is about to run while the cell is locked.
    pub(crate) fn hold(&self) -> Held<'_> {
        let holder = Some(std::thread::current().id());
        *self.holder.lock().unwrap_or_else(PoisonError::into_inner) = holder;
        Held(&self.holder)
    }

    /// Begins a connection of a node. Returns its number, or `None` if the process is not running.
    pub(crate) fn connect(
        &self,
        world: &World,
        node: NodeId,
        name: &Arc<str>,
        of_bytes: bool,
    ) -> Option<u32> {
        let mut cell = self.lock();
        let mut core = world.lock();
        if core.withholds() || core.processes[node].main.is_none() {
            return None;
        }
        let id = cell.next_connection;
        cell.next_connection += 1;
        let link = core.links.between(node, self.id);
        let state = &mut core.links[link];
        state.begun += 1;
        let (begun, era, path) = (state.begun, state.era, Arc::clone(&state.path));
        let now = world.now();
        let route = Route { service: self.id, connection: id, link, path };
        let actor = core.processes[node].actor;
        let mut conn = Conn::new(now, route, (node, name, actor), &self.name, (begun, era));
        conn.bytes = of_bytes.then(|| Box::new(Received::new(&self.name)));
        conn.up.send(&mut core, now, (&conn.route, true), Up::Open, up_in_words::<S>);
        cell.connections.add(id, conn);
        Some(id)
    }

    /// Moves the machine's outputs to the wires, and sets its timer.
    pub(crate) fn settle(&self, world: &World, cell: &mut Cell<S>) {
        let now = world.now();
        let mut core = None;
        loop {
            while let Some((connection, output)) = cell.machine.poll_output() {
                // A message to a client that has gone is lost.
                let Some(conn) = cell.open_at_server(connection) else { continue };
                let item = match S::hangup(&output) {
                    None => Down::Data(output),
                    Some(how) => {
                        conn.server_end = ServerEnd::Closed;
                        Down::Close(how)
                    }
                };
                let core = core.get_or_insert_with(|| world.lock());
                conn.down.send(core, now, (&conn.route, false), item, down_in_words::<S>);
            }
            if !cell.serves_bytes {
                break;
            }
            let polled = cell.machine.bytes().and_then(ByteService::poll_output);
            let Some((connection, output)) = polled else { break };
            let Some(conn) = cell.open_at_server(connection) else { continue };
            let item = match output {
                ByteOutput::Data(bytes) => Down::Bytes(bytes),
                ByteOutput::Close(how) => {
                    conn.server_end = ServerEnd::Closed;
                    Down::Close(how)
                }
            };
            let core = core.get_or_insert_with(|| world.lock());
            conn.down.send(core, now, (&conn.route, false), item, down_in_words::<S>);
        }
        // This comes after the outputs, since the machine tells of some when it sends them.
        if cell.tells {
            core = None;
            self.tell(world, cell);
        }
        if cell.companion.is_some() && cell.machine.has_errands() {
            Wakes(&mut cell.wakes).wake(&mut cell.errand);
        }
        let idle = cell.poll_housekeeping(now);
        if idle != cell.housekeeping {
            cell.housekeeping = idle;
            core.get_or_insert_with(|| world.lock()).set_housekeeping(self.id, idle);
        }
        if cell.running
            && let Some(how) = cell.machine.exited()
        {
            core = None;
            self.has_exited(world, cell, how);
        }
        // A server that is down does nothing by itself.
        let wanted = if cell.running { cell.machine.poll_timeout() } else { None };
        let wanted = wanted.map(|at| cell.clock.world_time(now, at));
        let set = cell.timer.map(|(at, _)| at);
        // A timer that fires too early is set again then.
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

    /// Notes that the process has ended by itself, as the world's own stops are noted.
    #[cold]
    fn has_exited(&self, world: &World, cell: &mut Cell<S>, how: Shutdown) {
        cell.running = false;
        self.note_stop(world, cell, how.name());
        world.lock().requests.extend(cell.companion.map(Request::Kill));
        Self::close_all(world, cell, how);
    }

    /// Notes that the process has ended, and what it has lost.
    fn note_stop(&self, world: &World, cell: &mut Cell<S>, how: &'static str) {
        let (now, mut core) = (world.now(), world.lock());
        core.trace.record(now, self.actor, Record::Stopped { how });
        while let Some(text) = cell.machine.poll_note() {
            core.trace.record(now, self.actor, Record::Note { text: &text });
        }
    }

    /// Keeps what the machine tells of its messages or keys.
    pub(crate) fn tell(&self, world: &World, cell: &mut Cell<S>) {
        if !cell.tells {
            return;
        }
        let now = world.now();
        let mut core = world.lock();
        while let Some(told) = cell.machine.poll_story() {
            core.trace.tell(now, self.actor, told);
        }
    }

    pub(crate) fn arrive_up(&self, world: &World, cell: &mut Cell<S>, connection: u32) {
        let now = world.now();
        let Some(conn) = cell.connections.get_mut(connection) else { return };
        if conn.up.take_stale() {
            return;
        }
        if !conn.up_is_open(cell.off) {
            conn.up.stall(now);
            // A machine without power retransmits nothing.
            if conn.gone {
                self.lose_stalled_up(world, conn);
            }
            cell.retime(connection, now);
            cell.reap(connection);
            return self.settle(world, cell);
        }
        let Some(Flight { sent, item }) = conn.up.arrive() else { return };
        conn.heard = now;
        match item {
            Up::Open => {
                let of_bytes = conn.bytes.is_some();
                let accepted = cell.running
                    && cell.machine.accepts()
                    && (!of_bytes || cell.machine.bytes().is_some());
                let mut core = world.lock();
                let (answer, record) = if accepted {
                    (Down::Accepted, Record::Connected { service: &conn.server_label })
                } else {
                    (Down::Refused, Record::Refused { service: &conn.server_label })
                };
                core.trace.record(now, conn.actor, record);
                conn.down.send(&mut core, now, (&conn.route, false), answer, down_in_words::<S>);
                drop(core);
                if accepted {
                    conn.server_end = ServerEnd::Open;
                    conn.keepalive =
                        Keepalive::shared(&mut cell.keepalive, cell.machine.keepalive());
                    let at = cell.clock.machine_time(now);
                    cell.serves_bytes |= of_bytes;
                    match cell.machine.bytes().filter(|_| of_bytes) {
                        Some(bytes) => {
                            bytes.connected(at, u64::from(connection), &conn.node_name);
                        }
                        None => {
                            cell.machine.connected(at, u64::from(connection), &conn.node_name);
                        }
                    }
                }
            }
            Up::Data(input) if conn.server_end == ServerEnd::Open => {
                let mut core = world.lock();
                if core.trace.is_on() && cell.machine.takes(u64::from(connection), &input) {
                    let print = S::fingerprint_input(&input);
                    let write = &|log: &mut Vec<u8>| S::log_input(&input, log);
                    let (from, read) = (&conn.node_label, self.reads.input);
                    let journey = conn.journey(conn.actor, sent);
                    let record = Record::Request { from, journey, print, read, write };
                    core.trace.record(now, self.actor, record);
                }
                drop(core);
                let at = cell.clock.machine_time(now);
                cell.machine.handle_input(at, u64::from(connection), input);
            }
            Up::Bytes(bytes) if conn.server_end == ServerEnd::Open => {
                let mut core = world.lock();
                if core.trace.is_on() {
                    let (print, write) = (xxh3_64(&bytes), &log_bytes(&bytes));
                    let (from, read) = (&conn.node_label, self.reads.bytes);
                    let journey = conn.journey(conn.actor, sent);
                    let record = Record::Request { from, journey, print, read, write };
                    core.trace.record(now, self.actor, record);
                }
                drop(core);
                let at = cell.clock.machine_time(now);
                if let Some(machine) = cell.machine.bytes() {
                    machine.receive(at, u64::from(connection), &bytes);
                }
            }
            Up::Data(_) | Up::Bytes(_) if conn.server_end == ServerEnd::Dead => {
                self.tell_ignored_up(world, conn, (sent, &item));
                self.reset_by_server(world, conn);
            }
            Up::Data(_) | Up::Bytes(_) => self.tell_ignored_up(world, conn, (sent, &item)),
            Up::Close => {
                self.end_at_server(world, cell, connection);
                // The node may still ask why, unless it has closed its end.
                let conn = cell.connections.get(connection);
                if conn.is_some_and(|conn| conn.abandoned) {
                    cell.forget(connection);
                }
            }
        }
        self.settle(world, cell);
    }

    pub(crate) fn arrive_down(&self, world: &World, cell: &mut Cell<S>, connection: u32) {
        let now = world.now();
        let Some(conn) = cell.connections.get_mut(connection) else { return };
        if conn.down.take_stale() {
            return;
        }
        if !conn.down_is_open() {
            conn.down.stall(now);
            if cell.off {
                self.lose_stalled_down(world, conn);
            }
            cell.retime(connection, now);
            cell.reap(connection);
            return self.settle(world, cell);
        }
        let Some(Flight { sent, item }) = conn.down.arrive() else { return };
        conn.heard = now;
        if conn.gone || conn.gave_up {
            self.tell_ignored_down(world, conn, (sent, &item));
            self.reset_by_node(world, conn);
            return cell.reap(connection);
        }
        if conn.abandoned || matches!(conn.phase, Phase::Ended(_)) {
            return self.tell_ignored_down(world, conn, (sent, &item));
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
            Down::Data(output) => self.deliver(world, conn, (sent, output), &mut wakes),
            Down::Bytes(bytes) => {
                let mut core = world.lock();
                if core.trace.is_on() {
                    let (print, write) = (xxh3_64(&bytes), &log_bytes(&bytes));
                    let (from, read) = (&conn.server_label, self.reads.bytes);
                    let journey = conn.journey(self.actor, sent);
                    let record = Record::Response { from, journey, print, read, write };
                    core.trace.record(now, conn.actor, record);
                }
                drop(core);
                if let Some(received) = &mut conn.bytes {
                    received.take(bytes);
                    if let Some(pulse) = &mut received.pulse {
                        pulse.heard(now);
                    }
                    wakes.wake(&mut received.reader);
                }
            }
            Down::Close(how) => self.end_at_node(world, conn, how.into(), &mut wakes),
        }
        if conn.wants_to_look() != conn.watch {
            cell.watch(connection);
            self.settle(world, cell);
        }
    }

    fn deliver(
        &self,
        world: &World,
        conn: &mut Conn<S>,
        (sent, output): (Instant, S::Output),
        wakes: &mut Wakes<'_>,
    ) {
        let now = world.now();
        let mut core = world.lock();
        let traced = core.trace.is_on();
        if traced {
            let print = S::fingerprint_output(&output);
            let write = &|log: &mut Vec<u8>| S::log_output(&output, log);
            let (from, read) = (&conn.server_label, self.reads.output);
            let journey = conn.journey(self.actor, sent);
            let record = Record::Response { from, journey, print, read, write };
            core.trace.record(now, conn.actor, record);
        }
        let is_paused = core.processes[conn.node].is_paused();
        drop(core);
        conn.session.deliver(now, output, wakes);
        if traced && conn.session.was_unawaited() {
            let record = Record::Unawaited { from: &conn.server_label };
            world.lock().trace.record(now, conn.actor, record);
        }
        while !is_paused && let Some(input) = conn.session.answer() {
            conn.up.send(
                &mut world.lock(),
                now,
                (&conn.route, true),
                Up::Data(input),
                up_in_words::<S>,
            );
        }
    }

    /// Wakes all waiters on the list. A foreign waker may do anything, even call back into this
    /// server, so it is woken without a lock.
    pub(crate) fn wake(&self, world: &World, mut cell: MutexGuard<'_, Cell<S>>) {
        if cell.wakes.iter().any(WakeRef::is_foreign) {
            let mut wakes = std::mem::take(&mut cell.wakes);
            drop(cell);
            world.wake_all(&mut wakes);
        } else {
            world.wake_all(&mut cell.wakes);
        }
    }

    /// Ends the connection at the node.
    pub(crate) fn end_at_node(
        &self,
        world: &World,
        conn: &mut Conn<S>,
        why: Disconnected,
        wakes: &mut Wakes<'_>,
    ) {
        if conn.abandoned || matches!(conn.phase, Phase::Ended(_)) {
            return;
        }
        let record = Record::Disconnected { peer: &conn.server_label, why: Some(why) };
        world.lock().trace.record(world.now(), conn.actor, record);
        self.end_session(conn, why, wakes);
    }

    /// Tells the session that the connection has ended, unless it knows.
    pub(crate) fn end_session(&self, conn: &mut Conn<S>, why: Disconnected, wakes: &mut Wakes<'_>) {
        if matches!(conn.phase, Phase::Ended(_)) {
            return;
        }
        conn.phase = Phase::Ended(why);
        wakes.wake(&mut conn.opener);
        conn.session.disconnected(wakes);
        if let Some(received) = &mut conn.bytes {
            wakes.wake(&mut received.reader);
        }
    }

    /// Ends the connection at the machine.
    pub(crate) fn end_at_server(&self, world: &World, cell: &mut Cell<S>, connection: u32) {
        let Some(conn) = cell.connections.get_mut(connection) else { return };
        let end = std::mem::replace(&mut conn.server_end, ServerEnd::Closed);
        if end == ServerEnd::Open {
            let record = Record::Disconnected { peer: &conn.node_label, why: None };
            let now = world.now();
            world.lock().trace.record(now, self.actor, record);
            cell.disconnect(now, connection);
        }
    }

    /// Closes the node's end. The machine learns of it after everything that was sent.
    pub(crate) fn abandon(&self, world: &World, cell: &mut Cell<S>, connection: u32) {
        let Some(conn) = cell.connections.get_mut(connection) else { return };
        if std::mem::replace(&mut conn.abandoned, true) {
            return;
        }
        self.lose_down(world, conn);
        // Other tasks may wait on this connection.
        self.end_session(conn, Disconnected::ClosedHere, &mut Wakes(&mut cell.wakes));
        if !conn.gave_up {
            conn.up.send(
                &mut world.lock(),
                world.now(),
                (&conn.route, true),
                Up::Close,
                up_in_words::<S>,
            );
        }
        cell.watch(connection);
        cell.retime(connection, world.now());
        cell.reap(connection);
    }

    pub(crate) fn set_running(&self, world: &World, how: Option<Shutdown>, vanishes: bool) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        let now = world.now();
        if world.lock().withholds() {
            return;
        }
        let at = cell.clock.machine_time(now);
        match how {
            Some(how) if cell.running => {
                cell.machine.stop(at, how);
                self.note_stop(world, cell, if vanishes { "vanished" } else { how.name() });
            }
            None if !cell.running => {
                cell.machine.start(at);
                world.lock().trace.record(now, self.actor, Record::Started);
            }
            Some(_) | None => return,
        }
        cell.running = how.is_none();
        if let Some(node) = cell.companion {
            world.lock().requests.push_back(match how {
                None => Request::Restart(node),
                Some(Shutdown::PowerLoss) => Request::LosePower(node),
                Some(Shutdown::Clean | Shutdown::Kill) => Request::Kill(node),
            });
        }
        match how {
            Some(_) if vanishes => {
                cell.off = true;
                for conn in cell.connections.values_mut() {
                    self.lose_stalled_down(world, conn);
                    if conn.server_end == ServerEnd::Open {
                        conn.server_end = ServerEnd::Dead;
                    }
                }
                cell.retime_every(now);
            }
            Some(how) => {
                self.settle(world, cell);
                Self::close_all(world, cell, how);
            }
            None if std::mem::take(&mut cell.off) => self.power_is_back(world, cell),
            None => {}
        }
        self.settle(world, cell);
    }

    /// Closes the server's end of every connection. The nodes learn of it after everything that was
    /// sent.
    pub(crate) fn close_all(world: &World, cell: &mut Cell<S>, how: Shutdown) {
        let how = S::closes_sockets(how);
        let mut core = world.lock();
        for conn in cell.connections.values_mut().filter(|c| c.server_end == ServerEnd::Open) {
            conn.server_end = ServerEnd::Closed;
            conn.down.send(
                &mut core,
                world.now(),
                (&conn.route, false),
                Down::Close(how),
                down_in_words::<S>,
            );
        }
    }

    /// Sets the server's clock, and its timer accordingly.
    pub(crate) fn set_clock(
        &self,
        world: &World,
        set: impl FnOnce(&Clock, &mut S) -> Record<'static>,
    ) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        if world.lock().withholds() {
            return;
        }
        let record = set(&cell.clock, &mut cell.machine);
        world.lock().trace.record(world.now(), self.actor, record);
        // The timer was set by the old clock.
        if let Some((_, key)) = cell.timer.take() {
            world.lock().cancel_timer(key);
        }
        self.settle(world, cell);
    }
}
