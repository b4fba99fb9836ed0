//! Refusals: a broker that is up and refuses.
//!
//! A [`Refusal`] defines what is refused (connections, channels, or a method by its name), with
//! which close, how often and for how long. To a client it looks like a full vhost, a lost quorum
//! or an operator's intervention. It applies to methods of clients, typed or from the wire, but not
//! to what a test does at the broker itself. Refusals are tried in the order in which they were
//! added; the first that matches answers.
//!
//! Source: AMQP 0-9-1, section 1.2, for which codes close a channel and which a connection. A
//! refused connection is closed whatever the code, as the server does.

use crate::Instant;
use crate::rabbitmq::protocol::error::{Fault, ReplyCode};
use crate::rabbitmq::protocol::method::Method;
use crate::rabbitmq::protocol::names::Names;
use smol_str::SmolStr;
use std::fmt;
use std::time::Duration;

/// The requests that a refusal matches.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Connections,
    Channels,
    Method(SmolStr),
}

/// Methods that are refused instead of being run.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::rabbitmq::{self, BrokerOptions, Connection, Error, ReplyCode};
/// use stunt_double::rabbitmq::Refusal;
/// use stunt_double::sim::Sim;
///
/// let mut sim = Sim::new(1);
/// let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
/// let full = Refusal::connections(ReplyCode::NotAllowed, "connection limit (100) is reached");
/// rabbit.refuse(full.lasting(Duration::from_secs(30)))?;
/// sim.node_with("worker", rabbit, async |node, rabbit| {
///     while let Err(error) = Connection::connect(&node, &rabbit).await {
///         assert_eq!(error.amqp().map(|amqp| amqp.code), Some(ReplyCode::NotAllowed));
///         node.sleep(Duration::from_secs(7)).await;
///     }
///     assert_eq!(node.now().since_start(), Duration::from_secs(35));
///     Ok::<(), Error>(())
/// });
/// sim.run().expect_done();
/// # Ok::<(), rabbitmq::RefusalError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refusal does nothing until it is given to a broker"]
pub struct Refusal {
    target: Target,
    /// The vhost, queue or exchange that must be named.
    on: Option<SmolStr>,
    code: ReplyCode,
    reason: String,
    /// How many methods it still refuses; `None` means all.
    left: Option<u64>,
    lasting: Option<Duration>,
    until: Option<Instant>,
    /// One in this many matching methods is refused.
    one_in: u64,
}

/// Why a refusal could never refuse anything.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalError {
    /// No method of this name can be refused: it does not exist, or the server sends it, or it
    /// closes something.
    UnknownMethod(String),
    /// The reply code closes nothing.
    NotAnError(ReplyCode),
    /// [`Refusal::on`] for a request that names no queue and no exchange.
    NamesNothing(String),
    /// Its number is 0, or its time is over already.
    Never,
}

impl fmt::Display for RefusalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefusalError::UnknownMethod(value) => write!(
                f,
                "{value:?} cannot be refused: give the name of a method that clients send and that \
                 closes nothing, such as `basic.publish`"
            ),
            RefusalError::NotAnError(value) => write!(
                f,
                "{value} closes neither a channel nor a connection: give a reply code that does"
            ),
            RefusalError::NamesNothing(value) => write!(
                f,
                "{value} names no queue and no exchange, so the refusal cannot be limited to one"
            ),
            RefusalError::Never => f.write_str(
                "the refusal would never refuse anything: its number is 0, or its time is over \
                 already",
            ),
        }
    }
}

impl std::error::Error for RefusalError {}

impl Refusal {
    fn new(target: Target, code: ReplyCode, reason: impl Into<String>) -> Refusal {
        let reason = reason.into();
        let (left, lasting, until) = (None, None, None);
        Refusal { target, on: None, code, reason, left, lasting, until, one_in: 1 }
    }

    /// Refuses connections when they are opened (`connection.open`).
    pub fn connections(code: ReplyCode, reason: impl Into<String>) -> Refusal {
        Refusal::new(Target::Connections, code, reason)
    }

    /// Refuses channels when they are opened (`channel.open`). A code that closes channels leaves
    /// the connection open.
    pub fn channels(code: ReplyCode, reason: impl Into<String>) -> Refusal {
        Refusal::new(Target::Channels, code, reason)
    }

    /// Refuses a method of a channel, by its name in AMQP, such as `basic.publish`. The code
    /// decides whether the channel or its connection is closed.
    pub fn method(name: impl Into<SmolStr>, code: ReplyCode, reason: impl Into<String>) -> Refusal {
        Refusal::new(Target::Method(name.into()), code, reason)
    }

    /// Limits the refusal to requests that name this queue or exchange. A publish to the default
    /// exchange names its routing key. A refusal of connections is limited to this vhost.
    pub fn on(mut self, name: impl Into<SmolStr>) -> Refusal {
        self.on = Some(name.into());
        self
    }

    /// Limits the refusal to the next `n` matching requests.
    pub fn times(mut self, n: u64) -> Refusal {
        self.left = Some(n);
        self
    }

    /// Limits the refusal to this time, from when it is added to the broker.
    pub fn lasting(mut self, time: Duration) -> Refusal {
        self.lasting = Some(time);
        self
    }

    /// Limits the refusal to requests before this moment.
    pub fn until(mut self, end: Instant) -> Refusal {
        self.until = Some(end);
        self
    }

    /// Refuses only one in `n` matching requests, drawn from the broker's stream of choices; 0 is
    /// treated as 1. The calm choice is not to refuse.
    pub fn one_in(mut self, n: u64) -> Refusal {
        self.one_in = n.max(1);
        self
    }

    fn check(&self, now: Instant) -> Result<(), RefusalError> {
        if self.code == ReplyCode::NoRoute {
            return Err(RefusalError::NotAnError(self.code));
        }
        if self.left == Some(0) || self.until.is_some_and(|until| until <= now) {
            return Err(RefusalError::Never);
        }
        let (name, names_something) = match &self.target {
            Target::Connections => ("connection.open", true),
            Target::Channels => ("channel.open", false),
            Target::Method(name) => match METHODS.iter().find(|(known, _)| known == name) {
                None => return Err(RefusalError::UnknownMethod(name.to_string())),
                Some((known, names_something)) => (*known, *names_something),
            },
        };
        if self.on.is_some() && !names_something {
            return Err(RefusalError::NamesNothing(name.to_owned()));
        }
        Ok(())
    }

    fn matches(&self, method: &Method) -> bool {
        let wanted = match &self.target {
            Target::Connections => "connection.open",
            Target::Channels => "channel.open",
            Target::Method(name) => name.as_str(),
        };
        method.name() == wanted
            && self
                .on
                .as_ref()
                .is_none_or(|on| named(method).into_iter().flatten().any(|n| n == on))
    }
}

/// The methods that can be refused on a channel, and whether they name a queue or an exchange.
const METHODS: &[(&str, bool)] = &[
    ("channel.flow", false),
    ("access.request", false),
    ("exchange.declare", true),
    ("exchange.delete", true),
    ("exchange.bind", true),
    ("exchange.unbind", true),
    ("queue.declare", true),
    ("queue.bind", true),
    ("queue.unbind", true),
    ("queue.purge", true),
    ("queue.delete", true),
    ("basic.qos", false),
    ("basic.consume", true),
    ("basic.cancel", false),
    ("basic.publish", true),
    ("basic.get", true),
    ("basic.ack", false),
    ("basic.nack", false),
    ("basic.reject", false),
    ("basic.recover", false),
    ("basic.recover-async", false),
    ("confirm.select", false),
    ("tx.select", false),
    ("tx.commit", false),
    ("tx.rollback", false),
];

/// The names in a method: a vhost, or a queue and an exchange.
fn named(method: &Method) -> [Option<&SmolStr>; 2] {
    match method {
        Method::ConnectionOpen(options) => [Some(&options.virtual_host), None],
        Method::ExchangeDeclare { exchange, .. } | Method::ExchangeDelete { exchange, .. } => {
            [Some(exchange), None]
        }
        Method::ExchangeBind { binding, .. } | Method::ExchangeUnbind { binding, .. } => {
            [Some(&binding.destination), Some(&binding.source)]
        }
        Method::QueueDeclare { queue, .. }
        | Method::QueuePurge { queue, .. }
        | Method::QueueDelete { queue, .. }
        | Method::BasicConsume { queue, .. }
        | Method::BasicGet { queue, .. } => [Some(queue), None],
        Method::QueueBind { binding, .. } => [Some(&binding.queue), Some(&binding.exchange)],
        Method::QueueUnbind { binding } => [Some(&binding.queue), Some(&binding.exchange)],
        Method::BasicPublish(publish) if publish.exchange.is_empty() => {
            [Some(&publish.routing_key), Some(&publish.exchange)]
        }
        Method::BasicPublish(publish) => [Some(&publish.exchange), None],
        Method::ConnectionClose
        | Method::ConnectionCloseOk
        | Method::ConnectionUpdateSecret { .. }
        | Method::Heartbeat
        | Method::ChannelOpen
        | Method::ChannelFlow { .. }
        | Method::ChannelFlowOk { .. }
        | Method::AccessRequest
        | Method::ChannelClose
        | Method::ChannelCloseOk
        | Method::BasicQos { .. }
        | Method::BasicCancel { .. }
        | Method::BasicAck { .. }
        | Method::BasicNack { .. }
        | Method::BasicReject { .. }
        | Method::BasicRecover { .. }
        | Method::BasicRecoverAsync { .. }
        | Method::ConfirmSelect { .. }
        | Method::TxSelect
        | Method::TxCommit
        | Method::TxRollback => [None, None],
    }
}

/// The refusals that are in force.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Vec<Refusal>);

impl Refusals {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, now: Instant, mut refusal: Refusal) -> Result<(), RefusalError> {
        if let Some(time) = refusal.lasting {
            let end = now.saturating_add(time);
            refusal.until = Some(refusal.until.map_or(end, |until| until.min(end)));
        }
        refusal.check(now)?;
        self.0.push(refusal);
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the close with which a method is answered, if it is refused.
    pub(crate) fn refuse(
        &mut self,
        now: Instant,
        method: &Method,
        names: &mut Names,
    ) -> Option<Fault> {
        self.0.retain(|r| r.left != Some(0) && r.until.is_none_or(|until| until > now));
        for refusal in &mut self.0 {
            if !refusal.matches(method) {
                continue;
            }
            if refusal.one_in > 1 && !names.happens(refusal.one_in) {
                continue;
            }
            if let Some(left) = &mut refusal.left {
                *left -= 1;
            }
            return Some(Fault::new(refusal.code, refusal.reason.as_str()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_could_never_refuse_is_refused() {
        let given = |refusal| Refusals::default().add(Instant::ZERO, refusal);
        let method = |name| Refusal::method(name, ReplyCode::NotFound, "no");
        for (name, names_something) in METHODS {
            assert_eq!(given(method(*name)), Ok(()), "{name}");
            assert_eq!(given(method(*name).on("q")).is_ok(), *names_something, "{name}");
        }
        for name in ["basic.deliver", "basic.publis", "channel.close", "connection.close"] {
            assert_eq!(given(method(name)), Err(RefusalError::UnknownMethod(name.to_owned())));
        }
        let route = Refusal::channels(ReplyCode::NoRoute, "no");
        assert_eq!(given(route), Err(RefusalError::NotAnError(ReplyCode::NoRoute)));
        let channels = || Refusal::channels(ReplyCode::NotAllowed, "no");
        assert_eq!(
            given(channels().on("q")).unwrap_err().to_string(),
            "channel.open names no queue and no exchange, so the refusal cannot be limited to one"
        );
        assert_eq!(given(channels().times(0)), Err(RefusalError::Never));
        assert_eq!(given(channels().lasting(Duration::ZERO)), Err(RefusalError::Never));
        assert_eq!(given(channels().until(Instant::ZERO)), Err(RefusalError::Never));
    }
}
