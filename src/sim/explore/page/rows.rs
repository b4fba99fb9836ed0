//! The rows of a page: the events of a trace, with its choices and its lost messages, as numbers.
//!
//! All rows are one flat array of numbers, which is small and is read fast. A row is its class, its
//! lane, the nanoseconds since the row before, and its text, which is a number of the array of
//! texts. A message adds its sender's lane and label, its connection, and how long it took. Polls
//! and the trace's own choices are left out, as in a transcript.

use super::Picture;
use crate::json::Json;
use crate::sim::trace::lanes::{Class, Lanes};
use crate::sim::trace::{Event, EventKind, Lost};
use crate::sort::sort_by_key;
use crate::time::Instant;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

/// The classes that only a page has. The others are those of [`Class`].
const LOST: u8 = 8;
const IN_FLIGHT: u8 = 9;

/// Something that has a row.
enum Row<'a> {
    Event(&'a Event),
    Lost(&'a Lost),
    /// A choice, by its number in the picture.
    Choice(usize),
    /// The failure, which is the last row.
    Failure,
}

/// Writes the lanes, the texts and the rows.
pub(super) fn put(json: &mut Json, picture: &Picture<'_>, lanes: &Lanes<'_>) {
    let services = lanes.services(picture.trace.events());
    json.key("lanes").array(|json| {
        for (number, name) in lanes.names().iter().enumerate() {
            json.array(|json| {
                json.text(name);
                json.number(u8::from(services.contains(&number)));
            });
        }
    });
    let mut texts = IndexSet::default();
    json.key("events").array(|json| {
        let mut before = 0;
        for (at, row) in rows(picture) {
            let since = at.as_nanos().saturating_sub(before);
            before = before.max(at.as_nanos());
            put_row(json, (picture, lanes), &mut texts, (since, at, row));
        }
    });
    json.key("texts").array(|json| texts.iter().for_each(|text: &String| json.text(text)));
}

/// Returns the rows in the order of the page.
fn rows<'a>(picture: &'a Picture<'_>) -> Vec<(Instant, Row<'a>)> {
    let mut rows: Vec<(Instant, Row<'_>)> = Vec::new();
    let mut left: Vec<usize> = (0..picture.choices.len()).collect();
    left.sort_by_key(|number| picture.choices[*number].order);
    for event in picture.trace.events() {
        // The trace knows between which events a choice was made, if it kept that.
        let made = left.iter().position(|n| picture.choices[*n].is(event));
        if let Some(number) = made.map(|place| left.remove(place)) {
            rows.push((event.at, Row::Choice(number)));
        }
        if event.kind.is_shown() {
            rows.push((event.at, Row::Event(event)));
        }
    }
    // Otherwise it comes before what else happens at that time.
    for number in left.into_iter().rev() {
        let at = picture.choices[number].at;
        let place = rows.partition_point(|(other, _)| *other < at);
        rows.insert(place, (at, Row::Choice(number)));
    }
    let end = rows.iter().map(|(at, _)| *at).max().unwrap_or(Instant::ZERO);
    let end = end.max(picture.at.unwrap_or(end));
    for lost in picture.trace.lost() {
        rows.push((lost.lost.unwrap_or(end), Row::Lost(lost)));
    }
    sort_by_key(&mut rows, |(at, _)| *at);
    if !picture.message.is_empty() {
        rows.push((end, Row::Failure));
    }
    rows
}

fn put_row(
    json: &mut Json,
    (picture, lanes): (&Picture<'_>, &Lanes<'_>),
    texts: &mut IndexSet<String, FxBuildHasher>,
    (since, at, row): (u64, Instant, Row<'_>),
) {
    let mut text = |text: &str| texts.insert_full(text.to_owned()).0 as u64;
    let mut put = |class: u8, lane: usize, text: u64, more: &[u64]| {
        for number in [u64::from(class), lane as u64, since, text].iter().chain(more) {
            json.number(*number);
        }
    };
    match row {
        Row::Event(Event { who, kind, .. }) => match kind {
            EventKind::Request { from, text: words, connection, sent }
            | EventKind::Response { from, text: words, connection, sent } => {
                let took = at.as_nanos().saturating_sub(sent.as_nanos());
                let words = text(words);
                let more = [lanes.find(from) as u64, text(from), u64::from(*connection), took];
                put(Class::Message as u8, lanes.find(who), words, &more);
            }
            other => {
                put(Class::of(other) as u8, lanes.find(who), text(&other.to_string()), &[]);
            }
        },
        Row::Lost(Lost { sent, from, to, connection, text: words, lost }) => {
            let took = at.as_nanos().saturating_sub(sent.as_nanos());
            let class = if lost.is_some() { LOST } else { IN_FLIGHT };
            let words = text(words);
            let more = [lanes.find(from) as u64, text(from), u64::from(*connection), took];
            put(class, lanes.find(to), words, &more);
        }
        Row::Choice(number) => {
            let choice = &picture.choices[number];
            let lane = lanes.find(&choice.who);
            put(Class::Choice as u8, lane, text(&choice.words), &[number as u64]);
        }
        Row::Failure => put(Class::Failure as u8, 0, text(&picture.message), &[]),
    }
}
