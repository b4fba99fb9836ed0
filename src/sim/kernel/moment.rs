//! Moments: messages and ticks at which the faults of a world's plan may strike.
//!
//! At a moment the world makes one choice (`striker.rs`). If its answer is a fault, that becomes a
//! request, which is served before anything else happens: the message is on its way, and its sender
//! has reached the point at which it next waits.

use crate::choice::Choices;
use crate::sim::kernel::core::Core;
use crate::sim::kernel::id::LinkId;
use crate::sim::kernel::striker::{STRIKE, Striker, TICK};
use crate::sim::kernel::turn::Request;
use crate::sim::net::network::Watch;
use crate::sim::trace::Actor;
use crate::sim::trace::event::Record;
use crate::time::Instant;

impl Core {
    /// Chooses whether a fault strikes now, because a message was sent on `link`.
    pub(crate) fn strike_at_message(
        &mut self,
        now: Instant,
        (link, up): (LinkId, bool),
        what: &dyn Fn() -> String,
    ) {
        let state = &mut self.links[link];
        let entity = state.entity();
        let (Some(striker), Some(triggers)) = (&self.striker, &mut state.triggers) else { return };
        if !striker.is_armed() {
            return;
        }
        let (before, n) = (self.choices.recorded(now), striker.answers());
        let place = &mut triggers.strike_place;
        let propose = |choices: &mut Choices| striker.propose(choices, entity);
        let answer = self.choices.decide(place, STRIKE, entity, n, propose);
        if answer > 0 {
            let moment =
                before.map(|_| self.message_in_words(link, up, &what())).unwrap_or_default();
            self.strike(now, (entity, n, answer), before, &moment);
        }
    }

    /// Chooses whether a fault strikes now, because the plan's clock ticks.
    pub(crate) fn strike_at_tick(&mut self, now: Instant) {
        let Some(striker) = &mut self.striker else { return };
        if !striker.is_armed() {
            return;
        }
        let (before, n) = (self.choices.recorded(now), striker.answers());
        let mut place = striker.tick_place;
        let propose = |choices: &mut Choices| striker.propose(choices, TICK);
        let answer = self.choices.decide(&mut place, STRIKE, TICK, n, propose);
        striker.tick_place = place;
        if answer > 0 {
            self.strike(now, (TICK, n, answer), before, &format!("the clock showed {now}"));
        }
    }

    fn strike(
        &mut self,
        now: Instant,
        (entity, n, value): (u64, u64, u64),
        before: Option<usize>,
        moment: &str,
    ) {
        let Some(striker) = &mut self.striker else { return };
        striker.count();
        let strike = striker.decode(value);
        if let Some(before) = before
            && let Some((who, words)) = striker.told(strike, moment)
        {
            self.choices.attribute(before, who, || Some(words));
        }
        self.trace.record(now, Actor::WORLD, Record::Choice { site: STRIKE, entity, n, value });
        self.requests.push_back(Request::Strike(strike));
    }

    /// Returns the message just sent on a link, in words.
    fn message_in_words(&self, link: LinkId, up: bool, what: &str) -> String {
        let state = &self.links[link];
        let node = &self.processes[state.node].name;
        let service = self.links.service(state.service);
        let (from, to) = if up { (node, service) } else { (service, node) };
        format!("{from} sent {to} {what}")
    }

    /// Begins to let faults strike at these messages.
    pub(crate) fn watch(&mut self, striker: Striker, watches: &[Watch]) {
        self.striker = Some(Box::new(striker));
        self.links.watch(watches);
    }
}
