//! Those whom the decisive choice strikes, and the events about them.
//!
//! The words of a choice begin with what it does (`worker killed for 100ms, as rabbitmq sent …`),
//! so those it names there are concerned: the nodes, or the services if it names no node.

use super::Account;
use crate::sim::trace::lanes::Lanes;
use crate::sim::trace::{Event, EventKind, Trace};
use crate::time::Instant;

/// Those whom a choice strikes, as lanes.
pub(super) struct Concern<'a> {
    lanes: Lanes<'a>,
    struck: Vec<usize>,
}

impl<'a> Concern<'a> {
    pub(super) fn of(account: &'a Account) -> Concern<'a> {
        let words = account.decisive().map(|decisive| decisive.choice.told()).unwrap_or_default();
        let struck = words.split([',', '(']).next().unwrap_or_default();
        let lanes = Lanes::of(&account.trace);
        let services = lanes.services(account.trace.events());
        let named = lanes.names().iter().enumerate().filter(|(_, name)| has_word(struck, name));
        let (services, nodes): (Vec<usize>, Vec<usize>) =
            named.map(|(lane, _)| lane).partition(|lane| services.contains(lane));
        Concern { lanes, struck: if nodes.is_empty() { services } else { nodes } }
    }

    /// Returns whether a text names one of them.
    pub(super) fn is_named_in(&self, text: &str) -> bool {
        self.struck.iter().any(|lane| has_word(text, &self.lanes.names()[*lane]))
    }

    /// Returns whether an event happens to one of them, or comes from one. If nobody is struck,
    /// every event is as good as any.
    pub(super) fn is_about(&self, event: &Event) -> bool {
        let is_struck = |label: &str| self.struck.contains(&self.lanes.find(label));
        let comes_from_one = || match &event.kind {
            EventKind::Request { from, .. } | EventKind::Response { from, .. } => is_struck(from),
            _ => false,
        };
        self.struck.is_empty() || is_struck(&event.who) || comes_from_one()
    }
}

/// Returns the events that say something, with their places among all events that people see. Left
/// out are the first starts, connections that come and go in good order, and messages that begin
/// with one of these words: handshakes, heartbeats and options.
pub(super) fn telling<'a>(
    trace: &'a Trace,
    routine: &[&str],
) -> impl Iterator<Item = (usize, &'a Event)> {
    trace.shown().enumerate().filter(|(_, event)| match &event.kind {
        EventKind::Request { text, .. } | EventKind::Response { text, .. } => {
            !is_routine(text, routine)
        }
        EventKind::Started => event.at > Instant::ZERO,
        EventKind::Connected(_) | EventKind::Disconnected { why: None, .. } => false,
        _ => true,
    })
}

/// Returns whether the description of a message begins with one of these words.
pub(super) fn is_routine(text: &str, routine: &[&str]) -> bool {
    routine.iter().any(|words| text.starts_with(words))
}

/// Returns whether a text has a word, or several.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-');
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let after = text[at + word.len()..].chars().next();
            is_edge(text[..at].chars().next_back()) && is_edge(after)
        })
}
