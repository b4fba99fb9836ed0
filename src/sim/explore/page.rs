//! The picture of a failure as one page of HTML.
//!
//! A [`Picture`] is what there is to show. Its page is one file without outside resources: the
//! template `page/page.html`, the style `page/page.css`, the code `page/*.js`, the data as JSON in
//! an element of its own, and the same as plain text, which the code hides. Invariant: nothing that
//! a picture says is read as markup or code, whatever its characters.

mod rows;

use crate::json::Json;
use crate::sim::explore::account::Tale;
use crate::sim::trace::lanes::Lanes;
use crate::sim::trace::{Event, EventKind, Step, Trace};
use crate::time::Instant;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const CODE: [&str; 3] =
    [include_str!("page/model.js"), include_str!("page/draw.js"), include_str!("page/page.js")];

/// The plain text has this many of the last lines of the transcript.
const LINES: usize = 300;

/// What a page shows.
#[derive(Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) title: String,
    /// The message of the failure; empty if nothing failed.
    pub(crate) message: String,
    pub(crate) place: Option<String>,
    pub(crate) at: Option<Instant>,
    pub(crate) seed: Option<u64>,
    /// The command that replays it.
    pub(crate) replay: Option<String>,
    pub(crate) settings: String,
    pub(crate) choices: Vec<Chosen>,
    pub(crate) risk: Vec<Risk>,
    pub(crate) trace: &'a Trace,
    pub(crate) stories: Vec<Tale<'a>>,
    /// The story that is open at first.
    pub(crate) open: Option<usize>,
    pub(crate) passing: Option<Passing>,
    /// The account as text.
    pub(crate) text: String,
}

/// A choice without which, or with another value, the run may pass.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// Its place in the order of all choices.
    pub(crate) order: u64,
    pub(crate) at: Instant,
    pub(crate) who: String,
    pub(crate) site: String,
    pub(crate) words: String,
    pub(crate) is_decisive: bool,
    /// What comes of the run without it, in words; empty if that is not known.
    pub(crate) without: &'static str,
    pub(crate) entity: u64,
    pub(crate) value: u64,
}

/// How many fresh seeds fail if the run is kept up to a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Risk {
    pub(crate) at: Instant,
    pub(crate) failed: u32,
    pub(crate) of: u32,
}

/// The nearest run that passes.
#[derive(Clone, Debug)]
pub(crate) struct Passing {
    /// The first event that differs, in words: that of the failing run, and that of the passing
    /// one.
    pub(crate) difference: [String; 2],
    /// What the program did in one of the runs only.
    pub(crate) effects: Vec<String>,
    pub(crate) ends: Vec<End>,
}

/// What a service holds at the end of one of the runs only.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) service: String,
    pub(crate) failing: Vec<String>,
    pub(crate) passing: Vec<String>,
}

impl Trace {
    /// Returns the kept events as a page of HTML: lanes for nodes and services, arrows for
    /// messages, faults and notes, with a search. It is one file that needs no network. Save it and
    /// open it in a browser. Keep everything ([`Retention::All`](crate::sim::Retention::All)) for a
    /// complete picture.
    ///
    /// ```
    /// use stunt_double::sim::Sim;
    ///
    /// let mut sim = Sim::new(1);
    /// sim.node("sleeper", async |node| node.note("good morning"));
    /// sim.run().expect_done();
    /// let page = sim.trace().to_html("A quiet night");
    /// assert!(page.contains("<title>A quiet night</title>"));
    /// ```
    #[must_use]
    pub fn to_html(&self, title: &str) -> String {
        Picture::of(title, self).to_html()
    }
}

impl<'a> Picture<'a> {
    /// Returns the picture of a trace of which nothing else is known.
    pub(crate) fn of(title: &str, trace: &'a Trace) -> Picture<'a> {
        Picture {
            title: title.to_owned(),
            message: String::new(),
            place: None,
            at: None,
            seed: None,
            replay: None,
            settings: String::new(),
            choices: Vec::new(),
            risk: Vec::new(),
            trace,
            stories: Vec::new(),
            open: None,
            passing: None,
            text: String::new(),
        }
    }

    /// Returns the page.
    pub(crate) fn to_html(&self) -> String {
        let mut page = String::new();
        // Each part is put in once, so that none is searched for the marks of others.
        let mut pieces = TEMPLATE.split("{{");
        page.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (mark, rest) = piece.split_once("}}").expect("each mark of the template ends");
            match mark {
                "title" => page.push_str(&escaped(&self.title)),
                "style" => page.push_str(STYLE),
                "text" => page.push_str(&escaped(&self.plain_text())),
                "data" => page.push_str(&self.data()),
                "code" => page.push_str(&CODE.concat()),
                other => unreachable!("the template has no mark {other:?}"),
            }
            page.push_str(rest);
        }
        page
    }

    /// Returns what a reader without scripts sees.
    fn plain_text(&self) -> String {
        let mut text = format!("{}\n", self.title);
        let account = if self.text.is_empty() { &self.message } else { &self.text };
        if !account.is_empty() {
            text += &format!("\n{}\n", account.trim_end());
        }
        let transcript = self.trace.transcript();
        let count = transcript.lines().count();
        let left_out = count.saturating_sub(LINES);
        text += match left_out {
            0 => "\nWhat happened:\n".to_owned(),
            n => format!("\nWhat happened, without the first {n} lines:\n"),
        }
        .as_str();
        for line in transcript.lines().skip(left_out) {
            text.push_str(line);
            text.push('\n');
        }
        for lost in self.trace.lost().iter().rev().take(LINES).rev() {
            text += &format!("{lost}\n");
        }
        text
    }

    fn data(&self) -> String {
        let mut json = Json::default();
        let lanes = Lanes::of(self.trace);
        json.object(|json| {
            json.key("title").text(&self.title);
            json.key("message").text(&self.message);
            json.key("replay").text(self.replay.as_deref().unwrap_or_default());
            json.key("settings").text(&self.settings);
            json.key("facts").array(|json| self.put_facts(json));
            json.key("choices").array(|json| self.choices.iter().for_each(|c| c.put(json)));
            json.key("risk").array(|json| {
                for risk in &self.risk {
                    json.array(|json| {
                        json.number(risk.at.as_nanos());
                        json.number(risk.failed);
                        json.number(risk.of);
                    });
                }
            });
            rows::put(json, self, &lanes);
            json.key("stories").array(|json| self.stories.iter().for_each(|s| put_tale(s, json)));
            match self.open {
                Some(story) => json.key("open").number(story as u64),
                None => json.key("open").null(),
            }
            json.key("passing");
            match &self.passing {
                Some(passing) => passing.put(json),
                None => json.null(),
            }
        });
        json.into_text()
    }

    fn put_facts(&self, json: &mut Json) {
        let facts = [
            ("place", self.place.clone()),
            ("the world's time", self.at.map(|at| at.to_string())),
            ("seed", self.seed.map(|seed| seed.to_string())),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                put_texts(json, &[name, &value]);
            }
        }
    }
}

impl Chosen {
    /// Returns whether this event of a trace is that choice.
    fn is(&self, event: &Event) -> bool {
        match &event.kind {
            EventKind::Choice { site, entity, value, .. } => {
                event.at == self.at
                    && site.name() == self.site
                    && (*entity, *value) == (self.entity, self.value)
            }
            _ => false,
        }
    }

    fn put(&self, json: &mut Json) {
        json.object(|json| {
            json.key("order").number(self.order);
            json.key("at").number(self.at.as_nanos());
            json.key("who").text(&self.who);
            json.key("site").text(&self.site);
            json.key("words").text(&self.words);
            json.key("decisive").bool(self.is_decisive);
            json.key("without").text(self.without);
        });
    }
}

fn put_tale(tale: &Tale<'_>, json: &mut Json) {
    json.object(|json| {
        json.key("subject").text(tale.subject);
        json.key("kind").text(tale.kind);
        put_steps(json.key("steps"), tale.here);
        // Of the passing run, only what is not the same.
        let apart = tale.apart.unwrap_or_default();
        json.key("same").bool(tale.there.is_some() && tale.apart.is_none());
        json.key("apart").number(apart as u64);
        match tale.there.filter(|_| tale.apart.is_some()) {
            Some(steps) => put_steps(json.key("there"), &steps[apart..]),
            None => json.key("there").null(),
        }
    });
}

fn put_steps(json: &mut Json, steps: &[Step]) {
    json.array(|json| {
        for step in steps {
            json.array(|json| {
                json.number(step.at.as_nanos());
                json.text(&step.who);
                json.text(&step.text);
            });
        }
    });
}

impl Passing {
    fn put(&self, json: &mut Json) {
        json.object(|json| {
            put_texts(json.key("difference"), &self.difference);
            put_texts(json.key("effects"), &self.effects);
            json.key("ends").array(|json| {
                for end in &self.ends {
                    json.object(|json| {
                        json.key("service").text(&end.service);
                        put_texts(json.key("failing"), &end.failing);
                        put_texts(json.key("passing"), &end.passing);
                    });
                }
            });
        });
    }
}

fn put_texts(json: &mut Json, texts: &[impl AsRef<str>]) {
    json.array(|json| texts.iter().for_each(|text| json.text(text.as_ref())));
}

/// Returns a text as HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
