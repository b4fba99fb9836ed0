//! Those whom the decisive choice strikes, and the events about them.
//!
//! The words of a choice begin with what it does (`worker killed for 100ms, as rabbitmq sent …`),
//! so those it names there are concerned: the nodes, or the services if it names no node.

use super::Account;
use crate::sim::trace::lanes::{Class, Lanes};
use crate::sim::trace::{Event, EventKind, Trace};
use crate::time::Instant;

/// Those whom a choice strikes.
#[derive(Debug)]
pub(super) struct Concern {
    names: Vec<String>,
}

impl Concern {
    pub(super) fn of(account: &Account) -> Concern {
        let words = account.decisive().map(|decisive| decisive.choice.told()).unwrap_or_default();
        let struck = words.split([',', '(']).next().unwrap_or_default();
        let lanes = Lanes::of(&account.trace);
        let services = lanes.services(account.trace.events());
        let named = lanes.names().iter().enumerate().filter(|(_, name)| has_word(struck, name));
        let (services, nodes): (Vec<_>, Vec<_>) = named
            .map(|(at, name)| (at, name.to_string()))
            .partition(|(at, _)| services.contains(at));
        let names = if nodes.is_empty() { services } else { nodes };
        Concern { names: names.into_iter().map(|(_, name)| name).collect() }
    }

    /// Returns whether a text names one of them.
    pub(super) fn is_named_in(&self, text: &str) -> bool {
        self.names.iter().any(|name| has_word(text, name))
    }

    /// Returns whether an event happens to one of them, or comes from one. If nobody is struck,
    /// every event is as good as any.
    pub(super) fn is_about(&self, event: &Event) -> bool {
        let from = match &event.kind {
            EventKind::Request { from, .. } | EventKind::Response { from, .. } => &**from,
            _ => "",
        };
        let from = from.split('#').next().unwrap_or_default();
        self.names.is_empty() || self.names.iter().any(|name| *name == *event.who || name == from)
    }
}

/// Returns the events that say something, with their places among all events that are no polls and
/// no choices. Left out are the first starts, connections that come and go in good order, and
/// messages that begin with one of these words: handshakes, heartbeats and options.
pub(super) fn telling<'a>(
    trace: &'a Trace,
    routine: &[&str],
) -> impl Iterator<Item = (usize, &'a Event)> {
    let shown = |e: &&Event| !matches!(Class::of(&e.kind), Class::Poll | Class::Choice);
    trace.events().filter(shown).enumerate().filter(|(_, event)| match &event.kind {
        EventKind::Request { text, .. } | EventKind::Response { text, .. } => {
            !routine.iter().any(|words| text.starts_with(words))
        }
        EventKind::Started => event.at > Instant::ZERO,
        EventKind::Connected(_) | EventKind::Disconnected { why: None, .. } => false,
        _ => true,
    })
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
