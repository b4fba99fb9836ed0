//! Vhosts of a real node, each for one conversation, so that no conversation sees what another
//! leaves behind.

use super::node::{Node, run};
use std::sync::{Mutex, MutexGuard};

/// Number of vhosts created at a time, because each command starts a process.
const BATCH: u64 = 20;

pub(super) struct VHosts<'a> {
    node: &'a Mutex<Node>,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    made: u64,
    fresh: Vec<String>,
    used: Vec<String>,
}

impl<'a> VHosts<'a> {
    pub(super) fn new(node: &'a Mutex<Node>) -> VHosts<'a> {
        VHosts { node, shelf: Mutex::default() }
    }

    /// Returns a new vhost in which `guest` has all permissions.
    pub(super) fn fresh(&self) -> VHost<'_> {
        let mut shelf = self.shelf();
        if shelf.fresh.is_empty() {
            self.fill(&mut shelf);
        }
        let name = shelf.fresh.pop().expect("some were made");
        VHost { vhosts: self, name }
    }

    /// Creates some vhosts, and deletes the used ones.
    fn fill(&self, shelf: &mut Shelf) {
        let numbers = shelf.made..shelf.made + BATCH;
        shelf.made += BATCH;
        shelf.fresh.extend(numbers.map(|number| format!("vhost{number}")));
        let delete =
            |name: String| format!("catch rabbit_vhost:delete(<<\"{name}\">>,<<\"guest\">>)");
        let add = |name: &String| {
            format!(
                "rabbit_vhost:add(<<\"{name}\">>,<<\"guest\">>),\
                 rabbit_auth_backend_internal:set_permissions(<<\"guest\">>,<<\"{name}\">>,\
                 <<\".*\">>,<<\".*\">>,<<\".*\">>,<<\"guest\">>)"
            )
        };
        let deletions = shelf.used.drain(..).map(delete);
        let code: Vec<String> = deletions.chain(shelf.fresh.iter().map(add)).collect();
        let node = self.node.lock().expect("no thread panics while it holds the lock");
        let command = node.control_command(&["eval".to_owned(), code.join(",") + "."]);
        // Others connect in the meantime.
        drop(node);
        run(command).expect("vhosts can be made");
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().expect("no thread panics while it holds the lock")
    }
}

/// A vhost that is deleted some time after its use.
pub(super) struct VHost<'a> {
    vhosts: &'a VHosts<'a>,
    pub(super) name: String,
}

impl Drop for VHost<'_> {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        self.vhosts.shelf().used.push(name);
    }
}
