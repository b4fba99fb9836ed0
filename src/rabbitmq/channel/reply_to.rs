//! Direct reply-to: answers to a request without a queue.
//!
//! A channel consumes from the pseudo-queue `amq.rabbitmq.reply-to` and publishes a request with
//! that name as its `reply-to`. The broker replaces the name with one that belongs to the channel.
//! A message published to that name through the default exchange goes straight to the consumer, or
//! nowhere if the channel is gone.
//!
//! Source: <https://www.rabbitmq.com/docs/direct-reply-to>.

use crate::rabbitmq::protocol::error::{Fault, ReplyCode};
use smol_str::SmolStr;

/// The name of the pseudo-queue.
pub(crate) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// Length of what follows the dot in a name that the server makes.
const MADE_LENGTH: usize = 22;

/// The consumer of a channel's direct replies.
#[derive(Clone, Debug)]
pub(crate) struct ReplyConsumer {
    pub(crate) tag: SmolStr,
    /// The name to which answers are published.
    pub(crate) name: SmolStr,
}

/// Returns whether a name is that of the pseudo-queue, or belongs to a channel.
pub(crate) fn is_pseudo_queue(name: &str) -> bool {
    name.strip_prefix(REPLY_TO).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Returns whether the server crashes over a name. In such a name, two words with dots between or
/// around them follow the name of the pseudo-queue, where the server expects a process and a key.
/// In a name of this broker, only one word follows.
pub(crate) fn is_malformed(name: &str) -> bool {
    let words = |rest: &str| rest.split('.').filter(|word| !word.is_empty()).count();
    name.strip_prefix(REPLY_TO).is_some_and(|rest| rest.starts_with('.') && words(rest) == 2)
}

/// Returns whether a name has the form of those that the server makes for channels.
pub(crate) fn is_made_by_server(name: &str) -> bool {
    let rest = name.strip_prefix(REPLY_TO).and_then(|rest| rest.strip_prefix('.'));
    rest.is_some_and(|rest| rest.len() == MADE_LENGTH && !rest.contains('.'))
}

pub(crate) fn no_reply_consumer() -> Fault {
    Fault::precondition("fast reply consumer does not exist")
}

/// Refuses a consumer that cannot receive direct replies.
pub(crate) fn check_consumer(no_ack: bool, has_one: bool) -> Result<(), Fault> {
    match (no_ack, has_one) {
        (false, _) => Err(Fault::precondition("reply consumer cannot acknowledge")),
        (_, true) => Err(Fault::precondition("reply consumer already set")),
        (true, false) => Ok(()),
    }
}

/// The refusal of a name that belongs to no channel.
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
