//! A pipeline: commands to be sent at once.

use super::convert::Words;
use super::{Error, Request, request};
use crate::redis::reply::{ErrorReply, Reply};

/// Commands to be sent at once, either plainly ([`Client::pipeline`]) or as a transaction
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
    /// Returns an empty pipeline.
    #[must_use]
    pub fn new() -> Pipeline {
        Pipeline::default()
    }

    /// Adds a command. An empty command or a subscription is refused when the pipeline is sent.
    #[must_use]
    pub fn command<I>(mut self, command: I) -> Pipeline
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.requests.push(request(command));
        self
    }

    /// Number of commands.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Returns whether there is no command.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(super) fn requests(&self) -> &[Result<Request, Error>] {
        &self.requests
    }

    /// Returns why a transaction of these commands did not run, from the replies to `MULTI` and to
    /// each command, and from the error of `EXEC`.
    pub(super) fn refusal(&self, replies: Vec<Reply>, exec: ErrorReply) -> Error {
        let mut replies = replies.into_iter();
        // Without `MULTI` the commands ran one by one.
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

    /// Returns the commands between `MULTI` and `EXEC`.
    pub(super) fn framed(&self) -> Pipeline {
        let mut requests = vec![request(["MULTI"])];
        requests.extend(self.requests.iter().cloned());
        requests.push(request(["EXEC"]));
        Pipeline { requests }
    }
}
