//! A trace as trace-event JSON, which Perfetto and Chrome's own viewer open.
//!
//! Each node and each service is a process with four threads: its events, its messages, its polls
//! and its choices. A message is an asynchronous span on its sender, from the moment when it was
//! sent to that of its arrival, and an arrow to its receiver. Times are virtual. A poll takes no
//! virtual time, so it is a slice without a length.

use super::lanes::{Class, Lanes};
use super::{EventKind, Trace};
use crate::json::Json;
use crate::time::Instant;

/// The threads of a process.
const EVENTS: usize = 1;
const MESSAGES: usize = 2;
const POLLS: usize = 3;
const CHOICES: usize = 4;

impl Trace {
    /// Returns the kept events as trace-event JSON. Save it as a file and open it at
    /// <https://ui.perfetto.dev>, which runs in the browser and sends the file nowhere, or in
    /// `chrome://tracing`.
    ///
    /// A process is a node or a service. Faults, notes and other events are instants, messages are
    /// spans and arrows from their sender to their receiver, and polls are slices without a length.
    /// Everything is at its virtual time. Under [`Retention::All`](crate::sim::Retention::All) all
    /// events are there, with messages that never arrived; otherwise only those that are kept.
    ///
    /// ```
    /// use stunt_double::sim::Sim;
    ///
    /// let mut sim = Sim::new(1);
    /// sim.node("sleeper", async |node| node.note("good morning"));
    /// sim.run().expect_done();
    /// let json = sim.trace().to_perfetto();
    /// assert!(json.contains(r#""name":"good morning","cat":"note","ph":"i""#));
    /// ```
    #[must_use]
    pub fn to_perfetto(&self) -> String {
        let lanes = Lanes::of(self);
        let mut json = Json::default();
        json.object(|json| {
            json.key("displayTimeUnit").text("ns");
            json.key("traceEvents").array(|json| {
                name_processes(json, &lanes);
                let messages = self.put_events(json, &lanes);
                self.put_lost(json, &lanes, messages);
            });
        });
        json.into_text()
    }

    /// Writes the events, and returns the number of messages among them.
    fn put_events(&self, json: &mut Json, lanes: &Lanes<'_>) -> u64 {
        let mut messages = 0;
        for event in self.events() {
            let (lane, class) = (lanes.find(&event.who), Class::of(&event.kind));
            let text = event.kind.to_string();
            match &event.kind {
                EventKind::Request { from, text, connection, sent }
                | EventKind::Response { from, text, connection, sent } => {
                    messages += 1;
                    let ends = (lanes.find(from), Some(lane));
                    let times = (*sent, Some(event.at));
                    put_message(json, messages, ends, times, (text, *connection));
                }
                EventKind::Ran { .. } => put(json, (&text, class, "X"), (lane, POLLS), event.at),
                EventKind::Choice { .. } => {
                    put(json, (&text, class, "i"), (lane, CHOICES), event.at);
                }
                _ => put(json, (&text, class, "i"), (lane, EVENTS), event.at),
            }
        }
        messages
    }

    fn put_lost(&self, json: &mut Json, lanes: &Lanes<'_>, messages: u64) {
        for (number, lost) in (messages + 1..).zip(self.lost()) {
            let ends = (lanes.find(&lost.from), None);
            let text = format!("{} (never arrived)", lost.text);
            put_message(json, number, ends, (lost.sent, lost.lost), (&text, lost.connection));
        }
    }
}

/// A viewer takes process 0 for the idle one.
fn process(lane: usize) -> u64 {
    lane as u64 + 1
}

/// The number of a thread is unique among all processes, and is not that of its process.
fn thread(lane: usize, thread: usize) -> u64 {
    process(lane) * 10 + thread as u64
}

fn name_processes(json: &mut Json, lanes: &Lanes<'_>) {
    let mut name = |what: &str, lane: usize, thread: u64, name: &str| {
        json.object(|json| {
            json.key("name").text(what);
            json.key("ph").text("M");
            json.key("pid").number(process(lane));
            json.key("tid").number(thread);
            json.key("args").object(|json| json.key("name").text(name));
        });
    };
    for (lane, process) in lanes.names().iter().enumerate() {
        name("process_name", lane, thread(lane, EVENTS), process);
        for (number, title) in
            [(EVENTS, "events"), (MESSAGES, "messages"), (POLLS, "polls"), (CHOICES, "choices")]
        {
            name("thread_name", lane, thread(lane, number), title);
        }
    }
}

/// Writes the members that every event has.
fn put_head(
    json: &mut Json,
    (name, class, phase): (&str, Class, &str),
    (lane, number): (usize, usize),
    at: Instant,
) {
    json.key("name").text(name);
    json.key("cat").text(class.name());
    json.key("ph").text(phase);
    json.key("pid").number(process(lane));
    json.key("tid").number(thread(lane, number));
    // The format's unit is the microsecond.
    json.key("ts").thousandths(at.as_nanos());
}

/// Writes an instant (`i`) or a slice without a length (`X`).
fn put(json: &mut Json, what: (&str, Class, &str), place: (usize, usize), at: Instant) {
    json.object(|json| {
        put_head(json, what, place, at);
        match what {
            (_, _, "X") => json.key("dur").number(0),
            // A fault concerns the whole process.
            (_, Class::Fault | Class::Failure, _) => json.key("s").text("p"),
            _ => json.key("s").text("t"),
        }
    });
}

/// Writes a message: its span, a slice at each end, and an arrow between them. Without a receiver
/// it did not arrive.
fn put_message(
    json: &mut Json,
    number: u64,
    (from, to): (usize, Option<usize>),
    (sent, at): (Instant, Option<Instant>),
    (text, connection): (&str, u32),
) {
    let class = Class::Message;
    for (phase, at) in [("b", Some(sent)), ("e", at)] {
        let Some(at) = at else { continue };
        json.object(|json| {
            put_head(json, (text, class, phase), (from, MESSAGES), at);
            json.key("id").number(number);
            json.key("args").object(|json| json.key("connection").number(connection));
        });
    }
    let (Some(to), Some(at)) = (to, at) else { return };
    for (phase, lane, at) in [("s", from, sent), ("f", to, at)] {
        // An arrow begins and ends at a slice.
        put(json, (text, class, "X"), (lane, MESSAGES), at);
        json.object(|json| {
            put_head(json, ("message", class, phase), (lane, MESSAGES), at);
            json.key("id").number(number);
            if phase == "f" {
                json.key("bp").text("e");
            }
        });
    }
}
