//! Topic exchanges: patterns of words, in which `*` matches one word and `#` matches any number of
//! words, including none.
//!
//! The patterns are stored in a trie with one word per edge, and a message follows all matching
//! paths at once: after each word the walk holds the *set* of nodes it can be at. A node is in the
//! set at most once, so the cost of a message is bounded by words × nodes reached, however many `#`
//! a pattern has. Words are looked up by hash, so bindings that do not match cost nothing.
//!
//! A `#` is a node that can be entered without a word and stays in the set whatever word follows.
//!
//! Source: <https://www.rabbitmq.com/tutorials/tutorial-five-python>; the empty key has no words,
//! and `a.` has two, the second empty, as in the server.

use super::{Binding, Destination, Router, Targets, add_target, remove_target};
use crate::rabbitmq::protocol::properties::Properties;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;

const ROOT: usize = 0;

#[derive(Debug, Default)]
struct Node {
    /// The edge that leads here, which is removed with the node.
    parent: usize,
    word: SmolStr,
    words: IndexMap<SmolStr, usize, FxBuildHasher>,
    star: Option<usize>,
    hash: Option<usize>,
    targets: Targets,
}

impl Node {
    fn is_idle(&self) -> bool {
        self.targets.is_empty()
            && self.words.is_empty()
            && self.star.is_none()
            && self.hash.is_none()
    }

    fn child(&self, word: &str) -> Option<usize> {
        match word {
            "*" => self.star,
            "#" => self.hash,
            _ => self.words.get(word).copied(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Topic {
    nodes: Vec<Node>,
    free: Vec<usize>,
    /// The set of nodes the walk is at, and the set that the next word leads to.
    here: Vec<usize>,
    next: Vec<usize>,
    /// The last step at which each node was entered.
    entered: Vec<u64>,
    step: u64,
}

impl Default for Topic {
    fn default() -> Topic {
        Topic {
            nodes: vec![Node::default()],
            free: Vec::new(),
            here: Vec::new(),
            next: Vec::new(),
            entered: vec![0],
            step: 0,
        }
    }
}

/// The words of a key or pattern.
fn words(key: &str) -> impl Iterator<Item = &str> {
    // Splitting an empty key would return one empty word.
    key.split('.').take(if key.is_empty() { 0 } else { usize::MAX })
}

impl Topic {
    fn child_or_new(&mut self, parent: usize, word: &str) -> usize {
        if let Some(child) = self.nodes[parent].child(word) {
            return child;
        }
        let node = Node { parent, word: word.into(), ..Node::default() };
        let child = match self.free.pop() {
            Some(slot) => {
                self.nodes[slot] = node;
                slot
            }
            None => {
                self.nodes.push(node);
                self.entered.push(0);
                self.nodes.len() - 1
            }
        };
        match word {
            "*" => self.nodes[parent].star = Some(child),
            "#" => self.nodes[parent].hash = Some(child),
            _ => {
                self.nodes[parent].words.insert(word.into(), child);
            }
        }
        child
    }

    /// Removes a node without bindings and children, then its parents likewise.
    fn prune(&mut self, mut node: usize) {
        while node != ROOT && self.nodes[node].is_idle() {
            let Node { parent, word, .. } = std::mem::take(&mut self.nodes[node]);
            match word.as_str() {
                "*" => self.nodes[parent].star = None,
                "#" => self.nodes[parent].hash = None,
                _ => {
                    self.nodes[parent].words.swap_remove(&word);
                }
            }
            self.free.push(node);
            node = parent;
        }
    }

    /// Adds a node to the next set, with the nodes that can be reached from it without a word.
    fn enter(&mut self, mut node: usize) {
        while self.entered[node] != self.step {
            self.entered[node] = self.step;
            self.next.push(node);
            match self.nodes[node].hash {
                Some(hash) => node = hash,
                None => return,
            }
        }
    }

    /// Makes the next set the current one.
    fn advance(&mut self) {
        std::mem::swap(&mut self.here, &mut self.next);
        self.next.clear();
        self.step += 1;
    }
}

impl Router for Topic {
    fn bind(&mut self, binding: &Binding) {
        let mut node = ROOT;
        for word in words(&binding.routing_key) {
            node = self.child_or_new(node, word);
        }
        add_target(&mut self.nodes[node].targets, binding.destination);
    }

    fn unbind(&mut self, binding: &Binding) {
        let mut node = ROOT;
        for word in words(&binding.routing_key) {
            match self.nodes[node].child(word) {
                Some(child) => node = child,
                None => return,
            }
        }
        if remove_target(&mut self.nodes[node].targets, binding.destination) {
            self.prune(node);
        }
    }

    fn route(&mut self, routing_key: &str, _: &Properties, into: &mut Vec<Destination>) {
        self.next.clear();
        self.step += 1;
        self.enter(ROOT);
        self.advance();
        for word in words(routing_key) {
            for i in 0..self.here.len() {
                let node = self.here[i];
                let Node { words, star, word: led_here, .. } = &self.nodes[node];
                let (child, star) = (words.get(word).copied(), *star);
                if node != ROOT && led_here == "#" {
                    self.enter(node);
                }
                if let Some(child) = child {
                    self.enter(child);
                }
                if let Some(star) = star {
                    self.enter(star);
                }
            }
            self.advance();
        }
        for &node in &self.here {
            into.extend(self.nodes[node].targets.keys());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::FieldTable;
    use crate::rabbitmq::key::Arena;

    /// The meaning of a pattern, written naively.
    fn fits(pattern: &[&str], key: &[&str]) -> bool {
        match pattern {
            [] => key.is_empty(),
            ["#", rest @ ..] => (0..=key.len()).any(|n| fits(rest, &key[n..])),
            ["*", rest @ ..] => !key.is_empty() && fits(rest, &key[1..]),
            [word, rest @ ..] => key.first() == Some(word) && fits(rest, &key[1..]),
        }
    }

    /// All patterns of up to `len` of these words, joined by dots.
    fn phrases(alphabet: &[&str], len: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last: Vec<String> = alphabet.iter().map(ToString::to_string).collect();
        for _ in 0..len {
            all.extend(last.iter().cloned());
            last = last
                .iter()
                .flat_map(|p| alphabet.iter().map(move |w| format!("{p}.{w}")))
                .collect();
        }
        all
    }

    #[test]
    fn routes_as_the_patterns_mean() {
        let patterns = phrases(&["a", "b", "*", "#"], 4);
        let keys = phrases(&["a", "b", "c"], 5);
        let mut topic = Topic::default();
        let mut queues = Arena::default();
        let bindings: Vec<Binding> = patterns
            .iter()
            .map(|pattern| Binding {
                destination: Destination::Queue(
                    queues.insert(crate::rabbitmq::queue::tests::any_queue()),
                ),
                routing_key: pattern.into(),
                arguments: FieldTable::new(),
            })
            .collect();
        for (i, binding) in bindings.iter().enumerate() {
            if i % 2 == 0 {
                topic.bind(binding);
            }
        }
        for key in &keys {
            let mut routed = Vec::new();
            topic.route(key, &Properties::default(), &mut routed);
            routed.sort_unstable();
            let expected: Vec<Destination> = bindings
                .iter()
                .step_by(2)
                .filter(|b| {
                    fits(
                        &words(&b.routing_key).collect::<Vec<_>>(),
                        &words(key).collect::<Vec<_>>(),
                    )
                })
                .map(|b| b.destination)
                .collect();
            assert_eq!(routed, expected, "{key}");
        }
        for binding in bindings.iter().step_by(2) {
            topic.unbind(binding);
        }
        assert_eq!(topic.nodes.len() - topic.free.len(), 1, "only the root is left");
    }

    #[test]
    fn many_hashes_do_not_multiply() {
        let mut queues = Arena::default();
        let destination =
            Destination::Queue(queues.insert(crate::rabbitmq::queue::tests::any_queue()));
        let mut topic = Topic::default();
        let pattern = ["#.a"; 12].join(".");
        topic.bind(&Binding {
            destination,
            routing_key: pattern.into(),
            arguments: FieldTable::new(),
        });
        let mut routed = Vec::new();
        let key = ["a"; 40].join(".");
        topic.route(&key, &Properties::default(), &mut routed);
        assert_eq!(routed, [destination]);
        assert!(topic.step < 100);
    }

    #[test]
    fn empty_words_are_words_but_an_empty_key_has_none() {
        assert_eq!(words("").count(), 0);
        assert_eq!(words("a.").collect::<Vec<_>>(), ["a", ""]);
        assert_eq!(words(".").count(), 2);
    }
}
