//! Methods as they come from a client: each is handed to the typed one, and
//! what that returns becomes an output.
//!
//! An answer goes out *before* what the method has caused: `consume-ok` before
//! the first delivery, `delete-ok` before the consumers are told. The server
//! has that order because a channel does one method at a time.

use super::refusal::{Refusal, RefusalError};
use super::{Broker, Session};
use crate::Instant;
use crate::rabbitmq::protocol::error::{AmqpError, Fault, ReplyCode, Scope};
use crate::rabbitmq::protocol::id::{ChannelId, ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::method::{Event, Method, Output, ids};

/// What a method is answered with: nothing if it has no answer, or none was
/// wanted.
type Answer = Result<Option<Event>, AmqpError>;

impl Broker {
    /// Does a method as a client sent it. Its answer, or the close it caused,
    /// is among the outputs.
    ///
    /// On a connection that is not open everything is ignored but
    /// [`Method::ConnectionOpen`]; on a channel the broker has closed,
    /// everything but [`Method::ChannelClose`] and [`Method::ChannelCloseOk`].
    pub fn handle_input(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        channel: ChannelNumber,
        method: Method,
    ) {
        self.heard(connection);
        let ch = ChannelId { connection, number: channel };
        let Some(method) = self.after_commit(ch, method) else { return };
        let Some(method) = self.read(connection, channel, method) else { return };
        if !self.takes(connection, channel, &method) {
            return;
        }
        let mut mark = self.outputs.len();
        let answered = match self.refusal_of(now, ch, &method) {
            Some(error) => Err(error),
            None => self.answer(now, ch, method),
        };
        let answer = match answered {
            Ok(event) => event.map(|event| (channel, event)),
            Err(error) => {
                mark = self.behind_own_outputs(ch, mark);
                Some(match error.scope {
                    Scope::Channel => (channel, Event::ChannelClose(Box::new(error))),
                    Scope::Connection => {
                        (ChannelNumber(0), Event::ConnectionClose(Box::new(error)))
                    }
                })
            }
        };
        if let Some((channel, event)) = answer {
            self.outputs.insert(mark, Output { connection, channel, event });
        }
        if !self.committed.is_empty() {
            self.go_on_after_commits(now);
        }
    }

    /// Returns whether the broker would act on a method of a client: not if it has
    /// given the connection up, or has closed the channel and awaits the answer.
    #[must_use]
    pub fn takes(&self, connection: ConnectionId, channel: ChannelNumber, method: &Method) -> bool {
        if !self.has_connection(connection) {
            return matches!(method, Method::ConnectionOpen(_));
        }
        match self.sessions.get(&ChannelId { connection, number: channel }) {
            Some(Session::Failed(failure)) => match method {
                Method::ChannelClose | Method::ChannelCloseOk => true,
                Method::ChannelOpen => failure.has_crossed,
                _ => false,
            },
            Some(Session::Open(..)) | None => true,
        }
    }

    /// Refuses methods of clients from now on, instead of doing them; see [`Refusal`].
    /// It outlasts a restart of the broker.
    ///
    /// # Errors
    ///
    /// Those of a refusal that could never refuse anything.
    pub fn refuse(&mut self, now: Instant, refusal: Refusal) -> Result<(), RefusalError> {
        self.refusals.add(now, refusal)
    }

    /// Ends every refusal.
    pub fn refuse_nothing(&mut self) {
        self.refusals.clear();
    }

    /// Closes what a refused method closes, and returns the error, if it is refused.
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
            // It fails by itself.
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

    /// The place behind what a channel was given since a mark, before it failed.
    fn behind_own_outputs(&self, ch: ChannelId, mark: usize) -> usize {
        let is_own =
            |output: &Output| output.connection == ch.connection && output.channel == ch.number;
        // What the failure itself has caused comes after it.
        let until = self.said_before_failure.min(self.outputs.len());
        let said = self.outputs.range(mark.min(until)..until);
        said.rev().position(is_own).map_or(mark, |from_end| until - from_end)
    }

    fn answer(&mut self, now: Instant, ch: ChannelId, method: Method) -> Answer {
        let id = method.id();
        match method {
            Method::ConnectionOpen(options) => {
                let opened = self.connection_open(now, ch.connection, *options);
                opened.map(|()| Some(Event::ConnectionOpenOk))
            }
            Method::ConnectionClose => {
                let closed = self.connection_close(now, ch.connection);
                closed.map(|()| Some(Event::ConnectionCloseOk))
            }
            Method::ConnectionCloseOk => Ok(None),
            Method::ChannelOpen => self.channel_open(now, ch).map(|()| Some(Event::ChannelOpenOk)),
            Method::ChannelClose => match self.sessions.get_mut(&ch) {
                // The two closes have crossed: the client's answer to ours is
                // still to come, and frees the number.
                Some(Session::Failed(failure)) => {
                    failure.has_crossed = true;
                    Ok(Some(Event::ChannelCloseOk))
                }
                _ => self.channel_close(now, ch).map(|()| Some(Event::ChannelCloseOk)),
            },
            Method::ChannelCloseOk => match self.sessions.get(&ch) {
                Some(Session::Failed(_)) => self.channel_close(now, ch).map(|()| None),
                Some(Session::Open(..)) => {
                    self.on_channel(now, ch, ids::CHANNEL_CLOSE_OK, |_, _| {
                        Err(Fault::new(ReplyCode::CommandInvalid, "unimplemented method"))
                    })
                }
                None => Err(self.not_open(now, ch, ids::CHANNEL_CLOSE_OK)),
            },
            Method::ChannelFlow { active } => {
                let flow = |_: &mut Broker, _| match active {
                    true => Ok(Some(Event::ChannelFlowOk { active })),
                    false => Err(Fault::new(ReplyCode::NotImplemented, "active=false")),
                };
                self.on_channel(now, ch, id, flow)
            }
            Method::ConnectionUpdateSecret { .. } => Ok(Some(Event::ConnectionUpdateSecretOk)),
            Method::AccessRequest => {
                self.on_channel(now, ch, id, |_, _| Ok(Some(Event::AccessRequestOk)))
            }
            Method::Heartbeat | Method::ChannelFlowOk { .. } => Ok(None),
            Method::TxSelect => self.tx_select(now, ch).map(|()| Some(Event::TxSelectOk)),
            Method::TxCommit => self.tx_commit(now, ch).map(|()| None),
            Method::TxRollback => self.tx_rollback(now, ch).map(|()| Some(Event::TxRollbackOk)),
            declaration @ (Method::ExchangeDeclare { .. }
            | Method::ExchangeDelete { .. }
            | Method::ExchangeBind { .. }
            | Method::ExchangeUnbind { .. }
            | Method::QueueDeclare { .. }
            | Method::QueueBind { .. }
            | Method::QueueUnbind { .. }
            | Method::QueuePurge { .. }
            | Method::QueueDelete { .. }) => self.answer_declaration(now, ch, declaration),
            _ => self.answer_basic(now, ch, method),
        }
    }

    /// Classes exchange and queue.
    fn answer_declaration(&mut self, now: Instant, ch: ChannelId, method: Method) -> Answer {
        let (event, no_wait) = match method {
            Method::ExchangeDeclare { exchange, options, no_wait } => {
                self.exchange_declare(now, ch, &exchange, *options)?;
                (Event::ExchangeDeclareOk, no_wait)
            }
            Method::ExchangeDelete { exchange, if_unused, no_wait } => {
                self.exchange_delete(now, ch, &exchange, if_unused)?;
                (Event::ExchangeDeleteOk, no_wait)
            }
            Method::ExchangeBind { binding, no_wait } => {
                self.exchange_bind(now, ch, *binding)?;
                (Event::ExchangeBindOk, no_wait)
            }
            Method::ExchangeUnbind { binding, no_wait } => {
                self.exchange_unbind(now, ch, *binding)?;
                (Event::ExchangeUnbindOk, no_wait)
            }
            Method::QueueDeclare { queue, options, no_wait } => {
                let declared = self.queue_declare(now, ch, &queue, options)?;
                (Event::QueueDeclareOk(declared), no_wait)
            }
            Method::QueueBind { binding, no_wait } => {
                self.queue_bind(now, ch, *binding)?;
                (Event::QueueBindOk, no_wait)
            }
            Method::QueueUnbind { binding } => {
                self.queue_unbind(now, ch, *binding)?;
                (Event::QueueUnbindOk, false)
            }
            Method::QueuePurge { queue, no_wait } => {
                let message_count = self.queue_purge(now, ch, &queue)?;
                (Event::QueuePurgeOk { message_count }, no_wait)
            }
            Method::QueueDelete { queue, if_unused, if_empty, no_wait } => {
                let message_count = self.queue_delete(now, ch, &queue, if_unused, if_empty)?;
                (Event::QueueDeleteOk { message_count }, no_wait)
            }
            _ => return Ok(None),
        };
        Ok((!no_wait).then_some(event))
    }

    /// Classes basic and confirm.
    fn answer_basic(&mut self, now: Instant, ch: ChannelId, method: Method) -> Answer {
        let event = match method {
            Method::BasicPublish(publish) => {
                return self.basic_publish(now, ch, publish).map(|_| None);
            }
            Method::BasicAck { delivery_tag, multiple } => {
                return self.basic_ack(now, ch, delivery_tag, multiple).map(|()| None);
            }
            Method::BasicNack { delivery_tag, multiple, requeue } => {
                return self.basic_nack(now, ch, delivery_tag, multiple, requeue).map(|()| None);
            }
            Method::BasicReject { delivery_tag, requeue } => {
                return self.basic_reject(now, ch, delivery_tag, requeue).map(|()| None);
            }
            Method::BasicRecoverAsync { requeue } => {
                return self.recover(now, ch, ids::BASIC_RECOVER_ASYNC, requeue).map(|()| None);
            }
            Method::BasicRecover { requeue } => {
                self.basic_recover(now, ch, requeue)?;
                Some(Event::BasicRecoverOk)
            }
            Method::BasicQos { prefetch_size, prefetch_count, global } => {
                self.basic_qos(now, ch, prefetch_size, prefetch_count, global)?;
                Some(Event::BasicQosOk)
            }
            Method::BasicConsume { queue, options, no_wait } => {
                let consumer_tag = self.basic_consume(now, ch, &queue, *options)?;
                (!no_wait).then_some(Event::BasicConsumeOk { consumer_tag })
            }
            Method::BasicCancel { consumer_tag, no_wait } => {
                self.basic_cancel(now, ch, &consumer_tag)?;
                (!no_wait).then_some(Event::BasicCancelOk { consumer_tag })
            }
            Method::BasicGet { queue, no_ack } => {
                let got = self.basic_get(now, ch, &queue, no_ack)?;
                Some(got.map_or(Event::GetEmpty, Event::GetOk))
            }
            Method::ConfirmSelect { no_wait } => {
                self.confirm_select(now, ch)?;
                (!no_wait).then_some(Event::ConfirmSelectOk)
            }
            _ => None,
        };
        Ok(event)
    }
}
