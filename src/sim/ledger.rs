//! A ledger: what was sent, confirmed and processed, kept apart from the world.
//!
//! The code under test reports to it, as an auditor's book. It is a test's own, so it survives
//! kills and losses of power, and what a dead process's destructors report does not count. From it
//! follows whether every confirmed message was processed, how often, and in which order per key.

use super::node::Node;
use crate::time::Instant;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many discrepancies an error shows.
const SHOWN: usize = 10;

/// The history of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// When it was first sent, if that was reported.
    pub sent: Option<Instant>,
    /// When it was first confirmed to its sender.
    pub confirmed: Option<Instant>,
    /// Each time that it was processed, with the node that did.
    pub processed: Vec<(Instant, Arc<str>)>,
    /// The number of the first report that it was sent, or else confirmed, and that it was
    /// processed. Within an instant only these numbers know the order.
    first: [Option<u64>; 3],
}

impl History {
    fn number(&self, kind: Kind) -> Option<u64> {
        self.first[kind as usize]
    }
}

/// A promise that a ledger can be held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Promise {
    /// Every confirmed message was processed.
    AtLeastOnce,
    /// No message was processed twice.
    AtMostOnce,
    /// Both.
    ExactlyOnce,
    /// The messages of a key were first processed in the order in which they were sent. Those that
    /// were not processed do not count.
    InOrder,
}

/// A breach of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// A message was confirmed, and never processed.
    Missing {
        /// Its key.
        key: String,
        /// Its name.
        message: String,
        /// When it was confirmed.
        confirmed: Instant,
    },
    /// A message was processed more than once.
    Repeated {
        /// Its key.
        key: String,
        /// Its name.
        message: String,
        /// Each time that it was processed, with the node that did.
        processed: Vec<(Instant, Arc<str>)>,
    },
    /// A message was processed before one that was sent earlier.
    OutOfOrder {
        /// Their key.
        key: String,
        /// The message that was processed first.
        message: String,
        /// The one that was sent earlier.
        before: String,
        /// When the first was processed.
        at: Instant,
    },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Breach::Missing { key, message, confirmed } => {
                let of = of(key);
                write!(f, "{message}{of} was confirmed at {confirmed} and never processed")
            }
            Breach::Repeated { key, message, processed } => {
                write!(f, "{message}{} was processed {} times:", of(key), processed.len())?;
                processed.iter().try_for_each(|(at, who)| write!(f, " by {who} at {at}"))
            }
            Breach::OutOfOrder { key, message, before, at } => {
                let of = of(key);
                write!(
                    f,
                    "{message}{of} was processed at {at}, before {before}, which was sent earlier"
                )
            }
        }
    }
}

fn of(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!(" of {key}") }
}

/// Every breach of a promise, in the order in which messages were first reported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breaches(pub Vec<Breach>);

impl fmt::Display for Breaches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Breaches(breaches) = self;
        let shown: Vec<String> = breaches.iter().take(SHOWN).map(ToString::to_string).collect();
        f.write_str(&shown.join("\n"))?;
        match breaches.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Breaches {}

/// Everything that was reported.
#[derive(Debug, Default)]
struct Book {
    messages: IndexMap<(String, String), History, FxBuildHasher>,
    /// How many reports there were.
    reports: u64,
}

/// The kinds of reports, as a [`History`] numbers them.
#[derive(Clone, Copy)]
enum Kind {
    Sent,
    Confirmed,
    Processed,
}

/// A book of what was sent, confirmed and processed. `Clone`, `Send` and `Sync`: its clones share
/// it.
///
/// ```
/// use stunt_double::sim::{Ledger, Promise, Sim};
///
/// let mut sim = Sim::new(1);
/// let ledger = Ledger::new();
/// sim.node_with("shop", ledger.clone(), async |node, ledger| {
///     ledger.sent(&node, "orders", 1);
///     ledger.confirmed(&node, "orders", 1);
/// });
/// sim.run().expect_done();
/// let breaches = ledger.check(Promise::AtLeastOnce).unwrap_err();
/// assert_eq!(breaches.to_string(), "1 of orders was confirmed at 0s and never processed");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

impl Ledger {
    /// Returns an empty ledger.
    #[must_use]
    pub fn new() -> Ledger {
        Ledger::default()
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, node: &Node, key: impl fmt::Display, message: impl fmt::Display, kind: Kind) {
        if node.world().lock().withholds() {
            return;
        }
        let entry = (key.to_string(), message.to_string());
        let (mut book, now) = (self.lock(), node.now());
        book.reports += 1;
        let number = book.reports;
        let history = book.messages.entry(entry).or_default();
        history.first[kind as usize].get_or_insert(number);
        match kind {
            Kind::Sent => {
                history.sent.get_or_insert(now);
            }
            Kind::Confirmed => {
                history.confirmed.get_or_insert(now);
            }
            Kind::Processed => history.processed.push((now, Arc::clone(node.shared_name()))),
        }
    }

    /// Reports that `node` sends a message. `key` names the messages whose order matters among each
    /// other, such as an order's; `message` is the message's name among them.
    pub fn sent(&self, node: &Node, key: impl fmt::Display, message: impl fmt::Display) {
        self.report(node, key, message, Kind::Sent);
    }

    /// Reports that a message of `node` was confirmed: from now on it may not be lost.
    pub fn confirmed(&self, node: &Node, key: impl fmt::Display, message: impl fmt::Display) {
        self.report(node, key, message, Kind::Confirmed);
    }

    /// Reports that `node` has processed a message, where its effect is done.
    pub fn processed(&self, node: &Node, key: impl fmt::Display, message: impl fmt::Display) {
        self.report(node, key, message, Kind::Processed);
    }

    /// Returns what is known of a message; nothing, if it was never reported.
    #[must_use]
    pub fn history(&self, key: impl fmt::Display, message: impl fmt::Display) -> History {
        let entry = (key.to_string(), message.to_string());
        self.lock().messages.get(&entry).cloned().unwrap_or_default()
    }

    /// Returns the messages of a key in the order in which each was first processed.
    #[must_use]
    pub fn order(&self, key: impl fmt::Display) -> Vec<String> {
        let key = key.to_string();
        let book = self.lock();
        let theirs = book.messages.iter().filter(|((other, _), _)| *other == key);
        let done = theirs.filter_map(|((_, message), history)| {
            Some((history.number(Kind::Processed)?, message.clone()))
        });
        let mut done: Vec<(u64, String)> = done.collect();
        done.sort_unstable();
        done.into_iter().map(|(_, message)| message).collect()
    }

    /// Checks a promise.
    ///
    /// # Errors
    ///
    /// Every breach of it.
    pub fn check(&self, promise: Promise) -> Result<(), Breaches> {
        let book = self.lock();
        let missing = || book.messages.iter().filter_map(missing);
        let repeated = || book.messages.iter().filter_map(repeated);
        let breaches: Vec<Breach> = match promise {
            Promise::AtLeastOnce => missing().collect(),
            Promise::AtMostOnce => repeated().collect(),
            Promise::ExactlyOnce => missing().chain(repeated()).collect(),
            Promise::InOrder => out_of_order(&book),
        };
        if breaches.is_empty() { Ok(()) } else { Err(Breaches(breaches)) }
    }
}

type Entry<'a> = (&'a (String, String), &'a History);

fn missing(((key, message), history): Entry<'_>) -> Option<Breach> {
    let confirmed = history.confirmed.filter(|_| history.processed.is_empty())?;
    Some(Breach::Missing { key: key.clone(), message: message.clone(), confirmed })
}

fn repeated(((key, message), history): Entry<'_>) -> Option<Breach> {
    let processed = history.processed.clone();
    let (key, message) = (key.clone(), message.clone());
    (processed.len() > 1).then_some(Breach::Repeated { key, message, processed })
}

fn out_of_order(book: &Book) -> Vec<Breach> {
    /// The message of a key that was processed last of those sent so far, and in which place.
    type Latest<'a> = IndexMap<&'a str, (&'a str, u64), FxBuildHasher>;

    let entries = book.messages.iter().filter_map(|entry| {
        let sent = entry.1.number(Kind::Sent).or_else(|| entry.1.number(Kind::Confirmed))?;
        Some((sent, entry))
    });
    let mut sent: Vec<(u64, Entry<'_>)> = entries.collect();
    sent.sort_by_key(|(number, _)| *number);
    let mut latest: Latest<'_> = IndexMap::default();
    let mut breaches = Vec::new();
    for (_, ((key, message), history)) in sent {
        let (Some((at, _)), Some(place)) =
            (history.processed.first(), history.number(Kind::Processed))
        else {
            continue;
        };
        match latest.get(&**key) {
            Some((before, earlier)) if place < *earlier => breaches.push(Breach::OutOfOrder {
                key: key.clone(),
                message: message.clone(),
                before: (*before).to_owned(),
                at: *at,
            }),
            _ => {
                latest.insert(key, (message, place));
            }
        }
    }
    breaches
}
