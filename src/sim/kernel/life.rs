//! Lives: how processes begin and end in the kernel's tables, and what a dead one may still do,
//! which is nothing.
//!
//! While a process that was killed is being dropped the kernel is *silent*: its destructors, which
//! no killed process would run, ask for what they like, and nothing of it happens. While a panic
//! unwinds that will end its process, and [`Panics::Abort`](crate::sim::Panics::Abort) holds, what
//! its destructors send is *withheld*.

use crate::sim::kernel::agenda::Target;
use crate::sim::kernel::core::Core;
use crate::sim::kernel::id::{NodeId, TaskId};
use crate::sim::kernel::task::WakeRef;
use crate::sim::kernel::turn::Request;
use crate::sim::trace::Actor;
use crate::sim::trace::event::Record;
use crate::time::Instant;
use std::time::Duration;

impl Core {
    /// A node has become alive, or is so no more.
    fn count_awaited(&mut self, node: NodeId, alive: bool) {
        if !self.processes[node].daemon {
            self.patience.count_awaited(alive);
        }
    }

    /// Whether what a node's code does now is to have no effect: it is a destructor of a
    /// process that has been killed, or one that is run by a panic which aborts it.
    pub(crate) fn withholds(&mut self) -> bool {
        let aborting = self.is_aborting();
        self.withheld += u32::from(aborting);
        self.silent || aborting
    }

    /// Whether a panic unwinds that will end the process whose task is being polled.
    pub(crate) fn is_aborting(&self) -> bool {
        self.aborts && std::thread::panicking() && self.current.is_some()
    }

    /// The panic that was withheld for has ended its process.
    pub(crate) fn forget_withheld(&mut self) {
        self.withheld = 0;
    }

    /// Something was withheld, but the process goes on: it is told of and killed.
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

    /// Asks a process to stop; whom to wake for that.
    pub(crate) fn terminate(&mut self, now: Instant, id: NodeId, grace: Duration) -> Vec<WakeRef> {
        let withheld = self.withholds();
        let process = &mut self.processes[id];
        if withheld || process.main.is_none() || process.is_terminating {
            return Vec::new();
        }
        process.is_terminating = true;
        let wakes = process.termination.take();
        self.trace.record(now, process.actor, Record::Terminated);
        // A process that stands still gets no signal but SIGKILL before it goes on.
        if process.handles_termination || process.paused {
            let key = self.timers.set(WakeRef::Kill(id));
            process.grace = Some(key);
            self.agenda.push(now, now + grace, 0, Target::Timer(key));
        } else {
            self.requests.push_back(Request::Kill(id));
        }
        wakes
    }

    /// A process starts: its next life.
    pub(crate) fn begin_life(&mut self, id: NodeId, main: TaskId) {
        let process = &mut self.processes[id];
        process.main = Some(main);
        process.life += 1;
        process.off = false;
        process.handles_termination = false;
        process.is_terminating = false;
        self.count_awaited(id, true);
    }

    /// A process ends, if it is alive: returns whether it was.
    pub(crate) fn end_life(&mut self, id: NodeId) -> bool {
        let process = &mut self.processes[id];
        if process.main.take().is_none() {
            return false;
        }
        process.paused = false;
        process.parked.clear();
        // Whoever waits there is of this process, and is dropped with it.
        drop(process.termination.take());
        let grace = process.grace.take();
        if let Some(key) = grace {
            self.cancel_timer(key);
        }
        self.count_awaited(id, false);
        true
    }

    /// A handle asks for something, unless it does so from the grave.
    pub(crate) fn request(&mut self, request: Request) {
        if !self.withholds() {
            self.requests.push_back(request);
        }
    }

    /// From now on, or no longer, what happens is not part of the run.
    pub(crate) fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
        self.trace.silent = silent;
    }

    /// No process will run any more, nor take a task.
    pub(crate) fn end_processes(&mut self) {
        self.processes.iter_mut().for_each(|node| node.main = None);
    }
}
