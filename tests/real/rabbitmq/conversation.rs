//! A random conversation. Steps are drawn, and become lines when the answers before them are known,
//! because a client settles what it was delivered and uses channels that are open.

use super::themes::{THEMES, Theme, pool};
use crate::played::ours::Ours;
use crate::played::scenario::play;
use proptest::prelude::*;
use std::collections::BTreeMap;
use stunt_double::rabbitmq::Version;

const CONNECTIONS: [&str; 2] = ["a", "b"];

#[derive(Clone, Debug)]
pub(super) struct Step {
    connection: usize,
    channel: u16,
    template: &'static str,
    picks: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct Case {
    theme: &'static Theme,
    arguments: [&'static str; 2],
    pub(super) steps: Vec<Step>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.theme.name)
    }
}

/// Conversations of any theme, or of the theme with this name.
pub(super) fn conversations(only: Option<&str>) -> BoxedStrategy<Case> {
    let is_meant = |theme: &&Theme| only.is_none_or(|only| only == theme.name);
    let themes = THEMES.iter().filter(is_meant);
    let themes: Vec<_> = themes.map(|theme| (theme.weight, of_theme(theme))).collect();
    assert!(!themes.is_empty(), "no theme is called {only:?}");
    proptest::strategy::Union::new_weighted(themes).boxed()
}

fn of_theme(theme: &'static Theme) -> BoxedStrategy<Case> {
    let picks = proptest::collection::vec(any::<u8>(), 10);
    let template = theme.steps.iter().flat_map(|(times, step)| std::iter::repeat_n(*step, *times));
    let template = proptest::sample::select(template.collect::<Vec<_>>());
    let step = (0..CONNECTIONS.len(), 1..=2_u16, template, picks);
    let step = step.prop_map(|(connection, channel, template, picks)| {
        let (channel, template) = match template.split_once(' ') {
            Some(("1", template)) => (1, template),
            Some(("2", template)) => (2, template),
            _ => (channel, template),
        };
        Step { connection, channel, template, picks }
    });
    let [first, second] = theme.arguments.map(proptest::sample::select);
    (first, second, proptest::collection::vec(step, 1..70))
        .prop_map(move |(first, second, steps)| Case { theme, arguments: [first, second], steps })
        .boxed()
}

impl Case {
    /// The objects that exist at the beginning.
    fn beginning(&self) -> String {
        let mut beginning = "= connect a\n= connect b\n> a.1 channel.open\n".to_owned();
        for line in self.theme.beginning {
            let line = line.replace("{1}", self.arguments[0]).replace("{2}", self.arguments[1]);
            beginning += &format!("> a.1 {line}\n");
        }
        beginning
    }

    /// All steps as a scenario, with the answers of our broker of this version.
    pub(super) fn scenario(&self, version: Version) -> Result<String, String> {
        let mut scenario = self.beginning();
        let answered = |scenario: &str| play(scenario, &mut Ours::new(version));
        let mut played = answered(&scenario)?;
        let mut known = Known::from(&played);
        for (number, step) in self.steps.iter().enumerate() {
            for part in step.template.split(" ; ") {
                let line = Line { step, number, nonsense: self.theme.nonsense, known: &known };
                let lines = line.written(part);
                let longer = scenario.clone() + &lines;
                let answers = answered(&longer).map_err(|why| format!("{why}\n{longer}"))?;
                let after = Known::from(&answers);
                if !after.touches_a_demoted_consumer(&known, &lines, version) {
                    (scenario, played, known) = (longer, answers, after);
                }
            }
        }
        Ok(played)
    }
}

/// A client's knowledge of its channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unused,
    Open,
    /// The server has closed it.
    Failed,
}

/// The clients' knowledge from everything that was sent.
#[derive(Debug, Default)]
struct Known {
    channels: BTreeMap<String, State>,
    /// Deliveries that may be unsettled: their tags, and their consumers, if they were not fetched.
    unsettled: BTreeMap<String, Vec<(u64, Option<String>)>>,
    consumers: BTreeMap<String, Vec<String>>,
    transactional: BTreeMap<String, bool>,
    broken: BTreeMap<String, bool>,
    /// Whether a quorum queue may have demoted its single active consumer for one of a higher
    /// priority.
    demotes: bool,
}

impl Known {
    fn from(played: &str) -> Known {
        let has_single_active = ["x-queue-type:S=quorum", "x-single-active-consumer:t=true"];
        let demotes = has_single_active.iter().all(|argument| played.contains(argument))
            && played.contains("x-priority:I=");
        let mut known = Known { demotes, ..Known::default() };
        for line in played.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [sign, who, what, ..] = words[..] else { continue };
            match (sign, who, what) {
                ("=", "connect", name) => known.connected(name),
                ("<", who, "connection.close") => {
                    known.broken.insert(who.trim_end_matches(".0").to_owned(), true);
                }
                ("<", _, "channel.open-ok") => {
                    known.forget(|channel| channel == who);
                    known.channels.insert(who.to_owned(), State::Open);
                }
                ("<", _, "tx.select-ok") => {
                    known.transactional.insert(who.to_owned(), true);
                }
                ("<", _, "channel.close") => {
                    known.channels.insert(who.to_owned(), State::Failed);
                }
                ("<", _, "channel.close-ok") => known.forget(|channel| channel == who),
                ("<", _, "basic.consume-ok") => {
                    known.consumers.entry(who.to_owned()).or_default().extend(consumer(&words));
                }
                ("<", _, "basic.cancel") | (">", _, "basic.cancel") => {
                    let (gone, of) = (consumer(&words), known.consumers.entry(who.to_owned()));
                    of.or_default().retain(|known| Some(known) != gone.as_ref());
                }
                ("<", _, "basic.deliver" | "basic.get-ok") => {
                    let delivery = tag(&words).map(|tag| (tag, consumer(&words)));
                    known.unsettled.entry(who.to_owned()).or_default().extend(delivery);
                }
                (">", _, "basic.ack" | "basic.nack" | "basic.reject") => {
                    let all = words.contains(&"multiple=true");
                    let (tag, of) = (tag(&words), known.unsettled.entry(who.to_owned()));
                    of.or_default()
                        .retain(|(known, _)| Some(*known) != tag && !(all && Some(*known) <= tag));
                }
                _ => {}
            }
        }
        known
    }

    fn connected(&mut self, name: &str) {
        self.broken.insert(name.to_owned(), false);
        self.forget(|channel| channel.starts_with(&format!("{name}.")));
    }

    /// Forgets channels that are gone.
    fn forget(&mut self, is_gone: impl Fn(&str) -> bool) {
        self.channels.retain(|channel, _| !is_gone(channel));
        self.unsettled.retain(|channel, _| !is_gone(channel));
        self.consumers.retain(|channel, _| !is_gone(channel));
        self.transactional.retain(|channel, _| !is_gone(channel));
    }

    fn unsettled(&self, channel: Option<&str>) -> &[(u64, Option<String>)] {
        let unsettled = channel.and_then(|channel| self.unsettled.get(channel));
        unsettled.map_or(&[], Vec::as_slice)
    }

    /// Returns whether, in these lines, a channel that may have such a consumer has done what the
    /// server of this version cannot take: has requeued a delivery before 4.3, or has failed since.
    fn touches_a_demoted_consumer(&self, before: &Known, lines: &str, version: Version) -> bool {
        let has_failed = |channel: &str| {
            self.state(channel) == State::Failed && before.state(channel) == State::Open
        };
        let requeues = |channel: &str| {
            let begin = format!("> {channel} basic.");
            lines.lines().any(|line| line.starts_with(&begin) && line.contains("requeue=true"))
        };
        let mut consumers = before.consumers.iter().filter(|(_, tags)| !tags.is_empty());
        self.demotes
            && consumers.any(|(channel, _)| match version {
                // It demotes no consumer.
                Version::V3_10 => false,
                Version::V4_0 => requeues(channel),
                _ => has_failed(channel),
            })
    }

    fn state(&self, channel: &str) -> State {
        self.channels.get(channel).copied().unwrap_or_default()
    }
}

fn tag(words: &[&str]) -> Option<u64> {
    words.iter().find_map(|word| word.strip_prefix("delivery-tag=")?.parse().ok())
}

fn consumer(words: &[&str]) -> Option<String> {
    words.iter().find_map(|word| word.strip_prefix("consumer-tag=")).map(str::to_owned)
}

/// A step that is turned into lines.
struct Line<'a> {
    step: &'a Step,
    number: usize,
    nonsense: bool,
    known: &'a Known,
}

impl Line<'_> {
    /// Writes one part of the step, or nothing if it makes no sense in this state.
    fn written(&self, part: &'static str) -> String {
        let Line { step, known, .. } = self;
        let connection = CONNECTIONS[step.connection];
        let channel = format!("{connection}.{}", step.channel);
        let mut lines = String::new();
        let mut state = known.state(&channel);
        if known.broken.get(connection) == Some(&true) {
            lines += &format!("> {connection}.0 connection.close-ok\n= connect {connection}\n");
            state = State::Unused;
        }
        let template = match part {
            "lose" => return self.lose(lines, &channel, state),
            "select" if step.channel == 1 => "confirm.select",
            "select" => "tx.select",
            part => part,
        };
        let mut picks = Picks(step.picks.iter());
        // Sometimes a line that makes no sense is sent nevertheless.
        let sensible = picks.of(24) > 0 || !self.nonsense;
        let transactional = state == State::Open && known.transactional.contains_key(&channel);
        if ["tx.commit", "tx.rollback"].contains(&template) && sensible && !transactional {
            return lines;
        }
        if state == State::Failed {
            lines += &format!("> {channel} channel.close-ok\n");
        }
        let mut line = format!("> {channel} ");
        let known_channel = (state == State::Open).then_some(channel.as_str());
        if self.fill(template, known_channel, &mut picks, sensible, &mut line).is_none() {
            return lines;
        }
        if state != State::Open {
            lines += &format!("> {channel} channel.open\n");
        }
        lines + &line + "\n"
    }

    /// Loses a connection if it has one channel; otherwise closes one channel, because two would
    /// race to return deliveries.
    fn lose(&self, lines: String, channel: &str, state: State) -> String {
        let connection = CONNECTIONS[self.step.connection];
        let used = |channel: u16| {
            let state = self.known.state(&format!("{connection}.{channel}"));
            state != State::Unused && lines.is_empty()
        };
        match (used(1), used(2)) {
            (true, true) if state == State::Open => format!("> {channel} channel.close\n"),
            (true, true) => lines,
            _ => lines + &format!("= lose {connection}\n= connect {connection}\n"),
        }
    }

    /// Replaces each word in braces; `None` if there is nothing to insert.
    fn fill(
        &self,
        mut template: &str,
        channel: Option<&str>,
        picks: &mut Picks<'_>,
        sensible: bool,
        line: &mut String,
    ) -> Option<()> {
        while let Some((before, rest)) = template.split_once('{') {
            *line += before;
            let (name, rest) = rest.split_once('}').expect("a brace is closed");
            template = rest;
            match name {
                "body" => {
                    *line += &self.number.to_string();
                    *line += ["", "", "", "-1234567"][picks.of(4)];
                }
                "own" => *line += if self.step.channel == 1 { "q1" } else { "q2" },
                "tag" => {
                    let unsettled = self.known.unsettled(channel);
                    let number = match unsettled.get(picks.of(unsettled.len())) {
                        Some((tag, _)) if sensible => *tag,
                        None if sensible => return None,
                        _ => [0, 1, 99][picks.of(3)],
                    };
                    *line += &number.to_string();
                }
                "mine" | "consumer" | "settled consumer" => {
                    *line += self.consumer(name, channel, picks, sensible)?;
                }
                name => match (name.strip_prefix("rarely "), pool(name)) {
                    (Some(bit), _) if picks.of(5) == 0 => *line += &format!(" {bit}=true"),
                    (Some(_), _) => {}
                    (_, Some(pool)) => *line += pool[picks.of(pool.len())],
                    // The braces of a table.
                    _ => *line += &format!("{{{name}}}"),
                },
            }
        }
        *line += template;
        Some(())
    }

    /// The tag of a consumer of the channel, or one that is unused there and has left nothing
    /// unsettled.
    fn consumer(
        &self,
        name: &str,
        channel: Option<&str>,
        picks: &mut Picks<'_>,
        sensible: bool,
    ) -> Option<&str> {
        let pool = pool("consumer").expect("there is one");
        if !sensible {
            return Some(pool[picks.of(pool.len())]);
        }
        let mine = channel.and_then(|channel| self.known.consumers.get(channel));
        let mine = mine.map_or(&[][..], Vec::as_slice);
        if name == "mine" {
            return mine.get(picks.of(mine.len())).map(String::as_str);
        }
        let is_free = |tag: &&str| {
            let has_left = |(_, of): &(u64, Option<String>)| of.as_deref() == Some(*tag);
            !mine.iter().any(|known| known == tag)
                && (name == "consumer" || !self.known.unsettled(channel).iter().any(has_left))
        };
        let free: Vec<&str> = pool.iter().copied().filter(is_free).collect();
        free.get(picks.of(free.len())).copied()
    }
}

/// The numbers drawn for a step, one for each choice.
struct Picks<'a>(std::slice::Iter<'a, u8>);

impl Picks<'_> {
    fn of(&mut self, from: usize) -> usize {
        self.0.next().map_or(0, |pick| usize::from(*pick)) % from.max(1)
    }
}
