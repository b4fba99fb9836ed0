//! A pipeline: commands to be sent in one go.

use super::convert::Words;
use super::{Error, Request, request};
use crate::redis::reply::{ErrorReply, Reply};

/// Commands to be sent in one go, plainly ([`Client::pipeline`]) or as a transaction
/// ([`Client::transaction`]).
///
/// ```
/// use stunt_double::redis::Pipeline;
///
/// let pipeline = Pipeline::new().command(["SET", "name", "foo"]).command(["GET", "name"]);
/// assert_eq!(pipeline.len(), 2);
/// ```
///
/// [`Client::pipeline`]: super::Client::pipeline
/// [`Client::transaction`]: super::Client::transaction
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    requests: Vec<Result<Request, Error>>,
}

impl Pipeline {
    /// An empty one.
    #[must_use]
    pub fn new() -> Pipeline {
        Pipeline::default()
    }

    /// Adds a command. One that is empty, or a subscription, is refused when the
    /// pipeline is sent.
    #[must_use]
    pub fn command<I>(mut self, command: I) -> Pipeline
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.requests.push(request(command));
        self
    }

    /// How many commands it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(super) fn requests(&self) -> &[Result<Request, Error>] {
        &self.requests
    }

    /// Why a transaction of these commands was not run, from the replies to `MULTI` and to each
    /// of them, and `EXEC`'s error.
    pub(super) fn refusal(&self, replies: Vec<Reply>, exec: ErrorReply) -> Error {
        let mut replies = replies.into_iter();
        // Without its MULTI the commands were run one by one.
        if let Some(Reply::Error(error)) = replies.next() {
            return Error::Reply(error);
        }
        let queued = replies.enumerate();
        let mut refused = queued.filter_map(|(index, reply)| {
            if let Reply::Error(error) = reply { Some((index, error)) } else { None }
        });
        match (refused.next(), exec.code()) {
            (Some((index, error)), "EXECABORT") => {
                let command = match &self.requests[index] {
                    Ok(request) => Words(request).to_string(),
                    Err(error) => error.to_string(),
                };
                Error::Aborted { index, command, error, exec }
            }
            (Some(_) | None, _) => Error::Reply(exec),
        }
    }

    /// The same between `MULTI` and `EXEC`.
    pub(super) fn framed(&self) -> Pipeline {
        let mut requests = vec![request(["MULTI"])];
        requests.extend(self.requests.iter().cloned());
        requests.push(request(["EXEC"]));
        Pipeline { requests }
    }
}
