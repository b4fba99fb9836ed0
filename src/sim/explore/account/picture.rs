//! The account as a picture: what of it the page shows.

use super::tale::{Tale, pairs, tales};
use super::{Account, Decision, Passing, Without, text};
use crate::sim::explore::page::{self, Chosen, End, Picture};
use crate::sim::explore::passing::Effects;
use crate::sim::trace::Event;

impl Account {
    /// Returns the account as a page of HTML: the choices, the risk, the trace with its messages,
    /// the stories and the nearest passing run. It is one file that needs no network.
    #[must_use]
    pub fn to_html(&self) -> String {
        let seed = self.failure.seed;
        let mut picture = Picture::of(&self.failure.subject(), &self.trace);
        picture.message.clone_from(&self.failure.message);
        picture.place.clone_from(&self.failure.place);
        picture.at = self.failure.at;
        picture.seed = Some(seed);
        picture.replay.clone_from(&self.replay);
        picture.settings.clone_from(&self.settings);
        picture.choices = self.decisions.iter().map(chosen).collect();
        // The decisive one first.
        picture.choices.sort_by_key(|chosen| (!chosen.is_decisive, chosen.order));
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let risk = self.risk.iter().map(|risk| page::Risk {
            at: risk.at,
            failed: count(risk.failed),
            of: count(risk.of),
        });
        picture.risk = risk.collect();
        let effects = self.passing.as_ref().map(|passing| passing.effects(&self.trace));
        let words = effects.as_ref().map(Effects::words).unwrap_or_default();
        picture.stories = pairs(self);
        let best = tales(self, &words).into_iter().next();
        let is_best = |tale: &Tale<'_>| best.as_ref().is_some_and(|best| tale.is(best));
        picture.open = picture.stories.iter().position(is_best);
        let effects = effects.unwrap_or_default();
        picture.passing = self.passing.as_ref().map(|it| passing(it, &effects));
        picture.text = self.to_string();
        picture.to_html()
    }
}

fn chosen(decision: &Decision) -> Chosen {
    let choice = &decision.choice;
    Chosen {
        order: decision.order as u64,
        at: choice.at,
        who: choice.who.as_deref().unwrap_or("world").to_owned(),
        site: choice.site.to_string(),
        words: choice.told(),
        is_decisive: decision.is_decisive,
        without: match decision.without {
            Some(Without::Passes) => "without it the run passes",
            Some(Without::FailsOtherwise) => "without it the run fails in another way",
            Some(Without::FailsTheSame) => "the run fails without it too",
            None => "",
        },
        entity: choice.entity,
        value: choice.value,
    }
}

fn passing(passing: &Passing, effects: &Effects) -> page::Passing {
    let ends = passing.ends.iter().map(|(service, failing, passing)| End {
        service: service.clone(),
        failing: failing.clone(),
        passing: passing.clone(),
    });
    let event = |event: Option<&Event>| match event {
        Some(event) => text::of_event(event).trim_start().to_owned(),
        None => "(the run has ended)".to_owned(),
    };
    let difference = passing
        .difference
        .as_ref()
        .map(|difference| [event(difference.left.as_ref()), event(difference.right.as_ref())]);
    page::Passing {
        difference: difference.unwrap_or_default(),
        effects: text::in_words(effects),
        ends: ends.collect(),
    }
}
