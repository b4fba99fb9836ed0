//! Refusals: a broker that is up and closes what clients ask for.
//!
//! A [`Refusal`] says which connections, channels or methods are answered with a close instead of
//! being served, how often and for how long. The reply code decides what is closed, as for every
//! error of AMQP: a channel, or the whole connection. Refusals are tried in the order in which
//! they were given; the first that matches answers. Closes and heartbeats are never refused.
//!
//! Source: AMQP 0-9-1, the table of reply codes; <https://www.rabbitmq.com/docs/channels>.

use super::error::{Fault, ReplyCode};
use super::method::Method;
use crate::choice::Stream;
use crate::time::Instant;
use smol_str::SmolStr;
use std::time::Duration;

/// Every method that can be refused.
const METHODS: [&str; 27] = [
    "connection.open",
    "connection.update-secret",
    "channel.open",
    "channel.flow",
    "access.request",
    "exchange.declare",
    "exchange.delete",
    "exchange.bind",
    "exchange.unbind",
    "queue.declare",
    "queue.bind",
    "queue.unbind",
    "queue.purge",
    "queue.delete",
    "basic.qos",
    "basic.consume",
    "basic.cancel",
    "basic.publish",
    "basic.get",
    "basic.ack",
    "basic.nack",
    "basic.reject",
    "basic.recover",
    "confirm.select",
    "tx.select",
    "tx.commit",
    "tx.rollback",
];

/// A refusal that could never match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalError {
    /// No method of AMQP 0-9-1 that a client may send and a broker refuse is called this.
    #[error("{0:?} is no method that can be refused; one is called basic.publish, say")]
    UnknownMethod(SmolStr),
}

/// Methods that are answered with a close instead of being served.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::rabbitmq::{self, BrokerOptions, Connection, Error, Refusal, ReplyCode};
/// use stunt_double::sim::Sim;
///
/// let mut sim = Sim::new(1);
/// let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
/// let maintenance = Refusal::connections(ReplyCode::ConnectionForced, "maintenance");
/// rabbit.refuse(maintenance.lasting(Duration::from_secs(30)))?;
/// sim.node_with("client", rabbit, async |node, rabbit| {
///     while let Err(error) = Connection::open(&node, &rabbit).await {
///         assert_eq!(error.amqp().unwrap().text, "CONNECTION_FORCED - maintenance");
///         node.sleep(Duration::from_secs(7)).await;
///     }
///     node.note("connected");
///     Ok::<(), Error>(())
/// });
/// sim.run().expect_done();
/// assert!(sim.trace().notes().contains("35.000s  client       connected"));
/// # Ok::<(), stunt_double::rabbitmq::RefusalError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refusal does nothing until it is given to a broker"]
pub struct Refusal {
    method: SmolStr,
    /// What the method must name, if anything.
    target: Option<SmolStr>,
    code: ReplyCode,
    reason: String,
    /// How many methods it still refuses; `None` is all.
    left: Option<u64>,
    /// How long it lasts once it is given, and then until when.
    lasting: Option<Duration>,
    until: Option<Instant>,
    /// One in so many methods that match is refused.
    one_in: u64,
}

impl Refusal {
    /// Answers this method, such as `basic.publish`, with a close of this code. What it closes
    /// follows from the code ([`ReplyCode::scope`]); the text becomes the code's name, ` - `, and
    /// `reason`.
    pub fn method(name: impl Into<SmolStr>, code: ReplyCode, reason: impl Into<String>) -> Refusal {
        Refusal {
            method: name.into(),
            target: None,
            code,
            reason: reason.into(),
            left: None,
            lasting: None,
            until: None,
            one_in: 1,
        }
    }

    /// Answers `connection.open` with `connection.close`: a broker in maintenance
    /// ([`ReplyCode::ConnectionForced`]), or one at its limit of connections
    /// ([`ReplyCode::NotAllowed`]).
    pub fn connections(code: ReplyCode, reason: impl Into<String>) -> Refusal {
        Refusal::method("connection.open", code, reason)
    }

    /// Answers `channel.open` with a close of this code: at a user's limit of channels
    /// RabbitMQ closes the connection with [`ReplyCode::NotAllowed`].
    pub fn channels(code: ReplyCode, reason: impl Into<String>) -> Refusal {
        Refusal::method("channel.open", code, reason)
    }

    /// Only where the method names this queue or exchange; for `basic.publish` its routing key
    /// or its exchange.
    pub fn naming(mut self, target: impl Into<SmolStr>) -> Refusal {
        self.target = Some(target.into());
        self
    }

    /// Only the next `n` that match.
    pub fn times(mut self, n: u64) -> Refusal {
        self.left = Some(n);
        self
    }

    /// Only for this long, from when it is given to the broker.
    pub fn lasting(mut self, time: Duration) -> Refusal {
        self.lasting = Some(time);
        self
    }

    /// Only one in `n` that match, as the broker's stream of choices draws it; 0 is taken as 1.
    /// The calm choice is not to refuse.
    pub fn one_in(mut self, n: u64) -> Refusal {
        self.one_in = n.max(1);
        self
    }

    fn fits(&self, method: &Method) -> bool {
        let shown = method.to_string();
        let name = shown.split(' ').next().unwrap_or_default();
        // The deprecated form without an answer is the same request.
        let name = if name == "basic.recover-async" { "basic.recover" } else { name };
        name == self.method
            && self.target.as_ref().is_none_or(|wanted| targets(method).contains(&wanted.as_str()))
    }
}

/// What a method names.
fn targets(method: &Method) -> [&str; 2] {
    match method {
        Method::BasicPublish(publish) => [&publish.exchange, &publish.routing_key],
        Method::ExchangeDeclare { exchange, .. } | Method::ExchangeDelete { exchange, .. } => {
            [exchange, exchange]
        }
        Method::ExchangeBind { binding, .. } | Method::ExchangeUnbind { binding, .. } => {
            [&binding.source, &binding.destination]
        }
        Method::QueueBind { binding, .. } | Method::QueueUnbind { binding } => {
            [&binding.queue, &binding.exchange]
        }
        Method::QueueDeclare { queue, .. }
        | Method::QueuePurge { queue, .. }
        | Method::QueueDelete { queue, .. }
        | Method::BasicConsume { queue, .. }
        | Method::BasicGet { queue, .. } => [queue, queue],
        Method::BasicCancel { consumer_tag, .. } => [consumer_tag, consumer_tag],
        Method::ConnectionOpen(options) => [&options.virtual_host, &options.user],
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
        | Method::BasicAck { .. }
        | Method::BasicNack { .. }
        | Method::BasicReject { .. }
        | Method::BasicRecover { .. }
        | Method::BasicRecoverAsync { .. }
        | Method::ConfirmSelect { .. }
        | Method::TxSelect
        | Method::TxCommit
        | Method::TxRollback => ["", ""],
    }
}

/// Every refusal that a broker was given and that is not over.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Vec<Refusal>);

impl Refusals {
    pub(crate) fn add(&mut self, now: Instant, mut refusal: Refusal) -> Result<(), RefusalError> {
        if !METHODS.contains(&refusal.method.as_str()) {
            return Err(RefusalError::UnknownMethod(refusal.method));
        }
        refusal.until = refusal.lasting.map(|time| now + time);
        self.0.push(refusal);
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a method is answered with, if it is refused.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        method: &Method,
        random: &mut Stream,
    ) -> Option<Fault> {
        self.0.retain(|r| r.left != Some(0) && r.until.is_none_or(|until| until > now));
        for refusal in self.0.iter_mut().filter(|refusal| refusal.fits(method)) {
            // The last of several is the unlucky one, so that 0 is calm.
            if refusal.one_in > 1 && random.choose(refusal.one_in) != refusal.one_in - 1 {
                continue;
            }
            if let Some(left) = &mut refusal.left {
                *left -= 1;
            }
            return Some(Fault::new(refusal.code, refusal.reason.clone()));
        }
        None
    }
}
