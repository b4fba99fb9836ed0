//! An arena of nodes.

/// Nodes by id. Ids of removed nodes are reused.
#[derive(Clone)]
pub(super) struct Arena<T> {
    pub(super) nodes: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    pub(super) fn new() -> Arena<T> {
        Arena { nodes: Vec::new(), free: Vec::new() }
    }

    pub(super) fn add(&mut self, node: T) -> u32 {
        if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = Some(node);
            return id;
        }
        // Most trees are one leaf; `push` would reserve room for four.
        if self.nodes.is_empty() {
            self.nodes.reserve_exact(1);
        }
        self.nodes.push(Some(node));
        (self.nodes.len() - 1) as u32
    }

    pub(super) fn remove(&mut self, id: u32) -> T {
        self.free.push(id);
        self.nodes[id as usize].take().expect("an id in the tree belongs to a node")
    }

    #[inline]
    pub(super) fn at(&self, id: u32) -> &T {
        self.nodes[id as usize].as_ref().expect("an id in the tree belongs to a node")
    }

    #[inline]
    pub(super) fn at_mut(&mut self, id: u32) -> &mut T {
        self.nodes[id as usize].as_mut().expect("an id in the tree belongs to a node")
    }

    /// Returns the number of nodes, or `None` if an id is neither used nor free.
    pub(super) fn live(&self) -> Option<usize> {
        let live = self.nodes.iter().flatten().count();
        (live + self.free.len() == self.nodes.len()).then_some(live)
    }
}
