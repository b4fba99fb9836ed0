//! Refusals of a broker, in AMQP's terms.
//!
//! Every refusal closes something: a *channel* (soft errors) or the whole *connection* (hard
//! errors). The reply code alone decides which. The text is the one that the real server puts on
//! the wire.
//!
//! Source: AMQP 0-9-1, section 1.2 "Class and method ids" and the table of reply codes; texts
//! observed on RabbitMQ 3.10.8.

use std::fmt;

/// Whether an error closes its channel or its whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The channel is closed; its connection stays open.
    Channel,
    /// The connection is closed, and all its channels with it.
    Connection,
}

/// A reply code of AMQP 0-9-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ReplyCode {
    /// 312: a mandatory message reached no queue. Used in returns only.
    NoRoute,
    /// 320: the broker is shutting down, or is down.
    ConnectionForced,
    /// 403: access to this object is refused: a reserved name, an exclusive consumer.
    AccessRefused,
    /// 404: no such queue or exchange.
    NotFound,
    /// 405: the queue is exclusive to another connection.
    ResourceLocked,
    /// 406: the request does not fit the current state: other properties, an unknown delivery tag,
    /// a queue in use.
    PreconditionFailed,
    /// 501: a frame is malformed.
    FrameError,
    /// 502: a method or a property cannot be read.
    SyntaxError,
    /// 503: the request is invalid, such as an unknown exchange type.
    CommandInvalid,
    /// 504: the channel is not open, or is opened twice.
    ChannelError,
    /// 505: a frame arrived where it is not allowed.
    UnexpectedFrame,
    /// 506: the broker has run out of a resource. Only a
    /// [`Refusal`](crate::rabbitmq::Refusal) uses it.
    ResourceError,
    /// 530: the request is never allowed: an unknown vhost, a consumer tag used twice.
    NotAllowed,
    /// 540: not implemented by RabbitMQ, or not by this broker.
    NotImplemented,
    /// 541: the broker crashed over the request.
    InternalError,
}

impl ReplyCode {
    /// The code's number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            ReplyCode::NoRoute => 312,
            ReplyCode::ConnectionForced => 320,
            ReplyCode::AccessRefused => 403,
            ReplyCode::NotFound => 404,
            ReplyCode::ResourceLocked => 405,
            ReplyCode::PreconditionFailed => 406,
            ReplyCode::FrameError => 501,
            ReplyCode::SyntaxError => 502,
            ReplyCode::CommandInvalid => 503,
            ReplyCode::ChannelError => 504,
            ReplyCode::UnexpectedFrame => 505,
            ReplyCode::ResourceError => 506,
            ReplyCode::NotAllowed => 530,
            ReplyCode::NotImplemented => 540,
            ReplyCode::InternalError => 541,
        }
    }

    /// The code's name, with which a reply text begins: `NOT_FOUND`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ReplyCode::NoRoute => "NO_ROUTE",
            ReplyCode::ConnectionForced => "CONNECTION_FORCED",
            ReplyCode::AccessRefused => "ACCESS_REFUSED",
            ReplyCode::NotFound => "NOT_FOUND",
            ReplyCode::ResourceLocked => "RESOURCE_LOCKED",
            ReplyCode::PreconditionFailed => "PRECONDITION_FAILED",
            ReplyCode::FrameError => "FRAME_ERROR",
            ReplyCode::SyntaxError => "SYNTAX_ERROR",
            ReplyCode::CommandInvalid => "COMMAND_INVALID",
            ReplyCode::ChannelError => "CHANNEL_ERROR",
            ReplyCode::UnexpectedFrame => "UNEXPECTED_FRAME",
            ReplyCode::ResourceError => "RESOURCE_ERROR",
            ReplyCode::NotAllowed => "NOT_ALLOWED",
            ReplyCode::NotImplemented => "NOT_IMPLEMENTED",
            ReplyCode::InternalError => "INTERNAL_ERROR",
        }
    }

    /// Returns the scope that an error with this code closes.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            ReplyCode::NoRoute
            | ReplyCode::AccessRefused
            | ReplyCode::NotFound
            | ReplyCode::ResourceLocked
            | ReplyCode::PreconditionFailed => Scope::Channel,
            ReplyCode::ConnectionForced
            | ReplyCode::FrameError
            | ReplyCode::SyntaxError
            | ReplyCode::CommandInvalid
            | ReplyCode::ChannelError
            | ReplyCode::UnexpectedFrame
            | ReplyCode::ResourceError
            | ReplyCode::NotAllowed
            | ReplyCode::NotImplemented
            | ReplyCode::InternalError => Scope::Connection,
        }
    }
}

/// `404 NOT_FOUND`.
impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.name())
    }
}

/// The number of a method and of its class, as a close carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MethodId {
    pub(crate) class: u16,
    pub(crate) method: u16,
}

impl MethodId {
    pub(crate) const NONE: MethodId = MethodId::new(0, 0);

    pub(crate) const fn new(class: u16, method: u16) -> MethodId {
        MethodId { class, method }
    }
}

/// Why the broker closed a channel or a connection.
///
/// The close has already happened when a method returns this error, as AMQP requires. It holds what
/// `channel.close` or `connection.close` carry on the wire.
///
/// ```
/// use stunt_double::rabbitmq::{BrokerOptions, ReplyCode, Scope};
/// use stunt_double::rabbitmq::broker::{Broker, ChannelId};
/// # use stunt_double::{Instant, Site, Stream};
/// # let now = Instant::ZERO;
/// # let mut broker = Broker::new(BrokerOptions::default(), Stream::calm(Site::new("names"), 0));
/// let ch = ChannelId::new(1, 1);
/// broker.connection_open(now, ch.connection, Default::default())?;
/// broker.channel_open(now, ch)?;
///
/// let error = broker.queue_purge(now, ch, "nope").unwrap_err();
/// assert_eq!((error.scope, error.code), (Scope::Channel, ReplyCode::NotFound));
/// assert_eq!(error.text, "NOT_FOUND - no queue 'nope' in vhost '/'");
/// assert_eq!((error.class_id, error.method_id), (50, 30));
/// # Ok::<(), stunt_double::rabbitmq::AmqpError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmqpError {
    /// The connection or the channel that was closed.
    pub scope: Scope,
    /// The reply code.
    pub code: ReplyCode,
    /// The whole reply text: the code's name, ` - `, and the reason.
    pub text: String,
    /// The class of the method that failed; 0 if no method caused the error.
    pub class_id: u16,
    /// The number of the method that failed within its class; 0 if no method caused the error.
    pub method_id: u16,
}

/// `404 NOT_FOUND - no queue 'nope' in vhost '/' (channel closed by method 50.30)`.
impl fmt::Display for AmqpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closed = match self.scope {
            Scope::Channel => "channel",
            Scope::Connection => "connection",
        };
        write!(f, "{} {} ({closed} closed", self.code.number(), self.text)?;
        if self.class_id != 0 {
            write!(f, " by method {}.{}", self.class_id, self.method_id)?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for AmqpError {}

/// A refusal before it is known which method it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: ReplyCode,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn new(code: ReplyCode, reason: impl Into<String>) -> Fault {
        Fault { code, reason: reason.into() }
    }

    pub(crate) fn precondition(reason: impl Into<String>) -> Fault {
        Fault::new(ReplyCode::PreconditionFailed, reason)
    }

    pub(crate) fn refused(reason: impl Into<String>) -> Fault {
        Fault::new(ReplyCode::AccessRefused, reason)
    }

    pub(crate) fn no_queue(vhost: &str, name: &str) -> Fault {
        Fault::new(ReplyCode::NotFound, format!("no {}", queue_in_vhost(vhost, name)))
    }

    pub(crate) fn no_exchange(vhost: &str, name: &str) -> Fault {
        Fault::new(ReplyCode::NotFound, format!("no {}", exchange_in_vhost(vhost, name)))
    }

    /// A failed precondition whose reason ends with an Erlang term, as the server prints it. A
    /// tuple that would reach column 80 continues on the next line.
    pub(crate) fn precondition_term(mut reason: String, term: &str) -> Fault {
        let column = reason.chars().count();
        match term.split_once(',') {
            Some((tag, value)) if term.starts_with('{') && column + 1 + term.len() >= 80 => {
                let indent = " ".repeat(column + 1);
                reason.push_str(&format!("{tag},\n{indent}{value}"));
            }
            _ => reason.push_str(term),
        }
        Fault::precondition(reason)
    }

    /// The error of a request that crashes the server's process.
    pub(crate) fn internal() -> Fault {
        Fault::new(ReplyCode::InternalError, "")
    }

    /// Returns the error for a failure of `method`.
    pub(crate) fn of(self, method: MethodId) -> AmqpError {
        // A crash names no method.
        let method = if self.reason.is_empty() { MethodId::NONE } else { method };
        AmqpError {
            scope: self.code.scope(),
            code: self.code,
            text: match self.reason.as_str() {
                "" => self.code.name().to_owned(),
                reason => format!("{} - {reason}", self.code.name()),
            },
            class_id: method.class,
            method_id: method.method,
        }
    }
}

/// Returns a queue as the server's texts name it.
pub(crate) fn queue_in_vhost(vhost: &str, name: &str) -> String {
    format!("queue '{name}' in vhost '{vhost}'")
}

/// Returns an exchange as the server's texts name it.
pub(crate) fn exchange_in_vhost(vhost: &str, name: &str) -> String {
    format!("exchange '{name}' in vhost '{vhost}'")
}
