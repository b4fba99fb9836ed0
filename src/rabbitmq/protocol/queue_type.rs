//! The kinds of queue that a client can ask for.

use super::table::{FieldTable, FieldValue};

/// The type of a queue (`x-queue-type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueType {
    /// A classic queue.
    #[default]
    Classic,
    /// A quorum queue, here with one node.
    Quorum,
    /// A stream, which keeps messages when they are consumed.
    Stream,
}

impl QueueType {
    /// The argument of a declaration that asks for a type.
    pub(crate) const ARGUMENT: &str = "x-queue-type";

    /// Its name: `classic`, `quorum` or `stream`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            QueueType::Classic => "classic",
            QueueType::Quorum => "quorum",
            QueueType::Stream => "stream",
        }
    }

    /// The server's module for this type, as its texts name it.
    pub(crate) const fn module(self) -> &'static str {
        match self {
            QueueType::Classic => "rabbit_classic_queue",
            QueueType::Quorum => "rabbit_quorum_queue",
            QueueType::Stream => "rabbit_stream_queue",
        }
    }

    /// The type of this name.
    #[cfg(feature = "definitions")]
    pub(crate) fn from_name(name: &str) -> Option<QueueType> {
        let all = [QueueType::Classic, QueueType::Quorum, QueueType::Stream];
        all.into_iter().find(|kind| kind.name() == name)
    }

    /// The type that checked arguments ask for.
    pub(crate) fn of(arguments: &FieldTable) -> QueueType {
        match arguments.get(QueueType::ARGUMENT).and_then(FieldValue::as_str) {
            Some("quorum") => QueueType::Quorum,
            Some("stream") => QueueType::Stream,
            _ => QueueType::Classic,
        }
    }
}
