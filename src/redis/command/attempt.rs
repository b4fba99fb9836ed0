//! Attempts: what a blocking command tries on each of its keys, and again when one of them is fed.

use crate::redis::database::Database;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{End, Sds};

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
}

impl Attempt {
    /// Makes the attempt on one key. Returns `None` if the key has nothing.
    pub(crate) fn on(&self, db: &mut Database, key: &[u8]) -> Result<Option<Reply>, CommandError> {
        match self {
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
        }
    }

    /// Returns the reply within `EXEC`, where the client cannot wait. (A client that waited in vain
    /// gets a null array, even from `BLMOVE`.)
    pub(crate) fn nothing(&self) -> Reply {
        match self {
            Attempt::Move { .. } => Reply::Nil,
            Attempt::Pop(_)
            | Attempt::PopMany(..)
            | Attempt::PopScored(_)
            | Attempt::PopManyScored(..) => Reply::NilArray,
        }
    }

    /// Returns whether save points count the change when a blocked client is served. For commands
    /// that take one list element, the change of the client that fed the list counts instead.
    pub(crate) fn counts_when_served(&self) -> bool {
        !matches!(self, Attempt::Pop(_) | Attempt::Move { .. })
    }

    /// Returns the type that the command waits for.
    pub(crate) fn awaits(&self) -> &'static str {
        match self {
            Attempt::Pop(_) | Attempt::PopMany(..) | Attempt::Move { .. } => "list",
            Attempt::PopScored(_) | Attempt::PopManyScored(..) => "zset",
        }
    }
}
