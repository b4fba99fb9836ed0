//! The account as a picture: what of it the page shows.

use super::{Account, Decision, Passing};
use crate::sim::explore::page::{self, Chosen, End, Picture};

impl Account {
    /// Returns the account as a page of HTML: the choices, the risk, the trace with its messages,
    /// the stories and the nearest passing run. It is one file that needs no network.
    #[must_use]
    pub fn to_html(&self) -> String {
        let seed = self.failure.seed;
        let mut picture = Picture::of(&format!("seed {seed} failed"), &self.trace);
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
        picture.stories.clone_from(&self.stories);
        picture.passing = self.passing.as_ref().map(passing);
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
        is_necessary: decision.is_necessary != Some(false),
    }
}

fn passing(passing: &Passing) -> page::Passing {
    let ends = passing.ends.iter().map(|(service, failing, passing)| End {
        service: service.clone(),
        failing: failing.clone(),
        passing: passing.clone(),
    });
    let difference = passing.difference.as_ref();
    let difference = difference.map_or_else(String::new, ToString::to_string);
    page::Passing { difference, ends: ends.collect() }
}
