//! At rest: which tasks still wait when nothing can happen any more, and for what.

use crate::sim::kernel::core::Core;
use crate::sim::kernel::id::{NodeId, TaskId};
use crate::sim::kernel::task::Task;
use crate::sim::outcome::Waiting;
use std::sync::Arc;

/// The reported wait of a task that has recorded nothing.
const FOREIGN: &str = "something outside this world, such as another thread, a channel, or a \
                       timer of another runtime (`tokio::time::sleep` needs tokio's own clock: \
                       use `Node::sleep`)";

impl Core {
    /// Returns the tasks that still wait, except those of daemons.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let tasks = self.tasks.iter().filter(|(_, task)| !self.processes[task.node].daemon);
        tasks.map(|(id, task)| self.describe_waiting(id, task)).collect()
    }

    fn describe_waiting(&self, id: TaskId, task: &Task) -> Waiting {
        let node = &self.processes[task.node];
        let mut what = self.tasks.waits(id);
        if node.is_paused() {
            what = vec!["to be resumed".to_owned()];
        } else if what.is_empty() {
            what.push(FOREIGN.to_owned());
        }
        let mut because = Vec::new();
        if self.tasks.has_lost_wake(id) {
            because.push(
                "a destructor of a killed process would have woken it; a real kill runs none"
                    .to_owned(),
            );
        }
        let (name, made_at) = (Arc::clone(&node.name), node.made_at);
        Waiting { node: name, made_at, what, because }
    }

    /// Returns the task that was last polled: its node's name, and which of its tasks.
    pub(crate) fn last_polled(&self) -> Arc<str> {
        let Some((node, task)) = self.last else { return Arc::from("world") };
        self.name_in(node, task).into()
    }

    /// Returns a task's node and number in words, such as `worker-1/main`.
    pub(crate) fn task_name(&self, task: TaskId) -> String {
        let node = self.node_of(task);
        node.map_or_else(|| "an ended task".to_owned(), |node| self.name_in(node, task))
    }

    fn name_in(&self, node: NodeId, task: TaskId) -> String {
        let process = &self.processes[node];
        let name = &process.name;
        // A process that has ended no longer has a main task.
        match process.main {
            Some(main) if main != task => format!("{name}/task {}", task.number()),
            _ => format!("{name}/main"),
        }
    }
}
