//! Lives: how processes begin and end in the kernel's tables, and why a dead one has no effect.
//!
//! While a killed process is being dropped, the kernel is *silent*: the destructors would not run
//! in a killed process, so nothing that they ask for happens. While a panic unwinds that will end
//! its process under [`Panics::Abort`](crate::sim::Panics::Abort), everything that destructors send
//! is *withheld*. So is everything that a process does in the rest of the poll in which a fault of
//! a plan has struck it dead (`moment.rs`).

use crate::sim::kernel::core::Core;
use crate::sim::kernel::event::Target;
use crate::sim::kernel::id::{NodeId, TaskId};
use crate::sim::kernel::task::WakeRef;
use crate::sim::kernel::turn::Request;
use crate::sim::trace::Actor;
use crate::sim::trace::event::Record;
use crate::time::Instant;
use std::time::Duration;

impl Core {
    /// Counts a node that has become alive, or has ended.
    fn count_awaited(&mut self, node: NodeId, alive: bool) {
        if !self.processes[node].daemon {
            self.patience.count_awaited(alive);
        }
    }

    /// Returns whether calls of a node's code must have no effect now: a destructor is running for
    /// a killed process, or during a panic that aborts its process, or the process was struck dead.
    pub(crate) fn withholds(&mut self) -> bool {
        let aborting = self.is_aborting();
        self.withheld += u32::from(aborting);
        self.silent || aborting || self.polling.is_struck_dead()
    }

    /// Returns whether a panic unwinds that will end the process of the task being polled.
    pub(crate) fn is_aborting(&self) -> bool {
        self.aborts && std::thread::panicking() && self.current.is_some()
    }

    /// The panic has ended its process, so what was withheld needs no report.
    pub(crate) fn forget_withheld(&mut self) {
        self.withheld = 0;
    }

    /// Something was withheld, but the process goes on: the code has caught the panic. Returns the
    /// process and the message with which it is killed.
    pub(crate) fn caught_a_panic(&mut self) -> Option<(Actor, String)> {
        if std::mem::take(&mut self.withheld) == 0 {
            return None;
        }
        let (node, _) = self.last?;
        self.requests.push_back(Request::Kill(node));
        let message = "it caught a panic, and destructors that the panic ran could send nothing, \
                       as with panic = \"abort\": set Config::with_panics(Panics::Unwind)";
        Some((self.processes[node].actor, message.to_owned()))
    }

    /// Asks a process to stop, and returns the tasks to wake.
    pub(crate) fn terminate(&mut self, now: Instant, id: NodeId, grace: Duration) -> Vec<WakeRef> {
        let withheld = self.withholds();
        let process = &mut self.processes[id];
        if withheld || process.main.is_none() || process.is_terminating {
            return Vec::new();
        }
        process.is_terminating = true;
        let wakes = process.termination.take();
        self.trace.record(now, process.actor, Record::Terminated);
        // A paused process receives no signal but SIGKILL until it is resumed.
        if process.handles_termination || process.is_paused() {
            let key = self.timers.set(WakeRef::Kill(id));
            process.grace = Some(key);
            self.agenda.push(now, now + grace, 0, Target::Timer(key));
        } else {
            self.requests.push_back(Request::Kill(id));
        }
        wakes
    }

    /// Begins the next life of a process.
    pub(crate) fn begin_life(&mut self, id: NodeId, main: TaskId) {
        let process = &mut self.processes[id];
        process.main = Some(main);
        process.life += 1;
        process.off = false;
        process.handles_termination = false;
        process.is_terminating = false;
        self.count_awaited(id, true);
    }

    /// Ends a process. Returns whether it was alive.
    pub(crate) fn end_life(&mut self, id: NodeId) -> bool {
        let process = &mut self.processes[id];
        if process.main.take().is_none() {
            return false;
        }
        process.paused = false;
        process.held = false;
        process.parked.clear();
        process.held_until = Instant::ZERO;
        self.probes.list.retain(|(node, _)| *node != id);
        let process = &mut self.processes[id];
        // The waiting tasks belong to this process, and are dropped with it.
        drop(process.termination.take());
        let grace = process.grace.take();
        if let Some(key) = grace {
            self.cancel_timer(key);
        }
        self.count_awaited(id, false);
        true
    }

    /// Queues a request of a handle, unless a destructor of a dead process makes it.
    pub(crate) fn request(&mut self, request: Request) {
        if !self.withholds() {
            self.requests.push_back(request);
        }
    }

    /// Sets whether a dead process is being dropped, so that nothing is part of the run.
    pub(crate) fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
        self.trace.silent = silent;
    }

    /// Ends every process for good. None takes a task any more.
    pub(crate) fn end_processes(&mut self) {
        self.processes.iter_mut().for_each(|node| node.main = None);
    }
}
