//! Attempts: what a blocking command tries on each of its keys, and again when one of them is fed.

use crate::redis::command::stream_reply::{by_stream, delivered, owned};
use crate::redis::database::{Database, XreadgroupOptions};
use crate::redis::error::CommandError;
use crate::redis::reply::{Protocol, Reply};
use crate::redis::value::{End, Sds, StreamId};

/// The syncs that a client of `WAITAOF` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syncs {
    /// Whether this many changes are to be synced here.
    pub(crate) local: bool,
    pub(crate) changes: u64,
    /// How many replicas are to have synced the history up to this offset.
    pub(crate) replicas: usize,
    pub(crate) offset: u64,
}

/// The attempt that a blocking command makes on each of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// `BLPOP`, `BRPOP`.
    Pop(End),
    /// `BLMPOP`: pops up to this many.
    PopMany(End, usize),
    /// `BLMOVE`, `BRPOPLPUSH`: moves an element to this key.
    Move { from: End, to: End, destination: Sds },
    /// `BZPOPMIN` (from the left), `BZPOPMAX`.
    PopScored(End),
    /// `BZMPOP`.
    PopManyScored(End, usize),
    /// `WAIT`: until this many replicas have the history up to this offset.
    Replicas { count: usize, offset: u64 },
    /// `WAITAOF`.
    Synced(Syncs),
    /// `XREAD`: reads what comes after the id of each stream.
    Read { after: Vec<(Sds, StreamId)>, count: usize, protocol: Protocol },
    /// `XREADGROUP`: reads what is new for the group.
    ReadGroup { group: Sds, consumer: Sds, options: XreadgroupOptions, protocol: Protocol },
}

impl Attempt {
    /// Makes the attempt on one key. Returns `None` if the key has nothing.
    pub(crate) fn on(&self, db: &mut Database, key: &[u8]) -> Result<Option<Reply>, CommandError> {
        match self {
            Attempt::Replicas { .. } | Attempt::Synced(_) => Ok(None),
            Attempt::Pop(end) => {
                let popped = db.pop(key, *end)?;
                Ok(popped.map(|element| Reply::bulks([key, element.as_slice()])))
            }
            Attempt::PopMany(end, count) => {
                let popped = db.pop_many(key, *end, *count)?;
                Ok(popped
                    .filter(|elements| !elements.is_empty())
                    .map(|elements| Reply::Array(vec![Reply::bulk(key), Reply::bulks(elements)])))
            }
            Attempt::Move { from, to, destination } => {
                let moved = db.lmove(key, destination, *from, *to)?;
                Ok(moved.map(|element| Reply::bulk(&element)))
            }
            Attempt::PopScored(end) => {
                let popped = db.zpop(key, *end, 1)?;
                Ok(popped.into_iter().next().map(|(member, score)| {
                    Reply::Array(vec![Reply::bulk(key), Reply::bulk(&member), Reply::Double(score)])
                }))
            }
            Attempt::PopManyScored(end, count) => {
                let popped = db.zpop(key, *end, *count)?;
                if popped.is_empty() {
                    return Ok(None);
                }
                let pairs = popped.into_iter().map(|(member, score)| {
                    Reply::Array(vec![Reply::bulk(&member), Reply::Double(score)])
                });
                Ok(Some(Reply::Array(vec![Reply::bulk(key), Reply::Array(pairs.collect())])))
            }
            Attempt::Read { after, count, protocol } => {
                let after = after.iter().find(|(name, _)| name.as_slice() == key);
                let Some((_, after)) = after else { return Ok(None) };
                let read = db.xread_waiting(key, *after, *count);
                let read = read.map(|entries| Reply::Array(entries.iter().map(owned).collect()));
                Ok(read.map(|entries| by_stream(vec![(Reply::bulk(key), entries)], *protocol)))
            }
            Attempt::ReadGroup { group, consumer, options, protocol } => {
                let read = db.serve_waiting_consumer(key, group, consumer, *options)?;
                let read = read.map(|delivery| delivered(&delivery.entries));
                Ok(read.map(|entries| by_stream(vec![(Reply::bulk(key), entries)], *protocol)))
            }
        }
    }

    /// Returns the reply within `EXEC`, where the client cannot wait. (A client that waited in vain
    /// gets a null array, even from `BLMOVE`.) Those that wait for replicas are answered before.
    pub(crate) fn nothing(&self) -> Reply {
        if matches!(self, Attempt::Move { .. }) { Reply::Nil } else { Reply::NilArray }
    }

    /// Returns whether save points count the change when a blocked client is served. For commands
    /// that take one list element, the change of the client that fed the list counts instead.
    pub(crate) fn counts_when_served(&self) -> bool {
        !matches!(self, Attempt::Pop(_) | Attempt::Move { .. })
    }

    /// Returns whether the command looks a key up once more before it tries, which is a further use
    /// of the key.
    pub(crate) fn looks_twice(&self) -> bool {
        match self {
            Attempt::Move { .. } | Attempt::PopScored(_) | Attempt::PopManyScored(..) => true,
            Attempt::Pop(_)
            | Attempt::PopMany(..)
            | Attempt::Read { .. }
            | Attempt::ReadGroup { .. }
            | Attempt::Replicas { .. }
            | Attempt::Synced(_) => false,
        }
    }

    /// Returns the type that the command waits for.
    pub(crate) fn awaits(&self) -> &'static str {
        match self {
            Attempt::Pop(_) | Attempt::PopMany(..) | Attempt::Move { .. } => "list",
            Attempt::PopScored(_) | Attempt::PopManyScored(..) => "zset",
            Attempt::Read { .. } | Attempt::ReadGroup { .. } => "stream",
            Attempt::Replicas { .. } | Attempt::Synced(_) => "nothing",
        }
    }

    /// Returns the error that ends the wait when the key no longer has a value of that type, if
    /// anything does.
    pub(crate) fn ends_with_key(&self) -> Option<CommandError> {
        match self {
            Attempt::ReadGroup { .. } => {
                Some(CommandError::text("UNBLOCKED the stream key no longer exists"))
            }
            Attempt::Pop(_)
            | Attempt::PopMany(..)
            | Attempt::Move { .. }
            | Attempt::PopScored(_)
            | Attempt::PopManyScored(..)
            | Attempt::Read { .. }
            | Attempt::Replicas { .. }
            | Attempt::Synced(_) => None,
        }
    }
}
