//! Draws: the choices of the kernel, and when a message arrives.

use crate::choice::{Choices, Place, Site};
use crate::sim::kernel::core::Core;
use crate::sim::kernel::id::LinkId;
use crate::sim::kernel::turn::Request;
use crate::sim::trace::Actor;
use crate::sim::trace::event::Record;
use crate::time::Instant;
use std::time::Duration;

/// The number of places in which an event may be among those of its instant.
const TIES: u64 = 4;

impl Core {
    /// Draws a choice of the world, and traces it.
    pub(crate) fn choose(
        &mut self,
        now: Instant,
        who: Actor,
        site: Site,
        entity: u64,
        n: u64,
    ) -> u64 {
        self.draw(now, who, (site, entity, n), |_| None)
    }

    /// Draws a choice as [`Core::choose`] does, with words for its value.
    pub(crate) fn choose_told(
        &mut self,
        now: Instant,
        who: Actor,
        choice: (Site, u64, u64),
        words: impl FnOnce(u64) -> String,
    ) -> u64 {
        self.draw(now, who, choice, |value| Some(words(value)))
    }

    fn draw(
        &mut self,
        now: Instant,
        who: Actor,
        (site, entity, n): (Site, u64, u64),
        words: impl FnOnce(u64) -> Option<String>,
    ) -> u64 {
        if self.withholds() {
            return 0;
        }
        let before = self.choices.recorded(now);
        let value = self.choices.choose(site, entity, n);
        if let Some(before) = before {
            self.choices.attribute(before, self.trace.name(who), || words(value));
        }
        self.trace.record(now, who, Record::Choice { site, entity, n, value });
        value
    }

    /// Returns the time and tie at which an item sent now on `link` arrives: not before `last`, the
    /// arrival of the previous item.
    pub(crate) fn arrival(
        &mut self,
        now: Instant,
        (link, up): (LinkId, bool),
        last: (Instant, u16),
        what: &dyn Fn() -> String,
    ) -> (Instant, u16) {
        const TIE: Site = Site::new("event.tie");
        let state = &mut self.links[link];
        // Most links have no latency, and no fault waits for a message.
        if !self.silent && !self.ties && state.latency.is_none() && state.triggers.is_none() {
            state.sent += 1;
            return (now, 0).max(last);
        }
        // A message that destructors of a dead process make a handle send draws nothing, and does
        // not count as a message for a fault.
        if self.silent {
            let latency = state.latency.draw(&mut Choices::calm(), &mut Place::default(), 0);
            return (now.after_nanos(latency), 0).max(last);
        }
        state.sent += 1;
        if state.triggers.is_some() {
            self.pull_triggers(now, (link, up), what);
        }
        let state = &mut self.links[link];
        let entity = state.entity();
        let before = self.choices.recorded(now);
        let latency = state.latency;
        let latency = latency.draw(&mut self.choices, &mut state.latency_place, entity);
        if let Some(before) = before {
            self.tell_latency(before, (link, up), latency, what);
        }
        let before = before.and_then(|_| self.choices.begin(now));
        let state = &mut self.links[link];
        let tie = match self.ties {
            true => self.choices.choose_at(&mut state.tie_place, TIE, entity, TIES) as u16,
            false => 0,
        };
        if let Some(before) = before {
            let words = || format!("a message came {} among those of its moment", nth(tie));
            self.tell_on_link(before, link, up, words);
        }
        (now.after_nanos(latency), tie).max(last)
    }

    /// A message was sent on a link on which something waits for messages.
    #[cold]
    fn pull_triggers(
        &mut self,
        now: Instant,
        (link, up): (LinkId, bool),
        what: &dyn Fn() -> String,
    ) {
        let state = &mut self.links[link];
        let Some(triggers) = &mut state.triggers else { return };
        self.requests.extend(triggers.due(state.sent).map(Request::Act));
        if triggers.is_watched {
            self.strike_at_message(now, (link, up), what);
        } else if triggers.actions.is_empty() {
            state.triggers = None;
        }
    }

    /// Adds words to the choice of a latency.
    #[cold]
    #[inline(never)]
    fn tell_latency(
        &self,
        before: usize,
        (link, up): (LinkId, bool),
        latency: u64,
        what: &dyn Fn() -> String,
    ) {
        let least = self.links[link].latency.least();
        let words = || {
            let [took, calm] = [latency, least].map(Duration::from_nanos);
            format!("took {took:?} (calm: {calm:?}): {}", what())
        };
        self.tell_on_link(before, link, up, words);
    }

    fn tell_on_link(&self, before: usize, link: LinkId, up: bool, words: impl Fn() -> String) {
        let state = &self.links[link];
        let node = &self.processes[state.node].name;
        let service = self.links.service(state.service);
        let (from, to) = if up { (node, service) } else { (service, node) };
        self.choices.attribute(before, from, || Some(format!("{from} → {to} {}", words())));
    }

    /// Draws the place of an event among the events of its instant.
    pub(crate) fn tie(&mut self, site: Site, entity: u64) -> u16 {
        if self.ties { self.choices.choose(site, entity, TIES) as u16 } else { 0 }
    }
}

fn nth(tie: u16) -> &'static str {
    ["first", "later", "late", "last"].get(usize::from(tie)).copied().unwrap_or("last")
}
