//! Direct reply-to: answers to a request without a queue.
//!
//! A channel that consumes from the pseudo-queue `amq.rabbitmq.reply-to` and
//! publishes a request with that as its `reply-to` finds it replaced by a name
//! of its own. What is published to that name through the default exchange goes
//! straight to the consumer; where the channel is gone, it goes nowhere.
//!
//! Source: <https://www.rabbitmq.com/docs/direct-reply-to>.

use crate::rabbitmq::protocol::error::{Fault, ReplyCode};
use smol_str::SmolStr;

/// The pseudo-queue.
pub(crate) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// The consumer of a channel's direct replies.
#[derive(Clone, Debug)]
pub(crate) struct ReplyConsumer {
    pub(crate) tag: SmolStr,
    /// The name that answers are published to.
    pub(crate) name: SmolStr,
}

/// Whether a queue's name is the pseudo-queue, or the name of one channel's.
pub(crate) fn is_pseudo_queue(name: &str) -> bool {
    name.strip_prefix(REPLY_TO).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Returns whether the server breaks down over a name: after the name of the
/// pseudo-queue it has two words with dots between or around them, which should be
/// a process and a key. A name of this broker is one word.
pub(crate) fn is_malformed(name: &str) -> bool {
    let words = |rest: &str| rest.split('.').filter(|word| !word.is_empty()).count();
    name.strip_prefix(REPLY_TO).is_some_and(|rest| rest.starts_with('.') && words(rest) == 2)
}

pub(crate) fn no_reply_consumer() -> Fault {
    Fault::precondition("fast reply consumer does not exist")
}

/// Refuses what a consumer of replies cannot be.
pub(crate) fn check_consumer(no_ack: bool, has_one: bool) -> Result<(), Fault> {
    match (no_ack, has_one) {
        (false, _) => Err(Fault::precondition("reply consumer cannot acknowledge")),
        (_, true) => Err(Fault::precondition("reply consumer already set")),
        (true, false) => Ok(()),
    }
}

/// No name of a channel that is there.
pub(crate) fn not_found(vhost: &str, name: &str) -> Fault {
    Fault { code: ReplyCode::NotFound, ..Fault::no_queue(vhost, name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_two_words_is_malformed() {
        for name in ["x.y", "x..y", ".x.y", "x.y.", "..x.y..", "aGVsbG8=.y"] {
            assert!(is_malformed(&format!("{REPLY_TO}.{name}")), "{name}");
        }
        for name in ["", ".", ".x", ".x.", ".x..", ".x.y.z", "x.y"] {
            assert!(!is_malformed(&format!("{REPLY_TO}{name}")), "{name}");
        }
        assert!(!is_malformed("x.y"));
    }
}
