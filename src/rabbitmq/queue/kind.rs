//! The kinds of queue, and what each does differently.
//!
//! A classic queue has no state beyond that of every queue. A quorum queue and a stream keep theirs
//! in `quorum.rs` and `stream.rs`. Code that treats kinds differently asks a question that is
//! answered here, one method for each question, or matches all three kinds; so a new kind has to
//! answer every question before it compiles.

use super::backlog::FIRST_OF_QUORUM;
use super::delays::Delays;
use super::quorum::Quorum;
use super::settings::Settings;
use super::stream::Stream;
use crate::rabbitmq::key::ConsumerKey;
use crate::rabbitmq::protocol::message::{Entry, Position};
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::version::{Profile, SettingRules};

/// The kind of a queue, with the state that only this kind has.
#[derive(Debug)]
pub(crate) enum Kind {
    Classic,
    Quorum(Box<Quorum>),
    Stream(Box<Stream>),
}

impl Kind {
    pub(crate) fn new(queue_type: QueueType, profile: &'static Profile) -> Kind {
        match queue_type {
            QueueType::Classic => Kind::Classic,
            QueueType::Quorum => Kind::Quorum(Box::new(Quorum::new(&profile.quorum))),
            QueueType::Stream => Kind::Stream(Box::new(Stream::new(&profile.streams))),
        }
    }

    pub(crate) fn queue_type(&self) -> QueueType {
        match self {
            Kind::Classic => QueueType::Classic,
            Kind::Quorum(_) => QueueType::Quorum,
            Kind::Stream(_) => QueueType::Stream,
        }
    }

    pub(crate) fn quorum_mut(&mut self) -> Option<&mut Quorum> {
        match self {
            Kind::Quorum(quorum) => Some(quorum),
            Kind::Classic | Kind::Stream(_) => None,
        }
    }

    pub(crate) fn stream(&self) -> Option<&Stream> {
        match self {
            Kind::Stream(stream) => Some(stream),
            Kind::Classic | Kind::Quorum(_) => None,
        }
    }

    pub(crate) fn stream_mut(&mut self) -> Option<&mut Stream> {
        match self {
            Kind::Stream(stream) => Some(stream),
            Kind::Classic | Kind::Quorum(_) => None,
        }
    }

    /// Messages that wait for their next delivery.
    pub(crate) fn delayed(&self) -> impl Iterator<Item = &Entry> {
        self.delays().into_iter().flat_map(Delays::iter)
    }

    /// The messages that wait for their next delivery, if the kind delays messages.
    pub(crate) fn delays(&self) -> Option<&Delays> {
        match self {
            Kind::Quorum(quorum) => Some(&quorum.delayed),
            Kind::Classic | Kind::Stream(_) => None,
        }
    }

    fn is_classic(&self) -> bool {
        match self {
            Kind::Classic => true,
            Kind::Quorum(_) | Kind::Stream(_) => false,
        }
    }

    fn is_quorum(&self) -> bool {
        match self {
            Kind::Quorum(_) => true,
            Kind::Classic | Kind::Stream(_) => false,
        }
    }

    /// Position of the first message. In a quorum queue, messages that come back go before it.
    pub(crate) fn first_position(&self) -> Position {
        match self {
            Kind::Quorum(_) => FIRST_OF_QUORUM,
            Kind::Classic | Kind::Stream(_) => Position(0),
        }
    }
}

/// Questions about messages.
impl Kind {
    /// Returns whether a queue of this kind can be plain, which is asked on the hot path.
    pub(crate) fn can_be_plain(&self) -> bool {
        self.is_classic()
    }

    /// Returns whether a restart keeps messages that are not persistent.
    pub(crate) fn keeps_transient_messages(&self) -> bool {
        self.is_quorum()
    }

    /// Returns whether a broker that stops drops messages that are not persistent.
    pub(crate) fn drops_transient_on_stop(&self) -> bool {
        self.is_classic()
    }

    /// Returns whether messages stay when they are acknowledged.
    pub(crate) fn keeps_consumed(&self) -> bool {
        self.stream().is_some()
    }

    /// Returns whether the confirm of a message follows its write, not its sync.
    pub(crate) fn confirms_on_write(&self, profile: &Profile) -> bool {
        match self {
            Kind::Classic => profile.classic_confirms_on_write,
            Kind::Quorum(_) => false,
            Kind::Stream(_) => true,
        }
    }

    /// Returns whether some headers crash the queue process.
    pub(crate) fn crashes_over_headers(&self) -> bool {
        self.stream().is_some()
    }

    /// Returns whether a dead letter that is published at most once never arrives here.
    pub(crate) fn misses_dead_letters(&self) -> bool {
        self.stream().is_some_and(|stream| !stream.rules.takes_dead_letters)
    }

    /// Returns whether a rejected message goes to the end, as if it were a new one.
    pub(crate) fn moves_rejected_to_end(&self, settings: &Settings) -> bool {
        self.is_quorum() && settings.moves_rejected_to_end
    }

    /// Returns whether messages that are dropped together become dead letters in the reverse order.
    pub(crate) fn buries_last_first(&self) -> bool {
        match self {
            Kind::Quorum(quorum) => quorum.rules.buries_last_first,
            Kind::Classic | Kind::Stream(_) => false,
        }
    }

    /// Returns whether messages that come back together are sorted by position.
    pub(crate) fn returns_by_position(&self) -> bool {
        self.is_classic()
    }

    /// Returns whether messages of a dead channel come back by the tags of their consumers.
    pub(crate) fn returns_by_consumer_tag(&self) -> bool {
        self.is_quorum()
    }
}

/// Questions about methods that not every kind supports.
impl Kind {
    /// Returns whether `basic.get` is supported.
    pub(crate) fn supports_get(&self) -> bool {
        self.stream().is_none()
    }

    /// Returns whether `basic.get` is supported beside a single active consumer.
    pub(crate) fn supports_get_beside_single_active(&self) -> bool {
        !self.is_quorum()
    }

    /// Returns whether `basic.nack` and `basic.reject` are supported.
    pub(crate) fn supports_reject(&self) -> bool {
        self.stream().is_none_or(|stream| stream.rules.settles_rejected)
    }

    /// Returns whether `basic.recover` is supported. It crashes the process of a stream's channel.
    pub(crate) fn supports_recover(&self) -> bool {
        self.stream().is_none_or(|stream| stream.rules.settles_rejected)
    }

    /// Returns whether `queue.purge` is supported.
    pub(crate) fn supports_purge(&self) -> bool {
        self.stream().is_none()
    }

    /// Returns whether a limit that the consumers of a channel share is supported.
    pub(crate) fn supports_global_qos(&self) -> bool {
        self.is_classic()
    }

    /// Returns whether a consumer may ask to be the only one. Other kinds ignore the wish.
    pub(crate) fn supports_exclusive_consumers(&self) -> bool {
        self.is_classic()
    }
}

/// Questions about consumers.
impl Kind {
    /// Returns whether a single active consumer has to make way when it holds nothing any more.
    pub(crate) fn is_quiescing(&self, consumer: ConsumerKey) -> bool {
        match self {
            Kind::Quorum(quorum) => quorum.quiescing == Some(consumer),
            Kind::Classic | Kind::Stream(_) => false,
        }
    }

    /// Returns whether a consumer may say how long it may hold a delivery.
    pub(crate) fn takes_consumer_timeouts(&self, rules: &SettingRules) -> bool {
        self.is_quorum() && rules.consumers_have_timeouts
    }

    /// Returns whether a delivery was taken back because its consumer held it too long.
    pub(crate) fn has_released(&self, entry: &Entry) -> bool {
        match self {
            Kind::Quorum(quorum) => quorum.released.contains_key(&entry.position()),
            Kind::Classic | Kind::Stream(_) => false,
        }
    }

    /// Returns whether a consumer has held a delivery for too long, and gets nothing meanwhile.
    pub(crate) fn is_timed_out(&self, consumer: ConsumerKey) -> bool {
        match self {
            Kind::Quorum(quorum) => {
                quorum.forgotten.contains(&consumer)
                    || quorum.released.values().any(|by| *by == Some(consumer))
            }
            Kind::Classic | Kind::Stream(_) => false,
        }
    }

    /// Returns whether a consumer without a prefetch count gets one, and a consumer that
    /// acknowledges automatically is held to its own.
    pub(crate) fn limits_every_consumer(&self) -> bool {
        self.is_quorum()
    }

    /// Returns whether a delivery spends a consumer's credit before it is sent, not as it is sent.
    pub(crate) fn reserves_credit(&self) -> bool {
        self.is_quorum()
    }

    /// Returns whether a consumer that re-subscribes under its tag takes over the deliveries that
    /// it left unacknowledged.
    pub(crate) fn remembers_consumers(&self) -> bool {
        self.is_quorum()
    }

    /// Returns whether the place of a cancelled consumer in the ring is kept for one turn.
    pub(crate) fn keeps_place_of_cancelled(&self) -> bool {
        match self {
            Kind::Quorum(quorum) => quorum.rules.keeps_place_of_cancelled,
            Kind::Classic | Kind::Stream(_) => false,
        }
    }

    /// Returns whether, with a single active consumer, the others stand by in the order in which
    /// they came, whatever their priorities.
    pub(crate) fn ranks_standby_by_arrival(&self) -> bool {
        match self {
            Kind::Quorum(quorum) => !quorum.rules.prefers_higher_standby,
            Kind::Classic | Kind::Stream(_) => false,
        }
    }

    /// Returns whether a waiting consumer with a higher priority takes over from the single active
    /// one, as soon as that holds nothing.
    pub(crate) fn prefers_higher_standby(&self) -> bool {
        match self {
            Kind::Quorum(quorum) => quorum.rules.prefers_higher_standby,
            Kind::Classic | Kind::Stream(_) => false,
        }
    }

    /// Returns whether a cancelled consumer's successor is served at once, not when something else
    /// happens to the queue.
    pub(crate) fn serves_successor_at_once(&self, profile: &Profile) -> bool {
        profile.serves_successor_at_once || !self.is_classic()
    }

    /// Returns whether a settled delivery returns credit to the consumer that has its tag now.
    pub(crate) fn keeps_credit_by_tag(&self) -> bool {
        self.is_classic()
    }

    /// Returns whether the queue hears at once that the broker has closed a channel, not when the
    /// client has acknowledged that.
    pub(crate) fn hears_of_failed_channel_at_once(&self) -> bool {
        self.is_classic()
    }
}
