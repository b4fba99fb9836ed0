//! Moments: messages and ticks at which the faults of a world's plan may strike.
//!
//! At a moment the world makes one choice (`striker.rs`). If its answer is a fault, that becomes a
//! request, which is served before anything else happens, with the message on its way.
//!
//! A process may send several messages in one poll, and a fault that ends it may come between two
//! of them. The poll cannot be cut off there, but it can have no effect any more: from the message
//! of the moment on the process is *struck dead*. Until its poll is over, the world withholds what
//! its code does, as that of destructors of a killed process (`life.rs`). What the code sends is an
//! error to it, what it awaits never comes, and its result or panic counts for nothing. Then the
//! request ends the process.

use crate::choice::Choices;
use crate::sim::kernel::core::Core;
use crate::sim::kernel::id::LinkId;
use crate::sim::kernel::polling::Polling;
use crate::sim::kernel::striker::{Fatal, STRIKE, Strike, Striker, TICK};
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
        let mut strike = striker.decode(value);
        let fatal = striker.fatal(strike);
        if let Some(before) = before
            && let Some((who, words)) = striker.told(strike, moment)
        {
            self.choices.attribute(before, who, || Some(words));
        }
        self.trace.record(now, Actor::WORLD, Record::Choice { site: STRIKE, entity, n, value });
        strike.was_fatal = fatal.is_some_and(|fatal| self.strike_dead(fatal));
        self.requests.push_back(Request::Strike(strike));
    }

    /// Strikes a process dead if its code is running. Returns whether it is.
    fn strike_dead(&mut self, fatal: Fatal) -> bool {
        let Some(running) = self.current.and_then(|id| self.node_of(id)) else { return false };
        let process = &self.processes[running];
        let dies = match fatal {
            Fatal::Always(node) => node == running,
            // As for `Core::terminate`.
            Fatal::UnlessHandled(node) => {
                node == running && !process.handles_termination && !process.is_paused()
            }
        };
        dies && self.polling.strike_dead()
    }

    /// Takes the strikes of a plan that have ended a process already.
    pub(crate) fn take_fatal_strikes(&mut self, storm: u32) -> Vec<Strike> {
        let mut taken = Vec::new();
        self.requests.retain(|request| match request {
            Request::Strike(strike) if strike.storm == storm && strike.was_fatal => {
                taken.push(*strike);
                false
            }
            _ => true,
        });
        taken
    }

    /// Something runs. If the plan's clock stands, it goes on.
    pub(crate) fn wind(&mut self) {
        if let Some(striker) = &mut self.striker
            && striker.clock_stands
            && self.patience.is_awaited()
        {
            striker.clock_stands = false;
            self.requests.push_back(Request::Wind(striker.storm()));
        }
    }

    /// Returns the message just sent on a link, in words.
    fn message_in_words(&self, link: LinkId, up: bool, what: &str) -> String {
        let state = &self.links[link];
        let node = &self.processes[state.node].name;
        let service = self.links.service(state.service);
        let (from, to) = if up { (node, service) } else { (service, node) };
        format!("{from} sent {to} {what}")
    }

    /// Begins to let faults strike at these messages, and no others.
    pub(crate) fn watch(&mut self, striker: Striker, watches: &[Watch], polling: Polling) {
        self.polling = polling;
        self.striker = Some(Box::new(striker));
        self.links.watch(watches);
    }
}
