//! A service small enough to read at a glance, and shorthands.
//!
//! The [`Counter`] adds up what clients send. It keeps the sum in memory until it is told to save.
//! A clean stop saves; any other stop loses the unsaved rest. It logs everything that reaches it,
//! with the time.

use std::collections::VecDeque;
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::choice::Stream;
use stunt_double::sim::service::{Connection, Keepalive, Service, Session, Wait, Waiter, Wakes};
use stunt_double::sim::trace::EventKind;
use stunt_double::sim::{Disconnected, Node, ServiceHandle, Sim};
use stunt_double::{Instant, Site};

/// The site of the counter's own choices.
pub(crate) const COUNTER: Site = Site::new("test.counter");

/// A client's request.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// Adds, and answers with the new total.
    Add(u64),
    /// Adds without an answer.
    AddQuietly(u64),
    /// Keeps the total even if the process dies.
    Save,
    /// Answers with a number below this one, of the counter's own choosing.
    Toss(u64),
    /// Answers [`Tell::Rang`] after this time.
    Ring(Duration),
    /// Panics.
    Panic,
}

/// A message of the counter to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    Total(u64),
    Saved,
    Tossed(u64),
    Rang,
    /// It is about to stop in good order.
    Goodbye,
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) total: u64,
    saved: u64,
    /// Whether its timer and its end make it panic.
    pub(crate) broken: bool,
    /// The keepalive of its operating system.
    pub(crate) keepalive: Option<Keepalive>,
    /// The events that reached it: `0.5s 0 Add(1)`.
    pub(crate) log: Vec<String>,
    clients: Vec<u64>,
    bells: Vec<(Instant, u64)>,
    outputs: VecDeque<(u64, Tell)>,
    stream: Stream,
}

impl Counter {
    fn new(stream: Stream) -> Counter {
        Counter {
            total: 0,
            saved: 0,
            broken: false,
            keepalive: None,
            log: Vec::new(),
            clients: Vec::new(),
            bells: Vec::new(),
            outputs: VecDeque::new(),
            stream,
        }
    }

    fn log(&mut self, now: Instant, connection: u64, what: &str) {
        self.log.push(format!("{now} {connection} {what}"));
    }
}

impl Service for Counter {
    type Input = Ask;
    type Output = Tell;
    type Session = Inbox;

    fn connected(&mut self, now: Instant, connection: u64, client: &str) {
        self.clients.push(connection);
        self.log(now, connection, &format!("connected {client}"));
    }

    fn handle_input(&mut self, now: Instant, connection: u64, input: Ask) {
        self.log(now, connection, &format!("{input:?}"));
        let tell = match input {
            Ask::Add(n) => {
                self.total += n;
                Tell::Total(self.total)
            }
            Ask::AddQuietly(n) => {
                self.total += n;
                return;
            }
            Ask::Save => {
                self.saved = self.total;
                Tell::Saved
            }
            Ask::Toss(n) => Tell::Tossed(self.stream.choose(n)),
            Ask::Ring(delay) => {
                self.bells.push((now + delay, connection));
                return;
            }
            Ask::Panic => panic!("the counter lost count at {}", self.total),
        };
        self.outputs.push_back((connection, tell));
    }

    fn disconnected(&mut self, now: Instant, connection: u64) {
        self.clients.retain(|c| *c != connection);
        self.log(now, connection, "disconnected");
        // The machine is careless: a message to a client that has gone must not matter.
        self.outputs.push_back((connection, Tell::Goodbye));
    }

    fn poll_output(&mut self) -> Option<(u64, Tell)> {
        self.outputs.pop_front()
    }

    fn keepalive(&self) -> Option<Keepalive> {
        self.keepalive
    }

    fn clock_set(&mut self, now: Instant, ahead: i64) {
        self.log.push(format!("{now} clock set by {ahead} ns"));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.bells.iter().map(|(at, _)| *at).min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        assert!(!self.broken, "the counter cannot ring");
        self.log.push(format!("{now} timeout"));
        let due = self.bells.extract_if(.., |(at, _)| *at <= now);
        self.outputs.extend(due.map(|(_, connection)| (connection, Tell::Rang)));
    }

    fn stop(&mut self, now: Instant, how: Shutdown) {
        assert!(!self.broken, "the counter cannot stop");
        self.log.push(format!("{now} stop {how:?}"));
        if how == Shutdown::Clean {
            self.saved = self.total;
            self.outputs.extend(self.clients.iter().map(|c| (*c, Tell::Goodbye)));
        }
        self.total = self.saved;
        self.clients.clear();
    }

    fn start(&mut self, now: Instant) {
        self.log.push(format!("{now} start"));
    }

    fn wipe(&mut self, now: Instant) {
        self.log.push(format!("{now} wipe"));
        (self.total, self.saved) = (0, 0);
    }

    fn describe_input(input: &Ask) -> String {
        format!("{input:?}")
    }

    fn describe_output(output: &Tell) -> String {
        format!("{output:?}")
    }

    fn fingerprint_input(input: &Ask) -> u64 {
        match input {
            Ask::Add(n) => 8 * n,
            Ask::AddQuietly(n) => 8 * n + 1,
            Ask::Save => 2,
            Ask::Toss(n) => 8 * n + 3,
            Ask::Ring(delay) => 8 * (delay.as_nanos() as u64) + 4,
            Ask::Panic => 5,
        }
    }

    fn fingerprint_output(output: &Tell) -> u64 {
        match output {
            Tell::Total(n) => 8 * n,
            Tell::Saved => 1,
            Tell::Tossed(n) => 8 * n + 2,
            Tell::Rang => 3,
            Tell::Goodbye => 4,
        }
    }
}

/// The client's side: messages that have arrived and were not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    told: VecDeque<Tell>,
    waiter: Waiter,
    ended: bool,
}

impl Session<Ask, Tell> for Inbox {
    fn deliver(&mut self, _now: Instant, output: Tell, wakes: &mut Wakes<'_>) {
        assert!(!self.ended, "nothing is delivered on a connection that has ended");
        self.told.push_back(output);
        wakes.wake(&mut self.waiter);
    }

    fn disconnected(&mut self, wakes: &mut Wakes<'_>) {
        self.ended = true;
        wakes.wake(&mut self.waiter);
    }
}

/// A connection to the counter.
#[derive(Debug)]
pub(crate) struct Client(pub(crate) Connection<Counter>);

impl Client {
    pub(crate) async fn open(
        node: &Node,
        counter: &ServiceHandle<Counter>,
    ) -> Result<Client, Disconnected> {
        Connection::connect(node, counter).await.map(Client)
    }

    /// Sends without waiting for an answer.
    pub(crate) fn send(&self, ask: Ask) -> Result<(), Disconnected> {
        self.0.send_with(|_| Ok((Some(ask), ())))
    }

    /// Returns the next message of the counter.
    pub(crate) async fn next(&self) -> Result<Tell, Disconnected> {
        std::future::poll_fn(|cx| {
            self.0.poll_session(
                cx,
                || Wait::Static("the counter's answer"),
                |inbox| match inbox.told.pop_front() {
                    Some(tell) => Ok(tell),
                    None => Err(&mut inbox.waiter),
                },
            )
        })
        .await
    }

    pub(crate) async fn ask(&self, ask: Ask) -> Result<Tell, Disconnected> {
        self.send(ask)?;
        self.next().await
    }
}

/// Adds a counter to the world.
pub(crate) fn counter(sim: &mut Sim) -> ServiceHandle<Counter> {
    sim.service("counter", COUNTER, Counter::new)
}

/// Returns the events that have reached the counter.
pub(crate) fn log(counter: &ServiceHandle<Counter>) -> Vec<String> {
    counter.inspect(|machine| machine.log.clone())
}

/// Returns the notes of the trace: `0.5s worker done`.
pub(crate) fn notes(sim: &Sim) -> Vec<String> {
    let trace = sim.trace();
    trace
        .note_events()
        .filter_map(|event| match &event.kind {
            EventKind::Note(text) => Some(format!("{} {} {text}", event.at, event.who)),
            _ => None,
        })
        .collect()
}

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Returns the moment `n` milliseconds after the beginning.
pub(crate) fn at_ms(n: u64) -> Instant {
    Instant::ZERO + ms(n)
}
