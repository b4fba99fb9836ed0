//! What Redis leaves open: the replies whose order may differ, and those that depend on the moment.
//!
//! That depends on the request, so this keeps track of the requests of each client, also within a
//! transaction, and on the encoding of values: an intset, a listpack and a list have one order, a
//! hash table has none.

use crate::both::{Told, unordered};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use stunt_double::redis::resp::ReplyParser;
use stunt_double::redis::{ErrorReply, Reply};

/// A request's words.
pub(crate) type Words = Vec<Vec<u8>>;

/// Keys that are hash tables, or contain one, in any database.
pub(crate) type Hashed = BTreeSet<Vec<u8>>;

/// The fixed part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    All,
    /// Not the order of the elements.
    Items,
    /// Not the order of the elements, each of which is a pair.
    Pairs,
    /// Not the order of the elements after the cursor.
    Page,
    PageOfPairs,
    /// Only the kinds and the number of the elements.
    Shape,
    /// Not even the number of elements.
    Kind,
    /// Not the order of the words in a text: the commands of a user are in that of a hash table.
    Rules,
    /// Not the order of libraries and of their functions.
    Functions,
    /// Not which of several names exists already: they are looked at in the order of a hash table.
    Collision,
    /// Not the times at which a stream's consumers were seen, which are in its dump.
    Dump,
    /// Not the last units, up to this many.
    About(i64),
    /// Not when something happened, or how long ago.
    Moments,
}

/// Returns what is fixed in the reply to a request, given which keys are hash tables.
fn settled(words: &Words, hashed: &dyn Fn(&[u8]) -> bool) -> Settled {
    let name = String::from_utf8_lossy(&words[0]).to_uppercase();
    let first = words.get(1).is_some_and(|key| hashed(key));
    let second =
        |name: &str| words.get(1).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    let any = words[1..].iter().any(|key| hashed(key));
    let integer = |word: &Vec<u8>| std::str::from_utf8(word).ok()?.parse::<i64>().ok();
    let draws_all = words.get(2).and_then(integer).is_some_and(|count| count >= 100);
    let in_parts = words.windows(2).any(|pair| pair == [b"COUNT".to_vec(), b"1".to_vec()]);
    match name.as_str() {
        "RANDOMKEY" => Settled::Shape,
        "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" if !draws_all => Settled::Shape,
        "SSCAN" | "HSCAN" | "ZSCAN" if first && in_parts => Settled::Kind,
        "KEYS" | "PUBSUB" | "COMMAND" => Settled::Items,
        "SCAN" => Settled::Page,
        "TTL" | "EXPIRETIME" | "HTTL" => Settled::About(3),
        "XINFO" | "XPENDING" | "XREADGROUP" => Settled::Moments,
        "PTTL" | "PEXPIRETIME" | "HPTTL" => Settled::About(3_000),
        "SMEMBERS" | "HKEYS" | "HVALS" | "SRANDMEMBER" | "SPOP" if first => Settled::Items,
        "SUNION" | "SDIFF" => Settled::Items,
        // Since 8.0 Redis makes a union of the set, which is in the order of a hash table.
        "SPOP" if draws_all => Settled::Items,
        "SINTER" if any => Settled::Items,
        "DUMP" if first => Settled::Shape,
        "DUMP" => Settled::Dump,
        "FUNCTION" if second("LIST") || second("DUMP") => Settled::Functions,
        "FUNCTION" if second("LOAD") || second("RESTORE") => Settled::Collision,
        "ACL" if second("LIST") || second("GETUSER") => Settled::Rules,
        "CONFIG" => Settled::Pairs,
        "HGETALL" if first => Settled::Pairs,
        "HRANDFIELD" if first && words.len() > 3 => Settled::Pairs,
        "HRANDFIELD" if first => Settled::Items,
        "SSCAN" if first => Settled::Page,
        "HSCAN" if first && words.iter().any(|word| word.eq_ignore_ascii_case(b"NOVALUES")) => {
            Settled::Page
        }
        "HSCAN" | "ZSCAN" if first => Settled::PageOfPairs,
        _ => Settled::All,
    }
}

fn sorted(items: &[Reply], at_once: usize) -> Vec<String> {
    let mut texts: Vec<String> = items.chunks(at_once).map(|chunk| format!("{chunk:?}")).collect();
    texts.sort();
    texts
}

/// Returns what is in a reply, whatever the order of its elements and of theirs.
fn in_any_order(reply: &Reply) -> String {
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        format!("{texts:?}")
    };
    match reply {
        Reply::Array(items) | Reply::Set(items) => sorted(items.iter().map(in_any_order).collect()),
        Reply::Map(pairs) => sorted(
            pairs.iter().map(|(key, value)| in_any_order(key) + &in_any_order(value)).collect(),
        ),
        other => format!("{other:?}"),
    }
}

/// Returns whether two dumps are of one stream, but for the times of its consumers: a few bytes in
/// a row differ for each, and so does the checksum at the end.
fn same_stream(real: &[u8], ours: &[u8]) -> bool {
    let is_stream = matches!(real.first(), Some(15 | 19 | 21 | 26));
    let body = real.len().saturating_sub(8);
    let runs = real.iter().zip(ours).take(body).map(|(a, b)| a != b).collect::<Vec<_>>();
    let longest = runs.split(|differs| !differs).map(<[bool]>::len).max();
    is_stream && real.len() == ours.len() && longest.unwrap_or(0) <= 3
}

/// Returns the words of a user's rules. The single commands between two categories are in no order.
fn rules_in_order(text: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = text.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
    let is_command = |word: &Vec<u8>| matches!(word[..], [b'+' | b'-', next, ..] if next != b'@');
    words.chunk_by_mut(|one, next| is_command(one) && is_command(next)).for_each(<[_]>::sort);
    words
}

/// Returns the kind of a reply without its content.
fn shape(reply: &Reply) -> String {
    match reply {
        Reply::Array(items) => format!("*{:?}", items.iter().map(shape).collect::<Vec<_>>()),
        Reply::Bulk(_) | Reply::Double(_) => "$".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Returns whether two replies are equal, except that times may differ by a minute.
fn same_but_for_moments(real: &Reply, ours: &Reply) -> bool {
    let near = |real: i64, ours: i64| (real - ours).abs() <= 60_000;
    let is_moment = |n: i64| n > 1_000_000_000_000;
    let is_idle = |reply: Option<&Reply>| reply.and_then(Reply::as_bytes) == Some(b"idle");
    match (real, ours) {
        (Reply::Integer(real), Reply::Integer(ours)) => {
            real == ours || (is_moment(*real) && is_moment(*ours) && near(*real, *ours))
        }
        (Reply::Array(real), Reply::Array(ours)) => {
            // A pending entry is an id, a consumer, the time since its delivery, and a count. One
            // that is claimed has its fields instead of the consumer.
            let entry = matches!(
                real[..],
                [
                    Reply::Bulk(_),
                    Reply::Bulk(_) | Reply::Array(_),
                    Reply::Integer(_),
                    Reply::Integer(_)
                ]
            );
            let same = |(at, (real_item, ours_item)): (usize, (&Reply, &Reply))| {
                let before = at.checked_sub(1).and_then(|before| real.get(before));
                match (real_item, ours_item) {
                    (Reply::Integer(real), Reply::Integer(ours))
                        if (entry && at == 2) || is_idle(before) =>
                    {
                        near(*real, *ours)
                    }
                    _ => same_but_for_moments(real_item, ours_item),
                }
            };
            real.len() == ours.len() && real.iter().zip(ours).enumerate().all(same)
        }
        (Reply::Map(real), Reply::Map(ours)) => {
            let flat = |pairs: &[(Reply, Reply)]| {
                Reply::Array(pairs.iter().flat_map(|(a, b)| [a.clone(), b.clone()]).collect())
            };
            same_but_for_moments(&flat(real), &flat(ours))
        }
        _ => format!("{real:?}") == format!("{ours:?}"),
    }
}

/// Returns whether two replies agree in everything that is fixed.
fn alike(settled: Settled, real: &Reply, ours: &Reply) -> bool {
    let page = |at_once| match (real, ours) {
        (Reply::Array(real), Reply::Array(ours)) if real.len() == 2 && ours.len() == 2 => {
            let items = |page: &[Reply]| page[1].as_array().map(|items| sorted(items, at_once));
            real[0] == ours[0] && items(real) == items(ours)
        }
        _ => real == ours,
    };
    match (settled, real, ours) {
        (Settled::About(most), Reply::Integer(real), Reply::Integer(ours)) => {
            real == ours || (*real > 0 && *ours > 0 && (real - ours).abs() <= most)
        }
        (Settled::Rules, Reply::Bulk(real), Reply::Bulk(ours)) => {
            rules_in_order(real) == rules_in_order(ours)
        }
        (Settled::Rules, Reply::Array(real), Reply::Array(ours)) => {
            real.len() == ours.len()
                && real.iter().zip(ours).all(|(real, ours)| alike(settled, real, ours))
        }
        (Settled::Rules, Reply::Map(real), Reply::Map(ours)) => {
            let same = |(real, ours): (&(Reply, Reply), &(Reply, Reply))| {
                real.0 == ours.0 && alike(settled, &real.1, &ours.1)
            };
            real.len() == ours.len() && real.iter().zip(ours).all(same)
        }
        (Settled::Collision, Reply::Error(real), Reply::Error(ours)) => {
            let unnamed = |error: &ErrorReply| {
                let text = error.to_string();
                let what = text.strip_suffix(" already exists")?.rsplit_once(' ')?.0;
                Some(what.to_owned())
            };
            real == ours || (unnamed(real).is_some() && unnamed(real) == unnamed(ours))
        }
        (Settled::Functions, Reply::Bulk(real), Reply::Bulk(ours)) => real.len() == ours.len(),
        (Settled::Functions, real, ours) => in_any_order(real) == in_any_order(ours),
        (Settled::Dump, Reply::Bulk(real), Reply::Bulk(ours)) => {
            real == ours || same_stream(real, ours)
        }
        (Settled::About(_), Reply::Array(real), Reply::Array(ours)) => {
            let alike = |(real, ours)| alike(settled, real, ours);
            real.len() == ours.len() && real.iter().zip(ours).all(alike)
        }
        (Settled::Items, Reply::Array(real), Reply::Array(ours))
        | (Settled::Items, Reply::Set(real), Reply::Set(ours)) => {
            sorted(real, 1) == sorted(ours, 1)
        }
        (Settled::Pairs, Reply::Array(real), Reply::Array(ours)) => {
            // In RESP3 each element is a pair by itself.
            let at_once = if real.iter().any(|item| item.as_array().is_some()) { 1 } else { 2 };
            sorted(real, at_once) == sorted(ours, at_once)
        }
        (Settled::Pairs, Reply::Map(real), Reply::Map(ours)) => {
            let pairs = |pairs: &[(Reply, Reply)]| {
                let mut texts: Vec<String> = pairs.iter().map(|p| format!("{p:?}")).collect();
                texts.sort();
                texts
            };
            pairs(real) == pairs(ours)
        }
        (Settled::Shape, ..) => shape(real) == shape(ours),
        (Settled::Moments, ..) => same_but_for_moments(real, ours),
        (Settled::Kind, Reply::Array(_), Reply::Array(_)) => true,
        (Settled::Page, ..) => page(1),
        (Settled::PageOfPairs, ..) => page(2),
        _ => format!("{real:?}") == format!("{ours:?}"),
    }
}

/// Parses these bytes as replies, which must be all there is.
pub(crate) fn replies(bytes: &[u8]) -> Vec<Reply> {
    let mut parser = ReplyParser::new();
    parser.feed(bytes);
    let mut replies = Vec::new();
    while let Ok(Some(reply)) = parser.next_reply() {
        replies.push(reply);
    }
    replies
}

/// Returns the first request whose replies differ, of several requests that were sent together.
pub(crate) fn first_difference(
    asked: &[Words],
    real: &[u8],
    ours: &[u8],
    hashed: &Hashed,
) -> Option<usize> {
    if real == ours {
        return None;
    }
    let (real, ours) = (replies(real), replies(ours));
    let is_hashed = |key: &[u8]| hashed.contains(key);
    let differs =
        asked.iter().enumerate().position(|(i, words)| match (real.get(i), ours.get(i)) {
            (Some(real), Some(ours)) => !alike(settled(words, &is_hashed), real, ours),
            (real, ours) => real.is_some() || ours.is_some(),
        });
    // There are more replies than requests.
    differs.or((real.len().max(ours.len()) > asked.len()).then_some(asked.len() - 1))
}

/// A request that was answered.
enum Asked {
    One(Words),
    Transaction(Vec<Words>),
}

/// A client's requests without a reply so far.
#[derive(Debug, Default)]
struct Asker {
    waiting: VecDeque<(usize, Words)>,
    queued: Option<Vec<Words>>,
}

const SUBSCRIBES: [&[u8]; 6] =
    [b"SUBSCRIBE", b"UNSUBSCRIBE", b"PSUBSCRIBE", b"PUNSUBSCRIBE", b"SSUBSCRIBE", b"SUNSUBSCRIBE"];

fn subscribes(words: &Words) -> bool {
    SUBSCRIBES.iter().any(|name| words[0].eq_ignore_ascii_case(name))
}

fn kind(reply: &Reply) -> Option<&[u8]> {
    match reply {
        Reply::Push(items) | Reply::Array(items) => items.first().and_then(Reply::as_bytes),
        _ => None,
    }
}

fn is_message(reply: &Reply) -> bool {
    matches!(kind(reply), Some(b"message" | b"pmessage" | b"smessage"))
}

/// Returns whether a reply was not requested, or confirms a subscription.
fn is_push(reply: &Reply) -> bool {
    let is_name = |kind: &[u8]| SUBSCRIBES.iter().any(|name| name.to_ascii_lowercase() == kind);
    is_message(reply) || kind(reply).is_some_and(is_name)
}

impl Asker {
    /// Returns the request that a reply of the real server answers, and when it was made.
    fn answered(&mut self, reply: &Reply) -> Option<(usize, Asked)> {
        if is_push(reply) {
            // The first of several confirmations finds this request, the others find another.
            let confirmed = !is_message(reply);
            if confirmed && self.waiting.front().is_some_and(|(_, words)| subscribes(words)) {
                self.waiting.pop_front();
            }
            return None;
        }
        let (when, words) = self.waiting.pop_front()?;
        let is = |name: &[u8]| words[0].eq_ignore_ascii_case(name);
        if *reply == Reply::Simple("QUEUED".into())
            && let Some(queued) = &mut self.queued
        {
            queued.push(words);
            return None;
        }
        if is(b"MULTI") && !reply.is_error() {
            self.queued = Some(Vec::new());
        } else if is(b"EXEC") {
            return Some((when, Asked::Transaction(self.queued.take().unwrap_or_default())));
        } else if is(b"RESET") || (is(b"DISCARD") && !reply.is_error()) {
            self.queued = None;
        }
        Some((when, Asked::One(words)))
    }
}

/// The outstanding requests of all clients.
#[derive(Debug, Default)]
pub(crate) struct Askers {
    step: usize,
    clients: BTreeMap<u64, Asker>,
}

impl Askers {
    pub(crate) fn ask(&mut self, client: u64, words: &Words) {
        self.step += 1;
        let asker = self.clients.entry(client).or_default();
        asker.waiting.push_back((self.step, words.clone()));
    }

    /// Returns whether a client's next request may be queued.
    pub(crate) fn may_queue(&self, client: u64) -> bool {
        self.clients.get(&client).is_some_and(|asker| {
            let begins = |words: &Words| words[0].eq_ignore_ascii_case(b"MULTI");
            asker.queued.is_some() || asker.waiting.iter().any(|(_, words)| begins(words))
        })
    }

    /// Returns whether a client received the same from both, except for what is open.
    pub(crate) fn told_the_same(
        &mut self,
        client: u64,
        real: &Told,
        ours: &Told,
        hashed: &Hashed,
    ) -> bool {
        let asker = self.clients.entry(client).or_default();
        let said = replies(&real.bytes);
        let mut asked = Vec::new();
        let (mut mixed, mut drawn) = (false, false);
        for reply in &said {
            // The following replies are inside the transaction.
            let answered = if mixed { None } else { asker.answered(reply) };
            if let Some((_, Asked::Transaction(all))) = &answered {
                mixed |= has_messages(all);
                drawn |= all.iter().any(is_drawn);
            }
            asked.push(answered);
        }
        if real.closed {
            self.clients.remove(&client);
        }
        if real == ours {
            return true;
        }
        let ours_said = replies(&ours.bytes);
        if real.closed != ours.closed || said.len() != ours_said.len() {
            return false;
        }
        if mixed {
            // The replies cannot be told apart, so more is left open here.
            return drawn || unordered(&real.bytes) == unordered(&ours.bytes);
        }
        let both = said.iter().zip(&ours_said);
        let step = self.step;
        asked.iter().zip(both).all(|(asked, (real, ours))| match asked {
            None => format!("{real:?}") == format!("{ours:?}"),
            // The keyspace was different later.
            Some((when, Asked::One(words))) => {
                let is_hashed = |key: &[u8]| *when != step || hashed.contains(key);
                alike(settled(words, &is_hashed), real, ours)
            }
            Some((_, Asked::Transaction(queued))) => transaction(queued, real, ours),
        })
    }
}

/// Returns what is fixed in a reply within a transaction. A known difference: on the real server,
/// the request that set a value holds a reference to it until the end, which is counted.
fn settled_within(words: &Words) -> Settled {
    let counts = words.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"REFCOUNT"));
    if counts { Settled::About(1) } else { settled(words, &|_| true) }
}

fn is_drawn(words: &Words) -> bool {
    matches!(settled_within(words), Settled::Shape | Settled::Kind | Settled::About(_))
}

fn transaction(queued: &[Words], real: &Reply, ours: &Reply) -> bool {
    let (Reply::Array(real), Reply::Array(ours)) = (real, ours) else { return real == ours };
    real.len() == queued.len()
        && ours.len() == queued.len()
        && queued
            .iter()
            .zip(real.iter().zip(ours))
            .all(|(words, (real, ours))| alike(settled_within(words), real, ours))
}

/// Returns whether the replies to these requests may contain messages to the client itself.
fn has_messages(queued: &[Words]) -> bool {
    queued.iter().any(|words| subscribes(words) || words[0].eq_ignore_ascii_case(b"publish"))
}
