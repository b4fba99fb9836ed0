//! Methods as clients send them: each is passed to the typed method of its name, and what that
//! returns becomes an output. `stage.rs` decides the order of outputs.

use super::refusal::{Refusal, RefusalError};
use super::{Broker, Session};
use crate::Instant;
use crate::rabbitmq::protocol::error::{AmqpError, Fault, ReplyCode, Scope};
use crate::rabbitmq::protocol::id::{ChannelId, ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::method::{Event, Method, Output, ids};

/// The answer to a method; `None` if it has none, or if the client wants none.
type Answer = Result<Option<Event>, AmqpError>;

impl Broker {
    /// Runs a method as a client sent it. Its answer, or the close that it caused, is among the
    /// outputs.
    ///
    /// On a connection that is not open, every method but [`Method::ConnectionOpen`] is ignored. On
    /// a channel that the broker has closed, every method but [`Method::ChannelClose`] and
    /// [`Method::ChannelCloseOk`] is ignored.
    pub fn handle_input(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        channel: ChannelNumber,
        method: Method,
    ) {
        self.heard(connection);
        let ch = ChannelId { connection, number: channel };
        let answered = match method {
            // Most methods are one of these two.
            Method::BasicPublish(publish) if self.runs_at_once(ch) => {
                self.outputs.settle();
                self.basic_publish(now, ch, publish).map(|_| None)
            }
            Method::BasicAck { delivery_tag, multiple } if self.runs_at_once(ch) => {
                self.outputs.settle();
                self.basic_ack(now, ch, delivery_tag, multiple).map(|()| None)
            }
            method => match self.run(now, ch, method) {
                Some(answered) => answered,
                None => return,
            },
        };
        match answered {
            Ok(event) => {
                self.outputs.answered(event.map(|event| Output { connection, channel, event }));
            }
            Err(error) => {
                let (channel, event) = match error.scope {
                    Scope::Channel => (channel, Event::ChannelClose(Box::new(error))),
                    Scope::Connection => {
                        (ChannelNumber(0), Event::ConnectionClose(Box::new(error)))
                    }
                };
                self.outputs.closed(Output { connection, channel, event });
            }
        }
        if !self.committed.is_empty() {
            self.resume_after_commits(now);
        }
    }

    /// Returns whether nothing keeps a method of a channel from running, so that it needs no look.
    fn runs_at_once(&mut self, ch: ChannelId) -> bool {
        let caller = self.caller(ch);
        let channel = caller.and_then(|caller| self.channels.get(caller.channel));
        channel.is_some_and(|channel| channel.transaction.is_none())
            && self.alarms.is_empty()
            && self.refusals.is_empty()
    }

    /// Runs a method, unless it is ignored or kept for later.
    fn run(&mut self, now: Instant, ch: ChannelId, method: Method) -> Option<Answer> {
        let method = self.after_commit(ch, method)?;
        let method = self.read(ch.connection, ch.number, method)?;
        if !self.takes(ch.connection, ch.number, &method) {
            return None;
        }
        // A step that failed without an answer ends here, before a refusal can join it.
        self.outputs.settle();
        if let Some(error) = self.refusal_of(now, ch, &method) {
            return Some(Err(error));
        }
        if needs_step(&method) {
            self.outputs.begin(ch);
        }
        Some(self.answer(now, ch, method))
    }

    /// Returns whether the broker would act on a method of a client. It would not if it has given
    /// the connection up, or if it has closed the channel and waits for the answer.
    #[must_use]
    pub fn takes(&self, connection: ConnectionId, channel: ChannelNumber, method: &Method) -> bool {
        let id = ChannelId { connection, number: channel };
        if self.recent.is_some_and(|r| r.id == id && self.channels.get(r.channel).is_some()) {
            return true;
        }
        if !self.has_connection(connection) {
            return matches!(method, Method::ConnectionOpen(_));
        }
        match self.sessions.get(&id) {
            Some(Session::Failed(failure)) => match method {
                Method::ChannelClose | Method::ChannelCloseOk => true,
                Method::ChannelOpen => failure.has_crossed,
                _ => false,
            },
            Some(Session::Open(..)) | None => true,
        }
    }

    /// Refuses methods of clients from now on, instead of running them; see [`Refusal`]. A refusal
    /// survives a restart of the broker.
    ///
    /// # Errors
    ///
    /// [`RefusalError`] for a refusal that could never refuse anything.
    pub fn refuse(&mut self, now: Instant, refusal: Refusal) -> Result<(), RefusalError> {
        self.refusals.add(now, refusal)
    }

    /// Ends all refusals.
    pub fn refuse_nothing(&mut self) {
        self.refusals.clear();
    }

    /// Returns the error of a method that is refused, after closing what it closes.
    fn refusal_of(&mut self, now: Instant, ch: ChannelId, method: &Method) -> Option<AmqpError> {
        if self.refusals.is_empty() {
            return None;
        }
        let opens = match method {
            Method::ConnectionOpen(_) => self.running && !self.has_connection(ch.connection),
            Method::ChannelOpen => ch.number.0 > 0 && !self.sessions.contains_key(&ch),
            _ => matches!(self.sessions.get(&ch), Some(Session::Open(..))),
        };
        if !opens {
            // The method fails by itself.
            return None;
        }
        let fault = self.refusals.refuse(now, method, &mut self.names)?;
        let mut error = fault.of(method.id());
        match method {
            Method::ConnectionOpen(_) => error.scope = Scope::Connection,
            Method::ChannelOpen if error.scope == Scope::Channel => {
                self.open_as_failed(ch, error.clone());
            }
            _ => {}
        }
        Some(self.fail(now, ch, error))
    }

    /// Runs a method and returns its answer. Every method of AMQP is named here.
    fn answer(&mut self, now: Instant, ch: ChannelId, method: Method) -> Answer {
        let id = method.id();
        let unless = |no_wait: bool, event| (!no_wait).then_some(event);
        match method {
            Method::ConnectionOpen(options) => {
                let opened = self.connection_open(now, ch.connection, *options);
                opened.map(|()| Some(Event::ConnectionOpenOk))
            }
            Method::ConnectionClose => {
                let closed = self.connection_close(now, ch.connection);
                closed.map(|()| Some(Event::ConnectionCloseOk))
            }
            Method::ConnectionUpdateSecret { .. } => Ok(Some(Event::ConnectionUpdateSecretOk)),
            Method::ConnectionCloseOk | Method::Heartbeat | Method::ChannelFlowOk { .. } => {
                Ok(None)
            }
            Method::AccessRequest => {
                self.on_channel(now, ch, id, |_, _| Ok(Some(Event::AccessRequestOk)))
            }
            Method::ChannelOpen => self.channel_open(now, ch).map(|()| Some(Event::ChannelOpenOk)),
            Method::ChannelClose => self.answer_close(now, ch),
            Method::ChannelCloseOk => self.answer_close_ok(now, ch),
            Method::ChannelFlow { active } => {
                let flow = |_: &mut Broker, _| match active {
                    true => Ok(Some(Event::ChannelFlowOk { active })),
                    false => Err(Fault::new(ReplyCode::NotImplemented, "active=false")),
                };
                self.on_channel(now, ch, id, flow)
            }
            Method::ExchangeDeclare { exchange, options, no_wait } => {
                let declared = self.exchange_declare(now, ch, &exchange, *options);
                declared.map(|()| unless(no_wait, Event::ExchangeDeclareOk))
            }
            Method::ExchangeDelete { exchange, if_unused, no_wait } => {
                let deleted = self.exchange_delete(now, ch, &exchange, if_unused);
                deleted.map(|()| unless(no_wait, Event::ExchangeDeleteOk))
            }
            Method::ExchangeBind { binding, no_wait } => {
                let bound = self.exchange_bind(now, ch, *binding);
                bound.map(|()| unless(no_wait, Event::ExchangeBindOk))
            }
            Method::ExchangeUnbind { binding, no_wait } => {
                let unbound = self.exchange_unbind(now, ch, *binding);
                unbound.map(|()| unless(no_wait, Event::ExchangeUnbindOk))
            }
            Method::QueueDeclare { queue, options, no_wait } => {
                let declared = self.queue_declare(now, ch, &queue, options);
                declared.map(|declared| unless(no_wait, Event::QueueDeclareOk(declared)))
            }
            Method::QueueBind { binding, no_wait } => {
                let bound = self.queue_bind(now, ch, *binding);
                bound.map(|()| unless(no_wait, Event::QueueBindOk))
            }
            Method::QueueUnbind { binding } => {
                self.queue_unbind(now, ch, *binding).map(|()| Some(Event::QueueUnbindOk))
            }
            Method::QueuePurge { queue, no_wait } => {
                let purged = self.queue_purge(now, ch, &queue);
                purged.map(|message_count| unless(no_wait, Event::QueuePurgeOk { message_count }))
            }
            Method::QueueDelete { queue, if_unused, if_empty, no_wait } => {
                let deleted = self.queue_delete(now, ch, &queue, if_unused, if_empty);
                deleted.map(|message_count| unless(no_wait, Event::QueueDeleteOk { message_count }))
            }
            Method::BasicQos { prefetch_size, prefetch_count, global } => {
                let limited = self.basic_qos(now, ch, prefetch_size, prefetch_count, global);
                limited.map(|()| Some(Event::BasicQosOk))
            }
            Method::BasicConsume { queue, options, no_wait } => {
                let consumed = self.basic_consume(now, ch, &queue, *options);
                consumed.map(|consumer_tag| unless(no_wait, Event::BasicConsumeOk { consumer_tag }))
            }
            Method::BasicCancel { consumer_tag, no_wait } => {
                let cancelled = self.basic_cancel(now, ch, &consumer_tag);
                cancelled.map(|()| unless(no_wait, Event::BasicCancelOk { consumer_tag }))
            }
            Method::BasicPublish(publish) => self.basic_publish(now, ch, publish).map(|_| None),
            Method::BasicGet { queue, no_ack } => {
                let got = self.basic_get(now, ch, &queue, no_ack)?;
                Ok(Some(got.map_or(Event::GetEmpty, Event::GetOk)))
            }
            Method::BasicAck { delivery_tag, multiple } => {
                self.basic_ack(now, ch, delivery_tag, multiple).map(|()| None)
            }
            Method::BasicNack { delivery_tag, multiple, requeue } => {
                self.basic_nack(now, ch, delivery_tag, multiple, requeue).map(|()| None)
            }
            Method::BasicReject { delivery_tag, requeue } => {
                self.basic_reject(now, ch, delivery_tag, requeue).map(|()| None)
            }
            Method::BasicRecover { requeue } => {
                self.basic_recover(now, ch, requeue).map(|()| Some(Event::BasicRecoverOk))
            }
            Method::BasicRecoverAsync { requeue } => {
                self.recover(now, ch, ids::BASIC_RECOVER_ASYNC, requeue).map(|()| None)
            }
            Method::ConfirmSelect { no_wait } => {
                let selected = self.confirm_select(now, ch);
                selected.map(|()| unless(no_wait, Event::ConfirmSelectOk))
            }
            Method::TxSelect => self.tx_select(now, ch).map(|()| Some(Event::TxSelectOk)),
            Method::TxCommit => self.tx_commit(now, ch).map(|()| None),
            Method::TxRollback => self.tx_rollback(now, ch).map(|()| Some(Event::TxRollbackOk)),
        }
    }

    fn answer_close(&mut self, now: Instant, ch: ChannelId) -> Answer {
        if let Some(Session::Failed(failure)) = self.sessions.get_mut(&ch) {
            // The two closes have crossed. The client still has to answer ours, which frees the
            // number.
            failure.has_crossed = true;
            return Ok(Some(Event::ChannelCloseOk));
        }
        self.channel_close(now, ch).map(|()| Some(Event::ChannelCloseOk))
    }

    fn answer_close_ok(&mut self, now: Instant, ch: ChannelId) -> Answer {
        match self.sessions.get(&ch) {
            Some(Session::Failed(_)) => self.channel_close(now, ch).map(|()| None),
            Some(Session::Open(..)) => self.on_channel(now, ch, ids::CHANNEL_CLOSE_OK, |_, _| {
                Err(Fault::new(ReplyCode::CommandInvalid, "unimplemented method"))
            }),
            None => Err(self.not_open(now, ch, ids::CHANNEL_CLOSE_OK)),
        }
    }
}

/// Returns whether a method runs in a step: it has an answer, or may fail after it had effects.
fn needs_step(method: &Method) -> bool {
    match method {
        Method::BasicPublish(_)
        | Method::BasicAck { .. }
        | Method::BasicNack { .. }
        | Method::BasicReject { .. }
        | Method::BasicRecoverAsync { .. }
        | Method::ConnectionCloseOk
        | Method::ChannelFlowOk { .. }
        | Method::Heartbeat
        // A commit begins a step of its own.
        | Method::TxCommit => false,
        Method::ConnectionOpen(_)
        | Method::ConnectionClose
        | Method::ConnectionUpdateSecret { .. }
        | Method::ChannelOpen
        | Method::ChannelFlow { .. }
        | Method::AccessRequest
        | Method::ChannelClose
        | Method::ChannelCloseOk
        | Method::ExchangeDeclare { .. }
        | Method::ExchangeDelete { .. }
        | Method::ExchangeBind { .. }
        | Method::ExchangeUnbind { .. }
        | Method::QueueDeclare { .. }
        | Method::QueueBind { .. }
        | Method::QueueUnbind { .. }
        | Method::QueuePurge { .. }
        | Method::QueueDelete { .. }
        | Method::BasicQos { .. }
        | Method::BasicConsume { .. }
        | Method::BasicCancel { .. }
        | Method::BasicGet { .. }
        | Method::BasicRecover { .. }
        | Method::ConfirmSelect { .. }
        | Method::TxSelect
        | Method::TxRollback => true,
    }
}
